"""Numbers of a lesson that need no training: computed from the engine, and written {computed: NAME} in the text.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from engine.config import RunConfig
from engine.data import make_data
from engine.data.tasks import Induction
from engine.presets import PRESETS


def guessing() -> str:
    """The loss of guessing uniformly among the characters of the stories: ln V, in nats."""
    stories = make_data(RunConfig.from_flat(PRESETS["stories"].changes))
    return f"{math.log(stories.tokenizer.vocab_size):.2f}"


def induction_distances() -> str:
    """How many distances to the earlier letter there are in the task `induction`; all are equally likely."""
    return str(len(_induction().distances))


def induction_prior() -> str:
    """The most rows that a model can have right which knows positions, but does not compare letters."""
    return f"{100 * _induction().baseline().accuracy:.0f} %"


def _induction() -> Induction:
    """The task of the preset."""
    data = make_data(RunConfig.from_flat(PRESETS["induction"].changes))
    assert isinstance(data, Induction)
    return data


NUMBERS: dict[str, Callable[[], str]] = {
    "guessing": functools.cache(guessing),
    "induction distances": functools.cache(induction_distances),
    "induction prior": functools.cache(induction_prior),
}
"""What may be written in a lesson, by name."""
