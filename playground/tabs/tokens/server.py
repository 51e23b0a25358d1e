"""Server functions of the view Tokens: train tokenizers on a text, and tokenize another text with them.

`learn` trains byte-pair encoding (BPE), character and word tokenizers, and caches them under a key, a digest of
the text. `cut` tokenizes a text with them and with a run's tokenizer. Any client may call these functions, so
every argument is checked, and errors are returned as {"error": "a sentence for the user"}.

M merges. Nothing here loads PyTorch.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np

from engine.data import CORPORA
from engine.data.reading import ended_lines
from engine.runs.store import RunError
from engine.tokenizers import (
    BPETokenizer,
    CharTokenizer,
    MarkedTokenizer,
    Merge,
    Tokenizer,
    UnknownCharacters,
    WordTokenizer,
    train_merges,
)
from engine.tokenizers.base import utf8
from engine.tokenizers.spans import spans
from playground import settings
from playground.hosting import checks
from playground.planning import tokenizer_gate
from playground.runs import run_lookup
from playground.runs.recent import Recent

MAX_LEARNED = 1_000_000
"""Maximum characters of the text that tokenizers are trained on, which takes a few seconds."""
MIN_LEARNED = 20
MAX_CUT = 1_000
"""Maximum characters of the text that is tokenized, about what fits on a page."""
MIN_SIZE, MAX_SIZE = 257, 4_096
"""Limits of a BPE vocabulary's size: a single merge, and the resolution of a slider."""
MAX_KEPT = 8
MAX_WAIT = 60.0
"""Seconds to wait for another visitor's training of the same tokenizer."""
OWN = "own"

TEXT = {
    "source": "{value} is not a text to train on: choose one of {names}.",
    "long": "The training text has {count:,} characters; the maximum here is {limit:,}.",
    "short": "The training text has {count} characters; the minimum is {least}.",
    "half": "The text has half a character in it ({unknown}): it cannot be written as bytes.",
    "gone": "These tokenizers are no longer in memory: train them again.",
    "empty": "Type at least one character: there is no text to tokenize yet.",
}


@dataclass(frozen=True, eq=False)
class Learned:
    """Tokenizers trained on one text."""

    text: str
    merges: list[Merge]
    seconds: float

    @cached_property
    def bpe(self) -> BPETokenizer:
        """The BPE tokenizer with all merges."""
        return BPETokenizer.from_merges(self.merges)

    @cached_property
    def characters(self) -> CharTokenizer:
        """The character tokenizer of the text."""
        return CharTokenizer.train(self.text)

    @cached_property
    def words(self) -> WordTokenizer:
        """The word tokenizer of the text, whose vocabulary also has its characters."""
        return WordTokenizer.train(self.text)


_learned: Recent[str, Learned] = Recent(MAX_KEPT)
_in_progress: dict[str, threading.Event] = {}
"""Trainings in progress, by key; the event is set when one ends."""
_lock = threading.Lock()

# Server functions --------------------------------------------------------------------------------


class Vocabularies(TypedDict):
    """The sizes of the other tokenizers' vocabularies."""

    char: int
    word: int


class LearnedTokenizers(TypedDict):
    """What `learn` answers."""

    key: str
    source: str
    merges: str
    size: int
    characters: int
    bytes: int
    seconds: float
    vocabularies: Vocabularies


class CutRow(TypedDict):
    """A text as one tokenizer cuts it."""

    starts: list[int]
    ids: list[int | None]
    size: int


class RunCutRow(CutRow):
    """The same for the tokenizer of a run."""

    name: str
    shipped: bool
    kind: str


class CutRows(TypedDict):
    """A text as several tokenizers cut it."""

    char: CutRow
    word: CutRow
    run: RunCutRow | None


class CutText(TypedDict):
    """What `cut` answers."""

    text: str
    rest: str
    bytes: str
    closed: str
    rows: CutRows


class Gone(TypedDict):
    """What `cut` answers for tokenizers that are no longer kept."""

    error: str
    gone: bool


@checks.answer
def learn(source: str, text: str | None, size: int) -> LearnedTokenizers:
    """Train BPE, character and word tokenizers on a text.

    Args:
        source: one of the project's corpora, or "own".
        text: the text if `source` is "own".
        size: V of the BPE vocabulary; smaller if no pairs are left.

    Returns:
        `merges` is base64 of int32 (M, 5): the two merged tokens, the new id, the pair's count, and by
        how many tokens the merge shortens the text. Ids below 256 are bytes. `key` identifies the
        tokenizers for `cut`.
    """
    text = _text(source, text)
    size = checks.whole("size", size, MIN_SIZE, MAX_SIZE)
    content = _utf8(text)
    key = hashlib.sha256(b"%d %b" % (size, content)).hexdigest()
    learned = _kept(key) or _once(key, text, size)
    rows = [[*m.pair, m.new_id, m.count, m.merged] for m in learned.merges]
    return {
        "key": key,
        "source": source,
        "merges": checks.base64_of(np.array(rows, np.int32).reshape(-1, 5)),
        "size": learned.bpe.vocab_size,
        "characters": len(text),
        "bytes": len(content),
        "seconds": learned.seconds,
        "vocabularies": {
            "char": learned.characters.vocab_size,
            "word": learned.words.vocab_size,
        },
    }


