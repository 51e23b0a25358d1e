"""Observe a model's internals from traced forward passes: attention, logit lens, residual norms, head ablation.

All functions are pure and leave the model unchanged. Arrays are numpy arrays without a batch dimension.
B batch, L layers, H heads, T positions (of queries and of keys), S source tokens, N encoder layers,
D head width, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.generation.sampling import evaluating
from engine.model.context import Edit, Output, Trace, zero_head
from engine.model.decoder import Decoder
from engine.model.encoder_decoder import Transformer
from engine.runs.snapshots import NO_WEIGHTS, Bytes, Floats, Snapshot, quantise, quantise_up

RECORDED_TOKENS = 48
"""Maximum tokens of a text whose attention is recorded, so that this takes a small share of training time."""

# One traced forward pass -------------------------------------------------------------------------


@torch.inference_mode()
def trace_sequence(
    model: Decoder,
    ids: Sequence[int],
    hook_points: Iterable[str] | None = None,
    sources: Sequence[int] | None = None,
) -> Trace:
    """Run the model on one sequence and record these hook points (None: all).

    For an encoder-decoder, `sources` is the source text and `ids` the translation from BEGIN on. Dropout is
    off during the pass; the model's train/eval mode is restored. Raises `ValueError` for an empty sequence,
    or one longer than the model's context.
    """
    trace = Trace(hook_points)
    _run(model, ids, trace, sources)
    return trace


def _run(
    model: Decoder, ids: Sequence[int], trace: Trace, sources: Sequence[int] | None = None
) -> Output:
    """One forward pass over one sequence (B = 1), in eval mode."""
    limit = model.config.max_seq_len
    for tokens in (ids, sources):
        if tokens is not None and not 1 <= len(tokens) <= limit:
            raise ValueError(f"{len(tokens)} tokens: must be 1 to {limit}, the model's context")
    device = next(model.parameters()).device
    with evaluating(model):
        memory = None
        if isinstance(model, Transformer):
            if sources is None:
                raise ValueError("an encoder-decoder needs a text to translate")
            memory = model.encode(torch.tensor([list(sources)], device=device), trace)
        return model.run(torch.tensor([list(ids)], device=device), trace=trace, memory=memory)


def to_numpy(tensor: Tensor) -> Floats:
    """Copy a tensor to a float32 numpy array."""
    return tensor.detach().to("cpu", torch.float32).numpy()


def attention_maps(trace: Trace, layers: int, hook_point: str = "blocks.{i}.attention") -> Floats:
    """Attention weights of all heads (L, H, T, S): row = query, column = key; each row sums to one.

    `hook_point` selects the attention: `blocks.{i}.attention`, `blocks.{i}.cross` or
    `encoder.{i}.attention`.
    """
    return np.stack(
        [to_numpy(trace[f"{hook_point.format(i=layer)}.weights"][0]) for layer in range(layers)]
    )


# Snapshots, recorded during training -------------------------------------------------------------

_PROBED = ("embedding", "blocks.*.weights", "encoder.*.weights", "blocks.*.residual")


@torch.inference_mode()
def probe(
    model: Decoder, ids: Sequence[int], step: int = 0, sources: Sequence[int] | None = None
) -> Snapshot:
    """Record a snapshot of one sequence, cut to `RECORDED_TOKENS` tokens or the model's context.

    Runs one forward pass with B = 1; `sources` as in `trace_sequence`. Raises `ValueError` for an empty sequence.
    """
    config = model.config
    length = min(RECORDED_TOKENS, config.max_seq_len)
    ids, read = list(ids)[:length], [] if sources is None else list(sources)[:length]
    trace = Trace(_PROBED)
    output = _run(model, ids, trace, read or None)
    stream = torch.cat(
        [trace[hook_point] for hook_point in residual_hook_points(config)]
    )  # (2L+1, T, C)
    tokens = np.array(ids, np.int32)
    cross = encoder = NO_WEIGHTS
    if config.n_encoder_layer is not None:
        cross = quantise(attention_maps(trace, config.n_layer, "blocks.{i}.cross"))
        encoder = quantise(attention_maps(trace, config.n_encoder_layer, "encoder.{i}.attention"))
    return Snapshot(
        step=step,
        tokens=tokens,
        attention=quantise(attention_maps(trace, config.n_layer)),
        norms=to_numpy(stream.float().square().mean(-1).sqrt()),
        losses=token_losses(to_numpy(output.logits[0]), tokens),
        routing=quantised_routing(output if sources is None else replace(output, routing=[])),
        sources=np.array(read, np.int32),
        cross=cross,
        encoder=encoder,
    )


def quantised_routing(output: Output) -> Bytes:
    """Router probabilities and gates of one sequence (2, Lx, T, E), quantised as in a snapshot."""
    if not output.routing:
        return np.zeros((2, 0, output.logits.shape[1], 0), np.uint8)
    values = [[record.probabilities[0], record.gates[0]] for record in output.routing]
    stacked = np.stack([[to_numpy(value) for value in record] for record in values], axis=1)
    return quantise_up(stacked)


def residual_hook_points(config: ModelConfig) -> list[str]:
    """The residual stream's hook points in order of computation: 2 L + 1, or 3 L + 1 with an encoder."""
    parts = ["attention", "feedforward"]
    if config.n_encoder_layer is not None:
        parts.insert(1, "cross")
    blocks = [
        f"blocks.{layer}.{part}.residual" for layer in range(config.n_layer) for part in parts
    ]
    return ["embedding", *blocks]


