"""Server functions of the tab Translate: translations, and their alignment during training.

`translation_trace` runs the model, `beam_search` is beam search, and `translation_runs` handles runs. The first
part serves the view (`playground/tabs/translate/view`). Any client may call these functions, so every argument is
checked, and errors are returned as {"error": "a sentence for the user"}. The second part is for scripts and
raises.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np

from engine.data.translation_pairs import PAIRS
from engine.runs import snapshots
from engine.runs.events import MAX_STEP
from engine.runs.store import Run
from engine.tokenizers.marked import BEGIN, END, PAD, SPECIALS, UNKNOWN
from playground.hosting import checks
from playground.runs import models, recordings, run_data
from playground.tabs.translate import beam_search as beams
from playground.tabs.translate import translation_runs, translation_trace
from playground.tabs.translate.beam_search import search, settings
from playground.tabs.translate.translation_runs import translator

if TYPE_CHECKING:
    from engine.runs.snapshots import Bytes, Floats, Snapshot
    from playground.runs.models import Loaded

TEXT = {
    "start": "A translation cannot begin with these tokens.",
    "right": "The right translation of this text is not known.",
    "foreign": "The recording of step {step} does not belong to this model.",
}

# Server functions --------------------------------------------------------------------------------


class TranslationWeights(TypedDict):
    """Attention, as base64 of bytes."""

    cross: str
    decoder: str
    encoder: str


class Translated(TypedDict):
    """The part of `look` that differs between a model and what training recorded."""

    step: int
    recorded: bool
    right: bool
    start: int
    ids: list[int]
    targets: list[str]
    written: str
    ended: bool
    probabilities: list[float | None]
    candidates: list[list[tuple[int, str, float]]]
    attention: TranslationWeights


class TranslationShown(Translated):
    """What `look` answers."""

    run: str
    name: str
    steps: list[int]
    stored: list[bool]
    text: str
    default: bool
    rest: str
    limit: int
    sources: list[str]
    unknown: list[int]
    encoder_layers: int | None
    layers: int
    heads: int


class RightTranslation(TypedDict):
    """What `expected` answers."""

    right: str | None


class TranslationExamples(TypedDict):
    """What `examples` answers."""

    examples: list[str]
    left_out: str
    words: list[str]


class TranslationStops(TypedDict):
    """What `stops` answers."""

    steps: list[int]
    stored: list[bool]


class AlignmentSharpness(TypedDict):
    """What `sharpness` answers."""

    steps: list[int]
    values: str
    even: float | None


@checks.answer
def look(
    run: str,
    step: int | None = None,
    text: str | None = None,
    right: bool = False,
    start: Sequence[int] | None = None,
) -> TranslationShown:
    """One text, its translation, and all attention between and within them.

    Args:
        run: a translation run.
        step: None for the newest checkpoint. For the recorded text, a recorded step between two
            checkpoints is shown as recorded; for other texts the nearest checkpoint is used.
        text: None for the text that training recorded.
        right: show the right translation instead of the model's, if it is known.
        start: forced prefix of the translation, as token ids.

    Returns:
        `attention` holds base64 of bytes, 255 for a weight of one: "cross" (L, H, T, S), "decoder"
        (L, H, T, T), "encoder" (N, H, S, S). Row t of the first two is the attention when target t was
        written; column 0 of "decoder" is BEGIN, column t is target t - 1. `candidates` has the most
        probable tokens for each target, [[id, text, probability], ...]; it is empty for a recording.
        `unknown` are the positions in `sources` that the model reads as ⟨unknown⟩.
    """
    found = translator(run)
    checkpoints = models.steps(found)
    recorded = recordings.recorded(found)
    if not checkpoints:
        raise models.without_weights(found)
    step = checks.step(step)
    nearest = min(checkpoints, key=lambda s: abs(s - step)) if step is not None else checkpoints[-1]
    between = step is not None and step not in checkpoints and step in recorded
    loaded = models.load_translator(found, nearest if between else step)
    read = translation_trace.read(found, loaded, text)
    steps = sorted({*checkpoints, *recorded} if read.own else checkpoints)
    if between and read.own and step is not None:
        shown = _of_snapshot(recordings.snapshot(recorded[step]), loaded)
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
        "limit": translation_trace.max_source_tokens(loaded) - 1,
        "sources": [*read.texts, SPECIALS[END]],
        "unknown": [i for i, token in enumerate(read.ids) if token == UNKNOWN],
        "encoder_layers": loaded.config.model.n_encoder_layer,
        "layers": loaded.config.model.n_layer,
        "heads": loaded.config.model.n_head,
        **shown,
    }


def _given(
    found: Run,
    loaded: Loaded,
    read: translation_trace.Read,
    right: bool,
    start: Sequence[int] | None,
) -> Given:
    """The complete translation or forced prefix that `look` was given."""
    most = translation_trace.max_target_tokens(loaded, len(read.ids))
    if right:
        answer = translation_trace.answer_of(found, read.text)
        if answer is None:
            raise ValueError(TEXT["right"])
        tokenizer = translation_trace.marked(loaded)
        return Given((*tokenizer.encode_known(answer)[0][: most - 1], END), complete=True)
    if not start:
        return Given((), complete=False)
    ids = checks.ids(start, loaded.tokenizer.vocab_size, most)
    if PAD in ids or BEGIN in ids or END in ids[:-1]:
        raise ValueError(TEXT["start"])
    return Given(tuple(ids), complete=False)


@checks.answer
def expected(run: str, text: str | None) -> RightTranslation:
    """The right translation of a text; {"right": None} if the run's data does not have it."""
    found = translator(run)
    text = translation_trace.own_text(found) if text is None else checks.text(text)
    return {"right": translation_trace.answer_of(found, text)}


