"""Where the page finds runs: those that ship with the project, and those learners make.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from pathlib import Path

from engine.runs import Run, RunError, RunStore, UnknownRun
from playground import settings

ROOT = Path(__file__).resolve().parents[1]
"""The repository's root."""

SHIPPED = "stories"
"""The shipped run that the page shows first."""


def store() -> RunStore:
    """The learners' runs: where this host keeps them, or else below checkpoints/runs."""
    return RunStore(settings.current().runs or ROOT / "checkpoints" / "runs")


def shipped() -> list[Run]:
    """The trained runs that come with the project; the one that the page shows first, first."""
    runs = RunStore(ROOT / "checkpoints").list()
    return sorted(runs, key=lambda run: (run.id != SHIPPED, run.id))


def first() -> str:
    """The id of the run that the page shows first; empty where none is shipped."""
    return next((run.id for run in shipped()), "")


def find(run_id: str) -> Run:
    """The run of this id, a learner's or a shipped one.

    Raises `UnknownRun`, or `RunError` for a damaged folder; both are `ValueError`s.
    """
    try:
        return store().open(run_id)
    except UnknownRun:
        pass
    try:
        return RunStore(ROOT / "checkpoints").open(run_id)
    except UnknownRun:
        raise UnknownRun(f"There is no run {run_id[:80]!r}.") from None


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
    return run.path.parent == ROOT / "checkpoints"
