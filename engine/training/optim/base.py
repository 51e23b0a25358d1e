"""The base class of the optimizers: averages of each parameter, and the loop over parameter groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

CACHED = 1 << 18
"""Weights updated together on a CPU: with their gradients and averages they fit into its cache.
At 10 million weights this halves the time of an update."""


class Optimizer(torch.optim.Optimizer, ABC):
    """The base class of the optimizers: averages of each parameter, and the loop over parameter groups.

    `state[parameter]` has "step", the number of updates, and each of `averages`, which start at zero.
    """

    averages: ClassVar[tuple[str, ...]]
    """Names of the tensors in `state`, each of its parameter's shape."""

    def averages_of(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The averages that parameters of this group have."""
        return self.averages

    def named_parameters(self) -> dict[str, Parameter]:
        """The parameters by the names that the groups were given with.

        A sharded model (fsdp) shows other, unsharded parameters between two passes; the optimizer's stay.
        """
        groups = self.param_groups
        return {
            name: parameter
            for group in groups
            for name, parameter in zip(group["param_names"], group["params"], strict=True)
        }

    def batch_limit(self, group: dict[str, Any]) -> float:
        """The number of weights of this group to update at once on a CPU."""
        return CACHED

    @abstractmethod
    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        """Update parameters of one group, in place; `step` counts from 1."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore
        """Update every parameter that has a gradient. Returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameters, step in self._batches(group["params"], self.batch_limit(group)):
                self.update(parameters, group, step)
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        self._start_averages()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._start_averages()

    def _start_averages(self) -> None:
        """Give every parameter without a state one of zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["step"] = int(state.get("step", 0))
                for name in self.averages_of(group):
                    if name not in state:
                        state[name] = torch.zeros_like(parameter)

    def _batches(
        self, parameters: Iterable[Tensor], limit: float
    ) -> Iterator[tuple[list[Tensor], int]]:
        """Parameters with gradients and equal step counts; on a CPU, at most `limit` weights at once."""
        batch: list[Tensor] = []
        numbers, step = 0, 0
        for parameter in parameters:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            state["step"] += 1
            full = parameter.is_cpu and numbers + parameter.numel() > limit
            if batch and (full or state["step"] != step):
                yield batch, step
                batch, numbers = [], 0
            batch.append(parameter)
            numbers, step = numbers + parameter.numel(), state["step"]
        if batch:
            yield batch, step

    def _averages(self, name: str, parameters: list[Tensor]) -> list[Tensor]:
        return [self.state[parameter][name] for parameter in parameters]


def gradients(parameters: list[Tensor]) -> list[Tensor]:
    """The gradients of those that have one."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]
