"""Each way to start works from the repository's root and asks nobody outside this machine."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from gradio_client import Client
from playwright.sync_api import sync_playwright

from engine.runs.store import Run, RunStore
from tests.tools import chromium
from tests.tools.waiting import PATIENCE

pytestmark = pytest.mark.xdist_group("launch")

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent

GUARD = '''
"""Loaded by every Python that the test starts: notes and refuses what is not this machine."""
import os, socket

def outside(host):
    host = host.decode() if isinstance(host, bytes) else host
    if not host or host in ("localhost", "::1", "::", "0.0.0.0") or host.startswith("127."):
        return False
    with open(os.environ["OUTSIDE"], "a", encoding="utf-8") as log:
        log.write(f"{host}\\n")
    return True

look_up, connect = socket.getaddrinfo, socket.socket.connect

def guarded_look_up(host, *args, **kwargs):
    if outside(host):
        raise socket.gaierror(f"{host}: outside")
    return look_up(host, *args, **kwargs)

def guarded_connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and outside(address[0]):
        raise OSError(f"{address}: outside")
    return connect(self, address)

socket.getaddrinfo, socket.socket.connect = guarded_look_up, guarded_connect
'''

COMMANDS = {
    "gradio": ["gradio", "playground/app.py"],
    "python": ["python", "playground/app.py"],
    "streamlit": ["streamlit", "run", "playground/dashboard.py"],
}


class Launched:
    """A started program: its address, what it printed, and whom it asked outside."""

    def __init__(self, name: str, folder: Path, root: Path = ROOT) -> None:
        program, *rest = COMMANDS[name]
        path = sys.executable if program == "python" else shutil.which(program, path=str(SCRIPTS))
        assert path, f"{program} is not installed"
        guard = folder / "guard"
        guard.mkdir()
        (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
        self.outside = folder / "outside.txt"
        self.outside.touch()
        self.log = folder / "log.txt"
        self.runs = folder / "runs"
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "PYTHONPATH": str(guard),
            "PYTHONUNBUFFERED": "1",
            "OUTSIDE": str(self.outside),
            "HOME": str(folder),
            "USERPROFILE": str(folder),
            "TP_RUNS": str(self.runs),
            "GRADIO_TEMP_DIR": str(folder / "gradio"),
            "GRADIO_SERVER_PORT": str(port),
            "STREAMLIT_SERVER_PORT": str(port),
            "STREAMLIT_SERVER_HEADLESS": "true",
        }
        # As on a learner's machine, who sets neither.
        environment.pop("GRADIO_ANALYTICS_ENABLED", None)
        environment.pop("HF_HUB_OFFLINE", None)
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [path, *rest],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert self.process.poll() is None, f"it ended:\n{self.text()}"
            assert time.monotonic() < end, f"{what} did not happen:\n{self.text()}"
            time.sleep(0.1)

    def answers(self, path: str = "/") -> bool:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def end(self) -> None:
        """End it and all that it started."""
        try:
            family = [self.process, *psutil.Process(self.process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                process.terminate()
            except psutil.NoSuchProcess:
                continue
        self.process.wait(PATIENCE)
        _, left = psutil.wait_procs(family[1:], timeout=PATIENCE)
        for process in left:
            process.kill()


@contextmanager
def launched(name: str, folder: Path, root: Path = ROOT) -> Iterator[Launched]:
    program = Launched(name, folder, root)
    try:
        program.wait(program.answers, "an answer")
        yield program
    finally:
        program.end()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


STREAM = "/_stcore/stream"
"""The dashboard's web socket."""
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
UPGRADE["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="


def status(program: Launched, path: str, headers: dict[str, str]) -> int:
    """What a request with these headers is answered with."""
    connection = http.client.HTTPConnection(urlsplit(program.address).netloc, timeout=PATIENCE)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse().status
    connection.close()
    return answer


def refuses_strangers(program: Launched) -> None:
    """However it was started: its name and its own page, or 403."""
    for headers in ({"Host": "evil.test"}, {"Origin": "http://evil.test"}):
        assert status(program, "/", headers) == 403
        assert status(program, STREAM, headers | UPGRADE) == 403
    assert status(program, "/", {"Origin": program.address}) == 200


def opens_and_asks_nobody_outside(program: Launched, drawn: str) -> None:
    """Its page, in Chromium, until there is such an element on it; and all that the program did until then."""
    path = chromium.find()
    assert path, "no Chromium was found: python tests/tools/chromium.py installs one"
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(program.address, timeout=1000 * PATIENCE)
        page.locator(drawn).first.wait_for(timeout=1000 * PATIENCE)
        page.wait_for_load_state("load")
        browser.close()
    assert "Traceback" not in program.text(), program.text()
    assert program.outside.read_text(encoding="utf-8").split() == []
    inside = (program.address, "ws" + program.address.removeprefix("http"), "data:", "blob:")
    assert asked and [url for url in asked if not url.startswith(inside)] == []


PLAYGROUND = ".home[data-ready=true]"


@pytest.mark.case("R10")
@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "drawn"), [("python", PLAYGROUND), ("streamlit", "[data-testid=stHeading]")]
)
def test_it_starts_and_asks_nobody_outside(name: str, drawn: str, tmp_path: Path) -> None:
    """By `gradio`, see below."""
    with launched(name, tmp_path) as program:
        opens_and_asks_nobody_outside(program, drawn)
        refuses_strangers(program)


