"""The tasks: copy, reverse, sort, addition, modular addition, parity, brackets, induction.

`engine.data.task.Task` has what all of them share. A task itself defines the width of a row, how items are
drawn, and, independently of that, the right answer.

Shapes: B items, P the longest prompt, A the longest answer, W the tokens of a row.
"""

from __future__ import annotations

import re
from string import ascii_lowercase, digits
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.task import (
    Integers,
    Items,
    Ragged,
    Task,
    constant,
    decimal,
    join,
    symbols,
    within,
)


class Copy(Task):
    """The simplest use of attention: look back by a fixed distance and repeat."""

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
    """Compare every token with every other, and count how often each occurs."""

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
    """Whether the answer is written with its last digit first."""

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
    """One changed bit changes the answer, so no part of the prompt is informative by itself.

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

    Half of the items are balanced, and all such strings of a length are equally likely. The others are
    balanced strings with one change: a bracket is flipped, so that the counts differ, or the end is
    moved to the front, so that only the order is wrong.
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
    """The best result of a model that uses positions and distances, but does not compare letters."""

    accuracy: float
    """Share of rows in which every target is right, at best."""
    loss: float
    """Nats per target, at best."""


class Induction(Task):
    """Predict what followed this token before: the skill behind in-context learning.

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
        """Possible distances to the earlier occurrence."""
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
        """The number of letters that repeat: limited by the gap between the two positions, and by the row."""
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
