"""The inputs and results of one forward pass, apart from its tensors.

`Context` goes in and `Output` comes out. `KVCache` keeps keys and values between passes, and `Trace`
records one pass. Modules store nothing on themselves.
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

HOOK_POINTS: dict[str, str] = {
    "encoder.pairs": "(B, S, C) as in the decoder",
    "encoder.embedding": "(B, S, C) embeddings of the text to translate, with positions if added",
    "encoder.{i}.attention…": "as in the decoder, but every query may attend to every key: T is S",
    "encoder.{i}.feedforward…": "as in the decoder",
    "encoder.final": "(B, S, C) the encoder's residual stream after its last norm: the memory",
    "pairs": "(B, T, C) vectors of token pairs; zero at the first token",
    "embedding": "(B, T, C) token embeddings, with positions and token pairs where they are added",
    "blocks.{i}.input": "(B, T, C) the residual stream, mixed with the embedding",
    "blocks.{i}.attention.value_embedding": "(B, T, Hkv, D) what is added to the values",
    "blocks.{i}.attention.q": "(B, H, T, D) queries, after QK-norm and RoPE if chosen",
    "blocks.{i}.attention.k": "(B, Hkv, S, D) keys, after QK-norm and RoPE if chosen",
    "blocks.{i}.attention.v": "(B, Hkv, S, D) values",
    "blocks.{i}.attention.products": "(B, H, T, S) q·k",
    "blocks.{i}.attention.scores": "(B, H, T, S) q·k / sqrt(D), plus ALiBi's penalty if chosen",
    "blocks.{i}.attention.masked": "(B, H, T, S) scores with -inf where a query may not attend",
    "blocks.{i}.attention.weights": "(B, H, T, S) softmax of masked; each row sums to one",
    "blocks.{i}.attention.heads": "(B, H, T, D) each head's weighted values",
    "blocks.{i}.attention.output": "(B, T, C) the heads, mixed by the output matrix",
    "blocks.{i}.attention.residual": "(B, T, C) the residual stream after attention",
    "blocks.{i}.cross…": "cross-attention, as attention: S are the tokens of the encoder's memory",
    "blocks.{i}.feedforward.hidden": "(B, T, F) activations inside the feed-forward",
    "blocks.{i}.feedforward.router.logits": "(B, T, E) the router's logits, fp32",
    "blocks.{i}.feedforward.router.chosen": "(B, T, E) true where the router chooses this expert",
    "blocks.{i}.feedforward.router.gates": "(B, T, E) factor on each expert's output; 0: not used",
    "blocks.{i}.feedforward.shared.hidden": "(B, T, F) activations inside the shared experts",
    "blocks.{i}.feedforward.shared.output": "(B, T, C) output of the shared experts",
    "blocks.{i}.feedforward.output": "(B, T, C) output of the feed-forward",
    "blocks.{i}.feedforward.residual": "(B, T, C) the residual stream after the block",
    "final": "(B, T, C) the residual stream after the last norm",
    "logits": "(B, T, V) scores of the next token, after `logit_softcap`",
}
"""Every hook point that a `Trace` can record or edit, with its shape. `{i}` is the block, from 0; `…`
stands for the parts of the decoder's attention or feed-forward.

Blocks with experts have the router's hook points instead of `feedforward.hidden`. `pairs`, `input` and
`value_embedding` are only there with the options of `shortcuts`.
"""


def hook_points(config: ModelConfig) -> Iterator[str]:
    """The names of all hook points of a model, in the order of the pass."""
    encoders = config.n_encoder_layer or 0
    if encoders:
        if config.token_pairs:
            yield "encoder.pairs"
        yield "encoder.embedding"
        for layer in range(encoders):
            yield from _block_hook_points(config, f"encoder.{layer}", layer, cross=False)
        yield "encoder.final"
    if config.token_pairs:
        yield "pairs"
    yield "embedding"
    for layer in range(config.n_layer):
        yield from _block_hook_points(
            config, f"blocks.{layer}", encoders + layer, cross=encoders > 0
        )
    yield from ("final", "logits")


def _block_hook_points(config: ModelConfig, block: str, number: int, cross: bool) -> Iterator[str]:
    """The hook points of one block; `number` counts the encoder's blocks first."""
    absent = {"feedforward.router", "feedforward.shared"}
    if number in config.moe_layers:
        absent = {"feedforward.hidden"}
        if not config.n_shared_experts:
            absent.add("feedforward.shared")
    if not config.embedding_skip:
        absent.add("input")
    if not config.value_embeddings:
        absent.add("attention.value_embedding")
    start = "blocks.{i}."
    inside = [name.removeprefix(start) for name in HOOK_POINTS if name.startswith(start)]
    for part in inside:
        if part == "cross…":
            attention = [name for name in inside if name.startswith("attention.")] if cross else []
            attention = [name for name in attention if name != "attention.value_embedding"]
            yield from (f"{block}.{name.replace('attention', 'cross')}" for name in attention)
        elif not any(part.startswith(name) for name in absent):
            yield f"{block}.{part}"


