"""All runs as a dashboard lists them: what each is, where it stands, and its result so far.

Logs are read once and followed: of each run only what is new is read, and of that only the lines that a list
needs. One shelf serves every session, and so it locks. Nothing in this file loads PyTorch or knows how it is
shown.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

from engine.events import EVENTS, Evaluated, Message, Started, Stepped, from_line
from engine.jsonl import read_lines, size_of
from engine.outcomes import Outcome, count
from engine.runs import Damaged, Run, RunStore, Status
from playground.compare import what_changed

CHUNK = 1 << 23
"""Bytes of a log that are in memory at once."""
RECENT = 50
"""Steps over which tokens per second are taken."""
FRESH = 0.25
"""Seconds for which sessions share one look."""

WANTED = tuple(f'{{"type": "{kind.type}"'.encode() for kind in (Evaluated, Started))
STEPPED = f'{{"type": "{Stepped.type}"'.encode()
"""How `Message.to_line` begins the lines that are read."""


@dataclass(eq=False)
class Entry:
    """One run on the shelf."""

    run: Run
    status: Status
    parameters: int | None = None
    evaluations: list[Evaluated] = field(default_factory=list[Evaluated])
    recent: deque[Stepped] = field(default_factory=lambda: deque[Stepped](maxlen=RECENT))
    offset: int = 0

    def read(self) -> None:
        """Read on to the end of what is written."""
        while True:
            lines, after = read_lines(self.run.path / "events.jsonl", self.offset, CHUNK)
            if after == self.offset:
                return
            self.offset = after
            steps = [line for line in lines[-4 * RECENT :] if line.startswith(STEPPED)]
            for line in [each for each in lines if each.startswith(WANTED)] + steps[-RECENT:]:
                try:
                    self._take(from_line(line, EVENTS))
                except (TypeError, ValueError):  # cut short, or of a newer version
                    continue

    def _take(self, event: Message) -> None:
        if isinstance(event, Evaluated):
            self.evaluations.append(event)
        elif isinstance(event, Stepped):
            self.recent.append(event)
        elif isinstance(event, Started):
            self.parameters = event.parameters
            self.evaluations = [old for old in self.evaluations if old.step <= event.step]
            self.recent.clear()

    @cached_property
    def changed(self) -> str:
        """The nearest preset, and what differs from it."""
        return what_changed(self.run.config)

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens of a step over the seconds of the median step, of the last ones; None before any."""
        if not self.recent or not (seconds := median(step.seconds for step in self.recent)):
            return None
        return self.recent[-1].tokens / self.recent[-1].step / seconds

    @property
    def outcome(self) -> Outcome:
        """Its result so far."""
        measured = self.evaluations
        return Outcome(
            state=self.status.state,
            step=self.status.step,
            final_loss=measured[-1].loss if measured else None,
            best_loss=min((event.loss for event in measured), default=None),
            accuracy=measured[-1].accuracy if measured else None,
            parameters=self.parameters or count(self.run.config),
            tokens_per_second=self.tokens_per_second,
            bits=measured[-1].bits if measured else None,
        )


class Shelf:
    """The runs below some folders. `roots` says which, whenever they are looked at."""

    def __init__(self, roots: Callable[[], Sequence[Path]]) -> None:
        self._roots = roots
        self._entries: dict[tuple[Path, int, int], Entry] = {}
        self._lock = threading.Lock()
        self._looked = -FRESH
        self._at: tuple[Path, ...] = ()
        self._last: tuple[dict[str, Entry], list[Damaged]] = ({}, [])

    def look(self) -> tuple[dict[str, Entry], list[Damaged]]:
        """Every readable run by its id, the newest of each folder first; and the unreadable."""
        with self._lock:
            roots = tuple(self._roots())
            if time.monotonic() - self._looked < FRESH and roots == self._at:
                return self._last
            found: dict[str, Entry] = {}
            damaged: list[Damaged] = []
            kept: dict[tuple[Path, int, int], Entry] = {}
            for root in roots:
                entries: list[Entry] = []
                for path in RunStore(root).folders():
                    try:
                        key = path, _written(path / "run.json"), _written(path / "config.json")
                        entry = self._entries.get(key)
                        entry = entry or Entry(Run(path), Status("new", 0, 1))
                        entry.read()
                        entry.status = entry.run.status()
                    except OSError as error:  # deleted, or not readable, while it is being read
                        damaged.append(Damaged(path.name, path, f"{path}: {error.strerror}"))
                    except ValueError as error:
                        damaged.append(Damaged(path.name, path, str(error)))
                    else:
                        kept[key] = entry
                        entries.append(entry)
                for entry in sorted(entries, key=lambda entry: -entry.run.info.created):
                    found.setdefault(entry.run.id, entry)
            self._entries, self._last, self._at = kept, (found, damaged), roots
            self._looked = time.monotonic()
            return self._last


def _written(path: Path) -> int:
    """When a file was last written; 0 where there is none, which opening the run will tell."""
    return path.stat().st_mtime_ns if size_of(path) else 0
