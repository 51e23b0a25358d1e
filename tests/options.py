"""Small models for every option and every combination of options, read from the dictionaries."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch

from engine import TransformerLM
from engine.model.block import PLACEMENTS
from engine.model.feedforward import ACTIVATIONS
from engine.model.moe import ROUTERS
from engine.model.norms import NORMS
from engine.model.positions import POSITIONS

VOCAB, CONTEXT = 23, 16

SIZES: dict[str, Any] = {
    "d_model": 16,
    "n_head": 4,
    "n_layer": 2,
    "vocab_size": VOCAB,
    "max_seq_len": CONTEXT,
}

AXES: dict[str, tuple[Any, ...]] = {
    "norm": tuple(NORMS),
    "placement": tuple(PLACEMENTS),
    "position": tuple(POSITIONS),
    "feedforward": tuple(ACTIVATIONS),
    "n_kv_head": (None, 2, 1),
    "bias": (False, True),
    "tie_embeddings": (True, False),
}

COMBINATIONS = [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]

MOE: dict[str, Any] = {"n_experts": 4, "top_k": 2}
"""Experts in every block of the small model; with `router="switch"`, one for each token."""

ROUTED: list[dict[str, Any]] = [
    {**MOE, "router": router, **({"top_k": 1} if router == "switch" else {})} for router in ROUTERS
]
"""A mixture of experts with every router."""

VARIANTS: list[dict[str, Any]] = [
    {**MOE, "top_k": 1},
    {**MOE, "renormalise": False},
    {**MOE, "moe_layer_indices": (1,)},
    {**MOE, "n_shared_experts": 2, "d_expert": 12},
    {**MOE, "d_expert": 7},
    {**MOE, "n_device": 2, "max_device": 1},
    {**MOE, "bias": True, "feedforward": "gelu"},
    {**MOE, "norm": "layernorm", "placement": "post", "position": "alibi", "n_kv_head": 1},
    {**MOE, "capacity_factor": 0.5},
]
"""Everything else about experts that can be chosen, one at a time."""


def sees_others(options: dict[str, Any]) -> bool:
    """Does what happens to a token depend on tokens after it, or on how many there are?"""
    return options.get("router") == "expert_choice" or "capacity_factor" in options


def build(**changes: Any) -> TransformerLM:
    """A model with weights large and varied enough that a wrong sum shows, in evaluation mode."""
    torch.manual_seed(7)
    model = TransformerLM(**{**SIZES, **changes})
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:  # a router's bias is no weight
                weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def sequence(batch: int = 2, length: int = CONTEXT) -> torch.Tensor:
    """The same random tokens each time, (batch, length)."""
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(3))
