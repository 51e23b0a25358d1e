"""Beam search beside greedy, for the view and for scripts: what was found, and the tree of the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from playground import answers, inference, passes
from playground.translators import translator

if TYPE_CHECKING:
    from engine.translation import Candidate, Search, Translation
    from playground.inference import Loaded

MAX_BEAMS = 8
MAX_PENALTY = 3.0
MOST_NODES = 600
"""Candidates that are sent: the branches that lead to nothing are cut first."""


@answers.answer
def beams(
    run: str, step: int | None, text: str | None, count: int, length_penalty: float
) -> dict[str, Any]:
    """Beam search beside greedy: the translations found, the best first, and the tree of the search.

    `tree` is a list of [parent, token's text, its probability, total log-probability, fate, marks]:
    a parent is a place in the list, -1 the beginning; marks are "b" on the best path, "g" on the
    greedy one. `left_out` candidates are not in it.
    """
    found = translator(run)
    loaded = inference.load_translator(found.id, passes.step_of(step))
    read = passes.read(found, loaded, text)
    count, alpha = settings(count, length_penalty)
    searched = search(loaded, read.ids, count, alpha)
    greedy = passes.greedy(loaded, tuple(read.ids), ())
    places, left_out = _bounded(searched.tree)
    numbers = {old: new for new, old in enumerate(places)} | {-1: -1}
    best = _path(searched.tree, searched.found[0].tokens)
    along = _path(searched.tree, greedy.tokens)
    return {
        "step": loaded.step,
        "greedy": _entry(loaded, greedy, alpha),
        "found": [_entry(loaded, each, alpha) for each in searched.found],
        "tree": [
            [
                numbers[node.parent],
                passes.piece(loaded, node.token),
                round(float(np.exp(node.log_probability)), 5),
                round(node.total, 4),
                node.fate,
                ("b" if place in best else "") + ("g" if place in along else ""),
            ]
            for place in places
            for node in [searched.tree[place]]
        ],
        "left_out": left_out,
    }


def settings(count: object, length_penalty: object) -> tuple[int, float]:
    """How many beams, and the penalty. Raises `ValueError` for what cannot be."""
    return (
        answers.whole("beams", count, 1, MAX_BEAMS),
        passes.number("length_penalty", length_penalty, 0, MAX_PENALTY),
    )


def search(loaded: Loaded, sources: list[int], count: int, alpha: float) -> Search:
    """The search itself."""
    from engine.model.encoder_decoder import Transformer
    from engine.translation import beam_search

    assert isinstance(loaded.model, Transformer)
    most = passes.most_written(loaded, len(sources))
    return beam_search(loaded.model, [sources], count, alpha, most)[0]


def _path(tree: Sequence[Candidate], tokens: Sequence[int]) -> set[int]:
    """The places in the tree of a translation's tokens, as far as the search followed it."""
    children = {(node.parent, node.token): place for place, node in enumerate(tree)}
    path: list[int] = []
    for token in tokens:
        found = children.get((path[-1] if path else -1, token))
        if found is None:
            break
        path.append(found)
    return set(path)


def _bounded(tree: Sequence[Candidate]) -> tuple[list[int], int]:
    """The places of at most `MOST_NODES` candidates, parents before children, and how many are left out.

    What goes first are pruned candidates, the last ones first: nothing continues them.
    """
    from engine.translation import PRUNED

    spare = max(0, len(tree) - MOST_NODES)
    pruned = [place for place, node in enumerate(tree) if node.fate == PRUNED]
    gone = set(pruned[max(0, len(pruned) - spare) :])
    kept = [place for place in range(len(tree)) if place not in gone][:MOST_NODES]
    return kept, len(tree) - len(kept)


def _entry(loaded: Loaded, found: Translation, alpha: float) -> dict[str, Any]:
    """One translation with its scores."""
    return {
        "written": loaded.tokenizer.decode(found.text),
        "ids": list(found.tokens),
        "length": len(found.tokens),
        "ended": found.ended,
        "log_probability": round(found.log_probability, 5),
        "score": round(found.score(alpha), 5),
    }
