"""Merges the bytes of one pre-token: of all adjacent pairs, the merge learned earliest comes first.

Sennrich et al. 2016, section 3.2, as in GPT-2's released code. A learned merge only uses tokens
that earlier merges made. So merging all occurrences of a pair at once, from the left, gives the same result
as merging them one by one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import repeat
from operator import add

LONG = 64
"""Bytes from which a heap is faster than a scan of all pairs."""


class Merger:
    """Bytes to ids.

    Internally a token is the character whose code point is its id, and a pair is a string of two, so
    that Python's string methods find and replace it.
    """

    def __init__(
        self,
        byte_ids: Mapping[int, int],
        merges: Mapping[tuple[int, int], int],
        learned: bool = True,
    ) -> None:
        """`byte_ids` maps bytes to ids; `merges` maps pairs of ids to the merged id, in order.

        `learned` says that each merge only uses what earlier merges made.
        """
        self._short = LONG if learned else 0
        self._of_byte = dict(byte_ids)
        self._merges = [(chr(a) + chr(b), chr(made)) for (a, b), made in merges.items()]
        self._rank = {pair: rank for rank, (pair, _) in enumerate(self._merges)}

    def ids(self, content: bytes) -> tuple[int, ...]:
        """The tokens of one pre-token."""
        word = content.decode("latin-1").translate(self._of_byte)
        merged = self._few(word) if len(word) < self._short else self._many(word)
        return tuple(map(ord, merged))

    def closings(self, content: bytes) -> list[int]:
        """For each of the n - 1 boundaries between bytes, the number of the merge that removes it, from 1.

        It is one more than the number of merges for a boundary that stays. With only the first k
        merges, the boundaries are those whose number is above k.
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
        """The same in n log n steps for n bytes: a pre-token may be a megabyte of one letter."""
        tokens = list(word)
        """The token that begins at each byte, or an empty string."""
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
                continue  # outdated: one of the two has been merged since
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
