"""A host with limits: who waits for a place, who gets it, who loses it, and which runs go."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.config import RunConfig
from engine.runs.events import Ended
from engine.runs.store import Run, RunBusy
from engine.training.driver import drive
from playground.access import visitors
from playground.hosting import actions, host_scheduler, processes, run_feed, run_queue, storage
from playground.hosting.processes import Registry, Worker
from playground.hosting.run_queue import TooManyRuns
from playground.runs import run_lookup
from playground.tabs.experts import server as experts
from tests.playground.hosting.test_processes import TINY, state
from tests.tools.visits import visit
from tests.tools.waiting import until


class Training(Worker):
    """A process that trains as long as the test wants it to."""

    def __init__(self, run: Run) -> None:
        self.run, self.since, self.stopping, self.peak = run.path, time.monotonic(), False, 0
        self.over = False

    @property
    def alive(self) -> bool:
        return not self.over

    @property
    def trains(self) -> bool:
        return not self.over


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, as `run_queue` and `host_scheduler` see it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs of this test alone, and processes only in name."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    known = Registry()
    monkeypatch.setattr(sys, processes._HOME, known, raising=False)

    def train(run: Run) -> None:
        known.workers[run.id] = Training(run)

    monkeypatch.setattr(processes, "train", train)
    yield


def host(monkeypatch: pytest.MonkeyPatch, **limits: object) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(f"TP_{name.upper()}", str(value))


def make(name: str = "tiny", **changes: Any) -> Run:
    return run_lookup.store().create(RunConfig.from_flat(TINY | changes), name)


def end(run: Run) -> None:
    worker = processes.registry().workers[run.id]
    assert isinstance(worker, Training)
    worker.over = True


# The queue -----------------------------------------------------------------------------------------


def test_without_limits_nobody_waits() -> None:
    for run in (runs := [make() for _ in range(20)]):
        run_queue.start(run)
    assert processes.training() == [run.id for run in runs]
    assert run_queue.place(runs[0].id) is None


def test_the_next_wait_in_order_and_start_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=2)
    runs = [make(str(i)) for i in range(5)]
    for run in runs:
        run_queue.start(run)
    assert processes.training() == [runs[0].id, runs[1].id]
    assert [run_queue.place(run.id) for run in runs] == [None, None, (1, 3), (2, 3), (3, 3)]
    assert state(runs[2]) == "waiting"
    assert actions.status(runs[3].id)["place"] == (2, 3)
    assert run_feed.poll(runs[3].id, 0)["status"]["place"] == (2, 3)
    run_queue.advance()
    assert len(processes.training()) == 2
    end(runs[1])
    run_queue.advance()
    assert processes.training() == [runs[0].id, runs[2].id]
    assert [run_queue.place(run.id) for run in runs[2:]] == [None, (1, 2), (2, 2)]
    end(runs[0])
    end(runs[2])
    run_queue.advance()
    assert processes.training() == [runs[3].id, runs[4].id]


def test_nobody_overtakes_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=1)
    first, second, third = make(), make(), make()
    run_queue.start(first)
    run_queue.start(second)
    end(first)
    run_queue.start(third)
    assert run_queue.place(second.id) == (1, 2) and run_queue.place(third.id) == (2, 2)
    run_queue.advance()
    assert processes.training() == [second.id] and run_queue.place(third.id) == (1, 1)


def test_a_run_waits_once_and_only_so_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=1, max_waiting=1)
    run_queue.start(make())
    second = make()
    run_queue.start(second)
    with pytest.raises(RunBusy, match="already waiting"):
        run_queue.start(second)
    before = {run.id for run in run_lookup.store().list()}
    with pytest.raises(TooManyRuns, match="1 wait already"):
        actions.start(actions.understood({"changes": TINY}))
    assert {run.id for run in run_lookup.store().list()} == before


def test_who_leaves_gives_the_place_up_and_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=1)
    first, second, third = make(), make(), make()
    for run in (first, second, third):
        run_queue.start(run)
    with pytest.raises(ValueError, match="waits for its turn"):
        actions.send_command(second.id, "pause")
    actions.send_command(second.id, "stop")
    assert run_queue.place(second.id) is None and run_queue.place(third.id) == (1, 1)
    assert state(second) == "new" and actions.status(second.id)["resumable"]
    actions.send_command(second.id, "resume")
    assert run_queue.place(second.id) == (2, 2)
    actions.remove(third.id)
    assert run_queue.place(second.id) == (1, 1)


def test_a_reset_keeps_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=1)
    for run in (runs := [make() for _ in range(3)]):
        run_queue.start(run)
    again = actions.reset(runs[1].id)
    assert run_queue.place(again.id) == (1, 2) and run_queue.place(runs[1].id) is None


def test_one_who_is_gone_is_passed_over_and_then_forgotten(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    host(monkeypatch, max_runs=1, away_seconds=60)
    first, gone, here = make(), make(), make()
    for run in (first, gone, here):
        run_queue.start(run)
    clock[0] += 30
    run_feed.poll(here.id, 0)
    end(first)
    run_queue.advance()
    assert processes.training() == [here.id] and run_queue.place(gone.id) == (1, 1)
    clock[0] += 31
    run_queue.advance()
    assert run_queue.place(gone.id) is None and state(gone) == "new"


def test_a_page_that_is_open_keeps_its_places(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    from playground.app import here

    host(monkeypatch, max_runs=1, away_seconds=60)
    runs = [make() for _ in range(3)]
    for run in runs:
        run_queue.start(run)
    clock[0] += 50
    assert here("nonsense", [runs[1].id, "nonsense"]) == {} and here(None, 7) == {}  # pyright: ignore
    clock[0] += 50
    run_queue.advance()
    assert run_queue.place(runs[1].id) == (1, 1) and run_queue.place(runs[2].id) is None


@pytest.mark.case("R5")
def test_each_learner_has_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=1, max_each=2)
    asked, learner = actions.understood({"changes": TINY}), visitors.token()
    with visit(learner):
        own = [actions.start(asked).id, actions.start(asked).id]
        with pytest.raises(TooManyRuns, match="2 of yours train or wait"):
            actions.start(asked)
        again = actions.reset(own[1])
        assert run_queue.place(again.id) == (1, 1)
    with visit(visitors.token()):
        actions.start(asked)  # another learner
    with visit(learner):
        with pytest.raises(TooManyRuns):
            run_queue.start(make())
        actions.send_command(again.id, "stop")
        end(run_lookup.store().open(own[0]))
        actions.send_command(again.id, "resume")


@pytest.mark.case("R5")
def test_a_client_that_drops_its_cookie_is_counted_by_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It took all places, since its runs were those that it said it had."""
    host(monkeypatch, max_runs=10, max_each=2, max_address=3)
    asked, started = actions.understood({"changes": TINY}), list[str]()
    for i in range(12):
        with visit("" if i % 2 else visitors.token(), "203.0.113.5"), suppress(TooManyRuns):
            started.append(actions.start(asked).id)
    assert len(started) == len(processes.training()) == 3
    with visit("", "203.0.113.6"):
        mine = actions.start(asked)
    end(run_lookup.store().open(started[0]))
    with visit("", "203.0.113.5"):
        actions.start(asked)
        with pytest.raises(TooManyRuns, match="3 from yours"):
            actions.start(asked)
    end(mine)
    assert processes.registry().owners.keys() <= {*started, mine.id, *processes.training()}


