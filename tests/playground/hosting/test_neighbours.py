"""The page and the dashboard find one another where both run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engine.validation import ConfigError
from playground import settings
from playground.hosting import neighbours
from tests.tools.served import free_port

SIDES = {
    "page": (neighbours.page, "GRADIO_SERVER_PORT", "/gradio_api/app_id"),
    "dashboard": (neighbours.dashboard, "STREAMLIT_SERVER_PORT", "/_stcore/health"),
}


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def answering(side: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A program at the other's port, which answers at one path only."""
    path = SIDES[side][2]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == path else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(SIDES[side][1], str(server.server_port))
    yield server.server_port
    server.shutdown()
    server.server_close()


def find(side: str) -> Callable[[], str | None]:
    return SIDES[side][0]


def test_the_other_is_found_where_it_answers(side: str, answering: int) -> None:
    assert find(side)() == f"http://127.0.0.1:{answering}/"


def test_nothing_is_found_where_nothing_answers(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIDES[side][1], str(free_port()))
    assert find(side)() is None


def test_another_program_at_the_port_is_not_it(
    side: str, answering: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = next(name for name in SIDES if name != side)
    monkeypatch.setenv(SIDES[other][1], str(answering))
    assert find(other)() is None


def test_a_public_host_says_where_it_is(
    side: str, answering: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TP_PUBLIC", "1")
    assert find(side)() is None  # this machine's ports are nobody's business
    monkeypatch.setenv(f"TP_{side.upper()}", "https://example.org/it")
    assert find(side)() == "https://example.org/it"


def test_an_address_is_an_address(side: str) -> None:
    for wrong in ("example.org", "javascript:alert(1)", "https://a b"):
        with pytest.raises(ConfigError, match=f"TP_{side.upper()}"):
            settings.read({f"TP_{side.upper()}": wrong})
