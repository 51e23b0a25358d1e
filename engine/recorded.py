"""One step of generation without Python: recorded once, then replayed for every further token.

A token that is fed alone is so little work that most of a step is Python going from one layer to the
next. `torch.jit.trace` writes down the operations of one step and replays them: a third of the time,
for a tenth of a second once. The recording holds the model's own weights, or copies that it brings up to
date, so it follows what training makes of them. It is fixed in its shapes: one token in, and attention over
the whole cache, where a mask hides what is not written yet.

Where the most probable token is taken each time, the loop over the tokens does without Python too
(`write_greedily`).
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cached_property
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.model.attention import CrossAttention
from engine.model.context import Context, KVCache, Memory, View
from engine.model.decoder import Decoder
from engine.packed import LINE, Packed

MAX_BYTES = 4 << 20
"""Larger caches are not recorded for: reading all of them at each token would cost more than Python."""

Replay = Callable[..., tuple[Tensor, Tensor]]
Write = Callable[..., tuple[list[int], list[float]]]


class Recording:
    """A step of one model, and the copies of its weights that the step reads."""

    def __init__(self, traced: torch.jit.ScriptModule, packed: Packed) -> None:
        self.traced, self.packed = traced, packed

    @cached_property
    def step(self) -> Replay:
        """One token in, logits and a distribution out: `Step`."""
        return _frozen(self.traced)

    @cached_property
    def greedy(self) -> Write:
        """From one token on to the end: `Greedy`."""
        with _quiet():
            return _frozen(torch.jit.script(Greedy(self.traced).eval()))


_recordings: WeakKeyDictionary[Decoder, Recording] = WeakKeyDictionary()


def can_replay(model: Decoder, cache: KVCache, memory: Memory | None = None) -> bool:
    """Is a recording worth it? On a GPU and for long contexts the ordinary pass is taken.

    Also with experts: how many of them a token needs is not known before, and a recording is fixed.
    And for several texts at once, whose memories have padding.
    """
    if model.config.n_experts is not None or cache.keys.shape[1] != 1:
        return False
    if memory is not None and memory.present is not None:
        return False
    small = cache.keys.nbytes + cache.values.nbytes <= MAX_BYTES
    return small and cache.keys.device.type == "cpu" and not model.training


def replay(
    model: Decoder, token: int, cache: KVCache, memory: Memory | None = None
) -> tuple[Tensor, Tensor]:
    """One more token, which is added to the cache: `model.run`, only faster.

    Returns the logits (V,) after it, and the `edges` (V,) of their softmax, ready to draw from; with a
    memory, the logarithm of the softmax.

    Raises `ValueError` where the cache is full.
    """
    if cache.length == cache.capacity:
        raise ValueError(f"the cache is full: it holds {cache.capacity} tokens")
    given = _given(model, token, cache, memory)
    result = _recording(model, given).step(*given)
    cache.advance(1)
    return result


def write_greedily(
    model: Decoder,
    token: int,
    cache: KVCache,
    memory: Memory,
    never: Sequence[int],
    end: int,
    most: int,
) -> tuple[list[int], list[float]]:
    """After `token`, the most probable one again and again, until `end` or `most` tokens: no Python at all.

    Returns the tokens, none of `never`, and the log-probability of each in nats. What is written is in the
    cache afterwards, but for the last token.

    Raises `ValueError` where the cache has no room for so many.
    """
    room = cache.capacity - cache.length
    if most > room:
        raise ValueError(f"most = {most}: the cache has room for {room} tokens")
    given = _given(model, token, cache, memory)
    tokens, costs = _recording(model, given).greedy(*given, torch.tensor(never), end, most)
    cache.advance(len(tokens))
    return tokens, costs


def _given(model: Decoder, token: int, cache: KVCache, memory: Memory | None) -> tuple[Any, ...]:
    """What a `Step` takes."""
    newest = torch.tensor([[token], [cache.length]])
    if memory is None:
        return newest, cache.keys, cache.values
    looks = [cast(CrossAttention, block.cross) for block in model.blocks]
    return newest, cache.keys, cache.values, [both for look in looks for both in look.read(memory)]


def _recording(model: Decoder, given: tuple[Any, ...]) -> Recording:
    """The model's recording, made at the first call, with the weights as they are now."""
    recording = _recordings.get(model)
    if recording is None:
        recording = _recordings[model] = _record(model, given)
    recording.packed.refresh()
    return recording


def edges(probabilities: Tensor) -> Tensor:
    """(V,) float64 -> (V,): where each token's stretch of [0, 1) ends, as wide as it is probable.

    The last one is exactly 1. All are NaN where there are NaN in the probabilities.
    """
    sums = probabilities.cumsum(0)
    return sums / sums[-1]


