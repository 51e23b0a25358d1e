"""Blocks of a lesson that ask, show or compute: each is one key of the file format, and one function here.

code: engine.model.attention:Attention.visible | 4-9    source code: the whole, or these lines of it, counted from 1
- softmax( | Each row sums to one.                       ... and a note beside the one line that has this text
figure: stream | What the picture shows, for who cannot see it     a drawing of assets/lessons/figures
- residual stream | 残差流                                          ... and its labels in another language
math: p_i = frac{exp(z_i)}{sum_j exp(z_j)}                         a formula: `formulas`
numbers: softmax; names = cat, dog; logits = 2, 1; temperature = 1   a table whose numbers can be changed
game: guess                                                        the game of lesson 0
quiz: Why divide by √d?                                            a question; + is right, - is a misconception
+ So that softmax stays soft | Yes: the products grow with d.      ... each with its own explanation
- So that the sum is one | That is what softmax does.             (`lessons.shuffled` orders them)
exercise: What is e to the power of 1? Two decimals.               a number to type in
check: {= exp(1) | 2}                                              ... the right one
wrong: {= 1 | 2} | That is the exponent.                           ... and known wrong ones, with what went wrong
hint: Press a key of your calculator.                              folded
answer: It is {= exp(1) | 2}.                                      folded
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

from playground.tabs.learn.lesson import calculator, figures, formulas

Block = dict[str, Any]
Spans = Callable[[str], list[list[str]]]
"""Marks up a line of text, and fills in its numbers."""

WIDGETS: dict[str, dict[str, str]] = {
    "softmax": {"names": "words", "logits": "numbers", "temperature": "number", "target": "number?"},
    "dot": {"names": "words", "a": "numbers", "b": "numbers"},
    "attention": {"names": "words", "q": "vectors", "k": "vectors", "v": "vectors", "asks": "number"},
    "heads": {"names": "words", "scores": "vectors", "v": "vectors"},
    "rotation": {"q": "numbers", "k": "numbers", "angle": "number", "m": "number", "n": "number"},
    "gate": {"a": "numbers", "b": "numbers"},
    "rms": {"x": "numbers"},
    "parameters": {"vocabulary": "number", "width": "number", "layers": "number", "hidden": "number"},
    "step": {"x": "number", "y": "number", "w": "number", "rate": "number"},
    "merges": {"text": "text"},
    "sampling": {
        "names": "words", "logits": "numbers", "temperature": "number", "top_k": "number", "top_p": "number",
        "min_p": "number",
    },
    "moves": {"gradients": "numbers", "beta1": "number", "beta2": "number"},
    "clip": {"gradient": "numbers", "limit": "number"},
    "router": {"names": "words", "scores": "vectors", "k": "number"},
    "cache": {
        "layers": "number", "heads": "number", "width": "number", "tokens": "number", "bytes": "number",
    },
}  # fmt: skip
"""The tables whose numbers can be changed: their values, and of what kind each is; ? need not be there."""
GAMES = ("guess",)


class BlockError(ValueError):
    """An invalid block. The message says what is wrong, and what is allowed."""


def code(text: str, items: Sequence[str], spans: Spans) -> Block:
    """An excerpt of the engine's source code, with notes beside its lines; `lessons.source` reads it."""
    match = re.fullmatch(r"([\w.]+:[\w.]+)(?: \| ([1-9]\d*)-([1-9]\d*))?", text)
    if match is None or (match[2] and int(match[2]) > int(match[3])):
        raise BlockError(f"code: {text!r} must be “module:name” or “module:name | 4-9”")
    lines = [int(match[2]), int(match[3])] if match[2] else None
    pairs = [
        _pair(item, "-", "a note, as in “- softmax( | Each row sums to one.”") for item in items
    ]
    notes = [{"at": at, "spans": spans(note)} for at, note in pairs]
    return {"kind": "code", "text": match[1], "lines": lines, "notes": notes}


def figure(text: str, items: Sequence[str], spans: Spans) -> Block:
    """A drawing, with a text alternative."""
    del spans
    name, _, alternative = text.partition(" | ")
    if not alternative:
        raise BlockError(
            f"figure: {name!r} needs a text alternative: “figure: NAME | what it shows”"
        )
    pairs = [_pair(item, "- ", "a label of the figure, as in “- score | 分数”") for item in items]
    labels = dict(pairs)
    return {"kind": "figure", "text": name, "alternative": alternative, "svg": figures.drawing(name, labels)}  # fmt: skip


def math(text: str, items: Sequence[str], spans: Spans) -> Block:
    """A formula."""
    del spans
    _no(items, "math")
    filled = calculator.EXPRESSION.sub(calculator.filled, text)
    return {"kind": "math", "text": text, "mathml": formulas.mathml(filled)}


def numbers(text: str, items: Sequence[str], spans: Spans) -> Block:
    """A table whose numbers can be changed."""
    del spans
    _no(items, "numbers")
    widget, *settings = (part.strip() for part in text.split(";"))
    if widget not in WIDGETS:
        raise BlockError(f"numbers: {widget!r} must be one of {', '.join(WIDGETS)}")
    kinds = WIDGETS[widget]
    values: dict[str, Any] = {}
    for setting in settings:
        name, _, value = (part.strip() for part in setting.partition("="))
        if name not in kinds or name in values:
            raise BlockError(
                f"numbers: {name!r} is unknown or repeated; {widget} has {', '.join(kinds)}"
            )
        values[name] = _setting(name, kinds[name].rstrip("?"), value)
    missing = [
        name for name, kind in kinds.items() if name not in values and not kind.endswith("?")
    ]
    if missing:
        raise BlockError(f"numbers: {widget} lacks {', '.join(missing)}")
    rows = {name: len(value) for name, value in values.items() if isinstance(value, list)}
    rows.pop("scores", None)  # one row for each head
    if widget != "dot" and len(set(rows.values())) > 1:
        raise BlockError(f"numbers: these must be equally many: {', '.join(rows)}")
    return {"kind": "numbers", "text": widget, "values": values}


