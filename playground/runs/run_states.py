"""The states that a run can be in, as both front ends call and mark them.

The page gets the same table, as `tp.states`.
"""

from __future__ import annotations

from typing import Any

from engine.runs.store import State
from playground.i18n import Words

TEXT = Words({
    "new": "not started",
    "waiting": "waiting",
    "starting": "starting",
    "running": "training",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "diverged": "diverged",
    "failed": "failed",
    "interrupted": "interrupted",
})  # fmt: skip
"""What each state is called, in the language in use."""

MARKS: dict[State, str] = {
    "new": "○", "waiting": "◷", "starting": "◌", "running": "●", "paused": "‖", "finished": "✓",
    "stopped": "■", "diverged": "▲", "failed": "✕", "interrupted": "◍",
}  # fmt: skip
"""A sign for each state, so that they differ by more than colour."""

GOING_ON: tuple[State, ...] = ("waiting", "starting", "running", "paused")
"""In these a process is at work, or will be by itself; in the others nothing more happens."""


def table() -> dict[str, dict[str, Any]]:
    """{state: {"word": in English, "mark": sign, "over": does nothing more happen by itself?}}"""
    return {
        state: {"word": TEXT.english[state], "mark": mark, "over": state not in GOING_ON}
        for state, mark in MARKS.items()
    }
