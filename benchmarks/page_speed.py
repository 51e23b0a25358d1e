"""Speed of the page, and its effect on the speed of a run that it shows.

    python -m benchmarks.page_speed

Starts a playground and a headless Chromium on this machine, and measures

- first screen: from navigation until the model there has looked at its first sentence,
- usable: from navigation to the tab Train until the controls are answered and a trained model's curve is drawn,
- first point: from the click on Start until the curve of the new run has its first step,
- updates: changes of the curve on the page per second while a run trains,
- answers: from the change of a control until the page shows the answer, while a run trains; and the duration of the
  page's requests alone,
- speed: steps per second of the same run, alternately with the page open and without a page. It is measured from
  step 50 to the last step, by the times in the run's log.

Everything shares this machine's CPU, including the browser, which draws without a GPU.
Needs Chromium (`python tests/tools/chromium.py`) and `pip install playwright`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import print_table
from engine.config import RunConfig
from engine.presets import PRESETS
from engine.runs.events import Stepped
from engine.runs.store import Run, RunStore
from tests.tools import chromium
from tests.tools.served import ROOT, served

WARM = 50
"""Steps before the speed of a run is measured."""

READY = ".configure[data-answered]", ".transport[data-shown]", ".live[data-step]"

FIRST_STEP = """shown => new Promise(resolve => {
  const begun = performance.now();
  const live = document.querySelector(".live"), transport = document.querySelector(".transport");
  const look = () => {
    if (transport.dataset.shown !== shown && live.dataset.status === "running"
        && Number(live.dataset.step) >= 1) return resolve(performance.now() - begun);
    requestAnimationFrame(look);
  };
  document.querySelector("#start").click();
  look();
})"""

UPDATES = """seconds => new Promise(resolve => {
  const live = document.querySelector(".live"), begun = performance.now();
  let seen = live.dataset.step, changes = 0;
  const look = () => {
    if (live.dataset.step !== seen) { seen = live.dataset.step; changes += 1; }
    const passed = (performance.now() - begun) / 1000;
    if (passed >= seconds) return resolve(changes / passed);
    requestAnimationFrame(look);
  };
  look();
})"""

ANSWERS = """times => new Promise(async resolve => {
  const form = document.querySelector(".configure"), field = document.querySelector("#field-d_model");
  const taken = [];
  performance.setResourceTimingBufferSize(100000);
  performance.clearResourceTimings();
  for (let i = 0; i < times; i++) {
    const before = form.dataset.answered, begun = performance.now();
    field.value = i % 2 ? "64" : "96";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
    while (form.dataset.answered === before) await new Promise(requestAnimationFrame);
    taken.push(performance.now() - begun);
    await new Promise(wait => setTimeout(wait, 150));
  }
  const requests = performance.getEntriesByType("resource")
    .filter(entry => /gradio_api\\/(component_server|run|call|api)/.test(entry.name))
    .map(entry => entry.duration);
  resolve([taken, requests]);
})"""
"""Milliseconds from a change of d_model to its answer, and of each request during that time."""


def preset(steps: int) -> RunConfig:
    """The default run, shortened, with one thread."""
    changes = PRESETS["stories"].changes | {"total_steps": steps, "threads": 1}
    return RunConfig.from_flat(changes)


def opened(browser: Browser, address: str, query: str = "?tab=train") -> tuple[Page, float]:
    """A page in a browser without stored data, and the seconds until it was usable."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    begun = perf_counter()
    page.goto(address + query, wait_until="commit")
    for part in READY:
        page.locator(part).wait_for()
    page.wait_for_function("() => !document.querySelector('#start').disabled")
    return page, perf_counter() - begun


