"""What the dashboard's pages share: the runs, the look of figures, and what stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import plotly.graph_objects as go
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from engine.files import error_reason
from engine.runs.store import Damaged, Run, RunError
from playground import i18n, settings
from playground.figures import one_run
from playground.hosting import neighbours
from playground.i18n import LANGUAGES, Words
from playground.runs import run_lookup
from playground.screens.histories import History, distinct
from playground.screens.run_index import Entry, RunIndex

T = TypeVar("T")

REFRESH = 0.5  # seconds between two looks at the runs
FIRST_REFRESH = 1.25  # seconds until the first of them
HOLD = 0.75  # seconds for which an address reached by going back counts

TEXT = Words({
    "follow": "Follow running runs",
    "follow_help": "Read what is new every second. Off, the page keeps still, and a zoom stays.",
    "none": "There are no runs yet. Train one in the playground, or here and now with",
    "damaged": "Runs that cannot be read: {count}",
    "unread": "“{name}” cannot be read: {reason}",
    "language": "Language",
    "page": "Open the playground",
})  # fmt: skip

SWITCH = {"true": True, "false": False}
"""A toggle in the address."""

STYLE = "<style>.stMainBlockContainer { padding-top: 5rem; } .stMainBlockContainer h1 { padding-top: 0; }</style>"
"""Half of Streamlit's space above a title."""

LANGUAGE = "lang"
"""What the language is called in the address."""


def speak() -> None:
    """Say the page in the language that its address names, that was chosen before, or that the browser asks for.

    What was chosen stays in the address from page to page, so that a link is read as it was sent. Only a new
    visit, and the browser's back and forward buttons, take the language from the address: otherwise the address
    that a run is given may be older than a click on the switch.
    """
    st.session_state.kept = {}
    chosen, asked = st.session_state.get("language"), st.query_params.get(LANGUAGE)
    if asked in LANGUAGES and (chosen is None or went_back()):
        chosen = asked
    if chosen:
        st.session_state.language = chosen
        keep(LANGUAGE, [chosen])
    browser = (st.context.locale or "").lower()
    i18n.use(chosen or ("zh" if browser.startswith("zh") else "en"))


def keep(key: str, values: list[str]) -> None:
    """Have the address say this under a key, nothing without values, from the next `write_address` on."""
    st.session_state.kept = st.session_state.get("kept", {}) | {key: values}


def write_address() -> None:
    """Write what is kept into the address, at the end of every run of a page or of a part of it.

    All of it, since the address that a rerun was given may be older than what was written last. At once: key by
    key, such a rerun would take the newest choices out of the browser's address for a moment, and a reload then
    would lose them. In one order, so that the way back has no two addresses of one meaning. Nothing is left for
    the browser to write, as Streamlit's `bind` would: each would overwrite what the other knows nothing of.
    """
    state = st.session_state
    given = {key: st.query_params.get_all(key) for key in st.query_params}
    kept = given | state.get("kept", {})
    meant = {key: kept[key] for key in sorted(kept) if kept[key]}
    if meant != given or meant != state.get("written", meant):
        st.query_params.from_dict(meant)
    state.written = meant


def address(**query: Any) -> dict[str, Any]:
    """What stands in the address of another page: this, and the language if one was chosen."""
    language = st.session_state.get("language")
    return query | ({LANGUAGE: language} if language else {})


