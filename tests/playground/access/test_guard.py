"""Who may use the page: this page itself and scripts, under names that are known. What may be sent: JSON."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio.routes import App
from starlette.testclient import TestClient

from playground import app, settings
from playground.access.guard import Sites, source_of
from playground.hosting import actions, checks
from playground.page.views import served
from playground.runs import run_lookup

EVIL = "http://evil.test"
FOREIGN: dict[str, dict[str, str]] = {
    "host": {"Host": "evil.test"},
    "rebound": {"Host": "evil.test:7860", "Origin": "http://evil.test:7860", "Sec-Fetch-Site": "same-origin"},
    "origin": {"Origin": EVIL},
    "null": {"Origin": "null"},
    "port": {"Origin": "http://127.0.0.1:1"},
    "site": {"Sec-Fetch-Site": "cross-site"},
    "neighbour": {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    "plain": {"Origin": EVIL, "Content-Type": "text/plain"},
    "forwarded": {"Origin": EVIL, "X-Forwarded-Host": "evil.test", "X-Forwarded-For": "127.0.0.1"},
}  # fmt: skip
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def asgi() -> App:
    return App.create_app(app.demo, app_kwargs=dict(app.LAUNCH["app_kwargs"]))


@pytest.fixture
def client(asgi: App, learners_runs: None) -> Iterator[TestClient]:
    yield TestClient(asgi, base_url="http://127.0.0.1:7860", raise_server_exceptions=False)


def routes(router: Any) -> Iterator[tuple[str, str]]:
    """Every method and address that Gradio serves."""
    for route in router.routes:
        if included := getattr(route, "original_router", None):
            yield from routes(included)
            continue
        for method in route.methods:
            yield method, re.sub(r"\{[^}]*\}", "x", route.path)


def functions() -> list[tuple[int, str]]:
    """Every server function of a view, with its component."""
    parts = app.demo.get_config_file()["components"]
    return [(part["id"], name) for part in parts for name in part["props"].get("server_fns") or ()]


@pytest.mark.case("R9")
@pytest.mark.case("R10")
@pytest.mark.parametrize("kind", FOREIGN)
def test_no_route_obeys_another_site(
    kind: str, asgi: App, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(
        app.Playground, "process_api", lambda *_, **__: called.append("process_api")
    )
    all_routes = list(routes(asgi))
    assert len(all_routes) > 50 and ("POST", "/gradio_api/component_server") in all_routes
    for method, path in all_routes:
        headers = JSON | FOREIGN[kind]
        answer = client.request(method, path, content=b'{"data": []}', headers=headers)
        assert answer.status_code == 403, (method, path)
        if method != "HEAD":
            assert "TP_SITES" in answer.text, (method, path)
    assert called == []


@pytest.mark.case("R9")
@pytest.mark.parametrize("kind", FOREIGN)
def test_no_function_of_a_view_obeys_another_site(kind: str, client: TestClient) -> None:
    assert len(functions()) > 20
    for component, name in functions():
        body = {"data": ["x"], "fn_name": name, "component_id": component, "session_hash": "x"}
        answer = client.post(
            "/gradio_api/component_server", content=json.dumps(body), headers=JSON | FOREIGN[kind]
        )
        assert answer.status_code == 403 and answer.json()["error"], name


@pytest.mark.case("R10")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:9"},
        {"Host": "[::1]:7860", "Origin": "http://[::1]:7860"},
        {
            "Host": "192.168.1.5:7860",
            "Origin": "http://192.168.1.5:7860",
        },  # a class, by the address
        {"Host": socket.gethostname()},
        {"Origin": "http://127.0.0.1:7860"},
        {"Origin": "https://127.0.0.1:7860"},  # a proxy speaks TLS
        {
            "Sec-Fetch-Site": "same-origin",
            "Origin": "https://public.test",
        },  # and names itself as Host
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_the_page_itself_and_scripts_are_served(
    headers: dict[str, str], client: TestClient
) -> None:
    answer = client.post("/gradio_api/run/runs", content=b'{"data": [[]]}', headers=JSON | headers)
    assert answer.status_code == 200 and answer.json()["data"][0]["shipped"]


@pytest.mark.case("R10")
def test_a_link_and_a_frame_of_another_site_may_open_the_page(client: TestClient) -> None:
    navigation = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/robots.txt", headers=navigation).status_code == 200
    assert client.get("/gradio_api/info", headers=navigation).status_code == 403
    assert client.post("/", headers=navigation).status_code == 403


@pytest.mark.case("R10")
def test_a_page_under_an_unknown_name_says_what_to_set(client: TestClient) -> None:
    answer = client.get("/", headers={"Host": "play.school.test"})
    assert answer.status_code == 403
    assert "set TP_SITES=play.school.test" in answer.text and "设置 TP_SITES" in answer.text


@pytest.mark.case("R10")
def test_sites_are_known_by_name_and_by_port() -> None:
    named = ("play.school.test", "*.course.test", "http://other.test:8000", "https://safe.test")
    sites = Sites.of({"GRADIO_SERVER_NAME": "served.test"}, named)
    for host in (
        "play.school.test",
        "PLAY.school.test.:99",
        "a.b.course.test",
        "other.test:8000",
        "served.test",
    ):
        assert sites.known(host), host
    for host in (
        "course.test",
        "evil.test",
        "other.test:1",
        "play.school.test.evil.test",
        "",
        "a b",
        "0x7f.1",
        "x@y",
    ):
        assert not sites.known(host), host
    act = {"host": "127.0.0.1:7860", "origin": "https://safe.test", "sec-fetch-site": "cross-site"}
    assert not sites.foreign(act, False)
    assert sites.foreign(act | {"origin": "https://safe.test.evil.test"}, False)
    assert source_of("http://other.test:8000/") == "http://other.test:8000"
    assert "frame-ancestors 'self' play.school.test:*" in sites.policy()


@pytest.mark.case("R10")
def test_a_space_is_known_by_its_name_and_shown_by_the_hub() -> None:
    space = Sites.of({"SPACE_ID": "a/b", "SPACE_HOST": "a-b.hf.space"})
    assert space.known("a-b.hf.space") and not space.known("evil.test")
    assert "frame-ancestors 'self' https://huggingface.co" in space.policy()
    assert "huggingface" not in Sites.of({}).policy()


@pytest.mark.case("R10")
def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for path, host in (("/config", "localhost"), ("/nowhere", "localhost"), ("/", "evil.test")):
        headers = client.get(path, headers={"Host": host}).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert "X-Frame-Options" not in headers


# What is sent, and what is answered ---------------------------------------------------------------


def ask(client: TestClient, path: str, body: bytes) -> tuple[int, Any]:
    answer = client.post(f"/gradio_api/{path}", content=body, headers=JSON)
    return answer.status_code, answer.json()


@pytest.mark.case("R12")
@pytest.mark.parametrize("spelt", ["gradio.FileData", "gradio\\u002eFileData"])
def test_the_record_of_a_file_is_never_read(
    spelt: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(app.Playground, "preprocess_data", lambda *_, **__: called.append("read"))
    record = f'{{"path": "https://evil.test/x", "meta": {{"_type": "{spelt}"}}}}'
    for data in (record, f'[{{"a": [{record}]}}]'):
        for path in ("run/start", "call/runs", "queue/join", "component_server"):
            body = f'{{"data": [{data}, ""], "session_hash": "x", "fn_index": 0}}'
            status, answer = ask(client, path, body.encode())
            assert status == 400 and "takes a file" in answer["error"]
    assert called == []
    # Who writes about it sends no record of it.
    body = json.dumps({"data": ["stories", "gradio.FileData"]}).encode()
    assert "file" not in str(ask(client, "run/tokens", body)[1])


@pytest.mark.case("R12")
def test_what_stores_or_fetches_files_is_closed(client: TestClient) -> None:
    upload = client.post("/gradio_api/upload", files={"files": ("x.txt", b"x")})
    proxy = client.get("/gradio_api/proxy=x%00y")
    link = client.get("/gradio_api/deep_link?session_hash=x")
    for answer in (upload, proxy, link):
        assert answer.status_code == 403 and "is closed" in answer.json()["error"]


@pytest.mark.case("R11")
@pytest.mark.parametrize(
    "body",
    [
        b'{"data": ["\\ud800"]}',
        b'{"data": [NaN]}',
        b"[" * 5_000,
        b"\xff",
        b"{",
        b'{"data": [1e999]}',
    ],
)
def test_what_is_no_json_is_refused_with_a_sentence(body: bytes, client: TestClient) -> None:
    for path in ("run/status", "call/status", "component_server"):
        status, answer = ask(client, path, body)
        assert status == 400 and answer["error"].startswith("The request is not valid JSON: ")


@pytest.mark.case("R11")
def test_a_body_is_json_of_a_bounded_size(client: TestClient) -> None:
    sent = {"content": b'{"data": [[]]}'}
    for kind in ("text/plain", "multipart/form-data; boundary=x", ""):
        answer = client.post("/gradio_api/run/runs", headers={"Content-Type": kind}, **sent)
        assert answer.status_code == 415 and "application/json" in answer.json()["error"]
    assert ask(client, "run/tokens", b'{"data": ["' + b"x" * 14_000_000 + b'"]}')[0] == 413


@pytest.mark.case("R11")
def test_every_function_of_a_view_answers_any_value_with_a_sentence(client: TestClient) -> None:
    values = [None, True, 2**70, -1, 1e300, "", "x", [], {}, [[]], {"a": 1}, ["x", {}], "\0", 0.5]
    for component, name in functions():
        for value in values:
            for data in (value, [value] * 2, [value] * 3, [value] * 4):
                body = {
                    "data": data,
                    "fn_name": name,
                    "component_id": component,
                    "session_hash": "x",
                }
                status, answer = ask(client, "component_server", json.dumps(body).encode())
                assert status == 200, (name, data)
                text = json.dumps(answer)
                assert '"error": null' not in text and checks.TEXT["bug"] not in text, (name, data)
                assert "object at 0x" not in text and str(app.ROOT) not in text, (name, data)


@pytest.mark.case("R13")
def test_every_event_answers_any_value_with_a_sentence(client: TestClient) -> None:
    for number, dependency in app.demo.fns.items():
        for value in (None, "there is no such run", [], {"run": ["x"]}, 2**70):
            body = {
                "data": [value] * len(dependency.inputs),
                "fn_index": number,
                "session_hash": "x",
                "event_data": {"run": value, "own": value, "choice": value, "step": value},
            }
            status, answer = ask(client, "run/predict", json.dumps(body).encode())
            assert status in (200, 400)
            assert status == 200 or (answer["error"] and answer["error"] != checks.TEXT["bug"])
            assert not re.search("object at 0x|site-packages", json.dumps(answer)), (number, value)


@pytest.mark.case("R13")
@pytest.mark.parametrize("path", ["run/nothing", "call/nothing", "component_server", "queue/join"])
def test_an_address_that_there_is_not_is_answered_with_a_sentence(
    path: str, client: TestClient
) -> None:
    body = (
        b'{"data": [], "fn_index": 999, "fn_name": "x", "component_id": 99999, "session_hash": "x"}'
    )
    status, answer = ask(client, path, body)
    assert 400 <= status < 500 and (answer.get("error") or answer["detail"])


@pytest.mark.case("R13")
@pytest.mark.case("R14")
def test_an_error_of_the_disk_is_a_sentence_without_a_path(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(app.ROOT / "x"))

    for name in ("start", "status", "runs", "send_command"):
        monkeypatch.setattr(actions, name, full)
    monkeypatch.setattr(run_lookup, "find", full)
    for name in ("start", "status", "runs", "pause"):
        data = {"start": [{}, ""], "runs": [[]], "pause": ["stories", ""]}.get(name, ["stories"])
        status, answer = ask(client, f"run/{name}", json.dumps({"data": data}).encode())
        assert status == 400 and answer["error"] == "The server's disk is full.", name
    for error, sentence in (
        (
            OSError(30, "Read-only file system", "/x"),
            "The server may not write where it keeps runs.",
        ),
        (OSError("odd: /x"), "The server cannot read or write its files."),
        (
            ValueError(f"data_path = '{app.ROOT}/checkpoints/a.txt': is gone"),
            "data_path = 'checkpoints/a.txt': is gone",
        ),
        (KeyError("x"), "The server failed. Details are in its log."),
    ):
        assert checks.sentence(error) == sentence
    assert "KeyError" in capsys.readouterr().err  # of whoever serves the page


@pytest.mark.case("R11")
def test_arguments_are_held_to_their_annotations() -> None:
    def function(run: str, step: int | None = None, ids: list[str] | None = None) -> Any:
        return [run, step, ids]

    def ask(*given: Any) -> Any:
        return json.loads(served(function)(list(given)).body)

    assert ask("a", 3.0, ["b"]) == ["a", 3, ["b"]]  # as a form sends a whole number
    assert ask("a") == ["a", None, None]
    for given, problem in (
        ((["a"],), "run = ['a']: must be text"),
        (("a", "3"), "step = '3': must be a whole number"),
        (("a", True), "step = True: must be a whole number"),
        (("a", 1.5), "step = 1.5: must be a whole number"),
        (("a", 1, "b"), "ids = 'b': must be a list"),
        (("a", 1, [1]), "ids = 1: must be text"),
    ):
        assert ask(*given) == {"error": problem}


@pytest.mark.case("R11")
def test_what_was_stored_with_half_a_character_can_still_be_answered() -> None:
    stored = {"name": "a\ud800b", "\udfff": [2**70, -(2**64), 10**400]}
    assert json.loads(checks.written(stored)) == {"name": "a?b", "?": [2.0**70, -(2.0**64), None]}


def test_settings_name_the_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_SITES", "a.test, *.b.test")
    assert settings.current().site_names == ("a.test", "*.b.test")


ROOT = Path(__file__).resolve().parents[3]
DENIED = re.compile(
    r"\b(localStorage|sessionStorage|indexedDB|caches|requestFullscreen|replaceState|pushState|execCommand)\b|"
    r"navigator\.(clipboard|serviceWorker|storage)|document\.cookie"
)


@pytest.mark.case("F2")
def test_one_file_asks_the_browser_for_what_it_may_deny() -> None:
    scripts = [*(ROOT / "assets").rglob("*.js"), *(ROOT / "playground").rglob("*.js")]
    assert [path.name for path in scripts if DENIED.search(path.read_text("utf-8"))] == [
        "browser.js"
    ]


@pytest.mark.case("F13")
def test_no_address_begins_at_the_servers_root() -> None:
    by_hand = re.compile(
        r"""["'`(=]/(gradio_api|assets|static|file|theme)\b|(href|src)\s*[=:]\s*["'`]/"""
    )
    files = [
        p for end in ("js", "py", "css", "html") for p in (ROOT / "playground").rglob(f"*.{end}")
    ]
    files += [p for end in ("js", "css") for p in (ROOT / "assets").rglob(f"*.{end}")]
    routes = {"bodies.py", "guard.py"}  # what the server is asked for
    found = [p.name for p in files if p.name not in routes and by_hand.search(p.read_text("utf-8"))]
    assert found == []
