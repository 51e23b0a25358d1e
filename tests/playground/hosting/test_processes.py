"""Runs as processes: started, followed, limited, survived and ended."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.config import RunConfig
from engine.data import make_data
from engine.estimate import Measurement, Speed, Work, seconds_per_step
from engine.files import write_atomic
from engine.runs.events import Noted, Pause, Started, Stepped, Stop
from engine.runs.store import Run, RunBusy
from engine.tokenizers import save_tokenizer
from engine.training.driver import drive
from playground.hosting import actions, processes, run_queue
from playground.planning import machine_speed
from playground.runs import run_lookup
from tests.tools.waiting import until

TINY: dict[str, Any] = {
    "source": "copy", "task_length": 2, "max_seq_len": 16, "d_model": 8, "n_head": 2, "n_layer": 1,
    "batch_size": 2, "total_steps": 40, "warmup_steps": 1, "eval_interval": 20, "eval_steps": 1,
    "sample_interval": 0, "probe_interval": 0, "save_interval": 10, "threads": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs of this test alone, and no process left behind."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(processes, "WARM_DELAY", 600.0)
    monkeypatch.setattr(sys, processes._HOME, processes.Registry(), raising=False)
    yield
    processes.close()
    started = [worker.process.pid for worker in processes.registry().workers.values()]
    assert not [pid for pid in started if psutil.pid_exists(pid)]


def make(**changes: Any) -> Run:
    return run_lookup.store().create(RunConfig.from_flat(TINY | changes), "tiny")


def state(run: Run) -> str:
    return run_queue.status(run).state


def steps(run: Run) -> list[int]:
    return [event.step for event in run.history() if isinstance(event, Stepped)]


def test_a_run_is_trained_by_a_process_of_its_own() -> None:
    run = make()
    assert state(run) == "new"
    run_queue.start(run)
    assert state(run) in ("starting", "running", "finished")
    assert processes.training() == [run.id]
    with pytest.raises(RunBusy):
        run_queue.start(run)
    until(lambda: state(run) == "finished")
    assert steps(run)[-1] == 40
    until(lambda: processes.training() == [])
    until(lambda: processes.memory(run))
    assert 50e6 < (processes.memory(run) or 0) < 4e9


def test_a_run_that_was_stopped_makes_room_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process may take a moment longer; one that is resumed counts from the beginning."""
    monkeypatch.setenv("TP_MAX_RUNS", "1")
    run, another = make(total_steps=100_000), make(total_steps=100_000)
    run_queue.start(run)
    until(lambda: steps(run))
    run.send(Stop())
    until(lambda: state(run) == "stopped")
    run_queue.start(another)
    assert processes.training() == [another.id]
    another.send(Stop())
    until(lambda: not processes.registry().workers[run.id].alive)
    until(lambda: state(another) == "stopped")
    run_queue.start(run)
    assert processes.training() == [run.id]
    run.send(Stop())


LINGERING = (sys.executable, "-c", "import sys; sys.stdin.read()")
"""A process that takes long to begin, as one does that imports PyTorch, and longer where many train."""


@pytest.mark.case("R1")
def test_a_place_is_taken_as_long_as_its_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a run whose folder is gone: what was deleted by hand, or by another program."""
    monkeypatch.setattr(processes, "COMMAND", LINGERING)
    monkeypatch.setenv("TP_MAX_RUNS", "1")
    gone, another = make(), make()
    run_queue.start(gone)
    run_lookup.store().delete(gone.id)
    assert processes.training() == [gone.id]
    run_queue.start(another)
    assert run_queue.place(another.id) == (1, 1)
    processes.end(gone.id)
    run_queue.advance()
    assert processes.training() == [another.id]


@pytest.mark.case("R1")
def test_starting_and_deleting_again_and_again_leaves_one_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five rounds left six processes where one may train: each deleted run's was only on its way to it."""
    monkeypatch.setattr(processes, "COMMAND", LINGERING)
    monkeypatch.setenv("TP_MAX_RUNS", "1")
    children = psutil.Process().children
    before = set(children(recursive=True))
    asked = actions.understood({"changes": TINY})
    for _ in range(5):
        run = actions.start(asked)
        assert state(run) == "starting"
        actions.remove(run.id)
        assert not run.path.exists()
        assert processes.training() == []
    assert set(children(recursive=True)) - before == set()
    run_queue.start(another := make())
    assert len(set(children(recursive=True)) - before) == 1
    assert processes.training() == [another.id]
    assert list(run_lookup.store().root.iterdir()) == [
        another.path
    ]  # nothing was written after a deletion


