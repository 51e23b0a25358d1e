"""Time that the dashboard takes to list many runs, and to show changes of one of them.

    python -m benchmarks.dashboard_speed

Creates 300 runs of 2,000 events each in a temporary folder, and times

- the run index, which reads the logs, without a page,
- the page in a headless Chromium with an empty cache, from navigation until the table is visible, for the first
  visitor after the server's start and for later visitors; and, as the cost of Streamlit itself, a page with only a
  title and a table of as many rows,
- news: from the creation of a new run until the open page counts it. The page polls twice a second.

Needs Chromium (`python tests/tools/chromium.py`) and `pip install playwright`.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep

from playwright.sync_api import Browser, Page, sync_playwright

from engine.config import RunConfig
from engine.runs.events import Ended, Evaluated, Started, Stepped
from engine.runs.store import Run, RunStore
from playground.screens import run_index
from tests.tools import chromium
from tests.tools.served import served


def make_runs(root: Path, runs: int, events: int) -> list[Run]:
    """Create runs with logs like those of training."""
    store, chance = RunStore(root), random.Random(0)
    made: list[Run] = []
    for number in range(runs):
        changes = {"total_steps": events, "seed": number, "d_model": 32 * (1 + number % 4)}
        run = store.create(RunConfig.from_flat(changes), f"run {number}")
        lines = [
            Started(
                step=0, parameters=1_000, device="cpu", dtype="fp32", threads=1, train_tokens=10**6
            ).to_line(time=0.0)
        ]
        for step in range(1, events - 2):
            loss = 3 / step**0.3 + chance.random() / 10
            lines.append(
                Stepped(
                    step=step, loss=loss, lr=1e-3, grad_norm=chance.random(), tokens=512 * step,
                    seconds=0.01,
                ).to_line(time=float(step))
            )  # fmt: skip
            if step % 100 == 0:
                lines.append(Evaluated(step=step, loss=loss).to_line(time=float(step)))
        lines.append(Ended(step=events - 3, how="finished").to_line(time=float(events)))
        (run.path / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        made.append(run)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TP_RUNS"] = folder
        made = make_runs(Path(folder), options.runs, options.events)
        first, again, news = [], [], []
        for _ in range(options.rounds):
            new = run_index.RunIndex(lambda: [Path(folder)])
            first.append(timed(new.look))
            new._looked -= run_index.FRESH
            again.append(timed(new.look))
            made[0].append(Evaluated(step=options.events, loss=1.0))
            new._looked -= run_index.FRESH
            news.append(timed(new.look))
        print(f"{options.runs} runs of {options.events:,} events each, median of {options.rounds}")
        print(f"  run index, nothing read yet:  {statistics.median(first):.2f} s")
        print(f"  again, with nothing new:      {statistics.median(again):.2f} s")
        print(f"  with news of one run:         {statistics.median(news):.2f} s")
        measure_page(Path(folder), options.rounds, options.runs)


BARE = """import pandas, streamlit
streamlit.title("Bare")
streamlit.dataframe(pandas.DataFrame({{name: range({rows}) for name in "abcdefghij"}}))
"""


SAYS = "text => document.querySelector('[data-testid=stApp]').textContent.includes(text)"


def visit(browser: Browser, address: str) -> tuple[Page, float]:
    """A new visitor's page, and the seconds until its table was visible."""
    page = browser.new_context().new_page()
    began = perf_counter()
    page.goto(address)
    page.wait_for_selector("[data-testid=stDataFrame] canvas")
    return page, perf_counter() - began


def measure_page(folder: Path, rounds: int, rows: int) -> None:
    """Print the times of the page in a browser."""
    with (
        tempfile.TemporaryDirectory() as bare,
        sync_playwright() as playwright,
        ExitStack() as stack,
    ):
        script = Path(bare) / "bare.py"
        script.write_text(BARE.format(rows=rows), encoding="utf-8")
        addresses: list[str] = []
        for name in ("playground/dashboard.py", str(script)):
            command = ("-m", "streamlit", "run", name, "--server.headless=true")
            logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            addresses.append(stack.enter_context(served(logs, command, folder)))
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        visits: list[list[float]] = []
        for _ in range(rounds + 1):
            seconds: list[float] = []
            for address in addresses:
                page, took = visit(browser, address)
                page.close()
                seconds.append(took)
            visits.append(seconds)
        (first, _), *later = visits
        ours, theirs = (statistics.median(each) for each in zip(*later, strict=True))
        print(f"  the page, first visit of all: {first:.2f} s")
        print(f"  the page, later visits:       {ours:.2f} s")
        print(f"  a bare page, later visits:    {theirs:.2f} s")
        page, _ = visit(browser, addresses[0])
        counted = int(page.get_by_text(" runs, ").inner_text().split()[0])  # the shipped ones too
        news: list[float] = []
        for _ in range(rounds):
            counted += 1
            sleep(random.random())  # at a random time between two polls
            RunStore(folder).create(RunConfig(), "new")
            began = perf_counter()
            said = f"{counted} of {counted} runs"
            page.wait_for_function(
                SAYS, arg=said, polling=20
            )  # a locator polls less and less often
            news.append(perf_counter() - began)
        print(
            f"  until the page has news:      {statistics.median(news):.2f} s, at most {max(news):.2f} s"
        )
        browser.close()


def timed(action: object) -> float:
    began = perf_counter()
    assert callable(action)
    action()
    return perf_counter() - began


if __name__ == "__main__":
    main()
