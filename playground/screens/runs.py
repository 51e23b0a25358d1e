"""All runs as a table, live; those that are marked can be compared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from engine.runs.store import Damaged
from playground.i18n import Words
from playground.runs import run_states
from playground.screens import common
from playground.screens.common import names_of, show_damaged, show_none
from playground.screens.run_index import Entry

TEXT = Words({
    "title": "Runs",
    "intro": "Every run on this machine: those that ship with the project and those trained here. "
    "Mark some to compare them.",
    "search": "Name or settings contain",
    "state": "Status",
    "suite": "Suite",
    "all": "all",
    "nothing": "No run is like that.",
    "compare": "Compare the marked runs",
    "compare_none": "Mark runs at the left edge of the table",
    "count": "{shown} of {all} runs, {training} training now",
    "loss_help": "The newest loss on validation data, in nats per token",
    "best_help": "The lowest validation loss so far",
    "right_help": "Exact answers on validation items, for a task",
    "speed_help": "Tokens of a step over the seconds of the median step, of the last 50",
    "made_help": "When the run was made, by the clock of the machine that shows this page",
    "changed_help": "The nearest preset, and what differs from it",
    "columns": {
        "Run": "Run",
        "Status": "Status",
        "Progress": "Progress",
        "Step": "Step",
        "Validation loss": "Validation loss",
        "Best": "Best",
        "Right": "Right",
        "Tokens/s": "Tokens/s",
        "Parameters": "Parameters",
        "Made": "Made",
        "What changed": "What changed",
    },
})  # fmt: skip


def columns() -> dict[str, Any]:
    """How the table's columns look."""
    config = st.column_config
    looks: dict[str, Any] = {
        "Run": config.TextColumn(pinned=True, width=230),
        "Status": config.TextColumn(),
        "Progress": config.ProgressColumn(format="%.0f%%", min_value=0, max_value=100),
        "Step": config.NumberColumn(format="localized"),
        "Validation loss": config.NumberColumn(format="%.3f", help=TEXT["loss_help"]),
        "Best": config.NumberColumn(format="%.3f", help=TEXT["best_help"]),
        "Right": config.NumberColumn(format="%.0f%%", help=TEXT["right_help"]),
        "Tokens/s": config.NumberColumn(format="compact", help=TEXT["speed_help"]),
        "Parameters": config.NumberColumn(format="compact"),
        "What changed": config.TextColumn(help=TEXT["changed_help"]),
        "Made": config.DatetimeColumn(format="YYYY-MM-DD HH:mm", help=TEXT["made_help"]),
    }
    return {name: looks[name] | {"label": label} for name, label in TEXT["columns"].items()}


COMPARE: list[Any] = []  # the page that compares, once `main.main` has made it


def show() -> None:
    """The page, or the way from it to a comparison."""
    if st.session_state.get("marked") and COMPARE:
        st.session_state.still = False
        st.switch_page(COMPARE[0], query_params=common.address(run=st.session_state.pop("marked")))
    entries, _ = common.index().look()
    common.heading(TEXT["title"])
    st.caption(TEXT["intro"])
    states = states_of(entries)
    suites = sorted({e.run.info.suite for e in entries.values() if e.run.info.suite})
    above = st.container()

    def part() -> None:
        newest, damaged = common.index().look()
        if states_of(newest) - states:
            st.rerun()  # the whole page, with a state that could not be chosen before
        show_table(newest, damaged)

    common.followed(part, still=bool(st.session_state.get("still")))
    if entries:
        with above:  # sent after the table, which the browser takes longer for
            show_filters(states, suites)


def states_of(entries: dict[str, Entry]) -> set[str]:
    """The states that runs are in."""
    return {entry.status.state for entry in entries.values()}


def show_filters(states: set[str], suites: list[str]) -> None:
    """What narrows the table down: a text, a state that some run is in, and a suite if there is one."""
    widths = [2, 3, 1] if suites else [2, 4]
    left, middle, *right = st.columns(widths, vertical_alignment="bottom")
    start = common.start_of("match", str, "")
    match = left.text_input(TEXT["search"], start, key="match")
    common.keep("match", [match] if match else [])
    asked = st.session_state.get("state") or st.query_params.get("state")
    words = run_states.TEXT
    there = {state: words[state] for state in words if state in states or state == asked}
    common.picked(middle.pills, TEXT["state"], {"": TEXT["all"]} | there, "state", required=True)
    for column in right:
        named = {"": TEXT["all"]} | {name: name for name in suites}
        common.picked(column.selectbox, TEXT["suite"], named, "suite")


def show_table(entries: dict[str, Entry], damaged: list[Damaged]) -> None:
    """The table and what can be done with it."""
    if not entries:
        show_none(damaged)
        return
    rows = table(entries)
    shown = rows[wanted(rows)]
    training = (rows["Status"] == run_states.TEXT["running"]).sum()
    st.caption(TEXT["count"].format(shown=len(shown), all=len(rows), training=training))
    if shown.empty:
        st.info(TEXT["nothing"])
        show_damaged(damaged)
        return
    event = st.dataframe(
        shown.drop(columns=["Suite"]),
        key="runs",
        hide_index=True,
        column_config=columns(),
        width="stretch",
        height=min(640, 38 + 35 * len(shown)),
        placeholder="–",
        on_select="rerun",
        selection_mode="multi-row",
    )
    marked = [str(shown.index[row]) for row in event["selection"]["rows"] if row < len(shown)]
    if bool(marked) != bool(st.session_state.get("still")):
        # Marked rows stay where they are, and lead away safely.
        st.session_state.still = bool(marked)
        st.rerun()
    label = f"{TEXT['compare']} ({len(marked)})" if marked else TEXT["compare_none"]
    if st.button(label, type="primary", disabled=not marked, key="to-compare"):
        st.session_state.marked = marked
        st.rerun()  # the whole page: a part that draws itself again cannot leave it
    show_damaged(damaged)


def table(entries: dict[str, Entry]) -> pd.DataFrame:
    """A row for each run, by its id."""
    names = names_of(entries)
    rows: dict[str, dict[str, Any]] = {}
    for run_id, entry in entries.items():
        outcome, status = entry.outcome, entry.status
        rows[run_id] = {
            "Run": names[run_id],
            "Status": run_states.TEXT[status.state],
            "Progress": 100 * status.step / status.total_steps,
            "Step": status.step,
            "Validation loss": outcome.final_loss,
            "Best": outcome.best_loss,
            "Right": None if outcome.accuracy is None else 100 * outcome.accuracy,
            "Tokens/s": outcome.tokens_per_second,
            "Parameters": outcome.parameters,
            "Made": datetime.fromtimestamp(entry.run.info.created),
            "What changed": entry.changed,
            "Suite": entry.run.info.suite,
        }
    # As numbers, so that a column in which nothing is known yet is an empty one.
    numbers = ("Validation loss", "Best", "Right", "Tokens/s", "Parameters")
    return pd.DataFrame.from_dict(rows, orient="index").astype(dict.fromkeys(numbers, "float64"))


def wanted(rows: pd.DataFrame) -> Any:
    """Which rows the filters leave."""
    words, suites = run_states.TEXT, set(rows["Suite"])
    text = common.value_of("match", str, "").casefold()
    state = common.value_of("state", lambda given: given if given in words else None, "")
    suite = common.value_of("suite", lambda given: given if given in suites else None, "")
    kept = (rows["Run"] + " " + rows["What changed"]).str.casefold().str.contains(text, regex=False)
    if state:
        kept &= rows["Status"] == words[state]
    if suite:
        kept &= rows["Suite"] == suite
    return kept
