"""Texts larger than memory, in parts: cut where it does not change tokens, then counted and encoded.

Several files, one after the other, are one text, and its end is the validation data. Parts are cut at
lines, where no token reaches over the cut (see `LINE_END` and `LINE_START`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from engine.data.reading import TextFile
from engine.tokenizers import BPETokenizer, TokenArray, Tokenizer, load_tokenizer
from engine.tokenizers.base import token_type
from engine.tokenizers.bpe.pretokens import LINE_END, PreTokenizer, cuts, line_end
from engine.tokenizers.processes import each

PART = 2**24
"""Bytes of a part."""

AT_ONCE = 2**20
"""Ids per yielded array."""

DOCUMENT_END = re.compile(rb"(?<=[!-~\xb0-\xbf])(?=\r?\n\r?\n)")
"""Matches, in UTF-8, before an empty line after a visible character."""

NEAR = 2**16
"""Bytes that are searched for the end of a document, before the end of a line is searched for."""


@dataclass(frozen=True)
class Part:
    """A range of bytes of a file."""

    file: TextFile
    start: int
    end: int

    def chunks(self) -> Iterator[str]:
        """Its text. Raises `DataError`."""
        return self.file.chunks(self.start, self.end)


@dataclass(frozen=True)
class Counts:
    """The size of a text in several units."""

    tokens: int = 0
    characters: int = 0
    bytes: int = 0
    """In UTF-8, with line ends of one byte."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.tokens + other.tokens,
            self.characters + other.characters,
            self.bytes + other.bytes,
        )


# Cutting -----------------------------------------------------------------------------------------


def split(
    files: Sequence[TextFile], valid_fraction: float, at: re.Pattern[bytes] = LINE_END
) -> tuple[list[Part], list[Part]]:
    """The training parts, and the validation parts: the end, about this share of all the bytes.

    The files are in UTF-8. Parts end where `at` matches; training and validation data are separated
    at the end of a document, or of a line, or in a text without any between two characters.
    """
    held_out = max(1, int(sum(file.size - file.start for file in files) * valid_fraction))
    train: list[Part] = []
    valid: list[Part] = []
    for file in reversed(files):
        size = file.size - file.start
        if held_out >= size:
            valid = _parts(file, file.start, file.size, at) + valid
        elif held_out > 0:
            place = _place(file, file.size - held_out)
            train = _parts(file, file.start, place, at) + train
            valid = _parts(file, place, file.size, at) + valid
        else:
            train = _parts(file, file.start, file.size, at) + train
        held_out = max(0, held_out - size)
    return train, valid


def _parts(file: TextFile, start: int, end: int, at: re.Pattern[bytes]) -> list[Part]:
    if start == end:
        return []
    places = cuts(file.path, start, end, 1 + (end - start) // PART, at)
    return [Part(file, *pair) for pair in pairwise(places)]


def _place(file: TextFile, wanted: int) -> int:
    """Where to cut: at a line end after `wanted`, in the first half of the rest; else at `wanted`."""
    last = (wanted + file.size) // 2
    with open(file.path, "rb") as opened:
        opened.seek(wanted)
        near = opened.read(min(NEAR, last - wanted))
        if found := DOCUMENT_END.search(near):
            return wanted + found.start()
        end = line_end(file.path, wanted, last)
        if end is not None:
            return end
        place = max(file.start, wanted - 4)
        opened.seek(place)
        before = opened.read(wanted - place + 1)
    while before[-1] & 0xC0 == 0x80 or before.endswith(
        b"\r\n"
    ):  # not inside a character or a line end
        before = before[:-1]
    return place + len(before) - 1


def blocks(chunks: Iterable[str]) -> Iterator[str]:
    """The same text in blocks that begin with a line break, so that no word is cut."""
    waiting = ""
    for chunk in chunks:
        waiting += chunk
        end = waiting.rfind("\n")
        if end > 0:
            yield waiting[:end]
            waiting = waiting[end:]
    if waiting:
        yield waiting


# Counting and encoding ---------------------------------------------------------------------------


def count_pretokens(parts: Sequence[Part], processes: int) -> Iterator[tuple[Part, Counter[str]]]:
    """Each part with the counts of its pre-tokens."""
    return zip(parts, each(_count, parts, processes), strict=True)


def _count(part: Part) -> Counter[str]:
    return PreTokenizer().count(part.chunks())


def encode_parts(
    parts: Sequence[Part], tokenizer: Path, sha256: str, processes: int
) -> Iterator[tuple[Part, TokenArray, Counts]]:
    """The ids of each part.

    `sha256` is that of the tokenizer's file; no special of the tokenizer has a line break.
    """
    found = each(partial(_encode, tokenizer, sha256), parts, processes)
    for part, (ids, counts) in zip(parts, found, strict=True):
        yield part, ids, counts


@lru_cache(maxsize=1)
def _loaded(path: Path, _: str) -> Tokenizer:
    return load_tokenizer(path.resolve())


def _encode(path: Path, sha256: str, part: Part) -> tuple[TokenArray, Counts]:
    tokenizer = _loaded(path, sha256)
    counts = Counts()

    def counted() -> Iterator[str]:
        nonlocal counts
        for chunk in part.chunks():
            counts += Counts(0, len(chunk), len(chunk.encode()))
            yield chunk

    found = list(encoded(tokenizer, counted()))
    ids = np.concatenate([np.zeros(0, token_type(tokenizer.vocab_size)), *found])
    return ids, counts + Counts(tokens=len(ids))


def encoded(tokenizer: Tokenizer, chunks: Iterable[str]) -> Iterator[TokenArray]:
    """The ids of the concatenated chunks, many at a time."""
    if not isinstance(tokenizer, BPETokenizer):
        yield from map(tokenizer.encode_array, blocks(chunks))
        return
    ids = tokenizer.encode_iterable(chunks)
    dtype = token_type(tokenizer.vocab_size)
    while len(found := np.fromiter(islice(ids, AT_ONCE), dtype)):
        yield found
