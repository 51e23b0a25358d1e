"""The optimizer of a model, as its configuration says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from engine.config import OptimizerName, TrainConfig
from engine.training.optim.adamw import AdamW
from engine.training.optim.base import Optimizer
from engine.training.optim.groups import parameter_groups, rows_of
from engine.training.optim.lion import Lion
from engine.training.optim.muon import Muon
from engine.training.optim.sgd import SGD


def _adamw(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    betas = (config.beta1, config.beta2)
    return AdamW(groups, lr=config.max_lr, betas=betas, weight_decay=config.weight_decay)


def _sgd(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    momentum, decay = config.beta1, config.weight_decay
    return SGD(groups, lr=config.max_lr, momentum=momentum, weight_decay=decay)


def _lion(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    betas = (config.beta1, config.beta2)
    return Lion(groups, lr=config.max_lr, betas=betas, weight_decay=config.weight_decay)


def _muon(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    parts = [part for group in groups for part in _by_rows(group)]
    betas = (config.beta1, config.beta2)
    return Muon(
        parts,
        lr=config.max_lr,
        momentum=config.momentum,
        betas=betas,
        weight_decay=config.weight_decay,
        steps=config.newton_schulz_steps,
    )


def _by_rows(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The group; of matrices, one for each division into `rows`."""
    if group["kind"] != "matrix":
        return [group | {"orthogonal": False}]
    parts: dict[tuple[int, ...] | None, dict[str, Any]] = {}
    for name, parameter in group["params"]:
        rows = rows_of(name, parameter)
        part = parts.setdefault(rows, group | {"orthogonal": True, "rows": rows, "params": []})
        part["params"].append((name, parameter))
    return list(parts.values())


OPTIMIZERS: dict[OptimizerName, Callable[[list[dict[str, Any]], TrainConfig], Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
    "lion": _lion,
    "muon": _muon,
}
"""Each builds an optimizer of `parameter_groups` as configured."""


def make_optimizer(model: torch.nn.Module, config: TrainConfig) -> Optimizer:
    """The optimizer of a model as configured; a tied matrix belongs to it once.

    Raises `AssertionError` unless its groups have every parameter exactly once.
    """
    optimizer = OPTIMIZERS[config.optimizer](parameter_groups(model.named_parameters()), config)
    grouped = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters())), (
        "a parameter is left out or repeated"
    )
    return optimizer
