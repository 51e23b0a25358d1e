"""A host that strangers share, as its learners see it: who keeps a place, and who may change a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.runs.store import Run, RunStore
from tests.browser.test_train import past, ready, start, state
from tests.tools.served import EQUAL_SHARE, served
from tests.tools.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("hosting")]

LONG = "?c.total_steps=10000&c.threads=1"
AWAY_SECONDS = 12
LIMITS = {"TP_PUBLIC": "1", "TP_MAX_RUNS": "1", "TP_AWAY_SECONDS": str(AWAY_SECONDS)}

Visit = Callable[[str], Page]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hosting")


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[str]:
    """A public host where one run trains at a time."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in LIMITS.items():
            environment.setenv(name, value)
        with served(folder, EQUAL_SHARE) as address:
            yield address


@pytest.fixture
def visit(host: str, browser: Browser) -> Iterator[Visit]:
    """Open the page as another learner, in a browser of its own."""

    def opened(query: str) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(host + query)
        ready(page)
        return page

    yield opened
    for context in browser.contexts:
        context.close()


def stored(folder: Path, run_id: str) -> Run:
    """The run in its folder: to ask the server about it would be to look at it."""
    return RunStore(folder / "runs").open(run_id)


def alive(page: Page, run: Run) -> None:
    """Wait until a process trains this run, while its learner's page goes on; on a busy host that takes a while."""
    end = time.monotonic() + PATIENCE
    while not run.status().alive:
        assert time.monotonic() < end, f"{run.status()} after {PATIENCE} s"
        page.wait_for_timeout(100)


def stop_and_delete(page: Page) -> None:
    page.locator("#tab-train-button").click()
    page.locator("#stop").click()
    state(page, "stopped", "new")
    page.locator("#remove").click()
    page.locator("#remove-sure").click()
    state(page, "finished")  # the shipped run


@pytest.mark.case("H1")
def test_who_reads_a_lesson_keeps_a_place(folder: Path, visit: Visit) -> None:
    """One learner's run trains and another's waits, while both read and look at nothing of it."""
    first, second = visit(LONG), visit(LONG)
    training, waiting = start(first), start(second)
    state(second, "waiting")
    alive(first, stored(folder, training))
    for page in (first, second):
        page.locator("#tab-learn-button").click()
        expect(page.locator(".transport")).to_be_hidden()
    end = time.monotonic() + 2 * AWAY_SECONDS
    while time.monotonic() < end:  # two turns of what stops a run that nobody looks at
        first.wait_for_timeout(1_000)
        second.wait_for_timeout(100)
        assert stored(folder, training).commands()[0] == []
    assert stored(folder, training).status().alive
    stop_and_delete(first)
    alive(second, stored(folder, waiting))  # it has kept its place in the queue
    stop_and_delete(second)


@pytest.mark.case("R2")
@pytest.mark.case("R6")
def test_only_the_browser_that_started_a_run_changes_it(folder: Path, visit: Visit) -> None:
    owner = visit(LONG)
    run = start(owner)
    past(owner, 5)
    owner.locator("#pause").click()
    state(owner, "paused")

    stranger = visit("?tab=train")
    stranger.locator(".header[data-run]").wait_for()  # what it was shown is remembered
    stranger.evaluate(
        "run => { tp.memory.add(run); tp.memory.write({...tp.memory.read(), shown: run}) }", run
    )
    stranger.reload()
    ready(stranger)
    expect(stranger.locator(".transport")).to_have_attribute("data-shown", run)  # it may look
    message = stranger.locator(".transport .message")
    for button in ("#stop", "#pause", "#step", "#reset"):
        before = (stored(folder, run).path / "commands.jsonl").read_bytes()
        stranger.locator(button).click()
        expect(message).to_contain_text("was started in another browser")
        assert (stored(folder, run).path / "commands.jsonl").read_bytes() == before
        stranger.evaluate("document.querySelector('.transport .message').textContent = ''")

    owner.reload()
    ready(owner)
    state(owner, "paused")
    owner.locator("#step").click()
    owner.wait_for_function("document.querySelector('.transport').dataset.state === 'paused'")
    owner.locator("#reset").click()
    owner.wait_for_function(
        "run => document.querySelector('.transport').dataset.shown !== run", arg=run
    )
    state(owner, "running", "waiting")  # what starts over starts
    stop_and_delete(owner)  # with the key of the new one
    assert stored(folder, run).path.is_dir()
