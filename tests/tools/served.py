"""The playground as a process of its own, as a learner starts it, for tests that talk to it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.tools.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[2]

EQUAL_SHARE = ("-m", "tests.tools.equal_share")
"""A playground for tests, which keep every processor busy: its runs do not give way to them."""


@contextmanager
def served(
    folder: Path,
    command: tuple[str, ...] = ("playground/app.py",),
    runs: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Start the playground, or the dashboard, and give its address.

    What it writes goes into `folder`, its runs too unless they have a folder of their own. `settings` are
    variables of its environment.

    It ends afterwards.
    """
    environment = os.environ | {
        "TP_RUNS": str(runs or folder / "runs"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "GRADIO_SERVER_PORT": str(port := free_port()),
        "STREAMLIT_SERVER_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        **(settings or {}),
    }
    log = folder / "playground.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield address_of(process, log)
    finally:
        stop_runs()
        children = psutil.Process(process.pid).children()  # Gradio's own command serves in one
        process.terminate()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.terminate()
        process.wait(PATIENCE)
        psutil.wait_procs(children, PATIENCE)


def stop_runs() -> None:
    """Stop what the playgrounds of this process still train, as the next test would have to share the processors."""
    while runs := [
        process for process in psutil.Process().children(recursive=True) if _trains(process)
    ]:
        for process in runs:
            with suppress(psutil.NoSuchProcess):
                process.terminate()  # it keeps what it has learned
        psutil.wait_procs(runs, PATIENCE)


def _trains(process: psutil.Process) -> bool:
    """Does it train a run? One that waits for a run to start holds no lock, and a page that reads one is not asked."""
    with suppress(psutil.NoSuchProcess):
        locks = any(Path(file.path).name == "lock" for file in process.open_files())
        return locks and "train" in process.cmdline()
    return False


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where a playground or a dashboard serves, once its log says so. Raises `AssertionError` if it does not."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"(?:playground is at|URL:) (\S+)", log.read_text(encoding="utf-8"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"the playground did not start:\n{log.read_text(encoding='utf-8')}")
