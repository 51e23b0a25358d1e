"""The decoder-only Transformer: from tokens to the logits of every next token.

tokens -> embedding -> block × L -> norm -> logits

A mixture of experts in some or all blocks is a matter of configuration.
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
from engine.model.balance import balance_loss
from engine.model.block import Block
from engine.model.context import Context, KVCache, Memory, Output, Trace, View
from engine.model.norms import NORMS
from engine.model.positions import EMBEDDING_STD, POSITIONS, Positions
from engine.model.shortcuts import TokenPairs
from engine.validation import ConfigError, Problem


class Decoder(nn.Module):
    """The base of every model here: an embedding, a stack of blocks, and an output matrix.

    `TransformerLM` is this alone; `encoder_decoder.Transformer` adds an encoder.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.vocab_size is None:
            raise ConfigError([Problem("vocab_size", None, "must be given to build a model")])
        self.config = config
        self.balance: dict[str, float] = {"switch": 0.01}
        """Weights of the balance losses (`balance.BALANCERS`); they may change at any time."""
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.pairs = TokenPairs(config, config.vocab_size) if config.token_pairs else None
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
        """Draw the initial weights; no other code does.

        Embeddings, and the output matrix even if it is not tied: normal, standard deviation 0.02, or 1 / sqrt(C)
        if embeddings are scaled by sqrt(C); added position vectors then 1. Matrices of the blocks: 1 / sqrt(inputs),
        which keeps the size of activations (LeCun et al. 1998, "Efficient BackProp", section 4.6). Residual
        writers, the matrices whose output is added to the residual stream, are divided by the square root of their
        number, 2 L, or 3 L with cross-attention (Radford et al. 2019, GPT-2, section 2.3). With `zero_output` they
        start at zero, and the stack as the identity (Zhang, Dauphin & Ma 2019, "Fixup Initialization"). Biases and
        the tables of `shortcuts` start at zero, weights of norms at one.
        """
        for name, weight in self.named_parameters():
            if name.endswith((".bias", ".table")):
                nn.init.zeros_(weight)
            elif weight.dim() >= 2:  # experts are stacked matrices
                nn.init.normal_(weight, std=self.initial_std(name, weight))

    def initial_std(self, name: str, weight: Tensor) -> float:
        """Standard deviation of an initial matrix."""
        if "blocks." in name:
            std = 1 / math.sqrt(weight.shape[-1])
            if not name.endswith("output.weight"):
                return std
            return 0.0 if self.config.zero_output else std / math.sqrt(self.residual_writers(name))
        if not self.config.scale_embeddings:
            return EMBEDDING_STD
        added = name.endswith("positions.table.weight")  # not scaled, so as large as scaled ones
        return 1.0 if added else 1 / math.sqrt(self.config.d_model)

    def residual_writers(self, name: str) -> int:
        """Number of matrices that write into the same residual stream as this parameter."""
        return 2 * self.config.n_layer

    def predict(
        self, tokens: Tensor, sources: Tensor | None = None, present: Tensor | None = None
    ) -> Output:
        """One pass over complete sequences, as in training: (B, T) tokens and (B, S) source tokens.

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
            cache: keys and values of earlier tokens; the new ones are appended.
            trace: records, and may edit, the tensors at hook points.
            memory: the encoder's output (`Transformer.encode`).
            present: (B, T) true for tokens, false for padding at the end of a row. No expert gets
                padding. None: the result of `not_padding`.

        Raises:
            ValueError: tokens are not (B, T), or exceed `max_seq_len` together with the cache, or an
                encoder-decoder gets no memory.
        """
        start = 0 if cache is None else cache.length
        length = checked_length(tokens, start, self.config)
        end = start + length
        positions = torch.arange(start, end, device=tokens.device)
        bias = self.positions.bias(positions, end)
        causal = start == 0 and bias is None
        mask = None if causal or length == 1 else causal_mask(length, end, tokens.device)
        if self.config.n_experts is not None:  # padding affects nothing else in a causal model
            present = self.not_padding(tokens) if present is None else present
            present = None if present is None or bool(present.all()) else present
        context = Context(
            view=View(causal, mask, bias),
            rotations=self.positions.rotations(positions),
            memory=memory,
            cache=cache,
            trace=trace,
            tokens=tokens,
            before=None if cache is None else cache.remember(tokens),
            present=present,
        )
        logits = self.compute(tokens, positions, context)
        if cache is not None:
            cache.advance(length)
        routing = context.routing if memory is None else [*memory.routing, *context.routing]
        balance = balance_loss(routing, self.balance).to(logits.device)
        return Output(logits=logits, balance_loss=balance, routing=routing)

    def not_padding(self, tokens: Tensor) -> Tensor | None:
        """(B, T) true for tokens, false for padding; None: these tokens have no padding."""
        return None

    def compute(self, tokens: Tensor, positions: Tensor, context: Context) -> Tensor:
        """The layers in order: (B, T) tokens at (T,) positions -> (B, T, V) logits."""
        x = embed(self.embedding, self.positions, tokens, positions, self.config)  # (B, T, C)
        if self.pairs is not None:
            x = x + context.record("pairs", self.pairs(tokens, context.before))
        x = context.record("embedding", F.dropout(x, self.config.dropout, self.training))
        context.first = x
        for block in self.blocks:
            x = block(x, context)
        x = context.record("final", self.norm(x))
        return context.record("logits", softcap(self.output(x), self.config.logit_softcap))

    def unembed(self, x: Tensor) -> Tensor:
        """(..., C) residual stream -> (..., V) logits, as if this were the last block (logit lens)."""
        return softcap(self.output(self.norm(x)), self.config.logit_softcap)

    def new_cache(self, batch_size: int = 1) -> KVCache:
        """An empty cache for this model, on its device."""
        weight = self.embedding.weight
        return KVCache(self.config, batch_size, weight.device, weight.dtype)


