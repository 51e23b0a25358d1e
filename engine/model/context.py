"""What travels along with one forward pass, and what comes back from it.

`Context` goes in, `Output` comes out; `KVCache` is the memory between passes and `Trace` the record of
one. Modules keep nothing on themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.model.routing import Routing

Edit = Callable[[Tensor], Tensor]

PLACES: dict[str, str] = {
    "encoder.embedding": "(B, S, C) embeddings of the text to translate, with positions if added",
    "encoder.{i}.attention…": "as in the decoder, but every query may look everywhere: T is S",
    "encoder.{i}.feedforward…": "as in the decoder",
    "encoder.final": "(B, S, C) the encoder's residual stream after its last norm: the memory",
    "embedding": "(B, T, C) token embeddings, with positions where they are added",
    "blocks.{i}.attention.q": "(B, H, T, D) queries, rotated under RoPE",
    "blocks.{i}.attention.k": "(B, Hkv, S, D) keys, rotated under RoPE",
    "blocks.{i}.attention.v": "(B, Hkv, S, D) values",
    "blocks.{i}.attention.products": "(B, H, T, S) q·k",
    "blocks.{i}.attention.scores": "(B, H, T, S) q·k / sqrt(D), plus ALiBi's penalty if chosen",
    "blocks.{i}.attention.masked": "(B, H, T, S) scores with -inf where a query may not look",
    "blocks.{i}.attention.weights": "(B, H, T, S) softmax of masked; each row sums to one",
    "blocks.{i}.attention.heads": "(B, H, T, D) each head's weighted values",
    "blocks.{i}.attention.output": "(B, T, C) the heads, mixed by the output matrix",
    "blocks.{i}.attention.residual": "(B, T, C) the residual stream after attention",
    "blocks.{i}.cross…": "cross-attention, as attention: S are the tokens of the encoder's memory",
    "blocks.{i}.feedforward.hidden": "(B, T, F) activations inside the feed-forward",
    "blocks.{i}.feedforward.router.logits": "(B, T, E) the router's scores, fp32",
    "blocks.{i}.feedforward.router.chosen": "(B, T, E) true where the router wants this expert",
    "blocks.{i}.feedforward.router.gates": "(B, T, E) share of each expert's answer; 0: not taken",
    "blocks.{i}.feedforward.shared.hidden": "(B, T, F) activations inside the shared experts",
    "blocks.{i}.feedforward.shared.output": "(B, T, C) what the shared experts answer",
    "blocks.{i}.feedforward.output": "(B, T, C) what the feed-forward adds",
    "blocks.{i}.feedforward.residual": "(B, T, C) the residual stream after the block",
    "final": "(B, T, C) the residual stream after the last norm",
    "logits": "(B, T, V) scores of the next token",
}
"""Every place a `Trace` can read or edit, with its shape; `{i}` is the block, from 0, and `…` what
the decoder's attention or feed-forward has.

