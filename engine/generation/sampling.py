"""From logits to text: choose the next token, one step at a time.

A model gives a logit to every token of the vocabulary. `adjust` computes the distribution to draw from
and which filter removed which token, `sample` draws a token, and `generate` repeats both. Its cache of
keys and values lets a step compute one token only.

The filters act in this order, as in the `transformers` library:

1. temperature divides the logits: below 1 sharpens, above 1 flattens, 0 takes the most probable
   token (greedy; Ackley, Hinton & Sejnowski 1985, "A Learning Algorithm for Boltzmann Machines");
2. top-k keeps the k most probable tokens (Fan, Lewis & Dauphin 2018, "Hierarchical Neural Story
   Generation");
3. top-p keeps the fewest tokens whose probabilities sum to at least p, the nucleus (Holtzman et
   al. 2020, "The Curious Case of Neural Text Degeneration");
4. min-p keeps the tokens at least min-p times as probable as the most probable one (Nguyen et al.
   2024, "Turning Up the Heat").

The remaining probabilities are divided by their sum.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor

from engine.generation.sampler import Sampler
from engine.model.decoder import Decoder

KEPT, GREEDY, TOP_K, TOP_P, MIN_P = range(5)
FILTERS = ("kept", "temperature 0", "top-k", "top-p", "min-p")
"""Meaning of the codes in `Adjusted.removed_by`."""


@dataclass(frozen=True)
class Adjusted:
    """The next-token distribution over the vocabulary, before and after the filters."""

    before: Tensor
    """(V,) float64: softmax of the model's logits."""
    after: Tensor
    """(V,) float64: the distribution to draw from; sums to one."""
    removed_by: Tensor
    """(V,) int8: the filter that removed each token, an index of `FILTERS`; 0 if none did."""


def adjust(logits: Tensor, sampler: Sampler) -> Adjusted:
    """Apply the sampler to the logits (V,) of one position, exactly, in double precision.

    Top-k keeps all tokens that are as probable as the k-th. Of equal tokens at the border of the
    nucleus, top-p keeps those with lower ids. A token with logit minus infinity is impossible and counts
    as removed by no filter.

    Raises `ValueError` if there is no distribution: a NaN, plus infinity, or no possible token.
    """
    scores = logits.detach().to("cpu", torch.float64)
    if scores.dim() != 1 or not len(scores):
        raise ValueError(f"logits of one position have the shape (V,), not {tuple(logits.shape)}")
    best = scores.max()
    if not math.isfinite(best.item()):
        raise ValueError(f"logits must be numbers, at least one finite; the largest is {best}")
    before = scores.softmax(0)
    removed_by = torch.zeros(len(scores), dtype=torch.int8)

    if sampler.is_neutral:
        return Adjusted(before, before, removed_by)
    if sampler.temperature == 0:
        winner = scores.argmax()
        removed_by[scores > -math.inf] = GREEDY
        removed_by[winner] = KEPT
        after = torch.zeros_like(scores)
        after[winner] = 1.0
        return Adjusted(before, after, removed_by)

    def remove(gone: Tensor, code: int) -> Tensor:
        """The scores without the tokens `gone` (V,) bool; removed ones keep their first code."""
        removed_by[gone & (scores > -math.inf)] = code
        return scores.masked_fill(gone, -math.inf)

    scores = (scores - best) / sampler.temperature  # the largest is 0: nothing can overflow
    if 0 < sampler.top_k < len(scores):
        kth = scores.topk(sampler.top_k).values[-1]
        scores = remove(scores < kth, TOP_K)
    if sampler.top_p < 1:
        ordered, order = scores.sort(descending=True, stable=True)
        probabilities = ordered.softmax(0)
        mass_above = probabilities.cumsum(0) - probabilities  # sum over all more probable tokens
        gone = torch.zeros_like(removed_by, dtype=torch.bool)
        gone[order] = mass_above >= sampler.top_p
        scores = remove(gone, TOP_P)
    if sampler.min_p > 0:
        # p < min_p max(p), in logarithms, where the logarithm of the best score is 0
        scores = remove(scores < math.log(sampler.min_p), MIN_P)
    return Adjusted(before, scores.softmax(0), removed_by)


def sample(adjusted: Adjusted, generator: torch.Generator | None = None) -> int:
    """Draw one token by inverse transform sampling: the first whose cdf exceeds a uniform number.

    One uniform number per token, from a generator on the CPU, makes draws reproducible on every device.
    `generator` None is torch's global one.
    """
    return _draw(cdf(adjusted.after), generator)


