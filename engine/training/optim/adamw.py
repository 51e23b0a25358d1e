"""AdamW: the gradient's average, divided by the root of the average of its square.

Adam: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1. Decoupled weight
decay: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from engine.training.optim.base import Optimizer, gradients


class AdamW(Optimizer):
    """Move each weight against its averaged gradient, in steps of at most about the learning rate.

        m = beta1 m + (1 - beta1) g              average of the gradient
        v = beta2 v + (1 - beta2) g^2            average of its square
        m^ = m / (1 - beta1^t),  v^ = v / (1 - beta2^t)      correct for the start at zero
        w = w - lr (m^ / (sqrt(v^) + eps) + weight_decay w)

    Args:
        params: parameters, or groups of them with settings of their own (see `parameter_groups`).
        lr: the learning rate.
        betas: beta1 and beta2, each in [0, 1).
        eps: keeps the division finite.
        weight_decay: how strongly weights are pulled towards zero, times `lr`.
    """

    averages = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        # Both corrections as factors: lr m^ / (sqrt(v^) + eps) = size m / (sqrt(v) + eps').
        correction1, root_correction2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
        size, eps = lr * root_correction2 / correction1, group["eps"] * root_correction2

        # Each line applies one operation to all tensors of the list.
        w, g = parameters, gradients(parameters)
        m, v = self._averages("exp_avg", w), self._averages("exp_avg_sq", w)
        if decay:
            torch._foreach_mul_(w, 1 - lr * decay)
        torch._foreach_lerp_(m, g, 1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, g, g, 1 - beta2)
        root = torch._foreach_sqrt(v)
        torch._foreach_add_(root, eps)
        torch._foreach_addcdiv_(w, m, root, -size)