@checks.answer
def cut(text: str, key: str, run: str | None = None) -> CutText | Gone:
    """Tokenize a text with the tokenizers of this key and with that of a run.

    `bytes` is base64 of the text in UTF-8. `closed` has for each gap between two bytes the merge that closes
    it (`BPETokenizer.closings`), so that the page can tokenize with any number of merges. `rows` has the
    other tokenizers' `starts` (the first byte of each token) and `ids` (None for an unknown character).

    If the key is no longer cached, the error comes with {"gone": true}.
    """
    text = checks.text(text)
    if not text:
        raise ValueError(TEXT["empty"])
    learned = _kept(key)
    if learned is None:
        return {"error": TEXT["gone"], "gone": True}
    shown, rest = text[:MAX_CUT], text[MAX_CUT:]
    content = _utf8(shown)
    closed = learned.bpe.closings(shown)
    return {
        "text": shown,
        "rest": rest[:80],
        "bytes": base64.b64encode(content).decode("ascii"),
        "closed": checks.base64_of(np.array(closed, np.int32)),
        "rows": {
            "char": _row(learned.characters, shown),
            "word": _row(learned.words, shown),
            "run": None if run is None else _of_run(run, shown),
        },
    }


# Computation -------------------------------------------------------------------------------------


def _text(source: object, text: object) -> str:
    """The training text. Raises `ValueError` for an unknown source or a wrong length."""
    if source != OWN:
        if not isinstance(source, str) or source not in CORPORA:
            names = ", ".join([*CORPORA, OWN])
            raise ValueError(TEXT["source"].format(value=repr(source)[:80], names=names))
        return CORPORA[source].path.read_text("utf-8")
    if not isinstance(text, str) or len(text) < MIN_LEARNED:
        count = len(text) if isinstance(text, str) else 0
        raise ValueError(TEXT["short"].format(count=count, least=MIN_LEARNED))
    limit = min(MAX_LEARNED, settings.current().max_text or MAX_LEARNED)
    if len(text) > limit:
        raise ValueError(TEXT["long"].format(count=len(text), limit=limit))
    return ended_lines(text)


def _utf8(text: str) -> bytes:
    try:
        return utf8(text)
    except UnknownCharacters as error:
        unknown = f"U+{ord(error.characters[0]):04X}"
        raise ValueError(TEXT["half"].format(unknown=unknown)) from None


def _once(key: str, text: str, size: int) -> Learned:
    """Train on a text, or wait for another visitor's training with the same key."""
    done = threading.Event()
    with _lock:
        first = _in_progress.setdefault(key, done)
    if first is not done:
        first.wait(MAX_WAIT)
        if (learned := _kept(key)) is None:
            raise tokenizer_gate.Busy(tokenizer_gate.TEXT["busy"])
        return learned
    try:
        with tokenizer_gate.alone():
            return _train(key, text, size)
    finally:
        with _lock:
            del _in_progress[key]
        done.set()


def _train(key: str, text: str, size: int) -> Learned:
    began = time.perf_counter()
    merges = list(train_merges([text], size))
    learned = Learned(text, merges, time.perf_counter() - began)
    _learned.put(key, learned)
    return learned


def _kept(key: object) -> Learned | None:
    return _learned.get(key) if isinstance(key, str) else None


def _row(tokenizer: Tokenizer, text: str) -> CutRow:
    starts, ids = spans(tokenizer, text)
    return {"starts": starts, "ids": ids, "size": tokenizer.vocab_size}


def _of_run(run: object, text: str) -> RunCutRow | None:
    """The tokenizer that a run learned with; None before it has stored one."""
    found = run_lookup.find(run)
    try:
        tokenizer = found.tokenizer()
    except RunError:
        return None
    inner = tokenizer.inner if isinstance(tokenizer, MarkedTokenizer) else tokenizer
    kind = getattr(inner, "kind", "")
    return {
        **_row(tokenizer, text),
        "name": found.name,
        "shipped": run_lookup.is_shipped(found),
        "kind": kind,
    }


SERVED: checks.Served = (learn, cut)
