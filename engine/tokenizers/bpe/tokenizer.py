"""Byte-level byte-pair encoding, the tokenizer of GPT-2: a frequent string is one token.

Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"; on bytes: Radford
et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2. A text is split into
pre-tokens (`pretokens.py`). Each starts with one token per byte; then the adjacent pair whose merge was
learned earliest (`training.py`) is merged, until no pair has a merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np

from engine.tokenizers.base import MAX_SPECIAL_LENGTH, TokenArray, check_ids, token_type, utf8
from engine.tokenizers.bpe.merging import Merger
from engine.tokenizers.bpe.pretokens import PATTERNS, PreTokenizer
from engine.tokenizers.bpe.training import Merge, train_merges
from engine.tokenizers.bpe.vocabulary import check_vocabulary
from engine.tokenizers.byte import LETTERS, readable_bytes, spell, unspell
from engine.tokenizers.errors import TokenizerError
from engine.tokenizers.pipeline import Part, Pipeline, byte_level, objects, only, split_at

MAX_REMEMBERED = 2**16
"""Pre-tokens whose ids are cached: most words of a text have occurred before."""


class BPETokenizer:
    """`decode(encode(text)) == text` for every text.

    Text that spells a special is always that special; if two specials begin at the same place, the
    longer one is read. In `pieces`, a token with an incomplete character shows its bytes (see
    `readable_bytes`); `tokens` has the bytes themselves.

        >>> tokenizer = BPETokenizer.train("low lower lowest", vocab_size=258)
        >>> [tokenizer.pieces[i] for i in tokenizer.encode("lowest")]
        ['low', 'e', 's', 't']
    """

    kind = "bpe"

    def __init__(
        self,
        tokens: Sequence[str],
        merges: Sequence[tuple[str, str]],
        specials: Sequence[str] = (),
        pattern: str = "gpt2",
        ignore_merges: bool = False,
    ) -> None:
        """Every token by id, and the merges in order, in GPT-2's alphabet.

        The tokens are the 256 bytes, what the merges make, and the specials, which are written as they
        are. A merge only uses bytes and what earlier merges made. `pattern` is the name of one
        of `PATTERNS`. With `ignore_merges`, as in Llama 3, a pre-token that is a token is not merged
        from its bytes, so that there may be tokens that no merge makes.

        Raises `TokenizerError` naming `tokens`, `merges` or `specials`.
        """
        self._pretokens = PreTokenizer(specials, pattern)
        check_vocabulary(tokens, merges, specials, ignore_merges)
        self.pattern = pattern
        self.ignore_merges = ignore_merges
        self.names = tuple(tokens)
        """Each token by id, in GPT-2's alphabet, specials as they are; all names differ."""
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
            learned=not ignore_merges,
        )
        self._ids_of = _Remembering(self._look_up)
        self._unmerged: dict[bytes, int] = {}
        """The ids of pre-tokens that are not merged."""
        if ignore_merges:
            self._unmerged = {
                content: i
                for i, content in enumerate(self.tokens)
                if tokens[i] not in self._special_ids
            }

    @classmethod
    def from_merges(cls, merges: Iterable[Merge], specials: Sequence[str] = ()) -> BPETokenizer:
        """From the merges that training yields, or the first few. The ids: bytes, merges, specials."""
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
        """Learn V - 256 - specials merges from a text, or fewer if no pairs are left.

        Raises what `train_merges` raises.
        """
        return cls.from_merges(train_merges([text], vocab_size, specials), specials)

    @property
    def vocab_size(self) -> int:
        """V: bytes, merges and specials."""
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises `UnknownCharacters` for a surrogate."""
        return list(self._ids(self._pretokens.split(text)))

    def encode_array(self, text: str) -> TokenArray:
        """The same as an array (N,) of uint16, or of uint32 for more than 65,536 tokens."""
        return np.fromiter(self._ids(self._pretokens.split(text)), token_type(self.vocab_size))

    def encode_iterable(self, chunks: Iterable[str]) -> Iterator[int]:
        """The ids of the concatenated chunks, in constant memory.

        An open file is such an iterable. Chunks may begin and end anywhere.
        """
        return chain.from_iterable(map(self._ids, self._pretokens.stream(chunks)))

    def closings(self, text: str) -> list[int]:
        """For each boundary between two bytes of a text, the number of the merge that removes it, from 1.

        It is 0 inside a special, and one more than the number of merges for a boundary that stays. A
        tokenizer with only the first k merges cuts the text where the number is above k. Raises
        `UnknownCharacters`. For short texts: a pre-token of n bytes takes n squared steps.
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
        """The text of these ids, U+FFFD (�) for invalid UTF-8. Raises `ValueError` for unknown ids."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of these ids. Raises `ValueError` for an id outside the vocabulary."""
        known: list[int] = check_ids(ids, self.vocab_size).tolist()
        return b"".join(map(self.tokens.__getitem__, known))

    def pipeline(self) -> Pipeline:
        """The pattern, then the merges; the specials are added tokens."""
        cut: Part = byte_level(True)
        if self.pattern != "gpt2":
            pieces = split_at(PATTERNS[self.pattern].expression)
            cut = {"type": "Sequence", "pretokenizers": [pieces, byte_level(False)]}
        return Pipeline(
            self.names,
            cut,
            byte_level(True),
            merges=self.merges,
            ignore_merges=self.ignore_merges,
            unknown=None,
            added=dict.fromkeys(self.specials, True),
        )

    def to_json(self) -> str:
        """The content of `tokenizer.json`."""
        return self.pipeline().to_json()

    @classmethod
    def from_pipeline(cls, pipeline: Pipeline) -> BPETokenizer:
        """Raises `TokenizerError` naming the field."""
        if pipeline.pre_tokenizer is None:
            raise TokenizerError("pre_tokenizer", "must be ByteLevel where there are merges")
        pattern = _pattern_of(pipeline.pre_tokenizer)
        if pipeline.decoder is not None:
            only(pipeline.decoder, "decoder", "type", ["ByteLevel"])
        specials = list(pipeline.added)
        return cls(pipeline.tokens, pipeline.merges, specials, pattern, pipeline.ignore_merges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BPETokenizer) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.names, self.merges, self.specials, self.pattern, self.ignore_merges

    def _ids(self, pieces: Iterable[str]) -> Iterator[int]:
        return chain.from_iterable(map(self._ids_of.__getitem__, pieces))

    def _look_up(self, piece: str) -> tuple[int, ...]:
        """The ids of one pre-token, or of one special, which is never the text of a pre-token."""
        if piece in self._special_ids:
            return (self._special_ids[piece],)
        content = utf8(piece)
        known = self._unmerged.get(content)
        return self._merger.ids(content) if known is None else (known,)


