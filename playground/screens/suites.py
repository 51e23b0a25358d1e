"""Ablation suites: start one, watch it, and see which differences are more than noise."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from engine.ablation import comparison
from engine.ablation.comparison import Row
from engine.ablation.measured import Measured, measured
from engine.ablation.suites import SUITES
from engine.cli.flags import command_line, shell
from engine.validation import ConfigError
from playground import i18n, settings
from playground.figures import several_runs
from playground.i18n import Words
from playground.runs import run_lookup, run_states
from playground.screens import common, suite_runs
from playground.screens.common import plot, theme
from playground.screens.run_index import Entry
from playground.screens.suite_runs import Chosen

NAME = "suite-name"
"""What the suite is called in the address."""
SEEDS = "suite-seeds"
"""In the session: how many seeds a suite was started with, by its name, until its runs say so."""
FAULT = "suite-fault"
"""In the session: the suite that could not be started, and why."""

TIMED = ("Processor s", "After equal time", "Verdict then")
"""Columns of suites whose runs recorded processor seconds."""
NUMBERS = {
    "Final loss": "%.3f",
    "±": "%.3f",
    "Best": "%.3f",
    "Right": "%.1f%%",
    "Bits a character": "%.3f",
    "Difference": "%+.3f",
    "from": "%+.3f",
    "to": "%+.3f",
    "Processor s": "%.1f",
    "After equal time": "%+.3f",
    "Parameters": "localized",
    "Tokens/s": "compact",
}
"""Columns that may be empty, and how their numbers are written."""

TEXT = Words({
    "title": "Suites",
    "intro": "An ablation changes one thing at a time and trains each variant with several seeds: all variants "
    "of a seed read the same batches. What is left is the difference, and how sure it is.",
    "suite": "Suite",
    "variants": "Its variants: {variants}",
    "seeds": "Seeds",
    "jobs": "Runs at once",
    "steps": "Steps of each run",
    "start": "Train what is missing",
    "starting": "Its process starts.",
    "stop": "Stop",
    "stopping": "It saves its runs and ends.",
    "none": "None of its runs has been trained yet.",
    "shipped": "Measured by this project. Train it above to see your own numbers.",
    "shipped at": "Measured by this project, {when}. Train it above to see your own numbers.",
    "rates": "Learning rates, each the best of those tried: {rates}.",
    "time": "“After equal time” compares the losses at the processor seconds at which the shorter run of a pair ended. "
    "The longer one is read off its curve there, before its learning rate has come down.",
    "progress": "{over} of {runs} runs have a result",
    "ended": "{over} of {runs} runs have a result; the others are not being trained.",
    "command": "The same from a terminal",
    "difference": "Differences to “{first}”",
    "legend": "The mean difference of the validation loss, paired by seed, and the interval that has the true one with "
    "95% confidence. Left is better. Grey: zero is inside, so it may be noise. Each interval stands "
    "alone: of twenty, about one misses.",
    "table": "The table",
    "seeds_one": "With one seed there is no interval: train more.",
    "markdown": "Table as Markdown",
    "csv": "Table as CSV",
    "no baseline": "The first variant is what the others are compared with; it has no result yet.",
    "columns": {
        "Variant": "Variant",
        "Finished": "Finished",
        "Others": "Others",
        "Final loss": "Final loss",
        "±": "±",
        "Best": "Best",
        "Right": "Right",
        "Bits a character": "Bits a character",
        "Difference": "Difference",
        "from": "from",
        "to": "to",
        "Verdict": "Verdict",
        "Processor s": "Processor s",
        "After equal time": "After equal time",
        "Verdict then": "Verdict then",
        "Parameters": "Parameters",
        "Tokens/s": "Tokens/s",
    },
    "report": comparison.TABLE_TEXT,
})  # fmt: skip


def show() -> None:
    """The page."""
    common.heading(TEXT["title"])
    st.caption(TEXT["intro"])
    common.followed(show_all)


def show_all() -> None:
    """Everything below the title."""
    entries, damaged = common.index().look()
    stored = comparison.suite_names([entry.run for entry in entries.values()])
    names = [*SUITES, *(name for name in stored if name not in SUITES)]
    first = next(iter(stored or filter(measured, SUITES)), None)
    for asked in (st.session_state.get(NAME), st.query_params.get(NAME)):
        if asked and asked not in names and suite_runs.chosen(asked):
            names.append(asked)  # just started: nothing is stored of it yet
    options = {name: name for name in names}
    name = common.picked(st.selectbox, TEXT["suite"], options, NAME, first)
    members = of_suite(entries, name)
    tried = of_suite(entries, f"{name}, rates")  # the runs that tune its learning rates
    if suite := suite_runs.chosen(name):
        show_start(suite, members)
    show_progress(name, [*tried, *members])
    if members:
        show_results(name, members)
    elif shipped := measured(name):
        show_shipped(name, shipped)
    common.show_damaged(damaged)


def of_suite(entries: dict[str, Entry], name: str) -> list[Entry]:
    """The entries of a suite's runs: of each variant and seed the newest."""
    runs = comparison.runs_of_suite([entry.run for entry in entries.values()], name)
    return [entries[run.id] for run in runs]


