"""Create runs from other runs: fork from a checkpoint with changed settings, or rerun from the start.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.config import PART_OF, RunConfig
from engine.data import make_data
from engine.files import is_stored, read_stored, write_atomic
from engine.runs.naming import describe
from engine.runs.states import config_of, incompatible_fields, read_state
from engine.runs.store import MAX_OWN_TEXT, TEXT_PATH, Run, RunError, RunStore
from engine.validation import ConfigError, Problem

__all__ = ["rerun", "fork"]


def fork(
    store: RunStore,
    run: Run,
    step: int,
    changes: Mapping[str, Any] | None = None,
    name: str | None = None,
    check: Callable[[RunConfig], object] = lambda config: None,
) -> Run:
    """Create a run that continues from another run's checkpoint, with some settings changed.

    The fork keeps the weights, their average if it has `ema_decay` too, and the step count. It keeps the
    optimizer state if the checkpoint has it and the optimizer is the same, and the state of the random
    generators unless the data or the seed changes. `check` is called with the new configuration before the
    run is created, and may raise.

    Raises:
        RunError: there is no checkpoint of this step.
        CheckpointError: the checkpoint is damaged.
        ConfigError: a change is invalid or would need other weights; the data is missing, or its
            tokenizer differs from the checkpoint's.
    """
    steps = {checkpoint.step: checkpoint.path for checkpoint in run.checkpoints()}
    if step not in steps:
        known = ", ".join(map(str, steps)) or "none"
        raise RunError(f"{run.name}: has no checkpoint of step {step}; it has {known}")
    stored = read_state(steps[step])
    before = config_of(steps[step], stored)
    config = RunConfig.from_flat(before.flat() | dict(changes or {}))
    differences = config.differences(before)
    text = _own_text(run) if config.data.train_data_path == TEXT_PATH else None
    _check(config, before, step)
    _check_data(config, run, text)
    check(config)

    if "seed" in differences or any(PART_OF[field] == "data" for field in differences):
        stored["data"] = stored["generators"] = None
    stored["config"] = config.model_dump(mode="json")
    if not config.train.ema_decay:
        stored["averaged"] = None

    def fill(folder: Path) -> None:
        shutil.copytree(steps[step], folder / steps[step].name)
        last = folder / steps[step].name / "last.safetensors"
        if not config.train.ema_decay and is_stored(last):  # the model is no longer an average
            last.replace(last.with_name("model.safetensors"))
        if "optimizer" in differences:  # the state of another optimizer would not fit
            (folder / steps[step].name / "optimizer.safetensors").unlink(missing_ok=True)
        write_atomic(folder / "tokenizer.json", run.tokenizer().to_json() + "\n")
        write_atomic(folder / steps[step].name / "state.json", json.dumps(stored))

    if not name:
        name = f"{run.name} from {step}" + (f": {describe(differences)}" if differences else "")
    return store.create(config, name, run.id, parent_step=step, text=text, fill=fill)


def rerun(
    store: RunStore,
    run: Run,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Run:
    """Create a run with the same configuration and seed, so the same initial weights and batches.

    `changes` are settings that differ. Raises `ConfigError` if one is invalid, or the data no longer exists.
    """
    config = RunConfig.from_flat(run.config.flat() | dict(changes or {}))
    text = _own_text(run)
    make_data(config, text=text)
    return store.create(config, name or run.name, text=text)


def _check(config: RunConfig, before: RunConfig, step: int) -> None:
    problems = [
        Problem(field, value, f"must stay {before.flat()[field]}, or the weights would not fit")
        for field, value in incompatible_fields(config, before).items()
    ]
    if config.train.total_steps <= step:
        total = config.train.total_steps
        problems.append(
            Problem("total_steps", total, f"must be above {step}, the step of the checkpoint")
        )
    if problems:
        raise ConfigError(problems)


def _check_data(config: RunConfig, run: Run, text: str | None) -> None:
    """Check the configuration as the new run will when it starts. Raises `ConfigError`."""
    if make_data(config, text=text).tokenizer != run.tokenizer():
        allowed = "gives other tokens than those that the checkpoint was trained on"
        data = config.data
        field = "source" if data.train_data_path is None else "train_data_path"
        raise ConfigError([Problem(field, getattr(data, field), allowed)])


def _own_text(run: Run) -> str | None:
    path = run.path / TEXT_PATH
    return read_stored(path, MAX_OWN_TEXT).decode("utf-8") if is_stored(path) else None
