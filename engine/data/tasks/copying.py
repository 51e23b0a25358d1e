"""Look back at the prompt, and write its letters in an order: copy, reverse, sort.

Shapes: B items, P the longest prompt.
"""

from __future__ import annotations

import re
from string import ascii_lowercase, digits

import numpy as np

from engine.data.tasks.task import Items, Ragged, Task, constant, join, symbols, within


class Copy(Task):
    """The simplest use of attention: attend at a fixed distance, and repeat."""

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
