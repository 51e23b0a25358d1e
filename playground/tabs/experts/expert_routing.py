"""Expert routing: the experts of each token of a text, and of token classes in validation data.

`look` routes a text at one step, and `routing` does the same for scripts. `specialise` counts token classes
against experts. Any client may call these functions, so every argument is checked.

Lx expert layers, E experts, T tokens, G token classes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from engine.config import RunConfig
from engine.estimate import flops_per_step
from engine.files import error_reason
from engine.inspection import specialisation
from engine.runs.events import MAX_STEP
from engine.runs.store import Run, RunError
from engine.validation import ConfigError
from playground.hosting import checks
from playground.runs import models, recordings, run_lookup

if TYPE_CHECKING:
    from playground.runs.models import Loaded

MAX_TOKENS = 128
"""Maximum tokens of a text."""
MAX_CELLS = 1 << 18
"""Maximum Lx x T x E of one answer; larger models get a shorter text."""
SAMPLE = 4096
"""Maximum number of validation tokens over which token classes are counted."""
SAMPLE_FLOPS = 4e9
"""Maximum FLOPs of that count, so that large models also answer quickly."""

TEXT = {
    "dense": "“{name}” has no experts: every block has one feed-forward.",
    "empty": "Type at least one character: there is no token to route yet.",
    "pending": "“{name}” has no recording yet: it gets one as soon as it trains.",
    "data": "The validation data of “{name}” can no longer be read: {reason}",
    "tokens": "The data in the settings of “{name}” has other tokens than the model, so they cannot be "
    "counted.",
}

# One text -----------------------------------------------------------------------------------------


class RoutedText(TypedDict):
    """What `look` answers."""

    run: str
    step: int
    pieces: list[str]
    rest: str
    limit: int
    stored: bool
    recorded: bool
    routing: str


@checks.answer
def look(run_id: str, step: int | None, text: str | None) -> RoutedText:
    """The routing of a text at the nearest step that can be shown.

    Text None is the text that training recorded, shown at any recorded step ("recorded" true). Any other
    text, and the default text of a run without recordings, is routed by a stored checkpoint. `routing` is
    base64 of bytes (2, Lx, T, E): probabilities, and gates of the chosen experts; 255 is one.
    """
    run = with_experts(run_id)
    if step is not None:
        step = checks.whole("step", step, 0, MAX_STEP)
    recorded = recordings.recorded(run)
    checkpoints = models.steps(run)
    wanted = max([*recorded, *checkpoints], default=0) if step is None else step
    as_recorded = text is None and bool(recorded)
    if as_recorded:
        nearest = min(recorded, key=lambda stored: abs(stored - wanted))
        snapshot = recordings.snapshot(recorded[nearest])
        ids, routing, step = snapshot.tokens.tolist(), snapshot.routing, snapshot.step
        pieces, rest, limit = _pieces(run), "", _limit(run.config)
        if routing.shape[1] != len(run.config.model.moe_layers) or not _known(ids, pieces):
            raise ValueError(TEXT["pending"].format(name=run.name))
    else:
        if not checkpoints:
            raise ValueError(TEXT["pending"].format(name=run.name))
        nearest = min(checkpoints, key=lambda stored: abs(stored - wanted))
        loaded = models.load(run, nearest)
        pieces, limit, step = loaded.tokenizer.pieces, _limit(run.config), loaded.step
        ids, rest = _ids(run, loaded, text, limit)
        routing = _routed(loaded, ids)
    return {
        "run": run.id,
        "step": step,
        "pieces": [pieces[i] for i in ids],
        "rest": rest,
        "limit": limit,
        "stored": step in checkpoints,
        "recorded": as_recorded,
        "routing": checks.base64_of(routing),
    }


def routing(run: str, step: int | None, text: str) -> dict[str, Any]:
    """The experts of each token of a text, for scripts.

    Returns {"step", "tokens": T texts, "blocks": indices of the blocks with experts, from 0, "experts":
    for each of these blocks and each token [[expert, gate], ...], largest gate first}. Gates are in 0..1
    with a resolution of 1/255. Step None is the newest checkpoint. Raises `ValueError`.
    """
    found = with_experts(run)
    if step is not None:
        step = checks.whole("step", step, 0, MAX_STEP)
    loaded = models.load(found, step)
    ids, _ = _ids(found, loaded, text, _limit(found.config))
    gates = _routed(loaded, ids)[1] / 255  # (Lx, T, E)
    return {
        "step": loaded.step,
        "tokens": [loaded.tokenizer.pieces[i] for i in ids],
        "blocks": list(found.config.model.moe_layers),
        "experts": [[_taken(token) for token in layer] for layer in gates],
    }


def _taken(gates: npt.NDArray[np.float64]) -> list[list[float]]:
    """One token's non-zero gates (E,) as [[expert, gate], ...], largest first."""
    order = np.argsort(-gates, kind="stable")[: np.count_nonzero(gates)]
    return [[int(expert), round(float(gates[expert]), 3)] for expert in order]


def with_experts(run_id: object) -> Run:
    """Find a run with experts. Raises `ValueError` if it does not exist or has none."""
    run = run_lookup.find(run_id)
    if run.config.model.n_experts is None:
        raise ValueError(TEXT["dense"].format(name=run.name))
    return run


