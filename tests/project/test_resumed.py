"""What is told of a run that was killed and went on: each step once, and no second that did not pass."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.cli import loggers
from engine.cli.main import main
from engine.config import RunConfig
from engine.runs import run as runs
from engine.runs.events import (
    Changed,
    Diverged,
    Ended,
    Evaluated,
    Message,
    Noted,
    Pause,
    Paused,
    Probed,
    Resume,
    Resumed,
    Sampled,
    Saved,
    Started,
    Step,
    Stepped,
    Working,
)
from engine.runs.forks import fork
from engine.runs.history import REPEATED, current
from engine.runs.store import Run, RunStore
from engine.runs.summary import Outcome
from engine.training.driver import Stopwatch, drive, log
from playground.figures.curves import Curves
from playground.hosting import actions, run_feed
from playground.screens import run_index
from playground.screens.histories import History
from tests.project.test_imports import ROOT
from tests.tools.options import TINY_RUN

TINY = TINY_RUN | {"sample_interval": 3, "probe_interval": 2, "save_interval": 4}


class Killed(BaseException):
    """As a kill: nothing that the driver does at its end is done."""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def make(store: RunStore) -> Callable[..., Run]:
    return lambda **changes: store.create(RunConfig.from_flat(TINY | changes), "a run")


def kill_after(number: int) -> Callable[[Message], None]:
    """A listener that kills the process at the n-th event that it is told."""
    heard = 0

    def listen(event: Message) -> None:
        nonlocal heard
        heard += 1
        if heard == number:
            raise Killed

    return listen


def labels(run: Run) -> list[str]:
    """What the log tells of learning and still holds, each event by its kind, step and text."""
    names = ("type", "step", "prompt", "name")
    return [
        " ".join(str(getattr(event, name)) for name in names if hasattr(event, name))
        for event in run.history()
        if event.type in REPEATED and not isinstance(event, Working)
    ]


# What stands twice


def events_of_the_beginning(make: Callable[..., Run]) -> int:
    run = make()
    drive(run)
    found = run.raw_events()[0]
    return next(i for i, event in enumerate(found) if event["type"] == "saved") + 1


@pytest.mark.case("R16")
@pytest.mark.parametrize("number", range(2, 8))
def test_killed_before_the_first_checkpoint_nothing_stands_twice(
    make: Callable[..., Run], number: int
) -> None:
    whole, killed = make(), make()
    drive(whole)
    assert events_of_the_beginning(make) >= 6
    with pytest.raises(Killed):
        drive(killed, listen=kill_after(number))
    drive(killed)
    assert labels(killed) == labels(whole)


@pytest.mark.case("R16")
@pytest.mark.parametrize("number", range(2, 7))
def test_of_a_fork_that_was_killed_at_its_beginning_nothing_is_lost_or_twice(
    store: RunStore, make: Callable[..., Run], number: int
) -> None:
    parent = make()
    drive(parent)
    changes = {"total_steps": 9}
    whole, killed = (fork(store, parent, 4, changes, "forked") for _ in range(2))
    drive(whole)
    with pytest.raises(Killed):
        drive(killed, listen=kill_after(number))
    drive(killed)
    assert sorted(labels(killed)) == sorted(labels(whole))


def stepped(step: int, loss: float = 2.0) -> Stepped:
    return Stepped(step=step, loss=loss, lr=1e-3, grad_norm=1.0, tokens=32 * step, seconds=0.1)


def started(step: int = 0) -> Started:
    return Started(
        step=step, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=None
    )


LOG: list[Message] = [
    started(),
    Evaluated(step=0, loss=3.0),
    Sampled(step=0, prompt="a", text="b"),
    Probed(step=0, name="step-000000.npz"),
    Saved(step=0, name="step-000000"),
    *(stepped(step) for step in range(1, 5)),
    Evaluated(step=4, loss=2.5),
    Saved(step=4, name="step-000004"),
    stepped(5),
    Paused(step=5),
    Changed(step=5, field="max_lr", value=0.5),
    Resumed(step=5),
    stepped(6),
    Evaluated(step=6, loss=9.0),
    Sampled(step=6, prompt="a", text="c"),
    Diverged(step=6, loss="nan", grad_norm="nan"),
    Noted(step=6, text="Something."),
    Ended(step=6, how="failed", reason="The disk is full."),
    started(4),
    stepped(5, 1.0),
    stepped(6, 1.0),
    Evaluated(step=6, loss=1.5),
    started(4),  # killed again, and not a step is made
]


@pytest.mark.case("R16")
@pytest.mark.parametrize("end", range(1, len(LOG) + 1))
def test_every_reader_has_the_same_rule(make: Callable[..., Run], end: int) -> None:
    """At every length of the log: the engine, the views, the list, comparisons and curves."""
    run = make()
    for event in LOG[:end]:
        run.append(event)
    kept = current(LOG[:end])
    steps = [(e.step, e.loss) for e in kept if isinstance(e, Stepped)]
    measured = [(e.step, e.loss) for e in kept if isinstance(e, Evaluated)]

    assert run.history() == kept
    digest = run_feed.follow(run, 0, lambda _: {})
    told = {name: array(digest["columns"][name]) for name in ("step", "loss")}
    assert list(zip(told["step"], told["loss"], strict=True)) == steps
    assert [(step, loss) for step, loss, _ in digest["evaluated"]] == measured
    assert [(s["step"], s["text"]) for s in digest["samples"]] == [
        (e.step, e.text) for e in kept if isinstance(e, Sampled)
    ]
    assert digest["probes"] == [e.step for e in kept if isinstance(e, Probed)]
    notes = [
        (e.type, getattr(e, "step", None)) for e in kept
        if isinstance(e, Started | Paused | Resumed | Changed | Noted | Diverged | Ended)
    ]  # fmt: skip
    assert [(note["kind"], note["step"]) for note in digest["notes"]] == notes
    assert digest["saved"] == [e.step for e in kept if isinstance(e, Saved)]

    history = History(run)
    history.read()
    for curves in (history.curves(), Curves.of(LOG[:end])):
        assert list(zip(curves.step, curves.loss, strict=True)) == steps
        assert list(zip(curves.evaluated, curves.validation, strict=True)) == measured
    entry = run_index.Entry(run.path, run_index.Mark.of(run.path))
    assert [(e.step, e.loss) for e in entry.evaluations] == measured
    assert entry.outcome.final_loss == Outcome.of(run).final_loss


def array(base64: str) -> Any:
    import base64 as coding

    return np.frombuffer(coding.b64decode(base64), "<f8")


# Loggers


class Board:
    """Stands in for TensorBoard's files, with its rule: a new writer drops its purge step and what follows."""

    points: list[tuple[str, int, float]]

    def __init__(self, folder: Path, purge_step: int | None = None) -> None:
        self.waiting: list[tuple[str, int, float]] = []
        if purge_step is not None:
            type(self).points = [p for p in type(self).points if p[1] < purge_step]

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self.waiting.append((tag, step, value))

    def flush(self) -> None:
        type(self).points += self.waiting
        self.waiting = []

    close = flush


