"""The file format of lessons: readable text with some lines for the page.

A lesson starts with a header. Each `## heading` starts a step. A step can contain lines for the page:

    open: tab=train&preset=induction&c.n_layer=1    the address that "Show me" opens; what to do there is said in the
                                                    paragraph before it, which stays in sight beside the tab;
                                                    the button that opens it stands here, between two blocks
    open: tab=inside&run=experiment&preset=induction    ... of a run of this experiment: the learner's own, or the
                                                    stored one; "until" counts in no other run
    point: #start                                   the element that it highlights (a CSS selector)
    until: .inside[data-zeroed="1"]                 the step is done when this element exists
    measure: accuracy                               ... or when a run of the address has ended: the measured value;
                                                    with "until", a value that the page itself has measured
    predict: How many will be right?                a question, with answers and the ranges that they cover,
    - almost none | 0 .. 0.3 | It has seen the mask.   and why whoever chose it was wrong (or right)
    - almost all | 0.8 .. 1
    code: engine.model.attention:Attention.visible | 4-9   source code of the engine: the whole, or these lines of it
    - softmax( | Each row sums to one.              ... with a note beside the line that has this text
    equation: softmax(Q Kᵀ / √d) V
    table: post-norm                                results of an ablation, from assets/lessons/results

A long text goes on in the next line. Figures, formulas, tables whose numbers can be changed, quizzes and exercises:
see `blocks`. The header can have lines "objective: what a learner can do afterwards", and has its sources:

    paper: Sennrich et al. 2016, “Neural …” | https://arxiv.org/abs/1508.07909    one or more, the same in every language
    reading: nostalgebraist 2020, “Interpreting GPT” | https://…                    what else to read; can be in one language

Numbers in the text or in a question can come from such a table, {post-norm: pre, accuracy}, or be computed,
{computed: guessing} (`numbers.computed`) or {= exp(1) | 2} (`calculator`). Only texts of the page and titles of
lessons are in “quotes”; the lesson “Title” links to that lesson.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from engine.ablation.measured import RESULTS
from engine.config import RunConfig
from engine.presets import PRESETS
from playground.tabs.learn import LESSONS
from playground.tabs.learn.computed.numbers import NUMBERS
from playground.tabs.learn.lesson import blocks, calculator
from playground.tabs.learn.lesson.figures import FigureError
from playground.tabs.learn.lesson.formulas import MathError

HEADER = ("title", "goal", "minutes", "preset", "pages", "code")
SOURCES = ("paper", "reading")
"""Header lines with an address."""
MANY = ("objective", *SOURCES)
"""Header lines that a lesson can have several times."""
ONCE = ("open", "point", "until", "measure", "predict")
"""Keys that a step has at most once."""
BLOCKS = ("equation", "table")
"""Keys of blocks that are shown in the text as they are."""
EXPERIMENT = "experiment"
"""The run that an address names to open one of the configuration that follows."""
LONG = ("quiz", "exercise", "hint", "answer", "figure", "predict", "code", "list", "text")
"""Keys whose text, and the text of their last item, can go on in the next line."""
INVALID = (
    blocks.BlockError, calculator.CalculatorError, FigureError, MathError,
)  # fmt: skip
SHARES = ("accuracy", "sharpness")
"""Columns of a table that are formatted in per cent."""


class LessonError(ValueError):
    """An invalid lesson. The message names the file, the line and the problem."""


@dataclass(frozen=True)
class Option:
    """An answer to a prediction, the range of values for which it is right, and why whoever chose it was or was not."""

    text: str
    low: float
    high: float
    why: list[list[str]] = field(default_factory=list[list[str]])


@dataclass
class Step:
    """One step of a lesson."""

    title: str
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The contents in order: {"kind": "text" | "list" | one of `BLOCKS` | one of `blocks.KINDS`, ...}."""
    open: str = ""
    task: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The paragraph or list before `open`: what to do there."""
    place: int = 0
    """How many blocks come before `open`."""
    point: str = ""
    until: str = ""
    measure: str = ""
    predict: str = ""
    options: list[Option] = field(default_factory=list[Option])

    @property
    def query(self) -> dict[str, str]:
        """What its address asks for, by name."""
        return dict(parse_qsl(self.open, keep_blank_values=True))

    @property
    def examines(self) -> bool:
        """Whether its address opens a run of an experiment, which an earlier step has prepared."""
        return self.query.get("run") == EXPERIMENT

    def config(self) -> RunConfig | None:
        """The configuration of the run that its address prepares or opens, or None. Raises `ConfigError`."""
        query = self.query
        prepares = query.get("tab") == "train" or self.examines
        if not prepares or query.get("preset") not in PRESETS:
            return None
        changes = {name[2:]: value for name, value in query.items() if name.startswith("c.")}
        return RunConfig.from_flat(PRESETS[query["preset"]].changes | changes)


@dataclass(frozen=True)
class Source:
    """Something to read, and where it is."""

    text: str
    address: str


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
    papers: list[Source]
    readings: list[Source]
    objectives: list[str]
    intro: list[dict[str, Any]]
    steps: list[Step]


def parse(text: str, name: str, language: str) -> Lesson:
    """Parse a lesson. Raises `LessonError`."""
    where = f"{language}/{name}.md"
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if match is None:
        raise LessonError(f"{where}: must start with a header between two lines ---")
    head, many = _header(match[1], where)
    papers, readings = ([_source(line, where) for line in many[key]] for key in SOURCES)
    parts = re.split(
        r"^## (.+)$", match[2], flags=re.MULTILINE
    )  # introduction, title, body, title, body ...
    line = match[1].count("\n") + 4
    steps: list[Step] = []
    for title, body in zip(["", *parts[1::2]], parts[0::2], strict=True):
        steps.append(Step(title.strip()))
        _read(body, steps[-1], where, line)
        line += body.count("\n")
    intro, *steps = steps
    return Lesson(
        name, language, head["title"], head["goal"], int(head["minutes"]), head["preset"], head["pages"].split(", "),
        head["code"].split(", "), papers, readings, many["objective"], intro.blocks, steps,
    )  # fmt: skip


def _header(text: str, where: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The lines of a header, and those that can be there several times. Raises `LessonError`."""
    head: dict[str, str] = {}
    many: dict[str, list[str]] = {key: [] for key in MANY}
    for number, line in enumerate(text.splitlines(), start=2):
        key, _, value = line.partition(": ")
        if key in many and value.strip():
            many[key].append(value.strip())
            continue
        if key not in HEADER or key in head:
            allowed = ", ".join((*HEADER, *MANY))
            raise LessonError(
                f"{where}, line {number}: unknown or repeated header line {line!r}; allowed are {allowed}"
            )
        head[key] = value.strip()
    for key in (*HEADER, "paper"):
        if not (head.get(key) or many.get(key)):
            raise LessonError(f"{where}: the header lacks {key}")
    if not re.fullmatch(r"[1-9]\d?", head["minutes"]):
        raise LessonError(f"{where}: minutes = {head['minutes']!r}: must be 1 to 99")
    return head, many


