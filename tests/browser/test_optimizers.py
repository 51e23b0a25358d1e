"""The tab Optimizers in Chromium: the stored race, a race of one's own, and the singular values of a step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from playground.tabs.optimizers import races
from playground.tabs.optimizers import server as optimizers
from tests.browser.conftest import Watched, alone, overlapping, too_wide

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

WATCHED = Watched(".optimizers")
value, until = WATCHED.value, WATCHED.until

PATHS = "[...document.querySelectorAll('.optimizers .tp-chart .curve')].map((path) => path.getAttribute('d')).filter((path) => path.length > 20)"
POINTS = f"{PATHS}.map((path) => path.length)"


def drawn(page: Page, entries: int = 3) -> None:
    """Wait until every curve is there: loss, directions, step and weights of each entry. Short paths are legends."""
    page.wait_for_function(f"{POINTS}.length === {4 * entries}")


@pytest.fixture
def open_view(browser: Browser) -> Iterator[Open]:
    """The view by itself, with the real server."""
    with alone(browser, "optimizers", optimizers.SERVED) as open_alone:

        def opened(query: str = "", width: int = 1200, dark: bool = False) -> Page:
            page = open_alone(query, width, dark, optimizers.CONSTANTS)
            page.wait_for_selector(".optimizers[data-ready=true]")
            return page

        yield opened
    races.close()
    races.registry().races.clear()


# In the whole page ------------------------------------------------------------------------------------


def test_the_tab_lands_on_the_stored_race(open_page: Open, shoot: Shoot) -> None:
    """Curves, an outcome with its intervals, singular values, and the command that computed it."""
    page = open_page("?tab=optimizers&lang=en")
    page.wait_for_selector(".optimizers[data-ready=true]")
    assert value(page, "state") == "stored" and value(page, "entries") == "3"
    drawn(page)
    expect(page.locator(".source code")).to_contain_text("python -m engine race adamw muon sgd")
    expect(page.locator(".outcome tbody tr")).to_have_count(3)
    assert all(page.locator(".outcome thead th").all_inner_texts())
    expect(page.locator(".verdicts li").first).to_have_text(
        re.compile(
            r"Muon ended lower than AdamW by 0\.\d+ nats, 95% interval \[−0\.\d+, −0\.\d+\], over 3 seeds"
        )
    )
    assert value(page, "moment") == "300"
    expect(page.locator("#optimizers-start")).to_be_enabled()
    shoot(page, "optimizers")


# The view by itself -----------------------------------------------------------------------------------


def test_a_race_of_ones_own_from_start_to_end(open_view: Open) -> None:
    page = open_view("?o.race=adamw;muon&o.steps=100")
    expect(page.locator(".entry")).to_have_count(2)
    expect(page.locator(".said")).to_contain_text("press")
    page.locator("#optimizers-start").click()
    expect(page.locator("#optimizers-stop")).to_be_visible()
    expect(page.locator("progress")).to_be_visible()
    until(page, "d.state === 'running' && Number(d.step) > 0")
    until(page, "d.state === 'over'")
    assert value(page, "step") == "100" and value(page, "entries") == "2"
    assert float(value(page, "gain")) > 0 and 0.7 < float(value(page, "directions")) <= 1
    expect(page.locator(".verdicts li").first).to_contain_text("one seed")
    expect(page.locator(".sharing li")).to_have_count(2)
    expect(page.locator(".source code")).to_contain_text("--steps 100 --seeds 1")
    page.locator("#optimizers-more").click()
    until(page, "d.state === 'over' && d.verdicts === '1'")
    expect(page.locator(".verdicts li").first).to_contain_text("over 3 seeds")
    assert "o.seeds=3" in page.url


def test_a_race_is_stopped_and_another_begun(open_view: Open) -> None:
    page = open_view("?o.race=sgd;lion&o.steps=600")
    page.locator("#optimizers-start").click()
    until(page, "d.state === 'running' && d.race !== ''")  # it has made its first step
    page.locator("#optimizers-stop").click()
    until(page, "d.state === 'stopped'")
    expect(page.locator(".said")).to_have_text("Stopped.")
    expect(page.locator("#optimizers-start")).to_be_visible()


def test_what_is_wrong_is_said_where_it_was_typed(open_view: Open) -> None:
    page = open_view("?o.race=adamw")
    box = page.locator("[data-field=max_lr]")
    box.fill("fast")
    box.press("Enter")
    expect(page.locator(".message")).to_have_text("Learning rate must be a number.")
    box.fill("99")
    box.press("Enter")
    page.locator("#optimizers-start").click()
    expect(page.locator(".message")).to_have_text(
        re.compile("“Learning rate” = 99.*: must be at most 10")
    )
    assert value(page, "state") == "stored", "what was shown is still there"


def test_optimizers_are_added_changed_and_removed(open_view: Open) -> None:
    page = open_view()
    page.locator("#optimizers-add").click()
    expect(page.locator(".entry")).to_have_count(4)
    expect(page.locator("#optimizers-add")).to_have_count(0)
    expect(page.locator(".entry select").last).to_have_value("lion")
    page.locator(".entry select").first.select_option("muon")
    expect(page.locator(".entry").first.locator("[data-field=momentum]")).to_have_value("0.95")
    page.locator(".entry").first.locator("[data-field=max_lr]").fill("0.5")
    page.locator(".entry").first.locator("[data-field=max_lr]").press("Enter")
    page.locator(".entry").nth(1).get_by_role("button").click()
    expect(page.locator(".entry")).to_have_count(3)
    page.wait_for_function(
        "new URLSearchParams(location.search).get('o.race') === 'muon,max_lr=0.5;sgd;lion'"
    )


def test_what_is_chosen_stands_in_the_address_and_comes_back(open_view: Open) -> None:
    page = open_view()
    drawn(page)
    before = page.evaluate(PATHS)
    page.locator("[data-value=flops]").click()
    page.locator("#optimizers-matrix").select_option("q")
    page.locator("#optimizers-block").select_option(index=1)
    page.locator("#optimizers-moment").fill("0")
    page.wait_for_function(
        "['o.x=flops', 'o.matrix=q', 'o.block=2', 'o.step=1'].every((x) => location.search.includes(x))"
    )
    assert value(page, "moment") == "1"
    after = page.evaluate(PATHS)
    differing = sum(a != b for a, b in zip(before, after, strict=True))
    assert differing >= len(before) - 1  # Muon's FLOPs, the most, lie where its steps lay
    again = open_view("?" + page.url.partition("?")[2])
    drawn(again)
    assert again.evaluate(PATHS) == after
    expect(again.locator("[data-value=flops]")).to_have_attribute("aria-pressed", "true")
    assert value(again, "moment") == "1"


def test_an_address_that_makes_no_sense_is_the_usual_race(open_view: Open) -> None:
    page = open_view("?o.race=adam;toString;,&o.steps=7&o.block=9&o.matrix=x&o.step=99999999")
    expect(page.locator(".entry")).to_have_count(3)
    assert value(page, "moment") == "300"


def test_the_film_plays_over_training(open_view: Open) -> None:
    page = open_view("?o.step=1")
    shared = page.locator(".sharing").inner_text()
    page.locator("#optimizers-moment-play").click()
    until(page, "Number(d.moment) > 1")
    assert page.locator(".sharing").inner_text() != shared


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1200, 1300])
def test_it_fits(open_view: Open, width: int, lang: str) -> None:
    page = open_view(f"?lang={lang}&o.race=adamw;muon;lion;sgd", width, dark=width == 390)
    drawn(page)
    assert too_wide(page) == [] and overlapping(page) == []


def test_it_begins_with_a_picture_and_measures_open_their_definitions(open_page: Open) -> None:
    page = open_page("?tab=optimizers&lang=en")
    page.wait_for_selector(".optimizers[data-ready=true]")
    drawn(page)
    chart = page.locator(".optimizers .result .chart-host").bounding_box()
    command = page.locator(".optimizers .source").bounding_box()
    inside = page.locator(".optimizers .inside-step").bounding_box()
    assert chart and command and inside
    assert chart["y"] < 450 and chart["y"] < command["y"] < inside["y"]
    expect(page.locator("#optimizers-start")).to_be_in_viewport()
    term = page.locator(".inside-step .tp-term", has_text="singular value")
    term.focus()
    expect(page.locator(".tp-definition .means")).to_contain_text("stretches")
