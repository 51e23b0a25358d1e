"""Look inside, the server's side: true numbers, and a clear sentence for whatever else is sent."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import RunConfig
from engine.data import make_data
from engine.inspection import observe
from engine.runs import snapshots
from engine.runs.store import Run, RunStore
from engine.tokenizers import save_tokenizer
from engine.training import checkpoint
from engine.training.loop import new_state, train
from playground.runs import models, run_data, run_lookup
from playground.tabs.inside import server as inside

pytestmark = pytest.mark.usefixtures("learners_runs")

TEXT = "Hello, 你好! <b>&amp;</b> 🙂\n\t\x07 and hello again, hello. Naïve façades? 0123456789 "
CONTEXT = 40


def make_run(runs: Path, name: str, **fields: Any) -> Run:
    """A run of four steps, with checkpoints at 0, 2 and 4 and snapshots at every step."""
    source = runs / "text.txt"
    source.write_text(TEXT * 40, encoding="utf-8", newline="\n")
    config = RunConfig.from_flat(
        {
            "source": "text", "train_data_path": str(source), "d_model": 16, "n_layer": 2,
            "max_seq_len": CONTEXT, "batch_size": 2, "total_steps": 4, "eval_interval": 100,
            "warmup_steps": 0, "max_lr": 0.05, "min_lr": 0.05, "threads": 1, "device": "cpu",
            **fields,
        }
    )  # fmt: skip
    run = RunStore(runs).create(config, name)
    data = make_data(config)
    save_tokenizer(data.tokenizer, run.tokenizer_path)
    state = new_state(config, data)
    ids = data.tokenizer.encode(data.probe())
    steps = train(state)
    while True:
        path = run.snapshot_path(f"step-{state.step:06d}.npz")
        path.parent.mkdir(exist_ok=True)
        snapshots.save(observe.probe(state.model, ids, state.step), path)
        if state.step % 2 == 0:
            checkpoint.save(state, run.checkpoint_path(state.step))
        before = state.step
        while state.step == before:
            if next(steps, None) is None:
                return run


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    return make_run(runs, "a small run", n_head=4, n_kv_head=2)


def bytes_of(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def attention_maps(answer: dict[str, Any]) -> np.ndarray:
    size = len(answer["pieces"])
    return bytes_of(answer["attention"], "u1").reshape(
        answer["layers"], answer["heads"], size, size
    )


# Models --------------------------------------------------------------------------------------------


def test_models_are_loaded_once_and_by_step(run: Run):
    assert models.steps(run) == [0, 2, 4]
    newest = models.load(run)
    assert newest.step == 4
    assert models.load(run, 4) is newest
    first = models.load(run, 0)
    assert not torch.equal(first.model.embedding.weight, newest.model.embedding.weight)
    assert not newest.model.training
    assert newest.tokenizer.decode(newest.tokenizer.encode("hello")) == "hello"


def test_a_checkpoint_that_is_looked_at_outlives_its_files(runs: Path):
    run = make_run(runs, "prunes")
    kept = models.load(run, 2)
    shutil.rmtree(run.checkpoint_path(2))
    assert models.load(run, 2) is kept
    models._models.clear()
    with pytest.raises(models.NoCheckpoint, match="no checkpoint of step 2; stored are 0, 4"):
        models.load(run, 2)


def test_a_checkpoint_written_anew_is_loaded_anew(runs: Path):
    run = make_run(runs, "written twice")
    before = models.load(run, 4)
    weights = run.checkpoint_path(4) / "model.safetensors"
    weights.write_bytes((run.checkpoint_path(0) / "model.safetensors").read_bytes())
    after = models.load(run, 4)
    assert after is not before
    first = models.load(run, 0).model.embedding.weight
    assert torch.equal(after.model.embedding.weight, first)


def test_many_models_do_not_fill_the_memory(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(models._models, "limit", 2 * models.load(run).nbytes)
    for step in (0, 2, 4):
        models.load(run, step)
    assert len(models._models) == 2
    assert models.load(run, 4) is models.load(run, 4)


def test_two_requests_at_once_share_one_model(run: Run):
    models._models.clear()
    found: list[models.Loaded] = []
    threads = [threading.Thread(target=lambda: found.append(models.load(run, 2))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(loaded is found[0] for loaded in found)


def test_what_cannot_be_loaded_is_said(runs: Path, run: Run):
    with pytest.raises(run_lookup.UnknownRun):
        run_lookup.find("nothing-of-this-name")
    with pytest.raises(models.NoCheckpoint, match="stored are 0, 2, 4"):
        models.load(run, 3)
    empty = RunStore(runs).create(RunConfig(), "not started")
    with pytest.raises(models.NoCheckpoint, match="no checkpoint yet"):
        models.load(empty)


def test_importing_them_loads_no_torch():
    code = "import sys; from playground.runs import models; from playground.tabs.inside import server; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


# All heads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello, 你好! 🙂", "<b>&amp;</b>\n\t\x07", "h"])
def test_look_shows_the_models_own_attention(run: Run, text: str):
    answer = inside.look(run.id, 2, text)
    loaded = models.load(run, 2)
    ids = loaded.tokenizer.encode(text)
    trace = observe.trace_sequence(loaded.model, ids)
    expected = observe.attention_maps(trace, 2)
    assert "".join(answer["pieces"]) == text
    assert answer["step"] == 2
    assert np.abs(attention_maps(answer) / 255 - expected).max() <= 1 / 510 + 1e-6
    assert (answer["layers"], answer["heads"], answer["kv_heads"], answer["width"]) == (2, 4, 2, 4)
    assert answer["rest"] == ""
    assert not answer["default"]
    assert len(answer["patterns"]) == 2 and len(answer["patterns"][0]) == 4
    json.dumps(answer)


def test_without_a_text_look_shows_what_training_recorded(run: Run):
    answer = inside.look(run.id)
    assert answer["default"]
    assert answer["step"] == 4
    assert answer["steps"] == [0, 1, 2, 3, 4]
    assert answer["stored"] == [True, False, True, False, True]
    between = inside.look(run.id, 3)
    snapshot = snapshots.load(run.snapshot_path("step-000003.npz"))
    np.testing.assert_array_equal(attention_maps(between), snapshot.attention)
    assert between["step"] == 3
    # Recorded while training or computed now: the same numbers, as far as they are stored.
    again = snapshots.load(run.snapshot_path("step-000004.npz")).attention.astype(int)
    assert np.abs(attention_maps(answer).astype(int) - again).max() <= 1


def test_another_text_is_shown_at_checkpoints_only(run: Run):
    answer = inside.look(run.id, 3, "hello")
    assert answer["steps"] == [0, 2, 4]
    assert answer["step"] in (2, 4)


def test_a_long_text_is_cut_and_the_rest_is_shown(run: Run):
    text = "hello 🙂 " * 20
    answer = inside.look(run.id, None, text)
    assert len(answer["pieces"]) == answer["limit"] == CONTEXT
    assert "".join(answer["pieces"]) + answer["rest"] == text


def test_large_models_get_a_shorter_text(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inside, "MAX_CELLS", 2 * 4 * 10 * 10)
    assert inside.look(run.id, None, "hello, hello again")["limit"] == 10


def test_the_suggested_head_looks_back_most_sharply(run: Run):
    answer = inside.look(run.id)
    words = np.array([piece.isalnum() for piece in answer["pieces"]])
    weights = attention_maps(answer) / 255 * words * words[:, None]
    layer, head, query = answer["suggested"]
    assert words[query]
    far = [
        [np.mean([row[1 : max(q - 1, 1)].max(initial=0) for q, row in enumerate(rows)][3:]) for rows in heads]
        for heads in weights
    ]  # fmt: skip
    assert far[layer][head] == pytest.approx(np.max(far))
    reach = [row[1 : max(q - 1, 1)].max(initial=0) for q, row in enumerate(weights[layer, head])]
    assert reach[query] == max(reach)


def test_the_first_pair_is_of_tokens_that_can_be_read(run: Run):
    """Not a space that reads a space: only where there is nothing else."""
    for text in (", hello, hello again", "  h  e  l  o  a  "):
        answer = inside.look(run.id, None, text)
        layer, head, query = answer["suggested"]
        row = attention_maps(answer)[layer, head, query].copy()
        readable = [i for i, piece in enumerate(answer["pieces"]) if piece.isalnum()]
        assert query in readable
        assert max(readable[1:], key=lambda i: row[i] if 0 < i < query - 1 else -1) < query - 1
    assert inside.look(run.id, None, "  ,  ")["suggested"][2] < 5


def test_a_damaged_recording_hides_nothing_else(runs: Path):
    run = make_run(runs, "damaged recordings")
    for path in (run.path / "snapshots").iterdir():
        path.write_bytes(b"PK\x03\x04 damaged")
    answer = inside.look(run.id)
    assert answer["steps"] == [0, 2, 4]
    text = make_data(run.config).probe()
    assert text.startswith("".join(answer["pieces"])), "the text comes from the data then"


def test_a_run_without_its_data_shows_its_vocabulary(runs: Path):
    run = make_run(runs, "without data")
    for path in (run.path / "snapshots").iterdir():
        path.unlink()
    run_data.forget()
    (runs / "text.txt").unlink()
    answer = inside.look(run.id)
    assert answer["pieces"] == list(models.load(run).tokenizer.pieces[:CONTEXT])


# Numbers, heads that are off, and the lens ---------------------------------------------------------------


def test_stages_are_those_of_the_trace(run: Run):
    text = "hello again"
    answer = inside.stages(run.id, 4, text, 1, 3, 6)
    loaded = models.load(run, 4)
    trace = observe.trace_sequence(loaded.model, loaded.tokenizer.encode(text))
    expected = observe.attention_stages(trace, 1, 3, 6)
    np.testing.assert_allclose(answer["products"], expected.products, rtol=1e-4)
    np.testing.assert_allclose(answer["weights"], expected.weights, rtol=1e-4)
    assert [value is None for value in answer["masked"]] == [False] * 7 + [True] * 4
    np.testing.assert_allclose(bytes_of(answer["output"], "<f4"), expected.output)
    assert len(bytes_of(answer["weighted"], "<f4")) == 11 * answer["width"]
    shown = attention_maps(inside.look(run.id, 4, text))[1, 3, 6] / 255
    assert np.abs(shown - answer["weights"]).max() < 1 / 509
    json.dumps(answer, allow_nan=False)


def test_the_lens_ends_with_the_models_prediction(run: Run):
    text = "hello again"
    answer = inside.lens(run.id, 4, text)
    loaded = models.load(run, 4)
    ids = loaded.tokenizer.encode(text)
    with torch.no_grad():
        probabilities = loaded.model(torch.tensor([ids]))[0].softmax(-1)
    shape = (5, len(ids), answer["count"])
    top = bytes_of(answer["top"], "<i4").reshape(shape)
    shares = bytes_of(answer["shares"], "<f4").reshape(shape)
    best = probabilities.topk(answer["count"])
    np.testing.assert_allclose(shares[-1], best.values, rtol=1e-4)
    np.testing.assert_array_equal(top[-1], best.indices)
    truth = bytes_of(answer["truth"], "<f4").reshape(5, len(ids) - 1)
    expected = [probabilities[place, token] for place, token in enumerate(ids[1:])]
    np.testing.assert_allclose(truth[-1], expected, rtol=1e-4)
    assert {answer["vocabulary"][str(i)] for i in top.ravel()} <= set(loaded.tokenizer.pieces)


def test_zero_compares_the_model_with_and_without_heads(run: Run):
    text = "hello again"
    loaded = models.load(run, 4)
    ids = loaded.tokenizer.encode(text)
    answer = inside.zero(run.id, 4, text, [[0, 1], [1, 2]], 5)
    effect = observe.head_effect(loaded.model, ids, [(0, 1), (1, 2)])
    moves = [abs(change["after"] - change["before"]) for change in answer["changes"]]
    assert moves == sorted(moves, reverse=True)
    assert moves[0] == pytest.approx(np.abs(effect.after[5] - effect.before[5]).max(), rel=1e-3)
    assert answer["loss_before"] == pytest.approx(effect.losses_before.mean(), rel=1e-4)
    assert answer["loss_after"] == pytest.approx(effect.losses_after.mean(), rel=1e-4)
    assert answer["loss_after"] != answer["loss_before"]

    none = inside.zero(run.id, 4, text, [], 5)
    assert none["loss_before"] == none["loss_after"]
    befores = [change["before"] for change in none["changes"]]
    assert befores == sorted(befores, reverse=True)
    assert inside.zero(run.id, 4, "h", [], 0)["loss_before"] is None


def test_between_checkpoints_only_attention_can_be_asked_for(run: Run):
    for answer in (
        inside.stages(run.id, 3, None, 0, 0, 0),
        inside.lens(run.id, 3, None),
        inside.zero(run.id, 3, None, [], 0),
    ):
        assert "Choose a checkpoint" in answer["error"]


def test_stops_are_the_steps_of_the_slider(run: Run):
    assert inside.stops(run.id, None)["steps"] == [0, 1, 2, 3, 4]
    assert inside.stops(run.id, "hello")["steps"] == [0, 2, 4]


# Whatever else is sent ------------------------------------------------------------------------------------


BAD_TEXTS = ["", "żółw", 7, ["hello"], "x" * 30_000, "\ud800"]


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: ascii(text)[:12])
def test_a_text_that_cannot_be_read_is_answered_with_a_sentence(run: Run, text: Any):
    for answer in (
        inside.look(run.id, None, text),
        inside.stages(run.id, 4, text, 0, 0, 0),
        inside.lens(run.id, 4, text),
        inside.zero(run.id, 4, text, [], 0),
    ):
        assert list(answer) == ["error"]
        json.dumps(answer, ensure_ascii=False).encode()


def test_unknown_characters_are_named_with_those_that_are_known(run: Run):
    error = inside.look(run.id, None, "żółw")["error"]
    assert "ż" in error and "U+017C" in error
    assert "hello"[0] in error


@pytest.mark.parametrize("bad", [None, 5, "", "../../etc", "a" * 500, ["x"]])
def test_a_wrong_run_is_answered_with_a_sentence(bad: Any):
    for answer in (inside.look(bad), inside.lens(bad, 0, "h"), inside.stops(bad)):
        assert list(answer) == ["error"]


@pytest.mark.parametrize("bad", [-1, 10**9, 1.5, "1", True, [1], float("nan"), float("inf")])
def test_a_number_out_of_range_is_answered_with_a_sentence(run: Run, bad: Any):
    for answer in (
        inside.look(run.id, bad, "hello"),
        inside.stages(run.id, 4, "hello", bad, 0, 0),
        inside.stages(run.id, 4, "hello", 0, bad, 0),
        inside.stages(run.id, 4, "hello", 0, 0, bad),
        inside.zero(run.id, 4, "hello", [[0, bad]], 0),
        inside.zero(run.id, 4, "hello", [[bad, 0]], 0),
        inside.zero(run.id, 4, "hello", [], bad),
    ):
        assert list(answer) == ["error"], answer


@pytest.mark.parametrize("bad", [None, "all", 3, [1], [[0]], [[0, 0, 0]], ["00"], [[0, 0]] * 99])
def test_wrong_heads_are_answered_with_a_sentence(run: Run, bad: Any):
    assert list(inside.zero(run.id, 4, "hello", bad, 0)) == ["error"]


def test_traces_do_not_fill_the_memory(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inside._traces, "count", 3)
    for letters in range(1, 9):
        inside.look(run.id, 4, "hello again"[:letters])
    assert len(inside._traces) == 3


# For scripts -----------------------------------------------------------------------------------------


def test_tokens_and_attention_for_scripts(run: Run):
    cut = inside.tokens(run.id, "hello 🙂")
    assert [token["piece"] for token in cut] == list("hello 🙂")
    answer = inside.attention(run.id, None, "hello 🙂", 1, 2)
    assert answer["tokens"] == list("hello 🙂")
    assert answer["step"] == 4
    np.testing.assert_allclose(np.sum(answer["weights"], axis=-1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="layer"):
        inside.attention(run.id, None, "hello", 2, 0)
    with pytest.raises(ValueError, match="never seen"):
        inside.tokens(run.id, "żółw")
