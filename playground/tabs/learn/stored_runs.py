"""Stored runs of the lessons' experiments, for a learner who has no time to train, a long queue before them, or a phone.

    python -m playground.tabs.learn.stored_runs                trains those that are missing, one after the other
    python -m playground.tabs.learn.stored_runs --from RUNS    ... and takes finished runs of this folder where it has them

A stored run is a run of the configuration that the lesson asks for, with seed 0 and one thread. Of its events it keeps
what the curves, samples and attention of the tab Train need. It keeps its last weights only if a later section of a
lesson opens it on a tab that needs them. Runs that no lesson asks for any more are removed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import numpy as np

from engine.config import RunConfig
from engine.presets import PRESETS
from engine.runs.store import Run, RunStore
from playground.runs import run_lookup
from playground.tabs.learn import lessons

ROWS = 100
"""Steps of a stored run that are kept, evenly chosen."""
SAMPLED = 6
"""Steps whose samples are kept."""
PROBED = 3
"""Steps whose attention is kept."""
ROUTED = 40
"""Steps whose routing is kept."""
DIGITS = 6
"""Significant digits of the numbers that are kept."""
KEPT = ("tokenizer.json", "examples.json")
WEIGHTS = ("model.safetensors", "state.json")
WEIGHTLESS = ("train", "experts")
"""Tabs that show a run from its events."""

Each = TypeVar("Each")


def wanted() -> dict[str, tuple[RunConfig, str]]:
    """The configurations whose runs the lessons judge, each with its preset's title, by the ids of their stored runs."""
    found: dict[str, tuple[RunConfig, str]] = {}
    for name in lessons.names():
        for step in lessons.lesson(name, lessons.LANGUAGES[0]).steps:
            config = step.config() if step.measure in lessons.MEASURES else None
            if config is not None:
                preset = dict(parse_qsl(step.open))["preset"]
                found[lessons.stored_id(config)] = (config, PRESETS[preset].title)
    return found


def with_weights() -> set[str]:
    """The ids of the stored runs that a section opens on a tab that needs weights."""
    steps = [
        step
        for name in lessons.names()
        for step in lessons.lesson(name, lessons.LANGUAGES[0]).steps
        if step.examines and step.query["tab"] not in WEIGHTLESS
    ]
    return {lessons.stored_id(config) for step in steps if (config := step.config()) is not None}


def evenly(values: Sequence[Each], most: int) -> list[Each]:
    """At most `most` of these values, evenly chosen, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(i)] for i in np.linspace(0, len(values) - 1, most)]


def thinned(events: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events that the page's curves, samples and attention need."""

    def steps(kind: str, most: int) -> set[int]:
        return set(
            evenly(sorted({event["step"] for event in events if event["type"] == kind}), most)
        )

    kept = {
        kind: steps(kind, most)
        for kind, most in (
            ("stepped", ROWS),
            ("sampled", SAMPLED),
            ("probed", PROBED),
            ("routed", ROUTED),
        )
    }
    for event in events:
        if event["type"] in ("working", "saved"):
            continue
        if event["type"] not in kept or event["step"] in kept[event["type"]]:
            yield {name: _rounded(value) for name, value in event.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if abs(value) < 1e6 else round(value, 2)
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


def keep(run: Run, config: RunConfig, title: str, folder: Path, weights: bool = False) -> None:
    """Write what is kept of a run into a new folder, as a run of this name and of the configuration of its lesson.

    With its last `weights`, for a tab that looks into the model.
    """
    events = list(thinned(run.raw_events(limit=1 << 30)[0]))
    folder.parent.mkdir(parents=True, exist_ok=True)
    RunStore(folder.parent).create(config, title).path.rename(folder)
    for name in KEPT:
        if (run.path / name).is_file():
            shutil.copyfile(run.path / name, folder / name)
    lines = (
        json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in events
    )
    (folder / "events.jsonl").write_text("".join(lines), "utf-8")
    for event in events:
        if event["type"] == "probed":
            (folder / "snapshots").mkdir(exist_ok=True)
            shutil.copyfile(run.snapshot_path(event["name"]), folder / "snapshots" / event["name"])
    if weights:
        checkpoint = run.checkpoints()[-1].path
        (folder / checkpoint.name).mkdir()
        for name in WEIGHTS:
            shutil.copyfile(checkpoint / name, folder / checkpoint.name / name)


def trained(config: RunConfig, name: str, root: Path) -> Run:
    """Train a run of this configuration below `root`. Raises `CalledProcessError` if that fails."""
    run = RunStore(root).create(config, name)
    command = ["nice", sys.executable, "-m", "engine", "train", "--run", str(run.path)]
    done = subprocess.run(command, cwd=run_lookup.ROOT, capture_output=True, text=True, check=False)
    if run.status().state not in ("finished", "diverged"):
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return run


def recorded(config: RunConfig) -> RunConfig:
    """The configuration with seed 0 and one thread."""
    return RunConfig.from_flat(config.changes() | {"seed": 0, "threads": 1, "device": "cpu"})


def found(config: RunConfig, runs: Sequence[Run]) -> Run | None:
    """A run of this configuration that came to its end with seed 0; the one that has recorded most."""
    same = [
        run
        for run in runs
        if run.config.flat()["seed"] == 0
        and not set(run.config.differences(config)) - lessons.RECORDING_FIELDS
        and run.status().state in ("finished", "diverged")
    ]
    return max(same, key=lambda run: run.path.joinpath("events.jsonl").stat().st_size, default=None)


def update(root: Path, runs: Sequence[Run], say: Callable[[str], object] = print) -> None:
    """Bring the stored runs below `root` up to date, the shortest first."""
    asked, weighty = wanted(), with_weights()
    for folder in root.glob("lesson-*"):
        if folder.name not in asked:
            shutil.rmtree(folder)
            say(f"{folder.name}: no lesson asks for it any more")
    for name, (config, title) in sorted(
        asked.items(), key=lambda each: each[1][0].train.total_steps
    ):
        if (root / name).exists():
            if name not in weighty or Run(root / name).checkpoints():
                continue
            shutil.rmtree(root / name)
        with tempfile.TemporaryDirectory() as work:
            run = found(config, runs) or trained(recorded(config), name, Path(work))
            keep(run, config, title, root / name, name in weighty)
        say(f"{name}: kept")


def main() -> None:
    """Parse the command line, and update the stored runs of the project."""
    parser = argparse.ArgumentParser(description="Store a run of each experiment of the lessons.")
    parser.add_argument("--from", dest="runs", type=Path, help="a folder with finished runs")
    arguments = parser.parse_args()
    runs = RunStore(arguments.runs).list() if arguments.runs else []
    update(run_lookup.STORED, runs)


if __name__ == "__main__":
    main()
