"""Ablation suites: every variant can be built, reads what the others read, and asks what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import DataConfig, RunConfig
from engine.data import make_data
from engine.estimate import active_parameters, parameters
from engine.model.build import build
from engine.optim import OPTIMIZERS
from engine.suites import SUITES, Suite, find_suite, read_suites

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
    if not changed & DataConfig.model_fields.keys():  # else what they read is the question
        for read in batches[1:]:
            assert all(map(np.array_equal, read, batches[0]))


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_no_two_variants_are_the_same(suite: Suite) -> None:
    assert len(suite.variants) > 1 and suite.variants[suite.first] == {}
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


def test_another_base_is_another_name() -> None:
    suite = SUITES["norm"]
    shorter = suite.on(suite.base | {"total_steps": "500"})
    assert shorter.name == "norm: total_steps 500"
    assert shorter.config("none").train.total_steps == 500
    assert suite.on(suite.base | {"total_steps": "600"}).name == "norm"
    assert suite.on(suite.base | {"norm": "none"}).config("LayerNorm").model.norm == "layernorm"


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
        ({"variants": {"a|b": {}}}, r"'a\|b' is no name for a variant"),
        ({"variants": {"a": {"seed": 1}}}, "variant a: must be an object of fields without seed"),
        ({"variants": {"a": {"norm": "x"}}}, "suite mine, variant a: norm = 'x': must be one of"),
        ({"more": 1}, "more is not known"),
    ],
)
def test_what_is_wrong_with_a_suite_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_suites(json.dumps([SMALL | changes]))


def test_other_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks variants"):
        read_suites(json.dumps([{k: v for k, v in SMALL.items() if k != "variants"}]))
    with pytest.raises(ValueError, match="there twice"):
        read_suites(json.dumps([SMALL, SMALL]))
    with pytest.raises(ValueError, match="must be a list"):
        read_suites("{}")
    with pytest.raises(ValueError, match="must be an object"):
        read_suites("[1]")
    with pytest.raises(ValueError, match=r"must be one of norm, .* or a \.json file"):
        find_suite("magic")
    (tmp_path / "norm.json").write_text(json.dumps(SMALL | {"name": "norm"}))
    with pytest.raises(ValueError, match=r"name = 'norm': must not be that of a shipped suite"):
        find_suite(str(tmp_path / "norm.json"))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json: is not JSON"):
        find_suite(str(tmp_path / "broken.json"))
