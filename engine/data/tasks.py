"""Tasks with exact answers: small skills that a Transformer learns in seconds, nothing to guess.

A row is prompt, answer, end token, and the end token again as padding:

    4 7 + 8 5 = 1 3 2 <end> <end> <end>
                ^^^^^^^^^^^ the loss is taken on these targets only

An eighth of all items is held out: those whose prompt's hash says so. They are never trained on,
whatever the seed, and accuracy is measured on them. An item counts as right when the most likely
token is the right one at every target of its row. That is the same as greedy generation writing
exactly the right answer: up to the first wrong token both have read the same text.

`Task` does the work that all tasks share. A task itself says how wide a row is, how items are
drawn, and, independently of that, what the right answer is.

Shapes: B items, P the longest prompt, A the longest answer, W the tokens of a row.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from string import ascii_lowercase, digits
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.base import IGNORE, Batch, DataError, Generated, spread
from engine.tokenizers import CharTokenizer

END = "<end>"

HELD_OUT_OF = 8
"""One item in so many is held out."""

POOL = 512
"""At most so many held-out items are measured on."""

POOL_SEED = 1_706
"""Draws the held-out items: the same ones in every run, so that accuracies can be compared."""

Integers = NDArray[np.int64]


class Ragged(NamedTuple):
    """Rows of different lengths, side by side. What lies beyond a row's length means nothing."""

    tokens: Integers
    """(B, longest)"""
    lengths: Integers
    """(B,)"""


class Items(NamedTuple):
    """Drawn items: token ids of prompts (B, P) and of answers (B, A), without the end token."""

    prompts: Ragged
    answers: Ragged


