"""Which process trains a run, or works on a suite of runs: a file that only one process can make.

The N-th process that trains a run makes `process-N.json` in the run's folder (O_EXCL), and only
when the process before it is over. Nobody deletes these files, so there is no moment in which two
processes both find the run free: a process that ends by itself marks its claim as released, and
one that was killed is no longer there. The number of a process is used again after a while, so its time
of creation goes with it.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import psutil
from pydantic import Field, TypeAdapter

from engine.jsonl import finish_line, read_object, read_stored, size_of, write_whole

_NAME = re.compile(r"process-(\d{1,9})\.json")


class Taken(Exception):
    """Another process has the run."""


@dataclass(frozen=True)
class Claim:
    """`process-N.json`: which process has the run, and how long its logs were at that moment."""

    pid: Annotated[int, Field(ge=1, lt=2**31)]
    created: float
    """When the process began, which tells it from a later one with the same number."""
    events: Annotated[int, Field(ge=0)]
    """Bytes of `events.jsonl` that earlier processes wrote."""
    commands: Annotated[int, Field(ge=0)]
    """Where in `commands.jsonl` this process reads on."""
    path: str
    released: bool = False

    def to_json(self) -> str:
        return json.dumps({k: v for k, v in asdict(self).items() if k != "path"})

    def alive(self) -> bool:
        """Does that process still run, and still have the run?"""
        if self.released:
            return False
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return abs(process.create_time() - self.created) < 2.0  # clocks are adjusted a little
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True

    def release(self) -> None:
        """The process lives on, but is done with the run."""
        write_whole(Path(self.path), replace(self, released=True).to_json())


_CLAIM: TypeAdapter[Claim] = TypeAdapter(Claim)


def take(folder: Path) -> Claim:
    """Claim the run in this folder for this process. Raises `Taken`."""
    number, earlier = _newest(folder)
    if earlier is not None and earlier.alive():
        raise Taken(f"process {earlier.pid} is already at work on it")
    events, commands = folder / "events.jsonl", folder / "commands.jsonl"
    finish_line(events)
    # Commands to a run that never started are for this process; else they were for an earlier one.
    fresh = earlier is None and size_of(events) == 0
    claim = Claim(
        pid=os.getpid(),
        created=psutil.Process().create_time(),
        events=size_of(events),
        commands=0 if fresh else size_of(commands),
        path=str(folder / f"process-{number + 1}.json"),
    )
    try:
        with open(claim.path, "x", encoding="utf-8") as file:
            file.write(claim.to_json())
    except FileExistsError:
        raise Taken("another process has just begun with it") from None
    return claim


def last(folder: Path) -> Claim | None:
    """The claim of the newest process, alive or not."""
    return _newest(folder)[1]


def _newest(folder: Path) -> tuple[int, Claim | None]:
    """How many processes had the run, and the claim of the last."""
    numbers = [int(match[1]) for name in os.listdir(folder) if (match := _NAME.fullmatch(name))]
    if not numbers:
        return 0, None
    return max(numbers), _read(folder / f"process-{max(numbers)}.json")


def _read(path: Path) -> Claim | None:
    """A claim; None for one that its process was killed in writing, or that is none.

    Its writer fills the file right after making it, so an empty one is given a moment.
    """
    for _ in range(20):
        try:
            content = read_stored(path)
            if content:
                values: dict[str, Any] = read_object(content) or {}
                return _CLAIM.validate_python(values | {"path": str(path)})
            if time.time() - path.stat().st_mtime > 1:
                return None
        except (OSError, ValueError):
            return None
        time.sleep(0.01)
    return None
