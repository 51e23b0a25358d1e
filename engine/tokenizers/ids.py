"""Token ids without a text: a stand-in tokenizer for `.bin` files, which hold only ids."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from engine.tokenizers.base import (
    TokenArray,
    TokenizerError,
    UnknownCharacters,
    check_ids,
    json_object,
    token_type,
)

MAX_VOCABULARY = 1_000_000
PIECE = re.compile("⟨([0-9]{1,7})⟩")


class IdTokenizer:
    """Token 17 is written `⟨17⟩`, since only the tokenizer that made the file knows its text."""

    kind = "ids"

    def __init__(self, vocab_size: int) -> None:
        if not 1 <= vocab_size <= MAX_VOCABULARY:
            raise TokenizerError("vocab_size", f"{vocab_size} must be 1 to {MAX_VOCABULARY}")
        self.vocab_size = vocab_size

    @property
    def pieces(self) -> tuple[str, ...]:
        """`⟨0⟩`, `⟨1⟩`, ..."""
        return self._pieces

    @cached_property
    def _pieces(self) -> tuple[str, ...]:
        return tuple(f"⟨{i}⟩" for i in range(self.vocab_size))

    def encode(self, text: str) -> list[int]:
        """The ids in `⟨17⟩⟨4⟩`. Raises `UnknownCharacters` for anything else in the text."""
        rest = PIECE.sub("", text)
        if rest:
            raise UnknownCharacters(list(dict.fromkeys(rest)))
        return check_ids(map(int, PIECE.findall(text)), self.vocab_size).tolist()

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,)."""
        return np.array(self.encode(text), token_type(self.vocab_size))

    def decode(self, ids: Iterable[int]) -> str:
        """`⟨17⟩⟨4⟩`. Raises `ValueError` for an id outside the vocabulary."""
        return "".join([f"⟨{i}⟩" for i in check_ids(ids, self.vocab_size).tolist()])

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The same in UTF-8: always whole characters."""
        return self.decode(ids).encode()

    def to_json(self) -> str:
        """`{"type": "ids", "vocab_size": 50257}`."""
        return json.dumps({"type": self.kind, "vocab_size": self.vocab_size})

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "tokenizer") -> IdTokenizer:
        """Read what `to_json` wrote. Raises `TokenizerError` naming the field, or the file."""
        vocab_size: Any = json_object(text, name).get("vocab_size")
        if not isinstance(vocab_size, int) or isinstance(vocab_size, bool):
            raise TokenizerError("vocab_size", "must be a whole number")
        return cls(vocab_size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdTokenizer) and self.vocab_size == other.vocab_size

    def __hash__(self) -> int:
        return hash((self.kind, self.vocab_size))