def embed(
    table: nn.Embedding,
    encoding: Positions,
    tokens: Tensor,
    positions: Tensor,
    config: ModelConfig,
) -> Tensor:
    """(B, T) token ids at (T,) positions -> (B, T, C)."""
    x = table(tokens)
    if config.scale_embeddings:
        x = x * math.sqrt(config.d_model)  # Vaswani et al. 2017, section 3.4
    return encoding.embed(x, positions)


def softcap(logits: Tensor, cap: float) -> Tensor:
    """Logits between -cap and cap: cap tanh(logits / cap), which leaves small ones as they are. 0: no cap.

    Gemma Team 2024, "Gemma 2: Improving Open Language Models at a Practical Size", section 2.
    """
    return cap * torch.tanh(logits / cap) if cap else logits


def last_norm(config: ModelConfig) -> nn.Module:
    """The norm after a stack of blocks; none after post-norm blocks, which already end in a norm."""
    name = config.norm if config.placement == "pre" else "none"
    return NORMS[name](config.d_model, config.bias)


def checked_length(tokens: Tensor, start: int, config: ModelConfig) -> int:
    """T of (B, T) tokens. Raises `ValueError` for another shape, or more tokens than the context."""
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
        """Build the model of a configuration."""
        return cls(**config.model_dump())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) token ids -> (B, T, V) logits; position t predicts token t + 1."""
        return self.run(tokens).logits


class MoETransformerLM(TransformerLM):
    """A `TransformerLM` with `n_experts` experts in every block, of which each token uses `top_k`.

    from engine.training.loss import cross_entropy  # takes (B, T, V), unlike PyTorch's
    model = MoETransformerLM(d_model=64, n_head=4, n_layer=2, vocab_size=96, n_experts=8, top_k=2)
    output = model.run(tokens)
    loss = cross_entropy(output.logits, targets) + output.balance_loss
    """

    def __init__(self, n_experts: int = 8, top_k: int = 2, **fields: Any) -> None:
        super().__init__(n_experts=n_experts, top_k=top_k, **fields)


class HybridMoETransformerLM(MoETransformerLM):
    """Experts only in the blocks of `moe_layer_indices`, counted from 0; the others are dense."""

    def __init__(self, moe_layer_indices: Sequence[int], **fields: Any) -> None:
        super().__init__(moe_layer_indices=moe_layer_indices, **fields)
