"""Learning the merges of byte-level BPE: again and again, the most frequent pair becomes a token.

Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1; on
bytes, as in GPT-2 (Radford et al. 2019, section 2.2). The algorithm of the paper counts all pairs
anew for every merge. Here each different pre-token is kept once, with how often it occurs; a merge
changes the counts only of pairs in the pre-tokens that hold it; and a heap finds the next pair. The
merges are the same.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import add

from engine.tokenizers.base import TokenizerError, utf8
from engine.tokenizers.byte import BYTES
from engine.tokenizers.pretokens import PreTokenizer

MAX_VOCABULARY = 1_000_000
"""More tokens than any model has; also, each token must have a character of its own below."""


@dataclass(frozen=True)
class Merge:
    """One step of training: wherever the two tokens of `pair` are neighbours, they become `new_id`."""

    pair: tuple[int, int]
    """The ids of the two tokens. Ids 0 to 255 are the bytes; merges make 256, 257, ..."""

    count: int
    """How often the pair occurs in the text at this moment; twice in `aaa`, although one is merged."""

    new_id: int
    """The token they become: the next new one, unless these bytes are a token already."""

    new_bytes: bytes
    """The bytes of both."""

    merged: int
    """How many tokens fewer the text has from now on: `count`, less where pairs overlap, as in `aaa`."""


def train_merges(
    texts: Iterable[str], vocab_size: int, specials: Sequence[str] = ()
) -> Iterator[Merge]:
    """The merges for these documents, in order, one at a time; nothing is merged across documents.

    `vocab_size` is V: 256 bytes, the merges, the specials. Ends earlier where no pairs are left. Of
    pairs that are equally frequent, the one with the greater first token (compared as bytes) is
    merged first, and if that is the same, the greater second.

    Raises `TokenizerError` for a size without room for the bytes and specials, and
    `UnknownCharacters` for half a character.
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
    """How many new tokens there is room for. Raises `TokenizerError` about `vocab_size`."""
    least = len(BYTES) + len(specials)
    if not least <= vocab_size <= MAX_VOCABULARY:
        allowed = f"{least} (the bytes and {len(specials)} specials) to {MAX_VOCABULARY}"
        raise TokenizerError("vocab_size", f"{vocab_size} must be {allowed}")
    return vocab_size - least


def learn_merges(counts: Mapping[str, int], size: int) -> Iterator[Merge]:
    """The merges that make `size` new tokens, from how often each pre-token occurs."""
    spelled, repeats = [utf8(piece).decode("latin-1") for piece in counts], list(counts.values())
    del counts  # it may hold millions of words; they are freed here if nobody else needs them
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
    """The pairs of tokens, the most frequent first; of those that are equally frequent, the greatest.

    A heap, in which a pair that has become rarer since it was added stands too far in front: what is
    taken out is compared with its count of now.
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
        """Take out the first pair; None where no pairs are left."""
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
    """For each token, a key that sorts greater tokens first. U+0100 ends it, so that another may follow."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        super().__init__()
        self.tokens = tokens

    def __missing__(self, symbol: str) -> str:
        key = self.tokens[ord(symbol)].translate(REVERSED).decode("latin-1") + "\u0100"
        self[symbol] = key
        return key


REVERSED = bytes(range(255, -1, -1))


class _Words:
    """The different pre-tokens, and the pairs of neighbouring tokens in them.

    A word is a string with one character for each token, of the token's id: so Python's own string
    methods find and replace pairs. At first the tokens are bytes, and Latin-1 is just that.
    """

    def __init__(self, words: list[str], repeats: list[int]) -> None:
        self.words = words
        self.repeats = repeats
        """How often each word occurs."""
        self.pairs: defaultdict[str, int] = defaultdict(int)
        """How often each pair occurs in the whole text."""
        self.where: defaultdict[str, list[int]] = defaultdict(list)
        """The words that a pair is in, by number, maybe twice; some of them may have lost it since."""
        for i, word in enumerate(self.words):
            for pair in map(add, word, word[1:]):
                self.pairs[pair] += self.repeats[i]
                self.where[pair].append(i)

    def merge(self, pair: str, symbol: str) -> tuple[int, set[str]]:
        """Write `symbol` for `pair`, in all words, from the left.

        Returns how often that was, in the whole text, and the pairs that occur more often now.
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
        """It occurs nowhere any more: free what is kept for it."""
        self.pairs.pop(pair, None)
        self.where.pop(pair, None)
