"""Optimizers (AdamW, SGD), gradient clipping and learning-rate schedules.

Adam: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1. Decoupled weight
decay: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. Momentum:
Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", with the
learning rate outside of the average. The optimizers are `torch.optim.Optimizer`s and, like clipping and
schedules, equal PyTorch's in value; a `state_dict` of one can be loaded into the other.
"""

# PyTorch's operations on lists of tensors have names that begin with an underscore.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.optimizer import ParamsT

from engine.config import OptimizerName, TrainConfig

CACHED = 1 << 18
"""Weights updated together on a CPU: with their gradients and averages they fit into its cache.
At 10 million weights this halves the time of an update."""


class Optimizer(torch.optim.Optimizer, ABC):
    """What AdamW and SGD share: averages of each parameter, and the loop over parameter groups.

    `state[parameter]` has "step", the number of updates, and each of `averages`, which start at zero.
    """

    averages: ClassVar[tuple[str, ...]]
    """Names of the tensors in `state`, each of its parameter's shape."""

    def named_parameters(self) -> dict[str, Parameter]:
        """The parameters by the names that the groups were given with.

        A sharded model (fsdp) shows other, whole parameters between two passes; the optimizer's stay.
        """
        groups = self.param_groups
        return {
            name: parameter
            for group in groups
            for name, parameter in zip(group["param_names"], group["params"], strict=True)
        }

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
            for parameters, step in self._batches(group["params"]):
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
                for name in self.averages:
                    if name not in state:
                        state[name] = torch.zeros_like(parameter)

    def _batches(self, parameters: Iterable[Tensor]) -> Iterator[tuple[list[Tensor], int]]:
        """Parameters with gradients and equal step counts; on a CPU, as many as its cache holds."""
        batch: list[Tensor] = []
        numbers, step = 0, 0
        for parameter in parameters:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            state["step"] += 1
            full = parameter.is_cpu and numbers + parameter.numel() > CACHED
            if batch and (full or state["step"] != step):
                yield batch, step
                batch, numbers = [], 0
            batch.append(parameter)
            numbers, step = numbers + parameter.numel(), state["step"]
        if batch:
            yield batch, step

    def _averages(self, name: str, parameters: list[Tensor]) -> list[Tensor]:
        return [self.state[parameter][name] for parameter in parameters]


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


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
        w, g = parameters, _gradients(parameters)
        m, v = self._averages("exp_avg", w), self._averages("exp_avg_sq", w)
        if decay:
            torch._foreach_mul_(w, 1 - lr * decay)
        torch._foreach_lerp_(m, g, 1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, g, g, 1 - beta2)
        root = torch._foreach_sqrt(v)
        torch._foreach_add_(root, eps)
        torch._foreach_addcdiv_(w, m, root, -size)


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
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        w, g = parameters, _gradients(parameters)
        b = self._averages("momentum_buffer", w)
        torch._foreach_mul_(b, group["momentum"])
        torch._foreach_add_(b, g)
        if group["weight_decay"]:
            torch._foreach_add_(b, w, alpha=group["weight_decay"])
        torch._foreach_add_(w, b, alpha=-group["lr"])


def parameter_groups(named_parameters: Iterable[tuple[str, Parameter]]) -> list[dict[str, Any]]:
    """Two groups: matrices, which weight decay pulls towards zero, and vectors, which it leaves alone.

    Vectors are the weights of norms and all biases; the stacked biases of experts are among them,
    although they have two dimensions. "decays" in a group tells them apart.
    """
    matrices: list[tuple[str, Parameter]] = []
    vectors: list[tuple[str, Parameter]] = []
    for name, parameter in named_parameters:
        matrix = parameter.dim() >= 2 and not name.endswith(".bias")
        (matrices if matrix else vectors).append((name, parameter))
    groups = [
        {"params": matrices, "decays": True},
        {"params": vectors, "decays": False, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _adamw(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    betas = (config.beta1, config.beta2)
    return AdamW(groups, lr=config.max_lr, betas=betas, weight_decay=config.weight_decay)


def _sgd(groups: list[dict[str, Any]], config: TrainConfig) -> Optimizer:
    momentum, decay = config.beta1, config.weight_decay
    return SGD(groups, lr=config.max_lr, momentum=momentum, weight_decay=decay)


OPTIMIZERS: dict[OptimizerName, Callable[[list[dict[str, Any]], TrainConfig], Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
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


def set_rates(optimizer: Optimizer, lr: float, weight_decay: float) -> None:
    """Set the learning rate of all groups, and the weight decay of those that have one."""
    for group in optimizer.param_groups:
        group["lr"] = lr
        if group.get("decays", True):
            group["weight_decay"] = weight_decay


@torch.no_grad()
def clip_grad_norm(parameters: Iterable[Parameter], max_norm: float) -> Tensor:
    """Scale the gradients down so that, taken as one vector, they are at most `max_norm` long.

    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".
    Returns the length before, a scalar on the gradients' device; it is not finite when any gradient
    is not. `max_norm` 0 only measures. Of gradients in parts (fsdp), the length is that of the whole.
    """
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm = torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt()
    if max_norm > 0:
        torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))
    return norm


def learning_rate(step: int, config: TrainConfig) -> float:
    """The learning rate of the update that follows `step` updates.

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
