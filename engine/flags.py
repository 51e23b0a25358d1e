"""Command-line flags derived from the fields of configurations, and back.

Every field is a flag of its own name, with its description, its choices and its default as help, so
`--d_model 96` needs no line of code here; `--d-model 96` is the same. The values are checked by the
configuration itself, in the same words as everywhere.

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

from engine.config import OWN_FILES, PART_OF, RunConfig, fields

ALIASES: dict[str, tuple[str, str | None, str]] = {
    "--theta": ("rope_theta", None, "as --rope_theta"),
    "--no_rms_norm": ("norm", "none", "as --norm none"),
    "--norm_rope": ("placement", None, "as --placement: pre or post"),
    "--no_rope": ("position", "none", "as --position none"),
    "--ffn_type": ("feedforward", None, "as --feedforward: swiglu, silu, ..."),
}
"""Other names of some flags: the field each sets, and to what, where it takes no value."""

PATHS = ("train_data_path", "target_data_path", "valid_data_path", "valid_target_path")
"""Fields that name files of one's own."""

TITLES = {"model": "the model", "data": "what it reads", "train": "how it is trained"}


class Number:
    """The `type` of a flag that is a number between two limits, which are allowed themselves."""

    def __init__(self, kind: type[int] | type[float], least: float, most: float) -> None:
        self.kind, self.least, self.most = kind, least, most

    def __call__(self, text: str) -> float:
        """Raises `argparse.ArgumentTypeError` saying what is allowed."""
        try:
            value = self.kind(text)
        except ValueError:
            value = math.nan
        if not self.least <= value <= self.most:
            raise argparse.ArgumentTypeError(f"{text[:80]!r} must be {self}")
        return value

    def __str__(self) -> str:
        kind = "a whole number" if self.kind is int else "a number"
        return f"{kind} from {self.least:,} to {self.most:,}"


COUNT = Number(int, 1, 1_000_000_000)
"""How many of something, at least one."""

AMOUNT = Number(int, 0, 1_000_000_000)
"""How many of something, or a step, from zero on."""

SEED = Number(int, 0, 2**63 - 1)

THREADS = Number(int, 1, 1_024)


class Parser(argparse.ArgumentParser):
    """Takes hyphens for underscores, and says in one line what is wrong with a command."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def parse(self, words: Sequence[str] | None = None) -> argparse.Namespace:
        """Read a command. A command that cannot be ends the program with status 2."""
        given = [underscored(word) for word in (sys.argv[1:] if words is None else words)]
        found, unknown = self.parse_known_args(given)
        if unknown:
            parser: argparse.ArgumentParser = getattr(found, "parser", self)
            parser.error(f"{unknown[0]} is not known{_like(unknown[0], known_flags(parser))}")
        return found

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def underscored(word: str) -> str:
    """`--d-model=96` as `--d_model=96`; anything else as it is."""
    match = re.fullmatch(r"--([A-Za-z][\w-]*)(=.*)?", word, re.DOTALL)
    return f"--{match[1].replace('-', '_')}{match[2] or ''}" if match else word


def known_flags(parser: argparse.ArgumentParser) -> list[str]:
    """Every flag that a parser takes."""
    return [flag for flag in parser._option_string_actions if flag.startswith("--")]  # pyright: ignore[reportPrivateUsage]


def _like(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word.partition("=")[0], list(known), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """A flag for every field of every part of a run's configuration, and the other names."""
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
    """A flag for one field. What is not given does not appear in the result."""
    description = f"{info.description} (default: {word(info.default)})".replace("%", "%%")
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
    """What a field with a fixed set of names may be."""
    return list(get_args(annotation)) if get_origin(annotation) is Literal else []


def _kind(annotation: Any) -> str:
    return {int: "N", float: "X"}.get(_kinds(annotation)[0], "TEXT")


def _kinds(annotation: Any) -> list[Any]:
    """What a field holds when it is not empty."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for kind in get_args(annotation) if kind is not types.NoneType]
    return [annotation]


def _or_none(text: str) -> str | None:
    """What a field that may be empty is given: "none" empties it."""
    return None if text == "none" else text


def word(value: object) -> str:
    """A field's value as it is written on the command line."""
    if isinstance(value, tuple):
        return ",".join(map(str, cast("tuple[int, ...]", value)))
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def given_fields(options: argparse.Namespace) -> dict[str, Any]:
    """The fields that flags set, of all that a command was given."""
    return {name: value for name, value in vars(options).items() if name in PART_OF}


def changed(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's fields, flat, with what flags set.

    A file of one's own makes itself the source, any other source empties the files, and a path also
    holds from another folder.
    """
    both = {**values, **given}
    if given.get("train_data_path") and "source" not in given:
        translates = given.get("target_data_path") or both.get("n_encoder_layer") is not None
        both["source"] = "pairs" if translates else "text"
    elif both.get("source") not in OWN_FILES and "train_data_path" not in given:
        both = {name: value for name, value in both.items() if name not in PATHS or name in given}
    return both | {name: str(Path(both[name]).resolve()) for name in PATHS if both.get(name)}


def command_line(config: RunConfig) -> str:
    """The command that trains a run of this configuration: only what differs from the defaults."""
    return shell("train", *flags_of(config))


def shell(*words: object) -> str:
    """One of the engine's commands, to be pasted into a shell: quoted where a word needs it."""
    return shlex.join(["python", "-m", "engine", *map(str, words)])


def flags_of(config: RunConfig) -> Sequence[str]:
    """`--d_model 96 --no_tie_embeddings ...`, so that parsing them gives the configuration."""
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
            words += [f"--{name}", word(value)]
    return words
