"""Presets, read from assets/presets.json: configurations to start from, each with a name and a description.

A preset stores only the fields that differ from the defaults, so that it shows what it is about.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from engine.config import RunConfig
from engine.validation import ConfigError, named_entries

PATH = Path(__file__).parents[1] / "assets" / "presets.json"

DEFAULT = "stories"
"""The preset that a first visit to the page starts with."""


@dataclass(frozen=True)
class Preset:
    """A named configuration to start from."""

    name: str
    title: str
    description: str
    """One sentence: what the run will show."""
    layer: str
    """The heading under which it is listed."""
    changes: dict[str, Any]
    """Fields that differ from the defaults, flat, as in `RunConfig.from_flat`."""

    def config(self) -> RunConfig:
        """The complete configuration."""
        return RunConfig.from_flat(self.changes)


def read_presets(text: str) -> dict[str, Preset]:
    """Parse a list of presets; returns them by name. Raises `ValueError` with the preset and the problem."""
    return named_entries(text, "preset", _read)


def _read(entry: Any, where: str) -> Preset:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must be an object")
    values = cast("dict[str, Any]", entry)
    texts = ("name", "title", "description", "layer")
    if set(values) != {*texts, "changes"}:
        raise ValueError(f"{where}: must have exactly {', '.join((*texts, 'changes'))}")
    for field in texts:
        if not isinstance(values[field], str) or not values[field]:
            raise ValueError(f"{where}: {field} must be text")
    if not isinstance(values["changes"], dict):
        raise ValueError(f"{where}: changes must be an object")
    preset = Preset(**values)
    try:
        preset.config()
    except ConfigError as error:
        raise ValueError(f"preset {preset.name}: {error}") from None
    return preset


PRESETS: dict[str, Preset] = read_presets(PATH.read_text(encoding="utf-8"))


def nearest(config: RunConfig) -> tuple[Preset, dict[str, Any]]:
    """Find the preset with the fewest differing fields; returns it and the run's differing values, flat."""
    mine = config.flat()
    differences = {
        name: {field: value for field, value in mine.items() if value != preset[field]}
        for name, preset in _flat().items()
    }
    name = min(differences, key=lambda name: (len(differences[name]), name != DEFAULT))
    return PRESETS[name], differences[name]


@cache
def _flat() -> dict[str, dict[str, Any]]:
    """All fields of every preset, cached because lists of runs need them repeatedly."""
    return {name: preset.config().flat() for name, preset in PRESETS.items()}