def next_token(
    logits: Tensor,
    sampler: Sampler,
    generator: torch.Generator | None = None,
) -> int:
    """The token of `sample(adjust(logits, sampler), generator)`, faster for greedy and without filters.

    Raises `ValueError` if there is no distribution, as `adjust` does.
    """
    if sampler.temperature == 0:
        token = int(logits.argmax())
        if logits[token].isfinite():
            _uniform(generator)  # as `sample`: one number for each token
            return token
    elif sampler.is_neutral:
        token = _draw(cdf(logits.cpu().softmax(0, dtype=torch.float64)), generator)
        if token < len(logits):
            return token
    return sample(adjust(logits, sampler), generator)  # `adjust` raises if logits are not finite


def cdf(probabilities: Tensor) -> Tensor:
    """(V,) float64 -> (V,) cumulative distribution, whose last entry is exactly 1.

    All entries are NaN if any probability is.
    """
    sums = probabilities.cumsum(0)
    return sums / sums[-1]


def _draw(cdf: Tensor, generator: torch.Generator | None) -> int:
    """The first token whose cdf (V,) exceeds a uniform number; V if the cdf is NaN."""
    return int(torch.searchsorted(cdf, _uniform(generator), right=True))


def _uniform(generator: torch.Generator | None) -> Tensor:
    """A number in [0, 1), float64."""
    return torch.rand((), dtype=torch.float64, generator=generator)


def entropy(probabilities: Tensor) -> float:
    """Shannon entropy in bits: 2 ** entropy equally probable tokens have the same entropy."""
    exact = probabilities.double()
    return abs(float(exact @ exact.clamp_min(1e-300).log2()))  # 0 log 0 counts as 0


def window_start(length: int, context: int) -> int:
    """First position of the window of `context` tokens in a text of `length` tokens.

    A full window keeps its last half and fills again, so the cache is rebuilt once in half a context and
    not at every token. The start depends on the length alone, so a text is always continued in the same
    way.
    """
    if length <= context:
        return 0
    hop = context + 1 - context // 2  # the newest token and the kept ones are half a context
    return -(-(length - context) // hop) * hop


@dataclass(frozen=True)
class Step:
    """One generated token."""

    token: int
    logits: Tensor
    """(V,) the logits from which the token was drawn, on the model's device."""
    seconds: float
    """Wall-clock seconds of the forward pass and the draw."""
    window_start: int
    """First position of the text in the model's window."""


@contextmanager
def evaluating(model: torch.nn.Module) -> Generator[None]:
    """Evaluation mode (no dropout) inside the block; restores the previous mode."""
    if not model.training:
        yield
        return
    model.eval()
    try:
        yield
    finally:
        model.train()


def generate(
    model: Decoder,
    ids: Sequence[int],
    max_new_tokens: int,
    sampler: Sampler | None = None,
    generator: torch.Generator | None = None,
    stop: Collection[int] = (),
) -> Iterator[Step]:
    """Continue the tokens `ids` by up to `max_new_tokens`, lazily, one token at a time.

    Each step computes the newest token alone; keys and values of the others come from the cache. The
    logits equal those of a full pass over the same window. When the context is full, the window slides
    (`window_start`). Generation ends after a token of `stop`. `generator` is a CPU generator; the default
    is a new one with seed 0, so torch's global generator is not used.

    Raises `ValueError` for empty `ids`, for ids outside the vocabulary, and for an encoder-decoder, which
    translates (`engine.generation.translation`).
    """
    if model.config.n_encoder_layer is not None:
        raise ValueError("this model translates a text; it does not continue one")
    vocab_size = len(model.embedding.weight)
    if not ids:
        raise ValueError("generate continues a text: give at least one token")
    if not all(0 <= token < vocab_size for token in ids):
        raise ValueError(f"token ids must be from 0 to {vocab_size - 1}: {list(ids)}")
    return _generate(
        model,
        list(ids),
        max_new_tokens,
        sampler or Sampler(),
        generator or torch.Generator().manual_seed(0),
        stop,
    )


def _generate(
    model: Decoder,
    ids: list[int],
    max_new_tokens: int,
    sampler: Sampler,
    generator: torch.Generator,
    stop: Collection[int],
) -> Iterator[Step]:
    context, device = model.config.max_seq_len, model.embedding.weight.device
    cache = model.new_cache()
    start = -1  # no window yet
    for _ in range(max_new_tokens):
        began = perf_counter()
        with torch.inference_mode(), evaluating(model):
            if start != window_start(len(ids), context):
                start = window_start(len(ids), context)
                cache.truncate(0)
            new = ids[start + cache.length :]  # the newest token, or a new window
            tokens = torch.tensor([new], device=device)  # (1, T)
            logits = model.run(tokens, cache=cache).logits[0, -1]  # (V,)
            token = next_token(logits, sampler, generator)
        ids.append(token)
        yield Step(token, logits, perf_counter() - began, start)
        if token in stop:
            return
