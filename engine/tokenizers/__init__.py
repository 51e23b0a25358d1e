"""Tokenizers: text to token ids and back, all behind the one contract `Tokenizer`.

Nothing in this package loads PyTorch.
"""

from __future__ import annotations

from engine.tokenizers.base import TokenArray, Tokenizer
from engine.tokenizers.bpe import BPETokenizer, Merge, load_gpt2, save_gpt2, train_merges
from engine.tokenizers.byte import ByteTokenizer, readable_bytes
from engine.tokenizers.char import CharTokenizer
from engine.tokenizers.errors import TokenizerError, UnknownCharacters, readable
from engine.tokenizers.files import load_tokenizer, save_tokenizer, tokenizer_from_json
from engine.tokenizers.ids import IdTokenizer
from engine.tokenizers.marked import BEGIN, END, PAD, UNKNOWN, MarkedTokenizer
from engine.tokenizers.streaming import TextStream
from engine.tokenizers.word import WordTokenizer

__all__ = [
    "BEGIN",
    "BPETokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "END",
    "IdTokenizer",
    "MarkedTokenizer",
    "Merge",
    "PAD",
    "TextStream",
    "TokenArray",
    "Tokenizer",
    "TokenizerError",
    "UNKNOWN",
    "UnknownCharacters",
    "WordTokenizer",
    "load_gpt2",
    "load_tokenizer",
    "readable",
    "readable_bytes",
    "save_gpt2",
    "save_tokenizer",
    "tokenizer_from_json",
    "train_merges",
]
