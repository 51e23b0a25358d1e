"""Load test: ten users train at once on the two cores of a small Space, and two more wait in the queue.

    python -m benchmarks.ten_learners
    python -m benchmarks.ten_learners --seconds 120 --preset stories

Starts a playground with the limits of a public host (`playground/settings.py`). Twelve users press Start at the same
moment through the API (`gradio_client`). Each polls the run as the page does: news three times a second, the status
once a second, and a heartbeat. Then the first user stops, and the first one in the queue must start automatically.

Measured for each user: seconds from Start to the first step, updates per second (answers with a new event; the
median over all full seconds, and the worst), the longest time without an update, and steps per second. Also measured:
the memory of the server and of the training processes as PSS, which counts shared memory once.

The clients share the CPU with the server, unlike users' browsers. If there are more than two cores, the server and
its child processes get two of them. The test ends after `--seconds` plus the time to start and to end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from gradio_client import Client

from benchmarks.common import print_table
from benchmarks.first_page import question, served_by
from engine.presets import PRESETS
from playground.settings import PUBLIC
from playground.tabs.train.tab import SHARED_HZ
from tests.tools.served import served

POLL_HZ, STATUS_HZ, HERE_HZ = SHARED_HZ["live"], SHARED_HZ["transport"], 0.5
"""Seconds between a page's polls for news and status, and between its heartbeats."""

CORES = 2
PATIENCE = 120.0
"""Maximum seconds for starting and for ending."""

MIXED = (
    "stories", "stories-zh", "copy", "addition", "experts", "translate-german", "gpt2-style", "numbers",
    "hybrid", "shakespeare-size",
)  # fmt: skip
"""The users' presets, unless all use the same one: small and large, of every kind."""


@dataclass
class Learner:
    """One user: the run, and the measurements."""

    name: str
    preset: str
    run: str = ""
    key: str = ""
    """The key that allows to stop the run."""
    place: list[int] | None = None
    """The initial position in the queue and the queue's length; None if the run started at once."""
    started: float = 0.0
    """Time of the click on Start, from `time.perf_counter`."""
    seen: list[tuple[float, int]] = field(default_factory=list)
    """Times of answers with new events, from the first step on, and the step at that time."""
    places: list[tuple[float, int, int]] = field(default_factory=list)
    """Times of changes of the position in the queue, the position, and the queue's length."""
    answers: list[float] = field(default_factory=list)
    """Seconds of each answer."""
    errors: list[str] = field(default_factory=list)

    def rates(self, until: float) -> tuple[list[int], float]:
        """Updates in each full second since the first one, and the longest time without an update."""
        times = [at for at, _ in self.seen]
        seconds = [0] * int(until - times[0])
        for at in times:
            if int(at - times[0]) < len(seconds):
                seconds[int(at - times[0])] += 1
        gaps = [after - before for before, after in zip(times, [*times[1:], until], strict=True)]
        return seconds, max(gaps)


class Page:
    """The requests of one user's page."""

    def __init__(
        self, http: httpx.AsyncClient, components: dict[str, int], learner: Learner
    ) -> None:
        self.http, self.components, self.learner = http, components, learner
        self.offset = 0

    async def ask(self, name: str, *arguments: object) -> dict[str, Any]:
        begun = time.perf_counter()
        body = question(self.components, name, *arguments)
        answer = await self.http.post("/gradio_api/component_server", json=body)
        answer.raise_for_status()
        self.learner.answers.append(time.perf_counter() - begun)
        return answer.json()

    async def poll(self) -> None:
        """Poll for news, like the live view."""
        news = await self.ask("live.poll", self.learner.run, self.offset)
        if "error" in news:
            self.learner.errors.append(news["error"])
            return
        new, self.offset = news["offset"] > self.offset, news["offset"]
        now, status, learner = time.perf_counter(), news["status"], self.learner
        step = status["step"]
        if step > 0 and new:
            learner.seen.append((now, step))
        place = status["place"]
        if place and (not learner.places or list(learner.places[-1][1:]) != place):
            learner.places.append((now, *place))

    async def status(self) -> None:
        await self.ask("transport.status", self.learner.run)

    async def here(self) -> None:
        await self.ask("header.here", self.learner.run, [self.learner.run])

    async def stay(self) -> None:
        """Poll the run until cancelled."""

        async def often(what: Any, hz: float) -> None:
            while True:
                begun = time.perf_counter()
                try:
                    await what()
                except httpx.HTTPError as error:
                    self.learner.errors.append(f"{type(error).__name__}: {error}")
                await asyncio.sleep(max(0.0, 1 / hz - (time.perf_counter() - begun)))

        asked = ((self.poll, POLL_HZ), (self.status, STATUS_HZ), (self.here, HERE_HZ))
        await asyncio.gather(*(often(what, hz) for what, hz in asked))


