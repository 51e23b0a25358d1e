"""SGD with momentum.

Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", with the
learning rate outside of the average.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from engine.training.optim.base import Optimizer, gradients


class SGD(Optimizer):
    """Move each weight against the sum of its gradients, in which older ones count less and less.

        g = g + weight_decay w
        b = momentum b + g
        w = w - lr b

    A constant gradient moves a weight by lr / (1 - momentum) times the gradient. Unlike AdamW's, a step is
    proportional to the gradient: the same learning rate is too small for one weight and too large for another.

    Args:
        params: parameters, or groups of them with settings of their own.
        lr: the learning rate.
        momentum: in [0, 1).
        weight_decay: times the weight, is added to its gradient.
    """

    averages = ("momentum_buffer",)

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        # PyTorch's SGD reads `dampening` from a state dict that it loads; ours has none.
        defaults = {"lr": lr, "momentum": momentum, "dampening": 0.0, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # of an older state dict
            group.setdefault("dampening", 0.0)

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        w, g = parameters, gradients(parameters)
        b = self._averages("momentum_buffer", w)
        torch._foreach_mul_(b, group["momentum"])
        torch._foreach_add_(b, g)
        if group["weight_decay"]:
            torch._foreach_add_(b, w, alpha=group["weight_decay"])
        torch._foreach_add_(w, b, alpha=-group["lr"])
