"""Ablation suites that the dashboard starts: `python -m engine ablate` as a process, followed and stopped.

A suite trains on when the page is closed, and says in its folder who works on it; so any page can follow
and stop it, whoever started it. Nothing in this file loads PyTorch or knows how it is shown.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import claims
from engine.ablation import OVER, folder_of, tell_to_stop
from engine.runs import RunError, State, make_private
from engine.suites import SUITES
from playground import library, sessions, settings
from playground.i18n import Words

ROOT = Path(__file__).resolve().parents[1]
LOG = "ablate.log"
"""In the suite's folder: what its command said."""
MOST_SEEDS, MOST_JOBS = 20, 16

TEXT = Words({
    "suite": "There is no suite {name!r}.",
    "number": "{name} must be a whole number from 1 to {most}.",
    "works": "This suite is being trained already.",
    "public": "Suites are not trained on a public host: they take hours of its processors. The command "
    "below trains one on your own machine.",
})  # fmt: skip

_started: list[subprocess.Popen[bytes]] = []
"""Processes that this program started: asked now and then, so that none is left as a zombie."""


@dataclass(frozen=True)
class Standing:
    """How far a suite is."""

    alive: bool
    over: int
    runs: int
    trouble: str = ""
    """The last words of its command, where it ended before its runs did."""


def start(name: str, seeds: int, jobs: int, steps: int | None = None) -> str:
    """Train what has no result yet. The name that its runs are stored under.

    Raises `RunError` for what cannot be.
    """
    if settings.current().public:
        raise RunError(TEXT["public"])
    if name not in SUITES:
        raise RunError(TEXT["suite"].format(name=name[:80]))
    for what, value, most in (("seeds", seeds, MOST_SEEDS), ("jobs", jobs, MOST_JOBS)):
        if not 1 <= value <= most:
            raise RunError(TEXT["number"].format(name=what, most=most))
    store, suite = library.store(), SUITES[name]
    if steps is not None:
        suite = suite.on(suite.base | {"total_steps": steps})
    folder = folder_of(store, suite.name)
    make_private(folder)
    if working(folder):
        raise RunError(TEXT["works"])
    command = [sys.executable, "-m", "engine", "ablate", name]
    command += ["--seeds", str(seeds), "--jobs", str(jobs), "--checkpoint_dir", str(store.root)]
    if steps is not None:
        command += ["--total_steps", str(steps)]
    with open(folder / LOG, "wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    sessions.give_way(process.pid)
    _started.append(process)
    return suite.name


def working(folder: Path) -> bool:
    """Does a process work on the suite of this folder, here or in another container?"""
    for process in _started:
        process.poll()
    return claims.is_held(folder)


def stop(name: str) -> None:
    """Tell its process to save every run and end. Nothing where none works.

    Raises `RunError` on a public host, where any visitor could.
    """
    if settings.current().public:
        raise RunError(TEXT["public"])
    folder = folder_of(library.store(), name)
    if working(folder):
        tell_to_stop(folder)


def standing(name: str, states: Sequence[State]) -> Standing:
    """How far the suite of this name is, whose runs are in these states."""
    folder = folder_of(library.store(), name)
    alive = working(folder)
    over = sum(state in OVER for state in states)
    return Standing(alive, over, len(states), "" if alive else _trouble(folder))


def _trouble(folder: Path) -> str:
    """What its command said last, if it failed."""
    try:
        lines = (folder / LOG).read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][-500:] if lines and "ablate:" in lines[-1] else ""
