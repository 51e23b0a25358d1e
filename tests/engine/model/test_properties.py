"""What options must keep, whichever come together: caching, causality, tracing, structure."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, product
from typing import Any, get_args

import numpy as np
import pytest
import torch

from engine import ModelConfig, Trace, Transformer, TransformerLM, zero_head
from engine.config import FeedForwardName, NormName, PlacementName, PositionName
from engine.data import IGNORE, TASKS, Batch
from engine.generation.translation import beam_search, translate
from engine.model.attention import Attention, CrossAttention
from engine.model.balance import BALANCERS, balance_loss, update_expert_bias
from engine.model.block import PLACEMENTS
from engine.model.context import hook_points
from engine.model.feedforward import ACTIVATIONS
from engine.model.norms import NORMS
from engine.model.positions import POSITIONS
from engine.model.routing import COUNTS, Routing
from engine.model.shortcuts import TokenPairs
from engine.tokenizers import END, PAD
from tests.tools.options import (
    AXES,
    COMBINATIONS,
    CONTEXT,
    MOE,
    ROUTED,
    SHORTCUTS,
    SIZES,
    VARIANTS,
    VOCAB,
    build,
    sequence,
)


def name(options: dict[str, Any]) -> str:
    return "-".join(map(str, options.values()))


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (NORMS, NormName),
        (PLACEMENTS, PlacementName),
        (POSITIONS, PositionName),
        (ACTIVATIONS, FeedForwardName),
    ],
)
def test_dictionaries_and_configuration_name_the_same_options(rows: Any, names: Any) -> None:
    assert set(rows) == set(get_args(names))


def test_any_three_options_meet_in_a_combination() -> None:
    """Every value, every pair and every three values, of rows that were added later too."""
    for axes in combinations(AXES, 3):
        met = {tuple(options[axis] for axis in axes) for options in COMBINATIONS}
        assert met == set(product(*(AXES[axis] for axis in axes))), axes


@pytest.mark.parametrize("options", COMBINATIONS, ids=name)
def test_options_that_meet_keep_the_properties(options: dict[str, Any]) -> None:
    """Properties 1 to 3, in one test each since building is what costs.

    Not the full product: in these combinations every value of every option, every pair of values
    and every three of them occur (`covering` in tests/tools/options.py).
    """
    model, tokens = build(**options), sequence()
    with torch.inference_mode():
        full = model(tokens)
        assert full.shape == (2, CONTEXT, VOCAB)
        assert full.isfinite().all()

        # 1. Cached generation equals the full pass: a prefill, then token by token, then a few.
        cache = model.new_cache(batch_size=2)
        parts = [model.run(tokens[:, :5], cache=cache).logits]
        parts += [model.run(tokens[:, t : t + 1], cache=cache).logits for t in range(5, 12)]
        parts += [model.run(tokens[:, 12:], cache=cache).logits]
        torch.testing.assert_close(torch.cat(parts, dim=1), full, rtol=1e-4, atol=1e-4)
        assert cache.length == CONTEXT

        # 2. No position sees the future.
        changed = tokens.clone()
        changed[:, 9] = (changed[:, 9] + 1) % VOCAB
        after = model(changed)
        torch.testing.assert_close(after[:, :9], full[:, :9], rtol=0, atol=1e-6)
        assert not torch.allclose(after[:, 9:], full[:, 9:])

        # 3. Traced equals untraced, every hook point is there, and nothing is kept on the model.
        trace = Trace()
        traced = model.run(tokens, trace=trace).logits
        torch.testing.assert_close(traced, full, rtol=1e-4, atol=1e-4)
        assert list(trace) == list(hook_points(model.config))
        weights = trace["blocks.1.attention.weights"]
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, CONTEXT))
        assert weights.triu(1).abs().max() == 0


# Property 9: padding changes nothing


def joined(options: dict[str, Any]) -> Transformer:
    """An encoder-decoder with these options, by the same sizes."""
    sizes = {name: value for name, value in {**SIZES, **options}.items() if name != "vocab_size"}
    sizes["n_decoder_layer"] = sizes.pop("n_layer")
    torch.manual_seed(7)
    model = Transformer(VOCAB, VOCAB, n_encoder_layer=2, dropout=0.0, **sizes)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def columns(rows: torch.Tensor, count: int, token: int = PAD) -> torch.Tensor:
    return torch.cat([rows, torch.full((len(rows), count), token)], dim=1)


def ragged() -> tuple[torch.Tensor, torch.Tensor]:
    """Sources and translations, (2, 6) each; one row of each is shorter."""
    sources, tokens = 4 + sequence(2, 6) % (VOCAB - 4), 4 + sequence(2, 6).flip(1) % (VOCAB - 4)
    sources[1, 4:], tokens[0, 3:] = PAD, PAD
    return sources, tokens


def lm_padded(options: dict[str, Any], count: int) -> tuple[Any, Any]:
    """Rows of a task end in END tokens that no loss is taken on; `Batch.present` tells which."""
    model, tokens = build(**options), 4 + sequence(2, 6) % (VOCAB - 4)
    rows, end = columns(tokens, count, VOCAB - 1).numpy(), np.array([[3], [6]])
    targets = np.where(np.arange(rows.shape[1]) < end, rows, IGNORE)
    present = torch.from_numpy(Batch(rows, targets).present)
    return model, model.predict(torch.from_numpy(rows), None, present)


def decoder_padded(options: dict[str, Any], count: int) -> tuple[Any, Any]:
    model, (sources, tokens) = joined(options), ragged()
    return model, model.predict(columns(tokens, count), sources)


def encoder_padded(options: dict[str, Any], count: int) -> tuple[Any, Any]:
    model, (sources, tokens) = joined(options), ragged()
    return model, model.predict(tokens, columns(sources, count))


HALVES: dict[str, Callable[[dict[str, Any], int], tuple[Any, Any]]] = {
    "language model": lm_padded,
    "decoder": decoder_padded,
    "encoder": encoder_padded,
}
"""Every half of every kind of model: (model, its output for rows with so many more columns)."""

MEASURES: dict[str, Callable[[Routing], torch.Tensor]] = {
    **{count: lambda routing, name=count: routing.count(name) for count in COUNTS},
    **BALANCERS,
    "load": lambda routing: routing.load,
    "probability": lambda routing: routing.probability,
    "entropy": lambda routing: routing.entropy,
}
"""All that is measured of the routing, and all that balances it."""


NORMED = [options for options in COMBINATIONS if options["norm"] != "none"][:12]
"""Without norms, deep sums of these weights are too large for fp32 to compare gradients."""


@pytest.mark.case("F14")
@pytest.mark.parametrize("options", [*NORMED, *ROUTED, *VARIANTS, *SHORTCUTS], ids=name)
@pytest.mark.parametrize("half", HALVES)
def test_padding_changes_nothing(half: str, options: dict[str, Any]) -> None:
    """Logits, routing, balance losses, gradients and the bias without a loss: all stay the same."""
    seen: list[dict[str, torch.Tensor]] = []
    for count in (0, 5):
        model, output = HALVES[half](options, count)
        logits = output.logits[:, :3]  # tokens in every row
        values = {"logits": logits}
        weights = dict.fromkeys(BALANCERS, 0.1)
        loss = -logits.log_softmax(-1)[..., 5].mean() + balance_loss(output.routing, weights)
        loss.backward()
        for key, weight in model.named_parameters():
            if weight.grad is not None:
                values[f"gradient of {key}"] = weight.grad
        for number, record in enumerate(output.routing):
            for measure, take in MEASURES.items():
                values[f"{measure} of layer {number}"] = take(record).detach().float()
            moved = torch.zeros(record.chosen.shape[-1])
            update_expert_bias(moved, record.load, 0.1, "violation")
            values[f"bias of layer {number}"] = moved
        seen.append(values)
    assert seen[0].keys() == seen[1].keys()
    for key, value in seen[0].items():
        close = 1e-5 * max(1.0, value.abs().max().item())
        torch.testing.assert_close(seen[1][key], value, rtol=1e-4, atol=close, msg=key)


@pytest.mark.case("F14")
@pytest.mark.parametrize("task", TASKS)
def test_what_a_task_fills_up_with_is_padding(task: str) -> None:
    """A token is present up to the last target of its row; after that there are END tokens alone."""
    data = TASKS[task](4, 64, 0)
    batch = data.batch(32)
    present = np.ones_like(batch.targets, dtype=bool) if batch.present is None else batch.present
    last = batch.targets.shape[1] - 1 - (batch.targets[:, ::-1] != IGNORE).argmax(axis=1)
    assert (present.sum(axis=1) == last + 1).all()
    assert (np.diff(present.astype(int), axis=1) <= 0).all()
    assert data.end is None or (batch.inputs[~present] == data.end).all()
    # A row of another process that stands in for none has no targets, and is whole.
    assert batch.part(0, 33).present is None


ALONE = [
    each
    for each in ({}, *ROUTED, *VARIANTS, *SHORTCUTS)
    if ModelConfig.parse({**SIZES, **each}).is_causal
]
"""Where what a token gets does not depend on the rest of the batch, as it does with a capacity."""


@pytest.mark.case("F1")
@pytest.mark.case("F14")
@pytest.mark.parametrize("options", ALONE, ids=name)
def test_translations_together_are_those_alone(options: dict[str, Any]) -> None:
    """Greedy and by beam search: rows that have ended, and sources of other lengths, change nothing."""
    model = joined(options | {"tie_embeddings": False})
    sources = [[a, *range(4, 4 + length), END] for a, length in product((5, 13), (1, 9))]
    often = translate(model, sources, max_new_tokens=10)[0].tokens[-1]
    row, lengths = model.output.weight.detach()[often].clone(), {0}
    for factor in (1.2, 0.9, 0.6, 0.3, 0.0):  # END is written more or less often
        with torch.no_grad():
            model.output.weight[END] = factor * row
        together = [each.tokens for each in translate(model, sources, max_new_tokens=6)]
        assert together == [
            translate(model, [source], max_new_tokens=6)[0].tokens for source in sources
        ]
        found = [each.found[0].tokens for each in beam_search(model, sources, 3, max_new_tokens=6)]
        alone = [beam_search(model, [source], 3, max_new_tokens=6)[0] for source in sources]
        assert found == [each.found[0].tokens for each in alone]
        together += found
        assert all(END not in tokens[:-1] for tokens in together)
        lengths |= {len(tokens) for tokens in together}
    assert len(lengths) > 2, "the test needs translations of different lengths"


# Property 10: bf16 is about fp32

KINDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "language model": lambda options: build(**options),
    "encoder-decoder": joined,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("experts", [{}, MOE], ids=["dense", "experts"])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("norm", NORMS)
def test_a_model_computes_in_bf16(
    norm: str, position: str, experts: dict[str, Any], kind: str
) -> None:
    """With its weights in bf16 too, unlike in mixed precision: the full pass, traced, and cached."""
    model = KINDS[kind]({"norm": norm, "position": position, "bias": True, **experts})
    sources, tokens = (rows[1:, :4] for rows in ragged())  # without padding

    def run(**given: Any) -> list[torch.Tensor]:
        memory = model.encode(sources) if kind == "encoder-decoder" else None
        cache, full = model.new_cache(), model.run(tokens, memory=memory).logits
        columns = tokens.split(1, dim=1)
        steps = [model.run(each, cache=cache, memory=memory).logits for each in columns]
        return [full, model.run(tokens, trace=Trace(), memory=memory).logits, torch.cat(steps, 1)]

    with torch.no_grad():
        (exact, *_), _, found = run(), model.to(torch.bfloat16), run()
    model.predict(tokens, sources).logits.sum().backward()
    for logits in found:
        assert logits.dtype == torch.bfloat16 and logits.isfinite().all()
        if norm != "none" and not experts:  # a rounded score can choose another expert
            assert (logits - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("axis", AXES)
def test_every_option_changes_the_output_or_the_parameters(axis: str) -> None:
    """Property 4: no two rows of a dictionary give the same model."""
    tokens, seen = sequence(), []
    for value in AXES[axis]:
        model = build(**{axis: value})
        shapes = tuple(sorted((n, tuple(p.shape)) for n, p in model.named_parameters()))
        seen.append((shapes, model(tokens)))
    for i, (shapes, logits) in enumerate(seen):
        for other_shapes, other in seen[:i]:
            assert shapes != other_shapes or not torch.allclose(logits, other, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"n_kv_head": 1}, -2 * 2 * (4 - 1) * 4 * 16),  # layers, k and v, heads fewer, D, C
        ({"tie_embeddings": False}, VOCAB * 16),
        ({"norm": "none"}, -(2 * 2 + 1) * 16),
        ({"norm": "layernorm"}, 0),
        ({"norm": "layernorm", "bias": True}, (2 * 2 + 1) * 16 + 2 * (48 + 16 + 2 * 40 + 16)),
        ({"placement": "post"}, -16),  # the last block ends in a norm already
        ({"position": "learned"}, CONTEXT * 16),
        ({"position": "alibi"}, 0),
        ({"feedforward": "relu"}, 2 * 16 * (2 * 64 - 3 * 40)),
        ({"d_ff": 24}, 2 * 3 * 16 * (24 - 40)),
        ({"token_pairs": 4_096}, VOCAB**2 * 16),
        ({"token_pairs": 40}, 40 * 16),
        ({"value_embeddings": True}, 2 * VOCAB * 16),
        ({"embedding_skip": True}, 2 * 2),
        ({"qk_norm": True}, 2 * 2 * 4),  # layers, q and k, D
        ({"qk_norm": True, "n_kv_head": 1}, 2 * 2 * 4 - 2 * 2 * (4 - 1) * 4 * 16),
        ({"logit_softcap": 30.0}, 0),
    ],
)
def test_an_option_costs_the_parameters_it_says(changes: dict[str, Any], difference: int) -> None:
    def count(**fields: Any) -> int:
        return sum(p.numel() for p in TransformerLM(**{**SIZES, **fields}).parameters())

    assert count(**changes) - count() == difference


def test_rope_theta_dropout_and_order_matter() -> None:
    tokens = sequence()
    assert not torch.allclose(build(rope_theta=10.0)(tokens), build()(tokens), atol=1e-3)
    dropping = build(dropout=0.3).train()
    assert not torch.allclose(dropping(tokens), dropping(tokens))
    torch.testing.assert_close(dropping.eval()(tokens), build()(tokens))
    # Without positions a bag of earlier tokens is all that the last query sees.
    swapped = tokens.clone()
    swapped[:, [2, 5]] = tokens[:, [5, 2]]
    for position in POSITIONS:
        model = build(position=position, n_layer=1)
        same = torch.allclose(model(swapped)[:, -1], model(tokens)[:, -1], atol=1e-5)
        assert same == (position == "none"), position


def test_rope_sees_distances_alone() -> None:
    """q·k after rotation depends on the distance: the same token pair anywhere gives one number."""
    trace = Trace(["blocks.0.attention.products"])
    build(n_layer=1).run(torch.full((1, CONTEXT), 4), trace=trace)
    products = trace["blocks.0.attention.products"][0, 0]
    for distance in (0, 1, 7):
        diagonal = products.diagonal(-distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)


def test_alibi_subtracts_slope_times_distance() -> None:
    trace = Trace()
    build(position="alibi").run(sequence(), trace=trace)
    penalty = trace["blocks.0.attention.scores"] - trace["blocks.0.attention.products"] / 2
    # Four heads: 2^-2, 2^-4, 2^-6, 2^-8 (Press et al. 2022, section 3).
    for head, slope in enumerate((0.25, 0.0625, 0.015625, 0.00390625)):
        assert penalty[0, head, 9, 4].item() == pytest.approx(-5 * slope, abs=1e-5)


@torch.no_grad()
def test_qk_norm_makes_scores_independent_of_the_size_of_projections() -> None:
    """In self-attention, in the encoder and in cross-attention. No score is above max|w_q| max|w_k| sqrt(D)."""
    sources, tokens = ragged()
    traces: list[Trace] = []
    for factor in (1.0, 1000.0):
        model = joined({"qk_norm": True, "n_kv_head": 2, "bias": False})
        attentions = [part for part in model.modules() if isinstance(part, Attention)]
        assert len(attentions) == 2 + 2 + 2
        for part in attentions:
            if isinstance(part, CrossAttention):
                part.q.weight *= factor
                part.kv.weight[: 2 * 4] *= factor  # the keys
            else:
                part.qkv.weight[: (4 + 2) * 4] *= factor
        traces.append(Trace(["*.scores", "logits"]))
        model.run(tokens, trace=traces[-1], memory=model.encode(sources, traces[-1]))
        limits = {
            part.name: 2.0 * part.q_norm.weight.abs().max() * part.k_norm.weight.abs().max()
            for part in attentions
            if part.q_norm is not None and part.k_norm is not None
        }
        for name, limit in limits.items():
            assert traces[-1][f"{name}.scores"].abs().max() <= limit
    assert len(limits) == 6
    for name in traces[0]:
        torch.testing.assert_close(traces[1][name], traces[0][name], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_softcap_limits_the_logits_wherever_they_come_out() -> None:
    """The full pass, with a cache, traced, and read from the residual stream: cap tanh(logits / cap)."""
    tokens, raw = sequence(), build()(sequence())
    model, trace = build(logit_softcap=1.5), Trace()
    assert raw.abs().max() > 1.5
    capped = 1.5 * (raw / 1.5).tanh()
    torch.testing.assert_close(model(tokens), capped)
    traced = model.run(tokens, cache=model.new_cache(2), trace=trace).logits
    torch.testing.assert_close(traced, capped, rtol=1e-4, atol=1e-5)
    assert torch.equal(trace["logits"], traced)
    torch.testing.assert_close(model.unembed(trace["blocks.1.feedforward.residual"]), traced)
    doubled = Trace(edits={"logits": lambda logits: 2 * logits})  # an edit is made after the cap
    torch.testing.assert_close(model.run(tokens, trace=doubled).logits, 2 * traced)
    torch.testing.assert_close(build(logit_softcap=1_000.0)(tokens), raw, rtol=1e-3, atol=1e-3)


def test_edits_reach_the_output() -> None:
    model, tokens = build(), sequence()
    full = model(tokens)
    zeroed = Trace(edits=zero_head(1, 2))
    assert not torch.allclose(model.run(tokens, trace=zeroed).logits, full, atol=1e-3)
    assert zeroed["blocks.1.attention.heads"][:, 2].abs().max() == 0
    assert zeroed["blocks.1.attention.heads"][:, 1].abs().max() > 0
    # Every head of a layer removed is the same as attention adding nothing.
    no_heads = model.run(tokens, trace=Trace(edits=zero_head(1, 0, 1, 2, 3))).logits
    nothing = Trace(edits={"blocks.1.attention.output": torch.zeros_like})
    torch.testing.assert_close(no_heads, model.run(tokens, trace=nothing).logits)
    # Every hook point can be edited, and an edit there is felt.
    for hook_point in hook_points(model.config):
        edit = Trace([], edits={hook_point: lambda value: value * 0.5 + 0.1})
        assert not torch.allclose(model.run(tokens, trace=edit).logits, full), hook_point


def test_a_patched_activation_carries_its_source() -> None:
    """Replacing the stream after the last block by another text's gives that text's logits."""
    model, ours, theirs = build(), sequence(), sequence().flip(1)
    source = Trace()
    expected = model.run(theirs, trace=source).logits
    hook_point = "blocks.1.feedforward.residual"
    patched = model.run(
        ours, trace=Trace(edits={hook_point: lambda value: source[hook_point]})
    ).logits
    torch.testing.assert_close(patched, expected)


def test_a_trace_records_what_is_wanted_and_says_what_it_has() -> None:
    trace = Trace(["blocks.*.attention.weights"])
    build().run(sequence(), trace=trace)
    assert list(trace) == ["blocks.0.attention.weights", "blocks.1.attention.weights"]
    with pytest.raises(KeyError, match=r"'logits' was not recorded.*blocks\.0"):
        trace["logits"]
    with pytest.raises(ValueError, match="must stay"):
        build().run(sequence(), trace=Trace(edits={"final": lambda value: value[:1]}))


def test_cache_branches_truncates_and_counts_its_bytes() -> None:
    model, tokens = build(n_kv_head=2), sequence(batch=1)
    cache = model.new_cache()
    model.run(tokens[:, :8], cache=cache)
    assert cache.nbytes == 2 * 2 * 2 * 4 * 8 * 4  # k and v, layers, heads, D, tokens, bytes
    branch = cache.clone()
    model.run(tokens[:, 8:12].flip(1), cache=branch)
    branch.truncate(8)
    assert cache.length == 8
    again = model.run(tokens[:, 8:], cache=branch).logits
    torch.testing.assert_close(again, model(tokens)[:, 8:], rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="from 0 to 8"):
        cache.truncate(9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options", [{}, {"n_kv_head": 1}, *ROUTED, *VARIANTS, *SHORTCUTS], ids=name
)
def test_a_trace_keeps_what_it_recorded(options: dict[str, Any], kind: str) -> None:
    """A later pass, which overwrites the cache, changes nothing in the trace of an earlier one."""
    model, (sources, tokens) = KINDS[kind](options), ragged()
    trace, cache = Trace(), model.new_cache(2)
    with torch.inference_mode():
        memory = model.encode(sources, trace) if kind == "encoder-decoder" else None
        model.run(tokens, cache=cache, memory=memory, trace=trace)
        before = {hook_point: trace[hook_point].clone() for hook_point in trace}
        cache.truncate(0)
        model.run(tokens.flip(1), cache=cache, memory=memory, trace=Trace([]))
    assert list(before) == list(hook_points(model.config))
    for hook_point, value in before.items():
        assert torch.equal(trace[hook_point], value), hook_point


def test_only_what_a_trace_records_is_copied_from_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, tokens, clone = build(), sequence(), torch.Tensor.clone
    copied: list[torch.Tensor] = []

    def counted(x: torch.Tensor) -> torch.Tensor:
        copied.append(x)
        return clone(x)

    monkeypatch.setattr(torch.Tensor, "clone", counted)
    for wanted, number in ((None, 2 * 2), ([], 0), (["blocks.0.attention.[kv]"], 2)):
        copied.clear()
        model.run(tokens, trace=Trace(wanted))
        assert not copied
        cache = model.new_cache(2)
        model.run(tokens[:, :9], cache=cache)
        assert not copied
        model.run(tokens[:, 9:], cache=cache, trace=Trace(wanted))
        assert len(copied) == number


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(3, dtype=torch.long), "must be (B, T)"),
        (torch.zeros(1, 0, dtype=torch.long), "must be (B, T) with T >= 1"),
        (torch.zeros(1, CONTEXT + 1, dtype=torch.long), "max_seq_len = 16"),
    ],
)
def test_tokens_that_cannot_be_are_refused(tokens: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        build()(tokens)


def test_a_model_needs_a_vocabulary_and_known_fields() -> None:
    with pytest.raises(ValueError, match="vocab_size = None: must be given"):
        TransformerLM(d_model=16)
    with pytest.raises(ValueError, match="d_modell = 16: is not the name of a field"):
        TransformerLM(d_modell=16, vocab_size=9)
    config = ModelConfig(vocab_size=9)
    assert TransformerLM.from_config(config).config == config


def test_the_initial_loss_is_that_of_guessing() -> None:
    """Fresh weights know nothing: about ln V, for every norm and position."""
    for norm in NORMS:
        for position in POSITIONS:
            torch.manual_seed(0)
            model = TransformerLM(**{**SIZES, "norm": norm, "position": position})
            logits, targets = model(sequence()), sequence().flip(1)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            assert loss.item() == pytest.approx(torch.tensor(VOCAB).log().item(), abs=0.15)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"feedforward": "gelu", "bias": True, "position": "learned"},
        {"n_experts": 4, "n_shared_experts": 1},
    ],
    ids=str,
)
def test_zero_output_starts_the_stack_as_the_identity(changes: dict[str, Any]) -> None:
    """Every residual line holds what entered the first block; the first gradient reaches the zeros all the same."""
    tokens = sequence()
    streams: dict[bool, list[torch.Tensor]] = {}
    for zero in (True, False):
        torch.manual_seed(0)
        model = TransformerLM(**{**SIZES, **changes, "zero_output": zero})
        trace = Trace(["blocks.*.residual"])
        model.run(tokens, trace=trace)
        streams[zero] = [
            trace[f"blocks.{i}.{part}.residual"]
            for i in (0, 1)
            for part in ("attention", "feedforward")
        ]
        if zero:
            model(tokens).square().mean().backward()
            for name, weight in model.named_parameters():
                if name.startswith("blocks.") and name.endswith("output.weight"):
                    assert weight.count_nonzero() == 0
                    assert weight.grad is not None and weight.grad.count_nonzero() > 0, name
    first, *others = streams[True]
    assert all(torch.equal(first, other) for other in others)
    assert not torch.equal(streams[False][0], streams[False][-1])


@pytest.mark.parametrize("changes", SHORTCUTS, ids=str)
def test_a_shortcut_changes_nothing_at_first_and_learns(changes: dict[str, Any]) -> None:
    """A new model computes, to the bit, what it would without; every new weight has a gradient."""
    tokens = sequence()
    torch.manual_seed(0)
    model = TransformerLM(**{**SIZES, **changes})
    torch.manual_seed(0)
    base = TransformerLM(
        **{
            name: value
            for name, value in (SIZES | changes).items()
            if name in (*SIZES, "n_kv_head")
        }
    )
    assert torch.equal(model(tokens), base(tokens))
    model(tokens).square().mean().backward()
    added = dict(model.named_parameters()).keys() - dict(base.named_parameters()).keys()
    assert added
    for name in added:
        gradient = model.get_parameter(name).grad
        assert gradient is not None and gradient.count_nonzero() > 0, name


@pytest.mark.parametrize("rows", [VOCAB**2, 40])
def test_token_pairs_look_up_the_token_and_the_one_before(rows: int) -> None:
    """What is added depends on the two tokens alone; at the first token it is zero."""
    model, tokens, trace = build(token_pairs=rows), sequence(), Trace(["pairs"])
    model.run(tokens, trace=trace)
    found, seen = trace["pairs"], dict[tuple[int, int], torch.Tensor]()
    assert (found[:, 0] == 0).all()
    for row in range(2):
        for t in range(1, CONTEXT):
            pair = int(tokens[row, t - 1]), int(tokens[row, t])
            assert torch.equal(seen.setdefault(pair, found[row, t]), found[row, t])
    distinct = {tuple(vector.tolist()) for vector in seen.values()}
    assert len(distinct) == len(seen) if rows == VOCAB**2 else 10 < len(distinct) < len(seen)


def test_every_pair_has_a_row_or_a_hash_that_spreads_them() -> None:
    """Exact, each pair has its own. Hashed, rows are taken as evenly as by chance (1 - 1/e of them here)."""
    for vocabulary, rows in (
        (VOCAB, 10_000),
        (64, 4_096),
        (300, 90_000 // 2),
        (50_000, 65_536),
        (1_000_000, 7_919),
    ):
        pairs = TokenPairs(
            ModelConfig(vocab_size=vocabulary, token_pairs=rows, d_model=8), vocabulary
        )
        if vocabulary**2 <= rows:
            every = torch.cartesian_prod(torch.arange(vocabulary), torch.arange(vocabulary))
            assert pairs.row(*every.T).unique().tolist() == list(range(vocabulary**2))
            continue
        drawn = torch.Generator().manual_seed(0)
        previous, token = torch.randint(vocabulary, (2, rows), generator=drawn)
        for first, second in (
            (previous, token),
            (previous % 250, token % 250),
            (token * 0, torch.arange(rows) % vocabulary),
        ):
            number = len(set(zip(first.tolist(), second.tolist(), strict=True)))
            taken = len(pairs.row(first, second).unique())
            chance = rows * (1 - math.exp(-number / rows))
            assert taken > 0.95 * chance, (vocabulary, rows)


@pytest.mark.parametrize("rows", [VOCAB**2, 40])
def test_the_cache_keeps_the_token_before_through_branches_and_reordering(rows: int) -> None:
    """Truncated, copied, and with rows selected, repeated and reordered, it continues as a full pass would."""
    model, tokens = build(token_pairs=rows), sequence(batch=3)
    cache = model.new_cache(3)
    model.run(tokens[:, :6], cache=cache)
    kept = torch.tensor([2, 0, 2, 1])
    branch = cache.clone()
    branch.select(kept)
    cache.truncate(0)  # what the branch knows is its own
    cache.tokens = None
    again = model.run(tokens[kept, 6:9], cache=branch).logits
    torch.testing.assert_close(again, model(tokens[kept])[:, 6:9], rtol=1e-4, atol=1e-4)
    branch.truncate(4)
    other = torch.cat([tokens[kept, :4], tokens[kept, 4:].flip(1)], dim=1)
    steps = [model.run(other[:, t : t + 1], cache=branch).logits for t in range(4, CONTEXT)]
    torch.testing.assert_close(torch.cat(steps, dim=1), model(other)[:, 4:], rtol=1e-4, atol=1e-4)
