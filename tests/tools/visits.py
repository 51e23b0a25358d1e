"""Requests as Gradio hands them over, for tests that call what answers them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gradio.context import LocalContext
from starlette.requests import Request

from playground.access import visitors
from playground.access.visitors import Visitor


def request(cookie: str = "", address: str = "192.0.2.1", **headers: str) -> Request:
    """A request from this address; underscores in the names of headers stand for hyphens."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if cookie:
        named.append((b"cookie", f"{visitors.COOKIE}={cookie}".encode()))
    return Request({"type": "http", "headers": named, "client": (address, 50_000)})


@contextmanager
def visit(cookie: str = "", address: str = "192.0.2.1", **headers: str) -> Iterator[Visitor]:
    """Whatever is called in this block answers such a request."""
    sent = request(cookie, address, **headers)
    token = LocalContext.request.set(sent)  # pyright: ignore[reportArgumentType]
    try:
        yield visitors.of(sent.scope)
    finally:
        LocalContext.request.reset(token)
