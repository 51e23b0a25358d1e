"""One command: train every run of an ablation suite, and write the table that compares its variants.

The runs are stored with all others, so the page and the dashboard show them. What is finished is kept:
the same command goes on where it stopped, however it stopped. One process at a time works on a suite.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TextIO

from engine import claims
from engine.ablation import (
    OVER,
    compare,
    find_planned,
    folder_of,
    make_planned,
    results,
    to_csv,
    to_markdown,
    told_to_stop,
)
from engine.data import make_data
from engine.flags import Number, changed, command_line, given_fields
from engine.interrupts import stop_on_signals
from engine.jsonl import write_whole
from engine.outcomes import Outcome
from engine.progress import Line, duration
from engine.runs import Run, RunBusy, RunStore, make_private
from engine.suites import SUITES, Planned, Suite, find_suite
from engine.validation import ConfigError, Problem
from engine.workers import by_process, on_ray, train_all


def add_ablate_flags(parser: ArgumentParser) -> None:
    """What `ablate` takes, beside a flag for every field of the base."""
    parser.add_argument(
        "suite",
        nargs="?",
        metavar="SUITE",
        help=f"one of {', '.join(SUITES)}, or a .json file; without one, they are listed",
    )
    parser.add_argument(
        "--seeds", type=Number(int, 1, 100), metavar="N", help="how many (default: the suite's own)"
    )
    parser.add_argument(
        "--jobs", type=Number(int, 1, 1_000), metavar="N", help="runs at once (default: 1)"
    )
    parser.add_argument(
        "--report", action="store_true", help="train nothing, compare what there is"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="for the tables (default: beside the runs)"
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="train on this Ray cluster (auto, local, ray://HOST:PORT)"
    )


def ablate(options: Namespace) -> int:
    """Train what is missing, then compare. The exit status: 1 where a run has no result, 130 when
    interrupted."""
    if options.suite is None:
        for suite in SUITES.values():
            print(f"{suite.name:13} {suite.question}\n{'':13} {' · '.join(suite.variants)}")
        return 0
    suite, plan = _understood(options)
    store = RunStore(options.checkpoint_dir)
    folder = folder_of(store, suite.name)
    stopped = False
    if not options.report:
        _check(plan)
        stopped = _train(store, suite.name, plan, folder, options)
    found = find_planned(store, suite.name, plan)
    known = results(run for run in found if run is not None)
    if known:
        rows = compare(known, suite.first)
        base = command_line(suite.config(suite.first))
        table = to_markdown(rows, suite.name, suite.question, base)
        target = options.out or folder
        write_whole(target / "table.md", table)
        write_whole(target / "table.csv", to_csv(rows))
        print(table)
        print(f"{target / 'table.md'}\n{target / 'table.csv'}", file=sys.stderr)
    missing = len(plan) - sum(result.outcome.state in OVER for result in known)
    if missing:
        print(f"{suite.name}: {missing} of {len(plan)} runs have no result yet", file=sys.stderr)
    return 130 if stopped else 1 if missing else 0


def _understood(options: Namespace) -> tuple[Suite, list[Planned]]:
    """The suite, with what flags change of its base, and its runs. Raises `ValueError`."""
    suite, given = find_suite(options.suite), given_fields(options)
    if "seed" in given:
        raise ConfigError([Problem("seed", given["seed"], "is set by --seeds: 0, 1, 2, ...")])
    variants = {name: changed({}, changes) for name, changes in suite.variants.items()}
    suite = replace(suite, base=changed(suite.base, {}), variants=variants)  # paths are whole
    suite = suite.on(changed(suite.base, given))
    return suite, suite.plan(options.seeds)


def _check(plan: Sequence[Planned]) -> None:
    """Refuse data that cannot be read before there is a run. Raises `ConfigError`."""
    configs = {
        (each.config.data.to_json(), each.config.model.to_json(), each.config.train.batch_tokens):
        each.config
        for each in plan
    }  # fmt: skip
    for config in configs.values():
        make_data(config)


def _train(
    store: RunStore, name: str, plan: Sequence[Planned], folder: Path, options: Namespace
) -> bool:
    """Train what has no result yet. Was it stopped before the end?"""
    train, jobs = on_ray(options.ray) if options.ray else (by_process, 1)
    make_private(folder)
    try:
        claim = claims.take(folder)
    except claims.Taken as error:
        raise RunBusy(f"{name}: {error}") from None
    try:
        runs = make_planned(store, name, plan)
        with stop_on_signals() as stop:
            board = Board(name, runs)

            def look(over: Sequence[tuple[Run, str]]) -> None:
                board(over)
                if told_to_stop(folder, claim):
                    stop.set()

            train_all(board.waiting, train, options.jobs or jobs, stop, look)
            board.line.clear()
            return stop.is_set()
    finally:
        claim.release()


class Board:
    """How far a suite is: a line for each run that is over, and in a terminal what is being trained."""

    def __init__(self, name: str, runs: Sequence[Run], stream: TextIO | None = None) -> None:
        self.line = Line(stream)
        self.count = len(runs)
        self.waiting = [run for run in runs if run.status().state not in OVER]
        self.done = kept = self.count - len(self.waiting)
        self.begun_at = {run.id: run.status().step for run in self.waiting}
        self.since = perf_counter()
        self.line.note(
            f"{name}: {self.count} runs" + f", {kept} with a result already" * bool(kept)
        )

    def __call__(self, over: Sequence[tuple[Run, str]]) -> None:
        for run, trouble in over:
            outcome = Outcome.of(run)
            self.done += outcome.state in OVER
            text = f"{self.done}/{self.count}  {run.name}: {outcome.state} at step {outcome.step}"
            if outcome.final_loss is not None:
                text += f", held-out loss {outcome.final_loss:.3f}"
            self.line.note(f"{text} ({trouble})" if trouble else text)
        self.line.draw(self.describe)

    def describe(self) -> str:
        """How long all of it may still take, and at which step each run is that is being trained."""
        at = {run.id: run.status() for run in self.waiting}
        made = sum(status.step - self.begun_at[run] for run, status in at.items())
        left = sum(s.total_steps - s.step for s in at.values() if s.state not in OVER)
        spent = perf_counter() - self.since
        parts = [f"{duration(spent * left / made)} left"] if made > 0 else []
        for run in self.waiting:
            if at[run.id].alive:
                where = f"{at[run.id].step}/{at[run.id].total_steps}"
                parts.append(f"{run.info.variant}, seed {run.config.train.seed}: {where}")
        return "  ".join(parts)