class Task(Generated, ABC):
    """What all tasks share: layout, padding, targets, the held-out part, prompts.

    `length` is the configuration's `task_length`; `size` says what it counts in each task. For the
    members that every source of data has, see `engine.data.base.Data`.
    """

    name: str
    title: ClassVar[str]
    description: ClassVar[str]
    size: ClassVar[str]
    """What `task_length` counts."""
    smallest: ClassVar[int] = 2
    largest: ClassVar[int] = 32
    """Limits of `task_length`."""
    characters: ClassVar[str]
    """The pieces of one character; the ids are their places in this string."""
    words: ClassVar[tuple[str, ...]] = ()
    """The pieces of more characters; their ids come next."""
    ends: ClassVar[bool] = True
    """Does an end token follow the answer?"""

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

    # What a task says

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
        """How many of the words this size needs."""
        return len(self.words)

    # Batches

    def batch(self, batch_size: int) -> Batch:
        """Rows (B, T = W - 1) of random items that are not held out."""
        return self._batch(*self._rows(self.generator, batch_size, held_out=False))

    def validation(self, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
        """Held-out items, each at most once; evenly spaced ones where there are more."""
        rows, spans = self._pool()
        chosen = spread(len(rows), len(rows) if steps is None else batch_size * steps)
        for first in range(0, len(chosen), batch_size):
            wanted = chosen[first : first + batch_size]
            yield self._batch(rows[wanted], spans[wanted])

    def _batch(self, rows: Integers, spans: Integers) -> Batch:
        """Inputs and targets; a target counts from the answer's first token to its last."""
        begin, stop = spans[:, 0] - 1, spans[:, 1] - 1  # a target stands one place before its token
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

    # The held-out part

    def is_held_out(self, prompt: str) -> bool:
        """Is the item with this prompt one of those that are never trained on?"""
        ids = np.array([self.tokenizer.encode(prompt)], dtype=np.int64)
        return bool(is_held_out(Ragged(ids, np.array([ids.shape[1]])))[0])

    def _pool(self) -> tuple[Integers, Integers]:
        """Different held-out rows (at most POOL, W), and where their targets lie."""
        if self._held_out is None:
            generator = np.random.Generator(np.random.PCG64(POOL_SEED))
            rows, spans = self._rows(generator, 2 * POOL, held_out=True)
            _, first = np.unique(rows, axis=0, return_index=True)
            first = np.sort(first)[:POOL]
            self._held_out = rows[first], spans[first]
        return self._held_out

    @property
    def prompts(self) -> list[str]:
        """Five held-out prompts, from short to long."""
        rows, spans = self._pool()
        by_length = np.argsort(spans[:, 0], kind="stable")
        chosen = by_length[spread(len(rows), 5)]
        return [self.tokenizer.decode(rows[i, : spans[i, 0]]) for i in chosen]

    def probe(self) -> str:
        """One of the longest held-out items, prompt and answer."""
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
    """(B, width) where each row has its tokens."""
    place: Integers = np.arange(width)
    return place < lengths[:, None]


def symbols(generator: np.random.Generator, count: int, kinds: int, longest: int) -> Ragged:
    """Rows of 1 to `longest` random ids below `kinds`; all lengths are as likely."""
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


# The tasks


class Copy(Task):
    """The plainest use of attention: look back by a fixed distance and repeat."""

    name = "copy"
    title = "Copy"
    description = "Write the same letters again."
    size = "letters at most"
    characters = ascii_lowercase + ">"

    def width(self) -> int:
        return 2 * self.length + 2

    def draw(self, generator: np.random.Generator, count: int) -> Items:
        kinds = len(self.characters) - 1
        word = symbols(generator, count, kinds, self.length)
        return Items(join(word, constant(kinds, count)), self.arrange(word))

    def arrange(self, word: Ragged) -> Ragged:
        """The answer to each word."""
        return word

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([a-z]+)>", prompt)
        return found[1] if found else None


class Reverse(Copy):
    """Look back by a distance that changes at every step."""

    name = "reverse"
    title = "Reverse"
    description = "Write the letters again, the last one first."

    def arrange(self, word: Ragged) -> Ragged:
        place = word.lengths[:, None] - 1 - np.arange(self.length)
        return Ragged(np.take_along_axis(word.tokens, np.maximum(place, 0), axis=1), word.lengths)

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([a-z]+)>", prompt)
        return found[1][::-1] if found else None


class Sort(Copy):
    """Compare all tokens with all, and remember how often each one came."""

    name = "sort"
    title = "Sort"
    description = "Write the digits again, from small to large."
    size = "digits at most"
    characters = digits + ">"

    def arrange(self, word: Ragged) -> Ragged:
        ends_last = np.where(within(word.lengths, self.length), word.tokens, len(digits))
        return Ragged(np.sort(ends_last, axis=1), word.lengths)

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([0-9]+)>", prompt)
        return "".join(sorted(found[1])) if found else None


class Addition(Task):
    """Carry in the unnatural order: the first digit written depends on all the others."""

    name = "addition"
    title = "Addition"
    description = "Add two numbers, written as people write them."
    size = "digits of a number at most"
    smallest = 1
    largest = 18
    """Sums of 19 digits still fit into 64 bits."""
    characters = digits + "+="
    reverse: ClassVar[bool] = False
    """Is the answer written with its last digit first?"""

    def width(self) -> int:
        return 3 * self.length + 4

    def draw(self, generator: np.random.Generator, count: int) -> Items:
        one, other = (self._numbers(generator, count) for _ in range(2))
        plus, equals = (constant(self.characters.index(sign), count) for sign in "+=")
        prompts = join(decimal(one, self.length), plus, decimal(other, self.length), equals)
        return Items(prompts, decimal(one + other, self.length + 1, reverse=self.reverse))

    def _numbers(self, generator: np.random.Generator, count: int) -> Integers:
        """(B,) numbers of 1 to `length` digits; all lengths are as likely."""
        length = generator.integers(1, self.length + 1, size=count)
        smallest = np.where(length == 1, 0, 10 ** (length - 1))
        return generator.integers(smallest, 10**length)

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([0-9]+)\+([0-9]+)=", prompt)
        if not found:
            return None
        total = str(int(found[1]) + int(found[2]))
        return total[::-1] if self.reverse else total


class AdditionReversed(Addition):
    """Carry in the natural order: each digit needs two digits and one carry.

    Far fewer examples are needed than for plain addition (Lee et al. 2023, "Teaching Arithmetic to
    Small Transformers").
    """

    name = "addition_reversed"
    title = "Addition, answer reversed"
    description = "Add two numbers and write the sum from its last digit to its first."
    reverse = True


class ModularAddition(Task):
    """Addition on a circle of p numbers, each of them one token.

    On this task Power et al. (2022, "Grokking") saw a network know all training items long before
    it understood the others, and Nanda et al. (2023, "Progress measures for grokking via
    mechanistic interpretability") found that it learns the circle.
    """

    name = "modular_addition"
    title = "Modular addition"
    description = "Add two numbers and keep the remainder after division by a prime."
    size = "which prime divides: the 4th is 7, the 25th is 97"
    smallest = 4
    largest = 25
    characters = "+="
    words = tuple(map(str, range(97)))
    primes: ClassVar[tuple[int, ...]] = (
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97,
    )  # fmt: skip

    @property
    def modulus(self) -> int:
        """p"""
        return self.primes[self.length - 1]

    def width(self) -> int:
        return 6

    def word_count(self) -> int:
        return self.modulus

    def draw(self, generator: np.random.Generator, count: int) -> Items:
        one, other = generator.integers(0, self.modulus, size=(2, count))
        plus, equals = (np.full(count, self.characters.index(sign)) for sign in "+=")
        first = len(self.characters)  # the id of the word "0"
        prompts = np.stack([first + one, plus, first + other, equals], axis=1)  # (B, 4)
        answers = first + (one + other)[:, None] % self.modulus  # (B, 1)
        return Items(
            Ragged(prompts, np.full(count, 4)), Ragged(answers, np.ones(count, dtype=np.int64))
        )

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([0-9]{1,2})\+([0-9]{1,2})=", prompt)
        return str((int(found[1]) + int(found[2])) % self.modulus) if found else None


class Parity(Task):
    """One changed bit changes the answer, so no part of the prompt tells anything by itself.

    Hard for attention, which averages: see Hahn 2020, "Theoretical Limitations of Self-Attention".
    """

    name = "parity"
    title = "Parity"
    description = "Is the number of ones even or odd?"
    size = "bits at most"
    smallest = 4
    characters = "01?"
    words = ("even", "odd")

    def width(self) -> int:
        return self.length + 3

    def draw(self, generator: np.random.Generator, count: int) -> Items:
        bits = symbols(generator, count, 2, self.length)
        counted = within(bits.lengths, self.length)
        odd = (bits.tokens * counted).sum(axis=1, keepdims=True) % 2  # (B, 1)
        answers = Ragged(len(self.characters) + odd, np.ones(count, dtype=np.int64))
        return Items(join(bits, constant(self.characters.index("?"), count)), answers)

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([01]+)\?", prompt)
        return self.words[found[1].count("1") % 2] if found else None


class Brackets(Task):
    """Keep count of what is open: the simplest language that needs a memory (Dyck-1).

    Half of the items are balanced, every such string of its length as likely. The others were:
    either one bracket is turned, so that the counts differ, or the end is moved to the front, so
    that only the order is wrong.
    """

    name = "brackets"
    title = "Balanced brackets"
    description = "Does every bracket close one that was opened before?"
    size = "pairs at most"
    smallest = 3
    characters = "()?"
    words = ("yes", "no")

    def width(self) -> int:
        return 2 * self.length + 3

    def draw(self, generator: np.random.Generator, count: int) -> Items:
        pairs = generator.integers(1, self.length + 1, size=count)
        closing = balanced(generator, pairs, self.length)  # (B, 2 * length)
        how = generator.integers(0, 4, size=count)  # 0, 1: as it is; 2: turned; 3: moved

        place = np.arange(2 * self.length)
        chosen = generator.integers(0, 2 * pairs)
        turned = (how == 2)[:, None] & (place == chosen[:, None])
        closing = closing ^ turned
        # After an odd number of brackets one is open: a string cut there cannot be balanced.
        cut = np.where(how == 3, chosen // 2 * 2 + 1, 0)
        closing = np.take_along_axis(closing, (place + cut[:, None]) % (2 * pairs)[:, None], axis=1)

        prompts = join(
            Ragged(closing.astype(np.int64), 2 * pairs),
            constant(self.characters.index("?"), count),
        )
        answers = len(self.characters) + (how >= 2)[:, None].astype(np.int64)  # (B, 1)
        return Items(prompts, Ragged(answers, np.ones(count, dtype=np.int64)))

    def answer(self, prompt: str) -> str | None:
        found = re.fullmatch(r"([()]+)\?", prompt)
        if not found:
            return None
        rest = found[1]
        while "()" in rest:
            rest = rest.replace("()", "")
        return "no" if rest else "yes"


def balanced(generator: np.random.Generator, pairs: Integers, most: int) -> NDArray[np.bool_]:
    """Balanced brackets, each string of `pairs` (B,) pairs as likely: (B, 2 * most), True closes.

    A random order of n opening and n + 1 closing brackets has exactly one rotation that is a
    balanced string and one closing bracket (the cycle lemma, Dvoretzky & Motzkin 1947). It begins
    after the place where the sum of the steps, up and down, is lowest for the first time.
    """
    place = np.arange(2 * most + 1)
    total = 2 * pairs[:, None] + 1  # (B, 1)
    keys = np.where(place < total, generator.random((len(pairs), len(place))), 2.0)
    order = np.argsort(keys, axis=1)  # (B, 2 * most + 1), random among the first 2n + 1
    step = np.where(order < pairs[:, None], 1, np.where(place < total, -1, len(place)))
    lowest = np.cumsum(step, axis=1).argmin(axis=1)[:, None]  # (B, 1)
    rotated = np.take_along_axis(step, (lowest + 1 + place) % total, axis=1)
    return rotated[:, :-1] < 0


class Baseline(NamedTuple):
    """What a model reaches that knows positions and distances, but does not compare letters."""

    accuracy: float
    """Share of rows in which every target is right, at best."""
    loss: float
    """Nats per target, at best."""


class Induction(Task):
    """What came after this token before? The skill behind learning from the context.

    Letters are random and all different, until one of them, at a random place, comes again: from
    there on the row repeats, and each next token is known. Two layers learn it, with a head that
    looks at the previous token below one that finds the earlier occurrence (Olsson et al. 2022,
    "In-context Learning and Induction Heads").

    Every distance to the earlier occurrence is equally likely. A model that always copies from the
    same distance is right in one row of `len(distances)`. `baseline` is the best without matching.
    """

    name = "induction"
    title = "Induction"
    description = "A random row begins to repeat itself from a random place: go on."
    size = "letters that repeat at most, half as many at least; a row has twice as many"
    smallest = 4
    largest = 17
    """Rows of 34 have up to 25 different letters."""
    characters = ascii_lowercase
    ends = False

    def width(self) -> int:
        return 2 * self.length

    @property
    def fewest(self) -> int:
        """The fewest letters that repeat."""
        return (self.length + 1) // 2

    @property
    def distances(self) -> range:
        """How far back the earlier occurrence may be."""
        return range(self.fewest, self.width() - self.fewest + 1)

    def draw(self, generator: np.random.Generator, count: int) -> Items:
        allowed = self.distances
        distance = generator.integers(allowed.start, allowed.stop, size=(count, 1))  # (B, 1)
        repeated = self.repeated(distance)  # (B, 1)
        before = self.width() - repeated
        shuffled = generator.random((count, len(self.characters))).argsort(axis=1)
        place = np.arange(self.width())
        source = np.where(place < before, place, place - distance)
        rows = np.take_along_axis(shuffled, source, axis=1)  # (B, W)
        answer_place = np.minimum(before + 1 + np.arange(self.length - 1), self.width() - 1)
        answers = np.take_along_axis(rows, answer_place, axis=1)
        return Items(Ragged(rows, before[:, 0] + 1), Ragged(answers, repeated[:, 0] - 1))

    def repeated(self, distance: Integers) -> Integers:
        """How many letters repeat: as many as fit between the two places, and into the row."""
        return np.minimum(distance, self.width() - distance)

    def baseline(self) -> Baseline:
        """The best that is possible from positions alone, computed exactly.

        Such a model gives each distance its probability at this position. It has a whole row right
        for one distance only, because the last position is a target in every row.
        """
        distances = np.arange(self.distances.start, self.distances.stop)  # (D,)
        # The last `repeated - 1` positions of a row are targets; they are counted from its end.
        asked = np.arange(1, self.length) < self.repeated(distances)[:, None]  # (D, P)
        choices = asked.sum(axis=0)  # (P,) equally likely distances
        loss = (choices * np.log(choices)).sum() / choices.sum()
        return Baseline(accuracy=1 / len(distances), loss=float(loss))

    def answer(self, prompt: str) -> str | None:
        rest = self.width() - len(prompt)
        begin = prompt.find(prompt[-1:]) + 1
        if rest < 1 or not 0 < begin < len(prompt) or not set(prompt) <= set(self.characters):
            return None
        row = prompt
        while len(row) < self.width():
            row += row[begin + len(row) - len(prompt)]
        return row[len(prompt) :]


TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Copy, Reverse, Sort, Addition, AdditionReversed, ModularAddition, Parity, Brackets,
        Induction,
    )
}  # fmt: skip
