"""A run's result as a few numbers, for lists, comparisons and ablation tables.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine.config import RunConfig
from engine.estimate import parameters
from engine.runs import snapshots
from engine.runs.events import Evaluated, Message, Probed, Routed, Started, Stepped
from engine.runs.store import Run, State
from engine.validation import ConfigError

Curve = tuple[tuple[float, float], ...]
"""A loss in nats per token over processor seconds: (seconds, loss), in order."""


@dataclass(frozen=True)
class Outcome:
    """One run's result so far. A value is None until it is known."""

    state: State
    step: int
    final_loss: float | None = None
    """The latest validation loss, in nats per token."""
    best_loss: float | None = None
    """The lowest validation loss, in nats per token."""
    accuracy: float | None = None
    """The latest share of exact answers, 0 to 1, for a task that has them."""
    parameters: int | None = None
    tokens_per_second: float | None = None
    """Training throughput: tokens per step over the seconds of the median step."""
    bits: float | None = None
    """The latest validation loss of a text, in bits per character."""
    maxvio: float | None = None
    """With experts: the latest MaxVio of the least balanced layer."""
    idle: int | None = None
    """With experts: idle experts in the latest `Routed`, in the layer that has the most of them."""
    sharpness: float | None = None
    """For an encoder-decoder with recorded attention: the latest alignment sharpness, 0 to 1."""
    curve: Curve = ()
    """Validation loss over processor seconds; empty if the run did not record them."""

    @classmethod
    def of(cls, run: Run) -> Outcome:
        """Summarise a run from its complete log."""
        history, status = run.history(), run.status()
        measured = [event for event in history if isinstance(event, Evaluated)]
        steps = [event for event in history if isinstance(event, Stepped)]
        started = [event.parameters for event in history if isinstance(event, Started)]
        speed = None
        if steps and (seconds := median(step.seconds for step in steps)) > 0:
            speed = steps[-1].tokens / steps[-1].step / seconds
        return cls(
            state=status.state,
            step=status.step,
            final_loss=measured[-1].loss if measured else None,
            best_loss=min((event.loss for event in measured), default=None),
            accuracy=measured[-1].accuracy if measured else None,
            parameters=started[-1] if started else count_parameters(run.config),
            tokens_per_second=speed,
            bits=measured[-1].bits if measured else None,
            maxvio=maxvio(history),
            idle=idle(history),
            sharpness=sharpness(run, history),
            curve=curve(measured),
        )


def curve(measured: Sequence[Evaluated]) -> Curve:
    """Validation loss over the processor seconds of the updates; empty if an evaluation lacks them."""
    points: list[tuple[float, float]] = []
    seconds, step = 0.0, 0
    for event in measured:
        if event.step > step:
            if event.processor_seconds is None:
                return ()
            seconds += (event.step - step) * event.processor_seconds
            step = event.step
        points.append((seconds, event.loss))
    return tuple(points) if step else ()


def maxvio(history: Sequence[Message]) -> float | None:
    """The latest MaxVio of the least balanced layer; None without experts."""
    loads = [event.load for event in history if isinstance(event, Routed)]
    return max(map(max_violation, loads[-1])) if loads else None


def max_violation(load: Sequence[float]) -> float:
    """MaxVio of one layer's loads: max / mean - 1; 0 if all loads are equal (Wang et al. 2024, eq. 4)."""
    total = sum(load)
    return max(load) * len(load) / total - 1 if total else 0.0


IDLE = 0.1
"""An expert is idle if its load is at most this share of the mean load."""


def idle(history: Sequence[Message]) -> int | None:
    """Idle experts in the latest `Routed`, in the layer with the most of them; None without experts."""
    loads = [event.load for event in history if isinstance(event, Routed)]
    return max(map(_idle, loads[-1])) if loads else None


def _idle(load: Sequence[float]) -> int:
    even = sum(load) / len(load)
    return sum(share <= IDLE * even for share in load)


def sharpness(run: Run, history: Sequence[Message]) -> float | None:
    """The latest alignment sharpness, over all layers and heads (see `Snapshot.sharpness`).

    None if no cross-attention was recorded, or if the snapshot cannot be read.
    """
    recorded = [event.name for event in history if isinstance(event, Probed)]
    if run.config.model.n_encoder_layer is None or not recorded:
        return None
    try:
        return float(snapshots.load(run.snapshot_path(recorded[-1])).sharpness()[-1, -1])
    except (OSError, ValueError):
        return None


def differing_fields(configs: Mapping[str, RunConfig]) -> dict[str, dict[str, Any]]:
    """Fields whose values differ between runs: {field: {run: value}}."""
    flat = {run: config.flat() for run, config in configs.items()}
    return {
        name: {run: values[name] for run, values in flat.items()}
        for name in RunConfig().flat()
        if len({repr(values[name]) for values in flat.values()}) > 1
    }


def count_parameters(config: RunConfig) -> int | None:
    """The model's number of parameters; None while the vocabulary size is unknown (before the run starts)."""
    try:
        return parameters(config.model)["total"]
    except ConfigError:
        return None
