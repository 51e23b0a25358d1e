"""The log of a run while it is trained: each event once, with the seconds of training so far."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from engine.files import finish_line
from engine.runs.events import Ended, Evaluated, Message, Probed, Sampled, Saved, Task, Working
from engine.runs.store import Run

SILENCE = 0.5
"""Seconds without an event after which a long evaluation or sample reports its progress."""

RESERVE_BYTES = 1 << 14
"""Disk space that is kept for the last line of the log."""

Listener = Callable[[Message], None]


class Stopwatch:
    """Seconds of training without pauses, by the monotonic clock."""

    def __init__(self) -> None:
        self.before = 0.0
        """Seconds up to the last stop."""
        self.since: float | None = None
        """Time of the last start, by `monotonic`; None while it is stopped."""

    def start(self) -> None:
        if self.since is None:
            self.since = monotonic()

    def stop(self) -> None:
        self.before, self.since = self.read(), None

    def read(self) -> float:
        return self.before + (0.0 if self.since is None else monotonic() - self.since)


class Log:
    """The events of one process that trains a run."""

    def __init__(self, run: Run, listen: Listener | None) -> None:
        self.run = run
        self.listen = listen
        """Called with every recorded event."""
        self.step = 0
        """The current step; also known if building the state fails."""
        self.first_step = 0
        """The step at which this process began."""
        self.known: set[tuple[str, str] | None] = set()
        """Events of `first_step` that earlier processes have recorded (see `key`)."""
        self.recorded_at = 0.0
        """Time of the last recorded event."""
        self.watch = Stopwatch()
        self.reserve = run.path / "reserve"
        """A file that reserves disk space, deleted if the last line of the log cannot be written."""

    def begin(self, step: int, history: Sequence[Message]) -> None:
        """Continue the log at a step: find the events of it that earlier processes have recorded already."""
        self.step = self.first_step = step
        self.known = {key(each) for each in history if getattr(each, "step", None) == step}
        self.known.discard(None)
        self.watch.before = self.run.trained()

    def reserve_disk_space(self) -> None:
        with suppress(OSError):  # the disk is full already
            self.reserve.write_bytes(os.urandom(RESERVE_BYTES))

    def record(self, event: Message) -> None:
        """Record an event, unless it is of the first step and an earlier process has recorded it."""
        if self.step == self.first_step and key(event) in self.known:
            return
        self.run.append(event, self.watch.read())
        self.recorded_at = monotonic()
        if self.listen is not None:
            self.listen(event)

    def report(self, task: Task, done: int, total: int) -> None:
        """Record progress, if there was no event for a while."""
        if monotonic() - self.recorded_at >= SILENCE:
            self.record(Working(step=self.step, task=task, done=done, total=total))

    def end(self, ended: Ended) -> None:
        """Record how the run ended. A log that cannot be written at all stays as it is."""
        try:
            self.record(ended)
        except OSError:
            with suppress(OSError):
                self.reserve.unlink()
                finish_line(self.run.path / "events.jsonl")
                self.record(ended)
        finally:
            with suppress(OSError):
                self.reserve.unlink(missing_ok=True)


def key(event: Message) -> tuple[str, str] | None:
    """Equal for two events of one step if the second repeats the first; None if it never does."""
    if isinstance(event, Evaluated | Probed | Saved):
        return event.type, ""
    return (event.type, event.prompt) if isinstance(event, Sampled) else None
