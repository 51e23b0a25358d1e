"""The command `race`: train one small model with several optimizers at once, and print what happens as JSON lines.

    python -m engine race adamw muon,max_lr=0.02 --steps 300 --seeds 3 --out race.jsonl

The first line is the plan. Then each event of `engine.training.race` is a line with its name as "kind". The page reads
these lines while they are written.
"""

from __future__ import annotations

import json
import math
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.ablation.races import (
    MATRICES,
    MAX_SEEDS,
    MAX_STEPS,
    RacePlan,
    parse_entry,
    verdicts,
)
from engine.cli.flags import Number, shell
from engine.files import write_atomic

DIGITS = 4
"""Significant digits of a printed number."""


def add_race_flags(parser: ArgumentParser) -> None:
    """Add the flags of `race`."""
    parser.add_argument(
        "entries",
        nargs="+",
        metavar="ENTRY",
        help="an optimizer, with settings if they are not the usual ones: muon,max_lr=0.02",
    )
    parser.add_argument(
        "--steps", type=Number(int, 1, MAX_STEPS), default=300, help="updates of each (default: 300)"
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=Number(int, 1, MAX_SEEDS), default=1, help="seeds (default: 1)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the lines to a file when all is done"
    )
    parser.add_argument(
        "--until_eof", action="store_true", help="stop when standard input ends, as the page does"
    )


def race(options: Namespace) -> int:
    """Run a race. A contestant that diverges is a result, too."""
    plan = RacePlan.of(
        [parse_entry(word) for word in options.entries], options.steps, options.seeds
    )
    words = ["race", *options.entries, "--steps", plan.steps, "--seeds", plan.seeds]
    if options.out:
        words += ["--out", options.out]
    lines: list[str] = []
    write: Callable[[str], None] = lines.append if options.out else _print
    losses: list[dict[int, float]] = [{} for _ in plan.entries]
    stop = threading.Event()
    if options.until_eof:
        from engine.training.driver import end_with_parent

        end_with_parent(stop)
    for event in _events(plan, shell(*words)):
        if stop.is_set():
            return 0
        if event["kind"] == "Measured" and event["step"] == plan.steps:
            losses[event["entry"]][event["seed"]] = event["loss"]
        write(json.dumps(_short(event), separators=(",", ":")))
    if options.out:
        write_atomic(options.out, "".join(f"{line}\n" for line in lines).encode())
    _report(plan, losses)
    return 0


def _print(line: str) -> None:
    print(line, flush=True)


def _events(plan: RacePlan, command: str) -> Iterator[dict[str, Any]]:
    """The plan, and the events of every seed. Laps and singular values are those of the first seed only."""
    import torch

    from engine.training.race import Lap, Spectra
    from engine.training.race import race as run

    torch.set_num_threads(1)
    yield {"kind": "Plan", "command": command, "matrices": MATRICES} | asdict(plan)
    for seed in range(plan.seeds):
        for event in run(plan.configs(seed), plan.moments() if seed == 0 else ()):
            if seed == 0 or not isinstance(event, Lap | Spectra):
                yield {"kind": type(event).__name__, "seed": seed} | asdict(event)


def _report(plan: RacePlan, losses: list[dict[int, float]]) -> None:
    """Print each entry's validation loss, and its difference to the first, to standard error."""
    for entry, found, verdict in zip(plan.entries, losses, verdicts(losses), strict=True):
        mean = sum(found.values()) / len(found) if found else math.nan
        line = f"{entry['optimizer']:6} {mean:.3f} nats, {len(found)} of {plan.seeds} seeds"
        if verdict is not None:
            line += f"; {verdict.mean:+.3f} relative to the first"
            if verdict.low is not None:
                line += f" [{verdict.low:+.3f}, {verdict.high:+.3f}]"
        print(line, file=sys.stderr)


def _short(value: Any) -> Any:
    """The value with its floats rounded; names and lists as they are."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: each if name == "entries" else _short(each) for name, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value
