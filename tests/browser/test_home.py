"""The first screen: it writes by itself, in words, until the visitor takes over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from playground.tabs.home.server import GUESSES
from tests.browser.conftest import Open, Watched, too_wide
from tests.tools import first_screen

pytestmark = pytest.mark.browser

ENDS = """() => {
  const fetched = window.fetch;
  window.fetch = async (...sent) => {
    const answer = await fetched(...sent);
    if (!String(sent[0]).includes("component_server")) return answer;
    const read = await answer.clone().json().catch(() => null);
    if (!read?.guesses) return answer;
    read.guesses = [{ piece: "\\n\\n", share: 1 }];
    return new Response(JSON.stringify(read), { headers: { "Content-Type": "application/json" } });
  };
}"""
"""From now on every next word is the end of the story."""

LATE = """() => {
  const fetched = window.fetch;
  const gate = new Promise((open) => (window.answerNow = open));
  window.fetch = async (...sent) => {
    const answer = await fetched(...sent);
    if (String(sent[0]).includes("component_server")) await gate;
    return answer;
  };
}"""
"""From now on the server's answers wait for `answerNow()`."""

TYPED_AND_PRESSED = """([text, button]) => {
  const box = document.querySelector("#home-text");
  box.focus();
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  document.querySelector(button).click();
}"""
"""Faster than any pause that the view waits for."""

BROKEN = """() => {
  const words = [...document.querySelectorAll(".home .word")];
  return words.filter((node, i) => i && node.offsetTop > words[i - 1].offsetTop + 5)
    .filter((node) => /^[，。！？：；”.,!?]/.test(node.textContent) || /“$/.test(words[words.indexOf(node) - 1].textContent))
    .map((node) => node.textContent);
}"""
"""The words that begin a line and should not."""

Shoot = Callable[[Page, str], None]

HOME = Watched(".home")


def ready(page: Page) -> None:
    HOME.until(page, "d.ready === 'true'")


def tokens(page: Page) -> int:
    return int(HOME.value(page, "tokens"))


def stopped(page: Page) -> None:
    """It no longer writes: two words' time passes, and the sentence is the same."""
    expect(HOME.root(page)).to_have_attribute("data-writing", "false")
    before = HOME.value(page, "text")
    page.wait_for_timeout(2500)
    assert HOME.value(page, "text") == before


