"""The picture of the model tells the truth: its parameters and shapes are those of the model itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import ModelConfig
from engine.model.build import build
from engine.model.context import Trace
from engine.model.decoder import TransformerLM
from engine.model.encoder_decoder import Transformer
from engine.validation import ConfigError
from playground.tabs.train.model_spec import model_spec
from tests.tools.options import AXES, covering

BATCH, VOCABULARY = 3, 11
SIZES = {"d_model": 16, "n_head": 4, "n_layer": 2, "max_seq_len": 8, "vocab_size": VOCABULARY}
SHORTCUTS: list[dict[str, Any]] = [
    {"token_pairs": 4_096},
    {"token_pairs": 40, "value_embeddings": True, "embedding_skip": True, "n_kv_head": 2},
    {
        "token_pairs": 200,
        "value_embeddings": True,
        "embedding_skip": True,
        "n_encoder_layer": 1,
        "share_embeddings": False,
        "src_vocab_size": 17,
    },
]


def parts(spec: dict[str, Any], layer: int = 0) -> list[dict[str, Any]]:
    sections = spec["blocks"][spec["layers"][layer]]["sections"]
    block = [*spec["blocks"][spec["layers"][layer]]["enter"]]
    block += [part for section in sections for part in section["parts"]]
    return [*spec["before"], *spec["between"], *block, *spec["after"]]


MIXTURES: list[dict[str, Any]] = [
    {"n_experts": 4},
    {"n_experts": 4, "router": "switch", "top_k": 1},
    {"n_experts": 8, "router": "sigmoid", "top_k": 4, "n_shared_experts": 2, "d_expert": 8},
    {"n_experts": 4, "router": "noisy_topk", "bias": True, "n_shared_experts": 1},
    {"n_experts": 4, "router": "expert_choice", "feedforward": "relu"},
    {"n_experts": 4, "router": "hash"},
    {"n_experts": 4, "moe_layer_indices": [1], "capacity_factor": 1.25},
]


TRANSLATORS: list[dict[str, Any]] = [
    {"n_encoder_layer": 3},
    {
        "n_encoder_layer": 1,
        "norm": "layernorm",
        "bias": True,
        "placement": "post",
        "n_kv_head": 2,
        "qk_norm": True,
    },
    {"n_encoder_layer": 2, "position": "learned", "share_embeddings": False, "norm": "none"},
    {"n_encoder_layer": 2, "share_embeddings": False, "src_vocab_size": 17, "position": "alibi"},
    {"n_encoder_layer": 2, "n_experts": 4, "moe_layer_indices": [1, 3], "position": "sinusoidal"},
]


def test_the_parts_parameters_are_the_models() -> None:
    for choice in [*covering(AXES), *MIXTURES, *TRANSLATORS, *SHORTCUTS]:
        config = ModelConfig.parse(SIZES | choice)
        spec = model_spec(config, BATCH)
        outside = [part for end in ("before", "between", "after") for part in spec[end]]
        total = sum(part["parameters"] or 0 for part in outside)
        total += sum(spec["blocks"][kind]["parameters"] for kind in spec["layers"])
        model = build(config)
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


def test_the_parts_of_a_translator_have_the_shapes_of_its_tensors() -> None:
    config = ModelConfig.parse(
        SIZES | {"n_encoder_layer": 1, "n_kv_head": 2, "position": "learned"}
    )
    model, trace = build(config), Trace()
    assert isinstance(model, Transformer)
    tokens = torch.ones(BATCH, config.max_seq_len, dtype=torch.long)
    model.run(tokens, trace=trace, memory=model.encode(tokens, trace))
    spec = model_spec(config, BATCH)
    assert spec["layers"] == ["encoder", "decoder", "decoder"] and spec["encoders"] == 1
    for kind, name, section in (
        ("encoder", "encoder.0.attention", 0), ("decoder", "blocks.0.attention", 0),
        ("decoder", "blocks.0.cross", 1),
    ):  # fmt: skip
        found = {part["id"]: part for part in spec["blocks"][kind]["sections"][section]["parts"]}
        sizes = [list(trace[f"{name}.{part}"].shape) for part in "qkv"]
        assert [shape["sizes"] for shape in found["heads"]["shapes"]] == sizes
        letters = found["weights"]["shapes"][0]["letters"]
        assert found["weights"]["shapes"][0]["sizes"] == list(trace[f"{name}.weights"].shape)
        assert letters == {"encoder.0.attention": ["B", "H", "S", "S"], "blocks.0.attention": ["B", "H", "T", "T"],
                           "blocks.0.cross": ["B", "H", "T", "S"]}[name]  # fmt: skip
        learned = sum(
            w.numel()
            for n, w in model.named_parameters()
            if n.startswith(f"blocks.0.{name.split('.')[-1]}.")
        )
        assert (
            sum(part["parameters"] or 0 for part in found.values() if part["kind"] != "norm")
            == learned
        )
    assert spec["between"][0]["shapes"][0]["sizes"] == list(trace["encoder.final"].shape)
    assert "An encoder-decoder" in spec["summary"] and "1 block of an encoder" in spec["summary"]


@pytest.mark.parametrize("mixture", MIXTURES, ids=str)
def test_a_block_with_experts_is_the_models(mixture: dict[str, Any]) -> None:
    config = ModelConfig.parse(SIZES | mixture)
    layer = config.moe_layers[0]
    trace = Trace()
    tokens = torch.zeros(BATCH, config.max_seq_len, dtype=torch.long)
    model = TransformerLM.from_config(config)
    model.run(tokens, trace=trace)
    spec = model_spec(config, BATCH)
    found = {part["id"]: part for part in parts(spec, layer)}
    place = f"blocks.{layer}.feedforward"

    def learned(name: str) -> int | None:
        weights = model.get_submodule(f"{place}.{name}").parameters()
        return sum(weight.numel() for weight in weights) or None

    def sizes(name: str) -> list[int]:
        return found[name]["shapes"][0]["sizes"]

    assert sizes("router") == list(trace[f"{place}.router.logits"].shape)
    assert sizes("combine") == list(trace[f"{place}.output"].shape)
    assert sizes("experts") == [*tokens.shape, config.top_k, config.expert_width]
    assert found["router"]["parameters"] == learned("router")
    assert found["experts"]["parameters"] == learned("experts")
    if config.n_shared_experts:
        assert sizes("shared") == list(trace[f"{place}.shared.hidden"].shape)
        assert found["shared"]["parameters"] == learned("shared")
    else:
        assert "shared" not in found
    kinds = {kind["kind"]: kind["parameters"] for kind in spec["kinds"]}
    assert kinds["experts"] and (kinds["router"] == 0) == (config.router == "hash")
    assert spec["active"] < spec["total"]


def test_blocks_of_two_kinds_are_told_apart() -> None:
    spec = model_spec(ModelConfig.parse(SIZES | {"n_experts": 4, "moe_layer_indices": [1]}), BATCH)
    assert spec["layers"] == ["dense", "experts"]
    assert [part["id"] for part in parts(spec, 0)].count("curve") == 1
    assert "router" in [part["id"] for part in parts(spec, 1)]
    assert set(model_spec(ModelConfig.parse(SIZES), BATCH)["blocks"]) == {"dense"}


def test_experts_are_said_in_words() -> None:
    def said(**fields: Any) -> tuple[str, str]:
        spec = model_spec(ModelConfig.parse(SIZES | {"n_experts": 4} | fields), BATCH)
        layer = spec["layers"].index("experts")
        return spec["summary"], " ".join(part["about"] for part in parts(spec, layer))

    summary, about = said(n_shared_experts=1, capacity_factor=1.5)
    assert "4 experts (SwiGLU), each 40 wide, of which 2 work on each token" in summary
    assert "and 1 shared expert for all tokens" in summary and "work on each token. 2" in summary
    assert "processed by 1 shared expert," in about and "1.5 times its fair share" in about
    assert "gates of a token sum to one" in about
    summary, about = said(router="switch", top_k=1, moe_layer_indices=[1])
    assert (
        "in block 2: a router" in summary
        and "1 works on each token, and in the other: a" in summary
    )
    assert "sum to one" not in about
    assert "no learned weights" in said(router="hash")[1]
    assert "each chooses its tokens" in said(router="expert_choice")[0]


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
    assert "10%" in said and "multi-query" in said and "(tied)" in said
    assert "4 heads sharing 1 key/value head" in spec["summary"]


def test_a_vocabulary_must_be_known() -> None:
    config = ModelConfig()
    with pytest.raises(ConfigError, match="vocab_size"):
        model_spec(config, BATCH)
    assert model_spec(config, BATCH, 75)["after"][-1]["shapes"][0]["sizes"][-1] == 75


LEGEND = (
    Path(__file__).resolve().parents[3] / "playground" / "tabs" / "train" / "model_view" / "text.js"
)


@pytest.mark.parametrize("choice", [*SHORTCUTS, *MIXTURES], ids=str)
def test_every_letter_of_a_shape_is_explained(choice: dict[str, Any]) -> None:
    """Beside the picture, in both languages."""
    legends = re.findall(r"letters:\s*(.*?),\n", LEGEND.read_text("utf-8"), re.DOTALL)
    assert len(legends) == 2
    spec = model_spec(ModelConfig(**SIZES | choice), BATCH)
    letters = {
        letter for part in parts(spec) for made in part["shapes"] for letter in made["letters"]
    }
    for legend in legends:
        assert all(
            re.search(rf"(?<![A-Z]){re.escape(letter)}[ )]|{re.escape(letter)}[: ]", legend)
            for letter in letters
        )
