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
from engine.tokenizers.marked import BEGIN, END, PAD, UNKNOWN, MarkedTokenizer
from engine.tokenizers.word import WordTokenizer

__all__ = [
    "BEGIN",
    "END",
    "PAD",
    "TOKENIZERS",
    "UNKNOWN",
    "CharTokenizer",
    "IdTokenizer",
    "MarkedTokenizer",
    "TokenArray",
    "Tokenizer",
    "TokenizerError",
    "UnknownCharacters",
    "WordTokenizer",
    "load_tokenizer",
    "readable",
    "save_tokenizer",
]
