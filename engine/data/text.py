"""Text and `.bin` files as data: random windows for training, fixed windows for validation.

A text becomes one long row of token ids; its end is the validation data. A training sequence is a window
of T + 1 ids at a random position: the first T are the inputs, the last T the targets.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.config import DataConfig, ModelConfig
from engine.data.base import IGNORE, Batch, DataError, Generated, spread
from engine.data.id_files import from_id_files, is_ids
from engine.data.reading import read_text
from engine.data.tokens import text_tokenizer
from engine.tokenizers import CharTokenizer, IdTokenizer, TextStream, TokenArray, Tokenizer

PROBE_TOKENS = 64
"""Tokens of the text that is kept for recording attention; a snapshot takes the first of them."""

MIN_VALIDATION = 2
"""One token to read and one to predict."""

PROMPT_LENGTH = 16
"""Maximum tokens of a prompt for samples."""

MAX_CHARACTER = 4
"""Maximum bytes of a character in UTF-8."""

COUNTED_WINDOW = 4_096
"""Tokens of a window in which `training_targets` counts a very long text."""

LOOKED_AT = 4_096
"""Tokens of each part that are searched for a single character, if nothing longer fits."""


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

        `train` must have more than `max_seq_len` of them and `valid` at least two. Raises `DataError`
        naming `max_seq_len` if no character fits the context.
        """
        super().__init__(seed)
        self.name = name
        self.tokenizer = tokenizer
        self.train = train
        self.valid = valid
        self.train_tokens: int | None = len(train)
        self.sequence_length = max_seq_len
        self.character_counts = _character_counts(tokenizer)
        self.prompts = prompts or self._openings()
        self._probe = self._opening()

    def batch(self, batch_size: int) -> Batch:
        """Windows (B, T) at random positions of the training data."""
        length = self.sequence_length
        starts = self.generator.integers(0, len(self.train) - length, size=batch_size)
        windows = self.train[starts[:, None] + np.arange(length + 1)].astype(np.int64)  # (B, T+1)
        return Batch(windows[:, :-1], windows[:, 1:])

    def validation(self, batch_size: int, steps: int | None = None) -> Iterator[Batch]:
        """Adjacent windows of the validation data, so that each token is predicted once.

        If `steps` batches do not cover it, the windows are evenly spaced. The last window ends with the
        text; its overlap with the window before is not counted again.
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

    def training_targets(self, most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of the complete text each token after the first; of a longer one, windows of `COUNTED_WINDOW` tokens."""
        if len(self.train) <= most + 1:
            ids = np.asarray(self.train, np.int64)
            return ids[:-1], ids[1:]
        available = (len(self.train) - 1) // COUNTED_WINDOW
        starts = spread(available, max(1, most // COUNTED_WINDOW)) * COUNTED_WINDOW
        rows = self.train[starts[:, None] + np.arange(COUNTED_WINDOW + 1)].astype(np.int64)
        return rows[:, :-1].ravel(), rows[:, 1:].ravel()

    def answer(self, prompt: str) -> str | None:
        """None: a text has many possible continuations."""
        return None

    def probe(self) -> str:
        """The beginning of the validation data, from its first complete paragraph, line or word on."""
        return self._probe

    # The validation data may be blank, or have no complete character in so few tokens. Then the training
    # data is used, and finally any character that fits.

    def _opening(self) -> str:
        """See `probe`."""
        length = min(PROBE_TOKENS, self.sequence_length)
        for part in (self.valid, self.train):
            text = self._text(part[: 16 * length])
            start = _first_start(text)
            found = self._fitting(text[start:] if len(text) - start >= length else text, length)
            if found:
                return found
        return self._character()

    def _openings(self) -> list[str]:
        """The first tokens at three positions of the validation data."""
        half = max(1, min(PROMPT_LENGTH, self.sequence_length // 2))
        for length in (half, min(PROMPT_LENGTH, self.sequence_length)):
            for part in (self.valid, self.train):
                found = self._openings_of(part, length)
                if found:
                    return found
        return [self._character()]

    def _openings_of(self, part: TokenArray, length: int) -> list[str]:
        """The first `length` tokens at three positions of a part, except blank ones."""
        room = max(0, len(part) - 16 * length)
        pieces = [part[room * i // 3 :][: 16 * length] for i in range(3)]
        texts = [self._text(piece) for piece in pieces]
        openings = [self._fitting(text[_first_start(text) :], length) for text in texts]
        return list(dict.fromkeys(opening for opening in openings if opening.strip()))

    def _character(self) -> str:
        """A character that fits the context, visible if possible. Raises `DataError`."""
        texts = (self._text(part[:LOOKED_AT]) for part in (self.valid, self.train))
        lengths = {c: len(self.tokenizer.encode(c)) for text in texts for c in dict.fromkeys(text)}
        fitting = [c for c, length in lengths.items() if length <= self.sequence_length]
        if not fitting:
            needed = min(lengths.values(), default=MAX_CHARACTER)
            allowed = f"must be at least {needed}: one character of this text has this many tokens"
            raise DataError("max_seq_len", self.sequence_length, allowed)
        return next(filter(str.strip, fitting), fitting[0])

    def _fitting(self, text: str, length: int) -> str:
        """The beginning of a text, at most `length` tokens."""
        return TextStream(self.tokenizer).feed(self.tokenizer.encode(text)[:length])

    def _text(self, ids: TokenArray) -> str:
        """The text of these tokens, without incomplete characters at its ends."""
        content = self.tokenizer.decode_bytes(ids)
        starts = (i for i, byte in enumerate(content[:MAX_CHARACTER]) if byte & 0xC0 != 0x80)
        return codecs.getincrementaldecoder("utf-8")("replace").decode(content[next(starts, 0) :])


def _character_counts(tokenizer: Tokenizer) -> NDArray[np.int64] | None:
    """(V,) the number of characters that begin in each token; None: ids have no text."""
    if isinstance(tokenizer, IdTokenizer):
        return None
    tokens = map(tokenizer.decode_bytes, ([i] for i in range(tokenizer.vocab_size)))
    return np.array([sum(byte & 0xC0 != 0x80 for byte in token) for token in tokens], np.int64)


def _first_start(text: str) -> int:
    """The start of the first complete paragraph, or else line, or else word."""
    for gap in ("\n\n", "\n", " "):
        place = text.find(gap, 0, len(text) // 2)
        if place >= 0:
            return place + len(gap)
    return 0


class EncodedText(NamedTuple):
    """A text as tokens."""

    tokenizer: Tokenizer
    train: TokenArray
    """(N,) the training data."""
    valid: TokenArray
    """(M,) the validation data."""


def encode_text(text: str, data: DataConfig, valid_text: str | None = None) -> EncodedText:
    """The tokens of a text. Its end is the validation data, unless `valid_text` is given.

    The text is cut before it is encoded: no token crosses the cut, and of the validation data the
    tokenizer sees only the set of characters. Raises `DataError` naming `tokenizer_size`.
    """
    train, valid = (text, valid_text) if valid_text is not None else cut(text, data)
    characters = set(train) | set(valid)
    tokenizer = text_tokenizer(data.tokenizer, data.tokenizer_size, train, characters)
    return EncodedText(tokenizer, tokenizer.encode_array(train), tokenizer.encode_array(valid))


def from_text(
    text: str,
    data: DataConfig,
    model: ModelConfig,
    seed: int,
    *,
    name: str,
    valid_text: str | None = None,
) -> TextData:
    """A text as data, with the tokenizer `data.tokenizer`. Raises `DataError` naming the field."""
    return windows(encode_text(text, data, valid_text), data, model, seed, name=name)


def windows(
    parts: EncodedText,
    data: DataConfig,
    model: ModelConfig,
    seed: int,
    *,
    name: str,
    prompts: list[str] | None = None,
) -> TextData:
    """Encoded text as data. Raises `DataError` if it does not fit the model."""
    tokenizer, train, valid = parts
    check_vocabulary(tokenizer, model)
    _check_lengths(parts, data, model)
    if (model.vocab_size or tokenizer.vocab_size) < 2:
        allowed = f"has one character only, {tokenizer.pieces[0]!r}; it must have at least 2"
        raise DataError("train_data_path", data.train_data_path or data.source, allowed)
    return TextData(name, tokenizer, train, valid, model.max_seq_len, seed, prompts)


def from_files(data: DataConfig, model: ModelConfig, seed: int) -> TextData:
    """The user's files: text, or `.bin` (ids). Raises `DataError` naming the field."""
    assert data.train_data_path is not None  # DataConfig refuses source = 'text' without it
    train_path = Path(data.train_data_path)
    valid_path = None if data.valid_data_path is None else Path(data.valid_data_path)
    if valid_path is not None and is_ids(valid_path) != is_ids(train_path):
        kind = "a .bin file" if is_ids(train_path) else "text"
        raise DataError("valid_data_path", str(valid_path), f"must be {kind}, as the training data")
    if is_ids(train_path):
        tokenizer, train, valid = from_id_files(train_path, valid_path, data, model)
        parts = EncodedText(tokenizer, *(cut(train, data) if valid is None else (train, valid)))
        return windows(parts, data, model, seed, name=train_path.stem)
    text = read_text(train_path, "train_data_path")
    valid_text = None if valid_path is None else read_text(valid_path, "valid_data_path")
    return from_text(text, data, model, seed, name=train_path.stem, valid_text=valid_text)


Whole = TypeVar("Whole", str, TokenArray)


def cut(whole: Whole, data: DataConfig) -> tuple[Whole, Whole]:
    """The training data, and the validation data: the end."""
    count = held_out_length(len(whole), data.valid_fraction)
    return whole[:-count], whole[-count:]


def _check_lengths(parts: EncodedText, data: DataConfig, model: ModelConfig) -> None:
    """Raises `DataError` if a part is too short, saying how long it must be."""
    tokenizer, train, valid = parts
    window = model.max_seq_len + 1
    path = data.train_data_path or data.source
    unit = UNITS.get(type(tokenizer), "tokens")
    if len(train) < window:
        length, needed = len(train), window
        if data.valid_data_path is not None:
            what = unit
        elif unit == "tokens":
            what = "tokens to learn from"
        else:  # counted in the complete text or file
            what, length = unit, len(train) + len(valid)
            needed = least_length(model.max_seq_len, data.valid_fraction)
        allowed = f"has {length:,} {what}; with max_seq_len = {model.max_seq_len} it must have at least {needed:,}"
        raise DataError("train_data_path", path, allowed)
    if len(valid) < MIN_VALIDATION:
        if data.valid_data_path is None:
            allowed = f"holds out {len(valid)} tokens; there must be at least {MIN_VALIDATION}"
            raise DataError("valid_fraction", data.valid_fraction, allowed)
        allowed = f"has {len(valid)} {unit}; it must have at least {MIN_VALIDATION}"
        raise DataError("valid_data_path", data.valid_data_path, allowed)


UNITS: dict[type, str] = {CharTokenizer: "characters", IdTokenizer: "ids"}
"""The unit in which a text or file is counted, if that is not tokens."""


def held_out_length(length: int, fraction: float) -> int:
    """The number of tokens at the end of a text that are validation data."""
    return max(MIN_VALIDATION, int(length * fraction))


def least_length(max_seq_len: int, fraction: float) -> int:
    """The minimum length of a text whose training data has one window."""
    window = max_seq_len + 1
    length = max(window + MIN_VALIDATION, int((window - 1) / (1 - fraction)) - 1)
    while length - held_out_length(length, fraction) < window:
        length += 1
    return length


def check_vocabulary(tokenizer: Tokenizer, model: ModelConfig) -> None:
    """Raises `DataError` if the model's vocabulary is smaller than the tokenizer's."""
    if model.vocab_size is not None and model.vocab_size < tokenizer.vocab_size:
        allowed = (
            f"must be at least {tokenizer.vocab_size}, the number of tokens of this data, or empty"
        )
        raise DataError("vocab_size", model.vocab_size, allowed)
    if model.src_vocab_size is not None and model.src_vocab_size < tokenizer.vocab_size:
        allowed = (
            f"must be at least {tokenizer.vocab_size}, the number of tokens of this data, or empty"
        )
        raise DataError("src_vocab_size", model.src_vocab_size, allowed)
