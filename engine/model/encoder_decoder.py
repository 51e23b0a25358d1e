"""The encoder-decoder of "Attention Is All You Need" (Vaswani et al. 2017): it reads one text and writes another.

    sources -> embedding -> encoder block × N -> memory                       once, bidirectional
    tokens  -> embedding -> (attention, cross-attention to the memory, feed-forward) × N -> logits

The decoder is that of `decoder`, with blocks that also attend to the memory. B batch, S source tokens,
T target tokens, C d_model, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typing_extensions import Self

from engine.config import ModelConfig
from engine.model.block import Block, CrossBlock
from engine.model.context import Context, Memory, Output, Trace, View
from engine.model.decoder import Decoder, checked_length, embed, last_norm
from engine.model.positions import POSITIONS
from engine.model.shortcuts import TokenPairs
from engine.tokenizers.marked import PAD

PAPER: dict[str, Any] = {
    "norm": "layernorm",
    "placement": "post",
    "position": "sinusoidal",
    "feedforward": "relu",
    "bias": True,
    "scale_embeddings": True,
    "tie_embeddings": True,
}
"""The choices of the paper, by the fields of `ModelConfig` (sections 3.1 to 3.5)."""


class Encoder(nn.Module):
    """Blocks in which every token attends to every token. (B, S) token ids -> (B, S, C)."""

    def __init__(self, config: ModelConfig, embedding: nn.Embedding) -> None:
        super().__init__()
        assert config.n_encoder_layer is not None
        self.config = config
        self.embedding = embedding
        vocabulary = config.vocabulary("encoder")
        self.pairs = TokenPairs(config, vocabulary) if config.token_pairs else None
        self.positions = POSITIONS[config.position](config)
        self.blocks = nn.ModuleList(
            Block(config, layer, "encoder") for layer in range(config.n_encoder_layer)
        )
        self.norm = last_norm(config)

    def forward(self, sources: Tensor, trace: Trace | None = None) -> Memory:
        length = checked_length(sources, 0, self.config)
        present = sources != PAD
        padded = not bool(present.all())
        positions = torch.arange(length, device=sources.device)
        context = Context(
            view=View(
                mask=present[:, None, None] if padded else None,
                bias=self.positions.bias(positions, length),
            ),
            rotations=self.positions.rotations(positions),
            trace=trace,
            tokens=sources,
            present=present if padded else None,
        )
        x = embed(self.embedding, self.positions, sources, positions, self.config)
        if self.pairs is not None:
            x = x + context.record("encoder.pairs", self.pairs(sources))
        x = context.record("encoder.embedding", F.dropout(x, self.config.dropout, self.training))
        context.first = x
        for block in self.blocks:
            x = block(x, context)
        states = context.record("encoder.final", self.norm(x))
        return Memory(states, context.present, context.routing)


class Transformer(Decoder):
    """An encoder-decoder; the default is the base model of the paper, with post-norm and ReLU.

        model = Transformer(src_vocab_size=8000, tgt_vocab_size=8000, d_model=256)
        logits = model(sources, tokens)  # (B, S), (B, T) integers -> (B, T, V)

    Token 0 is padding (`tokenizers.marked.PAD`): no query attends to it in `sources`. In `tokens` it
    may only be at the end, where the causal mask hides it. No expert gets padding.

    Args:
        src_vocab_size: size of the source vocabulary.
        tgt_vocab_size: size of the target vocabulary. If both are equal, `share_embeddings` is true by
            default: both have one matrix, as in the paper.
        fields: the other fields of `ModelConfig`.

    Raises:
        ConfigError: naming the field, its value and what is allowed.
    """

    def __init__(
        self,
        src_vocab_size: int,
        tgt_vocab_size: int,
        d_model: int = 512,
        n_head: int = 8,
        n_encoder_layer: int = 6,
        n_decoder_layer: int = 6,
        d_ff: int | None = None,
        dropout: float = 0.1,
        max_seq_len: int = 512,
        **fields: Any,
    ) -> None:
        config = ModelConfig.parse(
            {"share_embeddings": src_vocab_size == tgt_vocab_size}
            | PAPER
            | fields
            | {
                "src_vocab_size": src_vocab_size,
                "vocab_size": tgt_vocab_size,
                "d_model": d_model,
                "n_head": n_head,
                "n_encoder_layer": n_encoder_layer,
                "n_layer": n_decoder_layer,
                "d_ff": d_ff,
                "dropout": dropout,
                "max_seq_len": max_seq_len,
            }
        )
        super().__init__(config)
        embedding = self.embedding
        if not config.share_embeddings:
            embedding = nn.Embedding(src_vocab_size, config.d_model)
        self.encoder = Encoder(config, embedding)
        self.initialise()

    @classmethod
    def from_config(cls, config: ModelConfig) -> Self:
        """Build the model of a configuration, without the defaults of the paper."""
        fields = config.model_dump()
        vocab_size, layers = fields.pop("vocab_size"), fields.pop("n_layer")
        sources = fields.pop("src_vocab_size") or vocab_size
        return cls(sources, vocab_size, n_decoder_layer=layers, **fields)

    def new_block(self, layer: int) -> Block:
        return CrossBlock(self.config, layer)

    def residual_writers(self, name: str) -> int:
        if name.startswith("encoder."):
            return 2 * (self.config.n_encoder_layer or 0)
        return 3 * self.config.n_layer

    def forward(self, sources: Tensor, tokens: Tensor) -> Tensor:
        """(B, S) and (B, T) token ids -> (B, T, V) logits; position t predicts token t + 1."""
        return self.predict(tokens, sources).logits

    def not_padding(self, tokens: Tensor) -> Tensor | None:
        return tokens != PAD

    def predict(
        self, tokens: Tensor, sources: Tensor | None = None, present: Tensor | None = None
    ) -> Output:
        if sources is None:
            raise ValueError("sources is None: an encoder-decoder needs a text to translate")
        return self.run(tokens, memory=self.encode(sources), present=present)

    def encode(self, sources: Tensor, trace: Trace | None = None) -> Memory:
        """Encode source tokens (B, S), padded at the end with token 0. Once per translation.

        Raises `ValueError` for another shape, or sources longer than `max_seq_len`.
        """
        return self.encoder(sources, trace)
