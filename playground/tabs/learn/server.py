"""Server functions of the tab Learn: lessons, and the check of a student's run against a prediction.

Any client may call these functions, so every argument is checked, and errors are returned as
{"error": "a sentence for the user"}.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from engine import estimate
from engine.runs.store import Run
from playground.hosting import checks
from playground.planning import machine_speed
from playground.runs import run_lookup
from playground.tabs.learn import game, lessons, notebooks
from playground.tabs.learn.lesson import figures
from playground.tabs.learn.lesson.file_format import Lesson, results


class LessonHead(TypedDict):
    """What a lesson is. `part` is "path" or "beside"; `paper` names its papers; `picture` is an SVG drawing."""

    name: str
    part: str
    title: str
    goal: str
    minutes: int
    paper: str
    picture: str


class LessonEntry(LessonHead):
    """A lesson in the list of all of them."""

    steps: int
    questions: list[str]


class LessonPath(TypedDict):
    """What `path` answers."""

    lessons: list[LessonEntry]


class LessonOption(TypedDict):
    """An answer to a prediction, and why it is right or wrong, marked up; empty without a reason."""

    text: str
    why: list[list[str]]


class LessonStep(TypedDict):
    """A step of a lesson. `place` blocks come before its experiment; `stored` is the id of a stored run of it, and
    `seconds` what an own one will take.

    `examines` says that it opens a run of an experiment, which the learner has trained or watched before.
    """

    title: str
    blocks: list[dict[str, Any]]
    open: str
    task: list[dict[str, Any]]
    place: int
    point: str
    until: str
    measure: str
    seen: str
    predict: str
    options: list[LessonOption]
    examines: bool
    stored: str | None
    seconds: float | None


class NextLesson(TypedDict):
    """The lesson after another one."""

    name: str
    title: str


class Reading(TypedDict):
    """Something to read, and its address."""

    text: str
    address: str


class LessonPage(LessonHead):
    """What `read` answers. `place` is (number, how many) among the lessons of its part, `notebook` a path.

    `readings` are its papers, and what else there is to read.
    """

    notebook: str
    readings: list[Reading]
    objectives: list[str]
    place: tuple[int, int]
    next: NextLesson | None
    intro: list[dict[str, Any]]
    steps: list[LessonStep]


class Judged(TypedDict, total=False):
    """A measured value, and the number of the option that covers it."""

    value: float | None
    measure: str
    right: int | None


class StepState(TypedDict):
    """What is known before there is a run."""

    state: str


class StepResult(StepState, Judged, total=False):
    """What `check` answers."""

    run: str
    step: int
    total: int


@checks.answer
def path(lang: str) -> LessonPath:
    """All lessons."""
    found = [lessons.lesson(name, lessons.checked_language(lang)) for name in lessons.names()]
    return {
        "lessons": [
            {
                **_head(each),
                "steps": len(each.steps),
                "questions": [
                    block["id"] for step in each.steps for block in step.blocks if "id" in block
                ],
            }
            for each in found
        ]
    }


@checks.answer
def read(name: str, lang: str) -> LessonPage:
    """A complete lesson, with its source code and tables."""
    found = lessons.lesson(name, lessons.checked_language(lang))
    return {
        **_head(found),
        "notebook": notebooks.path(found.name, found.language),
        "readings": [
            {"text": each.text, "address": each.address} for each in found.papers + found.readings
        ],
        "objectives": found.objectives,
        "place": _place(found.name),
        "next": _next(found.name, found.language),
        "intro": list(_filled(found.intro)),
        "steps": [
            {
                "title": step.title,
                "blocks": list(_filled(step.blocks)),
                "open": step.open,
                "task": step.task,
                "place": step.place,
                "point": step.point,
                "until": step.until,
                "measure": step.measure,
                "seen": lessons.ON_PAGE.get(step.measure, ""),
                "predict": step.predict,
                "options": [{"text": option.text, "why": option.why} for option in step.options],
                "examines": step.examines,
                "stored": stored.id if (stored := lessons.stored_run(step)) else None,
                "seconds": _seconds(stored),
            }
            for step in found.steps
        ],
    }


def _head(found: Lesson) -> LessonHead:
    return {
        "name": found.name,
        "part": _part(found.name),
        "title": found.title,
        "goal": found.goal,
        "minutes": found.minutes,
        "paper": lessons.SEPARATORS[found.language].join(each.text for each in found.papers),
        "picture": _picture(found.name),
    }


def _seconds(stored: Run | None) -> float | None:
    """How long the training of such a run takes on this machine, as far as its speed is known."""
    speed = machine_speed.speed()
    vocabulary = None if stored is None else run_lookup.vocabulary(stored)
    if stored is None or speed is None or vocabulary is None:
        return None
    return estimate.seconds(stored.config, speed, vocabulary)


def _part(name: str) -> str:
    return "path" if name in lessons.PATH else "beside"


def _place(name: str) -> tuple[int, int]:
    part = [each for each in lessons.names() if _part(each) == _part(name)]
    return part.index(name) + 1, len(part)


def _next(name: str, language: str) -> NextLesson | None:
    every = lessons.names()
    after = every[every.index(name) + 1 :]
    if not after:
        return None
    return {"name": after[0], "title": lessons.lesson(after[0], language).title}


def _picture(name: str) -> str:
    """The drawing of a lesson in the list."""
    own = f"cover-{name}"
    return figures.drawing(own if figures.exists(own) else "cover")


def _filled(blocks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["kind"] == "code":
            yield block | lessons.excerpt(block)
        elif block["kind"] == "table":
            yield block | {"rows": results(block["text"])}
        else:
            yield block


@checks.answer
def check(
    name: str, lang: str, step: int, runs: list[str], seen: float | None = None
) -> StepResult:
    """The result of a step, from the student's own run or from a value measured on the page.

    Args:
        runs: ids of the browser's runs, newest first; the first one with the settings of the step counts.
            For a step that examines a run, the first of them that has ended.
        seen: the value measured on the page, for a measure in `ON_PAGE`.

    Returns:
        {"state": "none" | "training" | "over", "run", "step", "total", "value", "measure", "right": the
        index of the option that covers the value}
    """
    found = lessons.lesson(name, lessons.checked_language(lang))
    step = checks.whole("step", step, 0, len(found.steps) - 1)
    current = found.steps[step]
    if current.measure in lessons.ON_PAGE:
        if not isinstance(seen, int | float) or not math.isfinite(seen):
            return {"state": "none"}
        return {"state": "over", **_judged(found, step, float(seen))}
    config = current.config()
    if not (current.measure or current.examines) or config is None:
        return {"state": "none"}
    for run in _candidates(runs):
        if set(run.config.differences(config)) - lessons.RECORDING_FIELDS:
            continue
        status = run.status()
        over = status.state in ("finished", "diverged")
        if current.examines and not over:
            continue
        value = lessons.MEASURES[current.measure](run) if over and current.measure else None
        return {
            "state": "over" if over else "training",
            "run": run.id,
            "step": status.step,
            "total": status.total_steps,
            **_judged(found, step, value),
        }
    return {"state": "none"}


def _judged(found: Lesson, step: int, value: float | None) -> Judged:
    """A measured value, and the index of the answer that covers it."""
    options = lessons.predicted(found, step)
    right = [i for i, o in enumerate(options) if value is not None and o.low <= value <= o.high]
    measure = found.steps[step].measure
    return {"value": value, "measure": measure, "right": right[0] if right else None}


def _candidates(ids: object) -> Iterator[Run]:
    for run_id in ids[:50] if isinstance(ids, list) else []:
        try:
            yield run_lookup.find(run_id)
        except ValueError:
            continue


SERVED: checks.Served = (path, read, check, *game.SERVED)
