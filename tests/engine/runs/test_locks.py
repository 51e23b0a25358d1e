"""Run locks: one training process at a time, visible at once in every container and after clock changes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.ablation import comparison
from engine.config import RunConfig
from engine.runs import locks
from engine.runs.events import Started, Stepped, Stop
from engine.runs.store import Run, RunBusy, RunStore, UnknownRun
from playground.hosting import processes, storage
from playground.runs import run_lookup
from tests.project.test_imports import ROOT
from tests.tools.waiting import PATIENCE

STARTED = Started(
    step=0, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=None
)  # fmt: skip

TRAINER = """
    import sys
    from pathlib import Path
    from engine.runs import Run
    from engine.runs.events import Started, Stepped, Stop

    run = Run(Path(sys.argv[1]))
    run.claim()
    run.append(Started(
        step=0, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=None
    ))
    print("trains", flush=True)
    sys.stdin.read()
"""
"""Claims a run and holds it until its standard input is closed."""

OBSERVER = """
    import json, sys
    from pathlib import Path
    from engine.runs import Run, RunBusy, RunStore

    path = Path(sys.argv[1])
    run, store = Run(path), RunStore(path.parent)
    said = [run.status().state]
    for act in (run.claim, lambda: store.delete(run.id)):
        try:
            act()
        except RunBusy:
            said.append("busy")
        else:
            said.append("done")
    print(json.dumps(said))
"""
"""Prints what another process sees of a run: its state, whether it can claim it, whether it can delete it."""

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]
OF_A_USER = ["unshare", "--user", "--map-root-user", *NAMESPACE[1:]]

ANOTHER_CONTAINER = """
    import psutil

    def gone(pid=None):
        raise psutil.NoSuchProcess(pid or 0)

    psutil.Process = gone
    psutil.pid_exists = lambda pid: False
