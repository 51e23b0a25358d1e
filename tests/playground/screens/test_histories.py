"""A run's history reads on, and its curves can be drawn over other quantities."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from engine.config import RunConfig
from engine.presets import PRESETS, nearest
from engine.runs.events import Started
from engine.runs.store import RunStore
from engine.runs.summary import differing_fields
from playground.screens.histories import History, distinct, seeded, what_changed
from tests.playground.screens.pages import make, steps


def test_curves_over_other_quantities(store: RunStore) -> None:
    history = History(make(store, "one"))
    history.read()
    assert history.curves("tokens").evaluated.tolist() == [5_000, 10_000]
    assert history.curves("seconds").evaluated == pytest.approx([2.5, 5.0])
    flops = history.curves("FLOPs")
    assert flops.evaluated[1] == pytest.approx(2 * flops.evaluated[0]) and flops.step[0] > 1e6
    np.testing.assert_array_equal(flops.loss, history.curves().loss)


def test_runs_that_differ_in_their_seed_alone_are_one_group() -> None:
    configs = {
        name: RunConfig.from_flat(changes)
        for name, changes in {"a": {}, "b": {"seed": 1}, "c": {"bias": True}}.items()
    }
    assert seeded(configs) == [["a", "b"], ["c"]]


def test_a_history_reads_on(store: RunStore) -> None:
    run = make(store, "long")
    history = History(run)
    history.read()
    assert len(history.steps) == 100 and history.evaluations[-1].loss == 1.5
    before = history.offset
    history.read()
    assert history.offset == before == os.path.getsize(run.path / "events.jsonl")
    # Resumed from step 60: what came after it is done, and told, again.
    run.append(
        Started(step=60, parameters=4321, device="cpu", dtype="fp32", threads=1, train_tokens=1)
    )
    steps(run, 61, 70, loss=1.0)
    history.read()
    assert [step.step for step in history.steps] == list(range(1, 71))
    assert history.steps[-1].loss == 1.0 and history.evaluations[-1].loss == 1.25
    assert [sample.step for sample in history.samples] == [50]


def test_a_history_shared_by_sessions_counts_each_event_once(store: RunStore) -> None:
    run = make(store, "shared")
    history = History(run)
    threads = [threading.Thread(target=history.read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.steps) == 100


def test_what_changed_is_told_from_the_nearest_preset() -> None:
    for name, preset in PRESETS.items():
        found, changes = nearest(preset.config())
        assert not changes and found.config() == preset.config(), name
    first = next(iter(PRESETS))
    config = RunConfig.from_flat(PRESETS[first].config().changes() | {"bias": True})
    assert what_changed(config).endswith(": biases")


def test_differences_between_configurations() -> None:
    runs = {"a": RunConfig(), "b": RunConfig.from_flat({"bias": True, "dropout": 0.1})}
    assert differing_fields(runs) == {
        "dropout": {"a": 0.0, "b": 0.1},
        "bias": {"a": False, "b": True},
    }
    assert differing_fields({"a": RunConfig()}) == differing_fields({}) == {}
    assert distinct(["x", "y", "x", "x"]) == ["x", "y", "x (2)", "x (3)"]
    assert distinct(["x", "x", "x (2)", ""]) == ["x", "x (3)", "x (2)", ""]