def _source(line: str, where: str) -> Source:
    """A paper or a reading with its address."""
    match = re.fullmatch(r"(.+) \| (https://[\w./%-]+)", line)
    if match is None:
        raise LessonError(f"{where}: {line!r} must be “what to read | https://address”")
    return Source(match[1], match[2])


def _read(body: str, step: Step, where: str, first: int) -> None:
    """Parse the body of a step, which begins in line `first`, into `step`. Raises `LessonError`."""
    for group in _groups(body, first):
        place = f"{where}, line {group.line}" + (f", {step.title}" if step.title else "")
        try:
            _add(group, step, "" if where.startswith("zh") else " ")
        except (LessonError, *INVALID) as error:
            raise LessonError(f"{place}: {error}") from None


def _add(group: Group, step: Step, glue: str) -> None:
    """Add a group to a step; `glue` joins the lines of a paragraph."""
    text = glue.join(group.lines)
    items = [glue.join(lines) for lines in group.items]
    match group.key:
        case key if key in ONCE:
            if getattr(step, key):
                raise LessonError(f"has {key} twice")
            setattr(step, key, filled(text) if key == "predict" else text)
            if key == "open":
                _set_task(step)
            step.options += [_option(item) for item in items]
        case key if key in BLOCKS:
            step.blocks.append({"kind": key, "text": text})
        case key if key in blocks.KINDS:
            step.blocks.append(blocks.KINDS[key](text, items, spans))
        case "list":
            step.blocks.append({"kind": "list", "items": [spans(item[2:]) for item in items]})
        case _:
            step.blocks.append({"kind": "text", "spans": spans(text)})


def _set_task(step: Step) -> None:
    """The task of a step: the paragraph or list before its `open`, which stays in sight on the other tab."""
    step.place = len(step.blocks)
    step.task = [block for block in step.blocks[-1:] if block["kind"] in ("text", "list")]
    if not step.task:
        raise LessonError("open: the paragraph before it must say what to do there")


