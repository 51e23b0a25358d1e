"""Tokenizers as files: `tokenizer.json` beside a model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.jsonl import check_stored, read_stored, writing_out
from engine.tokenizers.base import MAX_BYTES, Tokenizer, TokenizerError, json_object
from engine.tokenizers.bpe import BPETokenizer
from engine.tokenizers.byte import ByteTokenizer
from engine.tokenizers.char import CharTokenizer
from engine.tokenizers.ids import IdTokenizer
from engine.tokenizers.marked import MarkedTokenizer
from engine.tokenizers.word import WordTokenizer

TOKENIZERS: dict[
    str,
    type[CharTokenizer]
    | type[ByteTokenizer]
    | type[WordTokenizer]
    | type[BPETokenizer]
    | type[IdTokenizer]
    | type[MarkedTokenizer],
] = {
    kind.kind: kind
    for kind in (
        CharTokenizer, ByteTokenizer, WordTokenizer, BPETokenizer, IdTokenizer, MarkedTokenizer,
    )
}  # fmt: skip


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write a tokenizer for `load_tokenizer`."""
    with writing_out(path) as file:
        file.write(f"{tokenizer.to_json()}\n".encode())


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer from its JSON file.

    Raises `TokenizerError` (a `ValueError`) naming the field for a broken or foreign file, and
    `OSError` for one that cannot be read, or is a link: a file of one's own is resolved first.
    """
    size = check_stored(path)
    if size > MAX_BYTES:
        raise TokenizerError(path.name, f"has {size} bytes; a tokenizer has at most {MAX_BYTES}")
    return tokenizer_from_json(read_stored(path, MAX_BYTES), path.name)


def tokenizer_from_json(text: str | bytes, name: str = "tokenizer") -> Tokenizer:
    """Build what a tokenizer's `to_json` wrote. Raises `TokenizerError` naming the field."""
    kind: Any = json_object(text, name).get("type")
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise TokenizerError("type", f"{kind!r} must be one of {', '.join(TOKENIZERS)}")
    return TOKENIZERS[kind].from_json(text, name)
