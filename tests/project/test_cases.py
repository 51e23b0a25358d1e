"""Every failure that users met is held by a test."""

from __future__ import annotations

from tests.tools.cases import CASES, holding


def test_every_failure_has_a_test_and_every_mark_a_failure() -> None:
    held = holding()
    assert held.keys() == CASES.keys(), held.keys() ^ CASES.keys()
