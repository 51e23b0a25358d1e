"""One playground and one Chromium for all tests that look at the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests import chromium
from tests.served import ROOT, served

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or ROOT / "screenshots")
"""Where the pictures of the page land."""

PATIENCE = 60_000
"""Milliseconds that anything may take: far more than it should, since machines are busy."""

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A playground of its own, with the shipped runs and no others."""
    with served(tmp_path_factory.mktemp("playground")) as url:
        yield url


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The only one: its event loop runs in this thread, where a second one could not start."""
    path = chromium.find()
    assert path, "no Chromium was found: python tests/chromium.py installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        yield started
        started.close()


@pytest.fixture
def open_page(address: str, browser: Browser) -> Iterator[Open]:
    """Open the page in a browser that remembers nothing; in the end, no error may have been shown."""
    errors: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url')})")

    def failed(error: Error) -> None:
        errors.append(str(error))

    def opened(
        query: str = "", width: int = 1440, height: int = 900, scheme: str = "light"
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", failed)
        page.on("request", lambda request: foreign(request.url))
        page.goto(address + query)
        return page

    def foreign(url: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            errors.append(f"asked for {url}")

    yield opened
    for context in browser.contexts:
        context.close()
    assert not errors


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Keep a picture of the page."""

    def picture(page: Page, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        size = page.viewport_size
        assert size is not None
        # As high as the page, so that what sticks to the window's edge is where it ends up.
        whole = max(size["height"], page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": size["width"], "height": whole})
        page.screenshot(path=SCREENSHOTS / f"{name}.png")
        page.set_viewport_size(size)

    return picture
