"""The notebooks run from the first cell to the last in both languages, and the rendered files are up to date."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jupytext
import plotly.graph_objects as go
import pytest
import torch

from engine.training.optim import NEWTON_SCHULZ
from notebooks.__main__ import (
    CHECKS,
    CHINESE,
    FETCH,
    FOLDER,
    IN_CHINESE,
    code,
    fetching,
    in_chinese,
    language,
    meaning,
    rendered,
    sources,
    stored,
)  # fmt: skip
from notebooks.exercises import EXERCISES
from notebooks.exercises.compare import compare
from notebooks.needs import PAGES, needed
from playground.tabs.learn import lessons, server

STEPS = 6
"""Training steps, instead of hundreds."""

ROOT = FOLDER.parent

each = pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
both = pytest.mark.parametrize(
    "source", sources() + sources(CHINESE), ids=lambda path: f"{path.parent.name}-{path.stem}"
)


def cells(book: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in book["cells"]]


def test_every_lesson_has_a_notebook_in_both_languages() -> None:
    for folder in (FOLDER, CHINESE):
        assert sorted(path.stem for path in sources(folder)) == sorted(lessons.names())


@each
def test_it_runs_and_draws(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[go.Figure] = []
    monkeypatch.setattr(go.Figure, "show", lambda figure: shown.append(figure))
    text = source.read_text(encoding="utf-8")
    short, found = re.subn(r"^STEPS = \d+", f"STEPS = {STEPS}", text, flags=re.MULTILINE)
    assert found == ("STEPS" in text)
    exec(compile(short, str(source), "exec"), {"__name__": "__main__"})
    assert shown
    for figure in shown:
        assert figure.to_dict()["data"]


@both
def test_it_is_rendered_as_it_stands(source: Path) -> None:
    """`python -m notebooks` updates the rendered notebooks after a change of text, and `--run` after one of code."""
    committed = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert committed == rendered(source, stored(source))


@both
def test_its_outputs_are_stored(source: Path) -> None:
    """Whoever reads a notebook on a host of code sees what it prints and draws."""
    book = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in book["cells"] for output in cell.get("outputs", ())]
    assert {output["output_type"] for output in outputs} == {"stream", "display_data"}


@each
def test_the_chinese_notebook_has_the_same_code(source: Path) -> None:
    """But for the line that says in which language `check` speaks; and it shows what the English one printed and drew."""
    chinese = CHINESE / source.name
    same = [cell.replace(CHECKS["zh"], CHECKS["en"]) for cell in code(chinese)]
    assert same != code(chinese) and meaning(same) == meaning(code(source))
    assert stored(chinese) == in_chinese(chinese, stored(source))
    kinds = [[kind for kind, _ in cells(jupytext.read(path))] for path in (source, chinese)]
    assert kinds[0] == kinds[1]


@both
def test_it_starts_with_its_title_and_ends_with_exercises(source: Path) -> None:
    heading, answer = {"en": ("## Exercises\n", "Answer"), "zh": ("## 练习\n", "答案")}[
        language(source)
    ]
    (kind, first), *_, (_, last) = cells(json.loads(rendered(source, [])))
    assert kind == "markdown"
    assert first.startswith(f"# {lessons.lesson(source.stem, language(source)).title}\n\n")
    assert len(re.findall("^# ", first, re.MULTILINE)) == 1
    exercises = re.split(r"^- ", last.partition(heading)[2], flags=re.MULTILINE)[1:]
    assert 2 <= len(exercises) <= 4
    for exercise in exercises:
        folded = rf"<details><summary>{answer}</summary>\n\n  (.{{30,}}?)\n\n  </details>\s*$"
        assert re.search(folded, exercise, re.DOTALL), exercise


@both
def test_it_links_to_its_lesson_and_its_papers(source: Path) -> None:
    book = json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))
    (_, first), (kind, fetches), *_ = cells(book)
    lesson = lessons.lesson(source.stem, language(source))
    address = f"http://127.0.0.1:7860/?tab=learn&read={source.stem}&lang={language(source)}"
    assert f"[{lesson.title}]({address})" in first
    for each in lesson.papers + lesson.readings:
        assert f"[{each.text}]({each.address})" in first
    assert (kind, fetches) == ("code", fetching(language(source)))


def test_a_lesson_names_its_notebook() -> None:
    for name in lessons.names():
        for of in lessons.LANGUAGES:
            path = str(server.read(name, of).get("notebook"))
            assert (ROOT / path).is_file() and (of == "zh") == ("/zh/" in path)


def test_the_cell_that_fetches_the_project_is_in_chinese_too() -> None:
    assert all(FETCH.count(english) == 1 for english in IN_CHINESE)
    assert meaning([fetching("en")]) == meaning([FETCH]) != meaning([fetching("zh")])
    assert not re.search(r"clone of|address", fetching("zh"))


# What a learner writes --------------------------------------------------------------------------------


def solutions(source: Path) -> dict[str, str]:
    """The solutions that are folded in a notebook's text, by the name of the function."""
    text = "\n".join(text for kind, text in cells(jupytext.read(source)) if kind == "markdown")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return {re.match(r"def (\w+)", block)[1]: block for block in blocks}  # type: ignore[index]


