"""The contract of every data source: batches from its own generator, fixed validation data.

Shapes: B batch, T positions of a sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.tokenizers import Tokenizer
from engine.validation import ConfigError, Problem

IGNORE = -100
"""A target without a loss: the `ignore_index` of PyTorch's cross-entropy."""


@dataclass(frozen=True)
class Batch:
    """Sequences, and the next token at each position."""

    inputs: NDArray[np.int64]
    """(B, T) token ids."""
    targets: NDArray[np.int64]
    """(B, T) the next token's id, or IGNORE."""
    sources: NDArray[np.int64] | None = None
    """(B, S) token ids of the texts to translate, PAD at the end; None: nothing to translate.

    Each ends in END, then PAD. `inputs` and `targets` are then the decoder's: BEGIN and the
    translation, padded with PAD; the translation and END, padded with IGNORE.
    """

    @property
    def present(self) -> NDArray[np.bool_] | None:
        """(B, T) false for padding: inputs after the last target of their row. None: no padding.

        In a causal model they do not affect the loss. A row without targets has no padding.
        """
        counted: NDArray[np.bool_] = self.targets != IGNORE  # (B, T)
        padding: NDArray[np.int64] = counted[:, ::-1].argmax(axis=1)  # (B,) 0 without targets
        if not padding.any():
            return None
        width: int = self.targets.shape[1]
        place: NDArray[np.int64] = np.arange(width)
        ends: NDArray[np.int64] = width - padding
        return place < ends[:, None]

    def part(self, number: int, of: int) -> Batch:
        """Part `number` of `of`: about equal numbers of rows, padded to the width of all rows.

        A part without a row gets the first row, with all targets IGNORE.
        """
        if of == 1:
            return self
        rows = len(self.inputs)
        mine = slice(rows * number // of, rows * (number + 1) // of)
        targets = self.targets[mine]
        if not len(targets):
            mine, targets = slice(1), np.full_like(self.targets[:1], IGNORE)
        sources = None if self.sources is None else self.sources[mine]
        return Batch(self.inputs[mine], targets, sources)


def transitions(batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The inputs at targets that count, and these targets: (N,) each, row by row."""
    counted = batch.targets != IGNORE  # (B, T)
    return batch.inputs[counted], batch.targets[counted]


class DataError(ConfigError):
    """Invalid data: the field of the configuration, its value, and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__([Problem(field, value, allowed)])


class Data(Protocol):
    """The data of a run. Only `batch` and `load_state` advance the generator."""

    @property
    def name(self) -> str:
        """The name of the corpus, the task or the file."""
        ...

    @property
    def exact(self) -> bool:
        """Whether each prompt has exactly one correct answer, so that accuracy can be measured."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the data."""
        ...

    @property
    def train_tokens(self) -> int | None:
        """Tokens of the training data; None for a task, which generates items without end."""
        ...

    @property
    def sequence_length(self) -> int:
        """T of a training batch, at most `max_seq_len`."""
        ...

    @property
    def character_counts(self) -> NDArray[np.int64] | None:
        """(V,) the number of characters that begin in each token; None if the data is no text."""
        ...

    @property
    def end(self) -> int | None:
        """The token that ends an answer, or None."""
        ...

    @property
    def prompts(self) -> list[str]:
        """A few fixed prompts, for samples during training."""
        ...

    def batch(self, batch_size: int) -> Batch:
        """The next training batch (B, T), determined by the seed and the number of batches before."""
        ...

    def validation(self, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
        """At most `steps` validation batches, the same each time; None: all validation data.

        The last batch may be smaller, and targets may be IGNORE: weight a mean by the number of
        other targets.
        """
        ...

    def training_targets(self, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """About `most` targets of the training data and the token before each: (N,) tokens before, (N,) targets.

        All of them if there are fewer, else evenly spaced ones. The same each time; leaves the generator as it is.
        """
        ...

    def answer(self, prompt: str) -> str | None:
        """The only correct continuation, without the end token, or None."""
        ...

    def probe(self) -> str:
        """A validation text that fits the context, for recordings of attention."""
        ...

    def state(self) -> dict[str, Any]:
        """The state of the generator, as JSON."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored `state`. Raises `ValueError` for anything else."""
        ...


class Generated:
    """The generator that text and tasks draw batches from, and its state."""

    character_counts: NDArray[np.int64] | None = None

    def __init__(self, seed: int) -> None:
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def state(self) -> dict[str, Any]:
        """The state of the generator, as JSON: PCG64's two 128-bit numbers and its buffered half."""
        return {"generator": dict(self.generator.bit_generator.state)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored `state`. Raises `ValueError` for anything else."""
        try:
            self.generator.bit_generator.state = state["generator"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not the state of a data generator: {error!r}") from None


def spread(available: int, wanted: int) -> NDArray[np.int64]:
    """Evenly spaced indices of `wanted` of `available` items; all if there are fewer."""
    count = min(available, wanted)
    return np.arange(count, dtype=np.int64) * available // max(count, 1)
