"""One step of generation without Python: recorded once, then replayed for every further token.

A token that is fed alone is so little work that most of a step is Python going from one layer to the
next. `torch.jit.trace` writes down the operations of one step and replays them: a third of the time,
for a tenth of a second once. The recording holds the model's own weights, or copies that it brings up to
date, so it follows what training makes of them. It is fixed in its shapes: one token in, and attention over
the whole cache, where a mask hides what is not written yet.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.model.context import Context, KVCache, Memory, View
from engine.model.decoder import Decoder

MAX_BYTES = 4 << 20
"""Larger caches are not recorded for: reading all of them at each token would cost more than Python."""

WIDE = 128
"""A matrix with so many columns, and twice as many rows or more, is read column by column: `Turned`."""

MAX_TURNED = 64 << 20
"""Larger matrices, in bytes, are not worth the memory of a second one."""

Replay = Callable[..., tuple[Tensor, Tensor]]


class Turned:
    """A copy of a weight (F, C) that lies in memory by columns: (C, F).

    One vector times a matrix takes as long as the matrix takes to be read, and the library reads a flat one
    best along its longer side: 1.2 to 2.8 times as fast from 256 x 128 to 8,000 x 256 (PyTorch 2.13, AVX2).
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.copy = weight, weight.t().contiguous()
        self.version = weight._version  # pyright: ignore[reportPrivateUsage]

    @staticmethod
    def pays(weight: Tensor) -> bool:
        """Is it flat enough, and one whose changes PyTorch counts? It counts none made through `.data`."""
        rows, columns = weight.shape
        flat = columns >= WIDE and rows >= 2 * columns
        return flat and weight.nbytes <= MAX_TURNED and not weight.is_inference()

    def refresh(self) -> None:
        """Copy the weight again if it has changed."""
        version = self.weight._version  # pyright: ignore[reportPrivateUsage]
        if version != self.version:
            with torch.inference_mode():  # where it was made
                self.copy.copy_(self.weight.t())
            self.version = version


@dataclass(frozen=True, eq=False)
class Recording:
    """A step of one model, and the copies of its weights that the step reads."""

    step: Replay
    turned: list[Turned]


_recordings: WeakKeyDictionary[Decoder, Recording] = WeakKeyDictionary()


def can_replay(model: Decoder, cache: KVCache, memory: Memory | None = None) -> bool:
    """Is a recording worth it? On a GPU and for long contexts the ordinary pass is taken.

    Also with experts: how many of them a token needs is not known before, and a recording is fixed.
    And for several texts at once, whose memories have padding.
    """
    if model.config.n_experts is not None or cache.keys.shape[1] != 1:
        return False
    if memory is not None and (memory.present is not None or not memory.projected):
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
    read = [] if memory is None else [both for pair in memory.projected.values() for both in pair]
    given = (torch.tensor([[token], [cache.length]]), cache.keys, cache.values, *read)
    recording = _recordings.get(model)
    if recording is None:
        recording = _recordings[model] = _record(model, given)
    for weight in recording.turned:
        weight.refresh()
    result = recording.step(*given)
    cache.advance(1)
    return result


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
        self, newest: Tensor, keys: Tensor, values: Tensor, *read: Tensor
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

    def __init__(self) -> None:
        super().__init__()
        self.turned: dict[Tensor, Turned] = {}

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
        if not Turned.pays(weight):
            return weight.mm(x.view(-1, 1))
        if weight not in self.turned:
            self.turned[weight] = Turned(weight)
        return x.view(1, -1).mm(self.turned[weight].copy)


def _record(model: Decoder, example: tuple[Tensor, ...]) -> Recording:
    copies = tuple(tensor.clone() for tensor in example)  # recording runs the step, and writes
    step = Step(model).eval()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of shapes that become constants, as they are meant to
        with Shorter() as shorter:
            step(
                *copies
            )  # turns weights; those copies are frozen in unless they are the step's own
            turned = list(shorter.turned.values())
            for number, weight in enumerate(turned):
                step.register_buffer(f"turned_{number}", weight.copy)
            traced = cast(Any, torch.jit.trace(step, copies, check_trace=False))
        # Frozen, the weights need no look-up at each step; they are still the same tensors.
        frozen = torch.jit.freeze(traced, optimize_numerics=False)
    return Recording(cast(Replay, frozen.forward), turned)
