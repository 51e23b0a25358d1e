"""The guided path: lessons that act on the page itself.

A lesson is a file of text, assets/lessons/LANGUAGE/NAME.md, readable on its own. A header says what it is about;
each `## heading` begins a step; and some lines of a step are for the page:

    open: tab=train&preset=induction&c.n_layer=1    the page's address: where "Show me" leads
    point: #start                                   what is pointed at there (a CSS selector)
    until: .inside[data-zeroed="1"]                 the step is done when this is on the page
    measure: accuracy                               ... or when a run of the address is over: what is measured
    predict: How many will be right?                a question, with answers and what they cover:
    - almost none | 0 .. 0.3
    - almost all | 0.8 .. 1
    code: engine.model.attention:Attention.weights  source code, shown as it is
    equation: softmax(Q Kᵀ / √d) V
    table: post-norm                                what an ablation measured, from assets/lessons/results

A number in the text may come from such a table too: {post-norm: pre, accuracy}. Nothing here loads PyTorch
before source code is asked for.
"""

from __future__ import annotations

import csv
import functools
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from engine.config import RunConfig
from engine.events import Evaluated, Routed
from engine.presets import PRESETS
from engine.runs import Run
from engine.validation import ConfigError
from playground import answers, library
from playground.curves import max_violation

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "lessons"
LANGUAGES = ("en", "zh")

ORDER = (
    "attention", "positions", "normalisation", "block", "model", "experts", "training",
)  # fmt: skip
"""The path, from the ground up."""

RECORDING = {
    "seed", "threads", "device", "log_interval", "eval_interval", "eval_steps", "sample_interval",
    "probe_interval", "save_interval", "keep_checkpoints",
}  # fmt: skip
"""Fields that change nothing of what a lesson asks."""

MEASURES: dict[str, Callable[[Run], float | None]] = {
    "accuracy": lambda run: _last(run, Evaluated, lambda event: event.accuracy),
    "loss": lambda run: _last(run, Evaluated, lambda event: event.loss),
    "maxvio": lambda run: _last(run, Routed, lambda event: max(map(max_violation, event.load))),
}
"""What a step may measure of a learner's run: the newest there is."""

HEADER = ("title", "goal", "minutes", "preset", "pages", "code", "paper")
ONCE = ("open", "point", "until", "measure", "predict")
BLOCKS = ("code", "equation", "table")

TEXT = {
    "lesson": "There is no lesson {name!r}.",
    "language": "lang must be one of {allowed}.",
}


class LessonError(ValueError):
    """A lesson that cannot be: the file, the line, and what is wrong with it."""


@dataclass(frozen=True)
class Option:
    """An answer to a prediction, and the values for which it is right."""

    text: str
    low: float
    high: float


