"""Texts of any size to files of ids: the very text, whatever it was cut into and wherever it was broken off."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import files
from engine.cli.main import main
from engine.config import RunConfig
from engine.data import DataError, make_data, parts, prepare, reading
from engine.data.id_files import made_with
from engine.data.parts import encode_parts, split
from engine.data.prepare import OURS, Settings
from engine.data.reading import TextFile
from engine.data.watch import Watch
from engine.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    IdTokenizer,
    Tokenizer,
    load_tokenizer,
    save_tokenizer,
)
from engine.validation import ConfigError
from tests.project.test_imports import ROOT
from tests.tools.waiting import PATIENCE

TEXT = "".join(
    f"The {animal} said: 你好 {i}, don't sing 😀.\nIt sleeps.\n\n"
    for i in range(60)
    for animal in ("fox", "owl")
)
KINDS = ("char", "word", "byte", "bpe")


class Notes(Watch):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.shares: dict[str, list[float]] = {}

    def received(self, name: str, count: int, total: int | None) -> None:
        assert total is not None
        self.shares.setdefault(name, []).append(count / total)

    counted = received

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "own.txt") -> Path:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / name

    return write


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and reads of a few characters; what would go to another process can go there."""

    def through(value: Any) -> Any:
        return pickle.loads(pickle.dumps(value))

    def each(work: Any, every: Any, processes: int) -> Iterator[Any]:
        return (through(through(work)(through(part))) for part in every)

    monkeypatch.setattr(parts, "each", each)
    monkeypatch.setattr(parts, "PART", 200)
    monkeypatch.setattr(reading, "READ_AT_ONCE", 64)
    monkeypatch.setattr(prepare, "REPORT_EVERY", 1)


def stored(folder: Path) -> tuple[Tokenizer, np.ndarray, np.ndarray, dict[str, Any]]:
    meta = json.loads((folder / "meta.json").read_text())
    train, valid = (np.fromfile(folder / name, f"<u{(meta['dtype'][-2:] == '32' and 4) or 2}") for name in ("train.bin", "val.bin"))  # fmt: skip
    return load_tokenizer(folder / "tokenizer.json"), train, valid, meta


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_hold_the_text(
    write: Callable[..., Path], tmp_path: Path, small_parts: None, kind: str
) -> None:
    third = len(TEXT) // 3
    inputs = [
        write(b"\xef\xbb\xbf" + TEXT[:third].replace("\n", "\r\n").encode(), "one.txt"),
        write(TEXT[third : 2 * third].encode("utf-16"), "two.txt"),
        write(TEXT[2 * third :], "three.txt"),
    ]
    out, watch = tmp_path / "out", Notes()
    size = 300 if kind == "bpe" else None
    meta = prepare.prepare(inputs, out, Settings(kind, size, 0.2), watch=watch)
    tokenizer, train, valid, read = stored(out)
    assert read == meta and sorted(contents(out)) == sorted({*OURS} - {".prepare.json"})
    learned, held_out = tokenizer.decode(train), tokenizer.decode(valid)
    assert learned + held_out == TEXT and held_out.startswith("\n")
    assert 0.1 < len(held_out.encode()) / len(TEXT.encode()) <= 0.21
    assert meta["train"] == {
        "tokens": len(train), "characters": len(learned), "bytes": len(learned.encode()),
    }  # fmt: skip
    assert meta["valid"]["tokens"] == len(valid)
    assert meta["dtype"] == "uint16" and meta["vocab_size"] == tokenizer.vocab_size
    assert meta["settings"] == {"tokenizer": kind, "vocab_size": size, "valid_fraction": 0.2}
    assert [source["sha256"] for source in meta["sources"]] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs
    ]
    assert all(shares[-1] == 1 and shares == sorted(shares) for shares in watch.shares.values())
    if kind == "bpe":
        ends = [TEXT[:third], TEXT[third : 2 * third], learned[2 * third :]]
        texts = "".join(ends)
        assert texts == learned and tokenizer.vocab_size <= 300
        assert train.tolist() == [i for part in ends for i in tokenizer.encode(part)]
    paths = {"train_data_path": str(out / "train.bin"), "valid_data_path": str(out / "val.bin")}
    data = make_data(RunConfig.from_flat({"source": "text", "max_seq_len": 16} | paths))
    assert data.tokenizer == tokenizer and data.probe() in TEXT


