"""The decoder-only Transformer: tokens in, the scores of every next token out.

tokens -> embedding -> block × L -> norm -> logits

With a mixture of experts in some blocks, or all, it is the same decoder, configured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import Self

from engine.config import ModelConfig
from engine.model.attention import causal_mask
from engine.model.block import Block
from engine.model.context import Context, KVCache, Memory, Output, Trace, View
from engine.model.norms import NORMS
from engine.model.positions import EMBEDDING_STD, POSITIONS, Positions
from engine.model.routing import balance_loss
from engine.validation import ConfigError, Problem


class Decoder(nn.Module):
    """What every model here has: an embedding, a stack of blocks, and an output of logits.

    `TransformerLM` is this alone; `encoder_decoder.Transformer` has an encoder before it.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.vocab_size is None:
            raise ConfigError([Problem("vocab_size", None, "must be given to build a model")])
        self.config = config
        self.balance: dict[str, float] = {"switch": 0.01}
        """Weights of the balance losses (`routing.BALANCERS`); any may change at any time."""
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.positions = POSITIONS[config.position](config)
        self.blocks = nn.ModuleList(self.new_block(layer) for layer in range(config.n_layer))
        self.norm = last_norm(config)
        self.output = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = self.embedding.weight

    def new_block(self, layer: int) -> Block:
        """Block number `layer` of the stack."""
        return Block(self.config, layer)

    def initialise(self) -> None:
        """The one place where weights get their first values.

        Embeddings: normal with deviation 0.02, or 1 / sqrt(C) where they are scaled by sqrt(C).
        Matrices: 1 / sqrt(inputs), so that numbers keep their size on the way through (LeCun et al.
        1998, "Efficient BackProp", section 4.6). Those that write into the residual stream are smaller
        by the square root of how many of them add up there, 2 L, or 3 L with cross-attention (Radford
        et al. 2019, GPT-2, section 2.3). Offsets start at zero, gains at one.
        """
        for name, weight in self.named_parameters():
            if name.endswith(".bias"):
                nn.init.zeros_(weight)
            elif weight.dim() >= 2:  # experts are matrices one upon the other
                nn.init.normal_(weight, std=self.first_deviation(name, weight))

    def first_deviation(self, name: str, weight: Tensor) -> float:
        """How widely a matrix is spread at first."""
        if "blocks." in name:
            std = 1 / math.sqrt(weight.shape[-1])
            return std / math.sqrt(self.writers(name)) if name.endswith("output.weight") else std
        if not self.config.scale_embeddings:
            return EMBEDDING_STD
        added = name.endswith("positions.table.weight")  # not scaled, so as large as what is
        return 1.0 if added else 1 / math.sqrt(self.config.d_model)

    def writers(self, name: str) -> int:
        """How many matrices write into the residual stream that this parameter writes into."""
        return 2 * self.config.n_layer

    def predict(
        self, tokens: Tensor, sources: Tensor | None = None, present: Tensor | None = None
    ) -> Output:
        """One pass over whole sequences, as in training: (B, T) tokens, and (B, S) texts to translate.

        `present` is that of `run`.
        """
        return self.run(tokens, present=present)

    def run(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        trace: Trace | None = None,
        memory: Memory | None = None,
        present: Tensor | None = None,
    ) -> Output:
        """One forward pass.

        Args:
            tokens: (B, T) token ids. With a cache, only those that are not in it yet.
            cache: keys and values of the tokens before; the new ones are added to it.
            trace: records, and may edit, what happens inside.
            memory: what an encoder has read (`Transformer.encode`).
            present: (B, T) true for tokens, false for padding at the end of a row. No expert gets
                padding. None: as `not_padding` says.

        Raises:
            ValueError: tokens are not (B, T), or there are more than `max_seq_len` with the cache.
        """
        start = 0 if cache is None else cache.length
        length = checked_length(tokens, start, self.config)
        end = start + length
        positions = torch.arange(start, end, device=tokens.device)
        bias = self.positions.bias(positions, end)
        causal = start == 0 and bias is None
        mask = None if causal or length == 1 else causal_mask(length, end, tokens.device)
        if self.config.n_experts is not None:  # padding changes nothing else in a causal model
            present = self.not_padding(tokens) if present is None else present
            present = None if present is None or bool(present.all()) else present
        context = Context(
            view=View(causal, mask, bias),
            rotation=self.positions.rotation(positions),
            memory=memory,
            cache=cache,
            trace=trace,
            tokens=tokens,
            present=present,
        )
        logits = self.compute(tokens, positions, context)
        if cache is not None:
            cache.advance(length)
        routing = context.routing if memory is None else [*memory.routing, *context.routing]
        with torch.autocast(logits.device.type, enabled=False):
            balance = balance_loss(routing, self.balance).to(logits.device)
        return Output(logits=logits, balance_loss=balance, routing=routing)

    def not_padding(self, tokens: Tensor) -> Tensor | None:
        """(B, T) true for tokens, false for padding; None: these tokens have no padding."""
        return None

    def compute(self, tokens: Tensor, positions: Tensor, context: Context) -> Tensor:
        """The pass itself: (B, T) tokens at (T,) positions -> (B, T, V) logits."""
        x = embed(self.embedding, self.positions, tokens, positions, self.config)  # (B, T, C)
        x = context.see("embedding", F.dropout(x, self.config.dropout, self.training))
        for block in self.blocks:
            x = block(x, context)
        return context.see("logits", self.output(context.see("final", self.norm(x))))

    def unembed(self, x: Tensor) -> Tensor:
        """(..., C) residual stream -> (..., V) logits, as if the model ended here (logit lens)."""
        return self.output(self.norm(x))

    def new_cache(self, batch_size: int = 1) -> KVCache:
        """An empty cache that fits this model, where the model is."""
        weight = self.embedding.weight
        return KVCache(self.config, batch_size, weight.device, weight.dtype)


