"""How soon a model is as good: processor seconds until a loss is reached, for three recipes.

    python -m benchmarks.time_to_quality                          the stories and three tasks
    python -m benchmarks.time_to_quality --shakespeare PATH       tiny Shakespeare by characters as well
    python -m benchmarks.time_to_quality --scale 0.4              the same in shorter runs, for a busy machine
    python -m benchmarks.time_to_quality --quick                  a few steps of tiny models, to see that it works
    python -m benchmarks.time_to_quality --first_seed 1 --seeds 2 --out FILE    some seeds, in a process of their own
    python -m benchmarks.time_to_quality --table FILE...          the table of what such processes wrote
    python -m benchmarks.time_to_quality --steps                  what a step costs, and Muon's share of it

On each problem three recipes train a model of the same width and depth:

    nanoGPT       the architecture and the settings that its README publishes for a CPU, and again with the best
                  learning rate of a grid, found with a seed that is not used again. The grid is 0.5, 1 and 2 times the
                  base's rate, and nanoGPT's own. The first weights are drawn as this project draws them, not as
                  nanoGPT does
    base          this project's presets before they were tuned: RMSNorm, RoPE, SwiGLU and AdamW
    new           this project's presets as they are; of Shakespeare, a second time with a shorter schedule, for its
                  preset makes as many steps as the base, and each costs more

All train side by side in one process on one thread, a few steps each in turn, so that whatever else the machine does
slows all of them. The clock is the processor's: only updates count, and not evaluations. "Reaches the base" is when a
recipe's validation loss, between two evaluations in a line, first is the base's last one. The losses of Shakespeare
are over the complete validation split.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import torch

from benchmarks.common import interleaved, print_table, times_as_fast
from engine.config import RunConfig
from engine.data import make_data
from engine.presets import PRESETS
from engine.runs.events import Diverged, Evaluated, Stepped
from engine.training.devices import keep_freed_memory
from engine.training.loop import TrainState, new_state, train, update

Changes = dict[str, Any]
Curve = Sequence[tuple[float, float]]
"""Processor seconds and validation loss at each evaluation."""
Numbers = dict[str, dict[str, Any]]
"""By recipe: parameters, steps, seeds, a curve for each seed, and for a new recipe its bound."""

NANOGPT: Changes = {
    "norm": "layernorm",
    "position": "learned",
    "feedforward": "gelu",
    "bias": False,
    "dropout": 0.0,
    "max_lr": 1e-3,
    "min_lr": 1e-4,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.1,
    "warmup_steps": 100,
    "max_grad_norm": 1.0,
}
"""nanoGPT's train.py with its README's changes for a CPU (github.com/karpathy/nanoGPT, "i only have a macbook")."""

FACTORS = (0.5, 1.0, 2.0)
"""Of the base's learning rate: these rates are tried for nanoGPT beside its own. The schedule ends at a tenth of each."""

TRIAL_SEED = 1_000
TURN = 10
"""Steps of one recipe before it is the next one's turn."""

COMMON: Changes = {"threads": 1, "device": "cpu", "eval_interval": 100, "eval_steps": 32}
WHOLE_SPLIT = 1_000_000
"""More validation batches than there are."""


@dataclass(frozen=True)
class Problem:
    """What is learnt, by a base whose settings stand here, so that no preset moves them."""

    preset: str
    base: Changes
    bound: float
    """In how much of the base's time the new recipe should be as good."""
    more: Changes = field(default_factory=dict[str, Any])
    """Changes to every recipe."""
    shorter: int = 0
    """Steps of the new recipe's second, shorter schedule, if it has one."""

    def recipes(self) -> dict[str, Changes]:
        """The changes of each recipe to the defaults."""
        size = (
            "max_seq_len",
            "d_model",
            "n_layer",
            "n_head",
            "source",
            "task_length",
            "batch_size",
        )
        same = {name: self.base[name] for name in (*size, "total_steps") if name in self.base}
        new = PRESETS[self.preset].changes
        found = {"nanoGPT": same | NANOGPT, "base": self.base, "new": new}
        if self.shorter:
            found["new, shorter"] = new | {"total_steps": self.shorter}
        return {name: changes | COMMON | self.more for name, changes in found.items()}