def show_start(chosen: Chosen, members: list[Entry]) -> None:
    """What it asks, and what trains it."""
    suite, state = chosen.suite, st.session_state
    name = suite.name
    st.markdown(f"**{i18n.translate(suite.question)}**")
    variants = " · ".join(map(i18n.translate, suite.variants))
    st.caption(TEXT["variants"].format(variants=variants))
    first, second, third, fourth = st.columns([1, 1, 1, 2], vertical_alignment="bottom")
    wanted = state.setdefault(SEEDS, {}).get(name, suite.seeds)
    wanted = max((entry.run.config.train.seed + 1 for entry in members), default=wanted)
    seeds = first.number_input(
        TEXT["seeds"],
        1,
        suite_runs.MAX_SEEDS,
        min(wanted, suite_runs.MAX_SEEDS),
        key=f"seeds-{name}",
    )
    jobs = second.number_input(TEXT["jobs"], 1, suite_runs.MAX_JOBS, 1, key="jobs")
    usual = suite.config(suite.baseline).train.total_steps
    steps = third.number_input(TEXT["steps"], 1, 10**6, usual, key=f"steps-{name}")

    def begin() -> None:
        asked, steps = int(state[f"seeds-{name}"]), int(state[f"steps-{name}"])
        changed = None if steps == usual else steps
        try:
            started = suite_runs.start(name, asked, int(state["jobs"]), changed)
            state[NAME], state[SEEDS][started] = started, asked
            state.pop(FAULT, None)
        except (ValueError, OSError) as error:
            state[FAULT] = (name, common.said(error))

    if settings.current().public:
        st.caption(suite_runs.TEXT["public"])
    else:
        working = suite_runs.working(comparison.suite_folder(run_lookup.store(), name))
        fourth.button(
            TEXT["start"], type="primary", disabled=working, key="start-suite", on_click=begin
        )
    if FAULT in state and state[FAULT][0] == name:
        st.error(state[FAULT][1])
    with st.expander(TEXT["command"]):
        try:
            asked = chosen if steps == usual else chosen.with_steps(int(steps))
            st.code(shell(*asked.command(int(seeds), int(jobs))), language="bash")
        except ConfigError as error:
            st.caption(i18n.translate(str(error)))


def show_progress(name: str, members: list[Entry]) -> None:
    """How far it is, with a way to stop it."""
    standing = suite_runs.standing(name, [entry.status.state for entry in members])
    if standing.trouble:
        st.error(i18n.translate(standing.trouble))
    if not members and not standing.alive:
        st.info(TEXT["none"])
        return
    steps = sum(min(entry.status.step, entry.status.total_steps) for entry in members)
    total = sum(entry.status.total_steps for entry in members)
    if standing.alive:
        text = TEXT["progress"].format(over=standing.over, runs=standing.runs)
        st.progress(min(1.0, steps / max(1, total)), text if members else TEXT["starting"])
        if not settings.current().public and st.button(TEXT["stop"], key="stop-suite"):
            suite_runs.stop(name)
            st.caption(TEXT["stopping"])
    elif standing.over < standing.runs:
        st.warning(TEXT["ended"].format(over=standing.over, runs=standing.runs))


