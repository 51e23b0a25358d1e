"""The guided path: lessons that act on the page itself, and what a learner's own run says to a prediction.

How a lesson is written is in `lesson_text`. Any client may call what is served here: arguments are checked, and
what is refused is answered with {"error": "a sentence for the learner"}. Nothing here loads PyTorch before
source code is asked for.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import outcomes
from engine.events import Evaluated
from engine.presets import PRESETS
from engine.runs import Run
from engine.validation import ConfigError
from playground import answers, library
from playground.lesson_text import BLOCKS, Lesson, LessonError, Option, Step, parse, results

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "lessons"
LANGUAGES = ("en", "zh")

ORDER = (
    "attention", "positions", "normalisation", "block", "model", "experts", "training",
)  # fmt: skip
"""The path, from the ground up."""

BESIDE = ("tokens", "cache", "translation", "failed-run")
"""Lessons that stand beside the path: each on its own, at any time."""

RECORDING = {
    "seed", "threads", "device", "log_interval", "eval_interval", "eval_steps", "sample_interval",
    "probe_interval", "save_interval", "keep_checkpoints",
}  # fmt: skip
"""Fields that change nothing of what a lesson asks."""

MEASURES: dict[str, Callable[[Run], float | None]] = {
    "accuracy": lambda run: _last(run, Evaluated, lambda event: event.accuracy),
    "loss": lambda run: _last(run, Evaluated, lambda event: event.loss),
    "bits": lambda run: _last(run, Evaluated, lambda event: event.bits),
    "idle": lambda run: outcomes.idle(run.history()),
    "sharpness": lambda run: outcomes.sharpness(run, run.history()),
    "finished": lambda run: float(run.status().state == "finished"),
}
"""What a step may measure of a learner's run: the newest there is."""

ON_PAGE = {"saved": ".generate[data-saved]"}
"""What a step may measure on the page itself, and where a view says it: the coach sends what it reads there."""

TEXT = {
    "lesson": "There is no lesson {name!r}.",
    "language": "lang must be one of {allowed}.",
}


@functools.cache
def lesson(name: str, language: str) -> Lesson:
    """Read a lesson. Raises `LessonError`."""
    if name not in names():
        raise LessonError(TEXT["lesson"].format(name=str(name)[:80]))
    path = FOLDER / language / f"{name}.md"
    return parse(path.read_text("utf-8"), name, language)


def names() -> list[str]:
    """The lessons there are, along the path and then those beside it."""
    return [name for name in (*ORDER, *BESIDE) if (FOLDER / "en" / f"{name}.md").is_file()]


def source(reference: str) -> str:
    """The source of `module:name`, as it is in the engine. Raises `LessonError`."""
    module, _, name = reference.partition(":")
    if not module.startswith("engine."):
        raise LessonError(f"{reference}: must be of the engine")
    found: Any = importlib.import_module(module)
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise LessonError(f"{reference}: there is no such name") from None
    return inspect.cleandoc("\n" + inspect.getsource(found))


# What the views ask for --------------------------------------------------------------------------


@answers.answer
def path(lang: str) -> dict[str, Any]:
    """All lessons: {"lessons": [{"name", "beside", "title", "goal", "minutes", "paper", "steps"}]}."""
    found = [lesson(name, _language(lang)) for name in names()]
    return {
        "lessons": [
            {
                "name": each.name,
                "beside": each.name in BESIDE,
                "title": each.title,
                "goal": each.goal,
                "minutes": each.minutes,
                "paper": each.paper,
                "steps": len(each.steps),
            }
            for each in found
        ]
    }


@answers.answer
def read(name: str, lang: str) -> dict[str, Any]:
    """A whole lesson, its code and its tables filled in."""
    found = lesson(name, _language(lang))
    return {
        "name": found.name,
        "title": found.title,
        "goal": found.goal,
        "minutes": found.minutes,
        "paper": found.paper,
        "intro": list(_filled(found.intro)),
        "steps": [
            {
                "title": step.title,
                "blocks": list(_filled(step.blocks)),
                "open": step.open,
                "point": step.point,
                "until": step.until,
                "measure": step.measure,
                "seen": ON_PAGE.get(step.measure, ""),
                "predict": step.predict,
                "options": [option.text for option in step.options],
            }
            for step in found.steps
        ],
    }


