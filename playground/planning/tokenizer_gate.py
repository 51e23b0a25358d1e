"""A limit on tokenizers that this server trains itself, which takes seconds of a processor that all pages share.

On a public host one is trained at a time, and a second request is refused. On one's own machine there is no limit.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playground import settings

TEXT = {
    "busy": "Others are learning a tokenizer on this host right now: try again in a moment.",
}

_gate = threading.Lock()


class Busy(ValueError):
    """Another tokenizer is being trained."""


@contextmanager
def alone() -> Iterator[None]:
    """Train a tokenizer in this block. Raises `Busy` if this host is public and already trains one."""
    if not settings.current().public:
        yield
        return
    if not _gate.acquire(blocking=False):
        raise Busy(TEXT["busy"])
    try:
        yield
    finally:
        _gate.release()