def test_a_run_that_trains_is_not_deleted() -> None:
    """It is stopped first, so that nobody loses what it has learned by one click."""
    run = make(total_steps=100_000)
    run_queue.start(run)
    until(lambda: steps(run))
    with pytest.raises(RunBusy, match="stop it first"):
        actions.remove(run.id)
    assert processes.training() == [run.id]


def test_a_run_is_handed_to_the_process_that_waits() -> None:
    processes.keep_warm()
    warm = processes.registry().warm
    assert warm is not None
    processes.keep_warm()
    assert processes.registry().warm is warm
    run = make()
    run_queue.start(run)
    assert processes.registry().workers[run.id] is warm
    assert processes.registry().warm is None
    until(lambda: state(run) == "finished")


def test_more_runs_than_allowed_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_MAX_RUNS", "1")
    first, second, third = make(total_steps=100_000), make(), make()
    run_queue.start(first)
    run_queue.start(second)
    assert state(second) == "waiting" and second.status().state == "new"
    first.send(Stop())
    run_queue.start(third, replacing=first.id)
    assert state(third) == "waiting"  # the second was there before

    def over(run: Run) -> bool:
        run_queue.advance()
        return state(run) == "finished"

    until(lambda: over(second))
    until(lambda: over(third))
    until(lambda: state(first) == "stopped")


def test_a_host_tells_its_processes_what_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_MAX_THREADS", "1")
    monkeypatch.setenv("TP_CPU_ONLY", "1")
    run = make(threads=None)
    run_queue.start(run)
    until(lambda: state(run) == "finished")
    (started,) = [event for event in run.history() if isinstance(event, Started)]
    assert (started.device, started.threads) == ("cpu", 1)
    assert not [event for event in run.history() if isinstance(event, Noted)]  # none was measured
    environment = processes.environment()
    assert environment["OMP_THREAD_LIMIT"] == "1" and environment["CUDA_VISIBLE_DEVICES"] == ""


def test_a_reset_begins_again_from_the_same_weights() -> None:
    run = make(total_steps=100_000)
    run_queue.start(run)
    until(lambda: len(steps(run)) >= 5)
    again = actions.reset(run.id, paused=True)
    until(lambda: state(run) == "stopped")
    until(lambda: state(again) == "paused")
    assert again.id != run.id and steps(again) == []
    actions.send_command(again.id, "step", 5)
    until(lambda: len(steps(again)) >= 5)
    losses = [
        [event.loss for event in one.history() if isinstance(event, Stepped)][:5]
        for one in (run, again)
    ]
    assert losses[0] == losses[1]


def test_a_fork_goes_on_from_its_checkpoint() -> None:
    run = make()
    drive(run)
    asked = {"changes": TINY | {"total_steps": 60}, "fork": {"run": run.id, "step": 20}}
    fork = actions.start(actions.understood(asked))
    until(lambda: state(fork) == "finished")
    assert steps(fork)[0] == 21 and steps(fork)[-1] == 60
    assert fork.info.parent == run.id
    with pytest.raises(ValueError, match="would not fit"):
        actions.start(actions.understood(asked | {"changes": TINY | {"n_layer": 2}}))


