"""Fuzz the playground with hostile requests: nothing may crash, leak or execute a cross-site action.

    python -m benchmarks.hostile --minutes 5 --seed 0

Starts its own playground, as a public host. Each request is drawn at random: an endpoint (`/gradio_api/call/...`,
`run`, `api`, `queue/join`), a view's server function, headers, an invalid body, an upload, a file path, or a
stranger's action: from another site (its Origin or Host), or on a run whose id is known and whose key is not. Values
are hostile: wrong types, deep lists, lone surrogates, numbers beyond 64 bits, file records, paths, markup; and ids of
stored runs. The files of one of these are damaged again and again, as in `tests/tools/damage.py`.

Counts requests, and those that name the damaged run; tracebacks in the server's log; responses with status 500; errors
without a sentence; responses that contain an outside file, a server path or an object's memory address; actions of
strangers that were executed. All but the first two must be 0. Each kind of failure is printed with its first request.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from benchmarks.hostile_values import (
    DAMAGED,
    HEADERS,
    KEY,
    METHODS,
    STORED,
    STRANGERS,
    VALUES,
    VICTIM,
    WRITTEN,
)
from engine.config import RunConfig
from engine.runs.events import Stop
from engine.runs.store import RunStore
from engine.training.driver import drive
from playground.access import keys
from tests.tools.damage import SMALL, damage, lay_out
from tests.tools.served import ROOT, served

MARKER = "a-file-from-outside-5d1c"
"""The contents of a file that no response may contain."""

SETTINGS = {
    "TP_PUBLIC": "1",
    "TP_MAX_RUNS": "2",
    "TP_MAX_WAITING": "1",
    "TP_MAX_ADDRESS": "none",
    "TP_MAX_STEPS": "2510",
    "TP_MAX_PARAMETERS": "1000000",
    "TP_MAX_MINUTES": "0.2",
    "TP_AWAY_SECONDS": "none",
}
"""Environment of the playground: runs started by requests are few and small, and most are not refused."""

COMMANDS = ("pause", "resume", "step", "stop", "change", "reset", "delete")
"""What changes or deletes a run."""

DAMAGE_INTERVAL = 20
"""Requests between two damages."""

SECONDS = 30.0
"""Maximum time of one response."""

FAILURES = (
    "tracebacks", "answers of 500", "errors without a sentence", "files from outside", "leaked paths and addresses",
    "actions of a stranger", "hidden runs", "no answer",
)  # fmt: skip


@dataclass
class Counts:
    """Counts of responses and failures, with the first request of each kind of failure."""

    requests: int = 0
    damaged: int = 0
    """Requests that name the damaged run."""
    failures: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FAILURES, 0)))
    statuses: Counter[int] = field(default_factory=Counter[int])
    examples: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def failed(self, kind: str, where: str, example: str) -> None:
        """Count a failure of this kind, and keep the first example for each endpoint."""
        self.failures[kind] += 1
        self.examples.setdefault((kind, where), example[:700])


class Hostile:
    """A client of a playground at `address`, whose files are in `folder`."""

    def __init__(self, address: str, folder: Path, seed: int) -> None:
        self.address, self.folder = address.rstrip("/"), folder
        self.random = random.Random(seed)
        self.counts = Counts()
        self.client = httpx.Client(base_url=self.address, timeout=SECONDS)
        config = self.client.get("/config").json()
        self.functions = [
            (part["id"], name)
            for part in config["components"]
            for name in part["props"].get("server_fns") or ()
        ]
        self.events = [(each["id"], len(each["inputs"])) for each in config["dependencies"]]
        self.endpoints = {
            each["api_name"]: len(each["inputs"])
            for each in config["dependencies"]
            if each["api_name"] and each["api_visibility"] != "private"
        }
        self.log_offset = 0  # bytes of the log read so far
        self.attacks: tuple[Callable[[], None], ...] = (
            self.endpoint, self.endpoint, self.function, self.function, self.function, self.event,
            self.header, self.body, self.file, self.upload, self.stranger, self.without_key, self.route, self.listed,
        )  # fmt: skip

    def one(self) -> None:
        """Make one hostile request and check the response."""
        self.random.choice(self.attacks)()

    # Requests -------------------------------------------------------------------------------

    def value(self) -> Any:
        """A random value, usually hostile."""
        return self.random.choice(STORED if self.random.random() < 0.2 else VALUES)

    def values(self, count: int) -> list[Any]:
        """About `count` values. With the damaged run there is often its key, which comes last."""
        more = self.random.choice((0, 0, 0, 0, 1, -1))
        found = [self.value() for _ in range(max(0, count + more))]
        if found and found[0] == DAMAGED and self.random.random() < 0.5:
            found[-1] = KEY if len(found) > 1 else DAMAGED
        return found

    def written(self, body: dict[str, Any]) -> bytes:
        """Encode the body as JSON, sometimes with a part that no encoder would write."""
        text = json.dumps(body)
        if self.random.random() < 0.1:
            text = text.replace("null", self.random.choice(WRITTEN), 1)
        return text.encode()

    def endpoint(self) -> None:
        """Call an endpoint of the API by one of Gradio's routes."""
        name = self.random.choice(list(self.endpoints))
        data = self.values(self.endpoints[name])
        way = self.random.choice(("call", "call", "call/v2", "run", "api"))
        body: dict[str, Any] = {"data": data}
        if way == "call/v2":
            body = {
                self.random.choice(("run", "choice", "text", "step", "x")): self.value()
                for _ in data
            }
        answer = self.post(f"/gradio_api/{way}/{name}", self.written(body))
        if answer is not None and answer[0] == 200 and way.startswith("call"):
            event = self.random.choice((json.loads(answer[1])["event_id"],) * 9 + ("none",))
            self.ask("GET", f"/gradio_api/call/{name}/{event}", f"{name}: {data}"[:300])

    def function(self) -> None:
        """Call a view's server function."""
        component, name = self.random.choice(self.functions)
        data = self.random.choice((self.value(), self.values(2), self.values(3), self.values(4)))
        body = {
            "data": data,
            "fn_name": self.odd(name),
            "component_id": self.odd(component),
            "session_hash": self.odd("x"),
        }
        self.post("/gradio_api/component_server", self.written(body), name)

    def event(self) -> None:
        """Trigger an event of the page with data that no view would send."""
        number, count = self.random.choice(self.events)
        body = {
            "data": self.values(count),
            "fn_index": self.odd(number),
            "session_hash": self.odd("x"),
            "trigger_id": self.odd(1),
            "event_data": self.random.choice(
                (self.value(), {"run": self.value(), "own": self.value(), "key": KEY})
            ),
        }
        self.post(
            self.random.choice(("/gradio_api/run/predict", "/gradio_api/queue/join")),
            self.written(body),
        )

    def odd(self, usual: Any) -> Any:
        """The usual value, or rarely another one."""
        return self.value() if self.random.random() < 0.05 else usual

    def header(self) -> None:
        """A valid request with hostile headers."""
        headers = self.random.choice(HEADERS)
        if self.random.random() < 0.5:
            page = self.random.choice(("/", "/config", "/gradio_api/info"))
            self.ask("GET", page, headers=headers)
        else:
            self.post("/gradio_api/run/runs", b'{"data":[["x"]]}', headers=headers)

    def body(self) -> None:
        """Send an invalid body, or one with a wrong Content-Length, over a raw socket."""
        length = self.random.choice(("5", "-1", "x", "99999", "1e3", "18446744073709551616"))
        body = self.random.choice(("{}", '{"data":[]}', "\0" * 50, "{" * 3_000))
        more = self.random.choice(("", "Transfer-Encoding: chunked\r\n", "Content-Length: 0\r\n"))
        target = self.random.choice(
            ("/gradio_api/call/start", "/gradio_api/component_server", "/gradio_api/upload")
        )
        host = urlsplit(self.address).netloc
        raw = (
            f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n{more}\r\n{body}"
        )
        name, _, port = host.partition(":")
        self.counts.requests += 1
        with (
            socket.create_connection((name, int(port)), timeout=SECONDS) as connection,
            suppress(OSError),
        ):
            connection.sendall(raw.encode())
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode("utf-8", "replace")
            status = int(answer.split(" ", 2)[1]) if answer.startswith("HTTP/") else 0
            self.judge(target, raw[:200], status, answer.partition("\r\n\r\n")[2])

    def file(self) -> None:
        """Request a file outside the allowed folders."""
        secret = self.folder / "secret.txt"
        wanted = self.random.choice(
            (str(secret), "/etc/passwd", str(ROOT / "playground" / "app.py"), "x\0y")
        )
        steps = "../" * self.random.randint(1, 12)
        base = self.random.choice(
            (str(self.folder / "gradio"), str(ROOT / "assets" / "js"), "", ".")
        )
        path = self.random.choice(
            (wanted, f"{base}/{steps}{wanted.lstrip('/')}", f"file://{wanted}", f"{wanted}/")
        )
        path = self.random.choice(
            (path, quote(path, safe=""), quote(quote(path, safe="")), path.replace("../", "..\\"))
        )
        route = self.random.choice(
            (
                "/gradio_api/file=", "/gradio_api/file/", "/file=", "/static/", "/assets/", "/svelte/",
                "/gradio_api/proxy=", "/gradio_api/stream/", "/theme.css", "/gradio_api/custom_component/1/client/x/",
                "/?deep_link=", "/gradio_api/deep_link?session_hash=", "/pwa_icon/", "/gradio_api/upload_progress?upload_id=",
            )
        )  # fmt: skip
        self.ask("GET", route + path)

    def upload(self) -> None:
        """Upload files whose names contain paths."""
        name = self.random.choice(
            ("../../x.py", "/etc/x", "a\0b", "x" * 300, "", "x.html", "con", "..\\x")
        )
        files = {self.random.choice(("files", "x")): (name, b"<script>1</script>", "text/html")}
        self.ask("POST", "/gradio_api/upload?upload_id=x", files=files)

    def route(self) -> None:
        """Any method at any address."""
        path = self.random.choice(
            (
                "/", "/config", "/login", "/logout", "/monitoring", "/monitoring/x", "/manifest.json", "/gradio_api/reset",
                "/gradio_api/cancel", "/gradio_api/queue/status", "/gradio_api/stream/x/close", "/gradio_api/vibe-edit",
                "/gradio_api/process_recording", "/gradio_api/openapi.json", "/gradio_api/info", "/docs", "/%00", "/%ff",
                "/gradio_api/queue/data?session_hash=x", "/gradio_api/startup-events", "/gradio_api/call/x/y",
            )
        )  # fmt: skip
        body = self.written(
            {"data": self.value(), "session_hash": "x", "fn_index": self.value(), "event_id": "x"}
        )
        self.ask(
            self.random.choice(METHODS),
            path,
            content=body,
            headers={"Content-Type": "application/json"},
        )

    def stranger(self) -> None:
        """Attempt a cross-site action that changes something, such as starting, stopping or deleting a run."""
        before = self.state()
        headers = {"Content-Type": "application/json"} | self.random.choice(STRANGERS)
        component, name = self.random.choice(self.functions)
        own = next(iter(sorted(before)), "x")
        path, data = self.random.choice(
            (
                ("call/start", {"data": [{"preset": "copy", "changes": {"total_steps": 5}}, ""]}),
                ("run/delete", {"data": [own]}),
                ("call/stop", {"data": [own]}),
                ("component_server", {"data": self.values(3), "fn_name": name, "component_id": component, "session_hash": "x"}),
            )
        )  # fmt: skip
        answer = self.ask(
            "POST", f"/gradio_api/{path}", content=json.dumps(data).encode(), headers=headers
        )
        obeyed = answer is not None and answer[0] not in (400, 403)
        if obeyed or self.state() != before:
            self.counts.failed("actions of a stranger", path, f"{headers} {data}")

    def without_key(self) -> None:
        """Attempt to change or delete a run of another learner from this site: its id is known, its key is not."""
        before = self.files_of(VICTIM)
        key = self.random.choice(("", KEY, "x", None, 7, [KEY], "x" * 5_000))
        component, name = self.random.choice(self.functions)
        more = [self.random.choice((*COMMANDS, *VALUES)) for _ in range(self.random.randint(0, 3))]
        fn_index, count = self.random.choice(self.events)
        session = {"session_hash": "x"}
        path, body = self.random.choice(
            (
                (f"run/{self.random.choice(COMMANDS)}", {"data": [VICTIM, key]}),
                ("run/step", {"data": [VICTIM, 1, key]}),
                ("run/change", {"data": [VICTIM, "max_lr", 0.001, key]}),
                ("component_server", {"data": [VICTIM, *more, key], "fn_name": name, "component_id": component, **session}),
                ("run/predict", {
                    "data": [VICTIM] * count, "fn_index": fn_index, "trigger_id": 1, **session,
                    "event_data": {"run": VICTIM, "key": key, "own": [VICTIM]},
                }),
            )
        )  # fmt: skip
        self.post(f"/gradio_api/{path}", json.dumps(body).encode(), name)
        if self.files_of(VICTIM) != before:
            self.counts.failed("actions of a stranger", path, str(body))

    def listed(self) -> None:
        """A whole run is listed, whatever is in the files of another."""
        answer = self.post(
            "/gradio_api/run/runs", json.dumps({"data": [[DAMAGED, VICTIM]]}).encode()
        )
        if answer is not None and f'"id":"{VICTIM}"' not in answer[1].replace(" ", ""):
            self.counts.failed("hidden runs", "run/runs", answer[1])

    def files_of(self, run: str) -> dict[str, tuple[int, int]]:
        """Size and time of each file of a run."""
        folder = self.folder / "runs" / run
        found = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
        return {path.name: (each.st_size, each.st_mtime_ns) for path, each in found.items()}

    def state(self) -> dict[str, int]:
        """The ids of all runs, and the size of each run's commands."""
        found: dict[str, int] = {}
        for run in (self.folder / "runs").glob("*"):
            commands = run / "commands.jsonl"
            found[run.name] = commands.stat().st_size if commands.is_file() else 0
        return found

    # Responses ------------------------------------------------------------------------------

    def post(
        self, path: str, body: bytes, name: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, str] | None:
        """Send a JSON body."""
        given = {"Content-Type": "application/json"} | (headers or {})
        return self.ask("POST", path, content=body, headers=given, name=name)

    def ask(self, method: str, path: str, name: str = "", **given: Any) -> tuple[int, str] | None:
        """Send a request and check its response; None if there is none, or if it never ends."""
        self.counts.requests += 1
        self.counts.damaged += f'"{DAMAGED}"'.encode() in given.get("content", b"")
        place = name or path.partition("?")[0].partition("=")[0]
        sent = f"{method} {path[:300]!r} {given.get('headers', '')} {given.get('content', b'')[:300]!r}"
        try:
            with self.client.stream(method, path, **given) as answer:
                endless = answer.headers.get("content-type", "").startswith("text/event-stream")
                if endless and "/call/" not in path:
                    return answer.status_code, ""
                until = time.monotonic() + SECONDS
                parts: list[str] = []
                for part in answer.iter_text():
                    parts.append(part)
                    if time.monotonic() > until:
                        self.counts.failed("no answer", place, f"{sent}: {''.join(parts)[:300]}")
                        return None
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError):
            return None  # the client refuses to send this
        except (httpx.TransportError, ValueError) as error:
            if not isinstance(error, httpx.RemoteProtocolError):
                self.counts.failed("no answer", place, f"{sent}: {error!r}")
            return None
        status, text = answer.status_code, "".join(parts)
        is_file = "file=" in path or path.startswith(("/svelte", "/assets"))
        self.judge(place, sent, status, text, is_file)
        return status, text

    def judge(self, place: str, sent: str, status: int, text: str, is_file: bool = False) -> None:
        """Count failures in a response and in the server's log."""
        counts = self.counts
        counts.statuses[status] += 1
        example = f"{sent} -> {status} {text[:300]}"
        if status >= 500:
            counts.failed("answers of 500", place, example)
        if '"error":null' in text.replace(" ", "") or re.search(r"event: error\ndata: null", text):
            counts.failed("errors without a sentence", place, example)
        if MARKER in text or "root:x:0" in text or "sys.path.insert(0, str(ROOT))" in text:
            counts.failed("files from outside", place, example)
        leak = re.search(
            rf"object at 0x|{re.escape(str(ROOT))}|{re.escape(str(self.folder / 'runs'))}|site-packages",
            text,
        )
        echoed = leak is not None and leak[0] in unquote(unquote(sent))
        if leak and not is_file and not echoed:
            counts.failed(
                "leaked paths and addresses",
                place,
                f"{sent} -> …{text[max(0, leak.start() - 200) : leak.end() + 99]}",
            )
        log = self.folder / "playground.log"
        with open(log, "rb") as file:
            file.seek(self.log_offset)
            news = file.read().decode("utf-8", "replace")
            self.log_offset = file.tell()
        if "Traceback" in news or "host scheduler:" in news:
            counts.failed("tracebacks", place, f"{sent}: {news[-600:]}")


