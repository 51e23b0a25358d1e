"""The distribution of one update over processes: the only object of this kind that the training loop uses.

`OneProcess` does all the work itself. `SeveralProcesses` computes its own rows of every batch and sums
gradients, losses and routing counts with the others. The loop calls the same methods on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.config import ParallelName
from engine.data.base import Batch
from engine.distributed.ranks import Ranks
from engine.distributed.sharding import PARALLELS, Predict
from engine.model.balance import balance_loss
from engine.model.context import Output
from engine.model.decoder import Decoder
from engine.model.routing import sum_counts


class OneProcess:
    """A process that trains alone: it has every row, and its own gradients and sums are the total."""

    size = 1
    """Number of processes."""
    sharded = False
    """Whether each process holds only a part of every weight (fsdp)."""

    def __init__(self, predict: Predict) -> None:
        self.predict = predict
        """The forward pass of training, `Decoder.predict`."""

    def begin_update(self, seed: int, step: int) -> None:
        """Seed the random draws of update `step` (dropout, router noise).

        One process seeds nothing: it draws from one generator throughout, stored in its checkpoints.
        """

    def rows(self, batch: Batch) -> Batch:
        """The rows of a batch that this process computes."""
        return batch

    def sync_gradients(self, on: bool) -> None:
        """Should the next backward pass average gradients over processes? Off while they accumulate."""

    def sum(self, values: Tensor) -> Tensor:
        """The sum of this tensor over processes, the same in each. Has no gradient."""
        return values

    def of_whole_batch(self, output: Output, weights: Mapping[str, float], counted: bool) -> Output:
        """The output with routing records and balance loss that count the tokens of all processes.

        Args:
            output: of the rows of this process.
            weights: of each balance loss (`Decoder.balance`).
            counted: False if these rows are placeholders of a process without rows, and must not be counted.
        """
        return output


class SeveralProcesses(OneProcess):
    """One of several processes that train one model, with DDP or FSDP."""

    def __init__(
        self, model: Decoder, predict: Predict, ranks: Ranks, parallel: ParallelName
    ) -> None:
        parts = PARALLELS[parallel](model, predict)
        super().__init__(parts.predict)
        self._sync_gradients = parts.sync_gradients
        self.ranks, self.size, self.sharded = ranks, ranks.size, parallel == "fsdp"

    def begin_update(self, seed: int, step: int) -> None:
        """Seed from (seed, step, rank): processes draw differently, and checkpoints store no generator.

        So any number of processes can continue from a checkpoint.
        """
        state = np.random.SeedSequence([seed, step, self.ranks.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))

    def rows(self, batch: Batch) -> Batch:
        return batch.part(self.ranks.rank, self.size)

    def sync_gradients(self, on: bool) -> None:
        self._sync_gradients(on)

    def sum(self, values: Tensor) -> Tensor:
        return self.ranks.sum(values)

    def of_whole_batch(self, output: Output, weights: Mapping[str, float], counted: bool) -> Output:
        if not output.routing:
            return output
        routing = sum_counts(output.routing, self.ranks.sum, counted)
        return replace(output, routing=routing, balance_loss=balance_loss(routing, weights))


def spread(model: Decoder, predict: Predict, ranks: Ranks, parallel: ParallelName) -> OneProcess:
    """The object for `ranks`. All processes must call it at the same moment."""
    if not ranks.together:
        return OneProcess(predict)
    return SeveralProcesses(model, predict, ranks, parallel)