def memory(server: psutil.Process) -> tuple[float, list[float]]:
    """PSS of the server and of each of its child processes, in MB."""

    def of(process: psutil.Process) -> float:
        full = process.memory_full_info()
        return getattr(full, "pss", full.rss) / 1e6

    found: list[float] = []
    for child in server.children(recursive=True):
        try:
            found.append(of(child))
        except psutil.Error:
            continue
    return of(server), found


def spent(server: psutil.Process) -> dict[str, float]:
    """CPU seconds so far, by process and in total."""

    def of(process: psutil.Process) -> float:
        try:
            times = process.cpu_times()
        except psutil.Error:
            return 0.0
        return times.user + times.system

    total = psutil.cpu_times()
    return {
        "the server": of(server),
        "training": sum(map(of, server.children(recursive=True))),
        "these clients": of(psutil.Process()),
        "all": sum(total) - total.idle - getattr(total, "iowait", 0.0),
    }


async def watch(
    address: str, learners: list[Learner], seconds: float, server: psutil.Process
) -> dict[str, Any]:
    """Run the test: all users start and poll, then the first one stops. Returns the other measurements."""
    components, client = served_by(address), await asyncio.to_thread(Client, address, verbose=False)
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as http:

        async def join(learner: Learner) -> asyncio.Task[None]:
            choice = {"preset": learner.preset, "changes": {"total_steps": PUBLIC["max_steps"]}}
            learner.started = time.perf_counter()
            answer = await asyncio.to_thread(client.predict, choice, api_name="/start")
            learner.run, learner.key = answer["run"], answer["key"]
            return asyncio.create_task(Page(http, components, learner).stay())

        pages = await asyncio.gather(*map(join, learners))
        for learner in learners:
            state = await asyncio.to_thread(client.predict, learner.run, api_name="/status")
            learner.place = state["place"]
        training = [learner for learner in learners if learner.place is None]
        waiting = sorted((one for one in learners if one.place), key=lambda one: one.place or [])
        end = time.perf_counter() + PATIENCE
        while not all(learner.seen for learner in training) and time.perf_counter() < end:
            await asyncio.sleep(0.1)
        before = spent(server)
        peaks: list[tuple[float, list[float]]] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            peaks.append(await asyncio.to_thread(memory, server))
            await asyncio.sleep(min(10.0, max(0.0, until - time.perf_counter())))
        until, after = time.perf_counter(), spent(server)
        cores = {name: (after[name] - before[name]) / seconds for name in before}
        pages[learners.index(training[0])].cancel()
        await asyncio.to_thread(client.predict, training[0].run, training[0].key, api_name="/stop")
        end = time.perf_counter() + PATIENCE
        while waiting and not waiting[0].seen and time.perf_counter() < end:
            await asyncio.sleep(0.05)
        turn = waiting[0].seen[0][0] - until if waiting and waiting[0].seen else float("nan")
        await asyncio.sleep(1.0)  # the next user sees the new position
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
        for learner in learners:
            state = await asyncio.to_thread(client.predict, learner.run, api_name="/status")
            if state["alive"] or state["place"]:
                await asyncio.to_thread(client.predict, learner.run, learner.key, api_name="/stop")
    return {"until": until, "turn": turn, "memory": peaks, "cores": cores}


