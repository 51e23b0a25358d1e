"""What stands over all tabs: the tour, the keys, the language, and links that show one tab alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TOUR

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


def selected(page: Page, name: str) -> None:
    expect(page.locator(f"#tab-{name}-button")).to_have_attribute("aria-selected", "true")


def test_a_first_visit_is_shown_around_in_four_steps_and_once(
    open_page: Open, shoot: Shoot
) -> None:
    page = open_page("", tour=True)
    for stop in range(1, 5):
        expect(page.locator("#tour")).to_have_attribute("data-stop", str(stop))
        page.wait_for_selector(".tp-ring:not([hidden])", state="attached")
        if stop == 1:
            shoot(page, "tour")
        page.locator("#tour-next").click()
    expect(page.locator("#tour")).to_have_count(0)
    expect(page.locator(".tp-ring")).to_be_hidden()
    page.reload()
    page.wait_for_selector("#keys-open")
    expect(page.locator("#tour")).to_have_count(0)
    page.evaluate(f"localStorage.removeItem('{TOUR}')")
    page.goto(page.url.split("?")[0] + "?tab=learn")  # a link led here
    page.wait_for_selector("#keys-open")
    expect(page.locator("#tour")).to_have_count(0)


def test_keys_lead_through_the_page_and_not_out_of_a_field(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?tab=train")
    page.wait_for_selector(".configure[data-answered]")
    page.keyboard.press("3")
    selected(page, "generate")
    page.keyboard.press("1")
    selected(page, "learn")
    dark = page.evaluate("document.body.classList.contains('dark')")
    page.keyboard.press("t")
    assert page.evaluate("document.body.classList.contains('dark')") != dark
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    shoot(page, "keys")
    page.keyboard.press("2")  # the sheet is open: nothing happens behind it
    selected(page, "learn")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("2")
    field = page.locator("#field-d_model")
    field.fill("9")
    field.press("3")
    selected(page, "train")
    expect(field).to_have_value("93")


def test_the_language_is_chosen_and_stays(open_page: Open) -> None:
    page = open_page("?tab=learn")
    expect(page.locator(".learn h2").first).to_have_text("Learn how Transformers work")
    page.locator("#language-switch").click()
    page.wait_for_url("**lang=zh**")
    expect(page.locator(".learn h2").first).to_contain_text("学习")
    expect(page.locator("#tab-learn-button")).to_have_text("学习")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.title() == "Transformer 实验场"
    page.goto(page.url.split("?")[0])  # without the address, the browser remembers
    expect(page.locator("#tab-train-button")).to_have_text("训练")


def test_a_class_gets_one_link(open_page: Open, shoot: Shoot) -> None:
    """To a lesson, to a preset, or to one tab and nothing else."""
    page = open_page("?tab=learn")
    page.locator(".learn .teach summary").click()

    def link(what: str, only: bool = False) -> dict[str, list[str]]:
        page.locator("#teach-what").select_option(what)
        page.locator("#teach-only").set_checked(only)
        return parse_qs(urlsplit(page.locator("#teach-link").input_value()).query)

    assert link("lesson attention") == {"lesson": ["attention"], "at": ["1"], "lang": ["en"]}
    assert link("preset tiny") == {"tab": ["train"], "preset": ["tiny"], "lang": ["en"]}
    assert link("tab tab-inside-button", only=True)["only"] == ["1"]
    page.goto(page.locator("#teach-link").input_value())
    page.wait_for_selector(".inside[data-ready=true]")
    for hidden in ("#header", ".tab-wrapper"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator(".inside")).to_be_visible()
    shoot(page, "only")


def test_another_tab_learns_of_a_new_run(open_page: Open) -> None:
    """Its list has a run that was started elsewhere in this browser, without being loaded again."""
    first = open_page("?lang=en")
    first.wait_for_selector(".header[data-runs='0']")
    second = first.context.new_page()
    second.goto(first.url.split("?")[0] + "?lang=en&c.total_steps=20&c.warmup_steps=5")
    second.locator("#start:enabled").click()
    second.wait_for_selector(".header[data-runs='1']")
    first.wait_for_selector(".header[data-runs='1']")
    expect(first.locator("#run-select option")).to_have_count(
        second.locator("#run-select option").count()
    )


def test_tabs_on_a_phone_say_that_they_scroll(open_page: Open) -> None:
    """Those without room fade out before a sign that there are more, as long as there are; the line goes on."""
    page = open_page("?lang=en", width=390)
    tabs, wrapper = (
        page.locator(".tab-container:not(.visually-hidden)"),
        page.locator(".tab-wrapper.more"),
    )
    expect(tabs).to_have_css("mask-image", re.compile("linear-gradient"))
    assert wrapper.evaluate("node => getComputedStyle(node, '::after').content") == '"›"'
    expect(wrapper).to_have_css("border-bottom-width", "1px")
    expect(wrapper).to_have_css("mask-image", "none")
    page.locator("#tab-experts-button").scroll_into_view_if_needed()
    expect(wrapper).to_have_count(0)
    expect(tabs).to_have_css("mask-image", "none")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(wrapper).to_have_count(0)
