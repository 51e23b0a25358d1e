"""The tab Learn: the guided path. The coach, which goes with a lesson over all tabs, is `build_coach`."""

from __future__ import annotations

from engine.presets import PRESETS
from playground import i18n, lessons
from playground.page import Page
from playground.views import view


def build(page: Page) -> None:
    """Place the list of lessons."""
    presets = [{"name": preset.name, "title": preset.title} for preset in PRESETS.values()]
    terms = [{"en": term.en, "zh": term.zh} for term in i18n.glossary()]
    view("learn", (lessons.path,), "learn", presets=presets, terms=terms)


def build_coach() -> None:
    """Place what guides through a lesson, beside whatever tab is shown."""
    view("coach", (lessons.read, lessons.check), "coach")
