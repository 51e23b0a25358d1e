"""Byte-level byte-pair encoding (BPE): the tokenizer, how it is trained, and GPT-2's files."""

from __future__ import annotations

from engine.tokenizers.bpe.gpt2_files import load_gpt2, save_gpt2
from engine.tokenizers.bpe.tokenizer import BPETokenizer
from engine.tokenizers.bpe.training import Merge, train_merges

__all__ = ["BPETokenizer", "Merge", "load_gpt2", "save_gpt2", "train_merges"]
