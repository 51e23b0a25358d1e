"""One text and its translation in one model: read, written greedily, and seen in one traced pass.

The server remembers nothing about who reads. One whole pass over (text, BEGIN + translation) gives the
attention of every step at once: row t is what the decoder saw when it wrote token t, since no position
sees the future. Such passes are kept.

L decoder layers, N encoder layers, H heads, S tokens read, T tokens written.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.data.pairs import sentence
from engine.runs import Run, RunError
from engine.tokenizers.marked import BEGIN, END, PAD, UNKNOWN, MarkedTokenizer
from playground import answers, generating, inference, probes

if TYPE_CHECKING:
    from engine.snapshots import Floats
    from engine.translation import Translation
    from playground.inference import Loaded

MAX_READ = 64
"""Tokens of a text that are read, END included."""
MAX_WRITTEN = 96
"""Tokens that are written, END included."""
MAX_CELLS = 1 << 22
"""Weights in one answer: large models get a shorter text."""
MAX_KEPT = 32
TOP = 5

TEXT = {
    "empty": "Type at least one character: there is nothing to translate yet.",
    "number": "{name} must be a number from {low} to {high}.",
}


@dataclass(frozen=True)
class Read:
    """A text as the model reads it."""

    text: str
    ids: list[int]
    """END included."""
    texts: list[str]
    """Of each token but END, as it was written."""
    rest: str
    """What there is no room for."""
    own: bool
    """Is it the text that training recorded?"""


@dataclass(frozen=True, eq=False)
class Examined:
    """A traced pass over a text and its translation."""

    cross: Floats
    """(L, H, T, S)"""
    decoder: Floats
    """(L, H, T, T)"""
    encoder: Floats
    """(N, H, S, S)"""
    probabilities: Floats
    """(T,) of each token that was written."""
    top: npt.NDArray[np.int64]
    """(T, TOP) the most probable tokens, the best first."""
    top_probabilities: Floats


def marked(loaded: Loaded) -> MarkedTokenizer:
    """The tokenizer of a run that translates."""
    if not isinstance(loaded.tokenizer, MarkedTokenizer):
        raise RunError("The tokenizer of this run has no ⟨begin⟩ and no ⟨end⟩.")
    return loaded.tokenizer


def read(found: Run, loaded: Loaded, text: str | None) -> Read:
    """A text, cut where there is no more room. None: the one that training recorded.

    It is prepared as texts are at training: spaces around it are not part of it.
    """
    tokenizer = marked(loaded)
    recorded = _recorded_sources(found)
    text = own_text(found) if text is None else sentence(answers.text(text))
    if not text:
        raise ValueError(TEXT["empty"])
    ids, texts = tokenizer.encode_known(text)
    room = most_read(loaded) - 1
    kept = texts[:room]
    ids = [*ids[:room], END]
    return Read(text, ids, kept, text[len("".join(kept)) :], ids == recorded)


def own_text(found: Run) -> str:
    """The text that training recorded; else the one that it would record."""
    tokens = _recorded_sources(found)
    if tokens:
        loaded = inference.load_translator(found.id)
        if all(0 <= token < loaded.tokenizer.vocab_size for token in tokens):
            text = loaded.tokenizer.decode(tokens)
            if marked(loaded).encode_known(text)[0] == tokens[:-1]:
                return text
    data = generating.data_of(found)
    if data is not None:
        return data.probe()
    pieces = inference.load_translator(found.id).tokenizer.pieces
    return "".join(pieces[UNKNOWN + 1 :][:TOP])


def _recorded_sources(found: Run) -> list[int]:
    """The text of the recorded steps as tokens; empty if nothing was recorded."""
    recorded = probes.recorded(found)
    try:
        return _sources_of(recorded[min(recorded)]) if recorded else []
    except ValueError:  # a damaged file: all else can still be shown
        return []


@functools.lru_cache(maxsize=64)
def _sources_of(path: Path) -> list[int]:
    return probes.snapshot(path).sources.tolist()


def answer_of(found: Run, text: str) -> str | None:
    """The right translation: from the run's data, else the one that was recorded."""
    data, text = generating.data_of(found), sentence(text)
    known = None if data is None else data.answer(text)
    recorded = probes.recorded(found)
    if known is None and recorded and text == own_text(found):
        tokenizer = inference.load_translator(found.id).tokenizer
        known = tokenizer.decode(probes.snapshot(recorded[min(recorded)]).tokens.tolist())
    return known


_kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
_lock = threading.Lock()


def _remembered(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """What was made for this key, or is made now; the newest `MAX_KEPT` are kept."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = make()
    with _lock:
        _kept[key] = made
        while len(_kept) > MAX_KEPT:
            _kept.popitem(last=False)
    return made


def greedy(loaded: Loaded, sources: tuple[int, ...], begin: tuple[int, ...]) -> Translation:
    """The most probable token each time, after those that are given."""
    from engine.model.encoder_decoder import Transformer
    from engine.translation import translate

    def make() -> Translation:
        assert isinstance(loaded.model, Transformer)
        most = most_written(loaded, len(sources))
        return translate(loaded.model, [sources], most=most, start=begin)[0]

    return _remembered(("greedy", loaded.key, sources, begin), make)


def examine(loaded: Loaded, sources: tuple[int, ...], targets: tuple[int, ...]) -> Examined:
    """One traced pass, from those that are kept or made now."""
    from engine import observe

    def make() -> Examined:
        model, config = loaded.model, loaded.config.model
        places = ("blocks.*.weights", "encoder.*.weights", "logits")
        trace = observe.trace_of(model, [BEGIN, *targets[:-1]], places, list(sources))
        logits = observe.numpy_of(trace["logits"][0])  # (T, V)
        shares = np.exp(logits - logits.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        writable = shares.copy()
        writable[:, [PAD, BEGIN]] = -1  # they are never written
        top = np.argsort(-writable, axis=-1, kind="stable")[:, :TOP]
        return Examined(
            cross=observe.attention_of(trace, config.n_layer, "blocks.{i}.cross"),
            decoder=observe.attention_of(trace, config.n_layer),
            encoder=observe.attention_of(
                trace, config.n_encoder_layer or 0, "encoder.{i}.attention"
            ),
            probabilities=shares[np.arange(len(targets)), list(targets)],
            top=top,
            top_probabilities=np.take_along_axis(shares, top, -1),
        )

    return _remembered(("traced", loaded.key, sources, targets), make)


def most_read(loaded: Loaded) -> int:
    """How many tokens of a text are read, END included."""
    model = loaded.config.model
    layers = max(model.n_layer, model.n_encoder_layer or 0)
    fits = int((MAX_CELLS / (3 * layers * model.n_head)) ** 0.5)
    return max(2, min(MAX_READ, model.max_seq_len, fits))


def most_written(loaded: Loaded, read: int) -> int:
    """How many tokens may be written of a text of so many, END included.

    A model that has learned nothing yet never ends: it is not to write on for pages.
    """
    model = loaded.config.model
    fits = MAX_CELLS // (3 * model.n_layer * model.n_head * MAX_READ)
    return max(2, min(MAX_WRITTEN, model.max_seq_len, 2 * read + 8, fits))


def piece(loaded: Loaded, token: int) -> str:
    """A token's text; a model may have more tokens than its tokenizer has pieces."""
    pieces = loaded.tokenizer.pieces
    return pieces[token] if token < len(pieces) else f"#{token}"


def step_of(step: object) -> int | None:
    return None if step is None else answers.whole("step", step, 0, 10**12)


def number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(TEXT["number"].format(name=name, low=low, high=high))
    return float(value)
