"""The picture of the model tells the truth: its parameters and shapes are those of the model itself."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

from engine.config import ConfigError, ModelConfig
from engine.model.context import Trace
from engine.model.decoder import TransformerLM
from playground.views.model_spec import model_spec

BATCH, VOCABULARY = 3, 11
SIZES = {"d_model": 16, "n_head": 4, "n_layer": 2, "max_seq_len": 8, "vocab_size": VOCABULARY}
CHOICES: dict[str, list[Any]] = {
    "norm": ["rmsnorm", "layernorm", "none"],
    "placement": ["pre", "post"],
    "position": ["rope", "learned", "alibi"],
    "feedforward": ["swiglu", "gelu"],
    "n_kv_head": [None, 2, 1],
    "tie_embeddings": [True, False],
    "bias": [False, True],
}
ALL = [dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())]


def parts(spec: dict[str, Any]) -> list[dict[str, Any]]:
    block = [part for section in spec["block"] for part in section["parts"]]
    return [*spec["before"], *block, *spec["after"]]


def test_the_parts_parameters_are_the_models() -> None:
    for choice in ALL:
        config = ModelConfig.parse(SIZES | choice)
        spec = model_spec(config, BATCH)
        outside = [part for end in ("before", "after") for part in spec[end]]
        total = sum(part["parameters"] or 0 for part in outside)
        total += config.n_layer * spec["block_parameters"]
        model = TransformerLM.from_config(config)
        counted = sum(weight.numel() for weight in model.parameters())
        assert total == spec["total"] == counted, choice
        assert sum(kind["parameters"] for kind in spec["kinds"]) == counted, choice


@pytest.mark.parametrize("feedforward", ["swiglu", "relu"])
@pytest.mark.parametrize("n_kv_head", [None, 2])
def test_the_parts_shapes_are_the_tensors(n_kv_head: int | None, feedforward: str) -> None:
    config = ModelConfig.parse(SIZES | {"n_kv_head": n_kv_head, "feedforward": feedforward})
    trace = Trace()
    tokens = torch.zeros(BATCH, config.max_seq_len, dtype=torch.long)
    TransformerLM.from_config(config).run(tokens, trace=trace)
    spec = model_spec(config, BATCH)
    shapes = {part["id"]: [shape["sizes"] for shape in part["shapes"]] for part in parts(spec)}

    def traced(*places: str) -> list[list[int]]:
        return [list(trace[place].shape) for place in places]

    attention = "blocks.0.attention."
    assert shapes["tokens"] == [list(tokens.shape)]
    assert shapes["embedding"] == traced("embedding")
    assert shapes["heads"] == traced(*(attention + name for name in "qkv"))
    assert shapes["weights"] == traced(attention + "weights")
    assert shapes["project"] == traced(attention + "output")
    assert shapes["curve"] == traced("blocks.0.feedforward.hidden")
    assert shapes["down"] == traced("blocks.0.feedforward.output")
    assert shapes["norm"] == traced("final")
    assert shapes["logits"] == traced("logits")


def ids(**fields: Any) -> list[str]:
    return [part["id"] for part in parts(model_spec(ModelConfig.parse(SIZES | fields), BATCH))]


def test_the_order_is_the_models() -> None:
    pre, post = ids(), ids(placement="post")
    assert pre.index("norm") < pre.index("heads") and pre[-2:] == ["norm", "logits"]
    assert post[post.index("project") + 1] == "norm" and post[-2:] == ["norm", "logits"]
    assert pre.count("norm") == 3 and post.count("norm") == 2
    assert "norm" not in ids(norm="none")
    assert "rope" in pre and "rope" not in ids(position="none")
    assert ids(position="learned")[:3] == ["tokens", "embedding", "learned"]
    assert ids(position="sinusoidal")[:3] == ["tokens", "embedding", "sinusoidal"]


def test_dropout_and_sharing_are_said() -> None:
    spec = model_spec(ModelConfig.parse(SIZES | {"dropout": 0.1, "n_kv_head": 1}), BATCH)
    said = " ".join(part["about"] for part in parts(spec))
    assert "10 %" in said and "multi-query" in said and "(tied)" in said
    assert "4 heads sharing 1 key/value head" in spec["summary"]


def test_a_vocabulary_must_be_known() -> None:
    config = ModelConfig()
    with pytest.raises(ConfigError, match="vocab_size"):
        model_spec(config, BATCH)
    assert model_spec(config, BATCH, 75)["after"][-1]["shapes"][0]["sizes"][-1] == 75
