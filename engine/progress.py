"""A run's progress in a terminal: one line that is written again, or plain lines in a file."""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TextIO

from engine.config import RunConfig
from engine.events import (
    Changed,
    Evaluated,
    Message,
    Noted,
    Paused,
    Resumed,
    Sampled,
    Started,
    Stepped,
    Task,
    Working,
)

BAR = 20
"""Characters of the bar."""

REDRAW_SECONDS = 0.1

RECENT = 50
"""Recorded steps whose median tells how long a step takes now: pauses and measurements do not count."""

TASKS: dict[Task, str] = {"evaluate": "measuring", "sample": "writing a sample"}


class Line:
    """In a terminal one line that is written again; in a file, what is noted alone."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.shown = ""
        self.drawn = 0.0

    def draw(self, text: Callable[[], str], last: bool = False) -> None:
        """Write the line again, without breaking it; not ten times a second, unless it is the last."""
        now = perf_counter()
        if self.live and (last or now - self.drawn >= REDRAW_SECONDS):
            self.drawn = now
            line = text()[: shutil.get_terminal_size().columns - 1]
            self.stream.write("\r" + line.ljust(len(self.shown)))
            self.stream.flush()
            self.shown = line

    def note(self, text: str) -> None:
        """A line that stays, above the one that is written again."""
        shown = self.shown
        self.clear()
        self.stream.write(f"{text}\n{shown}")
        self.stream.flush()
        self.shown = shown

    def clear(self) -> None:
        """Take away the line that is written again."""
        if self.shown:
            self.stream.write("\r" + " " * len(self.shown) + "\r")
            self.stream.flush()
            self.shown = ""

    def close(self) -> None:
        """Leave the line that was written again, and go to the next."""
        if self.shown:
            self.stream.write("\n")
            self.stream.flush()
            self.shown = ""


class Progress:
    """Shows the events that it is called with."""

    def __init__(self, config: RunConfig, stream: TextIO | None = None) -> None:
        self.total = config.train.total_steps
        self.line = Line(stream)
        self.step: Stepped | None = None
        self.valid = ""
        self.recent: deque[float] = deque(maxlen=RECENT)
        """Seconds of the last recorded steps."""

    def __call__(self, event: Message) -> None:
        if isinstance(event, Stepped):
            self._stepped(event)
        elif isinstance(event, Evaluated):
            self.valid = f"valid {event.loss:.3f}"
            if event.accuracy is not None:
                self.valid += f"  right {event.accuracy:.1%}"
            if not self.line.live:
                self.line.note(self.describe() if self.step else f"step 0  {self.valid}")
        elif isinstance(event, Started):
            data = f"{event.train_tokens:,} tokens" if event.train_tokens else "a task"
            self.line.note(
                f"{event.parameters:,} parameters, {data}, {event.device} {event.dtype}, "
                f"{event.threads} {'thread' if event.threads == 1 else 'threads'}"
            )
        elif isinstance(event, Sampled) and event.correct is None:
            self.line.note(f"    {event.prompt + event.text!r}")
        elif isinstance(event, Working):
            task = f"{TASKS[event.task]} {event.done} of {event.total}"
            self.line.draw(lambda: "  ".join(filter(None, [self.describe(), task])))
        elif isinstance(event, Noted):
            self.line.note(event.text)
        elif isinstance(event, Changed):
            self.line.note(f"{event.field} is now {event.value:g}")
        elif isinstance(event, Paused | Resumed):
            self.line.note(f"{event.type} at step {event.step}")

    def _stepped(self, event: Stepped) -> None:
        self.recent.append(event.seconds)
        self.step = event
        self.line.draw(self.describe, last=event.step == self.total)

    def describe(self) -> str:
        """The state of the run in one line."""
        step = self.step
        if step is None:
            return ""
        done = step.step * BAR // self.total
        seconds = median(self.recent)
        left = duration(seconds * (self.total - step.step))
        tokens = step.tokens / step.step / seconds if seconds else 0.0
        parts = [
            "━" * done + "─" * (BAR - done) if self.line.live else "",
            f"step {step.step}/{self.total}",
            f"loss {step.loss:.3f}",
            self.valid,
            f"lr {step.lr:.2e}",
            f"{tokens:,.0f} tokens/s",
            f"{left} left",
        ]
        return "  ".join(part for part in parts if part)

    def close(self) -> None:
        """End the line that was written again."""
        self.line.close()


def duration(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 3:05:09."""
    whole = round(seconds)
    hours, minutes = whole // 3_600, whole // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}"
