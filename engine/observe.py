"""What a page shows of the inside of a model: numbers read from one traced forward pass.

Nothing here changes a model, and everything is a pure function. Arrays are numpy's,
without a batch dimension. B batch, L layers, H heads, T positions (of queries and of keys), S tokens
of a text to translate, N encoder layers, D head width, V vocabulary.
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
from engine.model.context import Edit, Output, Trace, zero_head
from engine.model.decoder import Decoder
from engine.model.encoder_decoder import Transformer
from engine.snapshots import NO_WEIGHTS, Bytes, Floats, Snapshot, quantise, quantise_up

PROBE_LENGTH = 48
"""The longest sequence that `probe` reads, so that recording stays a small share of training."""

# One traced forward pass -------------------------------------------------------------------------


@torch.inference_mode()
def trace_of(
    model: Decoder,
    ids: Sequence[int],
    places: Iterable[str] | None = None,
    sources: Sequence[int] | None = None,
) -> Trace:
    """Run the model over one sequence and keep what these places hold (None: every place).

    An encoder-decoder reads `sources` first, and `ids` are the translation, from BEGIN on. Dropout is
    off during the pass; the model comes back in the mode it was in.
    Raises `ValueError` for no tokens, or more than the model's context.
    """
    trace = Trace(places)
    _run(model, ids, trace, sources)
    return trace


def _run(
    model: Decoder, ids: Sequence[int], trace: Trace, sources: Sequence[int] | None = None
) -> Output:
    """One pass over one sequence: B is 1."""
    limit = model.config.max_seq_len
    for tokens in (ids, sources):
        if tokens is not None and not 1 <= len(tokens) <= limit:
            raise ValueError(f"{len(tokens)} tokens: must be 1 to {limit}, the model's context")
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        memory = None
        if isinstance(model, Transformer):
            if sources is None:
                raise ValueError("an encoder-decoder needs a text to translate")
            memory = model.encode(torch.tensor([list(sources)], device=device), trace)
        return model.run(torch.tensor([list(ids)], device=device), trace=trace, memory=memory)
    finally:
        model.train(training)


def numpy_of(tensor: Tensor) -> Floats:
    """The values as float32 in the processor's memory."""
    return tensor.detach().to("cpu", torch.float32).numpy()


def attention_of(trace: Trace, layers: int, place: str = "blocks.{i}.attention") -> Floats:
    """Every head's weights (L, H, T, S): row = query, column = key; each row sums to one.

    `place` is which attention: of the decoder, `blocks.{i}.cross`, or `encoder.{i}.attention`.
    """
    return np.stack(
        [numpy_of(trace[f"{place.format(i=layer)}.weights"][0]) for layer in range(layers)]
    )


# A snapshot: what training records every few steps -----------------------------------------------

_PROBED = ("embedding", "blocks.*.weights", "encoder.*.weights", "blocks.*.residual")


@torch.inference_mode()
def probe(
    model: Decoder, ids: Sequence[int], step: int = 0, sources: Sequence[int] | None = None
) -> Snapshot:
    """Record one sequence: its first `PROBE_LENGTH` tokens, or the model's context if that is less.

    One forward pass with B = 1; `sources` as in `trace_of`. Raises `ValueError` for an empty sequence.
    """
    config = model.config
    length = min(PROBE_LENGTH, config.max_seq_len)
    ids, read = list(ids)[:length], [] if sources is None else list(sources)[:length]
    trace = Trace(_PROBED)
    output = _run(model, ids, trace, read or None)
    stream = torch.cat([trace[place] for place in stream_places(config)])  # (2L+1, T, C)
    tokens = np.array(ids, np.int32)
    cross = encoder = NO_WEIGHTS
    if config.n_encoder_layer is not None:
        cross = quantise(attention_of(trace, config.n_layer, "blocks.{i}.cross"))
        encoder = quantise(attention_of(trace, config.n_encoder_layer, "encoder.{i}.attention"))
    return Snapshot(
        step=step,
        tokens=tokens,
        attention=quantise(attention_of(trace, config.n_layer)),
        norms=numpy_of(stream.float().square().mean(-1).sqrt()),
        losses=losses_of(numpy_of(output.logits[0]), tokens),
        routing=routing_of(output if sources is None else replace(output, routing=[])),
        sources=np.array(read, np.int32),
        cross=cross,
        encoder=encoder,
    )


