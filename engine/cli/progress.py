"""Training progress: a status line that is redrawn in a terminal, plain lines otherwise."""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import TextIO

from engine.config import RunConfig
from engine.data.watch import Watch
from engine.runs.events import (
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
"""Width of the progress bar in characters."""

REDRAW_SECONDS = 0.1

RECENT = 50
"""Recent logged steps whose median duration estimates the time per step, without pauses and evaluations."""

TASK_LABELS: dict[Task, str] = {"evaluate": "evaluating", "sample": "sampling"}


class StatusLine:
    """A status line that is redrawn in a terminal. In a file, only notes are written."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.shown = ""
        self.drawn = 0.0

    def draw(self, text: Callable[[], str], last: bool = False) -> None:
        """Redraw the line, at most once per `REDRAW_SECONDS` unless it is the last, cut to the terminal's width."""
        now = perf_counter()
        if self.live and (last or now - self.drawn >= REDRAW_SECONDS):
            self.drawn = now
            line = text()[: shutil.get_terminal_size().columns - 1]
            self.stream.write("\r" + line.ljust(len(self.shown)))
            self.stream.flush()
            self.shown = line

    def note(self, text: str) -> None:
        """Write a permanent line above the status line."""
        shown = self.shown
        self.clear()
        self.stream.write(f"{text}\n{shown}")
        self.stream.flush()
        self.shown = shown

    def clear(self) -> None:
        """Erase the status line."""
        if self.shown:
            self.stream.write("\r" + " " * len(self.shown) + "\r")
            self.stream.flush()
            self.shown = ""

    def close(self) -> None:
        """Keep the status line and move to the next line."""
        if self.shown:
            self.stream.write("\n")
            self.stream.flush()
            self.shown = ""


class Progress:
    """Displays the event that it is called with."""

    def __init__(self, config: RunConfig, stream: TextIO | None = None) -> None:
        self.total = config.train.total_steps
        self.line = StatusLine(stream)
        self.step: Stepped | None = None
        self.valid = ""
        self.recent: deque[float] = deque(maxlen=RECENT)
        """Seconds of the last logged steps."""

    def __call__(self, event: Message) -> None:
        match event:
            case Stepped():
                self._stepped(event)
            case Evaluated():
                self._evaluated(event)
            case Working():
                task = f"{TASK_LABELS[event.task]} {event.done} of {event.total}"
                self.line.draw(lambda: "  ".join(filter(None, [self.describe(), task])))
            case _:
                if note := note_of(event):
                    self.line.note(note)

    def _stepped(self, event: Stepped) -> None:
        self.recent.append(event.seconds)
        self.step = event
        self.line.draw(self.describe, last=event.step == self.total)

    def _evaluated(self, event: Evaluated) -> None:
        self.valid = f"valid {event.loss:.3f}"
        if event.accuracy is not None:
            self.valid += f"  accuracy {event.accuracy:.1%}"
        if not self.line.live:
            self.line.note(self.describe() if self.step else f"step 0  {self.valid}")

    def describe(self) -> str:
        """The status line: step, losses, learning rate, throughput, time left."""
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
        """End the status line."""
        self.line.close()


def note_of(event: Message) -> str:
    """The permanent line that an event leaves; "" if it leaves none."""
    match event:
        case Started():
            data = f"{event.train_tokens:,} tokens" if event.train_tokens else "a task"
            threads = f"{event.threads} {'thread' if event.threads == 1 else 'threads'}"
            return (
                f"{event.parameters:,} parameters, {data}, {event.device} {event.dtype}, {threads}"
            )
        case Sampled(correct=None):
            return f"    {event.prompt + event.text!r}"
        case Noted():
            return event.text
        case Changed():
            return f"{event.field} is now {event.value:g}"
        case Paused() | Resumed():
            return f"{event.type} at step {event.step}"
        case _:
            return ""


def duration(seconds: float) -> str:
    """Format seconds as 0:07, 12:34 or 3:05:09."""
    total = round(seconds)
    hours, minutes = total // 3_600, total // 60 % 60
    if hours:
        return f"{hours}:{minutes:02d}:{total % 60:02d}"
    return f"{minutes}:{total % 60:02d}"


class ProgressLine(StatusLine, Watch):
    """Progress of a download or of preparing data, on one line."""

    def received(self, name: str, count: int, total: int | None) -> None:
        of = f" of {total / 1e6:.2f}" if total else ""
        self.draw(lambda: f"{name}  {count / 1e6:.2f}{of} MB", last=count == total)

    def counted(self, name: str, count: int, total: int) -> None:
        self.draw(lambda: f"{name}  {count:,} of {total:,}", last=count == total)


@contextmanager
def progress_line() -> Generator[ProgressLine]:
    """A line for work on files that the same command can continue; cleared at the end."""
    line = ProgressLine()
    try:
        yield line
    except KeyboardInterrupt:
        line.note("interrupted: the same command continues from here")
        raise
    finally:
        line.clear()
