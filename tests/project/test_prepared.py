"""A text in use is prepared as it was at training: one reader of files, one way to trim a sentence."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main
from engine.config import RunConfig
from engine.data import make_data
from engine.data.pairs import sentence
from engine.data.pairs.files import read_pairs
from engine.data.reading import read_lines
from engine.runs.events import Noted
from engine.runs.store import Run, RunStore
from engine.training.driver import drive
from engine.validation import ConfigError
from playground.tabs.generate import scripts
from playground.tabs.translate import beam_search
from playground.tabs.translate import server as translating

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("learners_runs")

SMALL: dict[str, Any] = {
    "source": "numbers", "n_encoder_layer": 1, "n_layer": 1, "n_head": 2, "d_model": 32,
    "max_seq_len": 16, "batch_size": 32, "total_steps": 40, "warmup_steps": 5, "max_lr": 0.01,
    "eval_interval": 40, "eval_steps": 1, "save_interval": 40, "probe_interval": 40,
    "sample_interval": 40, "scale_embeddings": True, "threads": 1, "device": "cpu",
}  # fmt: skip
READS = SMALL["max_seq_len"]

AROUND = ["4721", "4721 ", " 4721", "4721\n", "\t4721\r\n", "\u30004721\u2028", "\n\n4721  "]
"""The same sentence."""

INSIDE = "\r\v\f\x1c\x85\u2028\u2029"
"""Characters that Python ends a line at, and files do not."""


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    """A run that translates numbers, a little."""
    made = RunStore(runs).create(RunConfig.from_flat(SMALL), "numbers")
    assert drive(made).how == "finished"
    return made


@pytest.fixture(scope="module")
def writer(runs: Path) -> Run:
    """A language model of a text with lines."""
    values = {name: value for name, value in SMALL.items() if name != "n_encoder_layer"}
    values |= {"source": "text", "train_data_path": "data/text.txt", "total_steps": 6}
    text = "".join(f"line {i}\r\nof a text\r\n" for i in range(60))
    made = RunStore(runs).create(RunConfig.from_flat(values), "lines", text=text)
    assert drive(made).how == "finished"
    return made


def translated(run: Run, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """What `translate` prints, line by line as other programs count lines."""
    assert main(["translate", "--run", str(run.path), *words]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("\n")
    return printed.removesuffix("\n").split("\n")


# Sentences


@pytest.mark.case("F9")
def test_space_around_a_sentence_changes_nothing_on_the_command_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (right,) = translated(run, capsys, "4721")
    assert right
    for more in ([], ["--beams", "3"]):
        assert len(set(translated(run, capsys, *AROUND, *more))) == 1
    assert translated(run, capsys, *AROUND) == [right] * len(AROUND)
    (tmp_path / "texts").write_text("  4721\n4721 \n", encoding="utf-8")
    assert translated(run, capsys, "--file", str(tmp_path / "texts")) == [right] * 2


@pytest.mark.case("F9")
def test_space_around_a_sentence_changes_nothing_on_the_page(run: Run) -> None:
    def answers(text: str) -> list[Any]:
        found = beam_search.beams(run.id, None, text, 3, 0.6)
        look = translating.look(run.id, None, text)
        return [look["text"], look["ids"], look["sources"], look["rest"], found["found"]]

    right = answers("4721")
    assert right[0] == "4721"
    for text in AROUND:
        assert answers(text) == right
        assert translating.translate(run.id, text) == translating.translate(run.id, "4721")
        assert translating.expected(run.id, text) == translating.expected(run.id, "4721")
    assert translating.expected(run.id, " 4721")["right"] is not None


@pytest.mark.case("F9")
def test_space_around_a_sentence_changes_nothing_in_a_download(run: Run, tmp_path: Path) -> None:
    run.download(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        archive.extractall(tmp_path)
    (script,) = tmp_path.rglob("translate.py")
    plain, spaced = (
        subprocess.run(
            [sys.executable, str(script), text], cwd=ROOT, capture_output=True, check=True
        ).stdout
        for text in ("4721", " 4721 ")
    )
    assert plain == spaced


@pytest.mark.case("F9")
def test_a_sentence_is_trimmed_as_a_line_of_a_file_is(tmp_path: Path) -> None:
    texts = [text.translate(dict.fromkeys(map(ord, "\t\r\n"))) for text in AROUND]
    texts += [f"a{character}b" for character in INSIDE if character != "\r"]
    lines = "".join(f"{text}\t{text}\n" for text in texts)
    (tmp_path / "pairs.tsv").write_text(lines, encoding="utf-8", newline="")
    found = read_pairs(str(tmp_path / "pairs.tsv"), None, "sources", "targets")
    assert found == [(sentence(text), sentence(text)) for text in texts]
    assert {text for text, _ in found} == {"4721", "a b"}


@pytest.mark.case("F9")
def test_a_prompt_s_lines_end_as_those_of_a_text_that_is_learned_from(
    writer: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    for prompt in ("line 1\nof", "line 1\r\nof", "line 1\rof", "\ufeffline 1\nof"):
        assert main(["generate", "--run", str(writer.path), "--prompt", prompt]) == 0
        written.append(capsys.readouterr().out)
        found = scripts.continue_text(writer.id, None, prompt, 5, 0.0)
        assert "error" not in found
    assert len(set(written)) == 1 and written[0].startswith("line 1\nof")


@pytest.mark.case("F10")
def test_a_blank_line_is_translated_to_an_empty_one(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (right,) = translated(run, capsys, "4721")
    (tmp_path / "texts").write_text("\n4721\n  \n4721\n\n\n", encoding="utf-8")
    for more in ([], ["--beams", "2"]):
        lines = translated(run, capsys, "--file", str(tmp_path / "texts"), *more)
        assert [line != "" for line in lines] == [False, True, False, True, False, False]
    assert translated(run, capsys, "", "4721", " \u3000") == ["", right, ""]


@pytest.mark.case("F10")
def test_spaces_alone_are_answered_as_nothing_is(run: Run) -> None:
    nothing = translating.look(run.id, None, "")
    assert "error" in nothing
    for text in ("   ", "\n", "\u3000\t"):
        assert translating.look(run.id, None, text) == nothing
        assert beam_search.beams(run.id, None, text, 2, 0.6) == nothing
        with pytest.raises(ValueError, match="nothing to translate"):
            translating.translate(run.id, text)


# Files


@pytest.mark.case("F8")
@pytest.mark.parametrize("character", INSIDE, ids=ascii)
def test_one_line_of_a_file_gives_one_translation(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], character: str
) -> None:
    path = tmp_path / "texts"
    path.write_bytes(f"47{character}21\n47 21\r\n4721".encode())
    lines = translated(run, capsys, "--file", str(path))
    assert len(lines) == 3 and lines[0] == lines[1]
    assert lines[2:] == translated(run, capsys, "4721")


@pytest.mark.case("F8")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_to_translate_is_read_as_one_to_learn_from(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    mark = "\ufeff" if encoding.endswith("e") else ""
    (tmp_path / "texts").write_bytes(f"{mark}4721\r\n100\r\n".encode(encoding))
    found = translated(run, capsys, "--file", str(tmp_path / "texts"))
    assert found == translated(run, capsys, "4721", "100")


@pytest.mark.case("F8")
@pytest.mark.parametrize("words", [["translate", "--file"], ["evaluate", "--sources"]])
@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"1\t2\ncaf\xe9\n", "byte 7, in line 2, is 0xE9; save it as UTF-8"), (b"a\0b", "is zero"), (b"", "is empty")],
)  # fmt: skip
def test_what_is_no_text_is_refused_with_the_file_s_name(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str],
    content: bytes, problem: str,
) -> None:  # fmt: skip
    path = tmp_path / "some-texts"
    path.write_bytes(content)
    assert main([*words, str(path), "--run", str(run.path)]) == 2
    said = capsys.readouterr()
    assert str(path) in said.err and problem in said.err and said.out == ""


@pytest.mark.case("F7")
@pytest.mark.parametrize("character", INSIDE, ids=ascii)
def test_parallel_files_stay_side_by_side(tmp_path: Path, character: str) -> None:
    english, german = tmp_path / "en", tmp_path / "de"
    english.write_bytes(f"a\nb{character} c\nd\n".encode())
    german.write_bytes(f"A\r\nB\r\nC{character} D\r\n\r\n".encode())
    pairs = read_pairs(str(english), str(german), "train_data_path", "target_data_path")
    assert [(s[0], t[0]) for s, t in pairs] == [("a", "A"), ("b", "B"), ("d", "C")]
    assert [s.split() for s, _ in pairs] == [["a"], ["b", "c"], ["d"]]
    for path in (english, german):
        assert len(read_lines(path, "file")) == path.read_bytes().count(b"\n")


@pytest.mark.case("F7")
def test_a_carriage_return_in_a_line_of_pairs_is_white_space(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_bytes(b"a\tA\r\nb\r c\tB\x0bC\nd\tD\r")
    found = read_pairs(str(tmp_path / "pairs.tsv"), None, "train_data_path", "target_data_path")
    assert found == [("a", "A"), ("b  c", "B C"), ("d", "D")]


# Texts that are too long


@pytest.mark.case("F11")
def test_a_sentence_too_long_is_named_before_anything_is_translated(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.generation.translation.translate", lambda *_: pytest.fail("translated")
    )
    path = tmp_path / "texts"
    lines = ["1"] * 70 + ["4 " * READS, "1", "4" * (READS + 5)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert main(["translate", "--run", str(run.path), "--file", str(path), "1"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{path}, line 71: has " in said.err and f"{path}, line 73: has " in said.err
    assert "line 72" not in said.err and f"at most {READS}" in said.err
    assert main(["translate", "--run", str(run.path), "1", "4" * READS]) == 2
    assert f"TEXT 2: has {READS + 1} tokens" in capsys.readouterr().err
    many = ["4" * READS] * 12
    assert main(["translate", "--run", str(run.path), *many]) == 2
    said = capsys.readouterr().err
    assert "TEXT 5:" in said and "TEXT 6:" not in said and "and 7 more" in said


@pytest.mark.case("F11")
def test_evaluate_counts_and_leaves_out_what_is_too_long(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sacrebleu")
    path = tmp_path / "pairs.tsv"
    long = "4" * READS
    path.write_text("1\tone\n2\ttwo\n" + f"{long}\tmany\n", encoding="utf-8")
    assert main(["evaluate", "--run", str(run.path), "--sources", str(path)]) == 0
    said = capsys.readouterr()
    assert "texts            2" in said.out
    assert f"Pairs left out: 1 (longer than the context of {READS} tokens)." in said.err
    path.write_text(f"{long}\tmany\n", encoding="utf-8")
    assert main(["evaluate", "--run", str(run.path), "--sources", str(path)]) == 2
    assert "longer than" in capsys.readouterr().err


def test_pairs_that_are_left_out_are_counted_when_training_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sacrebleu")
    pairs = [f"{'ab ' * (i % 4 + 1)}\t{'ba ' * (i % 4 + 1)}" for i in range(40)]
    pairs += ["a " * 40 + "\tb", "a\t" + "b " * 40]
    (tmp_path / "train.tsv").write_text("\n".join(pairs), encoding="utf-8")
    (tmp_path / "valid.tsv").write_text("ab ab\tba ba\nb a\ta b\n", encoding="utf-8")
    values = SMALL | {"source": "pairs", "tokenizer": "char", "total_steps": 2, "warmup_steps": 1}
    values |= {"train_data_path": str(tmp_path / "train.tsv")}
    values |= {"valid_data_path": str(tmp_path / "valid.tsv"), "scale_embeddings": None}
    words = [w for n, v in values.items() if v is not None for w in (f"--{n}", str(v))]
    root = tmp_path / "own"
    assert main(["train", *words, "--checkpoint_dir", str(root)]) == 0
    expected = (
        f"Pairs left out: 2 (longer than the context of {READS} tokens). "
        "Validation pairs left out: 1 (what they translate is learned from)."
    )
    assert expected in capsys.readouterr().err
    (made,) = RunStore(root).list()
    notes = [event.text for event in made.history() if isinstance(event, Noted)]
    assert expected in notes
    assert main(["evaluate", "--run", str(made.path)]) == 0
    assert expected in capsys.readouterr().err
    monkeypatch.setenv("TP_RUNS", str(root))
    assert translating.examples(made.id)["left_out"] == expected


def test_nothing_is_said_where_all_pairs_are_used(run: Run) -> None:
    assert not [event for event in run.history() if isinstance(event, Noted)]
    assert translating.examples(run.id)["left_out"] == ""


# Checked before a run exists


def test_src_vocab_size_is_checked_with_the_data() -> None:
    values = {**SMALL, "share_embeddings": False, "src_vocab_size": 5}
    with pytest.raises(ConfigError, match="src_vocab_size = 5: must be at least"):
        make_data(RunConfig.from_flat(values))
