"""The races that this server runs: each is a process, `python -m engine race`, whose lines are kept here.

A race belongs to whoever knows its id. It ends when no page polls it any more, and on a public host after
`MAX_SECONDS`; there, races wait for each other. The registry is on `sys`, because Gradio's hot reload executes
modules again.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from engine.ablation.races import RacePlan
from playground import settings
from playground.access import visitors
from playground.access.visitors import Visitor
from playground.hosting import processes
from playground.runs import run_lookup

AWAY_SECONDS = 20.0
"""Seconds without a poll after which a race ends."""
KEEP_SECONDS = 600.0
"""Seconds without a poll after which the lines of a race are dropped."""
MAX_SECONDS = 300.0
"""Seconds of a race on a public host."""
MAX_UPDATES = 4_000
"""Steps times optimizers times seeds of a race on a public host: about a minute of its processor."""
PUBLIC_RACES = 1
"""Races at once on a public host; the others wait."""
MAX_WAITING = 20

State = Literal["waiting", "starting", "running", "over", "stopped", "failed"]
ACTIVE = ("waiting", "starting", "running")

_HOME = "_playground_races"

TEXT = {
    "gone": "This race is no longer kept: start it again.",
    "updates": "A race on this host may have {most:,} updates, and {steps} steps of {entries} optimizers with {seeds} "
    "seeds are {count:,}: take fewer of them.",
    "full": "The queue of races is full ({most} wait already): try again in a minute.",
    "address": "{count} races from your network are active or wait already on this host: try again when one of them has ended.",
    "late": "A race may take {most:g} seconds on this host, and this one was stopped then.",
}


@dataclass(eq=False)
class Race:
    """One race, and the events that it has printed."""

    plan: RacePlan
    words: list[str]
    """The entries on the command line."""
    owner: Visitor | None
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = "waiting"
    reason: str = ""
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    seen: float = field(default_factory=time.monotonic)
    began: float = 0.0
    process: subprocess.Popen[bytes] | None = None


@dataclass
class Races:
    """Every race of this program, in the order in which they were asked for."""

    lock: Any = field(default_factory=threading.RLock)
    races: dict[str, Race] = field(default_factory=dict)


def registry() -> Races:
    """The one registry of this program."""
    return processes.kept(_HOME, Races, close)


def begin(plan: RacePlan, words: Sequence[str]) -> Race:
    """Start a race, or let it wait for its turn; an earlier one of the same browser is stopped.

    Raises `ValueError` if this host allows no such race, or none now.
    """
    _check_size(plan)
    race = Race(plan, list(words), visitors.current())
    known = registry()
    with known.lock:
        _tidy()
        active = [each for each in known.races.values() if each.state in ACTIVE]
        for each in active:
            if (
                race.owner
                and race.owner.learner
                and each.owner
                and each.owner.learner == race.owner.learner
            ):
                stop(each)
        active = [each for each in active if each.state in ACTIVE]
        _check_room(race, active)
        known.races[race.id] = race
    advance()
    return race


def _check_size(plan: RacePlan) -> None:
    count = plan.steps * len(plan.entries) * plan.seeds
    if settings.current().public and count > MAX_UPDATES:
        raise ValueError(
            TEXT["updates"].format(
                most=MAX_UPDATES, steps=plan.steps, entries=len(plan.entries), seeds=plan.seeds, count=count
            )
        )  # fmt: skip


def _check_room(race: Race, active: list[Race]) -> None:
    host = settings.current()
    waiting = sum(each.state == "waiting" for each in active)
    if waiting >= MAX_WAITING:
        raise ValueError(TEXT["full"].format(most=MAX_WAITING))
    if race.owner is None or host.max_address is None:
        return
    count = sum(
        each.owner is not None and each.owner.address == race.owner.address for each in active
    )
    if count >= host.max_address:
        raise ValueError(TEXT["address"].format(count=count))


def find(race_id: str) -> Race:
    """The race of this id, for a page that polls it. Raises `ValueError`."""
    race = registry().races.get(race_id)
    if race is None:
        raise ValueError(TEXT["gone"])
    race.seen = time.monotonic()
    advance()
    return race


def place(race: Race) -> int | None:
    """A waiting race's place, 1 is the next; None for any other."""
    waiting = [each.id for each in list(registry().races.values()) if each.state == "waiting"]
    return waiting.index(race.id) + 1 if race.id in waiting else None


def stop(race: Race, state: State = "stopped", reason: str = "") -> None:
    """End a race. One that has ended stays as it is."""
    with registry().lock:
        if race.state not in ACTIVE:
            return
        race.state, race.reason = state, reason
        if race.process is not None:
            race.process.kill()


def advance() -> None:
    """Start the races whose turn it is."""
    known = registry()
    with known.lock:
        _tidy()
        most = PUBLIC_RACES if settings.current().public else MAX_WAITING
        for race in list(known.races.values()):
            running = sum(each.state in ("starting", "running") for each in known.races.values())
            if race.state == "waiting" and running < most:
                _start(race)


def close() -> None:
    """End every race."""
    for race in list(registry().races.values()):
        stop(race)


def _tidy() -> None:
    """Stop races that no page polls, and forget those that ended long ago; called with the lock."""
    known, now = registry(), time.monotonic()
    for race in list(known.races.values()):
        if now - race.seen > AWAY_SECONDS:
            stop(race)
        if now - race.seen > KEEP_SECONDS:
            del known.races[race.id]


def _start(race: Race) -> None:
    plan = race.plan
    command = [
        sys.executable, "-u", "-m", "engine", "race", *race.words,
        "--steps", str(plan.steps), "--seeds", str(plan.seeds), "--until_eof",
    ]  # fmt: skip
    race.process = subprocess.Popen(
        command,
        cwd=run_lookup.ROOT,
        env=processes.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=sys.platform != "win32",
    )
    processes.give_way(race.process.pid)
    race.state, race.began = "starting", time.monotonic()
    threading.Thread(target=_listen, args=(race, race.process), name="race", daemon=True).start()


def _listen(race: Race, process: subprocess.Popen[bytes]) -> None:
    """Keep the events that a race prints, and end it when its time is up or no page polls it."""
    assert process.stdout is not None and process.stdin is not None
    for line in process.stdout:
        try:
            race.events.append(orjson.loads(line))
        except orjson.JSONDecodeError:  # it was killed while it wrote, or has failed
            process.kill()
            break
        now = time.monotonic()
        if race.state == "starting":
            race.state = "running"
        if now - race.seen > AWAY_SECONDS:
            stop(race)
        elif settings.current().public and now - race.began > MAX_SECONDS:
            stop(race, reason=TEXT["late"].format(most=MAX_SECONDS))
    process.stdin.close()
    status = process.wait()
    stop(race, "over" if status == 0 else "failed")
    advance()
