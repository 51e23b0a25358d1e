"""Runs as zips for the browser: one copy of each run and step, few at a time, and none for long.

A copy lies in Gradio's cache folder, from which Gradio serves files, and is outside of the learners' storage: so it is
counted here.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from engine.files import atomic_writer
from engine.runs.store import Run, RunError

FOLDER = "downloads"
"""In Gradio's cache folder."""
MAX_COPIES = 20
"""Copies that are kept: a newer one takes the place of the oldest."""
KEEP_SECONDS = 600.0
"""How long a copy is kept after it was last asked for."""

_lock = threading.Lock()


def root() -> Path:
    """The folder of the copies."""
    cache = os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir(), "gradio")
    return Path(cache, FOLDER).resolve()


def copy_of(run: Run) -> Path:
    """The zip of a run, with its newest weights. Raises `RunError` without a checkpoint.

    The same zip is handed out until the run has a newer checkpoint.
    """
    saved = run.checkpoints()
    newest = saved[-1].step if saved else None
    name = hashlib.sha256(f"{run.path.resolve()} {run.info.created} {newest}".encode()).hexdigest()
    folder = root() / name
    target = folder / f"run-{run.id}.zip"
    with _lock:
        if target.is_file():
            os.utime(folder)
        else:
            root().mkdir(parents=True, exist_ok=True)
            folder.mkdir(
                mode=0o700, exist_ok=True
            )  # Gradio's cache may be in a folder of all users
            try:
                with atomic_writer(target) as file:
                    run.download(file)
            except (RunError, OSError):
                shutil.rmtree(folder, ignore_errors=True)
                raise
        _tidy(keep=folder)
    return target


def tidy() -> None:
    """Delete the copies that were not asked for lately."""
    with _lock:
        _tidy()


def _tidy(keep: Path | None = None) -> None:
    ages: list[tuple[float, Path]] = []
    for folder in root().glob("*"):
        with suppress(OSError):
            ages.append((folder.stat().st_mtime, folder))
    ages.sort(reverse=True)
    oldest = time.time() - KEEP_SECONDS
    for number, (used, folder) in enumerate(ages):
        if folder != keep and (number >= MAX_COPIES or used < oldest):
            shutil.rmtree(folder, ignore_errors=True)


def forget(run: Run) -> None:
    """Delete the copies of a run that is deleted."""
    with _lock:
        for path in root().glob(f"*/run-{run.id}.zip"):
            shutil.rmtree(path.parent, ignore_errors=True)
