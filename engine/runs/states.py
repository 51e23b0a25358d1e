"""`state.json`, a checkpoint's metadata, validated against its folder and its run.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from engine.config import PART_OF, RunConfig, read_config
from engine.files import read_object, read_stored
from engine.runs.events import MAX_STEP
from engine.validation import ConfigError

STATE = "state.json"

FREE_MODEL_FIELDS = ("dropout", "zero_output")
"""Model fields that may differ between models of the same weights. All others determine the weights'
shapes or their meaning."""

_FOLDER = re.compile(r"step-(\d{6,12})")


class CheckpointError(ValueError):
    """A checkpoint cannot be used. The message names the file and the reason."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"{path.parent.name}/{path.name}: {reason}")


def read_state(folder: Path) -> dict[str, Any]:
    """Read and validate `state.json`; returns its values unchanged.

    Raises `CheckpointError`, also if the step differs from the folder's or the model from the run's.
    """
    path = folder / STATE
    values = read_values(path)
    config = config_of(folder, values)
    for name in ("vocab_size", "step", "tokens"):
        count_of(folder, values, name)
    named = _FOLDER.fullmatch(folder.name)
    if named and int(named[1]) != values["step"]:
        raise CheckpointError(
            path, f"step = {values['step']}: must be {int(named[1])}, as its folder"
        )
    try:
        given = read_config(folder.parent / "config.json")
    except OSError:  # the checkpoint was moved out of its run
        return values
    except ConfigError as error:
        raise CheckpointError(folder.parent / "config.json", error) from None
    differing = incompatible_fields(config, given)
    differing["vocab_size"] = values["vocab_size"]  # may be missing in both configurations
    for field, value in differing.items():
        wanted = given.flat()[field]
        if field != "vocab_size" or wanted not in (None, value):
            allowed = f"must be {wanted}, as in the run's config.json"
            raise CheckpointError(path, f"{field} = {value}: {allowed}")
    return values


def incompatible_fields(config: RunConfig, before: RunConfig) -> dict[str, Any]:
    """Fields of `config` that the weights of `before` do not fit, with their values in `config`."""
    differences = config.differences(before).items()
    return {
        field: value
        for field, value in differences
        if PART_OF[field] == "model" and field not in FREE_MODEL_FIELDS
    }


def read_values(path: Path) -> dict[str, Any]:
    """Read a JSON object from a small file. Raises `CheckpointError`."""
    try:
        values = read_object(read_stored(path))
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    if values is None:
        raise CheckpointError(path, "is not a JSON object, or was cut short")
    return values


def config_of(folder: Path, values: Mapping[str, Any]) -> RunConfig:
    """Parse the configuration in a state. Raises `CheckpointError`."""
    stored = values.get("config")
    if not isinstance(stored, dict):
        raise CheckpointError(folder / STATE, "lacks config")
    try:
        return RunConfig.parse(cast("dict[str, Any]", stored))
    except ConfigError as error:
        raise CheckpointError(folder / STATE, f"config: {error}") from None


def count_of(folder: Path, values: Mapping[str, Any], name: str) -> int:
    """Read a non-negative integer from a state. Raises `CheckpointError`."""
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        shown = repr(value)[:80]
        raise CheckpointError(folder / STATE, f"{name} = {shown}: must be a whole number")
    if name == "step" and value > MAX_STEP:
        raise CheckpointError(folder / STATE, f"step = {value}: must be at most {MAX_STEP:,}")
    return value
