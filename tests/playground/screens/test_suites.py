"""Suites on the dashboard: as a picture and a table, started, followed and stopped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.ablation import comparison
from engine.ablation.measured import measured
from engine.ablation.suites import SUITES
from engine.runs.events import Started
from engine.runs.store import Run, RunStore
from playground import i18n
from playground.screens import common
from playground.screens import suite_runs as suites
from playground.screens import suites as suite_page
from tests.playground.screens.pages import ENGLISH, asked, page, shown, suite_runs
from tests.tools.waiting import PATIENCE, until


def button(test: AppTest, label: str) -> Any:
    """The button of this label."""
    (found,) = [button for button in test.button if button.label == label]
    return found


def test_a_suite_as_a_picture_and_a_table(store: RunStore) -> None:
    suite_runs(store)
    test = page("suites")
    assert len(test.get("plotly_chart")) == 1
    table = test.dataframe[0].value
    assert table["Variant"].tolist() == list(SUITES["norm"].variants)
    assert table["Difference"].tolist()[1:] == pytest.approx([1, 2, 3])
    assert table["Verdict"].tolist()[1:] == ["worse"] * 3
    assert "ablate norm" in shown(test)


@pytest.mark.usefixtures("store")
def test_a_suite_that_was_never_trained_shows_what_the_project_measured() -> None:
    test = page("suites", **{"suite-name": "post-norm"})
    shipped = measured("post-norm")
    assert shipped is not None
    assert len(test.get("plotly_chart")) == 1
    assert suite_page.TEXT["shipped"].split(".")[0] in shown(test)
    table = test.dataframe[0].value
    assert table["Variant"].tolist() == [row.variant for row in shipped.rows]
    assert page("suites", **{"suite-name": "tying"}).get("plotly_chart") == []


def test_a_suites_own_runs_come_before_what_the_project_measured(store: RunStore) -> None:
    suite_runs(store, "heads")
    test = page("suites", **{"suite-name": "heads"})
    assert suite_page.TEXT["shipped"].split(".")[0] not in shown(test)
    assert test.dataframe[0].value["Difference"].tolist()[1] == pytest.approx(1)


def test_a_suites_table_is_in_the_language_of_its_reader(store: RunStore) -> None:
    suite_runs(store)
    rows = comparison.compare(comparison.results(comparison.runs_of_suite(store.list(), "norm")))
    i18n.use("zh")
    try:
        text = comparison.to_markdown(
            rows, "norm", "", "python", suite_page.TEXT["report"], suite_page.said
        )
    finally:
        i18n.use("en")
    assert "| 变体 | 训练任务 | 最终损失 |" in text and "| 带偏置的 LayerNorm |" in text
    assert "与“RMSNorm”的差别" in text and "| 更差 |" in text and not ENGLISH.search(text)


def test_a_suite_is_started_followed_and_stopped(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(suites, "start", lambda *given: asked.append(given) or "heads")
    test = page("suites", **{"suite-name": "heads"})
    test.number_input[0].set_value(2)
    next(b for b in test.button if b.label == suite_page.TEXT["start"]).click().run()
    assert asked == [("heads", 2, 1, None)]
    suite_runs(store, "heads")
    stopped: list[str] = []
    monkeypatch.setattr(suites, "working", lambda folder: True)
    monkeypatch.setattr(suites, "stop", stopped.append)
    test = page("suites", **{"suite-name": "heads"})
    next(b for b in test.button if b.label == suite_page.TEXT["stop"]).click().run()
    assert stopped == ["heads"]


@pytest.mark.case("R2")
def test_a_public_dashboard_changes_nothing(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any visitor could stop a suite that trains, and others' runs with it."""
    suite_runs(store, "heads")
    monkeypatch.setenv("TP_PUBLIC", "1")
    monkeypatch.setattr(suites, "working", lambda folder: 4321)
    monkeypatch.setattr(os, "kill", lambda *given: pytest.fail(f"kill{given}"))
    test = page("suites", **{"suite-name": "heads"})
    labels = [button.label for button in test.button]
    assert not {suite_page.TEXT["start"], suite_page.TEXT["stop"]} & set(labels)
    assert suites.TEXT["public"] in shown(test)
    for act in (lambda: suites.stop("heads"), lambda: suites.start("heads", 1, 1)):
        with pytest.raises(ValueError, match="not trained on a public host"):
            act()


