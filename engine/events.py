"""What a run says, and what it may be told: one JSON line each.

`train` yields the events of learning (`Stepped`, `Evaluated`, `Diverged`); the driver around it adds
what happens to the run (`Started`, `Saved`, `Sampled`, ...) and obeys commands. The command line,
Gradio, Streamlit and the tests all read the same lines.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any, ClassVar, Literal

from engine.jsonl import read_object


@dataclass(frozen=True, kw_only=True)
class Message:
    """One line of `events.jsonl` or `commands.jsonl`. `type` in the line is the class's own name."""

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

    step: int
    parameters: int
    device: str
    dtype: str
    threads: int
    train_tokens: int | None
    """Tokens in the training data; None for a task, which never runs out."""


@dataclass(frozen=True, kw_only=True)
class Stepped(Message):
    """One update was made. The loss is of the batch before the update, in nats per token."""

    step: int
    loss: float
    lr: float
    grad_norm: float
    """Global L2 norm before clipping."""
    tokens: int
    """Tokens trained on since the run's beginning."""
    seconds: float
    """Wall-clock seconds that this step took."""


@dataclass(frozen=True, kw_only=True)
class Routed(Message):
    """How the batch of this step was routed, before its update: a list entry for each expert layer.

    Comes just before the step's `Stepped`, and not at every step of a long run. With gradient
    accumulation it is the last batch of the step that is told of.
    """

    step: int
    layers: list[int]
    """The blocks that have experts, counted from 0."""
    load: list[list[float]]
    """f: each expert's share of all choices, before anything is dropped."""
    probability: list[list[float]]
    """P: the router's mean probability of each expert."""
    dropped: list[float]
    """Share of the choices for which the expert had no room."""
    entropy: list[float]
    """How undecided the router is about a token, in nats; at most ln E."""
    losses: dict[str, list[float]]
    """Every balance loss, before its weight."""
    balance_loss: float
    """What that batch added to the loss: weighted, and summed over losses and layers."""


@dataclass(frozen=True, kw_only=True)
class Evaluated(Message):
    """Held-out loss in nats per token; for a task with exact answers, also the share it got right."""

    step: int
    loss: float
    accuracy: float | None = None
    bits: float | None = None
    """Of a text, the loss in bits a character: unlike that per token, whatever the tokens are."""


@dataclass(frozen=True, kw_only=True)
class Diverged(Message):
    """The loss or the gradient is no longer finite; no update was made and the run ends."""

    step: int
    loss: str
    """As text, since JSON has no NaN: 'nan', 'inf' or a number."""
    grad_norm: str


@dataclass(frozen=True, kw_only=True)
class Sampled(Message):
    """What the model writes after a fixed prompt. `text` is the continuation alone."""

    step: int
    prompt: str
    text: str
    correct: bool | None = None
    """For a task with exact answers: is it right?"""


Task = Literal["evaluate", "sample"]
"""What a run may be working on for long."""


@dataclass(frozen=True, kw_only=True)
class Working(Message):
    """Nothing else was told for a while, since something takes long: how far it is."""

    step: int
    task: Task
    done: int
    """Batches measured, or tokens written."""
    total: int
    """At most so many there will be."""


@dataclass(frozen=True, kw_only=True)
class Probed(Message):
    """The attention of one fixed sequence was recorded, in `snapshots/<name>`."""

    step: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Saved(Message):
    """A checkpoint is whole and on disk, in the folder of this name."""

    step: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Paused(Message):
    step: int


@dataclass(frozen=True, kw_only=True)
class Resumed(Message):
    step: int


@dataclass(frozen=True, kw_only=True)
class Changed(Message):
    """A setting was changed in the middle of the run."""

    step: int
    field: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Noted(Message):
    """Something the learner should know: a command that was refused, a choice that was made."""

    step: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Ended(Message):
    """The run's process is done: it finished, was stopped, diverged, or failed for this reason."""

    step: int
    how: Literal["finished", "stopped", "diverged", "failed"]
    reason: str = ""


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

    steps: int = 1


@dataclass(frozen=True, kw_only=True)
class Stop(Message):
    """Save and end; the run can be resumed from there. `reason`: where it is not the learner's wish."""

    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Save(Message):
    """Write a checkpoint now."""


@dataclass(frozen=True, kw_only=True)
class Change(Message):
    """Set a field of `TrainConfig` that may change in the middle of a run (`CHANGEABLE`)."""

    field: str
    value: float


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
def _names(kind: type[Message]) -> frozenset[str]:
    """The fields of a kind, worked out once: a log has thousands of lines."""
    return frozenset(field.name for field in fields(kind))


def from_line(line: str | bytes, kinds: dict[str, type[Message]] = EVENTS) -> Message:
    """Read one line. Fields it does not know are left out, so that newer runs stay readable.

    Raises `ValueError` for a line that is not a message of these kinds.
    """
    values = read_object(line) or {}
    kind = kinds.get(str(values.get("type")))
    if kind is None:
        raise ValueError(f"not one of {', '.join(kinds)}: {line[:80]!r}")
    try:
        known = _names(kind)
        return kind(**{name: value for name, value in values.items() if name in known})
    except TypeError as error:
        raise ValueError(f"{kind.type}: {error}") from None
