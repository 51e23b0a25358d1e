"""How a lesson is written: text, readable on its own, with some lines for the page.

A header says what it is about;
each `## heading` begins a step; and some lines of a step are for the page:

    open: tab=train&preset=induction&c.n_layer=1    the page's address: where "Show me" leads
    point: #start                                   what is pointed at there (a CSS selector)
    until: .inside[data-zeroed="1"]                 the step is done when this is on the page
    measure: accuracy                               ... or when a run of the address is over: what is measured;
                                                    with "until", what the page itself has measured by then
    predict: How many will be right?                a question, with answers and what they cover:
    - almost none | 0 .. 0.3
    - almost all | 0.8 .. 1
    code: engine.model.attention:Attention.weights  source code, shown as it is
    equation: softmax(Q Kᵀ / √d) V
    table: post-norm                                what an ablation measured, from assets/lessons/results

A number in the text or in a question may come from such a table too, {post-norm: pre, accuracy}, or be
computed: {computed: guessing} (`lesson_numbers`). Words of the page, which a learner looks for there, and titles
of lessons stand in “quotes”; nothing else does.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from engine.config import RunConfig
from engine.presets import PRESETS
from playground.lesson_numbers import NUMBERS

RESULTS = Path(__file__).resolve().parents[1] / "assets" / "lessons" / "results"

HEADER = ("title", "goal", "minutes", "preset", "pages", "code", "paper")
ONCE = ("open", "point", "until", "measure", "predict")
"""Lines that a step has at most once."""
BLOCKS = ("code", "equation", "table")
"""Lines that are read where they stand."""
SHARES = ("accuracy", "sharpness")
"""Columns of a table that are written in per cent."""


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
    if not re.fullmatch(r"[1-9]\d?", head["minutes"]):
        raise LessonError(f"{language}/{name}: minutes = {head['minutes']!r}: must be 1 to 99")
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
    """What is written of a step, into it. Raises `LessonError`."""
    for key, text, items in _groups(body, glue="" if where.startswith("zh") else " "):
        if key in ONCE:
            if getattr(step, key):
                raise LessonError(f"{where}: has {key} twice")
            setattr(step, key, filled(text) if key == "predict" else text)
            step.options += [_option(item, where) for item in items]
        elif key in BLOCKS:
            step.blocks.append({"kind": key, "text": text})
        elif key == "list":
            step.blocks.append({"kind": key, "items": [spans(item) for item in items]})
        else:
            step.blocks.append({"kind": "text", "spans": spans(text)})


def _groups(body: str, glue: str) -> Iterator[tuple[str, str, list[str]]]:
    """(key, text, items): each line for the page with the items under it, each list, each paragraph.

    The lines of a paragraph are put together with `glue`.
    """
    for paragraph in re.split(r"\n\s*\n", body.strip()):
        groups: list[tuple[str, list[str], list[str]]] = []
        for line in filter(None, map(str.strip, paragraph.splitlines())):
            key, _, value = line.partition(": ")
            last = groups[-1][0] if groups else ""
            if key in (*ONCE, *BLOCKS):
                groups.append((key, [value], []))
            elif line.startswith("- "):
                if last not in ("predict", "list"):
                    groups.append(("list", [], []))
                groups[-1][2].append(line[2:])
            elif last == "text":
                groups[-1][1].append(line)
            else:
                groups.append(("text", [line], []))
        yield from ((key, glue.join(lines), items) for key, lines, items in groups)


def _option(line: str, where: str) -> Option:
    match = re.fullmatch(r"(.+) \| ([\d.]+) \.\. ([\d.]+|inf)", line)
    if match is None:
        raise LessonError(f"{where}: {line!r} must be an answer such as “- none | 0 .. 0.1”")
    return Option(match[1], float(match[2]), float(match[3]))


def spans(text: str) -> list[list[str]]:
    """A line as [kind, text]: plain, "b" (**bold**), "code" (`code`); numbers are filled in."""
    found: list[list[str]] = []
    for piece in re.split(r"(\*\*.+?\*\*|`[^`]+`)", filled(text)):
        if piece.startswith("**") and piece.endswith("**") and len(piece) > 4:
            found.append(["b", piece[2:-2]])
        elif piece.startswith("`") and piece.endswith("`") and len(piece) > 2:
            found.append(["code", piece[1:-1]])
        elif piece:
            found.append(["", piece])
    return found


MEASURED = re.compile(r"\{([\w-]+): ([^{},]+(?:, [^{},]+)*), (\w+)\}")
"""{table: row, column}"""
COMPUTED = re.compile(r"\{computed: ([\w ]+)\}")


def filled(text: str) -> str:
    """The text with its measured and computed numbers. Raises `LessonError` for one that there is not."""
    return COMPUTED.sub(_computed, MEASURED.sub(_measured, text))


def _computed(match: re.Match[str]) -> str:
    if match[1] not in NUMBERS:
        raise LessonError(f"{match[1]!r}: no such number is computed; {', '.join(NUMBERS)} are")
    return NUMBERS[match[1]]()


def _measured(match: re.Match[str]) -> str:
    """A measured number, as a person would write it."""
    table, row, column = match.groups()
    values = next((each for each in results(table) if each["variant"] == row), None)
    if values is None or not values.get(column):
        raise LessonError(f"{table}: has no {row!r} with {column}")
    value = float(values[column])
    return f"{100 * value:.0f} %" if column.startswith(SHARES) else f"{value:.2f}"


@functools.cache
def results(name: str) -> list[dict[str, str]]:
    """What a suite measured: `ablate NAME --out assets/lessons/results/NAME` writes it."""
    path = RESULTS / name / "table.csv"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError:
        raise LessonError(f"{name}: there is no table of this name in {path.parent}") from None
