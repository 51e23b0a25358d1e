"""Tokenize a text, translate it greedily, and trace the model over the text and its translation.

The server keeps no state per visitor. One forward pass over (text, BEGIN + translation) gives the attention of
every decoding step: because of the causal mask, row t equals the attention when token t was generated. Passes
are cached.

L decoder layers, N encoder layers, H heads, S source tokens, T target tokens.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.data.pairs import sentence
from engine.runs.store import Run, RunError
from engine.tokenizers.marked import BEGIN, END, PAD, UNKNOWN, MarkedTokenizer
from playground.hosting import checks
from playground.runs import models, recordings, run_data
from playground.runs.recent import Recent

if TYPE_CHECKING:
    from engine.generation.translation import Translation
    from engine.runs.snapshots import Floats
    from playground.runs.models import Loaded

MAX_READ = 64
"""Maximum source tokens, including END."""
MAX_WRITTEN = 96
"""Maximum target tokens, including END."""
MAX_CELLS = 1 << 22
"""Maximum attention weights in one answer; larger models get a shorter text."""
MAX_KEPT = 32
TOP = 5

TEXT = {
    "empty": "Type at least one character: there is nothing to translate yet.",
    "number": "{name} must be a number from {low} to {high}.",
}


@dataclass(frozen=True)
class Read:
    """A tokenized source text."""

    text: str
    ids: list[int]
    """Including END."""
    texts: list[str]
    """The text of each token except END, as the user wrote it."""
    rest: str
    """The part of the text beyond the limit."""
    own: bool
    """Whether it is the text that training recorded."""


@dataclass(frozen=True, eq=False)
class Examined:
    """A traced forward pass over a text and its translation."""

    cross: Floats
    """(L, H, T, S)"""
    decoder: Floats
    """(L, H, T, T)"""
    encoder: Floats
    """(N, H, S, S)"""
    probabilities: Floats
    """(T,) probability of each target token."""
    top: npt.NDArray[np.int64]
    """(T, TOP) the most probable tokens, best first."""
    top_probabilities: Floats


def marked(loaded: Loaded) -> MarkedTokenizer:
    """The tokenizer of a translation run. Raises `RunError` if it has no begin and end tokens."""
    if not isinstance(loaded.tokenizer, MarkedTokenizer):
        raise RunError("The tokenizer of this run has no ⟨begin⟩ and no ⟨end⟩.")
    return loaded.tokenizer


def read(found: Run, loaded: Loaded, text: str | None) -> Read:
    """Tokenize a text up to the limit. None: the text that training recorded.

    The text is normalised as in training: surrounding spaces are removed.
    """
    tokenizer = marked(loaded)
    recorded = _recorded_sources(found)
    text = own_text(found) if text is None else sentence(checks.text(text))
    if not text:
        raise ValueError(TEXT["empty"])
    ids, texts = tokenizer.encode_known(text)
    limit = max_source_tokens(loaded) - 1
    kept = texts[:limit]
    ids = [*ids[:limit], END]
    return Read(text, ids, kept, text[len("".join(kept)) :], ids == recorded)


def own_text(found: Run) -> str:
    """The text that training recorded, or would record."""
    tokens = _recorded_sources(found)
    if tokens:
        loaded = models.load_translator(found)
        if all(0 <= token < loaded.tokenizer.vocab_size for token in tokens):
            text = loaded.tokenizer.decode(tokens)
            if marked(loaded).encode_known(text)[0] == tokens[:-1]:
                return text
    examples = run_data.examples(found)
    if examples is not None:
        return examples.probe
    pieces = models.load_translator(found).tokenizer.pieces
    return "".join(pieces[UNKNOWN + 1 :][:TOP])


def _recorded_sources(found: Run) -> list[int]:
    """Token ids of the recorded source text; [] if nothing was recorded."""
    recorded = recordings.recorded(found)
    try:
        return _sources_of(recorded[min(recorded)]) if recorded else []
    except ValueError:  # a damaged file: show everything else
        return []


@functools.lru_cache(maxsize=64)
def _sources_of(path: Path) -> list[int]:
    return recordings.snapshot(path).sources.tolist()


def answer_of(found: Run, text: str) -> str | None:
    """The right translation: from the run's data, else the one that was recorded."""
    text = sentence(text)
    known = run_data.answer(found, text)
    recorded = recordings.recorded(found)
    if known is None and recorded and text == own_text(found):
        tokenizer = models.load_translator(found).tokenizer
        known = tokenizer.decode(recordings.snapshot(recorded[min(recorded)]).tokens.tolist())
    return known


_kept: Recent[tuple[Any, ...], Any] = Recent(MAX_KEPT)


def greedy(loaded: Loaded, sources: tuple[int, ...], begin: tuple[int, ...]) -> Translation:
    """Greedy decoding after the forced prefix `begin`, cached."""
    from engine.generation.translation import translate
    from engine.model.encoder_decoder import Transformer

    def make() -> Translation:
        assert isinstance(loaded.model, Transformer)
        most = max_target_tokens(loaded, len(sources))
        return translate(loaded.model, [sources], max_new_tokens=most, forced_prefix=begin)[0]

    return _kept.get_or_make(("greedy", loaded.key, sources, begin), make)


def examine(loaded: Loaded, sources: tuple[int, ...], targets: tuple[int, ...]) -> Examined:
    """A traced forward pass, cached."""
    from engine.inspection import observe

    def make() -> Examined:
        model, config = loaded.model, loaded.config.model
        hook_points = ("blocks.*.weights", "encoder.*.weights", "logits")
        trace = observe.trace_sequence(model, [BEGIN, *targets[:-1]], hook_points, list(sources))
        shares = observe.to_numpy(trace["logits"][0].float().softmax(-1))  # (T, V)
        writable = shares.copy()
        writable[:, [PAD, BEGIN]] = -1  # never generated
        top = np.argsort(-writable, axis=-1, kind="stable")[:, :TOP]
        return Examined(
            cross=observe.attention_maps(trace, config.n_layer, "blocks.{i}.cross"),
            decoder=observe.attention_maps(trace, config.n_layer),
            encoder=observe.attention_maps(
                trace, config.n_encoder_layer or 0, "encoder.{i}.attention"
            ),
            probabilities=shares[np.arange(len(targets)), list(targets)],
            top=top,
            top_probabilities=np.take_along_axis(shares, top, -1),
        )

    return _kept.get_or_make(("traced", loaded.key, sources, targets), make)


def max_source_tokens(loaded: Loaded) -> int:
    """The maximum number of source tokens, including END."""
    model = loaded.config.model
    layers = max(model.n_layer, model.n_encoder_layer or 0)
    fits = int((MAX_CELLS / (3 * layers * model.n_head)) ** 0.5)
    return max(2, min(MAX_READ, model.max_seq_len, fits))


def max_target_tokens(loaded: Loaded, read: int) -> int:
    """The maximum number of target tokens for a source of `read` tokens, including END.

    An untrained model may never generate END, so the limit depends on the source's length.
    """
    model = loaded.config.model
    fits = MAX_CELLS // (3 * model.n_layer * model.n_head * MAX_READ)
    return max(2, min(MAX_WRITTEN, model.max_seq_len, 2 * read + 8, fits))


def number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(TEXT["number"].format(name=name, low=low, high=high))
    return float(value)
