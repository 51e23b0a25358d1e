"""The runs in one folder: create, find, list and delete them.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.config import RunConfig
from engine.files import write_atomic
from engine.runs import locks
from engine.runs.run import (
    CONFIG,
    READ_LIMIT,
    Checkpoint,
    DamagedRun,
    Run,
    RunBusy,
    RunError,
    RunInfo,
    State,
    Status,
    UnknownRun,
    clean_name,
    read_info,
    write_info,
)

__all__ = [
    "MAX_OWN_TEXT", "READ_LIMIT", "TEXT_PATH", "Checkpoint", "Damaged", "DamagedRun", "Run", "RunBusy", "RunError", "RunInfo", "RunStore",
    "State", "Status", "UnknownRun", "make_private",
]  # fmt: skip

TEXT_PATH = "data/text.txt"
"""The user's own text, relative to the run's folder."""

MAX_OWN_TEXT = 1 << 28
"""Largest size of that text, in bytes."""

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Damaged:
    """A folder among the runs that is not a valid run, with the reason."""

    id: str
    path: Path
    reason: str


class RunStore:
    """The runs in one folder, each in a subfolder named by its id."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(
        self,
        config: RunConfig,
        name: str,
        parent: str | None = None,
        *,
        parent_step: int | None = None,
        text: str | None = None,
        fill: Callable[[Path], None] | None = None,
        suite: str | None = None,
        variant: str | None = None,
    ) -> Run:
        """Create a run atomically: in a temporary folder, which is then renamed.

        The id is random and cannot be guessed; knowing it grants access to the run. `text` is the
        user's own text, stored in the folder and read from there. `fill` may write more files into the
        folder, such as a checkpoint to start from. `suite` and `variant` identify a run of an ablation.
        Raises `RunError` for an empty name.
        """
        name = clean_name(name)
        run_id = secrets.token_hex(12)
        folder = self.root / f".new-{run_id}"
        make_private(folder)
        try:
            if text is not None:
                write_atomic(folder / TEXT_PATH, text)
                data = config.data.changes() | {"source": "text", "train_data_path": TEXT_PATH}
                config = config.model_copy(update={"data": type(config.data).parse(data)})
            if fill is not None:
                fill(folder)
            info = RunInfo(name, round(time.time(), 3), parent, parent_step, suite, variant)
            write_atomic(folder / CONFIG, config.to_json())
            write_info(folder, info)
            folder.rename(self.root / run_id)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Run(self.root / run_id)

    def open(self, run_id: str) -> Run:
        """Open a run by its id. Raises `UnknownRun` for an unknown id, `RunError` for a damaged folder."""
        if not _ID.fullmatch(run_id) or not (self.root / run_id).is_dir():
            raise UnknownRun(f"There is no run {run_id[:80]!r} in {self.root}.")
        return Run(self.root / run_id)

    def find(self, text: str) -> Run:
        """Find a run by its id, its name or a prefix of its id. Raises `UnknownRun`."""
        for matches in self.matches(text):
            if len(matches) == 1:
                return matches[0]
            if matches:
                ids = ", ".join(run.id for run in matches)
                raise UnknownRun(f"{text!r} matches several runs: {ids}. Use an id.")
        raise UnknownRun(f"There is no run {text[:80]!r} in {self.root}.")

    def matches(self, text: str) -> tuple[list[Run], list[Run], list[Run]]:
        """The runs with this id, with this name, and with an id that starts with `text`."""
        runs = self.list()
        return (
            [run for run in runs if run.id == text],
            [run for run in runs if run.name == text],
            [run for run in runs if text and run.id.startswith(text)],
        )

    def list(self) -> list[Run]:
        """All readable runs, newest first. `damaged` lists the others."""
        return self._scan()[0]

    def damaged(self) -> list[Damaged]:
        """All folders that are not a readable run, with the reason."""
        return self._scan()[1]

    def _scan(self) -> tuple[list[Run], list[Damaged]]:
        runs: list[Run] = []
        damaged: list[Damaged] = []
        for path in self.folders():
            try:
                runs.append(Run(path))
            except DamagedRun as error:
                damaged.append(Damaged(path.name, path, error.reason))
        return sorted(runs, key=lambda run: -run.info.created), damaged

    def folders(self) -> Iterator[Path]:
        """All folders with a `run.json` or `config.json`, readable or not."""
        for name in sorted(_list_names(self.root)):
            if not _ID.fullmatch(name):
                continue
            path = self.root / name
            if _exists(path, "run.json") or _exists(path, CONFIG):
                yield path  # other folders, such as checkpoints/runs beside shipped runs, are skipped

    def delete(self, run_id: str) -> None:
        """Delete a run, damaged or not. Raises `UnknownRun`, or `RunBusy` while it is being trained."""
        if not _ID.fullmatch(run_id) or not (self.root / run_id).is_dir():
            raise UnknownRun(f"There is no run {run_id[:80]!r} in {self.root}.")
        folder = self.root / run_id
        gone = self.root / f".deleted-{run_id}-{secrets.token_hex(4)}"
        try:
            locks.rename_locked(folder, gone)
        except locks.LockError:
            raise RunBusy(f"{_name_in(folder)}: is being trained; stop it first") from None
        shutil.rmtree(gone, ignore_errors=True)


def make_private(folder: Path) -> None:
    """Create a folder and its missing parents, accessible to this user only.

    Existing folders are left unchanged.
    """
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)


def _exists(folder: Path, name: str) -> bool:
    """Whether the folder has an entry of this name, or cannot be read."""
    try:
        os.lstat(folder / name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # opening the run will report why it cannot be read
    return True


def _name_in(folder: Path) -> str:
    """The name of the run in a folder, or its id if the name cannot be read."""
    try:
        return read_info(folder / "run.json").name
    except (OSError, RunError):
        return folder.name


def _list_names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
