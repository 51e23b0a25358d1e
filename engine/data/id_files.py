"""Token ids in files: `.bin`, and what `prepare` writes beside them.

    train.bin, val.bin   ids, little-endian, one after the other, as numpy's `tofile` writes them
    tokenizer.json       the tokenizer that made them
    meta.json            type and number of the ids, size of the vocabulary, source of the text

A `.bin` file alone is read as uint16, and the size of its vocabulary must be given. Files are
memory-mapped, so they may be larger than memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.config import DataConfig, ModelConfig
from engine.data.base import DataError
from engine.data.reading import size_of_file
from engine.files import read_object
from engine.tokenizers import IdTokenizer, TokenArray, Tokenizer, TokenizerError
from engine.tokenizers.files import MAX_BYTES, tokenizer_from_json

META, TOKENIZER = "meta.json", "tokenizer.json"

UNFINISHED = ".prepare.json"
"""Exists while `prepare` is not finished: its texts, its settings, and its progress."""

DTYPES: dict[str, np.dtype[np.uint16 | np.uint32]] = {
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
}
"""Types of stored ids, by their name in `meta.json`."""

CHECK_AT_ONCE = 2**24
"""Ids."""


@dataclass(frozen=True)
class Made:
    """The type of the ids in a file, and the tokenizer that made them."""

    dtype: str
    tokenizer: Tokenizer


def is_ids(path: Path) -> bool:
    """Whether the name of a file is that of a file of ids."""
    return path.suffix.lower() == ".bin"


def from_id_files(
    train: Path, valid: Path | None, data: DataConfig, model: ModelConfig
) -> tuple[Tokenizer, TokenArray, TokenArray | None]:
    """The tokenizer, the training ids, and the validation ids if they have a file.

    Raises `DataError` naming the field.
    """
    if data.tokenizer is not None or data.tokenizer_size is not None:
        field = "tokenizer" if data.tokenizer is not None else "tokenizer_size"
        allowed = "must be empty for a .bin file, whose tokens are given"
        raise DataError(field, getattr(data, field), allowed)
    made = made_with(train, "train_data_path")
    if made is None and model.vocab_size is None:
        allowed = f"must be set for a .bin file without {META} beside it: how many ids there are"
        raise DataError("vocab_size", None, allowed)
    if made is None:
        assert model.vocab_size is not None
        made = Made("uint16", IdTokenizer(model.vocab_size))
    vocab_size = made.tokenizer.vocab_size
    ids = read_ids(train, "train_data_path", vocab_size, made.dtype)
    if valid is None:
        return made.tokenizer, ids, None
    other = made_with(valid, "valid_data_path") or Made("uint16", IdTokenizer(vocab_size))
    if other.tokenizer != made.tokenizer:
        allowed = "must be made by the same tokenizer as the training data"
        raise DataError("valid_data_path", str(valid), allowed)
    return made.tokenizer, ids, read_ids(valid, "valid_data_path", vocab_size, other.dtype)


def made_with(path: Path, field: str) -> Made | None:
    """The description of a file of ids in the files beside it; None without such files.

    Raises `DataError` if they do not belong together.
    """

    def refuse(allowed: str) -> DataError:
        return DataError(field, str(path), allowed)

    size_of_file(path, field)
    if (path.with_name(UNFINISHED)).exists():
        raise refuse("is not finished: run the same prepare command again")
    if not path.with_name(META).is_file():
        return None
    try:
        meta = read_object(_small(path.with_name(META)))
        content = _small(path.with_name(TOKENIZER))
    except OSError as error:
        raise refuse(f"lacks what belongs beside it: {error}") from None
    values: dict[str, Any] = meta or {}
    if values.get("dtype") not in DTYPES or not isinstance(values.get("vocab_size"), int):
        raise refuse(f"{META} beside it does not say dtype ({', '.join(DTYPES)}) and vocab_size")
    try:
        tokenizer = tokenizer_from_json(content, TOKENIZER)
    except TokenizerError as error:
        raise refuse(f"{TOKENIZER} beside it is none: {error}") from None
    if tokenizer.vocab_size != values["vocab_size"]:
        allowed = f"{TOKENIZER} beside it has {tokenizer.vocab_size:,} tokens, {META} {values['vocab_size']:,}"
        raise refuse(allowed)
    if values.get("tokenizer_sha256") not in (None, hashlib.sha256(content).hexdigest()):
        raise refuse(f"{TOKENIZER} beside it is not the one that made it")
    return Made(values["dtype"], tokenizer)


def _small(path: Path) -> bytes:
    """The content of a small file. Raises `OSError`."""
    with open(path, "rb") as file:
        return file.read(MAX_BYTES)


def read_ids(path: Path, field: str, vocab_size: int, dtype: str = "uint16") -> TokenArray:
    """A memory-mapped file of ids (N,), little-endian. Raises `DataError` if it is invalid."""
    stored = DTYPES[dtype]
    size = size_of_file(path, field)
    if size == 0:
        raise DataError(field, str(path), "is empty")
    if size % stored.itemsize:
        allowed = (
            f"has {size:,} bytes: ids of {stored.itemsize} bytes need a multiple of "
            f"{stored.itemsize}"
        )
        raise DataError(field, str(path), allowed)
    try:
        ids: TokenArray = np.memmap(path, dtype=stored, mode="r")
    except OSError as error:
        raise DataError(field, str(path), f"cannot be read: {error.strerror}") from None
    for start in range(0, len(ids), CHECK_AT_ONCE):
        outside = ids[start : start + CHECK_AT_ONCE] >= vocab_size
        if outside.any():
            place = start + int(outside.argmax())
            allowed = f"has id {ids[place]} at position {place:,}; vocab_size is {vocab_size}"
            raise DataError(field, str(path), allowed)
    return ids
