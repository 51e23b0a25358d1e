"""The phases of a run, and the tables that they are measured against."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.data import CORPORA, make_data
from engine.runs.events import Evaluated, Sampled
from engine.runs.store import Run, RunStore
from engine.tokenizers import save_tokenizer
from playground.runs import phases, run_lookup


def test_entropy_is_that_of_a_table_of_counts() -> None:
    assert phases.entropy("abab" * 50, 1) == pytest.approx(math.log(2))
    assert phases.entropy("abab" * 50, 2) == pytest.approx(0, abs=1e-9)
    rng = random.Random(0)
    dice = [str(rng.randrange(6)) for _ in range(20_000)]
    for length in (1, 2):  # nothing is learned from the throw before
        assert phases.entropy(dice, length) == pytest.approx(math.log(6), abs=0.01)
    assert phases.entropy("", 1) == 0


@pytest.mark.parametrize("name", CORPORA)
def test_each_table_knows_more_than_the_one_before(name: str) -> None:
    letters, words, sentences = phases.entropies(CORPORA[name].path)
    assert letters > words > sentences > 0


@pytest.mark.parametrize("name", ["stories", "stories-zh", "experts"])
def test_a_shipped_run_goes_through_all_phases(name: str) -> None:
    """Its losses pass every threshold, in order, neither at the first nor at the last evaluation."""
    run = RunStore(run_lookup.ROOT / "checkpoints").open(name)
    found = phases.phases(run)
    assert found is not None and found["by"] == "loss" and not found["own"]
    assert [phase["name"] for phase in found["phases"]] == list(phases.NAMES)
    losses = [event.loss for event in run.history() if isinstance(event, Evaluated)]
    rows = [next(i for i, x in enumerate(losses) if x < phase["at"]) for phase in found["phases"]]
    assert 0 < rows[0] < rows[1] < rows[2] < len(losses) - 1


def test_words_are_words_of_the_text_when_the_phase_begins() -> None:
    """Few before the phase of words, most in it, and nearly all in that of sentences: measured on `stories`."""
    run = RunStore(run_lookup.ROOT / "checkpoints").open("stories")
    known = set(phases.WORD.findall(CORPORA["stories"].path.read_text("utf-8")))
    found = phases.phases(run)
    assert found is not None
    at, shares, now = [phase["at"] for phase in found["phases"]], [[], [], [], []], math.inf
    for event in run.history():
        if isinstance(event, Evaluated):
            now = event.loss
        elif isinstance(event, Sampled):
            words = [word for word in phases.WORD.findall(event.text)[1:-1] if word.isalpha()]
            phase = sum(now < threshold for threshold in at)
            shares[phase] += [word in known for word in words]
    noise, letters, words, sentences = (sum(each) / len(each) for each in shares)
    assert noise < 0.1 < letters < 0.7 < words < 0.92 < sentences


def test_a_run_on_words_begins_further_on(tmp_path: Path) -> None:
    """Guessing evenly among words is no noise of letters."""
    config = RunConfig.from_flat({"tokenizer": "word"})
    run = RunStore(tmp_path).create(config, "words")
    assert phases.phases(run) is None  # it has no tokenizer yet
    save_tokenizer(make_data(config).tokenizer, run.tokenizer_path)
    found = phases.phases(Run(run.path))
    assert found is not None
    assert [phase["name"] for phase in found["phases"]] == ["words", "sentences"]


def test_a_task_is_measured_by_right_answers(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(RunConfig.from_flat({"source": "copy"}), "copy")
    found = phases.phases(run)
    assert found is not None and found["by"] == "accuracy"


def test_a_text_that_is_gone_has_no_phases(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig(), "mine", text="It rains. " * 100)
    save_tokenizer(make_data(run.data_config()).tokenizer, run.tokenizer_path)
    found = phases.phases(run)
    assert found is not None and found["own"]
    (run.path / "data/text.txt").unlink()
    assert phases.phases(run) is None
