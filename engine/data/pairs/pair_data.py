"""Translation pairs as data for an encoder-decoder.

A batch has pairs of about the same length, so there is little padding. An epoch has every pair exactly
once; the next one makes other batches, in another order.

Shapes: N pairs, B pairs of a batch, S and T positions of source and target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, Literal, TypeGuard

import numpy as np

from engine.data.base import Batch, DataError, Generated, spread
from engine.data.pairs.encoded import Encoded, Integers, encode_pairs
from engine.tokenizers import END, UNKNOWN, MarkedTokenizer

HeldOut = Literal["valid", "compositional"]
"""Unseen texts, or unseen texts that combine what training only has apart."""

PROMPTS = 5
"""Number of texts to translate during training."""

SHORT_PROMPT = 32
"""Maximum tokens of the prompt whose attention is recorded, if one is that short."""


class PairData(Generated):
    """Translation pairs. See `engine.data.base.Data` for what each member means."""

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
            name: `Data.name`.
            tokenizer: For both languages, trained on the training pairs.
            train: Training data.
            valid: Validation data. Pairs whose source is in `train` are left out.
            compositional: More validation data, measured separately.
            max_seq_len: Maximum tokens of a source with END, or of BEGIN with a translation.
            seed: Seed of the batches.
            batch_tokens: Maximum tokens of the sources of a batch, and of its targets, padding
                included. None: the argument of `batch` is the number of pairs.
            exact: Whether each translation is the only correct one.
            skip_long: Leave out pairs that are too long, rather than raise an error.
            files: The fields and paths of the files of the pairs. Without `valid_data_path`, the
                validation pairs are from `train_data_path`.
            translate: Returns the correct translation of any text. None: only the given pairs are
                known.

        Raises `DataError` naming `max_seq_len`, `batch_tokens` or `valid_data_path`.
        """
        super().__init__(seed)
        self.name = name
        self.tokenizer = tokenizer
        self.exact = exact
        self.batch_tokens = batch_tokens
        self.max_seq_len = max_seq_len
        self.skipped = 0
        """Number of pairs left out because they are too long for the context."""
        self.repeated = 0
        """Number of validation pairs left out because their source is in the training data."""
        self._translate = translate
        held_out = (valid, compositional or encode_pairs(tokenizer, []))
        self.train, valid_part, compositional_part = self._usable(train, held_out, skip_long)
        self.held_out: dict[HeldOut, Encoded] = {
            "valid": valid_part,
            "compositional": compositional_part,
        }
        self._refuse_empty(files or {"train_data_path": name, "valid_data_path": name})
        self.unknown = self._count_unknown()
        """Number of UNKNOWN tokens in the validation pairs."""
        self.train_tokens: int | None = int((self.train.targets.lengths - 1).sum())
        parts = (self.train, *self.held_out.values())
        self.source_length = max(int(part.sources.lengths.max(initial=0)) for part in parts)
        """S, the tokens of the longest source."""
        self.sequence_length = max(int(part.targets.lengths.max(initial=0)) - 1 for part in parts)
        self._check_batch_tokens()
        self._epoch: list[Integers] = []
        self._taken: int = 0
        self._size: int | None = None
        self._before = super().state()

    # The pairs that are used

    def _usable(
        self, train: Encoded, held_out: Sequence[Encoded], skip_long: bool
    ) -> list[Encoded]:
        """Each part without pairs that are too long, and validation ones without sources of `train`."""
        seen = {source for source, _ in train.pairs}
        unseen = [self._unseen(part, seen) for part in held_out]
        return [self._fitting(part, skip_long) for part in (train, *unseen)]

    def _unseen(self, part: Encoded, seen: set[str]) -> Encoded:
        """The pairs whose source is not in `seen`."""
        unseen = np.array([source not in seen for source, _ in part.pairs], dtype=np.bool_)
        self.repeated += int((~unseen).sum())
        return part if unseen.all() else part.some(unseen)

    def _refuse_empty(self, files: Mapping[str, str]) -> None:
        """Raise `DataError` that names the file if there is nothing to train or to validate on."""
        for field, part, what in (
            ("train_data_path", self.train, "to learn from"),
            (
                "valid_data_path",
                self.held_out["valid"],
                "that is held out and not learned from too",
            ),
        ):
            if not part.pairs:
                field = field if field in files else "train_data_path"
                allowed = f"no pair {what} is left with max_seq_len = {self.max_seq_len}"
                raise DataError(field, files[field], allowed)

    def _fitting(self, part: Encoded, skip_long: bool) -> Encoded:
        """The pairs that fit the context. Raises `DataError` if one does not, unless skipped."""
        lengths = np.maximum(part.sources.lengths, part.targets.lengths - 1)  # (N,)
        fits = lengths <= self.max_seq_len
        if fits.all():
            return part
        if not skip_long:
            longest = int(lengths.argmax())
            allowed = (
                f"must be at least {lengths[longest]} for {self.name}, whose longest pair is "
                f"{' → '.join(part.pairs[longest])!r}"
            )
            raise DataError("max_seq_len", self.max_seq_len, allowed)
        self.skipped += int((~fits).sum())
        return part.some(fits)

    def _count_unknown(self) -> int:
        """The number of UNKNOWN tokens in the validation pairs."""
        return sum(
            int((rows.tokens == UNKNOWN).sum())
            for part in self.held_out.values()
            for rows in (part.sources, part.targets)
        )

    def _check_batch_tokens(self) -> None:
        """Raise `DataError` if the longest text is longer than a batch."""
        longest = max(self.source_length, self.sequence_length)
        if self.batch_tokens is not None and self.batch_tokens < longest:
            allowed = f"must be at least {longest}, the tokens of the longest text"
            raise DataError("batch_tokens", self.batch_tokens, allowed)

    # Batches

    def batch(self, batch_size: int) -> Batch:
        """The next pairs of this epoch: at most `batch_size` pairs, or `batch_tokens` tokens.

        A changed `batch_size` starts a new epoch.
        """
        size = 0 if self.batch_tokens is not None else batch_size
        if self._size != size or self._taken == len(self._epoch):
            self._begin(size)
        self._taken += 1
        return self.train.batch(self._epoch[self._taken - 1])

    def _begin(self, size: int) -> None:
        """Start an epoch from the state of the generator."""
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
        """Validation pairs, each at most once, short ones first; evenly spaced if there are more.

        `split` chooses the part; the compositional part may be empty.
        """
        part = self.held_out[split]
        available = len(part.pairs)
        chosen = spread(available, available if steps is None else batch_size * steps)
        chosen = chosen[np.argsort(part.targets.lengths[chosen], kind="stable")]
        for first in range(0, len(chosen), batch_size):
            yield part.batch(chosen[first : first + batch_size])

    def training_targets(self, most: int) -> tuple[Integers, Integers]:
        """Tokens of the translations with END; of more pairs than `most` allows, evenly spaced ones."""
        rows = self.train.targets
        total = len(rows.tokens) - len(rows.lengths)
        if total > most:
            kept = np.zeros(len(rows.lengths), np.bool_)
            kept[spread(len(kept), max(1, len(kept) * most // total))] = True
            rows = rows.some(kept)
        inside = np.ones(len(rows.tokens) - 1, np.bool_)
        inside[rows.starts[1:-1] - 1] = False  # from END to the next BEGIN
        return rows.tokens[:-1][inside], rows.tokens[1:][inside]

    def pairs(self, split: HeldOut = "valid") -> list[tuple[str, str]]:
        """The validation texts with their reference translations."""
        return self.held_out[split].pairs

    # Texts

    @property
    def prompts(self) -> list[str]:
        """A few validation texts, from short to long, without unknown characters."""
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
        """The translation of a text; None if the text is in no pair."""
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
        """The number of unused pairs and the reason; '' if all are used."""
        text = ""
        if self.skipped:
            text += (
                f"Pairs left out: {self.skipped:,} (longer than the context of "
                f"{self.max_seq_len:,} tokens). "
            )
        if self.repeated:
            text += f"Validation pairs left out: {self.repeated:,} (what they translate is learned from)."
        return text.strip()

    def probe(self) -> str:
        """A validation text: the longest prompt that a page can show."""
        short = [p for p in self.prompts if len(self.tokenizer.encode(p)) <= SHORT_PROMPT]
        return short[-1] if short else self.prompts[0]

    # The generator

    def state(self) -> dict[str, Any]:
        """The generator's state at the start of the epoch, and the number of batches taken, as JSON."""
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
    """Indices that cut pairs, sorted by target length, into batches of at most `most` tokens.

    `sources` and `targets` (N,) are lengths, none above `most`. With padding, a batch of n pairs has
    n times its longest source and n times its longest target: neither may exceed `most`.
    """
    cuts: list[int] = []
    begin = longest = 0
    for i, length in enumerate(np.maximum(sources, targets).tolist()):
        longest = max(longest, length)
        if (i + 1 - begin) * longest > most:
            cuts.append(i)
            begin, longest = i, length
    return cuts


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
