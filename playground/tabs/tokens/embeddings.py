"""Server functions of the view Embeddings: a PCA projection of a model's token and position embeddings.

The rows of an embedding table are points in C dimensions. Principal component analysis (Pearson 1901, "On
Lines and Planes of Closest Fit to Systems of Points in Space") finds the two directions of largest variance.
The directions of the newest checkpoint are used for every step, so points move only if their embeddings
change. Any client may call these functions, so every argument is checked, and errors are returned as
{"error": "a sentence for the user"}.

N points, C dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from engine.inspection.specialisation import CLASSES, token_classes
from engine.runs.store import Run
from playground.hosting import checks
from playground.runs import models, run_lookup
from playground.tabs.tokens.batches import stored

if TYPE_CHECKING:
    from playground.runs.models import Loaded

MAX_POINTS = 2_000
"""Maximum points that a page can show; of a larger vocabulary, the first tokens are shown."""
NEIGHBOURS = 6

TEXT = {
    "what": "what must be one of {allowed} for this run.",
    "few": "Two directions need at least three points; this table has {count}.",
}

Floats = npt.NDArray[np.float32]

# Server functions --------------------------------------------------------------------------------


class EmbeddingTable(TypedDict):
    """What `project` answers."""

    run: str
    step: int
    steps: list[int]
    what: str
    tables: list[str]
    points: str
    share: float
    count: int
    all: int
    dimensions: int
    names: list[str] | None
    kinds: list[int] | None
    classes: list[str]
    tied: bool


class NearestPoints(TypedDict):
    """What `neighbours` answers."""

    neighbours: list[tuple[int, float]]


@checks.answer
def project(run: str, what: str = "tokens", step: int | None = None) -> EmbeddingTable:
    """Project one table at one checkpoint (None: the newest) onto two principal directions.

    Args:
        what: "tokens", or "positions" if the model adds learned or computed positions.

    Returns:
        `points` is base64 of float32 (N, 2). `share` is the share of the points' variance that the two
        directions explain at this step. `names` are the tokens; None for positions, which are numbered.
        `kinds` (N,) are indices into `classes`. `tables` are the valid values of `what`.
    """
    found = run_lookup.find(run)
    newest, loaded, table = _table(found, what, step)
    directions = principal_directions(newest)
    centred = table - table.mean(0)
    points = centred @ directions.T  # (N, 2)
    total = float((centred**2).sum())
    pieces = loaded.tokenizer.pieces
    names = [models.piece(pieces, i) for i in range(len(table))]
    tokens = what == "tokens"
    return {
        "run": found.id,
        "step": loaded.step,
        "steps": models.steps(found),
        "what": what,
        "tables": list(tables(loaded)),
        "points": checks.base64_of(points.astype(np.float32)),
        "share": float((points**2).sum()) / total if total else 0.0,
        "count": len(table),
        "all": len(tables(loaded)[what]),
        "dimensions": table.shape[1],
        "names": names if tokens else None,
        "kinds": token_classes(names).tolist() if tokens else None,
        "classes": list(CLASSES),
        "tied": loaded.config.model.tie_embeddings,
    }


@checks.answer
def neighbours(run: str, what: str, step: int | None, point: int) -> NearestPoints:
    """The points that lie in the most similar direction: [[point, cosine], ...], all C dimensions."""
    _, _, table = _table(run_lookup.find(run), what, step)
    point = checks.whole("point", point, 0, len(table) - 1)
    cosines = cosine_similarities(table, point)
    order = np.argsort(-cosines, kind="stable")[:NEIGHBOURS]
    return {"neighbours": [(int(i), float(cosines[i])) for i in order]}


# Computation -------------------------------------------------------------------------------------


def tables(loaded: Loaded) -> dict[str, Floats]:
    """The embedding tables of a model: tokens (V, C), and positions (T, C) if it adds any.

    RoPE and ALiBi act inside attention, so they have no table.
    """
    import torch

    model = loaded.model
    length, width = loaded.config.model.max_seq_len, loaded.config.model.d_model
    with torch.inference_mode():
        added = model.positions.embed(torch.zeros(1, length, width), torch.arange(length))[0]
    found = {"tokens": model.embedding.weight.detach().float().numpy()}
    return found | ({"positions": added.numpy()} if added.any() else {})


def principal_directions(table: Floats, count: int = 2) -> Floats:
    """The first `count` principal directions (count, C) of the rows of a table (N, C), as unit vectors.

    Signs are arbitrary; they are chosen so that the component with the largest absolute value is positive.
    """
    centred = (table - table.mean(0)).astype(np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    chosen = directions[:count]
    signs = np.sign(np.take_along_axis(chosen, np.abs(chosen).argmax(1)[:, None], 1))
    return (chosen * np.where(signs == 0, 1, signs)).astype(np.float32)


def cosine_similarities(table: Floats, point: int) -> Floats:
    """The cosine similarity of one row to every row (N,); -inf for the row itself."""
    lengths = np.linalg.norm(table, axis=1).clip(min=1e-12)
    cosines = (table @ table[point]) / (lengths * lengths[point])
    cosines[point] = -np.inf
    return cosines


def _table(found: Run, what: object, step: object) -> tuple[Floats, Loaded, Floats]:
    """A table at the newest checkpoint, the model of the chosen one, and the table there."""
    if not models.steps(found):
        raise models.without_weights(found)
    step = checks.step(step)
    newest, loaded = models.load_any(found), models.load_any(found, step)
    for each in (newest, loaded):
        if what not in tables(each):
            raise ValueError(TEXT["what"].format(allowed=", ".join(tables(each))))
    kept = [tables(each)[str(what)][:MAX_POINTS] for each in (newest, loaded)]
    if len(kept[0]) < 3:
        raise ValueError(TEXT["few"].format(count=len(kept[0])))
    return kept[0], loaded, kept[1]


SERVED: checks.Served = (project, neighbours, stored)
