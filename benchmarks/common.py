"""Shared by the benchmarks: interleaved timing, and printing of tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, thread_time

Clock = Callable[[], float]

CLOCKS: dict[str, Clock] = {"wall": perf_counter, "cpu": thread_time}
"""Wall-clock seconds, or CPU seconds of the main thread, which vary less on a busy machine."""


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = perf_counter
) -> dict[str, list[float]]:
    """Time each contestant once per round; returns the seconds of each call.

    Every round calls all contestants in rotated order, so that other load and changes of the CPU
    frequency affect all of them equally.
    """
    names = list(contestants)
    for run in contestants.values():
        run()  # warm-up: the first calls allocate memory and are slower
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
    """Speed relative to the reference: the median over rounds of the ratio of times."""
    return statistics.median(r / s for s, r in zip(seconds, reference, strict=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with the first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        first, *rest = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("   ".join([first, *rest]).rstrip(), flush=True)
