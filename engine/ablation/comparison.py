"""Find the runs of a suite, and compare its variants in a table.

The table is computed from the runs' logs. A run that diverged or failed is counted but not averaged.
Differences are paired by seed and have a confidence interval.

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

import numpy as np

from engine.ablation.significance import Difference, Spread
from engine.ablation.suites import PlannedRun
from engine.files import append_line, read_lines, read_object
from engine.runs.events import Stop
from engine.runs.locks import Claim
from engine.runs.store import Run, RunStore, State
from engine.runs.summary import Curve, Outcome

FINAL_STATES: tuple[State, ...] = ("finished", "diverged")
"""States of a run that has a result, so that it is not trained again."""

COMMANDS = "commands.jsonl"
"""In a suite's folder: commands to the process that works on it, as in a run's folder."""


@dataclass(frozen=True)
class Result:
    """The result of one run of a suite."""

    variant: str
    seed: int
    outcome: Outcome


@dataclass(frozen=True)
class Row:
    """One variant. Losses, accuracy and speed cover the finished runs only."""

    variant: str
    states: dict[State, int]
    """Number of runs in each state."""
    final: Spread | None
    """Validation loss after the last step, in nats per token."""
    best: Spread | None
    """Lowest validation loss of each run, in nats per token."""
    accuracy: Spread | None
    """Share of exact answers after the last step, 0 to 1, for a task that has them."""
    maxvio: Spread | None
    """Load imbalance of experts in the last batch: MaxVio of the least balanced layer."""
    idle: Spread | None
    """Experts with at most a tenth of the mean load in the last batch, in the layer with the most of them."""
    sharpness: Spread | None
    """Alignment sharpness at the last recorded step, 0 to 1 (see `Snapshot.sharpness`)."""
    parameters: int | None
    tokens_per_second: Spread | None
    difference: Difference | None
    """Final loss minus that of the baseline, paired by seed; None for the baseline. In bits per character
    if the variants have different tokens."""
    bits: Spread | None = None
    """Final loss of a text in bits per character, if the variants have different tokens."""
    seconds: Spread | None = None
    """Processor seconds of all updates, for runs that recorded them."""
    at_equal_time: Difference | None = None
    """Loss minus that of the baseline after equal processor seconds, paired by seed (see `at_equal_time`)."""

    @property
    def finished(self) -> int:
        return self.states.get("finished", 0)

    @property
    def verdict(self) -> str:
        """The difference in words: better, worse, within noise or one seed; '' without a difference."""
        return _verdict(self.difference)

    @property
    def verdict_at_equal_time(self) -> str:
        """The difference after equal processor seconds in words."""
        return _verdict(self.at_equal_time)


def _verdict(difference: Difference | None) -> str:
    if difference is None:
        return ""
    if difference.within_noise is None:
        return "one seed: no interval"
    if difference.within_noise:
        return "within noise"
    return "worse" if difference.mean > 0 else "better"


def compare(results: Iterable[Result], first: str | None = None) -> list[Row]:
    """Compare variants with a baseline; one row per variant in order of appearance, baseline first.

    Args:
        results: one per variant and seed. If there are several, the last one counts.
        first: the baseline (default: the variant of the first result).
    """
    grouped: dict[str, dict[int, Outcome]] = {} if first is None else {first: {}}
    for result in results:
        grouped.setdefault(result.variant, {})[result.seed] = result.outcome
    compared = _bits if _tokens_differ(grouped.values()) else _loss
    first_outcomes = next(iter(grouped.values())) if grouped else {}
    base = _finished(first_outcomes, compared)
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
                seconds=Spread.of(each.curve[-1][0] for each in finished if each.curve),
                at_equal_time=at_equal_time(outcomes, first_outcomes)
                if number and compared is _loss
                else None,
            )
        )
    return rows


def at_equal_time(
    outcomes: Mapping[int, Outcome], base: Mapping[int, Outcome]
) -> Difference | None:
    """The difference of losses after equal processor seconds, paired by seed; None without pairs.

    The seconds of a pair are those of the shorter run. The loss of the longer one is read off its curve, between two
    evaluations in a line. Its learning rate has not come down yet there, so the comparison is hard on the slower
    variant.
    """
    mine: dict[int, float] = {}
    theirs: dict[int, float] = {}
    for seed in outcomes.keys() & base.keys():
        pair = outcomes[seed], base[seed]
        if all(each.state == "finished" and each.curve for each in pair):
            seconds = min(each.curve[-1][0] for each in pair)
            mine[seed], theirs[seed] = (loss_after(seconds, each.curve) for each in pair)
    return Difference.paired(mine, theirs)


def loss_after(seconds: float, curve: Curve) -> float:
    """The loss of a curve after this many processor seconds, interpolated linearly between two evaluations."""
    times, losses = zip(*curve, strict=True)
    return float(np.interp(seconds, times, losses))


def _loss(outcome: Outcome) -> float | None:
    return outcome.final_loss


def _bits(outcome: Outcome) -> float | None:
    return outcome.bits


def _finished(
    outcomes: dict[int, Outcome], compared: Callable[[Outcome], float | None]
) -> dict[int, float]:
    """The compared value of each finished run, by seed."""
    values = {seed: compared(run) for seed, run in outcomes.items() if run.state == "finished"}
    return {seed: value for seed, value in values.items() if value is not None}


def _tokens_differ(variants: Iterable[dict[int, Outcome]]) -> bool:
    """Whether runs differ in their tokens, so that losses in nats per token are not comparable."""
    outcomes = (outcome for variant in variants for outcome in variant.values())
    sizes = [each.bits / each.final_loss for each in outcomes if each.bits and each.final_loss]
    return bool(sizes) and max(sizes) > 1.02 * min(sizes)


# The runs of a suite ------------------------------------------------------------------------------


def suite_folder(store: RunStore, name: str) -> Path:
    """The folder of a suite, beside the runs, with its tables and its lock."""
    return store.root / "suites" / re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:100]


def request_stop(folder: Path) -> None:
    """Ask the process that works on this suite, on any machine, to save its runs and end."""
    append_line(folder / COMMANDS, Stop().to_line())


def stop_requested(folder: Path, claim: Claim) -> bool:
    """Whether a stop was requested of the process that holds this claim."""
    lines, _ = read_lines(folder / COMMANDS, claim.commands, 1 << 16)
    return any((read_object(line) or {}).get("type") == Stop.type for line in lines)


def suite_names(runs: Iterable[Run]) -> list[str]:
    """The distinct suite names of these runs."""
    return list(dict.fromkeys(run.info.suite for run in runs if run.info.suite))


def runs_of_suite(runs: Iterable[Run], name: str) -> list[Run]:
    """The runs of a suite, in order of creation: the newest one for each variant and seed."""
    found: dict[tuple[str | None, int], Run] = {}
    for run in sorted(runs, key=lambda run: run.info.created):
        if run.info.suite == name:
            found[run.info.variant, run.config.train.seed] = run
    return list(found.values())


def results(runs: Iterable[Run]) -> list[Result]:
    """The results of a suite's runs, for `compare`."""
    return [
        Result(run.info.variant or run.name, run.config.train.seed, Outcome.of(run)) for run in runs
    ]


