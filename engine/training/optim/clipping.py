"""Clip gradients by their norm."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter


@torch.no_grad()
def clip_grad_norm(parameters: Iterable[Parameter], max_norm: float) -> Tensor:
    """Scale the gradients down so that, taken as one vector, they are at most `max_norm` long.

    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".
    Returns the length before, a scalar on the gradients' device; it is not finite when any gradient
    is not. `max_norm` 0 only measures. The length of sharded gradients (fsdp) is that of the unsharded ones.
    """
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm = torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt()
    if max_norm > 0:
        torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))
    return norm
