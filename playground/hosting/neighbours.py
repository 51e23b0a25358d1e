"""The page and the dashboard are two programs; each leads to the other where that one runs.

On one's own machine the other is expected at its port. A public host says where it is: `TP_PAGE`, `TP_DASHBOARD`.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import os
from http.client import HTTPConnection, HTTPException

from playground import settings

LOCAL = "127.0.0.1"
WAIT = 0.5
"""Seconds to wait for an answer; a port at which nothing listens refuses at once."""


def page() -> str | None:
    """The address of the playground; None if it does not run."""
    port = _port("GRADIO_SERVER_PORT", 7860)
    return settings.current().page or _local(port, "gradio_api/app_id")


def dashboard() -> str | None:
    """The address of the dashboard; None if it does not run."""
    port = _port("STREAMLIT_SERVER_PORT", 8501)
    return settings.current().dashboard or _local(port, "_stcore/health")


def _port(variable: str, usual: int) -> int:
    given = os.environ.get(variable, "")
    return int(given) if given.isdecimal() and 0 < int(given) < 1 << 16 else usual


def _local(port: int, path: str) -> str | None:
    """The address of a program on this machine that answers at `path`; None on a public host."""
    if settings.current().public:
        return None
    connection = HTTPConnection(LOCAL, port, timeout=WAIT)
    try:
        connection.request("GET", f"/{path}")
        there = connection.getresponse().status == 200
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return f"http://{LOCAL}:{port}/" if there else None
