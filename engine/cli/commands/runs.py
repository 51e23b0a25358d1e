"""The command `runs`: list, compare, rename, export and delete stored runs.

A damaged folder never hides the others: damaged folders are listed at the end of the output.

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

from engine.cli.choose_run import SHIPPED, add_root, find_run
from engine.cli.flags import format_value
from engine.files import atomic_output, error_reason
from engine.runs.events import Evaluated, Stepped
from engine.runs.store import Damaged, Run, RunError, RunStore, State
from engine.runs.summary import Outcome, differing_fields
from engine.validation import ConfigError, Problem

SHORT_ID = 8
"""Characters of an id in a comparison; any unique prefix of an id identifies a run."""


def add_runs_flags(parser: ArgumentParser) -> None:
    """Add the flags of `runs`: filters of the list, and the subcommands."""
    add_root(parser)
    states = "|".join(get_args(State))
    parser.add_argument("--state", metavar=states, help="list only runs in this state")
    parser.add_argument("--source", metavar="NAME", help="list only runs with this training data")
    parser.add_argument("--match", metavar="TEXT", help="list only runs with this in their name")
    parser.add_argument("--suite", metavar="NAME", help="list only runs of this ablation suite")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, action: Callable[[Namespace], int], description: str) -> ArgumentParser:
        part = commands.add_parser(name, help=description, description=description)
        part.set_defaults(command=action, parser=part)
        add_root(part, default=argparse.SUPPRESS)  # keep a value given before the subcommand
        return part

    part = command("compare", compare_runs, "Compare the settings and results of runs.")
    part.add_argument("runs", nargs="+", metavar="RUN", help="folder, id or name of a run")
    part = command("rename", rename_run, "Rename a run.")
    part.add_argument("run", metavar="RUN", help="id or name of the run")
    part.add_argument("name", metavar="NAME", help="new name")
    part = command("export", export_run, "Export a run as a zip, or its curves as CSV.")
    part.add_argument("run", metavar="RUN", help="folder, id or name of the run")
    part.add_argument(
        "--out", type=Path, metavar="FILE", help="output file (default: CSV to stdout)"
    )
    part.add_argument("--csv", action="store_true", help="the curves instead of the run")
    part = command("delete", delete_runs, "Delete runs permanently.")
    part.add_argument(
        "runs", nargs="+", metavar="RUN", help="id or name of a run, or id of a damaged one"
    )
    part.add_argument("--yes", action="store_true", help="do not ask for confirmation")


# List --------------------------------------------------------------------------------------------


def list_runs(options: Namespace) -> int:
    """Print a table of the runs, newest first."""
    if options.state is not None and options.state not in get_args(State):
        allowed = f"must be one of {', '.join(get_args(State))}"
        raise ConfigError([Problem("state", options.state, allowed)])
    store = RunStore(options.checkpoint_dir)
    rows = [("ID", "STATE", "STEP", "VALID LOSS", "MADE", "NAME")]
    damaged = store.damaged()
    for run in store.list():
        if not _matches(run, options):
            continue
        try:
            outcome = Outcome.of(run)
        except OSError as error:  # the run is being deleted, or cannot be read
            damaged.append(Damaged(run.id, run.path, error_reason(error)))
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
        print(f"No run in {store.root} matches.")
    else:
        print(f"There are no runs in {store.root} yet.")
        shipped = [run.id for run in RunStore(SHIPPED).list()]
        if shipped:
            print(f"Shipped runs, for generate, translate and export: {', '.join(sorted(shipped))}")
    for folder in damaged:
        print(f"{folder.id}  damaged: {folder.reason}")
    return 0


def _matches(run: Run, options: Namespace) -> bool:
    """Whether the run passes all filters other than the one on its state."""
    suite = run.info.suite or ""
    return (
        options.source in (None, run.config.data.source)
        and (options.match or "").casefold() in run.name.casefold()
        # A suite with a changed base, named "norm: total_steps 500", still belongs to the suite norm.
        and options.suite in (None, suite, suite.partition(":")[0])
    )


# Compare, rename, export, delete -----------------------------------------------------------------


def compare_runs(options: Namespace) -> int:
    """Print the fields in which runs differ, and their results, one column per run."""
    runs = {run.id: run for run in (find_run(t, options.checkpoint_dir) for t in options.runs)}
    if len(runs) < 2:
        raise RunError("A comparison needs two different runs.")
    outcomes = [Outcome.of(run) for run in runs.values()]
    rows = [
        ("", *(run_id[:SHORT_ID] for run_id in runs)),
        ("name", *(r.name for r in runs.values())),
    ]
    for field, values in differing_fields({i: run.config for i, run in runs.items()}).items():
        rows.append((field, *map(format_value, values.values())))
    results: dict[str, Callable[[Outcome], str]] = {
        "state": lambda each: each.state,
        "step": lambda each: str(each.step),
        "final loss": lambda each: _number(each.final_loss, ".3f"),
        "best loss": lambda each: _number(each.best_loss, ".3f"),
        "accuracy": lambda each: _number(each.accuracy, ".1%"),
        "parameters": lambda each: _number(each.parameters, ","),
        "tokens/s": lambda each: _number(each.tokens_per_second, ",.0f"),
    }
    rows += [(name, *map(value, outcomes)) for name, value in results.items()]
    _print_table(rows)
    return 0


def rename_run(options: Namespace) -> int:
    """Rename a run."""
    run = RunStore(options.checkpoint_dir).find(options.run)
    run.rename(options.name)
    print(f"{run.id}  {run.name}")
    return 0


def export_run(options: Namespace) -> int:
    """Write a run as a zip, or its logged losses as CSV."""
    run = find_run(options.run, options.checkpoint_dir)
    if options.csv:
        if options.out is None:
            _write_curves(run, sys.stdout)
            return 0
        with atomic_output(options.out) as raw:
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
    """Write one CSV line per logged or evaluated step."""
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
    """Delete runs, damaged or not, after confirmation. If one is unknown, none is deleted."""
    store = RunStore(options.checkpoint_dir)
    damaged = {folder.id for folder in store.damaged()}
    chosen = {text: "damaged" for text in options.runs if text in damaged}
    for text in options.runs:
        if text not in damaged:
            run = store.find(text)
            chosen[run.id] = run.name
    for run_id, name in chosen.items():
        print(f"{run_id}  {name}", file=sys.stderr)
    if not options.yes and not _confirm(len(chosen)):
        return 1
    for run_id in chosen:
        store.delete(run_id)
    return 0


def _confirm(count: int) -> bool:
    """Ask for confirmation. Raises `RunError` without a terminal."""
    if not sys.stdin.isatty():
        raise RunError("delete asks for confirmation, which needs a terminal; use --yes")
    print(f"Delete {count} permanently? [y/N] ", end="", file=sys.stderr, flush=True)
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
