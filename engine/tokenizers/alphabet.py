"""GPT-2's alphabet: a printable character for each byte, in which its files spell tokens.

From the code released with Radford et al. 2019 (`bytes_to_unicode`): a byte that is a visible
character of Latin-1 stands for itself, and the 68 others, in order, take the characters from U+0100
on. So a space is written `Ġ`, a newline `Ċ`, and `é`, which is two bytes, `Ã©`.
"""

from __future__ import annotations

from engine.tokenizers.base import TokenizerError

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
