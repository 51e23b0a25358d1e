"""The view Generate in Chromium, with its real server functions and a small model, without Gradio."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.runs.store import Run
from playground.page.theme import CSS
from playground.page.views import HEAD, sources
from playground.tabs.generate import server as generating
from tests.playground.tabs.test_generate import make_run

pytestmark = pytest.mark.browser

CONTEXT = 40
TEXT = "Hello, 你好! <img src=x onerror=alert(1)> ${bad} {{bad}} `\\` 🙂\n\t\x07 and so on.\n"
READY = '.generate[data-ready="true"]:not([data-busy])'
RUN_VIEW = """
window.server = Object.fromEntries(NAMES.map((name) => [name, (...given) => callServer(name, given)]));
window.watched = {};
Function('element', 'trigger', 'props', 'server', 'upload', 'watch', SCRIPT)(
  document.getElementById('view'), () => {}, window.props = {run: RUN, fields: FIELDS}, window.server, null,
  (name, callback) => { window.watched[name] = callback; });
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    source = runs / "text.txt"
    source.write_text(TEXT * 40, encoding="utf-8", newline="\n")
    return make_run(
        runs, "texts", (0, 5), source="text", train_data_path=str(source), max_seq_len=CONTEXT
    )


@pytest.fixture(scope="module")
def task(runs: Path) -> Run:
    return make_run(runs, "sums", (3,), source="addition", task_length=2, max_seq_len=CONTEXT)


Open = Callable[..., Page]


