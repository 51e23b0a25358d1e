"""The benchmarks measure what they say: their copies of the model are the model, and all of them start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks import (
    crash,
    generate_speed,
    moe_speed,
    probe_cost,
    time_to_quality,
    tokenizer_memory,
    tokenizer_speed,
    train_speed,
)
from engine.config import ModelConfig, RunConfig
from engine.estimate import active_parameters, parameters
from engine.runs.events import Message, Stepped
from engine.runs.store import RunStore
from engine.tokenizers import BPETokenizer
from engine.training.driver import drive
from tests.project.test_imports import ROOT, module_of

TINY = ModelConfig(
    d_model=16, n_head=2, n_layer=2, max_seq_len=8, vocab_size=train_speed.VOCABULARY
)
BENCHMARKS = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "main()" in path.read_text("utf-8")
]


def test_the_bare_model_of_the_probes_cost_is_the_model(tmp_path: Path) -> None:
    batch = torch.randint(train_speed.VOCABULARY, (2, 9))
    for run in probe_cost.contestants(TINY, batch, tmp_path).values():  # it compares them itself
        run()
    assert (tmp_path / "probe.npz").stat().st_size > 0


@pytest.mark.parametrize("name", train_speed.CONTESTANTS)
def test_every_contestant_trains(name: str) -> None:
    train_speed.CONTESTANTS[name](TINY, torch.randint(train_speed.VOCABULARY, (2, 9)))()


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("name", moe_speed.CONTESTANTS)
def test_every_contestant_trains_its_experts(name: str, balance: bool) -> None:
    config = TINY.model_copy(update={"n_experts": 4, "top_k": 2})
    batch = torch.randint(train_speed.VOCABULARY, (2, 9))
    moe_speed.CONTESTANTS[name](config, batch, balance)()


def test_the_dense_model_is_as_wide_as_the_experts_that_work_on_a_token() -> None:
    """The price of routing is measured at equal work, the router aside."""
    config = TINY.model_copy(update={"n_experts": 8, "top_k": 2})
    router = TINY.n_layer * 8 * (TINY.d_model + 1)
    dense = parameters(moe_speed.equally_active(config))["total"]
    assert active_parameters(config) - router == dense


def test_every_contestant_writes_as_many_tokens() -> None:
    for run in (generate_speed.ours(TINY) | generate_speed.llama(TINY)).values():
        assert run(0) == TINY.max_seq_len - 1


def test_every_tokenizer_of_the_benchmark_is_the_same() -> None:
    text = "low lower lowest, new newer newest\n" * 9
    contestants = tokenizer_speed.encoders(BPETokenizer.train(text, 270), text, rounds=1)
    assert len({tuple(encode()) for encode in contestants.values()}) == 1
    tokenizer_speed.train_theirs(text, 270)


def test_every_recipe_is_as_large_and_learns_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("so it goes, on and on; " * 99)
    problems = time_to_quality.PROBLEMS | {"": time_to_quality.shakespeare("text.txt")}
    for problem in problems.values():
        configs = [RunConfig.from_flat(changes) for changes in problem.recipes().values()]
        sizes = {
            (c.model.d_model, c.model.n_layer, c.model.max_seq_len, c.train.batch_size)
            for c in configs
        }
        assert len(sizes) == len({c.data.to_json() for c in configs}) == 1
        assert {c.train.threads for c in configs} == {1}
    words = ["", "--quick", "--problems", "sort", "--shakespeare", str(tmp_path / "text.txt")]
    for seed in range(2):
        path = tmp_path / f"out-{seed}"
        one = ["--first_seed", str(seed), "--seeds", "1", "--rate", "0.003", "--out", str(path)]
        monkeypatch.setattr(sys, "argv", words + one)
        time_to_quality.main()
    said = capsys.readouterr().out
    assert said.count("new: shakespeare, the base's loss") == 2
    assert said.count("new, shorter: shakespeare, the base's loss") == 2
    paths = [str(tmp_path / f"out-{seed}") for seed in range(2)]
    monkeypatch.setattr(sys, "argv", ["", "--table", *paths])
    time_to_quality.main()
    assert capsys.readouterr().out.count("2 seed(s)") == 2
    found = time_to_quality.joined([json.loads(Path(path).read_text()) for path in paths])
    assert found.keys() == {"sort", "shakespeare"}
    base = found["sort"]["base"]
    assert base["steps"] == 20 and base["seeds"] == [0, 1]
    (seconds, loss), (other_seconds, other) = (curve[-1] for curve in base["curves"])
    assert min(seconds, other_seconds) > 0 and loss != other


def test_the_rates_of_nanogpt_are_a_grid_about_the_base_s_and_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[float] = []

    def race(configs: dict[str, RunConfig], seed: int) -> dict[str, SimpleNamespace]:
        assert seed not in range(9)
        tried.extend(config.train.max_lr for config in configs.values())
        return {name: SimpleNamespace(loss=abs(float(name) - 0.003)) for name in configs}

    monkeypatch.setattr(time_to_quality, "race", race)
    recipes = time_to_quality.PROBLEMS["stories"].recipes()
    nanogpt, base = (RunConfig.from_flat(recipes[name]) for name in ("nanoGPT", "base"))
    assert time_to_quality.best_rate(nanogpt, base) == 0.003
    assert tried == [0.001, 0.003, 0.006, 0.012]


def test_a_loss_is_reached_between_two_evaluations() -> None:
    curve = [(0.0, 4.0), (10.0, 3.0), (20.0, 3.5), (30.0, 1.5)]
    assert time_to_quality.reached(3.5, curve) == 5
    assert time_to_quality.reached(2.0, curve) == 27.5
    assert time_to_quality.reached(5.0, curve) == 0
    assert time_to_quality.reached(1.0, curve) is None


def test_a_large_text_is_made_of_small_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("words of several letters\n" * 99)
    tokenizer_memory.write_large([tmp_path / "a.txt"], tmp_path / "large.txt", 20_000)
    text = (tmp_path / "large.txt").read_text()
    assert len(text) >= 20_000 and len(set(text.split())) > 40
    monkeypatch.setattr(tokenizer_memory, "VOCABULARY", 300)
    tokenizer_memory.learn(tmp_path / "large.txt")
    tokens, seconds, peak = json.loads(capsys.readouterr().out)
    assert tokens == 300 and seconds > 0 and peak > 10_000_000


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_every_benchmark_explains_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = __import__(module_of(path), fromlist=["main"])
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_a_checkpoint_that_a_stop_added_is_no_difference(tmp_path: Path) -> None:
    """The workers of a killed suite stop where they are, and save. All else is the same as without a stop."""
    config = RunConfig.from_flat(crash.SUITE["base"] | {"total_steps": 20, "keep_checkpoints": 2})
    whole, halves = (RunStore(tmp_path).create(config, name) for name in ("whole", "halves"))
    drive(whole)
    stop = threading.Event()

    def listen(event: Message) -> None:
        if isinstance(event, Stepped) and event.step == 7:
            stop.set()

    assert drive(halves, stop=stop, listen=listen).how == "stopped"
    assert halves.checkpoints()[-1].step == 7
    assert drive(halves).how == "finished"
    assert crash.of_run(halves) == crash.of_run(whole)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9")
def test_what_is_killed_goes_on_to_the_same_result() -> None:
    """A training, a save, a `prepare` and a suite: `crash` kills each, and compares what they leave."""
    command = [sys.executable, "-m", "benchmarks.crash", "--kills", "4", "--minutes", "4"]
    done = subprocess.run([*command, "--seed", "3"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["training", "saving", "prepare", "suites", "all"]
    for _, kills, same, _, times in rows:
        assert int(kills) >= int(times) and same == times
    assert rows[-1][-1] == "4"