@checks.answer
def examples(run: str) -> TranslationExamples:
    """Texts to begin with: some that the run's data holds out; and how many pairs it leaves out.

    `words` are those of the small language that it learns to translate, sorted; [] if that is not known.
    """
    found = translator(run)
    known = run_data.examples(found)
    source = PAIRS.get(found.config.data.source)
    return {
        "words": source.words() if source and source.words else [],
        "examples": [] if known is None else known.prompts,
        "left_out": "" if known is None else known.left_out,
    }


@checks.answer
def stops(run: str, text: str | None = None) -> TranslationStops:
    """The steps that `look` can show so far, polled while the run trains."""
    found = translator(run)
    checkpoints = models.steps(found)
    recorded: dict[int, Path] = recordings.recorded(found) if checkpoints else {}
    if recorded and not translation_trace.read(found, models.load_translator(found), text).own:
        recorded = {}
    steps = sorted({*checkpoints, *recorded})
    return {"steps": steps, "stored": [step in checkpoints for step in steps]}


@checks.answer
def sharpness(run: str, after: int = -1) -> AlignmentSharpness:
    """The alignment sharpness of the recorded text at each recorded step after `after`.

    Sharpness is the largest cross-attention weight of a row, averaged over the rows (see
    `Snapshot.sharpness`). `values` is base64 of float32 (R, L + 1, H + 1) for R recorded steps; the last
    layer and head are averages over all. `even` is the sharpness of uniform attention, 1 / S.
    """
    found = translator(run)
    after = checks.whole("after", after, -1, MAX_STEP)
    model = found.config.model
    steps: list[int] = []
    values: list[Floats] = []
    even = None
    for step, path in recordings.recorded(found).items():
        if step <= after:
            continue
        try:
            measured, even_here = _sharpness(path)
        except ValueError:  # being written, or damaged: show the others
            continue
        if measured.shape == (model.n_layer + 1, model.n_head + 1):
            steps.append(step)
            values.append(measured)
            even = even_here
    shape = (0, model.n_layer + 1, model.n_head + 1)
    stacked = np.stack(values) if values else np.zeros(shape, np.float32)
    return {"steps": steps, "values": checks.base64_of(stacked), "even": even}


