"""Several processes train as one does: gradients, losses, commands, checkpoints, failures.

One pair of processes, over gloo, does everything (`ranks_worker`); here it is compared with one process.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from engine.config import RunConfig, TrainConfig
from engine.data.base import IGNORE, Batch
from engine.distributed.ranks import ALONE, Ranks, launched
from engine.distributed.sharding import PARALLELS
from engine.runs.events import Changed, Ended, Evaluated, Noted, Paused, Saved, Stepped, Stop
from engine.runs.store import Run, RunStore
from engine.training.checkpoint import read_state
from engine.training.devices import check_ranks
from engine.training.driver import drive
from engine.validation import ConfigError
from tests.tools.ranks_worker import (
    CASES,
    MISTAKES,
    TINY,
    commanded,
    commanding,
    parallels,
    updates,
)
from tests.tools.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ranks")]  # one pair of processes

RUNS: dict[str, dict[str, Any]] = {
    "whole-ddp": {"dropout": 0.2},
    "parts-ddp": {"dropout": 0.2},
    "whole-fsdp": {"dropout": 0.2, "parallel": "fsdp"},
    "parts-fsdp": {"dropout": 0.2, "parallel": "fsdp"},
    "from-one-ddp": {},
    "from-one-fsdp": {"parallel": "fsdp"},
    "to-one-ddp": {"n_experts": 2},
    "to-one-fsdp": {"parallel": "fsdp", "n_experts": 2},
    "commanded": {},
    "killed": {
        "total_steps": 150,
        "save_interval": 5,
        "eval_interval": 50,
        "sample_interval": 0,
        "probe_interval": 0,
    },
}
"""What the pair trains."""


class Pair:
    """Two processes that train together, and everything that they leave in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        store = RunStore(folder / "runs")
        self.runs = {
            name: store.create(RunConfig.from_flat(TINY | changes), name)
            for name, changes in RUNS.items()
        }
        for name in ("from-one-ddp", "from-one-fsdp"):
            drive(self.runs[name], listen=commanding(self.runs[name], {3: [Stop()]}))
        paths = {name: str(run.path) for name, run in self.runs.items()}
        (folder / "runs.json").write_text(json.dumps(paths))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.tools.ranks_worker", str(folder)],
                cwd=ROOT,
                stderr=(folder / f"errors-{rank}.txt").open("wb"),
                env=os.environ
                | {"RANK": str(rank), "LOCAL_RANK": str(rank), "MASTER_PORT": str(port)}
                | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"},
            )
            for rank in range(2)
        ]

    def wait(self, there: Callable[[], bool]) -> None:
        """Until something is there, or a process ends before it is."""
        until = time.monotonic() + PATIENCE
        while not there():
            ended = any(process.poll() is not None for process in self.processes)
            if (ended and not there()) or time.monotonic() > until:
                said = [path.read_text() for path in sorted(self.folder.glob("errors-*"))]
                raise AssertionError("\n".join(text[-3000:] for text in said))
            time.sleep(0.01)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    before = torch.get_num_threads()
    found = Pair(tmp_path_factory.mktemp("ranks"))
    yield found
    found.end()
    torch.set_num_threads(before)


def close(found: Any, wanted: Any, where: str = "") -> None:
    """Are two records equal, numbers to 1e-5 and but for the time they took?"""
    assert type(found) is type(wanted), where
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted.keys() - {"seconds", "processor_seconds"}:
            close(found[name], wanted[name], f"{where}.{name}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for i, (one, other) in enumerate(zip(found, wanted, strict=True)):
            close(one, other, f"{where}[{i}]")
    elif isinstance(wanted, float):
        assert math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-5), (where, found, wanted)
    else:
        assert found == wanted, where


