"""Start, watch and end the processes that train runs.

Each run is trained by its own process, `python -m engine train --run -`, which obeys the run's folder and
not this program. One process is kept warm: it has imported PyTorch and waits for a folder on its standard
input, so that Start answers at once. A thread watches each process that was handed a run: it waits for
the end, so that no zombie is left, and records the memory used. Which run is next says `run_queue`.

The registry of processes is kept on `sys` and not in this module: Gradio's hot reload executes the
module again, and must neither stop nor lose a run.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil
from pydantic import ConfigDict, TypeAdapter

from engine.files import atomic_writer, file_size, read_stored
from engine.runs.events import Count
from engine.runs.store import Run, RunError
from engine.validation import ConfigError, read_json
from playground import settings
from playground.access.visitors import Visitor
from playground.planning import machine_speed

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-u", "-m", "engine", "train", "--run", "-"]

WARM_DELAY = 10.0
"""Seconds after a start before the next process is warmed, so that it takes nothing from the first
steps of the run."""

MEASURE_DELAY = 5.0
"""Seconds that the first visitor's page has to itself before the machine is measured."""

CLOSE_SECONDS = 10.0
"""How long a run may take to save itself when the playground ends."""

MEASURED = "measured.json"
"""In a run's folder: what its processes needed, as far as this program has seen it."""

MEASUREMENT: TypeAdapter[dict[str, int]] = TypeAdapter(
    dict[str, Count], config=ConfigDict(strict=True)
)
"""What is in it: {"memory": bytes}."""

ENDED = "The process for “{name}” ended at once: {reason}"

_HOME = "_playground_processes"

T = TypeVar("T")


@dataclass(eq=False)
class Worker:
    """A process that trains, or waits for, one run."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    """What it writes on its standard output and error."""
    run: Path | None = None
    begun: int = 0
    """Bytes that the run's log had when it was handed over."""
    since: float = 0.0
    """When the run was handed over, on the clock of `time.monotonic`."""
    stopping: bool = False
    """Has this host asked it to stop?"""
    peak: int = 0
    """Most resident memory seen, in bytes."""
    last_words: str = ""
    """The last line that it wrote, once it has ended: the reason, where it failed."""
    watcher: threading.Thread | None = None
    """Waits for its end, and writes into the run's folder then."""

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def run_id(self) -> str:
        return "" if self.run is None else self.run.name

    @property
    def trains(self) -> bool:
        """Whether it still trains: until its log ends or its process exits.

        A run that cannot be read, or was deleted, counts as long as its process lives.
        """
        if not self.alive or self.run is None:
            return False
        try:
            return not Run(self.run).ended_since(self.begun)
        except (OSError, RunError):
            return True

    def end(self) -> None:
        """Wait for the process, and keep the end of its output."""
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        if not self.log.closed:
            self.log.seek(0)
            lines = self.log.read().decode("utf-8", "replace").split("\n")
            self.last_words = next((line.strip() for line in reversed(lines) if line.strip()), "")
            self.log.close()


@dataclass
class Registry:
    """Every process that this program started."""

    lock: Any = field(default_factory=threading.RLock)
    warm: Worker | None = None
    workers: dict[str, Worker] = field(default_factory=dict)
    """By the id of the run."""
    waiting: list[Run] = field(default_factory=list)
    """Runs that wait for their turn, the first one first."""
    owners: dict[str, Visitor] = field(default_factory=dict)
    """Who started a run that trains or waits, or resumed it last, by the id of the run."""
    seen: dict[str, float] = field(default_factory=dict)
    """When a page last asked about a run, on the clock of `time.monotonic`."""
    closing: bool = False


def registry() -> Registry:
    """The one registry of this program."""
    return kept(_HOME, Registry, close)


def kept(name: str, make: Callable[[], T], close: Callable[[], None]) -> T:
    """The one value of this name in this program, however often a module is executed; `close` ends it."""
    if not hasattr(sys, name):
        setattr(sys, name, make())
        atexit.register(close)
    return getattr(sys, name)


def training() -> list[str]:
    """The ids of the runs that processes of this program train.

    A run that has logged its end no longer counts, though its process takes a moment more to exit.
    """
    return [run_id for run_id, worker in list(registry().workers.items()) if worker.trains]


def keep_warm() -> None:
    """Keep one process waiting for the next run."""
    known = registry()
    with known.lock:
        if not known.closing and (known.warm is None or not known.warm.alive):
            known.warm = _spawn()


