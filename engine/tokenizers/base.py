"""The contract that every tokenizer keeps, and the errors it may raise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 32 * 2**20
"""Every character there is, written as JSON, takes less: a longer file is not a tokenizer."""

MAX_SPECIALS = 4_096
MAX_SPECIAL_LENGTH = 64

TokenArray = NDArray[np.uint16 | np.uint32]
"""Token ids of a whole text, in the smallest type that holds the vocabulary."""


class Tokenizer(Protocol):
    """Text to token ids and back. Ids are 0 to `vocab_size - 1`; `pieces[i]` is the text of i."""

    @property
    def vocab_size(self) -> int:
        """V, how many different tokens there are."""
        ...

    @property
    def pieces(self) -> Sequence[str]:
        """The text of each token, by id."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises `UnknownCharacters` for what the vocabulary cannot write."""
        ...

    def encode_array(self, text: str) -> TokenArray:
        """The same as `encode`, as an array (N,): for texts of megabytes."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids. Raises `ValueError` for an id outside the vocabulary."""
        ...

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Their text in UTF-8, which may begin or end within a character. Raises as `decode`."""
        ...

    def to_json(self) -> str:
        """Everything needed to build the tokenizer again: `load_tokenizer` reads it."""
        ...


class TokenizerError(ValueError):
    """A tokenizer that cannot be: the field at fault, and what is wrong with it."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(f"{field}: {problem}")


class UnknownCharacters(ValueError):
    """A text holds characters that the vocabulary does not: `characters`, each of them once."""

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = list(characters)
        shown = ", ".join(map(readable, self.characters[:8]))
        more = len(self.characters) - 8
        super().__init__(
            f"not in the vocabulary: {shown}" + (f" and {more} more" if more > 0 else "")
        )


def readable(character: str) -> str:
    """One character as a person can read it: `'é' (U+00E9)`, or `U+0007` where nothing shows."""
    code = f"U+{ord(character):04X}"
    if character.isprintable() and not character.isspace():
        return f"'{character}' ({code})"
    names = {"\n": "newline", "\t": "tab", "\r": "carriage return", " ": "space"}
    return f"{names[character]} ({code})" if character in names else code


def token_type(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The smallest type that holds the ids of a vocabulary: uint16 up to 65,536 of them."""
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
    """The ids as an array (N,). Raises `ValueError` naming the first one outside the vocabulary."""
    array = np.fromiter(ids, dtype=np.int64)
    outside = (array < 0) | (array >= vocab_size)
    if outside.any():
        wrong = int(array[outside][0])
        raise ValueError(f"token id {wrong} is not in the vocabulary: 0 to {vocab_size - 1}")
    return array


def check_specials(specials: Sequence[str]) -> None:
    """Names of tokens that are read whole. Raises `TokenizerError` about `specials`."""
    check_pieces("specials", specials, longest=MAX_SPECIAL_LENGTH)
    if len(specials) > MAX_SPECIALS:
        raise TokenizerError("specials", f"{len(specials)} of them, at most {MAX_SPECIALS}")


def check_pieces(field: str, pieces: Sequence[str], longest: int) -> None:
    """Each piece is text of 1 to `longest` characters, and no piece comes twice."""
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
            raise TokenizerError(field, f"{name} is there twice")


def utf8(text: str) -> bytes:
    """The text's bytes. Raises `UnknownCharacters` for halves of characters: no text has them."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        halves = [piece for piece in dict.fromkeys(text) if "\ud800" <= piece <= "\udfff"]
        raise UnknownCharacters(halves) from None