"""
"""Replaces namespaces on machines without them: processes of other containers are invisible to psutil."""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(RunConfig(), "a run")


def python(script: str, *words: object, before: str = "") -> list[str]:
    code = textwrap.dedent(before) + textwrap.dedent(script)
    return [sys.executable, "-c", code, *map(str, words)]


@contextmanager
def trainer(run: Run) -> Generator[subprocess.Popen[bytes]]:
    """Another process that trains this run, until the end of the block."""
    process = subprocess.Popen(
        python(TRAINER, run.path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline().strip() == b"trains"
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def states_seen_by(command: list[str]) -> Any:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return json.loads(done.stdout)


def possible(wrapper: list[str]) -> bool:
    """Whether this machine can create such a container."""
    try:
        return subprocess.run([*wrapper, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


# Containers and clocks


@pytest.mark.case("F3")
@pytest.mark.parametrize("wrapper", [NAMESPACE, OF_A_USER], ids=["root", "user"])
def test_another_container_sees_who_trains(run: Run, wrapper: list[str]) -> None:
    if possible(wrapper):
        command = [*wrapper, *python(OBSERVER, run.path)]
    else:
        command = python(OBSERVER, run.path, before=ANOTHER_CONTAINER)
    with trainer(run):
        assert states_seen_by(command) == ["running", "busy", "busy"]
        assert run.path.is_dir()
    assert states_seen_by(command) == [
        "interrupted",
        "done",
        "busy",
    ]  # it trains the run itself by then


@pytest.mark.case("F3")
@pytest.mark.skipif(os.name != "posix", reason="no namespaces")
def test_a_process_that_another_container_cannot_see_is_told(run: Run) -> None:
    """The same without containers: the state does not depend on process ids."""
    with trainer(run):
        command = python(OBSERVER, run.path, before=ANOTHER_CONTAINER)
        assert states_seen_by(command) == ["running", "busy", "busy"]


@pytest.mark.case("F4")
@pytest.mark.case("R3")
@pytest.mark.parametrize("moved", [10.0, -5.0, 3600.0])
def test_a_clock_that_was_set_changes_nothing(run: Run, moved: float) -> None:
    clock = f"""
        import psutil, time
        created, wall = psutil.Process.create_time, time.time
        psutil.Process.create_time = lambda self: created(self) + {moved}
        psutil.boot_time = lambda: {psutil.boot_time() + moved}
        time.time = lambda: wall() + {moved}
    """
    with trainer(run):
        assert states_seen_by(python(OBSERVER, run.path, before=clock)) == [
            "running",
            "busy",
            "busy",
        ]


@pytest.mark.case("F3")
def test_no_process_number_decides(run: Run) -> None:
    """A file of an older version with the id of a living process does not count as a lock."""
    old = {
        "pid": os.getpid(),
        "created": psutil.Process().create_time(),
        "events": 0,
        "commands": 0,
    }
    (run.path / "process-1.json").write_text(json.dumps(old | {"released": False}))
    run.append(STARTED)
    assert (run.status().state, run.status().alive) == ("interrupted", False)
    claim = run.claim()
    assert claim.path.endswith("process-2.json") and claim.events > 0
    claim.release()


@pytest.mark.parametrize(
    "content", ["", "[]", '{"pid": "x"}', '{"pid": 1, "events": -1, "commands": 0}']
)
def test_a_damaged_claim_is_none(run: Run, content: str) -> None:
    (run.path / "process-7.json").write_text(content)
    assert run.status().state == "new" and locks.newest_claim(run.path) is None
    claim = run.claim()
    assert claim.path.endswith("process-8.json")
    claim.release()


# One at a time


@pytest.mark.case("R3")
def test_kill_9_frees_a_run_at_once(run: Run) -> None:
    with trainer(run) as process:
        with pytest.raises(RunBusy, match="another process is using it"):
            run.claim()
        process.send_signal(signal.SIGSTOP)  # it does nothing, and still has the run
        assert run.status().state == "running"
        process.kill()
        process.wait()
        assert (run.status().state, run.status().alive) == ("interrupted", False)
        run.claim().release()


@pytest.mark.case("R3")
def test_a_program_that_the_trainer_starts_does_not_keep_its_lock(run: Run) -> None:
    script = """
        import subprocess, sys
        from pathlib import Path
        from engine.runs import Run

        Run(Path(sys.argv[1])).claim()
        wait = "import sys; sys.stdin.read()"
        child = subprocess.Popen([sys.executable, "-c", wait], close_fds=False)
        print(child.pid, flush=True)
    """
    ended = subprocess.Popen(
        python(script, run.path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert ended.stdin is not None and ended.stdout is not None
    child = int(ended.stdout.readline())
    ended.wait()
    try:
        assert psutil.pid_exists(child) and not run.status().alive
    finally:
        ended.stdin.close()
        ended.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_of_the_trainer_does_not_keep_its_lock(run: Run) -> None:
    script = """
        import os, sys
        from pathlib import Path
        from engine.runs import Run

        Run(Path(sys.argv[1])).claim()
        if os.fork():
            os._exit(0)
        print("forked", flush=True)
        sys.stdin.read()
    """
    process = subprocess.Popen(
        python(script, run.path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline().strip() == b"forked"
    process.wait()
    try:
        assert not run.status().alive
    finally:
        process.stdin.close()
        process.stdout.close()


@pytest.mark.case("F3")
def test_readers_never_keep_a_process_from_beginning(run: Run) -> None:
    hammer = """
        import sys
        from pathlib import Path
        from engine.runs import locks

        folder = Path(sys.argv[1])
        print("asks", flush=True)
        while (folder / "run.json").exists():
            for _ in range(1000):
                locks.is_held(folder)
    """
    readers = [
        subprocess.Popen(python(hammer, run.path), cwd=ROOT, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline().strip() == b"asks"
        for _ in range(100):
            claim = run.claim()  # raises if a reader is mistaken for a trainer
            assert locks.is_held(run.path)
            claim.release()
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
            assert reader.stdout is not None
            reader.stdout.close()


@pytest.mark.slow
@pytest.mark.case("F3")
def test_of_many_processes_that_begin_one_trains(run: Run) -> None:
    begin = """
        import sys
        from pathlib import Path
        from engine.runs import Run, RunBusy

        run = Run(Path(sys.argv[1]))
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            run.claim()
        except RunBusy:
            print("busy", flush=True)
        else:
            print("trains", flush=True)
        sys.stdin.read()
    """
    processes = [
        subprocess.Popen(
            python(begin, run.path), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(5)
    ]
    said: list[bytes] = []
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        said.append(process.stdout.readline())
    for process in processes:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()
    assert sorted(said) == [b"busy\n"] * 4 + [b"trains\n"]


def test_a_command_to_a_process_that_has_just_begun_is_its_own(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run counts as training as soon as its lock is taken, before `process-N.json` is written."""
    run.claim().release()
    run.append(Started(step=0, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=1))
    lock = locks._lock

    def locked(folder: Path) -> int:
        descriptor = lock(folder)
        assert run.status().alive
        run.send(Stop())
        return descriptor

    monkeypatch.setattr(locks, "_lock", locked)
    claim = run.claim()
    assert [command for command, _ in run.commands(claim.commands)[0]] == [Stop()]
    claim.release()


def test_a_renamed_run_keeps_its_lock(run: Run, store: RunStore) -> None:
    with trainer(run):
        store.open(run.id).rename("another name")
        assert store.open(run.id).status().state == "running"
        with pytest.raises(RunBusy, match="another name"):
            store.open(run.id).claim()


