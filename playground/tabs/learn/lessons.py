"""The lessons, in their order: read from `assets/lessons/`, with the code that they quote and their stored runs.

`lesson.file_format` describes the file format. PyTorch is loaded only to show source code.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import json
from collections.abc import Callable
from typing import Any, TypedDict

from engine.config import RunConfig
from engine.runs import summary
from engine.runs.events import Evaluated
from engine.runs.store import Run
from playground.runs import run_lookup
from playground.tabs.learn import LESSONS
from playground.tabs.learn.lesson.file_format import (
    Lesson,
    LessonError,
    Option,
    Step,
    parse,
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


def predicted(found: Lesson, step: int) -> list[Option]:
    """The answers that a step's result decides: those of the step itself, or of the step before."""
    for each in (found.steps[step], found.steps[step - 1] if step else None):
        if each is not None and each.options:
            return each.options
    return []


def checked_language(value: object) -> str:
    """A language of the lessons. Raises `LessonError` for any other value."""
    if value not in LANGUAGES:
        raise LessonError(TEXT["language"].format(allowed=", ".join(LANGUAGES)))
    return str(value)


def _last(run: Run, kind: type[Any], value: Callable[[Any], float | None]) -> float | None:
    """The latest value of a run's events of this kind; None if there is none."""
    found = [value(event) for event in run.history() if isinstance(event, kind)]
    return found[-1] if found else None
