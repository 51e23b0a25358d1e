"""`ablate`: every run has exactly one result, even if processes are killed."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.ablation import workers
from engine.ablation.comparison import make_planned
from engine.ablation.suites import SUITES, find_suite
from engine.ablation.workers import Train, train_in_process, train_with_retries
from engine.cli.commands import ablate
from engine.cli.main import main
from engine.config import RunConfig
from engine.runs import locks
from engine.runs.events import Pause, Paused, Resumed, Started, Step, Stepped
from engine.runs.store import Run, RunStore
from engine.runs.summary import Outcome
from engine.training.driver import drive
from tests.tools.options import TINY_RUN
from tests.tools.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[3]

TINY = TINY_RUN | {
    "total_steps": 20,
    "eval_interval": 10,
    "sample_interval": 0,
    "save_interval": 10,
}

MINE: dict[str, Any] = {
    "question": "Does it work?",
    "base": TINY,
    "variants": {"pre": {}, "post": {"placement": "post"}, "none": {"norm": "none"}},
    "seeds": 1,
}


def here(run: Run, stop: threading.Event) -> str:
    """A `Train` that trains in this process, where PyTorch is already loaded."""
    return drive(run, stop=stop).reason


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[Train], None]:
    """Replace the process per run by another `Train`."""

    def take(train: Train) -> None:
        monkeypatch.setattr(ablate, "train_in_process", train)

    take(here)
    return take


@pytest.fixture
def suite(tmp_path: Path) -> list[str]:
    """The command line of a small user suite."""
    (tmp_path / "mine.json").write_text(json.dumps(MINE))
    return ["ablate", str(tmp_path / "mine.json"), "--root", str(tmp_path / "runs")]


def stored(tmp_path: Path) -> list[Run]:
    return RunStore(tmp_path / "runs").list()


def steps(run: Run) -> list[int]:
    return [event.step for event in run.history() if isinstance(event, Stepped)]


@pytest.mark.usefixtures("at_once")
def test_a_suite_is_trained_compared_and_kept(
    suite: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*suite, "--seeds", "2"]) == 0
    said = capsys.readouterr()
    assert "| post | 2 | " in said.out and "difference to pre" in said.out
    assert "mine: 6 runs" in said.err
    assert "6/6  mine: none, seed 1: finished at step 20, validation loss" in said.err
    rows = list(csv.DictReader((tmp_path / "runs/suites/mine/table.csv").open()))
    assert [(row["variant"], row["finished"], row["pairs"]) for row in rows] == [
        ("pre", "2", ""), ("post", "2", "2"), ("none", "2", "2"),
    ]  # fmt: skip
    assert {(r.info.suite, r.info.variant, r.config.train.seed) for r in stored(tmp_path)} == {
        ("mine", variant, seed) for variant in MINE["variants"] for seed in (0, 1)
    }

    assert main([*suite, "--report", "--seeds", "2", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "table.md").read_text() + "\n" == capsys.readouterr().out
    assert main(suite) == 0
    assert "3 with a result already" in capsys.readouterr().err
    assert len(stored(tmp_path)) == 6 and all(len(steps(run)) == 20 for run in stored(tmp_path))

    assert main([*suite, "--total-steps", "5"]) == 0
    assert len(stored(tmp_path)) == 9
    assert {len(steps(r)) for r in stored(tmp_path) if r.info.suite == "mine: total_steps 5"} == {5}
    assert (tmp_path / "runs/suites/mine-total_steps-5/table.md").is_file()


@pytest.mark.usefixtures("at_once")
def test_learning_rates_are_tuned_before_a_suite_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {"variants": {"pre": {}, "none": {"norm": "none"}}, "rates": [0.001, 1]}
    (tmp_path / "mine.json").write_text(json.dumps(MINE | changed))
    command = ["ablate", str(tmp_path / "mine.json"), "--root", str(tmp_path / "runs")]
    assert main([*command, "--report"]) == 1 and stored(tmp_path) == []
    assert main([*command, "--seeds", "2"]) == 0
    runs = stored(tmp_path)
    tried = {
        r.info.variant: Outcome.of(r).final_loss for r in runs if r.info.suite == "mine, rates"
    }
    assert len(tried) == 4 and len(runs) == 8
    for variant in ("pre", "none"):
        losses = {factor: tried[f"{variant}, rate × {factor:g}"] or 0.0 for factor in (0.001, 1)}
        best = min(losses, key=losses.__getitem__)
        measured = [r for r in runs if (r.info.suite, r.info.variant) == ("mine", variant)]
        usual = RunConfig.from_flat(TINY).train.max_lr
        assert [r.config.train.max_lr for r in measured] == pytest.approx([best * usual] * 2)
    capsys.readouterr()
    assert main([*command, "--seeds", "2"]) == 0 and len(stored(tmp_path)) == 8
    assert "4 with a result already" in capsys.readouterr().err
    text = (tmp_path / "runs/suites/mine/table.md").read_text()
    assert "Learning rates, each the best of × 0.001, × 1: pre " in text
    about = json.loads((tmp_path / "runs/suites/mine/measured.json").read_text())
    assert about["command"] == f"python -m engine ablate {command[1]} --seeds 2"
    assert about["rates"].keys() == {"pre", "none"}
    row = next(csv.DictReader((tmp_path / "runs/suites/mine/table.csv").open()))
    assert float(row["processor_seconds"]) > 0


@pytest.mark.usefixtures("at_once")
def test_a_suite_on_a_text_of_one_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.txt").write_text("so it goes on and on " * 60)
    base = TINY | {"source": "text", "train_data_path": "text.txt", "total_steps": 2}
    (tmp_path / "own.json").write_text(json.dumps(MINE | {"base": base}))
    monkeypatch.chdir(tmp_path)
    assert main(["ablate", "own.json", "--root", "runs"]) == 0
    assert {run.info.suite for run in stored(tmp_path)} == {"own"}
    paths = {run.config.data.train_data_path for run in stored(tmp_path)}
    assert paths == {str(tmp_path / "text.txt")}  # an absolute path, valid from any folder


def test_a_run_that_fails_or_diverges_is_not_the_end(
    suite: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    at_once: Callable[[Train], None],
) -> None:
    begun: list[str] = []

    def odd(run: Run, stop: threading.Event) -> str:
        begun.append(run.info.variant or "")
        if run.info.variant == "pre":
            raise OSError("no such machine")
        return here(run, stop)

    at_once(odd)
    wild = ["--optimizer", "sgd", "--max_lr", "10", "--max_grad_norm", "0", "--total_steps", "100"]
    assert main([*suite, *wild]) == 1
    said = capsys.readouterr()
    assert begun == ["pre"] * workers.ATTEMPTS + ["post", "none"]
    assert "seed 0: new at step 0 (OSError: no such machine)" in said.err
    assert "1 of 3 runs have no result yet" in said.err and "| pre | 0, 1 new | – |" in said.out
    assert "| none | 0, 1 diverged | – |" in said.out
    assert {r.status().state for r in stored(tmp_path)} >= {"new", "diverged"}
    at_once(here)
    begun.clear()
    assert main([*suite, *wild]) == 0 and begun == []


def test_ctrl_c_stops_and_the_same_command_goes_on(
    suite: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    at_once: Callable[[Train], None],
) -> None:
    def interrupted(run: Run, stop: threading.Event) -> str:
        def listen(event: object) -> None:
            if run.info.variant == "post" and isinstance(event, Stepped) and event.step == 5:
                os.kill(os.getpid(), signal.SIGINT)
                stop.wait(10)

        return drive(run, stop=stop, listen=listen).reason

    at_once(interrupted)
    assert main(suite) == 130
    states = {run.info.variant: run.status() for run in stored(tmp_path)}
    assert [states[v].state for v in MINE["variants"]] == ["finished", "stopped", "new"]
    assert states["post"].step == 5
    assert "2 of 3 runs have no result yet" in capsys.readouterr().err
    at_once(here)
    assert main(suite) == 0
    assert all(steps(run) == list(range(1, 21)) for run in stored(tmp_path))


@pytest.mark.usefixtures("at_once")
def test_one_process_at_a_time_has_a_suite(
    suite: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs" / "suites" / "mine"
    folder.mkdir(parents=True)
    claim = locks.acquire(folder)
    assert main(suite) == 2
    assert "mine: another process is using it" in capsys.readouterr().err
    assert stored(tmp_path) == []
    assert main([*suite, "--report"]) == 1
    claim.release()
    assert main(suite) == 0


def test_mistakes_in_the_command(
    suite: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for words, said in {
        ("magic",): "suite = 'magic': must be one of norm, placement",
        (suite[1], "--seed", "4"): "seed = '4': is set by --seeds",
        (suite[1], "--d_model", "15"): "d_model = 15: must be a multiple of n_head",
        (suite[1], "--source", "magic"): "source = 'magic': must be one of",
        (str(tmp_path / "no.json"),): "No such file",
    }.items():
        assert main(["ablate", *words, "--root", str(tmp_path / "runs")]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    for flag, most in (("--seeds", "100"), ("--jobs", "1,000")):
        with pytest.raises(SystemExit, match="2"):
            main(["ablate", suite[1], flag, "0", "--root", str(tmp_path / "runs")])
        assert f"{flag}: '0' must be a whole number from 1 to {most}" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    assert main(["ablate"]) == 0
    listed = capsys.readouterr().out
    assert all(suite.question in listed for suite in SUITES.values())


def test_without_the_package_ray_is_an_error(
    suite: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "find_spec", lambda name: None)
    assert main([*suite, "--ray", "auto"]) == 2
    assert "ray = 'auto': needs the package ray: pip install ray" in capsys.readouterr().err


def test_a_run_that_somebody_trains_is_waited_for(tmp_path: Path, suite: list[str]) -> None:
    planned = find_suite(suite[1])
    (run, *_) = make_planned(RunStore(tmp_path / "runs"), "mine", planned.plan())
    claim, stop, begun = run.claim(), threading.Event(), threading.Event()

    def train(run: Run, stop: threading.Event) -> str:
        begun.set()
        return here(run, stop)

    waiting = threading.Thread(target=train_with_retries, args=(run, train, stop))
    waiting.start()
    assert not begun.wait(0.3)
    claim.release()
    waiting.join(PATIENCE)
    assert run.status().state == "finished"


def test_in_a_terminal_it_says_what_is_being_trained(
    tmp_path: Path, suite: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "40")
    runs = make_planned(RunStore(tmp_path / "runs"), "mine", find_suite(suite[1]).plan())
    drive(runs[0])
    board = ablate.Board("mine", runs, Terminal())
    claim = runs[1].claim()
    board([])
    claim.release()
    assert board.line.shown == "post, seed 0: 0/20"
    drive(runs[1])
    board([(runs[1], "")])
    said = board.line.stream.getvalue()  # type: ignore[attr-defined]
    assert "mine: 3 runs, 1 with a result already\n" in said
    assert "\r2/3  mine: post, seed 0: finished at step 20, validation loss" in said


@pytest.mark.case("C8")
def test_a_suites_time_left_counts_no_pause(
    tmp_path: Path, suite: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(ablate, "perf_counter", lambda: now[0])
    runs = make_planned(RunStore(tmp_path / "runs"), "mine", find_suite(suite[1]).plan())
    board, run = ablate.Board("mine", runs, io.StringIO()), runs[0]
    claim = run.claim()
    run.append(
        Started(step=0, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    )
    run.append(Stepped(step=5, loss=1, lr=1, grad_norm=1, tokens=5, seconds=2.0))
    now[0] += 10
    assert board.describe().startswith("1:50 left")  # 55 of 60 steps
    run.append(Paused(step=5))
    now[0] += 1000
    assert board.describe().startswith("1:50 left")
    run.append(Resumed(step=5))
    assert board.describe().startswith("1:50 left")
    claim.release()


# Processes


def test_a_process_that_cannot_train_says_why(tmp_path: Path, suite: list[str]) -> None:
    (run, *_) = make_planned(RunStore(tmp_path / "runs"), "mine", find_suite(suite[1]).plan())
    (run.path / "config.json").write_text("{")
    assert "config.json: config" in train_in_process(run, threading.Event())


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_kill_9_of_a_worker_and_of_the_suite(
    suite: list[str], tmp_path: Path, at_once: Callable[[Train], None]
) -> None:
    """Finished runs are kept, the others complete, and every result exists once."""
    store = RunStore(tmp_path / "runs")
    pre, post, none = make_planned(store, "mine", find_suite(suite[1]).plan())
    drive(pre)
    finished = (pre.path / "events.jsonl").read_bytes()
    with started([*suite, "--jobs", "2"], post, none) as process:
        process.send_signal(signal.SIGSTOP)  # so that it cannot restart a killed run
        worker = post.status().pid
        assert worker is not None and none.status().pid not in (None, worker, process.pid)
        psutil.Process(worker).kill()
        process.kill()
    until(lambda: none.status().state == "stopped")  # its worker saved it
    until(lambda: post.status().state == "interrupted")

    at_once(here)
    assert main(suite) == 0
    assert {run.id for run in store.list()} == {pre.id, post.id, none.id}
    assert (pre.path / "events.jsonl").read_bytes() == finished
    assert all(steps(run) == list(range(1, 21)) for run in (post, none))
    assert (begun(post), begun(none)) == ([0, 0], [0, 5])


@pytest.mark.slow
def test_kill_9_of_a_worker_of_ray(suite: list[str], tmp_path: Path) -> None:
    """The run is retried, and the suite completes with every result once."""
    store = RunStore(tmp_path / "runs")
    runs = make_planned(store, "mine", find_suite(suite[1]).plan())
    with started([*suite, "--ray", "local", "--jobs", "2"], runs[0]) as process:
        worker = runs[0].status().pid
        assert worker is not None
        psutil.Process(worker).kill()
        assert process.wait(PATIENCE) == 0
    assert {run.id for run in store.list()} == {run.id for run in runs}
    assert all(steps(run) == list(range(1, 21)) for run in runs)
    assert [begun(run) for run in runs] == [[0, 0], [0], [0]]


@contextmanager
def started(words: list[str], *waiting: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A process with this command; some of its runs have made five steps and wait for more."""
    for run in waiting:
        run.send(Pause())
        run.send(Step(steps=5))
    command = [sys.executable, "-m", "engine", *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: all(steps(run)[-1:] == [5] for run in waiting))
            yield process
        finally:
            process.kill()


def begun(run: Run) -> list[int]:
    """The steps at which the run's processes started."""
    return [event.step for event in run.history() if isinstance(event, Started)]
