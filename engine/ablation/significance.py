"""Means, standard deviations and paired confidence intervals.

Runs of two variants with the same seed see the same batches, so the effect of the seed cancels in their
difference. The differences are therefore tested, not the losses (Student 1908, "The Probable Error of a
Mean").

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
    """The mean and standard deviation of some values."""

    mean: float
    deviation: float | None
    """The sample standard deviation (n - 1); None for a single value."""
    count: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Summarise the values that are not None; None if there is none."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(fmean(known), stdev(known) if len(known) > 1 else None, len(known))


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, with its 95% confidence interval."""

    mean: float
    low: float | None
    high: float | None
    """The confidence interval; None for a single pair, which has none."""
    count: int
    """Number of pairs."""

    @classmethod
    def paired(cls, values: Mapping[int, float], base: Mapping[int, float]) -> Difference | None:
        """Compare `values` minus `base`, paired by key (the seed); None without a pair.

        mean ± t s / sqrt(n), with s the standard deviation of the n differences and t Student's
        quantile of n - 1 degrees of freedom.
        """
        spread = Spread.of(value - base[seed] for seed, value in values.items() if seed in base)
        if spread is None:
            return None
        if spread.deviation is None:
            return cls(spread.mean, None, None, 1)
        margin = t_quantile(spread.count - 1) * spread.deviation / math.sqrt(spread.count)
        return cls(spread.mean, spread.mean - margin, spread.mean + margin, spread.count)

    @property
    def within_noise(self) -> bool | None:
        """Whether the interval contains zero; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return self.low <= 0 <= self.high


def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t with P(-t <= T <= t) = `confidence` for Student's T with `freedom` degrees of freedom.

    Found by bisection. Raises `ValueError` for less than one degree of freedom, or a confidence
    that is not between 0 and 1.
    """
    if freedom < 1 or not 0 < confidence < 1:
        raise ValueError(f"no quantile of {confidence} with {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while t_probability(high, freedom) < confidence:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_probability(middle, freedom) < confidence else (low, middle)
    return high


def t_probability(t: float, freedom: int) -> float:
    """P(-t <= T <= t) for Student's T with `freedom` degrees of freedom.

    A finite sum for integer degrees of freedom (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4), with
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
