"""Find the run and the checkpoint that a command names, among the user's runs and the shipped ones.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from engine.cli.flags import NON_NEGATIVE
from engine.runs.store import Run, RunError, RunStore, UnknownRun

SHIPPED = Path("checkpoints")
OWN_RUNS = SHIPPED / "runs"
"""Folders of the shipped runs and of the user's runs."""

RUNS_VARIABLE = "TP_RUNS"
"""Environment variable with the folder of the user's runs. The page and the dashboard use it too."""


def own_runs() -> Path:
    """The folder of the user's runs: `RUNS_VARIABLE` of the environment, else `OWN_RUNS`."""
    elsewhere = os.environ.get(RUNS_VARIABLE, "")
    return OWN_RUNS if elsewhere.lower() in ("", "none") else Path(elsewhere)


def add_root(parser: ArgumentParser, default: str | None = None) -> None:
    """Add the flag for the folder of the user's runs."""
    parser.add_argument(
        "--checkpoint_dir",
        "--root",
        type=Path,
        default=own_runs() if default is None else default,
        metavar="FOLDER",
        help=f"folder of the runs (default: {RUNS_VARIABLE} in the environment, else {OWN_RUNS})",
    )


def add_run(parser: ArgumentParser) -> None:
    """Add the argument that names a run."""
    parser.add_argument("run", metavar="RUN", help="folder, id or name of the run")


def add_choice(parser: ArgumentParser, default: str) -> None:
    """Add the flags that choose a checkpoint of a run."""
    parser.add_argument(
        "--run", metavar="RUN", help=f"folder, id or name of the run (default: {default})"
    )
    parser.add_argument(
        "--step", type=NON_NEGATIVE, help="step of the checkpoint (default: the newest)"
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FOLDER", help="checkpoint folder, instead of --run"
    )


def chosen_checkpoint(options: Namespace, default: str) -> tuple[Path, str]:
    """The checkpoint folder that these flags choose, and the name of its run."""
    if options.checkpoint:
        return options.checkpoint, str(options.checkpoint.parent)
    shipped = SHIPPED / default  # a user's run of the same name must not shadow it
    usual = str(shipped) if (shipped / "config.json").is_file() else default
    return find_checkpoint(options.run or usual, options.step, options.checkpoint_dir)


def find_checkpoint(text: str, step: int | None, root: Path) -> tuple[Path, str]:
    """A run's checkpoint folder, of `step` or the newest, and the run's name."""
    run = find_run(text, root)
    saved = {kept.step: kept.path for kept in run.checkpoints()}
    if not saved:
        raise RunError(f"{run.name}: has no checkpoint yet")
    step = max(saved) if step is None else step
    if step not in saved:
        raise RunError(f"{run.name}: has no checkpoint of step {step}, only of {_join(saved)}")
    return saved[step], run.name


def _join(steps: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(steps)))


def find_run(text: str, root: Path) -> Run:
    """Find a run by its folder, id or name, among the user's runs and the shipped ones.

    A prefix of an id is accepted if no id and no name matches exactly. Raises `UnknownRun` if no run or
    several runs match.
    """
    folder = Path(text)
    if (folder / "config.json").is_file():
        return Run(folder)
    own, shipped = RunStore(root).matches(text), RunStore(SHIPPED).matches(text)
    for matches in (
        [*(own[0] or own[1]), *(shipped[0] or shipped[1])],
        [*own[2], *shipped[2]],
    ):
        found = list({run.path.resolve(): run for run in matches}.values())
        if len(found) == 1:
            return found[0]
        if found:
            folders = ", ".join(str(run.path) for run in found)
            raise UnknownRun(f"{text!r} matches several runs: {folders}. Use a folder.")
    raise UnknownRun(f"There is no run {text[:80]!r} in {root}.")


def find_own(text: str, root: Path) -> Run:
    """Like `find_run`, but prefer the user's runs: shipped runs cannot be resumed."""
    store = RunStore(root)
    return store.find(text) if any(store.matches(text)) else find_run(text, root)
