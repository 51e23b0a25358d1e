"""What of a log still holds after a run was killed and resumed."""

from __future__ import annotations

import pytest

from engine.runs.events import (
    EVENTS,
    Changed,
    Ended,
    Evaluated,
    Message,
    Noted,
    Paused,
    Saved,
    Started,
    Stepped,
)
from engine.runs.history import REPEATED, History, current, holds, restarted, standing


def stepped(step: int, loss: float = 2.0) -> Stepped:
    return Stepped(step=step, loss=loss, lr=1e-3, grad_norm=1.0, tokens=32 * step, seconds=0.1)


def started(step: int = 0) -> Started:
    return Started(
        step=step, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=None
    )


LOG: list[Message] = [
    started(), Evaluated(step=0, loss=3.0), Saved(step=0, name="step-000000"),
    *map(stepped, range(1, 5)), Saved(step=4, name="step-000004"), stepped(5), Paused(step=5),
    Changed(step=5, field="max_lr", value=0.5), stepped(6), Ended(step=6, how="failed", reason="Full."),
    started(4), stepped(5, 1.0), Noted(step=5, text="Something."), stepped(6, 1.0), started(5), started(4),
    stepped(5, 0.5),
]  # fmt: skip


def test_what_is_done_again_holds_once_and_the_rest_stays() -> None:
    kept = [(event.type, getattr(event, "step", None)) for event in current(LOG)]
    assert kept == [
        ("started", 0), ("evaluated", 0), ("saved", 0), ("stepped", 1), ("stepped", 2), ("stepped", 3),
        ("stepped", 4), ("saved", 4), ("paused", 5), ("ended", 6), ("started", 4), ("noted", 5),
        ("started", 5), ("started", 4), ("stepped", 5),
    ]  # fmt: skip
    assert current(LOG)[-1] == stepped(5, 0.5)


def test_of_the_step_that_a_process_begins_with_nothing_is_repeated() -> None:
    assert holds(stepped(4), 4) and not holds(stepped(5), 4)
    assert holds(Paused(step=5), 4)
    assert set(EVENTS) > REPEATED


@pytest.mark.parametrize("end", range(len(LOG) + 1))
def test_read_in_parts_a_log_says_the_same(end: int) -> None:
    """Wherever it is cut in two: what a later part repeats is dropped from the earlier one."""
    parts = History(LOG[:end])
    parts.add(LOG[end:])
    for kind in EVENTS.values():
        assert parts.of(kind) == [event for event in current(LOG) if isinstance(event, kind)]


def test_a_reader_in_parts_is_told_what_to_forget() -> None:
    assert restarted(LOG) == 0 and restarted(LOG[1:]) == 4
    assert restarted(LOG[1:10]) is None
    assert standing([]) == [] and current(iter(LOG)) == current(LOG)
