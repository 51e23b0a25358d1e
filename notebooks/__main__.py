"""`python -m notebooks` renders every source, such as attention.py, to a notebook, attention.ipynb.

Edit the sources: Python with cells ("py:percent"), which diffs, linters and type checkers can read. Those in zh/ have the
same code, but for the language of `check`, and text in Chinese. A rendered notebook also has the title of its lesson, links
to lesson and papers, has a cell that fetches the project where there is no clone of it, and holds what its code printed and drew
when it was last run.

`python -m notebooks --run` runs the code of all notebooks, or of those that are named, and stores their outputs.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from playground.tabs.learn import lessons

FOLDER = Path(__file__).parent
CHINESE = FOLDER / "zh"

FETCH = """\
# Where there is no clone of the project (Colab, Kaggle, ModelScope), this cell fetches it and what it needs.
import os
import subprocess
import sys
from pathlib import Path

SOURCE = os.environ.get("TP_SOURCE", "")  # the address of the project's repository

places = (Path.cwd(), *Path.cwd().parents)
root = next((place for place in places if (place / "notebooks" / "needs.py").is_file()), None)
if root is None:
    if not SOURCE:
        raise SystemExit("There is no clone of the project here: set SOURCE to the address of its repository.")
    root = Path.cwd() / "transformer-playground"
    subprocess.run(["git", "clone", "--depth", "1", SOURCE, str(root)], check=True)
    subprocess.run([sys.executable, str(root / "notebooks" / "needs.py")], check=True)
os.chdir(root)
sys.path.insert(0, str(root))"""
"""The second cell of every rendered notebook, in English."""

IN_CHINESE = {
    "Where there is no clone of the project (Colab, Kaggle, ModelScope), this cell fetches it and what it needs.": "如果这里没有项目的副本（Colab、Kaggle、ModelScope），这一格会取来项目和它需要的库。",
    "the address of the project's repository": "项目仓库的地址",
    "There is no clone of the project here: set SOURCE to the address of its repository.": "这里没有项目的副本：请把 SOURCE 设为项目仓库的地址。",
}
"""What that cell says."""

PAGE = "http://127.0.0.1:7860"
"""Where `gradio playground/app.py` serves the lessons."""

LINKS = {
    "en": "The lesson: [{title}]({address}), on the page that `gradio playground/app.py` serves. To read on: {readings}.",
    "zh": "对应的课程：[{title}]({address})（页面由 `gradio playground/app.py` 提供）。延伸阅读：{readings}。",
}
"""The last line of a rendered notebook's first cell."""

CHECKS = {
    "en": "from notebooks.exercises import check",
    "zh": "from notebooks.exercises.zh import check",
}
"""The one line of code that differs between the languages."""

Outputs = list[list[dict[str, Any]]]
"""The outputs of each code cell, in the notebook format."""


def sources(folder: Path = FOLDER) -> list[Path]:
    """The sources of all notebooks in one language."""
    return [
        path for path in sorted(folder.glob("*.py")) if path.read_text("utf-8").startswith("# %%")
    ]


def code(source: Path) -> list[str]:
    """The code cells of a source."""
    return [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]


def meaning(cells: list[str]) -> list[str]:
    """What cells do, apart from comments and layout."""
    return [ast.dump(ast.parse(cell)) for cell in cells]


def language(source: Path) -> str:
    """The language of a source."""
    return "zh" if source.parent == CHINESE else "en"


def fetching(of: str) -> str:
    """The cell that fetches the project, in a language."""
    cell = FETCH
    for english, chinese in IN_CHINESE.items() if of == "zh" else ():
        cell = cell.replace(english, chinese)
    return cell


def headed(text: str, source: Path) -> str:
    """A notebook's first cell: the title of its lesson, this text, and links to the lesson and what to read."""
    found = lessons.lesson(source.stem, of := language(source))
    address = f"{PAGE}/?tab=learn&read={source.stem}&lang={of}"
    linked = [f"[{each.text}]({each.address})" for each in found.papers + found.readings]
    readings = lessons.SEPARATORS[of].join(linked)
    links = LINKS[of].format(title=found.title, address=address, readings=readings)
    return f"# {found.title}\n\n{text}\n\n{links}"


def joined(text: str) -> str:
    """Chinese text whose lines end within a paragraph; in a browser, each such end would be a space."""
    return re.sub(r"(?<=[，。；：、！？]) *\n *(?=\S)", "", text)


def rendered(source: Path, outputs: Outputs) -> str:
    """A source as a notebook in JSON, deterministically; `outputs` are those of its code cells, or empty."""
    book: Any = jupytext.read(source)
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    for cell, found in zip(cells, outputs, strict=False):
        cell.outputs = [nbformat.from_dict(output) for output in found]
    book.cells[0].source = headed(book.cells[0].source, source)
    for cell in book.cells if language(source) == "zh" else ():
        if cell.cell_type == "markdown":
            cell.source = joined(cell.source)
    book.cells[1:1] = jupytext.reads(f"# %%\n{fetching(language(source))}", fmt="py:percent").cells
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"  # random by default
    return jupytext.writes(book, fmt="ipynb") + "\n"


def stored(source: Path) -> Outputs:
    """The outputs of the last run of this code, from the rendered notebook; empty if the code has changed since."""
    path = source.with_suffix(".ipynb")
    if not path.is_file():
        return []
    book = json.loads(path.read_text("utf-8"))
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"][1:]
    if meaning(["".join(cell["source"]) for cell in cells]) != meaning(code(source)):
        return []
    return [cell["outputs"] for cell in cells]


def in_chinese(source: Path, outputs: Outputs) -> Outputs:
    """The outputs of a Chinese notebook from those of the English one: only what `check` prints differs."""
    return [
        printed(f"{CHECKS['zh']}\n{cell}") if "\ncheck(" in cell else found
        for cell, found in zip(code(source), outputs, strict=False)
    ]


def printed(cell: str) -> list[dict[str, Any]]:
    """The outputs of a cell that needs no other one, and only prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(compile(cell, "<cell>", "exec"), {})
    lines = text.getvalue().splitlines(keepends=True)  # as in a notebook
    return [{"output_type": "stream", "name": "stdout", "text": lines}]


def write(source: Path, outputs: Outputs) -> None:
    """Write a rendered notebook beside its source, and say so."""
    path = source.with_suffix(".ipynb")
    path.write_text(rendered(source, outputs), encoding="utf-8", newline="\n")
    print(
        path.relative_to(FOLDER.parent),
        "" if any(outputs) else "(without outputs: its code has changed; see --run)",
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m notebooks", description="Render the notebooks."
    )
    parser.add_argument(
        "--run", nargs="*", metavar="NAME", help="run these notebooks first, or all"
    )
    wanted: list[str] | None = parser.parse_args().run
    english = {path.stem: path for path in sources()}
    if unknown := sorted(set(wanted or ()) - set(english)):
        parser.error(f"--run: there is no notebook {unknown[0]}; there are {', '.join(english)}")
    fresh: dict[str, Outputs] = {}
    if wanted is not None:
        from notebooks.exercises.running import run

        for name in wanted or english:
            print(f"running {name} ...", flush=True)
            fresh[name] = run(code(english[name]))
    for name, path in english.items():
        outputs = fresh.get(name) or stored(path)
        write(path, outputs)
        chinese = CHINESE / path.name
        write(chinese, in_chinese(chinese, outputs))


if __name__ == "__main__":
    main()