@pytest.fixture
def open_view(browser: Browser, runs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open the view for a run: `open_view(run, width=390, dark=True, query="prompt=Hi")`."""
    monkeypatch.setenv("TP_RUNS", str(runs))
    functions = {function.__name__: function for function in generating.SERVED}
    template, style, _ = sources("generate")
    errors: list[str] = []
    pages: list[Page] = []

    def open_view(run: Run, width: int = 1280, dark: bool = False, query: str = "") -> Page:
        page = browser.new_page(viewport={"width": width, "height": 1000})
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.expose_function("callServer", lambda name, given: functions[name](*given))
        page.route(
            "http://view.test/**",
            lambda route: route.fulfill(
                content_type="text/html; charset=utf-8",
                body=f"<!doctype html><html lang=en><head>{HEAD}<style>{CSS.read_text('utf-8')} "
                f"#view {{ {style} }}</style></head>"
                f'<body class="{"dark" if dark else ""}"><div id="view">{template}</div>'
                "</body></html>",
            ),
        )
        page.goto(f"http://view.test/?{query}")
        start_view(page, run)
        return page

    yield open_view
    for page in pages:
        page.close()
    assert errors == []


def start_view(page: Page, run: Run) -> None:
    script = RUN_VIEW.replace("RUN", json.dumps(run.id))
    script = script.replace("FIELDS", json.dumps(generating.FIELDS))
    script = script.replace("NAMES", json.dumps([f.__name__ for f in generating.SERVED]))
    page.evaluate(script.replace("SCRIPT", json.dumps(sources("generate")[2])))
    page.wait_for_selector(READY)


def length(page: Page) -> int:
    return int(page.get_attribute(".generate", "data-length") or 0)


def arrived(page: Page, **data: Any) -> None:
    """Wait until the view says so: `arrived(page, length=12, nodes=20)`."""
    attributes = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
    page.wait_for_selector(f".generate{attributes}:not([data-busy])")


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def strip(page: Page) -> str:
    return page.inner_text("#generate-text").replace("\n", "")


def test_it_opens_with_a_text_a_distribution_a_tree_and_a_cache(open_view: Open, run: Run) -> None:
    page = open_view(run)
    assert length(page) > len(page.input_value("#generate-prompt"))
    assert page.locator(".choice").count() > 10
    assert page.locator(".tree-frame [role=treeitem]").count() == int(
        page.get_attribute(".generate", "data-nodes") or 0
    )
    assert page.locator(".cache svg").count() == 2
    assert page.get_attribute(".generate", "data-difference") is None  # not yet compared
    page.locator(".proof").scroll_into_view_if_needed()
    expect(page.locator(".proof")).to_contain_text("rounding")
    assert float(page.get_attribute(".generate", "data-difference") or 1) < 1e-4
    assert address(page) == {}


def test_step_back_branch_and_jump(open_view: Open, run: Run) -> None:
    page = open_view(run)
    start = length(page)
    for i in range(20):
        page.click("#generate-step")
        arrived(page, length=start + i + 1)
    written = strip(page)
    page.click("#generate-back")
    page.click("#generate-back")
    arrived(page, length=start + 18, branches=1)
    page.click("#generate-step")  # the same seed draws the same token again
    page.click("#generate-step")
    arrived(page, length=start + 20, branches=1)
    assert strip(page) == written
    page.click("#generate-back")
    arrived(page, length=start + 19)
    page.wait_for_selector(".list:not(.stale)")
    page.locator(".choice:not(.drawn)").nth(3).click()
    arrived(page, length=start + 20, branches=2)
    assert strip(page) != written
    other = page.locator(".tree-frame .node:not(.on)")
    expect(other).to_have_count(1)
    other.click()
    arrived(page, length=start + 20)
    assert strip(page) == written
    page.get_by_text("Keep only this way").click()
    arrived(page, branches=1, length=start + 20)
    page.click("#generate-restart")
    arrived(page, length=len(page.input_value("#generate-prompt")))
    expect(page.locator("#generate-back")).to_be_disabled()


def test_play_writes_until_it_is_paused(open_view: Open, run: Run) -> None:
    page = open_view(run)
    start = length(page)
    page.locator(".transport input[type=range]").press("End")
    page.click("#generate-play")
    page.wait_for_function(f"+document.querySelector('.generate').dataset.length > {start + 5}")
    page.click("#generate-play")
    arrived(page, playing="false")
    page.wait_for_timeout(150)
    stood = length(page)
    page.wait_for_timeout(300)
    assert length(page) == stood


def test_the_window_slides_and_says_so(open_view: Open, run: Run) -> None:
    page = open_view(run)
    page.locator(".transport input[type=range]").press("End")
    page.click("#generate-play")
    page.wait_for_selector(".room:has-text('the window slid')")
    page.click("#generate-play")
    assert page.locator(".chip.forgotten").count() > CONTEXT // 4


def test_filters_strike_out_and_name_what_they_remove(open_view: Open, run: Run) -> None:
    page = open_view(run)
    size = int(page.get_attribute(".generate", "data-kept") or 0)
    page.locator("#generate-top-k").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    arrived(page, kept=3)
    removed = page.locator(".choice.removed")
    assert removed.count() > 5
    assert set(removed.locator(".note").all_inner_texts()) == {"top-k"}
    assert f"3 of {size} tokens can be drawn" in page.inner_text(".next")
    assert address(page)["gen_top_k"] == "3"
    page.locator("#generate-temperature").press("Home")
    arrived(page, kept=1)
    assert "temperature 0" in page.inner_text(".next")
    page.get_by_text("All off").click()
    arrived(page, kept=size)
    assert "gen_top_k" not in address(page)
    # a removed token can be taken all the same
    page.locator("#generate-top-k").press("ArrowRight")
    arrived(page, kept=1)
    start = length(page)
    page.locator(".choice.removed").first.click()
    arrived(page, length=start + 1)


def test_every_token_can_be_reached_by_scrolling_and_by_keyboard(open_view: Open, run: Run) -> None:
    page = open_view(run)
    size = int(page.get_attribute(".generate", "data-kept") or 0)
    page.locator("#generate-list").focus()
    page.keyboard.press("End")
    last = page.locator(f"#generate-row-{size - 1}")
    expect(last).to_be_visible()
    assert (
        page.get_attribute("#generate-list", "aria-activedescendant") == f"generate-row-{size - 1}"
    )
    start = length(page)
    token = last.get_attribute("data-token")
    page.keyboard.press("Enter")
    arrived(page, length=start + 1)
    assert address(page)["gen_path"].split(".")[-1] == token


def test_all_of_it_by_keyboard_alone(open_view: Open, run: Run) -> None:
    page = open_view(run)
    start = length(page)
    page.locator("#generate-text").focus()
    page.keyboard.press("ArrowRight")
    arrived(page, length=start + 1)
    page.keyboard.press("ArrowLeft")
    arrived(page, length=start)
    page.wait_for_selector(".list:not(.stale)")
    page.locator("#generate-list").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    arrived(page, length=start + 1, branches=2)
    page.locator(".tree-frame [tabindex='0']").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    arrived(page, length=start + 1)
    assert page.evaluate("document.activeElement.getAttribute('role')") == "treeitem"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    arrived(page, length=len(page.input_value("#generate-prompt")))


def test_any_character_is_shown_as_text(open_view: Open, run: Run) -> None:
    page = open_view(run)
    prompt = "你好! <img src=x onerror=alert(1)> ${bad} {{bad}} `\\` 🙂\n\t"
    page.fill("#generate-prompt", prompt + "\x07")
    page.click("text=Use this prompt")
    page.wait_for_selector(".chip:not(.mine):has-text('␇')")
    arrived(page)
    shown = strip(page)
    for piece in (
        "你好",
        "<img␣src=x␣onerror=alert(1)>",
        "${bad}",
        "{{bad}}",
        "`\\`",
        "🙂",
        "⏎",
        "⇥",
    ):
        assert piece in shown
    assert page.locator("#view img").count() == 0
    assert page.input_value("#generate-prompt") == prompt + "\x07"


def test_unknown_characters_are_named_and_the_text_is_kept(open_view: Open, run: Run) -> None:
    page = open_view(run)
    before = strip(page)
    page.fill("#generate-prompt", "Hello, Zoë")
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("'Z' (U+005A), 'ë' (U+00EB)")
    expect(page.locator(".message")).to_contain_text("abcdeg")
    assert page.input_value("#generate-prompt") == "Hello, Zoë"
    assert strip(page) == before
    page.fill("#generate-prompt", "")
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("at least one character")
    page.fill("#generate-prompt", "Hello")
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_be_empty()


def test_a_link_shows_the_same_again(open_view: Open, run: Run) -> None:
    page = open_view(run)
    page.fill("#generate-prompt", "Hello, 你好")
    page.keyboard.press("Enter")
    page.wait_for_selector(".chip:not(.mine):has-text('好')")
    arrived(page)
    expect(page.locator(".room")).not_to_contain_text("Drawn with")
    page.locator("#generate-top-p").press("ArrowLeft")
    expect(page.locator(".room")).to_contain_text("Drawn with top-p 0.99.")
    page.fill("#generate-seed", "77")
    page.keyboard.press("Tab")
    page.click("#generate-step")
    page.wait_for_function("new URL(location).searchParams.has('gen_path')")
    page.locator(".choice").nth(4).click()
    page.click("#generate-step")
    page.wait_for_timeout(300)
    page.locator("#generate-checkpoint").press("ArrowLeft")
    page.wait_for_function("new URL(location).searchParams.get('gen_step') === '0'")
    arrived(page)
    state = address(page)
    assert state["prompt"] == "Hello, 你好"
    assert state["gen_seed"] == "77"
    assert state["gen_top_p"] == "0.99"
    again = open_view(run, query=urlsplit(page.url).query)
    assert strip(again) == strip(page)
    assert address(again) == state
    for name in ("seed", "top-p", "checkpoint"):
        assert again.input_value(f"#generate-{name}") == page.input_value(f"#generate-{name}")


def test_an_older_model_says_so_and_leads_to_the_newest(open_view: Open, run: Run) -> None:
    page = open_view(run)
    newest = page.locator("#generate-newest")
    expect(newest).to_be_hidden()
    page.locator("#generate-checkpoint").press("ArrowLeft")
    arrived(page, step=0)
    expect(page.locator(".field .hint")).to_contain_text("step 0 of 5")
    newest.click()
    arrived(page, step=5)
    expect(newest).to_be_hidden()


def test_a_link_that_cannot_be_says_so_and_still_shows_a_text(open_view: Open, run: Run) -> None:
    page = open_view(run, query="prompt=Zo%C3%AB")
    expect(page.locator(".message")).to_contain_text("'Z' (U+005A)")
    assert page.input_value("#generate-prompt") == "Zoë"
    assert page.locator(".choice").count() > 10


def test_another_run_is_followed(open_view: Open, run: Run, task: Run) -> None:
    page = open_view(run)
    page.click("#generate-step")
    page.evaluate("(run) => { props.run = run; watched.run(); }", task.id)
    page.wait_for_selector(".verdict:visible")
    arrived(page)
    assert re.search(r"Right answer: \d+", page.inner_text(".verdict"))
    assert page.locator(".message").inner_text() == ""
    assert "prompt" not in address(page)


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone(open_view: Open, run: Run, dark: bool) -> None:
    page = open_view(run, width=390, dark=dark)
    for _ in range(12):
        page.click("#generate-step")
    arrived(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_figures_and_their_data_can_be_saved(open_view: Open, run: Run) -> None:
    page = open_view(run)
    bars = page.locator(".tp-save")
    saved: dict[str, str] = {}
    for i in range(bars.count()):
        for button in bars.nth(i).get_by_role("button").all():
            with page.expect_download() as download:
                button.click()
            path = download.value.path()
            saved[download.value.suggested_filename] = path.read_bytes()[:4].hex()
            if download.value.suggested_filename == "next-token.csv":
                lines = path.read_text("utf-8-sig").splitlines()
                assert lines[0] == "id,token,model,settings,removed by"
    assert {name.partition(".")[0] for name in saved} == {
        "next-token", "branches", "cache", "cache-cost",
    }  # fmt: skip
    assert {name.partition(".")[2] for name in saved} == {"png", "svg", "csv"}
    assert all(start == "89504e47" for name, start in saved.items() if name.endswith("png"))
