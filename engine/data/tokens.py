"""Chooses and trains the tokenizer of a data source, on its training data.

For the text of a language model: characters, words, bytes or subwords. For translation pairs: one
vocabulary for both languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.config import TokenizerName
from engine.data.base import DataError
from engine.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    MarkedTokenizer,
    Tokenizer,
    TokenizerError,
    WordTokenizer,
)

TEXT_BPE_SIZE = 1_000
"""Default vocabulary size of BPE for a text of about a megabyte."""

BPE_SIZE = 8_000
"""The same for translation pairs and for `prepare`."""

MIN_COUNT = 2
"""A word that occurs only once is spelled: as a token, its embedding could not be learned."""


def text_tokenizer(
    kind: TokenizerName | None, size: int | None, train: str, characters: Iterable[str]
) -> Tokenizer:
    """The tokenizer of a text, trained on the training data, except for its `characters`.

    `characters` are those of the complete text, so that validation words can be spelled. Raises
    `DataError` naming `tokenizer_size`.
    """
    alphabet = set(characters)
    check_size(kind, size, len(alphabet))
    if kind in (None, "char"):
        return CharTokenizer(sorted(alphabet))
    if kind == "word":
        return word_tokenizer([train], size, alphabet)
    return _inner(kind, TEXT_BPE_SIZE if size is None else size, [train], MIN_COUNT)


def check_size(
    kind: TokenizerName | None, size: int | None, characters: int, field: str = "tokenizer_size"
) -> None:
    """Raises `DataError` if a text with `characters` distinct characters cannot have this vocabulary."""
    if kind is None and size is not None:
        raise DataError(field, size, "must be empty for characters: set tokenizer to bpe or word")
    if kind == "word" and size is not None and size < characters:
        allowed = f"must be at least {characters:,}, one for each character of the text"
        raise DataError(field, size, allowed)


def word_tokenizer(
    texts: Iterable[str], size: int | None, characters: Iterable[str]
) -> WordTokenizer:
    """Frequent words, and all of `characters`."""
    return WordTokenizer.train(texts, 1 if size is not None else MIN_COUNT, size, characters)


def joint_tokenizer(
    kind: TokenizerName, size: int | None, texts: Sequence[str], *, min_count: int = 1
) -> MarkedTokenizer:
    """One vocabulary for both languages, with the special tokens in front.

    A joint vocabulary lets the model copy names and numbers, and share its embeddings (Vaswani 2017, section
    5.1). Words that occur less than `min_count` times are spelled, unless `size` is given. Raises `DataError`
    naming `tokenizer` or `tokenizer_size`.
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
    if kind == "byte":
        return ByteTokenizer()
    if kind == "word":
        return WordTokenizer.train(texts, 1 if size is not None else min_count, size)
    return BPETokenizer.train("\n".join(texts), BPE_SIZE if size is None else size)
