"""What a page's address says: the language, the chosen runs, and every other choice."""

from __future__ import annotations

import pytest
import streamlit
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

from engine.config import RunConfig
from engine.runs.store import RunStore
from tests.playground.screens.pages import asked, make, page, suite_runs


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that the browser is told to show, in order."""
    told: list[str] = []
    enqueue = ScriptRunContext.enqueue

    def heard(context: ScriptRunContext, message: ForwardMsg) -> None:
        if message.HasField("page_info_changed"):
            told.append(message.page_info_changed.query_string)
        enqueue(context, message)

    monkeypatch.setattr(ScriptRunContext, "enqueue", heard)
    return told


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


def test_a_link_chooses_runs(store: RunStore) -> None:
    made = [make(store, f"run {number}") for number in range(5)]
    test = page(run=[made[1].id, "../../etc", "gone"])
    assert test.multiselect[0].value == [made[1].id]


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


def test_an_older_address_takes_nothing_from_the_browsers(
    store: RunStore, addresses: list[str]
) -> None:
    """A part that draws itself again sends the address of before two clicks, and is answered after them: the
    browser's address keeps both choices throughout, as it may be reloaded at any moment."""
    make(store, "done")
    test = page("compare")
    test.slider[0].set_value(45)
    test.segmented_control(key="over").set_value("seconds").run()
    assert addresses == ["over=seconds&smoothing=45"]
    test.query_params.clear()
    test.run()
    assert set(addresses) == {"over=seconds&smoothing=45"}


def test_a_choice_that_is_taken_back_leaves_the_address(
    store: RunStore, addresses: list[str]
) -> None:
    """The second click comes before the browser has learned the address of the first."""
    make(store, "done")
    test = page("compare")
    test.toggle(key="log").set_value(True).run()
    test.toggle(key="log").set_value(False)
    test.query_params.clear()
    test.run()
    assert addresses == ["log=true", ""]
