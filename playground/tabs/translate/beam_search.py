"""Beam search compared with greedy decoding: the translations and the search tree, for the view and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from playground.hosting import checks
from playground.runs import models
from playground.tabs.translate import translation_trace
from playground.tabs.translate.translation_runs import translator

if TYPE_CHECKING:
    from engine.generation.translation import Candidate, Search, Translation
    from playground.runs.models import Loaded

MAX_BEAMS = 8
MAX_PENALTY = 3.0
MAX_NODES = 600
"""Maximum candidates in an answer; pruned branches are left out first."""


class BeamEntry(TypedDict):
    """One translation with its scores."""

    written: str
    ids: list[int]
    length: int
    ended: bool
    log_probability: float
    score: float


class BeamTree(TypedDict):
    """What `beams` answers."""

    step: int
    greedy: BeamEntry
    found: list[BeamEntry]
    tree: list[tuple[int, str, float, float, str, str]]
    left_out: int


@checks.answer
def beams(
    run: str, step: int | None, text: str | None, count: int, length_penalty: float
) -> BeamTree:
    """Beam search and greedy decoding: the translations found, best first, and the search tree.

    `tree` is a list of [parent, token text, its probability, total log-probability, fate, marks]. A
    parent is an index into the list, -1 for the root. Marks are "b" on the best path and "g" on the
    greedy path. `left_out` is the number of candidates that are not in the tree.
    """
    found = translator(run)
    loaded = models.load_translator(found, checks.step(step))
    read = translation_trace.read(found, loaded, text)
    count, alpha = settings(count, length_penalty)
    searched = search(loaded, read.ids, count, alpha)
    greedy = translation_trace.greedy(loaded, tuple(read.ids), ())
    places, left_out = _bounded(searched.tree)
    numbers = {old: new for new, old in enumerate(places)} | {-1: -1}
    best = _path(searched.tree, searched.found[0].tokens)
    along = _path(searched.tree, greedy.tokens)
    return {
        "step": loaded.step,
        "greedy": _entry(loaded, greedy, alpha),
        "found": [_entry(loaded, each, alpha) for each in searched.found],
        "tree": [
            (
                numbers[node.parent],
                models.piece(loaded.tokenizer.pieces, node.token),
                round(float(np.exp(node.log_probability)), 5),
                round(node.total, 4),
                node.fate,
                ("b" if place in best else "") + ("g" if place in along else ""),
            )
            for place in places
            for node in [searched.tree[place]]
        ],
        "left_out": left_out,
    }


def settings(count: object, length_penalty: object) -> tuple[int, float]:
    """Check the number of beams and the length penalty. Raises `ValueError`."""
    return (
        checks.whole("beams", count, 1, MAX_BEAMS),
        translation_trace.number("length_penalty", length_penalty, 0, MAX_PENALTY),
    )


def search(loaded: Loaded, sources: list[int], count: int, alpha: float) -> Search:
    """Run beam search on one source text."""
    from engine.generation.translation import beam_search
    from engine.model.encoder_decoder import Transformer

    assert isinstance(loaded.model, Transformer)
    most = translation_trace.max_target_tokens(loaded, len(sources))
    return beam_search(loaded.model, [sources], count, alpha, most)[0]


def _path(tree: Sequence[Candidate], tokens: Sequence[int]) -> set[int]:
    """Indices in the tree of a translation's tokens, as far as the tree contains them."""
    children = {(node.parent, node.token): place for place, node in enumerate(tree)}
    path: list[int] = []
    for token in tokens:
        found = children.get((path[-1] if path else -1, token))
        if found is None:
            break
        path.append(found)
    return set(path)


def _bounded(tree: Sequence[Candidate]) -> tuple[list[int], int]:
    """Indices of at most `MAX_NODES` candidates, parents before children, and the number left out.

    Pruned candidates, which have no children, are left out first, from the end.
    """
    from engine.generation.translation import PRUNED

    spare = max(0, len(tree) - MAX_NODES)
    pruned = [place for place, node in enumerate(tree) if node.fate == PRUNED]
    gone = set(pruned[max(0, len(pruned) - spare) :])
    kept = [place for place in range(len(tree)) if place not in gone][:MAX_NODES]
    return kept, len(tree) - len(kept)


def _entry(loaded: Loaded, found: Translation, alpha: float) -> BeamEntry:
    """One translation with its scores."""
    return {
        "written": loaded.tokenizer.decode(found.text),
        "ids": list(found.tokens),
        "length": len(found.tokens),
        "ended": found.ended,
        "log_probability": round(found.log_probability, 5),
        "score": round(found.score(alpha), 5),
    }
