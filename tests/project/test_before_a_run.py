"""What a run cannot do is said before there is a run: on the command line, over the page, and for forks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.cli import choose_run
from engine.cli.main import build_parser, main
from engine.config import RunConfig
from engine.runs.events import Ended
from engine.runs.forks import fork, rerun
from engine.runs.store import TEXT_PATH, Run, RunStore
from engine.training.driver import drive
from engine.validation import ConfigError
from playground.hosting import actions, checks, run_queue
from playground.runs import run_lookup

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("learners_runs")

TINY: dict[str, Any] = {
    "d_model": 8, "n_head": 2, "n_layer": 1, "batch_size": 2, "total_steps": 2, "warmup_steps": 1,
    "eval_interval": 1, "eval_steps": 1, "sample_interval": 1, "probe_interval": 1,
    "save_interval": 2, "max_seq_len": 16, "device": "cpu", "threads": 1,
}  # fmt: skip

LINE = "The fox said: a good day, little hare.\n"

TEXTS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "lines": (LINE * 10, {}, True),
    "lines ended as on Windows": (LINE.replace("\n", "\r\n") * 10, {}, True),
    "too short once its lines are read": ("ab\r\n" * 5, {}, False),
    "a byte-order mark": ("\ufeff" + LINE * 10, {}, True),
    "a zero": ("hello\0world " * 40, {}, False),
    "half a character": ("hello\ud800world " * 40, {}, False),
    "one character": ("a" * 400, {}, False),
    "one character of bytes": ("a" * 400, {"tokenizer": "byte"}, True),
    "white space": (" \n\t" * 100, {}, False),
    "a blank end": (LINE * 10 + "\n" * 60, {}, True),
    "a character longer than the context": ("从前有" * 90, {"tokenizer": "byte", "max_seq_len": 2}, False),
    "an encoder": (LINE * 10, {"n_encoder_layer": 1}, False),
    "batches in tokens": (LINE * 10, {"batch_tokens": 64}, False),
    "a vocabulary too small": (LINE * 10, {"tokenizer": "word", "tokenizer_size": 5}, False),
    "most of it held out": (LINE * 10, {"valid_fraction": 0.99}, False),
}  # fmt: skip
"""A text, what is changed, and whether that can be trained on."""

SOURCES: dict[str, tuple[dict[str, Any], bool]] = {
    "a corpus": ({"source": "stories-zh"}, True),
    "bytes of Chinese": ({"source": "stories-zh", "tokenizer": "byte", "max_seq_len": 4}, True),
    "batches in tokens": ({"source": "stories", "batch_tokens": 256}, False),
    "batches too small for a pair": (
        {"source": "numbers", "n_encoder_layer": 1, "max_seq_len": 32, "batch_tokens": 3}, False
    ),
    "pairs without an encoder": ({"source": "numbers"}, False),
    "an encoder without pairs": ({"source": "copy", "n_encoder_layer": 1}, False),
    "a row too long": ({"source": "copy", "task_length": 20}, False),
}  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that were started; no process is."""
    found: list[Run] = []
    monkeypatch.setattr(run_queue, "start", lambda run, replacing=None: found.append(run))
    return found


def command(root: Path, **values: Any) -> int:
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return main(["train", *words, "--checkpoint_dir", str(root)])


def finishes(run: Run) -> None:
    ended = drive(run)
    assert ended.how == "finished", ended.reason


