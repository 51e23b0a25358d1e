"""Which run and which checkpoint a command means: one of one's own runs, or one that ships.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from engine.flags import AMOUNT
from engine.runs import Run, RunError, RunStore, UnknownRun

SHIPPED = Path("checkpoints")
OWN = SHIPPED / "runs"
"""Where the runs are that come with the project, and one's own."""


def add_root(parser: ArgumentParser, default: Path | str = OWN) -> None:
    """The flag that says where one's own runs are."""
    parser.add_argument(
        "--checkpoint_dir",
        "--root",
        type=Path,
        default=default,
        metavar="FOLDER",
        help=f"where the runs are (default: {OWN})",
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
    return find_checkpoint(options.run or default, options.step, options.checkpoint_dir)


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
    """A run by its folder, id or name, among one's own and the shipped ones."""
    folder = Path(text)
    if (folder / "config.json").is_file():
        return Run(folder)
    try:
        return RunStore(root).find(text)
    except UnknownRun as unknown:
        try:
            return RunStore(SHIPPED).find(text)
        except UnknownRun:
            raise unknown from None