def token_losses(logits: Floats, tokens: npt.NDArray[np.int32]) -> Floats:
    """Cross-entropy (T - 1,) in nats of each token except the first, from logits (T, V)."""
    given, truth = logits[:-1], tokens[1:]
    highest = given.max(-1, keepdims=True, initial=-np.inf)
    total = highest[:, 0] + np.log(np.exp(given - highest).sum(-1))
    return (total - given[np.arange(len(truth)), truth]).astype(np.float32)


# Attention patterns ------------------------------------------------------------------------------

PATTERNS = ("itself", "previous", "first", "repeat", "same")
"""Attention patterns that `head_patterns` measures."""


def head_patterns(attention: Floats, tokens: Sequence[int]) -> Floats:
    """Share of each head's attention on simple targets: (L, H, 5) in the order of `PATTERNS`.

    itself: the query's own position. previous: the position before it. first: the first position.
    repeat: positions after earlier occurrences of the query's token, the targets of an induction head
    (Olsson 2022). same: those earlier occurrences. Each value is a mean over the queries from the fourth
    on that have such a target, minus the share under uniform attention, scaled so that full attention
    on the target is 1. It is 0 if no query has such a target.
    """
    length = len(tokens)
    row, column = np.indices((length, length))
    ids = np.asarray(tokens)
    earlier = (ids[:, None] == ids[None, :]) & (column < row)  # key holds the query's token
    after = np.zeros_like(earlier)
    after[:, 1:] = earlier[:, :-1]
    # Keys that match a simpler pattern are excluded from `repeat` and `same`.
    simple = (column >= row - 1) | (column == 0)
    targets = np.stack(
        [column == row, column == row - 1, column == 0, after & ~simple, earlier & ~simple]
    )  # (5, T, T)
    targets[:, :3] = False
    has = targets.any(-1)  # (5, T)
    given = np.einsum("lhqk,pqk->lhpq", attention, targets.astype(np.float32))
    even = targets.sum(-1) / (1.0 + np.arange(length))  # (5, T)
    share = np.where(has, (given - even) / np.maximum(1 - even, 1e-6), 0).sum(-1)
    return np.maximum(share / np.maximum(has.sum(-1), 1), 0).astype(np.float32)


def preferred_tokens(
    attention: Floats, tokens: Sequence[int]
) -> tuple[npt.NDArray[np.int32], Floats]:
    """The token that each head attends to most, at any position: ids (L, H) and shares (L, H).

    The share is the mean weight on all keys with this token, over the queries from the fourth on,
    minus the share under uniform attention, scaled as in `head_patterns`.
    """
    kinds, kind = np.unique(np.asarray(tokens, np.int32), return_inverse=True)
    length = len(tokens)
    holds = np.eye(len(kinds), dtype=np.float32)[kind]  # (T, kinds): one where the key is of a kind
    given = attention @ holds  # (L, H, T, kinds)
    past = np.tril(np.ones((length, length), np.float32))
    even = past / past.sum(-1, keepdims=True) @ holds  # (T, kinds)
    share = (given - even) / np.maximum(1 - even, 1e-6)
    if length < 4:
        return np.full(attention.shape[:2], kinds[0]), np.zeros(attention.shape[:2], np.float32)
    mean = share[:, :, 3:].mean(2)  # (L, H, kinds)
    return kinds[mean.argmax(-1)], np.maximum(mean.max(-1), 0).astype(np.float32)


def long_range_attention(attention: Floats) -> Floats:
    """Long-range attention of each head (L, H), a mean over the queries from the fourth on.

    For each query, the largest weight on a key other than the query itself, the one before it and the
    first one.
    """
    length = attention.shape[-1]
    row, column = np.indices((length, length))
    far = attention * ((column < row - 1) & (column > 0))
    return (
        far[:, :, 3:].max(-1).mean(-1) if length > 3 else np.zeros(attention.shape[:2], np.float32)
    )


