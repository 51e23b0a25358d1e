"""Tokenizers as files: `tokenizer.json` beside a model's weights, in the format of Hugging Face."""

from __future__ import annotations

from pathlib import Path

from engine.files import atomic_output, check_stored, read_stored
from engine.tokenizers.base import MAX_BYTES, Tokenizer, json_object
from engine.tokenizers.bpe import BPETokenizer
from engine.tokenizers.byte import LETTERS, ByteTokenizer
from engine.tokenizers.char import SPLITS, CharTokenizer
from engine.tokenizers.errors import TokenizerError
from engine.tokenizers.ids import SPLIT, IdTokenizer
from engine.tokenizers.marked import MarkedTokenizer
from engine.tokenizers.older_files import from_older_file
from engine.tokenizers.pipeline import Pipeline, byte_level, split_at
from engine.tokenizers.word import PATTERN, WordTokenizer

KINDS = tuple(
    kind.kind
    for kind in (
        CharTokenizer, ByteTokenizer, WordTokenizer, BPETokenizer, IdTokenizer, MarkedTokenizer,
    )
)  # fmt: skip
"""The values of `tokenizer.kind`."""

FIELDS = {
    "characters": "model.vocab",
    "pieces": "model.vocab",
    "tokens": "model.vocab",
    "vocab_size": "model.vocab",
    "inner": "model.vocab",
    "merges": "model.merges",
    "specials": "added_tokens",
}
"""The field of `tokenizer.json` that becomes each argument of a tokenizer's class."""


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write a tokenizer for `load_tokenizer`, and for `tokenizers.Tokenizer.from_file`."""
    with atomic_output(path) as file:
        file.write(f"{tokenizer.to_json()}\n".encode())


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer from its file.

    Raises `TokenizerError` (a `ValueError`) naming the field for a broken file, or one that no tokenizer
    here can express, and `OSError` for one that cannot be read, or is a link: resolve a path that a user
    names first.
    """
    size = check_stored(path)
    if size > MAX_BYTES:
        raise TokenizerError(path.name, f"has {size} bytes; a tokenizer has at most {MAX_BYTES}")
    return tokenizer_from_json(read_stored(path, MAX_BYTES), path.name)


def tokenizer_from_json(text: str | bytes, name: str = "tokenizer.json") -> Tokenizer:
    """The tokenizer that `to_json` wrote, or an earlier version, or Hugging Face's `tokenizers`.

    Raises `TokenizerError` naming the field, or the file `name`.
    """
    values = json_object(text, name)
    if "type" in values:
        return from_older_file(values)
    pipeline = Pipeline.of(values)
    try:
        return from_pipeline(pipeline)
    except TokenizerError as error:
        raise TokenizerError(FIELDS.get(error.field, error.field), error.problem) from None


def from_pipeline(pipeline: Pipeline) -> Tokenizer:
    """The tokenizer that does the same. Raises `TokenizerError` if there is none."""
    inner = MarkedTokenizer.inner_pipeline(pipeline)
    if inner is not None:
        return MarkedTokenizer(from_pipeline(inner))
    cut = pipeline.pre_tokenizer
    if pipeline.model == "WordLevel" and cut == SPLIT:
        return IdTokenizer.from_pipeline(pipeline)
    if pipeline.model == "WordLevel" or cut is None or cut in SPLITS:
        return CharTokenizer.from_pipeline(pipeline)
    if cut == split_at(PATTERN):
        return WordTokenizer.from_pipeline(pipeline)
    if cut == byte_level(False) and pipeline.tokens == [*LETTERS] and not pipeline.merges:
        return ByteTokenizer()
    return BPETokenizer.from_pipeline(pipeline)
