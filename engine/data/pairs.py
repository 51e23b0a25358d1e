"""Pairs of a text and its translation as data: what an encoder-decoder learns from.

A batch has three arrays, each filled up at the end (Sutskever 2014; Vaswani 2017, section 3.1):

    sources    the  cat  sleeps  END  PAD         what the encoder reads
    inputs     BEGIN  die  Katze  schläft         what the decoder reads
    targets    die  Katze  schläft  END           what it is to write, token by token

Pairs of about the same length come together, so that little is filled up. An epoch sees every
pair exactly once; the next one makes other batches, in another order.

Shapes: N pairs, B pairs of a batch, S and T positions of source and target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from engine.data.base import IGNORE, Batch, DataError, Generated, spread
from engine.tokenizers import BEGIN, END, PAD, UNKNOWN, MarkedTokenizer, UnknownCharacters

Pairs = Sequence[tuple[str, str]]
"""Texts, each with its translation."""

HeldOut = Literal["valid", "compositional"]
"""Unseen texts; or unseen texts that combine what was only ever seen apart."""

PROMPTS = 5
"""Texts to translate in the course of training."""

PROBE_LENGTH = 32
"""Tokens in the text whose attention is recorded, where there is one so short."""

LINE_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""Characters that break a line, in a text that is one line: white space like any other."""

Integers = NDArray[np.int64]


def sentence(text: str) -> str:
    """A text as it is learned from, and as it is translated: one line, no white space around it."""
    return LINE_BREAKS.sub(" ", text.strip())


def source_ids(tokenizer: MarkedTokenizer, text: str) -> list[int]:
    """The ids of a text to translate, END included, UNKNOWN for what the tokenizer does not know."""
    return [*tokenizer.encode_known(sentence(text))[0], END]


