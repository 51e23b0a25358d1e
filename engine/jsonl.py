"""Files that one process writes while others read them.

A log is a file of JSON lines that is only ever appended to. A writer appends a whole line at once,
a reader remembers how many bytes it has read, and leaves an unfinished last line for the next time.
Any other file is written aside and put in its place whole.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast


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
    with open(path, "ab", buffering=0) as file:
        while (
            content
        ):  # a full disk takes a part of it, and says so when it is asked to take the rest
            content = content[file.write(content) :]


def finish_line(path: Path) -> None:
    """End the line that a killed process left unfinished, so that the next does not run into it."""
    if size_of(path):
        with open(path, "r+b") as file:
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
    """The whole lines from byte `offset` on, about `limit` bytes of them, and where they end."""
    offset, limit = max(0, offset), max(1, limit)
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(limit)
            while b"\n" not in data and (more := file.read(limit)):
                data += more  # one line longer than the limit: it is read whole, to get on at all
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
    with open(path, "rb") as file:
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
    """The JSON object in this text; None where it is none."""
    try:
        values: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", values) if isinstance(values, dict) else None
