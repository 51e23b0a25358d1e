"""A complete translation run, and the commands `translate` and `evaluate` on it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.cli.main import main
from engine.data import PairData, make_data
from engine.generation.translation import beam_search, translate
from engine.inspection import observe
from engine.model.encoder_decoder import Transformer
from engine.runs import snapshots
from engine.runs.events import Evaluated, Sampled
from engine.runs.store import Run, RunStore
from engine.tokenizers.marked import BEGIN, END, MarkedTokenizer
from engine.training.checkpoint import load_model
from engine.training.loop import evaluate, new_state

ROOT = Path(__file__).resolve().parents[3]

TRAIN = (  # noqa: SIM905
    "train --source numbers --n_encoder_layer 1 --n_layer 1 --d_model 32 --n_head 2 --max_seq_len 16 "
    "--scale_embeddings --batch_size 32 --total_steps 40 --warmup_steps 5 --max_lr 0.01 "
    "--eval_interval 20 --eval_steps 2 --save_interval 20 --sample_interval 20 --probe_interval 20 "
    "--device cpu --threads 1"
).split()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translation run and a language-model run."""
    root = tmp_path_factory.mktemp("runs")
    assert main([*TRAIN, "--checkpoint_dir", str(root), "--name", "numbers"]) == 0
    dense = "train --source copy --task_length 3 --d_model 16 --n_layer 1 --total_steps 2".split()  # noqa: SIM905
    dense += "--warmup_steps 1 --max_seq_len 16 --threads 1 --name copy".split()  # noqa: SIM905
    assert main([*dense, "--checkpoint_dir", str(root)]) == 0
    return root


@pytest.fixture(scope="module")
def run(root: Path) -> Run:
    return RunStore(root).find("numbers")


def command(root: Path, *words: str) -> int:
    try:
        return main([*words, "--checkpoint_dir", str(root)])
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return ended.code


def test_a_run_learns_samples_and_records(run: Run) -> None:
    events = list(run.history())
    losses = [event.loss for event in events if isinstance(event, Evaluated)]
    assert losses[-1] < losses[0] / 1.5
    data = make_data(run.data_config())
    samples = [event for event in events if isinstance(event, Sampled)]
    assert {event.prompt for event in samples} == set(data.prompts)
    for event in samples:
        assert event.correct == (event.text == data.answer(event.prompt))

    snapshot = snapshots.load(run.snapshot_path("step-000040.npz"))
    model, tokenizer, _ = load_model(run.checkpoints()[-1].path)
    answer = data.answer(data.probe())
    assert answer is not None
    assert snapshot.sources.tolist() == [*tokenizer.encode(data.probe()), END]
    assert snapshot.tokens.tolist() == [BEGIN, *tokenizer.encode(answer)]
    length, read = len(snapshot.tokens), len(snapshot.sources)
    assert snapshot.cross.shape == (1, 2, length, read)
    assert snapshot.encoder.shape == (1, 2, read, read)
    assert snapshot.norms.shape == (4, length)
    again = observe.probe(model, snapshot.tokens.tolist(), 40, snapshot.sources.tolist())
    assert np.array_equal(again.cross, snapshot.cross)
    sums = snapshots.dequantise(snapshot.cross).sum(-1)
    assert np.abs(sums - 1).max() < 0.03


@pytest.mark.parametrize("missing", ["sources", "cross", "encoder"])
def test_half_a_snapshot_is_refused(run: Run, tmp_path: Path, missing: str) -> None:
    whole = snapshots.load(run.snapshot_path("step-000040.npz"))
    arrays: dict[str, Any] = {name: getattr(whole, name) for name in vars(whole) if name != missing}
    np.savez(tmp_path / "half.npz", **arrays)
    with pytest.raises(ValueError, match="shape"):
        snapshots.load(tmp_path / "half.npz")


def test_accuracy_is_exact_match(run: Run) -> None:
    """The accuracy that training measures by teacher forcing equals the share of exact greedy translations."""
    config = run.data_config()
    data = make_data(config)
    assert isinstance(data, PairData)
    state = new_state(config, data)
    model, tokenizer, _ = load_model(run.checkpoints()[-1].path)
    assert isinstance(model, Transformer)
    state.model.load_state_dict(model.state_dict())
    state.config = config.model_copy(
        update={"train": config.train.model_copy(update={"eval_steps": 10**6})}
    )
    pairs = data.pairs("valid")
    found = translate(
        model, [[*tokenizer.encode(source), END] for source, _ in pairs], max_new_tokens=15
    )
    right = [
        tokenizer.decode(each.text) == target
        for each, (_, target) in zip(found, pairs, strict=True)
    ]
    assert evaluate(state).accuracy == pytest.approx(sum(right) / len(right))


