"""Trains the models that ship in checkpoints/, by the same driver as any other run.

    python -m engine.shipped            all of them
    python -m engine.shipped stories    one

Each is a preset, trained from its seed, some for longer, and stored without what only resuming needs: the optimizer's
averages, most recorded attention, and all but a few checkpoints.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.checkpoint import OPTIMIZER, surplus
from engine.config import RunConfig
from engine.driver import drive
from engine.events import Evaluated, Message, Probed
from engine.presets import PRESETS
from engine.runs import Run, RunStore

ROOT = Path(__file__).resolve().parents[1] / "checkpoints"

SHIPPED: dict[str, dict[str, Any]] = {
    "stories": {"total_steps": 5_000, "log_interval": 2, "probe_interval": 100},
    "stories-zh": {"total_steps": 2_500, "probe_interval": 100},
    "experts": {"probe_interval": 50, "keep_checkpoints": 5},
    "translate-german": {"keep_checkpoints": 5},
}
"""Presets that ship trained, and what differs: a few minutes instead of one, recorded less often."""

CHECKPOINTS = 7
"""Kept of each run: enough to watch a head form."""

SNAPSHOTS = 31
"""Recorded attention maps kept of each run, more of its beginning, where most happens."""


def ship(name: str, root: Path = ROOT) -> Path:
    """Train a preset and put its run into `root`, in place of an older one. Returns its folder.

    Raises `RuntimeError` where the run does not finish; the older one is then left as it was.
    """
    preset = PRESETS[name]
    root.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=root) as folder:
        run = RunStore(Path(folder)).create(
            RunConfig.from_flat(preset.changes | SHIPPED[name]), preset.title
        )
        ended = drive(run, listen=report)
        if ended.how != "finished":
            raise RuntimeError(f"{name}: {ended.how} at step {ended.step}. {ended.reason}")
        slim(run)
        target = root / name
        shutil.rmtree(target, ignore_errors=True)
        run.path.rename(target)
    return target


def report(event: Message) -> None:
    """One line for each measurement."""
    if isinstance(event, Evaluated):
        right = "" if event.accuracy is None else f", {event.accuracy:.1%} right"
        print(f"  step {event.step}: held-out loss {event.loss:.3f}{right}", flush=True)


def slim(run: Run) -> None:
    """Leave only what showing, generating and forking need."""
    steps = [kept.step for kept in run.checkpoints()]
    for step in surplus(steps, CHECKPOINTS):
        shutil.rmtree(run.checkpoint_path(step))
    for kept in run.checkpoints():
        (kept.path / OPTIMIZER).unlink()
    for process in run.path.glob("process*.json"):
        process.unlink()
    for left in ("lock", "commands.jsonl"):
        (run.path / left).unlink(missing_ok=True)

    probes = [event for event in run.history() if isinstance(event, Probed)]
    last = SNAPSHOTS - 1
    keep = {probes[round((i / last) ** 2 * (len(probes) - 1))].name for i in range(SNAPSHOTS)}
    for probe in probes:
        if probe.name not in keep:
            run.snapshot_path(probe.name).unlink()
    log = run.path / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    dropped = {f'"{probe.name}"' for probe in probes if probe.name not in keep}
    kept_lines = [line for line in lines if not any(name in line for name in dropped)]
    log.write_text("".join(kept_lines), encoding="utf-8")


def main(names: Sequence[str]) -> int:
    """Ship the named presets, or all. Returns the process's exit code."""
    unknown = [name for name in names if name not in SHIPPED]
    if unknown:
        print(f"{unknown[0]}: not among {', '.join(SHIPPED)}", file=sys.stderr)
        return 2
    for name in names or SHIPPED:
        print(name, flush=True)
        print(f"  in {ship(name)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
