"""One Chromium for the tests that look at a page, and one for those of views by themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from playground.page.theme import CSS
from playground.page.views import HEAD, sources
from tests.tools import chromium
from tests.tools.served import stop_runs
from tests.tools.waiting import PATIENCE

SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""Where pictures of the page land, `SCREENSHOTS=screenshots pytest -m browser`. None are taken without:
each draws every figure twice again."""

PATIENCE_MS = 1000 * PATIENCE
expect.set_options(timeout=PATIENCE_MS)

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The only one: its event loop runs in this thread, where a second one could not start."""
    path = chromium.find()
    assert path, "no Chromium was found: python tests/tools/chromium.py installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        started.on("context", lambda context: context.set_default_timeout(PATIENCE_MS))
        yield started
        started.close()


class Opener:
    """Opens the page, each time in a browser that remembers nothing, and writes down what goes wrong there."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address
        self.errors: list[str] = []
        self.contexts: list[BrowserContext] = []

    def __call__(
        self,
        query: str = "",
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
    ) -> Page:
        """Open the page with this query, in a window of this size."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked(request.url))
        page.goto(self.address + query)
        return page

    def heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def asked(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.errors.append(f"asked for {url}")

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def open_page(address: str, browser: Browser) -> Iterator[Open]:
    """Open the page in a browser that remembers nothing; in the end, no error may have been shown, and nothing trains."""
    opener = Opener(browser, address)
    yield opener
    opener.close()
    stop_runs()
    assert not opener.errors


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Keep a picture of the page."""

    def picture(page: Page, name: str) -> None:
        if not SCREENSHOTS:
            return
        size = page.viewport_size
        assert size is not None
        # As high as the page, so that what sticks to the window's edge is where it ends up.
        whole = max(size["height"], page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": size["width"], "height": whole})
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")
        page.set_viewport_size(size)

    return picture


BEGIN = """
window.server = Object.fromEntries(
  NAMES.map((name) => [name, (...sent) => window.callServer(name, sent)]));
window.watched = {};
Function('element', 'trigger', 'props', 'server', 'upload', 'watch', SCRIPT)(
  document.getElementById('view'), () => {}, window.props = PROPS, window.server, null,
  (name, callback) => { window.watched[name] = callback; });
"""


@contextmanager
def alone(
    browser: Browser, view: str, served: Iterable[Callable[..., Any]]
) -> Iterator[Callable[..., Page]]:
    """One view on a page of its own: `open(query, width, dark, props)`; an error on it fails the test.

    `served` are the functions that answer it, as Gradio would call them.
    """
    errors: list[str] = []
    pages: list[Page] = []
    functions = {function.__name__: function for function in served}
    template, style, script = sources(view)

    def open_alone(
        query: str, width: int, dark: bool, props: dict[str, Any], **options: Any
    ) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 1000}, **options)
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.expose_function("callServer", lambda name, sent: functions[name](*sent))
        page.route(
            "http://view.test/**",
            lambda route: route.fulfill(
                content_type="text/html; charset=utf-8",
                body=f"<!doctype html><html><head>{HEAD}<style>{CSS.read_text('utf-8')} "
                f"#view {{ {style} }}</style></head><body class='{'dark' if dark else ''}'>"
                f"<div id='view' class='gradio-container'>{template}</div></body></html>",
            ),
        )
        page.goto("http://view.test/" + query)
        begin = BEGIN.replace("NAMES", json.dumps(list(functions)))
        begin = begin.replace("PROPS", json.dumps(props))
        page.evaluate(begin.replace("SCRIPT", json.dumps(script)))
        return page

    yield open_alone
    for page in pages:
        page.close()
    assert errors == []


WIDE = """() => {
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) return [`${scrollWidth} in ${innerWidth}`];
  /* Gradio clips its page: what is cut off there makes nothing scroll. What scrolls by itself may be wider. */
  const scrolls = (node) => {
    for (let at = node.parentElement; at && !at.matches(".gradio-container"); at = at.parentElement)
      if (getComputedStyle(at).overflowX !== "visible") return true;
    return false;
  };
  return [...document.querySelectorAll(".gradio-container *:not(svg *)")]
    .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && node.checkVisibility() && !scrolls(node))
    .map((node) => `${node.outerHTML.slice(0, 100)} ends at ${node.getBoundingClientRect().right}`);
}"""


def too_wide(page: Page) -> list[str]:
    """What does not fit into the page's width."""
    return page.evaluate(WIDE)


OVERLAPPING = """() => [...document.querySelectorAll(".tp-chart")].flatMap((chart) => {
  const texts = [...chart.querySelectorAll("text:is(.title, .legend)")].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
  const meet = (one, other) => one.right > other.left + 1 && other.right > one.left + 1
    && one.bottom > other.top + 2 && other.bottom > one.top + 2;
  return boxes.flatMap(([text, box], i) =>
    boxes.slice(i + 1).filter(([, other]) => meet(box, other)).map(([other]) => `${text} on ${other}`));
})"""


def overlapping(page: Page) -> list[str]:
    """Titles and legends of charts that are written on each other."""
    return page.evaluate(OVERLAPPING)


class Watched:
    """One view of the page, by its selector, and the data attributes in which it says how it stands."""

    def __init__(self, selector: str) -> None:
        self.selector = selector

    def root(self, page: Page) -> Locator:
        """The view's element."""
        return page.locator(self.selector)

    def value(self, page: Page, name: str) -> str:
        """What `data-NAME` says now."""
        return self.root(page).get_attribute(f"data-{name}") or ""

    def until(self, page: Page, expression: str, argument: object = None) -> None:
        """Wait until this is true of the view's data, `d`, and the argument, `a`."""
        page.wait_for_function(
            "([selector, code, a]) => { const found = document.querySelector(selector);"
            " return found && new Function('d', 'a', `return ${code}`)(found.dataset, a); }",
            arg=[self.selector, expression, argument],
            timeout=PATIENCE_MS,
        )
