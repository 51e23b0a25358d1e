"""Translate, the server's side: true numbers, and a clear sentence for whatever else is sent."""

from __future__ import annotations

import base64
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import RunConfig
from engine.generation.translation import beam_search, translate
from engine.inspection import observe
from engine.model.encoder_decoder import Transformer
from engine.presets import PRESETS
from engine.runs import snapshots
from engine.runs.events import Stop
from engine.runs.store import Run, RunStore
from engine.runs.summary import Outcome
from engine.tokenizers.marked import BEGIN, END, PAD, SPECIALS, UNKNOWN
from engine.training.driver import drive
from playground.runs import models, run_lookup
from playground.tabs.translate import beam_search as beams
from playground.tabs.translate import server as translating
from playground.tabs.translate import translation_runs
from tests.tools.scoring import score

pytestmark = pytest.mark.usefixtures("learners_runs")

SMALL: dict[str, Any] = {
    "source": "numbers", "n_encoder_layer": 1, "n_layer": 2, "n_head": 2, "d_model": 16,
    "max_seq_len": 32, "batch_size": 4, "total_steps": 6, "eval_interval": 3, "eval_steps": 1,
    "save_interval": 3, "probe_interval": 2, "sample_interval": 3, "warmup_steps": 0, "threads": 1,
    "max_lr": 0.01, "device": "cpu",
}  # fmt: skip
TEXT = "4721"


def make_run(runs: Path, name: str = "a small run", **fields: Any) -> Run:
    made = RunStore(runs).create(RunConfig.from_flat(SMALL | fields), name)
    drive(made)
    return made


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    return make_run(runs)


@pytest.fixture(scope="module")
def dense(runs: Path) -> Run:
    config = {"d_model": 16, "n_head": 2, "max_seq_len": 16, "threads": 1}
    return RunStore(runs).create(RunConfig.from_flat(config), "a language model")


def weights_of(answer: dict[str, Any], kind: str) -> np.ndarray:
    size = {"cross": "TS", "decoder": "TT", "encoder": "SS"}[kind]
    lengths = {"S": len(answer["sources"]), "T": len(answer["targets"])}
    layers = answer["encoder_layers" if kind == "encoder" else "layers"]
    shape = (layers, answer["heads"], lengths[size[0]], lengths[size[1]])
    flat = np.frombuffer(base64.b64decode(answer["attention"][kind]), "u1")
    return flat.reshape(shape) / 255


def model_of(run: Run) -> tuple[Transformer, Any]:
    loaded = models.load_translator(run)
    assert isinstance(loaded.model, Transformer)
    return loaded.model, loaded.tokenizer


# One text ----------------------------------------------------------------------------------------


def test_a_text_is_translated_as_the_engine_does(run: Run) -> None:
    answer = translating.look(run.id, None, TEXT)
    model, tokenizer = model_of(run)
    source = [*tokenizer.encode(TEXT), END]
    most = 2 * len(source) + 8
    found = translate(model, [source], max_new_tokens=most)[0]
    assert answer["ids"] == list(found.tokens) and answer["step"] == 6
    assert answer["written"] == tokenizer.decode(found.text)
    assert answer["sources"] == ["4", "7", "2", "1", SPECIALS[END]]
    assert answer["ended"] == found.ended and not answer["recorded"] and not answer["right"]
    costs = [math.exp(cost) for cost in found.log_probabilities]
    assert answer["probabilities"] == pytest.approx(costs, abs=1e-3)
    for token, row in zip(answer["ids"], answer["candidates"], strict=True):
        assert len(row) == 5 and row[0][0] == token, "greedy takes the first"
        shares = [share for _, _, share in row]
        assert shares == sorted(shares, reverse=True)
        assert not {PAD, BEGIN} & {candidate for candidate, _, _ in row}
    json.dumps(answer)


def test_every_row_is_what_that_step_saw(run: Run) -> None:
    answer = translating.look(run.id, None, TEXT)
    model, tokenizer = model_of(run)
    source = [*tokenizer.encode(TEXT), END]
    for kind in ("cross", "decoder", "encoder"):
        assert weights_of(answer, kind).sum(-1) == pytest.approx(1, abs=0.02 * len(source))
    assert (np.triu(weights_of(answer, "decoder"), 1) == 0).all(), "nobody looks ahead"
    for row in range(len(answer["ids"])):
        written = [BEGIN, *answer["ids"][:row]]
        trace = observe.trace_sequence(model, written, ["*.weights"], source)
        seen = observe.attention_maps(trace, 2, "blocks.{i}.cross")[:, :, -1]
        assert weights_of(answer, "cross")[:, :, row] == pytest.approx(seen, abs=0.01)