def test_a_pair_waits_together(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=2, max_each=2)
    run_queue.start(make())
    made = make(n_experts=4, top_k=1)
    with visit(visitors.token()):
        pair = experts.start_pair(made.id)
        assert processes.training()[1:] == [pair[0].id] and run_queue.place(pair[1].id) == (1, 1)
        run_queue.leave(pair[1].id)
        with pytest.raises(TooManyRuns):
            experts.start_pair(made.id)


# Who has had enough --------------------------------------------------------------------------------


def told(run: Run) -> list[str]:
    return [getattr(command, "reason", "") for command, _ in run.commands()[0]]


def test_a_run_keeps_its_place_for_some_minutes(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    host(monkeypatch, max_minutes=1)
    run = make()
    run_queue.start(run)
    clock[0] += 59
    host_scheduler.check()
    assert told(run) == []
    clock[0] += 2
    host_scheduler.check()
    host_scheduler.check()
    assert len(told(run)) == 1 and "for 1 minutes" in told(run)[0]


def test_why_a_run_was_stopped_reaches_the_learner(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make(total_steps=100_000)
    run_queue.start(run)
    host_scheduler._stop(processes.registry().workers[run.id], "Enough for today.")
    # The command is older than the process, so a process of its own obeys it from the start.
    ended = drive(run)
    assert (ended.how, ended.reason) == ("stopped", "Enough for today.")
    assert run.status().reason == "Enough for today." and isinstance(run.history()[-1], Ended)


def test_only_those_who_are_away_make_way_and_only_for_others(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    host(monkeypatch, max_runs=2, away_seconds=60)
    away, here, waits = make(), make(), make()
    run_queue.start(away)
    run_queue.start(here)
    clock[0] += 61
    run_feed.poll(here.id, 0)
    host_scheduler.check()
    assert told(away) == []  # nobody waits
    run_queue.start(waits)
    host_scheduler.check()
    host_scheduler.check()
    assert "others waited" in told(away)[0] and told(here) == []
    end(away)
    host_scheduler.check()
    assert processes.training() == [here.id, waits.id]


def test_a_run_that_has_filled_its_share_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_run_mb=1)
    run, small = make(), make()
    run_queue.start(run)
    run_queue.start(small)
    (run.path / "big.bin").write_bytes(bytes(1_200_000))
    host_scheduler.tidy()
    assert "1 MB" in told(run)[0] and told(small) == []


def test_the_scheduler_starts_whose_turn_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_runs=1)
    monkeypatch.delattr(sys, host_scheduler._HOME, raising=False)
    monkeypatch.setattr(host_scheduler, "CHECK_SECONDS", 0.01)
    first, second = make(), make()
    run_queue.start(first)
    run_queue.start(second)
    host_scheduler.begin()
    thread = getattr(sys, host_scheduler._HOME)
    try:
        end(first)
        until(lambda: processes.training() == [second.id])
    finally:
        delattr(sys, host_scheduler._HOME)
        thread.join()  # else it goes on beside all tests that follow


# Which runs go -------------------------------------------------------------------------------------

HOUR = 3600.0


def aged(run: Run, hours: float, megabytes: float = 0.0) -> Run:
    """The run as if it had last been trained so long ago."""
    if megabytes:
        (run.path / "weights.bin").write_bytes(bytes(int(1e6 * megabytes)))
    then = time.time() - HOUR * hours
    for name in ("run.json", "config.json"):
        os.utime(run.path / name, (then, then))
    return run


def ids() -> set[str]:
    return {run.id for run in run_lookup.store().list()}


def test_old_runs_go_and_no_run_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, keep_hours=24, max_runs=1)
    old, new, trained, waits, looked_at = (aged(make(), hours) for hours in (25, 23, 25, 25, 25))
    parent = aged(make(), 99)
    fork = run_lookup.store().create(looked_at.config, "fork", parent.id, parent_step=0)
    run_queue.start(trained)
    run_queue.start(waits)
    run_queue.see([looked_at.id, fork.id])
    assert storage.tidy() == [old.id]
    assert ids() == {run.id for run in (new, trained, waits, looked_at, parent, fork)}


