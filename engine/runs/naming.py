"""Names of runs: the fields that were changed, in words.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from engine.config import PART_OF, VALUE_NAMES, fields, label

ANNOTATIONS = {name: info.annotation for _, name, info in fields()}
"""The type of each field of a configuration."""


def describe(changes: Mapping[str, Any]) -> str:
    """Name a run by its changed fields, as the page calls them: "12 blocks, post-norm, width 128"."""
    return ", ".join(say(name, value) for name, value in changes.items())


def by_field(changes: Mapping[str, Any]) -> str:
    """The same by the fields' own names, from which a suite's base is read again: "n_layer 12, no bias"."""
    words = [
        name
        if value is True
        else f"no {name}"
        if value is False
        else f"{name} {_plain(value, ',', 0)}"
        for name, value in changes.items()
    ]
    return ", ".join(words)


def say(name: str, value: Any) -> str:
    """One field and its value in words: "12 blocks", "post-norm", "tied embeddings off", "learning rate 0.001"."""
    if name not in PART_OF:
        return f"{name} {value}"
    title = label(name)
    called = title if re.match(r"\S*[A-Z]", title[1:]) else title[0].lower() + title[1:]
    counts = re.split(" of | per | in ", title)[0].endswith("s") and "int" in str(ANNOTATIONS[name])
    if value is None or value == "none":
        return f"no {called}" if counts or value else f"{called}: auto"
    if isinstance(value, bool):
        return called if value else f"{called} off"
    if counts and isinstance(value, int):
        said = called if value != 1 else re.sub(r"s\b", "", called, count=1)
        return f"{value or 'no'} {said}" if value < 1_000 else f"{value:,} {said}"
    if isinstance(value, str):
        word = VALUE_NAMES.get(value, value)
        if word.lower() != word or "-norm" in word:
            return word
        return f"{called} {word}" if " " in called else f"{word} {called}"
    return f"{called} {_plain(value, ' and ', 1)}"


def _plain(value: Any, between: str, first: int) -> str:
    """A value in a name; indices of blocks count from `first`."""
    if isinstance(value, tuple | list):
        return between.join(str(index + first) for index in cast("Sequence[int]", value))
    return f"{value:g}" if isinstance(value, float) else str(value)
