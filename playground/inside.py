"""Look inside, the server's side: attention, its stages, the logit lens, and heads set to zero.

The first part answers the view (`playground/views/inside`): plain JSON values, arrays as base64.
Any client may call these functions, so each checks its arguments and answers
`{"error": "a sentence for the learner"}` rather than raise. The second part is for scripts.

Layers, heads and positions are counted from 0, as in the names of places (`blocks.0.attention.q`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine import snapshots
from playground import answers, inference, library, probes

if TYPE_CHECKING:
    from engine.model.context import Trace
    from engine.runs import Run
    from engine.snapshots import Floats
    from playground.inference import Loaded

MAX_TOKENS = 128
"""The longest text that is looked at."""
MAX_CELLS = 1 << 22
"""Weights in one answer, L x H x T x T: large models get a shorter text."""
MAX_TRACES = 24
MAX_TRACE_BYTES = 96 << 20
LENS_TOP = 5
CHANGES = 10

TEXT = {
    "empty": "Type at least one character: attention needs something to look at.",
    "heads": "heads must be a list of pairs [layer, head].",
    "foreign": "What was recorded at step {step} is not of this model.",
    "between": "At step {step}, between two checkpoints, training recorded the attention but not the "
    "weights of the model. Choose a checkpoint to see more.",
}

# What the view asks for --------------------------------------------------------------------------


@answers.answer
def look(run: str, step: int | None = None, text: str | None = None) -> dict[str, Any]:
    """All attention of one text at one step; None: the newest checkpoint, and the run's own text.

    `steps` are those that can be shown: checkpoints, and for the text that training recorded also
    the steps between them (`stored` false: attention alone). `attention` is base64 of bytes
    (L, H, T, T), 255 for a weight of one. `patterns` holds for each head [one of
    observe.PATTERNS or "token", share, the token]; `suggested` the [layer, head, query] to begin
    with: the head that looks far back most sharply, and the query for which it does.
    """
    found = library.find(answers.run_id(run))
    checkpoints = inference.steps(found.id)
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    recorded = probes.recorded(found)
    between = step is not None and step not in checkpoints and step in recorded
    loaded = inference.load(found.id, None if between else step)
    ids, rest = _ids(found, loaded, text)
    own = ids == probes.recorded_ids(found, loaded)

    from engine import observe

    if between and own and step is not None:
        weights = probes.snapshot(recorded[step]).attention
        if weights.shape[:2] != (loaded.config.model.n_layer, loaded.config.model.n_head):
            raise ValueError(TEXT["foreign"].format(step=step))
    else:
        if between:  # another text was typed at a step that has no weights: the next best
            step = min(checkpoints, key=lambda stored: abs(stored - (step or 0)))
            loaded = inference.load(found.id, step)
        examined = _examine(loaded, ids)
        step = loaded.step
        weights = snapshots.quantise(examined.attention)
    floats = snapshots.dequantise(weights)
    layer, head = np.unravel_index(int(observe.reach(floats).argmax()), weights.shape[:2])
    far = floats[layer, head] * np.tri(len(ids), k=-2, dtype=np.float32)
    far[:, 0] = 0
    steps = sorted({*checkpoints, *recorded} if own else checkpoints)
    return {
        "run": found.id,
        "name": found.name,
        "step": step,
        "steps": steps,
        "stored": [stored in checkpoints for stored in steps],
        "pieces": [loaded.tokenizer.pieces[i] for i in ids],
        "rest": rest,
        "limit": _limit(loaded),
        "default": text is None or ids == probes.default_ids(found, loaded, _limit(loaded)),
        "layers": weights.shape[0],
        "heads": weights.shape[1],
        "kv_heads": loaded.config.model.kv_heads,
        "width": loaded.config.model.head_dim,
        "position": loaded.config.model.position,
        "attention": answers.packed(weights),
        "patterns": _named(floats, ids, loaded.tokenizer.pieces),
        "suggested": [
            int(layer),
            int(head),
            int(far.max(-1).argmax()) if far.any() else len(ids) - 1,
        ],
    }


def _named(weights: Floats, ids: list[int], pieces: Sequence[str]) -> list[list[list[Any]]]:
    """For each head the simple rule that describes it best: [name, share, token]."""
    from engine import observe

    shares = observe.patterns(weights, ids)
    liked, liking = observe.favourites(weights, ids)
    return [
        [
            ["token", round(float(like), 3), pieces[token]]
            if like > rule.max()
            else [observe.PATTERNS[rule.argmax()], round(float(rule.max()), 3), None]
            for rule, token, like in zip(*row, strict=True)
        ]
        for row in zip(shares, liked.tolist(), liking, strict=True)
    ]


@answers.answer
def stages(
    run: str, step: int, text: str | None, layer: int, head: int, query: int
) -> dict[str, Any]:
    """How one query's weights come about, for every key: numbers of `observe.Stages`.

    Vectors are base64 of float32: `q` (D,), `k` and `weighted` (T, D), `output` (D,). `products`,
    `scaled`, `bias`, `masked` (null for minus infinity) and `weights` are lists of T numbers.
    """
    examined = _examined(run, step, text)
    layers, heads = examined.attention.shape[:2]
    from engine import observe

    found = observe.attention_stages(
        examined.trace,
        answers.whole("layer", layer, 0, layers - 1),
        answers.whole("head", head, 0, heads - 1),
        answers.whole("query", query, 0, len(examined.ids) - 1),
    )
    numbers = {
        name: [float(f"{x:.6g}") if np.isfinite(x) else None for x in getattr(found, name)]
        for name in ("products", "scaled", "bias", "masked", "weights")
    }
    vectors = {
        "q": found.query,
        "k": found.keys,
        "weighted": found.weighted,
        "output": found.output,
    }
    return {
        **numbers,
        **{name: answers.packed(vector) for name, vector in vectors.items()},
        "width": len(found.query),
    }


@answers.answer
def lens(run: str, step: int, text: str | None) -> dict[str, Any]:
    """The logit lens: for each of 2 L + 1 stages and each position the most probable next tokens.

    `top` is base64 of int32 (2 L + 1, T, K) ids, `shares` of float32 their probabilities, `truth`
    of float32 (2 L + 1, T - 1) the probability of the token that follows; `vocabulary` the ids'
    texts.
    """
    examined = _examined(run, step, text)

    from engine import observe

    pieces = examined.loaded.tokenizer.pieces
    following = np.array(examined.ids[1:], np.int64)
    count = LENS_TOP
    best: list[npt.NDArray[np.int32]] = []
    best_shares: list[Floats] = []
    truths: list[Floats] = []
    for probabilities in observe.logit_lens(examined.loaded.model, examined.trace):
        count = min(count, probabilities.shape[-1])
        some = np.argpartition(-probabilities, count - 1, -1)[:, :count]  # (T, K), in any order
        order = np.argsort(-np.take_along_axis(probabilities, some, -1), -1, kind="stable")
        ranked = np.take_along_axis(some, order, -1)
        best.append(ranked.astype(np.int32))
        best_shares.append(np.take_along_axis(probabilities, ranked, -1))
        truths.append(probabilities[np.arange(len(following)), following])
    top, shares, truth = np.stack(best), np.stack(best_shares), np.stack(truths)
    return {
        "stages": len(top),
        "count": count,
        "top": answers.packed(top),
        "shares": answers.packed(shares),
        "truth": answers.packed(truth),
        "vocabulary": {str(i): _piece(pieces, i) for i in np.unique(top).tolist()},
    }


@answers.answer
def zero(
    run: str, step: int, text: str | None, heads: list[list[int]], query: int
) -> dict[str, Any]:
    """Set some heads' outputs to zero: the next token after `query`, and the text's loss.

    `changes` are the tokens whose probability changed most, the largest change first. Losses are
    means over the text in nats per token, null for a text of one token.
    """
    examined = _examined(run, step, text)
    chosen = _heads(heads, *examined.attention.shape[:2])
    query = answers.whole("query", query, 0, len(examined.ids) - 1)

    from engine import observe

    effect = observe.head_effect(examined.loaded.model, examined.ids, sorted(chosen))
    before, after = effect.before[query], effect.after[query]
    changed = np.argsort(-np.abs(after - before), kind="stable")[:CHANGES]
    likely = np.argsort(-before, kind="stable")[:CHANGES]
    pieces = examined.loaded.tokenizer.pieces
    return {
        "changes": [
            {"piece": _piece(pieces, i), "before": float(before[i]), "after": float(after[i])}
            for i in (changed if chosen else likely).tolist()
        ],
        "moved": float(np.abs(after - before).sum() / 2),
        "loss_before": _mean(effect.losses_before),
        "loss_after": _mean(effect.losses_after),
    }


@answers.answer
def stops(run: str, text: str | None = None) -> dict[str, Any]:
    """The steps that `look` can show now: for following a run while it trains."""
    found = library.find(answers.run_id(run))
    checkpoints = inference.steps(found.id)
    recorded: dict[int, Path] = probes.recorded(found)
    if checkpoints and recorded:
        loaded = inference.load(found.id)
        if _ids(found, loaded, text)[0] != probes.recorded_ids(found, loaded):
            recorded = {}
    steps = sorted({*checkpoints, *recorded}) if checkpoints else []
    return {"steps": steps, "stored": [step in checkpoints for step in steps]}


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (look, stages, lens, zero, stops)
"""What the view may call."""


# What a script asks for --------------------------------------------------------------------------


def tokens(run: str, text: str) -> list[dict[str, Any]]:
    """How the run's tokenizer cuts a text: [{"id": 5, "piece": "e"}, ...]. Raises `ValueError`."""
    loaded = inference.load(answers.run_id(run))
    ids = _encode(loaded, answers.text(text))
    return [{"id": i, "piece": loaded.tokenizer.pieces[i]} for i in ids]


