"""The index of runs tells what their whole logs tell, and reads no more than is new."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from engine.config import RunConfig
from engine.runs import locks
from engine.runs.events import Ended, Evaluated, Started
from engine.runs.store import Run, RunStore
from engine.runs.summary import Outcome
from playground.screens import run_index
from tests.playground.screens.pages import make

CHANGES: dict[str, Callable[[Run], object]] = {
    "an event": lambda run: run.append(Evaluated(step=120, loss=1.0)),
    "a process that has it": lambda run: run.claim(),
    "its end": lambda run: run.append(Ended(step=120, how="stopped")),
    "another name": lambda run: run.rename("afterwards"),
    "a part of the log that is gone": lambda run: os.truncate(run.path / "events.jsonl", 0),
}


def test_the_shelf_tells_what_the_whole_log_tells(store: RunStore) -> None:
    run = make(store, "whole", loss=1.5)
    looked = run_index.RunIndex(lambda: [store.root])
    entry = looked.look()[0][run.id]
    assert entry.outcome == Outcome.of(run)
    before = entry.offset
    run.append(Evaluated(step=120, loss=1.0, accuracy=0.5))
    again = looked.look()[0][run.id]
    assert again is entry and entry.offset > before  # followed, not read again
    assert entry.outcome.final_loss == entry.outcome.best_loss == 1.0
    assert entry.outcome.accuracy == 0.5
    # Resumed from step 60: what came after it is done, and told, again.
    run.append(
        Started(step=60, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=1)
    )
    outcome = looked.look()[0][run.id].outcome
    assert outcome.final_loss == 1.25 and outcome.parameters == 9


@pytest.mark.parametrize("change", CHANGES)
def test_a_still_run_is_left_alone_until_something_changes(
    store: RunStore, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(store, "before")
    looked = run_index.RunIndex(lambda: [store.root])
    seen: list[str] = []
    status = Run.status
    monkeypatch.setattr(Run, "status", lambda self: [seen.append(self.name), status(self)][1])

    def times() -> int:
        """How often it is read in three looks."""
        seen.clear()
        for _ in range(3):
            looked.look()
        return len(seen)

    assert times() == 3  # written just now: the clock of files might not tell a change
    monkeypatch.setattr(run_index, "SETTLED", -1.0)
    assert times() == 1  # long written
    CHANGES[change](run)
    assert times() > 0
    entry, told = looked.look()[0][run.id], Run(run.path)
    assert (entry.run.name, entry.status) == (told.name, told.status())
    assert entry.outcome == Outcome.of(told)


def test_a_run_that_a_process_has_is_always_read(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "SETTLED", -1.0)
    run = store.create(RunConfig(), "trains")
    claim = run.claim()
    looked = run_index.RunIndex(lambda: [store.root])
    assert looked.look()[0][run.id].status.state == "starting"
    monkeypatch.setattr(locks, "is_held", lambda folder: False)  # killed: it writes no more
    assert looked.look()[0][run.id].status.state == "interrupted"
    assert claim is not None


def test_a_renamed_run_is_read_anew(store: RunStore) -> None:
    run = make(store, "before")
    looked = run_index.RunIndex(lambda: [store.root])
    looked.look()
    path = run.path / "run.json"
    path.write_text(path.read_text().replace("before", "afterwards"))
    os.utime(path, (1, 1))
    assert looked.look()[0][run.id].run.name == "afterwards"
