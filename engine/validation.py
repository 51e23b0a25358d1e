"""The base of all configurations, and what is said of one that cannot be.

A problem names the field, its value and what is allowed, in the same words on the page and on the
command line; pydantic's own words reach nobody.

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

LONGEST = 160
"""Characters of a value that an error shows."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a configuration: which field, its value, and what is allowed."""

    field: str
    value: object
    allowed: str

    def __str__(self) -> str:
        value = repr(self.value)
        if len(value) > LONGEST:  # the end of a path says which file it is
            value = f"{value[: LONGEST // 2]}…{value[-LONGEST // 2 :]}"
        return f"{self.field[:80]} = {value}: {self.allowed}"


class ConfigError(ValueError):
    """A configuration that cannot be; `problems` names every field at fault."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(map(str, problems)))

    @classmethod
    def of(cls, error: ValidationError) -> ConfigError:
        """The same error in the words of `Problem`."""
        problems: list[Problem] = []
        for entry in error.errors(include_url=False):
            context = entry.get("ctx", {})
            named = [part for part in entry["loc"] if isinstance(part, str)]  # not places in a list
            name = context.get("field", named[-1] if named else "config")
            value = context.get("value", entry["input"])
            allowed = entry["msg"]
            if entry["type"] in WORDS:
                limits = {key: _word(limit) for key, limit in context.items()}
                allowed = WORDS[entry["type"]].format_map(limits)
            problems.append(Problem(str(name), value, allowed))
        return cls(problems)


class Named(Protocol):
    """Something with a name of its own."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def named_entries(text: str, kind: str, read: Callable[[Any, str], N]) -> dict[str, N]:
    """A list in JSON, by the names of its entries; `read(entry, where)` makes one of them.

    Raises `ValueError` naming the entry and what is wrong with it.
    """
    entries = json.loads(text)
    if not isinstance(entries, list):
        raise ValueError(f"{kind}s: must be a list")
    found: dict[str, N] = {}
    for number, entry in enumerate(cast("list[Any]", entries), start=1):
        made = read(entry, f"{kind} {number}")
        if made.name in found:
            raise ValueError(f"{kind} {made.name}: is there twice")
        found[made.name] = made
    return found


T = TypeVar("T")


def read_json(adapter: TypeAdapter[T], text: str | bytes) -> T:
    """What a stored file says, its types checked. Raises `ConfigError` naming the fields at fault."""
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise ConfigError.of(error) from None


def _word(limit: object) -> str:
    """A limit in a message: 65,536 or 0.5, and names without quotation marks."""
    if isinstance(limit, int):
        return f"{limit:,}"
    if isinstance(limit, float):
        return f"{limit:g}"
    return str(limit).replace("'", "").replace(" or ", ", ")


WORDS = {
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
"""What pydantic's kinds of error are called on the page and the command line alike."""


def refuse(field: str, value: object, allowed: str) -> PydanticCustomError:
    """The error a validator raises about one field; `ConfigError.of` reads it back."""
    return PydanticCustomError(
        "impossible", "{allowed}", {"field": field, "value": value, "allowed": allowed}
    )


class Config(BaseModel):
    """The base of all configurations: frozen, no unknown fields, JSON both ways."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain values. Raises `ConfigError` naming field, value and what is allowed."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError.of(error) from None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote. Raises `ConfigError`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError.of(error) from None

    def to_json(self) -> str:
        """Every field, also those at their defaults, so that a stored run never changes meaning."""
        return self.model_dump_json(indent=2)

    def changes(self) -> dict[str, Any]:
        """Only the fields that differ from the defaults: for a URL, a preset or a run's name."""
        return self.model_dump(exclude_defaults=True)
