"""The disk quota of learners' runs: old runs are deleted, and the oldest if space is short.

A run in use is never deleted: one that trains, waits for its turn or is shown by a page, and every run
that one of these was forked from.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.runs.store import Run, RunError
from playground import settings
from playground.hosting import processes, run_queue
from playground.runs import run_lookup

LOOKED_AT_SECONDS = 300.0
"""A run that a page showed this recently is in use: a page in the background asks once a minute."""

LEFT_OVER_HOURS = 1.0
"""Half-made and half-deleted folders older than this are left over."""

TEXT = {
    "full": "This host has no room for another run: its learners' runs fill {most}, and all of them are "
    "in use. Try again later.",
}


class StorageFull(RunError):
    """The learners' runs fill their quota."""


@dataclass(frozen=True)
class Stored:
    """One run's folder."""

    id: str
    bytes: int
    used: float
    """When it was last trained, in seconds since 1970."""


def stored() -> list[Stored]:
    """Every learner's run, also damaged ones, the one that was trained longest ago first."""
    found: list[Stored] = []
    for path in run_lookup.store().folders():
        if path.parent == run_lookup.ROOT / "checkpoints":
            continue  # shipped, where someone keeps the learners' runs beside them
        with suppress(OSError):  # it is being deleted
            files = [path / name for name in ("events.jsonl", "run.json", "config.json")]
            times = [file.lstat().st_mtime for file in files if os.path.lexists(file)]
            if times:
                found.append(Stored(path.name, size_of(path), max(times)))
    return sorted(found, key=lambda run: run.used)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it was deleted meanwhile
                total += os.lstat(Path(place) / name).st_size
    return total


def in_use() -> set[str]:
    """The ids of all runs that must stay."""
    known, store = processes.registry(), run_lookup.store()
    used = [*run_queue.at_work()]
    used += [run_id for run_id in list(known.seen) if run_queue.unseen(run_id) <= LOOKED_AT_SECONDS]
    for path in store.folders():
        with suppress(RunError, OSError):
            if Run(path).status().alive:  # perhaps another program trains it
                used.append(path.name)
    found: set[str] = set()
    while used:
        run_id = used.pop()
        if run_id in found:
            continue
        found.add(run_id)
        with suppress(RunError):
            parent = store.open(run_id).info.parent
            used += [] if parent is None else [parent]
    return found


def tidy() -> list[str]:
    """Delete runs that are too old or above the quota. Returns their ids."""
    host, now = settings.current(), time.time()
    if host.keep_hours is None and host.max_storage_mb is None:
        return []
    _sweep(now)
    runs, gone = stored(), list[str]()
    kept, left = in_use(), sum(run.bytes for run in runs)
    for run in runs:
        old = host.keep_hours is not None and now - run.used > 3600 * host.keep_hours
        much = host.max_storage_mb is not None and left > 1e6 * host.max_storage_mb
        if run.id not in kept and (old or much) and _delete(run.id):
            gone.append(run.id)
            left -= run.bytes
    return gone


def make_room() -> None:
    """Make room for another run. Raises `StorageFull`."""
    most = settings.current().max_storage_mb
    if most is None or total() < 1e6 * most:
        return
    tidy()
    if total() >= 1e6 * most:
        raise StorageFull(TEXT["full"].format(most=f"{most / 1e3:g} GB"))


def total() -> int:
    """Bytes of all learners' runs."""
    return sum(run.bytes for run in stored())


def _delete(run_id: str) -> bool:
    """Delete a run, unless it has just come into use."""
    known = processes.registry()
    with known.lock, suppress(RunError, OSError):
        if run_id not in run_queue.at_work() and run_queue.unseen(run_id) > LOOKED_AT_SECONDS:
            run_lookup.store().delete(run_id)
            return True
    return False


def _sweep(now: float) -> None:
    """Remove leftovers of interrupted creations and deletions."""
    root = run_lookup.store().root
    for path in [*root.glob(".new-*"), *root.glob(".deleted-*")]:
        with suppress(OSError):
            if now - path.stat().st_mtime > 3600 * LEFT_OVER_HOURS:
                shutil.rmtree(path, ignore_errors=True)