@pytest.mark.case("F16")
@pytest.mark.parametrize("name", TEXTS)
def test_what_train_accepts_the_run_can_read(tmp_path: Path, name: str) -> None:
    text, changes, good = TEXTS[name]
    (tmp_path / "own.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
    given = TINY | changes | {"train_data_path": tmp_path / "own.txt", "source": "text"}
    status = command(tmp_path / "runs", **given)
    runs = RunStore(tmp_path / "runs").list()
    assert (status, len(runs)) == ((0, 1) if good else (2, 0))


@pytest.mark.case("F16")
@pytest.mark.parametrize("name", TEXTS)
def test_what_the_page_starts_the_run_can_read(name: str, started: list[Run]) -> None:
    text, changes, good = TEXTS[name]
    asked = {"preset": "stories", "changes": TINY | changes | {"source": "text"}}
    before = len(run_lookup.store().list())
    if good:
        finishes(actions.start(actions.understood(asked, text), text))
        assert len(started) == 1
        return
    with pytest.raises(ValueError) as refused:
        actions.start(actions.understood(asked, text), text)
    said = str(refused.value)
    assert "Error" not in said and "/" not in said and " " in said
    assert len(run_lookup.store().list()) == before and not started


@pytest.mark.case("F16")
@pytest.mark.parametrize("name", SOURCES)
def test_what_the_project_has_is_checked_too(
    tmp_path: Path, name: str, started: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    changes, good = SOURCES[name]
    assert (command(tmp_path / "runs", **TINY | changes) == 0) == good
    assert len(RunStore(tmp_path / "runs").list()) == good
    asked = {"preset": "stories", "changes": TINY | changes}
    if good:
        finishes(actions.start(actions.understood(asked)))
        return
    with pytest.raises(ValueError):
        actions.start(actions.understood(asked))
    assert not started


@pytest.fixture(scope="module")
def parent(runs: Path) -> Run:
    """A run of a text of its own, with letters and a context."""
    values = TINY | {"source": "text", "train_data_path": TEXT_PATH}
    made = RunStore(runs).create(RunConfig.from_flat(values), "parent", text=LINE * 10)
    finishes(made)
    return made


@pytest.mark.case("F16")
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--train_data_path", "other.txt"], "gives other tokens"),
        (["--train_data_path", "gone.txt"], "does not exist"),
        (["--source", "stories"], "gives other tokens"),
        (["--source", "numbers"], "n_encoder_layer"),
        (["--valid_fraction", "0.99"], "must have at least"),
        (["--total_steps", "2"], "must be above 2"),
        (["--device", "cuda"], "device"),
    ],
)
def test_a_fork_is_checked_like_a_new_run(
    parent: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, words: list[str], problem: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    Path("other.txt").write_text("XYZ, 0123456789! " * 40, encoding="utf-8")
    more = [] if "--total_steps" in words else ["--total_steps", "4"]
    given = ["train", "--resume_from", str(parent.path), *more, *words, "--root", "runs"]
    assert main(given) == 2
    assert problem in capsys.readouterr().err
    assert not RunStore("runs").list()


@pytest.mark.case("F16")
def test_a_fork_reads_another_file_of_the_same_letters(
    parent: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("same.txt").write_text(LINE * 9, encoding="utf-8")
    given = ["train", "--resume_from", str(parent.path), "--total_steps", "3"]
    assert main([*given, "--train_data_path", "same.txt", "--root", "runs"]) == 0
    (made,) = RunStore("runs").list()
    assert made.config.data.train_data_path == str(tmp_path / "same.txt")
    assert main([*given, "--max_lr", "0.001", "--root", "runs"]) == 0  # of its own text
    assert (
        main(["train", "--resume_from", str(made.path), "--total_steps", "4", "--root", "r"]) == 0
    )


@pytest.mark.case("F16")
def test_a_run_whose_file_is_gone_is_not_made_again(
    tmp_path: Path, started: list[Run], runs: Path
) -> None:
    """And the page says which file, not where on the machine."""
    path = tmp_path / "own.txt"
    path.write_text(LINE * 10, encoding="utf-8")
    values = TINY | {"source": "text", "train_data_path": str(path)}
    made = RunStore(runs).create(RunConfig.from_flat(values), "own file")
    finishes(made)
    path.unlink()
    before = len(RunStore(runs).list())
    for again in (
        lambda: rerun(RunStore(runs), made),
        lambda: fork(RunStore(runs), made, 2, {"total_steps": 4}),
    ):
        with pytest.raises(ConfigError, match="does not exist"):
            again()
    with pytest.raises(ConfigError) as refused:
        actions.reset(made.id)
    assert checks.sentence(refused.value) == "train_data_path = 'own.txt': does not exist"
    assert len(RunStore(runs).list()) == before and not started


@pytest.mark.case("F16")
def test_a_failure_names_files_of_the_run_from_its_folder_on(runs: Path) -> None:
    values = TINY | {"source": "text", "train_data_path": TEXT_PATH}
    made = RunStore(runs).create(RunConfig.from_flat(values), "damaged", text=LINE * 10)
    (made.path / TEXT_PATH).write_bytes(b"\0")
    assert drive(made).reason == "train_data_path = 'data/text.txt': is not text: byte 0 is zero"


# Where the runs are, and which is meant


@pytest.mark.case("F18")
@pytest.mark.case("C15")
def test_the_commands_keep_runs_where_the_page_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "elsewhere"))
    small = [word for name, value in TINY.items() for word in (f"--{name}", str(value))]
    assert main(["train", "--source", "copy", "--task_length", "3", "--name", "mine", *small]) == 0
    (made,) = RunStore(tmp_path / "elsewhere").list()
    assert run_lookup.find(made.id).path == made.path
    capsys.readouterr()
    assert main(["runs"]) == 0
    assert made.id in capsys.readouterr().out
    assert main(["generate", "--run", "mine", "--prompt", "ab>", "--max_new_tokens", "1"]) == 0
    assert main(["runs", "--root", str(tmp_path / "empty")]) == 0
    assert made.id not in capsys.readouterr().out.splitlines()[-1]
    for command in ("train", "resume x", "generate", "translate", "evaluate", "ablate", "runs"):
        options = build_parser().parse(command.split())
        assert options.checkpoint_dir == tmp_path / "elsewhere"