def prepare() -> None:
    """Warm a process for the first run, and measure this machine soon, if that was never done."""
    keep_warm()

    def measure() -> None:
        while training():  # it would measure what a run leaves over
            time.sleep(MEASURE_DELAY)
        machine_speed.measure()

    timer = threading.Timer(MEASURE_DELAY, measure)
    timer.daemon = True
    timer.start()


def train(run: Run) -> None:
    """Hand a run to a process; called with the registry's lock. Raises `RunError`."""
    known = registry()
    worker, known.warm = known.warm, None
    if worker is None or not _hand_over(worker, run):
        worker = _spawn()
        if not _hand_over(worker, run):
            worker.end()
            raise RunError(ENDED.format(name=run.name, reason=worker.last_words))
    known.workers[run.id] = worker
    worker.watcher = threading.Thread(
        target=_watch, args=(worker,), name=f"watch-{run.id}", daemon=True
    )
    worker.watcher.start()
    timer = threading.Timer(WARM_DELAY, keep_warm)
    timer.daemon = True
    timer.start()


def memory(run: Run) -> int | None:
    """The most memory that the run's process took, in bytes, as far as it was watched."""
    worker = registry().workers.get(run.id)
    if worker is not None and worker.peak:
        return worker.peak
    try:
        return read_json(MEASUREMENT, read_stored(run.path / MEASURED)).get("memory") or None
    except (OSError, ConfigError):
        return None


def end(run_id: str) -> None:
    """End the process that this run was handed to, at once and without saving, where it has not begun yet.

    For a run that is about to be deleted: its place is free again only when its process is gone.
    """
    worker = registry().workers.get(run_id)
    if worker is None or not worker.alive:
        return
    worker.process.kill()
    if worker.watcher is not None:
        worker.watcher.join(CLOSE_SECONDS)


def close() -> None:
    """End every process: each saves its run, and is killed only if it does not end by itself."""
    known = registry()
    with known.lock:
        known.closing = True
        known.waiting.clear()
        workers = [*known.workers.values(), *([known.warm] if known.warm else [])]
        known.warm = None
    for worker in workers:
        if worker.process.stdin and worker.alive:
            worker.process.stdin.close()  # its parent is gone, as far as it knows
    until = time.monotonic() + CLOSE_SECONDS
    for worker in workers:
        try:
            worker.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()


def _spawn() -> Worker:
    """A new process, in a group of its own: Ctrl-C in the terminal is for this program alone."""
    log = tempfile.TemporaryFile()  # noqa: SIM115  (closed when the process has ended)
    process = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    give_way(process.pid)
    return Worker(process, log)


def give_way(pid: int) -> None:
    """Let the page go before this process and those that it starts, also while they still import PyTorch.

    Linux weighs sessions before it weighs processes, where it groups them (autogroup, see sched(7)): what
    a process's own niceness says then counts within its session only, and each run has one of its own. So a
    host that many share weighs these down too; on one's own machine a run has its share beside other programs.
    """
    low = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else 10
    with suppress(psutil.Error):
        psutil.Process(pid).nice(low)
    if not settings.current().public:
        return
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("10", encoding="utf-8")


def environment() -> dict[str, str]:
    """What a process that trains is to know of this host."""
    host, environment = settings.current(), dict(os.environ)
    if host.max_threads is not None:
        environment["OMP_THREAD_LIMIT"] = str(host.max_threads)
    if host.cpu_only:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment


def _hand_over(worker: Worker, run: Run) -> bool:
    """Tell a waiting process its run. False if it is no longer there."""
    assert worker.process.stdin is not None
    if not worker.alive:
        return False
    begun = file_size(run.path / "events.jsonl")
    try:
        worker.process.stdin.write(f"{run.path.resolve()}\n".encode())
        worker.process.stdin.flush()
    except OSError:
        return False
    worker.run, worker.begun, worker.since = run.path, begun, time.monotonic()
    return True


def _watch(worker: Worker) -> None:
    """Wait for the process's end; measure its memory twice a second until then."""
    while True:
        try:
            worker.process.wait(0.5)
            break
        except subprocess.TimeoutExpired:
            with suppress(psutil.Error):  # it has just ended
                resident = psutil.Process(worker.process.pid).memory_info().rss
                worker.peak = max(worker.peak, resident)
    worker.end()
    if worker.run is not None:
        with suppress(OSError, RunError):  # deleted meanwhile: the folder must not come back
            with atomic_writer(worker.run / MEASURED) as file:
                file.write(json.dumps({"memory": worker.peak}).encode())
            machine_speed.learn(Run(worker.run))