def test_translate_prints_a_line_for_each_text(
    root: Path, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts").write_text("4721\n100", encoding="utf-8")
    texts = ["--file", str(tmp_path / "texts"), "7", "90210"]
    for more in ([], ["--beams", "3"], ["--step", "20"]):
        assert command(root, "translate", "--run", "numbers", *texts, *more) == 0
        said = capsys.readouterr()
        assert len(said.out.splitlines()) == 4
    model, tokenizer, _ = load_model(run.checkpoints()[-1].path)
    assert isinstance(model, Transformer) and isinstance(tokenizer, MarkedTokenizer)
    folder = str(run.checkpoints()[-1].path)
    assert command(root, "translate", "--checkpoint", folder, "4721") == 0
    (found,) = translate(model, [[*tokenizer.encode("4721"), END]])
    assert capsys.readouterr().out == tokenizer.decode(found.text) + "\n"


def test_unknown_characters_are_named_and_the_rest_is_translated(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(root, "translate", "--run", "numbers", "4ß1") == 0
    said = capsys.readouterr()
    assert "not in the vocabulary: 'ß'" in said.err and said.out.count("\n") == 1


def test_a_download_translates(run: Run, tmp_path: Path) -> None:
    run.download(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        archive.extractall(tmp_path)
    (script,) = tmp_path.rglob("translate.py")
    done = subprocess.run(
        [sys.executable, str(script), "4721"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    model, tokenizer, _ = load_model(run.checkpoints()[-1].path)
    assert isinstance(model, Transformer)
    best = beam_search(model, [[*tokenizer.encode("4721"), END]])[0].found[0]
    assert done.stdout == tokenizer.decode(best.text) + "\n"


def test_evaluate_measures_the_run_s_own_pairs_and_others(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sacrebleu")
    assert command(root, "evaluate", "--run", "numbers", "--show", "1") == 0
    said = capsys.readouterr().out
    assert "texts            500" in said and "BLEU" in said and "nrefs:1" in said
    assert command(root, "evaluate", "--run", "numbers", "--split", "compositional") == 0
    (tmp_path / "pairs.tsv").write_text("1\tone\n2\ttwo\n", encoding="utf-8")
    own = ("--sources", str(tmp_path / "pairs.tsv"), "--beams", "2")
    assert command(root, "evaluate", "--run", "numbers", *own) == 0
    assert "texts            2" in capsys.readouterr().out


def test_evaluate_measures_a_language_model(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(root, "evaluate", "--run", "copy") == 0
    said = capsys.readouterr().out
    assert said.startswith("validation loss") and "exactly right" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["translate", "--run", "numbers"], "give a text to translate"),
        (["translate", "--run", "numbers", "  "], "give a text to translate"),
        (["translate", "--run", "copy", "1"], "is a language model"),
        (["translate", "--run", "numbers", "4" * 40], "reads at most 16"),
        (["translate", "--run", "numbers", "4", "--beams", "0"], "--beams: '0' must be"),
        (["translate", "--run", "numbers", "--file", "/nowhere", "4"], "/nowhere"),
        (["evaluate", "--run", "numbers", "--split", "test"], "must be valid or compositional"),
        (["evaluate", "--run", "numbers", "--targets", "x"], "needs --sources"),
        (["evaluate", "--run", "numbers", "--beams", "0"], "'0' must be a whole number from 1"),
        (["evaluate", "--run", "copy", "--split", "valid"], "this run is a language model"),
        (["generate", "--run", "numbers", "--prompt", "4"], "does not continue"),
        (["export", "numbers", "--out", "/tmp/nowhere"], "n_encoder_layer"),
        (["train", "--task", "summarise"], "must be translate"),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    root: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(root, *words) == 2
    said = capsys.readouterr().err
    assert expected in said and "Traceback" not in said


def test_held_out_pairs_may_have_characters_that_training_lacks(tmp_path: Path) -> None:
    """Pairs from files; without a unique right answer, samples are not marked right or wrong."""
    (tmp_path / "train.tsv").write_text("ab\tba\nabab\tbaba\nba\tab\n", encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("bb\tbß\naa\taé\nñ\ta\n", encoding="utf-8")
    own = ["--train_data_path", str(tmp_path / "train.tsv"), "--source", "pairs"]
    own += ["--valid_data_path", str(tmp_path / "valid.tsv"), "--tokenizer", "char"]
    assert command(tmp_path, *TRAIN, *own) == 0
    (made,) = RunStore(tmp_path).list()
    samples = [event for event in made.history() if isinstance(event, Sampled)]
    assert samples and {event.correct for event in samples} == {None}
    assert snapshots.load(made.snapshot_path("step-000040.npz")).cross.size


def test_task_translate_is_the_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = "--total_steps 1 --warmup_steps 0 --d_model 16 --eval_steps 1 --threads 1".split()  # noqa: SIM905
    assert command(tmp_path, "train", "--task", "translate", *small) == 0
    (made,) = RunStore(tmp_path).list()
    assert made.config.data.source == "german" and made.config.model.n_encoder_layer == 2
    assert "python -m engine translate --run" in capsys.readouterr().err
