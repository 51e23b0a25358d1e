"""Links within the page into Generate and Look inside: they open the trained model, with what they promise in view.

What a visitor did there before, with another run or an earlier step, is no part of a link.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from playground.tabs.learn import lessons
from tests.browser.conftest import Open, Watched

pytestmark = pytest.mark.browser

HOME, GENERATE, INSIDE = Watched(".home"), Watched(".generate"), Watched(".inside")

IN_VIEW = """(selector) => {
  const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
  return top >= 0 && (bottom <= innerHeight + 1 || top < innerHeight / 2);
}"""

BEFORE = {
    "generate": "run=stories&prompt=Mia&gen_step=0&gen_temperature=1.9",
    "inside": "run=stories&text=Mia&step=0&zero=1.1&panel=zero",
}
"""What a visitor may have left behind in each tab."""


def leave(page: Page, text: str) -> None:
    """To the first screen, where a text is typed."""
    page.locator("#tab-home-button").click()
    HOME.until(page, "d.ready === 'true'")
    page.locator("#home-text").click()
    page.keyboard.type(text)
    HOME.until(page, "d.text === a", text)


def trained(page: Page, text: str) -> None:
    """Generate shows this text and the newest checkpoint, without settings of before, and all next words."""
    expect(page.locator("#generate-prompt")).to_have_value(text)
    expect(page.locator(".generate")).to_have_attribute("data-step", "2000")
    expect(page.locator("#generate-temperature")).to_have_value("1")
    expect(page.locator(".generate .message")).to_be_empty()
    page.wait_for_function(IN_VIEW, arg="#generate-list")


@pytest.mark.parametrize("width", [1366, 390])
def test_every_possible_next_word_is_that_of_the_trained_model(open_page: Open, width: int) -> None:
    page = open_page(f"?tab=generate&{BEFORE['generate']}", width=width, height=768)
    GENERATE.until(page, "d.ready === 'true'")
    leave(page, "One day the small fox")
    page.locator("#home-generate").click()
    trained(page, "One day the small fox")
    assert "gen_step" not in page.url and "gen_temperature" not in page.url


def test_a_link_waits_for_its_run(open_page: Open) -> None:
    """The run on the page is one that cannot read the text, and the tab was never open."""
    page = open_page("?tab=home&run=translate-german")
    leave(page, "One day the small fox")
    page.locator("#home-generate").click()
    trained(page, "One day the small fox")


def test_look_inside_shows_the_trained_model_with_the_text(open_page: Open) -> None:
    page = open_page(f"?tab=inside&{BEFORE['inside']}", width=1366, height=768)
    INSIDE.until(page, "d.ready === 'true'")
    leave(page, "One day the small fox")
    page.locator("#home-inside").click()
    INSIDE.until(page, "d.run === 'stories-words' && d.step === '2000'")
    expect(page.locator("#inside-text")).to_have_value("One day the small fox")
    expect(page.locator(".inside .off[aria-pressed=true]")).to_have_count(0)
    page.wait_for_function(IN_VIEW, arg=".inside .text-figure")
    page.wait_for_function("!/[?&](step|zero|panel)=/.test(location.search)")


def test_look_inside_waits_for_its_run(open_page: Open) -> None:
    page = open_page("?tab=home&run=translate-german")
    leave(page, "One day the small fox")
    page.locator("#home-inside").click()
    INSIDE.until(page, "d.run === 'stories-words' && d.step === '2000'")
    expect(page.locator("#inside-text")).to_have_value("One day the small fox")


SHOWN = {
    "tab=generate&run=stories-words": None,
    "tab=generate&run=stories-words&gen_path=none": None,
    "tab=inside&run=stories-words&panel=numbers": "numbers",
    "tab=inside&run=stories-words&panel=lens": "lens",
}
"""What lessons show of these two tabs, and the panel that is open then."""


def test_what_a_lesson_shows_is_the_trained_model(open_page: Open) -> None:
    assert set(SHOWN) == {
        step.open
        for name in lessons.names()
        for step in lessons.lesson(name, "en").steps
        if step.open.startswith(("tab=generate", "tab=inside"))
        and "run=experiment" not in step.open  # opens the learner's own run, or the stored one
    }
    page = open_page("?tab=generate&run=stories-words", width=1366, height=768)
    GENERATE.until(page, "d.ready === 'true'")
    page.locator(
        ".generate h2"
    ).click()  # until a visitor does something, the page keeps the address's tab
    usual = page.locator("#generate-prompt").input_value()
    for query, panel in SHOWN.items():
        tab = query.split("&")[0].removeprefix("tab=")
        view = GENERATE if tab == "generate" else INSIDE
        page.evaluate("(query) => tp.lessons.open(query)", f"tab={tab}&{BEFORE[tab]}")
        view.until(page, "d.ready === 'true' && d.step === '0'")
        page.evaluate("(query) => tp.lessons.open(query)", query)
        view.until(page, "d.ready === 'true' && d.step === '2000'")
        if tab == "generate":
            expect(page.locator("#generate-prompt")).to_have_value(usual)
            continue
        panels = page.locator(".inside details[open][data-panel]")
        expect(panels).to_have_count(1 if panel else 0)
        if panel:
            expect(panels).to_have_attribute("data-panel", panel)
        expect(page.locator(".inside .off[aria-pressed=true]")).to_have_count(0)
