"""The encoder-decoder: the decoder's properties, and those of padding, memory and cross-attention."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from engine import Trace, Transformer, TransformerLM
from engine.config import ModelConfig
from engine.inspection import observe
from engine.model.build import build as build_model
from engine.model.context import hook_points, zero_head
from engine.tokenizers.marked import PAD
from engine.validation import ConfigError
from tests.engine.model.reference import embedded, torch_transformer
from tests.tools.options import AXES, ROUTED, VARIANTS

SIZES: dict[str, Any] = {
    "src_vocab_size": 23,
    "tgt_vocab_size": 23,
    "d_model": 16,
    "n_head": 4,
    "n_encoder_layer": 2,
    "n_decoder_layer": 2,
    "max_seq_len": 16,
    "dropout": 0.0,
}

OPTIONS: list[dict[str, Any]] = [
    {},
    *({axis: value} for axis, values in AXES.items() for value in values),
    {"norm": "rmsnorm", "placement": "pre", "position": "rope", "feedforward": "swiglu"},
    {"scale_embeddings": False},
    {"share_embeddings": False},
    {"src_vocab_size": 31},
    {"tie_embeddings": False, "share_embeddings": False, "position": "learned"},
]
"""The paper's choices, and every option of the decoder, one at a time."""

EXPERTS = [*ROUTED, *VARIANTS]
EVERY = OPTIONS + EXPERTS


def name(options: dict[str, Any]) -> str:
    return "-".join(map(str, options.values())) or "paper"