class Step(nn.Module):
    """What is recorded: one token in, at a position that is a tensor and so stays open."""

    def __init__(self, model: Decoder) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, newest: Tensor, keys: Tensor, values: Tensor, read: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(2, 1) token and position, twice (L, 1, Hkv, S, D), and of a memory (1, Hkv, S, D) twice for
        each layer -> twice (V,)"""
        token, position = newest
        positions, slots = self.model.positions, keys.shape[3]
        bias = positions.bias(position, slots)  # (H, 1, S)
        seen = (torch.arange(slots) <= position)[None]  # (1, S)
        context = Context(
            view=View(bias=torch.where(seen, 0.0 if bias is None else bias, -math.inf)),
            rotation=positions.rotation(position),
            cache=WholeCache(keys, values, position),
        )
        if read:  # keys and values are all that is left of what the encoder has read
            pairs = dict(enumerate(zip(read[::2], read[1::2], strict=True)))
            context.memory = Memory(states=read[0], projected=pairs)
        logits = self.model.compute(token[None], position, context)[0, -1]
        if read:
            return logits, logits.float().log_softmax(0)
        return logits, edges(logits.softmax(0, dtype=torch.float64))


class Greedy(nn.Module):
    """Steps one behind the other. This is not traced, which would fix how many, but compiled as it stands."""

    def __init__(self, step: torch.jit.ScriptModule) -> None:
        super().__init__()
        self.step = step

    def forward(
        self,
        newest: Tensor,
        keys: Tensor,
        values: Tensor,
        read: list[Tensor],
        never: Tensor,
        end: int,
        most: int,
    ) -> tuple[list[int], list[float]]:
        tokens: list[int] = []
        costs: list[float] = []
        token = end - 1  # anything but the end
        while token != end and len(tokens) < most:
            logits, log_probabilities = self.step(newest, keys, values, read)  # (V,) each
            token = int(logits.index_fill(0, never, -math.inf).argmax())
            tokens.append(token)
            costs.append(float(log_probabilities[token]))
            newest[0, 0] = token
            newest[1, 0] += 1
        return tokens, costs


class WholeCache(KVCache):
    """A cache of which attention gets every slot, so that no shape depends on what is in it."""

    def __init__(self, keys: Tensor, values: Tensor, position: Tensor) -> None:
        self.layers = list(zip(keys.unbind(), values.unbind(), strict=True))
        self.position = position

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write (1, Hkv, 1, D) of one layer to `position`; return all slots, (1, Hkv, S, D)."""
        all_keys, all_values = self.layers[layer]
        return (
            all_keys.index_copy_(2, self.position, keys),
            all_values.index_copy_(2, self.position, values),
        )


class Shorter(TorchFunctionMode):
    """While recording: the same numbers from fewer operations, as one token and known types allow.

    Half of a step is the products with the weights; the other half is small operations, whose number
    counts more than their work.
    """

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self.packed = packed

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        x: Any = args[0] if args else None
        if func is F.linear and x.shape[:-1] == (1, 1):
            weight, bias = args[1:]  # (F, C), (F,) or None
            y = self.product(weight, x).view(1, 1, -1)  # (1, 1, F)
            return y if bias is None else y + bias
        if func is torch.linalg.vecdot and x.shape[:-1] == (1, 1):
            return torch.dot(x.flatten(), args[1].flatten()).view(1, 1)
        already = (
            (func is Tensor.float and x.dtype == torch.float32)
            or (func is Tensor.to and args[1:] == (x.dtype,))
            or (func is Tensor.type_as and args[1].dtype == x.dtype)
        )
        return x if already else func(*args, **(kwargs or {}))

    def product(self, weight: Tensor, x: Tensor) -> Tensor:
        """(F, C) times (1, 1, C), as a product of two plain matrices: (1, F) or (F, 1)."""
        copy = self.packed.of(weight)
        if copy is not None and copy.turned:
            return x.view(1, -1).mm(copy.values)
        return (weight if copy is None else copy.values).mm(x.view(-1, 1))


def _record(model: Decoder, example: tuple[Any, ...]) -> Recording:
    example = tuple(deepcopy(example))  # recording runs the step, and writes
    step = Step(model).eval()
    packed = Packed(sum(weight.nbytes + LINE for weight in model.parameters()))
    with _quiet(), Shorter(packed):
        step(*example)  # copies weights; they are frozen in unless they are the step's own
        for number, copy in enumerate(packed.copies.values()):
            step.register_buffer(f"packed_{number}", copy.values)
        traced = cast(Any, torch.jit.trace(step, example, check_trace=False))
    return Recording(traced, packed)


def _frozen(module: Any) -> Any:
    """The pass of a module, with no weight to look up at each step; they are still the same tensors."""
    with _quiet():
        return torch.jit.freeze(module, optimize_numerics=False).forward


@contextmanager
def _quiet() -> Generator[None]:
    """Without gradients, and without PyTorch's warnings of shapes that become constants, as they are meant to,
    and of newer ways, which are for larger models."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        yield
