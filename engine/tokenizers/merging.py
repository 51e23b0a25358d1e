"""Merging the bytes of one pre-token: of all pairs of neighbours, the merge learned earliest comes first.

Sennrich et al. 2016, section 3.2, as in GPT-2's released code. A merge can only use tokens that
earlier merges made, so merging a pair everywhere at once, from the left, and merging its occurrences
one by one give the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import repeat
from operator import add

LONG = 64
"""Bytes from which a heap finds the next merge sooner than looking at all pairs does."""


class Merger:
    """Bytes to ids.

    Inside, a token is the character of its id, so a pair is a string of two, and Python's own string
    methods find and replace it.
    """

    def __init__(self, byte_ids: Mapping[int, int], merges: Mapping[tuple[int, int], int]) -> None:
        """`byte_ids` is the id of each byte; `merges` is what each pair of ids becomes, in order."""
        self._of_byte = dict(byte_ids)
        self._merges = [(chr(a) + chr(b), chr(made)) for (a, b), made in merges.items()]
        self._rank = {pair: rank for rank, (pair, _) in enumerate(self._merges)}

    def ids(self, content: bytes) -> tuple[int, ...]:
        """The tokens of one pre-token."""
        word = content.decode("latin-1").translate(self._of_byte)
        merged = self._few(word) if len(word) < LONG else self._many(word)
        return tuple(map(ord, merged))

    def closings(self, content: bytes) -> list[int]:
        """For each of the n - 1 places between two bytes, which merge closes it: 1 is the first.

        One more than there are merges, where none does. So the text is cut, when only the first k
        merges are known, where the number is above k: a merge uses only what earlier ones made.
        """
        never = len(self._merges)
        word = list(content.decode("latin-1").translate(self._of_byte))
        ends = list(range(len(word)))
        """The last byte of each token."""
        closed = [never + 1] * (len(word) - 1)
        while len(word) > 1:
            earliest = min(self._rank.get(pair, never) for pair in map(add, word, word[1:]))
            if earliest == never:
                break
            pair, made = self._merges[earliest]
            i = 0
            while i < len(word) - 1:
                if word[i] + word[i + 1] == pair:
                    closed[ends[i]] = earliest + 1
                    word[i : i + 2] = [made]
                    del ends[i]
                i += 1
        return closed

    def _few(self, word: str) -> str:
        rank, never = self._rank.get, len(self._merges)
        while len(word) > 1:
            earliest = min(map(rank, map(add, word, word[1:]), repeat(never)))
            if earliest == never:
                break
            pair, made = self._merges[earliest]
            word = word.replace(pair, made)
        return word

    def _many(self, word: str) -> Iterator[str]:
        """The same, in n log n steps for n bytes: a pre-token may be a megabyte of the letter a."""
        tokens = list(word)
        """The token that begins at each byte; empty where there is none."""
        before = list(range(-1, len(word) - 1))
        after = list(range(1, len(word) + 1))
        rank = self._rank
        pairs = [(rank[pair], i) for i, pair in enumerate(map(add, word, word[1:])) if pair in rank]
        heapq.heapify(pairs)
        while pairs:
            earliest, i = heapq.heappop(pairs)
            j = after[i]
            merged, made = self._merges[earliest]
            if j == len(tokens) or tokens[i] + tokens[j] != merged:
                continue  # since then, one of the two was merged with another
            tokens[i], tokens[j] = made, ""
            after[i] = after[j]
            if after[i] < len(tokens):
                before[after[i]] = i
            for left, right in ((before[i], i), (i, after[i])):
                if left >= 0 and right < len(tokens):
                    pair = tokens[left] + tokens[right]
                    if pair in rank:
                        heapq.heappush(pairs, (rank[pair], left))
        return filter(None, tokens)