def build(**changes: Any) -> Transformer:
    torch.manual_seed(7)
    model = Transformer(**{**SIZES, **changes})
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def pairs(length: int = 9, written: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sources, one of them shorter, and two translations."""
    generator = torch.Generator().manual_seed(3)
    sources = torch.randint(4, 23, (2, length), generator=generator)
    sources[1, length - 3 :] = PAD
    return sources, torch.randint(4, 23, (2, written), generator=generator)


def test_without_a_memory_it_says_what_to_pass() -> None:
    with pytest.raises(ValueError, match=r"memory=model\.encode"):
        build().run(pairs()[1])


@pytest.mark.parametrize("options", EVERY, ids=name)
def test_every_option_keeps_the_properties(options: dict[str, Any]) -> None:
    """Cached equals full, nothing sees the future, padding changes nothing, traced is untraced."""
    model, (sources, tokens) = build(**options), pairs()
    alone = model.config.is_causal
    with torch.inference_mode():
        full = model(sources, tokens)
        close = {"rtol": 1e-4, "atol": 1e-5 * max(1.0, full.abs().max().item())}
        memory, cache = model.encode(sources), model.new_cache(2)
        steps = [
            model.run(tokens[:, t : t + 1], cache=cache, memory=memory).logits
            for t in range(tokens.shape[1])
        ]
        if alone:
            torch.testing.assert_close(torch.cat(steps, dim=1), full, **close)

        later = tokens.clone()
        later[:, 4] = (later[:, 4] + 1) % 23
        if alone:
            torch.testing.assert_close(model(sources, later)[:, :4], full[:, :4], **close)
        assert not torch.allclose(model(sources, later)[:, 4:], full[:, 4:])

        wider = torch.cat([sources, torch.full((2, 3), PAD)], dim=1)
        torch.testing.assert_close(model(wider, tokens), full, **close)
        if alone:
            shorter = model(sources[1:, :-3], tokens[1:])
            torch.testing.assert_close(shorter, full[1:], **close)

        trace = Trace()
        memory = model.encode(sources, trace)
        traced = model.run(tokens, trace=trace, memory=memory).logits
        torch.testing.assert_close(traced, full, **close)
        assert list(trace) == list(hook_points(model.config))


def test_the_source_and_its_order_matter() -> None:
    model, (sources, tokens) = build(), pairs()
    full = model(sources, tokens)
    changed = sources.clone()
    changed[0, 0] = changed[0, 0] % 22 + 1
    assert not torch.allclose(model(changed, tokens)[0], full[0])
    torch.testing.assert_close(model(changed, tokens)[1], full[1])
    turned = torch.cat([sources[:, :6].flip(1), sources[:, 6:]], dim=1)
    assert not torch.allclose(model(turned, tokens), full)


def test_the_encoder_looks_both_ways_and_never_at_padding() -> None:
    model, (sources, tokens) = build(), pairs()
    trace = Trace(["*.weights"])
    model.run(tokens, trace=trace, memory=model.encode(sources, trace))
    first = trace["encoder.0.attention.weights"]  # (B, H, S, S)
    assert (first[0] > 0).all()
    for name in ("encoder.0.attention", "encoder.1.attention", "blocks.0.cross", "blocks.1.cross"):
        weights = trace[f"{name}.weights"][1]
        assert (weights[..., -3:] == 0).all() and (weights[..., :-3] > 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_padding_takes_no_expert() -> None:
    """Also where experts have little room, a batch with padding is as one without."""
    model, (sources, _) = build(**ROUTED[0]), pairs()
    record = model.encode(sources).routing[0]
    assert record.chosen.shape == (1, int((sources != PAD).sum()), 4)
    assert [each.layer for each in model.predict(pairs()[1], sources).routing] == [0, 1, 2, 3]


def test_a_snapshot_of_a_translator_records_no_routing() -> None:
    """Not even where the text and its translation are of one length, and one record would fit."""
    ids = list(range(4, 11))
    assert observe.probe(build(**ROUTED[0]), ids, sources=ids).routing.shape == (2, 0, 7, 0)


def test_experts_are_counted_through_the_encoder() -> None:
    model = build(n_experts=4, moe_layer_indices=(1, 2))
    mixed = [name for name, _ in model.named_parameters() if name.endswith("router.weight")]
    assert mixed == [
        "blocks.0.feedforward.router.weight",
        "encoder.blocks.1.feedforward.router.weight",
    ]
    with pytest.raises(ConfigError, match="from 0 to 3"):
        Transformer(**SIZES, n_experts=4, moe_layer_indices=(4,))


def test_edits_reach_the_output() -> None:
    model, (sources, tokens) = build(), pairs()
    full = model(sources, tokens)
    for name in ("blocks.{i}.cross", "encoder.{i}.attention", "blocks.{i}.attention"):
        trace = Trace((), zero_head(0, 1, attention=name))
        edited = model.run(tokens, trace=trace, memory=model.encode(sources, trace)).logits
        assert not torch.allclose(edited, full), name


def test_gradients_reach_every_parameter() -> None:
    for options in ({}, {"share_embeddings": False, "tie_embeddings": False}, ROUTED[0]):
        model, (sources, tokens) = build(**options).train(), pairs()
        output = model.predict(tokens, sources)
        (output.logits.square().mean() + output.balance_loss).backward()
        lacking = [n for n, w in model.named_parameters() if w.requires_grad and w.grad is None]
        assert not lacking


def test_the_papers_defaults() -> None:
    """Base model of table 3: 65 million parameters with a vocabulary of about 37,000."""
    with torch.device("meta"):
        model = Transformer(src_vocab_size=37_000, tgt_vocab_size=37_000)
    config = model.config
    assert (config.d_model, config.n_head, config.ff_width, config.dropout) == (512, 8, 2048, 0.1)
    assert (config.n_encoder_layer, config.n_layer) == (6, 6)
    assert (config.norm, config.placement, config.position) == ("layernorm", "post", "sinusoidal")
    assert 60e6 < sum(weight.numel() for weight in model.parameters()) < 66e6


def test_embeddings_are_shared_or_not() -> None:
    def count(**changes: Any) -> int:
        return sum(weight.numel() for weight in build(**changes).parameters())

    assert count(share_embeddings=False) - count() == 23 * 16
    assert count(tie_embeddings=False) - count() == 23 * 16
    with pytest.raises(ConfigError, match="src_vocab_size"):
        Transformer(**{**SIZES, "src_vocab_size": 31}, share_embeddings=True)
    with pytest.raises(ConfigError, match="src_vocab_size"):
        ModelConfig.parse({"src_vocab_size": 31})


def test_scaled_embeddings_are_as_large_as_the_papers_waves() -> None:
    model = Transformer(**{**SIZES, "d_model": 256, "src_vocab_size": 999, "tgt_vocab_size": 999})
    trace = Trace(["encoder.embedding"])
    model.eval().encode(torch.arange(4, 20)[None], trace)
    size = trace["encoder.embedding"].square().mean().sqrt().item()
    assert size == pytest.approx(1.5**0.5, rel=0.1)  # variance one, and the waves' one half


def test_a_configuration_builds_its_model() -> None:
    model = build(norm="rmsnorm")
    again = build_model(model.config)
    assert isinstance(again, Transformer) and again.config == model.config
    again.load_state_dict(model.state_dict())
    sources, tokens = pairs()
    torch.testing.assert_close(again.eval()(sources, tokens), model(sources, tokens))
    assert isinstance(build_model(ModelConfig(vocab_size=5)), TransformerLM)


@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"feedforward": "gelu", "position": "learned"}], ids=name)
def test_the_librarys_transformer_gives_the_same(
    placement: str, bias: bool, options: dict[str, Any]
) -> None:
    model, (sources, tokens) = build(placement=placement, bias=bias, **options), pairs()
    library = torch_transformer(model)
    read, written = embedded(model, sources, tokens)
    padding = sources == PAD
    with torch.no_grad():
        states = library(
            read,
            written,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(tokens.shape[1]),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        torch.testing.assert_close(
            model.output(states), model(sources, tokens), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"norm": "rmsnorm"}, "norm"),
        ({"position": "rope"}, "position"),
        ({"feedforward": "swiglu"}, "feedforward"),
        ({"n_kv_head": 2}, "n_kv_head"),
        ({"n_experts": 4}, "n_experts"),
        ({"qk_norm": True}, "qk_norm"),
    ],
)
def test_what_the_library_lacks_is_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field}"):
        torch_transformer(build(**options))


def test_what_cannot_be_is_refused() -> None:
    model, (sources, tokens) = build(), pairs()
    with pytest.raises(ValueError, match="text to translate"):
        model.predict(tokens)
    with pytest.raises(ValueError, match="max_seq_len = 16"):
        model.encode(torch.ones(1, 17, dtype=torch.long))
    with pytest.raises(ValueError, match="must be"):
        model.encode(sources[0])
    with pytest.raises(ConfigError, match="Transformer has an encoder"):
        TransformerLM(vocab_size=9, n_encoder_layer=2)
