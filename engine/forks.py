"""New runs out of old ones: go on from a checkpoint with other settings, or begin once more.

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
from engine.jsonl import is_stored, read_stored, write_whole
from engine.runs import MAX_OWN_TEXT, TEXT_PATH, Run, RunError, RunStore, describe
from engine.states import FREE_MODEL_FIELDS, config_of, other_weights, read_state
from engine.validation import ConfigError, Problem

__all__ = ["FREE_MODEL_FIELDS", "begin_again", "fork"]


def fork(
    store: RunStore,
    run: Run,
    step: int,
    changes: Mapping[str, Any] | None = None,
    name: str | None = None,
    check: Callable[[RunConfig], object] = lambda config: None,
) -> Run:
    """A new run that goes on from a checkpoint of another, with some settings changed.

    Weights, and the optimizer's averages where the checkpoint has them, are taken over and the steps
    counted on; another optimizer begins anew. So are the places of the generators, unless the data or
    the seed changes. `check` may refuse the new configuration, before there is a run.

    Raises:
        RunError: there is no checkpoint of this step.
        CheckpointError: it is damaged.
        ConfigError: a change that the weights cannot follow, or an impossible one; data that is not
            there, or has other tokens than the weights.
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

    def fill(folder: Path) -> None:
        shutil.copytree(steps[step], folder / steps[step].name)
        if "optimizer" in differences:  # the averages of another would not fit
            (folder / steps[step].name / "optimizer.safetensors").unlink(missing_ok=True)
        shutil.copyfile(run.tokenizer_path, folder / "tokenizer.json")
        write_whole(folder / steps[step].name / "state.json", json.dumps(stored))

    if not name:
        name = f"{run.name} from {step}" + (f": {describe(differences)}" if differences else "")
    return store.create(config, name, run.id, parent_step=step, text=text, fill=fill)


def begin_again(store: RunStore, run: Run, name: str | None = None) -> Run:
    """A new run of the same configuration and seed: the same first weights, the same batches.

    Raises `ConfigError` for data that is not there any more.
    """
    text = _own_text(run)
    make_data(run.config, text=text)
    return store.create(run.config, name or run.name, text=text)


def _check(config: RunConfig, before: RunConfig, step: int) -> None:
    problems = [
        Problem(field, value, f"must stay {before.flat()[field]}, or the weights would not fit")
        for field, value in other_weights(config, before).items()
    ]
    if config.train.total_steps <= step:
        total = config.train.total_steps
        problems.append(Problem("total_steps", total, f"must be above {step}, where it begins"))
    if problems:
        raise ConfigError(problems)


def _check_data(config: RunConfig, run: Run, text: str | None) -> None:
    """What the new run would find when it starts. Raises `ConfigError`."""
    found = make_data(config, text=text).tokenizer.to_json()
    if found.strip() != run.tokenizer_path.read_text("utf-8").strip():
        allowed = "gives other tokens than those that the checkpoint has learned"
        data = config.data
        field = "source" if data.train_data_path is None else "train_data_path"
        raise ConfigError([Problem(field, getattr(data, field), allowed)])


def _own_text(run: Run) -> str | None:
    path = run.path / TEXT_PATH
    return read_stored(path, MAX_OWN_TEXT).decode("utf-8") if is_stored(path) else None
