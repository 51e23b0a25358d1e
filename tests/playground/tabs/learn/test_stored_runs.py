"""Stored runs of lessons: they are what a lesson asks for, they are played in the tab Train, and they are judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs.events import Ended, Evaluated, Probed, Sampled, Stepped
from engine.runs.store import Run, RunStore
from playground.hosting import run_feed
from playground.runs import run_lookup
from playground.tabs.learn import lessons, stored_runs
from tests.tools import measured

STEPS = 300


def step_of(run_id: str) -> tuple[str, int]:
    """The lesson, and the step of it, whose experiment a stored run is of."""
    for name in lessons.names():
        for number, step in enumerate(lessons.lesson(name, "en").steps):
            stored = lessons.stored_run(step)
            if stored is not None and stored.id == run_id:
                return name, number
    raise AssertionError(f"no lesson asks for {run_id}")


def own_run(root: Path) -> Run:
    """A run of the first experiment, as a learner would have trained it."""
    config, _ = next(iter(stored_runs.wanted().values()))
    run = RunStore(root).create(stored_runs.recorded(config), "mine, seed 0")
    for step in range(1, STEPS + 1):
        run.append(Stepped(step=step, loss=1 / step, lr=1, grad_norm=1, tokens=step, seconds=0.1))
        if step % 20 == 0:
            run.append(Sampled(step=step, prompt="a", text="b", correct=True))
            run.append(Evaluated(step=step, loss=0.123456789, accuracy=step / STEPS))
            run.append(Probed(step=step, name=f"step-{step:06d}.npz"))
            run.snapshot_path(f"step-{step:06d}.npz").parent.mkdir(exist_ok=True)
            run.snapshot_path(f"step-{step:06d}.npz").write_bytes(b"attention")
    run.append(Ended(step=STEPS, how="finished"))
    return run


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The only stored run."""
    monkeypatch.setattr(run_lookup, "STORED", tmp_path / "stored")
    run = own_run(tmp_path / "own")
    monkeypatch.setattr(stored_runs, "trained", lambda *_: pytest.fail("nothing is to be trained"))
    name, (config, title) = next(iter(stored_runs.wanted().items()))
    monkeypatch.setattr(stored_runs, "wanted", lambda: {name: (config, title)})
    (tmp_path / "stored" / "lesson-older").mkdir(parents=True)
    said: list[str] = []
    stored_runs.update(tmp_path / "stored", [run], said.append)
    assert said == ["lesson-older: no lesson asks for it any more", f"{name}: kept"]
    return run_lookup.find(name)


def test_what_is_kept_of_a_run(stored: Run) -> None:
    """Its first and last steps, all its measurements, a few samples and snapshots; its end, and no name of its own."""
    history = stored.history()
    steps = [event.step for event in history if isinstance(event, Stepped)]
    assert len(steps) == stored_runs.ROWS and (steps[0], steps[-1]) == (1, STEPS)
    assert sum(isinstance(event, Evaluated) for event in history) == STEPS / 20
    for kind, most in ((Sampled, stored_runs.SAMPLED), (Probed, stored_runs.PROBED)):
        kept = [event.step for event in history if isinstance(event, kind)]
        assert len(kept) == most and kept[-1] == STEPS
    assert len(list((stored.path / "snapshots").iterdir())) == stored_runs.PROBED
    assert stored.status().state == "finished" and stored.status().step == STEPS
    assert "seed" not in stored.name and run_lookup.is_shipped(stored)
    assert stored not in run_lookup.shipped()


def test_a_stored_run_is_played(stored: Run) -> None:
    """Each answer has a little more; only the last one says that the run has ended."""
    offset, states, steps = 0, [], []
    while not states or states[-1] != "finished":
        answer = run_feed.poll(stored.id, offset)
        assert answer["more"] is False and answer["offset"] > offset
        offset = answer["offset"]
        states.append(answer["status"]["state"])
        steps.append(answer["status"]["step"])
        assert answer["status"]["stored"] and not answer["status"]["alive"]
    assert run_feed.PLAYED * 0.8 <= len(states) <= run_feed.PLAYED * 1.5
    assert set(states[:-1]) == {"running"}
    assert steps == sorted(steps) and steps[-1] == STEPS


def test_a_stored_run_is_judged_as_an_own_one_is(stored: Run) -> None:
    name, number = step_of(stored.id)
    assert lessons.read(name, "en")["steps"][number]["stored"] == stored.id
    answer = lessons.check(name, "en", number, [stored.id])
    assert answer["state"] == "over" and answer["run"] == stored.id
    assert answer["value"] == pytest.approx(0.123457 if answer["measure"] == "loss" else 1.0)


@pytest.mark.parametrize("run_id", sorted(path.name for path in run_lookup.STORED.iterdir()))
def test_every_stored_run_bears_its_lesson_out(run_id: str) -> None:
    """A lesson asks for it, and it came to what the lesson's suites measured: the same answer is right."""
    name, number = step_of(run_id)
    found = lessons.lesson(name, "en")
    spread = measured.spread_of(found, found.steps[number])
    assert spread is not None
    (right,) = measured.right(lessons.predicted(found, number), spread[0])
    assert lessons.check(name, "en", number, [run_id])["right"] == right


def test_every_experiment_has_a_stored_run() -> None:
    """`python -m playground.tabs.learn.stored_runs` trains those that a change of a lesson or preset asks for."""
    assert {path.name for path in run_lookup.STORED.iterdir()} == set(stored_runs.wanted())


def test_stored_runs_are_small() -> None:
    sizes = [path.stat().st_size for path in run_lookup.STORED.rglob("*") if path.is_file()]
    assert sum(sizes) < 2_000_000