@both
def test_its_solutions_are_right_and_its_blanks_are_empty(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"torch": torch, "math": math, "Counter": Counter, "NEWTON_SCHULZ": NEWTON_SCHULZ}
    asked = [cell for cell in code(source) if re.search(r"^check\(", cell, re.MULTILINE)]
    found = solutions(source)
    assert found and len(asked) == len(found)
    for (name, solution), cell in zip(found.items(), asked, strict=True):
        names: dict[str, Any] = dict(given)
        exec(solution, names)
        compare(names[name], name, EXERCISES[name])
        assert cell.startswith(solution.partition("\n")[0].partition(", h=")[0].rstrip("):"))
        exec(f"{CHECKS[language(source)]}\n{cell}", {})
        unwritten = {
            "en": " is not written yet: it returns nothing.",
            "zh": " 还没有写：它没有返回任何结果。",
        }
        assert capsys.readouterr().out == f"✗ {name}{unwritten[language(source)]}\n"


def test_every_exercise_is_in_one_notebook() -> None:
    for folder in (FOLDER, CHINESE):
        found = [name for source in sources(folder) for name in solutions(source)]
        assert sorted(found) == sorted(EXERCISES)


# Where there is no clone ------------------------------------------------------------------------------


def test_the_libraries_of_the_pages_are_not_needed() -> None:
    lines = needed((ROOT / "requirements.txt").read_text("utf-8"))
    names = {re.match(r"[\w.-]+", line)[0] for line in lines}  # type: ignore[index]
    assert {"torch", "plotly", "numpy"} <= names and not names & PAGES
    program = "import sys\n" + "".join(
        line + "\n"
        for source in sources()
        for line in source.read_text("utf-8").splitlines()
        if line.startswith(("import ", "from "))
    )
    program += f"assert not {sorted(PAGES)!r} & sys.modules.keys()".replace("[", "{").replace(
        "]", "}"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.slow
def test_the_first_cell_fetches_the_project(tmp_path: Path) -> None:
    """In an empty folder, from a repository that lies on this disk; what is installed already stays."""
    origin, place = tmp_path / "origin", tmp_path / "elsewhere"
    place.mkdir()
    for name in ("engine", "notebooks", "playground"):
        shutil.copytree(ROOT / name, origin / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.txt", origin)
    git = ["git", "-C", str(origin), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True)
    program = FETCH + "\nfrom notebooks.exercises import check\nprint(os.getcwd())"
    run = [sys.executable, "-I", "-c", program]
    environment = os.environ | {"TP_SOURCE": str(origin), "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        run, cwd=place, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(place / "transformer-playground")]
    bare = {name: value for name, value in environment.items() if name != "TP_SOURCE"}
    failed = subprocess.run(run, cwd=tmp_path, env=bare, capture_output=True, text=True)
    assert failed.returncode and "set SOURCE to the address" in failed.stderr
