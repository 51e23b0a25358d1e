"""Which experts work on which token: of one text, and of kinds of tokens in held-out data.

`look` routes a text at one step, and `routing` is the same for scripts; `specialise` counts kinds of
tokens against experts. Any client may call these, so every argument is checked.

Lx expert layers, E experts, T tokens, G kinds of tokens.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine import specialisation as special
from engine.config import RunConfig
from engine.estimate import flops_per_step
from engine.jsonl import reason_of
from engine.runs import Run, RunError
from engine.validation import ConfigError
from playground import actions, answers, inference, library, probes

if TYPE_CHECKING:
    from playground.inference import Loaded

MAX_TOKENS = 128
"""The longest text that is routed."""
MAX_CELLS = 1 << 18
"""Lx x T x E of one answer: large models get a shorter text."""
SAMPLE = 4096
"""Held-out tokens over which kinds of tokens are counted, at most."""
SAMPLE_FLOPS = 4e9
"""And no more than this much work, so that a large model answers as soon."""

TEXT = {
    "dense": "“{name}” has no experts: every block has one feed-forward.",
    "empty": "Type at least one character: a router needs something to send.",
    "pending": "“{name}” has recorded nothing yet: it does so as soon as it trains.",
    "data": "The held-out data of “{name}” cannot be read any more: {reason}",
    "tokens": "The data that “{name}” is configured with has other tokens than the model, so nothing "
    "can be counted on it.",
}

# One text -----------------------------------------------------------------------------------------


@answers.answer
def look(run_id: str, step: int | None, text: str | None) -> dict[str, Any]:
    """How a text is routed at the step nearest to this one that can be shown.

    None for the text: the one that training recorded, at any recorded step. Any other text goes
    through the model at a stored checkpoint, and so does the text to begin with of a run that
    recorded none. "recorded" tells which it was. `routing` is base64 of bytes (2, Lx, T, E):
    probabilities, and gates of the chosen, 255 is one.
    """
    run = with_experts(run_id)
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    recorded = probes.recorded(run)
    checkpoints = inference.steps(run.id)
    wanted = max([*recorded, *checkpoints], default=0) if step is None else step
    as_recorded = text is None and bool(recorded)
    if as_recorded:
        nearest = min(recorded, key=lambda stored: abs(stored - wanted))
        snapshot = probes.snapshot(recorded[nearest])
        ids, routing, step = snapshot.tokens.tolist(), snapshot.routing, snapshot.step
        pieces, rest, limit = _pieces(run), "", _limit(run.config)
        if routing.shape[1] != len(run.config.model.moe_layers) or not _known(ids, pieces):
            raise ValueError(TEXT["pending"].format(name=run.name))
    else:
        if not checkpoints:
            raise ValueError(TEXT["pending"].format(name=run.name))
        nearest = min(checkpoints, key=lambda stored: abs(stored - wanted))
        loaded = inference.load(run.id, nearest)
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
        "routing": answers.packed(routing),
    }


def routing(run: str, step: int | None, text: str) -> dict[str, Any]:
    """Who works on each token of a text: for scripts.

    {"step", "tokens": T texts, "blocks": the blocks with experts, counted from 0, "experts": for each
    of these blocks and each token [[expert, gate], ...], the strongest first}; a gate is in 0..1, to
    1/255. Step None is the newest checkpoint. Raises `ValueError`.
    """
    found = with_experts(answers.run_id(run))
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    loaded = inference.load(found.id, step)
    ids, _ = _ids(found, loaded, text, _limit(found.config))
    gates = _routed(loaded, ids)[1] / 255  # (Lx, T, E)
    return {
        "step": loaded.step,
        "tokens": [loaded.tokenizer.pieces[i] for i in ids],
        "blocks": list(found.config.model.moe_layers),
        "experts": [[_taken(token) for token in layer] for layer in gates],
    }


def _taken(gates: npt.NDArray[np.float64]) -> list[list[float]]:
    """One token's gates (E,) as [[expert, gate], ...]: those that are not zero, the largest first."""
    order = np.argsort(-gates, kind="stable")[: np.count_nonzero(gates)]
    return [[int(expert), round(float(gates[expert]), 3)] for expert in order]


