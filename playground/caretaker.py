"""Looks after a host that others use, twice a second: whose turn it is, who has had enough, what may go.

One thread does it, and only where there is a limit to look after.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress

from engine.events import Stop
from engine.runs import Run, RunError
from playground import downloads, library, sessions, settings, storage
from playground.sessions import Worker

LOOK_SECONDS = 0.5
TIDY_SECONDS = 60.0

_HOME = "_playground_caretaker"

TEXT = {
    "minutes": "A run keeps its place for {most:g} minutes on this host. It is saved: resume it to go on.",
    "away": "Nobody looked at this run and others waited. It is saved: resume it to go on.",
    "storage": "A run may take {most:g} MB on this host, and this one has filled them. Keep fewer "
    "checkpoints, or record attention less often.",
}


def begin() -> None:
    """Look after this host from now on, if it has limits; however often Gradio loads this again."""
    if settings.current().limited and not hasattr(sys, _HOME):
        thread = threading.Thread(target=_forever, name="caretaker", daemon=True)
        setattr(sys, _HOME, thread)
        thread.start()


def _forever() -> None:
    tidied = -TIDY_SECONDS
    while True:
        try:
            look()
            if time.monotonic() - tidied > TIDY_SECONDS:
                tidied = time.monotonic()
                tidy()
        except Exception as error:  # a full disk, say: the next look may do better
            print(f"caretaker: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        time.sleep(LOOK_SECONDS)


def look() -> None:
    """Stop whose time is up, make room for those who wait, and start whose turn it is."""
    host = settings.current()
    training = _training()
    if host.max_minutes is not None:
        for worker in training:
            if time.monotonic() - worker.since > 60 * host.max_minutes:
                _stop(worker, TEXT["minutes"].format(most=host.max_minutes))
    _make_way(training)
    sessions.advance()


def _make_way(training: list[Worker]) -> None:
    """Stop as many runs that nobody looks at as there are runs that wait for a place."""
    patience = settings.current().away_seconds
    waiting = len(sessions.registry().waiting) - sum(worker.told for worker in training)
    if patience is None or waiting <= 0:
        return
    away = [w for w in training if not w.told and sessions.unseen(w.run_id) > patience]
    away.sort(key=lambda worker: -sessions.unseen(worker.run_id))
    for worker in away[:waiting]:
        _stop(worker, TEXT["away"])


def tidy() -> None:
    """Delete what is old or too much, and stop a run that has filled its own share."""
    storage.tidy()
    downloads.tidy()
    most = settings.current().max_run_mb
    if most is None:
        return
    for worker in _training():
        if storage.size_of(library.store().root / worker.run_id) > 1e6 * most:
            _stop(worker, TEXT["storage"].format(most=most))


def _training() -> list[Worker]:
    workers = sessions.registry().workers
    return [workers[run_id] for run_id in sessions.training()]


def _stop(worker: Worker, reason: str) -> None:
    """Tell a run to save itself and end, once."""
    if worker.run is None or worker.told:
        return
    with suppress(RunError, OSError):
        Run(worker.run).send(Stop(reason=reason))
        worker.told = True
