"""What the dashboard's pages share: the runs, the look of figures, and what stands in the address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from engine.runs import Damaged, Run
from playground import figures, library
from playground.compare import History, distinct
from playground.shelf import Entry, Shelf

REFRESH = 1.0  # seconds between two looks at the runs

TEXT = {
    "follow": "Follow running runs",
    "follow_help": "Read what is new every second. Off, the page keeps still, and a zoom stays.",
    "none": "There are no runs yet. Train one in the playground, or here and now with",
    "damaged": "Folders that cannot be read",
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


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    """One for all sessions: the learners' runs, then those that ship."""
    return Shelf(lambda: (library.store().root, library.ROOT / "checkpoints"))


@st.cache_resource(max_entries=256, show_spinner=False)
def history_of(path: Path, created: float) -> History:
    """One for each run, kept between redraws; `created` tells a run from another at its place."""
    return History(Run(path))


def histories(entries: dict[str, Entry]) -> dict[str, History]:
    """Everything that these runs have told, read to the end. Those that are gone by now are left out."""
    found: dict[str, History] = {}
    for run_id, entry in entries.items():
        try:
            history = history_of(entry.run.path, entry.run.info.created)
            history.read()
        except (OSError, ValueError):
            continue
        found[run_id] = history
    return found


def names_of(entries: dict[str, Entry]) -> dict[str, str]:
    """What each run is called, by its id; no two alike."""
    names = distinct([entry.run.name for entry in entries.values()])
    return dict(zip(entries, names, strict=True))


def theme() -> figures.Theme:
    """What the browser shows; light where it does not say."""
    return "dark" if st.context.theme.type == "dark" else "light"


def plot(figure: go.Figure, key: str) -> None:
    """A figure in the look of the page, without a title of its own."""
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True, margin_t=8, title_text="")
    config = {"displaylogo": False, "responsive": True}
    st.plotly_chart(figure, key=key, width="stretch", theme=None, config=config)


def followed(show: Any, still: bool = False) -> None:
    """Draw a part of the page again by itself while running runs are followed, unless it is to keep still.

    Streamlit loses a page that is left while such a part is being drawn.
    """
    follow = st.toggle(
        TEXT["follow"], value=True, key="follow", help=TEXT["follow_help"], bind="query-params"
    )
    st.fragment(show, run_every=REFRESH if follow and not still else None)()


def show_none(damaged: list[Damaged]) -> None:
    """Say how to make a first run."""
    st.info(TEXT["none"])
    st.code("python -m engine train --preset stories", language="bash")
    show_damaged(damaged)


def show_damaged(damaged: list[Damaged]) -> None:
    """Name the folders that cannot be read; they hide no other."""
    if damaged:
        with st.expander(f"{TEXT['damaged']}: {len(damaged)}"):
            for folder in damaged:
                st.text(folder.reason)
