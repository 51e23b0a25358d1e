"""What the page of suites shows to who comes for the first time."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from playground.runs import run_lookup
from playground.screens import common
from tests.tools.waiting import PATIENCE

PAGE = """
from playground.screens import common, suites
common.speak()
suites.show()
common.write_address()
"""


def test_it_opens_with_results_before_anybody_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the first suite whose results ship."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(run_lookup, "ROOT", tmp_path)
    common.index.cache_clear()
    test = AppTest.from_string(PAGE, default_timeout=PATIENCE).run()
    assert not test.exception
    assert test.selectbox[0].value == "positions"
    assert len(test.get("plotly_chart")) == 1 and len(test.dataframe) == 1
