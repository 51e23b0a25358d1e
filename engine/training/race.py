"""Several optimizers on the same model, in lockstep: the same first weights, the same batches.

`race(configs)` makes one update of each contestant in turn and yields typed events, as `train` does. Each contestant
is a `TrainState` of its own, with its own data and its own random numbers, so it trains exactly as it would alone.

The singular values of an update show what an optimizer makes of a gradient. With the update U = A S B^T, a direction of
the input (a row of B^T) moves the output by its singular value. A gradient has a few large ones, so a few directions
take most of the step. Muon makes them about equal (`engine.training.optim.Muon`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from time import process_time

import torch
from torch import Tensor

from engine.config import RunConfig
from engine.data import make_data
from engine.estimate import flops_per_step, optimizer_flops
from engine.runs.events import Diverged, Stepped
from engine.training.loop import TrainState, evaluate, evaluation_due, new_state, update
from engine.training.optim import SGD, rows_of
from engine.validation import ConfigError, Problem

OWN: frozenset[str] = frozenset(
    {
        "optimizer", "max_lr", "min_lr", "weight_decay", "beta1", "beta2", "momentum", "max_grad_norm",
        "embedding_rate", "output_rate", "matrix_rate", "vector_rate",
    }
)  # fmt: skip
"""Fields in which contestants may differ."""

PARTS: dict[str, tuple[str, ...]] = {
    "attention.qkv.weight": ("q", "k", "v"),
    "attention.output.weight": ("o",),
    "feedforward.gate.weight": ("gate",),
    "feedforward.up.weight": ("up",),
    "feedforward.output.weight": ("down",),
}
"""The matrices of a block, by the end of the parameter's name; q, k and v are parts of one parameter."""


@dataclass(frozen=True)
class Lap:
    """One update of one contestant."""

    entry: int
    """The contestant's number, from 0."""
    step: int
    loss: float
    """Of the batch, before the update, in nats."""
    seconds: float
    """Processor time of all its updates so far, without evaluations."""
    flops: float
    """Of all its updates so far: matrix products of the passes and of the optimizer."""


@dataclass(frozen=True)
class Measured:
    """The validation loss of one contestant, in nats."""

    entry: int
    step: int
    loss: float


@dataclass(frozen=True)
class Spectra:
    """Singular values of one contestant's matrices, in descending order, by "block.name" such as "0.q"."""

    entry: int
    step: int
    update: dict[str, list[float]]
    """Of what the optimizer subtracted in this step, divided by the learning rate, without weight decay."""
    weight: dict[str, list[float]]
    """Of the matrix after the step."""


@dataclass(frozen=True)
class Fell:
    """A contestant whose loss, gradient or validation loss is no longer finite. It makes no further update."""

    entry: int
    step: int


Event = Lap | Measured | Spectra | Fell


def race(configs: Sequence[RunConfig], moments: Collection[int] = ()) -> Iterator[Event]:
    """Train one contestant for each configuration, an update of each in turn.

    Args:
        configs: they may differ in `OWN` only. Raises `ConfigError` for another difference.
        moments: the steps after which singular values are recorded.

    Yields a `Lap` for each update, `Measured` at step 0 and when `train` would evaluate, and `Spectra` at `moments`.
    """
    _check(configs)
    states: list[TrainState] = []
    randoms: list[Tensor] = []  # the state of PyTorch's generator, as each contestant left it
    for config in configs:
        states.append(new_state(config, make_data(config), torch.device("cpu")))
        randoms.append(torch.get_rng_state())
    flops = [_flops(state) for state in states]
    seconds = [0.0] * len(states)
    racing = list(range(len(states)))
    for entry in tuple(racing):
        yield (seen := _measured(entry, states[entry]))
        if isinstance(seen, Fell):
            racing.remove(entry)
    while racing and states[racing[0]].step < configs[0].train.total_steps:
        for entry in tuple(racing):
            state = states[entry]
            before = matrices(state) if state.step + 1 in moments else {}
            torch.set_rng_state(randoms[entry])
            began = process_time()
            event = update(state)
            seconds[entry] += process_time() - began
            randoms[entry] = torch.get_rng_state()
            if isinstance(event, Diverged):
                racing.remove(entry)
                yield Fell(entry, state.step)
            if not isinstance(event, Stepped):
                continue
            yield Lap(entry, state.step, event.loss, seconds[entry], flops[entry] * state.step)
            if before and _is_finite(state):
                yield spectra(entry, state, before)
            if evaluation_due(state):
                yield (seen := _measured(entry, state))
                if isinstance(seen, Fell):
                    racing.remove(entry)


def _measured(entry: int, state: TrainState) -> Measured | Fell:
    """The validation loss; `Fell` if it is not finite."""
    loss = evaluate(state).loss
    return Measured(entry, state.step, loss) if math.isfinite(loss) else Fell(entry, state.step)


def _is_finite(state: TrainState) -> bool:
    """Whether every matrix has singular values: with one number that is not finite it has none."""
    return all(bool(matrix.isfinite().all()) for matrix in matrices(state).values())


def _check(configs: Sequence[RunConfig]) -> None:
    for config in configs[1:]:
        for name in config.differences(configs[0]):
            if name not in OWN:
                first = configs[0].flat().get(name)
                allowed = (
                    f"must be {first}, as of the first: contestants share all but the optimizer"
                )
                raise ConfigError([Problem(name, config.flat().get(name), allowed)])


def _flops(state: TrainState) -> float:
    """FLOPs of one update."""
    vocabulary = state.data.tokenizer.vocab_size
    return flops_per_step(state.config, vocabulary) + optimizer_flops(state.config)


@torch.no_grad()
def matrices(state: TrainState) -> dict[str, Tensor]:
    """A copy of each matrix of the blocks, by "block.name": {"0.q": (C, C), ..., "1.down": (C, F)}."""
    found: dict[str, Tensor] = {}
    for name, parameter in state.model.named_parameters():
        words = name.split(".", 2)
        parts = PARTS.get(words[2], ()) if words[0] == "blocks" and len(words) == 3 else ()
        rows = rows_of(name, parameter) or (len(parameter),)
        for part, matrix in zip(parts, parameter.split(rows) if parts else (), strict=True):
            found[f"{words[1]}.{part}"] = matrix.clone()
    return found


@torch.no_grad()
def spectra(entry: int, state: TrainState, before: dict[str, Tensor]) -> Spectra:
    """The singular values of the matrices, and of how they moved since `before`, one update ago."""
    (group, *_) = [each for each in state.optimizer.param_groups if each["kind"] == "matrix"]
    lr, decay = group["lr"], group["weight_decay"]
    # SGD's weight decay is part of its gradient.
    kept = 1.0 if isinstance(state.optimizer, SGD) else 1 - lr * decay
    after = matrices(state)
    moves = {name: (kept * old - after[name]) / lr for name, old in before.items()}
    return Spectra(entry, state.step, _singular_values(moves), _singular_values(after))


def _singular_values(found: dict[str, Tensor]) -> dict[str, list[float]]:
    return {name: torch.linalg.svdvals(matrix).tolist() for name, matrix in found.items()}
