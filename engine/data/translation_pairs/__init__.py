"""The project's own translation pairs: small languages in which each text has one correct translation.

    numbers    4721                             four thousand seven hundred twenty-one
    dates      March 12, 1998                   1998-03-12
    german     The owl knows that the cat ...   a grammar of its own: verbs at the end, agreement
    chinese    The cat that sleeps ...          a grammar of its own: modifiers come before their noun

Each has two validation parts: unseen texts, and texts that combine what training only has apart, such as
a month and a date format, or an adjective and a noun. A model that has learned the rules translates these
too (Lake & Baroni 2018, "Generalization without Systematicity").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from engine.data.translation_pairs import dates, numbers
from engine.data.translation_pairs.sentences import EDITIONS

__all__ = ["EDITIONS", "PAIRS", "PairSource", "pair_parts"]


@dataclass(frozen=True)
class PairSource:
    """A source of translation pairs."""

    name: str
    title: str
    description: str
    source_language: str
    target_language: str
    """The names of the languages."""
    make: Callable[[], dict[str, list[tuple[str, str]]]]
    """The pairs of the parts `train`, `valid` and `compositional`."""
    length: int
    """Average tokens of a translation and its END."""
    compositional: str
    """What the compositional part combines."""
    translate: Callable[[str], str | None]
    """Returns the translation of any text; None if it is not of the source language."""
    words: Callable[[], list[str]] | None = None
    """Returns the words of the source language; None if it has no words."""


PAIRS: dict[str, PairSource] = {
    source.name: source
    for source in (
        PairSource(
            "numbers",
            "Numbers in words",
            "Read a number aloud: digits to English words, up to 999,999.",
            "digits",
            "English",
            numbers.number_parts,
            9,
            "two digits in places where training never has both",
            numbers.translate,
        ),
        PairSource(
            "dates",
            "Dates",
            "Ten ways to write a date, all to the one of ISO 8601.",
            "dates",
            "ISO dates",
            dates.date_parts,
            11,
            "months in forms that training never writes them in",
            dates.translate,
        ),
        PairSource(
            "german",
            "English to German",
            "Kings, cheeky goats and pancakes, in a language whose verbs come last.",
            "English",
            "German",
            EDITIONS["german"].parts,
            10,
            "words, such as lazy and cat, that training never puts together",
            EDITIONS["german"].translate,
            EDITIONS["german"].words,
        ),
        PairSource(
            "chinese",
            "English to Chinese",
            "Foxes, painters and lost umbrellas, in a language that says time and place first.",
            "English",
            "Chinese",
            EDITIONS["chinese"].parts,
            15,
            "words, such as lazy and cat, that training never puts together",
            EDITIONS["chinese"].translate,
            EDITIONS["chinese"].words,
        ),
    )
}


@lru_cache(maxsize=len(PAIRS))
def pair_parts(name: str) -> dict[str, list[tuple[str, str]]]:
    """The pairs of one of `PAIRS`, by part. Cached."""
    return PAIRS[name].make()
