"""The table of all runs tells what their folders hold, whatever state they are in."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from engine.config import RunConfig
from engine.runs.events import Diverged, Ended, Started
from engine.runs.store import RunStore
from playground import dashboard
from playground.screens import common, compare, run_index, runs
from tests.playground.screens.pages import make, page, rows, shown, steps, suite_runs
from tests.tools.waiting import PATIENCE

DASHBOARD = str(dashboard.SCRIPT)


def test_the_first_page_is_the_table(store: RunStore) -> None:
    make(store, "first")
    test = AppTest.from_file(DASHBOARD, default_timeout=PATIENCE).run()
    assert not test.exception and test.title[0].value == runs.TEXT["title"]
    assert test.dataframe[0].value["Run"].tolist() == ["first"]


def test_the_server_reads_the_runs_when_it_starts(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard.warm()  # without any
    common.index.cache_clear()
    run = make(store, "first")
    dashboard.warm()
    monkeypatch.setattr(run_index.Entry, "read", lambda _: pytest.fail("read once more"))
    monkeypatch.setattr(run_index, "FRESH", 3600.0)
    assert list(common.index().look()[0]) == [run.id]


def test_a_run_in_numbers(store: RunStore) -> None:
    make(store, "first", loss=1.5, n_layer=3)
    (row,) = rows()
    assert row["Run"] == "first" and row["Status"] == "finished" and row["Progress"] == 100
    assert row["Step"] == 100 and row["Parameters"] == 4321
    assert row["Validation loss"] == 1.5 and row["Best"] == 1.25
    assert row["Tokens/s"] == pytest.approx(2000)
    assert "3 blocks" in row["What changed"]
    assert abs(row["Made"].timestamp() - time.time()) < 3600


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


def test_a_diverged_run_says_so(store: RunStore) -> None:
    run = store.create(RunConfig(), "wild")
    steps(run, 1, 3)
    run.append(Diverged(step=3, loss="nan", grad_norm="inf"))
    run.append(Ended(step=3, how="diverged"))
    assert rows()[0]["Status"] == "diverged"


@pytest.mark.case("K1")
def test_names_of_a_suites_runs_begin_where_they_differ(store: RunStore) -> None:
    """A column, a chip and a legend have room for the beginning of a name."""
    suite_runs(store, "norm: total_steps 200")
    make(store, "norm: mine")
    names = common.names_of(common.index().look()[0])
    wanted = {"LayerNorm · norm: total_steps 200", "LayerNorm · norm: total_steps 200 (2)"}
    assert wanted | {"norm: mine"} <= set(names.values())


@pytest.mark.case("R2")
def test_a_public_dashboard_shows_no_run_of_somebodys_own_text(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its samples repeat the text, and with its id the page shows all of it."""
    config = RunConfig.from_flat({"source": "text", "train_data_path": "data/text.txt"})
    private = store.create(config, "private", text="Dear diary, " * 99)
    fork = store.create(private.config, "its fork", private.id, parent_step=0)
    public = make(store, "public")
    assert set(common.index().look()[0]) == {
        public.id,
        fork.id,
        private.id,
    }  # in no order: a clock may go back
    monkeypatch.setenv("TP_PUBLIC", "1")
    entries, damaged = common.index().look()
    assert list(entries) == [public.id] and damaged == []
    assert list(runs.table(entries).index) == [public.id]
    assert "private" not in shown(page("compare", run=private.id))
