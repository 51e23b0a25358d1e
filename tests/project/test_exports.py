"""What is written to a path that a user named: whole, whatever the dates of files and the clock are."""

from __future__ import annotations

import csv
import io
import os
import stat
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from engine.cli.main import main
from engine.config import RunConfig
from engine.files import atomic_output
from engine.runs import run as runs
from engine.runs.events import Evaluated, Started, Stepped
from engine.runs.store import Run, RunStore
from engine.tokenizers import CharTokenizer, load_tokenizer, save_tokenizer
from playground.screens import report
from playground.screens.histories import History
from tests.tools.waiting import PATIENCE

LONG_AGO, FAR_AWAY = 0, 4_420_000_000  # 1970, 2110


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = RunStore(tmp_path / "runs").create(RunConfig(), "a run")
    folder = run.checkpoint_path(10)
    folder.mkdir()
    for name in ("state.json", "model.safetensors"):
        (folder / name).write_text("{}")
    (run.path / "tokenizer.json").write_text("{}")
    run.append(
        Started(step=0, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    )
    run.append(Stepped(step=1, loss=1.5, lr=1e-3, grad_norm=0.5, tokens=32, seconds=0.01))
    run.append(Evaluated(step=1, loss=1.25))
    return run


def export(run: Run, *words: object) -> int:
    root = ["--root", str(run.path.parent)]
    return main(["runs", "export", run.id, *map(str, words), *root])


@pytest.mark.case("F12")
@pytest.mark.parametrize("date", [LONG_AGO, FAR_AWAY])
def test_a_zip_does_not_depend_on_the_dates_of_files(run: Run, tmp_path: Path, date: int) -> None:
    for path in run.path.rglob("*"):
        os.utime(path, (date, date))
    target = tmp_path / "run.zip"
    assert export(run, "--out", target) == 0
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 7
        archive.extractall(tmp_path / "out")
    taken = Run(tmp_path / "out" / f"run-{run.id}")
    assert taken.history() == run.history()


@pytest.mark.case("F12")
@pytest.mark.parametrize("date", [LONG_AGO, FAR_AWAY])
def test_no_zip_depends_on_the_clock(
    run: Run, date: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine without a clock of its own is in 1970 until it has asked for the time."""
    local = time.localtime
    monkeypatch.setattr(time, "localtime", lambda seconds=None: local(date))
    monkeypatch.setattr(time, "time", lambda: float(date))
    whole = io.BytesIO()
    run.download(whole)
    assert zipfile.ZipFile(whole).testzip() is None
    history = History(run)
    history.read()
    archive = zipfile.ZipFile(io.BytesIO(report.archive({"a run": history})))
    assert archive.namelist() == ["report.md", "loss.svg", "curves.csv"]
    assert archive.testzip() is None


@pytest.mark.case("F12")
@pytest.mark.parametrize("words", [(), ("--csv",)])
@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_failed_export_leaves_what_was_there(
    run: Run,
    tmp_path: Path,
    words: tuple[str, ...],
    before: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    target = folder / "export"
    if before is not None:
        target.write_bytes(before)

    def full(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(runs, "add_file", full)
    monkeypatch.setattr(csv.DictWriter, "writerows", full)
    assert export(run, "--out", target, *words) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == (
        {} if before is None else {"export": before}
    )


@pytest.mark.case("F12")
def test_an_export_says_which_path_cannot_be_written(run: Run, tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "nowhere" / "run.zip"
    assert export(run, "--out", target) == 2
    assert f"'{target}'" in capsys.readouterr().err and not target.parent.exists()


def test_curves_are_written_whole(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "curves.csv"
    target.write_text("before")
    assert export(run, "--csv", "--out", target) == 0
    (row,) = csv.DictReader(io.StringIO(target.read_text()))
    assert (row["step"], row["loss"], row["valid_loss"]) == ("1", "1.5", "1.25")
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_and_pipes_stay_what_they_are(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("before")
    link.symlink_to(real)
    with atomic_output(link) as file:
        file.write(b"after")
    assert link.is_symlink() and real.read_text() == "after"

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with atomic_output(pipe) as file:
        file.write(b"through")
    reader.join(PATIENCE)
    assert heard == [b"through"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_tokenizer_s_file_is_whole_or_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tokenizer.json"
    save_tokenizer(CharTokenizer("abc"), path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        save_tokenizer(CharTokenizer("abcd"), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    assert load_tokenizer(path).vocab_size == 3
