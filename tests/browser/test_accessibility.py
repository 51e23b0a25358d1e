"""Nothing keeps anyone out: axe-core over every tab, light and dark; what all tabs share is read once."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from playground.app import TABS

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

AXE = files("axe_playwright_python") / "axe.min.js"

LOOK = """async ([dark, whole]) => {
  const panel = [...document.querySelectorAll("[role=tabpanel]")].find((panel) => panel.offsetParent);
  const runOnly = dark ? ["color-contrast"] : undefined; // all that the two schemes do not share
  // No rule that runs reads style sheets, which take as long to load again as all rules together.
  const options = { resultTypes: ["violations"], runOnly, preload: false };
  const found = await axe.run(whole ? document : panel, options);
  return found.violations.map(({ id, help, nodes }) =>
    ({ id, help, where: nodes.map(({ target, html }) => [target.join(" "), html.slice(0, 160)]) }));
}"""

BEGUN = """() => [...document.querySelectorAll("[role=tabpanel]")].some((panel) =>
  panel.offsetParent && [...panel.querySelectorAll("h2, h3, p, button")].some((node) => node.checkVisibility()))"""
"""The open tab shows something."""

SETTLED = (
    "() => [...document.querySelectorAll('[data-ready=false]')].every((view) => !view.offsetParent)"
)
"""Every view in sight is drawn."""


def test_nothing_is_found(open_page: Open) -> None:
    page = open_page("?tab=train", height=4000)  # all of a tab is in sight, and drawn
    page.wait_for_selector(".configure[data-answered]")
    page.emulate_media(reduced_motion="reduce")  # nothing is measured while it fades in
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = []
    for scheme in ("light", "dark"):
        assert page.evaluate("document.body.classList.contains('dark')") == (scheme == "dark")
        for number, name in enumerate(TABS):
            page.locator(f"#tab-{name}-button").click()
            page.wait_for_function(BEGUN)
            page.wait_for_timeout(300)
            page.wait_for_function(SETTLED)
            for problem in page.evaluate(LOOK, [scheme == "dark", number == 0]):
                found += [
                    f"{scheme}, {name}: {problem['id']}: {problem['help']}: {place}"
                    for place in problem["where"]
                ]
        page.locator("#theme-switch").click()
    assert found == []


EMPTY = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter((heading) => !heading.textContent.trim() && heading.checkVisibility({ visibilityProperty: true }))
  .map((heading) => heading.outerHTML)"""


def test_a_tab_says_something_while_the_page_waits(open_page: Open) -> None:
    """Its own file for every view is there, but no answer to what it asks: no tab is blank, and no heading is empty."""
    page = open_page("?tab=train", height=4000)
    page.wait_for_selector(".configure[data-answered]")
    page.route("**/gradio_api/**", lambda route: None)
    page.route("**/events**", lambda route: None)
    page.reload(wait_until="domcontentloaded")
    found: dict[str, list[str]] = {}
    for name in TABS:
        page.locator(f"#tab-{name}-button").click()
        if name == "train":  # no label without its value, but a word
            expect(page.locator(".live .wait")).to_be_visible()
            assert not page.locator(".live dt").first.is_visible()
        page.wait_for_function(BEGUN)
        page.wait_for_timeout(300)
        found[name] = page.evaluate(EMPTY)
    assert found == {name: [] for name in TABS}
