"""Server functions of the view Batches: the batches of a run, and a checkpoint's loss on each of their tokens.

Batch n is the nth training batch that the run's data generates from the run's seed. Validation batches are
those of the run's validation loss. Any client may call these functions, so every argument is checked, and
errors are returned as {"error": "a sentence for the user"}.

B sequences, T positions, S source tokens, V vocabulary.
"""

from __future__ import annotations

import functools
import itertools
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from engine.data.base import IGNORE, Batch, Data
from engine.runs.store import Run
from playground.hosting import checks
from playground.runs import models, run_data, run_lookup

if TYPE_CHECKING:
    from playground.runs.models import Loaded

MAX_NUMBER = 200
"""Highest batch number that can be shown; all earlier batches must be generated first."""
MAX_ROWS = 32
MAX_TOKENS = 4_096
"""Maximum positions in one answer, B x T; of larger batches, the first sequences are shown."""
MAX_LOGITS = 1 << 24
"""Maximum logits of one forward pass, B x T x V, 64 MB; larger batches are split."""

TEXT = {
    "gone": "The data of “{name}” no longer exists, so its batches cannot be generated again.",
    "foreign": "The data of “{name}” has tokens that its model does not have: a file was replaced.",
    "part": "part must be “train” or “valid”.",
}

# Server functions --------------------------------------------------------------------------------


class DrawnBatch(TypedDict):
    """What `batch` answers."""

    run: str
    name: str
    step: int
    steps: list[int]
    part: str
    number: int
    last: int
    whole: int
    rows: int
    columns: int
    read: int
    inputs: str
    targets: str
    sources: str | None
    losses: str
    guesses: str
    sure: str
    pieces: list[tuple[int, str]]
    even: float


class StoredSteps(TypedDict):
    """What `stored` answers."""

    steps: list[int]


@checks.answer
def batch(run: str, part: str = "train", number: int = 1, step: int | None = None) -> DrawnBatch:
    """One batch of a run's data, and the loss of one checkpoint on each of its tokens.

    Args:
        run: any run with a checkpoint.
        part: "train" or "valid".
        number: the batch, from 1 to `MAX_NUMBER`; if there are fewer, the last one.
        step: step of the checkpoint; None for the newest.

    Returns:
        `rows` is B, `columns` T, `read` S or 0. `inputs` and `targets` (B, T) and `sources` (B, S) are
        base64 of int32 ids; `targets` is IGNORE where no loss is computed. `losses` (B, T) are base64 of
        float32 nats, NaN where no loss is computed. `guesses` (B, T) are the most probable tokens, `sure`
        (B, T) their probabilities. `pieces` lists [id, text] of every token in the answer. `even` is
        ln V, the loss of a uniform guess.
    """
    found = run_lookup.find(run)
    if part not in ("train", "valid"):
        raise ValueError(TEXT["part"])
    number = checks.whole("number", number, 1, MAX_NUMBER)
    steps = models.steps(found)
    if not steps:
        raise models.without_weights(found)
    step = checks.step(step)
    loaded = models.load_any(found, step)
    drawn, number, last = _drawn(found, part, number)
    shown = _first_rows(drawn)
    everything = [shown.inputs, shown.targets, *([] if shown.sources is None else [shown.sources])]
    if max(int(ids.max()) for ids in everything) >= len(loaded.model.embedding.weight):
        raise ValueError(TEXT["foreign"].format(name=found.name))
    losses, guesses, sure = measure(loaded, shown)
    return {
        "run": found.id,
        "name": found.name,
        "step": loaded.step,
        "steps": steps,
        "part": part,
        "number": number,
        "last": last,
        "whole": len(drawn.inputs),
        "rows": len(shown.inputs),
        "columns": shown.inputs.shape[1],
        "read": 0 if shown.sources is None else shown.sources.shape[1],
        "inputs": _packed_ids(shown.inputs),
        "targets": _packed_ids(shown.targets),
        "sources": None if shown.sources is None else _packed_ids(shown.sources),
        "losses": checks.base64_of(losses),
        "guesses": _packed_ids(guesses),
        "sure": checks.base64_of(sure),
        "pieces": _pieces(loaded, [*everything, guesses]),
        "even": float(np.log(loaded.model.embedding.weight.shape[0])),
    }


