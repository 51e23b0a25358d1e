"""Configurations: JSON both ways, and everything impossible refused in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine.config import (
    PARTS,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    fields,
    read_config,
)
from engine.validation import ConfigError, Problem

CHANGED = {"d_model": 96, "max_lr": 1e-3, "source": "copy", "bias": True, "threads": 2, "d_ff": 40}


def refused(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_flat(values)
    assert all(problem.allowed for problem in caught.value.problems)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_lr": -1}, "max_lr = -1: must be greater than 0"),
        ({"max_lr": 11}, "max_lr = 11: must be at most 10"),
        ({"d_model": 1}, "d_model = 1: must be at least 2"),
        ({"dropout": 1.0}, "dropout = 1.0: must be less than 1"),
        ({"dtype": "x"}, "dtype = 'x': must be one of fp32, bf16, fp16"),
        ({"norm": None}, "norm = None: must be one of rmsnorm, layernorm, none"),
        ({"d_model": 64.5}, "d_model = 64.5: must be a whole number"),
        ({"d_model": "wide"}, "d_model = 'wide': must be a whole number"),
        ({"d_model": None}, "d_model = None: must be a whole number"),
        ({"d_model": [64]}, "d_model = [64]: must be a whole number"),
        ({"d_model": "9" * 5000}, "must be a whole number"),
        ({"max_lr": "fast"}, "max_lr = 'fast': must be a number"),
        ({"max_lr": {}}, "max_lr = {}: must be a number"),
        ({"max_lr": float("nan")}, "max_lr = nan: must be a finite number"),
        ({"max_lr": "inf"}, "max_lr = 'inf': must be a finite number"),
        ({"bias": "perhaps"}, "bias = 'perhaps': must be true or false"),
        ({"bias": []}, "bias = []: must be true or false"),
        ({"source": 5}, "source = 5: must be text"),
        ({"source": ""}, "source = '': must have at least 1 character"),
        ({"source": "x" * 65}, "must have at most 64 characters"),
        ({"magic": 1}, "magic = 1: is not the name of a field"),
        ({"d_model": 65}, "d_model = 65: must be a multiple of n_head = 4, such as 64, 72"),
        ({"d_model": 2}, "d_model = 2: must be a multiple of n_head = 4, such as 8"),
        ({"n_kv_head": 3}, "n_kv_head = 3: must divide n_head = 4: 1, 2, 4"),
        ({"d_model": 12}, "d_model = 12: RoPE rotates pairs, so d_model / n_head = 3 must be even"),
        (
            {"d_model": 9, "n_head": 1, "position": "sinusoidal"},
            "d_model = 9: must be even with sinusoidal positions",
        ),
        ({"min_lr": 1.0}, "min_lr = 1.0: must not be above max_lr = 0.003"),
        ({"total_steps": 20}, "warmup_steps = 50: must not be above total_steps = 20"),
        ({"source": "text"}, "train_data_path = None: must name a file when source is 'text'"),
        (
            {"train_data_path": "x"},
            "source = 'stories': must be 'text' or 'pairs' when train_data_path is set",
        ),
    ],
)
def test_the_impossible_is_refused_by_name_value_and_reason(
    values: dict[str, Any], message: str
) -> None:
    assert message in refused(values)


def test_every_problem_of_every_part_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_flat({"max_lr": -1, "d_model": 0, "valid_fraction": 2, "magic": 1})
    assert {problem.field for problem in caught.value.problems} == {
        "max_lr",
        "d_model",
        "valid_fraction",
        "magic",
    }


def test_a_long_value_is_shortened() -> None:
    assert len(str(Problem("source", "x" * 10_000, "must be short"))) < 200


def test_no_message_is_pydantic_s_own() -> None:
    odd: list[Any] = [None, "", "x", -1, 1e9, 1.5, [], {}, float("inf"), b"\xff", "9" * 99]
    for _, name, _ in fields():
        for value in odd:
            try:
                RunConfig.from_flat({name: value})
            except ConfigError as error:
                for problem in error.problems:
                    words = ("must", "is not", "needs", "RoPE")
                    assert problem.allowed.startswith(words), problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object"),
        ('{"train": 5}', "train = 5: must be an object of fields"),
        ('{"train": {"max_lr": NaN}}', "max_lr = nan: must be a finite number"),
        ('{"train": {"max_lr": -1}}', "max_lr = -1: must be greater than 0"),
        ('{"other": {}}', "other = {}: is not the name of a field"),
    ],
)
def test_json_is_refused_in_the_same_words(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_json(text)
    assert message in str(caught.value)


def test_configurations_are_frozen() -> None:
    with pytest.raises(ValidationError):
        ModelConfig().d_model = 5  # type: ignore[misc]


def test_json_goes_both_ways() -> None:
    config = RunConfig.from_flat(CHANGED)
    assert RunConfig.from_json(config.to_json()) == config
    assert json.loads(config.to_json())["model"]["n_layer"] == 2  # defaults are written too
    assert RunConfig.from_flat(config.flat()) == config


def test_changes_are_what_differs_from_the_defaults() -> None:
    config = RunConfig.from_flat(CHANGED)
    assert config.changes() == CHANGED
    assert RunConfig.from_flat(config.changes()) == config
    assert RunConfig().changes() == {}
    assert config.differences(RunConfig()) == CHANGED
    assert RunConfig().differences(config)["d_model"] == 64


@pytest.mark.case("F8")
def test_a_file_may_be_nested_or_flat(tmp_path: Path) -> None:
    config = RunConfig.from_flat(CHANGED)
    (tmp_path / "nested.json").write_text(config.to_json())
    (tmp_path / "flat.json").write_text(json.dumps(CHANGED))
    assert read_config(tmp_path / "nested.json") == config
    assert read_config(tmp_path / "flat.json") == config
    for name in ("nested", "flat"):  # as some editors save it
        text = (tmp_path / f"{name}.json").read_text("utf-8")
        (tmp_path / f"{name}-marked.json").write_text(text, "utf-8-sig")
        assert read_config(tmp_path / f"{name}-marked.json") == config
    (tmp_path / "bad.json").write_text('{"d_model": 0}')
    with pytest.raises(ConfigError, match="d_model = 0: must be at least 2"):
        read_config(tmp_path / "bad.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError):
        read_config(tmp_path / "deep.json")
    with pytest.raises(OSError):
        read_config(tmp_path / "none.json")


def test_every_field_is_documented_and_its_examples_hold() -> None:
    names = [name for _, name, _ in fields()]
    assert len(names) == len(set(names)) == sum(len(part.model_fields) for part in PARTS.values())
    for part, name, info in fields():
        assert info.description and info.description.endswith("."), name
        for value in info.examples or []:
            wide = {"d_model": 192, "n_head": 8} if name in ("n_kv_head", "n_head") else {}
            extra = {"warmup_steps": 0} if name == "total_steps" else {}
            extra |= {"min_lr": 0.0} if name == "max_lr" else {}
            extra |= {"n_head": 1} if name == "d_model" else {}
            config = RunConfig.from_flat(wide | extra | {name: value})
            assert getattr(getattr(config, part), name) == value


def test_derived_sizes() -> None:
    assert ModelConfig().head_dim == 16 and ModelConfig().kv_heads == 4
    assert ModelConfig.parse({"n_kv_head": 1}).kv_heads == 1
    assert ModelConfig().ff_width == 168
    assert ModelConfig.parse({"feedforward": "relu"}).ff_width == 256
    assert ModelConfig.parse({"d_ff": 40}).ff_width == 40
    assert DataConfig().source == "stories" and TrainConfig().seed == 0
