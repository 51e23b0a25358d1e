"""What the dashboard's pages share: the runs, the look of figures, and what stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from engine.runs import Damaged, Run
from playground import figures, i18n, library
from playground.compare import History, distinct
from playground.i18n import LANGUAGES, Words
from playground.shelf import Entry, Shelf

REFRESH = 0.5  # seconds between two looks at the runs

TEXT = Words({
    "follow": "Follow running runs",
    "follow_help": "Read what is new every second. Off, the page keeps still, and a zoom stays.",
    "none": "There are no runs yet. Train one in the playground, or here and now with",
    "damaged": "Folders that cannot be read: {count}",
    "language": "Language",
})  # fmt: skip

LANGUAGE = "lang"
"""What the language is called in the address."""


def speak() -> None:
    """Say the page in the language that its address names, that was chosen before, or that the browser asks for.

    What was chosen stays in the address from page to page, so that a link is read as it was sent.
    """
    asked = st.query_params.get(LANGUAGE)
    chosen = asked if asked in LANGUAGES else st.session_state.get("language")
    if chosen:
        _choose(chosen)
    browser = (st.context.locale or "").lower()
    i18n.use(chosen or ("zh" if browser.startswith("zh") else "en"))


def _choose(language: str) -> None:
    st.session_state.language = language
    if st.query_params.get(LANGUAGE) != language:
        st.query_params[LANGUAGE] = language


def address(**query: Any) -> dict[str, Any]:
    """What stands in the address of another page: this, and the language if one was chosen."""
    language = st.session_state.get("language")
    return query | ({LANGUAGE: language} if language else {})


def heading(title: str) -> None:
    """The page's title, and the switch of its language."""
    key = "language-switch"
    st.session_state[key] = i18n.current()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(title)
        st.segmented_control(
            TEXT["language"], list(LANGUAGES), format_func=LANGUAGES.__getitem__, required=True, key=key,
            on_change=lambda: _choose(st.session_state[key]), label_visibility="collapsed", width="content",
        )  # fmt: skip


def picked(
    widget: Callable[..., Any], label: str, options: Mapping[str, str], key: str, **more: Any
) -> str:
    """One of some options by its key, at first the first, chosen with a widget that shows their words.

    The key stands in the address under the widget's, so that a link means the same in every language;
    Streamlit's own binding would write the words.
    """
    state, first = st.session_state, next(iter(options))
    if key not in state:
        state[key] = st.query_params.get(key)
    if state[key] not in options:
        state[key] = first

    def remember() -> None:
        if (
            state[key] not in options
        ):  # nobody's choice: the browser spoke before it had been told of this one
            state[key] = st.query_params.get(key)
        elif state[key] == first:
            st.query_params.pop(key, None)
        else:
            st.query_params[key] = state[key]

    widget(
        label, list(options), format_func=options.__getitem__, key=key, on_change=remember, **more
    )
    return str(state[key])


@cache
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


def followed(show: Callable[[], None], still: bool = False) -> None:
    """Draw a part of the page again by itself while running runs are followed, unless it is to keep still.

    Streamlit loses a page that is left while such a part is being drawn.
    """
    language = i18n.current()

    @wraps(show)
    def part() -> None:
        i18n.use(language)  # the part draws itself without the rest of the page
        show()

    follow = st.toggle(
        TEXT["follow"], value=True, key="follow", help=TEXT["follow_help"], bind="query-params"
    )
    st.fragment(part, run_every=REFRESH if follow and not still else None)()


def show_none(damaged: list[Damaged]) -> None:
    """Say how to make a first run."""
    st.info(TEXT["none"])
    st.code("python -m engine train --preset stories", language="bash")
    show_damaged(damaged)


def show_damaged(damaged: list[Damaged]) -> None:
    """Name the folders that cannot be read; they hide no other."""
    if damaged:
        with st.expander(TEXT["damaged"].format(count=len(damaged))):
            for folder in damaged:
                st.text(i18n.translate(folder.reason))
