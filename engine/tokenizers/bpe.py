"""Byte-level byte-pair encoding, the tokenizer of GPT-2: frequent strings are one token, any text has some.

Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"; on bytes: Radford
et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2. A text is cut into
pre-tokens (`pretokens.py`), and each of those, at first one token a byte, is merged: of all pairs of
neighbours that have a merge, the one learned earliest (`bpe_training.py`), until none has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from engine.tokenizers.alphabet import LETTERS, spell, unspell
from engine.tokenizers.base import (
    MAX_SPECIAL_LENGTH,
    TokenArray,
    check_ids,
    json_object,
    token_type,
    utf8,
)
from engine.tokenizers.bpe_training import Merge, learn_merges, merges_within, train_merges
from engine.tokenizers.bpe_vocabulary import check_vocabulary, merge_of, string_list
from engine.tokenizers.byte import readable_bytes
from engine.tokenizers.merging import Merger
from engine.tokenizers.pretokens import PreTokenizer

MAX_REMEMBERED = 2**16
"""Pre-tokens whose ids are kept at hand: texts are mostly made of words seen before."""


class BPETokenizer:
    """`decode(encode(text)) == text` for every text.

    Text that spells a special is always that special; where two specials begin at the same place, the
    longer one is read. In `pieces`, a token that is no whole characters shows its bytes: see
    `readable_bytes`; `tokens` has the bytes themselves.

        >>> tokenizer = BPETokenizer.train("low lower lowest", vocab_size=258)
        >>> [tokenizer.pieces[i] for i in tokenizer.encode("lowest")]
        ['low', 'e', 's', 't']
    """

    kind = "bpe"

    def __init__(
        self, tokens: Sequence[str], merges: Sequence[tuple[str, str]], specials: Sequence[str] = ()
    ) -> None:
        """From what files hold: every token by id, and the merges in order, in GPT-2's alphabet.

        Among the tokens are the 256 bytes, what the merges make, and the specials, which are written
        as they are. A merge is of bytes and of what earlier merges made.

        Raises `TokenizerError` naming `tokens`, `merges` or `specials`.
        """
        self._pretokens = PreTokenizer(specials)
        check_vocabulary(tokens, merges, specials)
        self.names = tuple(tokens)
        """Each token by id, in GPT-2's alphabet, specials as they are: no name is there twice."""
        self.merges = tuple(merges)
        """The two tokens of each merge, in GPT-2's alphabet, in the order they were learned."""
        self.specials = tuple(specials)
        id_of = {token: i for i, token in enumerate(tokens)}
        self._special_ids = {special: id_of[special] for special in specials}
        self.tokens: tuple[bytes, ...] = tuple(
            utf8(token) if token in self._special_ids else unspell(token, "tokens")
            for token in tokens
        )
        """The bytes of each token, by id."""
        self.pieces: tuple[str, ...] = tuple(map(readable_bytes, self.tokens))
        self._merger = Merger(
            {value: id_of[letter] for value, letter in enumerate(LETTERS)},
            {(id_of[left], id_of[right]): id_of[left + right] for left, right in merges},
        )
        self._ids_of = _Remembering(self._look_up)

    @classmethod
    def from_merges(cls, merges: Iterable[Merge], specials: Sequence[str] = ()) -> BPETokenizer:
        """From what training yields, or the first few of it. The ids: bytes, merges, specials."""
        names = list(LETTERS)
        pairs: list[tuple[str, str]] = []
        for merge in merges:
            left, right = merge.pair
            pairs.append((names[left], names[right]))
            if merge.new_id == len(names):
                names.append(spell(merge.new_bytes))
        return cls([*names, *specials], pairs, specials)

    @classmethod
    def train(cls, text: str, vocab_size: int, specials: Sequence[str] = ()) -> BPETokenizer:
        """Learn V - 256 - specials merges from a text, or as many as there are.

        Raises what `train_merges` raises.
        """
        return cls.from_merges(train_merges([text], vocab_size, specials), specials)

    @classmethod
    def train_file(
        cls, path: Path, vocab_size: int, specials: Sequence[str] = (), processes: int = 1
    ) -> BPETokenizer:
        """The same from a file in UTF-8, which may be larger than memory: see `count_file`."""
        size = merges_within(vocab_size, specials)
        merges = learn_merges(PreTokenizer(specials).count_file(path, processes), size)
        return cls.from_merges(merges, specials)

    @property
    def vocab_size(self) -> int:
        """V: bytes, merges and specials."""
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises `UnknownCharacters` for half a character (a surrogate)."""
        return list(self._ids(self._pretokens.split(text)))

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,) of uint16, or of uint32 for more than 65,536 tokens."""
        return np.fromiter(self._ids(self._pretokens.split(text)), token_type(self.vocab_size))

    def encode_iterable(self, chunks: Iterable[str]) -> Iterator[int]:
        """The ids of the text that the chunks make together, in constant memory.

        An open file is such an iterable. Chunks may begin and end anywhere.
        """
        return chain.from_iterable(map(self._ids, self._pretokens.stream(chunks)))

    def closings(self, text: str) -> list[int]:
        """For each place between two bytes of a text, the number of the merge that closes it.

        1 is the first merge; 0 stands inside a special, which is whole from the beginning; and one
        more than there are merges says that none closes it. A tokenizer with only the first k merges
        cuts the text where the number is above k. Raises `UnknownCharacters`. For short texts: this
        takes n squared steps for a pre-token of n bytes.
        """
        never = len(self.merges) + 1
        closed: list[int] = []
        for piece in self._pretokens.split(text):
            content = utf8(piece)
            special = piece in self._special_ids
            closed += [0] * (len(content) - 1) if special else self._merger.closings(content)
            closed.append(never)
        return closed[:-1]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids, U+FFFD (�) where their bytes are no UTF-8. Raises `ValueError` for others."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of these ids. Raises `ValueError` for an id outside the vocabulary."""
        known: list[int] = check_ids(ids, self.vocab_size).tolist()
        return b"".join(map(self.tokens.__getitem__, known))

    def to_json(self) -> str:
        """`{"type": "bpe", "tokens": ["Ā", ...], "merges": ["Ġ t", ...], "specials": [...]}`."""
        values = {
            "type": self.kind,
            "tokens": self.names,
            "merges": [f"{left} {right}" for left, right in self.merges],
            "specials": self.specials,
        }
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, name: str = "tokenizer") -> BPETokenizer:
        """Read what `to_json` wrote. Raises `TokenizerError` naming the field, or the file."""
        values = json_object(text, name)
        tokens, merges, specials = (
            string_list(values.get(field, []), field) for field in ("tokens", "merges", "specials")
        )
        return cls(tokens, [merge_of(line) for line in merges], specials)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BPETokenizer) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.names, self.merges, self.specials

    def _ids(self, pieces: Iterable[str]) -> Iterator[int]:
        return chain.from_iterable(map(self._ids_of.__getitem__, pieces))

    def _look_up(self, piece: str) -> tuple[int, ...]:
        """The ids of one pre-token, or of one special, which is never a pre-token's text."""
        if piece in self._special_ids:
            return (self._special_ids[piece],)
        return self._merger.ids(utf8(piece))


class _Remembering(dict[str, tuple[int, ...]]):
    """The ids of pieces, worked out once for each. Long ones are rarely seen again, and are large."""

    def __init__(self, work_out: Callable[[str], tuple[int, ...]]) -> None:
        super().__init__()
        self.work_out = work_out

    def __missing__(self, piece: str) -> tuple[int, ...]:
        ids = self.work_out(piece)
        if len(piece) <= MAX_SPECIAL_LENGTH:
            if len(self) >= MAX_REMEMBERED:
                self.clear()
            self[piece] = ids
        return ids
