"""Start a fresh clone as a Hugging Face Space does, and request its first page.

    python -m benchmarks.first_page
    python -m benchmarks.first_page --install
    python -m benchmarks.first_page --job PATH

Clones this repository and starts `app_file` of the README's front matter as a Space does (SPACE_ID, SYSTEM and
the port in the environment, no terminal). Then requests the first page and the loss curve of the model that it
shows. Uncommitted changes are not in the clone.

Without `--install` it runs in this environment, with all packages hidden that requirements.txt does not require
directly or indirectly. With `--install`, a new environment gets only requirements.txt, as on a Space. This
downloads PyTorch; `--index` can name an index with the small CPU build.

With `--job`, does the main job by README's two commands in the clone, and prints the seconds of each stage: installs,
starts the page, and in a headless Chromium pastes the first 400,000 characters of the text file, trains the size that
is chosen already, and writes 200 characters with the trained model.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from playwright.sync_api import Page, sync_playwright

from tests.tools import chromium
from tests.tools.served import address_of, free_port
from tests.tools.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[1]

PASTED, WRITTEN = 400_000, 200
"""Characters that are pasted, and that the trained model writes."""

HIDDEN = '''
"""Hides packages that requirements.txt does not require, from this process and its child processes."""
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{name}: requirements.txt does not require it", name=name)

HIDDEN = frozenset(NAMES)
sys.meta_path.insert(0, Hidden())
'''


def front_matter(readme: str) -> dict[str, str]:
    """The README's front matter. Raises `ValueError` if there is none."""
    head = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if head is None:
        raise ValueError("README.md has no front matter")
    pairs = (line.split(":", 1) for line in head[1].splitlines())
    return {name.strip(): value.strip().strip('"') for name, value in pairs}


def requirements(text: str) -> list[Requirement]:
    """The requirements in a requirements.txt."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line]


def asked_for(wanted: list[Requirement]) -> set[str]:
    """The canonical names of the installed distributions that these requirements need."""
    found: set[str] = set()
    waiting = [(canonicalize_name(each.name), frozenset(each.extras)) for each in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra that is not here
        found.add(name)
        for need in map(Requirement, needs):
            marker = need.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *extras)):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return found


def hidden(wanted: list[Requirement]) -> list[str]:
    """The importable names that are installed here but not needed by these requirements."""
    asked = asked_for(wanted)
    owners = metadata.packages_distributions()
    return sorted(
        name
        for name, distributions in owners.items()
        if not {canonicalize_name(each) for each in distributions} & asked
    )


def clone(folder: Path) -> Path:
    """Clone the repository in its committed state."""
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)]
    subprocess.run(command, check=True)
    return folder


@contextmanager
def running(words: list[str], root: Path, environment: dict[str, str], log: Path) -> Iterator[str]:
    """Start a page from this folder; yields its address. Raises `AssertionError` with its output if it does not start."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            words,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield address_of(process, log)
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextmanager
def as_a_space(
    root: Path, python: str, scratch: Path, more: dict[str, str] | None = None
) -> Iterator[str]:
    """Start the playground of this folder as a Space does; yields its address.

    Raises `AssertionError` with its output if it does not start.
    """
    port = free_port()
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "OMP_NUM_THREADS")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "SPACE_ID": "somebody/playground",
        "SPACE_HOST": "somebody-playground.hf.space",
        "SYSTEM": "spaces",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SSR_MODE": "True",
        "GRADIO_TEMP_DIR": str(scratch / "gradio"),
        "TP_RUNS": str(scratch / "runs"),
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }
    app = front_matter((root / "README.md").read_text(encoding="utf-8"))["app_file"]
    with running([python, app], root, environment, scratch / "space.log"):
        yield f"http://127.0.0.1:{port}"


def get(address: str | urllib.request.Request) -> bytes:
    """The body of a response. Raises `OSError` for an error status."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read()


def served_by(address: str) -> dict[str, int]:
    """The server functions of the page's views, as `view.function`, and the views' component ids."""
    parts = json.loads(get(address + "/config"))["components"]
    return {
        f"{part['props']['elem_id']}.{name}": part["id"]
        for part in parts
        for name in part["props"].get("server_fns") or ()
    }


def question(components: dict[str, int], name: str, *arguments: object) -> dict[str, object]:
    """The body of a request to `/gradio_api/component_server` that calls a function of `served_by`."""
    return {
        "data": arguments[0] if len(arguments) == 1 else list(arguments),
        "fn_name": name.partition(".")[2],
        "component_id": components[name],
        "session_hash": "benchmark",
    }


def first_page(address: str) -> dict[str, int]:
    """Make the requests of a first visit; returns their sizes. Raises `RuntimeError` for a wrong response."""
    page = get(address + "/")
    sent = get(urllib.request.Request(address + "/", headers={"Accept-Encoding": "gzip"}))
    components = served_by(address)
    body = json.dumps(question(components, "live.poll", "stories", 0)).encode()
    url, headers = address + "/gradio_api/component_server", {"Content-Type": "application/json"}
    curve = get(urllib.request.Request(url, body, headers))
    if b"gradio" not in page or b'"columns"' not in curve:
        raise RuntimeError("the first page is not the playground")
    return {
        "first page": len(page),
        "sent": len(sent),
        "curve": len(curve),
        "functions": len(components),
    }


def installed(folder: Path, root: Path, index: str | None) -> str:
    """Create an environment with only requirements.txt; returns its Python."""
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "-r", str(root / "requirements.txt")]
    subprocess.run([*pip, *(["--extra-index-url", index] if index else [])], check=True)
    return python


def commands(readme: str) -> tuple[str, list[str]]:
    """README's two commands without make: the shell line that installs, and the words of the one that starts."""
    found = re.search(r"^(python -m venv .* && .*)\n(.+)\n```", readme, re.MULTILINE)
    if found is None:
        raise ValueError("README.md does not have the two commands")
    return found[1], found[2].split()


