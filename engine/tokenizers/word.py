"""One token for each word: with it, the alignment of a translation is easiest to read.

A text is split into pieces, which joined are the text again:

- a word with the space before it: letters with their combining marks, and apostrophes inside, so
  "don't" is one piece;
- each digit alone, so a number is read digit by digit;
- each character alone in scripts without spaces between words (Chinese, Japanese, Korean, Thai,
  ...);
- each other character alone: punctuation, line breaks, a second space.

A space belongs to the word after it, as in the pattern of GPT-2 (Radford 2019), so decoding only
concatenates the pieces. A letter is what Unicode's general category says (Unicode Standard, section
4.5).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from engine.tokenizers.base import TokenArray, WholePieces, check_pieces, token_type
from engine.tokenizers.errors import TokenizerError, UnknownCharacters, readable
from engine.tokenizers.pipeline import FUSE, Pipeline, split_at

MAX_PIECE_LENGTH = 64
"""A longer word is never a piece; it is spelled."""

MAX_PIECES = 1_000_000

SCANNED = 0x20000
"""Code points below it are classified; those above are only Chinese characters."""

UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1100, 0x11FF),  # Hangul letters
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x33FF),  # radicals, kana, bopomofo, enclosed characters
    (0x3400, 0x9FFF),  # Chinese characters
    (0xA960, 0xA97F),  # Hangul letters
    (0xAC00, 0xD7FF),  # Hangul syllables and letters
    (0xF900, 0xFAFF),  # Chinese compatibility characters
    (0xFF00, 0xFFEF),  # half and full widths
    (0x16FE0, 0x18DFF),  # Tangut, Khitan
    (0x1AFF0, 0x1B2FF),  # kana, Nushu
)
"""First and last code point of the blocks in which every character is a piece."""


def _pattern() -> str:
    blocks = (*UNSPACED, (SCANNED, 0x10FFFF))
    spaced = f"(?![{''.join(f'{chr(first)}-{chr(last)}' for first, last in blocks)}])"
    word = rf"{spaced}\p{{L}}(?:{spaced}[\p{{L}}\p{{M}}])*"
    return rf" ?{word}(?:['’ʼ\u200c\u200d]{word})*|[\s\S]"


PATTERN = _pattern()
r"""`piece_pattern` for `tokenizer.json`, in syntax that the regular expressions of all languages have.

