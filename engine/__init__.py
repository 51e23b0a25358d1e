"""Transformers to build, train and open up.

The public names import from here. Each is loaded when first asked for, so that reading runs, for
example, never loads PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.config import ConfigError, DataConfig, ModelConfig, RunConfig, TrainConfig
    from engine.model.context import KVCache, Output, Trace, zero_head
    from engine.model.decoder import TransformerLM
    from engine.runs import Run, RunStore

HOMES: dict[str, str] = {
    "ConfigError": "engine.config",
    "DataConfig": "engine.config",
    "ModelConfig": "engine.config",
    "RunConfig": "engine.config",
    "TrainConfig": "engine.config",
    "KVCache": "engine.model.context",
    "Output": "engine.model.context",
    "Trace": "engine.model.context",
    "zero_head": "engine.model.context",
    "TransformerLM": "engine.model.decoder",
    "Run": "engine.runs",
    "RunStore": "engine.runs",
}
"""Where each public name is defined."""

__all__ = [
    "ConfigError", "DataConfig", "KVCache", "ModelConfig", "Output", "Run", "RunConfig", "RunStore",
    "Trace", "TrainConfig", "TransformerLM", "zero_head",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(HOMES)
