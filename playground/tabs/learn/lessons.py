"""Server functions of the tab Learn: lessons, and the check of a student's run against a prediction.

`lesson.file_format` describes the file format. Any client may call these functions, so every argument is checked,
and errors are returned as {"error": "a sentence for the user"}. PyTorch is loaded only to show source code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypedDict
from urllib.parse import parse_qsl

from engine import estimate
from engine.config import RunConfig
from engine.presets import PRESETS
from engine.runs import summary
from engine.runs.events import Evaluated
from engine.runs.store import Run
from engine.validation import ConfigError
from playground.hosting import checks
from playground.planning import machine_speed
from playground.runs import run_lookup
from playground.tabs.learn import LESSONS, game, notebooks
from playground.tabs.learn.lesson import blocks, figures
from playground.tabs.learn.lesson.file_format import (
    BLOCKS,
    Lesson,
    LessonError,
    Option,
    Step,
    parse,
    results,
)

LANGUAGES = ("en", "zh")
SEPARATORS = {"en": "; ", "zh": "；"}

PATH = (
    "guess", "pieces", "softmax", "gradient", "attention-by-hand", "attention", "positions", "block", "normalisation",
    "model", "training", "failed-run",
)  # fmt: skip
"""The lessons of the guided path, in order."""

BESIDE = ("tokens", "experts", "cache", "translation", "optimizers")
"""Lessons outside the path, for any time."""

RECORDING_FIELDS = {
    "seed", "threads", "device", "log_interval", "eval_interval", "eval_steps", "sample_interval",
    "probe_interval", "save_interval", "keep_checkpoints",
}  # fmt: skip
"""Fields that may differ between a student's run and the lesson's."""

MEASURES: dict[str, Callable[[Run], float | None]] = {
    "accuracy": lambda run: _last(run, Evaluated, lambda event: event.accuracy),
    "loss": lambda run: _last(run, Evaluated, lambda event: event.loss),
    "bits": lambda run: _last(run, Evaluated, lambda event: event.bits),
    "idle": lambda run: summary.idle(run.history()),
    "sharpness": lambda run: summary.sharpness(run, run.history()),
    "finished": lambda run: float(run.status().state == "finished"),
}
"""Measures of a student's run: the latest value, or None."""

ON_PAGE = {
    "saved": ".generate[data-saved]",
    "gain": ".optimizers[data-gain]",
    "directions": ".optimizers[data-directions]",
}
"""Measures on the page itself, and the element from whose data attribute the coach reads the value."""

ASKED = ("quiz", "exercise")
"""Blocks that are answered on the page."""

TEXT = {
    "lesson": "There is no lesson {name!r}.",
    "language": "lang must be one of {allowed}.",
}


@functools.cache
def lesson(name: str, language: str) -> Lesson:
    """Read a lesson. Raises `LessonError`."""
    if name not in names():
        raise LessonError(TEXT["lesson"].format(name=str(name)[:80]))
    path = LESSONS / language / f"{name}.md"
    found = parse(path.read_text("utf-8"), name, language)
    for number, step in enumerate(found.steps):
        questions = [block for block in step.blocks if block["kind"] in ASKED]
        for place, block in enumerate(questions):
            block["id"] = f"{name}.{number}.{place}"  # the same in every language
            if block["kind"] == "quiz":
                block["options"] = shuffled(block["options"], block["id"])
    return found


def shuffled(options: list[dict[str, Any]], question: str) -> list[dict[str, Any]]:
    """The answers to a quiz in an order that depends only on its id: in the files, the right one often stands first."""

    def place(number: int) -> bytes:
        return hashlib.sha256(f"{question}.{number}".encode()).digest()

    return [options[number] for number in sorted(range(len(options)), key=place)]


def stored_id(config: RunConfig) -> str:
    """The id of the stored run of a configuration, whatever it records; `stored_runs` writes them."""
    kept = {name: value for name, value in config.flat().items() if name not in RECORDING_FIELDS}
    text = json.dumps(kept, sort_keys=True, default=str)
    return "lesson-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def stored_run(step: Step) -> Run | None:
    """The stored run of a step's experiment, if there is one."""
    config = step.config() if step.measure in MEASURES or step.examines else None
    if config is None or not (run_lookup.STORED / stored_id(config)).is_dir():
        return None
    return run_lookup.find(stored_id(config))


def names() -> list[str]:
    """The names of all lessons: those of the path, then the others."""
    return [name for name in (*PATH, *BESIDE) if (LESSONS / "en" / f"{name}.md").is_file()]


class Note(TypedDict):
    """A note beside a line of code; `line` counts from 0 in the excerpt."""

    line: int
    spans: list[list[str]]


class Excerpt(TypedDict):
    """A part of the source code, and the number of its first line in the whole function or class."""

    source: str
    first: int
    notes: list[Note]


def excerpt(block: dict[str, Any]) -> Excerpt:
    """The lines of a block of code, and its notes. Raises `LessonError`, also if a note's line is not there."""
    lines = source(block["text"]).split("\n")
    first, last = block["lines"] or (1, len(lines))
    if last > len(lines):
        raise LessonError(f"{block['text']} has {len(lines)} lines, not {last}")
    lines = lines[first - 1 : last]
    notes: list[Note] = []
    for note in block["notes"]:
        found = [i for i, line in enumerate(lines) if note["at"] in line]
        if len(found) != 1:
            raise LessonError(f"{block['text']}: {len(found)} lines have {note['at']!r}, not one")
        notes.append({"line": found[0], "spans": note["spans"]})
    return {"source": inspect.cleandoc("\n" + "\n".join(lines)), "first": first, "notes": notes}


