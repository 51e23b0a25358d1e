"""Run folders: the log, the claim and the status stay correct whatever happens to the process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from engine.config import PART_OF, RunConfig
from engine.runs.events import (
    Changed,
    Ended,
    Evaluated,
    Noted,
    Pause,
    Paused,
    Resumed,
    Saved,
    Started,
    Step,
    Stepped,
    Stop,
)
from engine.runs.naming import describe
from engine.runs.store import (
    Run,
    RunBusy,
    RunError,
    RunStore,
    UnknownRun,
)
from tests.tools.counting import calls
from tests.tools.waiting import until

ROOT = Path(__file__).resolve().parents[3]


def stepped(step: int) -> Stepped:
    return Stepped(step=step, loss=1.5, lr=1e-3, grad_norm=0.5, tokens=step * 32, seconds=0.01)


def started(step: int = 0) -> Started:
    return Started(
        step=step, parameters=10, device="cpu", dtype="fp32", threads=1, train_tokens=None
    )


def fake_checkpoint(run: Run, step: int, optimizer: bool = True) -> Path:
    folder = run.checkpoint_path(step)
    folder.mkdir()
    for name in ("state.json", "model.safetensors", *(["optimizer.safetensors"] * optimizer)):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def run(store: RunStore) -> Run:
    return store.create(RunConfig(), "a run")


# The store


def test_a_created_run_opens_as_it_was(store: RunStore) -> None:
    config = RunConfig.from_flat({"d_model": 96, "max_lr": 1e-3})
    run = store.create(config, "wide", parent="abc", parent_step=5)
    again = store.open(run.id)
    assert again.config == config
    assert (again.name, again.info.parent, again.info.parent_step) == ("wide", "abc", 5)
    assert again.status().state == "new"
    assert [r.id for r in store.list()] == [run.id]
    assert os.listdir(store.root) == [run.id]


def test_a_run_is_renamed_and_says_of_which_suite_it_is(store: RunStore) -> None:
    run = store.create(RunConfig(), "norm: none, seed 0", suite="norm", variant="none")
    run.rename(" worse\tthan ")
    info = store.open(run.id).info
    assert (info.name, info.suite, info.variant) == ("worse than", "norm", "none")
    with pytest.raises(RunError, match="needs a name"):
        run.rename("\n")
    # Older runs have no suite.
    older = {k: v for k, v in asdict(info).items() if k not in ("suite", "variant")}
    (run.path / "run.json").write_text(json.dumps(older))
    assert store.open(run.id).info == replace(info, suite=None, variant=None)


def test_a_store_without_a_folder_is_empty(tmp_path: Path) -> None:
    assert RunStore(tmp_path / "none").list() == []


@pytest.mark.parametrize(
    "bad",
    ["..", ".", "", "a/b", "../x", "a\\b", "/etc", "a\x00b", "x" * 200, ".new-a", "nobody", "-a"],
)
def test_an_id_cannot_leave_the_store(store: RunStore, run: Run, bad: str) -> None:
    with pytest.raises(UnknownRun):
        store.open(bad)
    with pytest.raises(UnknownRun):
        store.delete(bad)


def test_names_are_readable(store: RunStore) -> None:
    assert store.create(RunConfig(), " two\nlines\t\x00 ").name == "two lines"
    assert len(store.create(RunConfig(), "字" * 500).name) == 120
    with pytest.raises(RunError, match="name"):
        store.create(RunConfig(), " \n ")


def test_a_failed_creation_leaves_nothing(store: RunStore, run: Run) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.create(RunConfig(), "fork", fill=fill)
    assert os.listdir(store.root) == [run.id]


def test_one_damaged_folder_does_not_hide_the_others(store: RunStore, run: Run) -> None:
    for name, config, info in (
        ("no-config", None, '{"name": "x", "created": 1}'),
        ("bad-json", "{", '{"name": "x", "created": 1}'),
        ("bad-value", '{"d_model": -1}', '{"name": "x", "created": 1}'),
        ("bad-info", "{}", '{"name": 5, "created": 1}'),
        ("list-info", "{}", "[]"),
        ("binary", "{}", b"\xff\xfe"),
    ):
        folder = store.root / name
        folder.mkdir()
        if config is not None:
            (folder / "config.json").write_text(config)
        (folder / "run.json").write_bytes(info if isinstance(info, bytes) else info.encode())
    (store.root / "runs").mkdir()
    (store.root / "a-file").write_text("")
    assert [r.id for r in store.list()] == [run.id]
    damaged = {d.id: d.reason for d in store.damaged()}
    assert set(damaged) == {"no-config", "bad-json", "bad-value", "bad-info", "list-info", "binary"}
    assert "config.json" in damaged["no-config"]
    assert "d_model = -1: must be" in damaged["bad-value"]
    assert "name = 5" in damaged["bad-info"]
    with pytest.raises(RunError, match="d_model"):
        store.open("bad-value")
    store.delete("bad-value")
    assert not (store.root / "bad-value").exists()


def test_a_run_is_found_by_id_name_or_beginning(store: RunStore) -> None:
    one, two = store.create(RunConfig(), "one"), store.create(RunConfig(), "two")
    store.create(RunConfig(), "twin")
    store.create(RunConfig(), "twin")
    assert store.find(one.id).id == one.id
    assert store.find("two").id == two.id
    assert store.find(one.id[:20]).id == one.id
    with pytest.raises(UnknownRun, match="matches several runs"):
        store.find("twin")
    with pytest.raises(UnknownRun):
        store.find("")


def test_own_text_lives_in_the_run(store: RunStore) -> None:
    run = store.create(RunConfig(), "mine", text="你好\n")
    assert run.config.data.source == "text"
    assert run.config.data.train_data_path == "data/text.txt"
    given = run.data_config().data.train_data_path
    assert given is not None and Path(given).read_text(encoding="utf-8") == "你好\n"


def test_description_names_what_changed() -> None:
    changes = {"d_model": 128, "max_lr": 0.001, "bias": True, "tie_embeddings": False}
    assert describe(changes) == "width 128, learning rate 0.001, biases, tied embeddings off"
    changes = {"n_layer": 12, "placement": "post", "total_steps": 2500, "warmup_steps": 0}
    assert describe(changes) == "12 blocks, post-norm, 2,500 steps, no warm-up steps"
    assert describe({"n_head": 1, "top_k": 1, "n_device": 1, "n_shared_experts": 1}) == (
        "1 attention head, 1 expert per token, 1 group of experts, 1 shared expert"
    )
    assert describe({"position": "none", "n_experts": None, "d_ff": None}) == (
        "no positions, no experts, feed-forward width: auto"
    )
    assert describe({"moe_layer_indices": (1, 3), "rope_theta": 1e4}) == (
        "blocks with experts 2 and 4, RoPE base 10000"
    )


@pytest.mark.parametrize("name", PART_OF)
def test_no_fields_own_name_is_in_a_description(name: str) -> None:
    """But those that are words. Also of a field that somebody adds without a title."""
    for value in (RunConfig().flat()[name], None, True, False, 0, 1, 7, 0.5, "none", "x", (0, 2)):
        said = describe({name: value})
        assert said and "_" not in said.replace("x", "")


# The log


def test_events_come_back_with_their_time(run: Run) -> None:
    run.append(stepped(1))
    run.append(Noted(step=1, text="<b>你好</b>\n"))
    (first, second), offset = run.events()
    assert first[0] == stepped(1)
    assert second[0] == Noted(step=1, text="<b>你好</b>\n")
    assert first[1] > 1.7e9
    assert run.events(offset) == ([], offset)
    run.append(stepped(2))
    assert [e.step for e, _ in run.events(offset)[0]] == [2]  # type: ignore[attr-defined]
    assert run.raw_events()[0][0]["type"] == "stepped"


def test_an_unfinished_last_line_waits(run: Run) -> None:
    run.append(stepped(1))
    line = stepped(2).to_line(time=5.0).encode()
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(line[:20])
    messages, offset = run.events()
    assert len(messages) == 1
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(line[20:] + b"\n")
    assert run.events(offset)[0] == [(stepped(2), 5.0)]


def test_reads_are_bounded_and_lose_nothing(run: Run) -> None:
    for step in range(1, 101):
        run.append(stepped(step))
    steps: list[int] = []
    offset = 0
    for _ in range(1_000):
        messages, after = run.events(offset, limit_bytes=300)
        assert len(messages) <= 3
        if after == offset:
            break
        steps += [e.step for e, _ in messages]  # type: ignore[attr-defined]
        offset = after
    assert steps == list(range(1, 101))


def test_a_line_longer_than_the_limit_is_read(run: Run) -> None:
    run.append(Noted(step=1, text="x" * 10_000))
    run.append(stepped(2))
    (long,), offset = run.events(0, limit_bytes=100)
    assert isinstance(long[0], Noted)
    assert run.events(offset)[0][0][0] == stepped(2)


def test_damaged_and_foreign_lines_are_left_out(run: Run) -> None:
    run.append(stepped(1))
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"type": "stepped", "st\n[1]\n{"type": "new-in-version-9"}\n\xff\xfe\n')
        file.write(b"[" * 100_000 + b"\n" + b'{"type": "stepped", "time": "x"}\n')
    run.append(stepped(2))
    assert [e for e, _ in run.events()[0]] == [stepped(1), stepped(2)]


def test_an_offset_past_the_end_reads_nothing(run: Run) -> None:
    run.append(stepped(1))
    assert run.events(10_000) == ([], 10_000)
    assert len(run.events(-5)[0]) == 1


def test_many_writers_do_not_mix_their_lines(run: Run) -> None:
    def write() -> None:
        for _ in range(200):
            run.send(Step(steps=3))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commands, _ = run.commands()
    assert len(commands) == 800 and {c for c, _ in commands} == {Step(steps=3)}


# Checkpoints


def test_checkpoints_are_the_whole_ones_in_order(run: Run) -> None:
    for step in (1_000, 0, 500, 1_234_567):
        fake_checkpoint(run, step)
    (run.path / "step-000700").mkdir()
    (run.path / ".step-000800.tmp").mkdir()
    (run.path / "step-x").mkdir()
    fake_checkpoint(run, 900, optimizer=False)
    saved = run.checkpoints()
    assert [c.step for c in saved] == [0, 500, 900, 1_000, 1_234_567]
    assert [c.resumable for c in saved] == [True, True, False, True, True]


# Claims and status


def test_two_processes_never_train_one_run(run: Run) -> None:
    claim = run.claim()
    with pytest.raises(RunBusy):
        run.claim()
    claim.release()
    run.claim().release()
    assert sorted(p.name for p in run.path.glob("process-*")) == [
        "process-1.json",
        "process-2.json",
    ]


def test_only_one_of_many_gets_a_dead_process_s_run(run: Run) -> None:
    (run.path / "process-1.json").write_text(
        json.dumps({"pid": 2**22 + 1, "created": 1.0, "events": 0, "commands": 0})
    )
    won: list[object] = []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        with contextlib.suppress(RunBusy):
            won.append(run.claim())

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_killed_process_lets_go(run: Run) -> None:
    script = (
        "import sys; from pathlib import Path; from engine.runs.store import Run\n"
        "Run(Path(sys.argv[1])).claim(); print('claimed', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline().strip() == b"claimed"
    assert run.status().state == "starting" and run.status().pid == child.pid
    with pytest.raises(RunBusy):
        run.claim()
    with pytest.raises(RunBusy):
        RunStore(run.path.parent).delete(run.id)
    run.append(started())
    run.append(stepped(7))
    assert run.status().state == "running"
    child.kill()
    until(lambda: not run.status().alive, "its death")
    assert run.status().state == "interrupted"  # although it is a zombie: nobody has waited for it
    child.wait()
    child.stdin.close()
    child.stdout.close()
    status = run.status()
    assert (status.state, status.step, status.pid) == ("interrupted", 7, None)
    run.claim().release()


def test_a_reused_process_number_is_not_the_process(run: Run) -> None:
    (run.path / "process-1.json").write_text(
        json.dumps({"pid": os.getpid(), "created": 1.0, "events": 0, "commands": 0})
    )
    assert run.status().state == "interrupted"
    run.claim().release()


def test_a_claim_cut_short_does_not_block(run: Run) -> None:
    (run.path / "process-1.json").write_text("")
    claim = run.claim()
    assert claim.path.endswith("process-2.json")
    claim.release()


def test_status_follows_the_run(run: Run) -> None:
    def state() -> str:
        return run.status().state

    assert state() == "new"
    claim = run.claim()
    assert state() == "starting"
    run.append(started())
    assert state() == "running"
    run.append(stepped(1))
    assert (state(), run.status().step) == ("running", 1)
    run.append(Paused(step=1))
    assert state() == "paused"
    for aside in (Changed(step=1, field="max_lr", value=1e-4), Saved(step=1, name="s")):
        run.append(aside)
        assert state() == "paused"
    run.append(Resumed(step=1))
    assert state() == "running"
    run.append(Ended(step=2, how="stopped"))
    claim.release()
    assert state() == "stopped"
    claim = run.claim()
    assert state() == "starting"
    run.append(started(2))
    run.append(Evaluated(step=2, loss=1.0))
    assert state() == "running"
    run.append(Ended(step=3, how="failed", reason="disk full"))
    claim.release()
    status = run.status()
    assert (status.state, status.reason, status.alive) == ("failed", "disk full", False)


def test_status_looks_far_enough_back(run: Run) -> None:
    claim = run.claim()
    run.append(started())
    run.append(Paused(step=9))
    for _ in range(30):
        run.append(Noted(step=9, text="x" * 3_000))
    status = run.status()
    claim.release()
    assert (status.state, status.step) == ("paused", 9)


def test_status_is_as_quick_on_a_long_run(run: Run) -> None:
    line = stepped(5).to_line(time=1.0) + "\n"
    work: list[int] = []
    for lines in (2_000, 200_000):
        (run.path / "events.jsonl").write_text(line * lines)
        assert run.status().step == 5
        work.append(calls(run.status))
    assert work[1] < 1.1 * work[0]


def test_commands_are_for_the_process_they_were_sent_to(run: Run) -> None:
    run.send(Pause())
    claim = run.claim()
    assert [c for c, _ in run.commands(claim.commands)[0]] == [Pause()]
    run.append(started())
    run.send(Stop())
    claim.release()
    run.send(Stop())
    again = run.claim()
    assert run.commands(again.commands)[0] == []
    again.release()


def test_a_line_that_a_killed_process_left_does_not_spoil_the_next(run: Run) -> None:
    run.append(stepped(1))
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"type": "step')
    run.claim().release()
    run.append(stepped(2))
    assert [e for e, _ in run.events()[0]] == [stepped(1), stepped(2)]


# Export


def test_a_download_is_a_run_with_a_script(store: RunStore, run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint"):
        run.download(io.BytesIO())
    for step in (0, 10):
        fake_checkpoint(run, step)
    (run.path / "tokenizer.json").write_text("{}")
    run.append(stepped(1))
    target = tmp_path / "run.zip"
    run.download(target)
    with zipfile.ZipFile(target) as archive:
        root = f"run-{run.id}"
        assert sorted(archive.namelist()) == [
            f"{root}/config.json",
            f"{root}/events.jsonl",
            f"{root}/generate.py",
            f"{root}/run.json",
            f"{root}/step-000010/model.safetensors",
            f"{root}/step-000010/state.json",
            f"{root}/tokenizer.json",
        ]
        script = archive.read(f"{root}/generate.py").decode()
        compile(script, "generate.py", "exec")
        assert "step-000010" in script
        archive.extractall(tmp_path / "out")
    taken = Run(tmp_path / "out" / root)
    assert taken.config == run.config and [c.resumable for c in taken.checkpoints()] == [False]


def test_deleting_a_run(store: RunStore, run: Run) -> None:
    store.delete(run.id)
    assert store.list() == [] and os.listdir(store.root) == []