@pytest.mark.case("F15")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("number", [3, 8, 10, 13, 14, 17])
def test_tensorboard_has_every_step_once_and_in_order(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, number: int, buffered: bool
) -> None:
    """Wherever it was killed, and whether or not its last points had come to the disk by then."""
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Board  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(loggers, "find_spec", lambda name: True)
    if buffered:
        monkeypatch.setattr(Board, "close", lambda self: None)

    def log(run: Run, kill: int | None) -> None:
        with loggers.open_logger("tensorboard", run) as write:
            dying = kill_after(kill or 10**9)

            def listen(event: Message) -> None:
                write(event)
                dying(event)

            drive(run, listen=listen)

    seen: list[list[tuple[str, int]]] = []
    for kill in (None, number):
        run = make()
        Board.points = []
        if kill is not None:
            with pytest.raises(Killed):
                log(run, kill)
        log(run, None)
        seen.append([(tag, step) for tag, step, _ in Board.points])
    assert seen[0] == seen[1]
    losses = [step for tag, step in seen[1] if tag == "train/loss"]
    assert losses == list(range(1, 7))


@pytest.mark.case("F15")
@pytest.mark.parametrize("name", ["wandb", "trackio"])
@pytest.mark.parametrize("number", [3, 10, 13])
def test_a_service_is_told_every_step_once_of_one_run(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    calls: list[tuple[int, str]] = []
    begun: list[dict[str, Any]] = []
    service = types.ModuleType(name)
    service.init = lambda **options: begun.append(options)  # type: ignore[attr-defined]
    service.finish = lambda: None  # type: ignore[attr-defined]
    service.log = lambda values, step: calls.append((step, next(iter(values))))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, service)
    monkeypatch.setattr(loggers, "find_spec", lambda name: True)
    run = make()
    for kill in (number, 10**9):
        with loggers.open_logger(name, run) as write:
            dying = kill_after(kill)

            def listen(event: Message, dying: Any = dying, write: Any = write) -> None:
                write(event)
                dying(event)

            if kill == number:
                with pytest.raises(Killed):
                    drive(run, listen=listen)
            else:
                drive(run, listen=listen)
    steps = [step for step, tag in calls if tag == "train/loss"]
    assert steps == list(range(1, 7))
    assert sorted(step for step, tag in calls if tag == "valid/loss") == [0, 3, 6]
    who = "id" if name == "wandb" else "name"
    assert begun[0][who] == begun[1][who] and begun[0]["resume"] == "allow"


