"""A run's prompts, end token and probe text: stored at its start, else computed from its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.data import make_data
from engine.runs import examples
from engine.runs.store import Run, RunStore
from engine.training.driver import drive
from playground.runs import run_data

SMALL = {"d_model": 8, "n_layer": 1, "n_head": 2, "threads": 1, "device": "cpu"}
TASK = {"source": "addition", "task_length": 2, **SMALL}


@pytest.fixture(autouse=True)
def forgotten() -> None:
    run_data.forget()


def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the data was read")

    monkeypatch.setattr(run_data, "make_data", never)


@pytest.mark.parametrize(
    "fields",
    [TASK, SMALL, {"source": "dates", "n_encoder_layer": 1, "max_seq_len": 64, **SMALL}],
    ids=["task", "text", "pairs"],
)
def test_a_run_stores_its_examples_when_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
) -> None:
    config = RunConfig.from_flat(fields | {"total_steps": 1, "warmup_steps": 0, "batch_size": 2})
    run = RunStore(tmp_path).create(config, "short")
    assert drive(run).how == "finished"
    data = make_data(config)
    no_data(monkeypatch)
    found = run_data.examples(run)
    assert found == examples.examples_of(data, config.train)
    assert found is not None and found.prompts == data.prompts and found.probe == data.probe()
    assert found.end == data.end


@pytest.mark.parametrize("damage", ["", "{", '{"prompts": 3, "end": null, "probe": ""}', None])
def test_without_stored_examples_they_come_from_the_data(
    tmp_path: Path, damage: str | None
) -> None:
    run = RunStore(tmp_path).create(RunConfig.from_flat(TASK), "older")
    if damage is not None:
        (run.path / examples.NAME).write_text(damage)
    assert run_data.examples(run) == examples.examples_of(make_data(run.config), run.config.train)


def test_without_its_data_a_run_has_no_examples(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("once upon a time " * 200)
    config = RunConfig.from_flat({"source": "text", "train_data_path": str(text), **SMALL})
    run = RunStore(tmp_path / "runs").create(config, "gone")
    text.unlink()
    assert run_data.examples(run) is None
    assert run_data.answer(run, "once") is None


def test_a_texts_data_is_not_read_for_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    task = store.create(RunConfig.from_flat(TASK), "task")
    assert run_data.answer(task, "42+9=") == "51"
    text: Run = store.create(RunConfig.from_flat(SMALL), "text")
    no_data(monkeypatch)
    assert run_data.answer(text, "Once") is None