def _filled(blocks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["kind"] == "code":
            yield block | {"source": source(block["text"])}
        elif block["kind"] == "table":
            yield block | {"rows": results(block["text"])}
        else:
            yield block


@answers.answer
def check(
    name: str, lang: str, step: int, runs: list[str], seen: float | None = None
) -> dict[str, Any]:
    """How a step came out: the learner's own run of it, or what the page itself measured.

    `runs` are the ids of the browser's runs, the newest first; the first whose settings are those of
    the step's address counts. `seen` is what the page measured once that was done, for a measure that is
    `ON_PAGE`. {"state": "none" | "training" | "over", "run", "step", "total", "value", "right": the
    number of the option that covers the value}
    """
    found = lesson(name, _language(lang))
    step = answers.whole("step", step, 0, len(found.steps) - 1)
    asked = found.steps[step]
    if asked.measure in ON_PAGE:
        if not isinstance(seen, int | float) or not math.isfinite(seen):
            return {"state": "none"}
        return {"state": "over"} | _judged(found, step, float(seen))
    config = asked.config()
    if not asked.measure or config is None:
        return {"state": "none"}
    for run in _candidates(runs):
        if set(run.config.differences(config)) - RECORDING:
            continue
        status = run.status()
        over = status.state in ("finished", "diverged")
        value = MEASURES[asked.measure](run) if over else None
        return {
            "state": "over" if over else "training",
            "run": run.id,
            "step": status.step,
            "total": status.total_steps,
        } | _judged(found, step, value)
    return {"state": "none"}


def _judged(found: Lesson, step: int, value: float | None) -> dict[str, Any]:
    """A measured value, and the number of the answer that covers it."""
    options = predicted(found, step)
    right = [i for i, o in enumerate(options) if value is not None and o.low <= value <= o.high]
    measure = found.steps[step].measure
    return {"value": value, "measure": measure, "right": right[0] if right else None}


def predicted(found: Lesson, step: int) -> list[Option]:
    """The answers of the prediction that a step's run decides: its own, or that of the step before."""
    for each in (found.steps[step], found.steps[step - 1] if step else None):
        if each is not None and each.options:
            return each.options
    return []


def _candidates(ids: object) -> Iterator[Run]:
    for run_id in ids[:50] if isinstance(ids, list) else []:
        try:
            yield library.find(answers.run_id(run_id))
        except ValueError:
            continue


def _language(value: object) -> str:
    if value not in LANGUAGES:
        raise LessonError(TEXT["language"].format(allowed=", ".join(LANGUAGES)))
    return str(value)


def _last(run: Run, kind: type[Any], value: Callable[[Any], float | None]) -> float | None:
    """The newest value that a run's events of a kind have."""
    found = [value(event) for event in run.history() if isinstance(event, kind)]
    return found[-1] if found else None


def problems() -> Iterator[str]:
    """What is wrong with any lesson: references, presets, selectors, and languages that differ."""
    for name in names():
        first = lesson(name, LANGUAGES[0])
        for language in LANGUAGES:
            each = lesson(name, language)
            if [_shape(step) for step in each.steps] != [_shape(step) for step in first.steps]:
                yield f"{language}/{name}: its steps are not those of {LANGUAGES[0]}"
        if first.preset not in PRESETS:
            yield f"{name}: there is no preset {first.preset}"
        for number, step in enumerate(first.steps):
            try:
                config = step.config()
            except ConfigError as error:
                yield f"{name}: {step.title}: {error}"
                continue
            if step.measure in ON_PAGE:
                if not step.until:
                    yield f"{name}: {step.title}: does not say when {step.measure!r} is measured"
            elif step.measure and (config is None or step.measure not in MEASURES):
                yield f"{name}: {step.title}: measures {step.measure!r} of no run"
            if step.predict and not step.options:
                yield f"{name}: {step.title}: has no answers to predict"
            if step.options and not any(each.measure for each in first.steps[number : number + 2]):
                yield f"{name}: {step.title}: what is predicted is never judged"
            if step.measure and not predicted(first, number):
                yield f"{name}: {step.title}: is measured, and nothing was predicted"


def _shape(step: Step) -> tuple[Any, ...]:
    """What all languages have in common."""
    ranges = [(option.low, option.high) for option in step.options]
    blocks = [block["text"] for block in step.blocks if block["kind"] in BLOCKS]
    return step.open, step.point, step.until, step.measure, bool(step.predict), ranges, blocks


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (path, read, check)