def show_results(name: str, members: list[Entry]) -> None:
    """What the runs come to."""
    suite = suite_runs.chosen(name)
    rows = comparison.compare(
        [
            comparison.Result(e.run.info.variant or e.run.name, e.run.config.train.seed, e.outcome)
            for e in members
        ],
        suite.suite.baseline if suite else None,
    )
    show_rows(name, rows, command_line(members[0].run.config))


def show_shipped(name: str, shipped: Measured) -> None:
    """What the project measured, for who has no runs of this suite."""
    origin = shipped.origin
    when = ", ".join(filter(None, (origin.date, origin.machine)))
    st.caption(TEXT["shipped at"].format(when=when) if when else TEXT["shipped"])
    if origin.rates:
        rates = ", ".join(f"{i18n.translate(each)} {rate:g}" for each, rate in origin.rates.items())
        st.caption(TEXT["rates"].format(rates=rates))
    show_rows(name, shipped.rows, origin.command)


def show_rows(name: str, rows: list[Row], base: str) -> None:
    """The table, as a picture and as numbers."""
    suite = suite_runs.chosen(name)
    compared = [row for row in rows if row.difference is not None]
    if compared:
        st.subheader(TEXT["difference"].format(first=i18n.translate(rows[0].variant)))
        plot(several_runs.intervals(rows, theme=theme()), "intervals")
        st.caption(TEXT["legend"])
        if all(row.difference is None or row.difference.low is None for row in compared):
            st.caption(TEXT["seeds_one"])
    elif rows and rows[0].final is None:
        st.caption(TEXT["no baseline"])
    st.subheader(TEXT["table"])
    st.dataframe(
        table(rows), hide_index=True, width="stretch", column_config=columns(), placeholder="–"
    )
    if any(row.at_equal_time is not None for row in rows):
        st.caption(TEXT["time"])
    question = i18n.translate(suite.suite.question) if suite else ""
    text = comparison.to_markdown(rows, name, question, base, TEXT["report"], said)
    with st.container(horizontal=True):
        st.download_button(
            TEXT["markdown"], text, f"{name}.md", "text/markdown", on_click="ignore", key="markdown",
        )  # fmt: skip
        st.download_button(
            TEXT["csv"], comparison.to_csv(rows), f"{name}.csv", "text/csv", on_click="ignore",
            key="csv",
        )  # fmt: skip


def table(rows: list[Row]) -> pd.DataFrame:
    """A row for each variant."""
    shown: list[dict[str, Any]] = []
    for row in rows:
        difference = row.difference
        shown.append(
            {
                "Variant": said(row.variant),
                "Finished": row.finished,
                "Others": ", ".join(
                    f"{n} {said(s)}" for s, n in row.states.items() if s != "finished"
                ),
                "Final loss": row.final and row.final.mean,
                "±": row.final and row.final.deviation,
                "Best": row.best and row.best.mean,
                "Right": row.accuracy and 100 * row.accuracy.mean,
                "Bits a character": row.bits and row.bits.mean,
                "Difference": difference and difference.mean,
                "from": difference and difference.low,
                "to": difference and difference.high,
                "Verdict": said(row.verdict),
                "Processor s": row.seconds and row.seconds.mean,
                "After equal time": row.at_equal_time and row.at_equal_time.mean,
                "Verdict then": said(row.verdict_at_equal_time),
                "Parameters": row.parameters,
                "Tokens/s": row.tokens_per_second and row.tokens_per_second.mean,
            }
        )
    found = pd.DataFrame(shown).astype(dict.fromkeys(NUMBERS, "float64"))
    timed = any(row.seconds is not None for row in rows)
    return found if timed else found.drop(columns=list(TIMED))


def said(word: str) -> str:
    """A variant, a state or a verdict in the language in use."""
    return run_states.TEXT[word] if word in run_states.TEXT else i18n.translate(word)


def columns() -> dict[str, Any]:
    """How the table's columns look."""
    config = st.column_config
    looks: dict[str, Any] = {name: config.Column() for name in TEXT["columns"]}
    looks |= {name: config.NumberColumn(format=look) for name, look in NUMBERS.items()}
    looks["Variant"] = config.TextColumn(pinned=True)
    return {name: looks[name] | {"label": label} for name, label in TEXT["columns"].items()}