def routing_of(output: Output) -> Bytes:
    """A single sequence's probabilities and gates (2, Lx, T, E), as a snapshot has them."""
    if not output.routing:
        return np.zeros((2, 0, output.logits.shape[1], 0), np.uint8)
    values = [[record.probabilities[0], record.gates[0]] for record in output.routing]
    stacked = np.stack([[numpy_of(value) for value in record] for record in values], axis=1)
    return quantise_up(stacked)


def stream_places(config: ModelConfig) -> list[str]:
    """The residual stream's places in the order of the computation: 2 L + 1, or 3 L + 1 names."""
    parts = ["attention", "feedforward"]
    if config.n_encoder_layer is not None:
        parts.insert(1, "cross")
    blocks = [
        f"blocks.{layer}.{part}.residual" for layer in range(config.n_layer) for part in parts
    ]
    return ["embedding", *blocks]


def losses_of(logits: Floats, tokens: npt.NDArray[np.int32]) -> Floats:
    """Cross-entropy (T - 1,) in nats of each token but the first, from logits (T, V)."""
    given, truth = logits[:-1], tokens[1:]
    highest = given.max(-1, keepdims=True, initial=-np.inf)
    total = highest[:, 0] + np.log(np.exp(given - highest).sum(-1))
    return (total - given[np.arange(len(truth)), truth]).astype(np.float32)


# What a head does, in one word -------------------------------------------------------------------

PATTERNS = ("itself", "previous", "first", "repeat", "same")
"""Where a head may look, as `patterns` measures it."""


def patterns(attention: Floats, tokens: Sequence[int]) -> Floats:
    """How much of its attention each head gives to simple targets: shares (L, H, 5) as `PATTERNS`.

    itself: the query's own token. previous: the one before. first: the first of the sequence.
    repeat: what followed earlier occurrences of the query's token, as an induction head does
    (Olsson 2022). same: those earlier occurrences. Means over the queries from the fourth on that
    have such a target, less what even attention would give there, scaled so that full attention
    stays 1; 0 without any such query.
    """
    length = len(tokens)
    row, column = np.indices((length, length))
    ids = np.asarray(tokens)
    earlier = (ids[:, None] == ids[None, :]) & (column < row)  # key holds the query's token
    after = np.zeros_like(earlier)
    after[:, 1:] = earlier[:, :-1]
    # A target that is also a simpler one does not count as the harder one.
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


def favourites(attention: Floats, tokens: Sequence[int]) -> tuple[npt.NDArray[np.int32], Floats]:
    """The token that each head likes most, wherever it stands: ids (L, H) and shares (L, H).

    The share is the mean, over the queries from the fourth on, of the weight on all keys that hold
    this token, less what even attention would give them, scaled as in `patterns`.
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


def reach(attention: Floats) -> Floats:
    """How sharply each head (L, H) looks far back: its largest weight on a key that is neither the
    query itself, nor the one before it, nor the first; the mean over queries from the fourth on."""
    length = attention.shape[-1]
    row, column = np.indices((length, length))
    far = attention * ((column < row - 1) & (column > 0))
    return (
        far[:, :, 3:].max(-1).mean(-1) if length > 3 else np.zeros(attention.shape[:2], np.float32)
    )


# From q and k to a head's output, in numbers -----------------------------------------------------


@dataclass(frozen=True, eq=False)
class Stages:
    """How one query's attention comes about, key by key; each (T,) unless said.

    Vaswani 2017, equation 1, for one row: softmax(q k^T / sqrt(D)) v.
    """

    query: Floats
    """(D,) q, after rotation where the model rotates."""
    keys: Floats
    """(T, D) k."""
    values: Floats
    """(T, D) v."""
    products: Floats
    """q . k"""
    scaled: Floats
    """q . k / sqrt(D)"""
    bias: Floats
    """What the position adds: ALiBi's penalty on distance, else 0."""
    masked: Floats
    """scaled + bias; -inf for keys that lie in the future."""
    weights: Floats
    """softmax of `masked`; they sum to one."""
    weighted: Floats
    """(T, D) weights times values."""
    output: Floats
    """(D,) their sum: what this head hands on for this query."""


