"""Stored runs of lessons: they are what a lesson asks for, they are played in the tab Train, and they are judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.runs.events import Ended, Evaluated, Probed, Sampled, Stepped
from engine.runs.store import Run, RunStore
from playground.hosting import run_feed
from playground.runs import models, run_lookup
from playground.tabs.inside import server as looking
from playground.tabs.learn import lessons, server, stored_runs
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
    assert server.read(name, "en")["steps"][number]["stored"] == stored.id
    answer = server.check(name, "en", number, [stored.id])
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
    assert server.check(name, "en", number, [run_id])["right"] == right


def test_every_experiment_has_a_stored_run() -> None:
    """`python -m playground.tabs.learn.stored_runs` trains those that a change of a lesson or preset asks for."""
    assert {path.name for path in run_lookup.STORED.iterdir()} == set(stored_runs.wanted())


def examining() -> list[tuple[str, int, str]]:
    """The sections that open a run of an experiment: lesson, number, and the tab that shows it."""
    return [
        (name, number, step.query["tab"])
        for name in lessons.names()
        for number, step in enumerate(lessons.lesson(name, "en").steps)
        if step.examines
    ]


@pytest.mark.parametrize(("name", "number", "tab"), examining())
def test_who_has_watched_can_do_the_section_that_examines(name: str, number: int, tab: str) -> None:
    """The stored run is of an experiment of the same lesson, and has what the tab shows of it: its events or weights."""
    answer = server.read(name, "en")["steps"]
    run = run_lookup.find(answer[number]["stored"])
    assert answer[number]["examines"] and run_lookup.is_stored(run)
    assert run.id in {step["stored"] for step in answer[:number] if step["measure"]}
    if tab in stored_runs.WEIGHTLESS:
        assert not run.checkpoints() and run.status().state in ("finished", "diverged")
        return
    shown = looking.look(run.id)
    model = run.config.model
    assert (shown["layers"], shown["heads"]) == (model.n_layer, model.n_head)
    off = looking.zero(run.id, shown["step"], None, [[0, 0]], 0)
    assert off["loss_before"] is not None and off["loss_after"] is not None


def test_only_runs_that_are_looked_into_have_weights() -> None:
    """The last ones, without the state of the optimizer."""
    runs = [Run(path) for path in run_lookup.STORED.iterdir()]
    assert {run.id for run in runs if run.checkpoints()} == stored_runs.with_weights()
    for run in runs:
        for checkpoint in run.checkpoints():
            assert checkpoint.step == run.status().step and not checkpoint.resumable


def test_a_run_without_weights_says_why() -> None:
    """It was trained to its end, so that it has no checkpoint "yet" would be wrong."""
    run = next(run for path in run_lookup.STORED.iterdir() if not (run := Run(path)).checkpoints())
    with pytest.raises(models.NoCheckpoint, match=r"to be watched.*Train it yourself"):
        models.load_any(run)


def test_a_section_that_examines_counts_in_no_other_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in a shipped model nor in one with other settings, or one that still trains: in the newest that ended."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path))
    name, number, _ = examining()[0]
    step = lessons.lesson(name, "en").steps[number]
    config = step.config()
    assert config is not None
    store = run_lookup.store()
    training, other = store.create(config, "training"), store.create(RunConfig(), "other")
    mine = store.create(RunConfig.from_flat(config.changes() | {"seed": 5}), "mine")
    for run in (other, mine):
        run.append(Ended(step=config.train.total_steps, how="finished"))
    wrong = ["stories", training.id, other.id]
    assert server.check(name, "en", number, wrong) == {"state": "none"}
    for right in (mine.id, lessons.stored_id(config)):
        found = server.check(name, "en", number, [*wrong, right])
        assert (found["state"], found["run"]) == ("over", right)


NEEDS_A_RUN = ("inside", "generate", "translate", "experts")
"""Tabs that show nothing of the lesson without the run that it is about."""


def test_every_section_that_shows_a_run_names_it() -> None:
    """Else it shows whatever run is on the page. On the tab Train, a section prepares a run or shows one."""
    for name in lessons.names():
        for step in lessons.lesson(name, "en").steps:
            query = step.query
            live = ".live" in step.point + step.until and "preset" not in query
            if query.get("tab") in NEEDS_A_RUN or live:
                run = query.get("run", "")
                assert step.examines or run in {each.id for each in run_lookup.shipped()}, (
                    step.title
                )


def test_the_loss_of_the_circuit_falls_as_the_lesson_says() -> None:
    """Almost flat for a hundred steps and more; within two hundred, to almost nothing."""
    (step,) = [s for s in lessons.lesson("attention", "en").steps if s.title == "Do it: four heads"]
    run = lessons.stored_run(step)
    assert run is not None
    losses = {event.step: event.loss for event in run.history() if isinstance(event, Stepped)}
    start = losses[1]
    begins = next(step for step, loss in losses.items() if loss < start - 0.25)
    ends = next(step for step, loss in losses.items() if loss < 0.15)
    assert begins > 100 and ends - begins <= 200


def test_stored_runs_are_small() -> None:
    sizes = [path.stat().st_size for path in run_lookup.STORED.rglob("*") if path.is_file()]
    assert sum(sizes) < 2_000_000
