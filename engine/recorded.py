"""One step of generation without Python: recorded once, then replayed for every further token.

A token that is fed alone is so little work that most of a step is Python going from one layer to the
next. `torch.jit.trace` writes down the operations of one step and replays them: a third of the time,
for a tenth of a second once. The recording holds the model's own weights, so it follows what training
makes of them. It is fixed in its shapes: one token in, and attention over the whole cache, where a mask
hides what is not written yet.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from engine.model.attention import merge
from engine.model.context import Context, KVCache
from engine.model.decoder import TransformerLM

MAX_BYTES = 4 << 20
"""Larger caches are not recorded for: reading all of them at each token would cost more than Python."""

Replay = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

_replays: WeakKeyDictionary[TransformerLM, Replay] = WeakKeyDictionary()


def can_replay(model: TransformerLM, cache: KVCache) -> bool:
    """Is a recording worth it? On a GPU and for long contexts the ordinary pass is taken.

    Also with experts: how many of them a token needs is not known before, and a recording is fixed.
    """
    if model.config.n_experts is not None:
        return False
    small = cache.keys.nbytes + cache.values.nbytes <= MAX_BYTES
    return small and cache.keys.device.type == "cpu" and not model.training


def replay(model: TransformerLM, token: int, cache: KVCache) -> Tensor:
    """The logits (V,) after one more token, which is added to the cache: `model.run`, only faster.

    Raises `ValueError` where the cache is full.
    """
    if cache.length == cache.capacity:
        raise ValueError(f"the cache is full: it holds {cache.capacity} tokens")
    given = (
        torch.tensor([[token]]),
        torch.tensor([cache.length]),
        cache.keys,
        cache.values,
    )
    if model not in _replays:
        _replays[model] = _record(model, given)
    logits = _replays[model](*given)
    cache.advance(1)
    return logits


class Step(nn.Module):
    """What is recorded: one token in, at a position that is a tensor and so stays open."""

    def __init__(self, model: TransformerLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(1, 1), (1,), and twice (L, 1, Hkv, S, D) -> (V,)"""
        positions, slots = self.model.positions, keys.shape[3]
        bias = positions.bias(position, slots)
        seen = (torch.arange(slots) <= position)[None]  # (1, S)
        context = Context(
            rotation=positions.rotation(position),
            bias=merge(torch.zeros(1, slots) if bias is None else bias, seen, keys.dtype),
            cache=WholeCache(keys, values, position),
        )
        return self.model.compute(token, position, context)[0, -1]


class WholeCache(KVCache):
    """A cache of which attention gets every slot, so that no shape depends on what is in it."""

    def __init__(self, keys: Tensor, values: Tensor, position: Tensor) -> None:
        self.keys, self.values, self.position = keys, values, position

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write (1, Hkv, 1, D) of one layer to `position`; return all slots, (1, Hkv, S, D)."""
        return (
            self.keys[layer].index_copy_(2, self.position, keys),
            self.values[layer].index_copy_(2, self.position, values),
        )


def _record(model: TransformerLM, example: tuple[Tensor, ...]) -> Replay:
    copies = tuple(tensor.clone() for tensor in example)  # recording runs the step, and writes
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of shapes that become constants, as they are meant to
        return cast(Replay, torch.jit.trace(Step(model), copies, check_trace=False))
