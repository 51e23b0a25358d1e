"""Files that one process writes while others read them, and others may have damaged.

A log is a file of JSON lines that is only ever appended to. A writer appends a whole line at once,
a reader remembers how many bytes it has read, and leaves an unfinished last line for the next time.
Any other file is written aside and put in its place whole.

Every stored file of a run is opened here: only regular files, never through a link, and no more of one
than fits. So a pipe in place of a file blocks nobody, and a link in an unpacked archive cannot lead to
another file of this machine.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from pydantic_core import from_json

MAX_LINE = 1 << 22
"""Bytes of a line in a log: a longer one is no message. 64 layers of 256 experts take 0.8 MB."""

MAX_JSON = 1 << 20
"""Bytes of a small JSON file: a configuration, `run.json`, `state.json`."""

MAX_REASON = 500
"""Characters of a reason: some quote what is in a file."""

WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""How a stored file is opened, in case it is exchanged for a pipe or a link at that moment."""


def open_stored(path: Path, mode: str = "rb", buffering: int = -1) -> BinaryIO:
    """Open a stored file. Raises `OSError` for a folder, a link, a pipe, a socket or a device."""
    return cast("BinaryIO", open(path, mode, buffering, opener=_open))


def _open(path: str, flags: int) -> int:
    try:
        check_stored(Path(path))
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    return os.open(path, flags | WITHOUT_WAITING, 0o666)


def check_stored(path: Path) -> int:
    """The bytes of a stored file. Raises `OSError` where there is none, or it is no regular file."""
    found = os.lstat(path)
    if stat.S_ISREG(found.st_mode):
        return found.st_size
    if stat.S_ISDIR(found.st_mode):
        reason = "is a folder, not a file"
    elif stat.S_ISLNK(found.st_mode):
        reason = "is a link, not a file"
    else:
        reason = "is a pipe or a device, not a file"
    raise OSError(errno.EINVAL, reason, str(path))


def is_stored(path: Path) -> bool:
    """Is this a regular file, and no link?"""
    try:
        return check_stored(path) >= 0
    except (OSError, ValueError):  # ValueError: a path with a zero in it
        return False


def read_stored(path: Path, most: int = MAX_JSON) -> bytes:
    """All of a stored file, which is replaced whole. Raises `OSError`, also for more than `most` bytes."""
    with open_stored(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"is larger than {most >> 20} MB", str(path))
        return file.read()


def reason_of(error: BaseException) -> str:
    """What an error says, for somebody who does not know this machine.

    Never empty, not long, and a file goes by its name alone, not by its whole path.
    """
    reason = str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        reason = "is missing"
    elif isinstance(error, PermissionError):
        reason = "must not be read by this program"
    elif isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
    if isinstance(error, OSError) and error.filename:
        reason = f"{Path(str(error.filename)).name}: {reason}"
    return reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 1] + "…"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees all of it or none of it, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing_whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing_whole(path: Path) -> Generator[BinaryIO]:
    """The same for a file of any size: it gets its name at the end of the block, if that is reached."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def writing_out(path: Path) -> Generator[BinaryIO]:
    """A file that a user asked for: whole, or as it was before. Raises `OSError` that names `path`.

    What is no file, such as /dev/stdout or a pipe, is written to directly; a link stays a link.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            with open(target, "wb") as file:
                yield file
        else:
            with writing_whole(target) as file:
                yield file
    except OSError as error:
        if error.filename is not None:  # not the name it had meanwhile
            error.filename, error.filename2 = str(path), None
        raise


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's list of names. Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(new: Path, old: Path) -> None:
    """Windows refuses this while somebody reads the old file: try again for a moment."""
    for _ in range(20):
        try:
            os.replace(new, old)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.01)
    os.replace(new, old)


def append_line(path: Path, line: str) -> None:
    """Add one line, in one write, so that the lines of several writers do not mix."""
    content = f"{line}\n".encode("utf-8", "replace")
    with open_stored(path, "ab", buffering=0) as file:
        while content:  # a full disk takes a part of it, and says so when it is asked for the rest
            content = content[file.write(content) :]


def finish_line(path: Path) -> None:
    """End the line that a killed process left unfinished, so that the next does not run into it."""
    if size_of(path):
        with open_stored(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def size_of(path: Path) -> int:
    """Bytes in a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_lines(path: Path, offset: int, limit: int) -> tuple[list[bytes], int]:
    """The whole lines from byte `offset` on, about `limit` bytes of them, and where they end.

    Of a line longer than `MAX_LINE` the beginning is left out, and its rest reads as a broken line.
    """
    offset, limit = max(0, offset), max(1, limit)
    try:
        with open_stored(path) as file:
            file.seek(offset)
            data = file.read(limit)
            while b"\n" not in data and (more := file.read(limit)):
                data += more  # one line longer than the limit: it is read whole, to get on at all
                if len(data) > MAX_LINE and b"\n" not in more:
                    return [], offset + len(data)
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    return data[:end].splitlines(), offset + end


def lines_backward(path: Path, start: int, end: int) -> list[tuple[int, bytes]]:
    """(place, line) of each whole line that begins between two places, the last line first.

    Unless `start` is 0, the first line in the window is left out: it may have begun before it.
    """
    if end == 0:
        return []
    with open_stored(path) as file:
        file.seek(start)
        data = file.read(end - start)
    first = 0 if start == 0 else data.find(b"\n") + 1
    found: list[tuple[int, bytes]] = []
    place = first
    for line in data[first : data.rfind(b"\n") + 1].splitlines(keepends=True):
        found.append((start + place, line))
        place += len(line)
    return found[::-1]


def read_object(line: str | bytes) -> dict[str, Any] | None:
    """The JSON object in this text; None where it is none, or has NaN or half a character in it."""
    try:
        values: object = from_json(line, allow_inf_nan=False)
    except ValueError:
        return None
    return cast("dict[str, Any]", values) if isinstance(values, dict) else None
