"""Attention: each token gathers information from the tokens that it may attend to.

    Attention(Q, K, V) = softmax(Q Kᵀ / sqrt(D) + mask) V          Vaswani et al. 2017, eq. 1

in H parallel heads, each D = C / H wide. There may be fewer key and value heads, Hkv: H / Hkv query heads
then share one (MQA, Shazeer 2019; GQA, Ainslie et al. 2023).

With `qk_norm`, Q and K are normalised first, each head by itself: RMSNorm(q), RMSNorm(k). Their products are
then at most D max|w_q| max|w_k|, however large the projections grow. Henry et al. 2020, "Query-Key
Normalization for Transformers"; Dehghani et al. 2023, "Scaling Vision Transformers to 22 Billion Parameters",
section 2; in the form of Qwen3: RMSNorm of each head, and still 1 / sqrt(D). (OLMo 2 normalises all heads as one.)
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.model.context import Context, Memory, View
from engine.model.norms import RMSNorm
from engine.model.positions import rotate
from engine.model.shortcuts import ValueEmbedding


class Attention(nn.Module):
    """Self-attention: queries, keys and values all come from x. (B, T, C) -> (B, T, C).

    `name` begins the names of its hook points.
    """

    def __init__(self, config: ModelConfig, layer: int, name: str) -> None:
        super().__init__()
        self.layer, self.name = layer, name
        self.n_head, self.n_kv_head, self.head_dim = (
            config.n_head,
            config.kv_heads,
            config.head_dim,
        )
        self.dropout = config.dropout
        self.make_projections(config)
        self.output = nn.Linear(config.d_model, config.d_model, bias=config.bias)
        # One weight of D numbers for all heads; `project` applies them, in every kind of attention.
        self.q_norm = RMSNorm(self.head_dim) if config.qk_norm else None
        self.k_norm = RMSNorm(self.head_dim) if config.qk_norm else None

    def make_projections(self, config: ModelConfig) -> None:
        rows = (config.n_head + 2 * config.kv_heads) * config.head_dim
        self.qkv = nn.Linear(config.d_model, rows, bias=config.bias)
        vocabulary = config.vocabulary(self.name.split(".")[0])
        self.value = ValueEmbedding(config, vocabulary) if config.value_embeddings else None

    def forward(self, x: Tensor, context: Context) -> Tensor:
        q, k, v, view = self.project(x, context)
        if context.trace is None:
            heads = self.fused(q, k, v, view)
        else:
            heads = self.visible(q, k, v, view, context)
        # (B, H, T, D) -> (B, T, H, D) -> (B, T, C)
        return context.record(f"{self.name}.output", self.output(heads.transpose(1, 2).flatten(2)))

    def project(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor, View]:
        """Queries (B, H, T, D), keys and values (B, Hkv, S, D), and which keys a query may attend to."""
        # (B, T, (H + 2 Hkv) D) -> (B, T, H + 2 Hkv, D) -> three of (B, H or Hkv, T, D)
        packed = self.qkv(x).unflatten(-1, (-1, self.head_dim))
        qk, v = packed.split_with_sizes([self.n_head + self.n_kv_head, self.n_kv_head], dim=2)
        if self.value is not None:
            assert context.tokens is not None
            added = self.value(context.tokens)  # (B, T, Hkv, D)
            v = v + context.record(f"{self.name}.value_embedding", added).to(v.dtype)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = qk.split_with_sizes([self.n_head, self.n_kv_head], dim=2)
            qk = torch.cat([self.q_norm(q), self.k_norm(k)], dim=2)
        qk = rotate(qk, context.rotations)  # queries and keys in one product
        q, k = qk.split_with_sizes([self.n_head, self.n_kv_head], dim=2)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        if context.cache is not None:
            k, v = context.cache.extend(self.layer, k, v)  # (B, Hkv, S, D)
        return q, k, v, context.view

    def fused(self, q: Tensor, k: Tensor, v: Tensor, view: View) -> Tensor:
        """The equation in one call of the library, which does not store the weights. -> (B, H, T, D)"""
        return F.scaled_dot_product_attention(
            q,
            self.for_every_query_head(k),
            self.for_every_query_head(v),
            attn_mask=merge(view.bias, view.mask, q.dtype),
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=view.causal,
        )

    def visible(self, q: Tensor, k: Tensor, v: Tensor, view: View, context: Context) -> Tensor:
        """The equation step by step; the trace records each step. -> (B, H, T, D)"""

        def record(name: str, value: Tensor) -> Tensor:
            return context.record(f"{self.name}.{name}", value)

        q, k, v = record("q", q), record("k", k), record("v", v)
        k, v = self.for_every_query_head(k), self.for_every_query_head(v)
        products = record("products", q @ k.transpose(-2, -1))  # (B, H, T, S)
        scores = products / math.sqrt(self.head_dim)
        if view.bias is not None:
            scores = scores + view.bias
        scores = record("scores", scores)
        queries, keys = scores.shape[-2:]
        allowed = causal_mask(queries, keys, q.device) if view.causal else view.mask
        masked = scores if allowed is None else scores.masked_fill(~allowed, -math.inf)
        weights = record("weights", record("masked", masked).softmax(dim=-1))
        weights = F.dropout(weights, self.dropout, self.training)
        return record("heads", weights.to(v.dtype) @ v)

    def for_every_query_head(self, x: Tensor) -> Tensor:
        """Repeat (B, Hkv, S, D) once for each query head of its group: (B, H, S, D)."""
        groups = self.n_head // self.n_kv_head
        return x if groups == 1 else x.repeat_interleave(groups, dim=1)


class CrossAttention(Attention):
    """Queries come from x, keys and values from the encoder's output (Vaswani 2017, 3.2.3).

    Positions of the two texts are not comparable, so no position encoding acts here.
    """

    def make_projections(self, config: ModelConfig) -> None:
        width = config.head_dim
        self.q = nn.Linear(config.d_model, config.n_head * width, bias=config.bias)
        self.kv = nn.Linear(config.d_model, 2 * config.kv_heads * width, bias=config.bias)

    def project(self, x: Tensor, context: Context) -> tuple[Tensor, Tensor, Tensor, View]:
        memory = context.memory
        if memory is None:
            raise ValueError("memory is None: pass memory=model.encode(sources)")
        q = self.q(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, H, T, D)
        q = q if self.q_norm is None else self.q_norm(q)
        return q, *self.read(memory), View(mask=memory.mask)

    def read(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """Keys and values of a memory, (B, Hkv, S, D) each, computed at the first call."""
        if self.layer not in memory.projected:
            packed = self.kv(memory.states).unflatten(-1, (-1, self.head_dim))  # (B, S, 2 Hkv, D)
            k, v = packed.transpose(1, 2).split(self.n_kv_head, dim=1)
            memory.projected[self.layer] = k if self.k_norm is None else self.k_norm(k), v
        return memory.projected[self.layer]


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """(T, S) true where a query may attend; the last query is at the position of the last key."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def merge(bias: Tensor | None, mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """One mask for the fused call: the bias where a query may attend, -inf elsewhere."""
    if bias is None:
        return mask
    if mask is not None:
        bias = bias.masked_fill(~mask, -math.inf)
    return bias.to(dtype)
