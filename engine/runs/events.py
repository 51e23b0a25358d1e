"""Events that a run logs and commands that it accepts, one JSON line each.

`train` yields the training events (`Stepped`, `Evaluated`, `Diverged`). The driver around it adds the
lifecycle events (`Started`, `Saved`, `Sampled`, ...) and executes commands. The command line,
Gradio, Streamlit and the tests all read the same lines.

`read_line` validates types, limits and lengths of every line that is read. Invalid lines are skipped, so
readers need no checks of their own. A `Message` constructed in Python is not validated.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter

from engine.files import read_object

MAX_STEP = 10**12 - 1
"""The highest step that a checkpoint folder's name can hold."""
MAX_TIME = 32_503_680_000.0
"""Seconds since 1970: the year 3000. Some systems cannot represent later dates."""

Number = Annotated[float, Field(ge=-1e39, le=1e39)]
"""A number in the range of fp32, so that sums and products of a few of them stay finite in fp64."""
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0, le=1e39)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
"""An integer that JavaScript represents exactly."""
AtStep = Annotated[int, Field(ge=0, le=MAX_STEP)]
Word = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=100_000)]
CheckpointName = Annotated[str, Field(pattern=r"^step-[0-9]{6,12}$")]
SnapshotName = Annotated[str, Field(pattern=r"^step-[0-9]{6,12}\.npz$")]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One line of `events.jsonl` or `commands.jsonl`. Its `type` is the class name in lower case."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="ignore", allow_inf_nan=False
    )
    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.type = cls.__name__.lower()

    def to_line(self, **extra: Any) -> str:
        """Serialise to one line of JSON, without a newline. `extra` adds stamps such as the time.

        Raises `ValueError` for NaN and infinity, which JSON cannot represent.
        """
        line = {"type": self.type, **asdict(self), **extra}
        return json.dumps(line, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, kw_only=True)
class Started(Message):
    """The run's process is ready to train from `step`."""

    step: AtStep
    parameters: Count
    device: Word
    dtype: Word
    threads: Count
    train_tokens: Count | None
    """Tokens in the training data; None for a task, which generates data without end."""


@dataclass(frozen=True, kw_only=True)
class Stepped(Message):
    """One optimizer update was made. The loss is that of the batch before the update, in nats per token."""

    step: Annotated[AtStep, Field(ge=1)]
    loss: Number
    lr: Positive
    grad_norm: Positive
    """Global L2 norm before clipping."""
    tokens: Count
    """Positions of `inputs` trained on since the start of the run, padding included; source tokens are not
    counted."""
    seconds: Number
    """Wall-clock seconds of this step."""


def _check_rectangular(rows: list[list[float]]) -> list[list[float]]:
    """Require at least one row, and rows of one length above 0. Raises `ValueError`."""
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("must have at least one row, and rows of equal length")
    return rows


Table = Annotated[list[list[Positive]], AfterValidator(_check_rectangular)]
"""(expert layers, experts): one row per layer, one entry per expert."""


@dataclass(frozen=True, kw_only=True)
class Routed(Message):
    """Routing statistics of this step's batch, before the update. Lists have one entry per expert layer.

    Precedes the step's `Stepped`. Long runs do not log it at every step. With gradient accumulation it
    describes the last batch of the step.
    """

    step: AtStep
    layers: list[Count]
    """Indices of the blocks with experts, from 0."""
    load: Table
    """f: each expert's share of all choices, before tokens are dropped."""
    probability: Table
    """P: the router's mean probability of each expert."""
    dropped: list[Number]
    """Share of choices dropped because the expert was at capacity."""
    entropy: list[Number]
    """Mean entropy of the router's distribution over experts for a token, in nats; at most ln E."""
    losses: dict[Word, list[Number]]
    """Each balance loss, unweighted."""
    balance_loss: Number
    """The batch's total balance loss: weighted, summed over losses and layers."""


@dataclass(frozen=True, kw_only=True)
class Evaluated(Message):
    """Validation loss in nats per token, and for a task with exact answers the accuracy."""

    step: AtStep
    loss: Number
    accuracy: Share | None = None
    bits: Number | None = None
    """For a text, the loss in bits per character, which is comparable across tokenizers."""
    processor_seconds: Positive | None = field(default=None, compare=False)
    """Mean processor seconds of an update since the evaluation before, in the process that made it; None at step 0.
    Other programs on the machine change it less than the clock's seconds. The work of a GPU is not in it."""