def source(reference: str) -> str:
    """The source code of `module:name` in the engine. Raises `LessonError`."""
    module, _, name = reference.partition(":")
    if not module.startswith("engine."):
        raise LessonError(f"{reference}: must be in the package engine")
    found: Any = importlib.import_module(module)
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise LessonError(f"{reference}: there is no such name") from None
    return inspect.cleandoc("\n" + inspect.getsource(found))


# Server functions --------------------------------------------------------------------------------


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
    found = [lesson(name, _language(lang)) for name in names()]
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
    found = lesson(name, _language(lang))
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
                "seen": ON_PAGE.get(step.measure, ""),
                "predict": step.predict,
                "options": [{"text": option.text, "why": option.why} for option in step.options],
                "examines": step.examines,
                "stored": stored.id if (stored := stored_run(step)) else None,
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
        "paper": SEPARATORS[found.language].join(each.text for each in found.papers),
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
    return "path" if name in PATH else "beside"


def _place(name: str) -> tuple[int, int]:
    part = [each for each in names() if _part(each) == _part(name)]
    return part.index(name) + 1, len(part)


def _next(name: str, language: str) -> NextLesson | None:
    every = names()
    after = every[every.index(name) + 1 :]
    if not after:
        return None
    return {"name": after[0], "title": lesson(after[0], language).title}


def _picture(name: str) -> str:
    """The drawing of a lesson in the list."""
    own = f"cover-{name}"
    return figures.drawing(own if figures.exists(own) else "cover")


def _filled(blocks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["kind"] == "code":
            yield block | excerpt(block)
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
    found = lesson(name, _language(lang))
    step = checks.whole("step", step, 0, len(found.steps) - 1)
    current = found.steps[step]
    if current.measure in ON_PAGE:
        if not isinstance(seen, int | float) or not math.isfinite(seen):
            return {"state": "none"}
        return {"state": "over", **_judged(found, step, float(seen))}
    config = current.config()
    if not (current.measure or current.examines) or config is None:
        return {"state": "none"}
    for run in _candidates(runs):
        if set(run.config.differences(config)) - RECORDING_FIELDS:
            continue
        status = run.status()
        over = status.state in ("finished", "diverged")
        if current.examines and not over:
            continue
        value = MEASURES[current.measure](run) if over and current.measure else None
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
    options = predicted(found, step)
    right = [i for i, o in enumerate(options) if value is not None and o.low <= value <= o.high]
    measure = found.steps[step].measure
    return {"value": value, "measure": measure, "right": right[0] if right else None}


def predicted(found: Lesson, step: int) -> list[Option]:
    """The answers that a step's result decides: those of the step itself, or of the step before."""
    for each in (found.steps[step], found.steps[step - 1] if step else None):
        if each is not None and each.options:
            return each.options
    return []


def _candidates(ids: object) -> Iterator[Run]:
    for run_id in ids[:50] if isinstance(ids, list) else []:
        try:
            yield run_lookup.find(run_id)
        except ValueError:
            continue


def _language(value: object) -> str:
    if value not in LANGUAGES:
        raise LessonError(TEXT["language"].format(allowed=", ".join(LANGUAGES)))
    return str(value)


def _last(run: Run, kind: type[Any], value: Callable[[Any], float | None]) -> float | None:
    """The latest value of a run's events of this kind; None if there is none."""
    found = [value(event) for event in run.history() if isinstance(event, kind)]
    return found[-1] if found else None


def problems() -> Iterator[str]:
    """Errors in the lessons: presets, measures, predictions, and differences between languages."""
    for name in names():
        first = lesson(name, LANGUAGES[0])
        for language in LANGUAGES:
            each = lesson(name, language)
            if [_shape(step) for step in each.steps] != [_shape(step) for step in first.steps]:
                yield f"{language}/{name}: its steps differ from those of {LANGUAGES[0]}"
            if [paper.address for paper in each.papers] != [
                paper.address for paper in first.papers
            ]:
                yield f"{language}/{name}: its papers differ from those of {LANGUAGES[0]}"
        if first.preset not in PRESETS:
            yield f"{name}: there is no preset {first.preset}"
        for number, step in enumerate(first.steps):
            for block in step.blocks:
                if block["kind"] == "code":
                    try:
                        excerpt(block)
                    except LessonError as error:
                        yield f"{name}: {step.title}: {error}"
            try:
                config = step.config()
            except ConfigError as error:
                yield f"{name}: {step.title}: {error}"
                continue
            if step.measure in ON_PAGE:
                if not step.until:
                    yield f"{name}: {step.title}: measures {step.measure!r} without 'until'"
            elif step.examines and stored_run(step) is None:
                yield f"{name}: {step.title}: examines a run of no experiment that is stored"
            elif step.measure and (config is None or step.measure not in MEASURES):
                yield f"{name}: {step.title}: measures {step.measure!r} without a run"
            if step.predict and not step.options:
                yield f"{name}: {step.title}: the prediction has no answers"
            if step.options and not any(each.measure for each in first.steps[number : number + 2]):
                yield f"{name}: {step.title}: the prediction is never checked"
            if step.measure and not predicted(first, number):
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


SERVED: checks.Served = (path, read, check, *game.SERVED)
