"""How weights are updated: AdamW or SGD, clipping of the gradient, and the learning rate's schedule.

Adam: Kingma & Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1. Decoupled weight
decay: Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. Momentum:
Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", with the
learning rate outside of the average. Equal to `torch.optim.AdamW` and `SGD`, `clip_grad_norm_` and
the schedulers of `torch.optim` in value.
"""

# PyTorch's operations on lists of tensors have names that begin with an underscore.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import Parameter

from engine.config import OptimizerName, TrainConfig

CACHED = 1 << 18
"""Weights updated together on a CPU: with their gradients and averages they fit into its cache.
At 10 million weights this halves the time of an update."""


class Optimizer(ABC):
    """What all optimizers have: parameters by name, and what is remembered of each.

    Matrices are decayed; vectors (norms and biases) are not.

    Args:
        named_parameters: `model.named_parameters()`; a tied matrix comes once.
        lr: the learning rate, set anew before each update.
        weight_decay: how strongly matrices are pulled towards zero.
    """

    def __init__(
        self, named_parameters: Iterable[tuple[str, Parameter]], lr: float, weight_decay: float
    ) -> None:
        self.parameters = dict(named_parameters)
        self.lr = lr
        self.weight_decay = weight_decay
        self.steps = 0
        """t, the updates made so far."""
        self.memory: dict[str, dict[str, Tensor]] = {}
        """Every average, by its own name and then by the parameter's."""

    def remember(self, kind: str) -> dict[str, Tensor]:
        """An average of every parameter that begins at zero and is stored with the others."""
        self.memory[kind] = {name: torch.zeros_like(w) for name, w in self.parameters.items()}
        return self.memory[kind]

    @abstractmethod
    def step(self) -> None:
        """Make one update of every parameter that has a gradient."""

    def decays(self, name: str) -> bool:
        """Is this a matrix? The offsets of experts are not: they are vectors, one upon the other."""
        return self.parameters[name].dim() >= 2 and not name.endswith(".bias")

    def groups(self) -> Iterator[list[str]]:
        """Parameters with gradients, by name. On a CPU, so many at a time as a cache can hold."""
        group: list[str] = []
        numbers = 0
        for name, weight in self.parameters.items():
            if weight.grad is None:
                continue
            if group and weight.is_cpu and numbers + weight.numel() > CACHED:
                yield group
                group, numbers = [], 0
            group.append(name)
            numbers += weight.numel()
        if group:
            yield group

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.parameters.values():
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """The averages as `mean.<name>` and so on; `steps` and the settings are apart."""
        return {
            f"{kind}.{name}": average
            for kind, averages in self.memory.items()
            for name, average in averages.items()
        }

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], steps: int) -> None:
        """Take over stored averages. Raises `ValueError` unless every name and shape fits."""
        mine = self.state()
        if state.keys() != mine.keys():
            odd = sorted(state.keys() ^ mine.keys())
            raise ValueError(f"not the state of this optimizer: {', '.join(odd[:4])}")
        for name, tensor in mine.items():
            if state[name].shape != tensor.shape:
                raise ValueError(f"{name} has shape {tuple(state[name].shape)}")
            tensor.copy_(state[name])
        self.steps = steps


class AdamW(Optimizer):
    """Each weight moves against its averaged gradient, in steps of at most about the learning rate.

        m = beta1 m + (1 - beta1) g              average of the gradient
        v = beta2 v + (1 - beta2) g^2            average of its square
        m^ = m / (1 - beta1^t),  v^ = v / (1 - beta2^t)      both began at zero: make up for it
        w = w - lr (m^ / (sqrt(v^) + eps) + weight_decay w)

    Args: those of `Optimizer`, and `betas` and `eps` as above.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(named_parameters, lr, weight_decay)
        self.betas = betas
        self.eps = eps
        self.mean = self.remember("mean")
        """m, by the parameter's name."""
        self.square = self.remember("square")
        """v, by the parameter's name."""

    @torch.no_grad()
    def step(self) -> None:
        self.steps += 1
        beta1, beta2 = self.betas
        # With both corrections as factors: lr m^ / (sqrt(v^) + eps) = size m / (sqrt(v) + eps').
        correction1, root_correction2 = 1 - beta1**self.steps, math.sqrt(1 - beta2**self.steps)
        size, eps = self.lr * root_correction2 / correction1, self.eps * root_correction2

        for names in self.groups():  # each line does one operation to all tensors of a group
            w: list[Tensor] = [self.parameters[name] for name in names]
            g = [weight.grad for weight in w if weight.grad is not None]
            m, v = [self.mean[name] for name in names], [self.square[name] for name in names]
            matrices: list[Tensor] = [self.parameters[n] for n in names if self.decays(n)]
            if matrices and self.weight_decay:
                torch._foreach_mul_(matrices, 1 - self.lr * self.weight_decay)
            torch._foreach_lerp_(m, g, 1 - beta1)
            torch._foreach_mul_(v, beta2)
            torch._foreach_addcmul_(v, g, g, 1 - beta2)
            root = torch._foreach_sqrt(v)
            torch._foreach_add_(root, eps)
            torch._foreach_addcdiv_(w, m, root, -size)


class SGD(Optimizer):
    """Each weight moves against the sum of its gradients, of which older ones count less and less.

        g = g + weight_decay w
        b = momentum b + g
        w = w - lr b

    A constant gradient moves a weight by lr / (1 - momentum) times it. Unlike AdamW's, a step is in
    proportion to the gradient: the same learning rate is too small for one weight and too large for another.
    """

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Parameter]],
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(named_parameters, lr, weight_decay)
        self.momentum = momentum
        self.velocity = self.remember("velocity")
        """b, by the parameter's name."""

    @torch.no_grad()
    def step(self) -> None:
        self.steps += 1
        for names in self.groups():
            w: list[Tensor] = [self.parameters[name] for name in names]
            g = [weight.grad for weight in w if weight.grad is not None]
            b = [self.velocity[name] for name in names]
            torch._foreach_mul_(b, self.momentum)
            torch._foreach_add_(b, g)
            decayed = [name for name in names if self.decays(name)]
            if decayed and self.weight_decay:
                matrices: list[Tensor] = [self.parameters[name] for name in decayed]
                velocities = [self.velocity[name] for name in decayed]
                torch._foreach_add_(velocities, matrices, alpha=self.weight_decay)
            torch._foreach_add_(w, b, alpha=-self.lr)


def _adamw(named_parameters: Iterable[tuple[str, Parameter]], config: TrainConfig) -> Optimizer:
    return AdamW(named_parameters, betas=(config.beta1, config.beta2))


def _sgd(named_parameters: Iterable[tuple[str, Parameter]], config: TrainConfig) -> Optimizer:
    return SGD(named_parameters, momentum=config.beta1)


OPTIMIZERS: dict[
    OptimizerName, Callable[[Iterable[tuple[str, Parameter]], TrainConfig], Optimizer]
] = {"adamw": _adamw, "sgd": _sgd}
"""Each makes an optimizer as configured. Learning rate and decay are set before each update."""


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
