"""Runs that translate: which one the page shows, how it gets on, starting one and stopping it.

Nothing here loads PyTorch.
"""

from __future__ import annotations

from typing import Any

from engine.data import PAIRS
from engine.presets import PRESETS
from engine.runs import Run
from playground import actions, answers, inference, library, live, sessions

SHIPPED = "translate-german"
"""The shipped run that is shown where the run on the page does not translate."""
STARTERS = ("translate-german", "translate-chinese", "numbers", "dates")
"""Presets that the page starts with one click."""

TEXT = {
    "preset": "“{name}” is not one of the sets that this page can train on.",
}


def translator(run: object) -> Run:
    """The run, if it translates. Raises `ValueError`."""
    found = actions.find(run)
    if found.config.model.n_encoder_layer is None:
        raise ValueError(inference.TEXT["continues"].format(name=found.name))
    return found


@answers.answer
def follow(run_id: str, offset: int) -> dict[str, Any]:
    """What is new in this run since byte `offset` of its log: as `live.poll`, with another `about`.

    `status` also has "alive" (it can be told to stop) and "shipped".
    """
    offset = answers.whole("offset", offset, 0, 2**53)
    run = actions.find(run_id)
    news = live.poll(run.id, offset)
    if "error" in news:
        raise ValueError(news["error"])
    if "about" in news:
        news["about"] = about(run)
    status = sessions.status(run)
    shipped = library.is_shipped(run)
    news["status"] = {
        "state": status.state,
        "step": status.step,
        "total": status.total_steps,
        "alive": (status.alive or status.state in ("waiting", "starting")) and not shipped,
        "shipped": shipped,
        "reason": answers.without_paths(status.reason),
        "place": sessions.place(run.id),
    }
    return news


def about(run: Run) -> dict[str, Any]:
    """What the view says of the run; `instead` is the run to show where this one translates nothing."""
    translates = run.config.model.n_encoder_layer is not None
    return {
        "name": run.name,
        "translates": translates,
        "instead": None if translates else example(),
        "languages": _languages(run),
        "total": run.config.train.total_steps,
    }


def _languages(run: Run) -> list[str] | None:
    """What the run reads and what it writes, by name; None for files of one's own."""
    source = PAIRS.get(run.config.data.source)
    return None if source is None else [source.source_language, source.target_language]


@answers.answer
def stop(run: str, key: str = "") -> dict[str, Any]:
    """Save a run and end its process."""
    actions.tell(run, "stop", key=key)
    return {}


def example() -> str | None:
    """The id of the shipped run that translates, the one of that name first; or None."""
    found = [run for run in library.shipped() if run.config.model.n_encoder_layer is not None]
    found.sort(key=lambda run: run.id != SHIPPED)
    return found[0].id if found else None


def starters() -> list[dict[str, str]]:
    """What the page can train with one click: those of `STARTERS` that are among the presets."""
    return [
        {"name": name, "title": PRESETS[name].title, "about": PRESETS[name].description}
        for name in STARTERS
        if name in PRESETS
    ]


def start(name: object, new_key: str = "") -> Run:
    """Train one of `starters`, to be changed with `new_key`. Raises `ValueError` in a sentence."""
    if name not in [starter["name"] for starter in starters()]:
        raise ValueError(TEXT["preset"].format(name=str(name)[:40]))
    return actions.start(actions.understood({"preset": name}), new_key=new_key)
