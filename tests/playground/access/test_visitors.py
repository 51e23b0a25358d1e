"""Who a request is from, and what the server refuses or forgets whoever it is from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gradio as gr
import httpx
import pytest

from playground import app, settings
from playground.access import bodies, visitors
from playground.access.visitors import Visitor
from playground.page.views import served
from playground.planning import tokenizer_gate
from playground.planning.choice import read_choice
from playground.planning.plan import plan
from playground.tabs.tokens import server as tokens
from tests.tools.served import free_port
from tests.tools.visits import request, visit
from tests.tools.waiting import PATIENCE


def of(**how: Any) -> Visitor:
    return visitors.of(request(**how).scope)


@pytest.fixture(autouse=True)
def _public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_PUBLIC", "1")


# Who -----------------------------------------------------------------------------------------------


@pytest.mark.case("R5")
def test_a_learner_is_known_by_a_cookie_that_cannot_be_made_up() -> None:
    one, other = visitors.token(), visitors.token()
    learner = of(cookie=one).learner
    assert learner is not None and of(cookie=one).learner == learner != of(cookie=other).learner
    name, _, signature = one.partition(".")
    for wrong in (
        name,
        f"{name}.",
        f"{name}x.{signature}",
        f"x.{signature}",
        ".",
        "ü.ü",
        signature,
        ";",
        "=" * 9,
    ):
        assert of(cookie=wrong).learner is None, wrong


@pytest.mark.case("R5")
@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),  # whoever asks says so
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the first was there before the proxy
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "nonsense", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_an_address_is_believed_as_far_as_proxies_are_trusted(
    proxies: int, forwarded: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TP_PROXIES", str(proxies))
    assert of(x_forwarded_for=forwarded).address == address


def test_outside_of_a_request_there_is_no_visitor() -> None:
    assert visitors.current() is None
    with visit(visitors.token()) as visitor:
        assert visitors.current() == visitor
    assert visitors.current() is None


# A page --------------------------------------------------------------------------------------------


@dataclass
class Page:
    """A page, served as the playground is."""

    client: httpx.Client
    app: Any

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.client.get(path, **how)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.client.post(f"gradio_api/{path}", **how)

    def ask(self, session: str = "s") -> None:
        """Call the view's function."""
        body = {
            "data": "x",
            "component_id": self.component,
            "session_hash": session,
            "fn_name": "look",
        }
        assert self.post("component_server", json=body).status_code == 200

    @cached_property
    def component(self) -> int:
        """The view's number."""
        blocks = self.get("config").json()["components"]
        return next(each["id"] for each in blocks if each["props"].get("elem_id") == "view")


@pytest.fixture
def seen() -> list[Visitor | None]:
    """Who the functions of a page saw."""
    return []


@pytest.fixture
def page(seen: list[Visitor | None]) -> Iterator[Page]:
    """A page with a server function, and an endpoint with and without Gradio's queue."""

    def look(_: object) -> str:
        seen.append(visitors.current())
        return ""

    with gr.Blocks() as blocks:
        gr.HTML(elem_id="view", server_functions=[served(look)])
        text, button = gr.Textbox(), gr.Button()
        button.click(look, text, text, queue=False, api_name="direct")
        button.click(look, text, text, queue=True, api_name="queued")
    how = app.LAUNCH | {"prevent_thread_lock": True, "quiet": True, "server_port": free_port()}
    built, address, _ = blocks.launch(**how)
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        yield Page(client, built)
    blocks.close(verbose=False)


@pytest.mark.case("R5")
def test_every_way_to_call_a_function_tells_who_calls(
    page: Page, seen: list[Visitor | None]
) -> None:
    """A view's function, an event at once, and one through Gradio's queue, which another task works off."""
    page.get("")
    learner = of(cookie=page.client.cookies[visitors.COOKIE]).learner
    page.ask()
    assert page.post("run/direct", json={"data": ["x"]}).status_code == 200
    event = page.post("call/queued", json={"data": ["x"]}).json()["event_id"]
    assert "complete" in page.get(f"gradio_api/call/queued/{event}").text
    assert seen == [Visitor(learner, "127.0.0.1")] * 3
    page.client.cookies.clear()
    page.ask()
    assert seen[-1] == Visitor(None, "127.0.0.1")


