"""Server functions of the tab Look inside: attention, its stages, the logit lens, and ablated heads.

The first part serves the view (`playground/tabs/inside/view`) with JSON values and base64 arrays. Any client may
call these functions, so every argument is checked, and errors are returned as
`{"error": "a sentence for the user"}`. The second part is for scripts and raises.

Layers, heads and positions are counted from 0, as in the names of hook points (`blocks.0.attention.q`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from engine.runs import snapshots
from playground.hosting import checks
from playground.runs import models, recordings, run_lookup
from playground.runs.recent import Recent

if TYPE_CHECKING:
    from engine.model.context import Trace
    from engine.runs.snapshots import Floats
    from engine.runs.store import Run
    from playground.runs.models import Loaded

MAX_TOKENS = 128
"""The longest text that is shown."""
MAX_CELLS = 1 << 22
"""Maximum attention weights in one answer, L x H x T x T; larger models get a shorter text."""
MAX_TRACES = 24
MAX_TRACE_BYTES = 96 << 20
LENS_TOP = 5
CHANGES = 10

TEXT = {
    "empty": "Type at least one character: there is no text for attention yet.",
    "heads": "heads must be a list of pairs [layer, head].",
    "foreign": "The recording of step {step} does not belong to this model.",
    "between": "At step {step}, between two checkpoints, training recorded the attention but not the "
    "weights of the model. Choose a checkpoint to see more.",
}

Pattern = tuple[str, float, str | None]
"""What a head does: one of `observe.PATTERNS` or "token", the share of its weight, and that token."""


class Attention(TypedDict):
    """All attention of one text at one step: L layers, H heads, T tokens."""

    run: str
    name: str
    step: int
    steps: list[int]
    """The steps that can be shown: checkpoints, and recorded steps between them for the recorded text."""
    stored: list[bool]
    """Which of `steps` have a checkpoint; the others have attention alone."""
    pieces: list[str]
    """(T,) the tokens."""
    rest: str
    """The end of the text that does not fit."""
    limit: int
    """The most tokens that are shown."""
    default: bool
    """Is it the run's own text?"""
    layers: int
    heads: int
    kv_heads: int
    width: int
    """D of a head."""
    position: str
    attention: str
    """base64 of bytes (L, H, T, T); 255 is a weight of one."""
    patterns: list[list[Pattern]]
    """(L, H)."""
    suggested: tuple[int, int, int]
    """Layer, head and query to begin with: the head in which words, or letters, pick out others further back most
    sharply. Spaces and punctuation count only where there is nothing else."""


class HeadStages(TypedDict):
    """How one query's weights come about, for each of its T keys: numbers of `observe.Stages`."""

    products: list[float | None]
    scaled: list[float | None]
    bias: list[float | None]
    masked: list[float | None]
    """None is minus infinity."""
    weights: list[float | None]
    q: str
    """base64 of float32 (D,)."""
    k: str
    """base64 of float32 (T, D), as is `weighted`."""
    weighted: str
    output: str
    """base64 of float32 (D,)."""
    width: int


class LensAnswer(TypedDict):
    """The logit lens: the K most probable next tokens after each of 2 L + 1 stages."""

    stages: int
    count: int
    """K."""
    top: str
    """base64 of int32 (2 L + 1, T, K): ids."""
    shares: str
    """base64 of float32 (2 L + 1, T, K): their probabilities."""
    truth: str
    """base64 of float32 (2 L + 1, T - 1): the probability of the next token."""
    vocabulary: dict[str, str]
    """The text of each id."""


class Shift(TypedDict):
    """A next token, and its probability before and after the change."""

    piece: str
    before: float
    after: float


class ZeroAnswer(TypedDict):
    """The effect of setting heads to zero."""

    changes: list[Shift]
    """The largest change first."""
    moved: float
    """Total variation distance between both distributions."""
    loss_before: float | None
    """Mean over the text in nats per token; None for a text of one token."""
    loss_after: float | None


