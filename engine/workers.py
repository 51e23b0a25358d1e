"""Trains many runs, some at once: each in a process of its own here, or as a task of a Ray cluster.

A run is a folder, and a worker is whatever trains it to its end. A worker that vanishes is no loss:
its run goes on from its checkpoint, in the next attempt or the next time this is asked for. Only what
the folder says counts, so a run that is finished is never trained again.

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

from engine.ablation import OVER
from engine.events import Stop
from engine.runs import Run, RunError
from engine.validation import ConfigError, Problem

ROOT = Path(__file__).resolve().parents[1]

ATTEMPTS = 3
"""How often a run is begun whose worker vanishes."""

POLL_SECONDS = 0.1

LOOK_SECONDS = 0.5

CLOSE_SECONDS = 20.0
"""How long a run may take to save itself when it is told to stop."""

Train = Callable[[Run, threading.Event], str]
"""Trains a run until it ends; told to stop by the event, it saves it first. Returns its last words,
for the case that the run's folder does not say how it ended."""

Look = Callable[[Sequence[tuple[Run, str]]], None]
"""Is told, twice a second, which runs are over since the last time, each with what is wrong, if so."""


def train_all(
    runs: Sequence[Run], train: Train, jobs: int, stop: threading.Event, look: Look
) -> None:
    """Train every run that is not over, `jobs` at once, in their order. Returns when all are done."""
    with ThreadPoolExecutor(jobs) as pool:
        waiting: dict[Future[str], Run] = {pool.submit(attend, r, train, stop): r for r in runs}
        while waiting:
            done, _ = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
            look([(waiting.pop(future), future.result()) for future in done])


def attend(run: Run, train: Train, stop: threading.Event) -> str:
    """Train one run; again, a few times, where its worker vanishes. What is wrong, if anything is."""
    said = ""
    for _ in range(ATTEMPTS):
        while run.status().alive and not stop.wait(POLL_SECONDS):
            pass  # somebody trains it: the page, or what is left of a suite that was killed
        if stop.is_set() or run.status().state in OVER:
            return ""
        try:
            said = train(run, stop)
        except Exception as error:  # whatever happens to one run, the others go on
            said = f"{type(error).__name__}: {error}"
        status = run.status()
        if status.state in (*OVER, "failed", "stopped"):
            return status.reason if status.state == "failed" else ""
    return said or "its process vanished"


# Processes on this machine -----------------------------------------------------------------------


def by_process(run: Run, stop: threading.Event) -> str:
    """Train a run as the page does: by `python -m engine train --run FOLDER`, one thread.

    The process saves its run and ends when this one is gone, since its standard input closes.
    """
    command = [sys.executable, "-m", "engine", "train", "--run", str(run.path.resolve())]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=sys.platform != "win32",  # Ctrl-C is for this process alone
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


def on_ray(address: str) -> tuple[Train, int]:
    """What trains a run as a task of the cluster at `address`, and how many it can train at once.

    The folder of the runs has to be the same on every node, and this code is read from this
    repository's folder there. Raises `ConfigError` without the package, `OSError` without a cluster.
    """
    if find_spec("ray") is None:
        raise ConfigError([Problem("ray", address, "needs the package ray: pip install ray")])
    ray: Any = import_module("ray")
    path = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    ray.init(address=address, runtime_env=path, log_to_driver=False)
    task: Any = ray.remote(num_cpus=1, max_retries=0, max_calls=1)(train_folder)

    def train(run: Run, stop: threading.Event) -> str:
        answer = task.remote(str(run.path.resolve()))
        while not ray.wait([answer], timeout=LOOK_SECONDS)[0]:
            if stop.is_set():
                if run.status().state != "new":  # else the command would wait for its next process
                    run.send(Stop())
                    ray.wait([answer], timeout=CLOSE_SECONDS)
                ray.cancel(answer, force=True)
                return ""
        return ray.get(answer)

    return train, max(1, int(ray.cluster_resources().get("CPU", 1)))


def train_folder(path: str) -> str:
    """The task: train the run in this folder; a worker of the cluster calls it."""
    from engine.driver import drive

    try:
        return drive(Run(Path(path))).reason
    except RunError as error:
        return str(error)
