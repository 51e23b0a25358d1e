"""Muon: the averaged gradient of a matrix, orthogonalized.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
https://kellerjordan.github.io/posts/muon, with the scale of Liu et al. 2025, "Muon is Scalable for LLM Training",
arXiv:2502.16982.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from engine.training.optim.adamw import AdamW
from engine.training.optim.base import Optimizer, gradients


class Muon(AdamW):
    """Move each matrix along its averaged gradient with all singular values made about equal.

        b = momentum b + (1 - momentum) g
        n = momentum b + (1 - momentum) g        Nesterov: as the average will be after the next gradient
        o = U V^T, where n = U S V^T             by `orthogonalized`
        w = w - lr (0.2 sqrt(max(rows, columns)) o + weight_decay w)

    A gradient of a matrix is dominated by a few directions; with equal singular values, the weak ones learn as
    fast. The factor gives a step the root mean square of AdamW's (about 0.2), so one learning rate suits both.

    Groups that say `"orthogonal": False` are updated by AdamW: embeddings, whose rows are learned one by one, the
    output matrix and vectors.

    Args:
        params: matrices (or stacks of matrices), or groups of parameters.
        lr: the learning rate.
        momentum: in [0, 1).
        betas, eps: those of AdamW, for groups that are not orthogonal.
        weight_decay: how strongly weights are pulled towards zero, times `lr`.
        steps: Newton-Schulz iterations.
        rows: for matrices that are several, one above the other, such as q, k and v: the rows of each.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        steps: int = 5,
        rows: tuple[int, ...] | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "orthogonal": True, "steps": steps, "rows": rows,
        }  # fmt: skip
        Optimizer.__init__(self, params, defaults)

    def averages_of(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["orthogonal"] else AdamW.averages

    def batch_limit(self, group: dict[str, Any]) -> float:
        if group["orthogonal"]:
            return math.inf  # matrices of one shape are orthogonalized together
        return super().batch_limit(group)

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        if not group["orthogonal"]:
            return super().update(parameters, group, step)
        momentum, lr = group["momentum"], group["lr"]
        w, g = parameters, gradients(parameters)
        b = self._averages("momentum_buffer", w)
        torch._foreach_lerp_(b, g, 1 - momentum)
        n = torch._foreach_lerp(g, b, momentum)
        if group["weight_decay"]:
            torch._foreach_mul_(w, 1 - lr * group["weight_decay"])
        if group["rows"] is not None:
            w, n = ([part for x in each for part in x.split(group["rows"])] for each in (w, n))
        for matrix, o in zip(w, orthogonalized(n, group["steps"]), strict=True):
            matrix.add_(o, alpha=-lr * 0.2 * math.sqrt(max(matrix.shape[-2:])))


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients (a, b, c) of the polynomial a s + b s^3 + c s^5 (Jordan et al. 2024). Applied five times, it takes
singular values of 0.01 to 1 to 0.68 .. 1.13, and leaves much smaller ones below."""


def newton_schulz(x: Tensor, steps: int = 5) -> Tensor:
    """Matrices (N, rows, columns) U S V^T with their singular values S replaced by numbers of about one.

    With X = U S V^T, the polynomial a X + b (X X^T) X + c (X X^T)^2 X is U (a S + b S^3 + c S^5) V^T: it
    changes singular values by matrix products alone, and no decomposition is computed.
    """
    a, b, c = NEWTON_SCHULZ
    norm = x.square().sum((-2, -1), keepdim=True).sqrt()
    x = x / norm.clamp(min=1e-7)  # no singular value above 1
    for _ in range(steps):
        g = x @ x.mT  # (N, rows, rows): U S^2 U^T
        p = torch.baddbmm(g, g, g, beta=b, alpha=c)  # b G + c G G
        x = torch.baddbmm(x, p, x, beta=a)  # a X + P X
    return x


def orthogonalized(matrices: Sequence[Tensor], steps: int = 5) -> list[Tensor]:
    """Each matrix, or each of a stack (..., rows, columns), after `newton_schulz`.

    Those of one shape, also if they have it when transposed, go through it together: a product of many small
    matrices costs little more than one of them.
    """
    wide = [x.mT if x.shape[-2] > x.shape[-1] else x for x in matrices]  # the smaller X X^T
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, x in enumerate(wide):
        shapes.setdefault(tuple(x.shape[-2:]), []).append(number)
    found: list[Tensor] = list(matrices)
    for shape, numbers in shapes.items():
        stacks = [wide[number].reshape(-1, *shape) for number in numbers]
        together = newton_schulz(torch.cat(stacks), steps)
        for number, o in zip(
            numbers, together.split([len(stack) for stack in stacks]), strict=True
        ):
            o = o.reshape(wide[number].shape)
            found[number] = o.mT if wide[number].shape != matrices[number].shape else o
    return found
