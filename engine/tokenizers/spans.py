"""The position of each token in a text, to show how tokenizers split it.

Positions are bytes of the text in UTF-8, since a token may be a part of a character.
"""

from __future__ import annotations

import re
from itertools import accumulate

from engine.tokenizers.base import Tokenizer, utf8
from engine.tokenizers.errors import UnknownCharacters


def spans(tokenizer: Tokenizer, text: str) -> tuple[list[int], list[int | None]]:
    """The first byte of each token in the text, and its id.

    A character outside the vocabulary is one token, whose id is None.
    Raises `UnknownCharacters` for a surrogate.

    >>> spans(CharTokenizer("ab"), "aéb")
    ([0, 1, 3], [0, None, 1])
    """
    ids, lengths = _known(tokenizer, text)
    return [0, *accumulate(lengths)][: len(ids)], ids


def _known(tokenizer: Tokenizer, text: str) -> tuple[list[int | None], list[int]]:
    """The id of each token, or None, and its number of bytes."""
    try:
        ids = tokenizer.encode(text)
    except UnknownCharacters as error:
        utf8(text)  # surrogates are not text, whatever the tokenizer
        unknown = set(error.characters)
    else:
        return [*ids], [len(tokenizer.decode_bytes([token])) for token in ids]
    found: list[int | None] = []
    lengths: list[int] = []
    for part in re.split(f"([{''.join(map(re.escape, unknown))}])", text):
        more = ([None], [len(utf8(part))]) if part in unknown else _known(tokenizer, part)
        if part:
            found += more[0]
            lengths += more[1]
    return found, lengths
