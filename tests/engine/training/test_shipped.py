"""What ships is a run like any other, without what only resuming needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.data import make_data
from engine.presets import PRESETS, Preset
from engine.runs import examples
from engine.runs.events import Probed, Sampled
from engine.runs.snapshots import load
from engine.runs.store import Run
from engine.training import shipped
from engine.training.checkpoint import load_model


def check(run: Run) -> None:
    """It can be read, shown and generated with, and every record it names is there."""
    assert run.status().state == "finished"
    kept = run.checkpoints()
    assert kept[-1].step == run.config.train.total_steps
    assert kept[0].step == 0
    assert len(kept) <= shipped.CHECKPOINTS
    for checkpoint in kept:
        assert not checkpoint.resumable
        model, tokenizer, config = load_model(checkpoint.path)
        assert model.config.vocab_size == tokenizer.vocab_size
        assert config.model.d_model == run.config.model.d_model
    history = run.history()
    probes = [event for event in history if isinstance(event, Probed)]
    assert 2 <= len(probes) <= shipped.SNAPSHOTS
    assert {probe.name for probe in probes} == {p.name for p in (run.path / "snapshots").iterdir()}
    for probe in probes:
        assert load(run.snapshot_path(probe.name)).step == probe.step
    assert any(isinstance(event, Sampled) for event in history)


@pytest.mark.parametrize("name", shipped.SHIPPED)
def test_what_ships_is_whole(name: str) -> None:
    run = Run(shipped.ROOT / name)
    assert run.config == shipped.config_of(name), "train it again: make checkpoints"
    assert examples.read(run.path) == examples.examples_of(
        make_data(run.data_config()), run.config.train
    )
    check(run)


def test_a_preset_is_trained_slimmed_and_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "source": "copy", "max_seq_len": 32, "d_model": 16, "n_layer": 1, "total_steps": 40,
        "batch_size": 2, "probe_interval": 1, "save_interval": 2, "threads": 1, "warmup_steps": 5,
    }  # fmt: skip
    monkeypatch.setitem(PRESETS, "small", Preset("small", "Small", "Small.", "Tasks", changes))
    monkeypatch.setitem(shipped.SHIPPED, "small", {"total_steps": 41})
    (tmp_path / "small").mkdir()
    folder = shipped.ship("small", tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["small"]
    run = Run(folder)
    assert run.config.train.total_steps == 41
    assert len(run.checkpoints()) == shipped.CHECKPOINTS
    check(run)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert shipped.main(["nothing"]) == 2
    assert "nothing: not among stories" in capsys.readouterr().err
