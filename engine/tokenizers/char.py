"""One token for each character: the smallest tokenizer there is, which hides nothing.

A character here is a Unicode code point. The vocabulary is the characters that occur, in the order
of their code points, followed by named specials such as `<end>`, which stand for one token each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.tokenizers.base import (
    TokenArray,
    TokenizerError,
    UnknownCharacters,
    check_ids,
    check_pieces,
    check_specials,
    json_object,
    readable,
    token_type,
)

UNKNOWN = -1


class CharTokenizer:
    """`decode(encode(text)) == text` for every text made of its characters and specials.

    Text that spells a special is always that special, never its letters; where two specials begin
    at the same place, the longer one is read.

        >>> tokenizer = CharTokenizer.train("banana", specials=("<end>",))
        >>> tokenizer.encode("nab<end>")
        [2, 0, 1, 3]
    """

    kind = "char"

    def __init__(self, characters: Sequence[str], specials: Sequence[str] = ()) -> None:
        """`characters` are single code points and `specials` longer names; no piece twice.

        Raises `TokenizerError` naming `characters` or `specials`.
        """
        check_pieces("characters", characters, longest=1)
        check_specials(specials)
        both = set(characters) & set(specials)
        if both:
            raise TokenizerError("specials", f"{readable(min(both))} is also one of characters")
        if not characters and not specials:
            raise TokenizerError("characters", "there are none")

        self.characters = tuple(characters)
        self.specials = tuple(specials)
        self.pieces: tuple[str, ...] = self.characters + self.specials
        self._special_id = {piece: len(characters) + i for i, piece in enumerate(specials)}
        longest_first = sorted(self.specials, key=len, reverse=True)
        self._special_pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})")
        # One look-up per character: id_of[code point] is the id, or UNKNOWN.
        code_points = np.array([ord(character) for character in characters], dtype=np.int64)
        self._id_of = np.full(int(code_points.max(initial=-1)) + 2, UNKNOWN, dtype=np.int32)
        self._id_of[code_points] = np.arange(len(characters))

    @classmethod
    def train(cls, text: str, specials: Sequence[str] = ()) -> CharTokenizer:
        """The vocabulary of a text. Raises `TokenizerError` for a text without characters."""
        if specials:
            text = re.sub("|".join(map(re.escape, specials)), "", text)
        return cls(sorted(set(text)), specials)

    @property
    def vocab_size(self) -> int:
        """V: the characters and the specials."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """The id of each character. Raises `UnknownCharacters`."""
        return self.encode_array(text).tolist()

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,) of uint16, or of uint32 for more than 65,536 pieces."""
        if self.specials:
            parts = self._special_pattern.split(text)  # text, special, text, special, ..., text
            ids = np.concatenate(
                [
                    [self._special_id[part]] if i % 2 else self._look_up(part)
                    for i, part in enumerate(parts)
                ]
            )
        else:
            ids = self._look_up(text)
        if (ids == UNKNOWN).any():
            known = set(self.characters)
            rest = self._special_pattern.sub("", text) if self.specials else text
            raise UnknownCharacters([piece for piece in dict.fromkeys(rest) if piece not in known])
        return ids.astype(token_type(self.vocab_size))

    def _look_up(self, text: str) -> NDArray[np.int32]:
        """The id of each character (N,), UNKNOWN where it has none."""
        code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        return self._id_of[np.minimum(code_points, len(self._id_of) - 1)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids. Raises `ValueError` for an id outside the vocabulary."""
        known: list[int] = check_ids(ids, self.vocab_size).tolist()
        return "".join(map(self.pieces.__getitem__, known))

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The same in UTF-8: always whole characters."""
        return self.decode(ids).encode()

    def to_json(self) -> str:
        """`{"type": "char", "characters": "abc...", "specials": [...]}`, for `from_json`."""
        values = {
            "type": self.kind,
            "characters": "".join(self.characters),
            "specials": self.specials,
        }
        return json.dumps(values, ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "tokenizer") -> CharTokenizer:
        """Read what `to_json` wrote. Raises `TokenizerError` naming the field, or the file."""
        values = json_object(text, name)
        characters = values.get("characters")
        if not isinstance(characters, str):
            raise TokenizerError("characters", "must be a string of all the characters")
        specials: Any = values.get("specials", [])
        if not isinstance(specials, list):
            raise TokenizerError("specials", "must be a list of strings")
        return cls(characters, cast("list[str]", specials))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharTokenizer) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.characters, self.specials
