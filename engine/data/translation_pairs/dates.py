"""Dates in several formats to ISO 8601: "March 12, 1998" is "1998-03-12".

Attention must find day, month and year in any order, and turn the name of a month into a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from random import Random

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)
"""Two digits determine a year: 50 is 1950, 49 is 2049."""

TRAINING = 8_000
VALID = COMPOSITIONAL = 500
SEED = 1


@dataclass(frozen=True)
class DateForm:
    """A date format."""

    write: Callable[[date], str]
    pattern: str
    """A regular expression with the groups day, month, and year."""
    unseen: tuple[int, int]
    """Months that training data never has in this format."""


def ordinal(day: int) -> str:
    """1st, 2nd, 3rd, 4th, ..., 11th, ..., 21st."""
    ending = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


NAME = "|".join(MONTHS)
SHORT = "|".join(name[:3] for name in MONTHS)
DAY, YEAR = "(?P<day>[0-9]{1,2})", "(?P<year>[0-9]{4})"

FORMS: dict[str, DateForm] = {
    "March 12, 1998": DateForm(
        lambda day: f"{MONTHS[day.month - 1]} {day.day}, {day.year}",
        rf"(?P<month>{NAME}) {DAY}, {YEAR}",
        (1, 7),
    ),
    "March 12th, 1998": DateForm(
        lambda day: f"{MONTHS[day.month - 1]} {ordinal(day.day)}, {day.year}",
        rf"(?P<month>{NAME}) {DAY}(?:st|nd|rd|th), {YEAR}",
        (2, 8),
    ),
    "12 March 1998": DateForm(
        lambda day: f"{day.day} {MONTHS[day.month - 1]} {day.year}",
        rf"{DAY} (?P<month>{NAME}) {YEAR}",
        (3, 9),
    ),
    "the 12th of March 1998": DateForm(
        lambda day: f"the {ordinal(day.day)} of {MONTHS[day.month - 1]} {day.year}",
        rf"the {DAY}(?:st|nd|rd|th) of (?P<month>{NAME}) {YEAR}",
        (4, 10),
    ),
    "Thursday 12 Mar 1998": DateForm(
        lambda day: f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1][:3]} {day.year}",
        rf"(?:{'|'.join(WEEKDAYS)}) {DAY} (?P<month>{SHORT}) {YEAR}",
        (1, 11),
    ),
    "12 Mar '98": DateForm(
        lambda day: f"{day.day} {MONTHS[day.month - 1][:3]} '{day.year % 100:02}",
        rf"{DAY} (?P<month>{SHORT}) '(?P<year>[0-9]{{2}})",
        (6, 12),
    ),
    "12.03.1998": DateForm(
        lambda day: f"{day.day:02}.{day.month:02}.{day.year}",
        rf"(?P<day>[0-9]{{2}})\.(?P<month>[0-9]{{2}})\.{YEAR}",
        (5, 12),
    ),
    "12.03.98": DateForm(
        lambda day: f"{day.day:02}.{day.month:02}.{day.year % 100:02}",
        r"(?P<day>[0-9]{2})\.(?P<month>[0-9]{2})\.(?P<year>[0-9]{2})",
        (3, 10),
    ),
    "03/12/1998": DateForm(
        lambda day: f"{day.month:02}/{day.day:02}/{day.year}",
        rf"(?P<month>[0-9]{{2}})/(?P<day>[0-9]{{2}})/{YEAR}",
        (4, 8),
    ),
    "1998年3月12日": DateForm(
        lambda day: f"{day.year}年{day.month}月{day.day}日",
        rf"{YEAR}年(?P<month>[0-9]{{1,2}})月{DAY}日",
        (2, 9),
    ),
}
"""March 12, 1998 in each format. With dots the day comes first, with slashes the month."""


def translate(text: str) -> str | None:
    """The date in ISO format; None if the text is not exactly a date in one of the formats."""
    for form in FORMS.values():
        found = re.fullmatch(form.pattern, text)
        if found is None:
            continue
        month, year = found["month"], int(found["year"])
        names = {name[: len(month)]: i for i, name in enumerate(MONTHS, start=1)}
        if year < 100:
            year += 1900 if year >= FIRST.year % 100 else 2000
        try:
            day = date(year, names.get(month) or int(month), int(found["day"]))
        except ValueError:  # there is no 31st of April
            return None
        return day.isoformat() if FIRST <= day <= LAST and form.write(day) == text else None
    return None


def date_parts() -> dict[str, list[tuple[str, str]]]:
    """The parts `train`, `valid` and `compositional`: random dates in random formats, no text twice.

    The compositional part has, for each format, the months that are `unseen` in it.
    """
    random = Random(SEED).random
    forms = list(FORMS.values())
    days = (LAST - FIRST).days + 1
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "valid": [], "compositional": []}
    drawn: set[str] = set()
    while len(parts["train"]) < TRAINING:
        day = date.fromordinal(FIRST.toordinal() + int(random() * days))
        form = forms[int(random() * len(forms))]
        pair = form.write(day), day.isoformat()
        if pair[0] in drawn:
            continue
        drawn.add(pair[0])
        if day.month in form.unseen:
            if len(parts["compositional"]) < COMPOSITIONAL:
                parts["compositional"].append(pair)
        elif len(parts["valid"]) < VALID and random() < VALID / TRAINING:
            parts["valid"].append(pair)
        else:
            parts["train"].append(pair)
    return parts