def final_losses(results: Iterable[Result]) -> dict[str, float]:
    """The validation loss of each variant that finished, of its last seed."""
    return {
        result.variant: result.outcome.final_loss
        for result in results
        if result.outcome.state == "finished" and result.outcome.final_loss is not None
    }


def find_planned(store: RunStore, name: str, plan: Sequence[PlannedRun]) -> list[Run | None]:
    """The stored run for each planned run; None if there is none.

    A stored run must have the same suite, variant and complete configuration, so a suite whose
    definition changed starts over. Unreadable runs are ignored.
    """
    stored = [run for run in store.list() if run.info.suite == name]
    return [
        next(
            (r for r in stored if r.info.variant == each.variant and r.config == each.config), None
        )
        for each in plan
    ]


def make_planned(store: RunStore, name: str, plan: Sequence[PlannedRun]) -> list[Run]:
    """Like `find_planned`, but create the missing runs."""
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


# Output -------------------------------------------------------------------------------------------

OPTIONAL_COLUMNS = {
    "accuracy": True,
    "bits": False,
    "maxvio": False,
    "idle": False,
    "sharpness": True,
}
"""Columns for values that only some runs have, and whether each is a share."""

TABLE_TEXT: dict[str, Any] = {
    "columns": ["variant", "runs", "final loss", "best loss"],
    "accuracy": "right",
    "bits": "bits per character",
    "maxvio": "MaxVio",
    "idle": "idle experts",
    "sharpness": "sharpness",
    "costs": ["parameters", "tokens/s"],
    "seconds": "processor seconds",
    "difference": "difference to {first}",
    "at equal time": "after equal processor seconds",
    "difference in bits": "difference to {first}, bits",
    "note": "Losses are validation losses in nats per token: mean ± standard deviation over the seeds. "
    "Differences compare the final losses, paired by seed, with a 95% confidence interval (Student's t). "
    "Within noise: the interval contains zero. The intervals are not corrected for multiple comparisons: "
    "about one in twenty misses the true difference.",
    "note on time": "After equal processor seconds: the seconds of a pair are those of the shorter run; the loss of the longer "
    "one is read off its curve, where its learning rate has not come down yet.",
    "note on bits": "The variants have different tokens, so the differences are in bits per character.",
}
"""The English text of `to_markdown`."""


