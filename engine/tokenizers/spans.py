"""Where each token stands in a text: for showing how tokenizers cut it.

Places are counted in bytes of the text's UTF-8 form, since a token may be a part of a character.
"""

from __future__ import annotations

import re
from itertools import accumulate

from engine.tokenizers.base import Tokenizer, UnknownCharacters, utf8
from engine.tokenizers.bpe import BPETokenizer
from engine.tokenizers.byte import BYTES, ByteTokenizer
from engine.tokenizers.marked import SPECIALS, MarkedTokenizer


def spans(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[int | None]]:
    """The first byte of each token in the text, and its id.

    A character that the tokenizer cannot write is one token, with None for its id.
    Raises `UnknownCharacters` for half a character (a surrogate).

    >>> spans(CharTokenizer("ab"), "aéb")
    ([0, 1, 3], [0, None, 1])
    """
    ids, lengths = _known(tokenizer, text)
    return [0, *accumulate(lengths)][: len(ids)], ids


def _known(tokenizer: Tokenizer, text: str) -> tuple[list[int | None], list[int]]:
    """The id of each token, or None, and how many bytes it is of the text."""
    try:
        ids = tokenizer.encode(text)
    except UnknownCharacters as error:
        utf8(text)  # halves of characters are not text, whatever the tokenizer
        unknown = set(error.characters)
    else:
        return [*ids], [len(token_bytes(tokenizer, token)) for token in ids]
    found: list[int | None] = []
    lengths: list[int] = []
    for part in re.split(f"([{''.join(map(re.escape, unknown))}])", text):
        more = ([None], [len(utf8(part))]) if part in unknown else _known(tokenizer, part)
        if part:
            found += more[0]
            lengths += more[1]
    return found, lengths


def token_bytes(tokenizer: Tokenizer, token: int) -> bytes:
    """The bytes that a token writes."""
    if isinstance(tokenizer, MarkedTokenizer) and token >= len(SPECIALS):
        return token_bytes(tokenizer.inner, token - len(SPECIALS))
    if isinstance(tokenizer, BPETokenizer):
        return tokenizer.tokens[token]
    if isinstance(tokenizer, ByteTokenizer):
        return BYTES[token]
    return utf8(tokenizer.pieces[token])
