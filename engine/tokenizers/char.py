"""One token for each character: the simplest tokenizer.

A character is a Unicode code point. The vocabulary is the characters of the training text, sorted by
code point, then special tokens with names such as `<end>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.tokenizers.base import TokenArray, WholePieces, check_pieces, check_specials, token_type
from engine.tokenizers.errors import TokenizerError, UnknownCharacters, readable
from engine.tokenizers.pipeline import FUSE, Pipeline, only, split_at

UNKNOWN = -1

LINES = split_at(".")
SPLITS = (LINES, split_at(r"[\s\S]"))
"""Pre-tokenizers that split a text into its characters. `.` is any but a line break."""

OTHERS = "with others, decoding does not give back the text"


class CharTokenizer(WholePieces):
    """`decode(encode(text)) == text` for every text made of its characters and specials.

    Text that spells a special is always that special, never its letters; if two specials begin at
    the same place, the longer one is read.

        >>> tokenizer = CharTokenizer.train("banana", specials=("<end>",))
        >>> tokenizer.encode("nab<end>")
        [2, 0, 1, 3]
    """

    kind = "char"

    def __init__(
        self,
        characters: Sequence[str],
        specials: Sequence[str] = (),
        pieces: Sequence[str] | None = None,
    ) -> None:
        """`characters` are single code points, `specials` are names; no piece occurs twice.

        `pieces` are all of them by id; by default the characters come first.
        Raises `TokenizerError` naming `characters` or `specials`.
        """
        check_pieces("characters", characters, longest=1)
        check_specials(specials)
        both = set(characters) & set(specials)
        if both:
            raise TokenizerError("specials", f"{readable(min(both))} is also one of characters")
        if not characters and not specials:
            raise TokenizerError("characters", "must not be empty")

        self.characters = tuple(characters)
        self.specials = tuple(specials)
        self.pieces: tuple[str, ...] = tuple(pieces or self.characters + self.specials)
        id_of = {piece: i for i, piece in enumerate(self.pieces)}
        self._special_id = {special: id_of[special] for special in specials}
        longest_first = sorted(self.specials, key=len, reverse=True)
        self._special_pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})")
        # One index per character: id_of[code point] is the id, or UNKNOWN.
        code_points = np.array([ord(character) for character in characters], dtype=np.int64)
        self._id_of = np.full(int(code_points.max(initial=-1)) + 2, UNKNOWN, dtype=np.int32)
        self._id_of[code_points] = [id_of[character] for character in characters]

    @classmethod
    def train(cls, text: str, specials: Sequence[str] = ()) -> CharTokenizer:
        """The vocabulary of a text. Raises `TokenizerError` for a text without characters."""
        if specials:
            text = re.sub("|".join(map(re.escape, specials)), "", text)
        return cls(sorted(set(text)), specials)

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

    def pipeline(self) -> Pipeline:
        """BPE without merges splits a text into its characters; the specials are added tokens."""
        return Pipeline(self.pieces, decoder=FUSE, added=dict.fromkeys(self.specials, False))

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.pipeline().to_json()

    @classmethod
    def from_pipeline(cls, pipeline: Pipeline) -> CharTokenizer:
        """Raises `TokenizerError` naming the field."""
        if pipeline.merges:
            raise TokenizerError("pre_tokenizer", "must be ByteLevel if there are merges")
        if pipeline.pre_tokenizer not in (None, *SPLITS):
            allowed = rf"must split at each character, [\s\S]: {OTHERS}"
            raise TokenizerError("pre_tokenizer", allowed)
        words = pipeline.model == "WordLevel"
        if words and pipeline.pre_tokenizer is None:
            raise TokenizerError("pre_tokenizer", r"must split at each character: [\s\S]")
        if words and pipeline.pre_tokenizer == LINES and "\n" in pipeline.tokens:
            problem = r"must be [\s\S]: . does not split at line breaks"
            raise TokenizerError("pre_tokenizer.pattern", problem)
        if pipeline.decoder is not None:
            only(pipeline.decoder, "decoder", "type", ["Fuse"])
        characters = [token for token in pipeline.tokens if token not in pipeline.added]
        for token in characters:
            if len(token) > 1:
                problem = f"{token[:40]!a} is neither a character nor one of added_tokens"
                raise TokenizerError("characters", problem)
        return cls(characters, list(pipeline.added), pipeline.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharTokenizer) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.pieces, self.specials
