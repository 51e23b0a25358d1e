"""Lion: the sign of the averaged gradient.

Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", arXiv:2302.06675.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from engine.training.optim.base import Optimizer, gradients


class Lion(Optimizer):
    """Move every weight by the learning rate, against the sign of its averaged gradient.

        c = beta1 m + (1 - beta1) g
        w = w - lr (sign(c) + weight_decay w)
        m = beta2 m + (1 - beta2) g

    The sign makes each step as long as AdamW's longest, so the learning rate is 3 to 10 times smaller and the
    weight decay as many times larger than AdamW's. It stores one average instead of two.

    Args:
        params: parameters, or groups of them with settings of their own.
        lr: the learning rate.
        betas: beta1 weighs the average in the step, beta2 is its memory; each in [0, 1).
        weight_decay: how strongly weights are pulled towards zero, times `lr`.
    """

    averages = ("exp_avg",)

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        (beta1, beta2), lr = group["betas"], group["lr"]
        w, g = parameters, gradients(parameters)
        m = self._averages("exp_avg", w)
        if group["weight_decay"]:
            torch._foreach_mul_(w, 1 - lr * group["weight_decay"])
        c = torch._foreach_lerp(m, g, 1 - beta1)
        torch._foreach_add_(w, torch._foreach_sign(c), alpha=-lr)
        torch._foreach_lerp_(m, g, 1 - beta2)
