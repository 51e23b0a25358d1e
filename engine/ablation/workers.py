"""Train many runs in parallel, each in its own process on this machine or as a task of a Ray cluster.

A worker trains one run's folder to its end. If a worker dies, its run continues from its checkpoint, in the
next attempt or the next call. Only the state in the folder counts, so a finished run is never trained again.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.ablation.comparison import FINAL_STATES
from engine.runs.events import Stop
from engine.runs.store import Run, RunError
from engine.validation import ConfigError, Problem

ROOT = Path(__file__).resolve().parents[2]

ATTEMPTS = 3
"""Maximum number of times that a run is started if its worker dies."""

POLL_SECONDS = 0.1

REPORT_SECONDS = 0.5

CLOSE_SECONDS = 20.0
"""Time that a run gets to save a checkpoint after a stop request."""

Train = Callable[[Run, threading.Event], str]
"""Trains a run until it ends, or until the event asks it to save and stop. Returns the worker's last line of
output, which is the error message if the run's folder does not record how it ended."""

OnProgress = Callable[[Sequence[tuple[Run, str]]], None]
"""Progress callback, twice a second: the runs that ended since the last call, each with its error or ''."""


def train_all(
    runs: Sequence[Run], train: Train, jobs: int, stop: threading.Event, report_progress: OnProgress
) -> None:
    """Train all runs, `jobs` at a time and in order. Returns when all have ended."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting: dict[Future[str], Run] = {
            pool.submit(train_with_retries, r, train, stop): r for r in runs
        }
        while waiting:
            done, _ = wait(waiting, REPORT_SECONDS, FIRST_COMPLETED)
            report_progress([(waiting.pop(future), future.result()) for future in done])


def train_with_retries(run: Run, train: Train, stop: threading.Event) -> str:
    """Train one run, retrying up to ATTEMPTS times if its worker dies. Returns the error message, or ''."""
    message = ""
    for _ in range(ATTEMPTS):
        while run.status().alive and not stop.wait(POLL_SECONDS):
            pass  # another process trains it: the page, or a worker of a killed suite
        if stop.is_set() or run.status().state in FINAL_STATES:
            return ""
        try:
            message = train(run, stop)
        except Exception as error:  # an error in one run does not affect the others
            message = f"{type(error).__name__}: {error}"
        status = run.status()
        if status.state in (*FINAL_STATES, "failed", "stopped"):
            return status.reason if status.state == "failed" else ""
    return message or "its process died"


# Processes on this machine -----------------------------------------------------------------------


def train_in_process(run: Run, stop: threading.Event) -> str:
    """Train a run in a child process, `python -m engine train --run FOLDER`, as the page does.

    If this process dies, the child's standard input closes, and the child saves its run and ends.
    """
    command = [sys.executable, "-m", "engine", "train", "--run", str(run.path.resolve())]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=sys.platform != "win32",  # the child does not receive Ctrl-C
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert process.stdin is not None
        while process.poll() is None and not stop.wait(POLL_SECONDS):
            pass
        process.stdin.close()
        try:
            process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.seek(0)
        lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


# A Ray cluster -----------------------------------------------------------------------------------


def ray_trainer(address: str) -> tuple[Train, int]:
    """Connect to the Ray cluster at `address`; returns its `Train` function and its number of CPUs.

    The runs' folder and this repository's folder must have the same path on every node. Raises
    `ConfigError` without the package, `OSError` without a cluster.
    """
    if find_spec("ray") is None:
        raise ConfigError([Problem("ray", address, "needs the package ray: pip install ray")])
    ray: Any = import_module("ray")
    path = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    ray.init(address=address, runtime_env=path, log_to_driver=False)
    task: Any = ray.remote(num_cpus=1, max_retries=0, max_calls=1)(train_folder)

    def train(run: Run, stop: threading.Event) -> str:
        answer = task.remote(str(run.path.resolve()))
        while not ray.wait([answer], timeout=REPORT_SECONDS)[0]:
            if stop.is_set():
                if run.status().state != "new":  # else the next process would receive the command
                    run.send(Stop())
                    ray.wait([answer], timeout=CLOSE_SECONDS)
                ray.cancel(answer, force=True)
                return ""
        return ray.get(answer)

    return train, max(1, int(ray.cluster_resources().get("CPU", 1)))


def train_folder(path: str) -> str:
    """Train the run in this folder; executed by a worker of the cluster."""
    from engine.training.driver import drive

    try:
        return drive(Run(Path(path))).reason
    except RunError as error:
        return str(error)