def game(text: str, items: Sequence[str], spans: Spans) -> Block:
    """A game of the page."""
    del spans
    _no(items, "game")
    if text not in GAMES:
        raise BlockError(f"game: {text!r} must be one of {', '.join(GAMES)}")
    return {"kind": "game", "text": text}


def quiz(text: str, items: Sequence[str], spans: Spans) -> Block:
    """A question with one right answer; each answer has an explanation."""
    options: list[Block] = []
    for item in items:
        answer, why = _pair(item, "+-", "an answer, as in “- every token | Only those before it.”")
        options.append({"spans": spans(answer), "why": spans(why), "right": item.startswith("+")})
    if len(options) < 2 or sum(option["right"] for option in options) != 1:
        raise BlockError(
            "quiz: needs two or more answers, exactly one with + and the others with -"
        )
    return {"kind": "quiz", "spans": spans(text), "options": options}


def exercise(text: str, items: Sequence[str], spans: Spans) -> Block:
    """A number to type in, right within one unit of its last decimal (a whole number: within one half).

    Known mistakes have explanations of their own.
    """
    right: list[tuple[float, float]] = []
    wrong: list[Block] = []
    for item in items:
        key, _, rest = item.partition(": ")
        match = re.match(calculator.EXPRESSION.pattern + r"(?: \| (.+))?$", rest)
        if match is None or bool(match[3]) != (key == "wrong"):
            raise BlockError(
                f"exercise: {item!r} must be “check: {{= … | 2}}” or “wrong: {{= … | 2}} | why”"
            )
        decimals = int(match[2])
        value, tolerance = (
            calculator.calculate(match[1]),
            10.0**-decimals if decimals else 0.5,
        )
        if key == "check":
            right.append((value, tolerance))
        else:
            wrong.append({"value": value, "tolerance": tolerance, "why": spans(match[3])})
    if len(right) != 1:
        raise BlockError("exercise: needs exactly one line “check: {= … | 2}”")
    ((value, tolerance),) = right
    if any(abs(each["value"] - value) <= tolerance for each in wrong):
        raise BlockError("exercise: a wrong value is within the tolerance of the right one")
    for first, second in itertools.combinations(wrong, 2):
        if abs(first["value"] - second["value"]) <= max(first["tolerance"], second["tolerance"]):
            raise BlockError("exercise: two wrong values cannot be told apart; give them one line")
    return {"kind": "exercise", "spans": spans(text), "value": value, "tolerance": tolerance, "wrong": wrong}  # fmt: skip


def folded(kind: str) -> Callable[[str, Sequence[str], Spans], Block]:
    """A hint or an answer: text that opens when it is asked for."""

    def block(text: str, items: Sequence[str], spans: Spans) -> Block:
        _no(items, kind)
        return {"kind": kind, "spans": spans(text)}

    return block


KINDS: dict[str, Callable[[str, Sequence[str], Spans], Block]] = {
    "code": code, "figure": figure, "math": math, "numbers": numbers, "game": game, "quiz": quiz, "exercise": exercise,
    "hint": folded("hint"), "answer": folded("answer"),
}  # fmt: skip
"""The keys of blocks, and what makes a block of their text and items."""

ITEMS: dict[str, tuple[str, ...]] = {
    "code": ("- ",), "figure": ("- ",), "quiz": ("+ ", "- "), "exercise": ("check: ", "wrong: "), "predict": ("- ",),
}  # fmt: skip
"""How a line begins that is an item of the key before it."""


def shape(block: Block) -> tuple[Any, ...]:
    """What a block must share with that of the other languages."""
    kind = block["kind"]
    if kind == "quiz":
        return (kind, [option["right"] for option in block["options"]])
    if kind == "code":
        return (kind, block["text"], block["lines"], [note["at"] for note in block["notes"]])
    if kind == "exercise":
        return (
            kind,
            block["value"],
            block["tolerance"],
            [each["value"] for each in block["wrong"]],
        )
    if kind == "numbers":
        values = block["values"].items()
        return (
            kind,
            block["text"],
            [value for name, value in values if name not in ("names", "text")],
        )
    return (
        kind,
        re.sub('"[^"]*"', '""', block.get("text", "")),
    )  # words in a formula are translated


def _pair(item: str, signs: str, example: str) -> tuple[str, str]:
    first, separator, second = item.partition(" | ")
    if not separator or not second.strip():
        raise BlockError(f"{item!r} must be {example}")
    return first.lstrip(signs).strip(), second.strip()


def _no(items: Sequence[str], kind: str) -> None:
    if items:
        raise BlockError(f"{kind}: has no items, but {items[0]!r} follows")


def _setting(name: str, kind: str, text: str) -> Any:
    try:
        match kind:
            case "number":
                return float(text)
            case "numbers":
                return [float(each) for each in text.split(",")]
            case "vectors":
                return [[float(each) for each in row.split()] for row in text.split(",")]
            case "words":
                return [each.strip() for each in text.split(",")]
            case _:
                return text
    except ValueError:
        raise BlockError(
            f"numbers: {name} = {text!r} must be {kind}, with commas between"
        ) from None