@pytest.mark.case("F18")
@pytest.mark.parametrize("value", [None, "", "none", "None", "some/where", "/some/where"])
def test_the_variable_means_the_same_everywhere(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.chdir(ROOT)
    if value is None:
        monkeypatch.delenv("TP_RUNS")
    else:
        monkeypatch.setenv("TP_RUNS", value)
    assert choose_run.own_runs().resolve() == run_lookup.store().root.resolve()


@pytest.fixture
def shipped(tmp_path: Path, parent: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one shipped run, `tales`, and one's own of that name; the working directory."""
    monkeypatch.chdir(tmp_path)
    store = RunStore(choose_run.OWN_RUNS)
    shutil.copytree(parent.path, choose_run.SHIPPED / "tales")
    Run(choose_run.SHIPPED / "tales").rename("tales")
    monkeypatch.setenv("TP_RUNS", str(store.root))
    return tmp_path


@pytest.mark.case("C26")
def test_a_name_of_an_own_run_and_a_shipped_one_says_neither(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = fork(
        RunStore(choose_run.OWN_RUNS),
        Run(choose_run.SHIPPED / "tales"),
        2,
        {"total_steps": 3},
        "tales",
    )
    finishes(own)
    for words in (["export", "tales", "--out", "x"], ["generate", "--run", "tales"],
                  ["runs", "export", "tales", "--out", "x.zip"]):  # fmt: skip
        assert main(words) == 2
        said = capsys.readouterr().err
        assert (
            f"{choose_run.OWN_RUNS / own.id}" in said and f"{choose_run.SHIPPED / 'tales'}" in said
        )
        assert "Use a folder" in said
    assert not Path("x").exists() and not Path("x.zip").exists()
    for which in (own.id, own.id[:8], f"{choose_run.OWN_RUNS / own.id}"):
        assert main(["runs", "export", which, "--out", "own.zip"]) == 0
    for which in ("checkpoints/tales", "checkpoints/tales/"):
        assert choose_run.find_run(which, choose_run.OWN_RUNS).id == "tales"
    assert choose_run.find_run("tales", choose_run.SHIPPED).id == "tales"
    assert "all 3 steps are done" in _mistake(capsys, "resume", "tales")  # one's own


@pytest.mark.case("C26")
def test_two_own_runs_of_a_name_never_mean_the_shipped_one(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        fork(
            RunStore(choose_run.OWN_RUNS),
            Run(choose_run.SHIPPED / "tales"),
            2,
            {"total_steps": 3},
            "tales",
        )
        for _ in range(2)
    ]
    said = _mistake(capsys, "generate", "--run", "tales")
    assert all(run.id in said for run in runs)


@pytest.mark.case("C26")
def test_without_a_name_the_shipped_run_is_meant(shipped: Path) -> None:
    fork(
        RunStore(choose_run.OWN_RUNS),
        Run(choose_run.SHIPPED / "tales"),
        2,
        {"total_steps": 3},
        "tales",
    )
    options = build_parser().parse(["generate"])
    folder, _ = choose_run.chosen_checkpoint(options, "tales")
    assert folder.parent == choose_run.SHIPPED / "tales"


def _mistake(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(words) == 2
    return capsys.readouterr().err


# What is printed to go on with


@pytest.mark.case("F19")
@pytest.mark.parametrize("folder", ["a b", "c;echo x", "it's $HOME", "two  spaces"])
def test_what_is_printed_can_be_pasted_into_a_shell(
    tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / folder
    small = TINY | {"source": "copy", "task_length": 3}
    assert command(root, **small) == 0
    (made,) = RunStore(root).list()
    printed = capsys.readouterr().err
    given = _pasted(printed, "Generate with: ")
    assert given == ["generate", "--run", str(made.path)]
    done = subprocess.run(
        ["sh", "-c", f"{_line(printed, 'Generate with: ')} --prompt 'ab>' --max_new_tokens 1"],
        cwd=ROOT, capture_output=True, text=True, env=_python(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ab>") and "x\n" not in done.stdout.splitlines()

    said = _mistake(capsys, "resume", str(made.path))
    assert f"{shlex.join(['train', '--resume_from', str(made.path)])} --total_steps N" in said


@pytest.mark.case("F19")
def test_how_a_stopped_run_goes_on_is_quoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.cli.commands.train import report

    values = TINY | {"source": "numbers", "n_encoder_layer": 1}
    made = RunStore(tmp_path / "a b").create(RunConfig.from_flat(values), "x")
    report(Ended(step=1, how="stopped"), made)
    assert _pasted(capsys.readouterr().err, "Resume with: ") == ["resume", str(made.path)]
    report(Ended(step=2, how="finished"), made)
    words = _pasted(capsys.readouterr().err, "Translate with: ")
    assert words == ["translate", "--run", str(made.path), "..."]


def _line(printed: str, start: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.startswith(start)]
    return line.removeprefix(start)


def _pasted(printed: str, start: str) -> list[str]:
    """The words that a shell makes of it."""
    python, flag, engine, *words = shlex.split(_line(printed, start))
    assert (python, flag, engine) == ("python", "-m", "engine")
    return words


def _python(folder: Path) -> dict[str, str]:
    """An environment in which `python` is the one that runs the tests."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    return os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
