"""Runs to start from: assets/presets.json, each a name, a sentence and what it changes.

A preset is written as what differs from the defaults, so that it reads as what it is about.

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
"""The preset that a first visit begins with."""


@dataclass(frozen=True)
class Preset:
    """One run to start from."""

    name: str
    title: str
    description: str
    """One sentence: what the learner will see."""
    layer: str
    """The heading that it is listed under."""
    changes: dict[str, Any]
    """What differs from the defaults, flat, as in `RunConfig.from_flat`."""

    def config(self) -> RunConfig:
        """The whole configuration."""
        return RunConfig.from_flat(self.changes)


def read_presets(text: str) -> dict[str, Preset]:
    """Parse a list of presets, by name. Raises `ValueError` naming the preset and what is wrong."""
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
    """The preset that a run differs least from, and what the run has otherwise, flat."""
    mine = config.flat()
    differences = {
        name: {field: value for field, value in mine.items() if value != preset[field]}
        for name, preset in _flat().items()
    }
    name = min(differences, key=lambda name: (len(differences[name]), name != DEFAULT))
    return PRESETS[name], differences[name]


@cache
def _flat() -> dict[str, dict[str, Any]]:
    """Every preset's fields, worked out once: lists of runs ask for them again and again."""
    return {name: preset.config().flat() for name, preset in PRESETS.items()}
