"""Tokenizers: text to token ids and back, all behind the one contract `Tokenizer`.

Nothing in this package loads PyTorch.
"""

from __future__ import annotations

from engine.tokenizers.base import (
    TokenArray,
    Tokenizer,
    TokenizerError,
    UnknownCharacters,
    readable,
)
from engine.tokenizers.char import CharTokenizer
from engine.tokenizers.files import TOKENIZERS, load_tokenizer, save_tokenizer
from engine.tokenizers.ids import IdTokenizer

__all__ = [
    "TOKENIZERS",
    "CharTokenizer",
    "IdTokenizer",
    "TokenArray",
    "Tokenizer",
    "TokenizerError",
    "UnknownCharacters",
    "load_tokenizer",
    "readable",
    "save_tokenizer",
]
