"""Text and `.bin` files as data: random windows to learn from, fixed windows to be measured on.

A text becomes one long row of token ids. Its last part is held out. A training sequence is a window
of T + 1 ids at a random place: the first T are the inputs, the last T the targets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config import DataConfig, ModelConfig
from engine.data.base import IGNORE, Batch, DataError, Generated, spread
from engine.data.reading import read_text, size_of_file
from engine.tokenizers import CharTokenizer, IdTokenizer, TokenArray, Tokenizer

PROBE_LENGTH = 64
"""Tokens in the text whose attention is recorded: as many as can be read on a page."""

MIN_VALIDATION = 2
"""One token to read and one to predict."""


class TextData(Generated):
    """Windows of a long text. See `engine.data.base.Data` for what each member means."""

    exact = False
    end = None

    def __init__(
        self,
        name: str,
        tokenizer: Tokenizer,
        train: TokenArray,
        valid: TokenArray,
        max_seq_len: int,
        seed: int,
        prompts: list[str] | None = None,
    ) -> None:
        """`train` (N,) and `valid` (M,) are token ids, in memory or mapped from a file.

        `train` must have more than `max_seq_len` of them and `valid` at least two.
        """
        super().__init__(seed)
        self.name = name
        self.tokenizer = tokenizer
        self.train = train
        self.valid = valid
        self.train_tokens: int | None = len(train)
        self.sequence_length = max_seq_len
        self.prompts = prompts or self._openings()

    def batch(self, batch_size: int) -> Batch:
        """Windows (B, T) at random places of the training part."""
        length = self.sequence_length
        starts = self.generator.integers(0, len(self.train) - length, size=batch_size)
        windows = self.train[starts[:, None] + np.arange(length + 1)].astype(np.int64)  # (B, T+1)
        return Batch(windows[:, :-1], windows[:, 1:])

    def validation(self, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
        """Windows of the held-out part, side by side, so that each token is predicted once.

        Where `steps` batches do not reach over all of it, they are evenly spaced. The last window
        ends with the text; what it shares with the one before is not counted again.
        """
        length = min(self.sequence_length, len(self.valid) - 1)
        windows = math.ceil((len(self.valid) - 1) / length)
        chosen = spread(windows, windows if steps is None else batch_size * steps)
        for first in range(0, len(chosen), batch_size):
            wanted = chosen[first : first + batch_size, None] * length  # (B, 1)
            starts = np.minimum(wanted, len(self.valid) - 1 - length)
            rows = self.valid[starts + np.arange(length + 1)].astype(np.int64)  # (B, T+1)
            counted = starts + np.arange(length) >= wanted  # (B, T)
            yield Batch(rows[:, :-1], np.where(counted, rows[:, 1:], IGNORE))

    def answer(self, prompt: str) -> str | None:
        """None: a text may go on in many ways."""
        return None

    def probe(self) -> str:
        """The beginning of the held-out part, from its first whole paragraph, line or word on."""
        length = min(PROBE_LENGTH, self.sequence_length)
        text = self.tokenizer.decode(self.valid[: 16 * length])
        start = _first_start(text)
        return self._fitting(text[start:] if len(text) - start >= length else text, length)

    def _openings(self) -> list[str]:
        """The first characters at three places of the held-out part."""
        length = min(16, self.sequence_length // 2)
        room = max(0, len(self.valid) - 16 * length)
        pieces = [self.valid[room * i // 3 :][: 16 * length] for i in range(3)]
        texts = [self.tokenizer.decode(piece) for piece in pieces]
        openings = [self._fitting(text[_first_start(text) :], length) for text in texts]
        return list(dict.fromkeys(opening for opening in openings if opening.strip()))

    def _fitting(self, text: str, length: int) -> str:
        """As much of the beginning of a text as has `length` tokens."""
        return self.tokenizer.decode(self.tokenizer.encode(text)[:length])


def _first_start(text: str) -> int:
    """Where the first whole paragraph begins; if none does, a line; if none does, a word."""
    for gap in ("\n\n", "\n", " "):
        place = text.find(gap, 0, len(text) // 2)
        if place >= 0:
            return place + len(gap)
    return 0


def from_text(
    text: str,
    data: DataConfig,
    model: ModelConfig,
    seed: int,
    *,
    name: str,
    valid_text: str | None = None,
    prompts: list[str] | None = None,
) -> TextData:
    """Characters as tokens; the vocabulary is that of the whole text, held-out part included.

    Raises `DataError` naming the field.
    """
    tokenizer = CharTokenizer.train(text + (valid_text or ""))
    check_vocabulary(tokenizer, model)
    ids = tokenizer.encode_array(text)
    valid = None if valid_text is None else tokenizer.encode_array(valid_text)
    train, valid = split(ids, valid, data, model, unit="characters")
    return TextData(name, tokenizer, train, valid, model.max_seq_len, seed, prompts)


def from_files(data: DataConfig, model: ModelConfig, seed: int) -> TextData:
    """Own files: text (UTF-8) or `.bin` (uint16 ids). Raises `DataError` naming the field."""
    assert data.train_data_path is not None  # DataConfig refuses source = 'text' without it
    train_path = Path(data.train_data_path)
    valid_path = None if data.valid_data_path is None else Path(data.valid_data_path)
    if valid_path is not None and _is_ids(valid_path) != _is_ids(train_path):
        kind = "a .bin file" if _is_ids(train_path) else "text"
        raise DataError("valid_data_path", str(valid_path), f"must be {kind}, as the training data")
    if not _is_ids(train_path):
        text = read_text(train_path, "train_data_path")
        valid_text = None if valid_path is None else read_text(valid_path, "valid_data_path")
        return from_text(text, data, model, seed, name=train_path.stem, valid_text=valid_text)

    if model.vocab_size is None:
        raise DataError(
            "vocab_size", None, "must be set for a .bin file, which does not say how many ids exist"
        )
    ids = read_ids(train_path, "train_data_path", model.vocab_size)
    valid = (
        None if valid_path is None else read_ids(valid_path, "valid_data_path", model.vocab_size)
    )
    train, valid = split(ids, valid, data, model, unit="ids")
    tokenizer = IdTokenizer(model.vocab_size)
    return TextData(train_path.stem, tokenizer, train, valid, model.max_seq_len, seed)


def split(
    ids: TokenArray, valid: TokenArray | None, data: DataConfig, model: ModelConfig, *, unit: str
) -> tuple[TokenArray, TokenArray]:
    """The part to learn from and the part held out: the end of `ids`, unless `valid` is given.

    Raises `DataError` saying how long the text must be.
    """
    window = model.max_seq_len + 1
    path = data.train_data_path or data.source
    if valid is not None:
        if len(ids) < window:
            raise DataError("train_data_path", path, _too_short(len(ids), unit, window, model))
        if len(valid) < MIN_VALIDATION:
            allowed = f"has {len(valid)} {unit}; it must have at least {MIN_VALIDATION}"
            raise DataError("valid_data_path", data.valid_data_path, allowed)
        return ids, valid
    held_out = held_out_length(len(ids), data.valid_fraction)
    if len(ids) - held_out < window:
        needed = least_length(model.max_seq_len, data.valid_fraction)
        raise DataError("train_data_path", path, _too_short(len(ids), unit, needed, model))
    return ids[:-held_out], ids[-held_out:]


def held_out_length(length: int, fraction: float) -> int:
    """How many of a text's tokens, at its end, are held out."""
    return max(MIN_VALIDATION, int(length * fraction))