@pytest.mark.case("R5")
def test_a_page_comes_with_a_cookie_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    first = page.get("").headers["set-cookie"]
    assert "HttpOnly" in first and "SameSite=Lax" in first and "Secure" not in first
    assert "set-cookie" not in page.get("").headers
    page.client.cookies.clear()
    assert "set-cookie" not in page.get("config").headers
    monkeypatch.setenv(
        "TP_PROXIES", "1"
    )  # as on a Space, which is shown in a frame of another site
    framed = page.get("", headers={"x-forwarded-proto": "https"}).headers["set-cookie"]
    assert "SameSite=None; Secure; Partitioned" in framed
    monkeypatch.setenv("TP_PUBLIC", "0")
    page.client.cookies.clear()
    assert "set-cookie" not in page.get("").headers


@pytest.mark.case("R8")
@pytest.mark.parametrize("public", ["0", "1"])
def test_no_file_is_taken(page: Page, public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the page sends one. A view's function takes them too, in a form of several parts."""
    monkeypatch.setenv("TP_PUBLIC", public)
    part = {"files": ("a.txt", b"x" * 1_000, "text/plain")}
    for route in (
        "upload",
        "upload/",
        "upload?upload_id=1",
        "component_server",
        "process_recording",
    ):
        answer = page.post(route, files=part)
        expected = (415, "type") if route == "component_server" else (403, "closed")
        assert (answer.status_code, answer.json()["error"]) == (
            expected[0],
            bodies.TEXT[expected[1]],
        )
    raw = {"content-type": "text/plain"}
    assert page.post("upload", content=b"x", headers=raw).status_code == 403


@pytest.mark.case("R19")
def test_sessions_that_anyone_makes_up_are_forgotten(page: Page) -> None:
    """Gradio keeps a copy of the page's settings for each name: 10,000 of them, 0.1 MB each, unless told."""
    most = app.LAUNCH["state_session_capacity"]
    assert most <= 500
    holder = page.app.state_holder
    for number in range(most + 50):
        page.ask(f"made up {number}")
    assert len(holder.session_data) == len(holder.time_last_used) == most


# Tokenizers ----------------------------------------------------------------------------------------


@pytest.fixture
def learning_now(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Somebody's tokenizer is being learned until the function that this gives is called."""
    begun, end, train = threading.Event(), threading.Event(), tokens._train

    def slow(*given: Any) -> Any:
        begun.set()
        end.wait(PATIENCE)
        return train(*given)

    monkeypatch.setattr(tokens, "_train", slow)
    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(tokens.learn("own", OWN, 300)))
    thread.start()
    assert begun.wait(PATIENCE)

    def finish() -> None:
        end.set()
        thread.join(PATIENCE)
        assert answers and "error" not in answers[0]

    yield finish
    end.set()
    thread.join(PATIENCE)


OWN = "They would as lief be somebody else as wait for somebody else.\n" * 9


@pytest.mark.case("R20")
def test_a_public_host_learns_one_tokenizer_at_a_time(learning_now: Callable[[], None]) -> None:
    assert tokens.learn("own", OWN, 301)["error"] == tokenizer_gate.TEXT["busy"]
    asked = {"changes": {"tokenizer": "bpe", "tokenizer_size": 411}}
    assert list(plan(read_choice(asked)).obstacles) == [tokenizer_gate.TEXT["busy"]]
    assert plan(read_choice({"preset": "tiny"})).ready  # characters take no time
    same: list[dict[str, Any]] = []
    waits = threading.Thread(target=lambda: same.append(tokens.learn("own", OWN, 300)))
    waits.start()  # the very same is not learned twice, and not refused
    learning_now()
    waits.join(PATIENCE)
    assert same and "error" not in same[0]
    assert plan(read_choice(asked)).ready and "error" not in tokens.learn("own", OWN, 301)


@pytest.mark.case("R20")
def test_ones_own_machine_learns_as_many_as_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tokenizer_gate.alone(), pytest.raises(tokenizer_gate.Busy), tokenizer_gate.alone():
        pass
    monkeypatch.setenv("TP_PUBLIC", "0")
    with tokenizer_gate.alone(), tokenizer_gate.alone():
        pass


@pytest.mark.case("R20")
def test_a_public_host_reads_shorter_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    most = settings.PUBLIC["max_text"]
    assert f"{most:,}" in tokens.learn("own", "x" * (most + 1), 300)["error"]
    text = {"characters": most + 1, "vocabulary": 9}
    asked = {"changes": {"source": "text"}, "text": text}
    assert f"{most:,}" in plan(read_choice(asked)).obstacles[0]
    monkeypatch.setenv("TP_PUBLIC", "0")
    assert plan(read_choice(asked)).ready
