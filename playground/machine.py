"""How fast this machine trains, as far as is known: what the predicted time of a run rests on.

It is measured once, by a process of its own, the first time the playground is opened, and fitted
again with every run since.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from statistics import median

from engine.estimate import Speed, read_speed
from engine.events import Started, Stepped
from engine.jsonl import write_whole
from engine.runs import Run
from playground import library

FEWEST_STEPS = 30
"""A run tells of the machine's speed only when it has made so many steps in one go."""


def path() -> Path:
    """Where the speed is stored: beside the folder of the learners' runs."""
    return library.store().root.parent / "machine.json"


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
    """Measure and store the speed, if it is not known yet. Takes some seconds."""
    if speed() is None:
        command = [sys.executable, "-m", "engine.speed", str(path().resolve())]
        subprocess.run(command, cwd=library.ROOT, stdout=subprocess.DEVNULL, check=False)


def learn(run: Run) -> None:
    """Fit the speed again with the steps that this run's last process made."""
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
    write_whole(path(), fitted.to_json())
