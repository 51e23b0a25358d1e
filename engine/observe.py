"""What a page shows of the inside of a model: numbers read from one traced forward pass.

Nothing here changes a model, and everything but `save` is a pure function. Arrays are numpy's,
without a batch dimension. B batch, L layers, H heads, T positions (of queries and of keys), S tokens
of a text to translate, N encoder layers, D head width, V vocabulary.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.model.context import Edit, Output, Trace, zero_head
from engine.model.decoder import Decoder
from engine.model.encoder_decoder import Transformer

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

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


def quantise(weights: Floats) -> Bytes:
    """Weights in 0..1 as bytes: round(255 w). The error is at most 1/510, about 0.002."""
    return np.rint(255 * weights).astype(np.uint8)


def dequantise(rounded: Bytes) -> Floats:
    """Weights in 0..1 from the bytes of `quantise`."""
    return np.divide(rounded, 255, dtype=np.float32)


# A snapshot: what training records every few steps -----------------------------------------------


_NO_WEIGHTS = np.zeros((0, 0, 0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The attention of one fixed sequence at one step of training."""

    step: int
    tokens: npt.NDArray[np.int32]
    """(T,) the ids of the sequence."""
    attention: Bytes
    """(L, H, T, T) weights as `quantise` rounds them: 255 is one."""
    norms: Floats
    """(2 L + 1, T) root mean square of the residual stream: after the embedding, then after each
    block's attention and each block's feed-forward. (3 L + 1, T) with cross-attention between them."""
    losses: Floats
    """(T - 1,) cross-entropy of each next token, in nats."""
    routing: Bytes
    """(2, Lx, T, E) of the Lx expert layers: what the router thinks of every expert (the
    probabilities), and the gates of those that were chosen, 0 for all others; as `quantise_up`
    rounds them. Lx is 0 for a dense model, and where there is an encoder."""
    sources: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """(S,) the ids of the text to translate; without an encoder these three are empty."""
    cross: Bytes = field(default_factory=lambda: _NO_WEIGHTS)
    """(L, H, T, S) cross-attention, rounded like `attention`."""
    encoder: Bytes = field(default_factory=lambda: _NO_WEIGHTS)
    """(N, H, S, S) the encoder's attention."""


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
    cross = encoder = _NO_WEIGHTS
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


def quantise_up(shares: Floats) -> Bytes:
    """Shares in 0..1 as bytes, rounded up, so that what is above zero stays so."""
    return np.ceil(255 * shares.clip(0, 1) - 1e-4).clip(0, 255).astype(np.uint8)


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


# Snapshots on disk -------------------------------------------------------------------------------

_TYPES: dict[str, str] = {
    "step": "<i8",
    "tokens": "<i4",
    "attention": "|u1",
    "norms": "<f4",
    "losses": "<f4",
    "routing": "|u1",
    "sources": "<i4",
    "cross": "|u1",
    "encoder": "|u1",
}
_LATER = ("routing", "sources", "cross", "encoder")
"""What snapshots of earlier versions do not have."""
_MAX_FILE = 64 << 20
"""Bytes. 96 layers of 96 heads over 48 tokens take 21 MB."""


def save(snapshot: Snapshot, path: Path) -> None:
    """Write an .npz file that is either whole or not there."""
    arrays = {name: np.asarray(getattr(snapshot, name), kind) for name, kind in _TYPES.items()}
    unfinished = path.with_name(path.name + ".tmp")
    with open(unfinished, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(unfinished, path)


def load(path: Path) -> Snapshot:
    """Read what `save` wrote.

    Every size is checked before memory is taken, so a damaged or hostile file is a `ValueError`.
    """
    if path.stat().st_size > _MAX_FILE:
        raise ValueError(f"{path.name}: larger than {_MAX_FILE >> 20} MB")
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {
                name: _member(archive, name, kind)
                for name, kind in _TYPES.items()
                if name not in _LATER or f"{name}.npy" in archive.namelist()
            }
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path.name}: not a snapshot: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    step, tokens, attention = arrays["step"], arrays["tokens"], arrays["attention"]
    length = len(tokens) if tokens.ndim == 1 else 0
    routing = arrays.setdefault("routing", np.zeros((2, 0, length, 0), np.uint8))
    sources = arrays.setdefault("sources", np.zeros(0, np.int32))
    arrays.setdefault("cross", _NO_WEIGHTS)
    encoder = arrays.setdefault("encoder", _NO_WEIGHTS)
    read = len(sources) if sources.ndim == 1 else 0
    layers, heads = (*attention.shape, 0, 0)[:2]
    shapes = {
        "step": (),
        "tokens": (length,),
        "attention": (*attention.shape[:2], length, length),
        "norms": ((3 if read else 2) * layers + 1, length),
        "losses": (length - 1,),
        "routing": (2, *routing.shape[1:2], length, *routing.shape[3:4]),
        "sources": (read,),
        "cross": (layers, heads, length, read) if read else (0, 0, 0, 0),
        "encoder": (len(encoder), heads, read, read) if read else (0, 0, 0, 0),
    }
    for name, shape in shapes.items():
        empty = 0 in shape[:-1] and name not in _LATER
        if arrays[name].shape != shape or empty:
            raise ValueError(f"{path.name}: {name} has shape {arrays[name].shape}")
    del arrays["step"]
    return Snapshot(step=int(step), **arrays)


def _member(archive: zipfile.ZipFile, name: str, kind: str) -> npt.NDArray[Any]:
    """One array of the file: stored as it is, so that its size in memory is known before."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > _MAX_FILE:
        raise ValueError(f"{name} is compressed or too large")
    data = archive.read(entry)
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} has an unknown format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.dtype(kind) or fortran or any(size < 0 for size in shape):
        raise ValueError(f"{name} has type {dtype}, not {kind}")
    count = 1
    for size in shape:
        count *= size
    if count * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"{name} does not hold what its header says")
    return np.ndarray(shape, dtype, buffer=data, offset=file.tell())


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
