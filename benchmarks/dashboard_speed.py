"""How long the dashboard takes to list many runs, and to notice what is new of one of them.

    python -m benchmarks.dashboard_speed

Makes 300 runs of 2,000 events each in a temporary folder. What is timed is the shelf, which reads the logs,
and the whole page as Streamlit's own test harness runs it: the server's share, without a browser.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from engine.config import RunConfig
from engine.events import Ended, Evaluated, Started, Stepped
from engine.runs import Run, RunStore

PAGE = Path(__file__).parents[1] / "playground" / "dashboard.py"


def make_runs(root: Path, runs: int, events: int) -> list[Run]:
    """Runs with logs such as training writes them."""
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
        from streamlit.testing.v1 import AppTest

        from playground import shelf

        first, again, news = [], [], []
        for _ in range(options.rounds):
            new = shelf.Shelf(lambda: [Path(folder)])
            first.append(timed(new.look))
            new._looked -= shelf.FRESH
            again.append(timed(new.look))
            made[0].append(Evaluated(step=options.events, loss=1.0))
            new._looked -= shelf.FRESH
            news.append(timed(new.look))
        print(f"{options.runs} runs of {options.events:,} events each, median of {options.rounds}")
        print(f"  the shelf, from nothing read: {statistics.median(first):.2f} s")
        print(f"  again, with nothing new:      {statistics.median(again):.2f} s")
        print(f"  with news of one run:         {statistics.median(news):.2f} s")
        app = AppTest.from_file(str(PAGE), default_timeout=120)
        print(f"  the page, first time:         {timed(app.run):.2f} s")
        print(f"  the page, again:              {timed(app.run):.2f} s")


def timed(action: object) -> float:
    began = perf_counter()
    assert callable(action)
    action()
    return perf_counter() - began


if __name__ == "__main__":
    main()
