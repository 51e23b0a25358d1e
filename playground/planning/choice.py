"""What a learner has chosen, as a browser, a link or a script says it: a preset, changes, a fork, a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.config import (
    PART_OF,
    RunConfig,
    TokenizerName,
)
from engine.data.tokens import MIN_COUNT
from engine.presets import DEFAULT, PRESETS, Preset, nearest
from engine.runs.store import TEXT_PATH, Run, UnknownRun
from engine.tokenizers.word import split_words
from engine.validation import ConfigError, Problem
from playground.planning.controls import HIDDEN, OWN_TEXT
from playground.runs import run_lookup

TEXT = {
    "object": "must be an object, with {known}",
    "unknown": "is not known here; there are {known}",
    "many": "must be at most {most} fields",
    "preset": "is not the name of a preset",
    "field": "is not the name of a field",
    "value": "is not a value",
    "hidden": "cannot be set from the page",
    "facts": "must be counts, whole numbers below 1,000,000,000",
}

MAX_CHANGES = 100
"""More fields than there are in a configuration."""

MAX_LIST = 512
"""Numbers in one field: as many as there can be blocks."""

ASKED = ("preset", "changes", "fork", "text", "link")
"""What a choice may hold: `text` are facts about the learner's own, `link` says that it is out of a link."""

FACTS = ("characters", "vocabulary", "words", "bytes")
"""What a choice says about the learner's own text."""

FORK = ("run", "step", "name")
"""What names a checkpoint; `name` is the run's, as the form shows it."""


@dataclass(frozen=True)
class TextFacts:
    """Facts about a learner's own text that is still in the browser."""

    characters: int
    vocabulary: int
    """Different characters."""
    words: int = 0
    """Different words that come often enough to be tokens of their own."""
    bytes: int = 0
    """In UTF-8."""

    @classmethod
    def of(cls, text: str) -> TextFacts:
        """The facts of a text."""
        counts = Counter(split_words(text))
        words = sum(len(piece) > 1 and count >= MIN_COUNT for piece, count in counts.items())
        return cls(len(text), len(set(text)), words, len(text.encode("utf-8", "replace")))

    def most_tokens(self, kind: TokenizerName | None) -> int:
        """As many tokens as the text can have at most; of characters and bytes exactly as many."""
        return max(self.characters, self.bytes) if kind in ("byte", "bpe") else self.characters


@dataclass(frozen=True)
class Fork:
    """The checkpoint that a run starts from, instead of random weights."""

    run: Run
    step: int


@dataclass(frozen=True)
class Choice:
    """What a learner has chosen: a preset, what is changed about it, what it starts from."""

    preset: Preset
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    fork: Fork | None = None
    text: TextFacts | None = None
    refused: tuple[Problem, ...] = ()
    """What was asked for and could not be understood; left out of the rest."""

    def values(self) -> dict[str, Any]:
        """The fields that differ from the defaults, whether or not they can be together."""
        values = self.preset.changes | self.changes
        if values.get("source") == OWN_TEXT:
            values["train_data_path"] = TEXT_PATH
        return values


def read_choice(value: object) -> Choice:
    """What a browser, a link or a script asks for. What makes no sense is refused by name.

    A fork without a preset differs from the run that it continues only in `changes`.
    """
    refused: list[Problem] = []
    asked = _read_object("choice", value, ASKED, refused)
    name = DEFAULT if asked.get("preset") in (None, "") else asked["preset"]
    preset = PRESETS.get(name) if isinstance(name, str) else None
    if preset is None:
        refused.append(Problem("preset", _short(name), TEXT["preset"]))
        preset = PRESETS[DEFAULT]
    changes: dict[str, Any] = {}
    given = asked.get("changes")
    given = {} if given is None else _read_object("changes", given, (), refused)
    if len(given) > MAX_CHANGES:
        refused.append(Problem("changes", len(given), TEXT["many"].format(most=MAX_CHANGES)))
    for key, wanted in list(given.items())[:MAX_CHANGES]:
        if key not in PART_OF:
            refused.append(Problem(_short(key), _short(wanted), TEXT["field"]))
        elif key in HIDDEN:
            refused.append(Problem(key, _short(wanted), TEXT["hidden"]))
        elif _is_value(wanted):
            changes[key] = wanted
        else:
            refused.append(Problem(key, _short(wanted), TEXT["value"]))
    fork = _read_fork(asked.get("fork"), refused)
    if fork is not None and asked.get("preset") in (None, ""):
        preset = replace(preset, changes=fork.run.config.changes())
    text = _read_text(asked.get("text"), refused)
    return Choice(preset, changes, fork, text, tuple(refused))


