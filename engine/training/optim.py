"""Optimizers (AdamW, SGD, Lion, Muon), gradient clipping and learning-rate schedules.

Adam: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1. Decoupled weight
decay: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. Momentum:
Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", with the
learning rate outside of the average. Lion: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms",
arXiv:2302.06675. Muon: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks",
https://kellerjordan.github.io/posts/muon, with the scale of Liu et al. 2025, "Muon is Scalable for LLM Training",
arXiv:2502.16982. The optimizers are `torch.optim.Optimizer`s. AdamW, SGD,
clipping and schedules equal PyTorch's in value, and a `state_dict` of one optimizer can be loaded into the other;
Muon equals PyTorch's up to precision: ours orthogonalizes in fp32, PyTorch's in bfloat16.
"""

# PyTorch's operations on lists of tensors have names that begin with an underscore.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.optimizer import ParamsT

from engine.config import OptimizerName, TrainConfig

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

        A sharded model (fsdp) shows other, whole parameters between two passes; the optimizer's stay.
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
        w, g = parameters, _gradients(parameters)
        m = self._averages("exp_avg", w)
        if group["weight_decay"]:
            torch._foreach_mul_(w, 1 - lr * group["weight_decay"])
        c = torch._foreach_lerp(m, g, 1 - beta1)
        torch._foreach_add_(w, torch._foreach_sign(c), alpha=-lr)
        torch._foreach_lerp_(m, g, 1 - beta2)


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
        rows: tuple[int, ...] | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay,
            "orthogonal": True, "rows": rows,
        }  # fmt: skip
        Optimizer.__init__(self, params, defaults)

    def averages_of(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["orthogonal"] else AdamW.averages

    def batch_limit(self, group: dict[str, Any]) -> float:
        return (
            math.inf if group["orthogonal"] else super().batch_limit(group)
        )  # equal shapes together

    def update(self, parameters: list[Tensor], group: dict[str, Any], step: int) -> None:
        if not group["orthogonal"]:
            return super().update(parameters, group, step)
        momentum, lr = group["momentum"], group["lr"]
        w, g = parameters, _gradients(parameters)
        b = self._averages("momentum_buffer", w)
        torch._foreach_lerp_(b, g, 1 - momentum)
        n = torch._foreach_lerp(g, b, momentum)
        if group["weight_decay"]:
            torch._foreach_mul_(w, 1 - lr * group["weight_decay"])
        if group["rows"] is not None:
            w, n = ([part for x in each for part in x.split(group["rows"])] for each in (w, n))
        for matrix, o in zip(w, orthogonalized(n), strict=True):
            matrix.add_(o, alpha=-lr * 0.2 * math.sqrt(max(matrix.shape[-2:])))


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients (a, b, c) of the polynomial a s + b s^3 + c s^5, which takes singular values in (0, 1] to 0.7 .. 1.2 when
it is applied five times (Jordan et al. 2024)."""


def orthogonalized(matrices: Sequence[Tensor], steps: int = 5) -> list[Tensor]:
    """Each matrix U S V^T with its singular values S replaced by numbers of about one.

    Newton-Schulz iterations need matrix products only: with X = U S V^T, the polynomial
    a X + b (X X^T) X + c (X X^T)^2 X is U (a S + b S^3 + c S^5) V^T. Matrices of one shape, also those that
    have it when transposed, and the matrices of a stack (..., rows, columns) go through it together.
    """
    a, b, c = NEWTON_SCHULZ
    wide = [x.mT if x.shape[-2] > x.shape[-1] else x for x in matrices]  # the smaller X X^T
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, x in enumerate(wide):
        shapes.setdefault(tuple(x.shape[-2:]), []).append(number)
    found: list[Tensor] = list(matrices)
    for shape, numbers in shapes.items():
        stacks = [wide[number].reshape(-1, *shape) for number in numbers]
        x = torch.cat(stacks)  # (matrices, rows, columns)
        norm = x.square().sum((-2, -1), keepdim=True).sqrt()
        x = x / norm.clamp(min=1e-7)  # no singular value above 1
        for _ in range(steps):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        for number, o in zip(
            numbers, torch.split(x, [len(stack) for stack in stacks]), strict=True
        ):
            o = o.reshape(wide[number].shape)
            found[number] = o.mT if wide[number].shape != matrices[number].shape else o
    return found


Kind = Literal["embedding", "output", "matrix", "vector"]
"""The role of a parameter for an optimizer: see `kind_of`."""


def kind_of(name: str, parameter: Tensor) -> Kind:
    """Tables of tokens, token pairs and positions; the matrix that gives the logits; other matrices; norms and biases.

    The stacked biases of experts are vectors, although they have two dimensions.
    """
    if parameter.dim() < 2 or name.endswith(".bias"):
        return "vector"
    parts = name.split(".")
    if parts[-2:-1] == ["embedding"] or "table" in parts:
        return "embedding"
    return "output" if name == "output.weight" else "matrix"


def rows_of(name: str, parameter: Tensor) -> tuple[int, ...] | None:
    """The rows of each projection in a matrix that holds several: q, k and v, or k and v; else None."""
    rows, columns = parameter.shape[-2:] if parameter.dim() >= 2 else (0, 0)
    if name.endswith(".qkv.weight"):
        return (columns, (rows - columns) // 2, (rows - columns) // 2)
    return (rows // 2, rows // 2) if name.endswith(".kv.weight") else None


def parameter_groups(named_parameters: Iterable[tuple[str, Parameter]]) -> list[dict[str, Any]]:
    """One group for each kind of parameter that there is.

    Weight decay pulls matrices and embeddings towards zero and leaves vectors alone; "decays" says so.
    """
    groups: dict[Kind, dict[str, Any]] = {}
    for name, parameter in named_parameters:
        kind = kind_of(name, parameter)
        group = groups.setdefault(kind, {"params": [], "kind": kind, "decays": kind != "vector"})
        group["params"].append((name, parameter))
        if kind == "vector":
            group["weight_decay"] = 0.0
    return list(groups.values())


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
    return Muon(parts, config.max_lr, config.momentum, betas, weight_decay=config.weight_decay)


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
    """By which factor each kind of parameter learns faster than `max_lr` says."""
    return {
        "embedding": config.embedding_rate,
        "output": config.output_rate,
        "matrix": config.matrix_rate,
        "vector": config.vector_rate,
    }


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
