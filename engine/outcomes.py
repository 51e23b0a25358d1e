"""What came of a run, in a few numbers: for lists, comparisons and the tables of ablations.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from engine import snapshots
from engine.config import RunConfig
from engine.estimate import parameters
from engine.events import Evaluated, Message, Probed, Routed, Started, Stepped
from engine.runs import Run, State
from engine.validation import ConfigError


@dataclass(frozen=True)
class Outcome:
    """One run's result, as far as it has come; None where nothing is known yet."""

    state: State
    step: int
    final_loss: float | None = None
    """The newest held-out loss, in nats per token."""
    best_loss: float | None = None
    """The lowest held-out loss, in nats per token."""
    accuracy: float | None = None
    """The newest share of exact answers, 0 to 1, for a task that has them."""
    parameters: int | None = None
    tokens_per_second: float | None = None
    """Of training alone: tokens in a step over the seconds of the median step."""
    bits: float | None = None
    """The newest held-out loss of a text, in bits a character."""
    maxvio: float | None = None
    """With experts: the newest MaxVio, of the least balanced layer."""
    idle: int | None = None
    """With experts: how many are idle in the newest record, in the layer that has most of them."""
    sharpness: float | None = None
    """Of a translator that recorded its attention: the newest sharpness of its alignment, 0 to 1."""

    @classmethod
    def of(cls, run: Run) -> Outcome:
        """Read the whole log of a run."""
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
            parameters=started[-1] if started else count(run.config),
            tokens_per_second=speed,
            bits=measured[-1].bits if measured else None,
            maxvio=maxvio(history),
            idle=idle(history),
            sharpness=sharpness(run, history),
        )


def maxvio(history: Sequence[Message]) -> float | None:
    """The newest MaxVio of the least balanced layer; None without experts."""
    loads = [event.load for event in history if isinstance(event, Routed)]
    return max(map(max_violation, loads[-1])) if loads else None


def max_violation(load: Sequence[float]) -> float:
    """MaxVio of one layer's loads: max / mean - 1, 0 where all are even (Wang et al. 2024, eq. 4)."""
    total = sum(load)
    return max(load) * len(load) / total - 1 if total else 0.0


IDLE = 0.1
"""An expert is idle with at most this share of an even load."""


def idle(history: Sequence[Message]) -> int | None:
    """Idle experts of the newest record, in the layer that has most of them; None without experts."""
    loads = [event.load for event in history if isinstance(event, Routed)]
    return max(map(_idle, loads[-1])) if loads else None


def _idle(load: Sequence[float]) -> int:
    even = sum(load) / len(load)
    return sum(share <= IDLE * even for share in load)


def sharpness(run: Run, history: Sequence[Message]) -> float | None:
    """The newest sharpness of a translator's alignment, of all layers and heads together.

    None where no cross-attention was recorded, or what was cannot be read.
    """
    recorded = [event.name for event in history if isinstance(event, Probed)]
    if run.config.model.n_encoder_layer is None or not recorded:
        return None
    try:
        return float(snapshots.load(run.snapshot_path(recorded[-1])).sharpness()[-1, -1])
    except (OSError, ValueError):
        return None


def differing(configs: Mapping[str, RunConfig]) -> dict[str, dict[str, Any]]:
    """The fields in which these runs differ: {field: {run: value}}."""
    flat = {run: config.flat() for run, config in configs.items()}
    return {
        name: {run: values[name] for run, values in flat.items()}
        for name in RunConfig().flat()
        if len({repr(values[name]) for values in flat.values()}) > 1
    }


def count(config: RunConfig) -> int | None:
    """How many parameters its model has; None while the vocabulary is not known."""
    try:
        return parameters(config.model)["total"]
    except ConfigError:  # the vocabulary is not known before the run starts
        return None
