"""The base class of all configurations, and their error messages.

A problem names the field, its value and what is allowed, in the same words on the page and on the
command line. pydantic's own messages are never shown.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import Self

MAX_SHOWN = 160
"""Maximum characters of a value in an error message."""


@dataclass(frozen=True)
class Problem:
    """One invalid field of a configuration: its name, its value and what is allowed."""

    field: str
    value: object
    allowed: str

    def __str__(self) -> str:
        value = repr(self.value)
        if len(value) > MAX_SHOWN:  # keep both ends: the end of a path names the file
            value = f"{value[: MAX_SHOWN // 2]}…{value[-MAX_SHOWN // 2 :]}"
        return f"{self.field[:80]} = {value}: {self.allowed}"


class ConfigError(ValueError):
    """An invalid configuration. `problems` lists every invalid field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))

    @classmethod
    def of(cls, error: ValidationError) -> ConfigError:
        """Convert a pydantic error, with messages from `MESSAGES`."""
        problems: list[Problem] = []
        for entry in error.errors(include_url=False):
            context = entry.get("ctx", {})
            named = [part for part in entry["loc"] if isinstance(part, str)]  # without list indices
            name = context.get("field", named[-1] if named else "config")
            value = context.get("value", entry["input"])
            allowed = entry["msg"]
            if entry["type"] in MESSAGES:
                limits = {key: _format_limit(limit) for key, limit in context.items()}
                allowed = MESSAGES[entry["type"]].format_map(limits)
            problems.append(Problem(str(name), value, allowed))
        return cls(problems)


class Named(Protocol):
    """An object with a `name`."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def named_entries(text: str, kind: str, read: Callable[[Any, str], N]) -> dict[str, N]:
    """Parse a JSON list with `read(entry, where)` for each entry; returns the results by their names.

    Raises `ValueError` that names the entry and the problem.
    """
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise ValueError(f"{kind}s: must be a list")
    found: dict[str, N] = {}
    for number, entry in enumerate(cast("list[Any]", entries), start=1):
        made = read(entry, f"{kind} {number}")
        if made.name in found:
            raise ValueError(f"{kind} {made.name}: is defined twice")
        found[made.name] = made
    return found


T = TypeVar("T")


def read_json(adapter: TypeAdapter[T], text: str | bytes) -> T:
    """Parse JSON and validate its types. Raises `ConfigError` that names the invalid fields."""
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise ConfigError.of(error) from None


def _format_limit(limit: object) -> str:
    """Format a limit for a message: 65,536 or 0.5, and names without quotation marks."""
    if isinstance(limit, int):
        return f"{limit:,}"
    if isinstance(limit, float):
        return f"{limit:g}"
    return str(limit).replace("'", "").replace(" or ", ", ")


MESSAGES = {
    "extra_forbidden": "is not the name of a field",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "finite_number": "must be a finite number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number of less than 4,300 digits",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "json_invalid": "is not JSON: {error}",
    "missing": "is missing",
    "model_type": "must be an object of fields",
    "dict_type": "must be an object of fields",
    "list_type": "must be a list",
    "sequence_str": "must be a list",
    "dataclass_type": "must be an object of fields",
    "tuple_type": "must be a list of whole numbers",
}
"""Messages for pydantic's error types, on the page and on the command line."""


def field_error(field: str, value: object, allowed: str) -> PydanticCustomError:
    """Build the error that a validator raises about one field; `ConfigError.of` converts it."""
    return PydanticCustomError(
        "impossible", "{allowed}", {"field": field, "value": value, "allowed": allowed}
    )


class Config(BaseModel):
    """Base class of all configurations: frozen, without unknown fields, convertible to and from JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain values. Raises `ConfigError` with field, value and what is allowed."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError.of(error) from None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse JSON that `to_json` wrote. Raises `ConfigError`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError.of(error) from None

    def to_json(self) -> str:
        """Serialise every field including defaults, so that a stored run keeps its meaning if defaults change."""
        return self.model_dump_json(indent=2)

    def changes(self) -> dict[str, Any]:
        """Fields that differ from the defaults, for a URL, a preset or a run's name."""
        return self.model_dump(exclude_defaults=True)