def test_it_writes_by_itself_until_it_is_paused(open_page: Open, shoot: Shoot) -> None:
    page = open_page("")
    ready(page)
    expect(page.locator("#tab-home-button")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tour")).to_have_count(0)
    before = tokens(page)
    HOME.until(page, "Number(d.tokens) >= a", before + 3)
    assert HOME.value(page, "text").startswith("Once upon a time")
    expect(page.locator(".home .lines path").first).to_be_attached()
    expect(page.locator(".home .guesses li")).to_have_count(GUESSES)
    expect(page.locator(".home .strip")).to_have_count(3)
    shoot(page, "home")
    page.locator("#home-play").click()
    stopped(page)
    page.locator("#home-play").click()
    HOME.until(page, "Number(d.tokens) > a", tokens(page))


def test_a_first_visit_loads_no_lessons(open_page: Open) -> None:
    """Nor their scripts, which the coach would need: it is on every page, and opens with an experiment."""
    page = open_page("")
    parts = """() => performance.getEntriesByType("resource")
      .map(({ name }) => name.match(/parts\\/(\\w+)-/)?.[1]).filter(Boolean)"""
    ready(page)
    page.wait_for_function(f"() => ({parts})().includes('coach')")
    assert "lessons" not in page.evaluate(parts)
    page.locator("#tab-learn-button").click()
    page.wait_for_selector(".learn[data-ready=true]")
    assert page.evaluate(parts).count("lessons") == 1


def test_the_first_screen_has_few_numbers_and_terms(open_page: Open) -> None:
    page = open_page("")
    ready(page)
    page.locator("#home-play").click()
    numbers, terms = first_screen.counted(page)
    assert GUESSES <= len(numbers) <= 12, " ".join(numbers)
    assert 1 <= len(terms) <= 8, ", ".join(terms)


def test_typing_stops_it_and_is_looked_at(open_page: Open) -> None:
    page = open_page("")
    ready(page)
    page.locator("#home-text").click()
    page.keyboard.type("One night the zebra")  # over the sentence that stood there
    HOME.until(page, "d.text === 'One night the zebra'")
    stopped(page)
    expect(page.locator(".home .word.unknown")).to_have_count(len(" zebra"))
    expect(page.locator(".home .note")).to_contain_text("“zebra”")
    page.keyboard.press("Enter")
    HOME.until(page, "d.writing === 'true' && d.text.length > a", len("One night the zebra"))


@pytest.mark.parametrize("button", ["#home-play", ".home .guesses button", ".home .word"])
def test_what_is_typed_counts_whatever_is_pressed_next(open_page: Open, button: str) -> None:
    page = open_page("")
    ready(page)
    page.locator("#home-play").click()
    page.evaluate(TYPED_AND_PRESSED, ["One night the fox", button])
    HOME.until(page, "d.text.startsWith('One night the fox')")
    if button == "#home-play":
        HOME.until(page, "d.writing === 'true' && d.text.length > a", len("One night the fox"))


def test_what_is_typed_leads_on_to_the_other_tabs(open_page: Open) -> None:
    page = open_page("?lang=en")
    ready(page)
    page.locator("#home-play").click()
    page.evaluate(TYPED_AND_PRESSED, ["One night the fox", "#home-inside"])
    page.wait_for_selector(".inside[data-ready=true]")
    expect(page.locator("#inside-text")).to_have_value("One night the fox")


def test_an_answer_that_comes_late_does_not_take_the_box(open_page: Open) -> None:
    """A guess is clicked, and its answer comes while the visitor types."""
    page = open_page("")
    ready(page)
    page.locator("#home-play").click()
    before = HOME.value(page, "text")
    page.evaluate(LATE)
    page.locator(".home .guesses button").first.click()
    page.locator("#home-text").click()
    page.keyboard.type("One night ")
    page.evaluate("answerNow()")
    page.keyboard.type("the fox")
    expect(page.locator("#home-text")).to_be_focused()
    expect(page.locator("#home-text")).to_have_value("One night the fox")
    HOME.until(page, "d.text === 'One night the fox'")
    assert before not in page.locator("#home-text").input_value()


def test_a_spelled_word_is_named_whole(open_page: Open) -> None:
    """Not by the letters that attention looks at; and one word is no "they"."""
    page = open_page("")
    ready(page)
    page.evaluate(TYPED_AND_PRESSED, ["The small zebra slept", ".home .word"])
    HOME.until(page, "d.text === 'The small zebra slept'")
    expect(page.locator(".home .note")).to_contain_text("it makes little sense")
    page.locator(".home .word").last.click()
    caption = page.locator(".home .story > .caption")
    expect(caption).to_contain_text("“slept” looks back at “zebra”")
    assert all(len(word.strip("“”.")) != 1 for word in caption.locator("b").all_inner_texts())


def test_a_space_of_its_own_is_a_space(open_page: Open) -> None:
    """In the sentence it is not the words “a space”, as in the list of guesses; but it has this name."""
    page = open_page("?lang=en")
    ready(page)
    page.evaluate(TYPED_AND_PRESSED, ['Tom was sad. "Where is it', ".home .word"])
    HOME.until(page, "d.text.startsWith('Tom was sad. \"Where is it')")
    expect(page.locator(".home .word[aria-label='a space']")).not_to_have_count(0)
    expect(page.locator(".home .word", has_text="a space")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "从前，有一只小兔，它很忙。“你好！”小兔说：“我在看花。”小熊笑了，小兔也笑了。"),
        (
            "en",
            'Once upon a time, a zebra met a fox. The fox said, "I am hungry!" So they ate, and slept.',
        ),
    ],
)
def test_no_line_begins_with_a_mark(open_page: Open, language: str, text: str) -> None:
    """However wide the page is; nor does a line end with an opening mark."""
    page = open_page(f"?lang={language}")
    ready(page)
    page.locator("#home-play").click()
    page.evaluate(TYPED_AND_PRESSED, [text, ".home .word"])
    HOME.until(page, "d.text === a", text)
    for width in range(360, 500, 7):
        page.set_viewport_size({"width": width, "height": 900})
        assert not page.evaluate(BROKEN), width
    assert not too_wide(page)