def attention(run: str, step: int | None, text: str, layer: int, head: int) -> dict[str, Any]:
    """One head's weights: {"step", "tokens" (T), "weights" (T rows of T; each sums to 1)}.

    Layer and head are counted from 0; step None is the newest checkpoint. Raises `ValueError`.
    """
    examined = _examined(run, step, text)
    layers, heads = examined.attention.shape[:2]
    layer = answers.whole("layer", layer, 0, layers - 1)
    head = answers.whole("head", head, 0, heads - 1)
    pieces = examined.loaded.tokenizer.pieces
    return {
        "step": examined.loaded.step,
        "tokens": [pieces[i] for i in examined.ids],
        "weights": examined.attention[layer, head].tolist(),
    }


# One text in one model, kept for the next question -----------------------------------------------


@dataclass(frozen=True, eq=False)
class Examined:
    """A traced forward pass of one text."""

    loaded: Loaded
    ids: list[int]
    trace: Trace
    attention: Floats
    """(L, H, T, T)"""

    @property
    def nbytes(self) -> int:
        """Bytes of what was traced."""
        return sum(value.numel() * value.element_size() for value in self.trace.values.values())


_traces: OrderedDict[tuple[tuple[str, int], tuple[int, ...]], Examined] = OrderedDict()
_lock = threading.Lock()


