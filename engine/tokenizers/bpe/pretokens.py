"""Splits a text into pre-tokens, across which byte-level BPE never merges.

GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2) keeps
`dog`, `dog!` and `dog?` from becoming separate tokens: it merges only within a run of letters, of digits
or of other signs, each with at most one space before it. The pattern is that of its released code.

Special tokens such as `<|endoftext|>` are cut out first: each is a piece by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import regex

from engine.tokenizers.base import check_specials

GPT2_PATTERN = r" ?\p{L}+|'(?:[sdmt]|ll|ve|re)| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""Letters, English contractions, digits, other signs, and white space except the space before a word.

Alternatives that begin with different characters may come in any order; letters are most frequent.
"""

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Of Llama 3 and GPT-4: at most three digits, any sign before a word, and line breaks after signs."""

READ_AT_ONCE = 2**20
"""Bytes of a file, and characters of a stream, that are cut into pre-tokens together."""

LINE_END = re.compile(rb"(?<=[!-~\xb0-\xbf])\r?\n")
"""Matches, in UTF-8, the end of a line that does not end in white space: GPT-2 splits there.

White space can only begin a pre-token. (Outside ASCII its last byte is never B0 to BF.)
"""

LINE_START = re.compile(rb"(?<=\n)(?=[!-~\xc3-\xe0\xe4-\xf4])")
"""Matches, in UTF-8, the start of a line that does not begin with white space: Llama 3 splits there.

Line breaks can only end a pre-token. (Outside ASCII, the first byte of white space is C2, E1, E2 or E3.)
"""


class Pattern:
    """A regular expression that cuts a text into pre-tokens without a gap."""

    def __init__(self, expression: str, cut: re.Pattern[bytes]) -> None:
        self.expression = expression
        """As `tokenizer.json` has it."""
        self.cut = cut
        """Finds places in UTF-8 where a text may be cut in two: the pre-tokens stay the same."""
        # The module has no types; its patterns are used as those of the standard library.
        self._any_text = cast("re.Pattern[str]", cast("Any", regex).compile(expression))
        # For texts in ASCII the standard library's `re`, which knows no `\p{L}`, is faster.
        self._ascii_text = re.compile(_ascii(expression))

    def find_all(self, text: str) -> list[str]:
        """The pre-tokens of a text without specials."""
        return (self._ascii_text if text.isascii() else self._any_text).findall(text)


def _ascii(expression: str) -> str:
    """The equivalent pattern for ASCII text, with ranges in place of Unicode classes."""
    return (
        expression.replace(r"[^\s\p{L}\p{N}]", r"[^ \t-\rA-Za-z0-9]")
        .replace(r"[^\r\n\p{L}\p{N}]", r"[^\r\nA-Za-z0-9]")
        .replace(r"\p{L}", "[A-Za-z]")
        .replace(r"\p{N}", "[0-9]")
        .replace(r"\s", r"[ \t-\r]")
        .replace(r"\S", r"[^ \t-\r]")
    )


PATTERNS = {
    "gpt2": Pattern(GPT2_PATTERN, LINE_END),
    "llama3": Pattern(LLAMA3_PATTERN, LINE_START),
}
"""By the name of the model that has it first."""


class PreTokenizer:
    """Cuts a text at one of `PATTERNS`; `"".join(split(text)) == text`.

    >>> PreTokenizer(["<end>"]).split("I'll go  home<end>")
    ['I', "'ll", ' go', ' ', ' home', '<end>']
    """

    def __init__(self, specials: Sequence[str] = (), pattern: str = "gpt2") -> None:
        """If two specials begin at the same place, the longer one is read. Raises `TokenizerError`."""
        check_specials(specials)
        self.specials = tuple(specials)
        self.find_all = PATTERNS[pattern].find_all
        self._longest = max(map(len, specials), default=0)
        longest_first = sorted(specials, key=len, reverse=True)
        self._special = re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    def split(self, text: str) -> list[str]:
        """All pieces of a text, in order, the specials among them."""
        if not self.specials:
            return self.find_all(text)
        pieces: list[str] = []
        for i, part in enumerate(self._special.split(text)):  # text, special, text, ..., text
            pieces += [part] if i % 2 else self.find_all(part)
        return pieces

    def stream(self, chunks: Iterable[str]) -> Iterator[list[str]]:
        """The pieces of the concatenated chunks, many at a time.

        Chunks may begin and end anywhere. Memory holds about one chunk, `READ_AT_ONCE` characters, or
        the longest piece, whichever is largest.
        """
        waiting, enough = "", READ_AT_ONCE
        for chunk in chunks:
            waiting += chunk
            if len(waiting) >= enough:
                pieces, waiting = self._settled(waiting)
                yield pieces
                enough = max(
                    READ_AT_ONCE, 2 * len(waiting)
                )  # do not scan one huge piece again each time
        yield self.split(waiting)

    def _settled(self, text: str) -> tuple[list[str], str]:
        """The pieces at the start of a text that do not depend on later text, and the rest."""
        pieces: list[str] = []
        start = 0
        unsure = len(text) - self._longest + 1 if self.specials else len(text)
        """From here on, a special may be incomplete, or the start of a longer one."""
        for special in self._special.finditer(text) if self.specials else ():
            if special.start() >= unsure:
                break
            pieces += self.find_all(text[start : special.start()])
            pieces.append(special[0])
            start = special.end()
        # The last piece may go on, and if it does, the one before may join it: `'` and `l` of `'ll`.
        found = self.find_all(text[start : max(start, unsure)])[:-2]
        return pieces + found, text[start + sum(map(len, found)) :]

    def count(self, chunks: Iterable[str]) -> Counter[str]:
        """The count of each piece in the concatenated chunks, without specials."""
        counts: Counter[str] = Counter()
        for pieces in self.stream(chunks):
            counts.update(pieces)
        for special in self.specials:
            counts.pop(special, None)
        return counts


def cuts(
    path: Path, start: int, end: int, parts: int, at: re.Pattern[bytes] = LINE_END
) -> list[int]:
    """Offsets (bytes) that cut a range of a file into at most `parts` parts, each where `at` matches."""
    places = {start, end}
    for i in range(1, parts):
        found = line_end(path, start + (end - start) * i // parts, end, at)
        if found is None:
            break
        places.add(found)
    return sorted(places)


def line_end(path: Path, start: int, end: int, at: re.Pattern[bytes] = LINE_END) -> int | None:
    """The first offset (bytes) from `start` on, before `end`, where `at` matches, or None."""
    place, before = start, b""
    with open(path, "rb") as file:
        file.seek(place)
        while content := file.read(min(READ_AT_ONCE, end - place - len(before))):
            content = before + content
            if found := at.search(content):
                return place + found.start()
            before = content[-3:]  # a match may lie across two reads
            place += len(content) - len(before)
    return None
