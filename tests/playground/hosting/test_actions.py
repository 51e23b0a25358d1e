"""What can be done with runs, for the page and for scripts."""

from __future__ import annotations

import json

import pytest

from engine.config import RunConfig
from engine.runs.events import Ended, Started, Stepped
from engine.runs.store import Run, RunError
from playground.hosting import actions, processes
from playground.runs import run_lookup

pytestmark = pytest.mark.usefixtures("learners_runs")


def trained(steps: int, total: int, started_at: int = 0) -> Run:
    """A run that was stopped after so many of its steps, predicted to take a second for each."""
    store = run_lookup.store()
    config = RunConfig.from_flat({"total_steps": total})
    run = store.create(config, "mine")
    if started_at:
        parent = store.create(config, "parent")
        info = json.loads((run.path / "run.json").read_text("utf-8"))
        info |= {"parent": parent.id, "parent_step": started_at}
        (run.path / "run.json").write_text(json.dumps(info), encoding="utf-8")
        run = store.open(run.id)
    costs = {"parameters": 9, "memory": 1, "seconds": float(total - started_at)}
    (run.path / actions.PREDICTED).write_text(json.dumps(costs), encoding="utf-8")
    run.append(
        Started(
            step=started_at, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=9
        )
    )
    last = started_at + steps
    run.append(Stepped(step=last, loss=1, lr=1, grad_norm=1, tokens=1, seconds=1.0))
    run.append(Ended(step=last, how="finished" if last == total else "stopped"))
    return run


@pytest.mark.case("C7")
@pytest.mark.parametrize(
    ("steps", "total", "started_at"), [(300, 2500, 0), (2500, 2500, 0), (40, 1000, 900)]
)
def test_time_is_predicted_for_the_steps_that_were_made(
    steps: int, total: int, started_at: int
) -> None:
    """Of a run that was stopped early, and of a fork, which makes only its own steps."""
    status = actions.status(trained(steps, total, started_at).id)
    assert status["measured"]["steps"] == steps
    assert status["predicted"]["seconds"] == pytest.approx(steps)
    assert status["predicted"]["parameters"] == 9


def test_a_name_is_given_once() -> None:
    """Neither a shipped run nor another one of the learner has it; those of others do not count."""
    store = run_lookup.store()
    shipped = run_lookup.shipped()[0].name
    assert actions.unique_name(shipped, []) == f"{shipped} (1)"  # the learner's first
    assert actions.unique_name("Copy", []) == "Copy"
    own = []
    for wanted in ("Copy", "Copy (2)", "Copy (3)"):
        assert actions.unique_name("Copy", own) == wanted
        own.append(store.create(RunConfig(), wanted).id)
    store.delete(own.pop(1))
    assert actions.unique_name("Copy", own) == "Copy (2)"
    for nonsense in (None, 3, "x", [None, {}], {"a": 1}):
        assert actions.unique_name("Copy", nonsense) == "Copy"


def test_a_run_is_renamed_to_one_line() -> None:
    run = trained(1, 200)
    assert actions.rename(run.id, " two\nlines ") == "two lines"
    assert actions.status(run.id)["name"] == "two lines"
    for nothing in ("", " \n", None, 3):
        with pytest.raises(RunError, match="needs a name"):
            actions.rename(run.id, nothing)
    with pytest.raises(ValueError, match="comes with the project"):
        actions.rename(run_lookup.first(), "mine")


def test_a_list_says_when_a_run_was_made_and_how_it_stands() -> None:
    run = trained(3, 90)
    (entry,) = actions.runs([run.id])["own"]
    assert entry == {
        "id": run.id,
        "name": "mine",
        "created": run.info.created,
        "state": "stopped",
        "step": 3,
        "total": 90,
    }


def test_what_goes_on_is_what_trains_or_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of the runs that are asked about."""
    over, waits, trains = trained(1, 200), trained(1, 200), trained(1, 200)
    monkeypatch.setattr(processes, "training", lambda: [trains.id, "another"])
    monkeypatch.setattr(processes.registry(), "waiting", [waits])
    ids = [over.id, waits.id, trains.id]
    assert [entry["id"] for entry in actions.going(ids)] == [waits.id, trains.id]
    assert actions.going([]) == [] == actions.going("another")


@pytest.mark.parametrize("value", [10**9, -1, float("nan"), True, "0.1", None])
def test_a_rate_that_cannot_be_is_refused_by_the_name_on_the_page(value: object) -> None:
    """With what is allowed."""
    with pytest.raises(ValueError, match=r"^Learning rate cannot be .*: it must be") as refused:
        actions.send_command(trained(1, 200).id, "change", value)
    assert "max_lr" not in str(refused.value)