def test_a_killed_run_is_interrupted_and_resumed() -> None:
    run = make(total_steps=100_000)
    run_queue.start(run)
    until(lambda: run.checkpoints())
    processes.registry().workers[run.id].process.kill()
    until(lambda: state(run) == "interrupted")
    assert actions.status(run.id)["resumable"]
    actions.send_command(run.id, "resume")
    until(lambda: state(run) == "running")
    run.send(Stop())
    until(lambda: state(run) == "stopped")


def test_reloading_the_module_loses_no_run() -> None:
    run = make(total_steps=100_000)
    run_queue.start(run)
    spec = importlib.util.find_spec("playground.hosting.processes")
    assert spec is not None and spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)  # beside the old one, whose names other tests have imported
    assert again.training() == processes.training() == [run.id]
    until(lambda: steps(run))
    run.send(Pause())
    until(lambda: state(run) == "paused")


def test_closing_saves_what_was_learned() -> None:
    run = make(total_steps=100_000, save_interval=100_000)
    run_queue.start(run)
    until(lambda: len(steps(run)) > 5)
    processes.close()
    assert processes.training() == []
    assert state(run) in ("stopped", "interrupted")
    assert run.checkpoints()[-1].resumable


def test_a_process_that_cannot_begin_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.stdin.readline(); sys.exit('PyTorch is missing')"
    monkeypatch.setattr(processes, "COMMAND", [sys.executable, "-c", script])
    run = make()
    run_queue.start(run)
    until(lambda: state(run) == "failed")
    until(lambda: run_queue.status(run).reason == "PyTorch is missing")


def test_the_machines_speed_is_learned_from_runs() -> None:
    assert machine_speed.speed() is None
    machine_speed.measure()
    measured = machine_speed.speed()
    assert measured is not None
    run = make()
    run_queue.start(run)
    until(lambda: state(run) == "finished")
    until(lambda: machine_speed.speed() != measured)


def test_the_next_run_is_predicted_as_fast_as_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the machine has become five times slower than it was at first."""
    run = make()
    tokenizer = make_data(run.config).tokenizer
    save_tokenizer(tokenizer, run.tokenizer_path)
    work = Work.of(run.config, tokenizer.vocab_size)
    write_atomic(machine_speed.path(), Speed.fit([Measurement(work, 0.01)] * 8).to_json())
    for seconds in (0.05, 0.004):
        steps = [
            Stepped(step=step, loss=1, lr=1, grad_norm=1, tokens=1, seconds=seconds)
            for step in range(machine_speed.FEWEST_STEPS)
        ]
        monkeypatch.setattr(Run, "history", lambda run, steps=steps: steps)
        machine_speed.learn(run)
        found = machine_speed.speed()
        assert found is not None
        assert seconds_per_step(run.config, found, tokenizer.vocab_size) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("what", "value"),
    [("explode", None), ("step", 0), ("step", "x"), ("step", True), ("change", None),
     ("change", -1), ("change", float("nan")), (None, None), ("stop", None)],
)  # fmt: skip
def test_a_command_that_makes_no_sense_is_refused(what: object, value: object) -> None:
    run = make()
    with pytest.raises(ValueError):
        actions.send_command(run.id, what, value)
    assert run.commands()[0] == []


@pytest.mark.parametrize("run_id", ["", "nope", "../runs", 7, None, "x" * 500])
def test_an_unknown_run_is_refused(run_id: object) -> None:
    for action in (run_lookup.find, actions.status, actions.reset, actions.remove, actions.events):
        with pytest.raises(ValueError):
            action(run_id)


def test_what_ships_is_not_changed() -> None:
    for run in run_lookup.shipped():
        with pytest.raises(ValueError, match="comes with the project"):
            actions.remove(run.id)
        with pytest.raises(ValueError, match="comes with the project"):
            actions.send_command(run.id, "stop")


def test_runs_are_listed_to_those_who_know_them() -> None:
    run = make()
    assert actions.runs()["own"] == []
    own = actions.runs([run.id, "nope", 7])["own"]
    assert [(each["id"], each["name"]) for each in own] == [(run.id, "tiny")]
    actions.remove(run.id)
    assert actions.runs([run.id])["own"] == []
