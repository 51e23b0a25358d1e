"""Ctrl-C as a request: the first time, whatever runs may come to its end; the second interrupts.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def stop_on_signals() -> Generator[threading.Event]:
    """Inside the block, Ctrl-C and the signal that asks a process to end set the event.

    The second time, they interrupt at once.
    """
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
