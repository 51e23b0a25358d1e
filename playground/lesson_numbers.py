"""Numbers of a lesson that need no training: computed from the engine, and written {computed: NAME} in the text.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.config import RunConfig
from engine.data import make_data
from engine.presets import PRESETS

ROWS = 20_000
"""Rows of a task that are drawn to measure a share: its standard error is at most 0.4 %."""


def guessing() -> str:
    """The loss of guessing uniformly among the characters of the stories: ln V, in nats."""
    stories = make_data(RunConfig.from_flat(PRESETS["stories"].changes))
    return f"{math.log(stories.tokenizer.vocab_size):.2f}"


def induction_distance() -> str:
    """How many places after a letter it most often comes again, in the rows of the task `induction`."""
    return str(int(_distances().argmax()))


def induction_prior() -> str:
    """The share of rows that are right for a model that always copies from that distance."""
    return f"{100 * _distances().max():.0f} %"


@functools.cache
def _distances() -> NDArray[np.float64]:
    """(T + 1,) the share of rows in which the first letter that comes again does so after 0, 1, ... places."""
    batch = make_data(RunConfig.from_flat(PRESETS["induction"].changes)).batch(ROWS)
    again = (batch.targets >= 0).argmax(1)  # (B,) the first place whose next letter is known
    letters = np.take_along_axis(batch.inputs, again[:, None], axis=1)
    before = (batch.inputs == letters).argmax(1)  # (B,) where the letter stood first
    return np.bincount(again - before, minlength=batch.inputs.shape[1] + 1) / ROWS


NUMBERS: dict[str, Callable[[], str]] = {
    "guessing": functools.cache(guessing),
    "induction distance": functools.cache(induction_distance),
    "induction prior": functools.cache(induction_prior),
}
"""What may be written in a lesson, by name."""