Blocks with experts have the places of the router in place of `feedforward.hidden`.
"""


def places(config: ModelConfig) -> Iterator[str]:
    """The names of all places of a model, in the order of the pass."""
    encoders = config.n_encoder_layer or 0
    if encoders:
        yield "encoder.embedding"
        for layer in range(encoders):
            yield from _block_places(config, f"encoder.{layer}", layer, cross=False)
        yield "encoder.final"
    yield "embedding"
    for layer in range(config.n_layer):
        yield from _block_places(config, f"blocks.{layer}", encoders + layer, cross=encoders > 0)
    yield from ("final", "logits")


def _block_places(config: ModelConfig, block: str, number: int, cross: bool) -> Iterator[str]:
    """The places of one block; `number` counts from the first block of the model on."""
    absent = {"feedforward.router", "feedforward.shared"}
    if number in config.moe_layers:
        absent = {"feedforward.hidden"}
        if not config.n_shared_experts:
            absent.add("feedforward.shared")
    start = "blocks.{i}."
    inside = [place.removeprefix(start) for place in PLACES if place.startswith(start)]
    for part in inside:
        if part == "cross…":
            attention = [name for name in inside if name.startswith("attention.")] if cross else []
            yield from (f"{block}.{name.replace('attention', 'cross')}" for name in attention)
        elif not any(part.startswith(name) for name in absent):
            yield f"{block}.{part}"


class Trace:
    """Reads, and may edit, the inside of one forward pass.

        trace = Trace(["blocks.*.attention.weights"])
        model.run(tokens, trace=trace)
        trace["blocks.0.attention.weights"]  # (B, H, T, S)

    Args:
        wanted: patterns (`*` matches anything) of the places to record; None records all of them.
        edits: for a place's exact name, a function from its tensor to one of the same shape that the
            pass goes on with: zero a head, replace an activation. What is recorded is the result.
    """

    def __init__(
        self, wanted: Iterable[str] | None = None, edits: Mapping[str, Edit] | None = None
    ) -> None:
        self.wanted = None if wanted is None else tuple(wanted)
        self.edits = dict(edits or {})
        self.values: dict[str, Tensor] = {}

    def __call__(self, place: str, value: Tensor) -> Tensor:
        """Pass `value` on, edited and recorded. Raises `ValueError` if an edit changes the shape."""
        edit = self.edits.get(place)
        if edit is not None:
            edited = edit(value)
            if edited.shape != value.shape:
                raise ValueError(
                    f"the edit of {place} returned shape {tuple(edited.shape)}, "
                    f"it must stay {tuple(value.shape)}"
                )
            value = edited
        if self.wanted is None or any(fnmatchcase(place, pattern) for pattern in self.wanted):
            self.values[place] = value.detach()
        return value

    def __getitem__(self, place: str) -> Tensor:
        """The tensor recorded at a place. Raises `KeyError` that lists what there is."""
        try:
            return self.values[place]
        except KeyError:
            known = ", ".join(self.values) or "nothing yet"
            raise KeyError(f"{place!r} was not recorded; recorded: {known}") from None

    def __contains__(self, place: str) -> bool:
        return place in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)


def zero_head(layer: int, *heads: int, attention: str = "blocks.{i}.attention") -> dict[str, Edit]:
    """An edit for `Trace` that removes attention heads of one block from the forward pass.

    `attention` is which: `blocks.{i}.cross` and `encoder.{i}.attention` are the others.
    """

    def edit(values: Tensor) -> Tensor:  # (B, H, T, D)
        values = values.clone()
        values[:, list(heads)] = 0
        return values

    return {f"{attention.format(i=layer)}.heads": edit}


class KVCache:
    """Keys and values of the tokens seen so far, so that a new token costs one token.

    All memory is taken at the beginning: (L, B, Hkv, S, D) for keys and as much for values, where S is
    `max_seq_len`. Grouped-query attention makes it smaller by H / Hkv.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch_size: int = 1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        shape = (
            config.n_layer,
            batch_size,
            config.kv_heads,
            config.max_seq_len,
            config.head_dim,
        )
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.length = 0
        """Tokens in the cache."""

    @property
    def capacity(self) -> int:
        """The most tokens it can hold."""
        return self.keys.shape[3]

    @property
    def nbytes(self) -> int:
        """Bytes that the tokens in it take; the memory reserved is for `capacity` tokens."""
        per_token = 2 * self.keys[:, :, :, :1].numel() * self.keys.element_size()
        return per_token * self.length

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add (B, Hkv, T, D) of one layer behind `length`; return all of it, (B, Hkv, S, D)."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, tokens: int) -> None:
        """Count tokens as seen, once every layer has them. Only the decoder calls this."""
        self.length += tokens

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        if not 0 <= length <= self.length:
            raise ValueError(f"length = {length}: must be from 0 to {self.length}")
        self.length = length

    def clone(self) -> KVCache:
        """An independent copy, to branch from."""
        copy = object.__new__(KVCache)
        copy.keys, copy.values = self.keys.clone(), self.values.clone()
        copy.length = self.length
        return copy

    def select(self, rows: Tensor) -> None:
        """Keep these rows (N,) of the batch, in this order; a row may come more than once."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


@dataclass(eq=False)
class Memory:
    """What an encoder has read, for the cross-attention of every decoder block."""

    states: Tensor
    """(B, S, C)"""
    present: Tensor | None = None
    """(B, S) true for tokens, false for padding; None: no padding."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """One record for each expert layer of the encoder."""
    projected: dict[int, tuple[Tensor, Tensor]] = field(
        default_factory=lambda: dict[int, tuple[Tensor, Tensor]]()
    )
    """Keys and values (B, Hkv, S, D) of each decoder block, made when it first looks: they do not
    depend on what is being written."""

    @property
    def mask(self) -> Tensor | None:
        """(B, 1, 1, S) true where a query may look."""
        return None if self.present is None else self.present[:, None, None]

    def select(self, rows: Tensor) -> Memory:
        """These rows (N,) of the batch, in this order; a row may come more than once."""
        return Memory(
            self.states[rows],
            None if self.present is None else self.present[rows],
            self.routing,
            {layer: (k[rows], v[rows]) for layer, (k, v) in self.projected.items()},
        )


@dataclass(frozen=True, eq=False)
class View:
    """Which keys a query may look at, and what is added to its scores."""

    causal: bool = False
    """Queries and keys are the same tokens and each may look at itself and back."""
    mask: Tensor | None = None
    """(T, S) or (B, 1, 1, S), true where a query may look; None: everywhere, or `causal`."""
    bias: Tensor | None = None
    """(H, T, S) or (H, 1, S), added to the scores by ALiBi; None otherwise."""


@dataclass
class Context:
    """What every layer may need to know of one forward pass."""

    view: View = View()
    """Of self-attention."""
    rotation: Tensor | None = None
    """(T, 1, D/2) complex numbers by which RoPE turns queries and keys; None without RoPE."""
    memory: Memory | None = None
    """What the encoder has read; None in the encoder, and without one."""
    cache: KVCache | None = None
    trace: Trace | None = None
    tokens: Tensor | None = None
    """(B, T) token ids, for a router that goes by them."""
    present: Tensor | None = None
    """(B, T) true for tokens, false for padding, which no router is to see; None: no padding."""
    rows: Tensor | None = None
    """(N,) the row of the batch that each token is from, where padding has been taken out; else None."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """Filled on the way: one record for each expert layer."""

    def see(self, place: str, value: Tensor) -> Tensor:
        """Show a value to the trace, if there is one, and go on with what it returns."""
        return value if self.trace is None else self.trace(place, value)


@dataclass(frozen=True)
class Output:
    """What one forward pass returns."""

    logits: Tensor
    """(B, T, V)"""
    balance_loss: Tensor
    """A scalar to add to the loss: `Decoder.balance` weighs it. Zero for a dense model."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """One record for each expert layer; empty for a dense model."""
