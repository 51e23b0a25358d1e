"""Translation of both front ends, English and Chinese.

The server writes English. `assets/i18n/zh/*.json` maps it to Chinese, as objects of "English": "Chinese" with
{0}, {1}, ... for variable parts. The views contain their own texts in both languages (`tp.words` in their
scripts). Texts from the server, such as a control's help or an error, are translated in the browser by
`assets/js/page/language.js`, which implements the same rules as `translate`. The dashboard is rendered on the server:
it calls `use(language)` and reads its texts from a `Words`.

`assets/i18n/glossary.json` has the field's terms in both languages; tests check the translations against it.

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
"""The languages, with their own names. The first is the source language."""

HOLE = re.compile(r"\{\d+\}")
ENDS = re.compile(r"([.!?]) (?=\S)")

MAX_PARTS = 16
"""Maximum number of sentences that are translated one by one; a longer text is a user's own."""

LONGEST_HOLE = 1_000
"""Maximum number of characters of a sentence inside another that is translated; a longer one is a user's own."""

_language: ContextVar[str] = ContextVar("language", default="en")


def use(language: str) -> None:
    """Set the language of this context. Raises `ValueError` for an unknown one."""
    if language not in LANGUAGES:
        raise ValueError(f"lang = {language!r}: must be one of {', '.join(LANGUAGES)}")
    _language.set(language)


def current() -> str:
    """The language of this context."""
    return _language.get()


def normal(template: str) -> str:
    """Convert a format string to its catalogue key: "{name!r} of {count:,}" becomes "{0} of {1}"."""
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
    """All translations into a language. Raises `ValueError` for an entry with two translations."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.json")):
        entries = cast("dict[str, str]", json.loads(path.read_text("utf-8")))
        for english, translation in entries.items():
            if found.setdefault(english, translation) != translation:
                raise ValueError(f"{path.name}: {english!r} has another translation elsewhere")
    return found


@dataclass(frozen=True)
class _Pattern:
    """A catalogue entry with holes."""

    holes: re.Pattern[str]
    translation: str
    kept: frozenset[int]
    """Holes for names and values, which are quoted or next to an equals sign, and are not translated."""


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
    """Translate a formatted English sentence; unknown sentences are returned unchanged.

    Also translates several sentences, several parts separated by "; ", and a sentence after "prefix: ".
    """
    language = language or current()
    return sentence if language == "en" else _found(sentence, language) or sentence


@functools.lru_cache(maxsize=1024)
def _found(text: str, language: str) -> str | None:
    translation = catalogue(language).get(text)
    if translation is not None:
        return translation
    for several, joint in ((text.split("; "), "；"), (ENDS.sub("\\1\0", text).split("\0"), "")):
        translation = _in_turn(several, joint, language)
        if translation is not None:
            return translation
    return _one(text, language)


def _in_turn(parts: Sequence[str], joint: str, language: str) -> str | None:
    """Translate a sequence of sentences, where one catalogue entry may span several of them."""
    between = "; " if joint else " "
    for count in range(1, len(parts) if len(parts) <= MAX_PARTS else 1):
        first = _one(between.join(parts[:count]), language)
        if first is not None:
            rest = _found(between.join(parts[count:]), language)
            if rest is not None:
                return first + joint + rest
    return None


@functools.lru_cache(maxsize=1024)
def _one(sentence: str, language: str) -> str | None:
    translation = catalogue(language).get(sentence)
    if translation is not None:
        return translation
    for pattern in _patterns(language):
        match = pattern.holes.fullmatch(sentence)
        if match is not None:
            holes = [
                text
                if hole in pattern.kept or len(text) > LONGEST_HOLE
                else _found(text, language) or text
                for hole, text in enumerate(match.groups())
            ]
            return _filled(pattern.translation, holes)
    prefix, colon, rest = sentence.partition(": ")
    is_sentence = colon and " " in rest and rest.count(": ") < MAX_PARTS
    translation = _found(rest, language) if is_sentence else None
    return None if translation is None else f"{prefix}：{translation}"


def template(english: str, language: str | None = None) -> str:
    """Translate a format string, keeping its field names."""
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
    """Other accepted Chinese translations."""
    means: str = ""
    """What it means, in one or two sentences for a beginner. A term that it uses is in the glossary too."""
    means_zh: str = ""
    """The same in Chinese."""
    lesson: str = ""
    """The name of the lesson that teaches it."""
    everyday: bool = False
    """Is it an ordinary word too, so that it is not explained wherever it stands?"""


@functools.cache
def glossary() -> list[Term]:
    """The field's terms, in the order in which a student meets them."""
    entries = json.loads((FOLDER / "glossary.json").read_text("utf-8"))
    return [Term(**entry | {"also": tuple(entry.get("also", ()))}) for entry in entries]


def _filled(translation: str, holes: Sequence[str]) -> str:
    return HOLE.sub(lambda hole: holes[int(hole[0][1:-1])], translation)


class Words(Mapping[str, Any]):
    """A mapping of English texts that translates on access, including nested mappings and lists."""

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
