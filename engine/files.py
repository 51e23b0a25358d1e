"""File access that is safe against concurrent processes and damaged or hostile files.

A log is an append-only file of JSON lines. A writer appends a complete line in one write. A reader keeps
its byte offset and leaves an incomplete last line for the next read. Every other file is written to a
temporary file, which then replaces the old one atomically.

All stored files of a run are opened here: regular files only, never through a symbolic link, and with a
size limit. A pipe in place of a file therefore cannot block a reader, and a link in an unpacked archive
cannot expose another file of this machine.

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
"""Maximum bytes of a log line; longer lines are invalid. 64 layers of 256 experts take 0.8 MB."""

MAX_JSON = 1 << 20
"""Maximum bytes of a small JSON file: a configuration, `run.json`, `state.json`."""

MAX_REASON = 500
"""Maximum characters of an error's reason, since some quote a file's contents."""

OPEN_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Extra flags for opening a stored file, in case it is replaced by a pipe or a link after the check."""


def open_stored(path: Path, mode: str = "rb", buffering: int = -1) -> BinaryIO:
    """Open a stored file. Raises `OSError` for a folder, a link, a pipe, a socket or a device."""
    return cast("BinaryIO", open(path, mode, buffering, opener=_open))


def _open(path: str, flags: int) -> int:
    try:
        check_stored(Path(path))
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    return os.open(path, flags | OPEN_FLAGS, 0o666)


def check_stored(path: Path) -> int:
    """Return the size of a stored file in bytes. Raises `OSError` if it is missing or not a regular file."""
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
    """Whether this is a regular file and not a link."""
    try:
        return check_stored(path) >= 0
    except (OSError, ValueError):  # ValueError: a path with a null character
        return False


def read_stored(path: Path, max_bytes: int = MAX_JSON) -> bytes:
    """Read a stored file completely. Raises `OSError`, also if it is larger than `max_bytes`."""
    with open_stored(path) as file:
        if os.fstat(file.fileno()).st_size > max_bytes:
            raise OSError(errno.EFBIG, f"is larger than {max_bytes >> 20} MB", str(path))
        return file.read()


def error_reason(error: BaseException) -> str:
    """Describe an error for a user who must not see this machine's paths.

    The result is never empty and at most `MAX_REASON` characters; files appear by name, without their folder.
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


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file atomically: readers see the old or the new content, also after a power failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_writer(path: Path) -> Generator[BinaryIO]:
    """Open a temporary file that replaces `path` at the end of the block, unless the block raises."""
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


def remove_unfinished(folder: Path, *patterns: str) -> None:
    """Remove what a killed `atomic_writer` left of files in this folder, named by glob patterns."""
    for pattern in patterns:
        for temporary in folder.glob(f".{pattern}.{'[0-9a-f]' * 8}"):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_output(path: Path) -> Generator[BinaryIO]:
    """Open an output file that a user named, like `atomic_writer`. Raises `OSError` that names `path`.

    Anything but a regular file, such as /dev/stdout or a pipe, is written to directly. A link is resolved.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            with open(target, "wb") as file:
                yield file
        else:
            with atomic_writer(target) as file:
                yield file
    except OSError as error:
        if error.filename is not None:  # replace the temporary file's name
            error.filename, error.filename2 = str(path), None
        raise


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk. Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(new: Path, old: Path) -> None:
    """Replace `old` by `new`. On Windows this fails while the old file is being read, so it is retried."""
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
    """Append one line in a single write, so that lines of concurrent writers do not interleave."""
    content = f"{line}\n".encode("utf-8", "replace")
    with open_stored(path, "ab", buffering=0) as file:
        while content:  # a full disk accepts a part of the line, then raises
            content = content[file.write(content) :]


def finish_line(path: Path) -> None:
    """Terminate an incomplete last line, left by a killed process, so that the next line is separate."""
    if file_size(path):
        with open_stored(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def file_size(path: Path) -> int:
    """Size of a file in bytes; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_lines(path: Path, offset: int, limit: int) -> tuple[list[bytes], int]:
    """Read complete lines from byte `offset` on, about `limit` bytes; returns them and their end offset.

    The beginning of a line longer than `MAX_LINE` is skipped, and its rest is returned as an invalid line.
    """
    offset, limit = max(0, offset), max(1, limit)
    try:
        with open_stored(path) as file:
            file.seek(offset)
            data = file.read(limit)
            while b"\n" not in data and (more := file.read(limit)):
                data += more  # a line longer than the limit is read completely, to make progress
                if len(data) > MAX_LINE and b"\n" not in more:
                    return [], offset + len(data)
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    return data[:end].splitlines(), offset + end


def lines_backward(path: Path, start: int, end: int) -> list[tuple[int, bytes]]:
    """(offset, line) of each complete line between two byte offsets, last line first.

    Unless `start` is 0, the first line is skipped, because it may have begun before `start`.
    """
    if end == 0:
        return []
    with open_stored(path) as file:
        file.seek(start)
        data = file.read(end - start)
    first = 0 if start == 0 else data.find(b"\n") + 1
    found: list[tuple[int, bytes]] = []
    position = first
    for line in data[first : data.rfind(b"\n") + 1].splitlines(keepends=True):
        found.append((start + position, line))
        position += len(line)
    return found[::-1]


def read_object(line: str | bytes) -> dict[str, Any] | None:
    """Parse a JSON object; None if the text is not one, or contains NaN or a lone surrogate."""
    try:
        values: object = from_json(line, allow_inf_nan=False)
    except ValueError:
        return None
    return cast("dict[str, Any]", values) if isinstance(values, dict) else None