# Seconds


@pytest.mark.case("R17")
@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -5.0])
def test_a_clock_that_is_set_adds_no_seconds(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    run = make()
    wall, moved = time.time, [0.0]
    monkeypatch.setattr(runs.time, "time", lambda: wall() + moved[0])

    def listen(event: Message) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            moved[0] = jump

    began = time.monotonic()
    drive(run, listen=listen)
    passed = time.monotonic() - began
    seconds = actions.measured(run, run.status().step)["seconds"]
    assert 0 < seconds <= passed + 0.001
    told = [event["trained"] for event in run.raw_events()[0]]
    assert told == sorted(told) and told[-1] == seconds


@pytest.mark.case("R17")
def test_seconds_are_counted_on_and_pauses_are_not(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(log, "monotonic", lambda: now[0])
    run = make()
    for command in (Pause(), Step(steps=2)):
        run.send(command)

    def listen(event: Message) -> None:
        if isinstance(event, Stepped):
            now[0] += 10.0  # what a step takes
        elif isinstance(event, Paused):
            now[0] += 1000.0
            if event.step == 2:
                run.send(Resume())
        elif isinstance(event, Evaluated) and event.step == 3:
            raise Killed

    with pytest.raises(Killed):
        drive(run, listen=listen)
    assert run.trained() == 30.0  # three steps, in both ways of going on after a pause
    now[0] = 0.0  # another process, on a machine that was started again
    drive(run)
    told = [event["trained"] for event in run.raw_events()[0]]
    assert told == sorted(told) and run.trained() == 30.0


@pytest.mark.case("R17")
def test_an_older_log_with_a_clock_that_went_back_has_no_negative_seconds(
    make: Callable[..., Run],
) -> None:
    run = make()
    times = {started(): 1000.0, Paused(step=5): 1007.0, Resumed(step=5): 1009.0}
    lines = [event.to_line(time=at) for event, at in times.items()]
    lines.append(Ended(step=6, how="stopped").to_line(time=1001.0))
    (run.path / "events.jsonl").write_text("\n".join(lines) + "\n")
    assert run.trained() == 7.0 and actions.measured(run, run.status().step)["seconds"] == 7.0
    run.append(started(6), 8.5)  # and a newer process counts on
    run.append(Ended(step=6, how="finished"), 9.0)
    assert run.trained() == 9.0


DATES = {
    "assets/js/lessons/record.js": "days until a card comes back",
    "engine/runs/run.py": "the stamp of an event",
    "engine/runs/store.py": "when a run was made",
    "playground/hosting/downloads.py": "the age of a file",
    "playground/hosting/storage.py": "the age of a file",
    "playground/tabs/experts/tab.py": "tells an answer from the one before",
    "playground/tabs/learn/view/cards.js": "days until a card comes back",
    "playground/tabs/train/tab.py": "tells an answer from the one before",
    "playground/tabs/translate/tab.py": "tells an answer from the one before",
}
"""Where the time of day is asked for, and why no other clock would do."""


@pytest.mark.case("R17")
def test_time_that_passes_is_not_read_from_a_clock_that_is_set() -> None:
    wall = re.compile(r"\btime\.time\(|\bfrom time import .*\btime\b|datetime\.now|Date\.now\(")
    files = [
        path
        for folder in ("engine", "playground", "assets/js")
        for end in ("py", "js")
        for path in (ROOT / folder).rglob(f"*.{end}")
    ]
    found = {
        path.relative_to(ROOT).as_posix() for path in files if wall.search(path.read_text("utf-8"))
    }
    assert found == set(DATES)


def test_a_stopwatch_that_stands_stays() -> None:
    watch = Stopwatch()
    watch.stop()
    assert watch.read() == 0.0
    watch.before = 5.0
    watch.start()
    watch.start()
    watch.stop()
    stood = watch.read()
    assert stood >= 5.0 and watch.read() == stood


# A full disk

FULL = """
    import sys
    from pathlib import Path
    from engine.cli.main import main
    from engine.config import RunConfig
    from engine.runs.events import Stepped
    from engine.runs.store import RunStore
    from engine.training import driver

    root = Path(sys.argv[1])
    run = RunStore(root).create(RunConfig.from_flat({config!r}), "mine")
    driver.Driver.record_step = lambda self, event: fill(self, event)

    def fill(self, event):
        '''Every byte of the disk is taken by something else, at the third step.'''
        if event.step == 3:
            with open(root / "other", "wb", buffering=0) as file:
                try:
                    while file.write(b"x" * 512):
                        pass
                except OSError:
                    pass
            for number in range(99):  # and what is left of the log's own last block
                self.log.record(event)
        self.log.record(event)

    status = main(["train", "--run", str(run.path)])
    found = run.status()
    print(status, found.state, found.reason, sep="|")
"""


def disk(folder: Path) -> list[str] | None:
    """A command that runs the rest of its words with a small disk at `folder`; None where there is no way."""
    mount = f'mount -t tmpfs -o size=1m tmpfs "{folder}" && exec "$@"'
    for wrapper in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        command = [*wrapper, "sh", "-c", mount, "sh"]
        try:
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command
        except OSError:
            return None
    return None


@pytest.mark.case("R15")
def test_a_log_that_fills_the_disk_is_a_failure_with_a_name(
    make: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    wrapper = disk(small)
    if wrapper is not None:
        config = TINY | {"log_interval": 1}
        script = textwrap.dedent(FULL).replace("{config!r}", repr(config))
        done = subprocess.run(
            [*wrapper, sys.executable, "-c", script, str(small)], cwd=ROOT, capture_output=True
        )
        said = done.stdout.decode().strip().splitlines()[-1:]
        assert said == ["1|failed|The disk is full."], done.stderr.decode()
        assert "failed at step 3: The disk is full." in done.stderr.decode()
    run = make()
    append, reserve = runs.append_line, run.path / "reserve"

    def full(path: Path, line: str) -> None:
        """There is room for as much as the reserve gives back."""
        if path.name == "events.jsonl" and '"step": 3' in line and reserve.exists():
            append(path, line[:20])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        append(path, line)

    monkeypatch.setattr(runs, "append_line", full)
    assert main(["train", "--run", str(run.path)]) == 1
    assert "failed at step 3: The disk is full." in capsys.readouterr().err
    status = run.status()
    assert (status.state, status.reason) == ("failed", "The disk is full.")
    assert not reserve.exists() and not status.alive
    monkeypatch.undo()
    assert drive(run).how == "finished"  # and it goes on when there is room
    steps = [event.step for event in run.history() if isinstance(event, Stepped)]
    assert steps == list(range(1, 7))


@pytest.mark.case("R15")
def test_a_log_that_cannot_be_written_at_all_is_a_failure_all_the_same(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    run = make()

    def full(path: Path, line: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(runs, "append_line", full)
    assert main(["train", "--run", str(run.path)]) == 1
    assert "The disk is full." in capsys.readouterr().err
    assert not run.status().alive and not (run.path / "reserve").exists()


def test_a_line_that_fits_in_part_is_an_error(tmp_path: Path) -> None:
    """A disk that is nearly full takes the beginning of a line, without a word, and refuses the rest."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        from engine.files import append_line

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        try:
            append_line(Path(sys.argv[1]), "x" * 20)
        except OSError as error:
            print("refused")
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "log")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).stdout == b"refused\n"
    assert json.dumps((tmp_path / "log").read_text()) == json.dumps("x" * 10)
