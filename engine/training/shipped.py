"""Train the models that ship in checkpoints/, with the same driver as any other run.

    python -m engine.training.shipped            all of them
    python -m engine.training.shipped stories    one
    python -m engine.training.shipped --examples [stories]   only rewrite examples.json

Each is a preset with changes. Stored without optimizer averages, and with only a part of the
attention snapshots and checkpoints.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.config import RunConfig
from engine.data import make_data
from engine.presets import PRESETS
from engine.runs import examples
from engine.runs.events import Evaluated, Message, Probed
from engine.runs.store import Run, RunStore
from engine.training.checkpoint import LAST, OPTIMIZER, surplus
from engine.training.driver import drive

ROOT = Path(__file__).resolve().parents[2] / "checkpoints"

SHIPPED: dict[str, dict[str, Any]] = {
    "stories": {
        "total_steps": 2_500,
        "token_pairs": 0,
        "newton_schulz_steps": 5,
        "threads": 1,
        "log_interval": 2,
        "probe_interval": 50,
    },
    "stories-words": {"total_steps": 2_000, "log_interval": 10, "probe_interval": 100},
    "stories-zh": {
        "total_steps": 2_500,
        "token_pairs": 0,
        "zero_output": False,
        "optimizer": "adamw",
        "max_lr": 0.006,
        "min_lr": 0.0003,
        "embedding_rate": 1.0,
        "probe_interval": 100,
    },
    "experts": {"probe_interval": 50, "keep_checkpoints": 5},
    "translate-german": {"keep_checkpoints": 5},
}
"""The runs that ship, and what each changes of its preset: a few minutes of training, fewer records. Lessons and the
first screen show the heads of `stories` and `stories-zh`. A table of token pairs gives a block the previous token
already, so that previous-token heads hardly form: after 400 steps of `stories` the strongest one puts 0.60 of its
attention there without the table, and 0.17 with it (`head_patterns`). `stories-zh` is the plain model with AdamW: it
learns long enough to need no other."""

EXAMPLES = "--examples"

CHECKPOINTS = 7
"""Checkpoints kept of a run: enough to watch a head form."""

SNAPSHOTS = 31
"""Attention snapshots kept of a run, denser at its beginning, where most changes happen."""

FEWER = {"stories-words": (2, 9)}
"""Checkpoints and snapshots of a run that is to stay small: its first and its last weights."""


def config_of(name: str) -> RunConfig:
    """The configuration of a run that ships."""
    return RunConfig.from_flat(PRESETS[name].changes | SHIPPED[name])


def ship(name: str, root: Path = ROOT) -> Path:
    """Train a run and put it into `root`, replacing an older one. Returns its folder.

    Raises `RuntimeError` if the run does not finish; the older one is then kept.
    """
    root.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=root) as folder:
        run = RunStore(Path(folder)).create(config_of(name), PRESETS[name].title)
        ended = drive(run, listen=report)
        if ended.how != "finished":
            raise RuntimeError(f"{name}: {ended.how} at step {ended.step}. {ended.reason}")
        slim(run, *FEWER.get(name, (CHECKPOINTS, SNAPSHOTS)))
        target = root / name
        shutil.rmtree(target, ignore_errors=True)
        run.path.rename(target)
    return target


def report(event: Message) -> None:
    """Print one line for each evaluation."""
    if isinstance(event, Evaluated):
        accuracy = "" if event.accuracy is None else f", accuracy {event.accuracy:.1%}"
        print(f"  step {event.step}: validation loss {event.loss:.3f}{accuracy}", flush=True)


def slim(run: Run, checkpoints: int = CHECKPOINTS, snapshots: int = SNAPSHOTS) -> None:
    """Delete everything that showing, generating and forking do not need."""
    steps = [kept.step for kept in run.checkpoints()]
    for step in surplus(steps, checkpoints):
        shutil.rmtree(run.checkpoint_path(step))
    for kept in run.checkpoints():
        (kept.path / OPTIMIZER).unlink()
        (kept.path / LAST).unlink(missing_ok=True)
    for process in run.path.glob("process*.json"):
        process.unlink()
    for left in ("lock", "commands.jsonl"):
        (run.path / left).unlink(missing_ok=True)

    probes = [event for event in run.history() if isinstance(event, Probed)]
    last = snapshots - 1
    keep = {probes[round((i / last) ** 2 * (len(probes) - 1))].name for i in range(snapshots)}
    for probe in probes:
        if probe.name not in keep:
            run.snapshot_path(probe.name).unlink()
    log = run.path / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    dropped = {f'"{probe.name}"' for probe in probes if probe.name not in keep}
    kept_lines = [line for line in lines if not any(name in line for name in dropped)]
    log.write_text("".join(kept_lines), encoding="utf-8")


def write_examples(name: str, root: Path = ROOT) -> Path:
    """Read a shipped run's data again and store its examples, baselines included. Returns the file."""
    run = Run(root / name)
    examples.write(run.path, examples.examples_of(make_data(run.data_config()), run.config.train))
    return run.path / examples.NAME


def main(arguments: Sequence[str]) -> int:
    """Ship the named presets, or all; with --examples, store their examples. Returns the process's exit code."""
    make = write_examples if EXAMPLES in arguments else ship
    names = [each for each in arguments if each != EXAMPLES]
    unknown = [name for name in names if name not in SHIPPED]
    if unknown:
        print(f"{unknown[0]}: not among {', '.join(SHIPPED)}", file=sys.stderr)
        return 2
    for name in names or SHIPPED:
        print(name, flush=True)
        print(f"  in {make(name)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
