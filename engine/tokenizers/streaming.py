"""Decode tokens one by one: a character appears when its last byte has arrived.

A byte-level token may be a part of a character (`你` is three bytes) and is not text by itself. Complete
characters are returned at once; the rest waits for the next token.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from engine.tokenizers.base import Tokenizer


class TextStream:
    """The results of all calls of `feed`, and of `end`, together are `decode` of all the ids.

    >>> stream = TextStream(ByteTokenizer())
    >>> [stream.feed([value]) for value in "é!".encode()], stream.end()
    (['', 'é', '!'], '')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, ids: Iterable[int]) -> str:
        """The text that these ids complete. Raises `ValueError` for an id outside the vocabulary."""
        return self._decoder.decode(self._tokenizer.decode_bytes(ids))

    def end(self) -> str:
        """U+FFFD (�) if a character is incomplete, else an empty text."""
        return self._decoder.decode(b"", final=True)