class Stops(TypedDict):
    """The steps that can be shown, and which of them have a checkpoint."""

    steps: list[int]
    stored: list[bool]


class TokenOf(TypedDict):
    """A token of a text."""

    id: int
    piece: str


class HeadAttention(TypedDict):
    """One head's attention."""

    step: int
    tokens: list[str]
    """(T,)."""
    weights: list[list[float]]
    """(T, T); each row sums to 1."""


# Requests of the view ----------------------------------------------------------------------------


@checks.answer
def look(run: str, step: int | None = None, text: str | None = None) -> Attention:
    """All attention of one text at one step; None: the newest checkpoint, and the run's own text."""
    found = run_lookup.find(run)
    checkpoints = models.steps(found)
    step = checks.step(step)
    recorded = recordings.recorded(found)
    between = step is not None and step not in checkpoints and step in recorded
    loaded = models.load(found, None if between else step)
    ids, rest = _ids(found, loaded, text)
    own = ids == recordings.recorded_ids(found, loaded)

    if between and own and step is not None:
        weights = recordings.snapshot(recorded[step]).attention
        if weights.shape[:2] != (loaded.config.model.n_layer, loaded.config.model.n_head):
            raise ValueError(TEXT["foreign"].format(step=step))
    else:
        if between:  # another text at a step without weights: use the nearest checkpoint
            step = min(checkpoints, key=lambda stored: abs(stored - (step or 0)))
            loaded = models.load(found, step)
        examined = _examine(loaded, ids)
        step = loaded.step
        weights = snapshots.quantise(examined.attention)
    floats = snapshots.dequantise(weights)
    pieces = [loaded.tokenizer.pieces[i] for i in ids]
    steps = sorted({*checkpoints, *recorded} if own else checkpoints)
    return {
        "run": found.id,
        "name": found.name,
        "step": step,
        "steps": steps,
        "stored": [stored in checkpoints for stored in steps],
        "pieces": pieces,
        "rest": rest,
        "limit": _limit(loaded),
        "default": text is None or ids == recordings.default_ids(found, loaded, _limit(loaded)),
        "layers": weights.shape[0],
        "heads": weights.shape[1],
        "kv_heads": loaded.config.model.kv_heads,
        "width": loaded.config.model.head_dim,
        "position": loaded.config.model.position,
        "attention": checks.base64_of(weights),
        "patterns": _patterns(floats, ids, loaded.tokenizer.pieces),
        "suggested": _suggested(floats, pieces),
    }


def _suggested(weights: Floats, pieces: Sequence[str]) -> tuple[int, int, int]:
    """The head and the query that are shown first."""
    from engine.inspection import observe

    words = np.array([any(map(str.isalnum, piece)) for piece in pieces], np.float32)
    between = weights * words[:, None] * words  # (L, H, T, T)
    shown = between if observe.long_range_attention(between).any() else weights
    layer, head = np.unravel_index(
        int(observe.long_range_attention(shown).argmax()), weights.shape[:2]
    )
    far = shown[layer, head] * np.tri(len(pieces), k=-2, dtype=np.float32)
    far[:, 0] = 0
    query = int(far.max(-1).argmax()) if far.any() else len(pieces) - 1
    return int(layer), int(head), query


def _patterns(weights: Floats, ids: list[int], pieces: Sequence[str]) -> list[list[Pattern]]:
    """For each head the simple rule that describes it best."""
    from engine.inspection import observe

    shares = observe.head_patterns(weights, ids)
    liked, liking = observe.preferred_tokens(weights, ids)

    def pattern(rule: Floats, token: int, like: float) -> Pattern:
        if like > rule.max():
            return "token", round(float(like), 3), pieces[token]
        return observe.PATTERNS[int(rule.argmax())], round(float(rule.max()), 3), None

    return [
        [pattern(*each) for each in zip(*layer, strict=True)]
        for layer in zip(shares, liked.tolist(), liking, strict=True)
    ]