@dataclass(frozen=True, kw_only=True)
class Diverged(Message):
    """The loss, the gradient or the validation loss is not finite. The run ends.

    A batch whose loss or gradient is not finite changes no weight.
    """

    step: AtStep
    loss: Word
    """'nan', 'inf' or a number, as text because JSON has no NaN."""
    grad_norm: Word


@dataclass(frozen=True, kw_only=True)
class Sampled(Message):
    """A sample generated from a fixed prompt. `text` is the continuation without the prompt."""

    step: AtStep
    prompt: Text
    text: Text
    correct: bool | None = None
    """Whether the answer is right, for a task with exact answers."""


Task = Literal["evaluate", "sample"]
"""Operations that may take long enough to report progress."""


@dataclass(frozen=True, kw_only=True)
class Working(Message):
    """Progress of a long operation, logged when no other event was logged for a while."""

    step: AtStep
    task: Task
    done: Count
    """Batches evaluated, or tokens generated."""
    total: Count
    """Upper bound of `done`."""


@dataclass(frozen=True, kw_only=True)
class Probed(Message):
    """The attention of one fixed sequence was recorded, in `snapshots/<name>`."""

    step: AtStep
    name: SnapshotName


@dataclass(frozen=True, kw_only=True)
class Saved(Message):
    """A checkpoint was written completely, in the folder of this name."""

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
    """A setting was changed while the run was training."""

    step: AtStep
    field: Word
    value: Number


@dataclass(frozen=True, kw_only=True)
class Noted(Message):
    """A message for the user: a command that was refused, a choice that was made."""

    step: AtStep
    text: Text


@dataclass(frozen=True, kw_only=True)
class Ended(Message):
    """The run's process ended: it finished, was stopped, diverged, or failed for `reason`."""

    step: AtStep
    how: Literal["finished", "stopped", "diverged", "failed"]
    reason: Text = ""


Event = (
    Started | Stepped | Routed | Evaluated | Diverged | Sampled | Working | Probed | Saved | Paused
    | Resumed | Changed | Noted | Ended
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Pause(Message):
    """Pause after the current step."""


@dataclass(frozen=True, kw_only=True)
class Resume(Message):
    """Continue after a pause."""


@dataclass(frozen=True, kw_only=True)
class Step(Message):
    """Train for this many steps, then pause."""

    steps: AtStep = 1


@dataclass(frozen=True, kw_only=True)
class Stop(Message):
    """Save a checkpoint and end. `reason` is set when something other than the user stops the run."""

    reason: Text = ""


@dataclass(frozen=True, kw_only=True)
class Save(Message):
    """Write a checkpoint now."""


@dataclass(frozen=True, kw_only=True)
class Change(Message):
    """Set a field of `TrainConfig` that may change during training (`CHANGEABLE`)."""

    field: Word
    value: Number


BALANCE = (
    "switch_loss", "expert_loss", "device_loss", "communication_loss", "sequence_loss", "z_loss",
    "bias_rate",
)  # fmt: skip
"""Fields of `TrainConfig` that balance experts."""

CHANGEABLE = ("max_lr", "min_lr", "weight_decay", "max_grad_norm", *BALANCE)
"""Fields of `TrainConfig` that a `Change` command may set."""

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
    """The pydantic validator of a message type, built once."""
    return TypeAdapter(kind)


class Line(NamedTuple):
    """One line of a log: a message and its stamps."""

    message: Message
    time: float
    """Seconds since 1970; 0 if the line has no time."""
    trained: float | None
    """Training seconds so far, without pauses; None in older logs and in commands."""


def read_line(line: str | bytes, kinds: dict[str, type[Message]] = EVENTS) -> Line:
    """Parse and validate one line.

    Unknown fields are ignored, so that logs of newer versions stay readable. Raises `ValueError` if the
    line is not a message of these kinds, or if a value has the wrong type or exceeds its limits.
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
        raise ValueError(f"{kind.type}: {name} = {str(value)[:80]}: is not a time")
    return float(value)


def from_line(line: str | bytes, kinds: dict[str, type[Message]] = EVENTS) -> Message:
    """Parse and validate one line, without its stamps. Raises `ValueError`."""
    return read_line(line, kinds).message