# One query's attention, step by step -------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Stages:
    """The intermediate values of one query's attention; each (T,), one per key, unless noted.

    Vaswani 2017, equation 1, for one row: softmax(q k^T / sqrt(D)) v.
    """

    query: Floats
    """(D,) q, after the rotary position encoding if the model has one."""
    keys: Floats
    """(T, D) k."""
    values: Floats
    """(T, D) v."""
    products: Floats
    """q . k"""
    scaled: Floats
    """q . k / sqrt(D)"""
    bias: Floats
    """ALiBi's penalty on distance, else 0."""
    masked: Floats
    """scaled + bias; -inf for future keys."""
    weights: Floats
    """softmax of `masked`; sums to one."""
    weighted: Floats
    """(T, D) weights times values."""
    output: Floats
    """(D,) sum of `weighted`: the head's output for this query."""


def attention_stages(trace: Trace, layer: int, head: int, query: int) -> Stages:
    """The stages of one query in one head, from a trace of all hook points of that layer.

    Raises `IndexError` for a head or query that does not exist, `KeyError` for a layer.
    """

    def hooked(name: str) -> Tensor:
        return trace[f"blocks.{layer}.attention.{name}"][0]  # (H, T, ...)

    q, k, v = hooked("q"), hooked("k"), hooked("v")
    heads, length, width = q.shape
    if not (0 <= head < heads and 0 <= query < length):
        raise IndexError(f"head {head}, query {query}: there are {heads} heads, {length} queries")
    group = head // (
        heads // len(k)
    )  # grouped-query attention: several heads share keys and values
    products, scores = hooked("products")[head, query], hooked("scores")[head, query]
    scaled = products / math.sqrt(width)
    weights = to_numpy(hooked("weights")[head, query])
    values = to_numpy(v[group])
    return Stages(
        query=to_numpy(q[head, query]),
        keys=to_numpy(k[group]),
        values=values,
        products=to_numpy(products),
        scaled=to_numpy(scaled),
        bias=to_numpy(scores - scaled),
        masked=to_numpy(hooked("masked")[head, query]),
        weights=weights,
        weighted=weights[:, None] * values,
        output=to_numpy(hooked("heads")[head, query]),
    )


# Logit lens and head ablation --------------------------------------------------------------------


def logit_lens(model: Decoder, trace: Trace) -> Iterator[Floats]:
    """The logit lens (nostalgebraist 2020): yields 2 L + 1 arrays of (T, V) probabilities.

    Applies the model's final norm and output matrix to every stage of the residual stream. The last stage
    is the model's own prediction. Yields one array at a time, since each takes megabytes with a large
    vocabulary.
    """
    for hook_point in residual_hook_points(model.config):
        with torch.inference_mode():
            yield to_numpy(model.unembed(trace[hook_point][0]).float().softmax(-1))


@torch.inference_mode()
def logits_without_heads(
    model: Decoder, ids: Sequence[int], heads: Iterable[tuple[int, int]]
) -> Floats:
    """The logits (T, V) with the outputs of these heads, (layer, head) each, set to zero.

    Without heads, the model's own logits. Raises `ValueError` for a head that does not exist.
    """
    chosen: dict[int, list[int]] = {}
    for layer, head in heads:
        if not (0 <= layer < model.config.n_layer and 0 <= head < model.config.n_head):
            raise ValueError(f"head {head} of layer {layer} is not in this model")
        chosen.setdefault(layer, []).append(head)
    edits: dict[str, Edit] = {}
    for layer, its_heads in chosen.items():
        edits |= zero_head(layer, *its_heads)
    return to_numpy(_run(model, ids, Trace((), edits)).logits[0])


@dataclass(frozen=True, eq=False)
class HeadEffect:
    """A model's predictions with and without some heads."""

    before: Floats
    """(T, V) probabilities of the next token."""
    after: Floats
    """(T, V) probabilities with the heads' outputs set to zero."""
    losses_before: Floats
    """(T - 1,) cross-entropy of each next token of the text, in nats."""
    losses_after: Floats
    """(T - 1,) the same, with the heads' outputs set to zero."""


def head_effect(model: Decoder, ids: Sequence[int], heads: Iterable[tuple[int, int]]) -> HeadEffect:
    """Set the outputs of these heads, (layer, head) each, to zero and compare the predictions."""
    tokens = np.array(ids, np.int32)
    logits = [logits_without_heads(model, ids, some) for some in ((), heads)]
    shares = [torch.from_numpy(some).softmax(-1).numpy() for some in logits]
    return HeadEffect(*shares, *(token_losses(some, tokens) for some in logits))
