"""From logits to text: which token comes next, one step at a time.

A model gives one number, a logit, to every token of the vocabulary. `adjust` turns them into the
distribution that is drawn from and says what each filter removed, `sample` draws, and `generate`
repeats both with a cache of keys and values, so that a step computes one token only.

The filters act in this order, the one of the `transformers` library:

1. temperature divides the logits: below 1 sharpens, above 1 flattens, 0 takes the most probable
   token (greedy; Ackley, Hinton & Sejnowski 1985, "A Learning Algorithm for Boltzmann Machines");
2. top-k keeps the k most probable tokens (Fan, Lewis & Dauphin 2018, "Hierarchical Neural Story
   Generation");
3. top-p keeps the fewest tokens whose probabilities sum to at least p, the nucleus (Holtzman et
   al. 2020, "The Curious Case of Neural Text Degeneration");
4. min-p keeps the tokens at least min-p times as probable as the most probable one (Nguyen et al.
   2024, "Turning Up the Heat").

What is left is divided by its sum.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import torch
from pydantic import Field
from torch import Tensor

from engine.model.decoder import Decoder
from engine.validation import Config

KEPT, GREEDY, TOP_K, TOP_P, MIN_P = range(5)
FILTERS = ("kept", "temperature 0", "top-k", "top-p", "min-p")
"""What a code in `Adjusted.removed_by` means."""


class Sampler(Config):
    """How the next token is chosen. By default every filter is off: the model's own distribution.

    `Sampler.parse({...})` refuses impossible values with a `ConfigError` that names field, value
    and what is allowed.
    """

    temperature: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="Divides the logits: below 1 safer, above 1 more surprising. "
        "0: always the most probable token.",
        examples=[0.0, 0.5, 0.8, 1.0, 1.5],
    )
    top_k: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Keep only this many of the most probable tokens. 0: off.",
        examples=[0, 1, 5, 20],
    )
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Keep the fewest tokens whose probabilities sum to this. 1: off.",
        examples=[0.5, 0.9, 0.95, 1.0],
    )
    min_p: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Keep tokens at least this share as probable as the most probable. 0: off.",
        examples=[0.0, 0.05, 0.1, 0.3],
    )

    @property
    def is_off(self) -> bool:
        """No filter removes anything."""
        return self.top_k == 0 and self.top_p == 1 and self.min_p == 0

    @property
    def is_neutral(self) -> bool:
        """What is drawn from is the model's own distribution."""
        return self.temperature == 1 and self.is_off


@dataclass(frozen=True)
class Adjusted:
    """The next-token distribution over the whole vocabulary, before and after the filters."""

    before: Tensor
    """(V,) float64: softmax of the logits as the model gave them."""
    after: Tensor
    """(V,) float64: what is drawn from; sums to one."""
    removed_by: Tensor
    """(V,) int8: which filter removed each token, an index of `FILTERS`; 0 where none did."""


