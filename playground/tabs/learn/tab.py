"""The tab Learn: the list of lessons, and the page on which a lesson is read.

`build_coach` adds the panel that stays beside the other tabs while an experiment of a lesson is done there.
"""

from __future__ import annotations

from typing import TypedDict

from engine.presets import PRESETS
from playground import i18n
from playground.page.page import Page
from playground.page.views import view
from playground.tabs.learn import game, lessons, record, server


def build(page: Page) -> None:
    """Place the list of lessons, and the page for reading one."""
    presets = [{"name": preset.name, "title": preset.title} for preset in PRESETS.values()]
    words = terms()
    view(
        "learn",
        (server.path, record.questions),
        "learn",
        {"presets": presets, "terms": words},
    )
    view("reading", (server.read, server.check, game.guess), "reading", {"terms": words})


class ShownTerm(TypedDict):
    """A term of the glossary as `assets/js/page/terms.js` takes it; `title` is that of its lesson."""

    en: str
    zh: str
    means: str
    means_zh: str
    lesson: str
    title: dict[str, str]
    everyday: bool


def terms(*names: str) -> list[ShownTerm]:
    """The glossary, with the lessons that teach its terms: all of it, or the terms of these English names."""
    return [
        {
            "en": term.en,
            "zh": term.zh,
            "means": term.means,
            "means_zh": term.means_zh,
            "lesson": term.lesson,
            "title": {lang: lessons.lesson(term.lesson, lang).title for lang in lessons.LANGUAGES},
            "everyday": term.everyday,
        }
        for term in i18n.glossary()
        if not names or term.en in names
    ]


def build_coach() -> None:
    """Place the panel of an experiment beside the tabs."""
    view("coach", (server.read, server.check), "coach")
