"""Shortcuts from the tokens to later layers. They cost lookups and sums, no matrix product.

token pairs         x_t = e[token_t] + p[token_(t-1), token_t]          a table p of pairs of tokens
value embeddings    v_t = W_v x_t + u[token_t]                          a table u in every self-attention
embedding skip      x = a x + b x_0                                     before every block; x_0 entered the first

Token pairs are the simplest case of Engram (Cheng et al. 2026, "Conditional Memory via Scalable Lookup: A New Axis of
Sparsity for Large Language Models", arXiv:2601.07372), which also has longer tuples, several hashes and a gate. The
records of modded-nanogpt (Jordan et al., https://github.com/KellerJordan/modded-nanogpt) have them as bigram hash
embeddings. Value embeddings come from there too (record of December 2024); the idea that a token's own values should
reach every block is that of Zhou et al. 2024, "Value Residual Learning For Alleviating Attention Concentration In
Transformers", arXiv:2410.17897, which adds the values of the first block. The embedding skip, with a scalar a and b for
each block, is in nanochat (Karpathy, https://github.com/karpathy/nanochat) as `resid_lambdas` and `x0_lambdas`,
"inspired by modded-nanogpt".

A new model computes what it would without them: tables are zero at first, a is 1 and b is 0. An encoder has all of
them too, with tables of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig

MULTIPLIERS = (2_654_435_761, 2_246_822_519)
"""Of the previous token and of the token in the hash: odd numbers whose bits seem random (the first is Knuth's)."""


class TokenPairs(nn.Module):
    """A vector for each token and the one before it. (B, T) token ids -> (B, T, C).

    The first token of a sequence has none before it, and gets zeros. A table that is too small for all V² pairs
    has `token_pairs` rows, which a hash distributes: several pairs may share one.
    """

    def __init__(self, config: ModelConfig, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary, self.rows = vocabulary, config.pair_rows(vocabulary)
        self.table = nn.Parameter(torch.zeros(self.rows, config.d_model))

    def forward(self, tokens: Tensor, before: Tensor | None = None) -> Tensor:
        """`before` is the token before each row, (B, 1), if the row continues a sequence."""
        text = tokens if before is None else torch.cat([before, tokens], dim=1)  # (B, T or T+1)
        vectors = F.embedding(self.row(text[:, :-1], text[:, 1:]), self.table)  # (B, T-1 or T, C)
        return F.pad(vectors, (0, 0, tokens.shape[1] - vectors.shape[1], 0))  # (B, T, C)

    def row(self, previous: Tensor, token: Tensor) -> Tensor:
        """The row of each pair: its number, or a hash of it if there are more pairs than rows."""
        if self.vocabulary**2 == self.rows:
            return previous * self.vocabulary + token
        mixed = previous * MULTIPLIERS[0] + token * MULTIPLIERS[1]
        return ((mixed ^ (mixed >> 15)) & 0x7FFFFFFF) % self.rows


class ValueEmbedding(nn.Module):
    """A value for each token of the vocabulary and each head. (B, T) token ids -> (B, T, Hkv, D)."""

    def __init__(self, config: ModelConfig, vocabulary: int) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.table = nn.Parameter(torch.zeros(vocabulary, config.kv_heads * config.head_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        return F.embedding(tokens, self.table).unflatten(-1, (-1, self.head_dim))


class EmbeddingSkip(nn.Module):
    """a x + b x_0, with the residual stream x before a block and x_0 before the first. -> (B, T, C)"""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(1))
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, first: Tensor) -> Tensor:
        return self.a * x + self.b * first
