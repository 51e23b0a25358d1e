"""The training speed of this machine, from which the time of a run is predicted.

A separate process measures it once, when the playground is first opened. Every run since refines it, and the newest
one counts most: the machine is taken to be as fast as it was then, since other programs may use it as well.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from statistics import median

from engine.estimate import Speed, read_speed
from engine.files import write_atomic
from engine.runs.events import Started, Stepped
from engine.runs.store import Run
from playground.runs import run_lookup

FEWEST_STEPS = 30
"""The fewest steps of one process from which the speed is refined."""


def path() -> Path:
    """Where the speed is stored: beside the folder of the learners' runs."""
    return run_lookup.store().root.parent / "machine.json"


def speed() -> Speed | None:
    """The machine's speed; None until it has been measured."""
    try:
        return _read(path(), path().stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=4)
def _read(stored: Path, written: int) -> Speed | None:
    found = read_speed(stored)
    return found and as_last_run(found)


def as_last_run(found: Speed) -> Speed:
    """The speed at which the newest run's steps take what they took: one factor for all its times.

    The fit itself hardly moves by one slow run: its errors are relative, so that an idle machine's short times
    weigh most.
    """
    if not found.runs:
        return found
    times = (found.seconds_per_flop, found.seconds_per_move, found.seconds_per_block)
    last = found.runs[-1]
    factor = last.seconds / last.work.seconds(*times)
    flop, move, block = (factor * time for time in times)
    return replace(found, seconds_per_flop=flop, seconds_per_move=move, seconds_per_block=block)


def measure() -> None:
    """Measure and store the speed, if it is unknown. Takes some seconds."""
    if speed() is None:
        command = [sys.executable, "-m", "engine.training.speed", str(path().resolve())]
        subprocess.run(command, cwd=run_lookup.ROOT, stdout=subprocess.DEVNULL, check=False)


def learn(run: Run) -> None:
    """Refine the speed with the steps of this run's last process."""
    known = speed()
    if known is None:
        return
    seconds: list[float] = []
    for event in run.history():
        if isinstance(event, Started):
            seconds = []
        elif isinstance(event, Stepped):
            seconds.append(event.seconds)
    if len(seconds) < FEWEST_STEPS:
        return
    try:
        fitted = known.refined(run.config, median(seconds), run.tokenizer().vocab_size)
    except ValueError:
        return
    write_atomic(path(), fitted.to_json())
