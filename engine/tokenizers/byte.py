"""One token for each byte of the text's UTF-8 form: 256 tokens write every text there is.

The vocabulary that byte-level BPE begins with (Radford et al. 2019, "Language Models are
Unsupervised Multitask Learners", section 2.2). An English letter is one byte, `é` two, `世` three,
most emoji four: so a token may be a part of a character, which has no text of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import numpy as np

from engine.tokenizers.base import TokenArray, check_ids, json_object, utf8

BYTES = tuple(bytes([value]) for value in range(256))
"""Each byte by itself, by its value."""

STRAYS = re.compile("[\udc80-\udcff]+")


class ByteTokenizer:
    """The id of a byte is its value: `decode(encode(text)) == text` for every text.

    >>> ByteTokenizer().encode("hé")
    [104, 195, 169]
    """

    kind = "byte"
    vocab_size = 256

    @property
    def pieces(self) -> tuple[str, ...]:
        """A character for each byte below 128, `⟨C3⟩` for the others: see `readable_bytes`."""
        return PIECES

    def encode(self, text: str) -> list[int]:
        """The bytes of a text. Raises `UnknownCharacters` for half a character (a surrogate)."""
        return list(utf8(text))

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,) of uint16."""
        return np.frombuffer(utf8(text), np.uint8).astype(np.uint16)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these bytes, U+FFFD (�) for what is no UTF-8. Raises `ValueError` for an id above 255."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """These bytes. Raises `ValueError` for an id above 255."""
        return check_ids(ids, 256).astype(np.uint8).tobytes()

    def to_json(self) -> str:
        """`{"type": "byte"}`: there is nothing else to say."""
        return json.dumps({"type": self.kind})

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "tokenizer") -> ByteTokenizer:
        """Read what `to_json` wrote. Raises `TokenizerError` naming the file."""
        json_object(text, name)
        return cls()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteTokenizer)

    def __hash__(self) -> int:
        return hash(self.kind)


def readable_bytes(content: bytes) -> str:
    """A token's bytes as a person can read them: what is UTF-8 as text, other bytes as `⟨E4 BD⟩`.

    `b" the"` is `" the"`; the first two bytes of `你`, `b"\\xe4\\xbd"`, are `⟨E4 BD⟩`; with a space
    before them ` ⟨E4 BD⟩`. Made to be read: two tokens may look alike, if one of them is the text
    `⟨E4 BD⟩` itself.
    """
    text = content.decode(
        "utf-8", "surrogateescape"
    )  # a byte that is no text becomes U+DC80 to U+DCFF
    return STRAYS.sub(
        lambda run: f"⟨{run[0].encode('utf-8', 'surrogateescape').hex(' ').upper()}⟩", text
    )


PIECES = tuple(map(readable_bytes, BYTES))
