"""Normalisation: keep activations at a constant size.

RMSNorm   y = x / sqrt(mean(x²) + ε) · w                          Zhang & Sennrich 2019, eq. 4
LayerNorm y = (x - mean(x)) / sqrt(var(x) + ε) · w + b             Ba, Kiros & Hinton 2016, eq. 4

Statistics are over the last dimension: each token is normalised by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import NormName

EPSILON = 1e-5


class RMSNorm(nn.Module):
    """Scale each vector to a root mean square of one, then by a learned weight. (..., C) -> (..., C).

    Computed in fp32, also under mixed precision. It has no bias, whatever `bias` says.
    """

    def __init__(self, width: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPSILON)  # (..., 1)
        return (wide * scale * self.weight).type_as(x)


class LayerNorm(nn.Module):
    """Centre each vector and scale it to variance one, then scale and shift it by a learned
    weight and bias. (..., C) -> (..., C).

    The equation in one call of the library, in fp32 also under mixed precision. The bias exists only
    if `bias` is true.
    """

    def __init__(self, width: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight.float(), None if self.bias is None else self.bias.float()
        return F.layer_norm(x.float(), weight.shape, weight, bias, EPSILON).type_as(x)


class NoNorm(nn.Module):
    """The identity: shows by comparison what the other norms do."""

    def __init__(self, width: int, bias: bool = False) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


NORMS: dict[NormName, Callable[[int, bool], nn.Module]] = {
    "rmsnorm": RMSNorm,
    "layernorm": LayerNorm,
    "none": NoNorm,
}
