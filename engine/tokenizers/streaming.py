"""Text out of tokens as they come: a character is there when its last byte is.

A token of bytes or of byte-level BPE may be a part of a character (`你` is three bytes), and decoded
alone it is no text. What is complete can be shown at once, the rest waits for the next token.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from engine.tokenizers.base import Tokenizer


class TextStream:
    """All that `feed` gives, and `end` at last, together are `decode` of all the ids.

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
        """U+FFFD (�) for a character that has not come to its end, else nothing."""
        return self._decoder.decode(b"", final=True)
