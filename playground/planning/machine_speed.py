"""The training speed of this machine, from which the time of a run is predicted.

A separate process measures it once, when the playground is first opened; every run since refines it.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import subprocess
import sys
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
    return read_speed(stored)


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
