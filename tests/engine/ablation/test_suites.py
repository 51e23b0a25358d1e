"""Ablation suites: every variant is valid, sees the same data as the others, and answers the question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.ablation.suites import SUITES, Suite, find_suite, read_suites
from engine.config import DataConfig, RunConfig
from engine.data import make_data
from engine.estimate import active_parameters, parameters
from engine.model.build import build
from engine.training.optim import OPTIMIZERS

SMALL: dict[str, Any] = {
    "name": "mine",
    "question": "Does it matter?",
    "base": {"d_model": 32},
    "variants": {"one": {}, "two": {"norm": "none"}},
}


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_every_variant_can_be_built_and_reads_the_same_batches(suite: Suite) -> None:
    batches: list[list[np.ndarray]] = []
    for variant in suite.variants:
        config = suite.config(variant, seed=1)
        data = make_data(config)
        vocabulary = {"vocab_size": config.model.vocab_size or data.tokenizer.vocab_size}
        with torch.device("meta"):
            model = build(config.model.model_copy(update=vocabulary))
        weights = sum(weight.numel() for weight in model.parameters())
        assert weights == parameters(config.model, vocabulary["vocab_size"])["total"]
        assert config.train.optimizer in OPTIMIZERS
        batches.append([data.batch(config.train.batch_size).inputs for _ in range(3)])
    changed = {field for changes in suite.variants.values() for field in changes}
    if not changed & {*DataConfig.model_fields, "batch_size"}:  # else the suite varies the data
        for read in batches[1:]:
            assert all(map(np.array_equal, read, batches[0]))


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_no_two_variants_are_the_same(suite: Suite) -> None:
    assert len(suite.variants) > 1 and suite.variants[suite.baseline] == {}
    assert len({suite.config(variant).to_json() for variant in suite.variants}) == len(
        suite.variants
    )


def test_a_question_of_experts_keeps_the_active_parameters_equal() -> None:
    suite = SUITES["dense-moe"]
    counts = {name: suite.config(name).model for name in suite.variants}
    active = {
        name: active_parameters(model, 56) - parameters(model, 56)["router"]
        for name, model in counts.items()
    }
    assert len(set(active.values())) == 1
    assert len({parameters(model, 56)["total"] for model in counts.values()}) == len(counts)


def test_a_plan_has_each_variant_with_each_seed_and_one_seed_after_the_other() -> None:
    (suite,) = read_suites(json.dumps([SMALL])).values()
    plan = suite.plan(seeds=2)
    assert [(each.variant, each.seed) for each in plan] == [
        ("one", 0), ("two", 0), ("one", 1), ("two", 1),
    ]  # fmt: skip
    assert len(suite.plan()) == 6
    assert plan[1].config.model.norm == "none" and plan[1].config.model.d_model == 32
    assert plan[1].config.train.threads == 1


def test_the_learning_rate_of_every_variant_is_tuned_with_a_seed_of_its_own() -> None:
    variants = {"one": {}, "two": {"max_lr": 0.1, "min_lr": 0.01}}
    (suite,) = read_suites(
        json.dumps([SMALL | {"variants": variants, "rates": [0.5, 1, 2]}])
    ).values()
    trials = suite.trials()
    plan = trials.plan()
    assert trials.name == "mine, rates" and len(plan) == 6 and trials.rates == ()
    assert {each.seed for each in plan} & {each.seed for each in suite.plan()} == set()
    rates = {each.variant: (each.config.train.max_lr, each.config.train.min_lr) for each in plan}
    assert rates["one, rate × 0.5"] == (1.5e-3, 1.5e-4) and rates["two, rate × 2"] == (0.2, 0.02)
    losses = {"one, rate × 0.5": 2.0, "one, rate × 1": 1.0, "two, rate × 2": 3.0}
    tuned = suite.tuned(losses)  # the others diverged
    assert tuned.config("one") == suite.config("one")
    assert tuned.config("two").train.max_lr == 0.2 and tuned.config("two").train.min_lr == 0.02
    assert tuned.name == "mine" and suite.tuned({}).variants == suite.variants


def test_another_base_is_another_name() -> None:
    suite = SUITES["norm"]
    shorter = suite.with_base(suite.base | {"total_steps": "500"})
    assert shorter.name == "norm: total_steps 500"
    assert shorter.config("none").train.total_steps == 500
    assert suite.with_base(suite.base | {"total_steps": "600"}).name == "norm"
    assert (
        suite.with_base(suite.base | {"norm": "none"}).config("LayerNorm").model.norm == "layernorm"
    )


def test_a_suite_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "my-question.json"
    path.write_text(json.dumps({k: v for k, v in SMALL.items() if k != "name"}))
    assert find_suite(str(path)).name == "my-question"
    assert find_suite("norm") is SUITES["norm"]
    assert find_suite(str(path)).config("two") == RunConfig.from_flat(
        {"d_model": 32, "norm": "none", "threads": 1, "probe_interval": 0, "keep_checkpoints": 2}
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "name = 'a/b': must be letters, digits"),
        ({"question": " "}, "question = ' ': must be text"),
        ({"seeds": 0}, "seeds = '0': must be a whole number from 1 to 100"),
        ({"seeds": True}, "seeds = 'True': must be a whole number"),
        ({"preset": "magic"}, "preset = 'magic': must be one of stories"),
        ({"base": []}, r"base = '\[\]': must be an object"),
        ({"base": {"d_modle": 1}}, "suite mine, base: d_modle = 1: is not the name of a field"),
        ({"variants": {}}, "variants = '{}': must be an object of variants"),
        ({"variants": {"a|b": {}}}, r"'a\|b' is not a valid variant name"),
        ({"variants": {"a": {"seed": 1}}}, "variant a: must be an object of fields without seed"),
        ({"variants": {"a": {"norm": "x"}}}, "suite mine, variant a: norm = 'x': must be one of"),
        ({"rates": [0.5, 0]}, r"rates = '\[0.5, 0\]': must be a list of factors above 0"),
        ({"rates": 2}, "rates = '2': must be a list of factors"),
        (
            {"rates": [100], "base": {"max_lr": 1}},
            r"one, rate × 100: max_lr = 100.0: must be at most 10",
        ),
        ({"more": 1}, "unknown field more"),
    ],
)
def test_what_is_wrong_with_a_suite_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_suites(json.dumps([SMALL | changes]))


def test_other_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks variants"):
        read_suites(json.dumps([{k: v for k, v in SMALL.items() if k != "variants"}]))
    with pytest.raises(ValueError, match="defined twice"):
        read_suites(json.dumps([SMALL, SMALL]))
    with pytest.raises(ValueError, match="must be a list"):
        read_suites("{}")
    with pytest.raises(ValueError, match="must be an object"):
        read_suites("[1]")
    with pytest.raises(ValueError, match=r"must be one of norm, .* or a \.json file"):
        find_suite("magic")
    (tmp_path / "norm.json").write_text(json.dumps(SMALL | {"name": "norm"}))
    with pytest.raises(ValueError, match=r"name = 'norm': must not be the name of a shipped suite"):
        find_suite(str(tmp_path / "norm.json"))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json: is not JSON"):
        find_suite(str(tmp_path / "broken.json"))