class Trace:
    """Records, and may edit, the tensors at the hook points of one forward pass.

        trace = Trace(["blocks.*.attention.weights"])
        model.run(tokens, trace=trace)
        trace["blocks.0.attention.weights"]  # (B, H, T, S)

    Args:
        wanted: patterns (`*` matches anything) of the hook points to record; None records all.
        edits: for the exact name of a hook point, a function from its tensor to one of the same shape,
            with which the pass continues: zero a head, replace an activation. The result is recorded.
    """

    def __init__(
        self, wanted: Iterable[str] | None = None, edits: Mapping[str, Edit] | None = None
    ) -> None:
        self.wanted = None if wanted is None else tuple(wanted)
        self.edits = dict(edits or {})
        self.values: dict[str, Tensor] = {}

    def __call__(self, hook_point: str, value: Tensor, cache: KVCache | None = None) -> Tensor:
        """Edit and record `value`, and return it. Raises `ValueError` if an edit changes the shape.

        A view of `cache` is recorded as a copy, since a later pass may overwrite it.
        """
        edit = self.edits.get(hook_point)
        if edit is not None:
            edited = edit(value)
            if edited.shape != value.shape:
                raise ValueError(
                    f"the edit of {hook_point} returned shape {tuple(edited.shape)}, "
                    f"it must stay {tuple(value.shape)}"
                )
            value = edited
        if self.wanted is None or any(fnmatchcase(hook_point, each) for each in self.wanted):
            own = value.clone() if cache is not None and cache.holds(value) else value
            self.values[hook_point] = own.detach()
        return value

    def __getitem__(self, hook_point: str) -> Tensor:
        """The recorded tensor. Raises `KeyError`, which lists the recorded hook points."""
        try:
            return self.values[hook_point]
        except KeyError:
            known = ", ".join(self.values) or "nothing yet"
            raise KeyError(f"{hook_point!r} was not recorded; recorded: {known}") from None

    def __contains__(self, hook_point: str) -> bool:
        return hook_point in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)


def zero_head(layer: int, *heads: int, attention: str = "blocks.{i}.attention") -> dict[str, Edit]:
    """An edit for `Trace` that sets the output of attention heads of one block to zero.

    `attention` selects the kind; the others are `blocks.{i}.cross` and `encoder.{i}.attention`.
    """

    def edit(values: Tensor) -> Tensor:  # (B, H, T, D)
        values = values.clone()
        values[:, list(heads)] = 0
        return values

    return {f"{attention.format(i=layer)}.heads": edit}


