"""What a learner's expected run comes to: the table that has it, of the suites behind the lessons."""

from __future__ import annotations

from statistics import fmean, stdev

from engine.ablation.suites import SUITES
from engine.estimate import flops_per_token
from playground.runs import run_lookup
from playground.tabs.learn import lessons
from playground.tabs.learn.computed import two_by_two
from playground.tabs.learn.lesson import file_format
from playground.tabs.learn.lesson.file_format import Lesson, Option, Step

COLUMNS = {"loss": "final"}
"""Measures that a table has under another name."""


def row_of(found: Lesson, step: Step) -> dict[str, str] | None:
    """The row of a table that measured the run of a step; None where no suite of the lesson has it."""
    config = step.config()
    assert config is not None
    tables = [block["text"] for s in found.steps for block in s.blocks if block["kind"] == "table"]
    for suite in dict.fromkeys(tables):
        for variant in SUITES[suite].variants:
            plan = SUITES[suite].config(variant)
            if not set(plan.differences(config)) - lessons.RECORDING_FIELDS:
                rows = file_format.results(suite)
                return next(row for row in rows if row["variant"] == variant)
    return None


def spread_of(found: Lesson, step: Step) -> tuple[float, float] | None:
    """Mean and standard deviation over the seeds of what a step measures; None where nothing measured it."""
    if step.measure == "saved":
        values = [saved(prompt) for prompt in range(1, 25)]
        return fmean(values), stdev(values)
    if step.measure == "gain":  # the stored race: AdamW's loss minus Muon's, with each seed
        adamw, muon = two_by_two.finals(0), two_by_two.finals(1)
        values = [adamw[seed] - muon[seed] for seed in adamw]
        return fmean(values), stdev(values)
    if (
        step.measure == "directions"
    ):  # of Muon's step, at each moment of the stored race after its warm-up
        values = two_by_two.shares(1)[2:]
        return fmean(values), stdev(values)
    row = row_of(found, step)
    if row is None:
        return None
    if step.measure == "finished":
        return int(row["finished"]) / (int(row["finished"]) + int(row["diverged"])), 0.0
    column = COLUMNS.get(step.measure, step.measure)
    return float(row[column]), float(row[f"{column}_deviation"])


def right(options: list[Option], value: float) -> list[int]:
    """The numbers of the answers that cover a value."""
    return [number for number, each in enumerate(options) if each.low <= value <= each.high]


def saved(prompt: int, tokens: int = 30) -> float:
    """The share of the arithmetic that the cache saves the model of the stories, which writes so many tokens."""
    run = run_lookup.of_language("en")
    config, size = run.config.model, run.tokenizer().vocab_size
    each = [flops_per_token(config, prompt + written, size) for written in range(tokens + 1)]
    whole = sum((prompt + written) * flops for written, flops in enumerate(each))
    computed = prompt * each[0] + sum(each[1:])
    return 1 - computed / whole
