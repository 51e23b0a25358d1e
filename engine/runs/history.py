"""The events of a run's log that still hold.

A process that was killed at step 550 resumes from its checkpoint at step 500 and logs `Started(step=500)`.
Everything after step 500 is then done, and logged, a second time. One rule, `holds`, decides which events of the
first time still count: every reader of a log uses it. A page that follows a run receives the step, and drops its
events of later steps (`assets/js/runs/feed.js`).

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from typing import TypeVar, cast

from engine.runs.events import (
    Changed,
    Diverged,
    Evaluated,
    Message,
    Probed,
    Routed,
    Sampled,
    Saved,
    Started,
    Stepped,
    Working,
)

M = TypeVar("M", bound=Message)

REPEATED = frozenset(
    kind.type
    for kind in (Stepped, Routed, Evaluated, Diverged, Sampled, Working, Probed, Saved, Changed)
)
"""Events that a resumed process logs again: what was learned, and with which settings. The others say what
happened to the run's processes (one was paused, or failed), and stay. Of the step that a process begins with,
nothing is logged a second time."""


def holds(event: Message, start: float) -> bool:
    """Whether an event still holds after a later process has started at step `start`."""
    return event.type not in REPEATED or getattr(event, "step", 0) <= start


def standing(events: Sequence[Message]) -> list[bool]:
    """For each event of a log, does it still hold at the log's end? Takes one pass, from the end."""
    start, found = float("inf"), list[bool]()
    for event in reversed(events):
        found.append(holds(event, start))
        if isinstance(event, Started):
            start = min(start, event.step)
    return found[::-1]


def restarted(events: Iterable[Message]) -> int | None:
    """The lowest step at which one of these events starts a process: what an earlier part of the log says
    after it no longer holds. None where no process starts."""
    return min((event.step for event in events if isinstance(event, Started)), default=None)


def current(events: Iterable[Message]) -> list[Message]:
    """The events that still hold, in their order."""
    events = list(events)
    return list(compress(events, standing(events)))


class History:
    """The events of a growing log that still hold, by their kind."""

    def __init__(self, events: Iterable[Message] = ()) -> None:
        self._kinds: dict[type[Message], list[Message]] = {}
        self.add(events)

    def add(self, events: Iterable[Message]) -> None:
        """Take in what the log says next, and forget what that repeats."""
        events = list(events)
        start = restarted(events)
        if start is not None:
            for kind, old in self._kinds.items():
                self._kinds[kind] = [event for event in old if holds(event, start)]
        for event in current(events):
            self._kinds.setdefault(type(event), []).append(event)

    def of(self, kind: type[M]) -> list[M]:
        """All events of one kind, in their order."""
        return cast("list[M]", self._kinds.get(kind, []))
