"""Numbers of the lessons on writing, training and its failures, computed without PyTorch: see `computed`."""

from __future__ import annotations

import functools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from engine.config import TrainConfig
from engine.data import make_data
from engine.presets import PRESETS
from playground.tabs.learn import game
from playground.tabs.learn.computed import curves

SETTINGS = TrainConfig()
STEPS = 300
"""Long enough for Adam's averages to have forgotten their start."""


def adam(gradients: Iterable[float]) -> list[float]:
    """How far Adam moves a weight at each of these gradients, in learning rates: m̂ / √v̂."""
    m = v = 0.0
    found: list[float] = []
    for step, gradient in enumerate(gradients, start=1):
        m = SETTINGS.beta1 * m + (1 - SETTINGS.beta1) * gradient
        v = SETTINGS.beta2 * v + (1 - SETTINGS.beta2) * gradient**2
        found.append(m / (1 - SETTINGS.beta1**step) / math.sqrt(v / (1 - SETTINGS.beta2**step)))
    return found


def steady() -> float:
    """The last step of Adam with a gradient that stays the same."""
    return abs(adam([1.0] * STEPS)[-1])


def alternating() -> float:
    """The last step of Adam with a gradient that changes its sign each time."""
    return abs(adam([1.0, -1.0] * (STEPS // 2))[-1])


@functools.cache
def noise() -> float:
    """The mean length of a step of Adam with gradients that are nothing but noise."""
    generator = random.Random(0)
    steps = adam(generator.gauss(0, 1) for _ in range(20_000))
    return sum(map(abs, steps[STEPS:])) / len(steps[STEPS:])


def nucleus(shares: Sequence[float], p: float) -> int:
    """How many of these probabilities, in descending order, top-p keeps: the fewest that sum to at least p."""
    total = 0.0
    for number, share in enumerate(shares, start=1):
        total += share
        if total >= p:
            return number
    return len(shares)


def nats(guesser: str) -> Callable[[], str]:
    """The loss of a guesser that counts, on the validation text of the stories."""
    return lambda: f"{game.bits('en')[guesser] * math.log(2):.2f}"


def reverse_frequencies() -> str:
    """The loss, in nats, of knowing only how frequent each target token of the deep models' task is."""
    config = PRESETS["reverse"].config().changes() | {"task_length": 4, "max_seq_len": 16}
    from engine.config import RunConfig

    batch = make_data(RunConfig.from_flat(config)).batch(4000)
    counts = Counter(np.asarray(batch.targets)[np.asarray(batch.targets) >= 0].tolist())
    total = counts.total()
    return f"{-sum(n / total * math.log(n / total) for n in counts.values()):.2f}"


ALIGNMENTS = ("alignment", "alignment 1", "alignment 2")
"""The stored runs of the lesson on translation, with three seeds."""


def half(series: str, last: bool) -> Callable[[], str]:
    """At which step a series comes to one half, in the first or the last of the runs that get there."""

    def step() -> str:
        stored = curves.stored()
        steps = [
            next(at for at, value in stored[run][series] if value >= 0.5) for run in ALIGNMENTS
        ]
        return str(max(steps) if last else min(steps))

    return step


NUMBERS: dict[str, Callable[[], str]] = {
    "adam steady": lambda: f"{steady():.2f}",
    "adam noise": lambda: f"{noise():.2f}",
    "adam alternating": lambda: f"{alternating():.2f}",
    "unigram nats": functools.cache(nats("unigram")),
    "bigram nats": functools.cache(nats("bigram")),
    "reverse frequencies": functools.cache(reverse_frequencies),
    "loop": lambda: str(len(curves.LOOP)),
    "blow up step": lambda: str(curves.stored()["diverges"]["diverged"][0][0]),
    "first sharp": half("sharpness", False),
    "last sharp": half("sharpness", True),
    "first right": half("accuracy", False),
    "last right": half("accuracy", True),
}
"""The computed numbers, by name."""