def test_the_guard_of_these_tests_works(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    code = (
        "import socket, urllib.request\n"
        "for ask in (lambda: urllib.request.urlopen('http://example.org'),\n"
        "            lambda: socket.create_connection(('192.0.2.1', 80), timeout=1)):\n"
        "    try: ask()\n"
        "    except OSError: pass\n"
        "    else: raise SystemExit('it went out')\n"
    )
    log = tmp_path / "outside.txt"
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "OUTSIDE": str(log)}
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert log.read_text(encoding="utf-8").split() == ["example.org", "192.0.2.1"]


def copy_of_the_project(folder: Path) -> Path:
    """What the playground needs, in a place where files may be edited."""
    root = folder / "project"
    for part in ("engine", "playground", "assets"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, root / part, ignore=ignored)
    shutil.copytree(
        ROOT / "checkpoints", root / "checkpoints", ignore=shutil.ignore_patterns("runs")
    )
    return root


@pytest.mark.case("R10")
@pytest.mark.browser
def test_editing_a_file_neither_stops_nor_orphans_a_run(tmp_path: Path) -> None:
    """As `gradio` starts it, which reloads what is edited."""
    root = copy_of_the_project(tmp_path)
    with launched("gradio", tmp_path, root) as program:
        opens_and_asks_nobody_outside(program, PLAYGROUND)
        refuses_strangers(program)

        def client() -> Client:
            return Client(program.address, verbose=False, download_files=str(tmp_path / "files"))

        changes = {"d_model": 16, "n_layer": 1, "max_seq_len": 16, "batch_size": 2, "threads": 1}
        choice = {"preset": "stories", "changes": changes | {"total_steps": 1_000_000}}
        run_id: str = client().predict(choice, api_name="/start")["run"]
        run = RunStore(program.runs).open(run_id)
        program.wait(lambda: run.status().step > 5, "step 5")
        pid = run.status().pid

        line = '\nprint("executed again", flush=True)\n'
        for name, text in (("app.py", line), ("hosting/actions.py", "\n# edited\n")):
            before = program.text().count("executed again")

            def reloaded(
                file: Path = root / "playground" / name, text: str = text, n: int = before
            ) -> bool:
                # Gradio forgets what it has seen whenever it reloads, so an edit can be missed.
                if program.text().count("executed again") > n:
                    return True
                file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")
                time.sleep(2)
                return False

            program.wait(reloaded, f"a reload after {name} was edited")
            refuses_strangers(program)
            step = run.status().step
            program.wait(lambda n=step: run.status().step > n + 5, "a step after the reload")
            assert run.status().pid == pid

        # The page still has it in hand.
        assert client().predict(run_id, api_name="/status")["state"] == "running"
        client().predict(run_id, api_name="/pause")
        program.wait(lambda: run.status().state == "paused", "the pause")
        client().predict(run_id, api_name="/resume")
        program.wait(lambda: run.status().state == "running", "the resumption")
        trainer = psutil.Process(pid)
        program.end()
        ended(trainer, run)


def ended(trainer: psutil.Process, run: Run) -> None:
    """When the playground ends, so do its runs: saved, and not left to themselves."""
    psutil.wait_procs([trainer], timeout=PATIENCE)
    assert not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE
    assert run.status().state in ("stopped", "interrupted")
    assert run.checkpoints()
