"""The page's own words, found in its code: what a text may quote that says where to press."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from playground import i18n
from playground.app import TEXT as TABS
from playground.tabs.learn import lessons
from tests.tools import spoken

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("playground", "assets/js")

QUOTED = re.compile("“([^“”]+)”")

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<text>"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<key>[A-Za-z_]\w*)\s*:(?=\s*[{"`\[(a-z])|(?P<open>[{(\[])|(?P<close>[})\]])""",
    re.DOTALL,
)


def tables(source: str) -> Iterator[tuple[str, str]]:
    """Every literal in the tables of words of a script: (language, text). Templates stay as they are."""
    for table in re.finditer(r"\btp\.words\(\{", source):
        language, depth = "", 1
        for token in TOKEN.finditer(source, table.end()):
            if token["key"] and depth == 1:
                language = token["key"]
            elif token["text"]:
                yield language, token["text"][1:-1]
            elif token["open"]:
                depth += 1
            elif token["close"]:
                depth -= 1
                if depth == 0:
                    break


@functools.cache
def said(language: str) -> dict[str, str]:
    """What the views say in a language, and in which script."""
    found: dict[str, str] = {}
    for folder in SCRIPTS:
        for path in sorted((ROOT / folder).rglob("*.js")):
            for spoken_in, text in tables(path.read_text("utf-8")):
                if spoken_in == language:
                    found.setdefault(text, path.relative_to(ROOT).as_posix())
    return found


@functools.cache
def words(language: str) -> frozenset[str]:
    """All that a control, a heading, a tab or a choice of the page can be called, and lessons' titles."""
    server = {*spoken.required(), *spoken.choices(), *TABS.values()}
    if language != "en":
        server = {i18n.translate(each, language) for each in server}
    titles = {lessons.lesson(name, language).title for name in lessons.names()}
    return frozenset({*said(language), *server, *titles})


def unknown(text: str, language: str) -> list[str]:
    """What a text quotes that the page does not say in this language."""
    return [each for each in QUOTED.findall(text) if each not in words(language)]