def test_the_translation_goes_on_from_a_token_that_was_chosen(run: Run) -> None:
    before = translating.look(run.id, None, TEXT)
    other = before["candidates"][1][3][0]
    start = [before["ids"][0], other]
    answer = translating.look(run.id, None, TEXT, False, start)
    assert answer["ids"][:2] == start and answer["start"] == 2
    assert answer["probabilities"][1] == pytest.approx(before["candidates"][1][3][2], abs=1e-4)
    ended = translating.look(run.id, None, TEXT, False, [before["ids"][0], END])
    assert ended["ids"] == [before["ids"][0], END] and ended["ended"]


def test_between_checkpoints_there_is_what_training_recorded(run: Run) -> None:
    assert translating.stops(run.id)["steps"] == [0, 2, 3, 4, 6]
    answer = translating.look(run.id, 4)
    assert answer["steps"] == [0, 2, 3, 4, 6]
    assert answer["stored"] == [True, False, True, False, True]
    assert answer["step"] == 4 and answer["recorded"] and answer["right"]
    assert answer["candidates"] == [] and answer["default"]
    assert answer["written"] == translating.expected(run.id, None)["right"]
    snapshot = snapshots.load(run.snapshot_path("step-000004.npz"))
    assert weights_of(answer, "cross") == pytest.approx(snapshot.cross / 255)
    assert answer["probabilities"][:-1] == pytest.approx(np.exp(-snapshot.losses), abs=1e-4)

    other = translating.look(run.id, 4, TEXT)  # of another text nothing was recorded
    assert other["step"] in (3, 6) and not other["recorded"] and other["steps"] == [0, 3, 6]
    assert translating.stops(run.id, TEXT)["steps"] == [0, 3, 6]


def test_the_right_translation_can_be_followed(run: Run) -> None:
    assert translating.expected(run.id, TEXT) == {"right": "four thousand seven hundred twenty-one"}
    answer = translating.look(run.id, 3, TEXT, True)
    assert answer["written"] == "four thousand seven hundred twenty-one" and answer["right"]
    model = models.load_translator(run, 3).model
    assert isinstance(model, Transformer)
    source = [*models.load_translator(run).tokenizer.encode(TEXT), END]
    costs = score(model, source, answer["ids"]).log_probabilities
    assert answer["probabilities"] == pytest.approx(np.exp(costs), abs=1e-4)
    assert translating.expected(run.id, "12 owls") == {"right": None}
    refused = translating.look(run.id, None, "12 owls", True)
    assert refused == {"error": translating.TEXT["right"]}


def test_unknown_characters_are_shown_as_they_were_written(run: Run) -> None:
    text = "4 猫7\u202e🦉 שלום"
    answer = translating.look(run.id, None, text)
    assert "".join(answer["sources"][:-1]) == text
    assert "猫" in [answer["sources"][place] for place in answer["unknown"]]
    tokenizer = models.load_translator(run).tokenizer
    for place, piece in enumerate(answer["sources"][:-1]):
        assert (piece in tokenizer.pieces) == (place not in answer["unknown"])
    assert UNKNOWN not in answer["unknown"] or len(answer["unknown"]) > 1


def test_a_long_text_is_cut_and_the_rest_is_told(run: Run) -> None:
    text = ("4721 " * 40).strip()
    answer = translating.look(run.id, None, text)
    assert len(answer["sources"]) == 32 and answer["limit"] == 31
    assert "".join(answer["sources"][:-1]) + answer["rest"] == text
    assert len(answer["ids"]) <= 32


