"""One block: attention, then a feed-forward or a mixture of them, each added to the residual stream.

Where a decoder translates, cross-attention comes between the two.

pre     x + f(norm(x))        the stream itself is never normalised          GPT-2; Xiong et al. 2020
post    norm(x + f(x))        the stream is normalised at every step         Vaswani et al. 2017
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig, PlacementName
from engine.model.attention import Attention, CrossAttention
from engine.model.context import Context
from engine.model.feedforward import feedforward
from engine.model.moe import MixtureOfExperts
from engine.model.norms import NORMS

Sublayer = Callable[[Tensor, Context], Tensor]


class Residual(nn.Module):
    """A sub-layer with its norm and its place beside the residual stream: pre-norm."""

    def __init__(self, config: ModelConfig, place: str) -> None:
        super().__init__()
        self.place = f"{place}.residual"
        self.dropout = config.dropout
        self.norm = NORMS[config.norm](config.d_model, config.bias)

    def add(self, x: Tensor, change: Tensor, context: Context) -> Tensor:
        return x + (F.dropout(change, self.dropout) if self.training else change)

    def forward(self, x: Tensor, sublayer: Sublayer, context: Context) -> Tensor:
        x = self.add(x, sublayer(self.norm(x), context), context)
        return context.see(self.place, x)


class PostNormResidual(Residual):
    """As in the paper of 2017: the norm comes after the sum."""

    def forward(self, x: Tensor, sublayer: Sublayer, context: Context) -> Tensor:
        x = self.norm(self.add(x, sublayer(x, context), context))
        return context.see(self.place, x)


PLACEMENTS: dict[PlacementName, Callable[[ModelConfig, str], Residual]] = {
    "pre": Residual,
    "post": PostNormResidual,
}


class Block(nn.Module):
    """(B, T, C) -> (B, T, C), in two residual lines.

    `stack` is the name of the blocks it belongs to, and `layer` its number among them.
    """

    def __init__(self, config: ModelConfig, layer: int, stack: str = "blocks") -> None:
        super().__init__()
        residual, place = PLACEMENTS[config.placement], f"{stack}.{layer}"
        # Experts are counted through the encoder, if there is one, and on.
        number = layer + (config.n_encoder_layer or 0 if stack == "blocks" else 0)
        mixed = number in config.moe_layers
        self.attention = Attention(config, layer, f"{place}.attention")
        make = MixtureOfExperts if mixed else feedforward
        self.feedforward = make(config, number, f"{place}.feedforward")
        self.attention_residual = residual(config, self.attention.place)
        self.feedforward_residual = residual(config, self.feedforward.place)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = self.attention_residual(x, self.attention, context)
        return self.feedforward_residual(x, self.feedforward, context)


class CrossBlock(Block):
    """A block that also looks at what an encoder has read: three residual lines."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.cross = CrossAttention(config, layer, f"blocks.{layer}.cross")
        self.cross_residual = PLACEMENTS[config.placement](config, self.cross.place)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = self.attention_residual(x, self.attention, context)
        x = self.cross_residual(x, self.cross, context)
        return self.feedforward_residual(x, self.feedforward, context)
