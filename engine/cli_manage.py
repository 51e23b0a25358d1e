"""The commands about stored runs: list, compare, rename, export and delete them.

A folder that is damaged never hides the others: it is named after what was asked for.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from engine.cli_runs import add_root, find_run
from engine.events import Evaluated, Stepped
from engine.flags import word
from engine.jsonl import reason_of, writing_out
from engine.outcomes import Outcome, differing
from engine.runs import Damaged, Run, RunError, RunStore, State
from engine.validation import ConfigError, Problem

SHORT_ID = 8
"""Letters of an id in a comparison; any beginning that is one run's alone names it."""


def add_runs_flags(parser: ArgumentParser) -> None:
    """What `runs` takes: filters of the list, and the other commands about runs."""
    add_root(parser)
    states = "|".join(get_args(State))
    parser.add_argument("--state", metavar=states, help="list only runs in this state")
    parser.add_argument("--source", metavar="NAME", help="list only runs that learn from this")
    parser.add_argument("--match", metavar="TEXT", help="list only runs with this in their name")
    parser.add_argument("--suite", metavar="NAME", help="list only runs of this ablation suite")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, action: Callable[[Namespace], int], description: str) -> ArgumentParser:
        part = commands.add_parser(name, help=description, description=description)
        part.set_defaults(command=action, parser=part)
        add_root(part, default=argparse.SUPPRESS)  # what stands before the command stays
        return part

    part = command("compare", compare_runs, "How runs differ, and what came of each.")
    part.add_argument("runs", nargs="+", metavar="RUN", help="its folder, id or name")
    part = command("rename", rename_run, "Call a run something else.")
    part.add_argument("run", metavar="RUN", help="its id or name")
    part.add_argument("name", metavar="NAME", help="what to call it")
    part = command("export", export_run, "Take a run along: a zip, or its curves as CSV.")
    part.add_argument("run", metavar="RUN", help="its folder, id or name")
    part.add_argument("--out", type=Path, metavar="FILE", help="to write (default: CSV to stdout)")
    part.add_argument("--csv", action="store_true", help="the curves instead of the run")
    part = command("delete", delete_runs, "Delete runs for good.")
    part.add_argument(
        "runs", nargs="+", metavar="RUN", help="its id or name; also a damaged one's id"
    )
    part.add_argument("--yes", action="store_true", help="do not ask")


# List --------------------------------------------------------------------------------------------


def list_runs(options: Namespace) -> int:
    """A table of the runs, the newest first."""
    if options.state is not None and options.state not in get_args(State):
        allowed = f"must be one of {', '.join(get_args(State))}"
        raise ConfigError([Problem("state", options.state, allowed)])
    store = RunStore(options.checkpoint_dir)
    rows = [("ID", "STATE", "STEP", "VALID LOSS", "MADE", "NAME")]
    damaged = store.damaged()
    for run in store.list():
        if not _listed(run, options):
            continue
        try:
            outcome = Outcome.of(run)
        except OSError as error:  # it is being deleted, or may not be read
            damaged.append(Damaged(run.id, run.path, reason_of(error)))
            continue
        if options.state in (None, outcome.state):
            rows.append(
                (
                    run.id,
                    outcome.state,
                    f"{outcome.step}/{run.config.train.total_steps}",
                    _number(outcome.final_loss, ".3f"),
                    time.strftime("%Y-%m-%d %H:%M", time.localtime(run.info.created)),
                    run.name,
                )
            )
    filtered = any((options.state, options.source, options.match, options.suite))
    if len(rows) > 1:
        _print_table(rows)
    elif filtered:
        print(f"No run in {store.root} is like that.")
    else:
        print(f"There are no runs in {store.root} yet.")
    for folder in damaged:
        print(f"{folder.id}  damaged: {folder.reason}")
    return 0


def _listed(run: Run, options: Namespace) -> bool:
    """Do the filters let it through, all but the one on its state?"""
    suite = run.info.suite or ""
    return (
        options.source in (None, run.config.data.source)
        and (options.match or "").casefold() in run.name.casefold()
        # A suite with another base is called "norm: total_steps 500", and is still the suite norm.
        and options.suite in (None, suite, suite.partition(":")[0])
    )


