"""The complete configuration of a run, nested and flat, and the names of its fields on the page."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo
from typing_extensions import Self

from engine.config.data import DataConfig
from engine.config.model import ModelConfig
from engine.config.train import TrainConfig
from engine.files import read_object, read_stored
from engine.validation import Config, ConfigError, Problem

VALUE_NAMES = {
    "rmsnorm": "RMSNorm", "layernorm": "LayerNorm", "pre": "pre-norm", "post": "post-norm", "rope": "RoPE",
    "alibi": "ALiBi", "swiglu": "SwiGLU", "geglu": "GEGLU", "gelu": "GELU", "relu": "ReLU", "silu": "SiLU",
    "adamw": "AdamW", "sgd": "SGD", "lion": "Lion", "muon": "Muon", "topk": "top-k", "noisy_topk": "noisy top-k",
    "expert_choice": "expert choice", "inverse_sqrt": "inverse square root", "wsd": "WSD",
    "bpe": "BPE",
}  # fmt: skip
"""Names of values on the page, if they differ from the value itself."""


class RunConfig(Config):
    """The complete configuration of a run. Field names are unique across its parts, so it can be flat."""

    model: ModelConfig = Field(default_factory=lambda: ModelConfig())
    data: DataConfig = Field(default_factory=lambda: DataConfig())
    train: TrainConfig = Field(default_factory=lambda: TrainConfig())

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """Build from `{"d_model": 128, "max_lr": 1e-3, ...}`; missing fields take their defaults.

        Raises `ConfigError` with all problems of all parts.
        """
        parts: dict[str, dict[str, Any]] = {name: {} for name in PARTS}
        problems: list[Problem] = []
        for name, value in values.items():
            part = PART_OF.get(name)
            if part is None:
                problems.append(Problem(name, value, "is not the name of a field"))
            else:
                parts[part][name] = value
        built: dict[str, Any] = {}
        for part, config in PARTS.items():
            try:
                built[part] = config.parse(parts[part])
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)
        return cls(**built)

    def flat(self) -> dict[str, Any]:
        """All fields of all parts, by name."""
        return {name: getattr(getattr(self, part), name) for name, part in PART_OF.items()}

    def changes(self) -> dict[str, Any]:
        """Fields that differ from the defaults, flat: `from_flat(config.changes()) == config`."""
        return {
            name: value for part in PARTS for name, value in getattr(self, part).changes().items()
        }

    def differences(self, base: RunConfig) -> dict[str, Any]:
        """Fields that differ from another configuration, flat, with this one's values."""
        mine, other = self.flat(), base.flat()
        return {name: value for name, value in mine.items() if value != other[name]}


PARTS: dict[str, type[Config]] = {"model": ModelConfig, "data": DataConfig, "train": TrainConfig}
PART_OF: dict[str, str] = {
    name: part for part, config in PARTS.items() for name in config.model_fields
}


def fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """All fields as (part, name, info), from which the command line and the page are derived."""
    for part, config in PARTS.items():
        for name, info in config.model_fields.items():
            yield part, name, info


def label(name: str) -> str:
    """The name of a field on the page and in the names of runs: its title, or its own name in words."""
    info = PARTS[PART_OF[name]].model_fields[name]
    return info.title or name.replace("_", " ").capitalize()


def read_config(path: Path) -> RunConfig:
    """Read a run's configuration from a JSON file, nested as `to_json` writes it, or flat.

    Raises `ConfigError` for invalid contents, `OSError` if the file cannot be read.
    """
    text = read_stored(path).removeprefix(codecs.BOM_UTF8)
    try:
        return RunConfig.from_json(text)
    except ConfigError as nested:
        values = read_object(text)
        if values is None or set(values) <= set(PARTS):
            raise nested from None
        return RunConfig.from_flat(values)
