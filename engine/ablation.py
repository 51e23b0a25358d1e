"""What a suite of runs shows: which runs belong to it, and the table that compares its variants.

The table is computed from what the runs themselves have logged. A run that diverged or failed is
counted and not averaged; a difference is taken seed by seed, with its confidence interval.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.claims import Claim
from engine.events import Stop
from engine.jsonl import append_line, read_lines, read_object
from engine.outcomes import Outcome
from engine.runs import Run, RunStore, State
from engine.significance import Difference, Spread
from engine.suites import Planned

OVER: tuple[State, ...] = ("finished", "diverged")
"""States that another try would not change: the result is there."""

COMMANDS = "commands.jsonl"
"""In a suite's folder: what the process that works on it was told, as in a run's folder."""


@dataclass(frozen=True)
class Result:
    """What one run of a suite gave."""

    variant: str
    seed: int
    outcome: Outcome


@dataclass(frozen=True)
class Row:
    """One variant. Losses, accuracy and speed are those of the runs that finished."""

    variant: str
    states: dict[State, int]
    """How many runs are in each state."""
    final: Spread | None
    """Held-out loss after the last step, in nats per token."""
    best: Spread | None
    """The lowest held-out loss of each run."""
    accuracy: Spread | None
    """Share of exact answers after the last step, 0 to 1, for a task that has them."""
    maxvio: Spread | None
    """How uneven the work of experts was in the last batch: MaxVio of the least balanced layer."""
    idle: Spread | None
    """How many experts had at most a tenth of an even load in the last batch: of the layer with most."""
    sharpness: Spread | None
    """How sharp the alignment was at the last recorded step, 0 to 1, where a translator's was recorded."""
    parameters: int | None
    tokens_per_second: Spread | None
    difference: Difference | None
    """Final loss minus that of the first variant, paired by seed; None for the first itself. In bits
    a character where the variants have different tokens."""
    bits: Spread | None = None
    """The final loss of a text in bits a character, where the variants have different tokens."""

    @property
    def finished(self) -> int:
        return self.states.get("finished", 0)

    @property
    def verdict(self) -> str:
        """What the difference says: better, worse, within noise, one seed; else nothing."""
        if self.difference is None:
            return ""
        if self.difference.within_noise is None:
            return "one seed: no interval"
        if self.difference.within_noise:
            return "within noise"
        return "worse" if self.difference.mean > 0 else "better"


def compare(results: Iterable[Result], first: str | None = None) -> list[Row]:
    """A row for each variant, in the order in which they come, the one to compare with first.

    Args:
        results: one for each variant and seed; of two, the later counts.
        first: the variant that the others are compared with (default: that of the first result).
    """
    grouped: dict[str, dict[int, Outcome]] = {} if first is None else {first: {}}
    for result in results:
        grouped.setdefault(result.variant, {})[result.seed] = result.outcome
    compared = _bits if _tokens_differ(grouped.values()) else _loss
    base = _finished(next(iter(grouped.values())), compared) if grouped else {}
    rows: list[Row] = []
    for number, (variant, outcomes) in enumerate(grouped.items()):
        finished = [each for each in outcomes.values() if each.state == "finished"]
        counts = [each.parameters for each in outcomes.values() if each.parameters is not None]
        rows.append(
            Row(
                variant=variant,
                states=dict(Counter(each.state for each in outcomes.values())),
                final=Spread.of(each.final_loss for each in finished),
                best=Spread.of(each.best_loss for each in finished),
                accuracy=Spread.of(each.accuracy for each in finished),
                maxvio=Spread.of(each.maxvio for each in finished),
                idle=Spread.of(each.idle for each in finished),
                sharpness=Spread.of(each.sharpness for each in finished),
                parameters=counts[-1] if counts else None,
                tokens_per_second=Spread.of(each.tokens_per_second for each in finished),
                difference=Difference.paired(_finished(outcomes, compared), base)
                if number
                else None,
                bits=Spread.of(map(_bits, finished)) if compared is _bits else None,
            )
        )
    return rows


def _loss(outcome: Outcome) -> float | None:
    return outcome.final_loss


def _bits(outcome: Outcome) -> float | None:
    return outcome.bits


def _finished(
    outcomes: dict[int, Outcome], compared: Callable[[Outcome], float | None]
) -> dict[int, float]:
    """What is compared, by seed, of the runs that finished."""
    values = {seed: compared(run) for seed, run in outcomes.items() if run.state == "finished"}
    return {seed: value for seed, value in values.items() if value is not None}


def _tokens_differ(variants: Iterable[dict[int, Outcome]]) -> bool:
    """Do some runs have other tokens for their text? A loss in nats per token compares nothing then."""
    outcomes = (outcome for variant in variants for outcome in variant.values())
    sizes = [each.bits / each.final_loss for each in outcomes if each.bits and each.final_loss]
    return bool(sizes) and max(sizes) > 1.02 * min(sizes)


# The runs of a suite ------------------------------------------------------------------------------


def folder_of(store: RunStore, name: str) -> Path:
    """Beside the runs: a folder for each suite, with its tables and who works on it."""
    return store.root / "suites" / re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:100]


def tell_to_stop(folder: Path) -> None:
    """Tell the process that works on the suite of this folder to save its runs and end, wherever it runs."""
    append_line(folder / COMMANDS, Stop().to_line())


def told_to_stop(folder: Path, claim: Claim) -> bool:
    """Was the process that has this claim told to stop?"""
    lines, _ = read_lines(folder / COMMANDS, claim.commands, 1 << 16)
    return any((read_object(line) or {}).get("type") == Stop.type for line in lines)


def names(runs: Iterable[Run]) -> list[str]:
    """Every suite that these runs are of, each once."""
    return list(dict.fromkeys(run.info.suite for run in runs if run.info.suite))


