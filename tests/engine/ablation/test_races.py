"""The plan of a race, its limits, and its verdict."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from engine.ablation.races import (
    FIELDS,
    MAX_SEEDS,
    MAX_STEPS,
    USUAL,
    RacePlan,
    parse_entry,
    verdicts,
)
from engine.ablation.significance import Difference
from engine.config import OptimizerName
from engine.estimate import OPTIMIZER_STATES
from engine.validation import ConfigError

PLAIN = [{"optimizer": "adamw"}, {"optimizer": "muon", "max_lr": 0.5}]


def test_every_optimizer_can_race() -> None:
    assert set(FIELDS) == set(USUAL) == set(get_args(OptimizerName)) == set(OPTIMIZER_STATES)
    for name, fields in FIELDS.items():
        assert tuple(USUAL[name]) == fields


def test_entries_are_completed_and_become_configurations() -> None:
    plan = RacePlan.of(PLAIN, 50, 2)
    assert plan.entries == (
        {"optimizer": "adamw", **USUAL["adamw"]},
        {"optimizer": "muon", **USUAL["muon"], "max_lr": 0.5},
    )
    for entry, config in zip(plan.entries, plan.configs(7), strict=True):
        assert {name: getattr(config.train, name) for name in entry} == entry
        assert (config.train.seed, config.train.total_steps) == (7, 50)


@pytest.mark.parametrize("steps", [1, 2, 3, 14, 15, 16, 100, MAX_STEPS])
def test_moments_reach_from_the_first_step_to_the_last(steps: int) -> None:
    moments = RacePlan.of(PLAIN, steps).moments()
    assert moments[0] == 1 and moments[-1] == steps and len(moments) <= 16
    assert moments == sorted(set(moments))


WRONG: dict[str, tuple[list[dict[str, Any]], Any, Any]] = {
    "optimizer = 'adam'": ([{"optimizer": "adam"}], 10, 1),
    "optimizer = None": ([{}], 10, 1),
    "momentum = 0.9": ([{"optimizer": "adamw", "momentum": 0.9}], 10, 1),
    "d_model = 8": ([{"optimizer": "adamw", "d_model": 8}], 10, 1),
    "max_lr = -1": ([{"optimizer": "adamw", "max_lr": -1}], 10, 1),
    "beta1 = 1": ([{"optimizer": "sgd", "beta1": 1}], 10, 1),
    "entries = 0": ([], 10, 1),
    "entries = 5": ([{"optimizer": "adamw"}] * 5, 10, 1),
    f"steps = {MAX_STEPS + 1}": (PLAIN, MAX_STEPS + 1, 1),
    "steps = 0": (PLAIN, 0, 1),
    "steps = True": (PLAIN, True, 1),
    f"seeds = {MAX_SEEDS + 1}": (PLAIN, 10, MAX_SEEDS + 1),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_is_named(said: str) -> None:
    with pytest.raises(ConfigError) as error:
        RacePlan.of(*WRONG[said])
    assert said in str(error.value)


def test_an_entry_is_read_from_a_word() -> None:
    assert parse_entry("muon") == {"optimizer": "muon"}
    assert parse_entry("muon,max_lr=0.02,momentum=.9") == {
        "optimizer": "muon",
        "max_lr": 0.02,
        "momentum": 0.9,
    }
    for word in ("muon,max_lr", "muon,max_lr=fast", "muon,"):
        with pytest.raises(ConfigError, match="muon,"):
            parse_entry(word)


def test_verdicts_are_paired_with_the_first_entry_by_seed() -> None:
    losses = [{0: 2.0, 1: 2.2, 2: 2.1}, {0: 1.9, 1: 2.11, 2: 2.0}, {}]
    first, second, third = verdicts(losses)
    assert first is None and third is None
    assert second == Difference.paired(losses[1], losses[0])
    assert second is not None and second.count == 3 and second.within_noise is False
