"""From logits to text.

    sampler       its fields, for the command line and the page alike; without PyTorch
    sampling      the distribution of the next token, and one sequence token by token
    batched       several prompts at once
    translation   greedy, sampled and beam search for an encoder-decoder
    metrics       BLEU, chrF and exact match; without PyTorch

Public names are imported at first use, so that importing `metrics` or `sampler` does not load PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.generation.sampling import (
        FILTERS,
        Adjusted,
        Sampler,
        Step,
        adjust,
        entropy,
        evaluating,
        generate,
        next_token,
        sample,
        window_start,
    )

__all__ = [
    "FILTERS", "Adjusted", "Sampler", "Step", "adjust", "entropy", "evaluating", "generate", "next_token", "sample",
    "window_start",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'engine.generation' has no attribute {name!r}")
    return getattr(import_module("engine.generation.sampling"), name)
