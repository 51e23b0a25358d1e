"""Attention: each token gathers what it needs from the tokens it may see.

    Attention(Q, K, V) = softmax(Q Kᵀ / sqrt(D) + mask) V          Vaswani et al. 2017, eq. 1

in H heads side by side, each D = C / H wide. Queries may outnumber keys and values: H / Hkv query heads
then share one (MQA, Shazeer 2019; GQA, Ainslie et al. 2023).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.model.context import Context, Memory, View
from engine.model.positions import rotate


class Attention(nn.Module):
    """Self-attention: queries, keys and values all come from x. (B, T, C) -> (B, T, C)."""

    def __init__(self, config: ModelConfig, layer: int, place: str) -> None:
        super().__init__()
        self.layer, self.place = layer, place
        self.n_head, self.n_kv_head, self.head_dim = (
            config.n_head,
            config.kv_heads,
            config.head_dim,
        )
        self.dropout = config.dropout
        self.make_projections(config)
        self.output = nn.Linear(config.d_model, config.d_model, bias=config.bias)

    def make_projections(self, config: ModelConfig) -> None:
        rows = (config.n_head + 2 * config.kv_heads) * config.head_dim
        self.qkv = nn.Linear(config.d_model, rows, bias=config.bias)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        q, k, v, view = self.project(x, context)
        if context.trace is None:
            heads = self.fused(q, k, v, view)
        else:
            heads = self.visible(q, k, v, view, context)
        # (B, H, T, D) -> (B, T, H, D) -> (B, T, C)
        return context.see(f"{self.place}.output", self.output(heads.transpose(1, 2).flatten(2)))

    def project(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor, View]:
        """Queries (B, H, T, D), keys and values (B, Hkv, S, D), and who may look where."""
        # (B, T, (H + 2 Hkv) D) -> (B, T, H + 2 Hkv, D) -> three of (B, H or Hkv, T, D)
        packed = self.qkv(x).unflatten(-1, (-1, self.head_dim))
        qk, v = torch.split(packed, [self.n_head + self.n_kv_head, self.n_kv_head], dim=2)
        qk = rotate(qk, context.rotation)  # queries and keys are turned alike, so in one go
        q, k = torch.split(qk, [self.n_head, self.n_kv_head], dim=2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        if context.cache is not None:
            k, v = context.cache.extend(self.layer, k, v)  # (B, Hkv, S, D)
        return q, k, v, context.view

    def fused(self, q: Tensor, k: Tensor, v: Tensor, view: View) -> Tensor:
        """The equation in one call of the library, which never stores the weights. -> (B, H, T, D)"""
        return F.scaled_dot_product_attention(
            q,
            self.for_every_query_head(k),
            self.for_every_query_head(v),
            attn_mask=merge(view.bias, view.mask, q.dtype),
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=view.causal,
        )

    def visible(self, q: Tensor, k: Tensor, v: Tensor, view: View, context: Context) -> Tensor:
        """The same, step by step, showing each step to the trace. -> (B, H, T, D)"""

        def see(name: str, value: Tensor) -> Tensor:
            return context.see(f"{self.place}.{name}", value)

        q, k, v = see("q", q), see("k", k), see("v", v)
        k, v = self.for_every_query_head(k), self.for_every_query_head(v)
        products = see("products", q @ k.transpose(-2, -1))  # (B, H, T, S)
        scores = products / math.sqrt(self.head_dim)
        if view.bias is not None:
            scores = scores + view.bias
        scores = see("scores", scores)
        queries, keys = scores.shape[-2:]
        allowed = causal_mask(queries, keys, q.device) if view.causal else view.mask
        masked = scores if allowed is None else scores.masked_fill(~allowed, -math.inf)
        weights = see("weights", see("masked", masked).softmax(dim=-1))
        weights = F.dropout(weights, self.dropout, self.training)
        return see("heads", weights.to(v.dtype) @ v)

    def for_every_query_head(self, x: Tensor) -> Tensor:
        """Repeat (B, Hkv, S, D) so that each query head finds its own: (B, H, S, D)."""
        groups = self.n_head // self.n_kv_head
        return x if groups == 1 else x.repeat_interleave(groups, dim=1)


class CrossAttention(Attention):
    """Queries come from x, keys and values from what an encoder has read (Vaswani 2017, 3.2.3).

    The two texts have no common count of places, so no scheme of positions acts here.
    """

    def make_projections(self, config: ModelConfig) -> None:
        width = config.head_dim
        self.q = nn.Linear(config.d_model, config.n_head * width, bias=config.bias)
        self.kv = nn.Linear(config.d_model, 2 * config.kv_heads * width, bias=config.bias)

    def project(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor, View]:
        memory = context.memory
        assert memory is not None
        q = self.q(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, D)
        return q, *self.read(memory), View(mask=memory.mask)

    def read(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Keys and values of a memory, (B, Hkv, S, D) each, computed at the first look."""
        if self.layer not in memory.projected:
            packed = self.kv(memory.states).unflatten(-1, (-1, self.head_dim))  # (B, S, 2 Hkv, D)
            k, v = packed.transpose(1, 2).split(self.n_kv_head, dim=1)
            memory.projected[self.layer] = k, v
        return memory.projected[self.layer]


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """(T, S) true where a query may look; the last query is the last key."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def merge(bias: Tensor | None, mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """One mask for the fused call: the bias where a query may look, -inf where it may not."""
    if bias is None:
        return mask
    if mask is not None:
        bias = bias.masked_fill(~mask, -math.inf)
    return bias.to(dtype)
