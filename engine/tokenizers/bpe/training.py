"""Trains byte-level BPE: repeatedly, the most frequent pair of adjacent tokens becomes a token.

Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1; on
bytes, as in GPT-2 (Radford et al. 2019, section 2.2). The paper's algorithm counts all pairs again
for every merge. Here each distinct pre-token is stored once with its count, a merge updates only the
pairs in the pre-tokens that contain it, and a heap finds the next pair. The merges are the same.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import add

from engine.tokenizers.base import utf8
from engine.tokenizers.bpe.pretokens import PreTokenizer
from engine.tokenizers.byte import BYTES
from engine.tokenizers.errors import TokenizerError

MAX_VOCABULARY = 1_000_000
"""More tokens than any model has; also, each token needs a character of its own below."""


@dataclass(frozen=True)
class Merge:
    """One step of training: adjacent tokens `pair` become `new_id`."""

    pair: tuple[int, int]
    """The ids of the two tokens. Ids 0 to 255 are the bytes; merges make 256, 257, ..."""

    count: int
    """The current count of the pair; 2 in `aaa`, although only one is merged."""

    new_id: int
    """The merged token: a new id, unless these bytes are a token already."""

    new_bytes: bytes
    """The bytes of both."""

    merged: int
    """By how many tokens the text becomes shorter: `count`, or less if pairs overlap, as in `aaa`."""


def train_merges(
    texts: Iterable[str], vocab_size: int, specials: Sequence[str] = ()
) -> Iterator[Merge]:
    """Yield the merges for these documents, in order; nothing is merged across documents.

    `vocab_size` is V: 256 bytes, the merges, the specials. Ends early when no pairs are left. Ties are
    broken by the greater first token (compared as bytes), then by the greater second.

    Raises `TokenizerError` if V is too small for the bytes and specials, and `UnknownCharacters` for a
    surrogate.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be several texts, such as [text]: one alone is its characters")
    size = merges_within(vocab_size, specials)
    pretokens = PreTokenizer(specials)
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(pretokens.count([text]))
    return learn_merges(counts, size)


def merges_within(vocab_size: int, specials: Sequence[str]) -> int:
    """The number of new tokens in a vocabulary of this size. Raises `TokenizerError` about `vocab_size`."""
    least = len(BYTES) + len(specials)
    if not least <= vocab_size <= MAX_VOCABULARY:
        allowed = f"{least} (the bytes and {len(specials)} specials) to {MAX_VOCABULARY}"
        raise TokenizerError("vocab_size", f"{vocab_size} must be {allowed}")
    return vocab_size - least


def learn_merges(counts: Mapping[str, int], size: int) -> Iterator[Merge]:
    """Yield the merges that make `size` new tokens, from the count of each pre-token."""
    spelled, repeats = [utf8(piece).decode("latin-1") for piece in counts], list(counts.values())
    del counts  # may hold millions of words, freed here unless the caller keeps them
    words = _Words(spelled, repeats)
    tokens = list(BYTES)
    id_of = {token: i for i, token in enumerate(tokens)}
    queue = _Queue(words, tokens)
    while size > 0 and (pair := queue.most_frequent()) is not None:
        count = words.pairs[pair]
        left, right = map(ord, pair)
        content = tokens[left] + tokens[right]
        new_id = id_of.setdefault(content, len(tokens))
        if new_id == len(tokens):
            tokens.append(content)
            size -= 1
        merged, more_frequent = words.merge(pair, chr(new_id))
        yield Merge((left, right), count, new_id, content, merged)
        queue.add(more_frequent)


class _Queue:
    """A heap of pairs, the most frequent first; ties are broken by the greatest pair.

    The count of an entry may be outdated, since pairs become rarer: an entry that is taken out is
    compared with the current count.
    """

    def __init__(self, words: _Words, tokens: Sequence[bytes]) -> None:
        """`words` count each pair, and `tokens` are the bytes of each id: both change."""
        self.words = words
        self.rank = _Rank(tokens)
        self.heap: list[tuple[int, str, str]] = []
        """(-count, key, pair)"""
        self.add(words.pairs)

    def add(self, pairs: Iterable[str]) -> None:
        """Pairs that are new, or more frequent than they were."""
        heap, counts, rank = self.heap, self.words.pairs, self.rank
        for pair in pairs:
            heapq.heappush(heap, (-counts[pair], rank[pair[0]] + rank[pair[1]], pair))

    def most_frequent(self) -> str | None:
        """Remove and return the first pair; None if no pairs are left."""
        while self.heap:
            count, key, pair = heapq.heappop(self.heap)
            now = self.words.pairs.get(pair, 0)
            if now == -count:
                return pair
            if now:
                heapq.heappush(self.heap, (-now, key, pair))
            else:
                self.words.forget(pair)
        return None


class _Rank(dict[str, str]):
    """A key for each token that sorts greater tokens first. U+0100 ends it, so that keys concatenate."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        super().__init__()
        self.tokens = tokens

    def __missing__(self, symbol: str) -> str:
        key = self.tokens[ord(symbol)].translate(REVERSED).decode("latin-1") + "\u0100"
        self[symbol] = key
        return key


REVERSED = bytes(range(255, -1, -1))


class _Words:
    """The distinct pre-tokens, and the pairs of adjacent tokens in them.

    A word is a string with one character for each token, whose code point is the token's id, so that
    Python's string methods find and replace pairs. At first the tokens are bytes, as in Latin-1.
    """

    def __init__(self, words: list[str], repeats: list[int]) -> None:
        self.words = words
        self.repeats = repeats
        """The count of each word."""
        self.pairs: defaultdict[str, int] = defaultdict(int)
        """The count of each pair in the text."""
        self.where: defaultdict[str, list[int]] = defaultdict(list)
        """Indices of the words with a pair, maybe repeated; some may have lost the pair since."""
        for i, word in enumerate(self.words):
            for pair in map(add, word, word[1:]):
                self.pairs[pair] += self.repeats[i]
                self.where[pair].append(i)

    def merge(self, pair: str, symbol: str) -> tuple[int, set[str]]:
        """Replace `pair` by `symbol` in all words, from the left.

        Returns the number of replacements in the text, and the pairs that have become more frequent.
        """
        words, repeats, pairs, where = self.words, self.repeats, self.pairs, self.where
        first, second = pair
        merged = 0
        risen: set[str] = set()
        for i in dict.fromkeys(where.pop(pair)):
            parts = words[i].split(pair)
            if len(parts) == 1:
                continue
            words[i] = symbol.join(parts)
            merged += (len(parts) - 1) * repeats[i]
            before, after = parts[0], parts[-1]
            changes: list[tuple[str, str]] = []
            if before:
                changes.append((before[-1] + first, before[-1] + symbol))
            if after:
                changes.append((second + after[0], symbol + after[0]))
            for between in parts[1:-1]:
                if between:
                    changes.append((second + between[0], symbol + between[0]))
                    changes.append((between[-1] + first, between[-1] + symbol))
                else:
                    changes.append((second + first, symbol + symbol))
            for old, new in changes:
                pairs[old] -= repeats[i]
                pairs[new] += repeats[i]
                where[new].append(i)
                risen.add(new)
        del pairs[pair]
        return merged, risen

    def forget(self, pair: str) -> None:
        """Free what is stored for a pair that no longer occurs."""
        self.pairs.pop(pair, None)
        self.where.pop(pair, None)