class Rows(NamedTuple):
    """Token ids of many texts, one after the other."""

    tokens: Integers
    starts: Integers
    """(N + 1,) where each text begins, and where the last one ends."""

    @property
    def lengths(self) -> Integers:
        """(N,) tokens of each text."""
        return np.diff(self.starts)

    def filled(self, chosen: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Some texts side by side (B, longest), with PAD at their ends, and where they are not."""
        begin, stop = self.starts[chosen, None], self.starts[chosen + 1, None]  # (B, 1)
        place = begin + np.arange(int((stop - begin).max(initial=0)))  # (B, longest)
        inside = place < stop
        tokens = self.tokens[np.minimum(place, len(self.tokens) - 1)]
        return np.where(inside, tokens, PAD), inside

    def some(self, kept: NDArray[np.bool_]) -> Rows:
        """Only the texts that are marked (N,)."""
        return Rows(self.tokens[np.repeat(kept, self.lengths)], starts(self.lengths[kept]))


class Encoded(NamedTuple):
    """Pairs, and their ids."""

    pairs: list[tuple[str, str]]
    sources: Rows
    """Each ends in END."""
    targets: Rows
    """Each begins with BEGIN and ends in END."""

    def some(self, kept: NDArray[np.bool_]) -> Encoded:
        """Only the pairs that are marked (N,)."""
        pairs = [pair for pair, keep in zip(self.pairs, kept.tolist(), strict=True) if keep]
        return Encoded(pairs, self.sources.some(kept), self.targets.some(kept))

    def batch(self, chosen: Integers) -> Batch:
        """Some of the pairs, by their numbers (B,)."""
        sources, _ = self.sources.filled(chosen)
        rows, inside = self.targets.filled(chosen)  # (B, T + 1)
        # The decoder never reads END: it stops there.
        inputs = np.where(inside[:, 1:], rows[:, :-1], PAD)
        return Batch(inputs, np.where(inside[:, 1:], rows[:, 1:], IGNORE), sources)


def encode_pairs(tokenizer: MarkedTokenizer, pairs: Pairs) -> Encoded:
    """The ids of pairs, UNKNOWN for each character that the tokenizer does not know."""

    def ids(text: str) -> list[int]:
        try:
            return tokenizer.encode(text)
        except UnknownCharacters:
            return tokenizer.encode_known(text)[0]

    def rows(texts: list[list[int]]) -> Rows:
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        tokens = np.fromiter(chain.from_iterable(texts), np.int64, int(lengths.sum()))
        return Rows(tokens, starts(lengths))

    sources = rows([[*ids(source), END] for source, _ in pairs])
    targets = rows([[BEGIN, *ids(target), END] for _, target in pairs])
    return Encoded(list(pairs), sources, targets)


class PairData(Generated):
    """Pairs to translate. See `engine.data.base.Data` for what each member means."""

    end: int | None = END

    def __init__(
        self,
        name: str,
        tokenizer: MarkedTokenizer,
        train: Encoded,
        valid: Encoded,
        compositional: Encoded | None = None,
        *,
        max_seq_len: int,
        seed: int,
        batch_tokens: int | None = None,
        exact: bool = False,
        skip_long: bool = False,
        files: Mapping[str, str] | None = None,
        translate: Callable[[str], str | None] | None = None,
    ) -> None:
        """All the pairs there are, encoded with `encode_pairs`.

        Args:
            name: What `Data.name` is to be.
            tokenizer: For both languages; best learned from the training pairs alone.
            train: What is learned from.
            valid: Held out. A pair whose source is in `train` is left out of it.
            compositional: Held out too, and measured apart.
            max_seq_len: Most tokens of a source with END, or of BEGIN with a translation.
            seed: Of the batches.
            batch_tokens: Most tokens of the sources of a batch, and of its targets, padding
                included. None: `batch` is told how many pairs.
            exact: Is each translation the only right one?
            skip_long: Leave out pairs that are too long, rather than refuse them.
            files: The fields of the files that the pairs are from, and their paths. Without
                `valid_data_path`, the held-out pairs are from `train_data_path`, too.
            translate: The right translation of any text; None: only of those given here.

        Raises `DataError` naming `max_seq_len`, `batch_tokens` or `valid_data_path`.
        """
        super().__init__(seed)
        self.name = name
        self.tokenizer = tokenizer
        self.exact = exact
        self.batch_tokens = batch_tokens
        self.max_seq_len = max_seq_len
        self.skipped = 0
        """Pairs left out since they are too long for the context."""
        self.repeated = 0
        """Held-out pairs left out since their source is in the training part."""
        self._translate = translate
        seen = {source for source, _ in train.pairs}
        parts = [self._fitting(train, max_seq_len, skip_long)]
        for part in (valid, compositional or encode_pairs(tokenizer, [])):
            unseen = np.array([source not in seen for source, _ in part.pairs], dtype=np.bool_)
            self.repeated += int((~unseen).sum())
            part = part if unseen.all() else part.some(unseen)
            parts.append(self._fitting(part, max_seq_len, skip_long))
        self.train, valid_part, compositional_part = parts
        self.held_out: dict[HeldOut, Encoded] = {
            "valid": valid_part,
            "compositional": compositional_part,
        }
        given = files or {"train_data_path": name, "valid_data_path": name}
        for field, part, what in (
            ("train_data_path", self.train, "to learn from"),
            ("valid_data_path", valid_part, "that is held out and not learned from too"),
        ):
            if not part.pairs:
                field = field if field in given else "train_data_path"
                allowed = f"no pair {what} is left with max_seq_len = {max_seq_len}"
                raise DataError(field, given[field], allowed)
        self.unknown = sum(
            int((rows.tokens == UNKNOWN).sum())
            for part in self.held_out.values()
            for rows in (part.sources, part.targets)
        )
        """Characters of the held-out pairs that the training pairs do not have."""
        self.train_tokens: int | None = int((self.train.targets.lengths - 1).sum())
        self.source_length = max(int(part.sources.lengths.max(initial=0)) for part in parts)
        """S of the longest source."""
        self.sequence_length = max(int(part.targets.lengths.max(initial=0)) - 1 for part in parts)
        longest = max(self.source_length, self.sequence_length)
        if batch_tokens is not None and batch_tokens < longest:
            allowed = f"must be at least {longest}, the tokens of the longest text"
            raise DataError("batch_tokens", batch_tokens, allowed)
        self._epoch: list[Integers] = []
        self._taken: int = 0
        self._size: int | None = None
        self._before = super().state()

    def _fitting(self, part: Encoded, max_seq_len: int, skip_long: bool) -> Encoded:
        """The pairs that fit the context. Raises `DataError` where one does not, unless skipped."""
        lengths = np.maximum(part.sources.lengths, part.targets.lengths - 1)  # (N,)
        fits = lengths <= max_seq_len
        if fits.all():
            return part
        if not skip_long:
            longest = int(lengths.argmax())
            allowed = (
                f"must be at least {lengths[longest]} for {self.name}, whose longest pair is "
                f"{' → '.join(part.pairs[longest])!r}"
            )
            raise DataError("max_seq_len", max_seq_len, allowed)
        self.skipped += int((~fits).sum())
        return part.some(fits)

    # Batches

    def batch(self, batch_size: int) -> Batch:
        """The next pairs of this epoch, `batch_size` of them or fewer; or `batch_tokens` tokens.

        A `batch_size` other than before begins another epoch.
        """
        size = 0 if self.batch_tokens is not None else batch_size
        if self._size != size or self._taken == len(self._epoch):
            self._begin(size)
        self._taken += 1
        return self.train.batch(self._epoch[self._taken - 1])

    def _begin(self, size: int) -> None:
        """Another epoch, from where the generator stands."""
        self._before = super().state()
        sources, targets = self.train.sources.lengths, self.train.targets.lengths - 1  # (N,)
        order = np.lexsort((self.generator.random(len(sources)), sources, targets))
        if self.batch_tokens is None:
            cuts = list(range(size, len(order), size))
        else:
            cuts = budget_cuts(sources[order], targets[order], self.batch_tokens)
        batches = np.split(order, cuts)
        self._epoch = [batches[i] for i in self.generator.permutation(len(batches))]
        self._taken, self._size = 0, size

    def validation(
        self, batch_size: int, steps: int | None = None, split: HeldOut = "valid"
    ) -> Iterator[Batch]:
        """Held-out pairs, each at most once, short ones first; evenly spaced ones of more.

        `split` chooses the held-out part. The compositional one may be empty.
        """
        part = self.held_out[split]
        available = len(part.pairs)
        chosen = spread(available, available if steps is None else batch_size * steps)
        chosen = chosen[np.argsort(part.targets.lengths[chosen], kind="stable")]
        for first in range(0, len(chosen), batch_size):
            yield part.batch(chosen[first : first + batch_size])

    def pairs(self, split: HeldOut = "valid") -> list[tuple[str, str]]:
        """The held-out texts with their translations: what to translate, and to compare with."""
        return self.held_out[split].pairs

    # Texts

    @property
    def prompts(self) -> list[str]:
        """A few held-out texts, from short to long, without unknown characters."""
        return self._prompts

    @cached_property
    def _prompts(self) -> list[str]:
        part = self.held_out["valid"]
        known = [
            i
            for i, start in enumerate(part.sources.starts[:-1])
            if UNKNOWN not in part.sources.tokens[start : part.sources.starts[i + 1]]
        ]
        if not known:
            return [self.train.pairs[i][0] for i in spread(len(self.train.pairs), PROMPTS)]
        known.sort(key=lambda i: (part.sources.lengths[i], part.pairs[i]))
        texts = list(dict.fromkeys(part.pairs[i][0] for i in known))
        return [texts[i] for i in spread(len(texts), PROMPTS)]

    def answer(self, prompt: str) -> str | None:
        """The translation of a text; None for a text that is not one of these pairs."""
        if self._translate is not None:
            return self._translate(prompt)
        return self._answers.get(prompt)

    @cached_property
    def _answers(self) -> dict[str, str]:
        every = chain(self.train.pairs, *(part.pairs for part in self.held_out.values()))
        answers: dict[str, str] = {}
        for source, target in every:
            answers.setdefault(source, target)
        return answers

    def left_out(self) -> str:
        """How many of the pairs that were given are not used, and why; nothing where all are."""
        text = ""
        if self.skipped:
            text += (
                f"Pairs left out: {self.skipped:,} (longer than the context of "
                f"{self.max_seq_len:,} tokens). "
            )
        if self.repeated:
            text += (
                f"Held-out pairs left out: {self.repeated:,} (what they translate is learned from)."
            )
        return text.strip()

    def probe(self) -> str:
        """A held-out text: the longest prompt that can still be read on a page."""
        short = [p for p in self.prompts if len(self.tokenizer.encode(p)) <= PROBE_LENGTH]
        return short[-1] if short else self.prompts[0]

    # The generator

    def state(self) -> dict[str, Any]:
        """Where the epoch began, and how many of its batches have been taken, as JSON."""
        return self._before | {"batch_size": self._size, "batches": self._taken}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a stored `state`. Raises `ValueError` for anything else."""
        super().load_state(state)
        size: object = state.get("batch_size")
        taken: object = state.get("batches")
        self._before, self._epoch, self._taken, self._size = super().state(), [], 0, None
        if size is None and taken == 0:
            return
        if _is_count(size) and (size > 0) == (self.batch_tokens is None):
            self._begin(size)
            if _is_count(taken) and taken <= len(self._epoch):
                self._taken = taken
                return
        raise ValueError(
            f"not the state of a data generator: batch {taken!r} of batches of {size!r} pairs"
        )


def budget_cuts(sources: Integers, targets: Integers, most: int) -> list[int]:
    """Where to cut pairs, sorted by the lengths of their targets, into batches of `most` tokens.

    `sources` and `targets` (N,) are lengths, none above `most`. A batch of n pairs has n times
    its longest source, and n times its longest target: neither may be more than `most`.
    """
    cuts: list[int] = []
    begin = longest = 0
    for i, length in enumerate(np.maximum(sources, targets).tolist()):
        longest = max(longest, length)
        if (i + 1 - begin) * longest > most:
            cuts.append(i)
            begin, longest = i, length
    return cuts


def starts(lengths: Integers) -> Integers:
    """(N + 1,) where texts of these lengths (N,) begin, side by side, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths)])


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
