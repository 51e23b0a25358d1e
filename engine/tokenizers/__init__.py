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
from engine.tokenizers.bpe import BPETokenizer
from engine.tokenizers.bpe_files import from_transformers, load_gpt2, save_gpt2, to_transformers
from engine.tokenizers.bpe_training import Merge, train_merges
from engine.tokenizers.byte import ByteTokenizer, readable_bytes
from engine.tokenizers.char import CharTokenizer
from engine.tokenizers.files import TOKENIZERS, load_tokenizer, save_tokenizer
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
    "TOKENIZERS",
    "TextStream",
    "TokenArray",
    "Tokenizer",
    "TokenizerError",
    "UNKNOWN",
    "UnknownCharacters",
    "WordTokenizer",
    "from_transformers",
    "load_gpt2",
    "load_tokenizer",
    "readable",
    "readable_bytes",
    "save_gpt2",
    "save_tokenizer",
    "to_transformers",
    "train_merges",
]