Its `\p{L}` is that of the program that reads the file: characters younger than the Unicode version of
Python's `unicodedata` may be letters there, and are none here.
"""


@lru_cache(maxsize=1)
def piece_pattern() -> re.Pattern[str]:
    """Matches the pieces of a text, one after the other, without gaps."""
    letters, marks = _ranges("L"), _ranges("M")
    word = f"[{letters}][{letters}{marks}]*"
    return re.compile(f" ?{word}(?:['’ʼ\u200c\u200d]{word})*|.", re.DOTALL)


def _ranges(category: str) -> str:
    """Characters outside `UNSPACED` whose general category begins with `category`, for a `[...]`."""
    apart = {code for first, last in UNSPACED for code in range(first, last + 1)}
    inside = [
        code not in apart and unicodedata.category(chr(code))[0] == category
        for code in range(SCANNED)
    ]
    edges = [
        code
        for code in range(SCANNED + 1)
        if (code < SCANNED and inside[code]) != (code > 0 and inside[code - 1])
    ]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return "".join(f"{chr(first)}-{chr(after - 1)}" for first, after in pairs)


def split_words(text: str) -> list[str]:
    """The pieces of a text: `"".join(split_words(text)) == text`.

    >>> split_words("Don't wake 12 cats!")
    ["Don't", ' wake', ' ', '1', '2', ' cats', '!']
    """
    return piece_pattern().findall(text)


class WordTokenizer(WholePieces):
    """`decode(encode(text)) == text` for every text made of its characters.

    A word that is not in the vocabulary is spelled: one token for each of its characters.

        >>> tokenizer = WordTokenizer.train("the cat, the hat")
        >>> [tokenizer.pieces[i] for i in tokenizer.encode("the cat that")]
        ['the', ' cat', ' ', 't', 'h', 'a', 't']
    """

    kind = "word"

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces` are different texts; each of their characters is a piece too.

        So every word made of these characters can be spelled.
        Raises `TokenizerError` naming `pieces`.
        """
        if not pieces:
            raise TokenizerError("pieces", "must not be empty")
        if len(pieces) > MAX_PIECES:
            raise TokenizerError("pieces", f"{len(pieces)} entries, at most {MAX_PIECES}")
        check_pieces("pieces", pieces, longest=MAX_PIECE_LENGTH)
        self.pieces: tuple[str, ...] = tuple(pieces)
        self._id_of = {piece: i for i, piece in enumerate(self.pieces)}
        for piece in self.pieces:
            for character in piece:
                if character not in self._id_of:
                    problem = f"{piece!r} has {readable(character)}, which is not a piece itself"
                    raise TokenizerError("pieces", problem)

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        min_count: int = 1,
        max_size: int | None = None,
        characters: Iterable[str] = (),
    ) -> WordTokenizer:
        """The vocabulary of a text, or of several: its characters, then its words.

        Args:
            text: The training text.
            min_count: Words that occur less often are left out and spelled.
            max_size: Maximum number of pieces. The most frequent characters come first, then the
                most frequent words that can be spelled with them. None: no limit.
            characters: Additional characters, so that another text can be spelled too.

        Raises `TokenizerError` naming `min_count` or `max_size`, or `pieces` for an empty text.
        """
        if min_count < 1:
            raise TokenizerError("min_count", f"{min_count} must be at least 1")
        if max_size is not None and max_size < 1:
            raise TokenizerError("max_size", f"{max_size} must be at least 1")
        counts: Counter[str] = Counter()
        for part in [text] if isinstance(text, str) else text:
            counts.update(split_words(part))
        letters = Counter(dict.fromkeys(characters, 0))
        for piece, count in counts.items():
            for character in piece:
                letters[character] += count
        kept = sorted(_by_frequency(letters)[:max_size])
        known = set(kept)
        words = [
            piece
            for piece in _by_frequency(counts)
            if 1 < len(piece) <= MAX_PIECE_LENGTH
            and counts[piece] >= min_count
            and known.issuperset(piece)
        ]
        return cls(kept + (words if max_size is None else words[: max_size - len(kept)]))

    def encode(self, text: str) -> list[int]:
        """The id of each word, or of each character of a word outside the vocabulary.

        Raises `UnknownCharacters`.
        """
        ids: list[int] = []
        for piece in split_words(text):
            known = self._id_of.get(piece)
            if known is not None:
                ids.append(known)
            else:
                ids.extend(self._spell(piece, text))
        return ids

    def _spell(self, piece: str, text: str) -> Iterator[int]:
        """The id of each character. Raises `UnknownCharacters` for all of the text."""
        for character in piece:
            known = self._id_of.get(character)
            if known is None:
                every = dict.fromkeys(text)
                raise UnknownCharacters([one for one in every if one not in self._id_of])
            yield known

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,) of uint16, or of uint32 for more than 65,536 pieces."""
        return np.array(self.encode(text), token_type(self.vocab_size))

    def pipeline(self) -> Pipeline:
        """BPE without merges spells a word, unless the word itself is in the vocabulary."""
        return Pipeline(self.pieces, split_at(PATTERN), FUSE, ignore_merges=True)

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.pipeline().to_json()

    @classmethod
    def from_pipeline(cls, pipeline: Pipeline) -> WordTokenizer:
        """Raises `TokenizerError` naming the field."""
        if not pipeline.ignore_merges:
            raise TokenizerError("model.ignore_merges", "must be true where words are tokens")
        if pipeline.added:
            raise TokenizerError("added_tokens", "must be empty where words are tokens")
        return cls(pipeline.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WordTokenizer) and self.pieces == other.pieces

    def __hash__(self) -> int:
        return hash(self.pieces)


def _by_frequency(counts: Counter[str]) -> list[str]:
    """The most frequent first; ties in the order of their code points."""
    return sorted(counts, key=lambda piece: (-counts[piece], piece))
