"""Keys of runs on a public host: changing a run takes the key that its start returned.

The id of a run is public: anyone may read the run by it. Its key is a secret of the browser or script
that started it. The run's folder keeps only the SHA-256 of the key, in a file that no other user of the machine can
read. A run without this file (an older one, or one of the command line) cannot be changed from a page of a public
host. On one's own machine there are no keys.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets

from engine.files import read_stored
from engine.runs.store import Run, RunError
from playground import settings

FILE = "key.sha256"
"""In a run's folder."""

TEXT = {
    "other": "“{name}” was started in another browser, and only that one can change it. Fork it to go on from "
    "its checkpoints.",
}


class NotYours(RunError):
    """The key of this run is missing or wrong."""


def new() -> str:
    """A key for a run that is about to be made; empty where this host asks for none."""
    return secrets.token_urlsafe(32) if settings.current().public else ""


def lock(run: Run, key: str) -> None:
    """Ask for this key from now on; nothing for an empty one. Raises `OSError` where the run has a key already."""
    if not key:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(run.path / FILE, flags, 0o600), "w", encoding="ascii") as file:
        file.write(_digest(key))


def check(run: Run, key: object) -> None:
    """Raises `NotYours` where this host asks for the run's key, and this is not it."""
    if not settings.current().public:
        return
    try:
        stored = read_stored(run.path / FILE).decode("ascii")
    except (OSError, ValueError):
        stored = ""
    given = _digest(key) if isinstance(key, str) and key else ""
    if not stored or not hmac.compare_digest(stored, given):
        raise NotYours(TEXT["other"].format(name=run.name))


def granted(*given: tuple[Run, str]) -> list[list[str]]:
    """[id, key] of each run, "" where the host asks for no key: what the browser that started them keeps."""
    return [[run.id, key] for run, key in given]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
