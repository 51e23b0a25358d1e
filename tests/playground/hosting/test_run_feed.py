"""The live view's server: reads on from an offset, stays small, and survives what it is sent."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import RunConfig
from engine.runs import snapshots
from engine.runs.events import (
    Changed,
    Diverged,
    Ended,
    Evaluated,
    Line,
    Message,
    Probed,
    Sampled,
    Saved,
    Started,
    Stepped,
    Working,
)
from engine.runs.store import Run, RunStore
from engine.tokenizers import CharTokenizer, save_tokenizer
from playground.figures.curves import smoothed
from playground.hosting import run_feed


def stepped(step: int, loss: float = 2.0, grad_norm: float = 0.5) -> Stepped:
    return Stepped(
        step=step, loss=loss, lr=1e-3, grad_norm=grad_norm, tokens=64 * step, seconds=0.01
    )


def started(step: int = 0) -> Started:
    return Started(
        step=step, parameters=10, device="cpu", dtype="fp32", threads=1, train_tokens=None
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TP_RUNS", str(tmp_path))
    run = RunStore(tmp_path).create(RunConfig.from_flat({"total_steps": 100}), "a run")
    save_tokenizer(CharTokenizer.train("hello world"), run.tokenizer_path)
    return run


def tell(run: Run, *events: Message) -> None:
    for event in events:
        run.append(event)


def column(answer: dict[str, Any], name: str) -> list[float]:
    return np.frombuffer(base64.b64decode(answer["columns"][name]), "<f8").tolist()


def test_reads_on_from_where_it_was(run: Run) -> None:
    tell(run, started(), stepped(1, 3.0), stepped(2, 2.5))
    first = run_feed.poll(run.id, 0)
    assert column(first, "step") == [1, 2]
    assert column(first, "loss") == [3.0, 2.5]
    assert first["about"]["name"] == "a run"
    assert first["about"]["uniform"] == pytest.approx(math.log(len(set("hello world"))))
    tell(run, stepped(3), Evaluated(step=3, loss=2.2, accuracy=0.5))
    second = run_feed.poll(run.id, first["offset"])
    assert column(second, "step") == [3]
    assert second["evaluated"] == [[3, 2.2, 0.5]]
    assert "about" not in second
    again = run_feed.poll(run.id, second["offset"])
    assert again["offset"] == second["offset"]
    assert column(again, "step") == [] and not again["more"]


def test_everything_the_view_shows_arrives(run: Run) -> None:
    tell(
        run,
        started(),
        stepped(1),
        Sampled(step=1, prompt="<b>", text="\n中", correct=False),
        Probed(step=1, name="step-000001.npz"),
        Saved(step=1, name="step-000001"),
        Changed(step=1, field="max_lr", value=0.01),
        Diverged(step=2, loss="nan", grad_norm="inf"),
        Ended(step=2, how="diverged", reason="why"),
    )
    answer = run_feed.poll(run.id, 0)
    assert answer["samples"] == [{"step": 1, "prompt": "<b>", "text": "\n中", "correct": False}]
    assert answer["probes"] == [1] and answer["saved"] == [1]
    assert [note["kind"] for note in answer["notes"]] == ["started", "changed", "diverged", "ended"]
    assert [note["stays"] for note in answer["notes"]] == [True, False, False, True]
    assert answer["notes"][1]["field"] == "max_lr" and answer["notes"][1]["value"] == 0.01
    assert answer["status"] == {
        "state": "diverged",
        "step": 2,
        "total_steps": 100,
        "reason": "why",
        "place": None,
        "alive": False,
        "shipped": False,
        "stored": False,
    }
    json.dumps(answer, allow_nan=False)


def test_what_takes_long_is_told_until_something_else_is(run: Run) -> None:
    tell(run, started(), stepped(1), Working(step=1, task="evaluate", done=3, total=8))
    first = run_feed.poll(run.id, 0)
    assert first["working"] == {"task": "evaluate", "done": 3, "total": 8}
    assert first["status"]["step"] == 1
    tell(run, Working(step=1, task="evaluate", done=5, total=8), Evaluated(step=1, loss=2.0))
    assert run_feed.poll(run.id, first["offset"])["working"] is None
    with open(run.path / "events.jsonl", "a", encoding="utf-8") as log:
        log.write(
            '{"type": "working", "step": 1, "task": "constructor", "done": "<b>", "total": 8}\n'
        )
    assert run_feed.poll(run.id, first["offset"])["working"] is None


def test_a_resumed_run_repeats_nothing(run: Run) -> None:
    tell(run, started(), *(stepped(step) for step in range(1, 8)), Evaluated(step=6, loss=1.0))
    first = run_feed.poll(run.id, 0)
    tell(run, started(5), stepped(6, 9.0))
    second = run_feed.poll(run.id, first["offset"])
    assert second["cut"] == 5
    assert column(second, "step") == [6]
    whole = run_feed.poll(run.id, 0)
    assert column(whole, "step") == [1, 2, 3, 4, 5, 6]
    assert column(whole, "loss")[-1] == 9.0
    assert whole["evaluated"] == []


def test_a_long_run_arrives_in_small_answers_with_its_peaks(run: Run) -> None:
    lines = [stepped(step, 2.0 + 0.001 * (step % 7)) for step in range(1, 20_001)]
    lines[7_000] = stepped(7_001, 90.0)
    lines[12_345] = stepped(12_346, grad_norm=80.0)
    text = "".join(line.to_line(time=1e9 + line.step) + "\n" for line in lines)
    (run.path / "events.jsonl").write_text(text)
    offset, seconds, summed, losses, norms, rows = 0, 0.0, 0.0, 0.0, 0.0, 0
    last = 0.0
    while True:
        answer = run_feed.poll(run.id, offset)
        steps = column(answer, "step")
        if not steps:
            break
        assert len(steps) <= run_feed.MAX_ROWS + 1 and steps[0] > last
        assert len(json.dumps(answer)) < 120_000
        gaps = np.diff([last, *steps])
        seconds += float((gaps * column(answer, "seconds")).sum())
        summed += float((gaps * column(answer, "mean")).sum())
        losses, norms = (
            max(losses, *column(answer, "loss")),
            max(norms, *column(answer, "grad_norm")),
        )
        last, rows, offset = steps[-1], rows + len(steps), answer["offset"]
    assert last == 20_000 and rows < 20_000
    assert losses == 90.0 and norms == 80.0
    assert seconds == pytest.approx(200.0)
    assert summed == pytest.approx(sum(line.loss for line in lines)), (
        "what is smoothed is not the peaks alone"
    )


def test_a_decimated_curve_is_smoothed_as_the_whole_one() -> None:
    """Peaks are kept to be seen; the smoothed loss is not made of peaks."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 3000))
    lines = [
        Line(stepped(i + 1, 2 + loss, 1 + norm), 0.0, None)
        for i, (loss, norm) in enumerate(noise.T.tolist())
    ]
    whole = run_feed.table_of(lines)
    thin = run_feed.decimate(whole, run_feed.MAX_ROWS)
    expected = smoothed(whole[:, 0], whole[:, run_feed.LOSS], 10)[thin[:, 0].astype(int) - 1]
    error, of_peaks = (
        np.abs(smoothed(thin[:, 0], thin[:, column], 10) - expected).mean()
        for column in (run_feed.MEAN, run_feed.LOSS)
    )
    assert len(thin) < 1000 and error < 0.005 < 0.02 < of_peaks