@checks.answer
def stored(run: str) -> StoredSteps:
    """The steps of a run's checkpoints by now: for following it while it trains."""
    return {"steps": models.steps(run_lookup.find(run))}


# Computation -------------------------------------------------------------------------------------

Floats = npt.NDArray[np.float32]


def measure(loaded: Loaded, shown: Batch) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Loss in nats (NaN where none is computed), most probable token, and its probability; each (B, T)."""
    import torch

    positions, width = shown.inputs.shape[1], loaded.model.embedding.weight.shape[0]
    at_once = max(1, MAX_LOGITS // (positions * width))
    parts: list[tuple[Floats, npt.NDArray[np.int64], Floats]] = []
    with torch.inference_mode():
        for first in range(0, len(shown.inputs), at_once):
            rows = slice(first, first + at_once)
            inputs = torch.from_numpy(shown.inputs[rows])
            targets = torch.from_numpy(shown.targets[rows])
            sources = None if shown.sources is None else torch.from_numpy(shown.sources[rows])
            present = None if shown.present is None else torch.from_numpy(shown.present[rows])
            logits = loaded.model.predict(inputs, sources, present).logits  # (B, T, V)
            log_probabilities = logits.float().log_softmax(-1)
            taken = log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
            losses = (-taken).masked_fill(targets == IGNORE, float("nan"))
            sure, guesses = log_probabilities.max(-1)
            parts.append((losses.numpy(), guesses.numpy(), sure.exp().numpy()))
    losses, guesses, sure = (np.concatenate(each) for each in zip(*parts, strict=True))
    return losses, guesses, sure


def _drawn(run: Run, part: str, number: int) -> tuple[Batch, int, int]:
    """A batch, its number, and the highest available number."""
    reader = _reader(run.path)
    if reader is None:
        raise ValueError(TEXT["gone"].format(name=run.name))
    size = run.config.train.batch_size
    return reader.train(number, size) if part == "train" else reader.valid(number, size)


def _first_rows(drawn: Batch) -> Batch:
    """As much of a batch as is shown."""
    rows = max(1, min(MAX_ROWS, MAX_TOKENS // drawn.inputs.shape[1]))
    sources = None if drawn.sources is None else drawn.sources[:rows]
    return Batch(drawn.inputs[:rows], drawn.targets[:rows], sources)


def _packed_ids(ids: npt.NDArray[Any]) -> str:
    return checks.base64_of(ids.astype(np.int32))


def _pieces(loaded: Loaded, answered: list[npt.NDArray[Any]]) -> list[tuple[int, str]]:
    """(id, text) of every token in these arrays."""
    used = {int(token) for ids in answered for token in np.unique(ids)} - {IGNORE}
    pieces = loaded.tokenizer.pieces
    return [(i, models.piece(pieces, i)) for i in sorted(used)]


class _Reader:
    """Generates a run's batches from the beginning of its data, for each request."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.beginning = data.state()
        self.lock = threading.Lock()

    def train(self, number: int, size: int) -> tuple[Batch, int, int]:
        with self.lock:
            self.data.load_state(self.beginning)
            for _ in range(number - 1):
                self.data.batch(size)
            return self.data.batch(size), number, MAX_NUMBER

    def valid(self, number: int, size: int) -> tuple[Batch, int, int]:
        with self.lock:
            batches = list(itertools.islice(self.data.validation(size), MAX_NUMBER))
        number = min(number, len(batches))
        return batches[number - 1], number, len(batches)


@functools.lru_cache(maxsize=8)
def _reader(path: Path) -> _Reader | None:
    data = run_data.read(path)
    return None if data is None else _Reader(data)


SERVED: checks.Served = (batch, stored)
