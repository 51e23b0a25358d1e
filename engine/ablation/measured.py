"""Results of suites that ship with the project, so that a suite has an answer before anybody trains it.

    assets/lessons/results/NAME/
      table.csv        the comparison, as `ablate NAME --out FOLDER` writes it
      table.md         the same to read
      measured.json    when and on which machine it was measured, with which command and learning rates

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter

from engine.ablation.comparison import Row, from_csv
from engine.validation import ConfigError, read_json

RESULTS = Path(__file__).parents[2] / "assets" / "lessons" / "results"


@dataclass(frozen=True)
class Origin:
    """Where a table comes from."""

    command: str
    date: str = ""
    """Such as 2026-11-30; '' if it was not recorded, like `machine`."""
    machine: str = ""
    rates: dict[str, float] = field(default_factory=dict[str, float])
    """The learning rate (max_lr) of each variant, if the suite tuned them."""

    @classmethod
    def here(cls, command: str, rates: dict[str, float]) -> Origin:
        """The origin of a table that was measured on this machine, today."""
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
        return cls(command, date.today().isoformat(), machine, rates)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """The shipped result of a suite."""

    rows: list[Row]
    origin: Origin


def measured(name: str, root: Path = RESULTS) -> Measured | None:
    """The shipped result of the suite of this name; None if there is none that can be read."""
    folder = root / name
    if folder.parent != root:
        return None
    try:
        rows = from_csv((folder / "table.csv").read_text(encoding="utf-8"))
        about = folder / "measured.json"
        if not about.is_file():
            return Measured(rows, Origin(f"python -m engine ablate {name}"))
        return Measured(rows, read_json(TypeAdapter(Origin), about.read_bytes()))
    except (OSError, ValueError, ConfigError):
        return None
