"""Ablation suites that the dashboard starts: `python -m engine ablate` as a process, followed and stopped.

A suite trains on when the page is closed, and says in its folder who works on it; so any page can follow
and stop it, also from another page. Nothing in this file loads PyTorch or knows how it is shown.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.ablation.comparison import FINAL_STATES, request_stop, suite_folder
from engine.ablation.suites import SUITES, Suite
from engine.cli.flags import flags
from engine.config import RunConfig
from engine.files import read_stored
from engine.runs import locks
from engine.runs.store import RunError, State, make_private
from engine.validation import ConfigError
from playground import settings
from playground.hosting import processes
from playground.i18n import Words
from playground.runs import run_lookup

ROOT = Path(__file__).resolve().parents[2]
LOG = "ablate.log"
"""In the suite's folder: the output of its command."""
MAX_SEEDS, MAX_JOBS = 20, 16

TEXT = Words({
    "suite": "There is no suite {name!r}.",
    "number": "{name} must be a whole number from 1 to {most}.",
    "works": "This suite is being trained already.",
    "public": "Suites are not trained on a public host: they take hours of its processors. The command "
    "below trains one on your own machine.",
})  # fmt: skip

_started: dict[Path, subprocess.Popen[bytes]] = {}
"""The newest process that this program started for each suite's folder. It is at work before it says so there."""


@dataclass(frozen=True)
class Chosen:
    """A shipped suite, perhaps on another base."""

    base: str
    """Its name in `SUITES`."""
    suite: Suite
    """With the name that its runs are stored under."""
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    """What is changed of the shipped suite's base."""

    def with_steps(self, steps: int) -> Chosen:
        """The same with another number of steps for each run."""
        return _on(self.base, self.changes | {"total_steps": steps})

    def command(self, seeds: int, jobs: int) -> list[str]:
        """The words after `python -m engine` that train it."""
        words = ["ablate", self.base, "--seeds", str(seeds), "--jobs", str(jobs)]
        return [*words, *flags(self.changes)]


def chosen(name: str) -> Chosen | None:
    """The suite of this name, as `Suite.on` names one: "norm", or "norm: total_steps 500". None for any other."""
    base, _, rest = name.partition(": ")
    if base not in SUITES:
        return None
    changes: dict[str, Any] = {}
    for words in rest.split(", ") if rest else ():
        word, _, value = words.partition(" ")
        changes |= {value: False} if word == "no" else {word: value or True}
    try:
        found = _on(base, changes)
    except ConfigError:
        return None
    return found if found.suite.name == name else None


def _on(base: str, changes: dict[str, Any]) -> Chosen:
    """A shipped suite with these changes of its base. Raises `ConfigError`."""
    shipped = SUITES[base]
    suite = shipped.with_base(shipped.base | changes)
    different = RunConfig.from_flat(suite.base).differences(RunConfig.from_flat(shipped.base))
    return Chosen(base, suite, different)


@dataclass(frozen=True)
class Standing:
    """How far a suite is."""

    alive: bool
    over: int
    runs: int
    trouble: str = ""
    """The last words of its command, where it ended before its runs did."""


def start(name: str, seeds: int, jobs: int, steps: int | None = None) -> str:
    """Train what has no result yet of the suite that is `chosen` by this name. The name that its runs are
    stored under: with another number of `steps` it is another.

    Raises `RunError` for what cannot be.
    """
    if settings.current().public:
        raise RunError(TEXT["public"])
    asked = chosen(name)
    if asked is None:
        raise RunError(TEXT["suite"].format(name=name[:80]))
    for what, value, most in (("seeds", seeds, MAX_SEEDS), ("jobs", jobs, MAX_JOBS)):
        if not 1 <= value <= most:
            raise RunError(TEXT["number"].format(name=what, most=most))
    if steps is not None:
        asked = asked.with_steps(steps)
    store, stored = run_lookup.store(), asked.suite.name
    folder = suite_folder(store, stored)
    make_private(folder)
    if working(folder):
        raise RunError(TEXT["works"])
    command = [sys.executable, "-m", "engine", *asked.command(seeds, jobs)]
    command += ["--checkpoint_dir", str(store.root)]
    with open(folder / LOG, "wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    processes.give_way(process.pid)
    _started[folder] = process
    return stored


def working(folder: Path) -> bool:
    """Does a process work on the suite of this folder, here or in another container?"""
    for process in _started.values():
        process.poll()  # so that none is left as a zombie
    mine = _started.get(folder)
    return (mine is not None and mine.returncode is None) or locks.is_held(folder)


def stop(name: str) -> None:
    """Tell its process to save every run and end. Nothing where none works.

    Raises `RunError` on a public host, where any visitor could.
    """
    if settings.current().public:
        raise RunError(TEXT["public"])
    folder = suite_folder(run_lookup.store(), name)
    if working(folder):
        request_stop(folder)


def standing(name: str, states: Sequence[State]) -> Standing:
    """How far the suite of this name is, whose runs are in these states."""
    folder = suite_folder(run_lookup.store(), name)
    alive = working(folder)
    over = sum(state in FINAL_STATES for state in states)
    return Standing(alive, over, len(states), "" if alive else _trouble(folder))


def _trouble(folder: Path) -> str:
    """The end of its command's output, if it failed."""
    try:
        lines = read_stored(folder / LOG).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][-500:] if lines and "ablate:" in lines[-1] else ""