def test_many_samples_are_thinned_but_the_ends_stay() -> None:
    samples = [{"step": step, "prompt": str(i)} for step in range(1, 500) for i in range(2)]
    kept = run_feed.thinned(samples, 40)
    steps = sorted({sample["step"] for sample in kept})
    assert len(steps) <= 40 and steps[0] == 1 and steps[-1] == 499
    assert len(kept) == 2 * len(steps)


@pytest.mark.parametrize("run_id", ["", "nothing", "../secret", "a" * 65, 7, None, ["x"], {"a": 1}])
def test_an_unknown_run_is_a_sentence(run: Run, run_id: object) -> None:
    for answer in (run_feed.poll(run_id, 0), run_feed.probe(run_id, 1)):
        assert set(answer) == {"error"} and answer["error"]


@pytest.mark.parametrize("offset", [-1, 2**60, 1.5, "0", True, None, [1]])
def test_a_place_that_is_none_is_a_sentence(run: Run, offset: object) -> None:
    assert set(run_feed.poll(run.id, offset)) == {"error"}
    assert set(run_feed.probe(run.id, offset)) == {"error"}


def test_a_damaged_run_is_a_sentence(run: Run) -> None:
    (run.path / "config.json").write_text('{"model": {"d_model": -3}}')
    assert "d_model" in run_feed.poll(run.id, 0)["error"]


def test_damaged_lines_are_left_out(run: Run) -> None:
    lines = [
        stepped(1).to_line(time=1.0),
        '{"type": "stepped", "step": 2, "loss": "high", "lr": 1, "grad_norm": 1}',
        '{"type": "stepped", "step": "3"}',
        '{"type": "evaluated", "step": 3, "loss": null}',
        '{"type": "from the future", "step": 3}',
        "[1, 2]",
        "{broken",
        stepped(4).to_line(time=2.0),
        '{"type": "stepped", "step": 5',
    ]
    (run.path / "events.jsonl").write_text("\n".join(lines))
    answer = run_feed.poll(run.id, 0)
    assert column(answer, "step") == [1, 4]
    assert answer["evaluated"] == []


def test_a_snapshot_arrives_as_bytes(run: Run) -> None:
    attention = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    tokens = np.array(CharTokenizer.train("hello world").encode("hell"), np.int32)
    norms, losses = np.ones((5, 4), np.float32), np.ones(3, np.float32)
    dense = np.zeros((2, 0, 4, 0), np.uint8)
    snapshot = snapshots.Snapshot(10, tokens, attention, norms, losses, dense)
    path = run.snapshot_path("step-000010.npz")
    path.parent.mkdir()
    snapshots.save(snapshot, path)
    answer = run_feed.probe(run.id, 10)
    assert answer["tokens"] == list("hell")
    assert (answer["layers"], answer["heads"], answer["length"]) == ([0, 1], [0, 1, 2], 4)
    sent = np.frombuffer(base64.b64decode(answer["attention"]), np.uint8)
    np.testing.assert_array_equal(sent.reshape(2, 3, 4, 4), attention)
    path.write_bytes(b"PK not a snapshot")
    assert set(run_feed.probe(run.id, 10)) == {"error"}
    assert "step 11" in run_feed.probe(run.id, 11)["error"]


def test_only_so_many_maps_are_sent() -> None:
    assert run_feed.chosen(3, 24) == [0, 1, 2]
    picked = run_feed.chosen(96, 24)
    assert len(picked) == 24 and picked[0] == 0 and picked[-1] == 95