@checks.answer
def stages(run: str, step: int, text: str | None, layer: int, head: int, query: int) -> HeadStages:
    """How one query's weights come about, for every key."""
    examined = _examined(run, step, text)
    layers, heads = examined.attention.shape[:2]
    from engine.inspection import observe

    found = observe.attention_stages(
        examined.trace,
        checks.whole("layer", layer, 0, layers - 1),
        checks.whole("head", head, 0, heads - 1),
        checks.whole("query", query, 0, len(examined.ids) - 1),
    )
    return {
        "products": _numbers(found.products),
        "scaled": _numbers(found.scaled),
        "bias": _numbers(found.bias),
        "masked": _numbers(found.masked),
        "weights": _numbers(found.weights),
        "q": checks.base64_of(found.query),
        "k": checks.base64_of(found.keys),
        "weighted": checks.base64_of(found.weighted),
        "output": checks.base64_of(found.output),
        "width": len(found.query),
    }


@checks.answer
def lens(run: str, step: int, text: str | None) -> LensAnswer:
    """The logit lens: the most probable next tokens of each stage at each position."""
    examined = _examined(run, step, text)

    from engine.inspection import observe

    pieces = examined.loaded.tokenizer.pieces
    targets = np.array(examined.ids[1:], np.int64)
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
        truths.append(probabilities[np.arange(len(targets)), targets])
    top, shares, truth = np.stack(best), np.stack(best_shares), np.stack(truths)
    return {
        "stages": len(top),
        "count": count,
        "top": checks.base64_of(top),
        "shares": checks.base64_of(shares),
        "truth": checks.base64_of(truth),
        "vocabulary": {str(i): models.piece(pieces, i) for i in np.unique(top).tolist()},
    }


@checks.answer
def zero(run: str, step: int, text: str | None, heads: list[list[int]], query: int) -> ZeroAnswer:
    """Set some heads' outputs to zero: the next token after `query`, and the text's loss."""
    examined = _examined(run, step, text)
    chosen = _heads(heads, *examined.attention.shape[:2])
    query = checks.whole("query", query, 0, len(examined.ids) - 1)

    from engine.inspection import observe

    effect = observe.head_effect(examined.loaded.model, examined.ids, sorted(chosen))
    before, after = effect.before[query], effect.after[query]
    changed = np.argsort(-np.abs(after - before), kind="stable")[:CHANGES]
    likely = np.argsort(-before, kind="stable")[:CHANGES]
    pieces = examined.loaded.tokenizer.pieces
    return {
        "changes": [
            {"piece": models.piece(pieces, i), "before": float(before[i]), "after": float(after[i])}
            for i in (changed if chosen else likely).tolist()
        ],
        "moved": float(np.abs(after - before).sum() / 2),
        "loss_before": _mean(effect.losses_before),
        "loss_after": _mean(effect.losses_after),
    }


@checks.answer
def stops(run: str, text: str | None = None) -> Stops:
    """The steps that `look` can show now: for following a run while it trains."""
    found = run_lookup.find(run)
    checkpoints = models.steps(found)
    recorded: dict[int, Path] = recordings.recorded(found)
    if checkpoints and recorded:
        loaded = models.load(found)
        if _ids(found, loaded, text)[0] != recordings.recorded_ids(found, loaded):
            recorded = {}
    steps = sorted({*checkpoints, *recorded}) if checkpoints else []
    return {"steps": steps, "stored": [step in checkpoints for step in steps]}


SERVED: checks.Served = (look, stages, lens, zero, stops)
"""What the view may call."""


# Requests of a script ----------------------------------------------------------------------------


def tokens(run: str, text: str) -> list[TokenOf]:
    """How the run's tokenizer cuts a text. Raises `ValueError`."""
    loaded = models.load(run_lookup.find(run))
    ids = _encode(loaded, checks.text(text))
    return [{"id": i, "piece": loaded.tokenizer.pieces[i]} for i in ids]