def _pattern_of(cut: Part) -> str:
    """The name of the pattern in a file. Raises `TokenizerError` naming the field."""
    only(cut, "pre_tokenizer", "type", ["ByteLevel", "Sequence"])
    if cut["type"] == "ByteLevel":
        only(cut, "pre_tokenizer", "add_prefix_space", [False])
        only(cut, "pre_tokenizer", "use_regex", [True, None])  # older files have no such field
        return "gpt2"
    name = "pre_tokenizer.pretokenizers"
    steps = list(objects(cut.get("pretokenizers"), name))
    if [step.get("type") for step in steps] != ["Split", "ByteLevel"]:
        raise TokenizerError(name, "must be Split and ByteLevel")
    split, levels = steps
    only(split, name, "behavior", ["Isolated"])
    only(split, name, "invert", [False, None])
    only(levels, name, "add_prefix_space", [False])
    only(levels, name, "use_regex", [False])
    for pattern, row in PATTERNS.items():
        if split.get("pattern") == {"Regex": row.expression}:
            return pattern
    raise TokenizerError(f"{name}.pattern", f"must be that of {' or '.join(PATTERNS)}")


class _Remembering(dict[str, tuple[int, ...]]):
    """A cache of the ids of pieces. Long pieces are not kept: they are large and rarely come again."""

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