@dataclass
class Group:
    """Lines that belong together: a key with its text and its items, a list or a paragraph."""

    line: int
    key: str
    lines: list[str] = field(default_factory=list[str])
    items: list[list[str]] = field(default_factory=list[list[str]])


def _groups(body: str, first: int) -> list[Group]:
    """Split a body into groups. An empty line ends a group."""
    groups: list[Group] = []
    last: Group | None = None  # the one that the next line may belong to

    def begin(line: int, key: str, *lines: str) -> Group:
        groups.append(Group(line, key, [*lines]))
        return groups[-1]

    for number, line in enumerate(map(str.strip, body.split("\n")), start=first):
        key, _, value = line.partition(": ")
        if not line:
            last = None
        elif last and line.startswith(blocks.ITEMS.get(last.key, ())):
            last.items.append([line])
        elif key in (*ONCE, *BLOCKS, *blocks.KINDS):
            last = begin(number, key, value)
        elif line.startswith("- "):
            if not last or last.key != "list":
                last = begin(number, "list")
            last.items.append([line])
        elif last and last.key in LONG:
            (last.items[-1] if last.items else last.lines).append(line)
        else:
            last = begin(number, "text", line)
    return groups


def _option(line: str) -> Option:
    match = re.fullmatch(r"- (.+?) \| ([\d.]+) \.\. ([\d.]+|inf)(?: \| (.+))?", line)
    if match is None:
        raise LessonError(
            f"{line!r} must be an answer such as “- none | 0 .. 0.1” or “- none | 0 .. 0.1 | why it was wrong”"
        )
    return Option(match[1], float(match[2]), float(match[3]), spans(match[4]) if match[4] else [])


MARKED = re.compile(
    r"(\*\*.+?\*\*|`[^`]+`|\*[^*\s][^*]*\*|(?<=lesson “)[^“”]+(?=”)|(?<=“)[^“”]+(?=”这一课))"
)


def spans(text: str) -> list[list[str]]:
    """Split a line into [kind, text]; kind is "", "b" (**bold**), "i" (*words of an example*), "code" (`code`) or
    "lesson:NAME" (the title of that lesson). Raises `LessonError` for an unknown title."""
    found: list[list[str]] = []
    for number, piece in enumerate(MARKED.split(filled(text))):
        if piece.startswith("**") and piece.endswith("**") and len(piece) > 4:
            found.append(["b", piece[2:-2]])
        elif piece.startswith("*") and piece.endswith("*") and len(piece) > 2:
            found.append(["i", piece[1:-1]])
        elif piece.startswith("`") and piece.endswith("`") and len(piece) > 2:
            found.append(["code", piece[1:-1]])
        elif number % 2:
            if piece not in titles():
                raise LessonError(f"there is no lesson “{piece}”")
            found.append([f"lesson:{titles()[piece]}", piece])
        elif piece:
            found.append(["", piece])
    return found


@functools.cache
def titles() -> dict[str, str]:
    """The names of all lessons, by their titles in every language."""
    title = re.compile(r"^title: (.+)$", re.MULTILINE)
    return {
        title.findall(path.read_text("utf-8"))[0].strip(): path.stem
        for path in LESSONS.glob("*/*.md")
    }


MEASURED = re.compile(r"\{([\w-]+): ([^{},]+(?:, [^{},]+)*), (\w+)\}")
"""{table: row, column}"""
COMPUTED = re.compile(r"\{computed: ([\w ]+)\}")


def filled(text: str) -> str:
    """Fill in measured and computed numbers. Raises `LessonError` for an unknown one."""
    text = calculator.EXPRESSION.sub(calculator.filled, text)
    return COMPUTED.sub(_computed, MEASURED.sub(_measured, text))


def _computed(match: re.Match[str]) -> str:
    if match[1] not in NUMBERS:
        raise LessonError(f"{match[1]!r}: unknown computed number; known: {', '.join(NUMBERS)}")
    return NUMBERS[match[1]]()


def _measured(match: re.Match[str]) -> str:
    """Format a measured number: two decimals, or per cent."""
    table, row, column = match.groups()
    values = next((each for each in results(table) if each["variant"] == row), None)
    if values is None or not values.get(column):
        raise LessonError(f"{table}: has no {row!r} with {column}")
    value = float(values[column])
    return f"{100 * value:.0f}%" if column.startswith(SHARES) else f"{value:.2f}"


@functools.cache
def results(name: str) -> list[dict[str, str]]:
    """The results of a suite, written by `ablate NAME --out assets/lessons/results/NAME`."""
    path = RESULTS / name / "table.csv"
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError:
        raise LessonError(f"{name}: there is no table of this name in {path.parent}") from None