def test_every_layer_says_what_it_looks_back_at(open_page: Open) -> None:
    page = open_page("")
    ready(page)
    HOME.until(page, "Number(d.tokens) >= 8")
    page.locator("#home-play").click()
    rows = page.locator(".home .passage li p")
    assert rows.count() == 3
    expect(rows.nth(1)).to_contain_text("First, attention looks back")
    expect(rows.nth(2)).to_contain_text("Then it looks back again")
    expect(page.locator("#home-guesses")).to_have_text("Its guesses for what comes next")


def test_it_says_early_that_it_loads(browser: Browser, address: str) -> None:
    """Before any script of a view is there, and in one language."""
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.route("**/parts/home-*.js", lambda _: None)  # it does not come
    page.goto(address)
    expect(page.locator(".home .wait.zh")).to_be_visible()
    expect(page.locator(".home .wait.en")).to_be_hidden()
    context.close()


def test_ones_own_story_ends_with_its_own_ending(open_page: Open) -> None:
    """No other story takes its place, and it can be written again from its beginning."""
    page = open_page("")
    ready(page)
    page.locator("#home-text").click()
    page.keyboard.type("One night the fox slept")
    HOME.until(page, "d.text === 'One night the fox slept'")
    expect(page.locator("#home-play")).to_have_text("Let it write")
    page.evaluate(ENDS)
    page.locator("#home-play").click()
    expect(page.locator("#home-play")).to_have_text("Write it again")
    stopped(page)
    assert HOME.value(page, "text").startswith("One night the fox slept")
    page.locator("#home-play").click()
    HOME.until(page, "d.writing === 'true' && d.text === 'One night the fox slept'")


