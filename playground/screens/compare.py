"""Some runs beside each other: curves, differences, what they write, and their inside at one step."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from starlette.requests import Request
from starlette.responses import Response

from engine.runs import snapshots
from engine.runs.summary import differing_fields
from playground import i18n
from playground.figures import one_run, several_runs
from playground.figures.curves import SMOOTHING
from playground.i18n import Words
from playground.planning.controls import CONTROLS
from playground.runs import recordings
from playground.screens import common, report
from playground.screens.common import names_of, plot, show_damaged, show_none, theme
from playground.screens.histories import History, distinct, levels, sampled_steps, seeded
from playground.screens.run_index import Entry

FIRST_CHOICE = 3  # runs that are compared before anything was chosen
BESIDE = 4  # runs whose samples stand in one row

TEXT = Words({
    "title": "Compare",
    "choose": "Runs to compare",
    "chosen_none": "Choose one or more runs above to compare them.",
    "metric": "What",
    "curves": "Curves",
    "curves_help": "Of the loss: lines with points are validation data, faint lines the training batches. Dotted lines are "
    "what guessing and counting reach on the same data, where all runs share it.",
    "axis": "Over",
    "axis_help": "Seconds are those of the training steps alone, on the machine that trained the run.",
    "log": "Log scale",
    "log_x": "Log scale across",
    "bands": "Seeds as one band",
    "bands_help": "Runs that differ in their seed alone become their mean, from least to most.",
    "smoothing": "Steps averaged over",
    "nothing": "None of these runs has measured this yet.",
    "seeds": "{name} ({count} seeds)",
    "differences": "How they differ",
    "same": "These runs have the same configuration.",
    "one": "Choose a second run to see how they differ.",
    "samples": "What they write",
    "step": "At step",
    "no_samples": "None of these runs has written a sample yet.",
    "right": "correct",
    "wrong": "wrong",
    "inside": "Inside two of them, at the same step",
    "inside_one": "Choose a second run to see two of them side by side.",
    "pair": "Which two",
    "no_inside": "No attention was recorded.",
    "layer": "Block",
    "head": "Head",
    "load": "How busy each expert was, against its fair share",
    "at": "recorded at step {step:,}",
    "take": "Take it along",
    "csv": "Curves as CSV",
    "report": "Report (Markdown with figures)",
    "field": "Field",
    "sample": "step {step:,}",
    "metrics": {
        "loss": "loss",
        "right answers": "right answers",
        "balance": "balance",
        "learning rate": "learning rate",
        "gradient": "gradient",
    },
    "axes": {"steps": "steps", "tokens": "tokens", "FLOPs": "FLOPs", "seconds": "seconds"},
    "axis_titles": {"steps": "Steps", "tokens": "Tokens", "FLOPs": "FLOPs", "seconds": "Seconds"},
})  # fmt: skip


def show() -> None:
    """The page."""
    common.heading(TEXT["title"])
    common.followed(show_all)


def show_all() -> None:
    """Everything below the title."""
    entries, damaged = common.index().look()
    if not entries:
        show_none(damaged)
        return
    chosen = choose(entries)
    if not chosen:
        st.info(TEXT["chosen_none"])
        show_damaged(damaged)
        return
    histories = common.histories(chosen)
    names = {run_id: name for run_id, name in names_of(chosen).items() if run_id in histories}
    show_curves(histories, names)
    show_differences(histories, names)
    show_samples(histories, names)
    show_inside(histories, names)
    show_downloads(chosen)
    show_damaged(damaged)


def choose(entries: dict[str, Entry]) -> dict[str, Entry]:
    """The runs to compare; the page's address names them, so that a link shows the same."""
    state, names = st.session_state, names_of(entries)
    if "chosen" not in state or common.went_back():
        known = [run_id for run_id, entry in entries.items() if entry.evaluations]
        linked = st.query_params.get_all("run")
        state.chosen, state.usual = linked or known[:FIRST_CHOICE], not linked
    state.chosen = [run_id for run_id in state.chosen if run_id in entries]

    def name_of(run_id: str) -> str:
        return names[run_id]

    def by_hand() -> None:
        state.usual = False

    chosen = st.multiselect(
        TEXT["choose"], list(entries), format_func=name_of, key="chosen", on_change=by_hand
    )
    common.keep("run", [] if state.usual else chosen)
    return {run_id: entries[run_id] for run_id in chosen}