def adjust(logits: Tensor, sampler: Sampler) -> Adjusted:
    """Apply the sampler to the logits (V,) of one position, exactly, in double precision.

    Tokens that are equal to the k-th most probable are all kept by top-k; of equal tokens at the
    border of the nucleus, top-p keeps those with the lower ids. A logit of minus infinity is a
    token that cannot come, and no filter is said to have removed it.

    Raises `ValueError` where there is no distribution: a NaN, plus infinity, or nothing possible.
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
        """The scores without the tokens `gone` (V,) bool; those already out keep their first reason."""
        removed_by[gone & (scores > -math.inf)] = code
        return scores.masked_fill(gone, -math.inf)

    scores = (scores - best) / sampler.temperature  # the largest is 0: nothing can overflow
    if 0 < sampler.top_k < len(scores):
        kth = scores.topk(sampler.top_k).values[-1]
        scores = remove(scores < kth, TOP_K)
    if sampler.top_p < 1:
        ordered, order = scores.sort(descending=True, stable=True)
        probabilities = ordered.softmax(0)
        mass_above = probabilities.cumsum(0) - probabilities  # of all tokens that are more probable
        gone = torch.zeros_like(removed_by, dtype=torch.bool)
        gone[order] = mass_above >= sampler.top_p
        scores = remove(gone, TOP_P)
    if sampler.min_p > 0:
        # p < min_p max(p), in logarithms, where the logarithm of the best score is 0
        scores = remove(scores < math.log(sampler.min_p), MIN_P)
    return Adjusted(before, scores.softmax(0), removed_by)


def sample(adjusted: Adjusted, generator: torch.Generator | None = None) -> int:
    """Draw one token: a uniform number in [0, 1) falls into the stretch of one token.

    The tokens lie side by side on [0, 1), each as wide as it is probable. One number per token,
    from a generator on the CPU, makes a draw reproducible on every device. None: torch's own.
    """
    return _draw(edges(adjusted.after), generator)


def next_token(
    logits: Tensor,
    sampler: Sampler,
    generator: torch.Generator | None = None,
) -> int:
    """The same token as `sample(adjust(logits, sampler), generator)`, sooner where no filter is on.

    Raises `ValueError` where there is no distribution, as `adjust` does.
    """
    if sampler.is_neutral:
        token = _draw(edges(logits.cpu().softmax(0, dtype=torch.float64)), generator)
        if token < len(logits):
            return token
        # No edge is above the number, so they are NaN: `adjust` says what is wrong.
    return sample(adjust(logits, sampler), generator)


def edges(probabilities: Tensor) -> Tensor:
    """(V,) float64 -> (V,): the cumulative distribution, whose last entry is exactly 1.

    All are NaN if any probability is.
    """
    sums = probabilities.cumsum(0)
    return sums / sums[-1]


def _draw(edges: Tensor, generator: torch.Generator | None) -> int:
    """The token in whose stretch a uniform number falls; V where the edges (V,) are NaN."""
    uniform = torch.rand((), dtype=torch.float64, generator=generator)
    return int(torch.searchsorted(edges, uniform, right=True))


def entropy(probabilities: Tensor) -> float:
    """How open a choice is, in bits (Shannon 1948); 2 ** entropy equally likely tokens are as open."""
    exact = probabilities.double()
    return abs(float(exact @ exact.clamp_min(1e-300).log2()))  # 0 log 0 counts as 0


def window_start(length: int, context: int) -> int:
    """Where the window of a model that sees `context` tokens begins in a text of `length` tokens.

    A full window slides: it keeps its last half and fills again, so the cache is rebuilt once in
    half a context and not at every token. The start depends on the length alone, so the same text
    is always continued in the same way.
    """
    if length <= context:
        return 0
    hop = context + 1 - context // 2  # the newest token and what is kept are half a context
    return -(-(length - context) // hop) * hop


@dataclass(frozen=True)
class Step:
    """One generated token."""

    token: int
    logits: Tensor
    """(V,): what the model gave before the token was drawn, on the model's device."""
    seconds: float
    """Wall-clock seconds of the forward pass and the draw."""
    cache_length: int
    """Positions in the cache; the new token's own follows with the next step."""
    window_start: int
    """The first position of the text that the model still sees."""


@contextmanager
def evaluating(model: torch.nn.Module) -> Generator[None]:
    """Without dropout inside the block; the model's mode is as before after it."""
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
    """Continue the tokens `ids` by up to `max_new_tokens`, each computed when it is asked for.

    Each step feeds the newest token alone; keys and values of the others come from the cache, and
    the logits are those of a full pass over the same window. Where the context is full the window
    slides (`window_start`). Ends after yielding a token of `stop`. `generator` is a CPU generator
    (`torch.Generator().manual_seed(0)`); without one a fresh generator seeded with 0 is used, so
    torch's global randomness is never touched.

    Raises `ValueError` for an empty `ids`, since a model can only continue, for ids outside the
    vocabulary, and for an encoder-decoder, which translates (`engine.translation`).
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
        yield Step(token, logits, perf_counter() - began, cache.length, start)
        if token in stop:
            return
