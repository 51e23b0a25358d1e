"""Translation pairs as token ids, and batches of them.

A batch has three arrays, each padded at the end (Sutskever 2014; Vaswani 2017, section 3.1):

    sources    the  cat  sleeps  END  PAD         what the encoder reads
    inputs     BEGIN  die  Katze  schläft         what the decoder reads
    targets    die  Katze  schläft  END           what it should write, token by token

Shapes: N pairs, B pairs of a batch, S and T positions of source and target.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.base import IGNORE, Batch
from engine.tokenizers import BEGIN, END, PAD, MarkedTokenizer, UnknownCharacters

Pairs = Sequence[tuple[str, str]]
"""Texts, each with its translation."""

LINE_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""Line-breaking characters, which are white space in a text of one line."""

Integers = NDArray[np.int64]


def sentence(text: str) -> str:
    """The form of a text in training and in use: one line, without white space around it."""
    return LINE_BREAKS.sub(" ", text.strip())


def source_ids(tokenizer: MarkedTokenizer, text: str) -> list[int]:
    """The ids of a text to translate, END included, UNKNOWN for unknown characters."""
    return [*tokenizer.encode_known(sentence(text))[0], END]


class Rows(NamedTuple):
    """Token ids of many texts, concatenated."""

    tokens: Integers
    starts: Integers
    """(N + 1,) the offset of each text, and the end of the last one."""

    @property
    def lengths(self) -> Integers:
        """(N,) tokens of each text."""
        return np.diff(self.starts)

    def filled(self, chosen: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Some texts as rows (B, longest) padded with PAD, and a mask that is false for padding."""
        begin, stop = self.starts[chosen, None], self.starts[chosen + 1, None]  # (B, 1)
        place = begin + np.arange(int((stop - begin).max(initial=0)))  # (B, longest)
        inside = place < stop
        tokens = self.tokens[np.minimum(place, len(self.tokens) - 1)]
        return np.where(inside, tokens, PAD), inside

    def some(self, kept: NDArray[np.bool_]) -> Rows:
        """Only the texts selected by a mask (N,)."""
        return Rows(self.tokens[np.repeat(kept, self.lengths)], starts(self.lengths[kept]))


class Encoded(NamedTuple):
    """Pairs and their token ids."""

    pairs: list[tuple[str, str]]
    sources: Rows
    """Each ends in END."""
    targets: Rows
    """Each begins with BEGIN and ends in END."""

    def some(self, kept: NDArray[np.bool_]) -> Encoded:
        """Only the pairs selected by a mask (N,)."""
        pairs = [pair for pair, keep in zip(self.pairs, kept.tolist(), strict=True) if keep]
        return Encoded(pairs, self.sources.some(kept), self.targets.some(kept))

    def batch(self, chosen: Integers) -> Batch:
        """The pairs with these indices (B,)."""
        sources, _ = self.sources.filled(chosen)
        rows, inside = self.targets.filled(chosen)  # (B, T + 1)
        # The decoder never reads END: it stops there.
        inputs = np.where(inside[:, 1:], rows[:, :-1], PAD)
        return Batch(inputs, np.where(inside[:, 1:], rows[:, 1:], IGNORE), sources)


def encode_pairs(tokenizer: MarkedTokenizer, pairs: Pairs) -> Encoded:
    """The ids of pairs, UNKNOWN for each unknown character."""

    def ids(text: str) -> list[int]:
        try:
            return tokenizer.encode(text)
        except UnknownCharacters:
            return tokenizer.encode_known(text)[0]

    def rows(texts: list[list[int]]) -> Rows:
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        tokens = np.fromiter(chain.from_iterable(texts), np.int64, int(lengths.sum()))
        return Rows(tokens, starts(lengths))

    sources = rows([[*ids(source), END] for source, _ in pairs])
    targets = rows([[BEGIN, *ids(target), END] for _, target in pairs])
    return Encoded(list(pairs), sources, targets)


def starts(lengths: Integers) -> Integers:
    """(N + 1,) the offsets of concatenated texts of these lengths (N,), and the end of the last one."""
    return np.concatenate([[0], np.cumsum(lengths)])