def show_curves(histories: dict[str, History], names: dict[str, str]) -> None:
    """The runs over each other."""
    st.subheader(TEXT["curves"], help=TEXT["curves_help"])
    first, second, third = st.columns([3, 2, 2], vertical_alignment="bottom")
    with first:
        metric = common.picked(
            st.segmented_control, TEXT["metric"], TEXT["metrics"], "metric", required=True
        )
    with second:
        axis = common.picked(
            st.segmented_control,
            TEXT["axis"],
            TEXT["axes"],
            "over",
            required=True,
            help=TEXT["axis_help"],
        )
    start = common.start_of("smoothing", averaged, SMOOTHING)
    smoothing = third.slider(TEXT["smoothing"], 0, 100, start, 5, key="smoothing")
    common.keep("smoothing", [] if smoothing == SMOOTHING else [str(smoothing)])
    with st.container(horizontal=True):
        log = common.toggled(TEXT["log"], "log")
        log_x = common.toggled(TEXT["log_x"], "logx")
        banded = common.toggled(TEXT["bands"], "bands", help=TEXT["bands_help"])
    curves = {run_id: history.curves(axis) for run_id, history in histories.items()}
    values = several_runs.METRICS[metric].values
    there = any(len(values(each)[0]) for each in curves.values())
    if not there and not (metric == "loss" and any(len(each.step) for each in curves.values())):
        st.info(TEXT["nothing"])
        return
    look: dict[str, Any] = {"metric": metric, "axis": TEXT["axis_titles"][axis], "log": log}
    look |= {"log_x": log_x, "theme": theme(), "levels": levels(histories.values())}
    if banded:
        groups = seeded({run_id: history.run.config for run_id, history in histories.items()})
        named = banded_names(groups, names, curves)
    else:
        named = {names[run_id]: each for run_id, each in curves.items()}
    plot(several_runs.compare(named, smoothing=smoothing, **look), "curves")


def averaged(given: str) -> int | None:
    """The steps to average over that an address names: from 0 to 100, in fives."""
    return int(given) if given in map(str, range(0, 101, 5)) else None


def banded_names(
    groups: list[list[str]], names: dict[str, str], curves: dict[str, Any]
) -> dict[str, list[Any]]:
    """Each group's curves by the name of its first run."""
    labels = [
        TEXT["seeds"].format(name=names[group[0]], count=len(group))
        if len(group) > 1
        else names[group[0]]
        for group in groups
    ]
    members = [[curves[run_id] for run_id in group] for group in groups]
    return dict(zip(distinct(labels), members, strict=True))


def show_differences(histories: dict[str, History], names: dict[str, str]) -> None:
    """The fields in which the runs differ."""
    st.subheader(TEXT["differences"])
    if len(histories) < 2:
        st.caption(TEXT["one"])
        return
    fields = differing_fields({run_id: history.run.config for run_id, history in histories.items()})
    if not fields:
        st.caption(TEXT["same"])
        return
    rows = [
        {
            "label": i18n.translate(CONTROLS[field].label) if field in CONTROLS else "",
            "field": field,
        }
        | {f"run {number}": report.shown(value) for number, value in enumerate(values.values())}
        for field, values in fields.items()
    ]
    # A run's name is what its column shows, never what the column is known by.
    heads = {"label": "", "field": TEXT["field"]}
    heads |= {f"run {number}": names[run_id] for number, run_id in enumerate(histories)}
    columns = {key: st.column_config.TextColumn(head) for key, head in heads.items()}
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=columns)


def show_samples(histories: dict[str, History], names: dict[str, str]) -> None:
    """What the runs wrote at one step."""
    st.subheader(TEXT["samples"])
    steps = sampled_steps(histories.values())
    if not steps:
        st.info(TEXT["no_samples"])
        return
    step = step_of(steps, "step")
    beside = min(len(histories), BESIDE)
    columns = [column for _ in range(0, len(histories), beside) for column in st.columns(beside)]
    for number, (run_id, history) in enumerate(histories.items()):
        with columns[number]:
            colour = one_run.line_of(number, theme())["color"]
            st.html(f'<div style="height: 3px; background: {colour}"></div>')
            st.text(names[run_id])
            for sample in history.samples_at(step):
                verdict = {None: "", True: TEXT["right"], False: TEXT["wrong"]}[sample.correct]
                st.code(sample.prompt + sample.text, language=None, wrap_lines=True)
                at = TEXT["sample"].format(step=sample.step)
                st.caption(f"{at} · {verdict}" if verdict else at)


def step_of(steps: list[int], key: str) -> int:
    """One of these steps, chosen with a slider if there are several; first, and whenever there is a newer one, the last."""
    if len(steps) == 1:
        return steps[0]
    return st.select_slider(TEXT["step"], steps, value=steps[-1], key=f"{key}-{steps[-1]}")


# Inside -------------------------------------------------------------------------------------------


