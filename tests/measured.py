"""What the suites behind the lessons measured: for each run that a lesson asks for, the table that has it."""

from __future__ import annotations

from engine.suites import SUITES
from playground import lesson_text, lessons
from playground.lesson_text import Lesson, Option, Step


def value_of(found: Lesson, step: Step) -> float | None:
    """The mean over the seeds of what a step measures; None where no suite of the lesson has its run."""
    config = step.config()
    assert config is not None
    tables = [block["text"] for s in found.steps for block in s.blocks if block["kind"] == "table"]
    for suite in dict.fromkeys(tables):
        for variant in SUITES[suite].variants:
            plan = SUITES[suite].config(variant)
            if not set(plan.differences(config)) - lessons.RECORDING:
                rows = lesson_text.results(suite)
                row = next(row for row in rows if row["variant"] == variant)
                if step.measure == "finished":
                    return int(row["finished"]) / (int(row["finished"]) + int(row["diverged"]))
                return float(row[{"loss": "final"}.get(step.measure, step.measure)])
    return None


def right(options: list[Option], value: float) -> list[int]:
    """The numbers of the answers that cover a value."""
    return [number for number, each in enumerate(options) if each.low <= value <= each.high]