STORIES: Changes = {"total_steps": 2_500, "batch_size": 8, "max_lr": 0.006}
TASK: Changes = {"max_seq_len": 32, "max_lr": 0.006, "rope_theta": 100}
PROBLEMS = {
    "stories": Problem("stories", STORIES, 0.5),
    "addition_reversed": Problem(
        "addition_reversed",
        TASK | {"source": "addition_reversed", "task_length": 2, "total_steps": 1_500, "batch_size": 64},
        0.7,
    ),
    "brackets": Problem(
        "brackets",
        TASK
        | {"source": "brackets", "task_length": 6, "total_steps": 1_200, "batch_size": 64, "max_lr": 0.003},
        0.7,
    ),
    "sort": Problem(
        "sort", TASK | {"source": "sort", "total_steps": 1_500, "batch_size": 32}, 0.7
    ),
}  # fmt: skip
NANOGPT_BOUND = 1 / 3
"""In how much of nanoGPT's time the new recipe should be as good, at either learning rate."""


def shakespeare(path: str) -> Problem:
    """Tiny Shakespeare at the size that nanoGPT's README trains on a CPU."""
    size = {"max_seq_len": 64, "d_model": 128, "n_layer": 4, "n_head": 4, "batch_size": 12}
    base = size | {"total_steps": 2_000, "warmup_steps": 100, "max_lr": 3e-3}
    text = {"source": "text", "train_data_path": path, "valid_fraction": 0.1}
    more = text | {"eval_interval": 250, "eval_steps": WHOLE_SPLIT}
    return Problem("shakespeare-size", base, 0.75, more, shorter=1_100)


QUICK: Changes = {
    "d_model": 16, "n_head": 2, "n_layer": 1, "batch_size": 4, "total_steps": 20, "warmup_steps": 2,
    "eval_interval": 5, "eval_steps": 2,
}  # fmt: skip


# Training side by side ----------------------------------------------------------------------------


@dataclass
class Racer:
    """One recipe that trains, and its validation loss over processor seconds."""

    state: TrainState
    seconds: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def __post_init__(self) -> None:
        self.events = train(self.state)

    def turn(self, steps: int) -> bool:
        """Make so many updates; returns whether there are more."""
        made = 0
        while made < steps:
            begun = process_time()
            event = next(self.events, None)
            if isinstance(event, Stepped):
                self.seconds += process_time() - begun
                made += 1
            elif isinstance(event, Evaluated):
                self.curve.append((self.seconds, event.loss))
            elif event is None or isinstance(event, Diverged):
                return False
        return True

    @property
    def loss(self) -> float:
        return self.curve[-1][1]


def race(configs: Mapping[str, RunConfig], seed: int) -> dict[str, Racer]:
    """Train all recipes with one seed, in turns."""
    racers: dict[str, Racer] = {}
    for name, config in configs.items():
        config = config.model_copy(update={"train": config.train.model_copy(update={"seed": seed})})
        racers[name] = Racer(new_state(config, make_data(config), torch.device("cpu")))
    running = list(racers.values())
    while running:
        running = [racer for racer in running if racer.turn(TURN)]
    return racers


def reached(loss: float, curve: Curve) -> float | None:
    """The seconds at which a curve first is at a loss, between two evaluations in a line; None if it never is."""
    for (before, high), (after, low) in pairwise(curve):
        if low <= loss:
            share = (high - loss) / (high - low) if high > loss else 0.0
            return before + share * (after - before)
    return None


def best_rate(config: RunConfig, base: RunConfig) -> float:
    """The learning rate with which a recipe ends at the lowest loss: its own, or one of the base's times `FACTORS`."""
    rates = {config.train.max_lr, *(factor * base.train.max_lr for factor in FACTORS)}
    configs = {str(rate): at_rate(config, rate) for rate in sorted(rates)}
    ends = {float(rate): racer.loss for rate, racer in race(configs, TRIAL_SEED).items()}
    return min(ends, key=ends.__getitem__)


def at_rate(config: RunConfig, rate: float) -> RunConfig:
    return RunConfig.from_flat(config.changes() | {"max_lr": rate, "min_lr": rate / 10})


# The table ----------------------------------------------------------------------------------------


