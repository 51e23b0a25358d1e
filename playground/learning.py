"""Tokenizers that this server learns itself: seconds of its own processor, which every visitor's page waits for.

On a public host one is learned at a time, and who comes second is told so. On one's own machine nobody waits.

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
    """Another tokenizer is being learned."""


@contextmanager
def alone() -> Iterator[None]:
    """Learn a tokenizer in this block. Raises `Busy` where this host is public and is learning another."""
    if not settings.current().public:
        yield
        return
    if not _gate.acquire(blocking=False):
        raise Busy(TEXT["busy"])
    try:
        yield
    finally:
        _gate.release()
