"""The dashboard: stored runs as a table, beside each other, and as ablations.

    streamlit run playground/dashboard.py

It reads the runs' folders, and starts and stops suites. Its pages are one file each in `screens/`; what
they compute is in `run_index.py`, `histories.py` and `suite_runs.py`.

The libraries and the logs are read when the server starts, while the browser still loads its part: a first
visitor would wait for both, one after the other.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.starlette import App

from playground.access.guard import Guard

SCRIPT = ROOT / "playground" / "screens" / "main.py"


def warm() -> None:
    """Import what the pages need, read the logs, and work out what the first table says of each run."""
    from playground.screens import main

    if entries := main.common.index().look()[0]:
        main.runs.table(entries)


@asynccontextmanager
async def lifespan(_: App) -> AsyncGenerator[None]:
    """The server's beginning and end."""
    threading.Thread(target=warm, daemon=True, name="warm").start()
    yield


def take(request: Request) -> Response:
    """See `compare.take`, which is imported when it is needed."""
    from playground.screens import compare

    return compare.take(request)


ROUTES = [Route("/take/{name}", take)]

app = App(SCRIPT, lifespan=lifespan, middleware=[Middleware(Guard)], routes=ROUTES)