def heading(title: str) -> None:
    """The page's title, the way to the playground where that runs, and the switch of the language."""
    key = "language-switch"
    st.session_state[key] = i18n.current()

    def switch() -> None:
        st.session_state.language = st.session_state[key]
        st.session_state.pop("went_back", None)  # the choice is newer than that

    st.html(STYLE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(title)
        if page := neighbours.page():
            st.link_button(TEXT["page"], page, type="tertiary", icon=":material/open_in_new:")
        st.segmented_control(
            TEXT["language"], list(LANGUAGES), format_func=LANGUAGES.__getitem__, required=True, key=key,
            on_change=switch, label_visibility="collapsed", width="content",
        )  # fmt: skip


def went_back() -> bool:
    """Did the browser's back or forward button lead here, to an address of before?

    Also for a moment after it: a browser that draws a part again by itself may send what its widgets showed
    before it has learned what they are to show.
    """
    state, context = st.session_state, get_script_run_ctx()
    if context is not None and context.is_history_navigation:
        state.went_back = monotonic()
    return monotonic() < state.get("went_back", -HOLD) + HOLD


def start_of(key: str, parse: Callable[[str], T | None], usual: T) -> T:
    """What a widget shows at first: the value of its key in the address, else the usual one.

    Also what it shows after going back to an earlier address.
    """
    state = st.session_state
    starts: dict[str, Any] = state.setdefault("starts", {})
    if key not in state or key not in starts or went_back():
        found = parse(st.query_params.get(key, ""))
        starts[key] = usual if found is None else found
        if state.get(key, starts[key]) != starts[key]:
            state[key] = starts[key]
    return starts[key]


def value_of(key: str, parse: Callable[[str], T | None], usual: T) -> T:
    """What a widget shows, also before it has been drawn for the first time."""
    start = start_of(key, parse, usual)
    return st.session_state.get(key, start)


def picked(
    widget: Callable[..., Any],
    label: str,
    options: Mapping[str, str],
    key: str,
    usual: str | None = None,
    **more: Any,
) -> str:
    """One of some options by its key, usually the first, chosen with a widget that shows their words.

    The key stands in the address under the widget's, so that a link means the same in every language.
    """
    keys = list(options)
    usual = keys[0] if usual is None else usual
    start = start_of(key, lambda given: given if given in options else None, usual)
    if start not in options:
        start = usual
    at = {"index": keys.index(start)} if widget.__name__ == "selectbox" else {"default": start}
    value = widget(label, keys, format_func=options.__getitem__, key=key, **at, **more)
    chosen = str(value if value in options else usual)
    keep(key, [] if chosen == usual else [chosen])
    return chosen


def toggled(label: str, key: str, usual: bool = False, **more: Any) -> bool:
    """A toggle, whose state stands in the address where it is not the usual."""
    start = start_of(key, SWITCH.get, usual)
    value = st.toggle(label, value=start, key=key, **more)
    keep(key, [] if value == usual else [str(value).lower()])
    return value


@cache
def index() -> RunIndex:
    """One for all sessions: the learners' runs, then those that ship."""
    return RunIndex(lambda: (run_lookup.store().root, run_lookup.ROOT / "checkpoints"), for_all)


def for_all(run: Run) -> bool:
    """May every visitor see this run? On a public host none that learns from a text of its owner's, which its
    samples repeat. The ids of the others may be seen: they are names, and a run is changed with its key."""
    return not settings.current().public or run.config.data.train_data_path is None


@st.cache_resource(max_entries=256, show_spinner=False)
def history_of(path: Path, created: float) -> History:
    """One for each run, kept between redraws; `created` distinguishes a run from another in its place."""
    return History(Run(path))


def histories(entries: dict[str, Entry]) -> dict[str, History]:
    """All events of these runs, read to the end. Of one that is gone by now, or damaged, the page
    says so, and goes on without it."""
    found: dict[str, History] = {}
    for run_id, entry in entries.items():
        try:
            history = history_of(entry.run.path, entry.run.info.created)
            history.read()
        except (OSError, RunError) as error:
            st.warning(TEXT["unread"].format(name=entry.run.name, reason=said(error)))
            continue
        found[run_id] = history
    return found


def said(error: Exception) -> str:
    """What a damaged run's error says, in the language in use."""
    return i18n.translate(getattr(error, "reason", "") or error_reason(error))


def names_of(entries: dict[str, Entry]) -> dict[str, str]:
    """What each run is called, by its id; no two alike. Of a suite's run what differs comes first."""

    def name_of(run: Run) -> str:
        suite = run.info.suite
        own = run.name.removeprefix(f"{suite}: ") if suite else run.name
        return run.name if own == run.name else f"{own} · {suite}"

    names = distinct([name_of(entry.run) for entry in entries.values()])
    return dict(zip(entries, names, strict=True))


def theme() -> one_run.Theme:
    """What the browser shows; light where it does not say."""
    return "dark" if st.context.theme.type == "dark" else "light"


def plot(figure: go.Figure, key: str) -> None:
    """A figure in the look of the page, without a title of its own."""
    figure.update_layout(xaxis_automargin=True, yaxis_automargin=True, margin_t=8, title_text="")
    config = {"displaylogo": False, "responsive": True}
    st.plotly_chart(figure, key=key, width="stretch", theme=None, config=config)


def followed(show: Callable[[], None], still: bool = False) -> None:
    """Draw a part of the page again by itself while running runs are followed, unless it is to keep still.

    A visitor's first page is left in peace until the browser has put it up: it would draw the part twice before
    it is seen at all. Streamlit loses a page that is left while such a part is being drawn.
    """
    language, state = i18n.current(), st.session_state
    drawn: list[bool] = []

    @wraps(show)
    def part() -> None:
        if drawn and not state.get("put_up"):
            state.put_up = True
            st.rerun()  # the whole page, whose part then follows more closely
        drawn.append(True)
        i18n.use(language)  # the part draws itself without the rest of the page
        show()
        write_address()

    above = st.container()
    every = REFRESH if state.get("put_up") else FIRST_REFRESH
    follow = value_of("follow", SWITCH.get, True)
    st.fragment(part, run_every=every if follow and not still else None)()
    with above:  # sent after the part, which the browser takes longer for
        toggled(TEXT["follow"], "follow", usual=True, help=TEXT["follow_help"])


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
                st.text(f"{folder.id[:8]}: {i18n.translate(folder.reason)}")