@pytest.mark.parametrize("name", CASES)
def test_two_processes_make_the_updates_of_one(pair: Pair, name: str, tmp_path: Path) -> None:
    updates(CASES[name], ALONE, tmp_path / name)
    alone = json.loads((tmp_path / f"{name}.json").read_text())
    tensors = load_file(tmp_path / name)
    assert any(tensor.abs().max() > 1e-3 for name, tensor in tensors.items() if "gradient" in name)
    for parallel in parallels(CASES[name]):
        out = pair.folder / f"{name}-{parallel}"
        pair.wait(out.is_file)
        close(json.loads(out.with_suffix(".json").read_text()), alone)
        found = load_file(out)
        assert found.keys() == tensors.keys()
        for part, tensor in tensors.items():
            torch.testing.assert_close(
                found[part], tensor, rtol=1e-4, atol=1e-5, msg=lambda text, part=part: part + text
            )


def finished(pair: Pair) -> None:
    pair.wait(lambda: all((pair.folder / f"done-{rank}").is_file() for rank in range(2)))


def losses(run: Run) -> list[tuple[int, float]]:
    return [(event.step, event.loss) for event in of(run, Stepped, Evaluated)]


def of(run: Run, *kinds: type) -> list[Any]:
    return [event for event in run.history() if isinstance(event, kinds)]


def test_mistakes_are_told_once_and_nobody_waits(pair: Pair) -> None:
    finished(pair)
    told, quiet = (
        json.loads((pair.folder / f"mistakes-{rank}.json").read_text()) for rank in range(2)
    )
    for name in MISTAKES:
        assert told[name]["status"] == quiet[name]["status"] == 2, name
        assert told[name]["said"].count("\n") == 1 and not quiet[name]["said"], told[name]
    assert "batch_size = 3: must be a multiple of torchrun's 2 processes" in told["batch"]["said"]
    assert "such as 2" in told["few"]["said"]
    assert "compile = True: does not work with fsdp" in told["compile"]["said"]
    assert "run = '-': cannot be used with torchrun; resume" in told["stdin"]["said"]
    assert "torchrun works with train and resume only" in told["command"]["said"]
    assert len(list((pair.folder / "runs").iterdir())) == len(RUNS)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_as_many_processes_go_on_exactly(pair: Pair, parallel: str) -> None:
    finished(pair)
    whole, parts = pair.runs[f"whole-{parallel}"], pair.runs[f"parts-{parallel}"]
    assert [event.how for event in of(parts, Ended)] == ["stopped", "finished"]
    assert losses(parts) == losses(whole) and len(losses(whole)) == 9
    for name in ("model", "optimizer"):
        one, other = (
            load_file(run.checkpoints()[-1].path / f"{name}.safetensors") for run in (whole, parts)
        )
        assert all(torch.equal(one[part], other[part]) for part in one)


@pytest.mark.parametrize("parallel", PARALLELS)
def test_one_process_hands_on_to_two_and_two_to_one(
    pair: Pair, tmp_path: Path, parallel: str
) -> None:
    finished(pair)
    first, second = f"from-one-{parallel}", f"to-one-{parallel}"
    assert pair.runs[second].checkpoints()[-1].step == 3
    assert drive(pair.runs[second]).how == "finished"
    for name in (first, second):
        run = pair.runs[name]
        alone = RunStore(tmp_path).create(run.config, name)
        assert drive(alone).how == "finished"
        close([list(pair) for pair in losses(run)], [list(pair) for pair in losses(alone)])
        one, other = (read_state(each.checkpoints()[-1].path) for each in (run, alone))
        assert one.keys() == other.keys() and one["data"] == other["data"]


def test_commands_reach_all_at_the_same_step(pair: Pair, tmp_path: Path) -> None:
    finished(pair)
    run = pair.runs["commanded"]
    alone = RunStore(tmp_path).create(run.config, "alone")
    drive(alone, listen=commanded(alone))
    close([list(pair) for pair in losses(run)], [list(pair) for pair in losses(alone)])
    for kind in (Paused, Changed, Saved):
        found = of(run, kind)
        assert found and found == of(alone, kind)
    assert any("max_lr = -1" in note.text for note in of(run, Noted))