def attention(run: str, step: int | None, text: str, layer: int, head: int) -> HeadAttention:
    """One head's weights.

    Layer and head are counted from 0; step None is the newest checkpoint. Raises `ValueError`.
    """
    examined = _examined(run, step, text)
    layers, heads = examined.attention.shape[:2]
    layer = checks.whole("layer", layer, 0, layers - 1)
    head = checks.whole("head", head, 0, heads - 1)
    pieces = examined.loaded.tokenizer.pieces
    return {
        "step": examined.loaded.step,
        "tokens": [pieces[i] for i in examined.ids],
        "weights": examined.attention[layer, head].tolist(),
    }


# Traced forward passes, cached -------------------------------------------------------------------


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
        """Bytes of the recorded tensors."""
        return sum(value.numel() * value.element_size() for value in self.trace.values.values())


_traces: Recent[tuple[tuple[str, int], tuple[int, ...]], Examined] = Recent(
    MAX_TRACES, MAX_TRACE_BYTES, lambda examined: examined.nbytes
)


def _examined(run: str, step: int | None, text: str | None) -> Examined:
    found = run_lookup.find(run)
    step = checks.step(step)
    between = step is not None and step not in models.steps(found)
    if between and step in recordings.recorded(found):
        raise ValueError(TEXT["between"].format(step=step))
    loaded = models.load(found, step)
    return _examine(loaded, _ids(found, loaded, text)[0])


def _examine(loaded: Loaded, ids: list[int]) -> Examined:
    """The traced pass of these tokens, stored or made now."""
    from engine.inspection import observe

    def make() -> Examined:
        places = (*observe.residual_hook_points(loaded.config.model), "blocks.*.attention.*")
        trace = observe.trace_sequence(loaded.model, ids, places)
        attention = observe.attention_maps(trace, loaded.config.model.n_layer)
        return Examined(loaded, ids, trace, attention)

    return _traces.get_or_make((loaded.key, tuple(ids)), make)


def _ids(run: Run, loaded: Loaded, text: str | None) -> tuple[list[int], str]:
    """The tokens that are shown, and the rest of the text that does not fit."""
    if text is None:
        return recordings.default_ids(run, loaded, _limit(loaded)), ""
    text = checks.text(text)
    ids = _encode(loaded, text)
    kept = ids[: _limit(loaded)]
    return kept, text[len(loaded.tokenizer.decode(kept)) :]


def _encode(loaded: Loaded, text: str) -> list[int]:
    if not text:
        raise ValueError(TEXT["empty"])
    return checks.encode(loaded.tokenizer, text)


def _limit(loaded: Loaded) -> int:
    """The most tokens of a text that are shown."""
    model = loaded.config.model
    fits = int((MAX_CELLS / (model.n_layer * model.n_head)) ** 0.5)
    return max(1, min(MAX_TOKENS, model.max_seq_len, fits))


# Helpers -----------------------------------------------------------------------------------------


def _heads(heads: object, layers: int, count: int) -> set[tuple[int, int]]:
    if not isinstance(heads, Sequence) or isinstance(heads, str) or len(heads) > layers * count:
        raise ValueError(TEXT["heads"])
    chosen: set[tuple[int, int]] = set()
    for pair in heads:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(TEXT["heads"])
        chosen.add(
            (
                checks.whole("layer", pair[0], 0, layers - 1),
                checks.whole("head", pair[1], 0, count - 1),
            )
        )
    return chosen


def _numbers(values: Floats) -> list[float | None]:
    """Numbers as JSON has them: six digits, None for minus infinity."""
    return [float(f"{x:.6g}") if np.isfinite(x) else None for x in values]


def _mean(losses: Floats) -> float | None:
    return float(losses.mean()) if len(losses) else None