def test_a_suite_is_told_to_stop_in_any_container(tmp_path: Path) -> None:
    first = locks.acquire(tmp_path)
    assert not comparison.stop_requested(tmp_path, first)
    comparison.request_stop(tmp_path)
    assert comparison.stop_requested(tmp_path, first)
    first.release()
    again = locks.acquire(tmp_path)
    assert not comparison.stop_requested(tmp_path, again)  # the command was for the earlier process
    again.release()


# Deleting


@pytest.mark.case("F3")
def test_what_is_trained_is_not_deleted(run: Run, store: RunStore) -> None:
    with trainer(run):
        with pytest.raises(RunBusy, match="a run: is being trained; stop it first"):
            store.delete(run.id)
        (run.path / "run.json").write_text("{")  # nor when it cannot be read
        with pytest.raises(RunBusy, match=run.id):
            store.delete(run.id)
        assert (run.path / "events.jsonl").is_file()
    store.delete(run.id)
    assert os.listdir(store.root) == []


@pytest.mark.case("F3")
def test_a_process_that_begins_on_what_is_being_deleted_fails_cleanly(
    run: Run, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each stage of the deletion: before and after the folder is renamed, and when it is gone."""
    said: list[str] = []

    def begin() -> None:
        with pytest.raises((RunBusy, UnknownRun)) as error:
            run.claim()
        said.append(str(error.value).partition(": ")[2])

    rename, remove = Path.rename, shutil.rmtree

    def renaming(path: Path, target: Path) -> Path:
        begin()
        found = rename(path, target)
        begin()
        return found

    def removing(path: Path, **options: Any) -> None:
        begin()
        remove(path, **options)

    monkeypatch.setattr(Path, "rename", renaming)
    monkeypatch.setattr(shutil, "rmtree", removing)
    store.delete(run.id)
    begin()
    assert said == ["another process is using it", *["has been deleted"] * 3]
    assert os.listdir(store.root) == []  # nothing came back


@pytest.mark.case("F3")
def test_a_lock_that_was_opened_before_the_run_was_deleted_is_none(
    run: Run, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process opens the file, the run is deleted, and the process then locks a deleted file."""
    lock = locks._try_lock

    def late(descriptor: int) -> bool:
        monkeypatch.setattr(locks, "_try_lock", lock)
        store.delete(run.id)
        return lock(descriptor)

    monkeypatch.setattr(locks, "_try_lock", late)
    with pytest.raises(RunBusy, match="has just been deleted"):
        run.claim()
    assert os.listdir(store.root) == []


@pytest.mark.case("F3")
def test_a_host_that_tidies_leaves_what_another_container_trains(
    run: Run, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TP_RUNS", str(store.root))
    monkeypatch.setattr(psutil, "Process", lambda pid=None: pytest.fail("a process was asked for"))
    assert run_lookup.store().root == store.root and run.id not in processes.training()
    with trainer(run):
        assert run.id in storage.in_use()
        assert storage._delete(run.id) is False and run.path.is_dir()
    assert run.id not in storage.in_use()


# File systems, users


@pytest.mark.skipif(os.name != "posix", reason="flock")
@pytest.mark.case("F3")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_nothing_is_trained_and_the_reason_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    def flock(descriptor: int, kind: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(RunBusy, match="no file locks") as error:
        run.claim()
    assert os.strerror(number) in str(error.value)
    assert run.status().state == "new" and not run.status().alive


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_in_place_of_the_lock_stops_nobody_who_asks(run: Run) -> None:
    os.mkfifo(run.path / "lock")
    states: list[str] = []
    asks = threading.Thread(target=lambda: states.append(run.status().state), daemon=True)
    asks.start()
    asks.join(PATIENCE)
    assert states == ["new"]


PRIVATE: dict[str, Callable[[RunStore], Path]] = {
    "a run": lambda store: store.create(RunConfig(), "mine", text="my own text").path,
    "all runs": lambda store: store.create(RunConfig(), "mine").path.parent,
}


@pytest.mark.skipif(os.name != "posix", reason="modes")
@pytest.mark.case("R22")
@pytest.mark.parametrize("what", PRIVATE)
def test_other_users_cannot_enter_what_is_new(store: RunStore, what: str) -> None:
    before = os.umask(0o022)
    try:
        folder = PRIVATE[what](store)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="modes")
@pytest.mark.case("R22")
def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    run = RunStore(shared).create(RunConfig(), "mine")
    assert shared.stat().st_mode & 0o777 == 0o775
    assert run.path.stat().st_mode & 0o777 == 0o700


def test_asking_opens_no_more_than_the_lock(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of hundreds of runs ask several times a second, so no folder is listed and no process inspected."""
    run.claim().release()
    run.append(STARTED)
    run.append(Stepped(step=1, loss=1.0, lr=1.0, grad_norm=1.0, tokens=1, seconds=0.1))
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail("a folder was listed"))
    assert [run.status().state for _ in range(50)] == ["interrupted"] * 50