def least_length(max_seq_len: int, fraction: float) -> int:
    """The least length of a text whose training part still has one window."""
    window = max_seq_len + 1
    length = max(window + MIN_VALIDATION, int((window - 1) / (1 - fraction)) - 1)
    while length - held_out_length(length, fraction) < window:
        length += 1
    return length


def _too_short(length: int, unit: str, needed: int, model: ModelConfig) -> str:
    return (
        f"has {length:,} {unit}; with max_seq_len = {model.max_seq_len} it must have at least "
        f"{needed:,}"
    )


def check_vocabulary(tokenizer: Tokenizer, model: ModelConfig) -> None:
    """Raises `DataError` where the model's vocabulary is too small for the tokenizer's."""
    if model.vocab_size is not None and model.vocab_size < tokenizer.vocab_size:
        allowed = f"must be at least {tokenizer.vocab_size}, as many as this data has, or empty"
        raise DataError("vocab_size", model.vocab_size, allowed)


def read_ids(path: Path, field: str, vocab_size: int) -> NDArray[np.uint16]:
    """A memory-mapped file of uint16, little-endian. Raises `DataError` where it cannot be that."""
    size = size_of_file(path, field)
    if size == 0:
        raise DataError(field, str(path), "is empty")
    if size % 2:
        raise DataError(field, str(path), f"has {size:,} bytes: ids of 2 bytes need an even number")
    try:
        ids = np.memmap(path, dtype="<u2", mode="r")
    except OSError as error:
        raise DataError(field, str(path), f"cannot be read: {error.strerror}") from None
    for start in range(0, len(ids), 2**24):  # 32 MB at a time
        outside = ids[start : start + 2**24] >= vocab_size
        if outside.any():
            place = start + int(outside.argmax())
            allowed = f"has id {ids[place]} at position {place:,}; vocab_size is {vocab_size}"
            raise DataError(field, str(path), allowed)
    return ids


def _is_ids(path: Path) -> bool:
    return path.suffix.lower() == ".bin"
