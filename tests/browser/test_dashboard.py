"""The dashboard in Chromium: links to its pages, the ways between them, and what stands in the address."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

from engine.runs.store import RunStore
from tests.playground.screens.pages import ENGLISH, make, suite_runs
from tests.tools.served import served
from tests.tools.waiting import until

pytestmark = pytest.mark.browser

BAND = re.compile(r"mine \d \(2 seeds\)")
"""The two runs, which differ in their seed alone, as one."""

Shoot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard over two runs of one seed each, a suite, and those that ship."""
    folder = tmp_path_factory.mktemp("dashboard")
    store = RunStore(folder / "runs")
    suite_runs(store)
    for seed in (0, 1):
        make(store, f"mine {seed}", seed=seed)
    command = ("-m", "streamlit", "run", "playground/dashboard.py", "--server.headless", "true")
    with served(folder, command) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no script may fail."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert not errors


SEEN = """() => {
  const page = document.body.cloneNode(true);
  page.querySelectorAll("pre, code, style, script, noscript, [data-testid=stDataFrame]").forEach((each) => each.remove());
  const texts = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
  const lines = [];
  while (texts.nextNode()) lines.push(texts.currentNode.textContent.trim());
  return lines.filter(Boolean);
}"""
"""What stands on the page, apart from commands, what models wrote, and tables, which are drawn."""


def title(page: Page, text: str) -> None:
    expect(page.locator("h1")).to_have_text(text)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def mark_all(page: Page, name: str) -> Locator:
    """Mark all rows of the table; the button of this name, which then appears.

    Streamlit draws the table on a canvas, and draws it again a moment after a filter has changed: a click that
    falls in between is lost. A person sees that nothing is marked, and clicks again.
    """
    table = page.get_by_test_id("stDataFrame").first
    button = page.get_by_role("button", name=re.compile(name))

    def marked() -> bool:
        box = table.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 18, box["y"] + 18)
        with suppress(TimeoutError):
            button.wait_for(timeout=10_000)
        return button.is_visible()

    until(marked, "all rows are marked")
    return button


def test_a_link_opens_a_page_on_a_fresh_server(dashboard: str, page: Page, shoot: Shoot) -> None:
    """First of all: nobody has opened the dashboard's main page before."""
    page.goto(f"{dashboard}/suites?suite-name=norm")
    title(page, "Suites")
    expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(1)
    shoot(page, "dashboard-suites")


def test_the_way_from_the_table_to_a_comparison(dashboard: str, page: Page, shoot: Shoot) -> None:
    page.goto(dashboard)
    title(page, "Runs")
    page.get_by_label("Name or settings contain").fill("mine")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of ")).to_be_visible()
    mark_all(page, "Compare the marked runs").click()
    title(page, "Compare")
    expect(page).to_have_url(re.compile("run=.*run="))
    expect(page.locator(".js-plotly-plot .legendtext")).to_have_count(2)

    page.get_by_text("seconds", exact=True).click()
    page.get_by_text("Seeds as one band").click()  # before the server has answered
    expect(page.locator(".js-plotly-plot .legendtext")).to_have_text([BAND])
    expect(page).to_have_url(re.compile("over=seconds.*bands=true|bands=true.*over=seconds"))
    page.reload()
    expect(page.locator(".js-plotly-plot .legendtext")).to_have_text([BAND])
    with page.expect_download() as download:
        page.get_by_text("Report (Markdown with figures)").click()
    assert download.value.suggested_filename == "report.zip"
    address = page.get_by_text("Curves as CSV").get_attribute("href")
    page.get_by_text(
        "Follow running runs"
    ).click()  # the whole page is drawn again, and no link changes
    expect(page).to_have_url(re.compile("follow=false"))
    expect(page.get_by_text("Curves as CSV")).to_have_attribute("href", str(address))
    with page.expect_download() as download:
        page.get_by_text("Curves as CSV").click()
    assert download.value.path().read_text("utf-8").startswith("run,step,tokens")
    page.get_by_text("Log scale", exact=True).click()
    expect(page).to_have_url(re.compile("log=true"))
    page.wait_for_timeout(1500)  # a person looks before going back
    page.go_back()
    expect(page).not_to_have_url(re.compile("log=true"))
    expect(page.get_by_label("Log scale", exact=True)).not_to_be_checked()
    expect(page.locator(".js-plotly-plot .legendtext")).to_have_text([BAND])
    page.wait_for_timeout(1500)
    page.go_forward()
    expect(page.get_by_label("Log scale", exact=True)).to_be_checked()
    shoot(page, "dashboard-compare")
    page.get_by_role("link", name="Runs").click()
    title(page, "Runs")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_way_in_chinese(dashboard: str, page: Page, shoot: Shoot, width: int) -> None:
    """From page to page, by links and by the browser's buttons: the language stays, and nothing is in English."""
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{dashboard}/?lang=zh&match=mine")
    title(page, "训练任务")
    expect(page.get_by_text("15 个训练任务中的 2 个")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame").locator("canvas").first).to_be_visible()
    expect(page.get_by_label("名字或设置包含")).to_be_visible()
    in_chinese(page)
    shoot(page, f"dashboard-zh-runs-{width}")
    mark_all(page, "比较勾选的训练任务").click()
    title(page, "比较")
    expect(page.locator(".js-plotly-plot .legendtext")).to_have_count(2)
    expect(page).to_have_url(re.compile("lang=zh"))
    expect(page).to_have_url(re.compile("run=.*run="))
    page.get_by_text("秒", exact=True).click()
    expect(page.locator(".js-plotly-plot .xtitle", has_text="秒")).to_have_count(1)
    expect(page.locator(".js-plotly-plot .xtitle")).to_have_count(1)
    expect(page).to_have_url(re.compile("over=seconds"))
    in_chinese(page)
    shoot(page, f"dashboard-zh-compare-{width}")
    page.goto(f"{dashboard}/suites?suite-name=norm&lang=zh")
    title(page, "实验套件")
    expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(1)
    in_chinese(page)
    shoot(page, f"dashboard-zh-suites-{width}")
    page.get_by_role("radio", name="English").or_(
        page.get_by_text("English", exact=True)
    ).first.click()
    title(page, "Suites")
    expect(page).to_have_url(re.compile("lang=en"))
    if width > 600:
        page.get_by_role("link", name="Runs").click()
        title(page, "Runs")
        page.wait_for_url("**lang=en**")


def in_chinese(page: Page) -> None:
    seen = page.evaluate(SEEN)
    left = {line for line in seen if ENGLISH.search(line)}
    assert seen and left <= {"Skip to main content"}  # Streamlit's own
