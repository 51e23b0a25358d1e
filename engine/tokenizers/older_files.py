"""Tokenizers in the files that runs of earlier versions hold: they are read, and never written.

{"type": "char", "characters": "abc...", "specials": ["<end>"]}
{"type": "word", "pieces": [" ", "a", ..., " the"]}
{"type": "byte"}
{"type": "bpe", "tokens": ["Ā", ...], "merges": ["Ġ t", ...], "specials": [...]}
{"type": "ids", "vocab_size": 50257}
{"type": "marked", "inner": {"type": "word", ...}}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from engine.tokenizers.base import Tokenizer
from engine.tokenizers.bpe import BPETokenizer
from engine.tokenizers.byte import ByteTokenizer
from engine.tokenizers.char import CharTokenizer
from engine.tokenizers.errors import TokenizerError
from engine.tokenizers.ids import IdTokenizer
from engine.tokenizers.marked import MarkedTokenizer
from engine.tokenizers.pipeline import Part, merges_of, string_list
from engine.tokenizers.word import WordTokenizer


def from_older_file(values: Part) -> Tokenizer:
    """The tokenizer in such a file. Raises `TokenizerError` naming the field."""
    kind: Any = values.get("type")
    if not isinstance(kind, str) or kind not in READERS:
        raise TokenizerError("type", f"{kind!r} must be one of {', '.join(READERS)}")
    return READERS[kind](values)


def _char(values: Part) -> Tokenizer:
    characters = values.get("characters")
    if not isinstance(characters, str):
        raise TokenizerError("characters", "must be a string of all the characters")
    return CharTokenizer(characters, _strings(values, "specials"))


def _word(values: Part) -> Tokenizer:
    return WordTokenizer(string_list(values.get("pieces"), "pieces"))


def _byte(values: Part) -> Tokenizer:
    return ByteTokenizer()


def _bpe(values: Part) -> Tokenizer:
    merges = merges_of(_strings(values, "merges"), "merges")
    return BPETokenizer(_strings(values, "tokens"), merges, _strings(values, "specials"))


def _ids(values: Part) -> Tokenizer:
    vocab_size: Any = values.get("vocab_size")
    if not isinstance(vocab_size, int) or isinstance(vocab_size, bool):
        raise TokenizerError("vocab_size", "must be a whole number")
    return IdTokenizer(vocab_size)


def _marked(values: Part) -> Tokenizer:
    inner: Any = values.get("inner")
    if not isinstance(inner, dict):
        raise TokenizerError("inner", "must be a tokenizer")
    part = cast("Part", inner)
    if part.get("type") == "marked":  # before it is read: a file may nest it without end
        raise TokenizerError("inner", "has the special tokens already")
    return MarkedTokenizer(from_older_file(part))


def _strings(values: Part, field: str) -> list[str]:
    return string_list(values.get(field, []), field)


READERS: dict[str, Callable[[Part], Tokenizer]] = {
    "char": _char,
    "byte": _byte,
    "word": _word,
    "bpe": _bpe,
    "ids": _ids,
    "marked": _marked,
}
"""The reader of a file, by the file's type."""
