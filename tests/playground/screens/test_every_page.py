"""What holds of every page of the dashboard: without runs, in Chinese, and beside the playground."""

from __future__ import annotations

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from engine.runs.events import Routed
from engine.runs.store import RunStore
from playground.hosting import neighbours
from tests.playground.screens.pages import ENGLISH, asked, make, page, shown, suite_runs


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
def test_without_runs_every_page_says_what_to_do(store: RunStore, name: str) -> None:
    test = page(name)
    assert "python -m engine" in shown(test)
    assert bool(test.dataframe) == (name == "suites")  # its results ship


def test_every_page_leads_to_the_playground_where_it_runs(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("runs", "compare", "suites"):
        monkeypatch.setattr(neighbours, "page", lambda: None)
        assert not page(name).get("link_button")
        monkeypatch.setattr(neighbours, "page", lambda: "http://127.0.0.1:7860/")
        (link,) = page(name).get("link_button")
        assert link.proto.url == "http://127.0.0.1:7860/"


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
