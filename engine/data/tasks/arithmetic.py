"""Add numbers: with carries, in both orders of the digits, and modulo a prime.

Shapes: B items.
"""

from __future__ import annotations

import re
from string import digits
from typing import ClassVar

import numpy as np

from engine.data.tasks.task import Integers, Items, Ragged, Task, constant, decimal, join


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
