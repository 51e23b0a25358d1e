"""Special tokens in front of any tokenizer: where a text begins and ends, and what fills a row.

An encoder-decoder reads rows of different lengths, filled up with PAD; its decoder starts from
BEGIN and stops by writing END (Sutskever 2014, "Sequence to Sequence Learning"). These are ids of
their own which no text can spell: "⟨end⟩" typed by somebody is five characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from engine.tokenizers.base import (
    TokenArray,
    Tokenizer,
    TokenizerError,
    UnknownCharacters,
    check_ids,
    json_object,
    token_type,
)

PAD, BEGIN, END, UNKNOWN = range(4)
"""Fills a row up; stands before a text that is written; ends a text; a character never seen."""

SPECIALS = ("⟨pad⟩", "⟨begin⟩", "⟨end⟩", "⟨unknown⟩")
"""How the special tokens are shown, by id."""


class MarkedTokenizer:
    """The tokens of another tokenizer, with ids 4 higher, after the four special ones.

    >>> tokenizer = MarkedTokenizer(CharTokenizer("ab"))
    >>> [BEGIN, *tokenizer.encode("ba"), END]
    [1, 5, 4, 2]
    """

    kind = "marked"

    def __init__(self, inner: Tokenizer) -> None:
        """Raises `TokenizerError` where `inner` already has these tokens."""
        if isinstance(inner, MarkedTokenizer):
            raise TokenizerError("inner", "has the special tokens already")
        self.inner = inner
        self.pieces: tuple[str, ...] = SPECIALS + tuple(inner.pieces)

    @property
    def vocab_size(self) -> int:
        """V: the special tokens and those of the inner tokenizer."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, never a special one. Raises `UnknownCharacters`."""
        return [token + len(SPECIALS) for token in self.inner.encode(text)]

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,)."""
        return np.array(self.encode(text), token_type(self.vocab_size))

    def encode_known(self, text: str) -> tuple[list[int], list[str]]:
        """The ids of any text, UNKNOWN for each character that is not in the vocabulary.

        Also the text of each token as it was written, so that what is unknown can be shown.
        """
        try:
            known = self.encode(text)
        except UnknownCharacters as error:
            unknown = set(error.characters)
        else:
            return known, [self.pieces[token] for token in known]
        ids: list[int] = []
        texts: list[str] = []
        for part in re.split(f"([{''.join(map(re.escape, unknown))}])", text):
            if part in unknown:
                ids.append(UNKNOWN)
                texts.append(part)
            elif part:
                more_ids, more_texts = self.encode_known(part)
                ids += more_ids
                texts += more_texts
        return ids, texts

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids: nothing for PAD, BEGIN and END, `⟨unknown⟩` for UNKNOWN.

        Raises `ValueError` for an id outside the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The same in UTF-8, which may begin or end within a character."""
        known: list[int] = check_ids(ids, self.vocab_size).tolist()
        content: list[bytes] = []
        inner: list[int] = []
        for token in [*known, UNKNOWN]:  # the last one only ends the last stretch of text
            if token >= len(SPECIALS):
                inner.append(token - len(SPECIALS))
            elif token == UNKNOWN:
                content += [self.inner.decode_bytes(inner), SPECIALS[UNKNOWN].encode()]
                inner = []
        return b"".join(content[:-1])

    def to_json(self) -> str:
        """`{"type": "marked", "inner": {"type": "word", ...}}`, for `from_json`."""
        inner = json.loads(self.inner.to_json())
        return json.dumps({"type": self.kind, "inner": inner}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "tokenizer") -> MarkedTokenizer:
        """Read what `to_json` wrote. Raises `TokenizerError` naming the field, or the file."""
        from engine.tokenizers.files import tokenizer_from_json  # it knows this class

        inner: Any = json_object(text, name).get("inner")
        if not isinstance(inner, dict):
            raise TokenizerError("inner", "must be a tokenizer")
        values = cast("dict[str, Any]", inner)
        if values.get("type") == cls.kind:  # before it is read: a file may nest it without end
            raise TokenizerError("inner", "has the special tokens already")
        return cls(tokenizer_from_json(json.dumps(values), name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MarkedTokenizer) and self.inner == other.inner

    def __hash__(self) -> int:
        return hash((self.kind, self.inner))
