"""The dashboard tells what the runs' folders hold, whatever state they are in."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from engine.ablation import comparison
from engine.ablation.measured import measured
from engine.ablation.suites import SUITES
from engine.config import RunConfig
from engine.presets import PRESETS, nearest
from engine.runs import locks
from engine.runs.events import Diverged, Ended, Evaluated, Routed, Sampled, Started, Stepped
from engine.runs.store import Run, RunStore
from engine.runs.summary import Outcome, differing_fields
from playground import dashboard, i18n
from playground.hosting import neighbours
from playground.runs import run_lookup
from playground.screens import common, compare, report, run_index, runs
from playground.screens import suite_runs as suites
from playground.screens import suites as suite_page
from playground.screens.histories import AXES, History, distinct, seeded, what_changed
from tests.tools.waiting import PATIENCE, until

DASHBOARD = str(dashboard.SCRIPT)
PAGE = "from playground.screens import common, {page}\ncommon.speak()\n{page}.show()\ncommon.write_address()"
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x^2$ 故事 😀"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """No runs at all: the learners' folder and the shipped one are empty."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(run_lookup, "ROOT", tmp_path)
    monkeypatch.setattr(run_index, "FRESH", 0.0)
    common.history_of.clear()
    common.shelf.cache_clear()
    return run_lookup.store()


def steps(run: Run, first: int, last: int, loss: float = 2.0) -> None:
    for step in range(first, last + 1):
        run.append(
            Stepped(step=step, loss=loss, lr=1e-3, grad_norm=1, tokens=100 * step, seconds=0.05)
        )


def make(store: RunStore, name: str, loss: float = 1.5, **changes: Any) -> Run:
    run = store.create(RunConfig.from_flat({"total_steps": 100} | changes), name)
    run.append(
        Started(step=0, parameters=4321, device="cpu", dtype="fp32", threads=1, train_tokens=9_000)
    )
    steps(run, 1, 100)
    run.append(Evaluated(step=50, loss=loss - 0.25))
    run.append(Evaluated(step=100, loss=loss))
    for step in (50, 100):
        text = f" there was {HOSTILE} at {step}"
        run.append(Sampled(step=step, prompt="Once", text=text))
    run.append(Ended(step=100, how="finished"))
    return run


def page(name: str = "compare", **query: Any) -> AppTest:
    test = AppTest.from_string(PAGE.format(page=name), default_timeout=PATIENCE)
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception, test.exception
    return test


def asked(test: AppTest, name: str) -> str:
    """What stands in the address."""
    (value,) = [value] if isinstance(value := test.query_params[name], str) else value
    return value


def rows() -> list[dict[str, Any]]:
    """The table of all runs."""
    return page("runs").dataframe[0].value.to_dict("records")


def shown(test: AppTest) -> str:
    """All the text on the page."""
    elements = [*test.info, *test.caption, *test.text, *test.code, *test.markdown]
    return "\n".join(element.value for element in elements)


@pytest.mark.parametrize("name", ["runs", "compare", "suites"])
def test_without_runs_every_page_says_what_to_do(store: RunStore, name: str) -> None:
    test = page(name)
    assert "python -m engine" in shown(test)
    assert not test.dataframe


def test_the_first_page_is_the_table(store: RunStore) -> None:
    make(store, "first")
    test = AppTest.from_file(DASHBOARD, default_timeout=PATIENCE).run()
    assert not test.exception and test.title[0].value == runs.TEXT["title"]
    assert test.dataframe[0].value["Run"].tolist() == ["first"]