def embed(
    table: nn.Embedding,
    scheme: Positions,
    tokens: Tensor,
    positions: Tensor,
    config: ModelConfig,
) -> Tensor:
    """(B, T) token ids at (T,) positions -> (B, T, C)."""
    x = table(tokens)
    if config.scale_embeddings:
        x = x * math.sqrt(config.d_model)  # Vaswani et al. 2017, section 3.4
    return scheme.embed(x, positions)


def last_norm(config: ModelConfig) -> nn.Module:
    """The norm after a stack. Post-norm blocks end in one already; a second would follow it."""
    name = config.norm if config.placement == "pre" else "none"
    return NORMS[name](config.d_model, config.bias)


def checked_length(tokens: Tensor, start: int, config: ModelConfig) -> int:
    """T of (B, T) tokens. Raises `ValueError` where they are not that, or more than fit."""
    if tokens.dim() != 2 or tokens.shape[1] == 0:
        raise ValueError(f"tokens has shape {tuple(tokens.shape)}: must be (B, T) with T >= 1")
    end = start + tokens.shape[1]
    if end > config.max_seq_len:
        raise ValueError(f"{end} tokens: the model sees at most max_seq_len = {config.max_seq_len}")
    return tokens.shape[1]


class TransformerLM(Decoder):
    """A GPT-style language model.

        model = TransformerLM(d_model=64, n_head=4, n_layer=2, vocab_size=96, max_seq_len=128)
        logits = model(tokens)  # (B, T) integers -> (B, T, V)

    Args:
        fields: the fields of `ModelConfig`; `vocab_size` must be among them.

    Raises:
        ConfigError: naming the field, its value and what is allowed.
    """

    def __init__(self, **fields: Any) -> None:
        config = ModelConfig.parse(fields)
        if config.n_encoder_layer is not None:
            allowed = "must be empty in a language model; Transformer has an encoder"
            raise ConfigError([Problem("n_encoder_layer", config.n_encoder_layer, allowed)])
        super().__init__(config)
        self.initialise()

    @classmethod
    def from_config(cls, config: ModelConfig) -> Self:
        """The model that a configuration describes."""
        return cls(**config.model_dump())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) token ids -> (B, T, V) logits; position t predicts token t + 1."""
        return self.run(tokens).logits


class MoETransformerLM(TransformerLM):
    """A `TransformerLM` with `n_experts` experts in every block, of which `top_k` work on a token.

    model = MoETransformerLM(d_model=64, n_head=4, n_layer=2, vocab_size=96, n_experts=8, top_k=2)
    output = model.run(tokens)
    loss = cross_entropy(output.logits, targets) + output.balance_loss
    """

    def __init__(self, n_experts: int = 8, top_k: int = 2, **fields: Any) -> None:
        super().__init__(n_experts=n_experts, top_k=top_k, **fields)


class HybridMoETransformerLM(MoETransformerLM):
    """Experts in the blocks of `moe_layer_indices` alone, counted from 0; the others are dense."""

    def __init__(self, moe_layer_indices: Sequence[int], **fields: Any) -> None:
        super().__init__(moe_layer_indices=moe_layer_indices, **fields)
