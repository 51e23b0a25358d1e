"""Events and commands: every message survives a round trip through its line, and invalid lines are refused."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from engine.config import TrainConfig
from engine.runs.events import (
    CHANGEABLE,
    COMMANDS,
    EVENTS,
    Change,
    Ended,
    Evaluated,
    Message,
    Noted,
    Probed,
    Routed,
    Saved,
    Step,
    Stepped,
    from_line,
    read_line,
)

SAMPLES: dict[str, Any] = {
    "AtStep": 3,
    "Annotated[AtStep,": 3,
    "Count": 3,
    "Number": 0.25,
    "Positive": 0.25,
    "Share": 0.25,
    "Word": "a\n<b>你好\x00\u2028",
    "Text": "a\n<b>你好\x00\u2028",
    "CheckpointName": "step-000003",
    "SnapshotName": "step-000003.npz",
    "bool": True,
    "Task": "sample",
    "list[Count]": [1, 2],
    "list[Number]": [0.25],
    "Table": [[0.5, 0.5], [1.0, 0.0]],
    "dict[Word,": {"switch": [1.0]},
}


ROUTED = Routed(
    step=1, layers=[0], load=[[0.5, 0.5]], probability=[[0.5, 0.5]], dropped=[0.0], entropy=[0.7],
    losses={"switch": [1.0]}, balance_loss=0.0,
)  # fmt: skip


def example(kind: type[Message]) -> Message:
    """A message with a value in every field."""
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
        '{"type": ["stepped"]}',
        '{"type": "noted", "step": 1, "text": "\\ud800"}',
        b'{"type": "noted", "step": 1, "text": "\xed\xa0\x80"}',
    ],
)
def test_what_is_no_message_is_refused(line: str | bytes) -> None:
    with pytest.raises(ValueError):
        from_line(line)


def changed(message: Message, **values: object) -> str:
    """The line of a message, with some values replaced by invalid ones."""
    return json.dumps(json.loads(message.to_line(time=5.0)) | values)


WRONG: list[object] = [None, "x", [1], {"a": 1}, math.nan, math.inf, 10**400, 2**64, -(10**41)]
"""Invalid values of a number field. 2**64 is too large for a count, 10**41 for a measurement."""


@pytest.mark.case("R4")
@pytest.mark.parametrize("value", [*WRONG, True], ids=repr)
@pytest.mark.parametrize(
    "field", ["step", "loss", "lr", "grad_norm", "tokens", "seconds", "time", "step of 1.5"]
)
def test_a_number_of_another_type_or_beyond_its_limits_is_refused(
    field: str, value: object
) -> None:
    line = Stepped(step=1, loss=2.5, lr=0.1, grad_norm=1.0, tokens=64, seconds=0.1)
    assert from_line(changed(line)) == line
    values = {"step": 1.5} if field == "step of 1.5" else {field: value}
    if field in ("loss", "seconds", "lr", "grad_norm", "time") and value == 2**64:
        values = {field: 1e40}
    with pytest.raises(ValueError):
        from_line(changed(line, **values))


@pytest.mark.case("R4")
@pytest.mark.parametrize(
    "line",
    [
        changed(Evaluated(step=60, loss=1.0), loss=None),
        changed(Evaluated(step=60, loss=1.0), time=1e18),
        changed(Evaluated(step=60, loss=1.0), time=-1),
        changed(Evaluated(step=60, loss=1.0), step=-60),
        changed(Evaluated(step=60, loss=1.0), step=2**63 - 1),
        changed(Evaluated(step=60, loss=1.0), accuracy=3.0),
        changed(Stepped(step=1, loss=1, lr=0, grad_norm=1, tokens=1, seconds=1), step=0),
        changed(Probed(step=1, name="step-000001.npz"), name="../../../etc/passwd"),
        changed(Saved(step=1, name="step-000001"), name="/etc"),
        changed(Ended(step=1, how="finished"), how="exploded"),
        changed(Noted(step=1, text=""), text="x" * 1_000_000),
        changed(ROUTED, load=[[0.5], [0.5, 0.5]]),
        changed(ROUTED, load=[]),
        changed(ROUTED, load=[[]]),
        changed(ROUTED, load=[[-0.5, 0.5]]),
        changed(ROUTED, losses={"switch": "high"}),
    ],
)
def test_what_a_reader_could_stumble_over_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        from_line(line)


@pytest.mark.case("R4")
def test_a_command_is_checked_too() -> None:
    for line in (
        changed(Step(steps=3), steps="all"),
        changed(Change(field="max_lr", value=0.1), value="x"),
    ):
        with pytest.raises(ValueError):
            from_line(line, COMMANDS)


@pytest.mark.parametrize("path", sorted(Path("checkpoints").glob("*/events.jsonl")), ids=str)
def test_every_line_of_a_shipped_run_is_a_message(path: Path) -> None:
    for line in path.read_bytes().splitlines():
        read_line(line)


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
