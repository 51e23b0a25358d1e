"""Checks of requests, and packing of answers.

Any client may call server functions. `typed` checks their arguments against their annotations, each function checks
values with the functions below, and `answer` turns an error into `{"error": "a sentence for the learner"}`.
"""

from __future__ import annotations

import base64
import errno
import functools
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    ParamSpec,
    TypedDict,
    TypeVar,
    cast,
    get_args,
    get_type_hints,
)

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import NotRequired

from engine.cli.flags import PATHS
from engine.data.reading import ended_lines
from engine.runs.events import MAX_STEP
from engine.validation import ConfigError, Problem
from playground.runs import run_lookup

if TYPE_CHECKING:
    from engine.tokenizers import Tokenizer

MAX_CHARACTERS = 20_000
"""The longest text that is read."""
MAX_ERROR = 1_000
"""The most characters of an error message; some quote what was sent."""

TEXT = {
    "unknown": "This model has never seen {unknown}. It reads only the characters of the text it "
    "learned from: {known}",
    "text": "The text must be a string of at most {limit} characters.",
    "whole": "{name} must be a whole number from {low} to {high}.",
    "arguments": "{name} takes {known}: {problem}.",
    "full": "The server's disk is full.",
    "read only": "The server may not write where it keeps runs.",
    "files": "The server cannot read or write its files.",
    "bug": "The server failed. Details are in its log.",
    "ids": "The tokens must be a list of 1 to {most} whole numbers from 0 to {high}.",
}

FILES = {
    errno.ENOSPC: TEXT["full"],
    errno.EDQUOT: TEXT["full"],
    errno.EROFS: TEXT["read only"],
    errno.EACCES: TEXT["read only"],
    errno.EPERM: TEXT["read only"],
}
"""Messages for errors of the system, whose own words hold a path of the server."""

P = ParamSpec("P")
T = TypeVar("T")

Served = tuple[Callable[..., Mapping[str, Any]], ...]
"""What a view may call."""


def sentence(error: Exception) -> str:
    """The message of this error for the learner: never empty, and without paths of the server."""
    if isinstance(error, OSError):
        return FILES.get(error.errno or 0, TEXT["files"])
    if isinstance(error, ConfigError):
        error = ConfigError([_name_only(problem) for problem in error.problems])
    if isinstance(error, ValueError):
        return without_paths(str(error))[:MAX_ERROR] or TEXT["bug"]
    traceback.print_exception(error, file=sys.stderr)
    return TEXT["bug"]


def _name_only(problem: Problem) -> Problem:
    """A problem with a learner's file names the file, and not where it is on the server."""
    if problem.field not in PATHS:
        return problem
    return replace(problem, value=Path(str(problem.value)).name)


def without_paths(text: str) -> str:
    """The same text; files of the project and of its runs are named from their own folder on."""
    for folder in (run_lookup.store().root, run_lookup.ROOT):
        text = text.replace(f"{folder}/", "").replace(f"{folder}\\", "")
    return text


def public_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event's fields, its texts without paths of the server."""
    said = {name: without_paths(event[name]) for name in ("reason", "text") if name in event}
    return {**event, **said}


def typed(function: Callable[..., T]) -> Callable[..., T]:
    """The function, raising `ValueError` for arguments that its annotations do not allow.

    3.0 is a whole number, as forms and scripts send it; "3" and True are none.
    """
    signature = inspect.signature(function)
    hints = get_type_hints(function)
    kinds = {name: hints.get(name, Any) for name in signature.parameters}
    readers = {name: TypeAdapter(kind, config=STRICT) for name, kind in kinds.items()}

    @functools.wraps(function)
    def checking(*args: Any, **kwargs: Any) -> T:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            known = ", ".join(signature.parameters) or "nothing"
            text = TEXT["arguments"].format(name=function.__name__, known=known, problem=error)
            raise ValueError(text) from None
        for name, value in given.items():
            if isinstance(value, float) and value.is_integer() and _is_whole(kinds[name]):
                value = given[name] = int(value)
            try:
                readers[name].validate_python(value)
            except ValidationError as error:
                problems = ConfigError.of(error).problems[:1]
                raise ConfigError([Problem(name, p.value, p.allowed) for p in problems]) from None
        return function(**given)

    return checking


STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


def _is_whole(kind: Any) -> bool:
    return kind is int or (int in get_args(kind) and float not in get_args(kind))


def written(value: object) -> bytes:
    """The value as JSON, whatever it holds: half a character becomes U+FFFD, an endless number a short one."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return orjson.dumps(_plain(value), option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: object) -> object:
    """The value, with everything that orjson cannot write replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1023 else None
    if isinstance(value, dict):
        return {
            _plain(str(key)): _plain(each) for key, each in cast("dict[Any, Any]", value).items()
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("Sequence[Any]", value)]
    return value


class Refused(TypedDict):
    """The answer to a request that failed."""

    error: str
    """A sentence for the learner."""
    tab: NotRequired[str]
    """The tab of the page that shows this run: then it is no error."""


def answer(function: Callable[P, T]) -> Callable[P, T | Refused]:
    """The function, answering `Refused` instead of raising an error."""

    @functools.wraps(function)
    def answering(*args: P.args, **kwargs: P.kwargs) -> T | Refused:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            refused: Refused = {"error": sentence(error)}
            tab = getattr(error, "tab", None)
            if tab is not None:
                refused["tab"] = tab
            return refused

    return answering


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


def step(value: object) -> int | None:
    """A step of training; None is the newest checkpoint."""
    return None if value is None else whole("step", value, 0, MAX_STEP)


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


def base64_of(array: npt.NDArray[Any]) -> str:
    """The array's bytes as base64, little-endian, row after row."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode("ascii")
