"""One block: attention, then a feed-forward or a mixture of experts, each added to the residual stream.

The decoder of an encoder-decoder has cross-attention between the two.

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
from engine.model.experts import MixtureOfExperts
from engine.model.feedforward import feedforward
from engine.model.norms import NORMS
from engine.model.shortcuts import EmbeddingSkip

Sublayer = Callable[[Tensor, Context], Tensor]


class Residual(nn.Module):
    """Pre-norm: normalise, apply the sub-layer, add its output to the residual stream.

    `name` is the sub-layer's; the hook point `<name>.residual` records the sum.
    """

    def __init__(self, config: ModelConfig, name: str) -> None:
        super().__init__()
        self.hook_point = f"{name}.residual"
        self.dropout = config.dropout
        self.norm = NORMS[config.norm](config.d_model, config.bias)

    def add(self, x: Tensor, change: Tensor, context: Context) -> Tensor:
        return x + (F.dropout(change, self.dropout) if self.training else change)

    def forward(self, x: Tensor, sublayer: Sublayer, context: Context) -> Tensor:
        x = self.add(x, sublayer(self.norm(x), context), context)
        return context.record(self.hook_point, x)


class PostNormResidual(Residual):
    """Post-norm, as in the paper of 2017: normalise the sum."""

    def forward(self, x: Tensor, sublayer: Sublayer, context: Context) -> Tensor:
        x = self.norm(self.add(x, sublayer(x, context), context))
        return context.record(self.hook_point, x)


PLACEMENTS: dict[PlacementName, Callable[[ModelConfig, str], Residual]] = {
    "pre": Residual,
    "post": PostNormResidual,
}


class Block(nn.Module):
    """(B, T, C) -> (B, T, C), in two residual lines.

    `layer` is its number in the stack named `stack` ("blocks" or "encoder").
    """

    def __init__(self, config: ModelConfig, layer: int, stack: str = "blocks") -> None:
        super().__init__()
        residual, name = PLACEMENTS[config.placement], f"{stack}.{layer}"
        # `moe_layers` numbers the blocks of the encoder first, then those of the decoder.
        number = layer + (config.n_encoder_layer or 0 if stack == "blocks" else 0)
        mixed = number in config.moe_layers
        self.attention = Attention(config, layer, f"{name}.attention")
        make = MixtureOfExperts if mixed else feedforward
        self.feedforward = make(config, number, f"{name}.feedforward")
        self.attention_residual = residual(config, self.attention.name)
        self.feedforward_residual = residual(config, self.feedforward.name)
        self.hook_point = f"{name}.input"
        self.skip = EmbeddingSkip() if config.embedding_skip else None

    def enter(self, x: Tensor, context: Context) -> Tensor:
        """The residual stream with which the block begins."""
        if self.skip is None:
            return x
        assert context.first is not None
        return context.record(self.hook_point, self.skip(x, context.first))

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = self.enter(x, context)
        x = self.attention_residual(x, self.attention, context)
        return self.feedforward_residual(x, self.feedforward, context)


class CrossBlock(Block):
    """A block that also attends to the encoder's output: three residual lines."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.cross = CrossAttention(config, layer, f"blocks.{layer}.cross")
        self.cross_residual = PLACEMENTS[config.placement](config, self.cross.name)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = self.enter(x, context)
        x = self.attention_residual(x, self.attention, context)
        x = self.cross_residual(x, self.cross, context)
        return self.feedforward_residual(x, self.feedforward, context)