class KVCache:
    """Keys and values of earlier tokens, so that each step computes only the new ones.

    All memory is allocated at the beginning: (L, B, Hkv, S, D) for keys and the same for values, where S
    is `max_seq_len`. Grouped-query attention makes it smaller by H / Hkv. With token pairs it also keeps the
    token ids, (B, S), since the pair of the next token needs the last one.

    For generation: use it inside `torch.inference_mode()` or `torch.no_grad()`. Otherwise autograd keeps every
    earlier pass, and `backward` fails, since each pass writes into the tensors of the one before.
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
        self.tokens: Tensor | None = None
        if config.token_pairs:
            rows = (batch_size, config.max_seq_len)
            self.tokens = torch.zeros(rows, device=device, dtype=torch.long)
        self.length = 0
        """Tokens in the cache."""

    @property
    def capacity(self) -> int:
        """Maximum number of tokens."""
        return self.keys.shape[3]

    @property
    def nbytes(self) -> int:
        """Bytes of the tokens in it; the allocated memory is for `capacity` tokens."""
        per_token = 2 * self.keys[:, :, :, :1].numel() * self.keys.element_size()
        if self.tokens is not None:
            per_token += self.tokens[:, :1].numel() * self.tokens.element_size()
        return per_token * self.length

    def remember(self, tokens: Tensor) -> Tensor | None:
        """Append token ids (B, T) after `length`; return the token before them, (B, 1), if there is one.

        Without token pairs nothing is kept, and the result is None.
        """
        if self.tokens is None:
            return None
        self.tokens.narrow(1, self.length, tokens.shape[1]).copy_(tokens)
        return self.tokens.narrow(1, self.length - 1, 1) if self.length else None

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, Hkv, T, D) of one layer after `length`; return all of it, (B, Hkv, S, D)."""
        new, end = keys.shape[2], self.length + keys.shape[2]
        self.keys[layer].narrow(2, self.length, new).copy_(keys)
        self.values[layer].narrow(2, self.length, new).copy_(values)
        return self.keys[layer].narrow(2, 0, end), self.values[layer].narrow(2, 0, end)

    def holds(self, x: Tensor) -> bool:
        """Whether these are keys or values of this cache and not a copy."""
        memory = x.untyped_storage().data_ptr()
        return any(memory == own.untyped_storage().data_ptr() for own in (self.keys, self.values))

    def advance(self, tokens: int) -> None:
        """Increase `length`, once every layer has the new tokens. Called by the decoder alone."""
        self.length += tokens

    def truncate(self, length: int) -> None:
        """Keep only the first `length` tokens."""
        if not 0 <= length <= self.length:
            raise ValueError(f"length = {length}: must be from 0 to {self.length}")
        self.length = length

    def clone(self) -> KVCache:
        """An independent copy, for a branch."""
        copy = object.__new__(KVCache)
        copy.keys, copy.values = self.keys.clone(), self.values.clone()
        copy.tokens = None if self.tokens is None else self.tokens.clone()
        copy.length = self.length
        return copy

    def select(self, rows: Tensor) -> None:
        """Keep these rows (N,) of the batch, in this order; rows may repeat."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]
        self.tokens = None if self.tokens is None else self.tokens[rows]


@dataclass(eq=False)
class Memory:
    """The encoder's output, for the cross-attention of every decoder block."""

    states: Tensor
    """(B, S, C)"""
    present: Tensor | None = None
    """(B, S) true for tokens, false for padding; None: no padding."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """One record for each expert layer of the encoder."""
    projected: dict[int, tuple[Tensor, Tensor]] = field(
        default_factory=lambda: dict[int, tuple[Tensor, Tensor]]()
    )
    """Keys and values (B, Hkv, S, D) of each decoder block, computed once: they do not depend on the
    decoder's tokens."""

    @property
    def mask(self) -> Tensor | None:
        """(B, 1, 1, S) true where a query may attend."""
        return None if self.present is None else self.present[:, None, None]

    def select(self, rows: Tensor) -> Memory:
        """These rows (N,) of the batch, in this order; rows may repeat."""
        return Memory(
            self.states[rows],
            None if self.present is None else self.present[rows],
            self.routing,
            {layer: (k[rows], v[rows]) for layer, (k, v) in self.projected.items()},
        )


@dataclass(frozen=True, eq=False)
class View:
    """The keys that a query may attend to, and the bias on its scores."""

    causal: bool = False
    """Queries and keys are the same tokens, and each attends to itself and earlier ones."""
    mask: Tensor | None = None
    """(T, S) or (B, 1, 1, S), true where a query may attend; None: everywhere, or `causal`."""
    bias: Tensor | None = None
    """(H, T, S) or (H, 1, S), added to the scores by ALiBi; None otherwise."""


@dataclass
class Context:
    """The inputs of all layers in one forward pass, besides x."""

    view: View = View()
    """Of self-attention."""
    rotations: Tensor | None = None
    """(T, 1, D/2) complex numbers by which RoPE multiplies queries and keys; None without RoPE."""
    memory: Memory | None = None
    """The encoder's output; None in the encoder, and in a language model."""
    cache: KVCache | None = None
    trace: Trace | None = None
    tokens: Tensor | None = None
    """(B, T) token ids, for the hash router and value embeddings."""
    before: Tensor | None = None
    """(B, 1) the token before `tokens`, for token pairs, if they continue a sequence in the cache."""
    first: Tensor | None = None
    """(B, T, C) the residual stream before the first block, for the embedding skip."""
    present: Tensor | None = None
    """(B, T) true for tokens, false for padding, which no router gets; None: no padding."""
    rows: Tensor | None = None
    """(N,) the row of the batch that each token is from, if padding was removed; else None."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """One record for each expert layer so far; layers append to it."""

    def record(self, hook_point: str, value: Tensor) -> Tensor:
        """Give a value to the trace, if there is one, and return it, edited if the trace edits it."""
        return value if self.trace is None else self.trace(hook_point, value, self.cache)


@dataclass(frozen=True)
class Output:
    """The result of one forward pass."""

    logits: Tensor
    """(B, T, V)"""
    balance_loss: Tensor
    """A scalar to add to the loss, weighted by `Decoder.balance`. Zero for a dense model."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """One record for each expert layer; empty for a dense model."""
