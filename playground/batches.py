"""Batches, the server's side: what a run reads while it trains, and how well a checkpoint predicts it.

Batch n of a run is the nth that its data gives from the run's seed; the held-out batches are those that
its validation loss is taken over. Any client may call what is served here, so every argument is checked
and what is refused is answered with {"error": "a sentence for the learner"}.

B sequences, T positions, S tokens of a text to translate, V vocabulary.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.data.base import IGNORE, Batch, Data
from engine.runs import Run
from playground import answers, generating, inference, library

if TYPE_CHECKING:
    from playground.inference import Loaded

MOST_NUMBER = 200
"""Batches that can be looked at: to reach one, all before it are drawn."""
MAX_ROWS = 32
MAX_TOKENS = 4_096
"""Positions in one answer, B x T: of large batches the first sequences are shown."""
MAX_LOGITS = 1 << 24
"""Logits of one pass, B x T x V, 64 MB: the rest goes through the model afterwards."""

TEXT = {
    "gone": "The data of “{name}” is not there any more, so its batches cannot be made again.",
    "foreign": "The data of “{name}” has tokens that its model does not know: a file was replaced.",
    "part": "part must be “train” or “valid”.",
    "pending": "“{name}” has no checkpoint yet: it gets one as soon as it trains.",
}

# What the view asks for --------------------------------------------------------------------------


@answers.answer
def batch(
    run: str, part: str = "train", number: int = 1, step: int | None = None
) -> dict[str, Any]:
    """One batch of a run's data, and the loss of one checkpoint on each of its tokens.

    Args:
        run: any run with a checkpoint.
        part: "train", or "valid" for what is held out.
        number: which batch, from 1 to `MOST_NUMBER`; the last there is where there are fewer.
        step: of the checkpoint; None is the newest.

    `rows` is B, `columns` T, `read` S or 0. `inputs` and `targets` (B, T) and `sources` (B, S) are
    base64 of int32 ids, IGNORE in `targets` where no loss is taken. `losses` (B, T) are base64 of
    float32 nats, NaN there; `guesses` (B, T) the most probable token and `sure` (B, T) its
    probability. `pieces` are [id, text] of every token in the answer. `even` is ln V, the loss of
    guessing.
    """
    found = library.find(answers.run_id(run))
    if part not in ("train", "valid"):
        raise ValueError(TEXT["part"])
    number = answers.whole("number", number, 1, MOST_NUMBER)
    steps = inference.steps(found.id)
    if not steps:
        raise ValueError(TEXT["pending"].format(name=found.name))
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    loaded = inference.load_any(found.id, step)
    drawn, number, last = _drawn(found, part, number)
    rows = max(1, min(MAX_ROWS, MAX_TOKENS // drawn.inputs.shape[1]))
    shown = Batch(
        drawn.inputs[:rows],
        drawn.targets[:rows],
        None if drawn.sources is None else drawn.sources[:rows],
    )
    everything = [shown.inputs, shown.targets, *([] if shown.sources is None else [shown.sources])]
    if max(int(ids.max()) for ids in everything) >= len(loaded.model.embedding.weight):
        raise ValueError(TEXT["foreign"].format(name=found.name))
    losses, guesses, sure = measure(loaded, shown)
    used = set(np.concatenate([ids.ravel() for ids in (*everything, guesses)]).tolist())
    pieces = loaded.tokenizer.pieces
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
        "inputs": answers.packed(shown.inputs.astype(np.int32)),
        "targets": answers.packed(shown.targets.astype(np.int32)),
        "sources": None
        if shown.sources is None
        else answers.packed(shown.sources.astype(np.int32)),
        "losses": answers.packed(losses),
        "guesses": answers.packed(guesses.astype(np.int32)),
        "sure": answers.packed(sure),
        "pieces": [[i, pieces[i] if i < len(pieces) else f"#{i}"] for i in sorted(used - {IGNORE})],
        "even": float(np.log(loaded.model.embedding.weight.shape[0])),
    }


@answers.answer
def stored(run: str) -> dict[str, Any]:
    """The steps of a run's checkpoints by now: for following it while it trains."""
    return {"steps": inference.steps(answers.run_id(run))}


# The work ----------------------------------------------------------------------------------------

Floats = npt.NDArray[np.float32]


def measure(loaded: Loaded, shown: Batch) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """(B, T) each: the loss in nats, NaN where none is taken; the best guess; its probability."""
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
    """A batch, its number, and the last number there is."""
    reader = _reader(run.path)
    if reader is None:
        raise ValueError(TEXT["gone"].format(name=run.name))
    size = run.config.train.batch_size
    return reader.train(number, size) if part == "train" else reader.valid(number, size)


class _Reader:
    """Goes through a run's data from its beginning, as often as it is asked."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.beginning = data.state()
        self.lock = threading.Lock()

    def train(self, number: int, size: int) -> tuple[Batch, int, int]:
        with self.lock:
            self.data.load_state(self.beginning)
            for _ in range(number - 1):
                self.data.batch(size)
            return self.data.batch(size), number, MOST_NUMBER

    def valid(self, number: int, size: int) -> tuple[Batch, int, int]:
        with self.lock:
            batches = list(itertools.islice(self.data.validation(size), MOST_NUMBER))
        number = min(number, len(batches))
        return batches[number - 1], number, len(batches)


@functools.lru_cache(maxsize=8)
def _reader(path: Path) -> _Reader | None:
    data = generating.fresh_data(path)
    return None if data is None else _Reader(data)


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (batch, stored)
