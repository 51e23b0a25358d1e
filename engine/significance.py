"""Is a difference more than noise? Means, their spread, and paired confidence intervals.

Two variants that were trained with the same seeds saw the same batches, so what one seed gives them
in common cancels in the difference of its two runs: the differences are tested, not the losses
(Student 1908, "The Probable Error of a Mean").

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """The mean of some values and how far they scatter."""

    mean: float
    deviation: float | None
    """The standard deviation (of a sample, n - 1); None for one value."""
    count: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Of those that are known; None where none is."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(fmean(known), stdev(known) if len(known) > 1 else None, len(known))


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, and the interval that has the true one with 95 % confidence."""

    mean: float
    low: float | None
    high: float | None
    """The interval; None for one pair, of which nothing can be said."""
    count: int
    """Pairs."""

    @classmethod
    def paired(cls, values: Mapping[int, float], base: Mapping[int, float]) -> Difference | None:
        """`values` minus `base`, pair by pair of the same key (the seed); None without a pair.

        mean ± t s / sqrt(n), with s the standard deviation of the n differences and t Student's
        quantile of n - 1 degrees of freedom.
        """
        spread = Spread.of(value - base[seed] for seed, value in values.items() if seed in base)
        if spread is None:
            return None
        if spread.deviation is None:
            return cls(spread.mean, None, None, 1)
        reach = student(spread.count - 1) * spread.deviation / math.sqrt(spread.count)
        return cls(spread.mean, spread.mean - reach, spread.mean + reach, spread.count)

    @property
    def within_noise(self) -> bool | None:
        """Could the true difference be zero? None where there is no interval."""
        if self.low is None or self.high is None:
            return None
        return self.low <= 0 <= self.high


def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t for which Student's distribution has `confidence` between -t and t.

    Found by bisection. Raises `ValueError` for less than one degree of freedom, or a confidence
    that is not between 0 and 1.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError(f"no quantile of {confidence} with {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while between(high, freedom) < confidence:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if between(middle, freedom) < confidence else (low, middle)
    return high


def between(t: float, freedom: int) -> float:
    """How probable it is that Student's t is between -t and t.

    A finite sum for whole degrees of freedom (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4), with
    tan(angle) = t / sqrt(freedom).
    """
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(odd, freedom - 1, 2):
        total += term
        term *= cosine**2 * (k + 1) / (k + 2)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