def job(page: Page, address: str, text: str, stage: Callable[[str], None]) -> str:
    """Paste a text, train on it, write with the result; `stage` is called at the end of each. Returns what it wrote."""
    page.goto(f"{address}?tab=train&lang=en")
    page.locator("#start:enabled").wait_for()
    stage("first page, ready to train")
    page.locator("label:has(#card-text)").click()
    page.locator("#own-text").click()
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+v")  # typed in, so many lines would take minutes
    page.locator("#run-name:text('Own text')").wait_for()
    page.locator("#start:enabled").wait_for()
    stage(f"{len(text):,} characters pasted")
    page.locator("#start").click()
    page.locator(".live[data-status=running]").wait_for()
    page.locator(".live[data-status=finished]").wait_for()
    steps = page.locator(".live").get_attribute("data-step")
    stage(f"trained, {int(steps or 0):,} steps")
    page.locator("#tab-generate-button").click()
    page.locator(".generate[data-length]:not([data-busy])").wait_for()
    begun = len(page.locator("#generate-text").inner_text())
    page.locator(".generate .transport input[type=range]").press("End")
    page.locator("#generate-play").click()
    page.wait_for_function(
        "most => document.querySelector('#generate-text').innerText.length >= most",
        arg=begun + WRITTEN,
    )
    page.locator("#generate-play").click()
    stage(f"{WRITTEN} characters written")
    return page.locator("#generate-text").inner_text()


def main_job(path: Path, index: str | None) -> None:
    """Clone, install, start and do the job; prints the seconds of each stage."""
    text = path.read_text("utf-8")[:PASTED]
    browser = chromium.find()
    if browser is None:
        sys.exit("No Chromium was found: python tests/tools/chromium.py installs one.")
    begun = latest = time.monotonic()

    def stage(name: str) -> None:
        nonlocal latest
        print(f"{time.monotonic() - latest:8.1f} s  {name}", flush=True)
        latest = time.monotonic()

    environment = os.environ | ({"PIP_EXTRA_INDEX_URL": index} if index else {})
    with tempfile.TemporaryDirectory() as folder:
        root = clone(Path(folder) / "clone")
        stage("cloned")
        install, start = commands((root / "README.md").read_text("utf-8"))
        subprocess.run(
            install, shell=True, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        stage("installed in a new environment")
        words = [str(root / start[0]), *start[1:]]
        environment = os.environ | {"GRADIO_SERVER_PORT": str(free_port()), "PYTHONUNBUFFERED": "1"}
        log = Path(folder) / "page.log"
        with running(words, root, environment, log) as address, sync_playwright() as playwright:
            stage("page started")
            chrome = playwright.chromium.launch(executable_path=browser, args=chromium.FLAGS)
            page = chrome.new_page(permissions=["clipboard-read", "clipboard-write"])
            page.set_default_timeout(3_600_000)
            written = job(page, address, text, stage)
        print(
            f"{latest - begun:8.1f} s  in all; load average {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors"
        )
        print(written)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--install", action="store_true", help="in a new environment")
    parser.add_argument("--index", help="where pip also looks, such as PyTorch's for CPUs")
    parser.add_argument("--job", type=Path, metavar="PATH", help="do the main job on this text")
    arguments = parser.parse_args()
    if arguments.job:
        return main_job(arguments.job, arguments.index)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        root = clone(scratch / "clone")
        python, more = sys.executable, dict[str, str]()
        if arguments.install:
            python = installed(scratch / "venv", root, arguments.index)
        else:
            names = hidden(requirements((root / "requirements.txt").read_text(encoding="utf-8")))
            more = hide(names, scratch)
            print(f"hidden: {len(names)} packages, such as {', '.join(names[:5])}")
        begun = time.monotonic()
        with as_a_space(root, python, scratch, more) as address:
            ready = time.monotonic() - begun
            found = first_page(address)
            print(f"ready after {ready:.1f} s, first page after {time.monotonic() - begun:.1f} s")
            print(
                f"{found['first page']:,} bytes of page, {found['sent']:,} as sent, {found['curve']:,} of a trained model's curve, "
                f"{found['functions']} functions to call"
            )


def hide(names: list[str], scratch: Path) -> dict[str, str]:
    """The environment variables that hide these packages."""
    guard = scratch / "hidden"
    guard.mkdir()
    text = HIDDEN.replace("NAMES", repr(names))
    (guard / "sitecustomize.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(guard)}


if __name__ == "__main__":
    main()
