"""Learning rates: their schedules, and setting them in an optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.config import TrainConfig
from engine.training.optim.base import Optimizer
from engine.training.optim.groups import Kind


def learning_rate(step: int, config: TrainConfig) -> float:
    """The learning rate of the update after `step` updates.

    1. Warm-up: up in a line, so that the update after `warmup_steps` is the first at `max_lr`.
    2. constant: stays there.
    3. cosine: half a cosine down to `min_lr` (Loshchilov & Hutter 2017, "SGDR").
    4. linear: a line down to `min_lr`.
    5. wsd: stays, then a line down over the last fifth (Hu et al. 2024, "MiniCPM").
    6. inverse_sqrt: with the inverse square root of the step, not below `min_lr` (Vaswani et al. 2017,
       eq. 3, whose peak is `max_lr` here).
    """
    high, low = config.max_lr, config.min_lr
    warm, total = config.warmup_steps, config.total_steps
    if step < warm:
        return high * (step + 1) / (warm + 1)
    start = max(warm, total - total // 5) if config.schedule == "wsd" else warm
    done = min(1.0, max(0, step - start) / max(1, total - start))  # share of the way down
    if config.schedule == "constant":
        return high
    if config.schedule == "inverse_sqrt":
        return max(low, high * math.sqrt((warm + 1) / (step + 1)))
    if config.schedule == "cosine":
        return low + (high - low) * (1 + math.cos(math.pi * done)) / 2
    return high + (low - high) * done


def set_rates(
    optimizer: Optimizer,
    lr: float,
    weight_decay: float,
    factors: Mapping[Kind, float] | None = None,
) -> None:
    """Set the learning rate of all groups, and the weight decay of those that have one.

    `factors` multiply the learning rate of groups of a kind (`rate_factors`).
    """
    for group in optimizer.param_groups:
        group["lr"] = lr * (factors or {}).get(group.get("kind", "matrix"), 1.0)
        if group.get("decays", True):
            group["weight_decay"] = weight_decay


def rate_factors(config: TrainConfig) -> dict[Kind, float]:
    """The factor on `max_lr` for each kind of parameter."""
    return {
        "embedding": config.embedding_rate,
        "output": config.output_rate,
        "matrix": config.matrix_rate,
        "vector": config.vector_rate,
    }