def with_experts(run_id: object) -> Run:
    """The run of this id. Raises `ValueError` where there is none, or it has no experts."""
    run = actions.find(run_id)
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
    """How many tokens of a text are routed."""
    model = config.model
    fits = MAX_CELLS // (len(model.moe_layers) * (model.n_experts or 1))
    return max(1, min(MAX_TOKENS, model.max_seq_len, fits))


def _ids(run: Run, loaded: Loaded, text: str | None, limit: int) -> tuple[list[int], str]:
    """The tokens that are routed, and the rest of the text that there is no room for."""
    if text is None:
        return probes.default_ids(run, loaded, limit), ""
    text = answers.text(text)
    if not text:
        raise ValueError(TEXT["empty"])
    ids = answers.encode(loaded.tokenizer, text)[:limit]
    return ids, text[len(loaded.tokenizer.decode(ids)) :]


def _routed(loaded: Loaded, ids: list[int]) -> npt.NDArray[np.uint8]:
    import torch

    from engine import observe

    with torch.inference_mode():
        return observe.routing_of(loaded.model.run(torch.tensor([ids])))


# Kinds of tokens, and experts that work together --------------------------------------------------


@answers.answer
def specialise(run_id: str, step: int | None) -> dict[str, Any]:
    """What experts take, on held-out data, at the checkpoint nearest to this step.

    {"step", "tokens": how many were counted, "classes": names, "table" and "baseline": (Lx, G, E)
    counts, the latter with the kinds shuffled, "information" and "chance": (Lx,) bits that an
    expert tells of the kind, "uncertainty": bits that there are to tell, "together": base64 of
    float32 (Lx, E, E), of the tokens of the row's expert the share that the column's has too}
    """
    run = with_experts(run_id)
    checkpoints = inference.steps(run.id)
    wanted = None if step is None else answers.whole("step", step, 0, 10**12)
    if wanted is not None:
        wanted = min(checkpoints, key=lambda stored: abs(stored - (step or 0)), default=None)
    loaded = inference.load(run.id, wanted)
    return _specialised(run.path, loaded.step, loaded.key)


@functools.lru_cache(maxsize=32)
def _specialised(path: Path, step: int, key: tuple[str, int]) -> dict[str, Any]:
    """The answer for the weights of this `key`; it is kept, and they are not kept for it."""
    import torch

    from engine.model.routing import coactivation

    run, loaded = Run(path), inference.load(path.name, step)
    try:
        tokens, tokenizer = _held_out(path)
    except (ConfigError, OSError) as error:
        raise ValueError(TEXT["data"].format(name=run.name, reason=reason_of(error))) from None
    if tokenizer != loaded.tokenizer.to_json():
        raise ValueError(TEXT["tokens"].format(name=run.name))
    with torch.inference_mode():
        routing = loaded.model.run(torch.from_numpy(tokens)).routing
    classes = special.token_classes(loaded.tokenizer.pieces)[tokens.ravel()]
    dealt = special.shuffled(classes)
    chosen = [record.chosen.flatten(0, -2).numpy() for record in routing]
    tables = [special.counts(classes, each) for each in chosen]
    baselines = [special.counts(dealt, each) for each in chosen]
    together = np.stack([coactivation(record.chosen).float().numpy() for record in routing])
    return {
        "step": loaded.step,
        "tokens": tokens.size,
        "classes": special.CLASSES,
        "table": [table.tolist() for table in tables],
        "baseline": [table.tolist() for table in baselines],
        "information": [special.mutual_information(table) for table in tables],
        "chance": [special.mutual_information(table) for table in baselines],
        "uncertainty": special.entropy(np.bincount(classes)),
        "together": answers.packed(together),
    }


@functools.lru_cache(maxsize=16)
def _held_out(path: Path) -> tuple[npt.NDArray[np.int64], str]:
    """Held-out sequences (B, T) of a run's data, as many as can be routed at once, and the JSON of
    the tokenizer that they were made with: an imported model may have another."""
    from engine.data import make_data

    config = Run(path).data_config()
    data, train = make_data(config), config.train
    batch = next(iter(data.validation(train.batch_size, 1)))
    length = batch.inputs.shape[1]
    step = flops_per_step(config, library.vocabulary(Run(path)))
    work = step / (3 * train.batch_size * train.gradient_accumulation)
    rows = max(1, min(SAMPLE // length, int(SAMPLE_FLOPS / work)))
    inputs = next(iter(make_data(config).validation(rows, 1))).inputs
    return inputs, data.tokenizer.to_json()
