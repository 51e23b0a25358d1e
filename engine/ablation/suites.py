"""Ablation suites as data: a question, a base configuration, and the changes of each variant.

    {
      "name": "norm",
      "question": "What does normalisation do, and does it matter which?",
      "preset": "stories",
      "base": {"total_steps": 600},
      "variants": {"rmsnorm": {}, "layernorm": {"norm": "layernorm"}, "none": {"norm": "none"}}
    }

With "rates", such as [0.5, 1, 2], the learning rate of every variant is tuned first: each is trained with its max_lr
and min_lr times each factor, with a seed that is not used again, and the one with the lowest validation loss is kept.

The first variant is the baseline. Every variant is trained with each seed. With the same seed, all variants
see the same batches in the same order, unless the suite varies the data. assets/suites.json is the list of
shipped suites; a user's file has a single suite.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from engine.config import RunConfig
from engine.presets import PRESETS
from engine.runs.naming import by_field
from engine.validation import ConfigError, named_entries

PATH = Path(__file__).parents[2] / "assets" / "suites.json"

SEEDS = 3
"""Default number of seeds."""

TRIAL_SEED = 1_000
"""The seed with which learning rates are tried: none of those that a suite is measured with."""

SUITE_DEFAULTS: dict[str, Any] = {"threads": 1, "probe_interval": 0, "keep_checkpoints": 2}
"""Default changes for the runs of a suite: there are many of them, and their speeds must be comparable."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True)
class PlannedRun:
    """One run of a suite."""

    variant: str
    config: RunConfig

    @property
    def seed(self) -> int:
        return self.config.train.seed


@dataclass(frozen=True)
class Suite:
    """A question, and the variants whose runs answer it."""

    name: str
    """Stored in each run's `RunInfo.suite`; runs with the same name belong together."""
    question: str
    base: dict[str, Any]
    """Fields of all variants that differ from the defaults, flat."""
    variants: dict[str, dict[str, Any]]
    """Fields that each variant changes, by its name. The first variant is the baseline."""
    seeds: int = SEEDS
    """Number of seeds: 0, 1, 2, ..."""
    rates: tuple[float, ...] = ()
    """Factors of the learning rate that are tried for every variant before it is measured; empty: none."""
    first_seed: int = 0

    @property
    def baseline(self) -> str:
        """Name of the variant with which the others are compared."""
        return next(iter(self.variants))

    def with_base(self, base: Mapping[str, Any]) -> Suite:
        """The same variants on another base. "norm" then becomes "norm: total_steps 500".

        Raises `ConfigError` for an invalid base.
        """
        changes = RunConfig.from_flat(base).differences(RunConfig.from_flat(self.base))
        name = f"{self.name}: {by_field(changes)}" if changes else self.name
        return replace(self, name=name, base=dict(base))

    def plan(self, seeds: int | None = None) -> list[PlannedRun]:
        """All runs, ordered by seed, then by variant.

        Raises `ValueError` that names a variant with an invalid configuration and the reason.
        """
        return [
            PlannedRun(variant, self.config(variant, seed))
            for seed in range(self.first_seed, self.first_seed + (seeds or self.seeds))
            for variant in self.variants
        ]

    def trials(self) -> Suite:
        """The suite that tries every factor of `rates` with every variant, once. Its runs have its own name."""
        return replace(
            self,
            name=f"{self.name}, rates",
            variants={
                _trial(variant, factor): self._at_rate(variant, factor)
                for variant in self.variants
                for factor in self.rates
            },
            seeds=1,
            rates=(),
            first_seed=TRIAL_SEED,
        )

    def tuned(self, losses: Mapping[str, float]) -> Suite:
        """Every variant at its best learning rate. `losses` has the validation loss of each variant of `trials`; those
        that did not finish are left out."""
        variants: dict[str, dict[str, Any]] = {}
        for variant in self.variants:
            tried = {
                factor: losses[name]
                for factor in self.rates
                if (name := _trial(variant, factor)) in losses
            }
            best = min(tried, key=tried.__getitem__, default=1.0)
            variants[variant] = self._at_rate(variant, best)
        return replace(self, variants=variants, rates=())

    def _at_rate(self, variant: str, factor: float) -> dict[str, Any]:
        """The changes of a variant with its learning rate times a factor."""
        if factor == 1:
            return self.variants[variant]
        train = self.config(variant).train
        rates = {
            name: float(f"{factor * getattr(train, name):.6g}") for name in ("max_lr", "min_lr")
        }
        return self.variants[variant] | rates

    def config(self, variant: str, seed: int = 0) -> RunConfig:
        """The configuration of one run. Raises `ValueError` like `plan`."""
        try:
            return RunConfig.from_flat(self.base | self.variants[variant] | {"seed": seed})
        except ConfigError as error:
            raise ValueError(f"suite {self.name}, variant {variant}: {error}") from None


