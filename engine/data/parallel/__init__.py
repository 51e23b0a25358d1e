"""The project's own pairs to translate: small languages, each text with its one right translation.

    numbers    4721                             four thousand seven hundred twenty-one
    dates      March 12, 1998                   1998-03-12
    german     The owl knows that the cat ...   a grammar of its own: verbs at the end, agreement
    chinese    The cat that sleeps ...          a grammar of its own: what is said of a noun first

Two parts of each are held out: unseen texts, and texts that put together what training only has
apart, such as a month and a form of dates, or an adjective and a noun. Whoever has learned rules
translates these too (Lake & Baroni 2018, "Generalization without Systematicity").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from engine.data.parallel import dates, numbers
from engine.data.parallel.sentences import EDITIONS

__all__ = ["EDITIONS", "PAIRS", "PairSource", "pair_parts"]


@dataclass(frozen=True)
class PairSource:
    """Pairs to learn from."""

    name: str
    title: str
    description: str
    source_language: str
    target_language: str
    """What the languages are called, in English."""
    make: Callable[[], dict[str, list[tuple[str, str]]]]
    """The pairs of the parts `train`, `valid` and `compositional`."""
    length: int
    """Tokens of a translation and its END, on average."""
    compositional: str
    """What the compositional part puts together, in words."""
    translate: Callable[[str], str | None] | None = None
    """The right translation of any text; None: only of those that `make` has."""


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
        ),
    )
}


@lru_cache(maxsize=len(PAIRS))
def pair_parts(name: str) -> dict[str, list[tuple[str, str]]]:
    """The pairs of one of `PAIRS`, by part; made or read once."""
    return PAIRS[name].make()