def lenient(choice: Choice) -> Choice:
    """The choice of a link: text becomes numbers, and what cannot be is left out and named."""
    changes: dict[str, Any] = {name: _plain(value) for name, value in choice.changes.items()}
    refused = list(choice.refused)
    while True:
        candidate = Choice(choice.preset, changes, choice.fork, choice.text, tuple(refused))
        try:
            values = RunConfig.from_flat(candidate.values()).flat()
        except ConfigError as error:
            wrong = {problem.field for problem in error.problems} & changes.keys()
            if not wrong:  # the fields contradict each other: a changed one is at fault
                parts = {PART_OF.get(problem.field) for problem in error.problems}
                wrong = {name for name in changes if PART_OF[name] in parts} or set(changes)
            reasons = {problem.field: problem.allowed for problem in error.problems}
            refused += [
                Problem(name, changes[name], reasons.get(name, str(error))) for name in wrong
            ]
            changes = {name: value for name, value in changes.items() if name not in wrong}
        else:
            base = choice.preset.config().flat()
            kept = {name: values[name] for name in changes if values[name] != base[name]}
            return Choice(choice.preset, kept, choice.fork, choice.text, tuple(refused))


def of_run(run: Run) -> Choice:
    """The choice that leads to this run's configuration: from the preset that is nearest to it."""
    preset, changes = nearest(run.config)
    return Choice(preset, {key: value for key, value in changes.items() if key not in HIDDEN})


def _read_object(
    name: str, value: object, known: Sequence[str], refused: list[Problem]
) -> Mapping[str, Any]:
    """The value, where it is an object; each key but the `known` is refused, where any are given."""
    names = ", ".join(known) or "fields and their values"
    if not isinstance(value, dict):
        refused.append(Problem(name, _short(value), TEXT["object"].format(known=names)))
        return {}
    strange = [key for key in value if known and key not in known]
    problem = TEXT["unknown"].format(known=names)
    refused += [Problem(_short(key), _short(value[key]), problem) for key in strange[:MAX_LIST]]
    return value


def _read_part(
    name: str, value: object, known: Sequence[str], refused: list[Problem]
) -> Mapping[str, Any] | None:
    """The same for a value that may be left out; None where it is, and where anything of it is refused."""
    before = len(refused)
    given = None if value is None else _read_object(name, value, known, refused)
    return given if len(refused) == before else None


def _read_fork(value: object, refused: list[Problem]) -> Fork | None:
    given = _read_part("fork", value, FORK, refused)
    if given is None:
        return None
    run_id, step = given.get("run"), given.get("step")
    try:
        if not isinstance(run_id, str) or type(step) is not int:
            raise UnknownRun("is not a run and a step")
        return Fork(run_lookup.find(run_id), step)
    except ValueError as error:
        refused.append(Problem("fork", _short(run_id), str(error)))
        return None


def _read_text(value: object, refused: list[Problem]) -> TextFacts | None:
    given = _read_part("text", value, FACTS, refused)
    if given is None:
        return None
    counts = {name: given.get(name, 0) for name in FACTS}
    if any(type(count) is not int or not 0 <= count < 10**9 for count in counts.values()):
        refused.append(Problem("text", _short(value), TEXT["facts"]))
        return None
    return TextFacts(**counts | {"vocabulary": min(counts["vocabulary"], 0x110000)})


def _is_value(value: object) -> bool:
    """Can this be what a field is to be? A number, a word, nothing, or a list of whole numbers."""
    if isinstance(value, list):
        return len(value) <= MAX_LIST and all(type(entry) is int for entry in value)
    short = isinstance(value, str) and len(value) <= 100
    return value is None or isinstance(value, bool | int | float) or short


def _plain(value: Any) -> Any:
    """A value out of a link. Empty is None; numbers and words are read by the field itself."""
    return None if value == "" else value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"