def test_a_run_that_another_program_trains_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, keep_hours=1)
    run = aged(make(), 5)
    claim = run.claim()
    assert storage.tidy() == []
    claim.release()
    assert storage.tidy() == [run.id]


def test_the_oldest_go_where_room_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_storage_mb=3)
    runs = [aged(make(str(hours)), hours, 1) for hours in (1, 4, 3, 2)]
    run_queue.start(runs[1])
    assert storage.tidy() == [runs[2].id, runs[3].id]
    assert ids() == {runs[0].id, runs[1].id}


def test_a_host_that_is_full_of_runs_in_use_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    host(monkeypatch, max_storage_mb=1)
    run = aged(make(), 1, 1.5)
    run_queue.start(run)
    with pytest.raises(ValueError, match="no room for another run"):
        actions.start(actions.understood({"changes": TINY}))
    end(run)
    processes.registry().seen.clear()
    actions.start(actions.understood({"changes": TINY}))
    assert run.id not in ids()


def test_what_ships_and_what_is_no_run_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host(monkeypatch, keep_hours=1)
    root = run_lookup.store().root
    (root / "notes").mkdir(parents=True)
    (root / ".new-abc").mkdir()
    os.utime(root / ".new-abc", (0, 0))
    assert storage.tidy() == []
    assert (root / "notes").is_dir() and not (root / ".new-abc").exists()
    monkeypatch.setenv("TP_RUNS", str(run_lookup.ROOT / "checkpoints"))
    assert storage.stored() == []


def test_without_limits_nothing_is_deleted() -> None:
    run = aged(make(), 1e5, 1)
    assert storage.tidy() == [] and ids() == {run.id}
