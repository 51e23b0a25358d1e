"""The dashboard: stored runs beside each other, as they stand and as they grow.

    streamlit run playground/dashboard.py

It reads the runs' folders and writes nothing. What it computes is in `compare.py`; here is only the
page. It follows running runs by drawing itself again every two seconds.

Nothing in this file loads PyTorch. Streamlit would print a string that stands alone, so values are
documented by comments here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import pandas as pd
import streamlit as st

from engine.outcomes import differing
from engine.runs import Damaged, Run, RunStore, Status
from playground import figures, library
from playground.compare import History, distinct, sampled_steps, what_changed
from playground.controls import LABELS

REFRESH = 2.0  # seconds between two looks at the runs
FIRST_CHOICE = 3  # runs that are compared before anything was chosen
BESIDE = 4  # runs whose samples stand in one row

TEXT = {
    "title": "Runs side by side",
    "intro": "Every run on this machine: those that ship with the project and those trained here.",
    "follow": "Follow running runs",
    "follow_help": "Read what is new every two seconds. Off, the page keeps still, and a zoom stays.",
    "none": "There are no runs yet. Train one in the playground, or here and now with",
    "loss_help": "The newest loss on held-out data, in nats per token",
    "best_help": "The lowest held-out loss so far",
    "right_help": "Exact answers on held-out items, for a task",
    "speed_help": "Over the last 50 steps",
    "changed_help": "The nearest preset, and what differs from it",
    "damaged": "Folders that cannot be read",
    "choose": "Runs to compare",
    "chosen_none": "Choose one or more runs above to compare them.",
    "losses": "Loss",
    "losses_help": "Nats per token. Lines: held-out data. Faint lines: the training batches.",
    "log": "Log scale",
    "smoothing": "Training loss averaged over so many steps",
    "no_losses": "None of these runs has measured a loss yet.",
    "balance": "Balance of experts",
    "balance_help": "MaxVio of the least balanced layer: how far the busiest expert is above the mean. "
    "0: all have equal work. With E experts, E - 1: one does everything.",
    "differences": "How they differ",
    "same": "These runs have the same configuration.",
    "one": "Choose a second run to see how they differ.",
    "samples": "What they write",
    "step": "At step",
    "no_samples": "None of these runs has written a sample yet.",
    "right": "right",
    "wrong": "wrong",
}

STATES = {
    "new": "not started",
    "starting": "starting",
    "running": "training",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "diverged": "diverged",
    "failed": "failed",
    "interrupted": "interrupted",
}


@st.cache_resource(max_entries=256, show_spinner=False)
def history_of(path: Path, created: float) -> History:
    """One for each run, kept between redraws; `created` tells a run from another at its place."""
    return History(Run(path))


def find_runs() -> tuple[dict[str, History], dict[str, Status], list[Damaged]]:
    """Every readable run by its id, the newest first and the shipped last; and the unreadable."""
    histories: dict[str, History] = {}
    statuses: dict[str, Status] = {}
    damaged: list[Damaged] = []
    for store in (library.store(), RunStore(library.ROOT / "checkpoints")):
        damaged += store.damaged()
        for run in store.list():
            if run.id in histories:
                continue
            try:
                history = history_of(run.path, run.info.created)
                history.read()
                statuses[run.id] = run.status()
                histories[run.id] = history
            except OSError as error:  # deleted, or no longer readable, while it was being read
                damaged.append(Damaged(run.id, run.path, f"{run.path}: {error.strerror}"))
    return histories, statuses, damaged


def names_of(histories: dict[str, History]) -> dict[str, str]:
    """What each run is called, by its id; no two alike."""
    names = distinct([history.run.name for history in histories.values()])
    return dict(zip(histories, names, strict=True))


def table(histories: dict[str, History], statuses: dict[str, Status]) -> pd.DataFrame:
    names = names_of(histories)
    rows = [
        {
            "Run": names[run_id],
            "Status": STATES[statuses[run_id].state],
            "Progress": 100 * statuses[run_id].step / statuses[run_id].total_steps,
            "Step": statuses[run_id].step,
            "Held-out loss": history.final_loss,
            "Best": history.best_loss,
            "Right": None if history.accuracy is None else 100 * history.accuracy,
            "Tokens/s": history.tokens_per_second,
            "Parameters": history.count(),
            "What changed": what_changed(history.run.config),
        }
        for run_id, history in histories.items()
    ]
    # As numbers, so that a column in which nothing is known yet is an empty one.
    numbers = ("Held-out loss", "Best", "Right", "Tokens/s", "Parameters")
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, "float64"))


COLUMNS = {
    "Run": st.column_config.TextColumn(pinned=True, width="medium"),
    "Progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
    "Step": st.column_config.NumberColumn(format="localized"),
    "Held-out loss": st.column_config.NumberColumn(format="%.3f", help=TEXT["loss_help"]),
    "Best": st.column_config.NumberColumn(format="%.3f", help=TEXT["best_help"]),
    "Right": st.column_config.NumberColumn(format="%.0f %%", help=TEXT["right_help"]),
    "Tokens/s": st.column_config.NumberColumn(format="compact", help=TEXT["speed_help"]),
    "Parameters": st.column_config.NumberColumn(format="compact"),
    "What changed": st.column_config.TextColumn(help=TEXT["changed_help"]),
}


def choose(histories: dict[str, History]) -> dict[str, History]:
    """The runs to compare; the page's address names them, so that a link shows the same."""
    state, names = st.session_state, names_of(histories)
    if "chosen" not in state:
        known = [run_id for run_id, history in histories.items() if history.evaluations]
        state.chosen = st.query_params.get_all("run") or known[:FIRST_CHOICE]
    state.chosen = [run_id for run_id in state.chosen if run_id in histories]

    def name_of(run_id: str) -> str:
        return names[run_id]

    def remember() -> None:
        st.query_params["run"] = state.chosen

    chosen = st.multiselect(
        TEXT["choose"], list(histories), format_func=name_of, key="chosen", on_change=remember
    )
    return {run_id: histories[run_id] for run_id in chosen}


