"""`python -m notebooks` renders every source, attention.py and so on, to attention.ipynb beside it.

The sources are what is edited: Python with cells ("py:percent"), which diffs, linters and type
checkers can read. The rendered notebooks have no outputs, and their cells are those of the source.
"""

from __future__ import annotations

from pathlib import Path

import jupytext

FOLDER = Path(__file__).parent


def sources() -> list[Path]:
    """Every notebook's source."""
    return sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("__"))


def rendered(source: Path) -> str:
    """The notebook of a source, as JSON; the same source gives the same text."""
    book = jupytext.read(source)
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number}"  # else random
    return jupytext.writes(book, fmt="ipynb") + "\n"


if __name__ == "__main__":
    for path in sources():
        path.with_suffix(".ipynb").write_text(rendered(path), encoding="utf-8", newline="\n")
        print(path.with_suffix(".ipynb").relative_to(FOLDER.parent))
