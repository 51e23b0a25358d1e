"""A few hundred hostile requests to a playground of its own: `python -m benchmarks.hostile` sends more."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.hostile import FAILURES, hostile


@pytest.mark.case("R9")
@pytest.mark.case("R11")
@pytest.mark.case("R12")
@pytest.mark.case("R13")
@pytest.mark.case("R14")
def test_nothing_breaks_leaks_or_obeys_a_stranger(tmp_path: Path) -> None:
    counts = hostile(tmp_path, seed=0, seconds=300, most=300)
    assert counts.requests > 100
    assert counts.failures == dict.fromkeys(FAILURES, 0), counts.examples
