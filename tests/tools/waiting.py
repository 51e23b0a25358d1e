"""How long tests wait for processes, trainings, servers and pages: one limit for all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("PATIENCE", "300"))
"""Seconds: many times what anything takes on an idle machine, since machines are busy. Who looks for the cause of
a failure waits less: `PATIENCE=20 pytest`."""


def until(true: Callable[[], object], what: str = "it", every: float = 0.02) -> None:
    """Wait until `true()` holds, asked every so many seconds. Raises `AssertionError` after `PATIENCE` seconds."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"did not happen in {PATIENCE:.0f} s: {what}"
        time.sleep(every)