def show_inside(histories: dict[str, History], names: dict[str, str]) -> None:
    """Attention, and the load of experts, of two runs at the same step."""
    st.subheader(TEXT["inside"])
    if len(histories) < 2:
        st.caption(TEXT["inside_one"])
        return
    recorded = {run_id: recordings.recorded(history.run) for run_id, history in histories.items()}
    able = [run_id for run_id in histories if recorded[run_id] or histories[run_id].routings]
    if len(able) < 2:
        st.caption(TEXT["no_inside"])
        return
    pair = able[:2]
    if len(able) > 2:
        pair = st.multiselect(
            TEXT["pair"], able, default=pair, max_selections=2, format_func=names.__getitem__,
            key="pair",
        )  # fmt: skip
    steps = sorted(
        {s for run_id in pair for s in recorded[run_id]}
        | {each.step for run_id in pair for each in histories[run_id].routings}
    )
    if not steps:
        return
    step = step_of(steps, "inside")
    for column, run_id in zip(st.columns(2), pair, strict=False):
        with column:
            st.text(names[run_id])
            show_attention(histories[run_id], recorded[run_id], step)
            show_load(histories[run_id], step)


def show_attention(history: History, recorded: dict[int, Any], step: int) -> None:
    """One head at the newest recording that is not later than this step."""
    earlier = [each for each in recorded if each <= step]
    if not earlier:
        st.caption(TEXT["no_inside"])
        return
    run = history.run
    try:
        snapshot = recordings.snapshot(recorded[earlier[-1]])
        pieces = list(run.tokenizer().pieces)
    except ValueError as error:
        st.caption(common.said(error))
        return
    layers, heads = snapshot.attention.shape[:2]
    left, right = st.columns(2)
    layer = left.selectbox(TEXT["layer"], range(1, layers + 1), key=f"layer-{run.id}")
    head = right.selectbox(TEXT["head"], range(1, heads + 1), key=f"head-{run.id}")
    weights = snapshots.dequantise(snapshot.attention[int(layer or 1) - 1, int(head or 1) - 1])
    tokens = [pieces[i] if i < len(pieces) else "?" for i in snapshot.tokens.tolist()]
    plot(one_run.attention(weights, tokens, theme=theme()), f"attention-{run.id}")
    st.caption(TEXT["at"].format(step=snapshot.step))


def show_load(history: History, step: int) -> None:
    """The experts' load at the newest record that is not later than this step; nothing if dense."""
    record = history.loads_at(step)
    if record is None:
        return
    st.text(TEXT["load"])
    plot(several_runs.expert_load(record, theme=theme()), f"load-{history.run.id}")
    st.caption(TEXT["at"].format(step=record.step))


def show_downloads(chosen: dict[str, Entry]) -> None:
    """Links to the data, and to a report, of the chosen runs: `take` makes them when they are asked for.

    Not download buttons: Streamlit gives their content another address whenever it draws the page, and a
    click that comes before the browser knows the new one is lost.
    """
    st.subheader(TEXT["take"])
    query = urlencode([*(("run", run_id) for run_id in chosen), (common.LANGUAGE, i18n.current())])
    links = [
        f'<a class="take" download href="{escape(f"take/{name}?{query}")}">{escape(label)}</a>'
        for name, label in (("curves.csv", TEXT["csv"]), ("report.zip", TEXT["report"]))
    ]
    st.html(LOOK + "".join(links))


LOOK = """<style>
.take { display: inline-block; margin: 0 1rem 0.5rem 0; padding: 0.4rem 0.75rem; border-radius: 0.5rem; color: inherit;
  border: 1px solid color-mix(in srgb, currentColor 20%, transparent); text-decoration: none; }
.take:hover { border-color: currentColor; }
</style>"""
"""A link that looks like the buttons around it."""

TAKEN: dict[str, tuple[str, Callable[[dict[str, History]], str | bytes]]] = {
    "curves.csv": ("text/csv", report.curves_csv),
    "report.zip": ("application/zip", report.archive),
}
"""What can be taken along, by the file's name: its type, and what makes it of some runs."""


def take(request: Request) -> Response:
    """Answer a link of `show_downloads` with the file."""
    name = request.path_params["name"]
    if name not in TAKEN:
        return Response(status_code=404)
    language = request.query_params.get(common.LANGUAGE)
    i18n.use(language if language in i18n.LANGUAGES else "en")
    entries, _ = common.index().look()
    chosen = {
        run_id: entries[run_id]
        for run_id in request.query_params.getlist("run")
        if run_id in entries
    }
    names = names_of(chosen)
    runs = {names[run_id]: history for run_id, history in common.histories(chosen).items()}
    kind, made = TAKEN[name]
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made(runs), media_type=kind, headers=headers)