@settings(max_examples=25)
@given(st.text(st.sampled_from("ab \n\r'é世😀.")), st.sampled_from([0.01, 0.3, 0.9]))
def test_cutting_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, text: str, share: float
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "x.txt").write_bytes(text.encode())
    if not text:
        return
    tokenizer = BPETokenizer.train("ab a 世世 é. 'b\n\n\n  a " * 9, 280)
    save_tokenizer(tokenizer, folder / "tokenizer.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", 4)
        both = split([TextFile.open(folder / "x.txt", "input")], share)
        texts = ["".join(chunk for part in side for chunk in part.chunks()) for side in both]
        assert "".join(texts) == text.replace("\r\n", "\n").replace("\r", "\n")
        assert texts[1]
        for side, expected in zip(both, texts, strict=True):
            found = [ids for _, ids, _ in encode_parts(side, folder / "tokenizer.json", "", 1)]
            assert [i for ids in found for i in ids.tolist()] == tokenizer.encode(expected)


class Killed(BaseException):
    pass


def test_broken_off_at_any_place_it_goes_on(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    path, whole = write(TEXT[:400]), tmp_path / "whole"
    prepare.prepare([path], whole, Settings("word"))
    expected = contents(whole)
    for place in range(1, 99):
        out = tmp_path / f"out-{place}"
        with monkeypatch.context() as patch:
            left = place

            def dies(call: Callable[..., None]) -> Callable[..., None]:
                def maybe(*arguments: Any) -> None:
                    nonlocal left
                    left -= 1
                    if left == 0:
                        patch.setattr(Path, "unlink", lambda *_, **__: None)  # it is dead
                        raise Killed
                    call(*arguments)

                return maybe

            patch.setattr(files, "_replace", dies(files._replace))
            patch.setattr(prepare, "sync_folder", dies(files.sync_folder))
            patch.setattr(os, "fsync", dies(os.fsync))
            try:
                prepare.prepare([path], out, Settings("word"))
            except Killed:
                pass
            else:
                break
        if (out / "train.bin").exists() and not (out / "meta.json").exists():
            with pytest.raises(DataError, match="is not finished"):
                made_with(out / "train.bin", "train_data_path")
        watch = Notes()
        if place % 2:
            prepare.prepare([path], out, Settings("word"), watch=watch)
            assert contents(out) == expected
        elif not (out / "meta.json").exists():
            prepare.prepare([path], out, Settings("byte"), watch=watch)
            assert load_tokenizer(out / "tokenizer.json") == ByteTokenizer()
    assert place > 10


def test_what_is_finished_is_not_made_again(write: Callable[..., Path], tmp_path: Path) -> None:
    out, path = tmp_path / "out", write(TEXT)
    prepare.prepare([path], out, Settings("word"))
    before = {entry.name: entry.stat().st_mtime_ns for entry in out.iterdir()}
    watch = Notes()
    prepare.prepare([path.rename(tmp_path / "same.txt")], out, Settings("word"), watch=watch)
    assert watch.notes == [f"{out} is prepared already"]
    assert before == {entry.name: entry.stat().st_mtime_ns for entry in out.iterdir()}

    def refused(text: Path, asked: Settings) -> str:
        with pytest.raises(DataError, match=r"^out = ") as caught:
            prepare.prepare([text], out, asked)
        return caught.value.allowed

    for text, asked in (
        (tmp_path / "same.txt", Settings("byte")),
        (tmp_path / "same.txt", Settings("word", valid_fraction=0.3)),
        (write("something else", "other.txt"), Settings("word")),
    ):
        assert "from other texts or with other settings" in refused(text, asked)
    (out / "val.bin").write_bytes(b"12")
    assert (
        refused(tmp_path / "same.txt", Settings("word"))
        == "has a damaged val.bin: delete the folder"
    )
    (out / "meta.json").write_text("{")
    assert (
        refused(tmp_path / "same.txt", Settings("word"))
        == "has a damaged meta.json: delete the folder"
    )


def in_the_older_format(folder: Path, name: str) -> None:
    """Rewrite a prepared folder with a character tokenizer as earlier versions left it."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    older = json.dumps({"type": "char", "characters": "".join(tokenizer.pieces), "specials": []})
    (folder / "tokenizer.json").write_text(older, "utf-8")
    meta = json.loads((folder / name).read_text("utf-8"))
    meta["tokenizer_sha256"] = hashlib.sha256(older.encode()).hexdigest()
    meta["settings"]["tokenizer"] = hashlib.sha256(b"of that format").hexdigest()
    (folder / name).write_text(json.dumps(meta), "utf-8")


def test_folders_of_earlier_versions_are_known_and_gone_on_with(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out, given = write(TEXT), tmp_path / "out", tmp_path / "given.json"
    save_tokenizer(CharTokenizer.train(TEXT), given)
    asked, watch = Settings(str(given)), Notes()

    def stop(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(prepare, "encode_parts", stop)
        prepare.prepare([path], out, asked)
    in_the_older_format(out, ".prepare.json")
    prepare.prepare([path], out, asked, watch=watch)
    assert watch.notes[0] == f"going on in {out}"
    in_the_older_format(out, "meta.json")
    made = made_with(out / "train.bin", "train_data_path")
    assert made is not None and made.tokenizer == CharTokenizer.train(TEXT)
    before = contents(out)
    prepare.prepare([path], out, asked, watch=watch)
    assert watch.notes[-1] == f"{out} is prepared already"
    assert contents(out) == before
    save_tokenizer(CharTokenizer.train(TEXT + "ж"), given)
    with pytest.raises(DataError, match="other settings"):
        prepare.prepare([path], out, asked)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_tokenizer_with_llama_3s_pattern_prepares_the_same_ids(
    write: Callable[..., Path], tmp_path: Path, small_parts: None, processes: int
) -> None:
    learned = BPETokenizer.train(TEXT, 280)
    tokenizer = BPETokenizer(learned.names, learned.merges, (), "llama3")
    save_tokenizer(tokenizer, tmp_path / "given.json")
    out = tmp_path / "out"
    settings = Settings(str(tmp_path / "given.json"))
    prepare.prepare([write(TEXT)], out, settings, processes=processes)
    found, train, valid, _ = stored(out)
    assert found == tokenizer != learned
    text = tokenizer.decode(train)
    assert text + tokenizer.decode(valid) == TEXT
    assert train.tolist() == tokenizer.encode(text)


def test_the_tokenizer_is_not_learned_again(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Killed

    path, out = write(TEXT), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(prepare, "encode_parts", stop)
        prepare.prepare([path], out, Settings("bpe", 300))
    assert load_tokenizer(out / "tokenizer.json").vocab_size == 300
    monkeypatch.setattr(prepare, "count_pretokens", stop)
    watch = Notes()
    prepare.prepare([path], out, Settings("bpe", 300), watch=watch)
    assert watch.notes[0] == f"going on in {out}"


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        (b"", "is empty"),
        (b" \n \n", "has only white space"),
        (b"caf\xe9", "is not UTF-8: byte 3, in line 1, is 0xE9; save it as UTF-8"),
        (b"GIF\0", "is not text: byte 3 is zero"),
        (b"a", "is too short: 0 tokens to learn from, there must be at least 2"),
        (b"abc", "is too short: 1 tokens held out, there must be at least 2"),
    ],
)
def test_what_is_no_text_is_refused(
    write: Callable[..., Path], tmp_path: Path, content: bytes, allowed: str
) -> None:
    with pytest.raises(DataError, match=r"^input = ") as caught:
        prepare.prepare([write(content)], tmp_path / "out", Settings("char"))
    assert caught.value.allowed == allowed


@pytest.mark.parametrize(
    ("asked", "field", "allowed"),
    [
        ({"tokenizer": "bpe", "vocab_size": 100}, "vocab_size", "must be at least 256 with 'bpe'"),
        ({"tokenizer": "word", "vocab_size": 5}, "vocab_size", "must be at least 36, one for each"),
        ({"tokenizer": "char", "vocab_size": 300}, "vocab_size", "must be empty: with 'char'"),
        ({"tokenizer": "words"}, "tokenizer", "must be one of char, word, byte, bpe, or a token"),
        ({"tokenizer": "char.json", "vocab_size": 9}, "vocab_size", "must be left out with"),
        ({"tokenizer": "char.json"}, "tokenizer", "cannot write this text: not in the vocabulary"),
        ({"tokenizer": "ids.json"}, "tokenizer", "is not for texts"),
        ({"tokenizer": "line.json"}, "tokenizer", "has a special token with a line break"),
        ({"tokenizer": "own.txt"}, "tokenizer", "is not a tokenizer's file: own.txt: is not JSON"),
        ({"valid_fraction": 1.0}, "valid_fraction", "must be less than 1"),
        ({"processes": 0}, "processes", "must be at least 1"),
        ({"out": "own.txt"}, "out", "is a file, not a folder"),
        ({"out": "."}, "out", "holds other things (char.json, ids.json, line.json): choose a"),
        ({"input": "none.txt"}, "input", "does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    field: str,
    allowed: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(TEXT)
    save_tokenizer(CharTokenizer("abc"), tmp_path / "char.json")
    save_tokenizer(CharTokenizer("abc", ("<\n>",)), tmp_path / "line.json")
    save_tokenizer(IdTokenizer(5), tmp_path / "ids.json")
    made = asked.copy()
    path, out = Path(made.pop("input", "own.txt")), Path(made.pop("out", "out"))
    processes = made.pop("processes", 1)
    with pytest.raises(ConfigError) as caught:
        prepare.prepare([path], out, Settings(**made), processes=processes)
    (problem,) = caught.value.problems
    assert problem.field == field and problem.allowed.startswith(allowed)


def test_a_large_vocabulary_has_larger_ids(write: Callable[..., Path], tmp_path: Path) -> None:
    tokenizer = CharTokenizer([chr(0x20000 + i) for i in range(2**16)] + ["a"])
    save_tokenizer(tokenizer, tmp_path / "large.json")
    text = ("\U00020001\U0002ffffa") * 50
    out = tmp_path / "out"
    meta = prepare.prepare([write(text)], out, Settings(str(tmp_path / "large.json")))
    _, train, valid, _ = stored(out)
    assert meta["dtype"] == "uint32" and len(train) + len(valid) == len(text)
    assert set(train.tolist()) == {1, 2**16 - 1, 2**16}
    paths = {"train_data_path": str(out / "train.bin"), "source": "text", "max_seq_len": 8}
    assert make_data(RunConfig.from_flat(paths)).tokenizer == tokenizer


def test_prepare_train_and_generate(
    write: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    words = ["prepare", "--input", str(write(TEXT)), "--vocab_size", "280", "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr()
    command = said.out.split()
    assert command[:4] == ["python", "-m", "engine", "train"] and "280 tokens" in said.err
    tiny = [
        "--max_seq_len",
        "16",
        "--d_model",
        "16",
        "--n_head",
        "2",
        "--n_layer",
        "1",
        "--batch_size",
        "4",
        "--total_steps",
        "2",
        "--warmup_steps",
        "0",
        "--eval_interval",
        "2",
        "--eval_steps",
        "1",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    root = ["--checkpoint_dir", str(tmp_path / "runs")]
    assert main([*command[3:], *tiny, *root, "--name", "x"]) == 0
    assert main(["evaluate", "--run", "x", *root]) == 0
    assert "bits per character" in capsys.readouterr().out
    for name in OURS:
        (out / name).unlink(missing_ok=True)  # the run has all that it needs
    capsys.readouterr()
    assert (
        main(["generate", "--run", "x", *root, "--prompt", "The 你好", "--max_new_tokens", "9"])
        == 0
    )
    assert capsys.readouterr().out.startswith("The 你好")
    assert main([*words[:4], "200", *words[5:]]) == 2
    assert "vocab_size = 200: must be at least 256" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_half(tmp_path: Path) -> None:
    """In truth, and with processes of its own, which end with it."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghij", k=6)) for _ in range(20_000)]
    (tmp_path / "big.txt").write_text("\n".join(words * 20))
    command = [sys.executable, "-m", "engine", "prepare", "--input", str(tmp_path / "big.txt")]
    command += ["--vocab_size", "20000", "--out", str(tmp_path / "out"), "--processes", "2"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    children: list[psutil.Process] = []
    while len(children) < 2 and process.poll() is None:
        time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gone, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert gone and not alive
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert ".prepare.json" in names and "meta.json" not in names
