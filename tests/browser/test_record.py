"""What the tab Learn keeps for a learner: terms and their definitions, cards that come back, the record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from playground.tabs.learn import lessons, record, server
from tests.browser.conftest import too_wide

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]

DONE = "softmax"
STEPS: dict[str, dict[str, object]] = {
    str(i): {"done": True} for i in range(len(lessons.lesson(DONE, "en").steps))
}


def predictions() -> tuple[str, list[record.Prediction]]:
    """A lesson with two predictions, and these."""
    sheet = record.questions("en")
    assert "lessons" in sheet
    return next(
        (each["name"], each["predictions"])
        for each in sheet["lessons"]
        if len(each["predictions"]) > 1
    )


def remember(page: Page) -> None:
    """A finished lesson, a prediction that came true, and one that is still open."""
    name, (first, second, *_) = predictions()
    result = {"value": 0.5, "right": 1, "measure": "accuracy", "run": None}
    progress: dict[str, dict[str, dict[str, object]]] = {
        DONE: STEPS,
        name: {
            str(first["step"]): {"predicted": 1},
            str(second["step"]): {"predicted": 0},
        },
    }
    progress[name].setdefault(str(first["decided"]), {})["result"] = result
    page.evaluate(
        "([key, text]) => localStorage.setItem(key, text)",
        ["transformer-playground-lessons", json.dumps(progress)],
    )
    page.reload()
    page.wait_for_selector(".learn[data-ready=true]")


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("zh", 390)])
def test_cards_and_the_record_from_one_browser_to_another(
    open_page: Open, tmp_path: Path, language: str, width: int
) -> None:
    page = open_page(f"?tab=learn&lang={language}", width=width)
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector(".learn[data-ready=true]")
    expect(page.locator(".learn .tp-button.primary:visible")).to_have_count(
        1
    )  # nothing competes with it
    expect(page.locator("#review")).to_have_attribute("data-due", "0")
    remember(page)

    path = server.path("en")
    assert "lessons" in path
    ids = next(each["questions"] for each in path["lessons"] if each["name"] == DONE)
    expect(page.locator("#review")).to_have_attribute("data-due", str(len(ids)))
    page.locator("#review-start").click()
    for number, block in enumerate(
        block
        for step in lessons.lesson(DONE, language).steps
        for block in step.blocks
        if block["kind"] in lessons.ASKED
    ):
        card = page.locator(f".tp-flashcard[data-id='{ids[number]}']")
        expect(card).to_be_visible()
        expect(page.locator("#review-next")).to_be_hidden()
        if block["kind"] == "quiz":  # by the keyboard alone; the first one is answered wrong
            right = [option["right"] for option in block["options"]].index(True)
            page.keyboard.press(str((right if number else (right + 1) % 2) + 1))
            expect(page.locator("#review-next")).to_be_visible()
            page.keyboard.press("Enter")
        else:
            page.keyboard.type(str(block["value"]))
            page.keyboard.press("Enter")
            expect(page.locator("#review-next")).to_be_focused()
            page.keyboard.press("Enter")
    expect(page.locator("#review")).to_have_attribute("data-due", "0")
    expect(page.locator("#review h2")).to_be_focused()

    page.locator(".top a[href='#record']").click()
    rows = page.locator("#record tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("✓")
    expect(rows.last).not_to_contain_text("✓")
    expect(page.locator("#record .sums li").nth(1)).to_contain_text("1")
    page.locator("#record-name").fill("Ada <b>| L")
    saved: dict[str, str] = {}
    for button in ("json", "markdown"):
        with page.expect_download() as download:
            page.locator(f"#record-{button}").click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        saved[path.suffix] = path.read_text("utf-8")
    assert (
        "Ada \\<b\\>\\| L" in saved[".md"] and saved[".md"].count("| --- | --- | --- | --- |") == 1
    )
    assert len(json.loads(saved[".json"])["cards"]) == len(ids)

    page.evaluate("window.print = () => {}")
    page.locator("#record-print").click()
    page.emulate_media(media="print")
    expect(page.locator(".tp-paper table")).to_be_visible()
    expect(page.locator(".learn")).to_be_hidden()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".tp-paper")).to_have_count(0)
    assert too_wide(page) == []

    page.locator("#record-clear").click()
    page.locator("#record-sure").click()
    expect(rows).to_have_count(0)
    page.locator("#record-file").set_input_files(next(tmp_path.glob("*.md")))
    expect(page.locator("#record .said")).to_contain_text("JSON")
    page.locator("#record-file").set_input_files(next(tmp_path.glob("*.json")))
    expect(rows).to_have_count(2)


@pytest.mark.parametrize(
    ("language", "word", "width"), [("en", "vector", 1440), ("zh", "向量", 390)]
)
def test_a_term_opens_its_definition_and_the_glossary_finds_it(
    open_page: Open, language: str, word: str, width: int
) -> None:
    page = open_page(f"?tab=learn&read=softmax&lang={language}", width=width)
    page.wait_for_selector(".reading[data-ready=true]")
    term = page.locator(".tp-term", has_text=word).first
    line = "node => node.closest('p').getBoundingClientRect().height"
    height = term.evaluate(line)
    definition = page.locator(".tp-definition")
    term.focus()
    expect(definition).to_contain_text(word)
    assert term.evaluate(line) == height  # the text stays where it is
    box, size = definition.bounding_box(), page.viewport_size
    assert box and size and box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
    page.keyboard.press("Tab")
    expect(definition.locator("a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(definition).to_have_count(0)
    expect(term).to_be_focused()
    term.hover()
    expect(definition).to_be_visible()
    page.mouse.move(0, 0)
    expect(definition).to_have_count(0)
    assert too_wide(page) == []

    page.goto(f"{page.url.split('?')[0]}?tab=learn&lang={language}")
    page.locator(".top a[href='#glossary']").click()
    page.locator("#glossary-search").fill(word)
    expect(page.locator("#glossary dl > div:visible").first).to_contain_text(word)
    page.locator("#glossary-search").fill("xyzzy")
    expect(page.locator("#glossary dl > div:visible")).to_have_count(0)
    assert too_wide(page) == []
