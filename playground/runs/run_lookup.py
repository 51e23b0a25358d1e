"""Where the page finds runs: those that ship with the project, and those learners make.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from pathlib import Path

from engine.runs.store import Run, RunError, RunStore, UnknownRun
from playground import settings

ROOT = Path(__file__).resolve().parents[2]
"""The repository's root."""

STORED = ROOT / "assets" / "lessons" / "runs"
"""Runs of the lessons' experiments, to be watched: they have events and no checkpoints (`tabs/learn/stored_runs.py`)."""

FIRST = {"en": "stories-words", "zh": "stories-zh"}
"""The shipped run that the page shows first, by the visitor's language: little stories, in words."""

TEXT = {
    "none": "No run is chosen yet.",
    "unknown": "There is no run {run!r}.",
}


def store() -> RunStore:
    """The learners' runs: where this host keeps them, or else below checkpoints/runs."""
    return RunStore(settings.current().runs or ROOT / "checkpoints" / "runs")


def shipped() -> list[Run]:
    """The trained runs that come with the project; the one that the page shows first, first."""
    runs = RunStore(ROOT / "checkpoints").list()
    return sorted(runs, key=lambda run: (run.id != FIRST["en"], run.id))


def first(language: object = "en") -> str:
    """The id of the run that the page shows first in a language; empty where none is shipped."""
    names = [run.id for run in shipped()]
    wanted = FIRST.get(str(language), FIRST["en"])
    return wanted if wanted in names else next(iter(names), "")


def of_language(language: object) -> Run:
    """The run that the page shows first in a language. Raises `UnknownRun` where none is shipped."""
    return find(first(language))


def find(run_id: object) -> Run:
    """The run of this id: a learner's, a shipped one or one of a lesson. The id may be anything that a client sent.

    Raises `UnknownRun`, or `RunError` for a damaged folder; both are `ValueError`s.
    """
    if not isinstance(run_id, str) or not 0 < len(run_id) <= 64:
        raise UnknownRun(TEXT["none"])
    try:
        return store().open(run_id)
    except UnknownRun:
        pass
    try:
        return RunStore(ROOT / "checkpoints").open(run_id)
    except UnknownRun:
        pass
    try:
        return RunStore(STORED).open(run_id)
    except UnknownRun:
        raise UnknownRun(TEXT["unknown"].format(run=run_id)) from None


def vocabulary(run: Run) -> int | None:
    """How many tokens a run's model has; None before it has started, or where that cannot be read."""
    if run.config.model.vocab_size is not None:
        return run.config.model.vocab_size
    try:
        return run.tokenizer().vocab_size
    except RunError:
        return None


def is_shipped(run: Run) -> bool:
    """Does this run come with the project? It can be read and forked, but not resumed or deleted."""
    return run.path.parent == ROOT / "checkpoints" or is_stored(run)


def is_stored(run: Run) -> bool:
    """Is this a run of a lesson's experiment, which a page plays?"""
    return run.path.parent == STORED
