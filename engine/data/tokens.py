"""What turns a source of data into tokens, learned from the part that is trained on.

A language model's text: its characters, its words, bytes, or pieces of words. Pairs to translate:
one vocabulary for both languages.
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
"""Pieces of words in a text of a megabyte or so, where nothing else is asked for."""

BPE_SIZE = 8_000
"""The same of pairs to translate, and of texts that are prepared."""

MIN_COUNT = 2
"""A word that comes only once is spelled: it could not be learned as a token of its own."""


def text_tokenizer(
    kind: TokenizerName | None, size: int | None, train: str, characters: Iterable[str]
) -> Tokenizer:
    """The tokenizer of a text, learned from the training part alone, but for its `characters`.

    These are those of the whole text: no text without them could be written, and held-out words are
    spelled with them. Raises `DataError` naming `tokenizer_size`.
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
    """Raises `DataError` where a text of so many different characters cannot have this vocabulary."""
    if kind is None and size is not None:
        raise DataError(field, size, "must be empty for characters: set tokenizer to bpe or word")
    if kind == "word" and size is not None and size < characters:
        allowed = f"must be at least {characters:,}, one for each character of the text"
        raise DataError(field, size, allowed)


def word_tokenizer(
    texts: Iterable[str], size: int | None, characters: Iterable[str]
) -> WordTokenizer:
    """Frequent words, and all of these characters."""
    return WordTokenizer.train(texts, 1 if size is not None else MIN_COUNT, size, characters)


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
    if kind == "byte":
        return ByteTokenizer()
    if kind == "word":
        return WordTokenizer.train(texts, 1 if size is not None else min_count, size)
    return BPETokenizer.train("\n".join(texts), BPE_SIZE if size is None else size)
