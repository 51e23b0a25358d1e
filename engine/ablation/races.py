"""A race of optimizers: its entries, its configurations, and the reading of its result.

A race trains one small model with several optimizers. All of them start from the same weights and see the same
batches (`engine.training.race`), so a difference in the loss comes from the optimizer and its settings alone. With
several seeds the differences are paired by seed (`significance`).

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from engine.ablation.significance import Difference
from engine.config import OptimizerName, RunConfig
from engine.presets import PRESETS
from engine.validation import ConfigError, Problem

FIELDS: dict[OptimizerName, tuple[str, ...]] = {
    "adamw": ("max_lr", "weight_decay", "beta1", "beta2"),
    "muon": ("max_lr", "weight_decay", "momentum", "beta1", "beta2"),
    "lion": ("max_lr", "weight_decay", "beta1", "beta2"),
    "sgd": ("max_lr", "weight_decay", "beta1"),
}
"""The settings of each optimizer that an entry may change."""

USUAL: dict[OptimizerName, dict[str, float]] = {
    "adamw": {"max_lr": 0.01, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.99},
    "muon": {"max_lr": 0.04, "weight_decay": 0.1, "momentum": 0.95, "beta1": 0.9, "beta2": 0.99},
    "lion": {"max_lr": 0.008, "weight_decay": 0.3, "beta1": 0.9, "beta2": 0.99},
    "sgd": {"max_lr": 0.3, "weight_decay": 1e-4, "beta1": 0.9},
}
"""An entry's settings where it names none. Each learning rate is the best of those tried, a factor of about two apart."""

MODEL: dict[str, Any] = PRESETS["tiny"].changes | {"n_layer": 2, "feedforward": "gelu"}
"""The model of a race: the preset "tiny" with two blocks, whose feed-forwards have two matrices, up and down."""

MATRICES = ("q", "k", "v", "o", "up", "down")
"""The matrices of a block: queries, keys, values, attention's output, and the two of the feed-forward."""

MAX_ENTRIES = len(FIELDS)
MAX_STEPS = 600
MAX_SEEDS = 5
EVALUATIONS = 10
"""Evaluations after the first, in a race."""
MOMENTS = 15
"""Steps at which the singular values are recorded, at most."""


@dataclass(frozen=True)
class RacePlan:
    """The optimizers of a race with their settings, the number of steps, and the seeds."""

    entries: tuple[dict[str, Any], ...]
    """{"optimizer": name, and each of its `FIELDS`}."""
    steps: int
    seeds: int

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]], steps: int, seeds: int = 1) -> RacePlan:
        """A checked plan; settings that an entry leaves out are `USUAL`. Raises `ConfigError`."""
        problems: list[Problem] = []
        if not isinstance(entries, list | tuple):
            problems.append(Problem("entries", entries, f"must be 1 to {MAX_ENTRIES}"))
        elif not 1 <= len(entries) <= MAX_ENTRIES:
            problems.append(Problem("entries", len(entries), f"must be 1 to {MAX_ENTRIES}"))
        for name, value, most in (("steps", steps, MAX_STEPS), ("seeds", seeds, MAX_SEEDS)):
            if type(value) is not int or not 1 <= value <= most:
                problems.append(Problem(name, value, f"must be a whole number from 1 to {most}"))
        if problems:
            raise ConfigError(problems)
        plan = cls(tuple(_entry(each) for each in entries), steps, seeds)
        plan.configs(0)  # raises for a value out of its limits
        return plan

    def configs(self, seed: int) -> list[RunConfig]:
        """The configuration of each entry. They differ in the optimizer and its settings only."""
        common = MODEL | {
            "total_steps": self.steps, "warmup_steps": self.steps // 10, "min_lr": 0.0, "seed": seed,
            "eval_interval": max(1, self.steps // EVALUATIONS), "eval_steps": 16, "threads": 1,
        }  # fmt: skip
        return [RunConfig.from_flat(common | entry) for entry in self.entries]

    def moments(self) -> list[int]:
        """The steps at which singular values are recorded: the first, and then evenly up to the last."""
        count = min(self.steps, MOMENTS)
        return sorted({1, *(round(self.steps * i / (count - 1 or 1)) for i in range(1, count))})


def _entry(given: Any) -> dict[str, Any]:
    """A complete entry. Raises `ConfigError` for a name or a setting that is unknown."""
    optimizer: Any = given.get("optimizer") if isinstance(given, Mapping) else given
    if optimizer not in get_args(OptimizerName):
        allowed = f"must be one of {', '.join(get_args(OptimizerName))}"
        raise ConfigError([Problem("optimizer", optimizer, allowed)])
    known = FIELDS[optimizer]
    unknown = [name for name in given if name not in ("optimizer", *known)]
    if unknown:
        allowed = f"is no setting of {optimizer}: it has {', '.join(known)}"
        raise ConfigError([Problem(unknown[0], given[unknown[0]], allowed)])
    return {"optimizer": optimizer, **USUAL[optimizer], **given}


def parse_entry(word: str) -> dict[str, Any]:
    """Read an entry from the command line: "muon" or "muon,max_lr=0.02". Raises `ConfigError`."""
    optimizer, *settings = word.split(",")
    entry: dict[str, Any] = {"optimizer": optimizer}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            entry[name] = float(value)
        except ValueError:
            allowed = "must be a setting with its value, such as muon,max_lr=0.02"
            raise ConfigError([Problem("entry", word, allowed)]) from None
    return entry


def verdicts(losses: Sequence[Mapping[int, float]]) -> list[Difference | None]:
    """Each entry's loss minus that of the first, paired by seed; None for the first, and without a pair.

    `losses` has each entry's final validation loss by seed; a seed that diverged is missing.
    """
    return [
        Difference.paired(each, losses[0]) if number else None for number, each in enumerate(losses)
    ]