def to_markdown(
    rows: Sequence[Row],
    title: str,
    question: str,
    base: str,
    words: Mapping[str, Any] = TABLE_TEXT,
    translate: Callable[[str], str] = str,
) -> str:
    """Format the table as Markdown. `base` is the command that trains the base configuration.

    For another language, `words` is its `TABLE_TEXT`, and `translate` translates variants, states and verdicts.
    """
    more = [
        name for name in OPTIONAL_COLUMNS if any(getattr(row, name) is not None for row in rows)
    ]
    text = "bits" in more
    first = translate(rows[0].variant) if rows else ""
    timed = any(row.seconds is not None for row in rows)
    at_equal_time = any(row.at_equal_time is not None for row in rows)
    headings = [*words["columns"], *(words[name] for name in more), *words["costs"]]
    headings += [words["seconds"]] * timed
    headings += [words["difference in bits" if text else "difference"].format(first=first), ""]
    headings += [words["at equal time"], ""] * at_equal_time
    lines = [f"# {title}", "", question, "", f"    {base}", ""]
    lines += [_line(headings), _line(["---"] * len(headings))]
    for row in rows:
        cells = [
            translate(row.variant),
            _states(row, translate),
            _spread(row.final),
            _spread(row.best),
        ]
        cells += [_spread(getattr(row, name), percent=OPTIONAL_COLUMNS[name]) for name in more]
        speed = row.tokens_per_second
        cells.append("–" if row.parameters is None else f"{row.parameters:,}")
        cells.append("–" if speed is None else f"{speed.mean:,.0f}")
        cells += ["–" if row.seconds is None else f"{row.seconds.mean:.1f}"] * timed
        cells += [_difference(row.difference), translate(row.verdict)]
        verdict = translate(row.verdict_at_equal_time)
        cells += [_difference(row.at_equal_time), verdict] * at_equal_time
        lines.append(_line(cells))
    lines += ["", words["note"], *(["", words["note on bits"]] if text else [])]
    lines += ["", words["note on time"]] * at_equal_time
    return "\n".join(lines) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """Format the table as CSV: one line per variant, full precision, empty cells for unknown values."""
    text = io.StringIO()
    columns = [_columns(row) for row in rows]
    writer = csv.DictWriter(text, list(columns[0]) if columns else ["variant"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(columns)
    return text.getvalue()


def from_csv(text: str) -> list[Row]:
    """The rows of a table that `to_csv` wrote. Raises `ValueError` for any other text."""
    rows = list(csv.DictReader(io.StringIO(text)))
    try:
        return [_row(values) for values in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"is not a table of a suite: {error}") from None


def _row(values: Mapping[str, str]) -> Row:
    def number(name: str) -> float | None:
        return float(values[name]) if values.get(name) else None

    def spread(name: str, count: int) -> Spread | None:
        mean = number(name)
        return None if mean is None else Spread(mean, number(f"{name}_deviation"), count)

    def difference(start: str) -> Difference | None:
        mean, pairs = number(f"{start}difference"), number(f"{start}pairs")
        if mean is None or pairs is None:
            return None
        low, high = number(f"{start}difference_low"), number(f"{start}difference_high")
        return Difference(mean, low, high, int(pairs))

    finished, parameters = int(values["finished"]), number("parameters")
    states: dict[State, int] = {"finished": finished, "diverged": int(values["diverged"])}
    return Row(
        variant=values["variant"],
        states={state: count for state, count in states.items() if count},
        final=spread("final", finished),
        best=spread("best", finished),
        accuracy=spread("accuracy", finished),
        maxvio=spread("maxvio", finished),
        idle=spread("idle", finished),
        sharpness=spread("sharpness", finished),
        parameters=None if parameters is None else int(parameters),
        tokens_per_second=spread("tokens_per_second", finished),
        difference=difference(""),
        bits=spread("bits", finished),
        seconds=spread("processor_seconds", finished),
        at_equal_time=difference("equal_time_"),
    )


def _columns(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {"variant": row.variant, "finished": row.finished}
    values["diverged"] = row.states.get("diverged", 0)
    values["other"] = sum(row.states.values()) - row.finished - values["diverged"]
    for name in ("final", "best", *OPTIONAL_COLUMNS, "tokens_per_second"):
        spread: Spread | None = getattr(row, name)
        values[name] = spread and spread.mean
        values[f"{name}_deviation"] = spread and spread.deviation
    values["parameters"] = row.parameters
    values["processor_seconds"] = row.seconds and row.seconds.mean
    values["processor_seconds_deviation"] = row.seconds and row.seconds.deviation
    for start, difference in (("", row.difference), ("equal_time_", row.at_equal_time)):
        values[f"{start}difference"] = difference and difference.mean
        values[f"{start}difference_low"] = difference and difference.low
        values[f"{start}difference_high"] = difference and difference.high
        values[f"{start}pairs"] = difference and difference.count
        values[f"{start}within_noise"] = difference and difference.within_noise
    return values


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _states(row: Row, translate: Callable[[str], str]) -> str:
    """ "3", or "2, 1 diverged" if not all finished."""
    others = [f"{n} {translate(state)}" for state, n in row.states.items() if state != "finished"]
    return ", ".join([str(row.finished), *others])


def _spread(spread: Spread | None, percent: bool = False) -> str:
    if spread is None:
        return "–"
    scale, digits, unit = (100, 1, "%") if percent else (1, 3, "")
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