def hostile(folder: Path, seed: int, seconds: float, most: float = float("inf")) -> Counts:
    """Fuzz a new playground in this folder until a number of seconds or of requests is reached."""
    (folder / "secret.txt").write_text(MARKER, encoding="utf-8")
    _victim(RunStore(folder / "runs"))
    with served(folder, settings=SETTINGS) as address:
        client = Hostile(address, folder, seed)
        damaged = _damage(folder / "runs" / DAMAGED, client.random)
        until = time.monotonic() + seconds
        while time.monotonic() < until and client.counts.requests < most:
            next(damaged)
            client.one()
        client.client.close()
    return client.counts


def _victim(store: RunStore) -> None:
    """A run of a learner that was stopped: it can be resumed, reset and deleted, by whom has its key."""
    run = store.create(RunConfig.from_flat(SMALL), VICTIM)
    run.send(Stop())
    drive(run)
    keys.lock(run, secrets.token_urlsafe())
    run.path.rename(store.root / VICTIM)


def _damage(folder: Path, generator: random.Random) -> Iterator[None]:
    """Between requests, damage a copy of a shipped run among the learners' runs."""
    shipped = [path.parent for path in sorted((ROOT / "checkpoints").glob("*/run.json"))]
    stored = [
        {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}
        for run in shipped
    ]
    key = {keys.FILE: hashlib.sha256(KEY.encode()).hexdigest().encode()}
    while True:
        files = generator.choice(stored)
        shutil.rmtree(folder, ignore_errors=True)
        lay_out({**files, **key, **damage(files, generator)}, folder)
        for _ in range(DAMAGE_INTERVAL):
            yield


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = hostile(Path(folder), arguments.seed, 60 * arguments.minutes)
    print(
        f"{counts.requests} requests, {counts.damaged} name a damaged run; answers: {dict(sorted(counts.statuses.items()))}"
    )
    for kind, count in counts.failures.items():
        print(f"{count} {kind}")
    for (kind, place), example in counts.examples.items():
        print(f"\n{kind} at {place}\n  {example}")
    return int(any(counts.failures.values()))


if __name__ == "__main__":
    sys.exit(main())