@dataclass
class Step:
    """One step of a lesson."""

    title: str
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What is read, in order: {"kind": "text" | "list" | "code" | "equation" | "table", ...}."""
    open: str = ""
    point: str = ""
    until: str = ""
    measure: str = ""
    predict: str = ""
    options: list[Option] = field(default_factory=list[Option])

    def config(self) -> RunConfig | None:
        """The run that its address prepares; None where it prepares none. Raises `ConfigError`."""
        query = dict(parse_qsl(self.open, keep_blank_values=True))
        if query.get("tab") != "train" or query.get("preset") not in PRESETS:
            return None
        changes = {name[2:]: value for name, value in query.items() if name.startswith("c.")}
        return RunConfig.from_flat(PRESETS[query["preset"]].changes | changes)


@dataclass
class Lesson:
    """One lesson in one language."""

    name: str
    language: str
    title: str
    goal: str
    minutes: int
    preset: str
    pages: list[str]
    code: list[str]
    paper: str
    intro: list[dict[str, Any]]
    steps: list[Step]


# Reading -----------------------------------------------------------------------------------------


@functools.cache
def lesson(name: str, language: str) -> Lesson:
    """Read a lesson. Raises `LessonError`."""
    if name not in names():
        raise LessonError(TEXT["lesson"].format(name=str(name)[:80]))
    path = FOLDER / language / f"{name}.md"
    return parse(path.read_text("utf-8"), name, language)


def parse(text: str, name: str, language: str) -> Lesson:
    """A lesson out of its text. Raises `LessonError`."""
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if match is None:
        raise LessonError(f"{language}/{name}: must begin with a header between two lines ---")
    head: dict[str, str] = {}
    for line in match[1].splitlines():
        key, _, value = line.partition(": ")
        if key not in HEADER or key in head:
            raise LessonError(f"{language}/{name}: the header has no {line!r}")
        head[key] = value.strip()
    for key in HEADER:
        if not head.get(key):
            raise LessonError(f"{language}/{name}: the header lacks {key}")
    parts = re.split(r"^## (.+)$", match[2], flags=re.MULTILINE)
    intro = Step("")
    _read(parts[0], intro, f"{language}/{name}")
    steps = [Step(title.strip()) for title in parts[1::2]]
    for step, body in zip(steps, parts[2::2], strict=True):
        _read(body, step, f"{language}/{name}: {step.title}")
    return Lesson(
        name, language, head["title"], head["goal"], int(head["minutes"]), head["preset"],
        head["pages"].split(", "), head["code"].split(", "), head["paper"], intro.blocks, steps,
    )  # fmt: skip


def _read(body: str, step: Step, where: str) -> None:
    """The lines of a step, into it."""
    for paragraph in re.split(r"\n\s*\n", body.strip()):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        while lines:
            line = lines.pop(0)
            key, _, value = line.partition(": ")
            if key in ONCE:
                if getattr(step, key):
                    raise LessonError(f"{where}: has {key} twice")
                setattr(step, key, value)
                while key == "predict" and lines and lines[0].startswith("- "):
                    step.options.append(_option(lines.pop(0), where))
            elif key in BLOCKS:
                step.blocks.append({"kind": key, "text": value})
            elif line.startswith("- "):
                items = [line[2:]]
                while lines and lines[0].startswith("- "):
                    items.append(lines.pop(0)[2:])
                step.blocks.append({"kind": "list", "items": [spans(each) for each in items]})
            else:
                joined = [line]
                while lines and lines[0].partition(": ")[0] not in (*ONCE, *BLOCKS):
                    joined.append(lines.pop(0))
                glue = "" if where.startswith("zh") else " "
                step.blocks.append({"kind": "text", "spans": spans(glue.join(joined))})


def _option(line: str, where: str) -> Option:
    match = re.fullmatch(r"- (.+) \| ([\d.]+) \.\. ([\d.]+|inf)", line)
    if match is None:
        raise LessonError(f"{where}: {line!r} must be an answer such as “- none | 0 .. 0.1”")
    return Option(match[1], float(match[2]), float(match[3]))


def spans(text: str) -> list[list[str]]:
    """A line as [kind, text]: plain, "b" (**bold**), "code" (`code`); {table: row, column} filled in."""
    found: list[list[str]] = []
    text = re.sub(r"\{([\w-]+): ([^{},]+(?:, [^{},]+)*), (\w+)\}", _number, text)
    for piece in re.split(r"(\*\*.+?\*\*|`[^`]+`)", text):
        if piece.startswith("**") and piece.endswith("**") and len(piece) > 4:
            found.append(["b", piece[2:-2]])
        elif piece.startswith("`") and piece.endswith("`") and len(piece) > 2:
            found.append(["code", piece[1:-1]])
        elif piece:
            found.append(["", piece])
    return found


def _number(match: re.Match[str]) -> str:
    """A measured number, as a person would write it."""
    table, row, column = match.groups()
    values = next((each for each in results(table) if each["variant"] == row), None)
    if values is None or not values.get(column):
        raise LessonError(f"{table}: has no {row!r} with {column}")
    value = float(values[column])
    return f"{100 * value:.0f} %" if column.startswith("accuracy") else f"{value:.2f}"


@functools.cache
def results(name: str) -> list[dict[str, str]]:
    """What a suite measured: `ablate NAME --out assets/lessons/results/NAME` writes it."""
    path = FOLDER / "results" / name / "table.csv"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError:
        raise LessonError(f"{name}: there is no table of this name in {path.parent}") from None


def names() -> list[str]:
    """The lessons there are, along the path."""
    return [name for name in ORDER if (FOLDER / "en" / f"{name}.md").is_file()]


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
    """All lessons of the path: {"lessons": [{"name", "title", "goal", "minutes", "paper", "steps"}]}."""
    found = [lesson(name, _language(lang)) for name in names()]
    return {
        "lessons": [
            {
                "name": each.name,
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
def check(name: str, lang: str, step: int, runs: list[str]) -> dict[str, Any]:
    """How the learner's own run of a step came out.

    `runs` are the ids of the browser's runs, the newest first; the first whose settings are those of
    the step's address counts. {"state": "none" | "training" | "over", "run", "step", "total", "value",
    "right": the number of the option that covers the value}
    """
    found = lesson(name, _language(lang))
    step = answers.whole("step", step, 0, len(found.steps) - 1)
    asked = found.steps[step]
    config = asked.config()
    if not asked.measure or config is None:
        return {"state": "none"}
    for run in _candidates(runs):
        if set(run.config.differences(config)) - RECORDING:
            continue
        status = run.status()
        over = status.state in ("finished", "diverged")
        value = MEASURES[asked.measure](run) if over else None
        options = predicted(found, step)
        right = [i for i, o in enumerate(options) if value is not None and o.low <= value <= o.high]
        return {
            "state": "over" if over else "training",
            "run": run.id,
            "step": status.step,
            "total": status.total_steps,
            "value": value,
            "measure": asked.measure,
            "right": right[0] if right else None,
        }
    return {"state": "none"}


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
            if step.measure and (config is None or step.measure not in MEASURES):
                yield f"{name}: {step.title}: measures {step.measure!r} of no run"
            if step.predict and not step.options:
                yield f"{name}: {step.title}: has no answers to predict"
            if step.measure and not predicted(first, number):
                yield f"{name}: {step.title}: is measured, and nothing was predicted"


def _shape(step: Step) -> tuple[Any, ...]:
    """What all languages have in common."""
    ranges = [(option.low, option.high) for option in step.options]
    blocks = [block["text"] for block in step.blocks if block["kind"] in BLOCKS]
    return step.open, step.point, step.until, step.measure, bool(step.predict), ranges, blocks


SERVED: tuple[Callable[..., dict[str, Any]], ...] = (path, read, check)
