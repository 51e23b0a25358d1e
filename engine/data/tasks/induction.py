"""Induction: find what came next the last time, and go on.

Shapes: B items, W the tokens of a row.
"""

from __future__ import annotations

from string import ascii_lowercase
from typing import NamedTuple

import numpy as np

from engine.data.tasks.task import Integers, Items, Ragged, Task


class Baseline(NamedTuple):
    """The best result of a model that uses positions and distances, but does not compare letters."""

    accuracy: float
    """Share of rows in which every target is right, at best."""
    loss: float
    """Nats per target, at best."""


class Induction(Task):
    """Predict what came after this token before: the skill behind in-context learning.

    Letters are random and all different, until one of them, at a random place, comes again: from
    there on the row repeats, and each next token is known. Two layers learn it, with a head that
    attends to the previous token below one that finds the earlier occurrence (Olsson et al. 2022,
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

        Such a model gives each distance its probability at this position. It has a complete row right
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
