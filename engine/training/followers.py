"""Operations that several processes do together: the first process names one, and all do it.

The first process drives the run. Before each operation that needs the others (an update, an evaluation,
gathering weights) it sends the name of one of `OPERATIONS`, for which the others wait. So commands take effect
at the same step everywhere, and the others idle while the first process samples or writes files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.config import RunConfig
from engine.data import Data, make_data
from engine.distributed.ranks import Ranks
from engine.runs.events import Evaluated, Message
from engine.training import checkpoint
from engine.training.loop import TrainState, change, evaluate, new_state, train
from engine.validation import ConfigError


@dataclass
class Work:
    """The training of one process, and the operations that all processes do at the same moment."""

    state: TrainState
    training: Iterator[Message]
    """`train(state)`."""

    def next(self) -> Message | None:
        """The next event of training, the same in all processes; None at the end."""
        return next(self.training, None)

    def evaluate(self) -> Evaluated:
        """See `training.evaluate`."""
        return evaluate(self.state)

    def change(self, field: str, value: float) -> dict[str, float]:
        """See `training.change`. Raises `ConfigError`, in all of them or in none."""
        return change(self.state, field, value)

    def weights(self) -> dict[str, Tensor]:
        """All weights, unsharded; only in the first process."""
        return checkpoint.unsharded_weights(self.state)

    def save(self, folder: str) -> None:
        """Gather everything; the first process writes the checkpoint, and may raise `OSError`."""
        checkpoint.save(self.state, Path(folder))

    def wait(self) -> None:
        """Do nothing: a heartbeat of the first process."""


OPERATIONS: dict[str, Callable[..., Any]] = {
    "next": Work.next,
    "evaluate": Work.evaluate,
    "change": Work.change,
    "weights": Work.weights,
    "save": Work.save,
    "wait": Work.wait,
}
"""The operations by name."""


def begin(
    config: RunConfig, data: Data, folder: Path | None, ranks: Ranks, fresh_optimizer: bool = False
) -> TrainState:
    """The state to train: of a checkpoint, or a new one. All processes must call it at the same moment."""
    if folder is None:
        return new_state(config, data, ranks=ranks)
    return checkpoint.load(folder, data, fresh_optimizer=fresh_optimizer, ranks=ranks)


def lead(work: Work, operation: str, *given: Any) -> Any:
    """Do one of `OPERATIONS` in all processes; returns the result of this one, the first."""
    work.state.ranks.say([operation, *given])
    return OPERATIONS[operation](work, *given)


def follow(config: RunConfig, ranks: Ranks) -> None:
    """Do the operations that the first process names, until the run ends.

    `config` is the run's, with absolute paths of its data.
    """
    folder, fresh_optimizer, threads = ranks.hear()
    torch.set_num_threads(threads)
    data = make_data(config)
    state = begin(config, data, None if folder is None else Path(folder), ranks, fresh_optimizer)
    work = Work(state, train(state))
    while (message := ranks.hear()) is not None:
        operation, *given = message
        with suppress(ConfigError):  # an impossible change is refused in every process
            OPERATIONS[operation](work, *given)
