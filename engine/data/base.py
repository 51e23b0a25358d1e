"""What every source of data keeps to: batches from its own generator, a fixed held-out part.

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
"""A target that no loss is taken on. PyTorch's cross-entropy leaves out the same value."""


@dataclass(frozen=True)
class Batch:
    """Sequences, and at each position the token that comes next."""

    inputs: NDArray[np.int64]
    """(B, T) token ids."""
    targets: NDArray[np.int64]
    """(B, T) the next token's id, or IGNORE."""
    sources: NDArray[np.int64] | None = None
    """(B, S) token ids of the texts to translate, PAD at the end; None: nothing to translate.

    Each ends in END, then PAD. `inputs` and `targets` are then the decoder's: BEGIN and the
    translation, filled up with PAD; the translation and END, IGNORE where there is no more.
    """

    @property
    def present(self) -> NDArray[np.bool_] | None:
        """(B, T) false for padding: inputs after the last target of their row. None: no padding.

        A causal model computes nothing from them that a loss is taken on. A row without targets has no
        padding.
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
        """The rows of one of `of` parts, as equal as they can be, and as wide as the whole.

        A part for which no row is left has the first one, with targets that all are IGNORE.
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


class DataError(ConfigError):
    """Data that cannot be: the field of the configuration, its value, and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        super().__init__([Problem(field, value, allowed)])


class Data(Protocol):
    """What a run learns from. Only `batch` and `load_state` move the generator."""

    @property
    def name(self) -> str:
        """The corpus's or task's name, or the file's."""
        ...

    @property
    def exact(self) -> bool:
        """Has each prompt exactly one right answer, so that accuracy can be measured?"""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """What turns the data into ids and back."""
        ...

    @property
    def train_tokens(self) -> int | None:
        """Tokens to learn from; None for a task, which makes new items for ever."""
        ...

    @property
    def sequence_length(self) -> int:
        """T of a training batch, at most `max_seq_len`."""
        ...

    @property
    def character_counts(self) -> NDArray[np.int64] | None:
        """(V,) how many characters of a text begin in each token; None where there is no text."""
        ...

    @property
    def end(self) -> int | None:
        """The token that ends an answer; None where nothing does."""
        ...

    @property
    def prompts(self) -> list[str]:
        """A few fixed prompts, to sample from in the course of training."""
        ...

    def batch(self, batch_size: int) -> Batch:
        """The next training batch (B, T). Fixed by the seed and the number of batches before."""
        ...

    def validation(self, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
        """At most `steps` held-out batches, the same each time; None: the whole held-out part.

        The last batch may be smaller, and targets may be IGNORE: weight a mean by the targets that
        count.
        """
        ...

    def answer(self, prompt: str) -> str | None:
        """The one right continuation, without the end token; None where there is none."""
        ...

    def probe(self) -> str:
        """A held-out text that fits the context, for looking at attention."""
        ...

    def state(self) -> dict[str, Any]:
        """Where the generator stands, as JSON."""
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
        """Where the generator stands, as JSON: PCG64's two 128-bit numbers and its spare half."""
        return {"generator": dict(self.generator.bit_generator.state)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored `state`. Raises `ValueError` for anything else."""
        try:
            self.generator.bit_generator.state = state["generator"]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not the state of a data generator: {error!r}") from None


def spread(available: int, wanted: int) -> NDArray[np.int64]:
    """The indices of `wanted` of `available` things, evenly spaced; all if there are fewer."""
    count = min(available, wanted)
    return np.arange(count, dtype=np.int64) * available // max(count, 1)
