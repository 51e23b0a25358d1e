"""Numbers to English words: 4721 is "four thousand seven hundred twenty-one".

The word for a digit depends on its place, and the place on the number of digits after it: the smallest
translation task in which attention must count.
"""

from __future__ import annotations

from random import Random

ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

LARGEST = 999_999
TRAINING = 8_000
VALID = COMPOSITIONAL = 500
SEED = 1

APART = ((2, 7, 0, 4), (2, 3, 1, 6), (3, 5, 1, 8), (4, 9, 2, 2))
"""(place, digit, place, digit), places counted from the right: never together in training.

No number with 7 hundreds and 4 ones, none with 3 hundreds and 6 tens, none with 5 thousands and 8
tens, none with 9 ten thousands and 2 hundreds; each of these alone is learned from many others.
"""


def number_words(number: int) -> str:
    """The name of 0 to 999,999, without "and" (The Chicago Manual of Style, 9.5)."""
    if number >= 1_000:
        rest = number % 1_000
        return f"{number_words(number // 1_000)} thousand" + (
            f" {number_words(rest)}" if rest else ""
        )
    if number >= 100:
        rest = number % 100
        return f"{ONES[number // 100]} hundred" + (f" {number_words(rest)}" if rest else "")
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")


def translate(text: str) -> str | None:
    """The name of the number in a text; None if there is none, or it is too large."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6) or str(int(text)) != text:
        return None
    return number_words(int(text))


def is_compositional(number: int) -> bool:
    """Whether the number has two digits that training data never combines."""
    return any(
        number // 10**place % 10 == digit and number // 10**other % 10 == other_digit
        for place, digit, other, other_digit in APART
    )


def number_parts() -> dict[str, list[tuple[str, str]]]:
    """The parts `train`, `valid` and `compositional`: different numbers, of one to six digits.

    Training data has all numbers below 100, so that each name occurs; other lengths are about equally
    frequent, as far as there are enough numbers.
    """
    random = Random(SEED).random
    drawn = dict.fromkeys(range(100))
    parts: dict[str, list[int]] = {"train": list(drawn), "valid": [], "compositional": []}
    while len(parts["train"]) < TRAINING or len(parts["compositional"]) < COMPOSITIONAL:
        length = 3 + int(random() * 4)
        number = int(10 ** (length - 1) * (1 + 9 * random()))
        if number in drawn or number > LARGEST:
            continue
        drawn[number] = None
        if is_compositional(number):
            if len(parts["compositional"]) < COMPOSITIONAL:
                parts["compositional"].append(number)
        elif len(parts["valid"]) < VALID and random() < VALID / TRAINING:
            parts["valid"].append(number)
        elif len(parts["train"]) < TRAINING:
            parts["train"].append(number)
    return {
        part: [(str(number), number_words(number)) for number in numbers]
        for part, numbers in parts.items()
    }
