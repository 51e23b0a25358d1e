"""Both front ends in English and Chinese.

Everything here is written in English, and `assets/i18n/zh/*.json` says what it is in Chinese: an object of
"English": "Chinese" each, with {0}, {1}, ... for what differs from one time to the next. The views have their
words in both languages beside each other (`tp.words` in their scripts); only what comes from the server, a
control's help or an error, is looked up here, in the browser (`assets/js/language.js`, which does the same as
`translate`). The dashboard is drawn here, so it says `use(language)` and takes its words from a `Words`.

`assets/i18n/glossary.json` has the field's terms in both languages; the tests hold the translations to it.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Formatter
from typing import Any, cast

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "i18n"

LANGUAGES = {"en": "English", "zh": "中文"}
"""What can be read here, each by its own name. The first is what everything is written in."""

HOLE = re.compile(r"\{\d+\}")
ENDS = re.compile(r"([.!?]) (?=\S)")

MOST_PARTS = 16
"""Sentences that are looked for after each other: a longer text is somebody's own."""

_language: ContextVar[str] = ContextVar("language", default="en")


def use(language: str) -> None:
    """Say what follows in this language, in this context. Raises `ValueError`."""
    if language not in LANGUAGES:
        raise ValueError(f"lang = {language!r}: must be one of {', '.join(LANGUAGES)}")
    _language.set(language)


def current() -> str:
    """The language in use."""
    return _language.get()


def normal(template: str) -> str:
    """A format string as it stands in the catalogue: "{name!r} of {count:,}" is "{0} of {1}"."""
    holes = 0
    parts: list[str] = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            parts.append(f"{{{holes}}}")
            holes += 1
    return "".join(parts)


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """What English is in this language. Raises `ValueError` for what is there twice."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.json")):
        entries = cast("dict[str, str]", json.loads(path.read_text("utf-8")))
        for english, translation in entries.items():
            if found.setdefault(english, translation) != translation:
                raise ValueError(f"{path.name}: {english!r} has another translation elsewhere")
    return found


@dataclass(frozen=True)
class _Pattern:
    """An entry with holes."""

    holes: re.Pattern[str]
    translation: str
    kept: frozenset[int]
    """Holes for names and values, which stand in quotation marks or at an equals sign: no words."""


@functools.cache
def _patterns(language: str) -> list[_Pattern]:
    """The entries with holes, the most literal first."""
    entries = [each for each in catalogue(language).items() if HOLE.search(each[0])]
    entries.sort(key=lambda each: -len(HOLE.sub("", each[0])))
    found: list[_Pattern] = []
    for english, translation in entries:
        parts = HOLE.split(english)
        kept = frozenset(
            hole
            for hole, (before, after) in enumerate(pairwise(parts))
            if before.endswith(("“", " = ")) or after.startswith(("”", " = "))
        )
        holes = re.compile("(.*?)".join(map(re.escape, parts)), re.DOTALL)
        found.append(_Pattern(holes, translation, kept))
    return found


def translate(sentence: str, language: str | None = None) -> str:
    """An English sentence, filled in already, in the language in use; itself where it is not known.

    Also several of them after each other, or with "; " between, and one after "where: ".
    """
    language = language or current()
    return sentence if language == "en" else _found(sentence, language) or sentence


@functools.lru_cache(maxsize=1024)
def _found(text: str, language: str) -> str | None:
    whole = catalogue(language).get(text)
    if whole is not None:
        return whole
    for several, joint in ((text.split("; "), "；"), (ENDS.sub("\\1\0", text).split("\0"), "")):
        translation = _in_turn(several, joint, language)
        if translation is not None:
            return translation
    return _one(text, language)


def _in_turn(parts: Sequence[str], joint: str, language: str) -> str | None:
    """Several sentences, of which the first may be in several parts, and so may the others."""
    between = "; " if joint else " "
    for count in range(1, len(parts) if len(parts) <= MOST_PARTS else 1):
        first = _one(between.join(parts[:count]), language)
        if first is not None:
            rest = _found(between.join(parts[count:]), language)
            if rest is not None:
                return first + joint + rest
    return None


@functools.lru_cache(maxsize=1024)
def _one(sentence: str, language: str) -> str | None:
    whole = catalogue(language).get(sentence)
    if whole is not None:
        return whole
    for pattern in _patterns(language):
        match = pattern.holes.fullmatch(sentence)
        if match is not None:
            holes = [
                text if hole in pattern.kept else _found(text, language) or text
                for hole, text in enumerate(match.groups())
            ]
            return _filled(pattern.translation, holes)
    where, colon, said = sentence.partition(": ")
    told = colon and " " in said and said.count(": ") < MOST_PARTS
    translation = _found(said, language) if told else None
    return None if translation is None else f"{where}：{translation}"


def template(english: str, language: str | None = None) -> str:
    """A format string in the language in use, with the names that it has in English."""
    language = language or current()
    translation = None if language == "en" else catalogue(language).get(normal(english))
    if translation is None:
        return english
    holes = [
        f"{{{name}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}"
        for _, name, spec, conversion in Formatter().parse(english)
        if name is not None
    ]
    return _filled(translation, holes)


@dataclass(frozen=True)
class Term:
    """A term of the field in both languages."""

    en: str
    zh: str
    also: tuple[str, ...] = ()
    """Other Chinese that stands for it here and there."""
    note: str = ""
    """A sentence about it, in English, where the term does not explain itself."""


@functools.cache
def glossary() -> list[Term]:
    """The field's terms, in the order in which a learner meets them."""
    entries = json.loads((FOLDER / "glossary.json").read_text("utf-8"))
    return [Term(**entry | {"also": tuple(entry.get("also", ()))}) for entry in entries]


def _filled(translation: str, holes: Sequence[str]) -> str:
    return HOLE.sub(lambda hole: holes[int(hole[0][1:-1])], translation)


class Words(Mapping[str, Any]):
    """A table of words, written in English and read in the language in use; tables and lists in it too."""

    def __init__(self, english: Mapping[str, Any]) -> None:
        self.english = english

    def __getitem__(self, name: str) -> Any:
        return _said(self.english[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.english)

    def __len__(self) -> int:
        return len(self.english)


def _said(words: Any) -> Any:
    if isinstance(words, str):
        return template(words)
    if isinstance(words, Mapping):
        return Words(cast("Mapping[str, Any]", words))
    if isinstance(words, list):
        return [_said(each) for each in cast("list[Any]", words)]
    return words
