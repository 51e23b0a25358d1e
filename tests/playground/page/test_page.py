"""Gradio's queue of events, when a session loses its messages: other sessions are answered all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import pytest

from playground.page.page import Playground
from tests.tools.served import free_port
from tests.tools.waiting import PATIENCE, until


class Served:
    """A page with one function, which waits for `end` and then returns its argument."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.end = threading.Event()
        with Playground() as self.blocks:
            text, button = gr.Textbox(), gr.Button()
            button.click(self.slow, text, text, api_name="slow", concurrency_limit=1)
        _, address, _ = self.blocks.launch(
            prevent_thread_lock=True, quiet=True, server_port=free_port()
        )
        self.client = httpx.Client(base_url=f"{address}gradio_api/", timeout=PATIENCE)

    def slow(self, text: str) -> str:
        self.begun.append(text)
        self.end.wait(PATIENCE)
        return text

    def join(self, session: str) -> httpx.Response:
        """Call the function with the session's own name."""
        body: dict[str, Any] = {"data": [session], "fn_index": 0, "session_hash": session}
        return self.client.post("queue/join", json=body)

    def messages(self, session: str) -> str:
        """Every message to a session, until its events are complete."""
        text, end = "", time.monotonic() + PATIENCE
        with self.client.stream("GET", "queue/data", params={"session_hash": session}) as answer:
            for part in answer.iter_text():  # a heartbeat every 15 seconds
                assert time.monotonic() < end, f"no answer to {session!r}: {text}"
                text += part
        return text


@pytest.fixture
def served() -> Iterator[Served]:
    page = Served()
    yield page
    page.end.set()
    page.client.close()
    page.blocks.close(verbose=False)


@pytest.mark.case("R19")
def test_a_session_without_messages_does_not_stop_the_others(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gradio keeps the messages of its latest 2,000 sessions, here of two: later visitors evict earlier ones."""
    queue = served.blocks._queue
    queue.pending_messages_per_session.max_size = 2
    assert served.join("running").status_code == 200
    until(lambda: served.begun == ["running"])
    for session in ("waiting", "waiting too", "third", "last"):
        assert served.join(session).status_code == 200
    assert list(queue.pending_messages_per_session) == ["third", "last"]
    served.end.set()
    for session in ("third", "last"):
        assert f'"data":["{session}"]' in served.messages(session)
    assert "waiting too" not in served.begun  # no one could read its answer
    until(lambda: queue.get_active_worker_count() == 0)
    (waiting,) = queue.event_queue_per_concurrency_id.values()
    assert waiting.current_concurrency == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_session_without_a_name_does_not_stop_the_others(served: Served) -> None:
    served.end.set()
    assert served.join("").status_code == 200  # Gradio files its messages under another name
    served.join("named")
    assert '"data":["named"]' in served.messages("named")
