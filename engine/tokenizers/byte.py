"""One token for each byte of the text in UTF-8: 256 tokens encode every text.

This is the vocabulary that byte-level BPE begins with (Radford et al. 2019, "Language Models are
Unsupervised Multitask Learners", section 2.2). An English letter is one byte, `é` two, `世` three,
most emoji four. So a token may be a part of a character, which has no text of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from engine.tokenizers.base import TokenArray, check_ids, utf8
from engine.tokenizers.errors import TokenizerError
from engine.tokenizers.pipeline import Pipeline, byte_level

BYTES = tuple(bytes([value]) for value in range(256))
"""Each byte, by its value."""

STRAYS = re.compile("[\udc80-\udcff]+")

# GPT-2's alphabet: a printable character for each byte, in which its files write tokens. From the code released
# with the paper (`bytes_to_unicode`): a byte that is a visible character of Latin-1 is written as itself, and the 68
# others take the characters from U+0100 on, in order. So a space is written `Ġ`, a newline `Ċ`, and `é`, which is
# two bytes, `Ã©`.
VISIBLE = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), 256)}
OTHERS = [value for value in range(256) if value not in VISIBLE]

LETTERS = tuple(
    chr(value) if value in VISIBLE else chr(256 + OTHERS.index(value)) for value in range(256)
)
"""The character of each byte, by the byte's value."""

VALUE_OF = {letter: value for value, letter in enumerate(LETTERS)}


def spell(token: bytes) -> str:
    """`b" the"` is written `Ġthe`."""
    return "".join(map(LETTERS.__getitem__, token))


def unspell(spelled: str, field: str) -> bytes:
    """The bytes of a token. Raises `TokenizerError` about `field` for other characters."""
    try:
        return bytes(map(VALUE_OF.__getitem__, spelled))
    except KeyError as error:
        letter = ascii(error.args[0])
        problem = f"{spelled[:40]!a} is not in GPT-2's alphabet of bytes: {letter}"
        raise TokenizerError(field, problem) from None


class ByteTokenizer:
    """The id of a byte is its value: `decode(encode(text)) == text` for every text.

    >>> ByteTokenizer().encode("hé")
    [104, 195, 169]
    """

    kind = "byte"
    vocab_size = 256

    @property
    def pieces(self) -> tuple[str, ...]:
        """A character for each byte below 128, `⟨C3⟩` for others: see `readable_bytes`."""
        return PIECES

    def encode(self, text: str) -> list[int]:
        """The bytes of a text in UTF-8. Raises `UnknownCharacters` for a surrogate."""
        return list(utf8(text))

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,) of uint16."""
        return np.frombuffer(utf8(text), np.uint8).astype(np.uint16)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these bytes, U+FFFD (�) for invalid UTF-8. Raises `ValueError` for an id above 255."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """These bytes. Raises `ValueError` for an id above 255."""
        return check_ids(ids, 256).astype(np.uint8).tobytes()

    def pipeline(self) -> Pipeline:
        """Byte-level BPE without merges, and without a pattern."""
        return Pipeline(LETTERS, byte_level(False), byte_level(False), unknown=None)

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.pipeline().to_json()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteTokenizer)

    def __hash__(self) -> int:
        return hash(self.kind)


def readable_bytes(content: bytes) -> str:
    """A token's bytes for display: valid UTF-8 as text, other bytes as `⟨E4 BD⟩`.

    `b" the"` is `" the"`; the first two bytes of `你`, `b"\\xe4\\xbd"`, are `⟨E4 BD⟩`; with a space
    before them ` ⟨E4 BD⟩`. For display only: a token whose text is `⟨E4 BD⟩` is displayed alike.
    """
    text = content.decode("utf-8", "surrogateescape")  # an invalid byte becomes U+DC80 to U+DCFF
    return STRAYS.sub(
        lambda run: f"⟨{run[0].encode('utf-8', 'surrogateescape').hex(' ').upper()}⟩", text
    )


PIECES = tuple(map(readable_bytes, BYTES))
