"""What can be wrong with the lessons' files: what a lesson names and is not there, and languages that differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from engine.presets import PRESETS
from engine.validation import ConfigError
from playground.runs import run_lookup
from playground.tabs.learn import lessons
from playground.tabs.learn.lesson import blocks
from playground.tabs.learn.lesson.file_format import BLOCKS, LessonError, Step


def problems() -> Iterator[str]:
    """Errors in the lessons: presets, measures, predictions, and differences between languages."""
    for name in lessons.names():
        first = lessons.lesson(name, lessons.LANGUAGES[0])
        for language in lessons.LANGUAGES:
            each = lessons.lesson(name, language)
            if [_shape(step) for step in each.steps] != [_shape(step) for step in first.steps]:
                yield f"{language}/{name}: its steps differ from those of {lessons.LANGUAGES[0]}"
            if [paper.address for paper in each.papers] != [
                paper.address for paper in first.papers
            ]:
                yield f"{language}/{name}: its papers differ from those of {lessons.LANGUAGES[0]}"
        if first.preset not in PRESETS:
            yield f"{name}: there is no preset {first.preset}"
        for number, step in enumerate(first.steps):
            for block in step.blocks:
                if block["kind"] == "code":
                    try:
                        lessons.excerpt(block)
                    except LessonError as error:
                        yield f"{name}: {step.title}: {error}"
            try:
                config = step.config()
            except ConfigError as error:
                yield f"{name}: {step.title}: {error}"
                continue
            if step.measure in lessons.ON_PAGE:
                if not step.until:
                    yield f"{name}: {step.title}: measures {step.measure!r} without 'until'"
            elif step.examines and lessons.stored_run(step) is None:
                yield f"{name}: {step.title}: examines a run of no experiment that is stored"
            elif step.measure and (config is None or step.measure not in lessons.MEASURES):
                yield f"{name}: {step.title}: measures {step.measure!r} without a run"
            if step.predict and not step.options:
                yield f"{name}: {step.title}: the prediction has no answers"
            if step.options and not any(each.measure for each in first.steps[number : number + 2]):
                yield f"{name}: {step.title}: the prediction is never checked"
            if step.measure and not lessons.predicted(first, number):
                yield f"{name}: {step.title}: measures without a prediction"


def _shape(step: Step) -> tuple[Any, ...]:
    """The parts of a step that all languages must share."""
    ranges = [(option.low, option.high, bool(option.why)) for option in step.options]
    shapes = [
        blocks.shape(block) for block in step.blocks if block["kind"] in (*BLOCKS, *blocks.KINDS)
    ]
    shown = dict(parse_qsl(step.open))
    if shown.get("run") in run_lookup.FIRST.values():
        shown["run"] = "the first of the language"
    return shown, step.point, step.until, step.measure, bool(step.predict), ranges, shapes
