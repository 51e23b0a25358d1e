"""The queue of a host that limits how many runs train at once: who may start, who waits, and who is next.

A run that finds no free place waits, and is handed to a process when its turn comes (`advance`, called by
`host_scheduler` twice a second). Its place is kept only while a page shows it. What waits, whose it is and when
a page last showed it stand in the registry of `processes`, with its lock.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from engine.runs.store import Run, RunBusy, RunError, Status
from playground import settings
from playground.access import visitors
from playground.hosting import processes

PRESENT_SECONDS = 5.0
"""A waiting run starts only if a page asked about it this recently; else the next one goes first."""

TEXT = {
    "busy": "“{name}” is already being trained.",
    "waits": "“{name}” is already waiting for its turn.",
    "full": "All {most} places are taken and the queue is full ({waiting} wait already): try again in a few minutes.",
    "each": "At most {most} runs of one learner train at once on this host, and {count} of yours train "
    "or wait already: stop one first.",
    "address": "At most {most} runs from one network train at once on this host, and {count} from yours "
    "train or wait already: try again when one of them has ended.",
}


class TooManyRuns(RunError):
    """As many runs train and wait as may."""


def start(run: Run, replacing: str | None = None) -> None:
    """Train this run, from its last checkpoint if it has one; or let it wait for its turn.

    `replacing` is a run that was asked to stop and no longer counts, or one that waits and gives this
    one its place. Raises `RunBusy` when the run is being trained or waits already, `TooManyRuns`
    when too many wait, or this visitor has as many as one may.
    """
    known, host = processes.registry(), settings.current()
    with known.lock:
        others = set(processes.training()) - {replacing}
        if run.id in others or run.status().alive:
            raise RunBusy(TEXT["busy"].format(name=run.name))
        queue = [waiting.id for waiting in known.waiting]
        if run.id in queue:
            raise RunBusy(TEXT["waits"].format(name=run.name))
        check_each(replacing=replacing)
        see([run.id])
        _owned(run.id)
        if replacing in queue:
            known.waiting[queue.index(replacing)] = run
        elif (
            host.max_runs is None or len(others) + len(queue) < host.max_runs
        ):  # none waits before it
            processes.train(run)
        elif host.max_waiting is not None and len(queue) >= host.max_waiting:
            raise TooManyRuns(TEXT["full"].format(most=host.max_runs, waiting=len(queue)))
        else:
            known.waiting.append(run)


def status(run: Run) -> Status:
    """The run's status, also while it waits, and between Start and the process's first word."""
    found = run.status()
    if place(run.id) is not None:
        return Status("waiting", found.step, found.total_steps)
    worker = processes.registry().workers.get(run.id)
    if worker is None or found.alive:
        return found
    if worker.trains:
        return Status("starting", found.step, found.total_steps)
    if not worker.alive and found.state in ("new", "starting"):
        return Status("failed", found.step, found.total_steps, worker.last_words)
    return found


def check_each(more: int = 1, replacing: str | None = None) -> None:
    """Raises `TooManyRuns` if `more` runs would exceed the number that this visitor may train at once.

    Counted are the runs that train or wait and that this browser, or this network address, started: what
    the server knows, not what a browser says.
    """
    visitor, host = visitors.current(), settings.current()
    if visitor is None:
        return
    with processes.registry().lock:
        owners = [processes.registry().owners[run_id] for run_id in _owners() - {replacing}]
    counts = Counter(owner.learner for owner in owners if owner.learner is not None)
    count = 0 if visitor.learner is None else counts[visitor.learner]
    if host.max_each is not None and count + more > host.max_each:
        raise TooManyRuns(TEXT["each"].format(count=count, most=host.max_each))
    count = sum(owner.address == visitor.address for owner in owners)
    if host.max_address is not None and count + more > host.max_address:
        raise TooManyRuns(TEXT["address"].format(count=count, most=host.max_address))


def at_work() -> set[str]:
    """The ids of the runs that train, and of those that wait for their turn."""
    return {*processes.training(), *(run.id for run in processes.registry().waiting)}


def _owners() -> set[str]:
    """The ids of the runs that train or wait and have an owner; called with the registry's lock."""
    known = processes.registry()
    return known.owners.keys() & at_work()


def _owned(run_id: str) -> None:
    """Count this run as the current visitor's; called with the registry's lock."""
    known, visitor = processes.registry(), visitors.current()
    known.owners = {each: known.owners[each] for each in _owners()}  # the others train no more
    if visitor is not None:
        known.owners[run_id] = visitor


def see(run_ids: Iterable[str]) -> None:
    """Record that a page shows these runs."""
    now = time.monotonic()
    processes.registry().seen.update(dict.fromkeys(run_ids, now))


def unseen(run_id: str) -> float:
    """Seconds since a page last showed this run; infinite if none did."""
    return time.monotonic() - processes.registry().seen.get(run_id, -float("inf"))


def place(run_id: str) -> tuple[int, int] | None:
    """A waiting run's place in the queue, 1 is the next, and how many wait; None for any other."""
    queue = [run.id for run in processes.registry().waiting]
    return (queue.index(run_id) + 1, len(queue)) if run_id in queue else None


def leave(run_id: str) -> bool:
    """Give up this run's place in the queue. False if it had none."""
    known = processes.registry()
    with known.lock:
        before = len(known.waiting)
        known.waiting[:] = [run for run in known.waiting if run.id != run_id]
        return len(known.waiting) < before


def advance() -> None:
    """Drop runs from the queue whose visitors are gone, and start the next ones if there is room."""
    known, host = processes.registry(), settings.current()
    if not known.waiting:
        return
    with known.lock:
        known.waiting[:] = [run for run in known.waiting if run.path.is_dir() and not _away(run.id)]
        free = len(known.waiting)
        if host.max_runs is not None:
            free = max(0, host.max_runs - len(processes.training()))
        ready = list(known.waiting)
        if host.away_seconds is not None:
            ready = [run for run in ready if unseen(run.id) <= PRESENT_SECONDS]
        for run in ready[:free]:
            known.waiting.remove(run)
            try:
                processes.train(run)
            except (RunError, OSError):
                continue  # its status says why


def _away(run_id: str) -> bool:
    """Has no page shown this run for as long as this host waits?"""
    patience = settings.current().away_seconds
    return patience is not None and unseen(run_id) > patience
