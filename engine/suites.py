"""Ablation suites as data: what is asked, what stays the same, and what each variant changes.

    {
      "name": "norm",
      "question": "What does normalisation do, and does it matter which?",
      "preset": "stories",
      "base": {"total_steps": 600},
      "variants": {"rmsnorm": {}, "layernorm": {"norm": "layernorm"}, "none": {"norm": "none"}}
    }

The first variant is what the others are compared with. Every variant is trained with each seed; of
one seed, all variants read the same batches in the same order, unless what they read is the question.
assets/suites.json has those that ship, a list; a file of one's own has one of them.

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
from engine.runs import describe
from engine.validation import ConfigError, named_entries

PATH = Path(__file__).parents[1] / "assets" / "suites.json"

SEEDS = 3
"""How many there are where a suite does not say."""

RECORDING: dict[str, Any] = {"threads": 1, "probe_interval": 0, "keep_checkpoints": 2}
"""What a suite's runs do without being told: they are many, and are to be compared by their speed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Planned:
    """One run of a suite."""

    variant: str
    config: RunConfig

    @property
    def seed(self) -> int:
        return self.config.train.seed


@dataclass(frozen=True)
class Suite:
    """One question, and the runs that answer it."""

    name: str
    """What its runs are stored under; those with the same name belong together."""
    question: str
    base: dict[str, Any]
    """What all variants have, flat, where it differs from the defaults."""
    variants: dict[str, dict[str, Any]]
    """What each sets beside it. The first is what the others are compared with."""
    seeds: int = SEEDS
    """How many: 0, 1, 2, ..."""

    @property
    def first(self) -> str:
        """The variant that the others are compared with."""
        return next(iter(self.variants))

    def on(self, base: Mapping[str, Any]) -> Suite:
        """The same variants of another base; "norm" is then called "norm: total_steps 500".

        Raises `ConfigError` for a base that cannot be.
        """
        changes = RunConfig.from_flat(base).differences(RunConfig.from_flat(self.base))
        name = f"{self.name}: {describe(changes)}" if changes else self.name
        return replace(self, name=name, base=dict(base))

    def plan(self, seeds: int | None = None) -> list[Planned]:
        """Every run, all variants of one seed before the next.

        Raises `ValueError` naming the variant whose configuration cannot be, and why.
        """
        return [
            Planned(variant, self.config(variant, seed))
            for seed in range(self.seeds if seeds is None else seeds)
            for variant in self.variants
        ]

    def config(self, variant: str, seed: int = 0) -> RunConfig:
        """The configuration of one run. Raises `ValueError` as `plan` does."""
        try:
            return RunConfig.from_flat(self.base | self.variants[variant] | {"seed": seed})
        except ConfigError as error:
            raise ValueError(f"suite {self.name}, variant {variant}: {error}") from None


def find_suite(text: str) -> Suite:
    """A shipped suite by its name, or one's own by the path of its file.

    Raises `ValueError` for what is neither or is no suite, `OSError` where it cannot be read.
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
        raise ValueError(f"{path}: name = {suite.name!r}: must not be that of a shipped suite")
    return suite


def read_suites(text: str) -> dict[str, Suite]:
    """Parse a list of suites, by name. Raises `ValueError` naming the suite and what is wrong."""
    return named_entries(text, "suite", _read)


def _read(entry: Any, where: str) -> Suite:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must be an object")
    values = cast("dict[str, Any]", entry)
    needed, optional = {"name", "question", "variants"}, {"preset", "base", "seeds"}
    for field in needed - values.keys():
        raise ValueError(f"{where}: lacks {field}")
    for field in values.keys() - needed - optional:
        raise ValueError(
            f"{where}: {field} is not known; {', '.join(sorted(needed | optional))} are"
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
    letters = "letters, digits, - and _, at most 40"
    check("name", isinstance(name, str) and bool(_NAME.fullmatch(name)), letters)
    check("question", isinstance(question, str) and bool(question.strip()), "text")
    check("seeds", type(seeds) is int and 1 <= seeds <= 100, "a whole number from 1 to 100")
    check("preset", preset is None or preset in PRESETS, f"one of {', '.join(PRESETS)}")
    check("base", isinstance(base, dict), "an object of fields")
    check("variants", isinstance(variants, dict) and variants != {}, "an object of variants")
    named = cast("dict[str, Any]", variants)
    for variant, changes in named.items():
        if not variant.strip() or not variant.isprintable() or "|" in variant or len(variant) > 60:
            raise ValueError(f"{where}: {variant[:80]!r} is no name for a variant")
        if not isinstance(changes, dict) or "seed" in changes:
            raise ValueError(
                f"{where}: variant {variant}: must be an object of fields without seed"
            )
    start = PRESETS[preset].changes if preset else {}
    suite = Suite(name, question, RECORDING | start | base, named, seeds)
    try:
        RunConfig.from_flat(suite.base)
    except ConfigError as error:
        raise ValueError(f"suite {name}, base: {error}") from None
    suite.plan(seeds=1)  # every variant can be
    return suite


SUITES: dict[str, Suite] = read_suites(PATH.read_text(encoding="utf-8"))
