"""Small and odd texts of one's own: a run of them is refused before it is made, or it trains."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.cli.main import main
from engine.config import RunConfig
from engine.data import DataError, make_data
from engine.runs.events import Evaluated, Probed, Sampled
from engine.runs.store import Run, RunStore
from engine.training.driver import drive
from engine.validation import ConfigError

TINY: dict[str, Any] = {
    "source": "text", "d_model": 8, "n_head": 2, "n_layer": 1, "batch_size": 2, "total_steps": 2,
    "warmup_steps": 1, "eval_interval": 1, "eval_steps": 1, "sample_interval": 1,
    "probe_interval": 1, "save_interval": 2, "device": "cpu", "threads": 1,
}  # fmt: skip

CHINESE = "从前，有一只小兔，它很喜欢胡萝卜。小狐狸找到了一把红色的雨伞。" * 12


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of a few tokens: there are hundreds of runs."""
    monkeypatch.setattr("engine.training.driver.observations.SAMPLE_TOKENS", 4)
    torch.set_num_threads(1)


def trained_whole(run: Run) -> None:
    """A run was trained, sampled from, recorded and evaluated at each of its steps."""
    events = run.history()
    for kind in (Sampled, Probed, Evaluated):
        assert {event.step for event in events if isinstance(event, kind)} == {0, 1, 2}
    for event in events:
        assert not isinstance(event, Sampled) or event.prompt


@pytest.mark.case("F5")
@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("good text here " * 20 + "\n" * 60, {"max_seq_len": 16}),
        ("good text here " * 20 + "\ufffd" * 60, {"max_seq_len": 16}),
        (CHINESE, {"tokenizer": "byte", "max_seq_len": 4}),
        (CHINESE + "a", {"tokenizer": "byte", "max_seq_len": 2}),
        (CHINESE, {"tokenizer": "bpe", "tokenizer_size": 260, "max_seq_len": 2}),
    ],
    ids=["blank end", "U+FFFD", "half a character", "one letter", "BPE"],
)
def test_a_text_whose_end_gives_no_prompt_trains(
    tmp_path: Path, text: str, changes: dict[str, Any]
) -> None:
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    values = TINY | changes | {"train_data_path": tmp_path / "text.txt"}
    flags = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    assert main(["train", *flags, "--checkpoint_dir", str(tmp_path / "runs")]) == 0
    (run,) = RunStore(tmp_path / "runs").list()
    trained_whole(run)


@pytest.mark.case("F5")
def test_a_context_below_one_character_is_refused_before_there_is_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("鿰鿱鿲鿳鿴鿵" * 40, encoding="utf-8")
    words = f"train --train_data_path {tmp_path}/text.txt --max_seq_len 2 --warmup_steps 0".split()
    words += ["--tokenizer", "byte"]
    assert main([*words, "--checkpoint_dir", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert "max_seq_len = 2: must be at least 3: one character" in said
    assert not RunStore(tmp_path / "runs").list()


@pytest.mark.case("F5")
def test_ids_of_parts_of_characters_train(tmp_path: Path) -> None:
    """Two bytes are held out: no whole character."""
    (tmp_path / "text.txt").write_text(CHINESE, encoding="utf-8")
    prepared = str(tmp_path / "ids")
    words = ["prepare", "--input", str(tmp_path / "text.txt"), "--tokenizer", "byte"]
    assert main([*words, "--out", prepared]) == 0
    values = TINY | {"train_data_path": f"{prepared}/train.bin", "valid_fraction": 0.001}
    run = RunStore(tmp_path / "runs").create(RunConfig.from_flat(values | {"max_seq_len": 8}), "x")
    assert drive(run).how == "finished"
    trained_whole(run)


PIECES = st.sampled_from(
    [
        "\n",
        " ",
        "\t",
        "a",
        "b",
        "ab ",
        "\ufffd",
        "你",
        "好。",
        "é",
        "😀",
        "\u2028",
        "the fox\n",
        "\n\n",
    ]
)
TEXTS = st.builds(
    lambda start, end, times: "".join(start) * times + end,
    st.lists(PIECES, min_size=1, max_size=30),
    st.sampled_from(["", "\n" * 60, " " * 40, "\ufffd" * 30, "好" * 9, "x"]),
    st.integers(1, 6),
)


@pytest.mark.case("F5")
@settings(max_examples=120)
@given(
    TEXTS,
    st.sampled_from([(None, None), ("byte", None), ("word", None), ("bpe", 257), ("bpe", 260)]),
    st.integers(2, 9),
    st.sampled_from([0.001, 0.1, 0.5, 0.9]),
)
@example("\ufffd" * 40 + " ", (None, None), 2, 0.1)
@example("你" * 40, ("byte", None), 2, 0.1)
@example(" " * 40 + "a", ("byte", None), 2, 0.5)
def test_any_small_text_is_refused_before_there_is_a_run_or_trains(
    text: str, tokens: tuple[str | None, int | None], context: int, fraction: float
) -> None:
    kind, size = tokens
    changes = {"tokenizer": kind, "tokenizer_size": size, "max_seq_len": context}
    config = RunConfig.from_flat(
        TINY | changes | {"valid_fraction": fraction, "train_data_path": "data/text.txt"}
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            make_data(config, text=text)
        except DataError:
            return
        run = RunStore(folder).create(config, "a text", text=text)
        ended = drive(run)
        assert ended.how == "finished", ended.reason
        trained_whole(run)


@pytest.mark.case("F16")
@example("\ufeff\ufeffab\r\nabab")
@given(st.text(st.sampled_from("\ufeff\0\r\n ab\x85\u2028é好\ud800"), max_size=12))
def test_a_text_in_memory_is_read_as_from_its_file(text: str) -> None:
    """What is accepted before it is written is what is read afterwards."""
    values = TINY | {"train_data_path": "data/text.txt", "max_seq_len": 2}
    config = RunConfig.from_flat(values)
    try:
        found = make_data(config, text=text)
    except ConfigError:
        return
    with tempfile.TemporaryDirectory() as folder:
        run = RunStore(folder).create(config, "a text", text=text)
        read = make_data(run.data_config())
    assert read.tokenizer.to_json() == found.tokenizer.to_json()
    assert [*next(read.validation(2)).inputs.flat] == [*next(found.validation(2)).inputs.flat]
