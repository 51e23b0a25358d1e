"""Convert configurations to command-line flags and back.

Every field is a flag of the same name, with its description, choices and default as help. `--d_model 96`
therefore needs no code here, and `--d-model 96` is the same. The configuration itself validates the values,
so errors read the same everywhere.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import argparse
import math
import re
import shlex
import sys
import types
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn, Union, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from engine.config import FILE_SOURCES, PART_OF, RunConfig, fields

ALIASES: dict[str, tuple[str, str | None, str]] = {
    "--theta": ("rope_theta", None, "as --rope_theta"),
    "--no_rms_norm": ("norm", "none", "as --norm none"),
    "--norm_rope": ("placement", None, "as --placement: pre or post"),
    "--no_rope": ("position", "none", "as --position none"),
    "--ffn_type": ("feedforward", None, "as --feedforward: swiglu, silu, ..."),
}
"""Alternative flag names: the field, the value that a flag without argument sets, and the help text."""

PATHS = ("train_data_path", "target_data_path", "valid_data_path", "valid_target_path")
"""Fields with paths of the user's files."""

TITLES = {"model": "model", "data": "data", "train": "training"}


class Number:
    """The `type` of a numeric flag with inclusive limits."""

    def __init__(self, kind: type[int] | type[float], minimum: float, maximum: float) -> None:
        self.kind, self.minimum, self.maximum = kind, minimum, maximum

    def __call__(self, text: str) -> float:
        """Parse a number. Raises `argparse.ArgumentTypeError` that states the limits."""
        try:
            value = self.kind(text)
        except ValueError:
            value = math.nan
        if not self.minimum <= value <= self.maximum:
            raise argparse.ArgumentTypeError(f"{text[:80]!r} must be {self}")
        return value

    @property
    def metavar(self) -> str:
        """The value's name in the help."""
        return "N" if self.kind is int else "X"

    def __str__(self) -> str:
        kind = "a whole number" if self.kind is int else "a number"
        return f"{kind} from {self.minimum:,} to {self.maximum:,}"


POSITIVE = Number(int, 1, 1_000_000_000)
"""A count of at least one."""

NON_NEGATIVE = Number(int, 0, 1_000_000_000)
"""A count or a step, from zero."""

THREADS = Number(int, 1, 1_024)


class Parser(argparse.ArgumentParser):
    """An argument parser that accepts hyphens for underscores and reports errors on one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """As argparse's; the help names the value of a `Number` by its kind."""
        if isinstance(kind := options.get("type"), Number):
            options.setdefault("metavar", kind.metavar)
        return super().add_argument(*names, **options)

    def parse(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse a command. An invalid command ends the program with status 2."""
        given = [normalise_flag(word) for word in (sys.argv[1:] if words is None else words)]
        found, unknown = self.parse_known_args(given)
        if unknown:
            parser: argparse.ArgumentParser = getattr(found, "parser", self)
            parser.error(
                f"{unknown[0]} is not known{_suggestions(unknown[0], known_flags(parser))}"
            )
        return found

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def normalise_flag(word: str) -> str:
    """Turn `--d-model=96` into `--d_model=96`; return anything else unchanged."""
    match = re.fullmatch(r"--([A-Za-z][\w-]*)(=.*)?", word, re.DOTALL)
    return f"--{match[1].replace('-', '_')}{match[2] or ''}" if match else word


def known_flags(parser: argparse.ArgumentParser) -> list[str]:
    """All flags of a parser."""
    return [flag for flag in parser._option_string_actions if flag.startswith("--")]  # pyright: ignore[reportPrivateUsage]


def _suggestions(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.partition("=")[0], list(known), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every field of a run's configuration, and the alternative names."""
    groups = {part: parser.add_argument_group(title) for part, title in TITLES.items()}
    for part, name, info in fields():
        add_flag(groups[part], name, info)
    others = parser.add_argument_group("other names")
    for flag, (field, value, description) in ALIASES.items():
        if value is None:
            others.add_argument(
                flag, dest=field, default=argparse.SUPPRESS, metavar="VALUE", help=description
            )
        else:
            others.add_argument(
                flag,
                dest=field,
                action="store_const",
                const=value,
                default=argparse.SUPPRESS,
                help=description,
            )


def add_flag(parser: Any, name: str, info: FieldInfo) -> None:
    """Add a flag for one field. If it is not given, it is absent from the parsed options."""
    description = f"{info.description} (default: {format_value(info.default)})".replace("%", "%%")
    options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS}
    if bool in _kinds(info.annotation):
        parser.add_argument(f"--{name}", action="store_true", help=description, **options)
        opposite = f"the opposite of --{name}"
        parser.add_argument(f"--no_{name}", action="store_false", help=opposite, **options)
        return
    choices = choices_of(info.annotation)
    options["metavar"] = "|".join(choices) if choices else _kind(info.annotation)
    options["type"] = _or_none if info.default is None else str
    parser.add_argument(f"--{name}", help=description, **options)


def choices_of(annotation: Any) -> list[str]:
    """The allowed values of a `Literal` field; [] for other fields."""
    return list(get_args(annotation)) if get_origin(annotation) is Literal else []


def _kind(annotation: Any) -> str:
    return {int: "N", float: "X"}.get(_kinds(annotation)[0], "TEXT")


def _kinds(annotation: Any) -> list[Any]:
    """The types of a field, without None."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for kind in get_args(annotation) if kind is not types.NoneType]
    return [annotation]


def _or_none(text: str) -> str | None:
    """Convert the value of an optional field: "none" means empty."""
    return None if text == "none" else text


def format_value(value: object) -> str:
    """Format a field's value for the command line."""
    if isinstance(value, tuple):
        return ",".join(map(str, cast("tuple[int, ...]", value)))
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def fields_from_flags(options: argparse.Namespace) -> dict[str, Any]:
    """The configuration fields among a command's parsed options."""
    return {name: value for name, value in vars(options).items() if name in PART_OF}


def apply_flags(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Apply flags to a configuration's flat fields.

    A training file sets `source`, any other source clears the files, and paths become absolute so that
    they are valid from every folder.
    """
    both = {**values, **given}
    if given.get("train_data_path") and "source" not in given:
        translates = given.get("target_data_path") or both.get("n_encoder_layer") is not None
        both["source"] = "pairs" if translates else "text"
    elif both.get("source") not in FILE_SOURCES and "train_data_path" not in given:
        both = {name: value for name, value in both.items() if name not in PATHS or name in given}
    return both | {name: str(Path(both[name]).resolve()) for name in PATHS if both.get(name)}


def command_line(config: RunConfig) -> str:
    """The command that trains a run of this configuration, with the flags that differ from the defaults."""
    return shell("train", *flags_of(config))


def shell(*words: object) -> str:
    """One of the engine's commands, quoted for pasting into a shell."""
    return shlex.join(["python", "-m", "engine", *map(str, words)])


def flags_of(config: RunConfig) -> Sequence[str]:
    """The flags `--d_model 96 --no_tie_embeddings ...` whose parsing gives this configuration."""
    return flags(config.changes())


def flags(values: Mapping[str, Any]) -> Sequence[str]:
    """The flags that set these fields."""
    words: list[str] = []
    for name, value in values.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no_{name}")
        elif isinstance(value, str) and value.startswith("-"):
            words.append(f"--{name}={value}")
        else:
            words += [f"--{name}", format_value(value)]
    return words
