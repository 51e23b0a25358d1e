"""Graceful shutdown: the first Ctrl-C asks the work to stop, the second interrupts it.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def stop_on_signals() -> Generator[threading.Event]:
    """Yield an event that SIGINT (Ctrl-C) or SIGTERM sets. A second signal raises `KeyboardInterrupt`."""
    stop = threading.Event()

    def on_signal(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