def _pieces(run: Run) -> tuple[str, ...]:
    try:
        return tuple(run.tokenizer().pieces)
    except RunError:
        raise ValueError(TEXT["pending"].format(name=run.name)) from None


def _known(ids: list[int], pieces: tuple[str, ...]) -> bool:
    return all(0 <= i < len(pieces) for i in ids)


def _limit(config: RunConfig) -> int:
    """The maximum number of tokens of a text."""
    model = config.model
    fits = MAX_CELLS // (len(model.moe_layers) * (model.n_experts or 1))
    return max(1, min(MAX_TOKENS, model.max_seq_len, fits))


def _ids(run: Run, loaded: Loaded, text: str | None, limit: int) -> tuple[list[int], str]:
    """The tokens of a text up to the limit, and the rest of the text."""
    if text is None:
        return recordings.default_ids(run, loaded, limit), ""
    text = checks.text(text)
    if not text:
        raise ValueError(TEXT["empty"])
    ids = checks.encode(loaded.tokenizer, text)[:limit]
    return ids, text[len(loaded.tokenizer.decode(ids)) :]


def _routed(loaded: Loaded, ids: list[int]) -> npt.NDArray[np.uint8]:
    import torch

    from engine.inspection import observe

    with torch.inference_mode():
        return observe.quantised_routing(loaded.model.run(torch.tensor([ids])))


# Token classes, and experts chosen together -------------------------------------------------------


class Specialisation(TypedDict):
    """What `specialise` answers."""

    step: int
    tokens: int
    classes: Sequence[str]
    table: list[list[list[int]]]
    baseline: list[list[list[int]]]
    information: list[float]
    chance: list[float]
    uncertainty: float
    together: str


@checks.answer
def specialise(run_id: str, step: int | None) -> Specialisation:
    """Expert specialisation on validation data, at the checkpoint nearest to this step.

    Returns {"step", "tokens": number of tokens counted, "classes": names, "table": (Lx, G, E) counts,
    "baseline": the same with shuffled classes, "information" and "chance": (Lx,) mutual information of
    expert and class in bits, for the table and the baseline, "uncertainty": entropy of the classes in
    bits, "together": base64 of float32 (Lx, E, E), the share of the row expert's tokens that the column
    expert also gets}.
    """
    run = with_experts(run_id)
    checkpoints = models.steps(run)
    wanted = checks.step(step)
    if wanted is not None:
        wanted = min(checkpoints, key=lambda stored: abs(stored - (step or 0)), default=None)
    loaded = models.load(run, wanted)
    return _specialised(run.path, loaded.step, loaded.key)


@functools.lru_cache(maxsize=32)
def _specialised(path: Path, step: int, key: tuple[str, int]) -> Specialisation:
    """The answer of `specialise`, cached by the model's `key` without keeping its weights."""
    import torch

    from engine.model.routing import coactivation

    run = Run(path)
    loaded = models.load(run, step)
    try:
        tokens, tokenizer = _held_out(path)
    except (ConfigError, OSError) as error:
        raise ValueError(TEXT["data"].format(name=run.name, reason=error_reason(error))) from None
    if tokenizer != loaded.tokenizer.to_json():
        raise ValueError(TEXT["tokens"].format(name=run.name))
    with torch.inference_mode():
        routing = loaded.model.run(torch.from_numpy(tokens)).routing
    classes = specialisation.token_classes(loaded.tokenizer.pieces)[tokens.ravel()]
    shuffled = specialisation.shuffle_classes(classes)
    chosen = [record.chosen.flatten(0, -2).numpy() for record in routing]
    tables = [specialisation.count_choices(classes, each) for each in chosen]
    baselines = [specialisation.count_choices(shuffled, each) for each in chosen]
    together = np.stack([coactivation(record.chosen).float().numpy() for record in routing])
    return {
        "step": loaded.step,
        "tokens": tokens.size,
        "classes": specialisation.CLASSES,
        "table": [table.tolist() for table in tables],
        "baseline": [table.tolist() for table in baselines],
        "information": [specialisation.mutual_information(table) for table in tables],
        "chance": [specialisation.mutual_information(table) for table in baselines],
        "uncertainty": specialisation.entropy(np.bincount(classes)),
        "together": checks.base64_of(together),
    }


@functools.lru_cache(maxsize=16)
def _held_out(path: Path) -> tuple[npt.NDArray[np.int64], str]:
    """Validation sequences (B, T) of a run's data within the sample limits, and its tokenizer's JSON.

    The tokenizer of an imported model may differ.
    """
    from engine.data import make_data

    config = Run(path).data_config()
    data, train = make_data(config), config.train
    batch = next(iter(data.validation(train.batch_size, 1)))
    length = batch.inputs.shape[1]
    flops = flops_per_step(config, run_lookup.vocabulary(Run(path)))
    work = flops / (3 * train.batch_size * train.gradient_accumulation)
    rows = max(1, min(SAMPLE // length, int(SAMPLE_FLOPS / work)))
    inputs = next(iter(data.validation(rows, 1))).inputs
    return inputs, data.tokenizer.to_json()