@pytest.mark.parametrize(
    ("given", "said"),
    [(("../x", 1, 1), "no suite"), (("norm", 0, 1), "seeds"), (("norm", 1, 99), "jobs")],
)
def test_a_suite_that_cannot_be_is_refused(store: RunStore, given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        suites.start(*given)


@pytest.mark.case("C16")
@pytest.mark.case("C17")
def test_the_page_follows_a_suite_with_other_steps(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It turns to the new suite, shows Stop before any run is stored, and goes on with it once it is stopped."""
    commands: list[list[str]] = []
    alive: list[Path] = []

    class Process:
        pid, returncode = 4321, None

        def __init__(self, command: list[str], **_: Any) -> None:
            commands.append(command)

        def poll(self) -> int | None:
            return self.returncode

    monkeypatch.setattr(suites.subprocess, "Popen", Process)
    monkeypatch.setattr(suites.processes, "give_way", alive.append)
    monkeypatch.setattr(suites, "_started", {})
    stopped: list[Path] = []
    monkeypatch.setattr(suites, "request_stop", stopped.append)
    test = page("suites", **{"suite-name": "norm"})
    test.number_input(key="steps-norm").set_value(200)
    test.number_input(key="seeds-norm").set_value(2).run()
    button(test, suite_page.TEXT["start"]).click().run()
    name = "norm: total_steps 200"
    assert commands[-1][3:8] == ["ablate", "norm", "--seeds", "2", "--jobs"]
    assert commands[-1][9:11] == ["--total_steps", "200"]
    assert test.selectbox[0].value == name and asked(test, "suite-name") == name
    assert button(test, suite_page.TEXT["start"]).disabled
    button(test, suite_page.TEXT["stop"]).click().run()
    assert stopped == [suites.suite_folder(store, name)]

    suite_runs(store, name)  # all of its runs are over but one, and nobody works on it
    last = common.index().look()[0]
    next(iter(last.values())).run.append(
        Started(step=0, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=1)
    )
    Process.returncode = -15
    test.run()
    assert not test.exception and suite_page.TEXT["none"] not in shown(test)
    assert "ablate norm --seeds 2 --jobs 1 --total_steps 200" in shown(test)
    button(test, suite_page.TEXT["start"]).click().run()
    assert commands[-1][3:11] == [
        "ablate",
        "norm",
        "--seeds",
        "2",
        "--jobs",
        "1",
        "--total_steps",
        "200",
    ]
    fresh = page("suites", **{"suite-name": name})  # by a link, in another session
    assert fresh.selectbox[0].value == name and button(fresh, suite_page.TEXT["start"])


def test_a_changed_suite_is_known_by_its_name() -> None:
    norm = SUITES["norm"]
    for changes in (
        {}, {"total_steps": 700}, {"d_model": 32, "max_lr": 0.001}, {"bias": True, "tie_embeddings": False},
    ):  # fmt: skip
        suite = norm.with_base(norm.base | changes)
        found = suites.chosen(suite.name)
        assert found is not None and found.base == "norm"
        assert found.changes == changes and found.suite.plan() == suite.plan()
    found = suites.chosen("norm: no tie_embeddings, bias")
    assert found is not None
    assert found.command(1, 2)[6:] == ["--no_tie_embeddings", "--bias"]
    for other in (
        "mine",
        "norm: ",
        "norm: colour red",
        "norm: total_steps none",
        "mine: total_steps 5",
    ):
        assert suites.chosen(other) is None


def test_steps_that_cannot_be_are_refused_on_the_page(store: RunStore) -> None:
    test = page("suites", **{"suite-name": "norm"})
    test.number_input(key="steps-norm").set_value(1).run()
    assert not test.exception
    button(test, suite_page.TEXT["start"]).click().run()
    assert not test.exception and test.error


def test_a_suite_really_trains_and_ends_when_told(store: RunStore) -> None:
    name = suites.start("post-norm", 1, 1, 300)
    assert name == "post-norm: total_steps 300"
    folder = suites.suite_folder(store, name)

    def begun() -> list[Run]:
        return [run for run in store.list() if run.status().step > 0]

    until(lambda: suites._started[folder].poll() is not None or begun())
    (run,) = begun()
    suites.stop(name)
    suites._started[folder].wait(PATIENCE)
    assert not suites.working(folder)
    assert run.status().state == "stopped" and run.checkpoints()
