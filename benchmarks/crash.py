"""Crash safety: a kill -9 at any moment loses only the time since the last checkpoint.

    python -m benchmarks.crash
    python -m benchmarks.crash --kills 100 --minutes 10 --seed 7
    python -m benchmarks.crash --kills 20 --only suites

Small models are trained, checkpoints saved, a text made into files of ids (`prepare`), and a suite trained
(`ablate`). Each is killed with SIGKILL at a random moment and the same command goes on; some are then killed again.
`--kills` is how many are killed at least once.
What it leaves is compared byte by byte with what an undisturbed process left: weights, the optimizer's
averages, the state and the generators of every kept checkpoint, snapshots, `.bin` files; the losses in the log,
each step once; a suite's table, without its speed. Not compared are checkpoints between those that are due: a
suite's workers save their runs where they are when the suite is killed. The seed decides what is killed and when, as far as a clock can.

Processes are forked from this one, which has PyTorch loaded; the workers of a suite are separate processes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import print_table
from engine.cli.main import main as engine
from engine.config import RunConfig
from engine.runs.history import REPEATED
from engine.runs.store import Run, RunStore
from engine.training.driver import log

SHARES = {"training": 5, "saving": 2, "prepare": 2, "suites": 1}
"""Shares of ten commands that are killed. Of a few, each kind gets at least one in this order."""

SMALL: dict[str, Any] = {
    "d_model": 16, "n_head": 2, "n_layer": 2, "max_seq_len": 32, "batch_size": 4, "dropout": 0.1,
    "warmup_steps": 2, "eval_interval": 5, "eval_steps": 1, "sample_interval": 10, "probe_interval": 5,
    "device": "cpu", "threads": 1,
}  # fmt: skip

MODELS: dict[str, dict[str, Any]] = {
    "dense": {"source": "copy", "task_length": 3},
    "experts": {
        "source": "copy", "task_length": 3, "n_experts": 4, "top_k": 2, "switch_loss": 0.01, "bias_rate": 0.01,
    },
    "encoder-decoder": {"source": "numbers", "n_encoder_layer": 1, "sample_interval": 20},
}  # fmt: skip

SUITE = {
    "name": "crash",
    "question": "Does a kill change a result?",
    "base": SMALL | {"source": "copy", "task_length": 3, "total_steps": 60, "save_interval": 10},
    "variants": {"pre": {}, "post": {"placement": "post"}},
    "seeds": 1,
}


TIMED = re.compile("tokens_per_second|seconds|equal_time")
"""Columns of a table that depend on the machine's speed."""

PATIENCE = 300.0
"""Seconds in which a command may be refused before that is a failure."""


@dataclass(frozen=True)
class Work:
    """A command in a folder, and the results that it must leave there."""

    kind: str
    name: str
    prepare: Callable[[Path], None]
    """Fill an empty folder with the inputs of the command."""
    command: Callable[[Path], list[str]]
    """The command line, also used to continue after a kill."""
    left: Callable[[Path], dict[str, str]]
    """The results that must be identical, by name."""


# Commands ----------------------------------------------------------------------------------------


def training(kind: str, name: str, **changes: Any) -> Work:
    """A run of one of `MODELS`."""
    config = RunConfig.from_flat(SMALL | MODELS[name] | changes)

    def prepare(folder: Path) -> None:
        run = RunStore(folder).create(config, name)
        run.path.rename(folder / "run")

    return Work(
        kind,
        name,
        prepare,
        lambda folder: ["train", "--run", str(folder / "run")],
        lambda folder: of_run(Run(folder / "run")),
    )


