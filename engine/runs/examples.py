"""`examples.json`: what a page needs of a run's data, stored so that the data need not be read again.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter

from engine.config import TrainConfig
from engine.data import Data, PairData, baselines
from engine.data.baselines import Baselines
from engine.files import read_stored, write_atomic
from engine.validation import read_json

NAME = "examples.json"

MAX_BYTES = 1 << 24


@dataclass(frozen=True)
class Examples:
    """A few texts of a run's data, and what ends an answer."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    prompts: list[str]
    """Fixed prompts to begin with; of pairs, texts to translate."""
    end: int | None
    """The token that ends an answer; None if nothing does."""
    probe: str
    """The text whose attention training records."""
    left_out: str = ""
    """The number of unused pairs and the reason; '' if all are used."""
    baselines: Baselines | None = None
    """What counting alone predicts of the validation data; None in files of earlier versions."""


EXAMPLES: TypeAdapter[Examples] = TypeAdapter(Examples)


def examples_of(data: Data, train: TrainConfig) -> Examples:
    """The examples of this data; its baselines are measured where a run with these settings measures its loss."""
    left_out = data.left_out() if isinstance(data, PairData) else ""
    measured = baselines.measure(data, train.batch_size, train.eval_steps)
    return Examples(list(data.prompts), data.end, data.probe(), left_out, measured)


def write(folder: Path, examples: Examples) -> None:
    """Store them in a run's folder."""
    write_atomic(folder / NAME, json.dumps(asdict(examples), indent=1) + "\n")


def read(folder: Path) -> Examples:
    """Read what `write` stored. Raises `OSError` if there is no such file, `ConfigError` for a damaged one."""
    return read_json(EXAMPLES, read_stored(folder / NAME, MAX_BYTES))
