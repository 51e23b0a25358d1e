"""Adds special tokens to any tokenizer: padding, begin and end of a text, unknown character.

An encoder-decoder reads rows of different lengths, padded with PAD; its decoder starts from BEGIN and
stops by writing END (Sutskever 2014, "Sequence to Sequence Learning"). No text can spell these ids:
"⟨end⟩" in a text is five characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from engine.tokenizers.base import TokenArray, Tokenizer, check_ids, token_type
from engine.tokenizers.errors import TokenizerError, UnknownCharacters
from engine.tokenizers.pipeline import NO_TOKEN, Pipeline

PAD, BEGIN, END, UNKNOWN = range(4)
"""Padding; begin of an output text; end of a text; a character outside the vocabulary."""

SPECIALS = ("⟨pad⟩", "⟨begin⟩", "⟨end⟩", "⟨unknown⟩")
"""The names of the special tokens, by id."""

CONTROL = SPECIALS[:UNKNOWN]
"""Those that `decode` skips."""


class MarkedTokenizer:
    """The tokens of another tokenizer, their ids shifted by 4, after the four special tokens.

    >>> tokenizer = MarkedTokenizer(CharTokenizer("ab"))
    >>> [BEGIN, *tokenizer.encode("ba"), END]
    [1, 5, 4, 2]
    """

    kind = "marked"

    def __init__(self, inner: Tokenizer) -> None:
        """Raises `TokenizerError` if `inner` already has tokens of these names."""
        if not set(SPECIALS).isdisjoint(inner.pipeline().tokens):
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
        """The ids of any text, UNKNOWN for each character outside the vocabulary.

        Also returns the source text of each token, to show what is unknown.
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
        """The text of these ids, without PAD, BEGIN and END; UNKNOWN is `⟨unknown⟩`.

        Raises `ValueError` for an id outside the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The same in UTF-8, which may begin or end inside a character."""
        known: list[int] = check_ids(ids, self.vocab_size).tolist()
        content: list[bytes] = []
        inner: list[int] = []
        for token in [*known, UNKNOWN]:  # the last one only flushes `inner`
            if token >= len(SPECIALS):
                inner.append(token - len(SPECIALS))
            elif token == UNKNOWN:
                content += [self.inner.decode_bytes(inner), SPECIALS[UNKNOWN].encode()]
                inner = []
        return b"".join(content[:-1])

    def pipeline(self) -> Pipeline:
        """The pipeline of the inner tokenizer with the special tokens in front.

        With `add_special_tokens` a text becomes BEGIN, its tokens, END; an unknown character becomes
        UNKNOWN, as `encode_known` makes it. A text that spells a special token is that token for
        other programs, unless they set `encode_special_tokens`: the file cannot say it.
        """
        inner = self.inner.pipeline()
        return replace(
            inner,
            tokens=(*SPECIALS, *inner.tokens),
            added=dict.fromkeys(CONTROL, True) | dict.fromkeys(inner.added, False),
            unknown=SPECIALS[UNKNOWN],
            frame=(SPECIALS[BEGIN], SPECIALS[END]),
        )

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.pipeline().to_json()

    @staticmethod
    def inner_pipeline(pipeline: Pipeline) -> Pipeline | None:
        """That of the inner tokenizer; None for one without the special tokens."""
        added = list(pipeline.added)
        if (
            tuple(pipeline.tokens[: len(SPECIALS)]) != SPECIALS
            or pipeline.unknown != SPECIALS[UNKNOWN]
            or SPECIALS[UNKNOWN] in added
            or not set(CONTROL).issubset(added)
        ):
            return None
        return replace(
            pipeline,
            tokens=pipeline.tokens[len(SPECIALS) :],
            added={name: pipeline.added[name] for name in added if name not in CONTROL},
            unknown=NO_TOKEN,
            frame=None,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MarkedTokenizer) and self.inner == other.inner

    def __hash__(self) -> int:
        return hash((self.kind, self.inner))
