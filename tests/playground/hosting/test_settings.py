"""What a host may set: read from the environment, refused by name, off on one's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config import PART_OF, PARTS
from engine.presets import PRESETS
from engine.validation import ConfigError
from playground import settings
from playground.planning import plan as plans
from playground.planning.choice import read_choice
from playground.planning.controls import CONTROLS
from playground.planning.plan import plan, summary
from playground.settings import PUBLIC, Settings, read

HOST = {"TP_PUBLIC": "1"}

HARMLESS = {
    "rope_theta", "dropout", "valid_fraction", "seed", "max_lr", "min_lr", "warmup_steps", "weight_decay",
    "beta1", "beta2", "max_grad_norm", "label_smoothing", "switch_loss", "expert_loss", "device_loss",
    "communication_loss", "sequence_loss", "z_loss", "bias_rate", "log_interval", "task_length", "capacity_factor",
    "n_device", "max_device", "top_k", "n_kv_head", "momentum", "newton_schulz_steps", "embedding_rate",
    "output_rate", "matrix_rate", "vector_rate", "logit_softcap", "ema_decay",
}  # fmt: skip
"""Numbers that make no work for the host, or little: they weigh, or choose among what is there. A new number is none of
these, so its largest value must be refused."""
NEEDED: dict[str, dict[str, Any]] = {
    "n_layer": {"d_model": 2, "n_head": 1},
    "n_encoder_layer": {"d_model": 2, "n_head": 1, "source": "numbers"},
    "n_head": {"d_model": 1_024},
    "n_experts": {"d_model": 2, "n_head": 1, "d_expert": 1, "top_k": 1},
    "n_shared_experts": {"d_model": 2, "n_head": 1, "d_expert": 1, "n_experts": 2},
    "d_expert": {"d_model": 2, "n_head": 1, "n_experts": 2},
    "token_pairs": {"tokenizer": "bpe", "tokenizer_size": 1_000},
    "tokenizer_size": {"tokenizer": "bpe", "d_model": 2, "n_head": 1},
    "batch_size": {"d_model": 2, "n_head": 1, "n_layer": 1, "max_seq_len": 256},
    "batch_tokens": {"source": "german", "n_encoder_layer": 1},
    "keep_checkpoints": {"save_interval": 10, "total_steps": 10_000},
}
"""What goes with the largest value of a field, so that nothing else is wrong."""


def extremes(name: str) -> tuple[float, float]:
    """The largest and the smallest value of a field, 0 aside."""
    limits = {
        type(each).__name__: each for each in PARTS[PART_OF[name]].model_fields[name].metadata
    }
    return limits["Le"].le, max(1, limits["Ge"].ge)


def test_on_ones_own_machine_nothing_is_limited() -> None:
    found = read({"PATH": "/bin"})
    assert found == Settings() and not found.limited and found.visible_limits() is None
    assert not found.public and not found.cpu_only


def test_a_space_is_a_public_host_and_its_limits_can_be_set() -> None:
    found = read({"SPACE_ID": "somebody/playground"})
    assert found.public and found.limited and not found.cpu_only
    assert {name: getattr(found, name) for name in PUBLIC} == PUBLIC
    changed = read(
        {"SPACE_ID": "a/b", "TP_MAX_RUNS": "3", "TP_MAX_MINUTES": "2.5", "TP_KEEP_HOURS": "none"}
    )
    assert (changed.max_runs, changed.max_minutes, changed.keep_hours) == (3, 2.5, None)
    assert changed.max_context == PUBLIC["max_context"]
    assert not read({"SPACE_ID": "a/b", "TP_PUBLIC": "0"}).limited


def test_any_host_can_be_public_or_have_one_limit() -> None:
    assert read(HOST | {"TP_PROXIES": "1"}) == read({"SPACE_ID": "a/b"})
    assert read(HOST).proxies == read({}).proxies == 0
    alone = read({"TP_MAX_RUNS": "1", "TP_MAX_STEPS": ""})
    assert (
        alone == Settings(max_runs=1)
        and alone.limited
        and alone.visible_limits() == {"max_runs": 1}
    )


def test_a_space_with_zero_gpu_computes_on_the_cpu() -> None:
    assert read({"SPACE_ID": "a/b", "SPACES_ZERO_GPU": "true"}).cpu_only


def test_runs_are_kept_where_a_space_has_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PERSISTENT", tmp_path)
    assert read({"SPACE_ID": "a/b"}).runs == str(tmp_path / "runs")
    assert read({"SPACE_ID": "a/b", "TP_RUNS": "/elsewhere"}).runs == "/elsewhere"
    assert read({}).runs is None
    monkeypatch.setattr(settings, "PERSISTENT", tmp_path / "missing")
    assert read({"SPACE_ID": "a/b"}).runs is None


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("TP_MAX_RUNS", "ten", "must be a whole number"),
        ("TP_MAX_RUNS", "0", "must be at least 1"),
        ("TP_MAX_MINUTES", "-1", "must be greater than 0"),
        ("TP_KEEP_HOURS", "nan", "must be a finite number"),
        ("TP_PUBLIC", "perhaps", "must be true or false"),
        ("TP_SITES", "a b", "must be a host"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read({name: value})
    (problem,) = refused.value.problems
    assert (problem.field, problem.value) == (name, value) and allowed in problem.allowed


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        read({"TP_MAX_RUNS": "x", "TP_MAX_STEPS": "y"})
    assert {problem.field for problem in refused.value.problems} == {"TP_MAX_RUNS", "TP_MAX_STEPS"}


@pytest.mark.case("F17")
def test_a_variable_that_is_no_setting_is_named_and_ignored() -> None:
    foreign = {"TP_SOCKET_IFNAME": "eth0", "TP_PORT": "tcp://10.0.0.1:80", "TP_MAX_RUN": "3"}
    assert read(foreign | {"TP_MAX_STEPS": "7"}) == read({"TP_MAX_STEPS": "7"})
    warnings = settings.unknown(foreign | {"TP_MAX_STEPS": "7", "HOME": "/"})
    assert [warning.split()[0] for warning in warnings] == sorted(foreign)
    assert "The nearest setting is TP_MAX_RUNS." in warnings[0]


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description and field.description.endswith("."), name
    assert set(PUBLIC) < set(Settings.model_fields)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_may_be_started_on_a_public_host(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TP_PUBLIC", "1")
    made = plan(read_choice({"preset": name}))
    assert made.ready, made.problems or made.obstacles


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"d_model": 256, "n_layer": 8}, "d_model", "2,000,000"),
        ({"max_seq_len": 512, "batch_size": 1}, "max_seq_len", "at most 256"),
        ({"total_steps": 20_000}, "total_steps", "at most 10,000"),
        ({"batch_size": 512}, "batch_size", "at most 6"),
        ({"threads": 2}, "threads", "at most 1"),
        ({"n_layer": 64, "d_model": 4, "n_head": 1}, "n_layer", "at most 32"),
        ({"n_experts": 128, "top_k": 1, "d_model": 4, "n_head": 1}, "n_experts", "at most 64"),
        ({"tokenizer": "bpe", "tokenizer_size": 9_000}, "tokenizer_size", "at most 8,000"),
        ({"eval_steps": 100_000}, "eval_steps", "at most 100"),
        ({"eval_interval": 1}, "eval_interval", "at least 10"),
        ({"sample_interval": 1}, "sample_interval", "at least 10"),
        ({"probe_interval": 1}, "probe_interval", "at least 10"),
        ({"save_interval": 1}, "save_interval", "at least 10"),
        ({"keep_checkpoints": 1_000, "save_interval": 1}, "keep_checkpoints", "at most 400 MB"),
    ],
)
def test_what_is_over_a_limit_is_refused_in_the_form(
    changes: dict[str, Any], field: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = read_choice({"changes": changes})
    assert not {field} & {problem.field for problem in plan(choice).problems}
    monkeypatch.setenv("TP_PUBLIC", "1")
    answer = summary(plan(choice))
    assert not answer["ready"] and words in answer["problems"][field]


def test_a_limit_offers_the_largest_value_that_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_PUBLIC", "1")
    asked = {"total_steps": 20_000, "max_seq_len": 512, "batch_size": 1}
    remedies = summary(plan(read_choice({"changes": asked})))["remedies"]
    assert remedies == {"total_steps": 10_000, "max_seq_len": 256}
    asked = {"eval_steps": 1_000, "save_interval": 2}
    remedies = summary(plan(read_choice({"changes": asked})))["remedies"]
    assert remedies == {"eval_steps": 100, "save_interval": 10}


@pytest.mark.case("R20")
def test_a_public_host_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_PUBLIC", "1")
    answer = summary(plan(read_choice({"changes": {"compile": True}})))
    assert not answer["ready"] and "must be off on this host" in answer["problems"]["compile"]


@pytest.mark.case("R20")
def test_a_public_host_learns_no_vocabulary_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be learned to say what the run costs, at every move of the slider."""
    monkeypatch.setenv("TP_PUBLIC", "1")
    monkeypatch.setattr(plans, "tokenizer_of", lambda *_: pytest.fail("it was learned"))
    made = plan(read_choice({"changes": {"tokenizer": "word", "tokenizer_size": 100_000}}))
    assert [problem.field for problem in made.problems] == ["tokenizer_size"]


@pytest.mark.case("R20")
def test_every_number_that_costs_has_a_limit_on_a_public_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The largest value of each field, alone, is either harmless or refused."""
    monkeypatch.setenv("TP_PUBLIC", "1")
    free: list[str] = []
    for name, control in CONTROLS.items():
        if control.kind != "number" or name in HARMLESS:
            continue
        most, least = extremes(name)
        value = least if name.endswith("_interval") and name != "log_interval" else most
        choice = read_choice({"changes": {name: value} | NEEDED.get(name, {})})
        if plan(choice).ready:
            free.append(name)
    assert free == []


def test_a_host_without_a_gpu_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_CPU_ONLY", "1")
    answer = summary(plan(read_choice({"changes": {"device": "cuda"}})))
    assert "auto or cpu" in answer["problems"]["device"]
    assert plan(read_choice({"changes": {"device": "cpu"}})).ready