def scaled(config: RunConfig, scale: float) -> RunConfig:
    """A run with so many times the steps, warm-up and steps between evaluations."""
    train = config.train
    lengths = {
        name: max(1, round(scale * getattr(train, name)))
        for name in ("total_steps", "warmup_steps", "eval_interval")
    }
    return config.model_copy(update={"train": train.model_copy(update=lengths)})


def measure(
    name: str,
    problem: Problem,
    seeds: Sequence[int],
    changes: Changes,
    scale: float = 1.0,
    rate: float | None = None,
) -> Iterator[Numbers]:
    """Train one problem with every recipe and seed. Yields its numbers so far after each seed.

    `rate` is nanoGPT's best learning rate if it is known.
    """
    configs = {
        recipe: scaled(RunConfig.from_flat(values | changes), scale)
        for recipe, values in problem.recipes().items()
    }
    rate = best_rate(configs["nanoGPT"], configs["base"]) if rate is None else rate
    if rate != configs["nanoGPT"].train.max_lr:
        configs[f"nanoGPT, rate {rate:g}"] = at_rate(configs["nanoGPT"], rate)
    numbers: Numbers = {
        recipe: {"steps": config.train.total_steps, "seeds": [], "curves": []}
        for recipe, config in configs.items()
    }
    for recipe in (name for name in numbers if name.startswith("new")):
        numbers[recipe]["bound"] = problem.bound
    for seed in seeds:
        for recipe, racer in race(configs, seed).items():
            weights = sum(weight.numel() for weight in racer.state.model.parameters())
            numbers[recipe]["parameters"] = weights
            numbers[recipe]["seeds"].append(seed)
            numbers[recipe]["curves"].append(racer.curve)
            print(
                f"{name}, seed {seed}: {recipe} {racer.loss:.4f} in {racer.seconds:.1f} s",
                flush=True,
            )
        yield numbers


def joined(parts: Sequence[dict[str, Numbers]]) -> dict[str, Numbers]:
    """The numbers of several processes as those of one: all seeds of each problem and recipe."""
    found: dict[str, Numbers] = {}
    for part in parts:
        for name, numbers in part.items():
            mine = found.setdefault(name, {})
            for recipe, values in numbers.items():
                if recipe not in mine:
                    mine[recipe] = values
                    continue
                for lists in ("seeds", "curves"):
                    mine[recipe][lists] = mine[recipe][lists] + values[lists]
    return found


def report(name: str, numbers: Numbers) -> None:
    """Print the table of one problem, and whether the new recipes are within their bounds."""
    base = numbers["base"]["curves"]
    rows: list[list[str]] = []
    for recipe, values in numbers.items():
        seconds, losses = zip(*(curve[-1] for curve in values["curves"]), strict=True)
        rows.append(
            [
                recipe,
                f"{values['parameters']:,}",
                f"{values['steps']:,}",
                shown(seconds, 1),
                shown(losses, 4),
                shown(shares(values["curves"], base), 2),
            ]
        )
    print(f"\n{name}, {len(base)} seed(s): processor seconds and validation loss")
    header = ["", "parameters", "steps", "seconds", "loss", "the base's loss: of its time"]
    print_table(header, rows)
    for recipe, values in numbers.items():
        if "bound" not in values:
            continue
        found = shares(values["curves"], base)
        verdict(f"{recipe}: {name}, the base's loss", found, values["bound"])
        for other, theirs in numbers.items():
            if other.startswith("nanoGPT"):
                found = shares(values["curves"], theirs["curves"])
                verdict(f"{recipe}: {name}, the loss of {other}", found, NANOGPT_BOUND)


def shares(curves: Sequence[Curve], others: Sequence[Curve]) -> list[float | None]:
    """In how much of the others' time the curves reach their last loss, seed by seed; None if never."""
    found: list[float | None] = []
    for curve, other in zip(curves, others, strict=True):
        seconds, loss = other[-1]
        at = reached(loss, curve)
        found.append(None if at is None else at / seconds)
    return found


