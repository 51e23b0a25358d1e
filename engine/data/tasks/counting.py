"""Count over the prompt: parity, and brackets that are balanced.

Shapes: B items.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from engine.data.tasks.task import Integers, Items, Ragged, Task, constant, join, symbols, within


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
