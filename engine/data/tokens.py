"""The tokenizer of pairs to translate: one for both languages, learned from the training part."""

from __future__ import annotations

from collections.abc import Sequence

from engine.config import TokenizerName
from engine.data.base import DataError
from engine.tokenizers import (
    BPETokenizer,
    CharTokenizer,
    MarkedTokenizer,
    Tokenizer,
    TokenizerError,
    WordTokenizer,
)

BPE_SIZE = 8_000
"""Pieces of words, where nothing else is asked for."""


def joint_tokenizer(
    kind: TokenizerName, size: int | None, texts: Sequence[str], *, min_count: int = 1
) -> MarkedTokenizer:
    """One vocabulary for the texts of both languages, with the special tokens in front.

    One for both lets the model copy names and numbers, and share its embeddings (Vaswani 2017,
    section 5.1). Words seen less than `min_count` times are spelled, unless `size` says how many
    there are to be. Raises `DataError` naming `tokenizer` or `tokenizer_size`.
    """
    try:
        return MarkedTokenizer(_inner(kind, size, texts, min_count))
    except TokenizerError as error:
        raise DataError("tokenizer_size", size, str(error)) from None


def _inner(
    kind: TokenizerName, size: int | None, texts: Sequence[str], min_count: int
) -> Tokenizer:
    if kind == "char":
        return CharTokenizer.train("".join(texts))
    if kind == "word":
        return WordTokenizer.train(texts, 1 if size is not None else min_count, size)
    return BPETokenizer.train("\n".join(texts), BPE_SIZE if size is None else size)