def members(runs: Iterable[Run], name: str) -> list[Run]:
    """The runs stored under a suite's name: of each variant and seed the newest, in order of their
    making."""
    found: dict[tuple[str | None, int], Run] = {}
    for run in sorted(runs, key=lambda run: run.info.created):
        if run.info.suite == name:
            found[run.info.variant, run.config.train.seed] = run
    return list(found.values())


def results(runs: Iterable[Run]) -> list[Result]:
    """What the runs of a suite gave, for `compare`."""
    return [
        Result(run.info.variant or run.name, run.config.train.seed, Outcome.of(run)) for run in runs
    ]


def find_planned(store: RunStore, name: str, plan: Sequence[Planned]) -> list[Run | None]:
    """The run that was made for each planned one, None where there is none yet.

    It has the same suite, variant and whole configuration: a suite that was changed since begins
    anew. A run that can no longer be read is none.
    """
    stored = [run for run in store.list() if run.info.suite == name]
    return [
        next(
            (r for r in stored if r.info.variant == each.variant and r.config == each.config), None
        )
        for each in plan
    ]


def make_planned(store: RunStore, name: str, plan: Sequence[Planned]) -> list[Run]:
    """The same, and those that are missing are made."""
    return [
        found
        or store.create(
            each.config,
            f"{name}: {each.variant}, seed {each.seed}",
            suite=name,
            variant=each.variant,
        )
        for found, each in zip(find_planned(store, name, plan), plan, strict=True)
    ]


# The table, written -------------------------------------------------------------------------------

MORE = {"accuracy": True, "bits": False, "maxvio": False, "idle": False, "sharpness": True}
"""What only some runs have; is it a share?"""


WORDS: dict[str, Any] = {
    "columns": ["variant", "runs", "final loss", "best loss"],
    "accuracy": "right",
    "bits": "bits a character",
    "maxvio": "MaxVio",
    "idle": "idle experts",
    "sharpness": "sharpness",
    "costs": ["parameters", "tokens/s"],
    "difference": "difference to {first}",
    "difference in bits": "difference to {first}, bits",
    "note": "Losses are on held-out data, in nats per token: mean ± standard deviation over the seeds. "
    "A difference is that of the final losses, paired by seed, with the interval that has the "
    "true one with 95 % confidence (Student's t); within noise: zero is in it. Each interval "
    "stands alone: of twenty, about one misses.",
    "note on bits": "The variants have different tokens, so the differences are of bits a character.",
}
"""What `to_markdown` says."""


def to_markdown(
    rows: Sequence[Row],
    title: str,
    question: str,
    base: str,
    words: Mapping[str, Any] = WORDS,
    say: Callable[[str], str] = str,
) -> str:
    """The table for people. `base` is the command that trains what the variants change.

    For another language, `words` are its `WORDS`, and `say` tells variants, states and verdicts in it.
    """
    more = [name for name in MORE if any(getattr(row, name) is not None for row in rows)]
    text = "bits" in more
    first = say(rows[0].variant) if rows else ""
    headings = [*words["columns"], *(words[name] for name in more), *words["costs"]]
    headings += [words["difference in bits" if text else "difference"].format(first=first), ""]
    lines = [f"# {title}", "", question, "", f"    {base}", ""]
    lines += [_line(headings), _line(["---"] * len(headings))]
    for row in rows:
        cells = [say(row.variant), _states(row, say), _spread(row.final), _spread(row.best)]
        cells += [_spread(getattr(row, name), percent=MORE[name]) for name in more]
        speed = row.tokens_per_second
        cells.append("–" if row.parameters is None else f"{row.parameters:,}")
        cells.append("–" if speed is None else f"{speed.mean:,.0f}")
        lines.append(_line([*cells, _difference(row.difference), say(row.verdict)]))
    lines += ["", words["note"], *(["", words["note on bits"]] if text else [])]
    return "\n".join(lines) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The table for programs: a line for each variant, numbers in full, empty where unknown."""
    text = io.StringIO()
    columns = [_columns(row) for row in rows]
    writer = csv.DictWriter(text, list(columns[0]) if columns else ["variant"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(columns)
    return text.getvalue()


def _columns(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {"variant": row.variant, "finished": row.finished}
    values["diverged"] = row.states.get("diverged", 0)
    values["other"] = sum(row.states.values()) - row.finished - values["diverged"]
    for name in ("final", "best", *MORE, "tokens_per_second"):
        spread: Spread | None = getattr(row, name)
        values[name] = spread and spread.mean
        values[f"{name}_deviation"] = spread and spread.deviation
    values["parameters"] = row.parameters
    difference = row.difference
    values["difference"] = difference and difference.mean
    values["difference_low"] = difference and difference.low
    values["difference_high"] = difference and difference.high
    values["pairs"] = difference and difference.count
    values["within_noise"] = difference and difference.within_noise
    return values


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _states(row: Row, say: Callable[[str], str]) -> str:
    """ "3", or "2, 1 diverged" where not all finished."""
    others = [f"{n} {say(state)}" for state, n in row.states.items() if state != "finished"]
    return ", ".join([str(row.finished), *others])


def _spread(spread: Spread | None, percent: bool = False) -> str:
    if spread is None:
        return "–"
    scale, digits, unit = (100, 1, " %") if percent else (1, 3, "")
    text = f"{scale * spread.mean:.{digits}f}"
    if spread.deviation is not None:
        text += f" ± {scale * spread.deviation:.{digits}f}"
    return text + unit


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return "–"
    text = _signed(difference.mean)
    if difference.low is not None and difference.high is not None:
        text += f" [{_signed(difference.low)}, {_signed(difference.high)}]"
    return text


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
