"""A text cut into pre-tokens, the pieces across which byte-level BPE never merges.

GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2) keeps
`dog`, `dog!` and `dog?` from becoming tokens of their own by merging only within a run of letters, of
digits or of other signs, each with one space before it. The pattern is that of its released code.

Special tokens, such as `<|endoftext|>`, are cut out first: each is a piece by itself.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import regex

from engine.tokenizers.base import check_specials
from engine.tokenizers.processes import each

GPT2_PATTERN = r" ?\p{L}+|'(?:[sdmt]|ll|ve|re)| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Letters, English endings, digits, other signs, and white space but for the one before a word.

The alternatives that begin with different characters may come in any order; most words are letters.
"""

ASCII_PATTERN = (
    GPT2_PATTERN.replace(r"[^\s\p{L}\p{N}]", r"[^ \t-\rA-Za-z0-9]")
    .replace(r"\p{L}", "[A-Za-z]")
    .replace(r"\p{N}", "[0-9]")
    .replace(r"\s", r"[ \t-\r]")
    .replace(r"\S", r"[^ \t-\r]")
)
r"""The same for texts in ASCII, where the standard library's `re`, which knows no `\p{L}`, is faster."""

READ_AT_ONCE = 2**20
"""Bytes of a file, and characters of a stream, that are cut into pre-tokens together."""

LINE_END = re.compile(rb"(?<=[!-~\xb0-\xbf])\r?\n")
"""In UTF-8, where a line ends with something else than white space: a pre-token ends there in any case.

White space has no place in a pre-token but its beginning. (Outside ASCII it never ends in B0 to BF.)
"""


# The module has no types; its patterns are used as those of the standard library.
_any_text = cast("re.Pattern[str]", cast("Any", regex).compile(GPT2_PATTERN))
_ascii_text = re.compile(ASCII_PATTERN)


def find_all(text: str) -> list[str]:
    """The pre-tokens of a text without specials."""
    return (_ascii_text if text.isascii() else _any_text).findall(text)


class PreTokenizer:
    """Cuts a text at GPT-2's pattern; `"".join(split(text)) == text`.

    >>> PreTokenizer(["<end>"]).split("I'll go  home<end>")
    ['I', "'ll", ' go', ' ', ' home', '<end>']
    """

    def __init__(self, specials: Sequence[str] = ()) -> None:
        """Where two specials begin at the same place, the longer one is read. Raises `TokenizerError`."""
        check_specials(specials)
        self.specials = tuple(specials)
        self._longest = max(map(len, specials), default=0)
        longest_first = sorted(specials, key=len, reverse=True)
        self._special = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    def split(self, text: str) -> list[str]:
        """All pieces of a text, in order, the specials among them."""
        if not self.specials:
            return find_all(text)
        pieces: list[str] = []
        for i, part in enumerate(self._special.split(text)):  # text, special, text, ..., text
            pieces += [part] if i % 2 else find_all(part)
        return pieces

    def stream(self, chunks: Iterable[str]) -> Iterator[list[str]]:
        """The pieces of the text that the chunks make together, many at a time.

        Chunks may begin and end anywhere. Held in memory is about a chunk, or `READ_AT_ONCE`
        characters, or the longest piece, whichever is most.
        """
        waiting, enough = "", READ_AT_ONCE
        for chunk in chunks:
            waiting += chunk
            if len(waiting) >= enough:
                pieces, waiting = self._settled(waiting)
                yield pieces
                enough = max(READ_AT_ONCE, 2 * len(waiting))  # one huge piece is not read each time
        yield self.split(waiting)

    def _settled(self, text: str) -> tuple[list[str], str]:
        """The pieces at the start of a text that stay the same whatever follows it, and the rest."""
        pieces: list[str] = []
        start = 0
        unsure = len(text) - self._longest + 1 if self.specials else len(text)
        """From here on, a special may be one that has only begun, or the start of a longer one."""
        for special in self._special.finditer(text) if self.specials else ():
            if special.start() >= unsure:
                break
            pieces += find_all(text[start : special.start()])
            pieces.append(special[0])
            start = special.end()
        # The last piece may go on, and if it does, the one before may join it: `'` and `l` of `'ll`.
        found = find_all(text[start : max(start, unsure)])[:-2]
        return pieces + found, text[start + sum(map(len, found)) :]

    def count(self, chunks: Iterable[str]) -> Counter[str]:
        """How often each piece occurs in the text that the chunks make together, specials left out."""
        counts: Counter[str] = Counter()
        for pieces in self.stream(chunks):
            counts.update(pieces)
        for special in self.specials:
            counts.pop(special, None)
        return counts

    def count_file(self, path: Path, processes: int = 1) -> Counter[str]:
        """The same for a file in UTF-8 of any size: memory is needed for the different pieces only.

        With more than one process, each reads a part of the file, cut at ends of lines where cutting
        changes nothing; they are spawned, so a program that calls this needs its
        `if __name__ == "__main__"`. Raises `OSError`, or `UnicodeDecodeError` where it is not UTF-8.
        """
        size = path.stat().st_size
        if processes == 1 or re.search(r"[\r\n]", "".join(self.specials)):
            return self.count(read_utf8(path, (0, size)))
        ranges = [*pairwise(cuts(path, 0, size, processes))]
        total: Counter[str] = Counter()
        for counts in each(partial(_count_part, self.specials, path), ranges, processes):
            total.update(counts)
        return total


def _count_part(specials: Sequence[str], path: Path, part: tuple[int, int]) -> Counter[str]:
    return PreTokenizer(specials).count(read_utf8(path, part))


def read_utf8(path: Path, part: tuple[int, int]) -> Iterator[str]:
    """The text between two places (bytes) of a file, in chunks. Raises `UnicodeDecodeError`."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    start, end = part
    with open(path, "rb") as file:
        file.seek(start)
        while start < end and (content := file.read(min(READ_AT_ONCE, end - start))):
            start += len(content)
            yield decoder.decode(content)
    yield decoder.decode(b"", final=True)


def cuts(path: Path, start: int, end: int, parts: int) -> list[int]:
    """Places (bytes) that cut a stretch of a file into at most so many parts, each at a `LINE_END`."""
    places = {start, end}
    for i in range(1, parts):
        found = line_end(path, start + (end - start) * i // parts, end)
        if found is None:
            break
        places.add(found)
    return sorted(places)


def line_end(path: Path, start: int, end: int) -> int | None:
    """The first place (bytes) from `start` on, before `end`, where a `LINE_END` is."""
    place, before = start, b""
    with open(path, "rb") as file:
        file.seek(place)
        while content := file.read(min(READ_AT_ONCE, end - place - len(before))):
            content = before + content
            if found := LINE_END.search(content):
                return place + found.start()
            before = content[-3:]  # the end of a line may lie across two reads
            place += len(content) - len(before)
    return None
