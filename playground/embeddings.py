"""Embeddings, the server's side: where a model keeps its tokens and positions, seen from two directions.

The rows of an embedding table are points in C dimensions. Principal component analysis (Pearson 1901, "On
Lines and Planes of Closest Fit to Systems of Points in Space") finds the two directions in which they
differ most. The directions are those of the newest checkpoint, at every step, so that a point that moves has
moved. Any client may call what is served here: arguments are checked, and what is refused is answered
with {"error": "a sentence for the learner"}.

N points, C dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.specialisation import CLASSES, token_classes
from playground import answers, inference, library
from playground.batches import stored

if TYPE_CHECKING:
    from playground.inference import Loaded

MOST_POINTS = 2_000
"""Points that a page can show; of a larger vocabulary the first tokens, which are the most frequent."""
NEIGHBOURS = 6

TEXT = {
    "what": "what must be one of {allowed} for this run.",
    "pending": "“{name}” has no checkpoint yet: it gets one as soon as it trains.",
    "few": "Two directions need at least three points; this table has {count}.",
}

Floats = npt.NDArray[np.float32]

# What the view asks for --------------------------------------------------------------------------


@answers.answer
def project(run: str, what: str = "tokens", step: int | None = None) -> dict[str, Any]:
    """The points of one table at one checkpoint (None: the newest), in two directions.

    Args:
        what: "tokens", or "positions" where a table of them is learned or computed.

    `points` is base64 of float32 (N, 2). `share` is how much of the points' variance the two
    directions show, at this step. `names` are the tokens, or none for positions, which are numbered.
    `kinds` (N,) are places in `classes`. `tables` are what can be asked for.
    """
    newest, loaded, table = _table(run, what, step)
    directions = principal_directions(newest)
    centred = table - table.mean(0)
    points = centred @ directions.T  # (N, 2)
    total = float((centred**2).sum())
    pieces = loaded.tokenizer.pieces
    names = [pieces[i] if i < len(pieces) else f"#{i}" for i in range(len(table))]
    tokens = what == "tokens"
    return {
        "run": run,
        "step": loaded.step,
        "steps": inference.steps(run),
        "what": what,
        "tables": list(tables(loaded)),
        "points": answers.packed(points.astype(np.float32)),
        "share": float((points**2).sum()) / total if total else 0.0,
        "count": len(table),
        "all": len(tables(loaded)[what]),
        "dimensions": table.shape[1],
        "names": names if tokens else None,
        "kinds": token_classes(names).tolist() if tokens else None,
        "classes": list(CLASSES),
        "tied": loaded.config.model.tie_embeddings,
    }


@answers.answer
def neighbours(run: str, what: str, step: int | None, point: int) -> dict[str, Any]:
    """The points that lie in the most similar direction: [[point, cosine], ...], all C dimensions."""
    _, _, table = _table(run, what, step)
    point = answers.whole("point", point, 0, len(table) - 1)
    cosines = nearest(table, point)
    order = np.argsort(-cosines, kind="stable")[:NEIGHBOURS]
    return {"neighbours": [[int(i), float(cosines[i])] for i in order]}


# The work ----------------------------------------------------------------------------------------


def tables(loaded: Loaded) -> dict[str, Floats]:
    """What a model adds up for each token it reads: its tokens' vectors (V, C), and its positions' (T, C).

    RoPE and ALiBi work inside attention and add nothing, so they have no table.
    """
    import torch

    model = loaded.model
    length, width = loaded.config.model.max_seq_len, loaded.config.model.d_model
    with torch.inference_mode():
        added = model.positions.embed(torch.zeros(1, length, width), torch.arange(length))[0]
    found = {"tokens": model.embedding.weight.detach().float().numpy()}
    return found | ({"positions": added.numpy()} if added.any() else {})


def principal_directions(table: Floats, count: int = 2) -> Floats:
    """The directions (count, C), of length one, in which the rows of a table (N, C) vary most.

    Each points to where its largest component is positive, since its sign means nothing.
    """
    centred = (table - table.mean(0)).astype(np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    chosen = directions[:count]
    signs = np.sign(np.take_along_axis(chosen, np.abs(chosen).argmax(1)[:, None], 1))
    return (chosen * np.where(signs == 0, 1, signs)).astype(np.float32)


def nearest(table: Floats, point: int) -> Floats:
    """The cosine between a row and each row (N,), -inf for itself: the angle that attention's products see."""
    lengths = np.linalg.norm(table, axis=1).clip(min=1e-12)
    cosines = (table @ table[point]) / (lengths * lengths[point])
    cosines[point] = -np.inf
    return cosines


def _table(run: object, what: object, step: object) -> tuple[Floats, Loaded, Floats]:
    """A table at the newest checkpoint, the model of the chosen one, and the table there."""
    found = library.find(answers.run_id(run))
    if not inference.steps(found.id):
        raise ValueError(TEXT["pending"].format(name=found.name))
    if step is not None:
        step = answers.whole("step", step, 0, 10**12)
    newest, loaded = inference.load_any(found.id), inference.load_any(found.id, step)
    for each in (newest, loaded):
        if what not in tables(each):
            raise ValueError(TEXT["what"].format(allowed=", ".join(tables(each))))
    kept = [tables(each)[str(what)][:MOST_POINTS] for each in (newest, loaded)]
    if len(kept[0]) < 3:
        raise ValueError(TEXT["few"].format(count=len(kept[0])))
    return kept[0], loaded, kept[1]


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (project, neighbours, stored)
