"""The notebooks that the page serves: those of the lessons, and no other file."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from playground.tabs.learn import lessons, notebooks

CLIENT = TestClient(Starlette(routes=[notebooks.ROUTE]))


@pytest.mark.parametrize("language", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_a_notebook_is_saved(name: str, language: str) -> None:
    answer = CLIENT.get(f"/{notebooks.path(name, language)}")
    assert answer.status_code == 200
    assert f'attachment; filename="{name}.ipynb"' in answer.headers["content-disposition"]
    assert json.loads(answer.content)["nbformat"] == 4


@pytest.mark.parametrize(
    "path",
    ["attention.py", "__init__.py", "zh/attention.py", "nothing.ipynb", "", "zh",
     "..%2frequirements.txt", "%2e%2e/requirements.txt", "/etc/passwd", "attention.ipynb%00"],
)  # fmt: skip
def test_no_other_file_is_served(path: str) -> None:
    assert CLIENT.get(f"/notebooks/{path}").status_code == 404
