"""Background scheduler of a shared host: queue, time limits, storage quota.

One thread checks the queue and the time limits twice a second, and the storage once a minute, only if the host
has a limit.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress

from engine.runs.events import Stop
from engine.runs.store import Run, RunError
from playground import settings
from playground.hosting import downloads, processes, run_queue, storage
from playground.hosting.processes import Worker
from playground.runs import run_lookup

CHECK_SECONDS = 0.5
TIDY_SECONDS = 60.0

_HOME = "_playground_host_scheduler"

TEXT = {
    "minutes": "A run keeps its place for {most:g} minutes on this host. It is saved: resume it to go on.",
    "away": "Nobody looked at this run and others waited. It is saved: resume it to go on.",
    "storage": "A run may take {most:g} MB on this host, and this one has filled them. Keep fewer "
    "checkpoints, or record attention less often.",
}


def begin() -> None:
    """Start the scheduler if this host has limits; once, however often Gradio loads this module."""
    if settings.current().limited and not hasattr(sys, _HOME):
        thread = threading.Thread(target=_forever, name="host-scheduler", daemon=True)
        setattr(sys, _HOME, thread)
        thread.start()


def _forever() -> None:
    tidied = -TIDY_SECONDS
    while getattr(sys, _HOME, None) is threading.current_thread():
        try:
            check()
            if time.monotonic() - tidied > TIDY_SECONDS:
                tidied = time.monotonic()
                tidy()
        except Exception as error:  # a full disk, say: the next pass may succeed
            print(f"host scheduler: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        time.sleep(CHECK_SECONDS)


def check() -> None:
    """Stop runs whose time is up, make room for waiting runs, and start the next ones."""
    host = settings.current()
    training = _training()
    if host.max_minutes is not None:
        for worker in training:
            if time.monotonic() - worker.since > 60 * host.max_minutes:
                _stop(worker, TEXT["minutes"].format(most=host.max_minutes))
    _make_way(training)
    run_queue.advance()


def _make_way(training: list[Worker]) -> None:
    """Stop runs that no page shows, as many as there are runs waiting."""
    patience = settings.current().away_seconds
    waiting = len(processes.registry().waiting) - sum(worker.stopping for worker in training)
    if patience is None or waiting <= 0:
        return
    away = [w for w in training if not w.stopping and run_queue.unseen(w.run_id) > patience]
    away.sort(key=lambda worker: -run_queue.unseen(worker.run_id))
    for worker in away[:waiting]:
        _stop(worker, TEXT["away"])


def tidy() -> None:
    """Delete old runs and copies, and stop a run that has filled its share."""
    storage.tidy()
    downloads.tidy()
    most = settings.current().max_run_mb
    if most is None:
        return
    for worker in _training():
        if storage.size_of(run_lookup.store().root / worker.run_id) > 1e6 * most:
            _stop(worker, TEXT["storage"].format(most=most))


def _training() -> list[Worker]:
    workers = processes.registry().workers
    return [workers[run_id] for run_id in processes.training()]


def _stop(worker: Worker, reason: str) -> None:
    """Ask a run to save itself and end, once."""
    if worker.run is None or worker.stopping:
        return
    with suppress(RunError, OSError):
        Run(worker.run).send(Stop(reason=reason))
        worker.stopping = True
