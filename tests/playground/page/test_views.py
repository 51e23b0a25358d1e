"""Views are constant templates, and their server functions take what Gradio hands them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from playground.page import views
from playground.page.views import HEAD, SCRIPTS, VIEWS, head, served, sources, view

NAMES = sorted(VIEWS)


@pytest.mark.parametrize("name", NAMES)
def test_every_view_builds(name: str) -> None:
    with gr.Blocks():
        built = view(name, elem_id="here", run="x")
    assert built.elem_id == "here" and built.props["run"] == "x"
    assert built.js_on_load is not None
    file = built.js_on_load.partition('"')[2].partition('"')[0]
    assert file.startswith(f"{name}-") and sources(name)[2] in views.PARTS[file].decode()


def test_a_view_offers_the_events_that_its_script_triggers() -> None:
    with gr.Blocks():
        assert callable(view("header", limited=False).pick)
        with pytest.raises(AttributeError):
            _ = view("inside").pick


def test_a_part_has_another_name_when_it_has_changed() -> None:
    first, second = views.part("x", "1;"), views.part("x", "2;")
    assert first != second and views.part("x", "1;") == first


@pytest.mark.parametrize("name", NAMES)
def test_user_text_never_becomes_markup(name: str) -> None:
    _, _, script = sources(name)
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


@pytest.mark.parametrize("name", [*SCRIPTS, *NAMES])
def test_a_picture_has_a_name_from_the_beginning(name: str) -> None:
    """What is a picture before it is drawn has its label beside its role; `tp.depict` gives it both later."""
    folders = [VIEWS[name]] if name in VIEWS else []
    paths = [path for folder in folders for path in folder.glob("*.js")]
    for path in paths or [views.ASSETS / "js" / f"{name}.js"]:
        code = path.read_text("utf-8")
        named = re.findall(r'role: "img",\s+"aria-label":', code)
        assert len(named) == code.count('role: "img"'), path.name


@pytest.mark.parametrize("code", ["${x}", "{{x}}", "`", "\\"])
def test_a_template_that_would_be_evaluated_is_refused(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    for ending in ("html", "css", "js"):
        (folder / f"view.{ending}").write_text("")
    (folder / "view.html").write_text(f"<p>{code}</p>")
    monkeypatch.setitem(views.VIEWS, "bad", folder)
    with pytest.raises(ValueError, match="evaluated as code"):
        view("bad")


def test_the_head_loads_nothing_from_elsewhere() -> None:
    assert "window.tp" in HEAD
    assert " src=" not in HEAD and "@import" not in HEAD and "url(http" not in HEAD
    assert " src=" not in head(linked=True) and len(head(linked=True)) < len(HEAD)
    assert HEAD.count("</script>") == HEAD.count("<script>") == len(SCRIPTS)


def answer(response: Any) -> Any:
    return json.loads(response.body)


def test_arguments_arrive_as_they_were_sent() -> None:
    def one(value: object) -> object:
        return value

    def two(run: object, offset: object = 7) -> object:
        return [run, offset]

    def none() -> object:
        return "none"

    assert served(one)([1, 2]).body == b"[1,2]"  # server.one([1, 2])
    assert answer(served(two)(["a", 3])) == ["a", 3]  # server.two("a", 3)
    assert answer(served(two)("a")) == ["a", 7]  # server.two("a")
    assert answer(served(none)([])) == "none"  # server.none()
    assert "too many" in answer(served(two)([1, 2, 3]))["error"]
    assert served(two).__name__ == "two"


def test_answers_are_json_whatever_they_hold() -> None:
    def numbers(_: object) -> object:
        return {"mean": float("nan"), "row": np.arange(3)}

    assert answer(served(numbers)(0)) == {"mean": None, "row": [0, 1, 2]}