def theme() -> figures.Theme:
    """What the browser shows; light where it does not say."""
    return "dark" if st.context.theme.type == "dark" else "light"


def colour(number: int) -> str:
    """The colour of the run at this place among the chosen, here as in the figure."""
    colours = figures.PALETTE[theme()]
    return colours[number % len(colours)]


def show_losses(chosen: dict[str, History]) -> None:
    st.subheader(TEXT["losses"], help=TEXT["losses_help"])
    left, right = st.columns([1, 2], vertical_alignment="center")
    log = left.toggle(TEXT["log"], key="log")
    smoothing = right.slider(TEXT["smoothing"], 0, 100, 10, 5, key="smoothing")
    if not any(history.steps or history.evaluations for history in chosen.values()):
        st.info(TEXT["no_losses"])
        return
    names = names_of(chosen)
    curves = {names[run_id]: history.curves() for run_id, history in chosen.items()}
    figure = figures.compare(curves, title="", log=log, smoothing=smoothing, theme=theme())
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True, margin_t=8)
    config = {"displaylogo": False, "responsive": True}
    st.plotly_chart(figure, key="losses", width="stretch", theme=None, config=config)


def show_balance(chosen: dict[str, History]) -> None:
    """Only where there is a run with experts."""
    if not any(history.routings for history in chosen.values()):
        return
    st.subheader(TEXT["balance"], help=TEXT["balance_help"])
    names = names_of(chosen)
    curves = {names[run_id]: history.curves() for run_id, history in chosen.items()}
    figure = figures.imbalance(curves, title="", theme=theme())
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True, margin_t=8, height=260)
    config = {"displaylogo": False, "responsive": True}
    st.plotly_chart(figure, key="balance", width="stretch", theme=None, config=config)


def show_differences(chosen: dict[str, History]) -> None:
    st.subheader(TEXT["differences"])
    if len(chosen) < 2:
        st.caption(TEXT["one"])
        return
    names = names_of(chosen)
    fields = differing({run_id: history.run.config for run_id, history in chosen.items()})
    if not fields:
        st.caption(TEXT["same"])
        return
    rows = [
        {"": LABELS.get(field) or field.replace("_", " ").capitalize(), "Field": field}
        | {names[run_id]: shown(value) for run_id, value in values.items()}
        for field, values in fields.items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def shown(value: Any) -> str:
    """A field's value as a person would write it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def show_samples(chosen: dict[str, History]) -> None:
    st.subheader(TEXT["samples"])
    steps = sampled_steps(chosen.values())
    if not steps:
        st.info(TEXT["no_samples"])
        return
    step = steps[-1]
    if len(steps) > 1:
        step = st.select_slider(TEXT["step"], steps, value=step, key=f"step-{step}")
    names = names_of(chosen)
    beside = min(len(chosen), BESIDE)
    columns = [column for _ in range(0, len(chosen), beside) for column in st.columns(beside)]
    for number, (run_id, history) in enumerate(chosen.items()):
        with columns[number]:
            st.html(f'<div style="height: 3px; background: {colour(number)}"></div>')
            st.text(names[run_id])
            for sample in history.samples_at(step):
                verdict = {None: "", True: TEXT["right"], False: TEXT["wrong"]}[sample.correct]
                st.code(sample.prompt + sample.text, language=None, wrap_lines=True)
                st.caption(f"step {sample.step:,}" + (f" · {verdict}" if verdict else ""))


def show_damaged(damaged: list[Damaged]) -> None:
    if damaged:
        with st.expander(f"{TEXT['damaged']}: {len(damaged)}"):
            for folder in damaged:
                st.text(folder.reason)


def show_page() -> None:
    """Everything below the title. Drawn again by itself while runs are followed."""
    histories, statuses, damaged = find_runs()
    if not histories:
        st.info(TEXT["none"])
        st.code("python -m engine train --preset stories", language="bash")
        show_damaged(damaged)
        return
    st.dataframe(
        table(histories, statuses),
        key="runs",
        hide_index=True,
        column_config=COLUMNS,
        width="stretch",
        placeholder="–",
    )
    show_damaged(damaged)
    chosen = choose(histories)
    if not chosen:
        st.info(TEXT["chosen_none"])
        return
    show_losses(chosen)
    show_balance(chosen)
    show_differences(chosen)
    show_samples(chosen)


def main() -> None:
    st.set_page_config(page_title=TEXT["title"], layout="wide")
    st.title(TEXT["title"])
    st.caption(TEXT["intro"])
    follow = st.toggle(TEXT["follow"], value=True, key="follow", help=TEXT["follow_help"])
    st.fragment(show_page, run_every=REFRESH if follow else None)()


if __name__ == "__main__":
    main()