def test_the_server_reads_the_runs_when_it_starts(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard.warm()  # without any
    common.shelf.cache_clear()
    run = make(store, "first")
    dashboard.warm()
    monkeypatch.setattr(run_index.Entry, "read", lambda _: pytest.fail("read once more"))
    monkeypatch.setattr(run_index, "FRESH", 3600.0)
    assert list(common.shelf().look()[0]) == [run.id]


def test_a_run_in_numbers(store: RunStore) -> None:
    make(store, "first", loss=1.5, n_layer=3)
    (row,) = rows()
    assert row["Run"] == "first" and row["Status"] == "finished" and row["Progress"] == 100
    assert row["Step"] == 100 and row["Parameters"] == 4321
    assert row["Held-out loss"] == 1.5 and row["Best"] == 1.25
    assert row["Tokens/s"] == pytest.approx(2000)
    assert "3 blocks" in row["What changed"]
    assert abs(row["Made"].timestamp() - time.time()) < 3600


def test_every_page_leads_to_the_playground_where_it_runs(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("runs", "compare", "suites"):
        monkeypatch.setattr(neighbours, "page", lambda: None)
        assert not page(name).get("link_button")
        monkeypatch.setattr(neighbours, "page", lambda: "http://127.0.0.1:7860/")
        (link,) = page(name).get("link_button")
        assert link.proto.url == "http://127.0.0.1:7860/"


def test_the_table_can_be_searched(store: RunStore) -> None:
    make(store, "alpha", n_layer=3)
    store.create(RunConfig(), "beta")
    test = page("runs", match="ALPHA")
    assert test.dataframe[0].value["Run"].tolist() == ["alpha"]
    assert "1 of 2 runs" in shown(test)
    test.text_input[0].set_value("3 blocks").run()
    assert test.dataframe[0].value["Run"].tolist() == ["alpha"]
    test.text_input[0].set_value("[").run()  # a text, not a pattern
    assert not test.exception and runs.TEXT["nothing"] in shown(test)
    test.text_input[0].set_value("")
    test.pills[0].set_value("new").run()
    assert test.dataframe[0].value["Run"].tolist() == ["beta"]


def test_runs_beside_each_other(store: RunStore) -> None:
    made = [make(store, "same name", max_lr=1e-3), make(store, "same name", norm="layernorm")]
    assert {row["Run"] for row in rows()} == {"same name", "same name (2)"}
    test = page()
    assert set(test.multiselect[0].value) == {run.id for run in made}
    differences = test.dataframe[0].value
    assert list(differences["field"]) == ["norm", "max_lr"]
    assert shown(test).count(f"Once there was {HOSTILE} at 100") == 2
    next(s for s in test.select_slider if s.value == 100).set_value(50).run()
    assert not test.exception
    assert shown(test).count(f"Once there was {HOSTILE} at 50") == 2


@pytest.mark.parametrize("axis", AXES)
def test_every_metric_over_every_axis(store: RunStore, axis: str) -> None:
    for seed in (0, 1):
        make(store, f"run {seed}", seed=seed)
    for bands in ("true", "false"):
        test = page(over=axis, bands=bands, log="true", metric="gradient")
        (chart,) = test.get("plotly_chart")
        assert compare.TEXT["axis_titles"][axis] in chart.proto.spec


def test_experts_show_their_balance_and_load(store: RunStore) -> None:
    make(store, "dense")
    load = [[0.25] * 4, [0.7, 0.1, 0.1, 0.1]]
    fields = {"n_experts": 4, "n_layer": 4, "moe_layer_indices": [0, 2]}
    for seed in (0, 1):
        run = make(store, f"mixture {seed}", seed=seed, **fields)
        run.append(
            Routed(
                step=1, layers=[0, 2], load=load, probability=load, dropped=[0, 0], entropy=[1, 1],
                losses={"switch": [1, 1]}, balance_loss=0.01,
            )
        )  # fmt: skip
    mixture = next(row for row in rows() if row["Run"] == "mixture 0")
    assert "blocks with experts 1 and 3" in mixture["What changed"]
    test = page(metric="balance")
    assert len(test.get("plotly_chart")) == 3  # the curves, and the load of two
    assert shown(test).count(compare.TEXT["load"]) == 2
    chosen = [store.open(run_id).name for run_id in test.multiselect[0].value]
    differences = test.dataframe[0].value.set_index("field")[f"run {chosen.index('mixture 0')}"]
    assert differences["moe_layer_indices"] == "0,2" and differences["n_experts"] == "4"


def test_nothing_chosen_and_one_chosen(store: RunStore) -> None:
    run = make(store, "only")
    test = page()
    assert compare.TEXT["one"] in shown(test)
    test.multiselect[0].set_value([]).run()
    assert not test.exception
    assert compare.TEXT["chosen_none"] in shown(test)
    assert "run" not in test.query_params
    test.multiselect[0].set_value([run.id]).run()
    assert run.id in test.query_params["run"]


def test_a_link_chooses_runs(store: RunStore) -> None:
    made = [make(store, f"run {number}") for number in range(5)]
    test = page(run=[made[1].id, "../../etc", "gone"])
    assert test.multiselect[0].value == [made[1].id]


def test_a_run_being_written(store: RunStore) -> None:
    run = store.create(RunConfig.from_flat({"total_steps": 10, "warmup_steps": 0}), "young")
    (row,) = rows()
    assert row["Status"] == "not started" and row["Step"] == 0
    test = page(run=run.id)
    assert compare.TEXT["nothing"] in shown(test)
    assert compare.TEXT["no_samples"] in shown(test)

    run.claim()
    assert rows()[0]["Status"] == "starting"
    run.append(
        Started(step=0, parameters=7, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    )
    steps(run, 1, 4)
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"type": "stepped", "step": 5, "lo')  # a line that is not finished yet
    test.run()
    assert not test.exception
    (row,) = rows()
    assert row["Status"] == "training" and row["Step"] == 4 and row["Progress"] == 40


def test_damaged_folders_are_named_and_hide_nothing(store: RunStore) -> None:
    make(store, "whole")
    broken = make(store, "broken")
    (broken.path / "config.json").write_text("{", encoding="utf-8")
    foreign = make(store, "foreign")
    (foreign.path / "events.jsonl").write_bytes(b"\xff\xfe not a line\n\n[1]\n" * 5)
    test = page("runs")
    assert {row["Run"] for row in rows()} == {"whole", "foreign"}
    assert test.expander[0].label.endswith(": 1")
    (told,) = (text.value for text in test.expander[0].text)
    assert told.startswith(f"{broken.id[:8]}: config.json: ") and str(store.root) not in told


def test_a_run_deleted_while_it_is_compared(store: RunStore) -> None:
    kept, gone = make(store, "kept"), make(store, "gone")
    test = page()
    store.delete(gone.id)
    test.run()
    assert not test.exception
    assert [row["Run"] for row in rows()] == ["kept"]
    assert test.multiselect[0].value == [kept.id]


def test_a_diverged_run_says_so(store: RunStore) -> None:
    run = store.create(RunConfig(), "wild")
    steps(run, 1, 3)
    run.append(Diverged(step=3, loss="nan", grad_norm="inf"))
    run.append(Ended(step=3, how="diverged"))
    assert rows()[0]["Status"] == "diverged"


# In Chinese

ENGLISH = re.compile(r"[A-Za-z]{2,}[,;]? [a-z]{2,}")
"""A sentence, or two words of one."""


def said(test: AppTest) -> list[str]:
    """All that a page says: not the names of runs, nor what they are called in the code."""
    labelled = (
        *test.button, *test.expander, *test.toggle, *test.text_input, *test.selectbox, *test.multiselect,
        *test.select_slider, *test.slider, *test.number_input, *test.segmented_control,
    )  # fmt: skip
    texts = [element.value for element in (*test.title, *test.subheader, *test.caption, *test.info)]
    texts += [element.value for element in test.markdown]
    for element in labelled:
        texts.append(element.label)
        texts.append(getattr(element, "help", "") or "")
    for choice in (test.selectbox, test.segmented_control):
        texts += [option for element in choice for option in element.options]
    for table in test.dataframe:
        for column in json.loads(table.proto.columns).values():
            texts += [column.get("label") or "", column.get("help") or ""]
    for chart in test.get("plotly_chart"):
        texts += re.findall(r'"(?:text|name)":"([^"]*)"', chart.proto.spec)
    return texts


@pytest.mark.parametrize("name", ["runs", "compare", "suites"])
@pytest.mark.parametrize("empty", [True, False])
def test_every_page_is_in_chinese(store: RunStore, name: str, empty: bool) -> None:
    if not empty:
        suite_runs(store)
        load = [[0.25] * 4]
        for seed in (0, 1):
            run = make(store, f"mine{seed}", seed=seed, n_experts=4)
            run.append(
                Routed(
                    step=1, layers=[0], load=load, probability=load, dropped=[0], entropy=[1],
                    losses={"switch": [1]}, balance_loss=0.01,
                )
            )  # fmt: skip
    test = page(name, lang="zh")
    texts = said(test)
    left = [text for text in texts if ENGLISH.search(text)]
    assert texts and not left
    assert "语言" in texts and asked(test, "lang") == "zh"


def test_the_language_of_the_browser_and_of_the_switch(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page("runs").title[0].value == "Runs"
    monkeypatch.setattr(type(streamlit.context), "locale", property(lambda _: "zh-CN"))
    test = page("runs")
    assert test.title[0].value == "训练任务" and "lang" not in test.query_params
    switch = test.segmented_control[0]
    assert switch.options == ["English", "中文"] and switch.value == "zh"
    switch.set_value("en").run()
    assert test.title[0].value == "Runs" and asked(test, "lang") == "en"
    assert page("runs", lang="xx").title[0].value == "训练任务"


def test_the_switch_of_the_language_holds_against_an_older_address(store: RunStore) -> None:
    """A part of the page that draws itself again, or a second click, may send the address of before the switch."""
    test = page("runs", lang="zh")
    test.segmented_control[0].set_value("en").run()
    test.query_params["lang"] = "zh"
    test.run()
    assert test.title[0].value == "Runs" and asked(test, "lang") == "en"


def test_a_link_means_the_same_in_both_languages(store: RunStore) -> None:
    make(store, "done")
    store.create(RunConfig(), "fresh")
    suite_runs(store)
    for lang, state in (("en", "not started"), ("zh", "尚未开始")):
        test = page("runs", state="new", lang=lang)
        assert test.dataframe[0].value["Run"].tolist() == ["fresh"]
        assert test.dataframe[0].value["Status"].tolist() == [state]
        test.pills[0].set_value("finished")
        test.selectbox[0].set_value("norm").run()
        assert asked(test, "state") == "finished"
        assert asked(test, "suite") == "norm"
        assert len(test.dataframe[0].value) == 8
        test = page("compare", metric="gradient", over="seconds", lang=lang)
        assert [each.value for each in test.segmented_control][-2:] == ["gradient", "seconds"]
        assert asked(test, "metric") == "gradient"
        assert asked(test, "over") == "seconds"
    test = page("runs", state="nonsense")
    assert test.pills[0].value == "" and len(test.dataframe[0].value) == 10


def test_what_an_address_cannot_mean_is_left_out_of_it(store: RunStore) -> None:
    make(store, "done")
    nonsense = {"over": "hours", "metric": "", "smoothing": "7", "log": "maybe", "bands": "True"}
    test = page("compare", **nonsense, log_x="true", lang="tlh")
    assert not test.exception
    assert [each.value for each in test.segmented_control][-2:] == ["loss", "steps"]
    assert test.slider[0].value == 10 and not any(each.value for each in test.toggle[1:])
    assert not set(test.query_params) & set(nonsense)


def test_every_choice_stands_in_the_address(store: RunStore) -> None:
    made = [make(store, f"run {number}") for number in range(4)]
    test = page("compare")
    assert not test.query_params  # all is as usual
    test.slider[0].set_value(45)
    for each in test.toggle[1:]:
        each.set_value(True)
    test.toggle[0].set_value(False)
    test.multiselect[0].set_value([made[1].id, made[0].id]).run()
    said = {"smoothing": "45", "log": "true", "logx": "true", "bands": "true", "follow": "false"}
    assert {key: asked(test, key) for key in said} == said
    assert test.query_params["run"] == [made[1].id, made[0].id]
    again = page("compare", **said, run=[made[1].id, made[0].id])
    assert again.slider[0].value == 45 and again.multiselect[0].value == [made[1].id, made[0].id]
    assert [each.value for each in again.toggle] == [False, True, True, True]
    again.slider[0].set_value(10)
    again.toggle[0].set_value(True).run()
    assert not {"smoothing", "follow"} & set(again.query_params)


def test_a_state_can_be_chosen_once_a_run_is_in_it(store: RunStore) -> None:
    test = page("runs")
    assert not test.pills and not test.text_input
    run = make(store, "done")
    test.run()
    assert test.pills[0].options == ["all", "finished"]
    store.create(RunConfig(), "fresh")
    test.run()
    assert test.pills[0].options == ["all", "not started", "finished"]
    test.pills[0].set_value("finished").run()
    store.delete(run.id)
    test.run()
    assert "finished" in test.pills[0].options and runs.TEXT["nothing"] in shown(test)


def test_a_report_is_in_the_language_of_its_reader(store: RunStore) -> None:
    made = {run.name: History(run) for run in (make(store, "a"), make(store, "b", bias=True))}
    for history in made.values():
        history.read()
    i18n.use("zh")
    try:
        text, drawn = report.markdown(made), report.loss_svg({"a": made["a"].curves()})
        table = report.curves_csv(made)
    finally:
        i18n.use("en")
    assert "# 训练任务的比较" in text and "| 已完成 |" in text and "| bias | 否 | 是 |" in text
    assert not [line for line in text.splitlines() if ENGLISH.search(line) and line[:1] in "#|"]
    assert "损失（奈特/词元）" in drawn and table.startswith("run,step,tokens")


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
    assert "| 变体 | 训练任务 | 最终损失 |" in text and "| 带偏移的 LayerNorm |" in text
    assert "与“RMSNorm”的差别" in text and "| 更差 |" in text and not ENGLISH.search(text)


# The shelf


def test_the_shelf_tells_what_the_whole_log_tells(store: RunStore) -> None:
    run = make(store, "whole", loss=1.5)
    looked = run_index.Shelf(lambda: [store.root])
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


CHANGES: dict[str, Callable[[Run], object]] = {
    "an event": lambda run: run.append(Evaluated(step=120, loss=1.0)),
    "a process that has it": lambda run: run.claim(),
    "its end": lambda run: run.append(Ended(step=120, how="stopped")),
    "another name": lambda run: run.rename("afterwards"),
    "a part of the log that is gone": lambda run: os.truncate(run.path / "events.jsonl", 0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_still_run_is_left_alone_until_something_changes(
    store: RunStore, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(store, "before")
    looked = run_index.Shelf(lambda: [store.root])
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
    looked = run_index.Shelf(lambda: [store.root])
    assert looked.look()[0][run.id].status.state == "starting"
    monkeypatch.setattr(locks, "is_held", lambda folder: False)  # killed: it writes no more
    assert looked.look()[0][run.id].status.state == "interrupted"
    assert claim is not None


def test_a_renamed_run_is_read_anew(store: RunStore) -> None:
    run = make(store, "before")
    looked = run_index.Shelf(lambda: [store.root])
    looked.look()
    path = run.path / "run.json"
    path.write_text(path.read_text().replace("before", "afterwards"))
    os.utime(path, (1, 1))
    assert looked.look()[0][run.id].run.name == "afterwards"


# Suites


def suite_runs(store: RunStore, name: str = "norm") -> None:
    found = suites.chosen(name)
    assert found is not None
    for number, each in enumerate(found.suite.plan(2)):
        run = store.create(each.config, f"{name}: {each.variant}", suite=name, variant=each.variant)
        steps(run, 1, 5)
        run.append(Evaluated(step=5, loss=2.0 + number % 4 + each.seed / 100))
        run.append(Ended(step=5, how="finished"))


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


@pytest.mark.case("R2")
def test_a_public_dashboard_shows_no_run_of_somebodys_own_text(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its samples repeat the text, and with its id the page shows all of it."""
    config = RunConfig.from_flat({"source": "text", "train_data_path": "data/text.txt"})
    private = store.create(config, "private", text="Dear diary, " * 99)
    fork = store.create(private.config, "its fork", private.id, parent_step=0)
    public = make(store, "public")
    assert set(common.shelf().look()[0]) == {
        public.id,
        fork.id,
        private.id,
    }  # in no order: a clock may go back
    monkeypatch.setenv("TP_PUBLIC", "1")
    entries, damaged = common.shelf().look()
    assert list(entries) == [public.id] and damaged == []
    assert list(runs.table(entries).index) == [public.id]
    assert "private" not in shown(page("compare", run=private.id))


@pytest.mark.parametrize(
    ("given", "said"),
    [(("../x", 1, 1), "no suite"), (("norm", 0, 1), "seeds"), (("norm", 1, 99), "jobs")],
)
def test_a_suite_that_cannot_be_is_refused(store: RunStore, given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        suites.start(*given)


def button(test: AppTest, label: str) -> Any:
    """The button of this label."""
    (found,) = [button for button in test.button if button.label == label]
    return found


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
    last = common.shelf().look()[0]
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


@pytest.mark.case("K1")
def test_names_of_a_suites_runs_begin_where_they_differ(store: RunStore) -> None:
    """A column, a chip and a legend have room for the beginning of a name."""
    suite_runs(store, "norm: total_steps 200")
    make(store, "norm: mine")
    names = common.names_of(common.shelf().look()[0])
    wanted = {"LayerNorm · norm: total_steps 200", "LayerNorm · norm: total_steps 200 (2)"}
    assert wanted | {"norm: mine"} <= set(names.values())


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


# What is taken along


def test_a_report_says_what_the_runs_say(store: RunStore) -> None:
    made = {
        run.name: History(run)
        for run in (make(store, "a | b ` c"), make(store, HOSTILE, norm="layernorm"))
    }
    for history in made.values():
        history.read()
    with zipfile.ZipFile(io.BytesIO(report.archive(made))) as file:
        text, drawn, data = (
            file.read(name).decode() for name in ("report.md", "loss.svg", "curves.csv")
        )
    assert "| norm | rmsnorm | layernorm |" in text and "1.500" in text and "4,321" in text
    assert "a ¦ b ` c" in text and f"`{HOSTILE}`" in text  # in code, where it is no markup
    assert "<img" not in drawn and "&lt;img" in drawn
    lines = list(csv.DictReader(io.StringIO(data)))
    assert len(lines) == 200 and lines[49]["validation loss"] == "1.25"
    assert float(lines[99]["seconds"]) == pytest.approx(5.0)


def test_curves_over_other_quantities(store: RunStore) -> None:
    history = History(make(store, "one"))
    history.read()
    assert history.curves("tokens").evaluated.tolist() == [5_000, 10_000]
    assert history.curves("seconds").evaluated == pytest.approx([2.5, 5.0])
    flops = history.curves("FLOPs")
    assert flops.evaluated[1] == pytest.approx(2 * flops.evaluated[0]) and flops.step[0] > 1e6
    np.testing.assert_array_equal(flops.loss, history.curves().loss)


def test_runs_that_differ_in_their_seed_alone_are_one_group() -> None:
    configs = {
        name: RunConfig.from_flat(changes)
        for name, changes in {"a": {}, "b": {"seed": 1}, "c": {"bias": True}}.items()
    }
    assert seeded(configs) == [["a", "b"], ["c"]]


def test_a_history_reads_on(store: RunStore) -> None:
    run = make(store, "long")
    history = History(run)
    history.read()
    assert len(history.steps) == 100 and history.evaluations[-1].loss == 1.5
    before = history.offset
    history.read()
    assert history.offset == before == os.path.getsize(run.path / "events.jsonl")
    # Resumed from step 60: what came after it is done, and told, again.
    run.append(
        Started(step=60, parameters=4321, device="cpu", dtype="fp32", threads=1, train_tokens=1)
    )
    steps(run, 61, 70, loss=1.0)
    history.read()
    assert [step.step for step in history.steps] == list(range(1, 71))
    assert history.steps[-1].loss == 1.0 and history.evaluations[-1].loss == 1.25
    assert [sample.step for sample in history.samples] == [50]


def test_a_history_shared_by_sessions_counts_each_event_once(store: RunStore) -> None:
    run = make(store, "shared")
    history = History(run)
    threads = [threading.Thread(target=history.read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.steps) == 100


def test_what_changed_is_told_from_the_nearest_preset() -> None:
    for name, preset in PRESETS.items():
        found, changes = nearest(preset.config())
        assert not changes and found.config() == preset.config(), name
    first = next(iter(PRESETS))
    config = RunConfig.from_flat(PRESETS[first].config().changes() | {"bias": True})
    assert what_changed(config).endswith(": biases")


def test_differences_between_configurations() -> None:
    runs = {"a": RunConfig(), "b": RunConfig.from_flat({"bias": True, "dropout": 0.1})}
    assert differing_fields(runs) == {
        "dropout": {"a": 0.0, "b": 0.1},
        "bias": {"a": False, "b": True},
    }
    assert differing_fields({"a": RunConfig()}) == differing_fields({}) == {}
    assert distinct(["x", "y", "x", "x"]) == ["x", "y", "x (2)", "x (3)"]
    assert distinct(["x", "x", "x (2)", ""]) == ["x", "x (3)", "x (2)", ""]
