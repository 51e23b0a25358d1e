"""Translate, the server's side: a sentence's translation, and its alignment while it is learned.

A text and what was written of it are lists of tokens; what a model makes of them is in `passes`, beam
search in `beams`, and how a run gets on in `translators`. The first part answers the view
(`playground/views/translate`), and any client may call it, so each function checks its arguments and
answers {"error": "a sentence for the learner"}; the second part is for scripts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine import snapshots
from engine.data import PairData
from engine.runs import Run
from engine.tokenizers.marked import BEGIN, END, PAD, SPECIALS, UNKNOWN
from playground import answers, beams, generating, inference, passes, probes, translators
from playground.beams import search, settings
from playground.translators import translator

if TYPE_CHECKING:
    from engine.snapshots import Bytes, Floats, Snapshot
    from playground.inference import Loaded

TEXT = {
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
    read = passes.read(found, loaded, text)
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
        "limit": passes.most_read(loaded) - 1,
        "sources": [*read.texts, SPECIALS[END]],
        "unknown": [i for i, token in enumerate(read.ids) if token == UNKNOWN],
        "encoder_layers": loaded.config.model.n_encoder_layer,
        "layers": loaded.config.model.n_layer,
        "heads": loaded.config.model.n_head,
        **shown,
    }


def _given(
    found: Run, loaded: Loaded, read: passes.Read, right: bool, start: Sequence[int] | None
) -> Given:
    """What the translation is, or begins with."""
    most = passes.most_written(loaded, len(read.ids))
    if right:
        answer = passes.answer_of(found, read.text)
        if answer is None:
            raise ValueError(TEXT["right"])
        tokenizer = passes.marked(loaded)
        return Given((*tokenizer.encode_known(answer)[0][: most - 1], END), whole=True)
    if not start:
        return Given((), whole=False)
    ids = answers.ids(start, loaded.tokenizer.vocab_size, most)
    if PAD in ids or BEGIN in ids or END in ids[:-1]:
        raise ValueError(TEXT["start"])
    return Given(tuple(ids), whole=False)


@answers.answer
def expected(run: str, text: str | None) -> dict[str, Any]:
    """The right translation of a text, {"right": None} where the run's data does not know it."""
    found = translator(run)
    text = passes.own_text(found) if text is None else answers.text(text)
    return {"right": passes.answer_of(found, text)}


@answers.answer
def examples(run: str) -> dict[str, Any]:
    """Texts to begin with: some that the run's data holds out; and how many pairs it leaves out."""
    found = translator(run)
    data = generating.data_of(found)
    return {
        "examples": list(data.prompts) if data is not None else [],
        "left_out": data.left_out() if isinstance(data, PairData) else "",
    }


@answers.answer
def stops(run: str, text: str | None = None) -> dict[str, Any]:
    """The steps that `look` can show now: for following a run while it trains."""
    found = translator(run)
    checkpoints = inference.steps(found.id)
    recorded: dict[int, Path] = probes.recorded(found) if checkpoints else {}
    if recorded and not passes.read(found, inference.load_translator(found.id), text).own:
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
    snapshot = probes.snapshot(path)
    return snapshot.sharpness(), 1 / snapshot.cross.shape[-1]


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (
    look,
    beams.beams,
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
    loaded = inference.load_translator(found.id, passes.step_of(step))
    read = passes.read(found, loaded, answers.text(text))
    count, alpha = settings(beams, length_penalty)
    written = passes.greedy(loaded, tuple(read.ids), ())
    if count > 1:
        written = search(loaded, read.ids, count, alpha).found[0]
    examined = passes.examine(loaded, tuple(read.ids), written.tokens)
    return {
        "step": loaded.step,
        "translation": loaded.tokenizer.decode(written.text),
        "sources": [*read.texts, SPECIALS[END]],
        "tokens": [passes.piece(loaded, token) for token in written.tokens],
        "attention": examined.cross.mean((0, 1)).round(5).tolist(),
        "log_probability": written.log_probability,
    }


# What `look` shows -------------------------------------------------------------------------------


class Given(NamedTuple):
    """Target tokens that are given and not chosen by the model."""

    tokens: tuple[int, ...]
    whole: bool
    """Is this all of the translation?"""


def _of_model(loaded: Loaded, sources: list[int], given: Given) -> dict[str, Any]:
    """The part of `look` that a model computes."""

    read = tuple(sources)
    tokens = given.tokens if given.whole else passes.greedy(loaded, read, given.tokens).tokens
    examined = passes.examine(loaded, read, tokens)
    ended = tokens[-1:] == (END,)
    return {
        "step": loaded.step,
        "recorded": False,
        "right": given.whole,
        "start": 0 if given.whole else len(given.tokens),
        "ids": list(tokens),
        "targets": [passes.piece(loaded, token) for token in tokens],
        "written": loaded.tokenizer.decode(tokens[:-1] if ended else tokens),
        "ended": ended,
        "probabilities": [round(float(p), 5) for p in examined.probabilities],
        "candidates": [
            [
                [int(token), passes.piece(loaded, int(token)), round(float(share), 5)]
                for token, share in zip(row, shares, strict=True)
            ]
            for row, shares in zip(examined.top, examined.top_probabilities, strict=True)
        ],
        "attention": _packed(
            *(snapshots.quantise(w) for w in (examined.cross, examined.decoder, examined.encoder))
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
        "targets": [passes.piece(loaded, token) for token in tokens],
        "written": loaded.tokenizer.decode(given[1:]),
        "ended": True,
        "probabilities": [*(round(float(np.exp(-x)), 5) for x in snapshot.losses), None],
        "candidates": [],
        "attention": _packed(snapshot.cross, snapshot.attention, snapshot.encoder),
    }


def _packed(cross: Bytes, decoder: Bytes, encoder: Bytes) -> dict[str, str]:
    every = {"cross": cross, "decoder": decoder, "encoder": encoder}
    return {name: answers.packed(weights) for name, weights in every.items()}
