"""The lock of a run's or a suite's folder: the process that holds it is the one that trains.

`lock` is a file in the folder. The training process holds an exclusive advisory lock on it (flock(2); on
Windows a locked byte) until it is done. The kernel owns the lock. It therefore works between containers
that share a volume, between users and across clock changes, and it is released as soon as the process
ends, however it ends. Neither process ids nor times are used. The file is deleted only with its folder,
by a process that holds the lock.

To check whether a run is being trained, a reader takes a shared lock for a moment. This never prevents a
process from starting: if a process cannot get the exclusive lock but can get a shared one, the holder is
only a reader, and it tries again.

On a file system without locks (flock fails with ENOSYS, ENOLCK or similar) a run cannot be trained, and the
error says so. A renewed lease would depend on clocks or waiting, and could be lost during training. A file
system whose locks work within one machine only (NFS mounted with `nolock`) cannot be detected; there, train
a run on one machine at a time.

The N-th process that takes the lock writes `process-N.json`, which records the sizes of the logs at that
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

from engine.files import (
    atomic_writer,
    file_size,
    finish_line,
    read_object,
    read_stored,
    remove_unfinished,
    write_atomic,
)

LOCK = "lock"

RETRY_SECONDS = 0.001
"""Delay between attempts while a reader holds a shared lock, which takes a reader microseconds."""

_NAME = re.compile(r"process-(\d{1,9})\.json")
_held: dict[str, int] = {}
"""File descriptors of the locks that this process holds, by the claim's path."""


class LockError(Exception):
    """The folder cannot be locked: another process holds it, it was deleted, or there are no file locks."""


@dataclass(frozen=True)
class Claim:
    """`process-N.json`: the sizes of a run's logs when its N-th process started."""

    pid: Annotated[int, Field(ge=1, lt=2**31)]
    """The process id, for display only: it has no meaning in another container."""
    events: Annotated[int, Field(ge=0)]
    """Bytes of `events.jsonl` that earlier processes wrote."""
    commands: Annotated[int, Field(ge=0)]
    """Byte offset in `commands.jsonl` from which this process reads."""
    path: str
    released: bool = False
    """Whether the process released its lock itself."""

    def to_json(self) -> str:
        return json.dumps({k: v for k, v in asdict(self).items() if k != "path"})

    def release(self) -> None:
        """Release the lock while the process lives on."""
        with (
            suppress(OSError),
            atomic_writer(Path(self.path)) as file,
        ):  # release on a full disk too
            file.write(replace(self, released=True).to_json().encode())
        descriptor = _held.pop(self.path, None)
        if descriptor is not None:
            os.close(descriptor)


_CLAIM: TypeAdapter[Claim] = TypeAdapter(Claim)


def acquire(folder: Path) -> Claim:
    """Lock this folder for this process, until the claim is released or the process ends.

    Raises `LockError`, and `OSError` if the folder is missing or cannot be written to.
    """
    events, commands = folder / "events.jsonl", folder / "commands.jsonl"
    # Read before locking: a command sent by someone who sees the lock is for this process.
    earlier_commands = file_size(commands)
    descriptor = _lock(folder)
    try:
        remove_unfinished(folder, "process-*.json")
        number, earlier = _newest(folder)
        finish_line(events)
        # Commands to a run that never started are for this process; others were for an earlier one.
        fresh = earlier is None and file_size(events) == 0
        claim = Claim(
            pid=os.getpid(),
            events=file_size(events),
            commands=0 if fresh else earlier_commands,
            path=str(folder / f"process-{number + 1}.json"),
        )
        write_atomic(Path(claim.path), claim.to_json())
    except BaseException:
        os.close(descriptor)
        raise
    _held[claim.path] = descriptor
    return claim


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock of this folder. Cheap: three system calls."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | _FLAGS)
    except PermissionError:
        return True  # another user's folder: assume the worst
    except OSError:
        return False
    try:
        return _is_locked(descriptor)
    except OSError:
        return False  # nothing is trained on a file system without locks
    finally:
        os.close(descriptor)


def rename_locked(folder: Path, name: Path) -> None:
    """Rename a folder under its own lock, so that no process can start in it. Raises `LockError`."""
    with _locked(folder):
        if sys.platform != "win32":
            folder.rename(name)
            return
    try:
        folder.rename(name)  # Windows refuses to rename a folder with an open file such as the lock
    except PermissionError:
        raise LockError("another process is using it") from None


def newest_claim(folder: Path) -> Claim | None:
    """The claim of the newest process, alive or not; None if there was no process."""
    return _newest(folder)[1]


def _newest(folder: Path) -> tuple[int, Claim | None]:
    """The number of the newest process, and its claim."""
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
"""Child programs do not inherit the lock, and opening a pipe of this name does not block."""


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    descriptor = _lock(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int:
    """Lock the folder; returns the open file descriptor. Raises `LockError` or `OSError`."""
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    try:
        while not _try_lock(descriptor):
            if _is_locked(descriptor):
                raise LockError("another process is using it")
            time.sleep(RETRY_SECONDS)
        if not _is_at(path, descriptor):
            raise LockError("it has just been deleted")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at `path`: the run may have been deleted since."""
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
        """On Windows a locked byte cannot be read by another process."""
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
            raise LockError(reason) from None

    def _is_locked(descriptor: int) -> bool:
        """Readers share the lock with each other, but not with the training process."""
        free = _flock(descriptor, fcntl.LOCK_SH)
        if free:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        return not free

    def _close_in_child() -> None:
        """A forked process inherits the parent's descriptors, and would keep its locks."""
        for descriptor in _held.values():
            os.close(descriptor)
        _held.clear()

    os.register_at_fork(after_in_child=_close_in_child)