def first_screen(browser: Browser, address: str) -> float:
    """The seconds until the model on the first screen has looked at its sentence, in a browser without stored data."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    begun = perf_counter()
    page.goto(address, wait_until="commit")
    page.locator(".home[data-ready=true]").wait_for()
    taken = perf_counter() - begun
    page.context.close()
    return taken


def steps_per_second(run: Run) -> float:
    """Steps per second from step `WARM` to the last, by the times in the run's log."""
    times: list[tuple[int, float]] = []
    offset = 0
    while True:
        events, after = run.events(offset)
        if after == offset:
            break
        offset = after
        times += [(event.step, time) for event, time in events if isinstance(event, Stepped)]
    (first, begun), (last, ended) = next(t for t in times if t[0] >= WARM), times[-1]
    return (last - first) / (ended - begun)


def without_page(steps: int) -> float:
    """Steps per second of a run without a page."""
    with tempfile.TemporaryDirectory() as folder:
        run = RunStore(folder).create(preset(steps), "without a page")
        command = [sys.executable, "-m", "engine", "train", "--run", str(run.path)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return steps_per_second(run)


def with_page(browser: Browser, address: str, runs: Path, steps: int) -> dict[str, Any]:
    """One run, started on the page and shown until its end."""
    page, usable = opened(browser, address, f"?c.total_steps={steps}&c.threads=1")
    page.wait_for_timeout(
        12_000
    )  # until a training process is ready, as for a user who reads the page first
    shown = page.locator(".transport").get_attribute("data-shown")
    first_point = page.evaluate(FIRST_STEP, shown) / 1000
    run_id = page.locator(".transport").get_attribute("data-shown") or ""
    updates = page.evaluate(UPDATES, 5)
    page.locator(".live[data-status=finished]").wait_for(timeout=1_800_000)
    page.context.close()
    speed = steps_per_second(RunStore(runs).open(run_id))
    return {"usable": usable, "first point": first_point, "updates": updates, "speed": speed}


def answers(browser: Browser, address: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of answers and of requests while a run trains."""
    page, _ = opened(browser, address, "?c.total_steps=100000&c.threads=1")
    page.wait_for_timeout(12_000)
    shown = page.locator(".transport").get_attribute("data-shown")
    page.evaluate(FIRST_STEP, shown)
    taken, requests = page.evaluate(ANSWERS, times)
    page.locator("#stop").click()
    page.locator(".transport[data-state=stopped]").wait_for()
    page.context.close()
    return taken, requests


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400, help="length of each run")
    parser.add_argument("--answers", type=int, default=40, help="changes of a control")
    arguments = parser.parse_args()
    path = chromium.find()
    if path is None:
        sys.exit("No Chromium was found: python tests/tools/chromium.py installs one.")
    watched: list[dict[str, Any]] = []
    alone: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        first_visit = first_screen(browser, address)
        first_screens = [first_screen(browser, address) for _ in range(arguments.rounds)]
        page, _ = opened(browser, address)
        page.context.close()
        for _ in range(arguments.rounds):
            alone.append(without_page(arguments.steps))
            watched.append(with_page(browser, address, Path(folder) / "runs", arguments.steps))
        taken, requests = answers(browser, address, arguments.answers)
        browser.close()

    def median(name: str) -> float:
        return statistics.median(round[name] for round in watched)

    kept = statistics.median(w["speed"] / a for w, a in zip(watched, alone, strict=True))
    rows = [
        ["first screen, the first visit of all", f"{first_visit:.2f} s"],
        ["first screen", f"{statistics.median(first_screens):.2f} s"],
        ["tab Train usable", f"{median('usable'):.2f} s"],
        ["first point of the curve after Start", f"{median('first point'):.2f} s"],
        ["visible updates per second", f"{median('updates'):.1f}"],
        ["a control's answer while a run trains", f"{statistics.median(taken):.0f} ms"],
        ["a request of the page while a run trains", f"{statistics.median(requests):.0f} ms"],
        ["steps per second without a page", f"{statistics.median(alone):.1f}"],
        ["steps per second with the page live", f"{median('speed'):.1f}"],
        ["speed that a run keeps with the page live", f"{100 * kept:.0f}%"],
    ]
    print_table(["", "median"], rows)


if __name__ == "__main__":
    main()