def test_sharpness_is_that_of_the_recorded_attention(run: Run) -> None:
    answer = translating.sharpness(run.id)
    assert answer["steps"] == [0, 2, 4, 6]
    flat = np.frombuffer(base64.b64decode(answer["values"]), "<f4")
    values = flat.reshape(4, 3, 3)
    cross = snapshots.load(run.snapshot_path("step-000004.npz")).cross / 255
    assert values[2, 1, 0] == pytest.approx(cross[1, 0].max(-1).mean(), abs=1e-5)
    assert values[2, 2, 2] == pytest.approx(cross.mean((0, 1)).max(-1).mean(), abs=1e-5)
    assert values[2, 0, 2] == pytest.approx(cross[0].mean(0).max(-1).mean(), abs=1e-5)
    assert answer["even"] == pytest.approx(1 / cross.shape[-1])
    assert translating.sharpness(run.id, 4)["steps"] == [6]
    assert Outcome.of(run).sharpness == pytest.approx(values[3, 2, 2])
    later = translating.sharpness(run.id, 6)
    assert later["steps"] == [] and later["values"] == "" and later["even"] is None


# Beams -------------------------------------------------------------------------------------------


def test_beams_are_the_engines_with_greedy_beside_them(run: Run) -> None:
    answer = beams.beams(run.id, None, TEXT, 3, 0.6)
    model, tokenizer = model_of(run)
    source = [*tokenizer.encode(TEXT), END]
    searched = beam_search(model, [source], 3, 0.6, 2 * len(source) + 8)[0]
    assert [each["ids"] for each in answer["found"]] == [list(f.tokens) for f in searched.found]
    assert [each["score"] for each in answer["found"]] == pytest.approx(
        [found.score(0.6) for found in searched.found], abs=1e-4
    )
    assert answer["greedy"]["ids"] == translating.look(run.id, None, TEXT)["ids"]
    tree = answer["tree"]
    assert len(tree) == len(searched.tree) and answer["left_out"] == 0
    assert {fate for _, _, _, _, fate, _ in tree} <= {"kept", "ended", "pruned"}
    for place, (parent, _, share, total, _, _) in enumerate(tree):
        assert -1 <= parent < place
        before = 0 if parent < 0 else tree[parent][3]
        assert total == pytest.approx(before + math.log(share), abs=0.02)
    best = [piece for _, piece, _, _, _, marks in tree if "b" in marks]
    assert best == [tokenizer.pieces[token] for token in searched.found[0].tokens]


def test_a_large_tree_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = beams.beams(run.id, None, TEXT, 8, 0)
    monkeypatch.setattr(beams, "MAX_NODES", 60)
    answer = beams.beams(run.id, None, TEXT, 8, 0)
    assert len(answer["tree"]) == 60 and answer["left_out"] == len(whole["tree"]) - 60
    assert all(-1 <= parent < place for place, (parent, *_) in enumerate(answer["tree"]))
    assert answer["found"] == whole["found"]


# A run's log, and starting ------------------------------------------------------------------------


def test_follow_tells_how_it_got_on(run: Run) -> None:
    answer = translation_runs.follow(run.id, 0)
    assert [step for step, _, _ in answer["evaluated"]] == [0, 3, 6]
    assert all(0 <= accuracy <= 1 for _, _, accuracy in answer["evaluated"])
    assert answer["samples"] and answer["samples"][0]["correct"] is False
    assert answer["about"] == {
        "name": "a small run", "shipped": False, "translates": True, "instead": None,
        "languages": ["digits", "English"],
    }  # fmt: skip
    assert answer["status"]["total_steps"] == 6
    assert answer["status"]["state"] == "finished" and not answer["status"]["alive"]
    assert "about" not in translation_runs.follow(run.id, answer["offset"])