def _trial(variant: str, factor: float) -> str:
    return f"{variant}, rate × {factor:g}"


def find_suite(text: str) -> Suite:
    """Find a shipped suite by name, or load a user's suite from a .json file.

    Raises `ValueError` for an unknown name or an invalid suite, `OSError` if the file cannot be read.
    """
    if text in SUITES:
        return SUITES[text]
    if not text.endswith(".json"):
        raise ValueError(
            f"suite = {text[:80]!r}: must be one of {', '.join(SUITES)}, or a .json file"
        )
    path = Path(text)
    try:
        entry = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON: {error}") from None
    if isinstance(entry, dict):
        entry = {"name": path.stem, **cast("dict[str, Any]", entry)}
    suite = _read(entry, str(path))
    if suite.name in SUITES:
        raise ValueError(f"{path}: name = {suite.name!r}: must not be the name of a shipped suite")
    return suite


def read_suites(text: str) -> dict[str, Suite]:
    """Parse a list of suites; returns them by name. Raises `ValueError` with the suite and the problem."""
    return named_entries(text, "suite", _read)


def _read(entry: Any, where: str) -> Suite:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must be an object")
    values = cast("dict[str, Any]", entry)
    needed, optional = {"name", "question", "variants"}, {"preset", "base", "seeds", "rates"}
    for field in needed - values.keys():
        raise ValueError(f"{where}: lacks {field}")
    for field in values.keys() - needed - optional:
        raise ValueError(
            f"{where}: unknown field {field}; known: {', '.join(sorted(needed | optional))}"
        )

    def check(field: str, right: bool, allowed: str) -> None:
        if not right:
            raise ValueError(
                f"{where}: {field} = {str(values.get(field))[:80]!r}: must be {allowed}"
            )

    name, question, seeds = values["name"], values["question"], values.get("seeds", SEEDS)
    variants: Any = values["variants"]
    preset: Any = values.get("preset")
    base: Any = values.get("base", {})
    rates: Any = values.get("rates", [])
    letters = "letters, digits, - and _, at most 40"
    check("name", isinstance(name, str) and bool(_NAME.fullmatch(name)), letters)
    check("question", isinstance(question, str) and bool(question.strip()), "text")
    check("seeds", type(seeds) is int and 1 <= seeds <= 100, "a whole number from 1 to 100")
    check("preset", preset is None or preset in PRESETS, f"one of {', '.join(PRESETS)}")
    check("base", isinstance(base, dict), "an object of fields")
    numbers = isinstance(rates, list) and all(
        type(rate) in (int, float) and 0 < rate <= 100 for rate in cast("list[Any]", rates)
    )
    check("rates", numbers, "a list of factors above 0, at most 100")
    check("variants", isinstance(variants, dict) and variants != {}, "an object of variants")
    named = cast("dict[str, Any]", variants)
    for variant, changes in named.items():
        if not variant.strip() or not variant.isprintable() or "|" in variant or len(variant) > 60:
            raise ValueError(f"{where}: {variant[:80]!r} is not a valid variant name")
        if not isinstance(changes, dict) or "seed" in changes:
            raise ValueError(
                f"{where}: variant {variant}: must be an object of fields without seed"
            )
    start = PRESETS[preset].changes if preset else {}
    suite = Suite(name, question, SUITE_DEFAULTS | start | base, named, seeds, tuple(rates))
    try:
        RunConfig.from_flat(suite.base)
    except ConfigError as error:
        raise ValueError(f"suite {name}, base: {error}") from None
    suite.plan(seeds=1)  # validates every variant
    if suite.rates:
        suite.trials().plan()
    return suite


SUITES: dict[str, Suite] = read_suites(PATH.read_text(encoding="utf-8"))