# Compare, rename, export, delete -----------------------------------------------------------------


def compare_runs(options: Namespace) -> int:
    """The fields in which runs differ, and their results, a column for each run."""
    runs = {run.id: run for run in (find_run(t, options.checkpoint_dir) for t in options.runs)}
    if len(runs) < 2:
        raise RunError("A comparison needs two different runs.")
    outcomes = [Outcome.of(run) for run in runs.values()]
    rows = [
        ("", *(run_id[:SHORT_ID] for run_id in runs)),
        ("name", *(r.name for r in runs.values())),
    ]
    for field, values in differing({i: run.config for i, run in runs.items()}).items():
        rows.append((field, *map(word, values.values())))
    results: dict[str, Callable[[Outcome], str]] = {
        "state": lambda each: each.state,
        "step": lambda each: str(each.step),
        "final loss": lambda each: _number(each.final_loss, ".3f"),
        "best loss": lambda each: _number(each.best_loss, ".3f"),
        "right": lambda each: _number(each.accuracy, ".1%"),
        "parameters": lambda each: _number(each.parameters, ","),
        "tokens/s": lambda each: _number(each.tokens_per_second, ",.0f"),
    }
    rows += [(name, *map(value, outcomes)) for name, value in results.items()]
    _print_table(rows)
    return 0


def rename_run(options: Namespace) -> int:
    """Give a run another name."""
    run = RunStore(options.checkpoint_dir).find(options.run)
    run.rename(options.name)
    print(f"{run.id}  {run.name}")
    return 0


def export_run(options: Namespace) -> int:
    """Write a run as a zip, or what it logged of its losses as CSV."""
    run = find_run(options.run, options.checkpoint_dir)
    if options.csv:
        if options.out is None:
            _write_curves(run, sys.stdout)
            return 0
        with writing_out(options.out) as raw:
            file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
            _write_curves(run, file)
            file.flush()
            file.detach()
    elif options.out is None:
        raise RunError("export needs --out FILE.zip, or --csv")
    else:
        run.download(options.out)
    print(f"{run.name}: written to {options.out}", file=sys.stderr)
    return 0


def _write_curves(run: Run, file: Any) -> None:
    """A line for each step that was logged or measured on held-out data."""
    lines: dict[int, dict[str, Any]] = {}
    for event in run.history():
        if isinstance(event, Stepped):
            lines.setdefault(event.step, {}).update(asdict(event))
        elif isinstance(event, Evaluated):
            values = {"step": event.step, "valid_loss": event.loss, "accuracy": event.accuracy}
            lines.setdefault(event.step, {}).update(values)
    columns = ["step", "loss", "valid_loss", "accuracy", "lr", "grad_norm", "tokens", "seconds"]
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(line for _, line in sorted(lines.items()))


def delete_runs(options: Namespace) -> int:
    """Delete runs, whole or damaged, after asking. None is deleted where one is unknown."""
    store = RunStore(options.checkpoint_dir)
    damaged = {folder.id for folder in store.damaged()}
    chosen = {text: "damaged" for text in options.runs if text in damaged}
    for text in options.runs:
        if text not in damaged:
            run = store.find(text)
            chosen[run.id] = run.name
    for run_id, name in chosen.items():
        print(f"{run_id}  {name}", file=sys.stderr)
    if not options.yes and not _agreed(len(chosen)):
        return 1
    for run_id in chosen:
        store.delete(run_id)
    return 0


def _agreed(count: int) -> bool:
    """Ask whether so many runs are to be deleted. Raises `RunError` where nobody can answer."""
    if not sys.stdin.isatty():
        raise RunError("delete asks first, and there is no terminal to answer in: --yes")
    print(f"Delete {count} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


# Tables ------------------------------------------------------------------------------------------


def _print_table(rows: Sequence[Iterable[str]]) -> None:
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(cells).rstrip())


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
