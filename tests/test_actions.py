"""What can be done with runs, for the page and for scripts."""

from __future__ import annotations

import json

import pytest

from engine.config import RunConfig
from engine.events import Ended, Started, Stepped
from engine.runs import Run
from playground import actions, library

pytestmark = pytest.mark.usefixtures("learners_runs")


def trained(steps: int, total: int, started_at: int = 0) -> Run:
    """A run that was stopped after so many of its steps, predicted to take a second for each."""
    store = library.store()
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
