"""Small models for every option and for options together, read from the dictionaries."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import torch

from engine import TransformerLM
from engine.model.block import PLACEMENTS
from engine.model.feedforward import ACTIVATIONS
from engine.model.norms import NORMS
from engine.model.positions import POSITIONS
from engine.model.routers import ROUTERS

VOCAB, CONTEXT = 23, 16

SIZES: dict[str, Any] = {
    "d_model": 16,
    "n_head": 4,
    "n_layer": 2,
    "vocab_size": VOCAB,
    "max_seq_len": CONTEXT,
}

TINY_RUN: dict[str, Any] = {
    "source": "copy",
    "task_length": 3,
    "max_seq_len": 16,
    "d_model": 16,
    "n_head": 2,
    "n_layer": 1,
    "batch_size": 4,
    "total_steps": 6,
    "warmup_steps": 2,
    "eval_interval": 3,
    "eval_steps": 1,
    "device": "cpu",
    "threads": 1,
}
"""A run of a second or less, for the tests that train one."""

AXES: dict[str, tuple[Any, ...]] = {
    "norm": tuple(NORMS),
    "placement": tuple(PLACEMENTS),
    "position": tuple(POSITIONS),
    "feedforward": tuple(ACTIVATIONS),
    "n_kv_head": (None, 2, 1),
    "bias": (False, True),
    "tie_embeddings": (True, False),
    "token_pairs": (0, VOCAB**2, 40),
    "value_embeddings": (False, True),
    "embedding_skip": (False, True),
    "qk_norm": (False, True),
    "logit_softcap": (0.0, 2.0),
}


def covering(axes: dict[str, tuple[Any, ...]], strength: int = 3) -> list[dict[str, Any]]:
    """Few of all combinations, in which any `strength` values of different axes still meet.

    What goes wrong because of one option, two or three is met as in the full product, which is
    hundreds of times as long. Whatever row a dictionary gains is in it by itself. Greedy, as in AETG
    (Cohen et al. 1997): begin with values that have not met, and give every other axis the value
    that meets most others for the first time.
    """
    missing = {
        tuple(zip(names, values, strict=True)): None  # a dict keeps its order
        for names in combinations(axes, strength)
        for values in product(*(axes[name] for name in names))
    }
    chosen: list[dict[str, Any]] = []
    while missing:
        row = dict(next(iter(missing)))

        def new(axis: str, value: Any, row: dict[str, Any] = row) -> int:
            """How many values meet for the first time if the row gets this one too."""
            longer = {
                name: (row | {axis: value})[name] for name in axes if name in row or name == axis
            }
            met = combinations(longer.items(), strength)
            return sum(each in missing for each in met if (axis, value) in each)

        for axis in axes:
            if axis not in row:
                row[axis] = max(axes[axis], key=lambda value, axis=axis: new(axis, value))
        chosen.append({axis: row[axis] for axis in axes})
        for met in combinations(chosen[-1].items(), strength):
            missing.pop(met, None)
    return chosen


COMBINATIONS = covering(AXES)
"""Every value, every pair and every three values of `AXES` are together in at least one."""

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

SHORTCUTS: list[dict[str, Any]] = [
    {"token_pairs": VOCAB**2},
    {"token_pairs": 40},
    {"value_embeddings": True, "n_kv_head": 2},
    {"embedding_skip": True},
]
"""The shortcuts from the tokens to later layers, one at a time."""


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
