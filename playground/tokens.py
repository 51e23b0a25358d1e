"""Tokens, the server's side: one text as several tokenizers cut it, and byte-pair encoding being learned.

`learn` trains tokenizers on a text and keeps them for a while under a key, the text's own digest; `cut`
shows how they, and that of a run, cut another text. Both answer the view (`playground/views/tokens`),
and any client may call them: arguments are checked, and what is refused is answered with
{"error": "a sentence for the learner"}.

M merges. Nothing here loads PyTorch.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.data import CORPORA
from engine.data.reading import ended_lines
from engine.runs import RunError
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
from playground import answers, learning, library, settings

MAX_LEARNED = 1_000_000
"""Characters of a text that tokenizers are learned from: a few seconds' work."""
MIN_LEARNED = 20
MAX_CUT = 1_000
"""Characters of the text that is cut: as many as can be read on a page."""
LEAST_SIZE, MOST_SIZE = 257, 4_096
"""Sizes of a byte-pair vocabulary: one merge, and as many as a slider can tell apart."""
MAX_KEPT = 8
MAX_WAIT = 60.0
"""Seconds to wait for the same tokenizer that another visitor is learning."""
OWN = "own"

TEXT = {
    "source": "{value} is no text to learn from: choose one of {names}.",
    "long": "The text to learn from has {count:,} characters; at most {limit:,} are read here.",
    "short": "The text to learn from has {count} characters: give it at least {least}.",
    "half": "The text has half a character in it ({unknown}): it cannot be written as bytes.",
    "gone": "These tokenizers are no longer in memory: learn them again.",
    "empty": "Type at least one character: there is nothing to cut yet.",
}


@dataclass(frozen=True, eq=False)
class Learned:
    """Tokenizers that were learned from one text."""

    text: str
    merges: list[Merge]
    seconds: float

    @cached_property
    def bpe(self) -> BPETokenizer:
        """Byte-pair encoding with all of the merges."""
        return BPETokenizer.from_merges(self.merges)

    @cached_property
    def characters(self) -> CharTokenizer:
        """The characters of the text."""
        return CharTokenizer.train(self.text)

    @cached_property
    def words(self) -> WordTokenizer:
        """The words of the text, and its characters."""
        return WordTokenizer.train(self.text)


_learned: OrderedDict[str, Learned] = OrderedDict()
_at_work: dict[str, threading.Event] = {}
"""What is being learned, by its key; set when it is over."""
_lock = threading.Lock()

# What the view asks for --------------------------------------------------------------------------


@answers.answer
def learn(source: str, text: str | None, size: int) -> dict[str, Any]:
    """Learn byte-pair encoding, and beside it characters and words, from a text.

    Args:
        source: one of the project's own corpora, or "own".
        text: the text where it is one's own.
        size: V of the byte-pair vocabulary; fewer where there are no pairs left.

    `merges` is base64 of int32 (M, 5): the two tokens that become one, its id, how often the pair
    was there, and how many tokens fewer the text has from then on. Ids below 256 are bytes.
    `key` names what was learned for `cut`.
    """
    text = _text(source, text)
    size = answers.whole("size", size, LEAST_SIZE, MOST_SIZE)
    content = _utf8(text)
    key = hashlib.sha256(b"%d %b" % (size, content)).hexdigest()
    learned = _kept(key) or _once(key, text, size)
    rows = [[*m.pair, m.new_id, m.count, m.merged] for m in learned.merges]
    return {
        "key": key,
        "source": source,
        "merges": answers.packed(np.array(rows, np.int32).reshape(-1, 5)),
        "size": learned.bpe.vocab_size,
        "characters": len(text),
        "bytes": len(content),
        "seconds": learned.seconds,
        "vocabularies": {
            "char": learned.characters.vocab_size,
            "word": learned.words.vocab_size,
        },
    }


@answers.answer
def cut(text: str, key: str, run: str | None = None) -> dict[str, Any]:
    """A text as the tokenizers learned under this key cut it, and that of a run.

    `bytes` is base64 of the text in UTF-8. `closed` says for each place between two bytes which merge
    closes it (`BPETokenizer.closings`), so that the page can cut for any number of merges. The other
    tokenizers' `starts` (the first byte of each token) and `ids` (None: a character it cannot write)
    are in `rows`.

    Answers {"gone": true} beside the error where the key is not known any more.
    """
    text = answers.text(text)
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
        "closed": answers.packed(np.array(closed, np.int32)),
        "rows": {
            "char": _row(learned.characters, shown),
            "word": _row(learned.words, shown),
            "run": None if run is None else _of_run(run, shown),
        },
    }


# The work ----------------------------------------------------------------------------------------


def _text(source: object, text: object) -> str:
    """What is learned from."""
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
    """Learn from a text; where another visitor is just learning the very same, wait for that."""
    done = threading.Event()
    with _lock:
        first = _at_work.setdefault(key, done)
    if first is not done:
        first.wait(MAX_WAIT)
        if (learned := _kept(key)) is None:
            raise learning.Busy(learning.TEXT["busy"])
        return learned
    try:
        with learning.alone():
            return _train(key, text, size)
    finally:
        with _lock:
            del _at_work[key]
        done.set()


def _train(key: str, text: str, size: int) -> Learned:
    began = time.perf_counter()
    merges = list(train_merges([text], size))
    learned = Learned(text, merges, time.perf_counter() - began)
    with _lock:
        _learned[key] = learned
        while len(_learned) > MAX_KEPT:
            _learned.popitem(last=False)
    return learned


def _kept(key: object) -> Learned | None:
    with _lock:
        if not isinstance(key, str) or key not in _learned:
            return None
        _learned.move_to_end(key)
        return _learned[key]


def _row(tokenizer: Tokenizer, text: str) -> dict[str, Any]:
    starts, ids = spans(tokenizer, text)
    return {"starts": starts, "ids": ids, "size": tokenizer.vocab_size}


def _of_run(run: object, text: str) -> dict[str, Any] | None:
    """The tokenizer that a run learned with; None before it has stored one."""
    found = library.find(answers.run_id(run))
    try:
        tokenizer = found.tokenizer()
    except RunError:
        return None
    inner = tokenizer.inner if isinstance(tokenizer, MarkedTokenizer) else tokenizer
    kind = getattr(inner, "kind", "")
    return _row(tokenizer, text) | {
        "name": found.name,
        "shipped": library.is_shipped(found),
        "kind": kind,
    }


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (learn, cut)
