"""The notebooks of the lessons run from their first cell to their last, and are rendered as they stand."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
import plotly.graph_objects as go
import pytest

from notebooks.__main__ import rendered, sources
from playground import lessons

STEPS = 6
"""Instead of the hundreds that a learner's runs have."""

each = pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)


def cells(book: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]


def test_every_lesson_has_a_notebook() -> None:
    assert sorted(path.stem for path in sources()) == sorted(lessons.names())


@each
def test_it_runs_and_draws(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[go.Figure] = []
    monkeypatch.setattr(go.Figure, "show", lambda figure: shown.append(figure))
    monkeypatch.setattr(sys, "path", sys.path[:])
    text = source.read_text(encoding="utf-8")
    short, found = re.subn(r"^STEPS = \d+", f"STEPS = {STEPS}", text, flags=re.MULTILINE)
    assert found == 1
    exec(compile(short, str(source), "exec"), {"__name__": "__main__"})
    assert shown
    for figure in shown:
        assert figure.to_dict()["data"]


@each
def test_it_is_rendered_as_it_stands(source: Path) -> None:
    """After a change, `python -m notebooks` brings the rendered one up to date."""
    committed = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert cells(committed) == cells(json.loads(rendered(source)))
    assert not any(cell.get("outputs") for cell in committed["cells"])


@each
def test_it_begins_as_its_lesson_and_ends_with_things_to_try(source: Path) -> None:
    (kind, first), *_, (_, last) = cells(jupytext.read(source))
    assert kind == "markdown"
    assert first.startswith(f"# {lessons.lesson(source.stem, 'en').title}\n")
    assert 2 <= len(re.findall(r"^- ", last.partition("## To try\n")[2], re.MULTILINE)) <= 4
