"""The sizes that the form offers, and what each costs with all else as it is chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

from playground.planning.choice import Choice
from playground.planning.plan import plan
from playground.planning.sizes import SIZES, WIDTHS, values, widths


class Offer(TypedDict):
    """One size, and what it costs with all other fields as they are chosen."""

    name: str
    widths: dict[str, int | None]
    """The values of `WIDTHS`, by which it is recognised."""
    values: dict[str, float | None]
    """These, and the learning rate: what is set when it is chosen."""
    parameters: float | None
    seconds: float | None
    """Of the complete run on this machine; None until the machine has been measured."""
    ready: bool
    """Can it be started?"""


def offers(choice: Choice) -> list[Offer]:
    """The sizes of a choice. A checkpoint that is continued has one size: none is offered."""
    return [] if choice.fork is not None else [_offer(choice, name) for name in SIZES]


def _offer(choice: Choice, name: str) -> Offer:
    wanted = widths(choice.preset, name)
    base = choice.preset.config().flat()
    kept = {field: value for field, value in choice.changes.items() if field not in WIDTHS}
    changes = kept | {field: value for field, value in wanted.items() if value != base[field]}
    worked_out = plan(replace(choice, changes=changes))
    costs = worked_out.costs() or {}
    return {
        "name": name,
        "widths": wanted,
        "values": values(choice.preset, name),
        "parameters": costs.get("parameters"),
        "seconds": costs.get("seconds"),
        "ready": worked_out.ready,
    }