def report(learners: list[Learner], found: dict[str, Any]) -> bool:
    """Print the results. Returns whether every user had at least one update per second."""
    rows: list[list[str]] = []
    met = True
    for learner in learners:
        learner.seen = [one for one in learner.seen if one[0] < found["until"]]
    for learner in (one for one in learners if one.place is None):
        if not learner.seen:
            rows.append([learner.name, learner.preset, "never", *["–"] * 5])
            met = False
            continue
        rates, gap = learner.rates(found["until"])
        (begun, first), (ended, last) = learner.seen[0], learner.seen[-1]
        speed = (last - first) / max(1e-9, ended - begun)
        enough = len(learner.seen) / max(1e-9, found["until"] - begun) >= 1 and min(rates) >= 1
        met = met and enough
        rows.append(
            [
                learner.name,
                learner.preset,
                f"{begun - learner.started:.1f}",
                f"{statistics.median(rates):.0f}",
                f"{min(rates)}",
                f"{gap:.2f}",
                f"{speed:.1f}",
                "yes" if enough else f"{sum(rate == 0 for rate in rates)} s without",
            ]
        )
    header = [
        "learner",
        "preset",
        "first step, s",
        "updates/s",
        "worst",
        "longest gap, s",
        "steps/s",
    ]
    print_table([*header, "one a second"], rows)
    for learner in (one for one in learners if one.place):
        shown = ", ".join(f"{place} of {waiting}" for _, place, waiting in learner.places) or "none"
        print(f"{learner.name} waited: {shown}")
    print(f"the first in the queue saw a step {found['turn']:.1f} s after a place was free")
    servers = [server for server, _ in found["memory"]]
    workers = [sum(each) for _, each in found["memory"]]
    most = max(zip(servers, workers, found["memory"], strict=True), key=lambda one: one[0] + one[1])
    each = sorted(most[2][1])
    print(
        f"memory (PSS): server {most[0]:,.0f} MB, {len(each)} processes {most[1]:,.0f} MB "
        f"({each[0]:,.0f} to {each[-1]:,.0f} each), together {(most[0] + most[1]) / 1e3:.2f} GB of 16"
    )
    answers = sorted(second for learner in learners for second in learner.answers)
    late = answers[int(0.95 * len(answers))]
    print(
        f"{len(answers):,} answers: half of them within {1e3 * statistics.median(answers):.0f} ms, "
        f"95% within {1e3 * late:.0f} ms"
    )
    total = found["cores"].pop("all")
    shares = ", ".join(f"{name} {cores:.2f}" for name, cores in found["cores"].items())
    others = max(0.0, total - sum(found["cores"].values()))
    print(f"processors: {shares}, other programs {others:.2f}")
    errors = [f"{learner.name}: {error}" for learner in learners for error in learner.errors]
    print("\n".join(errors[:20]) if errors else "no errors")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="duration, at most 600")
    parser.add_argument("--preset", choices=list(PRESETS), help="one preset for all users")
    parser.add_argument("--waiting", type=int, default=2, help="learners who find no place")
    arguments = parser.parse_args()
    seconds = max(5.0, min(600.0, arguments.seconds))
    places = PUBLIC["max_runs"]
    presets = [arguments.preset or MIXED[i % len(MIXED)] for i in range(places + arguments.waiting)]
    learners = [Learner(f"learner {i + 1}", preset) for i, preset in enumerate(presets)]
    affinity = getattr(os, "sched_getaffinity", lambda _: set[int]())(0)
    os.environ |= {
        "TP_PUBLIC": "1",
        "TP_MAX_ADDRESS": "none",
    }  # all clients have this machine's address
    with tempfile.TemporaryDirectory() as folder:
        if len(affinity) > CORES:
            os.sched_setaffinity(0, sorted(affinity)[:CORES])
        with served(Path(folder)) as address:
            if len(affinity) > CORES:
                os.sched_setaffinity(0, affinity)
            (server,) = psutil.Process().children()
            time.sleep(
                10
            )  # until a training process is ready, as on a Space that has been up for a while
            found = asyncio.run(watch(address.rstrip("/"), learners, seconds, server))
    met = report(learners, found)
    print("every user saw at least one update per second" if met else "not every second had one")


if __name__ == "__main__":
    main()