def test_a_killed_process_ends_the_run_and_torchrun_completes_it(pair: Pair) -> None:
    finished(pair)
    run = pair.runs["killed"]
    (pair.folder / "go").touch()
    pair.wait(lambda: any(kept.step >= 10 for kept in run.checkpoints()))
    pair.processes[1].send_signal(signal.SIGKILL)
    assert pair.processes[0].wait(PATIENCE) == 0  # it has recorded why, and ended by itself
    ended = of(run, Ended)[-1]
    assert ended.how == "failed" and "Another process is gone" in ended.reason
    saved = run.checkpoints()[-1]
    assert saved.resumable and 10 <= saved.step <= ended.step < run.config.train.total_steps
    assert read_state(saved.path)["step"] == saved.step

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    torchrun += ["-m", "engine", "resume"]
    with subprocess.Popen(
        [*torchrun, str(run.path)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            for each in [*psutil.Process().children(recursive=True)]:
                if each.pid not in {p.pid for p in pair.processes}:
                    each.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said and said.count("finished at step 150") == 1
    steps = [step for step, _ in losses(run) if step % 50]
    assert steps == [step for step in range(1, 151) if step % 50]


def test_torchrun_s_numbers_are_read() -> None:
    given = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert launched(given | {"MASTER_PORT": "1"}) == Ranks(3, 4, 1, 2)
    assert launched(given) == ALONE  # of something else
    assert launched(given | {"MASTER_PORT": "1", "WORLD_SIZE": "1"}) == ALONE
    assert launched({}) == ALONE


def test_alone_nothing_is_joined_or_said() -> None:
    values = torch.ones(3)
    assert ALONE.sum(values) is values
    ALONE.say({"nobody": "hears"})
    with pytest.raises(ValueError, match="room"):
        Ranks(0, 2).say("x" * 10_000)


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
def test_parts_of_a_batch_are_the_batch(rows: int) -> None:
    ids = np.arange(rows * 4).reshape(rows, 4)
    batch = Batch(ids, ids + 1, ids + 2)
    for size in (1, 2, 3):
        parts = [batch.part(rank, size) for rank in range(size)]
        real = [part for part in parts if (part.targets != IGNORE).any()]
        assert np.array_equal(np.concatenate([part.inputs for part in real]), batch.inputs)
        assert np.array_equal(np.concatenate([part.targets for part in real]), batch.targets)
        assert all(len(part.inputs) == len(part.targets) == len(part.sources) for part in parts)  # pyright: ignore
        assert len(real) == min(rows, size)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("mps", "device = 'auto': MPS serves one process"),
        ("cuda", f"device = 'auto': this machine has {torch.cuda.device_count()} GPUs for its 99"),
    ],
)
def test_processes_without_a_device_each_are_refused(device: str, message: str) -> None:
    config = TrainConfig.parse({"batch_size": 4})
    with pytest.raises(ConfigError) as caught:
        check_ranks(config, torch.device(device), Ranks(0, 2, 0, 99))
    assert message in str(caught.value)


def test_muon_needs_whole_matrices() -> None:
    values = {"batch_size": 4, "optimizer": "muon", "parallel": "fsdp"}
    config = TrainConfig.parse(values)
    with pytest.raises(ConfigError, match="optimizer = 'muon': does not work with fsdp"):
        check_ranks(config, torch.device("cpu"), Ranks(0, 2, 0, 2))
    check_ranks(config, torch.device("cpu"), Ranks(0, 1, 0, 1))
    check_ranks(
        TrainConfig.parse(values | {"parallel": "ddp"}), torch.device("cpu"), Ranks(0, 2, 0, 2)
    )


def test_only_what_comes_from_others_is_blamed_on_them() -> None:
    gone = RuntimeError("[/gloo/transport/tcp/pair.cc:534] Connection closed by peer")
    assert ALONE.lost(gone) == "" and Ranks(0, 2).lost(ValueError("Connection")) == ""
    assert Ranks(0, 2).lost(RuntimeError("sizes do not match")) == ""
