"""Transformers to build, train and open up.

The public names import from here. Each is loaded when first asked for, so that reading runs, for
example, never loads PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from engine.generation.sampler import Sampler
    from engine.generation.sampling import generate
    from engine.generation.translation import beam_search, translate
    from engine.model.context import KVCache, Output, Trace, zero_head
    from engine.model.decoder import HybridMoETransformerLM, MoETransformerLM, TransformerLM
    from engine.model.encoder_decoder import Transformer
    from engine.model.routing import Routing
    from engine.runs.store import Run, RunStore
    from engine.training.checkpoint import load_model
    from engine.training.loop import TrainState, new_state, train
    from engine.training.optim import SGD, AdamW
    from engine.validation import ConfigError

HOMES: dict[str, str] = {
    "load_model": "engine.training.checkpoint",
    "ConfigError": "engine.validation",
    "DataConfig": "engine.config",
    "ModelConfig": "engine.config",
    "RunConfig": "engine.config",
    "TrainConfig": "engine.config",
    "Sampler": "engine.generation.sampler",
    "generate": "engine.generation.sampling",
    "KVCache": "engine.model.context",
    "Output": "engine.model.context",
    "Trace": "engine.model.context",
    "zero_head": "engine.model.context",
    "HybridMoETransformerLM": "engine.model.decoder",
    "MoETransformerLM": "engine.model.decoder",
    "TransformerLM": "engine.model.decoder",
    "Transformer": "engine.model.encoder_decoder",
    "Routing": "engine.model.routing",
    "AdamW": "engine.training.optim",
    "SGD": "engine.training.optim",
    "Run": "engine.runs.store",
    "RunStore": "engine.runs.store",
    "TrainState": "engine.training.loop",
    "new_state": "engine.training.loop",
    "train": "engine.training.loop",
    "beam_search": "engine.generation.translation",
    "translate": "engine.generation.translation",
}
"""Where each public name is defined."""

__all__ = [
    "AdamW", "ConfigError", "DataConfig", "HybridMoETransformerLM", "KVCache", "ModelConfig",
    "MoETransformerLM", "Output", "Routing", "Run", "RunConfig", "RunStore", "SGD", "Sampler", "Trace",
    "TrainConfig", "TrainState", "Transformer", "TransformerLM", "beam_search", "generate",
    "load_model", "new_state", "train", "translate", "zero_head",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(HOMES)
