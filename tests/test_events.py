"""What a run says and may be told: one line each, whatever is in it."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import pytest

from engine.config import TrainConfig
from engine.events import CHANGEABLE, COMMANDS, EVENTS, Message, Noted, Stepped, from_line

SAMPLES: dict[str, Any] = {
    "int": 3,
    "float": 0.25,
    "str": "a\n<b>你好\x00\u2028",
    "bool": True,
    "list[int]": [1, 2],
    "Task": "sample",
    "list[float]": [0.25],
    "list[list[float]]": [[0.5, 0.5], [1.0, 0.0]],
    "dict[str,": {"switch": [1.0]},
}


def example(kind: type[Message]) -> Message:
    """A message with something in every field."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        first = str(field.type).split(" ")[0]
        values[field.name] = "failed" if first.startswith("Literal") else SAMPLES[first]
    return kind(**values)


@pytest.mark.parametrize("kinds", [EVENTS, COMMANDS], ids=["events", "commands"])
def test_every_message_comes_back(kinds: dict[str, type[Message]]) -> None:
    for name, kind in kinds.items():
        message = example(kind)
        line = message.to_line(time=5.0)
        assert "\n" not in line and json.loads(line)["type"] == name
        assert json.loads(line)["time"] == 5.0
        assert from_line(line, kinds) == message
        assert from_line(line.encode(), kinds) == message


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        "{}",
        '{"type": "explode"}',
        '{"type": "stepped"}',
        b"\xff",
        "[" * 9999,
    ],
)
def test_what_is_no_message_is_refused(line: str | bytes) -> None:
    with pytest.raises(ValueError):
        from_line(line)


def test_what_a_newer_version_added_is_left_out() -> None:
    line = Noted(step=1, text="x").to_line(colour="red")
    assert from_line(line) == Noted(step=1, text="x")


def test_a_command_is_no_event() -> None:
    with pytest.raises(ValueError):
        from_line('{"type": "pause"}', EVENTS)


def test_no_line_holds_what_json_has_not() -> None:
    event = Stepped(step=1, loss=math.nan, lr=0.1, grad_norm=1.0, tokens=1, seconds=0.1)
    with pytest.raises(ValueError):
        event.to_line()


def test_what_may_change_is_a_number_of_the_configuration() -> None:
    for name in CHANGEABLE:
        assert TrainConfig.model_fields[name].annotation is float
