"""The command `ablate`: train every run of an ablation suite, and write a table that compares its variants.

The runs are stored with all other runs, so the page and the dashboard show them. Finished runs are kept:
after an interruption of any kind, the same command continues. Only one process at a time works on a suite.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TextIO

from engine.ablation.comparison import (
    FINAL_STATES,
    Result,
    compare,
    final_losses,
    find_planned,
    make_planned,
    results,
    stop_requested,
    suite_folder,
    to_csv,
    to_markdown,
)
from engine.ablation.measured import Origin
from engine.ablation.suites import SUITES, PlannedRun, Suite, find_suite
from engine.ablation.workers import ray_trainer, train_all, train_in_process
from engine.cli.flags import Number, apply_flags, command_line, fields_from_flags, flags, shell
from engine.cli.progress import StatusLine, duration
from engine.cli.signals import stop_on_signals
from engine.data import make_data
from engine.files import write_atomic
from engine.runs import locks
from engine.runs.store import Run, RunBusy, RunStore, make_private
from engine.runs.summary import Outcome
from engine.validation import ConfigError, Problem


def add_ablate_flags(parser: ArgumentParser) -> None:
    """Add the flags of `ablate`, other than those for the fields of the base configuration."""
    parser.add_argument(
        "suite",
        nargs="?",
        metavar="SUITE",
        help=f"one of {', '.join(SUITES)}, or a .json file; if omitted, list the suites",
    )
    parser.add_argument(
        "--seeds", type=Number(int, 1, 100), help="number of seeds (default: the suite's)"
    )
    parser.add_argument("--jobs", type=Number(int, 1, 1_000), help="runs at once (default: 1)")
    parser.add_argument(
        "--report", action="store_true", help="only compare the existing runs, without training"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for the tables (default: beside the runs)",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="train on this Ray cluster (auto, local, ray://HOST:PORT)"
    )


def ablate(options: Namespace) -> int:
    """Train the missing runs, then compare. Returns 0, 1 if a run has no result, or 130 if interrupted."""
    if options.suite is None:
        for suite in SUITES.values():
            print(f"{suite.name:13} {suite.question}\n{'':13} {' · '.join(suite.variants)}")
        return 0
    suite = _parse_suite(options)
    store = RunStore(options.checkpoint_dir)
    folder = suite_folder(store, suite.name)
    question, rates = suite.question, dict[str, float]()
    if suite.rates:
        trials = suite.trials()
        tried, stopped = _results(store, trials, trials.plan(), options)
        if stopped:
            return 130
        factors = ", ".join(f"× {factor:g}" for factor in suite.rates)
        suite = suite.tuned(final_losses(tried))
        rates = {name: suite.config(name).train.max_lr for name in suite.variants}
        chosen = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        question += f"\n\nLearning rates, each the best of {factors}: {chosen}."
    plan = suite.plan(options.seeds)
    known, stopped = _results(store, suite, plan, options)
    if known:
        rows = compare(known, suite.baseline)
        base = command_line(suite.config(suite.baseline))
        table = to_markdown(rows, suite.name, question, base)
        target = options.out or folder
        write_atomic(target / "table.md", table)
        write_atomic(target / "table.csv", to_csv(rows))
        origin = Origin.here(_command(options), rates)
        write_atomic(target / "measured.json", json.dumps(origin.to_json(), indent=2) + "\n")
        print(table)
        print(f"{target / 'table.md'}\n{target / 'table.csv'}", file=sys.stderr)
    missing = len(plan) - sum(result.outcome.state in FINAL_STATES for result in known)
    if missing:
        print(f"{suite.name}: {missing} of {len(plan)} runs have no result yet", file=sys.stderr)
    return 130 if stopped else 1 if missing else 0


def _command(options: Namespace) -> str:
    """The command that measures the suite, without where its runs and tables are."""
    seeds = [] if options.seeds is None else ["--seeds", options.seeds]
    return shell("ablate", options.suite, *seeds, *flags(fields_from_flags(options)))


def _results(
    store: RunStore, suite: Suite, plan: Sequence[PlannedRun], options: Namespace
) -> tuple[list[Result], bool]:
    """Train the missing runs of a plan, unless only a report is wanted; returns all results, and whether it was
    stopped before the end."""
    stopped = False
    if not options.report:
        _check(plan)
        stopped = _train(store, suite.name, plan, suite_folder(store, suite.name), options)
    found = find_planned(store, suite.name, plan)
    return results(run for run in found if run is not None), stopped


def _parse_suite(options: Namespace) -> Suite:
    """The suite with the flags applied to its base. Raises `ValueError`."""
    suite, given = find_suite(options.suite), fields_from_flags(options)
    if "seed" in given:
        raise ConfigError([Problem("seed", given["seed"], "is set by --seeds: 0, 1, 2, ...")])
    variants = {name: apply_flags({}, changes) for name, changes in suite.variants.items()}
    suite = replace(suite, base=apply_flags(suite.base, {}), variants=variants)  # absolute paths
    return suite.with_base(apply_flags(suite.base, given))


def _check(plan: Sequence[PlannedRun]) -> None:
    """Load the data of every configuration before runs are created. Raises `ConfigError`."""
    configs = {
        (each.config.data.to_json(), each.config.model.to_json(), each.config.train.batch_tokens):
        each.config
        for each in plan
    }  # fmt: skip
    for config in configs.values():
        make_data(config)


def _train(
    store: RunStore, name: str, plan: Sequence[PlannedRun], folder: Path, options: Namespace
) -> bool:
    """Train the runs without a result. Returns whether it was stopped before the end."""
    train, jobs = ray_trainer(options.ray) if options.ray else (train_in_process, 1)
    make_private(folder)
    try:
        claim = locks.acquire(folder)
    except locks.LockError as error:
        raise RunBusy(f"{name}: {error}") from None
    try:
        runs = make_planned(store, name, plan)
        with stop_on_signals() as stop:
            board = Board(name, runs)

            def report_progress(over: Sequence[tuple[Run, str]]) -> None:
                board(over)
                if stop_requested(folder, claim):
                    stop.set()

            train_all(board.waiting, train, options.jobs or jobs, stop, report_progress)
            board.line.clear()
            return stop.is_set()
    finally:
        claim.release()


class Board:
    """Progress of a suite: one line per finished run, and in a terminal a status line of the active runs."""

    def __init__(self, name: str, runs: Sequence[Run], stream: TextIO | None = None) -> None:
        self.line = StatusLine(stream)
        self.count = len(runs)
        self.waiting = [run for run in runs if run.status().state not in FINAL_STATES]
        self.done = kept = self.count - len(self.waiting)
        self.begun_at = {run.id: run.status().step for run in self.waiting}
        self.spent, self.described = 0.0, perf_counter()
        """Seconds in which a run trained, until the last description."""
        self.line.note(
            f"{name}: {self.count} runs" + f", {kept} with a result already" * bool(kept)
        )

    def __call__(self, over: Sequence[tuple[Run, str]]) -> None:
        for run, trouble in over:
            outcome = Outcome.of(run)
            self.done += outcome.state in FINAL_STATES
            text = f"{self.done}/{self.count}  {run.name}: {outcome.state} at step {outcome.step}"
            if outcome.final_loss is not None:
                text += f", validation loss {outcome.final_loss:.3f}"
            self.line.note(f"{text} ({trouble})" if trouble else text)
        self.line.draw(self.describe)

    def describe(self) -> str:
        """The estimated time left, and the current step of each active run."""
        at = {run.id: run.status() for run in self.waiting}
        made = sum(status.step - self.begun_at[run] for run, status in at.items())
        left = sum(s.total_steps - s.step for s in at.values() if s.state not in FINAL_STATES)
        before, self.described = self.described, perf_counter()
        if any(status.state in ("starting", "running") for status in at.values()):
            self.spent += self.described - before
        parts = [f"{duration(self.spent * left / made)} left"] if made > 0 else []
        for run in self.waiting:
            if at[run.id].alive:
                where = f"{at[run.id].step}/{at[run.id].total_steps}"
                parts.append(f"{run.info.variant}, seed {run.config.train.seed}: {where}")
        return "  ".join(parts)
