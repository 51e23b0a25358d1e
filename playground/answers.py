"""What any client may send is checked here, and what goes back is packed.

Server functions can be called by anyone, so each checks its arguments with these, and `answer` turns
what is refused into `{"error": "a sentence for the learner"}`.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
import numpy.typing as npt

from engine.data.reading import ended_lines

if TYPE_CHECKING:
    from engine.tokenizers import Tokenizer

MAX_CHARACTERS = 20_000
"""The longest text that is read at all."""
MAX_ERROR = 1_000
"""Characters of a problem that are told; some quote what was sent."""

TEXT = {
    "unknown": "This model has never seen {unknown}. It reads only the characters of the text it "
    "learned from: {known}",
    "text": "The text must be a string of at most {limit} characters.",
    "run": "The run must be named by its id, a string.",
    "whole": "{name} must be a whole number from {low} to {high}.",
    "ids": "The tokens must be a list of 1 to {most} whole numbers from 0 to {high}.",
}

P = ParamSpec("P")


def answer(function: Callable[P, dict[str, Any]]) -> Callable[P, dict[str, Any]]:
    """The function, answering `{"error": ...}` where it would raise `ValueError`.

    With "tab", where it is no error at all but another tab of the page that shows this run.
    """

    @functools.wraps(function)
    def answering(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            tab = getattr(error, "tab", None)
            return {"error": str(error)[:MAX_ERROR]} | ({} if tab is None else {"tab": tab})

    return answering


def run_id(value: object) -> str:
    """The id of a run, not yet looked for."""
    if not isinstance(value, str):
        raise ValueError(TEXT["run"])
    return value


def text(value: object) -> str:
    """A text that is not too long to be read, its lines ended as those of a text to learn from."""
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise ValueError(TEXT["text"].format(limit=MAX_CHARACTERS))
    return ended_lines(value)


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number within limits; 3.0 is one, as browsers and forms send it, True is not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(TEXT["whole"].format(name=name, low=low, high=high))
    return value


def ids(value: object, vocab_size: int, most: int) -> list[int]:
    """1 to `most` token ids of the vocabulary."""
    problem = TEXT["ids"].format(most=most, high=vocab_size - 1)
    if not isinstance(value, Sequence) or isinstance(value, str) or not 1 <= len(value) <= most:
        raise ValueError(problem)
    given: list[int] = []
    for token in value:  # pyright: ignore[reportUnknownVariableType]
        if type(token) is not int or not 0 <= token < vocab_size:  # pyright: ignore
            raise ValueError(problem)
        given.append(token)
    return given


def encode(tokenizer: Tokenizer, given: str) -> list[int]:
    """The tokens of a text; characters that the model cannot read are named, and those it can."""
    from engine.tokenizers import UnknownCharacters, readable

    try:
        return tokenizer.encode(given)
    except UnknownCharacters as error:
        unknown = ", ".join(map(readable, error.characters[:5]))
        if len(error.characters) > 5:
            unknown += f" and {len(error.characters) - 5} more"
        known = "".join(p for p in tokenizer.pieces if len(p) == 1 and p.isprintable())
        known = known if len(known) <= 120 else known[:120] + "…"
        raise ValueError(TEXT["unknown"].format(unknown=unknown, known=known)) from None


def packed(array: npt.NDArray[Any]) -> str:
    """The array's bytes as base64, little-endian, row after row."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode("ascii")
