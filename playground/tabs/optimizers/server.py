"""Server functions of the tab Optimizers: start a race, follow it, and show the one that is stored.

Any client may call these functions, so every argument is checked, and errors are returned as {"error": "a sentence for
the user"}. Nothing here loads PyTorch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypedDict

import orjson

from engine.ablation.races import (
    FIELDS,
    MAX_ENTRIES,
    MAX_SEEDS,
    MAX_STEPS,
    MODEL,
    USUAL,
    RacePlan,
    verdicts,
)
from engine.files import read_stored
from playground.hosting import checks
from playground.runs import run_lookup
from playground.tabs.optimizers import races

STORED = run_lookup.ROOT / "assets" / "race.jsonl"
"""The race that the page shows at first. Its first line names the command that wrote it."""

CONSTANTS: dict[str, Any] = {
    "fields": FIELDS,
    "usual": USUAL,
    "most": {"entries": MAX_ENTRIES, "steps": MAX_STEPS, "seeds": MAX_SEEDS},
    "blocks": MODEL["n_layer"],
}
"""What the view needs to know about optimizers."""


class Verdict(TypedDict):
    """An entry's final loss minus that of the first entry, over the seeds that both have."""

    mean: float
    low: float | None
    high: float | None
    count: int
    within_noise: bool | None


class RaceNews(TypedDict):
    """What is new of a race."""

    race: str
    state: str
    reason: str
    place: int | None
    offset: int
    events: list[dict[str, Any]]
    verdicts: list[Verdict | None]


class RaceBegun(TypedDict):
    """The id of a race that was started."""

    race: str


@checks.answer
def begin(entries: list[dict[str, Any]], steps: int, seeds: int) -> RaceBegun:
    """Start a race of these entries: {"optimizer": name, and settings by the names of their fields}."""
    plan = RacePlan.of(entries, steps, seeds)
    return {"race": races.begin(plan, [_word(entry) for entry in plan.entries]).id}


def _word(entry: dict[str, Any]) -> str:
    """A checked entry, as the command line takes it: only what is not usual."""
    optimizer, usual = entry["optimizer"], USUAL[entry["optimizer"]]
    given = [
        f"{name}={value!r}" for name, value in entry.items() if value != usual.get(name, optimizer)
    ]
    return ",".join([optimizer, *given])


@checks.answer
def follow(race: str, offset: int) -> RaceNews:
    """The events of a race since number `offset`; "" is the stored race."""
    offset = checks.whole("offset", offset, 0, 10**6)
    if not race:
        return _news(race, "over", stored(), offset)
    found = races.find(race)
    state = found.state  # before the events: when it is over, all of them are there
    return _news(race, state, list(found.events), offset, found.reason, races.place(found))


def _news(
    race: str,
    state: str,
    events: list[dict[str, Any]],
    offset: int,
    reason: str = "",
    place: int | None = None,
) -> RaceNews:
    return {
        "race": race,
        "state": state,
        "reason": reason,
        "place": place,
        "offset": max(offset, len(events)),
        "events": events[offset:],
        "verdicts": compared(events),
    }


@checks.answer
def stop(race: str) -> RaceBegun:
    """Stop a race."""
    races.stop(races.find(race))
    return {"race": race}


@functools.cache
def stored() -> list[dict[str, Any]]:
    """The events of the race that the page shows at first."""
    return [orjson.loads(line) for line in read_stored(STORED).splitlines()]


def compared(events: Sequence[dict[str, Any]]) -> list[Verdict | None]:
    """The verdict on each entry, from the validation losses after the last step; [] before there is a plan."""
    plan = next((event for event in events if event["kind"] == "Plan"), None)
    if plan is None:
        return []
    losses: list[dict[int, float]] = [{} for _ in plan["entries"]]
    for event in events:
        if event["kind"] == "Measured" and event["step"] == plan["steps"]:
            losses[event["entry"]][event["seed"]] = event["loss"]
    return [
        None if each is None else {**asdict(each), "within_noise": each.within_noise}  # type: ignore[typeddict-item]
        for each in verdicts(losses)
    ]


SERVED: checks.Served = (begin, follow, stop)
"""The functions that the view may call."""
