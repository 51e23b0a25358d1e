"""The feed-forward: computed for each token by itself, after attention.

plain   y = W₂ f(W₁ x)                    f: ReLU (Vaswani et al. 2017, eq. 2), GELU, SiLU
gated   y = W₂ (f(W₁ x) ⊙ W₃ x)           f: SiLU is SwiGLU, GELU is GEGLU (Shazeer 2020, eq. 6)

A gate needs a third matrix, so gated feed-forwards are two thirds as wide by default.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import GATED, FeedForwardName, ModelConfig
from engine.model.context import Context


class FeedForward(nn.Module):
    """Two matrices with a non-linearity between them. (B, T, C) -> (B, T, C).

    `name` begins the names of its hook points.
    """

    def __init__(
        self, config: ModelConfig, name: str, activation: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.name = name
        self.activation = activation
        self.up = nn.Linear(config.d_model, config.ff_width, bias=config.bias)
        self.output = nn.Linear(config.ff_width, config.d_model, bias=config.bias)

    def hidden(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, F), the input of the output matrix."""
        return self.activation(self.up(x))

    def forward(self, x: Tensor, context: Context) -> Tensor:
        hidden = context.record(f"{self.name}.hidden", self.hidden(x))
        return context.record(f"{self.name}.output", self.output(hidden))


class GatedFeedForward(FeedForward):
    """With a gate: a third matrix whose activations multiply the hidden numbers."""

    def __init__(
        self, config: ModelConfig, name: str, activation: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__(config, name, activation)
        self.gate = nn.Linear(config.d_model, config.ff_width, bias=config.bias)

    def hidden(self, x: Tensor) -> Tensor:
        return self.activation(self.gate(x)) * self.up(x)


ACTIVATIONS: dict[FeedForwardName, Callable[[Tensor], Tensor]] = {
    "swiglu": F.silu,
    "geglu": F.gelu,
    "gelu": F.gelu,
    "relu": F.relu,
    "silu": F.silu,
}
"""f of each feed-forward."""


def feedforward(config: ModelConfig, layer: int, name: str) -> FeedForward:
    """The configured feed-forward of a dense block, the same in every `layer`."""
    kind = GatedFeedForward if config.feedforward in GATED else FeedForward
    return kind(config, name, ACTIVATIONS[config.feedforward])
