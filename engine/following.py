"""What several processes do at the same moment: the first one says it, all do it.

The first process drives the run. Before everything that needs the others (an update, a measurement,
putting weights together) it names one of `TASKS`, and the others, who wait for that, do the same. So
commands reach all at the same step, and whatever takes the first one long, as sampling does, the
others sit out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine import checkpoint
from engine.config import RunConfig
from engine.data import Data, make_data
from engine.events import Evaluated, Message
from engine.ranks import Ranks
from engine.training import TrainState, change, evaluate, new_state, train
from engine.validation import ConfigError


@dataclass
class Work:
    """One process's share of a run, and what all do with theirs at the same moment."""

    state: TrainState
    training: Iterator[Message]
    """`train(state)`."""

    def next(self) -> Message | None:
        """The next event of training, the same in all; None at the end."""
        return next(self.training, None)

    def evaluate(self) -> Evaluated:
        """See `training.evaluate`."""
        return evaluate(self.state)

    def change(self, field: str, value: float) -> dict[str, float]:
        """See `training.change`. Raises `ConfigError`, in all of them or in none."""
        return change(self.state, field, value)

    def weights(self) -> dict[str, Tensor]:
        """Every weight, whole; in the first process alone."""
        return checkpoint.whole_weights(self.state)

    def save(self, folder: str) -> None:
        """Put everything together; the first process writes it. Raises `OSError`, there."""
        checkpoint.save(self.state, Path(folder))

    def wait(self) -> None:
        """Nothing; but the first process is still there."""


TASKS: dict[str, Callable[..., Any]] = {
    "next": Work.next,
    "evaluate": Work.evaluate,
    "change": Work.change,
    "weights": Work.weights,
    "save": Work.save,
    "wait": Work.wait,
}
"""What all processes do together, by the names that they tell each other."""


def begin(
    config: RunConfig, data: Data, folder: Path | None, ranks: Ranks, fresh_optimizer: bool = False
) -> TrainState:
    """The state that training goes on from: a checkpoint's, or a new one. All begin together."""
    if folder is None:
        return new_state(config, data, ranks=ranks)
    return checkpoint.load(folder, data, fresh_optimizer=fresh_optimizer, ranks=ranks)


def lead(work: Work, task: str, *given: Any) -> Any:
    """Have all processes do one of `TASKS`; what it gives in this one, the first."""
    work.state.ranks.say([task, *given])
    return TASKS[task](work, *given)


def follow(config: RunConfig, ranks: Ranks) -> None:
    """Do what the first process says, until it says that the run has ended.

    `config` is the run's, with the whole paths of its data.
    """
    folder, fresh_optimizer, threads = ranks.hear()
    torch.set_num_threads(threads)
    data = make_data(config)
    state = begin(config, data, None if folder is None else Path(folder), ranks, fresh_optimizer)
    work = Work(state, train(state))
    while (told := ranks.hear()) is not None:
        task, *given = told
        with suppress(ConfigError):  # a change that cannot be is refused in every process
            TASKS[task](work, *given)
