"""All runs as a dashboard lists them: what each is, where it stands, and its result so far.

Logs are read once and followed: of each run only what is new is read, and of that only the lines that a list
needs. One index serves every session, and so it locks. Nothing in this file loads PyTorch or knows how it is
shown.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from engine.files import error_reason, read_lines
from engine.runs.events import EVENTS, Evaluated, Message, Started, Stepped, from_line
from engine.runs.history import History, restarted
from engine.runs.store import Damaged, Run, RunError, RunStore, Status
from engine.runs.summary import Outcome, count_parameters, curve
from playground.screens.histories import what_changed

CHUNK = 1 << 23
"""Bytes of a log that are in memory at once."""
RECENT = 50
"""Steps over which tokens per second are taken."""
FRESH = 0.25
"""Seconds for which sessions share one look."""
SETTLED = 2.0
"""Seconds after which what a file says of its last change is taken for true."""

WANTED = tuple(f'{{"type": "{kind.type}"'.encode() for kind in (Evaluated, Started))
STEPPED = f'{{"type": "{Stepped.type}"'.encode()
"""How `Message.to_line` begins the lines that are read."""


@dataclass(frozen=True)
class Mark:
    """Sizes and times (in nanoseconds) by which a change of a run's folder is noticed, unless it is very recent."""

    run: int
    config: int
    """When `run.json` and `config.json` were written; 0 where there is none."""
    log: int
    size: int
    """When `events.jsonl` was written to last, and its bytes."""
    folder: int
    """When a file came into it, or was put in the place of another: checkpoints, and who trains it."""

    @classmethod
    def of(cls, path: Path) -> Mark:
        """The mark of a run's folder. Raises `OSError` where it is gone."""
        folder = os.stat(path)
        run, config, log = (
            _stat(f"{path}/{name}") for name in ("run.json", "config.json", "events.jsonl")
        )
        return cls(run[0], config[0], *log, folder.st_mtime_ns)

    def settled(self) -> bool:
        """Is it so old that any later change gives another? The clock of files ticks in steps."""
        newest = max(self.run, self.config, self.log, self.folder)
        return time.time_ns() - newest > SETTLED * 1e9


class Entry:
    """One run of the index."""

    def __init__(self, path: Path, mark: Mark) -> None:
        """Open the run. Raises `DamagedRun`, or `OSError` where it is gone."""
        self.run, self.mark = Run(path), mark
        self.log = History()
        self.recent: deque[Stepped] = deque(maxlen=RECENT)
        self.offset = 0
        self.still = False
        """Nothing is to be read before the mark changes: no process is at work, and all was long written."""
        self.status: Status
        self.outcome: Outcome
        self.look(mark)

    def look(self, mark: Mark) -> None:
        """Bring it up to date. `mark` is of a moment before."""
        self.still = mark.settled()
        self.read()
        self.status = self.run.status()
        self.still &= not self.status.alive
        self.outcome = self._outcome()
        self.mark = mark

    def rewritten(self, mark: Mark) -> bool:
        """Is it, by its mark now, another run than the one that was opened?"""
        shorter = mark.size < self.offset
        return shorter or (self.mark.run, self.mark.config) != (mark.run, mark.config)

    def read(self) -> None:
        """Read on to the end of what is written."""
        while True:
            lines, after = read_lines(self.run.path / "events.jsonl", self.offset, CHUNK)
            if after == self.offset:
                return
            self.offset = after
            steps = [line for line in lines[-4 * RECENT :] if line.startswith(STEPPED)]
            wanted = [each for each in lines if each.startswith(WANTED)]
            events = [event for line in [*wanted, *steps[-RECENT:]] if (event := _read(line))]
            self.log.add(event for event in events if not isinstance(event, Stepped))
            if restarted(events) is not None:
                self.recent.clear()
            self.recent.extend(event for event in events if isinstance(event, Stepped))

    @property
    def evaluations(self) -> list[Evaluated]:
        return self.log.of(Evaluated)

    @property
    def parameters(self) -> int | None:
        """How many its model has; None before its first process has started."""
        started = self.log.of(Started)
        return started[-1].parameters if started else None

    @cached_property
    def changed(self) -> str:
        """The nearest preset, and what differs from it."""
        return what_changed(self.run.config)

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens of a step over the seconds of the median step, of the last ones; None before any."""
        if not self.recent or (seconds := median(step.seconds for step in self.recent)) <= 0:
            return None
        return self.recent[-1].tokens / self.recent[-1].step / seconds

    def _outcome(self) -> Outcome:
        """Its result so far."""
        measured = self.evaluations
        return Outcome(
            state=self.status.state,
            step=self.status.step,
            final_loss=measured[-1].loss if measured else None,
            best_loss=min((event.loss for event in measured), default=None),
            accuracy=measured[-1].accuracy if measured else None,
            parameters=self.parameters or count_parameters(self.run.config),
            tokens_per_second=self.tokens_per_second,
            bits=measured[-1].bits if measured else None,
            curve=curve(measured),
        )


class RunIndex:
    """The runs below some folders. `roots` says which, whenever they are looked at, and `shows` which runs of them."""

    def __init__(
        self, roots: Callable[[], Sequence[Path]], shows: Callable[[Run], bool] = lambda _: True
    ) -> None:
        self._roots, self._shows = roots, shows
        self._entries: dict[Path, Entry] = {}
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
            kept: dict[Path, Entry] = {}
            for root in roots:
                entries: list[Entry] = []
                for path in RunStore(root).folders():
                    try:
                        mark = Mark.of(path)
                        entry = self._entries.get(path)
                        if entry is None or entry.rewritten(mark):
                            entry = Entry(path, mark)
                        elif entry.mark != mark or not entry.still:
                            entry.look(mark)
                    except (OSError, RunError) as error:  # deleted meanwhile, damaged, not readable
                        reason = getattr(error, "reason", "") or error_reason(error)
                        damaged.append(Damaged(path.name, path, reason))
                    else:
                        kept[path] = entry
                        if self._shows(entry.run):
                            entries.append(entry)
                for entry in sorted(entries, key=lambda entry: -entry.run.info.created):
                    found.setdefault(entry.run.id, entry)
            self._entries, self._last, self._at = kept, (found, damaged), roots
            self._looked = time.monotonic()
            return self._last


def _read(line: bytes) -> Message | None:
    """The event of a line; None where it is cut short, or of a newer version."""
    try:
        return from_line(line, EVENTS)
    except ValueError:
        return None


def _stat(path: str) -> tuple[int, int]:
    """When a file was last written, and its size in bytes; zeros if it is missing: opening the run reports that."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