@functools.lru_cache(maxsize=4096)
def _sharpness(path: Path) -> tuple[Floats, float]:
    """The sharpness (L + 1, H + 1) of one snapshot, and 1 / S."""
    snapshot = recordings.snapshot(path)
    return snapshot.sharpness(), 1 / snapshot.cross.shape[-1]


SERVED: checks.Served = (
    look,
    beams.beams,
    expected,
    examples,
    stops,
    sharpness,
    translation_runs.follow,
    translation_runs.stop,
)
"""The functions that the view may call."""


# For scripts -------------------------------------------------------------------------------------


def translate(
    run: str, text: str, beams: int = 1, length_penalty: float = 0.6, step: int | None = None
) -> dict[str, Any]:
    """Translate a text; one beam is greedy decoding. Step None is the newest checkpoint.

    Returns {"step", "translation", "sources" (S token texts, ⟨end⟩ last), "tokens" (T), "attention" (T
    rows of S: cross-attention averaged over layers and heads), "log_probability"}. Raises `ValueError`.
    """
    found = translator(run)
    loaded = models.load_translator(found, checks.step(step))
    read = translation_trace.read(found, loaded, checks.text(text))
    count, alpha = settings(beams, length_penalty)
    written = translation_trace.greedy(loaded, tuple(read.ids), ())
    if count > 1:
        written = search(loaded, read.ids, count, alpha).found[0]
    examined = translation_trace.examine(loaded, tuple(read.ids), written.tokens)
    return {
        "step": loaded.step,
        "translation": loaded.tokenizer.decode(written.text),
        "sources": [*read.texts, SPECIALS[END]],
        "tokens": [models.piece(loaded.tokenizer.pieces, token) for token in written.tokens],
        "attention": examined.cross.mean((0, 1)).round(5).tolist(),
        "log_probability": written.log_probability,
    }


# Answers of `look` -------------------------------------------------------------------------------


class Given(NamedTuple):
    """Target tokens that are given instead of generated by the model."""

    tokens: tuple[int, ...]
    complete: bool
    """Whether this is the complete translation and not only a prefix."""


def _of_model(loaded: Loaded, sources: list[int], given: Given) -> Translated:
    """The part of `look` that the model computes."""
    read = tuple(sources)
    tokens = (
        given.tokens
        if given.complete
        else translation_trace.greedy(loaded, read, given.tokens).tokens
    )
    examined = translation_trace.examine(loaded, read, tokens)
    ended = tokens[-1:] == (END,)
    return {
        "step": loaded.step,
        "recorded": False,
        "right": given.complete,
        "start": 0 if given.complete else len(given.tokens),
        "ids": list(tokens),
        "targets": [models.piece(loaded.tokenizer.pieces, token) for token in tokens],
        "written": loaded.tokenizer.decode(tokens[:-1] if ended else tokens),
        "ended": ended,
        "probabilities": [round(float(p), 5) for p in examined.probabilities],
        "candidates": [
            [
                (
                    int(token),
                    models.piece(loaded.tokenizer.pieces, int(token)),
                    round(float(share), 5),
                )
                for token, share in zip(row, shares, strict=True)
            ]
            for row, shares in zip(examined.top, examined.top_probabilities, strict=True)
        ],
        "attention": _weights(
            *(snapshots.quantise(w) for w in (examined.cross, examined.decoder, examined.encoder))
        ),
    }


def _of_snapshot(snapshot: Snapshot, loaded: Loaded) -> Translated:
    """Like `_of_model`, from a recording: of the right translation, without candidates."""
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
        "targets": [models.piece(loaded.tokenizer.pieces, token) for token in tokens],
        "written": loaded.tokenizer.decode(given[1:]),
        "ended": True,
        "probabilities": [*(round(float(np.exp(-x)), 5) for x in snapshot.losses), None],
        "candidates": [],
        "attention": _weights(snapshot.cross, snapshot.attention, snapshot.encoder),
    }


def _weights(cross: Bytes, decoder: Bytes, encoder: Bytes) -> TranslationWeights:
    return {
        "cross": checks.base64_of(cross),
        "decoder": checks.base64_of(decoder),
        "encoder": checks.base64_of(encoder),
    }
