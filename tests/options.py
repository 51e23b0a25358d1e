"""Small models for every option and every combination of options, read from the dictionaries."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch

from engine import TransformerLM
from engine.model.block import PLACEMENTS
from engine.model.feedforward import ACTIVATIONS
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


def build(**changes: Any) -> TransformerLM:
    """A model with weights large and varied enough that a wrong sum shows, in evaluation mode."""
    torch.manual_seed(7)
    model = TransformerLM(**{**SIZES, **changes})
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def sequence(batch: int = 2, length: int = CONTEXT) -> torch.Tensor:
    """The same random tokens each time, (batch, length)."""
    return torch.randint(VOCAB, (batch, length), generator=torch.Generator().manual_seed(3))
