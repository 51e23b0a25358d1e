"""Every experiment of the lessons, trained over several seeds: whether each shows what its lesson says, and how long it takes.

    python -m benchmarks.phenomena
    python -m benchmarks.phenomena --lessons attention block --seeds 5

For each section that asks for a prediction and has the learner train a model, that model is trained with each seed on one
thread, and the answers of the lesson judge it as they would judge the learner's run. Seconds are processor seconds of
training alone, which another machine's load leaves nearly as they are.

A prediction that one answer covers with every seed is decided by the model; where seeds disagree, it is decided by chance.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.common import print_table
from engine.config import RunConfig
from engine.runs import summary
from engine.runs.events import Evaluated
from playground.tabs.learn import lessons
from playground.tabs.learn.lesson.file_format import Option
from playground.tabs.learn.stored_runs import recorded, trained

WANTED = 30.0
"""Seconds that a learner is asked to wait, at most."""


@dataclass(frozen=True)
class Experiment:
    """A section whose measured value decides a prediction, and the run that it asks for."""

    lesson: str
    step: int
    title: str
    measure: str
    config: RunConfig


def experiments(names: list[str]) -> Iterator[Experiment]:
    """All experiments of these lessons that the learner trains a model for."""
    for name in names:
        for number, step in enumerate(lessons.lesson(name, "en").steps):
            config = step.config() if step.measure in lessons.MEASURES else None
            if config is not None:
                yield Experiment(name, number, step.title, step.measure, config)


def main() -> None:
    """Parse the command line, train, and print the table."""
    parser = argparse.ArgumentParser(description="Train the experiments of the lessons.")
    parser.add_argument("--lessons", nargs="*", default=lessons.names(), choices=lessons.names())
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    rows: list[list[str]] = []
    for each in experiments(arguments.lessons):
        answers = lessons.predicted(lessons.lesson(each.lesson, "en"), each.step)
        results = [run_once(each, seed) for seed in range(arguments.seeds)]
        covering = {covers(answers, value) for value, _ in results}
        seconds = [spent for _, spent in results]
        row = [
            f"{each.lesson}: {each.title}",
            each.measure,
            "  ".join("–" if value is None else f"{value:.3g}" for value, _ in results),
            "no" if None in covering or len(covering) > 1 else "yes",
            f"{fmean(seconds):.0f}" + ("" if max(seconds) <= WANTED else " (long)"),
        ]
        rows.append(row)
        print(" | ".join(row), flush=True)
    print()
    print_table(["experiment", "measure", "with each seed", "one answer", "seconds"], rows)


def covers(answers: list[Option], value: float | None) -> int | None:
    """The number of the answer that a value is in; None if there is none."""
    numbers = range(len(answers))
    return next(
        (i for i in numbers if value is not None and answers[i].low <= value <= answers[i].high),
        None,
    )


def run_once(experiment: Experiment, seed: int) -> tuple[float | None, float]:
    """What an experiment measures with this seed, and the processor seconds of its training."""
    config = RunConfig.from_flat(recorded(experiment.config).changes() | {"seed": seed})
    with tempfile.TemporaryDirectory() as work:
        run = trained(config, f"seed {seed}", Path(work))
        measured = [event for event in run.history() if isinstance(event, Evaluated)]
        curve = summary.curve(measured)
        return lessons.MEASURES[experiment.measure](run), curve[-1][0] if curve else 0.0


if __name__ == "__main__":
    main()
