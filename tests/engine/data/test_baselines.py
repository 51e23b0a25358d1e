"""Baselines: probabilities that sum to one, equal what a slow count says, and leave the data's generator alone."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from engine.config import RunConfig
from engine.data import IGNORE, make_data
from engine.data.base import Data, transitions
from engine.data.baselines import Baselines, Counts, measure

SOURCES: dict[str, dict[str, Any]] = {
    "characters": {"source": "stories"},
    "bpe": {"source": "stories", "tokenizer": "bpe", "tokenizer_size": 400},
    "words": {"source": "stories", "tokenizer": "word"},
    "task": {"source": "addition", "task_length": 2},
    "pairs": {"source": "dates", "n_encoder_layer": 1, "max_seq_len": 64},
}


def data_of(name: str) -> Data:
    return make_data(RunConfig.from_flat(SOURCES[name]))


@pytest.mark.parametrize("name", SOURCES)
def test_losses_equal_a_count_by_hand(name: str) -> None:
    """The same formulas with dictionaries, token by token; masked targets count nowhere."""
    data = data_of(name)
    size, most = data.tokenizer.vocab_size, 20_000
    before, targets = data.training_targets(most)
    assert IGNORE not in targets and len(before) == len(targets) > 0
    single, after = Counter(targets.tolist()), defaultdict[int, Counter[int]](Counter)
    for a, b in zip(before.tolist(), targets.tolist(), strict=True):
        after[a][b] += 1

    def unigram(b: int) -> float:
        return (single[b] + len(single) / size) / (single.total() + len(single))

    def bigram(a: int, b: int) -> float:
        seen = after.get(a, Counter[int]())
        return (
            (seen[b] + len(seen) * unigram(b)) / (seen.total() + len(seen)) if seen else unigram(b)
        )

    counts = Counts(before, targets, size)
    batch = next(iter(data.validation(4, 1)))
    held_before, held = transitions(batch)
    assert len(held) == np.count_nonzero(batch.targets != IGNORE)
    np.testing.assert_allclose(counts.unigram(held), [unigram(b) for b in held.tolist()])
    expected = [bigram(a, b) for a, b in zip(held_before.tolist(), held.tolist(), strict=True)]
    np.testing.assert_allclose(counts.bigram(held_before, held), expected)


def test_every_context_has_probabilities_that_sum_to_one() -> None:
    """Also one that was never seen, which is the unigram; and no pair is impossible."""
    counts = Counts(np.array([0, 0, 1, 0]), np.array([1, 1, 2, 0]), 4)
    every = np.arange(4)
    assert counts.unigram(every).sum() == pytest.approx(1)
    for context in every:
        p = counts.bigram(np.full(4, context), every)
        assert p.sum() == pytest.approx(1) and (p > 0).all()
    np.testing.assert_allclose(counts.bigram(np.full(4, 3), every), counts.unigram(every))


@pytest.mark.parametrize("name", SOURCES)
def test_the_more_is_known_the_lower_the_loss(name: str) -> None:
    """And the run's own generator draws as if nothing had been measured."""
    data, fresh = data_of(name), data_of(name)
    found = measure(data, 8, 4)
    assert found is not None
    assert 0 < found.bigram < found.unigram < math.log(data.tokenizer.vocab_size)
    assert data.state() == fresh.state()
    assert (data.batch(2).inputs == fresh.batch(2).inputs).all()
    assert found == measure(fresh, 8, 4)


def test_the_stories_have_the_values_that_lessons_name() -> None:
    """On all their validation data: 3.08 and 2.22 nats."""
    found = measure(data_of("characters"), 64, None)
    assert isinstance(found, Baselines)
    assert found.unigram == pytest.approx(3.08, abs=0.02)
    assert found.bigram == pytest.approx(2.22, abs=0.02)


@pytest.mark.parametrize(
    ("name", "most"), [("characters", 50_000), ("pairs", 5_000), ("task", 5_000)]
)
def test_of_long_data_evenly_spaced_targets_count(name: str, most: int) -> None:
    data = data_of(name)
    before, targets = data.training_targets(most)
    assert 0.5 * most <= len(targets) <= 1.02 * most or name == "task"
    assert len(targets) <= 1.02 * most
    again = data.training_targets(most)
    assert (again[0] == before).all() and (again[1] == targets).all()
