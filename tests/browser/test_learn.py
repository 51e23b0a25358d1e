"""The guided path in Chromium: a lesson from its beginning to its end, in both languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from playground import lessons
from playground.app import TABS
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

COACH = Watched(".coach")


def at_step(page: Page, number: int) -> None:
    page.wait_for_selector(f".coach[data-at='{number}']")


def test_a_lesson_from_beginning_to_end(open_page: Open, shoot: Shoot) -> None:
    """Read, look, take a head away, predict twice, train twice: the coach sees what was done."""
    page = open_page("?tab=learn&lang=en")
    page.locator("#learn-attention").click()
    at_step(page, 1)
    page.locator("#coach-show").click()  # leads to another tab, with the lesson beside it
    page.wait_for_selector(".coach[data-pointed='.inside .tokens']")
    expect(page.locator("#tab-inside-button")).to_have_attribute("aria-selected", "true")
    page.locator("#coach-next").click()
    page.locator(".coach .source summary").click()
    expect(page.locator(".coach .source code")).to_contain_text("class Attention")
    page.locator("#coach-next").click()

    at_step(page, 3)
    expect(page.locator("#coach-skip")).to_be_visible()
    page.locator("#coach-show").click()
    COACH.until(page, "d.done === 'true'")  # the panel is open: that was to be done
    page.locator("#coach-next").click()

    for number, guess in ((4, 2), (6, 2)):
        at_step(page, number)
        expect(page.locator("#coach-next")).to_have_count(0)
        page.locator(f"#coach-option-{guess}").click()
        page.locator("#coach-next").click()
        at_step(page, number + 1)
        page.locator("#coach-show").click()
        page.wait_for_selector(".coach[data-pointed='#start']")
        page.locator("#start:enabled").click()
        COACH.until(page, "d.state === 'training'")
        COACH.until(page, "d.state === 'over'")
        # Wrong with one layer, right with two.
        said = "Just as you predicted" if number == 6 else "You predicted something else"
        expect(page.locator(".coach .result").first).to_contain_text(said)
        page.locator("#coach-next").click()

    at_step(page, 8)
    expect(page.locator(".coach tbody tr")).to_have_count(2)
    shoot(page, "learn-attention")
    page.locator("#coach-next").click()
    expect(page.locator(".coach")).to_be_hidden()
    page.locator("#tab-learn-button").click()
    expect(page.locator(".learn li").first).to_contain_text("done")
    page.reload()
    expect(page.locator(".learn li").first).to_contain_text("done")


@pytest.mark.parametrize("language", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_every_step_is_shown(open_page: Open, shoot: Shoot, name: str, language: str) -> None:
    """On a phone, where the coach lies at the bottom; what is pointed at is there."""
    page = open_page(f"?lesson={name}&at=1&lang={language}", width=390, scheme="dark")
    found = lessons.lesson(name, language)
    for number, step in enumerate(found.steps, start=1):
        at_step(page, number)
        expect(page.locator(".coach h3")).to_have_text(step.title)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        if step.point and language == "en":  # where it leads is the same in both
            page.locator("#coach-show").click()
            page.wait_for_selector(f".coach[data-pointed='{step.point.replace(chr(39), '')}']")
            page.wait_for_selector(".tp-ring:not([hidden])", state="attached")
        if number == 1:
            shoot(page, f"learn-{name}-{language}")
        if number < len(found.steps):
            page.locator("#coach-skip, #coach-next").click()


def test_a_link_to_a_lesson_that_is_not_there(open_page: Open) -> None:
    page = open_page("?lesson=<b>nothing</b>&at=9")
    page.wait_for_selector("#tab-train-button")
    page.wait_for_function("!new URLSearchParams(location.search).has('lesson')")
    expect(page.locator(".coach")).to_be_hidden()


def test_every_tab_is_reached_on_a_phone(open_page: Open) -> None:
    """Gradio would hide those without room in a menu, where no link and no lesson finds them."""
    page = open_page("?tab=experts", width=390)
    expect(page.locator("#tab-experts-button")).to_have_attribute("aria-selected", "true")
    for name in TABS:
        page.locator(f"#tab-{name}-button").click()
        expect(page.locator(f"#tab-{name}-button")).to_have_attribute("aria-selected", "true")
