"""The notebooks of the lessons, as files that the page serves: those that the project has, and no others."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from playground.tabs.learn import LESSONS

ROOT = LESSONS.parents[1]
FOLDERS = {"en": "notebooks", "zh": "notebooks/zh"}


def path(name: str, language: str) -> str:
    """Where the notebook of a lesson is, below the project's folder and below the page's address."""
    return f"{FOLDERS[language]}/{name}.ipynb"


def paths() -> set[str]:
    """All of them."""
    found = {path(lesson.stem, lesson.parent.name) for lesson in LESSONS.glob("*/*.md")}
    return {each for each in found if (ROOT / each).is_file()}


async def served(request: Request) -> Response:
    """A notebook, to be saved."""
    wanted = f"notebooks/{request.path_params['file']}"
    if wanted not in paths():
        return PlainTextResponse("There is no such notebook.\n", 404)
    return FileResponse(
        ROOT / wanted, media_type="application/x-ipynb+json", filename=Path(wanted).name
    )


ROUTE = Route("/notebooks/{file:path}", served)
