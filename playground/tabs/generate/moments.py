"""One text in one model: the logits of its next token, and the keys and values behind them.

Both are kept for all readers of the page, up to a size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from engine.generation.sampler import GenerationSettings
from playground.runs.recent import Recent

if TYPE_CHECKING:
    from torch import Tensor

    from engine.generation.sampling import Adjusted
    from engine.model.context import KVCache
    from playground.runs.models import Loaded


SEED_STRIDE = 1_000_003
"""Larger than the longest text, so that no two seeds share a draw."""

SOON = 0.05
"""Seconds; what takes less is measured twice."""

CACHE_BYTES = 96 << 20

LOGIT_BYTES = 32 << 20


@dataclass(frozen=True, eq=False)
class Moment:
    """The model's answer to a text, computed with the cache."""

    logits: Tensor
    """(V,) of the next token."""
    window: int
    """Positions that the model sees, all of them in the cache."""
    computed: int
    """Positions that were computed: one, or the full window if it is new."""
    cache_bytes: int
    seconds: float
    """Of the forward pass."""

    @property
    def nbytes(self) -> int:
        return self.logits.numel() * self.logits.element_size()


def _reserved(cache: KVCache) -> int:
    """Bytes that a cache takes in memory, filled or not."""
    return 2 * cache.keys.numel() * cache.keys.element_size()


Key = tuple[tuple[str, int], tuple[int, ...]]
"""The weights (`Loaded.key`) and the window of a text."""

moments: Recent[tuple[Key, bool], Moment] = Recent(
    limit=LOGIT_BYTES, size=lambda moment: moment.nbytes
)

caches: Recent[Key, KVCache] = Recent(limit=CACHE_BYTES, size=_reserved)


def window_of(loaded: Loaded, tokens: Sequence[int]) -> tuple[int, ...]:
    """The end of a text that the model still sees."""
    from engine.generation.sampling import window_start

    return tuple(tokens[window_start(len(tokens), loaded.config.model.max_seq_len) :])


def is_new_window(loaded: Loaded, tokens: Sequence[int]) -> bool:
    """Has the window just slid, or begun, with the last token?"""
    from engine.generation.sampling import window_start

    length, context = len(tokens), loaded.config.model.max_seq_len
    return length == 1 or window_start(length, context) != window_start(length - 1, context)


def moment_of(loaded: Loaded, tokens: Sequence[int], *, fill: bool = False) -> Moment:
    """The model's answer to these tokens, stored or computed now.

    The cache of the text without its last token is copied and extended by that one token. `fill`
    computes the full window instead, as for a prompt; so does a window that has just slid.
    """
    window = window_of(loaded, tokens)
    fill = fill or is_new_window(loaded, tokens)

    def make() -> Moment:
        before = None if fill else cache_of(loaded, tokens[:-1])
        moment, cache = _compute(loaded, window, before)
        caches.put((loaded.key, window), cache)
        return moment

    return moments.get_or_make(((loaded.key, window), fill), make)


def cache_of(loaded: Loaded, tokens: Sequence[int]) -> KVCache:
    """Keys and values of this text. They are shared: copy before adding to them."""
    window = window_of(loaded, tokens)
    return caches.get_or_make((loaded.key, window), lambda: _compute(loaded, window, None)[1])


def _compute(
    loaded: Loaded, window: tuple[int, ...], before: KVCache | None
) -> tuple[Moment, KVCache]:
    """One forward pass over `window`, or over its last token if `before` holds the others."""
    import torch

    new = window if before is None else window[-1:]
    began = perf_counter()
    with torch.inference_mode():
        cache = loaded.model.new_cache() if before is None else before.clone()
        logits = loaded.model.run(torch.tensor([new]), cache=cache).logits[0, -1].float()  # (V,)
    seconds = perf_counter() - began
    # A copy, without the other positions behind it; and without tokens that have no text, if the model
    # has more than its tokenizer.
    logits = logits[: loaded.tokenizer.vocab_size].clone()
    return Moment(logits, len(window), len(new), cache.nbytes, seconds), cache


def timed(compute: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """A result, and the seconds it takes: the faster of two if it is fast.

    Other programs can only make a measurement longer.
    """
    began = perf_counter()
    value = compute()
    seconds = perf_counter() - began
    if seconds < SOON:
        began = perf_counter()
        value = compute()
        seconds = min(seconds, perf_counter() - began)
    return value, seconds


def adjusted_by(moment: Moment, settings: GenerationSettings) -> Adjusted:
    from engine.generation.sampling import adjust

    return adjust(moment.logits, settings)


def drawn(adjusted: Adjusted, seed: int, position: int) -> int:
    """The token for this position of a text: always the same for one seed and distribution."""
    import torch

    from engine.generation.sampling import sample

    return sample(adjusted, torch.Generator().manual_seed(seed * SEED_STRIDE + position))