def test_a_guess_and_a_word_are_clicked(open_page: Open) -> None:
    page = open_page("")
    ready(page)
    page.locator("#home-play").click()
    before = HOME.value(page, "text")
    guess = page.locator(".home .guesses button").nth(1)
    word = guess.locator(".guess").inner_text()
    guess.click()
    HOME.until(page, "d.text !== a", before)
    assert HOME.value(page, "text").removeprefix(before).strip() == word
    page.locator(".home .word").nth(3).click()
    expect(HOME.root(page)).to_have_attribute("data-query", "3")
    expect(page.locator(".home .word").nth(3)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(HOME.root(page)).to_have_attribute("data-query", "2")
    stopped(page)


def test_it_rests_while_another_tab_is_open_and_back_leads_to_it(open_page: Open) -> None:
    page = open_page("")
    ready(page)
    page.locator("#tab-learn-button").click()
    before = HOME.value(page, "text")
    page.wait_for_timeout(2500)
    assert len(HOME.value(page, "text")) <= len(before) + 20  # one word may have been on its way
    page.locator("#tab-train-button").click()
    page.wait_for_url("**tab=train**")
    for name in ("learn", "home"):
        page.go_back()
        expect(page.locator(f"#tab-{name}-button")).to_have_attribute("aria-selected", "true")
    page.go_forward()
    expect(page.locator("#tab-learn-button")).to_have_attribute("aria-selected", "true")


def test_its_ways_lead_on_with_the_sentence(open_page: Open) -> None:
    page = open_page("?tab=home&lang=en")
    ready(page)
    page.locator("#home-play").click()
    stopped(page)  # one word may have been on its way
    text = HOME.value(page, "text")
    page.locator("#home-inside").click()
    page.wait_for_selector(".inside[data-ready=true]")
    expect(page.locator("#inside-text")).to_have_value(text)
    page.locator("#tab-home-button").click()
    page.locator("#home-train").click()
    page.wait_for_selector(".configure[data-answered]")
    page.wait_for_selector("#model .picture svg")
    page.locator("#tab-home-button").click()
    page.locator("#home-learn").click()
    expect(page.locator("#tab-learn-button")).to_have_attribute("aria-selected", "true")


def test_its_ways_lead_on_with_the_sentence_again(open_page: Open) -> None:
    """Also to a tab that was open before, with another text."""
    page = open_page("?tab=generate&prompt=Mia&lang=en")
    page.wait_for_selector(".generate[data-ready=true]")
    page.locator("#tab-inside-button").click()
    page.wait_for_selector(".inside[data-ready=true]")
    page.locator("#tab-home-button").click()
    ready(page)
    page.locator("#home-text").click()
    page.keyboard.type("One day the small fox")
    HOME.until(page, "d.text === 'One day the small fox'")
    page.locator("#home-inside").click()
    expect(page.locator("#inside-text")).to_have_value("One day the small fox")
    page.locator("#tab-home-button").click()
    page.locator("#home-generate").click()
    expect(page.locator("#generate-prompt")).to_have_value("One day the small fox")


@pytest.fixture
def visitor(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """A first visit with a browser of one's own."""
    contexts = []

    def visit(query: str = "", **options: object) -> Page:
        context = browser.new_context(**options)  # pyright: ignore[reportArgumentType]
        contexts.append(context)
        page = context.new_page()
        page.goto(address + query)
        return page

    yield visit
    for context in contexts:
        context.close()


def test_a_chinese_visitor_meets_chinese_stories(visitor: Callable[..., Page]) -> None:
    page = visitor(locale="zh-CN")
    ready(page)
    assert HOME.value(page, "text").startswith("从前")
    HOME.until(page, "Number(d.tokens) >= 6")
    expect(page.locator("#home-train")).to_have_text("训练你自己的模型")
    page.locator("#home-inside").click()
    page.wait_for_selector(".inside[data-run=stories-zh]")
    page.locator("#tab-generate-button").click()
    page.wait_for_selector(".generate[data-ready=true]")
    expect(page.locator("#generate-prompt")).to_have_value(re.compile("[\u4e00-\u9fff]"))
    page.locator("#tab-tokens-button").click()
    expect(page.locator(".tokens textarea").first).to_have_value(re.compile("[\u4e00-\u9fff]"))
    page.locator("#tab-train-button").click()
    expect(page.locator(".header")).to_have_attribute("data-run", "stories-zh")
    expect(page.locator("#card-stories-zh")).to_be_checked()
    expect(page.locator("#run-name")).to_have_text("小故事")
    expect(page.locator(".live .status")).to_have_text("✓已完成")
    assert "preset=" not in page.url


def test_nothing_moves_for_who_wants_no_motion(visitor: Callable[..., Page]) -> None:
    page = visitor(reduced_motion="reduce", locale="en-US")
    ready(page)
    stopped(page)
    assert tokens(page) == 4
    page.locator("#home-play").click()
    HOME.until(page, "Number(d.tokens) >= 5")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_on_a_phone_it_is_one_column(open_page: Open, shoot: Shoot, language: str) -> None:
    page = open_page(f"?lang={language}", width=390, height=844)
    ready(page)
    HOME.until(page, "Number(d.tokens) >= 8")
    page.locator("#home-play").click()
    assert too_wide(page) == []
    own, guesses = (page.locator(part).bounding_box() for part in (".home .own", ".home .guesses"))
    assert own and guesses and abs(own["x"] - guesses["x"]) < 2
    assert guesses["y"] + guesses["height"] <= 844  # on the first screen
    shoot(page, f"home-phone-{language}")
    word = {"en": "small ", "zh": "小兔"}[language]
    page.locator("#home-text").fill(40 * word)  # a long story takes no more room
    HOME.until(page, "Number(d.tokens) >= 40")
    assert page.locator(".home .guesses").bounding_box() == guesses
    expect(page.locator(".home .word").last).to_be_in_viewport()
