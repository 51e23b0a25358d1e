"""Numbers that a lesson computes from the engine without training, written as {computed: NAME} in its text.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from engine.config import RunConfig
from engine.data import make_data
from engine.data.tasks import Induction
from engine.generation.metrics import bits_per_character
from engine.presets import PRESETS
from engine.runs.events import Evaluated
from playground.runs import run_lookup
from playground.tabs.learn import game
from playground.tabs.learn.computed import forward_passes, landscape, running, two_by_two


def guessing() -> str:
    """The loss of a uniform guess among the characters of the stories: ln V, in nats."""
    stories = make_data(RunConfig.from_flat(PRESETS["stories"].changes))
    return f"{math.log(stories.tokenizer.vocab_size):.2f}"


def induction_distances() -> str:
    """The number of equally likely distances to the earlier letter in the task `induction`."""
    return str(len(_induction().distances))


def induction_prior() -> str:
    """The best accuracy of a model that uses positions but does not compare letters."""
    return f"{100 * _induction().baseline().accuracy:.0f}%"


def _induction() -> Induction:
    """The task of the preset `induction`."""
    data = make_data(RunConfig.from_flat(PRESETS["induction"].changes))
    assert isinstance(data, Induction)
    return data


def bits(guesser: str) -> Callable[[], str]:
    """Bits per character of the stories' validation text, for a guesser that counts: see `game`."""
    return lambda: f"{game.bits('en')[guesser]:.2f}"


def characters() -> str:
    """The number of different characters of the stories."""
    return f"{2 ** game.bits('en')['uniform']:.0f}"


def nats(guesser: str) -> Callable[[], str]:
    """The same in nats, the unit of the charts."""
    return lambda: f"{math.log(2) * game.bits('en')[guesser]:.2f}"


def model_bits() -> str:
    """Bits per character of the shipped model of the stories at the end of its training: its tokens are characters."""
    history = run_lookup.find("stories").history()
    losses = [event.loss for event in history if isinstance(event, Evaluated)]
    return f"{bits_per_character(losses[-1], 1, 1):.2f}"


def loss_at(along: Callable[[], float], across: float = 0.0) -> Callable[[], str]:
    """The measured loss at a point of the landscape, in nats."""
    return lambda: f"{landscape.stored()[along(), across]:.2f}"


def share(measurement: str, name: str, place: int = 0) -> Callable[[], str]:
    """A measured share in per cent, the mean over the seeds: see `forward_passes`."""
    return lambda: f"{100 * forward_passes.mean(measurement, name, place):.0f}%"


def measured(measurement: str, name: str, place: int = 0, digits: str = ".2f") -> Callable[[], str]:
    """A measured number, the mean over the seeds."""
    return lambda: format(forward_passes.mean(measurement, name, place), digits)


CIRCUIT = (
    "whole",
    "one previous off",
    "previous off",
    "one matching off",
    "matching off",
    "both off",
    "other off",
)
NUMBERS: dict[str, Callable[[], str]] = {
    "guessing": functools.cache(guessing),
    "induction distances": functools.cache(induction_distances),
    "induction prior": functools.cache(induction_prior),
    **two_by_two.NUMBERS,
    **running.NUMBERS,
    "characters": functools.cache(characters),
    "uniform bits": functools.cache(bits("uniform")),
    "unigram bits": functools.cache(bits("unigram")),
    "bigram bits": functools.cache(bits("bigram")),
    "unigram nats": functools.cache(nats("unigram")),
    "bigram nats": functools.cache(nats("bigram")),
    "model bits": functools.cache(model_bits),
    **{f"{count} carries": share("carries", "right", count) for count in range(3)},
    "shuffled in two layers": measured("shuffle", "moved", 2),
    "stream before": measured("stream", "size pre 0", 24),
    "stream after": measured("stream", "size pre 20", 24, ".1f"),
    **{
        f"left after {step}": measured(
            "stream", f"left post {step}", digits=".1g" if step == 20 else ".2f"
        )
        for step in (0, 2, 20)
    },
    "gradient of the first block": measured("stream", "gradient post 2", 0),
    "gradient of the last block": measured("stream", "gradient post 2", 11),
    **{f"circuit {name}": share("circuit", name) for name in CIRCUIT},
    "landscape here": loss_at(lambda: 0.0),
    "landscape lowest": loss_at(landscape.best),
    "landscape best distance": lambda: f"{landscape.best():.2g}",
    "landscape distance 1": loss_at(lambda: 1.0),
    "landscape random": loss_at(lambda: 0.0, 0.5),
}
"""The computed numbers, by name."""