def shown(values: Sequence[float | None], digits: int) -> str:
    """Mean ± standard deviation of the values, if all seeds have one."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "never" if not known else f"{len(known)} of {len(values)} seeds"
    text = f"{statistics.fmean(known):.{digits}f}"
    return text if len(known) == 1 else f"{text} ± {statistics.stdev(known):.{digits}f}"


def verdict(what: str, parts: Sequence[float | None], bound: float) -> None:
    """Print whether the mean share of time is within its bound."""
    known = [share for share in parts if share is not None]
    within = len(known) == len(parts) and statistics.fmean(known) <= bound
    print(
        f"  {what} is reached in {shown(parts, 2)} of the time; "
        f"at most {bound:.2f}: {'yes' if within else 'no'}"
    )


# What a step costs --------------------------------------------------------------------------------

LLAMA_BOUND = 0.9
"""How fast a step with the new defaults should at least be, as a multiple of transformers' Llama."""


def step_costs(rounds: int) -> None:
    """Print how fast a step of the presets is beside transformers' Llama, and the optimizer's share of it."""
    from benchmarks.train_speed import VOCABULARY, llama  # only here: it needs transformers

    rows: list[list[str]] = []
    for name in ("stories", "shakespeare-size"):
        changes = PRESETS[name].changes | {"threads": 1, "device": "cpu", "vocab_size": VOCABULARY}
        config = RunConfig.from_flat(changes)
        size, length = config.train.batch_size, config.model.max_seq_len
        batch = torch.randint(VOCABULARY, (size, length + 1))
        state = new_state(config, make_data(config), torch.device("cpu"))
        spent: list[float] = []
        optimizer: Any = state.optimizer
        optimizer.step = timed(optimizer.step, spent)

        def ours(state: TrainState = state) -> None:
            state.step = state.config.train.warmup_steps  # the schedule stays where it is
            update(state)

        contestants: dict[str, Callable[[], object]] = {
            "ours": ours,
            "llama": llama(config.model, batch),
        }
        seconds = interleaved(contestants, rounds, clock=process_time)
        share = statistics.median(spent[-rounds:]) / statistics.median(seconds["ours"])
        ratio = times_as_fast(seconds["ours"], seconds["llama"])
        milliseconds = [f"{statistics.median(taken) * 1e3:.1f}" for taken in seconds.values()]
        within = "yes" if ratio >= LLAMA_BOUND else "no"
        rows.append(
            [name, config.train.optimizer, *milliseconds, f"{ratio:.2f} x", within, f"{share:.0%}"]
        )
    print("\nA training step, processor milliseconds, medians of interleaved rounds")
    header = ["", "optimizer", "ours", "transformers Llama", "speed of ours"]
    print_table([*header, f"at least {LLAMA_BOUND}", "optimizer's share"], rows)


def timed(step: Callable[[], Any], spent: list[float]) -> Callable[[], Any]:
    """The same call, which notes its processor seconds."""

    def call() -> Any:
        begun = process_time()
        result = step()
        spent.append(process_time() - begun)
        return result

    return call


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--problems", nargs="*", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--shakespeare", metavar="PATH", help="the text of tiny Shakespeare")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first_seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="times the steps of every run")
    parser.add_argument("--rate", type=float, help="nanoGPT's best learning rate, if it is known")
    parser.add_argument("--quick", action="store_true", help="a few steps of tiny models")
    parser.add_argument("--steps", action="store_true", help="only what a step costs")
    parser.add_argument("--rounds", type=int, default=30, help="of --steps")
    parser.add_argument(
        "--out", type=Path, help="write the numbers to this JSON file, after each seed"
    )
    parser.add_argument("--table", nargs="+", type=Path, metavar="FILE", help="only print these")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    if arguments.steps:
        step_costs(arguments.rounds)
        return
    if arguments.table:
        written = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.table]
        for name, numbers in joined(written).items():
            report(name, numbers)
        return
    problems = {name: PROBLEMS[name] for name in arguments.problems}
    if arguments.shakespeare:
        problems["shakespeare"] = shakespeare(arguments.shakespeare)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    changes = QUICK if arguments.quick else {}
    found: dict[str, Numbers] = {}
    for name, problem in problems.items():
        each = measure(name, problem, seeds, changes, arguments.scale, arguments.rate)
        for found[name] in each:
            if arguments.out:
                arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        report(name, found[name])


if __name__ == "__main__":
    main()
