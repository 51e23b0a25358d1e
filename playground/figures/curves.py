"""Curves of a run as columns of numbers, for every page and figure that draws them.

No torch, no UI.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engine.runs.events import Evaluated, Message, Routed, Stepped
from engine.runs.history import History
from engine.runs.summary import max_violation

Column = npt.NDArray[np.float64]

SMOOTHING = 10
"""Steps that a smoothed loss averages over, on every page, unless its reader chooses otherwise."""


@dataclass(frozen=True, eq=False)
class Curves:
    """One run's measurements. The first four columns are (N,), one entry for each recorded step; the
    next three are (M,), one for each measurement on validation data; the last two have one for each
    record of how tokens were routed."""

    step: Column
    loss: Column
    """Nats per token, of the batch before its update."""
    lr: Column
    grad_norm: Column
    """Global L2 norm before clipping."""
    evaluated: Column
    """Steps of the measurements on validation data."""
    validation: Column
    """Validation loss in nats per token."""
    accuracy: Column
    """Share of exact answers; NaN where the data has none."""
    routed: Column
    """Steps of the records of routing; none without experts."""
    imbalance: Column
    """MaxVio of the least balanced layer: the busiest expert's load over the mean, minus one."""

    @classmethod
    def of(cls, events: Iterable[Message]) -> Curves:
        """Collect them from events, without what a resumed run has repeated since."""
        history = History(events)
        steps, evaluations = history.of(Stepped), history.of(Evaluated)
        routings = history.of(Routed)
        return cls(
            step=column(event.step for event in steps),
            loss=column(event.loss for event in steps),
            lr=column(event.lr for event in steps),
            grad_norm=column(event.grad_norm for event in steps),
            evaluated=column(event.step for event in evaluations),
            validation=column(event.loss for event in evaluations),
            accuracy=column(
                math.nan if event.accuracy is None else event.accuracy for event in evaluations
            ),
            routed=column(event.step for event in routings),
            imbalance=column(max(map(max_violation, event.load)) for event in routings),
        )


def along(curves: Curves, knots: Column, values: Column) -> Curves:
    """The same curves over another quantity: at step `knots[i]` it had come to `values[i]`.

    Between two knots, and from zero to the first, it grows in a straight line.
    """
    if not len(knots):
        return curves
    steps, reached = np.insert(knots, 0, 0.0), np.insert(values, 0, 0.0)
    return replace(
        curves,
        step=np.interp(curves.step, steps, reached),
        evaluated=np.interp(curves.evaluated, steps, reached),
        routed=np.interp(curves.routed, steps, reached),
    )


def column(values: Iterable[float]) -> Column:
    return np.fromiter(values, np.float64)


def smoothed(steps: Column, values: Column, window: float) -> Column:
    """A bias-corrected exponential moving average whose memory is `window` steps; 0 changes nothing.

    With the gap g_i from step i - 1 to step i and the decay d_i = exp(-g_i / window),

        total_i = d_i total_(i-1) + (1 - d_i) value_i,    weight_i = d_i weight_(i-1) + (1 - d_i),

    and the average is total_i / weight_i. The decay depends on the gap, so the curve does not depend on how often
    a loss was logged; dividing by the weight removes the bias towards zero at the beginning (as in Adam, Kingma
    & Ba 2015, section 3). The page has the same formula, `tp.smoothed` in `assets/js/runs/feed.js`.
    """
    if window <= 0 or len(values) == 0:
        return values
    gaps = np.diff(steps, prepend=steps[0] - 1).clip(0)  # a damaged log may go back
    keep = np.exp(-gaps / window)
    out = np.empty_like(values)
    total = weight = 0.0
    for i, (kept, value) in enumerate(zip(keep.tolist(), values.tolist(), strict=True)):
        total = kept * total + (1 - kept) * value
        weight = kept * weight + (1 - kept)
        out[i] = total / weight
    return out


def extremes(columns: Iterable[Column], most: int) -> npt.NDArray[np.int64]:
    """Indices of at most about `most` of N rows that draw the same curves: peaks survive.

    Of each bucket of neighbouring rows stay those with the lowest and the highest value of each
    column, and the last; and the very first row.
    """
    columns = list(columns)
    length = len(columns[0])
    if length <= most:
        return np.arange(length)
    buckets = max(1, most // (2 * len(columns) + 1))
    edges = np.linspace(0, length, buckets + 1).astype(int).tolist()
    keep = {0}
    for start, end in pairwise(edges):
        keep.add(end - 1)
        for values in columns:
            part = values[start:end]
            keep |= {start + int(part.argmin()), start + int(part.argmax())}
    return np.array(sorted(keep))
