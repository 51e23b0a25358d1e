"""Translation runs: find one for the page, report its progress, start and stop it.

Nothing here loads PyTorch.
"""

from __future__ import annotations

from typing import Any

from engine.data import PAIRS
from engine.presets import PRESETS
from engine.runs.store import Run
from playground.hosting import actions, checks, run_feed
from playground.runs import models, run_lookup

SHIPPED = "translate-german"
"""The shipped run that is shown if the run on the page is a language model."""
STARTERS = ("translate-german", "translate-chinese", "numbers", "dates")
"""Presets that the page can start with one click."""

TEXT = {
    "preset": "“{name}” is not one of the sets that this page can train on.",
}


def translator(run: object) -> Run:
    """Find an encoder-decoder run. Raises `ValueError` if it does not exist or is a language model."""
    found = run_lookup.find(run)
    if found.config.model.n_encoder_layer is None:
        raise ValueError(models.TEXT["continues"].format(name=found.name))
    return found


@checks.answer
def follow(run_id: str, offset: int) -> dict[str, Any]:
    """What is new in this run since byte `offset` of its log: as `run_feed.follow`."""
    offset = checks.whole("offset", offset, 0, 2**53 - 1)
    return run_feed.follow(run_lookup.find(run_id), offset, about)


def about(run: Run) -> dict[str, Any]:
    """Facts about the run for the view; `instead` is the run to show if this one is a language model."""
    translates = run.config.model.n_encoder_layer is not None
    return {
        "name": run.name,
        "shipped": run_lookup.is_shipped(run),
        "translates": translates,
        "instead": None if translates else example(),
        "languages": _languages(run),
    }


def _languages(run: Run) -> list[str] | None:
    """The names of the source and target language; None for the user's own files."""
    source = PAIRS.get(run.config.data.source)
    return None if source is None else [source.source_language, source.target_language]


@checks.answer
def stop(run: str, key: str = "") -> dict[str, Any]:
    """Save a run and end its process."""
    actions.send_command(run, "stop", key=key)
    return {}


def example() -> str | None:
    """The id of a shipped translation run, preferably `SHIPPED`; or None."""
    found = [run for run in run_lookup.shipped() if run.config.model.n_encoder_layer is not None]
    found.sort(key=lambda run: run.id != SHIPPED)
    return found[0].id if found else None


def starters() -> list[dict[str, str]]:
    """The presets of `STARTERS` that exist."""
    return [
        {"name": name, "title": PRESETS[name].title, "about": PRESETS[name].description}
        for name in STARTERS
        if name in PRESETS
    ]


def start(name: object, new_key: str = "") -> Run:
    """Start one of `starters`; `new_key` allows to change it. Raises `ValueError` with a sentence for the user."""
    if name not in [starter["name"] for starter in starters()]:
        raise ValueError(TEXT["preset"].format(name=str(name)[:40]))
    return actions.start(actions.understood({"preset": name}), new_key=new_key)
