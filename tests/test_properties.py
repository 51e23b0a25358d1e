"""What options must keep, whichever come together: caching, causality, tracing, structure."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import Any, get_args

import numpy as np
import pytest
import torch

from engine import ModelConfig, Trace, Transformer, TransformerLM, zero_head
from engine.config import FeedForwardName, NormName, PlacementName, PositionName
from engine.data import IGNORE, TASKS, Batch
from engine.model.block import PLACEMENTS
from engine.model.context import places
from engine.model.feedforward import ACTIVATIONS
from engine.model.norms import NORMS
from engine.model.positions import POSITIONS
from engine.model.routing import BALANCERS, COUNTS, Routing, balance_loss, nudge
from engine.tokenizers import END, PAD
from engine.translation import beam_search, translate
from tests.options import (
    AXES,
    COMBINATIONS,
    CONTEXT,
    ROUTED,
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
    and every three of them occur (`covering` in tests/options.py).
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

        # 3. Traced equals untraced, every place is there, and nothing is kept on the model.
        trace = Trace()
        traced = model.run(tokens, trace=trace).logits
        torch.testing.assert_close(traced, full, rtol=1e-4, atol=1e-4)
        assert list(trace) == list(places(model.config))
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
@pytest.mark.parametrize("options", [*NORMED, *ROUTED, *VARIANTS], ids=name)
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
            nudge(moved, record.load, 0.1, "violation")
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


ALONE = [each for each in ({}, *ROUTED, *VARIANTS) if ModelConfig.parse({**SIZES, **each}).alone]
"""Where what a token gets does not depend on the rest of the batch, as it does with a capacity."""


@pytest.mark.case("F1")
@pytest.mark.case("F14")
@pytest.mark.parametrize("options", ALONE, ids=name)
def test_translations_together_are_those_alone(options: dict[str, Any]) -> None:
    """Greedy and by beam search: rows that have ended, and sources of other lengths, change nothing."""
    model = joined(options | {"tie_embeddings": False})
    sources = [[a, *range(4, 4 + length), END] for a, length in product((5, 13), (1, 9))]
    often = translate(model, sources, most=10)[0].tokens[-1]
    row, lengths = model.output.weight.detach()[often].clone(), {0}
    for factor in (1.2, 0.9, 0.6, 0.3, 0.0):  # END is written more or less often
        with torch.no_grad():
            model.output.weight[END] = factor * row
        together = [each.tokens for each in translate(model, sources, most=6)]
        assert together == [translate(model, [source], most=6)[0].tokens for source in sources]
        found = [each.found[0].tokens for each in beam_search(model, sources, 3, most=6)]
        alone = [beam_search(model, [source], 3, most=6)[0] for source in sources]
        assert found == [each.found[0].tokens for each in alone]
        together += found
        assert all(END not in tokens[:-1] for tokens in together)
        lengths |= {len(tokens) for tokens in together}
    assert len(lengths) > 2, "the test needs translations of different lengths"


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
    # Every place can be edited, and an edit there is felt.
    for place in places(model.config):
        edit = Trace([], edits={place: lambda value: value * 0.5 + 0.1})
        assert not torch.allclose(model.run(tokens, trace=edit).logits, full), place


def test_a_patched_activation_carries_its_source() -> None:
    """Replacing the stream after the last block by another text's gives that text's logits."""
    model, ours, theirs = build(), sequence(), sequence().flip(1)
    source = Trace()
    expected = model.run(theirs, trace=source).logits
    place = "blocks.1.feedforward.residual"
    patched = model.run(ours, trace=Trace(edits={place: lambda value: source[place]})).logits
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
