"""Token ids without text: a placeholder tokenizer for `.bin` files, which have only ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from engine.tokenizers.base import TokenArray, check_ids, token_type
from engine.tokenizers.errors import TokenizerError, UnknownCharacters
from engine.tokenizers.pipeline import FUSE, Pipeline, split_at

MAX_VOCABULARY = 1_000_000
PIECE = re.compile("⟨([0-9]{1,7})⟩")

SPLIT = split_at("⟨[0-9]+⟩")
"""The pre-tokenizer of `tokenizer.json`."""


class IdTokenizer:
    """Token 17 is written `⟨17⟩`: only the tokenizer that made the file knows its text."""

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
        """The ids in `⟨17⟩⟨4⟩`. Raises `UnknownCharacters` for any other text."""
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
        """The same in UTF-8: always complete characters."""
        return self.decode(ids).encode()

    def pipeline(self) -> Pipeline:
        """Every `⟨17⟩` of a text is a word of the vocabulary."""
        return Pipeline(self.pieces, SPLIT, FUSE, model="WordLevel")

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.pipeline().to_json()

    @classmethod
    def from_pipeline(cls, pipeline: Pipeline) -> IdTokenizer:
        """Raises `TokenizerError` naming the field."""
        tokenizer = cls(len(pipeline.tokens))
        for i, (token, piece) in enumerate(zip(pipeline.tokens, tokenizer.pieces, strict=True)):
            if token != piece:
                raise TokenizerError("model.vocab", f"{token[:40]!a}, token {i}, must be {piece}")
        return tokenizer

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdTokenizer) and self.vocab_size == other.vocab_size

    def __hash__(self) -> int:
        return hash((self.kind, self.vocab_size))