def attention_stages(trace: Trace, layer: int, head: int, query: int) -> Stages:
    """The stages of one query in one head, from a trace of every place of that layer.

    Raises `IndexError` for a head or query that is not there, `KeyError` for a layer.
    """

    def place(name: str) -> Tensor:
        return trace[f"blocks.{layer}.attention.{name}"][0]  # (H, T, ...)

    q, k, v = place("q"), place("k"), place("v")
    heads, length, width = q.shape
    if not (0 <= head < heads and 0 <= query < length):
        raise IndexError(f"head {head}, query {query}: there are {heads} heads, {length} queries")
    group = head // (
        heads // len(k)
    )  # grouped-query attention: several heads share keys and values
    products, scores = place("products")[head, query], place("scores")[head, query]
    scaled = products / math.sqrt(width)
    weights = numpy_of(place("weights")[head, query])
    values = numpy_of(v[group])
    return Stages(
        query=numpy_of(q[head, query]),
        keys=numpy_of(k[group]),
        values=values,
        products=numpy_of(products),
        scaled=numpy_of(scaled),
        bias=numpy_of(scores - scaled),
        masked=numpy_of(place("masked")[head, query]),
        weights=weights,
        weighted=weights[:, None] * values,
        output=numpy_of(place("heads")[head, query]),
    )


# What the model would say early, and without a head ----------------------------------------------


def logit_lens(model: Decoder, trace: Trace) -> Iterator[Floats]:
    """What the residual stream predicts if it is read out early: 2 L + 1 times (T, V) probabilities.

    Every stage of the stream goes through the model's final norm and output matrix (the logit lens,
    nostalgebraist 2020). The last stage is the model's own prediction. One at a time, since with a
    large vocabulary each takes megabytes.
    """
    for place in stream_places(model.config):
        with torch.inference_mode():
            yield numpy_of(model.unembed(trace[place][0]).float().softmax(-1))


@torch.inference_mode()
def logits_without(model: Decoder, ids: Sequence[int], heads: Iterable[tuple[int, int]]) -> Floats:
    """The logits (T, V) when these heads, (layer, head) each, hand on zeros.

    No heads: the model's own logits. Raises `ValueError` for a head that the model does not have.
    """
    chosen: dict[int, list[int]] = {}
    for layer, head in heads:
        if not (0 <= layer < model.config.n_layer and 0 <= head < model.config.n_head):
            raise ValueError(f"head {head} of layer {layer} is not in this model")
        chosen.setdefault(layer, []).append(head)
    edits: dict[str, Edit] = {}
    for layer, its_heads in chosen.items():
        edits |= zero_head(layer, *its_heads)
    return numpy_of(_run(model, ids, Trace((), edits)).logits[0])


@dataclass(frozen=True, eq=False)
class HeadEffect:
    """What a model predicts with and without some heads."""

    before: Floats
    """(T, V) probabilities of the next token."""
    after: Floats
    """(T, V) the same, with the heads' outputs set to zero."""
    losses_before: Floats
    """(T - 1,) cross-entropy of each next token of the text, in nats."""
    losses_after: Floats


def head_effect(model: Decoder, ids: Sequence[int], heads: Iterable[tuple[int, int]]) -> HeadEffect:
    """Set the outputs of these heads, (layer, head) each, to zero and compare the predictions."""
    before, after = logits_without(model, ids, ()), logits_without(model, ids, heads)
    tokens = np.array(ids, np.int32)
    return HeadEffect(
        softmax(before), softmax(after), losses_of(before, tokens), losses_of(after, tokens)
    )


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last dimension."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
