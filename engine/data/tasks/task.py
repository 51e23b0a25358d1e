"""Tasks with exact answers: small skills that a Transformer learns in seconds.

A row is prompt, answer, end token, and the end token again as padding:

    4 7 + 8 5 = 1 3 2 <end> <end> <end>
                ^^^^^^^^^^^ the loss is taken on these targets only

An eighth of all items is validation data, chosen by a hash of the prompt. These are never trained on,
whatever the seed, and accuracy is measured on them. An item is correct if the most likely token is right
at every target of its row. That is the same as greedy generation of exactly the right answer: up to the
first wrong token both have read the same text.

`Task` has what all tasks share. A task itself defines the width of a row, how items are drawn, and,
independently of that, the right answer.

Shapes: B items, P the longest prompt, A the longest answer, W the tokens of a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.base import IGNORE, Batch, DataError, Generated, spread, transitions
from engine.tokenizers import CharTokenizer

END = "<end>"

HELD_OUT_OF = 8
"""One item in `HELD_OUT_OF` is validation data."""

POOL = 512
"""Maximum number of validation items that are measured."""

POOL_SEED = 1_706
"""Seed of the validation items: the same in every run, so that accuracies can be compared."""

COUNTED = 1 << 14
"""Items whose targets `training_targets` counts: a task has no end."""

Integers = NDArray[np.int64]


class Ragged(NamedTuple):
    """Rows of different lengths. Values beyond the length of a row are arbitrary."""

    tokens: Integers
    """(B, longest)"""
    lengths: Integers
    """(B,)"""


class Items(NamedTuple):
    """Drawn items: token ids of prompts (B, P) and of answers (B, A), without the end token."""

    prompts: Ragged
    answers: Ragged


class Task(Generated, ABC):
    """The base class of tasks: layout, padding, targets, the validation part, prompts.

    `length` is the configuration's `task_length`; `size` says what it counts in each task. For the
    members that every source of data has, see `engine.data.base.Data`.
    """

    name: str
    title: ClassVar[str]
    description: ClassVar[str]
    size: ClassVar[str]
    """The unit of `task_length`."""
    smallest: ClassVar[int] = 2
    largest: ClassVar[int] = 32
    """Limits of `task_length`."""
    characters: ClassVar[str]
    """The pieces of one character, by id."""
    words: ClassVar[tuple[str, ...]] = ()
    """The longer pieces; their ids come next."""
    ends: ClassVar[bool] = True
    """Whether the answer ends with an end token."""

    exact: bool = True
    train_tokens: int | None = None

    def __init__(self, length: int, max_seq_len: int, seed: int) -> None:
        """Raises `DataError` where `length` is impossible or a row does not fit the context."""
        super().__init__(seed)
        self.length = length
        self._check(max_seq_len)
        ends = (END,) if self.ends else ()
        self.tokenizer = CharTokenizer(self.characters, self.words[: self.word_count()] + ends)
        self.end = self.tokenizer.vocab_size - 1 if self.ends else None
        self.sequence_length = self.width() - 1
        self._held_out: tuple[Integers, Integers] | None = None

    # Defined by each task

    @abstractmethod
    def width(self) -> int:
        """W: the tokens of the longest row, end token included. The model reads W - 1 of them."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, count: int) -> Items:
        """`count` random items, held out or not."""

    @abstractmethod
    def answer(self, prompt: str) -> str | None:
        """The right continuation, without the end token; None for what is not a prompt."""

    def word_count(self) -> int:
        """The number of words that this size needs."""
        return len(self.words)

    # Batches

    def batch(self, batch_size: int) -> Batch:
        """Rows (B, T = W - 1) of random items that are not held out."""
        return self._batch(*self._rows(self.generator, batch_size, held_out=False))

    def validation(self, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
        """Validation items, each at most once; evenly spaced ones where there are more."""
        rows, spans = self._pool()
        chosen = spread(len(rows), len(rows) if steps is None else batch_size * steps)
        for first in range(0, len(chosen), batch_size):
            wanted = chosen[first : first + batch_size]
            yield self._batch(rows[wanted], spans[wanted])

    def training_targets(self, most: int) -> tuple[Integers, Integers]:
        """Targets of items that are not held out: `COUNTED` of them, or as many as `most` targets are certain for."""
        count = max(1, min(COUNTED, most // self.sequence_length))
        generator = np.random.Generator(np.random.PCG64(POOL_SEED))
        return transitions(self._batch(*self._rows(generator, count, held_out=False)))

    def _batch(self, rows: Integers, spans: Integers) -> Batch:
        """Inputs and targets; a target counts from the answer's first token to its last."""
        begin, stop = spans[:, 0] - 1, spans[:, 1] - 1  # a target is one position before its token
        counted = within(stop, self.sequence_length) & ~within(
            begin, self.sequence_length
        )  # (B, T)
        return Batch(rows[:, :-1], np.where(counted, rows[:, 1:], IGNORE))

    def _rows(
        self, generator: np.random.Generator, count: int, *, held_out: bool
    ) -> tuple[Integers, Integers]:
        """`count` rows (B, W) from one side of the split; where their targets lie (B, 2)."""
        share = 1 / HELD_OUT_OF if held_out else 1 - 1 / HELD_OUT_OF
        drawn: list[tuple[Integers, Integers]] = []
        missing = count
        while missing > 0:
            prompts, answers = self.draw(generator, int(missing / share * 1.1) + 8)
            keep = np.flatnonzero(is_held_out(prompts) == held_out)[:missing]
            drawn.append(
                self._lay_out(
                    Ragged(prompts.tokens[keep], prompts.lengths[keep]),
                    Ragged(answers.tokens[keep], answers.lengths[keep]),
                )
            )
            missing -= len(keep)
        rows, spans = zip(*drawn, strict=True)
        return np.concatenate(rows), np.concatenate(spans)

    def _lay_out(self, prompts: Ragged, answers: Ragged) -> tuple[Integers, Integers]:
        """Rows (B, W) of prompt, answer, end and padding; where their targets lie (B, 2)."""
        tokens, lengths = join(prompts, answers)
        rows = np.full((len(tokens), self.width()), self.end or 0, dtype=np.int64)  # (B, W)
        used = min(tokens.shape[1], self.width())
        written = within(lengths, used)
        rows[:, :used][written] = tokens[:, :used][written]
        return rows, np.stack([prompts.lengths, lengths + self.ends], axis=1)

    # The validation part

    def is_held_out(self, prompt: str) -> bool:
        """Whether the item with this prompt is held out, and so never trained on."""
        ids = np.array([self.tokenizer.encode(prompt)], dtype=np.int64)
        return bool(is_held_out(Ragged(ids, np.array([ids.shape[1]])))[0])

    def _pool(self) -> tuple[Integers, Integers]:
        """Different validation rows (at most POOL, W), and where their targets lie."""
        if self._held_out is None:
            generator = np.random.Generator(np.random.PCG64(POOL_SEED))
            rows, spans = self._rows(generator, 2 * POOL, held_out=True)
            _, first = np.unique(rows, axis=0, return_index=True)
            first = np.sort(first)[:POOL]
            self._held_out = rows[first], spans[first]
        return self._held_out

    @property
    def prompts(self) -> list[str]:
        """Five validation prompts, from short to long."""
        rows, spans = self._pool()
        by_length = np.argsort(spans[:, 0], kind="stable")
        chosen = by_length[spread(len(rows), 5)]
        return [self.tokenizer.decode(rows[i, : spans[i, 0]]) for i in chosen]

    def probe(self) -> str:
        """One of the longest validation items, prompt and answer."""
        rows, spans = self._pool()
        longest = int(spans[:, 0].argmax())
        return self.tokenizer.decode(rows[longest, : spans[longest, 1] - self.ends])

    def _check(self, max_seq_len: int) -> None:
        """Raises `DataError` naming `task_length` or `max_seq_len`."""
        length = self.length
        if not self.smallest <= length <= self.largest:
            allowed = f"must be {self.smallest} to {self.largest} for {self.name} ({self.size})"
            raise DataError("task_length", length, allowed)
        if self.width() - 1 > max_seq_len:
            allowed = (
                f"must be at least {self.width() - 1} for {self.name} with task_length = {length}"
            )
            raise DataError("max_seq_len", max_seq_len, allowed)


# Rows of different lengths


def within(lengths: Integers, width: int) -> NDArray[np.bool_]:
    """(B, width) true where each row has tokens."""
    place: Integers = np.arange(width)
    return place < lengths[:, None]


def symbols(generator: np.random.Generator, count: int, kinds: int, longest: int) -> Ragged:
    """Rows of 1 to `longest` random ids below `kinds`; all lengths are equally likely."""
    tokens = generator.integers(0, kinds, size=(count, longest))
    return Ragged(tokens, generator.integers(1, longest + 1, size=count))


def constant(token: int, count: int) -> Ragged:
    """The same one token in every row."""
    return Ragged(np.full((count, 1), token), np.ones(count, dtype=np.int64))


def join(*parts: Ragged) -> Ragged:
    """Each row's parts, one after the other without gaps."""
    count = len(parts[0].lengths)
    tokens = np.zeros((count, sum(part.tokens.shape[1] for part in parts)), dtype=np.int64)
    lengths = np.zeros(count, dtype=np.int64)
    for part in parts:
        row, column = np.nonzero(within(part.lengths, part.tokens.shape[1]))
        tokens[row, lengths[row] + column] = part.tokens[row, column]
        lengths = lengths + part.lengths
    return Ragged(tokens, lengths)


def decimal(numbers: Integers, longest: int, *, reverse: bool = False) -> Ragged:
    """The digits of numbers (B,) below 10 ** longest: most significant first, or last."""
    lengths = 1 + (numbers[:, None] >= 10 ** np.arange(1, longest)).sum(axis=1)
    place = np.arange(longest)
    exponent = place if reverse else np.maximum(lengths[:, None] - 1 - place, 0)
    return Ragged(numbers[:, None] // 10**exponent % 10, lengths)


def is_held_out(prompts: Ragged) -> NDArray[np.bool_]:
    """(B,) from a hash of each prompt's ids: the same on every machine and for every seed.

    A multilinear hash, sum over (id + 1) times its place's weight modulo 2**64, then mixed, so that
    every bit of it counts (the last steps of splitmix64, Steele 2014).
    """
    counted = within(prompts.lengths, prompts.tokens.shape[1])
    ids = np.where(counted, prompts.tokens + 1, 0).astype(np.uint64)
    place = np.arange(1, ids.shape[1] + 1, dtype=np.uint64)
    weights = _mix(place * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)
    return _mix((ids * weights).sum(axis=1, dtype=np.uint64)) % np.uint64(HELD_OUT_OF) == 0


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
