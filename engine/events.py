"""What a run says, and what it may be told: one JSON line each.

`train` yields the events of learning (`Stepped`, `Evaluated`, `Diverged`); the driver around it adds
what happens to the run (`Started`, `Saved`, `Sampled`, ...) and obeys commands. The command line,
Gradio, Streamlit and the tests all read the same lines.

`read_line` is where a line is checked, for all of them: types, limits and lengths. A line that is not as
these classes say is left out, and whoever reads an event need not look again. `Message`s made here, by
training, are not checked.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter

from engine.jsonl import read_object

MAX_STEP = 10**12 - 1
"""The last step that a checkpoint's folder can be called after."""
MAX_TIME = 32_503_680_000.0
"""Seconds since 1970: the year 3000, after which not every system knows a date."""

Number = Annotated[float, Field(ge=-1e39, le=1e39)]
"""As far as fp32 goes, so that what is computed from a few of them stays finite."""
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0, le=1e39)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
"""What JavaScript can count to, too."""
AtStep = Annotated[int, Field(ge=0, le=MAX_STEP)]
Word = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=100_000)]
CheckpointName = Annotated[str, Field(pattern=r"^step-[0-9]{6,12}$")]
SnapshotName = Annotated[str, Field(pattern=r"^step-[0-9]{6,12}\.npz$")]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One line of `events.jsonl` or `commands.jsonl`. `type` in the line is the class's own name."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="ignore", allow_inf_nan=False
    )
    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.type = cls.__name__.lower()

    def to_line(self, **extra: Any) -> str:
        """One line of JSON, without its newline; `extra` is for the writer's own stamp (the time).

        Raises `ValueError` for NaN and infinity, which JSON does not have.
        """
        line = {"type": self.type, **asdict(self), **extra}
        return json.dumps(line, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class Started(Message):
    """The run's process is ready to train: on what, from which step, with how many parameters."""

    step: AtStep
    parameters: Count
    device: Word
    dtype: Word
    threads: Count
    train_tokens: Count | None
    """Tokens in the training data; None for a task, which never runs out."""


@dataclass(frozen=True, kw_only=True)
class Stepped(Message):
    """One update was made. The loss is of the batch before the update, in nats per token."""

    step: Annotated[AtStep, Field(ge=1)]
    loss: Number
    lr: Positive
    grad_norm: Positive
    """Global L2 norm before clipping."""
    tokens: Count
    """Tokens trained on since the run's beginning."""
    seconds: Number
    """Wall-clock seconds that this step took."""


def _even(rows: list[list[float]]) -> list[list[float]]:
    """A row for each layer, an entry for each expert. Raises `ValueError` for what is no table."""
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("rows must have one length, and there must be one")
    return rows


Table = Annotated[list[list[Positive]], AfterValidator(_even)]


@dataclass(frozen=True, kw_only=True)
class Routed(Message):
    """How the batch of this step was routed, before its update: a list entry for each expert layer.

    Comes just before the step's `Stepped`, and not at every step of a long run. With gradient
    accumulation it is the last batch of the step that is told of.
    """

    step: AtStep
    layers: list[Count]
    """The blocks that have experts, counted from 0."""
    load: Table
    """f: each expert's share of all choices, before anything is dropped."""
    probability: Table
    """P: the router's mean probability of each expert."""
    dropped: list[Number]
    """Share of the choices for which the expert had no room."""
    entropy: list[Number]
    """How undecided the router is about a token, in nats; at most ln E."""
    losses: dict[Word, list[Number]]
    """Every balance loss, before its weight."""
    balance_loss: Number
    """What that batch added to the loss: weighted, and summed over losses and layers."""


@dataclass(frozen=True, kw_only=True)
class Evaluated(Message):
    """Held-out loss in nats per token; for a task with exact answers, also the share it got right."""

    step: AtStep
    loss: Number
    accuracy: Share | None = None
    bits: Number | None = None
    """Of a text, the loss in bits a character: unlike that per token, whatever the tokens are."""


@dataclass(frozen=True, kw_only=True)
class Diverged(Message):
    """The loss or the gradient is no longer finite; no update was made and the run ends."""

    step: AtStep
    loss: Word
    """As text, since JSON has no NaN: 'nan', 'inf' or a number."""
    grad_norm: Word


@dataclass(frozen=True, kw_only=True)
class Sampled(Message):
    """What the model writes after a fixed prompt. `text` is the continuation alone."""

    step: AtStep
    prompt: Text
    text: Text
    correct: bool | None = None
    """For a task with exact answers: is it right?"""


Task = Literal["evaluate", "sample"]
"""What a run may be working on for long."""


@dataclass(frozen=True, kw_only=True)
class Working(Message):
    """Nothing else was told for a while, since something takes long: how far it is."""

    step: AtStep
    task: Task
    done: Count
    """Batches measured, or tokens written."""
    total: Count
    """At most so many there will be."""


@dataclass(frozen=True, kw_only=True)
class Probed(Message):
    """The attention of one fixed sequence was recorded, in `snapshots/<name>`."""

    step: AtStep
    name: SnapshotName


@dataclass(frozen=True, kw_only=True)
class Saved(Message):
    """A checkpoint is whole and on disk, in the folder of this name."""

    step: AtStep
    name: CheckpointName


@dataclass(frozen=True, kw_only=True)
class Paused(Message):
    step: AtStep


@dataclass(frozen=True, kw_only=True)
class Resumed(Message):
    step: AtStep


@dataclass(frozen=True, kw_only=True)
class Changed(Message):
    """A setting was changed in the middle of the run."""

    step: AtStep
    field: Word
    value: Number


@dataclass(frozen=True, kw_only=True)
class Noted(Message):
    """Something the learner should know: a command that was refused, a choice that was made."""

    step: AtStep
    text: Text


@dataclass(frozen=True, kw_only=True)
class Ended(Message):
    """The run's process is done: it finished, was stopped, diverged, or failed for this reason."""

    step: AtStep
    how: Literal["finished", "stopped", "diverged", "failed"]
    reason: Text = ""


Event = (
    Started | Stepped | Routed | Evaluated | Diverged | Sampled | Working | Probed | Saved | Paused
    | Resumed | Changed | Noted | Ended
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pause(Message):
    """Stop after the current step and wait."""


@dataclass(frozen=True, kw_only=True)
class Resume(Message):
    """Go on after a pause."""


@dataclass(frozen=True, kw_only=True)
class Step(Message):
    """Make this many steps, then pause."""

    steps: AtStep = 1


@dataclass(frozen=True, kw_only=True)
class Stop(Message):
    """Save and end; the run can be resumed from there. `reason`: where it is not the learner's wish."""

    reason: Text = ""


@dataclass(frozen=True, kw_only=True)
class Save(Message):
    """Write a checkpoint now."""


@dataclass(frozen=True, kw_only=True)
class Change(Message):
    """Set a field of `TrainConfig` that may change in the middle of a run (`CHANGEABLE`)."""

    field: Word
    value: Number


Command = Pause | Resume | Step | Stop | Save | Change

BALANCE = (
    "switch_loss", "expert_loss", "device_loss", "communication_loss", "sequence_loss", "z_loss",
    "bias_rate",
)  # fmt: skip
"""Fields of `TrainConfig` that balance experts."""

CHANGEABLE = ("max_lr", "min_lr", "weight_decay", "max_grad_norm", *BALANCE)
"""Fields of `TrainConfig` that a running run may be told to change."""

EVENTS: dict[str, type[Message]] = {
    kind.type: kind
    for kind in (
        Started, Stepped, Routed, Evaluated, Diverged, Sampled, Working, Probed, Saved, Paused, Resumed,
        Changed, Noted, Ended,
    )
}  # fmt: skip
COMMANDS: dict[str, type[Message]] = {
    kind.type: kind for kind in (Pause, Resume, Step, Stop, Save, Change)
}


@cache
def _adapter(kind: type[Message]) -> TypeAdapter[Message]:
    """What reads and checks the JSON of a kind, built once."""
    return TypeAdapter(kind)


class Line(NamedTuple):
    """One line of a log: a message and the stamps that its writer added."""

    message: Message
    time: float
    """Seconds since 1970; 0 if the line does not say."""
    trained: float | None
    """Seconds that the run had trained, without pauses; None in older logs and in commands."""


def read_line(line: str | bytes, kinds: dict[str, type[Message]] = EVENTS) -> Line:
    """Read and check one line.

    Fields it does not know are left out, so that newer runs stay readable. Raises `ValueError` for a
    line that is not a message of these kinds, or has a value of another type or beyond its limits.
    """
    values = read_object(line) or {}
    kind = kinds.get(str(values.get("type")))
    if kind is None:
        raise ValueError(f"not one of {', '.join(kinds)}: {line[:80]!r}")
    time = _stamp(kind, "time", values.get("time", 0.0))
    trained = values.get("trained")
    stamp = None if trained is None else _stamp(kind, "trained", trained)
    return Line(_adapter(kind).validate_json(line), time, stamp)


def _stamp(kind: type[Message], name: str, value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_TIME:
        raise ValueError(f"{kind.type}: {name} = {str(value)[:80]}: is no time")
    return float(value)


def from_line(line: str | bytes, kinds: dict[str, type[Message]] = EVENTS) -> Message:
    """The message of `read_line` alone. Raises `ValueError`."""
    return read_line(line, kinds).message
