"""Translate, the server's side: a sentence's translation, its alignment, and beam search.

A text and what was written of it are lists of tokens; the server remembers nothing about who reads.
One whole pass over (text, BEGIN + translation) gives the attention of every step at once: row t is what
the decoder saw when it wrote token t, since no position sees the future. Such passes are kept.

How a run gets on is in `translators`. The first part answers the view (`playground/views/translate`), and any client may call it, so each
function checks its arguments and answers {"error": "a sentence for the learner"}; the second part is
for scripts. L decoder layers, N encoder layers, H heads, S tokens read, T tokens written.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.runs import Run, RunError
from engine.tokenizers.marked import BEGIN, END, PAD, SPECIALS, UNKNOWN, MarkedTokenizer
from playground import answers, generating, inference, probes, translators
from playground.translators import translator

if TYPE_CHECKING:
    from engine.observe import Bytes, Floats, Snapshot
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
MAX_BEAMS = 8
MAX_PENALTY = 3.0
MOST_NODES = 600
"""Candidates of a beam search that are sent: the branches that lead to nothing are cut first."""

TEXT = {
    "empty": "Type at least one character: there is nothing to translate yet.",
    "number": "{name} must be a number from {low} to {high}.",
    "start": "A translation cannot begin with these tokens.",
    "right": "The right translation of this text is not known.",
    "foreign": "What was recorded at step {step} is not of this model.",
    "pending": "“{name}” has no checkpoint yet: it gets one as soon as it trains.",
}

# What the view asks for --------------------------------------------------------------------------


@answers.answer
def look(
    run: str,
    step: int | None = None,
    text: str | None = None,
    right: bool = False,
    start: Sequence[int] | None = None,
) -> dict[str, Any]:
    """One text, its translation, and all attention between and within them.

    Args:
        run: a run that translates.
        step: None is the newest checkpoint. Between two checkpoints there is what training recorded
            of its own text; for any other text the nearest checkpoint answers.
        text: None is the text that training recorded.
        right: show the right translation in place of the model's own, where it is known.
        start: tokens (ids) that the translation begins with.

    `attention` holds base64 of bytes, 255 for a weight of one: "cross" (L, H, T, S), "decoder"
    (L, H, T, T), "encoder" (N, H, S, S). Row t of the first two is what was seen when target t was
    written; column 0 of "decoder" is BEGIN, column t is target t - 1. `candidates` are for each
    target the most probable tokens [[id, text, probability], ...]; none where this was recorded.
    `unknown` are the places in `sources` that the model reads as ⟨unknown⟩.
    """
    found = translator(run)
    checkpoints = inference.steps(found.id)
    recorded = probes.recorded(found)
    if not checkpoints:
        raise ValueError(TEXT["pending"].format(name=found.name))
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    nearest = min(checkpoints, key=lambda s: abs(s - step)) if step is not None else checkpoints[-1]
    between = step is not None and step not in checkpoints and step in recorded
    loaded = inference.load_translator(found.id, nearest if between else step)
    read = _read(found, loaded, text)
    steps = sorted({*checkpoints, *recorded} if read.own else checkpoints)
    if between and read.own and step is not None:
        shown = _of_snapshot(probes.snapshot(recorded[step]), loaded)
    else:
        shown = _of_model(loaded, read.ids, _given(found, loaded, read, right is True, start))
    return {
        "run": found.id,
        "name": found.name,
        "steps": steps,
        "stored": [stored in checkpoints for stored in steps],
        "text": read.text,
        "default": text is None or read.own,
        "rest": read.rest,
        "limit": _limit(loaded) - 1,
        "sources": [*read.texts, SPECIALS[END]],
        "unknown": [i for i, token in enumerate(read.ids) if token == UNKNOWN],
        "encoder_layers": loaded.config.model.n_encoder_layer,
        "layers": loaded.config.model.n_layer,
        "heads": loaded.config.model.n_head,
        **shown,
    }


def _given(
    found: Run, loaded: Loaded, read: Read, right: bool, start: Sequence[int] | None
) -> Given:
    """What the translation is, or begins with."""
    most = _most(loaded, len(read.ids))
    if right:
        answer = _answer(found, read.text)
        if answer is None:
            raise ValueError(TEXT["right"])
        tokenizer = _marked(loaded)
        return Given((*tokenizer.encode_known(answer)[0][: most - 1], END), whole=True)
    if not start:
        return Given((), whole=False)
    ids = answers.ids(start, loaded.tokenizer.vocab_size, most)
    if PAD in ids or BEGIN in ids or END in ids[:-1]:
        raise ValueError(TEXT["start"])
    return Given(tuple(ids), whole=False)


@answers.answer
def beams(
    run: str, step: int | None, text: str | None, count: int, length_penalty: float
) -> dict[str, Any]:
    """Beam search beside greedy: the translations found, the best first, and the tree of the search.

    `tree` is a list of [parent, token's text, its probability, total log-probability, fate, marks]:
    a parent is a place in the list, -1 the beginning; marks are "b" on the best path, "g" on the
    greedy one. `left_out` candidates are not in it.
    """
    found = translator(run)
    loaded = inference.load_translator(found.id, _step(step))
    read = _read(found, loaded, text)
    count = answers.whole("beams", count, 1, MAX_BEAMS)
    alpha = _number("length_penalty", length_penalty, 0, MAX_PENALTY)
    from engine.model.encoder_decoder import Transformer
    from engine.translation import beam_search

    assert isinstance(loaded.model, Transformer)
    most = _most(loaded, len(read.ids))
    searched = beam_search(loaded.model, [read.ids], count, alpha, most)[0]
    greedy = _greedy(loaded, tuple(read.ids), ())
    places, left_out = _bounded(searched.tree)
    numbers = {old: new for new, old in enumerate(places)} | {-1: -1}
    best = _path(searched.tree, searched.found[0].tokens)
    along = _path(searched.tree, greedy.tokens)
    return {
        "step": loaded.step,
        "greedy": _entry(loaded, greedy, alpha),
        "found": [_entry(loaded, each, alpha) for each in searched.found],
        "tree": [
            [
                numbers[node.parent],
                _piece(loaded, node.token),
                round(float(np.exp(node.log_probability)), 5),
                round(node.total, 4),
                node.fate,
                ("b" if place in best else "") + ("g" if place in along else ""),
            ]
            for place in places
            for node in [searched.tree[place]]
        ],
        "left_out": left_out,
    }


@answers.answer
def expected(run: str, text: str | None) -> dict[str, Any]:
    """The right translation of a text, {"right": None} where the run's data does not know it."""
    found = translator(run)
    text = _own_text(found) if text is None else answers.text(text)
    return {"right": _answer(found, text)}


@answers.answer
def examples(run: str) -> dict[str, Any]:
    """Texts to begin with: some that the run's data holds out."""
    found = translator(run)
    data = generating.data_of(found)
    return {"examples": list(data.prompts) if data is not None else []}


@answers.answer
def stops(run: str, text: str | None = None) -> dict[str, Any]:
    """The steps that `look` can show now: for following a run while it trains."""
    found = translator(run)
    checkpoints = inference.steps(found.id)
    recorded: dict[int, Path] = probes.recorded(found) if checkpoints else {}
    if recorded and not _read(found, inference.load_translator(found.id), text).own:
        recorded = {}
    steps = sorted({*checkpoints, *recorded})
    return {"steps": steps, "stored": [step in checkpoints for step in steps]}


@answers.answer
def sharpness(run: str, after: int = -1) -> dict[str, Any]:
    """How sharp the alignment of the recorded text was at each recorded step after this one.

    The largest weight of each row of cross-attention, on average over the rows. `values` is base64
    of float32 (R, L + 1, H + 1): the last layer and head are the average over all, whose weights are
    averaged before the largest is taken. `even` is what looking everywhere alike would give.
    """
    found = translator(run)
    after = answers.whole("after", after, -1, 10**12)
    model = found.config.model
    steps: list[int] = []
    values: list[Floats] = []
    even = None
    for step, path in probes.recorded(found).items():
        if step <= after:
            continue
        try:
            measured, even_here = _sharpness(path)
        except ValueError:  # it is being written, or damaged: the others can still be shown
            continue
        if measured.shape == (model.n_layer + 1, model.n_head + 1):
            steps.append(step)
            values.append(measured)
            even = even_here
    shape = (0, model.n_layer + 1, model.n_head + 1)
    stacked = np.stack(values) if values else np.zeros(shape, np.float32)
    return {"steps": steps, "values": answers.packed(stacked), "even": even}


@functools.lru_cache(maxsize=4096)
def _sharpness(path: Path) -> tuple[Floats, float]:
    """(L + 1, H + 1), and 1 / S."""
    cross = probes.snapshot(path).cross / np.float32(255)  # (L, H, T, S)
    if 0 in cross.shape:
        raise ValueError(f"{path.name}: without cross-attention")
    cross = np.concatenate([cross, cross.mean(0, keepdims=True)])
    cross = np.concatenate([cross, cross.mean(1, keepdims=True)], 1)
    return cross.max(-1).mean(-1).astype(np.float32), 1 / cross.shape[-1]


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (
    look,
    beams,
    expected,
    examples,
    stops,
    sharpness,
    translators.follow,
    translators.stop,
)
"""What the view may call."""


# What a script asks for --------------------------------------------------------------------------


def translate(
    run: str, text: str, beams: int = 1, length_penalty: float = 0.6, step: int | None = None
) -> dict[str, Any]:
    """Translate a text, with one beam greedily. Step None is the newest checkpoint.

    {"step", "translation", "sources" (S texts of tokens, ⟨end⟩ last), "tokens" (T), "attention" (T
    rows of S: cross-attention, averaged over layers and heads), "log_probability"}.
    Raises `ValueError`.
    """
    found = translator(answers.run_id(run))
    loaded = inference.load_translator(found.id, _step(step))
    read = _read(found, loaded, answers.text(text))
    count = answers.whole("beams", beams, 1, MAX_BEAMS)
    alpha = _number("length_penalty", length_penalty, 0, MAX_PENALTY)
    written = _greedy(loaded, tuple(read.ids), ())
    if count > 1:
        from engine.model.encoder_decoder import Transformer
        from engine.translation import beam_search

        assert isinstance(loaded.model, Transformer)
        most = _most(loaded, len(read.ids))
        written = beam_search(loaded.model, [read.ids], count, alpha, most)[0].found[0]
    examined = _examine(loaded, tuple(read.ids), written.tokens)
    return {
        "step": loaded.step,
        "translation": loaded.tokenizer.decode(written.text),
        "sources": [*read.texts, SPECIALS[END]],
        "tokens": [_piece(loaded, token) for token in written.tokens],
        "attention": examined.cross.mean((0, 1)).round(5).tolist(),
        "log_probability": written.log_probability,
    }


# One text and its translation in one model -------------------------------------------------------


class Given(NamedTuple):
    """Target tokens that are given and not chosen by the model."""

    tokens: tuple[int, ...]
    whole: bool
    """Is this all of the translation?"""


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


def _marked(loaded: Loaded) -> MarkedTokenizer:
    """The tokenizer of a run that translates."""
    if not isinstance(loaded.tokenizer, MarkedTokenizer):
        raise RunError("The tokenizer of this run has no ⟨begin⟩ and no ⟨end⟩.")
    return loaded.tokenizer


def _read(found: Run, loaded: Loaded, text: str | None) -> Read:
    """A text, cut where there is no more room. None: the one that training recorded."""
    tokenizer = _marked(loaded)
    recorded = _recorded_sources(found)
    text = _own_text(found) if text is None else answers.text(text)
    if not text:
        raise ValueError(TEXT["empty"])
    ids, texts = tokenizer.encode_known(text)
    room = _limit(loaded) - 1
    kept = texts[:room]
    ids = [*ids[:room], END]
    return Read(text, ids, kept, text[len("".join(kept)) :], ids == recorded)


def _own_text(found: Run) -> str:
    """The text that training recorded; else the one that it would record."""
    tokens = _recorded_sources(found)
    if tokens:
        loaded = inference.load_translator(found.id)
        if all(0 <= token < loaded.tokenizer.vocab_size for token in tokens):
            text = loaded.tokenizer.decode(tokens)
            if _marked(loaded).encode_known(text)[0] == tokens[:-1]:
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


def _answer(found: Run, text: str) -> str | None:
    """The right translation: from the run's data, else the one that was recorded."""
    data = generating.data_of(found)
    known = None if data is None else data.answer(text)
    recorded = probes.recorded(found)
    if known is None and recorded and text == _own_text(found):
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


def _greedy(loaded: Loaded, sources: tuple[int, ...], begin: tuple[int, ...]) -> Translation:
    """The most probable token each time, after those that are given."""
    from engine.model.encoder_decoder import Transformer
    from engine.translation import translate

    def make() -> Translation:
        assert isinstance(loaded.model, Transformer)
        most = _most(loaded, len(sources))
        return translate(loaded.model, [sources], most=most, start=begin)[0]

    return _remembered(("greedy", loaded.key, sources, begin), make)


def _examine(loaded: Loaded, sources: tuple[int, ...], targets: tuple[int, ...]) -> Examined:
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


def _of_model(loaded: Loaded, sources: list[int], given: Given) -> dict[str, Any]:
    """The part of `look` that a model computes."""
    from engine import observe

    read = tuple(sources)
    tokens = given.tokens if given.whole else _greedy(loaded, read, given.tokens).tokens
    examined = _examine(loaded, read, tokens)
    ended = tokens[-1:] == (END,)
    return {
        "step": loaded.step,
        "recorded": False,
        "right": given.whole,
        "start": 0 if given.whole else len(given.tokens),
        "ids": list(tokens),
        "targets": [_piece(loaded, token) for token in tokens],
        "written": loaded.tokenizer.decode(tokens[:-1] if ended else tokens),
        "ended": ended,
        "probabilities": [round(float(p), 5) for p in examined.probabilities],
        "candidates": [
            [
                [int(token), _piece(loaded, int(token)), round(float(share), 5)]
                for token, share in zip(row, shares, strict=True)
            ]
            for row, shares in zip(examined.top, examined.top_probabilities, strict=True)
        ],
        "attention": _packed(
            *(observe.quantise(w) for w in (examined.cross, examined.decoder, examined.encoder))
        ),
    }


def _of_snapshot(snapshot: Snapshot, loaded: Loaded) -> dict[str, Any]:
    """The same from what training recorded: of the right translation, without candidates."""
    model, given = loaded.config.model, snapshot.tokens.tolist()
    fits = snapshot.cross.shape[:2] == (model.n_layer, model.n_head)
    known = all(0 <= token < loaded.tokenizer.vocab_size for token in given)
    if not fits or not known or len(snapshot.encoder) != model.n_encoder_layer:
        raise ValueError(TEXT["foreign"].format(step=snapshot.step))
    tokens = [*given[1:], END]
    return {
        "step": snapshot.step,
        "recorded": True,
        "right": True,
        "start": 0,
        "ids": tokens,
        "targets": [_piece(loaded, token) for token in tokens],
        "written": loaded.tokenizer.decode(given[1:]),
        "ended": True,
        "probabilities": [*(round(float(np.exp(-x)), 5) for x in snapshot.losses), None],
        "candidates": [],
        "attention": _packed(snapshot.cross, snapshot.attention, snapshot.encoder),
    }


def _packed(cross: Bytes, decoder: Bytes, encoder: Bytes) -> dict[str, str]:
    every = {"cross": cross, "decoder": decoder, "encoder": encoder}
    return {name: answers.packed(weights) for name, weights in every.items()}


def _limit(loaded: Loaded) -> int:
    """How many tokens of a text are read, END included."""
    model = loaded.config.model
    layers = max(model.n_layer, model.n_encoder_layer or 0)
    fits = int((MAX_CELLS / (3 * layers * model.n_head)) ** 0.5)
    return max(2, min(MAX_READ, model.max_seq_len, fits))


def _most(loaded: Loaded, read: int) -> int:
    """How many tokens may be written of a text of so many, END included.

    A model that has learned nothing yet never ends: it is not to write on for pages.
    """
    model = loaded.config.model
    fits = MAX_CELLS // (3 * model.n_layer * model.n_head * MAX_READ)
    return max(2, min(MAX_WRITTEN, model.max_seq_len, 2 * read + 8, fits))


# The tree of a beam search -----------------------------------------------------------------------


def _path(tree: Sequence[Any], tokens: Sequence[int]) -> set[int]:
    """The places in the tree of a translation's tokens, as far as the search followed it."""
    children: dict[tuple[int, int], int] = {}
    for place, node in enumerate(tree):
        children[node.parent, node.token] = place
    path: set[int] = set()
    at = -1
    for token in tokens:
        found = children.get((at, token))
        if found is None:
            break
        path.add(found)
        at = found
    return path


def _bounded(tree: Sequence[Any]) -> tuple[list[int], int]:
    """The places of at most `MOST_NODES` candidates, parents before children, and how many are left out.

    What goes first are pruned candidates, the last ones first: nothing continues them.
    """
    spare = len(tree) - MOST_NODES
    places = list(range(len(tree)))
    if spare <= 0:
        return places, 0
    from engine.translation import PRUNED

    cut = {place for place in reversed(places) if tree[place].fate == PRUNED}
    gone = set(sorted(cut, reverse=True)[:spare])
    kept = [place for place in places if place not in gone][:MOST_NODES]
    return kept, len(tree) - len(kept)


def _entry(loaded: Loaded, found: Translation, alpha: float) -> dict[str, Any]:
    """One translation with its scores."""
    return {
        "written": loaded.tokenizer.decode(found.text),
        "ids": list(found.tokens),
        "length": len(found.tokens),
        "ended": found.ended,
        "log_probability": round(found.log_probability, 5),
        "score": round(found.score(alpha), 5),
    }


# Checking ----------------------------------------------------------------------------------------


def _step(step: object) -> int | None:
    return None if step is None else answers.whole("step", step, 0, 10**12)


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(TEXT["number"].format(name=name, low=low, high=high))
    return float(value)


def _piece(loaded: Loaded, token: int) -> str:
    """A token's text; a model may have more tokens than its tokenizer has pieces."""
    pieces = loaded.tokenizer.pieces
    return pieces[token] if token < len(pieces) else f"#{token}"
