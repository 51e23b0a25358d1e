"""A dashboard without runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs.store import RunStore
from playground.runs import run_lookup
from playground.screens import common, run_index


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """No runs at all: the learners' folder and the shipped one are empty."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(run_lookup, "ROOT", tmp_path)
    monkeypatch.setattr(run_index, "FRESH", 0.0)
    common.history_of.clear()
    common.index.cache_clear()
    return run_lookup.store()