def test_a_language_model_leads_to_a_run_that_translates(
    run: Run, dense: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = translation_runs.follow(dense.id, 0)["about"]
    assert not about["translates"] and about["instead"] == translation_runs.example()
    monkeypatch.setattr(run_lookup, "shipped", lambda: [dense, run])
    assert translation_runs.follow(dense.id, 0)["about"]["instead"] == run.id
    for answer in (translating.look(dense.id), translating.stops(dense.id)):
        assert "translates none" in answer["error"]
    with pytest.raises(ValueError, match="Translate tab"):
        models.load(run)


def test_examples_are_held_out_texts(run: Run) -> None:
    examples = translating.examples(run.id)["examples"]
    assert len(examples) == 5 and all(text.isdigit() for text in examples)


def test_one_click_starts_a_preset_and_nothing_else() -> None:
    names = [starter["name"] for starter in translation_runs.starters()]
    assert names == [name for name in translation_runs.STARTERS if name in PRESETS]
    for wrong in ("stories", "", None, 3, ["numbers"], "numbers; rm"):
        with pytest.raises(ValueError, match="not one of the sets"):
            translation_runs.start(wrong)


def test_a_shipped_run_is_not_stopped(run: Run) -> None:
    assert "not being trained" in translation_runs.stop(run.id)["error"]
    assert "comes with the project" in translation_runs.stop(run_lookup.first())["error"]
    assert Stop() not in [command for command, _ in run.commands()[0]]


# For scripts --------------------------------------------------------------------------------------


def test_a_script_translates(run: Run) -> None:
    answer = translating.translate(run.id, TEXT)
    looked = translating.look(run.id, None, TEXT)
    assert answer["translation"] == looked["written"] and answer["tokens"] == looked["targets"]
    shown = weights_of(looked, "cross").mean((0, 1))
    assert np.array(answer["attention"]) == pytest.approx(shown, abs=0.01)
    searched = translating.translate(run.id, TEXT, 4, 1.0)
    assert searched["translation"] == beams.beams(run.id, None, TEXT, 4, 1.0)["found"][0]["written"]


# What else may be sent ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        ("look", ("nowhere",), "There is no run"),
        ("look", (["x"],), "No run is chosen"),
        ("look", ("RUN", 5), "stored are 0, 3, 6"),
        ("look", ("RUN", -1), "whole number"),
        ("look", ("RUN", "3"), "whole number"),
        ("look", ("RUN", None, ""), "at least one character"),
        ("look", ("RUN", None, 7), "string"),
        ("look", ("RUN", None, "x" * 30_000), "at most"),
        ("look", ("RUN", None, TEXT, False, [PAD]), "cannot begin"),
        ("look", ("RUN", None, TEXT, False, [END, 5]), "cannot begin"),
        ("look", ("RUN", None, TEXT, False, [10**9]), "whole numbers"),
        ("look", ("RUN", None, TEXT, False, [5] * 500), "whole numbers"),
        ("look", ("RUN", None, TEXT, False, "five"), "whole numbers"),
        ("look", ("RUN", None, TEXT, False, [True]), "whole numbers"),
        ("beams", ("RUN", None, TEXT, 0, 0.6), "beams must be"),
        ("beams", ("RUN", None, TEXT, 9, 0.6), "beams must be"),
        ("beams", ("RUN", None, TEXT, 2, -1), "length_penalty must be"),
        ("beams", ("RUN", None, TEXT, 2, math.nan), "length_penalty must be"),
        ("beams", ("RUN", None, TEXT, 2, True), "length_penalty must be"),
        ("beams", ("RUN", None, TEXT, 2, "0.6"), "length_penalty must be"),
        ("expected", ("RUN", {}), "string"),
        ("examples", (None,), "No run is chosen"),
        ("stops", ("RUN", ""), "at least one character"),
        ("sharpness", ("RUN", -2), "whole number"),
        ("follow", ("RUN", -1), "whole number"),
        ("follow", ("", 0), "No run is chosen"),
        ("stop", ("nowhere",), "There is no run"),
    ],
)  # fmt: skip
def test_a_problem_is_a_sentence(
    run: Run, function: str, arguments: tuple[Any, ...], words: str
) -> None:
    given = [run.id if argument == "RUN" else argument for argument in arguments]
    served = {each.__name__: each for each in translating.SERVED}
    answer = served[function](*given)
    assert set(answer) == {"error"} and words in answer["error"]


def test_a_run_without_a_checkpoint_or_with_damaged_records(runs: Path, run: Run) -> None:
    empty = RunStore(runs).create(run.config, "just begun")
    assert "no checkpoint yet" in translating.look(empty.id)["error"]
    assert translating.stops(empty.id) == {"steps": [], "stored": []}
    assert translating.sharpness(empty.id)["steps"] == []

    damaged = RunStore(runs).create(run.config, "damaged")
    shutil.copy(run.tokenizer_path, damaged.tokenizer_path)
    shutil.copytree(run.checkpoint_path(6), damaged.checkpoint_path(6))
    damaged.snapshot_path("step-000002.npz").parent.mkdir()
    damaged.snapshot_path("step-000002.npz").write_bytes(b"PK not a snapshot")
    assert translating.look(damaged.id)["step"] == 6
    assert (
        "error" in translating.look(damaged.id, 2) or translating.look(damaged.id, 2)["step"] == 6
    )
    assert translating.sharpness(damaged.id)["steps"] == []
