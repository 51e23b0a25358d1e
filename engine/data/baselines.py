"""Baselines of a loss: what counting alone predicts of the same validation data, without any training.

    uniform    every token is equally likely                      ln V
    unigram    as often as the token is a target of the training data
    bigram     as often as it comes after the token before it

A model whose loss is that of the unigram knows how often each token occurs, and no more; at the bigram's it knows
which token comes after which. Both are estimated on the training data and measured on the validation batches that the
run's own loss is measured on, with the same targets: of a task only the answer counts, of a translation only the
target language.

A validation pair that training never had must not have probability zero. Each estimate is mixed with a coarser one,
the bigram with the unigram and the unigram with the uniform distribution (Witten & Bell 1991, "The Zero-Frequency
Problem", method C; Chen & Goodman 1998, section 2.5). With c the number of occurrences and T the number of different
tokens that come next,

    p(b)      = (c(b)     + T    / V)    / (c    + T)
    p(b | a)  = (c(a, b)  + T(a) p(b))   / (c(a) + T(a))

so a context with many different next tokens trusts its counts less, and one that was never seen is the unigram.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from engine.data.base import Data, transitions

MAX_COUNTED = 4_000_000
"""Training targets that are counted; of more, evenly spaced ones. Sorting their pairs takes about half a second, for
any vocabulary: only pairs that occur are stored."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Baselines:
    """Losses in nats per token on the validation data."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="ignore", allow_inf_nan=False
    )

    unigram: float
    bigram: float
    counted: int
    """Training targets that were counted."""


class Counts:
    """Counts of training targets and of pairs, and the probabilities that they give."""

    def __init__(self, before: Integers, targets: Integers, size: int) -> None:
        """From targets (N,) and the token before each (N,), of a vocabulary of `size`."""
        self.size = size
        self.total = len(targets)
        self.single = np.bincount(targets, minlength=size)  # (V,)
        self.context = np.bincount(before, minlength=size)  # (V,) c(a)
        self.pairs, self.count = np.unique(
            before * size + targets, return_counts=True
        )  # (P,) sorted keys
        self.successors = np.bincount(self.pairs // size, minlength=size)  # (V,) T(a)

    def unigram(self, targets: Integers) -> Floats:
        """p(b), the shape of `targets`."""
        different = np.count_nonzero(self.single)
        return (self.single[targets] + different / self.size) / (self.total + different)

    def bigram(self, before: Integers, targets: Integers) -> Floats:
        """p(b | a), the shape of `targets`."""
        keys = before * self.size + targets
        place = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        seen = np.where(self.pairs[place] == keys, self.count[place], 0)
        mixed, coarse = self.successors[before], self.unigram(targets)
        trust = self.context[before] + mixed
        return np.where(trust > 0, (seen + mixed * coarse) / np.maximum(trust, 1), coarse)


def measure(data: Data, batch_size: int, steps: int | None) -> Baselines | None:
    """The baselines of a run's data, on the `steps` validation batches of its own loss.

    Draws nothing from the data's generator. None if the training data or the validation data has no target.
    """
    before, targets = data.training_targets(MAX_COUNTED)
    if not len(targets):
        return None
    counts = Counts(before, targets, data.tokenizer.vocab_size)
    unigram, bigram, measured = 0.0, 0.0, 0
    for batch in data.validation(batch_size, steps):
        held_before, held = transitions(batch)
        unigram -= float(np.log(counts.unigram(held)).sum())
        bigram -= float(np.log(counts.bigram(held_before, held)).sum())
        measured += len(held)
    if not measured:
        return None
    return Baselines(round(unigram / measured, 4), round(bigram / measured, 4), len(targets))
