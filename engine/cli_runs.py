"""Which run and which checkpoint a command means: one of one's own runs, or one that ships.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from engine.flags import AMOUNT
from engine.runs import Run, RunError, RunStore, UnknownRun

SHIPPED = Path("checkpoints")
OWN = SHIPPED / "runs"
"""Where the runs are that come with the project, and one's own."""

OWN_ELSEWHERE = "TP_RUNS"
"""The environment's variable that says where one's own are, for the page and the dashboard too."""


def own_runs() -> Path:
    """The folder of one's own runs: `OWN`, unless the environment says otherwise."""
    elsewhere = os.environ.get(OWN_ELSEWHERE, "")
    return OWN if elsewhere.lower() in ("", "none") else Path(elsewhere)


def add_root(parser: ArgumentParser, default: str | None = None) -> None:
    """The flag that says where one's own runs are."""
    parser.add_argument(
        "--checkpoint_dir",
        "--root",
        type=Path,
        default=own_runs() if default is None else default,
        metavar="FOLDER",
        help=f"where the runs are (default: {OWN_ELSEWHERE} in the environment, else {OWN})",
    )


def add_choice(parser: ArgumentParser, default: str) -> None:
    """The flags that say which checkpoint of which run."""
    parser.add_argument("--run", metavar="RUN", help=f"its folder, id or name (default: {default})")
    parser.add_argument("--step", type=AMOUNT, metavar="N", help="its checkpoint of this step")
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="instead of --run")


def chosen(options: Namespace, default: str) -> tuple[Path, str]:
    """The checkpoint that those flags mean, and what its run is called."""
    if options.checkpoint:
        return options.checkpoint, str(options.checkpoint.parent)
    shipped = SHIPPED / default  # whatever one's own runs are called
    usual = str(shipped) if (shipped / "config.json").is_file() else default
    return find_checkpoint(options.run or usual, options.step, options.checkpoint_dir)


def find_checkpoint(text: str, step: int | None, root: Path) -> tuple[Path, str]:
    """A run's checkpoint of a step, or its newest, and what the run is called."""
    run = find_run(text, root)
    saved = {kept.step: kept.path for kept in run.checkpoints()}
    if not saved:
        raise RunError(f"{run.name}: has no checkpoint yet")
    step = max(saved) if step is None else step
    if step not in saved:
        raise RunError(f"{run.name}: has no checkpoint of step {step}, but of {_listed(saved)}")
    return saved[step], run.name


def _listed(steps: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(steps)))


def find_run(text: str, root: Path) -> Run:
    """A run by its folder, id or name, among one's own and the shipped ones.

    The beginning of an id will do where no id and no name is the whole text. Raises `UnknownRun` for
    what means no run, and for what means several.
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
            raise UnknownRun(f"{text!r} could be any of {folders}; say which by its folder.")
    raise UnknownRun(f"There is no run {text[:80]!r} in {root}.")


def find_own(text: str, root: Path) -> Run:
    """The same, one's own first: a shipped run cannot be gone on with."""
    store = RunStore(root)
    return store.find(text) if any(store.matches(text)) else find_run(text, root)
