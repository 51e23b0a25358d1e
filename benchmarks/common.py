"""What the benchmarks share: fair timing, and a table to print it in."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, thread_time

Clock = Callable[[], float]

CLOCKS: dict[str, Clock] = {"wall": perf_counter, "cpu": thread_time}
"""Seconds that pass, or those that the main thread was computing: steadier on a busy machine."""


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = perf_counter
) -> dict[str, list[float]]:
    """Seconds of each call, for each contestant, in `rounds` rounds.

    Every round calls all of them, each time beginning with another one, so that what else the
    machine does, and what a processor's clock does as it gets warm, falls on all alike.
    """
    names = list(contestants)
    for run in contestants.values():
        run()  # the first calls allocate memory and are slower
        run()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            begun = clock()
            contestants[name]()
            seconds[name].append(clock() - begun)
    return seconds


def times_as_fast(seconds: Sequence[float], reference: Sequence[float]) -> float:
    """How many times as fast as the reference: the median of the rounds' ratios."""
    return statistics.median(r / s for s, r in zip(seconds, reference, strict=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        first, *rest = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("   ".join([first, *rest]).rstrip(), flush=True)