def _examined(run: str, step: int | None, text: str | None) -> Examined:
    found = library.find(answers.run_id(run))
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
        if step not in inference.steps(found.id) and step in probes.recorded(found):
            raise ValueError(TEXT["between"].format(step=step))
    loaded = inference.load(found.id, step)
    return _examine(loaded, _ids(found, loaded, text)[0])


def _examine(loaded: Loaded, ids: list[int]) -> Examined:
    """The traced pass, from those that are kept or made now."""
    key = (loaded.key, tuple(ids))
    with _lock:
        if key in _traces:
            _traces.move_to_end(key)
            return _traces[key]

    from engine import observe

    places = (*observe.stream_places(loaded.config.model), "blocks.*.attention.*")
    trace = observe.trace_of(loaded.model, ids, places)
    examined = Examined(
        loaded, ids, trace, observe.attention_of(trace, loaded.config.model.n_layer)
    )
    with _lock:
        _traces[key] = examined
        while len(_traces) > 1 and (
            len(_traces) > MAX_TRACES
            or sum(kept.nbytes for kept in _traces.values()) > MAX_TRACE_BYTES
        ):
            _traces.popitem(last=False)
    return examined


def _ids(run: Run, loaded: Loaded, text: str | None) -> tuple[list[int], str]:
    """The tokens that are looked at, and the rest of the text that the model has no room for."""
    if text is None:
        return probes.default_ids(run, loaded, _limit(loaded)), ""
    text = answers.text(text)
    ids = _encode(loaded, text)
    kept = ids[: _limit(loaded)]
    return kept, text[len(loaded.tokenizer.decode(kept)) :]


def _encode(loaded: Loaded, text: str) -> list[int]:
    if not text:
        raise ValueError(TEXT["empty"])
    return answers.encode(loaded.tokenizer, text)


def _limit(loaded: Loaded) -> int:
    """How many tokens of a text are looked at."""
    model = loaded.config.model
    fits = int((MAX_CELLS / (model.n_layer * model.n_head)) ** 0.5)
    return max(1, min(MAX_TOKENS, model.max_seq_len, fits))


# Checking and packing ----------------------------------------------------------------------------


def _heads(heads: object, layers: int, count: int) -> set[tuple[int, int]]:
    if not isinstance(heads, Sequence) or isinstance(heads, str) or len(heads) > layers * count:
        raise ValueError(TEXT["heads"])
    chosen: set[tuple[int, int]] = set()
    for pair in heads:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(TEXT["heads"])
        chosen.add(
            (
                answers.whole("layer", pair[0], 0, layers - 1),
                answers.whole("head", pair[1], 0, count - 1),
            )
        )
    return chosen


def _piece(pieces: Sequence[str], token: int) -> str:
    """A token's text; a model may have more tokens than its tokenizer has pieces."""
    return pieces[token] if token < len(pieces) else f"#{token}"


def _mean(losses: Floats) -> float | None:
    return float(losses.mean()) if len(losses) else None