def preparing() -> Work:
    """Train a tokenizer on a text of some hundred kilobytes and encode it."""

    def prepare(folder: Path) -> None:
        draw = random.Random(0)
        words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 6))) for _ in range(9_000)]
        lines = [" ".join(draw.choices(words, k=12)) for _ in range(9_000)]
        (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def command(folder: Path) -> list[str]:
        words = ["prepare", "--input", str(folder / "text.txt"), "--out", str(folder / "out")]
        return [*words, "--vocab_size", "3000", "--processes", "2"]

    return Work("prepare", "bpe", prepare, command, lambda folder: of_files(folder / "out"))


def suite() -> Work:
    """A suite of two variants, each trained by its own process."""

    def prepare(folder: Path) -> None:
        (folder / "crash.json").write_text(json.dumps(SUITE), encoding="utf-8")

    def command(folder: Path) -> list[str]:
        file, runs = folder / "crash.json", folder / "runs"
        return ["ablate", str(file), "--root", str(runs), "--jobs", "2"]

    def left(folder: Path) -> dict[str, str]:
        with open(folder / "runs/suites/crash/table.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = {
            f"table: {row['variant']}": repr({k: v for k, v in row.items() if not TIMED.search(k)})
            for row in rows
        }
        for run in RunStore(folder / "runs").list():
            found |= {f"{run.info.variant}: {k}": v for k, v in of_run(run).items()}
        return found

    return Work("suites", "two variants", prepare, command, left)


# Results -----------------------------------------------------------------------------------------


def of_files(folder: Path) -> dict[str, str]:
    """A digest of every file except hidden ones, with the path of the parent folder removed."""
    above = os.fsencode(folder.parent)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes().replace(above, b"")
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def of_run(run: Run) -> dict[str, str]:
    """Digests of checkpoints, snapshots and tokenizer, and the logged training results."""
    found = {
        name: digest
        for name, digest in of_files(run.path).items()
        if name.startswith(("step-", "snapshots/", "tokenizer"))
    }
    interval = run.config.train.save_interval
    events, offset = run.raw_events(limit=1 << 30)
    timed = ("time", "trained", "seconds", "processor_seconds")
    current = {id(event) for event in standing(events)}
    kept = [
        {name: value for name, value in event.items() if name not in timed}
        for event in events
        if id(event) in current and not (event["type"] == "saved" and event["step"] % interval)
    ]
    for line, times in Counter(map(json.dumps, kept)).items():
        found[f"log: {line}"] = f"{times} times"
    found["state"] = run.status().state
    # A kill while the lock of a finished run is released leaves a file that only another process would remove.
    hidden = [path.name for path in run.path.glob(".*") if not path.name.startswith(".process-")]
    found["hidden"] = repr(hidden)
    assert run.raw_events(offset)[0] == []
    return found


def standing(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Training events that are not superseded (see `engine.runs.history.current`), without `working`."""
    kept: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "started":
            kept = [old for old in kept if old["step"] <= event["step"]]
        elif event["type"] in REPEATED - {"working"}:
            kept.append(event)
    return kept


# Killing -----------------------------------------------------------------------------------------


def begin(words: list[str]) -> int:
    """Run a command in a forked process; returns its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        status = engine(words)
    finally:
        os._exit(status)


def end(child: int) -> int:
    """Wait for a process; returns its exit status, negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ended(child: int) -> bool:
    """Whether a process has ended. It stays a zombie until `end`."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill_at(child: int, seconds: float, folder: Path, work: Work, draw: random.Random) -> bool:
    """Kill a process after `seconds`; returns False if it ended before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not ended(child):
        time.sleep(0.001)
    if work.kind == "saving":  # kill during a save
        while not ended(child) and not any(folder.glob("run/.step-*")):
            pass
        time.sleep(draw.uniform(0.0, 0.004))
    if ended(child):
        return False
    victims = [child]
    if work.kind == "suites" and draw.random() < 0.5:  # kill a worker: the suite retries it
        with suppress(OSError):
            status = [run.status() for run in RunStore(folder / "runs").list()]
            victims = [s.pid for s in status if s.alive and s.pid is not None][:1] or victims
    with suppress(ProcessLookupError):
        os.kill(victims[0], signal.SIGKILL)
    return True


def undisturbed(work: Work, folder: Path) -> tuple[float, dict[str, str]]:
    """Run a work once without a kill; returns its seconds and results."""
    folder.mkdir()
    work.prepare(folder)
    begun = time.monotonic()
    status = end(begin(work.command(folder)))
    if status != 0:
        raise SystemExit(f"{work.kind}, {work.name}: exit status {status} without a kill")
    return time.monotonic() - begun, work.left(folder)


def killed(
    work: Work, folder: Path, seconds: float, wanted: dict[str, str], draw: random.Random
) -> tuple[int, list[str]]:
    """Run a work of about `seconds` in an empty folder with one or two kills; returns kills and differences."""
    work.prepare(folder)
    kills, status = 0, -1
    for _ in range(draw.choice((1, 1, 2))):
        child = begin(work.command(folder))
        kills += kill_at(child, draw.uniform(0.0, seconds), folder, work, draw)
        end(child)
    until = time.monotonic() + PATIENCE
    while status != 0 and time.monotonic() < until:
        status = end(
            begin(work.command(folder))
        )  # fails while the workers of a killed suite save their runs
    if status != 0:
        return kills, [f"exit status {status}"]
    found = work.left(folder)
    names = sorted(wanted.keys() | found.keys())
    return kills, [
        f"{name} ({wanted.get(name)}, now {found.get(name)})"
        for name in names
        if wanted.get(name) != found.get(name)
    ]


# Main --------------------------------------------------------------------------------------------


def works() -> dict[str, list[Work]]:
    return {
        "training": [training("training", n, total_steps=60, save_interval=20) for n in MODELS],
        "saving": [training("saving", n, total_steps=20, save_interval=1) for n in MODELS],
        "prepare": [preparing()],
        "suites": [suite()],
    }


def shared(times: int) -> dict[str, int]:
    """How many commands of each kind are killed."""
    total = sum(SHARES.values())
    counts = {kind: max(1, times * share // total) for kind, share in SHARES.items()}
    counts["training"] += times - sum(counts.values())
    return {kind: count for kind, count in counts.items() if count > 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="commands to kill, once or twice")
    parser.add_argument("--minutes", type=float, default=15.0, help="begin nothing new after them")
    parser.add_argument(
        "--only", choices=SHARES, help="kill only this (default: each has its share)"
    )
    parser.add_argument("--seed", type=int, default=None, help="(default: a new one, printed)")
    options = parser.parse_args()
    if not hasattr(os, "fork"):
        raise SystemExit("This needs a system with fork and SIGKILL.")
    log.SILENCE = float("inf")  # progress events depend on the machine's speed
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    draw, until = random.Random(seed), time.monotonic() + 60 * options.minutes
    print(f"seed {seed}", flush=True)
    counts = {options.only: options.kills} if options.only else shared(options.kills)
    kills, same, times = (dict.fromkeys(counts, 0) for _ in range(3))
    references: dict[Path, tuple[float, dict[str, str]]] = {}
    with tempfile.TemporaryDirectory(prefix="crash-") as place:
        while time.monotonic() < until:
            kind = min(
                counts, key=lambda kind: times[kind] / counts[kind]
            )  # keep the shares balanced
            if times[kind] >= counts[kind]:
                break
            work = draw.choice(works()[kind])
            alone = Path(place) / f"{kind}-{work.name}"
            if alone not in references:
                references[alone] = undisturbed(work, alone)
            seconds, wanted = references[alone]
            with tempfile.TemporaryDirectory(dir=place) as folder:
                number, differing = killed(work, Path(folder), seconds, wanted, draw)
            if number == 0 and not differing:
                continue  # it ended before the kill
            kills[kind] += number
            times[kind] += 1
            same[kind] += not differing
            if differing:
                print(f"{kind}, {work.name}: differs in {', '.join(differing)}", flush=True)
    rows = [(kind, str(kills[kind]), f"{same[kind]} of {times[kind]}") for kind in counts]
    total = f"{sum(same.values())} of {sum(times.values())}"
    rows.append(("all", str(sum(kills.values())), total))
    print_table(("", "kills", "identical"), rows)
    raise SystemExit(same != times)


if __name__ == "__main__":
    main()
