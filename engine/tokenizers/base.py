"""The contract of every tokenizer, and checks that several of them need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engine.tokenizers.errors import TokenizerError, UnknownCharacters, readable
from engine.tokenizers.pipeline import Pipeline

MAX_BYTES = 32 * 2**20
"""A vocabulary of all Unicode characters takes less as JSON, so a longer file is no tokenizer."""

MAX_SPECIALS = 4_096
MAX_SPECIAL_LENGTH = 64

TokenArray = NDArray[np.uint16 | np.uint32]
"""Token ids of a text, in the smallest integer type that holds the vocabulary."""


class Tokenizer(Protocol):
    """Text to token ids and back. Ids are 0 to `vocab_size - 1`; `pieces[i]` is the text of i."""

    @property
    def vocab_size(self) -> int:
        """V, the number of tokens."""
        ...

    @property
    def pieces(self) -> Sequence[str]:
        """The text of each token, by id."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises `UnknownCharacters` for characters outside the vocabulary."""
        ...

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,), for long texts."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids. Raises `ValueError` for an id outside the vocabulary."""
        ...

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Their text in UTF-8, which may begin or end inside a character. Raises as `decode`."""
        ...

    def pipeline(self) -> Pipeline:
        """The same tokenizer as `tokenizer.json` describes it."""
        ...

    def to_json(self) -> str:
        """The content of `tokenizer.json`: `tokenizer_from_json` reads it."""
        ...


class WholePieces:
    """A mixin for tokenizers whose tokens are complete characters: a text is the concatenation of its pieces."""

    pieces: tuple[str, ...]

    @property
    def vocab_size(self) -> int:
        """V, the number of tokens."""
        return len(self.pieces)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids. Raises `ValueError` for an id outside the vocabulary."""
        known: list[int] = check_ids(ids, self.vocab_size).tolist()
        return "".join(map(self.pieces.__getitem__, known))

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The same in UTF-8: always complete characters."""
        return self.decode(ids).encode()


def token_type(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest type that holds the ids of a vocabulary: uint16 for up to 65,536 tokens."""
    return np.uint16 if vocab_size <= 2**16 else np.uint32


def json_object(text: str | bytes, name: str) -> dict[str, Any]:
    """The fields of a JSON object. Raises `TokenizerError` about the file `name`."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(name, f"is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise TokenizerError(name, "must be a JSON object")
    return cast("dict[str, Any]", values)


def check_ids(ids: Iterable[int], vocab_size: int) -> NDArray[np.int64]:
    """The ids as an array (N,). Raises `ValueError` naming the first id outside the vocabulary."""
    array = np.fromiter(ids, dtype=np.int64)
    outside = (array < 0) | (array >= vocab_size)
    if outside.any():
        wrong = int(array[outside][0])
        raise ValueError(f"token id {wrong} is not in the vocabulary: 0 to {vocab_size - 1}")
    return array


def check_specials(specials: Sequence[str]) -> None:
    """Check the names of special tokens. Raises `TokenizerError` about `specials`."""
    check_pieces("specials", specials, longest=MAX_SPECIAL_LENGTH)
    if len(specials) > MAX_SPECIALS:
        raise TokenizerError("specials", f"{len(specials)} entries, at most {MAX_SPECIALS}")


def check_pieces(field: str, pieces: Sequence[str], longest: int) -> None:
    """Check that each piece is text of 1 to `longest` characters, and that no piece occurs twice.

    Raises `TokenizerError` about `field`.
    """
    for piece in pieces:
        if not isinstance(piece, str):  # pyright: ignore[reportUnnecessaryIsInstance]: from a file
            raise TokenizerError(field, "must all be text")
        if not 1 <= len(piece) <= longest:
            raise TokenizerError(field, f"{piece[:80]!r} must have 1 to {longest} characters")
        if any("\ud800" <= character <= "\udfff" for character in piece):
            raise TokenizerError(field, f"{piece[:80]!a} is half a character, not text")
    for one, next_one in pairwise(sorted(pieces)):
        if one == next_one:
            name = readable(one) if len(one) == 1 else repr(one[:80])
            raise TokenizerError(field, f"{name} occurs twice")


def utf8(text: str) -> bytes:
    """The text in UTF-8. Raises `UnknownCharacters` for surrogates, which UTF-8 does not have."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        halves = [piece for piece in dict.fromkeys(text) if "\ud800" <= piece <= "\udfff"]
        raise UnknownCharacters(halves) from None
