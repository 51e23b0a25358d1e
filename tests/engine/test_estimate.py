"""What is predicted before a model is built must be what is found once it is built."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from engine.config import (
    FeedForwardName,
    ModelConfig,
    NormName,
    PlacementName,
    PositionName,
    RunConfig,
)
from engine.data import PAIRS, SOURCES, make_data
from engine.estimate import (
    SAMPLE_TOKENS,
    Measurement,
    Speed,
    Work,
    activations_per_token,
    active_parameters,
    cache_bytes,
    flops_by_part,
    flops_per_step,
    flops_per_token,
    memory_bytes,
    parameters,
    read_speed,
    seconds,
    seconds_per_step,
    sequence_length,
)
from engine.model import experts
from engine.model.build import build
from engine.model.context import KVCache
from engine.model.decoder import TransformerLM
from engine.training import driver
from engine.training.speed import SIZES, measure_speed, store_speed
from engine.validation import ConfigError

TINY = {"vocab_size": 11, "d_model": 16, "n_head": 4, "n_layer": 2, "max_seq_len": 8}

MIXTURES: list[dict[str, object]] = [
    {"n_experts": 4},
    {"n_experts": 4, "router": "switch", "top_k": 1, "feedforward": "gelu"},
    {"n_experts": 8, "router": "sigmoid", "top_k": 3, "n_shared_experts": 2, "d_expert": 8},
    {"n_experts": 4, "router": "noisy_topk", "bias": True, "n_shared_experts": 1},
    {"n_experts": 4, "router": "expert_choice", "feedforward": "relu"},
    {"n_experts": 4, "router": "expert_choice", "capacity_factor": 1.5, "top_k": 1},
    {"n_experts": 4, "router": "hash", "bias": True},
    {"n_experts": 4, "moe_layer_indices": [1], "d_expert": 24},
    {"n_experts": 8, "top_k": 2, "n_device": 4, "max_device": 2, "renormalise": False},
]


@pytest.mark.parametrize("feedforward", get_args(FeedForwardName))
@pytest.mark.parametrize("position", get_args(PositionName))
@pytest.mark.parametrize("norm", get_args(NormName))
def test_parameters_are_those_of_the_model(norm: str, position: str, feedforward: str) -> None:
    flags = (True, False)
    options = product(get_args(PlacementName), (None, 2, 1), flags, flags, flags)
    for placement, n_kv_head, tie_embeddings, bias, qk_norm in options:
        config = ModelConfig.parse(
            TINY
            | {
                "norm": norm,
                "position": position,
                "feedforward": feedforward,
                "placement": placement,
                "n_kv_head": n_kv_head,
                "tie_embeddings": tie_embeddings,
                "bias": bias,
                "qk_norm": qk_norm,
            }
        )
        model = TransformerLM.from_config(config)
        counted = parameters(config)
        assert counted["total"] == sum(weight.numel() for weight in model.parameters()), config
        assert counted["attention"] == sum(
            weight.numel() for name, weight in model.named_parameters() if ".attention." in name
        )
        assert counted["total"] == sum(v for part, v in counted.items() if part != "total")


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_parameters_of_a_mixture_are_those_of_the_model(mixture: dict[str, object]) -> None:
    config = ModelConfig.parse(TINY | mixture)
    weights = {name: w.numel() for name, w in TransformerLM.from_config(config).named_parameters()}
    counted = parameters(config)

    def of(*places: str) -> int:
        return sum(n for name, n in weights.items() if any(place in name for place in places))

    assert counted["total"] == sum(weights.values())
    assert counted["total"] == sum(v for part, v in counted.items() if part != "total")
    assert counted["router"] == of(".router.")
    assert counted["experts"] == of(".experts.", ".shared.")
    assert counted["feedforward"] == of(".feedforward.") - counted["router"] - counted["experts"]
    assert config.n_experts is not None
    one_expert = of(".experts.") // config.n_experts  # in every block that has them
    working = config.top_k * (1.5 if "capacity_factor" in mixture else 1)
    assert active_parameters(config) == counted["total"] - (config.n_experts - working) * one_expert


SHORTCUTS: list[dict[str, object]] = [
    {"token_pairs": 4_096},
    {"token_pairs": 40},
    {"value_embeddings": True},
    {"value_embeddings": True, "n_kv_head": 2, "position": "none"},
    {"value_embeddings": True, "position": "learned"},
    {"embedding_skip": True},
    {"token_pairs": 40, "value_embeddings": True, "embedding_skip": True, "tie_embeddings": False},
]


@pytest.mark.parametrize("changes", SHORTCUTS, ids=str)
def test_shortcuts_cost_the_parameters_and_flops_that_are_predicted(
    changes: dict[str, object],
) -> None:
    config = ModelConfig.parse(TINY | changes)
    model = TransformerLM.from_config(config)
    weights = {name: weight.numel() for name, weight in model.named_parameters()}
    counted = parameters(config)
    assert counted["total"] == sum(weights.values())
    assert counted["total"] == sum(v for part, v in counted.items() if part != "total")
    for part, place in (("pairs", "pairs."), ("values", ".value."), ("skips", ".skip.")):
        assert counted[part] == sum(n for name, n in weights.items() if place in name)
    tokens = torch.arange(24).remainder(11).view(3, 8)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model(tokens)
        assert counter.get_total_flops() == tokens.numel() * flops_per_token(config, 8)
        logits.sum().backward()
    assert counter.get_total_flops() == 3 * tokens.numel() * flops_per_token(config, 8)


TRANSLATORS: list[dict[str, object]] = [
    {"token_pairs": 40, "value_embeddings": True, "embedding_skip": True, "n_kv_head": 2},
    {
        "token_pairs": 200,
        "value_embeddings": True,
        "embedding_skip": True,
        "src_vocab_size": 17,
        "share_embeddings": False,
    },
    {},
    {"norm": "layernorm", "bias": True, "feedforward": "relu", "placement": "post"},
    {"position": "learned", "share_embeddings": False, "tie_embeddings": False},
    {"src_vocab_size": 17, "share_embeddings": False, "n_kv_head": 2, "norm": "none"},
    {"n_experts": 4, "moe_layer_indices": [0, 2], "n_encoder_layer": 1},
    {"n_experts": 4, "router": "sigmoid", "n_shared_experts": 1, "d_expert": 8},
    {"qk_norm": True, "n_kv_head": 2, "logit_softcap": 30.0},
]


@pytest.mark.parametrize("changes", TRANSLATORS, ids=str)
def test_an_encoder_decoder_costs_what_is_predicted(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experts, "grouped_product", experts.reference_product)
    config = ModelConfig.parse(TINY | {"n_encoder_layer": 3} | changes)
    model = build(config)
    weights = {name: weight.numel() for name, weight in model.named_parameters()}
    counted = parameters(config)
    assert counted["total"] == sum(weights.values())
    assert counted["total"] == sum(v for part, v in counted.items() if part != "total")
    assert counted["cross"] == sum(n for name, n in weights.items() if ".cross." in name)
    tokens = torch.arange(4, 28).remainder(10).add(1).view(3, 8)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.predict(tokens, tokens)
    assert counter.get_total_flops() == tokens.numel() * flops_per_token(config, 8)


def test_every_parameter_of_a_dense_model_is_active() -> None:
    assert (
        active_parameters(ModelConfig.parse(TINY)) == parameters(ModelConfig.parse(TINY))["total"]
    )


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_flops_of_a_mixture_are_those_that_torch_counts(
    mixture: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch does not count its grouped product; the one it is tested against it does.
    monkeypatch.setattr(experts, "grouped_product", experts.reference_product)
    config = ModelConfig.parse(TINY | mixture)
    model = TransformerLM.from_config(config).eval()
    tokens = torch.arange(24).remainder(11).view(3, 8)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model(tokens)
        assert counter.get_total_flops() == tokens.numel() * flops_per_token(config, 8)
        logits.sum().backward()
    trained = counter.get_total_flops()
    assert trained == pytest.approx(3 * tokens.numel() * flops_per_token(config, 8), rel=0.01)


def test_the_tokenizer_may_give_the_vocabulary_size() -> None:
    open_ended = ModelConfig()
    assert parameters(open_ended, 50) == parameters(ModelConfig(vocab_size=50))
    assert parameters(ModelConfig(vocab_size=50), 70) == parameters(open_ended, 50)
    with pytest.raises(ConfigError, match="vocab_size"):
        parameters(open_ended)


@pytest.mark.parametrize("stable", [{}, {"qk_norm": True, "logit_softcap": 30.0}], ids=str)
@pytest.mark.parametrize("n_kv_head", [None, 2, 1])
@pytest.mark.parametrize("feedforward", get_args(FeedForwardName))
def test_flops_are_those_that_torch_counts(
    feedforward: str, n_kv_head: int | None, stable: dict[str, object]
) -> None:
    sizes = {"feedforward": feedforward, "n_kv_head": n_kv_head}
    config = ModelConfig.parse(TINY | sizes | stable)
    model = TransformerLM.from_config(config)
    tokens = torch.zeros(3, 6, dtype=torch.long)
    # torch counts the two products of attention only where they are made one by one.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model(tokens)
        assert counter.get_total_flops() == tokens.numel() * flops_per_token(config, 6)
        logits.sum().backward()
    trained = counter.get_total_flops()
    assert trained == 3 * tokens.numel() * flops_per_token(config, 6)


def test_flops_of_a_step_count_every_token_three_times() -> None:
    config = RunConfig.from_flat(TINY | {"batch_size": 5, "gradient_accumulation": 2})
    assert flops_per_step(config) == 3 * 5 * 2 * 8 * flops_per_token(config.model, 8)
    parts = flops_by_part(config.model, 8)
    assert parts["total"] == sum(v for part, v in parts.items() if part != "total")


def test_a_task_trains_on_its_items_and_a_text_on_its_whole_context() -> None:
    for source in SOURCES:
        chosen = {"source": source, "task_length": 5, "max_seq_len": 64}
        config = RunConfig.from_flat(chosen | {"n_encoder_layer": 1 if source in PAIRS else None})
        data = make_data(config)
        if source in PAIRS:  # on average
            found = np.mean([data.batch(32).inputs.shape[1] for _ in range(50)])
            assert sequence_length(config) == pytest.approx(found, rel=0.08), source
        else:
            assert sequence_length(config) == data.batch(2).inputs.shape[1], source
    too_long = RunConfig.from_flat({"source": "copy", "task_length": 60, "max_seq_len": 16})
    assert sequence_length(too_long) == 16


@pytest.mark.parametrize("token_pairs", [0, 40])
def test_the_cache_is_as_large_as_predicted(token_pairs: int) -> None:
    config = ModelConfig.parse(TINY | {"n_kv_head": 2, "token_pairs": token_pairs})
    cache = KVCache(config)
    cache.advance(5)
    assert cache_bytes(config, 5) == cache.nbytes > 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm": "layernorm"},
        {"norm": "none", "feedforward": "relu", "position": "none"},
        {"placement": "post", "feedforward": "gelu"},
        {"n_kv_head": 1, "position": "learned"},
        {"position": "alibi"},
        {"dropout": 0.1},
        *SHORTCUTS,
        {"qk_norm": True},
        {"qk_norm": True, "position": "none"},
        {"qk_norm": True, "n_kv_head": 1},
        {"qk_norm": True, "n_encoder_layer": 2, "n_kv_head": 2},
        {"logit_softcap": 30.0},
        {"n_encoder_layer": 2},
        {"n_encoder_layer": 3, "norm": "layernorm", "placement": "post", "feedforward": "relu"},
        *MIXTURES,
        {"n_experts": 16, "top_k": 4, "d_expert": 32, "n_shared_experts": 1, "router": "sigmoid"},
    ],
    ids=str,
)
def test_activations_are_about_what_the_backward_pass_finds(changes: dict[str, object]) -> None:
    sizes = {"vocab_size": 50, "d_model": 64, "n_layer": 3, "max_seq_len": 48}
    config = ModelConfig.parse(sizes | changes)
    model = build(config)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        if value.untyped_storage().data_ptr() not in weights:
            kept[value.untyped_storage().data_ptr()] = value
        return value

    tokens = torch.ones(4, config.max_seq_len, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        F.cross_entropy(model.predict(tokens, tokens).logits.flatten(0, 1), tokens.flatten())
    found = sum(value.untyped_storage().nbytes() for value in kept.values()) / 4
    assert tokens.numel() * activations_per_token(config, config.max_seq_len) == pytest.approx(
        found, rel=0.1
    )


def test_memory_by_part() -> None:
    config = RunConfig.from_flat(TINY)
    memory, count = memory_bytes(config), parameters(config.model)["total"]
    assert memory["weights"] == memory["gradients"] == 4 * count
    assert memory["optimizer"] == 8 * count
    assert memory["average"] == 0
    averaging = memory_bytes(RunConfig.from_flat(TINY | {"ema_decay": 0.9}))
    assert averaging["average"] == averaging["total"] - memory["total"] == 4 * count
    assert memory_bytes(RunConfig.from_flat(TINY | {"optimizer": "sgd"}))["optimizer"] == 4 * count
    assert memory["total"] == sum(v for part, v in memory.items() if part != "total")
    half = memory_bytes(RunConfig.from_flat(TINY | {"dtype": "bf16"}))
    assert 2 * half["activations"] == memory["activations"]


def runs() -> list[RunConfig]:
    return [
        RunConfig.from_flat({"vocab_size": 80} | changes)
        for changes in (
            {"d_model": 16, "n_layer": 1, "max_seq_len": 32},
            {"d_model": 64, "n_layer": 2, "max_seq_len": 128},
            {"d_model": 192, "n_layer": 4, "max_seq_len": 64},
            {"d_model": 64, "n_layer": 2, "max_seq_len": 64, "dropout": 0.1},
        )
    ]


def measure(config: RunConfig, flop: float, move: float, block: float) -> Measurement:
    work = Work.of(config)
    return Measurement(work, work.seconds(flop, move, block))


def test_the_speed_of_an_imagined_machine_is_found_again() -> None:
    speed = Speed.fit([measure(config, 2e-11, 3e-9, 1e-3) for config in runs()])
    assert speed.seconds_per_flop == pytest.approx(2e-11)
    assert speed.seconds_per_move == pytest.approx(3e-9)
    assert speed.seconds_per_block == pytest.approx(1e-3)
    assert Speed.from_json(speed.to_json()) == speed


def test_no_time_comes_out_below_zero() -> None:
    measured = [measure(config, 2e-11, 0.0, 1e-3) for config in runs()]
    measured[1] = Measurement(measured[1].work, measured[1].seconds / 3)
    speed = Speed.fit(measured)
    assert min(speed.seconds_per_flop, speed.seconds_per_move, speed.seconds_per_block) >= 0
    alone = Speed.fit(measured[:1])
    assert seconds_per_step(runs()[0], alone) == pytest.approx(measured[0].seconds)


def test_a_real_run_brings_the_prediction_closer() -> None:
    config = runs()[1]
    speed = Speed.fit([measure(each, 2e-11, 3e-9, 1e-3) for each in runs()])
    before = seconds_per_step(config, speed)
    found = before * 1.5
    for _ in range(20):
        speed = speed.refined(config, found)
    assert len(speed.runs) == 8 and len(speed.measured) == 4
    assert before < seconds_per_step(config, speed) <= found * 1.001
    assert abs(seconds_per_step(config, speed) - found) < abs(before - found) / 2


def test_a_run_takes_its_steps_its_measurements_and_its_samples() -> None:
    changes = {"total_steps": 100, "eval_interval": 40, "eval_steps": 6, "sample_interval": 0}
    speed = Speed.fit([measure(each, 2e-11, 3e-9, 1e-3) for each in runs()])
    config = RunConfig.from_flat(TINY | changes)
    step = seconds_per_step(config, speed)
    alone = 100 * step + 3 * 6 * step / 3
    assert seconds(config, speed) == pytest.approx(alone)
    assert SAMPLE_TOKENS == driver.SAMPLE_TOKENS
    sampling = RunConfig.from_flat(TINY | changes | {"sample_interval": 50})
    token = (config.model.n_layer + 1) * 1e-3 / 3
    assert seconds(sampling, speed) == pytest.approx(alone + 2 * SAMPLE_TOKENS * token)


def test_a_stored_speed_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    assert read_speed(path) is None
    for text in ("", "{}", '{"measured": [], "runs": []}', '{"measured": [1], "runs": []}', "[]"):
        path.write_text(text, encoding="utf-8")
        assert read_speed(path) is None, text
    speed = Speed.fit([measure(config, 2e-11, 3e-9, 1e-3) for config in runs()])
    path.write_text(speed.to_json(), encoding="utf-8")
    assert read_speed(path) == speed


def test_the_speed_of_this_machine_is_measured_and_stored(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    speed = measure_speed("cpu", seconds=0.0)
    assert torch.equal(torch.rand(3), expected), "the random generator was moved"
    assert len(speed.measured) == len(SIZES)
    for step in speed.measured:
        assert 1e-5 < step.seconds < 60
    store_speed(speed, tmp_path / "new" / "machine.json")
    assert read_speed(tmp_path / "new" / "machine.json") == speed
