"""What stands over all tabs: the tour, the keys, the language, and links that show one tab alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from playground.app import TABS

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


LONG = "c.d_model=32&c.total_steps=100000&c.batch_size=4&c.max_seq_len=32&c.threads=1&c.save_interval=25"
"""A run that does not end by itself."""


def selected(page: Page, name: str) -> None:
    expect(page.locator(f"#tab-{name}-button")).to_have_attribute("aria-selected", "true")


def test_help_shows_around_in_four_steps(open_page: Open, shoot: Shoot) -> None:
    page = open_page("")
    page.locator("#keys-open").click()
    page.locator("#tour-begin").click()
    selected(page, "train")
    for stop in range(1, 5):
        expect(page.locator("#tour")).to_have_attribute("data-stop", str(stop))
        page.wait_for_selector(".tp-ring:not([hidden])", state="attached")
        if stop == 1:
            shoot(page, "tour")
        page.locator("#tour-next").click()
    page.wait_for_selector(".reading[data-lesson=guess]")  # its end begins the first lesson
    expect(page.locator("#tour")).to_have_count(0)
    expect(page.locator(".tp-ring")).to_be_hidden()


@pytest.mark.case("C21")
@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_help_has_the_tour_the_lessons_and_the_keys(
    open_page: Open, shoot: Shoot, width: int, language: str
) -> None:
    page = open_page(f"?tab=generate&lang={language}", width=width)
    page.locator("#keys-open").click()
    expect(page.locator("#keys kbd")).not_to_have_count(0)
    expect(page.locator("#help-learn")).to_have_attribute("href", re.compile("read=guess"))
    shoot(page, f"help-{width}-{language}")
    page.locator("#tour-begin").click()
    expect(page.locator("#keys")).to_be_hidden()
    expect(page.locator("#tour")).to_have_attribute("data-stop", "1")
    selected(page, "train")
    page.locator("#tour-skip").click()
    page.locator("#keys-open").click()
    page.locator("#help-learn").click()
    page.wait_for_selector(".reading[data-lesson=guess]")


def test_keys_lead_through_the_page_and_not_out_of_a_field(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?tab=train")
    page.wait_for_selector(".configure[data-answered]")
    page.keyboard.press("4")
    selected(page, "generate")
    page.keyboard.press("2")
    selected(page, "learn")
    dark = page.evaluate("document.body.classList.contains('dark')")
    page.keyboard.press("t")
    assert page.evaluate("document.body.classList.contains('dark')") != dark
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    shoot(page, "keys")
    page.keyboard.press("3")  # the sheet is open: nothing happens behind it
    selected(page, "learn")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("3")
    page.locator("#all-settings").click()
    field = page.locator("#field-d_model")
    field.fill("9")
    field.press("3")
    selected(page, "train")
    expect(field).to_have_value("93")


def test_a_key_starts_and_few_stops_lead_to_start(open_page: Open) -> None:
    page = open_page("?tab=train&c.total_steps=20&c.warmup_steps=5")
    page.wait_for_selector(".configure[data-answered]")
    page.locator("#tab-train-button").focus()
    stops = []
    while not stops or stops[-1] != "start":
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.id"))
        assert len(stops) < 18
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("2")
    selected(page, "learn")
    page.keyboard.press("s")  # what is not in sight does not start
    page.locator("#learn-guess").click()
    page.wait_for_selector(".reading[data-ready=true]")
    page.keyboard.press("4")  # in a lesson a digit is an answer that missed its box
    selected(page, "learn")
    page.locator(".reading .back").first.click()
    page.keyboard.press("3")
    expect(page.locator(".runs")).to_be_hidden()
    page.keyboard.press("s")
    page.wait_for_selector(".live[data-status=finished][data-step='20']")


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

    assert link("lesson attention") == {"tab": ["learn"], "read": ["attention"], "lang": ["en"]}
    assert link("preset tiny") == {"tab": ["train"], "preset": ["tiny"], "lang": ["en"]}
    assert link("tab tab-inside-button", only=True)["only"] == ["1"]
    page.goto(page.locator("#teach-link").input_value())
    page.wait_for_selector(".inside[data-ready=true]")
    for hidden in ("#header", ".tab-wrapper"):
        expect(page.locator(hidden).first).to_be_hidden()
    expect(page.locator(".inside")).to_be_visible()
    shoot(page, "only")


@pytest.mark.case("K1")
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


def test_the_pill_leads_to_ones_own_run_from_every_tab(open_page: Open) -> None:
    """What trains is in the header: a press shows it on Train."""
    page = open_page(f"?tab=train&lang=en&{LONG}")
    expect(page.locator("#start")).to_be_enabled()
    page.locator("#start").click()
    page.wait_for_selector(".transport[data-state=running]")
    run = page.locator(".transport").get_attribute("data-shown")
    expect(page.locator("#run-select option:checked")).to_contain_text(
        "training"
    )  # not still "starting"
    for name in ("learn", "home"):
        page.locator(f"#tab-{name}-button").click()
        expect(page.locator("#trains")).to_be_visible()
        page.locator("#trains").click()
        selected(page, "train")
        expect(page.locator(".live")).to_have_attribute("data-run", run or "")


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
    page.locator(f"#tab-{list(TABS)[-1]}-button").scroll_into_view_if_needed()
    expect(wrapper).to_have_count(0)
    page.wait_for_timeout(
        500
    )  # nor does the page, which opens a linked tab for seconds, scroll back
    expect(wrapper).to_have_count(0)
    expect(tabs).to_have_css("mask-image", "none")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(wrapper).to_have_count(0)
