"""The command `runs`: damaged folders are listed and never hide other runs."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from engine.cli.commands import runs
from engine.cli.main import main
from engine.config import RunConfig
from engine.runs.events import Ended, Evaluated, Started, Stepped
from engine.runs.store import Run, RunStore


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """Three runs, one of which belongs to a suite, and two damaged folders."""
    store = RunStore(tmp_path / "runs")
    wide = store.create(RunConfig.from_flat({"d_model": 96, "source": "copy"}), "Wide")
    store.create(RunConfig(), "norm: none, seed 0", suite="norm: total_steps 5", variant="none")
    store.create(RunConfig(), "narrow")
    wide.append(
        Started(step=0, parameters=4_321, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    )
    for step in (1, 2):
        wide.append(
            Stepped(step=step, loss=1.5, lr=1e-3, grad_norm=1, tokens=step * 64, seconds=0.5)
        )
    wide.append(Evaluated(step=2, loss=1.25, accuracy=0.5))
    wide.append(Ended(step=2, how="stopped"))
    for name in ("config.json", "run.json"):
        broken = store.create(RunConfig(), "broken")
        (broken.path / name).write_text("{")
    return store


def said(capsys: pytest.CaptureFixture[str], store: RunStore, *words: str, status: int = 0) -> str:
    assert main(["runs", "--root", str(store.root), *words]) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def named(store: RunStore, name: str) -> Run:
    return store.find(name)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], {"Wide", "norm: none, seed 0", "narrow"}),
        (["--state", "stopped"], {"Wide"}),
        (["--source", "copy"], {"Wide"}),
        (["--match", "WIDE"], {"Wide"}),
        (["--suite", "norm"], {"norm: none, seed 0"}),
        (["--suite", "norm: total_steps 5", "--state", "new"], {"norm: none, seed 0"}),
        (
            ["--match", "n", "--source", "stories", "--state", "new"],
            {"norm: none, seed 0", "narrow"},
        ),
        (["--match", "magic"], set()),
    ],
)
def test_the_list_and_its_filters(
    store: RunStore,
    filters: list[str],
    expected: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = said(capsys, store, *filters)
    assert {run.name for run in store.list() if f"  {run.name}\n" in listed} == expected
    assert listed.count("  damaged: ") == 2
    assert ("No run in" in listed) == (not expected)


def test_compare_shows_what_differs_and_what_came_of_it(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    table = said(capsys, store, "compare", "Wide", "narrow", named(store, "narrow").id)
    cells = {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:]}
    assert cells["name"] == ["Wide", "narrow"]
    assert cells["d_model"] == ["96", "64"] and cells["source"] == ["copy", "stories"]
    assert cells["state"] == ["stopped", "new"] and "n_head" not in cells
    assert "final loss  1.250" in table and "accuracy    50.0%" in table
    assert cells["parameters"] == ["4,321"] and cells["tokens/s"] == ["128"]
    assert "two different runs" in said(capsys, store, "compare", "Wide", "Wide", status=2)


def test_rename(store: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    run = named(store, "norm: none, seed 0")
    said(capsys, store, "rename", run.id[:6], "  a new\nname ")
    again = store.open(run.id)
    assert again.name == "a new name"
    assert (again.info.suite, again.info.created) == ("norm: total_steps 5", run.info.created)
    assert "needs a name" in said(capsys, store, "rename", run.id, " ", status=2)


def test_export(store: RunStore, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = csv.DictReader(io.StringIO(said(capsys, store, "export", "Wide", "--csv")))
    assert (first["step"], first["loss"], first["valid_loss"]) == ("1", "1.5", "")
    assert (second["valid_loss"], second["accuracy"], second["tokens"]) == ("1.25", "0.5", "128")
    said(capsys, store, "export", "Wide", "--csv", "--out", str(tmp_path / "curves.csv"))
    assert (tmp_path / "curves.csv").read_text().count("\n") == 3
    assert "--out FILE.zip" in said(capsys, store, "export", "Wide", status=2)
    target = tmp_path / "run.zip"
    no = said(capsys, store, "export", "Wide", "--out", str(target), status=2)
    assert "has no checkpoint" in no and not target.exists()
    checkpoint = named(store, "Wide").checkpoint_path(2)
    checkpoint.mkdir()
    for name in ("state.json", "model.safetensors"):
        (checkpoint / name).write_text("{}")
    said(capsys, store, "export", "Wide", "--out", str(target))
    assert {Path(name).name for name in zipfile.ZipFile(target).namelist()} >= {
        "model.safetensors", "config.json", "generate.py",
    }  # fmt: skip


def test_delete_asks_first(
    store: RunStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "needs a terminal; use --yes" in said(capsys, store, "delete", "Wide", status=2)
    for answer, left in (("n", 3), ("", 3), ("y", 2)):
        monkeypatch.setattr(runs.sys, "stdin", Terminal(f"{answer}\n"))
        said(capsys, store, "delete", "Wide", status=0 if left == 2 else 1)
        assert len(store.list()) == left
    damaged = [folder.id for folder in store.damaged()]
    assert "There is no run 'magic'" in said(
        capsys, store, "delete", damaged[0], "magic", "--yes", status=2
    )
    said(capsys, store, "delete", damaged[0], "narrow", "--yes")
    assert [folder.id for folder in store.damaged()] == damaged[1:]
    assert [run.name for run in store.list()] == ["norm: none, seed 0"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_run_that_is_trained_is_not_deleted(
    store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = named(store, "Wide").claim()
    assert "stop it first" in said(capsys, store, "delete", "Wide", "--yes", status=2)
    claim.release()


def test_mistakes(store: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert "state = 'asleep': must be one of new" in said(
        capsys, store, "--state", "asleep", status=2
    )
    assert "There is no run 'x'" in said(capsys, store, "rename", "x", "y", status=2)
