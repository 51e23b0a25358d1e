"""Which process trains a run, or works on a suite of runs: the one that holds the lock of its folder.

`lock` is a file in the folder. The process that trains the run holds an exclusive advisory lock on it
(flock(2); on Windows a locked byte) until it is done. The kernel keeps that lock, so it holds between
containers that share a volume, between users, and when the clock is changed; and the kernel drops it at
once when the process ends, however it ends. No process number and no time decides anything. The file
stays where it is: it goes only with the whole folder, and who deletes that holds the lock itself.

To ask whether a run is trained, a reader takes a shared lock for a moment. That never keeps a process from
beginning: while a mere reader has the file, a shared lock can be had as well, and the process tries again.

A file system may have no locks (flock fails with ENOSYS, ENOLCK or the like). Nothing is trained there, and
the error says why: a lease that is renewed would need clocks or waiting, and could still be lost while
its process trains. A file system that keeps locks within one machine only (NFS mounted with `nolock`)
cannot be told from a good one; there, train a run on one machine at a time.

`process-N.json` is written by the N-th process that has the lock. It records how long the logs were at that
moment. Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from engine.jsonl import (
    finish_line,
    read_object,
    read_stored,
    size_of,
    write_whole,
    writing_whole,
)

LOCK = "lock"

RETRY_SECONDS = 0.001
"""How long a process waits for a reader to close the lock's file. A reader needs microseconds."""

_NAME = re.compile(r"process-(\d{1,9})\.json")
_held: dict[str, int] = {}
"""Open descriptors of the locks that this process holds, by the path of the claim."""


class Taken(Exception):
    """Another process has the run, or the run cannot be locked; says which."""


@dataclass(frozen=True)
class Claim:
    """`process-N.json`: how long the logs of a run were when its N-th process began."""

    pid: Annotated[int, Field(ge=1, lt=2**31)]
    """The process's number where it runs. For people to read: in another container it means nothing."""
    events: Annotated[int, Field(ge=0)]
    """Bytes of `events.jsonl` that earlier processes wrote."""
    commands: Annotated[int, Field(ge=0)]
    """Where in `commands.jsonl` this process reads on."""
    path: str
    released: bool = False
    """Did the process end by itself?"""

    def to_json(self) -> str:
        return json.dumps({k: v for k, v in asdict(self).items() if k != "path"})

    def release(self) -> None:
        """The process lives on, but is done with the run."""
        with suppress(OSError), writing_whole(Path(self.path)) as file:  # a full disk keeps no lock
            file.write(replace(self, released=True).to_json().encode())
        descriptor = _held.pop(self.path, None)
        if descriptor is not None:
            os.close(descriptor)


_CLAIM: TypeAdapter[Claim] = TypeAdapter(Claim)


def take(folder: Path) -> Claim:
    """Lock the run in this folder for this process, until it releases the claim or ends.

    Raises `Taken`, and `OSError` where the folder is gone or cannot be written to.
    """
    events, commands = folder / "events.jsonl", folder / "commands.jsonl"
    # Before the lock: who sees it taken may send a command, which is for this process already.
    earlier_commands = size_of(commands)
    descriptor = _lock(folder)
    try:
        number, earlier = _newest(folder)
        finish_line(events)
        # Commands to a run that never started are for this process; else they were for an earlier one.
        fresh = earlier is None and size_of(events) == 0
        claim = Claim(
            pid=os.getpid(),
            events=size_of(events),
            commands=0 if fresh else earlier_commands,
            path=str(folder / f"process-{number + 1}.json"),
        )
        write_whole(Path(claim.path), claim.to_json())
    except BaseException:
        os.close(descriptor)
        raise
    _held[claim.path] = descriptor
    return claim


def is_held(folder: Path) -> bool:
    """Does a process hold the lock of this folder? Cheap: three system calls."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | _FLAGS)
    except PermissionError:
        return True  # another user's: what cannot be known must not be touched
    except OSError:
        return False
    try:
        return _is_locked(descriptor)
    except OSError:
        return False  # without locks, nothing is trained here
    finally:
        os.close(descriptor)


def put_away(folder: Path, name: Path) -> None:
    """Rename a folder that no process works on. No process can begin with it meanwhile. Raises `Taken`."""
    with _locked(folder):
        if sys.platform != "win32":
            folder.rename(name)
            return
    try:
        folder.rename(name)  # Windows refuses to rename what holds an open file: here, the lock's
    except PermissionError:
        raise Taken("another process is at work on it") from None


def last(folder: Path) -> Claim | None:
    """What the newest process recorded, alive or not."""
    return _newest(folder)[1]


def _newest(folder: Path) -> tuple[int, Claim | None]:
    """How many processes had the run, and the claim of the last."""
    numbers = [int(match[1]) for name in os.listdir(folder) if (match := _NAME.fullmatch(name))]
    if not numbers:
        return 0, None
    return max(numbers), _read(folder / f"process-{max(numbers)}.json")


def _read(path: Path) -> Claim | None:
    """A claim, also of an earlier version; None for one that is damaged."""
    try:
        values = read_object(read_stored(path)) or {}
        return _CLAIM.validate_python(values | {"path": str(path)})
    except (OSError, ValueError):
        return None


# The lock ----------------------------------------------------------------------------------------

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""The lock is not for programs that this process starts; and opening a pipe of this name waits for nobody."""


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    descriptor = _lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """An open descriptor that has the folder's lock. Raises `Taken`, or `OSError`."""
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        while not _try_lock(descriptor):
            if _is_locked(descriptor):
                raise Taken("another process is at work on it")
            time.sleep(RETRY_SECONDS)
        if not _is_at(path, descriptor):
            raise Taken("it has just been deleted")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_at(path: Path, descriptor: int) -> bool:
    """Is this open file still the one at the path? The run may have been deleted after it was opened."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        if os.fstat(descriptor).st_size == 0:
            os.write(descriptor, b"\n")
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _is_locked(descriptor: int) -> bool:
        """Windows lets nobody else read a locked byte."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            os.read(descriptor, 1)
        except PermissionError:
            return True
        return False

else:
    import fcntl

    def _flock(descriptor: int, kind: int) -> bool:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _try_lock(descriptor: int) -> bool:
        try:
            return _flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            reason = f"its file system has no file locks ({error.strerror}), so it cannot be trained there"
            raise Taken(reason) from None

    def _is_locked(descriptor: int) -> bool:
        """Readers share the lock with one another, but not with the process that trains."""
        free = _flock(descriptor, fcntl.LOCK_SH)
        if free:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        return not free

    def _close_in_child() -> None:
        """A process that was forked off has the parent's descriptors, and would keep its locks."""
        for descriptor in _held.values():
            os.close(descriptor)
        _held.clear()

    os.register_at_fork(after_in_child=_close_in_child)
