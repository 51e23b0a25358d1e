"""Reads text files in chunks; an error names the first byte that is not text.

The encoding is UTF-8, with or without a byte-order mark, or UTF-16 with one (Unicode Standard, section
23.8). Line ends become `\\n`; if the lines of two files correspond, only `\\n` and `\\r\\n` end a line
(`read_lines`). `as_read` gives a text from elsewhere the same form.
"""

from __future__ import annotations

import codecs
import io
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data.base import DataError

READ_AT_ONCE = 2**20
"""Bytes."""

MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before that of UTF-16, which it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16-LE"),
    (codecs.BOM_UTF16_BE, "UTF-16-BE"),
)
"""Byte-order marks and their encodings."""


@dataclass(frozen=True)
class TextFile:
    """A text file: its size in bytes, its encoding, and the offset of its text."""

    path: Path
    field: str
    """The field that an error names."""
    size: int
    encoding: str
    start: int

    @classmethod
    def open(cls, path: Path, field: str) -> TextFile:
        """Detect the encoding. Raises `DataError` if there is nothing to read."""
        size = size_of_file(path, field)
        try:
            with open(path, "rb") as file:
                head = file.read(4)
        except OSError as error:
            raise DataError(field, str(path), f"cannot be read: {error.strerror}") from None
        mark, encoding = next((each for each in MARKS if head.startswith(each[0])), (b"", "UTF-8"))
        if encoding == "UTF-32":
            raise DataError(field, str(path), "is UTF-32; save it as UTF-8")
        if size == len(mark):
            raise DataError(field, str(path), "is empty")
        return cls(path, field, size, encoding, len(mark))

    def chunks(
        self,
        start: int = 0,
        end: int | None = None,
        hear: Callable[[bytes], None] | None = None,
        translate: bool = True,
    ) -> Iterator[str]:
        """The text between two offsets (bytes), in order; `hear` is called with all the bytes.

        `translate` turns each line end into `\\n`. Raises `DataError` naming the first byte that is
        not text.
        """
        place, end = start, self.size if end is None else end
        decoder = codecs.getincrementaldecoder(self.encoding)()
        lines = io.IncrementalNewlineDecoder(None, translate=translate)
        try:
            with open(self.path, "rb") as file:
                file.seek(place)
                if place < self.start:
                    mark = file.read(self.start - place)
                    place = self.start
                    if hear is not None:
                        hear(mark)
                while place < end and (content := file.read(min(READ_AT_ONCE, end - place))):
                    if hear is not None:
                        hear(content)
                    if self.encoding == "UTF-8" and (zero := content.find(0)) >= 0:
                        raise self._not_text(place + zero)
                    place += len(content)
                    yield lines.decode(self._decoded(decoder, content, place, place >= end))
        except OSError as error:
            allowed = f"cannot be read: {error.strerror}"
            raise DataError(self.field, str(self.path), allowed) from None
        yield lines.decode(self._decoded(decoder, b"", place, True), final=True)

    def _decoded(self, decoder: Any, content: bytes, after: int, final: bool) -> str:
        """Decode `content`, which ends at byte `after` of the file. Raises `DataError`."""
        try:
            text: str = decoder.decode(content, final)
        except UnicodeDecodeError as error:
            where = after - len(error.object) + error.start
            wrong, name = error.object[error.start], self.encoding[:6].rstrip("-")
            allowed = f"is not {name}: byte {where:,} is 0x{wrong:02X}; save it as UTF-8"
            if name == "UTF-8":
                line = self._line(where)
                allowed = (
                    f"is not UTF-8: byte {where:,}, in line {line:,}, is 0x{wrong:02X}; "
                    "save it as UTF-8"
                )
            raise DataError(self.field, str(self.path), allowed) from None
        if self.encoding != "UTF-8" and (zero := text.find("\0")) >= 0:
            raise self._not_text(after - len(text[zero:].encode(self.encoding)))
        return text

    def _line(self, place: int) -> int:
        """The number of the line with this byte, from 1."""
        line, before = 1, 0
        with open(self.path, "rb") as file:
            while before < place and (content := file.read(min(READ_AT_ONCE, place - before))):
                line, before = line + content.count(b"\n"), before + len(content)
        return line

    def _not_text(self, place: int) -> DataError:
        return DataError(self.field, str(self.path), f"is not text: byte {place:,} is zero")


def read_text(path: Path, field: str) -> str:
    """The content of a text file with line ends `\\n`. Raises `DataError` if it is not text."""
    text = "".join(TextFile.open(path, field).chunks())
    return _visible(text.lstrip("\ufeff"), field, str(path))


def read_lines(path: Path, field: str) -> list[str]:
    """The lines of a text file, each without its end: `\\n` or `\\r\\n`.

    Nothing else ends a line, so the lines are those that other programs count, and those of two files
    correspond. Raises `DataError` as `read_text`.
    """
    text = "".join(TextFile.open(path, field).chunks(translate=False))
    lines = _visible(text.lstrip("\ufeff"), field, str(path)).removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines]


def ended_lines(text: str) -> str:
    """A text with line ends `\\n` and without a byte-order mark, as read from a file."""
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def as_read(text: str, field: str, value: str) -> str:
    """A text from elsewhere in the form in which `read_text` would read it from a file.

    Raises `DataError`, about `field` and `value`, if no text file can have it.
    """
    half = next((c for c in text if "\ud800" <= c <= "\udfff"), None)
    if half is not None:
        raise DataError(field, value, f"has half a character: U+{ord(half):04X}")
    text = ended_lines(text)
    zero = text.find("\0")
    if zero >= 0:
        raise DataError(field, value, f"is not text: character {zero + 1:,} is zero")
    return _visible(text, field, value)


def _visible(text: str, field: str, value: str) -> str:
    """The text, if it is not only white space. Raises `DataError`."""
    if not text.strip():
        raise DataError(field, value, "has only white space")
    return text


def size_of_file(path: Path, field: str) -> int:
    """The size of a file in bytes. Raises `DataError`."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(field, str(path), "does not exist") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero in it
        raise DataError(field, str(path), f"cannot be read: {error}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(field, str(path), "is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(field, str(path), "is a pipe or a device, not a file")
    return status.st_size
