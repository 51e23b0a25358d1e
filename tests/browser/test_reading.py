"""The lessons that are read, in Chromium: each walked wrong and right, in both languages, wide and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from playground.page.views import ROOT
from playground.tabs.learn import game, lessons, notebooks
from playground.tabs.learn.lesson.file_format import Step
from tests.browser.conftest import Opener, Watched, too_wide
from tests.browser.test_accessibility import AXE, LOOK

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

READING = Watched(".reading")
GAME = Watched(".tp-game")
SCREENS = {"en": (1440, "light"), "zh": (390, "dark")}
SAID = {"en": ("Right.", "Not quite."), "zh": ("正确。", "不对。")}


def opened(open_page: Open, query: str, language: str = "en") -> Page:
    width, scheme = SCREENS[language]
    return open_page(f"?{query}&lang={language}", width=width, scheme=scheme)


def plain(spans: list[list[str]]) -> str:
    return "".join(text for _, text in spans)


def answer_quiz(node: Locator, block: dict[str, Any], language: str) -> None:
    """Press every wrong answer, and then the right one: each is explained, and only the right one solves it."""
    right, wrong = SAID[language]
    order = sorted(range(len(block["options"])), key=lambda i: block["options"][i]["right"])
    for i in order:
        option = block["options"][i]
        assert node.get_attribute("data-solved") is None
        node.locator(".option").nth(i).click()
        said = f"{right if option['right'] else wrong} {plain(option['why'])}"
        expect(node.locator(".why").nth(i)).to_have_text(said)
    expect(node).to_have_attribute("data-solved", "true")


def rounded(number: dict[str, Any]) -> str:
    """A number as a learner types it, with the decimals that are asked for."""
    decimals = max(0, len(f"{number['tolerance']:g}") - 2)
    return f"{number['value']:.{decimals}f}"


def answer_exercise(node: Locator, block: dict[str, Any], language: str) -> None:
    """Type no number, a number that nobody expects, each known mistake, and what is right."""
    right, wrong = SAID[language]
    field, why = node.locator("input"), node.locator(".why")
    for text in ("", "x", "1234567"):
        field.fill(text)
        field.press("Enter")
        expect(why).not_to_be_empty()
        assert right not in why.inner_text()
    help_below = node.locator("xpath=following-sibling::*[1]/summary").inner_text()
    assert help_below.lower() in why.inner_text()  # what is offered is there, and stands next
    for mistake in block["wrong"]:
        field.fill(rounded(mistake).replace("-", "−"))
        node.locator("button").click()
        expect(why).to_have_text(f"{wrong} {plain(mistake['why'])}")
    assert node.get_attribute("data-solved") is None
    field.fill(rounded(block).replace(".", ","))  # as some write it
    field.press("Enter")
    expect(why).to_have_text(right)
    expect(node).to_have_attribute("data-solved", "true")


BARS = """(root) => [...document.querySelectorAll(`${root} .track`)].map((track) =>
  [track, track.firstChild].map((node) => node.getBoundingClientRect().width))"""
"""How wide each bar and the track below it are drawn, in pixels: [track, bar]."""


def play(page: Page) -> None:
    """Guess all characters of a text, rightly and wrongly, more and less surely."""
    for number in range(game.ASKED):
        page.wait_for_selector(f".tp-game[data-state=ask][data-at='{number}']")
        if number == 0:
            page.locator("#guess-sure-1").click()
            expect(page.locator(".tp-game .said")).not_to_be_empty()  # a character first
            page.locator("#guess-character").fill("ß")
            page.locator("#guess-sure-1").click()
            expect(page.locator(".tp-game .said")).to_contain_text("ß")
        page.locator("#guess-character").fill("的" if page.evaluate("tp.language") == "zh" else "e")
        page.locator(f"#guess-sure-{number % 3}").click()
        GAME.until(page, "d.guesses === a", str(number + 1))
        expect(page.locator(".tp-game .scores tr")).to_have_count(5)
        seen = page.evaluate(BARS, ".tp-game .scores")
        paid = [
            float(row.get_attribute("data-bits") or "") for row in page.locator(".scores tr").all()
        ]
        assert min(track for track, _ in seen) > 80
        for (track, bar), bits in zip(seen, paid, strict=True):
            assert bar == pytest.approx(track * bits / max(paid), abs=1)
        if number < game.ASKED - 1:
            page.keyboard.press("Enter")  # the button to go on has the focus
    GAME.until(page, "d.state === 'over'")


def answer_questions(part: Locator, step: Step, language: str) -> None:
    """Answer all quizzes and exercises of a section, wrong and then right."""
    asked = part.locator(":is([data-question=quiz], [data-question=exercise])")
    questions = [block for block in step.blocks if block["kind"] in ("quiz", "exercise")]
    expect(asked).to_have_count(len(questions))
    for i, block in enumerate(questions):
        answer = answer_quiz if block["kind"] == "quiz" else answer_exercise
        answer(asked.nth(i), block, language)


UNSEEN_SCROLLING = """() => [...document.querySelectorAll(".reading pre")]
  .filter((box) => !(getComputedStyle(box).backgroundAttachment.match(/local/g)?.length >= 4))
  .map((box) => box.ariaLabel)"""
"""Boxes of code without a shadow at the ends where there is more of it."""

LESSONS = [(name, lessons.LANGUAGES[i % 2]) for i, name in enumerate(lessons.names())]
"""All lessons, in English and Chinese by turns; `test_a_walk_through_a_lesson` reads each in both."""


@pytest.fixture(scope="module")
def readers(browser: Browser, address: str) -> Iterator[tuple[Opener, dict[str, Page]]]:
    """One reader in each language, who reads one lesson after another."""
    opener = Opener(browser, address)
    yield opener, {}
    opener.close()


@pytest.fixture
def list_of_lessons(readers: tuple[Opener, dict[str, Page]]) -> Iterator[Callable[[str], Page]]:
    """The page of a language's reader, at the list of lessons: opened at first, and if a test has left it elsewhere."""
    opener, pages = readers

    def at_the_list(language: str) -> Page:
        if language not in pages or not pages[language].locator(".learn").is_visible():
            pages[language] = opened(opener, "tab=learn", language)
        return pages[language]

    opener.errors.clear()
    yield at_the_list
    assert not opener.errors


@pytest.mark.parametrize(("name", "language"), LESSONS)
def test_a_lesson_is_read_wrong_and_right(
    list_of_lessons: Callable[[str], Page], shoot: Shoot, name: str, language: str
) -> None:
    page = list_of_lessons(language)
    page.locator(f"#learn-{name}").click()
    page.wait_for_selector(f".reading[data-lesson='{name}'][data-ready=true]")
    expect(page.locator(".learn")).to_be_hidden()
    found = lessons.lesson(name, language)
    expect(page.locator(".reading h2")).to_have_text(found.title)
    assert too_wide(page) == []
    assert all(track > 30 for track, _ in page.evaluate(BARS, ".reading"))
    assert page.evaluate(UNSEEN_SCROLLING) == []
    shoot(page, f"reading-{name}-{language}")
    parts = page.locator(".reading .part")
    expect(parts).to_have_count(len(found.steps))
    for number, step in enumerate(found.steps):
        part = parts.nth(number)
        answer_questions(part, step, language)
        if any(block["kind"] == "game" for block in step.blocks):
            play(page)
        for option in part.locator("[data-question=predict] .option").all():
            option.click()  # a prediction can be changed until its run has ended
            expect(option).to_have_attribute("aria-pressed", "true")
        part.locator(".section-end").scroll_into_view_if_needed()
    waiting = sum(bool(step.until or step.measure) for step in found.steps)  # walks do these
    expect(page.locator(".tp-experiment.asks")).to_have_count(waiting)
    READING.until(page, "Number(d.done) + a === Number(d.sections)", waiting)
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(LOOK, [False, False]) == []
    assert too_wide(page) == []
    page.locator(".reading .back:visible").first.click()
    expect(page.locator(".reading")).to_be_hidden()
    count = len(found.steps)
    done = {
        "en": f"{count - waiting} of {count} sections done",
        "zh": f"已完成 {count - waiting}/{count} 节",
    }
    if not waiting:
        done = {"en": "✓ done", "zh": "✓ 已完成"}
    card = page.locator("li", has=page.locator(f"#learn-{name}"))
    expect(page.locator(f"#learn-{name}")).to_be_in_viewport()  # back where one came from
    expect(card).to_contain_text(done[language])


def test_what_was_solved_stays_solved(open_page: Open) -> None:
    """After a reload, a question shows its right answer, also one that was wrong at first; a cleared record asks it
    again."""
    page = opened(open_page, "tab=learn&read=softmax")
    steps = lessons.lesson("softmax", "en").steps
    at = next(
        i for i, s in enumerate(steps) if {"quiz", "exercise"} <= {b["kind"] for b in s.blocks}
    )
    part = page.locator(f".reading .part[data-section='{at}']")
    answer_questions(part, steps[at], "en")
    page.reload()
    asked = part.locator(".tp-question")
    right = [
        option["right"] for b in steps[at].blocks if b["kind"] == "quiz" for option in b["options"]
    ]
    options = part.locator("[data-question=quiz] .option")
    expect(options).to_have_count(len(right))
    for option, good in zip(options.all(), right, strict=True):
        expect(option).to_have_attribute("aria-pressed", str(good).lower())
    for question in asked.all():
        expect(question).to_have_attribute("data-solved", "true")
        expect(question.locator(".why:not(:empty)")).to_contain_text("Right.")
    exercise = next(b for b in steps[at].blocks if b["kind"] == "exercise")
    typed = float(asked.locator("input").first.input_value())
    assert typed == pytest.approx(exercise["value"], abs=exercise["tolerance"])
    page.locator("#reading-back").click()
    page.locator(".top a[href='#record']").click()
    page.locator("#record-clear").click()
    page.locator("#record-sure").click()
    page.locator("#learn-softmax").click()
    expect(asked).not_to_have_count(0)
    expect(part.locator("[data-solved]")).to_have_count(0)
    expect(page.locator(".reading nav li").nth(at)).not_to_have_class("done")


def test_what_else_there_is_to_read(open_page: Open, tmp_path: Path) -> None:
    """Papers and readings are links to other sites, in a window of their own; the notebook is saved."""
    page = opened(open_page, "tab=learn&read=positions", "zh")
    found = lessons.lesson("positions", "zh")
    links = page.locator(".reading footer a[target=_blank]")
    expect(links).to_have_text([each.text for each in found.papers + found.readings])
    for link, each in zip(links.all(), found.papers + found.readings, strict=True):
        expect(link).to_have_attribute("href", each.address)
        expect(link).to_have_attribute("rel", "noopener")
        expect(link).to_have_css("text-decoration-line", "underline")
    with page.expect_download() as download:
        page.locator(".reading footer a[download]").click()
    download.value.save_as(tmp_path / "saved.ipynb")
    assert (tmp_path / "saved.ipynb").read_bytes() == (
        ROOT / notebooks.path("positions", "zh")
    ).read_bytes()
    assert too_wide(page) == []


def test_sections_passed_in_one_jump_are_done(open_page: Open) -> None:
    """Whoever presses End has passed the ends of all sections, also of those that were never drawn."""
    name = "attention-by-hand"
    page = opened(open_page, f"tab=learn&read={name}")
    page.wait_for_selector(f".reading[data-lesson={name}][data-ready=true]")
    steps = lessons.lesson(name, "en").steps
    tasks = {"quiz", "exercise", "game"}
    without = sum(
        not (
            step.options
            or step.until
            or step.measure
            or tasks & {block["kind"] for block in step.blocks}
        )
        for step in steps
    )
    assert without > 1
    page.evaluate("scrollTo({ top: 1e7, behavior: 'instant' })")
    READING.until(page, "d.done === a", str(without))


def test_the_way_through_the_lessons_and_back(open_page: Open) -> None:
    """To the next lesson, back with the browser's button, to the list; and into a section that a link names."""
    first, second = lessons.names()[:2]
    page = opened(open_page, f"tab=learn&read={first}")
    page.wait_for_selector(f".reading[data-lesson={first}][data-ready=true]")
    page.locator("#reading-next").click()
    page.wait_for_selector(f".reading[data-lesson={second}][data-ready=true]")
    assert f"read={second}" in page.url
    page.go_back()
    page.wait_for_selector(f".reading[data-lesson={first}][data-ready=true]")
    page.locator("#reading-back").click()
    page.wait_for_selector(".learn[data-ready=true]:not([hidden])")
    assert "read=" not in page.url
    page.goto(f"{page.url.split('?')[0]}?tab=learn&lang=en&read={second}&at=4")
    expect(page.locator(".reading .part[data-section='3'] h3").first).to_be_focused()
    expect(page.locator(".reading .part[data-section='3'] h3").first).to_be_in_viewport()
    assert "at=" not in page.url


def test_a_link_to_no_lesson_leads_to_the_list(open_page: Open) -> None:
    page = opened(open_page, "tab=learn&read=<b>nothing</b>")
    page.wait_for_selector(".learn[data-ready=true]:not([hidden])")
    expect(page.locator(".reading")).to_be_hidden()


def test_a_lesson_that_does_not_come_is_asked_for_again(browser: Browser, address: str) -> None:
    """Who opened it is not sent back to the list without a word."""
    opener = Opener(browser, address)
    page = opened(opener, "tab=learn")
    page.locator("#learn-softmax").wait_for()
    page.route("**/gradio_api/component_server**", lambda route: route.abort())
    page.locator("#learn-softmax").click()
    expect(page.locator(".reading [role=alert]")).to_contain_text("does not answer")
    page.unroute_all()
    page.locator("#reading-retry").click()
    page.wait_for_selector(".reading[data-lesson=softmax][data-ready=true]")
    assert "read=softmax" in page.url
    opener.close()


DRAWN_TWICE = """() => {
  window.drawn = 0;
  new MutationObserver(() => {
    const node = document.querySelector(".reading h2");
    if (node && node !== window.last) window.drawn += 1;
    window.last = node;
  }).observe(document.querySelector(".reading"), { childList: true });
}"""


def test_a_lesson_that_is_asked_for_twice_is_drawn_once(open_page: Open) -> None:
    """A click on what would be drawn over would be lost."""
    page = opened(open_page, "tab=learn")
    page.locator("#learn-softmax").wait_for()
    page.evaluate(DRAWN_TWICE)
    page.evaluate("""() => {
      tp.lessons.read("softmax");
      document.dispatchEvent(new CustomEvent(tp.lessons.on.read));
    }""")
    page.wait_for_selector(".reading[data-lesson=softmax][data-ready=true]")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.drawn") == 1


def sheet(page: Page, name: str) -> Locator:
    return page.locator(f".tp-sheet[data-sheet={name}]").first


def test_numbers_follow_the_keyboard(open_page: Open, shoot: Shoot) -> None:
    """Every table to change: type, and the result is another; one button brings the first numbers back."""
    page = opened(open_page, "tab=learn&read=softmax")
    soft = sheet(page, "softmax")
    shares = soft.locator("tbody .share span:first-child")
    expect(shares).to_have_text(["0.665", "0.245", "0.090"])
    soft.locator("input[type=range]").fill("2")
    expect(shares).to_have_text(["0.506", "0.307", "0.186"])
    soft.locator("input[type=number]").nth(2).fill("2")
    expect(shares).to_have_text(["0.384", "0.233", "0.384"])
    soft.locator("input[type=range]").fill("0.2")
    soft.locator("input[type=number]").nth(0).fill("12")
    expect(soft.locator("tbody tr").first).to_contain_text("1.14 × 10²⁶")
    soft.locator("button").last.click()
    expect(shares).to_have_text(["0.665", "0.245", "0.090"])

    dot = sheet(page, "dot")
    expect(dot.locator(".tp-sheet-sum")).to_have_text("2 × 1 + 1 × 0 = 2")
    dot.locator("input").nth(3).fill("-2")
    expect(dot.locator(".tp-sheet-sum")).to_have_text("2 × 1 + 1 × −2 = 0")
    expect(dot.locator(".tp-sheet-note").first).to_contain_text("a right angle")
    tip = dot.locator("circle.tip.v2")
    tip.scroll_into_view_if_needed()
    box = tip.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 60)
    page.mouse.up()
    expect(dot.locator(".tp-sheet-sum")).not_to_have_text("2 × 1 + 1 × −2 = 0")
    shoot(page, "reading-softmax-changed")

    page.goto(f"{page.url.split('?')[0]}?tab=learn&lang=en&read=attention-by-hand")
    attention = sheet(page, "attention")
    weights = attention.locator("table").nth(1).locator("tbody .share span:first-child")
    expect(weights).to_have_text(["0.187", "0.768", "0.045"])
    expect(attention.locator("tfoot .strong")).to_have_text("(0.23, 0.81)")
    attention.locator("input[type=checkbox]").first.uncheck()
    expect(weights).to_have_text(["0.117", "0.867", "0.016"])
    attention.locator("input[type=radio]").first.check()
    expect(weights).to_have_text(["1.000", "0.000", "0.000"])
    attention.locator("button").click()
    expect(weights).to_have_text(["0.187", "0.768", "0.045"])

    page.goto(f"{page.url.split('?')[0]}?tab=learn&lang=en&read=gradient")
    step = sheet(page, "step")
    rows = step.locator("tbody tr")
    expect(rows).to_have_count(1)
    step.locator(".primary").click()
    expect(rows.last).to_contain_text("2.60")
    step.locator("input").nth(1).fill("0.3")  # another rate starts again
    expect(rows).to_have_count(1)
    expect(rows.last).to_contain_text("5.80")
    take, again = step.locator("button").nth(0), step.locator("button").nth(1)
    for _ in range(3):
        take.click()
    path = [
        point.split(",") for point in (step.locator(".way").get_attribute("points") or "").split()
    ]
    climb = [float(y) for _, y in path]
    assert (
        climb == sorted(climb, reverse=True) and len(set(climb)) == 4
    )  # the loss grows, and is seen to
    for _ in range(9):
        take.click()
    expect(take).to_be_disabled()
    expect(step.locator("[role=status]")).to_contain_text("12")
    expect(rows.first).to_contain_text("16.00")
    expect(rows.last).to_contain_text("13")
    again.click()
    expect(rows).to_have_count(1)
    expect(rows.last).to_contain_text("5.80")  # with the same rate
    expect(take).to_be_enabled()
    expect(step.locator("[role=status]")).to_be_empty()
    step.locator("input").nth(0).fill("2")
    expect(rows.last).to_contain_text("4.40")

    page.goto(f"{page.url.split('?')[0]}?tab=learn&lang=en&read=pieces")
    merges = sheet(page, "merges")
    merges.locator("button.primary").click()
    expect(merges.locator(".word").nth(1)).to_have_text("␣cat")
    expect(merges.locator(".word").nth(1).locator("code")).to_have_text(["␣", "c", "at"])
    merges.locator("input").fill("ab")
    expect(merges.locator("button.primary")).to_be_disabled()


BOXES = """() => [...document.querySelectorAll('input:is([type=checkbox], [type=radio])')].filter((box) => {
  const style = getComputedStyle(box);
  if (style.opacity === '0' || style.clipPath !== 'none' || style.appearance !== 'none') return false;
  const looks = () => ['backgroundColor', 'borderColor', 'boxShadow'].map((name) => style[name]).join();
  const looked = looks();
  box.checked = !box.checked;
  const alike = looks() === looked;
  box.checked = !box.checked;
  return alike;
}).map((box) => box.outerHTML)"""
"""Boxes that look alike whether they are ticked or not: not drawn by the browser, and without another style."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_boxes_show_whether_they_are_ticked(open_page: Open, shoot: Shoot, scheme: str) -> None:
    """In a lesson, in the list of lessons and in the form of a run."""
    page = open_page("?tab=learn&read=attention-by-hand&lang=en", scheme=scheme)
    page.emulate_media(reduced_motion="reduce")
    attention = sheet(page, "attention")
    expect(attention.locator("input[type=radio]")).to_have_count(3)
    expect(attention.locator("input[type=checkbox]")).to_have_count(2)
    assert page.evaluate(BOXES) == []
    for kind in ("radio", "checkbox"):
        box = attention.locator(f"input[type={kind}]").last
        ticked = box.screenshot()
        (attention.locator("input[type=radio]").first if kind == "radio" else box).click()
        page.mouse.move(0, 0)
        assert box.screenshot() != ticked
    shoot(page, f"boxes-{scheme}")
    page.goto(page.url.split("?")[0] + "?tab=learn&lang=en")
    page.wait_for_selector("#teach-only", state="attached")
    assert page.evaluate(BOXES) == []
    page.locator("#tab-train-button").click()
    page.wait_for_selector("form[data-answered]")
    expect(page.locator("input.switch").first).to_be_attached()
    assert page.evaluate(BOXES) == []


def test_parts_of_a_model_follow_the_keyboard(open_page: Open) -> None:
    """Heads, a rotation, a gate, a parameter count and a norm: type, and the result is another; reset brings it back."""
    page = opened(open_page, "tab=learn&read=attention")

    def changes(
        name: str, lesson: str, where: str, field: int, value: str, before: str, after: str
    ) -> None:
        if f"read={lesson}" not in page.url:
            page.goto(f"{page.url.split('?')[0]}?tab=learn&lang=en&read={lesson}")
        table = sheet(page, name)
        result = table.locator(where)
        expect(result).to_contain_text(before)
        table.locator("input").nth(field).fill(value)
        expect(result).to_contain_text(after)
        table.locator("button").last.click()
        expect(result).to_contain_text(before)

    changes(
        "heads", "attention", ".tp-sheet-sum", 4, "4", "(0.96, 0.02, 0.02, 0.96)", "(0.50, 0.50,"
    )
    changes("rotation", "positions", ".tp-sheet-sum", 5, "4", "q · k = 0.50", "q · k = 0.00")
    changes("gate", "block", "tfoot", 2, "1", "0.808", "3.001")
    changes("parameters", "block", "tfoot", 1, "128", "101,184", "267,904")
    changes("rms", "normalisation", ".tp-sheet-sum", 0, "-7", "RMS: 5.", "RMS: 6.08.")


def test_you_pay_what_you_said(open_page: Open) -> None:
    """The bits of the learner are those of the probability that was given; all others are served."""
    page = opened(open_page, "tab=learn&read=guess")
    page.wait_for_selector(".tp-game[data-state=ask]")
    answer = game.guess("en", 0)
    asked = answer["asked"][0]
    page.locator("#guess-character").fill(answer["text"][asked["place"]])
    page.locator("#guess-sure-2").click()
    GAME.until(page, "d.state === 'told'")
    bits = {
        row.get_attribute("data-who"): float(row.get_attribute("data-bits") or "nan")
        for row in page.locator(".tp-game .scores tr").all()
    }
    assert bits["you"] == pytest.approx(0.074, abs=1e-3)
    for who, probability in asked["probabilities"].items():
        assert 2 ** -bits[who] == pytest.approx(probability, abs=1e-3)


# The keyboard alone -----------------------------------------------------------------------------------

FOCUS = """(selector) => {
  const node = document.activeElement;
  const { outlineStyle, boxShadow } = getComputedStyle(node);
  const at = node.outerHTML.slice(0, 120);
  return [node.matches(selector), outlineStyle !== "none" || boxShadow !== "none", at];
}"""
"""Whether what has the focus is this, whether it is seen to have it, and what it is."""


def reach(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab, or Shift+Tab, until this has the focus."""
    passed: list[str] = []
    for _ in range(400):
        page.keyboard.press(key)
        there, seen, at = page.evaluate(FOCUS, selector)
        if there:
            assert seen, f"{selector} does not look focused"
            return
        passed.append(at)
    raise AssertionError(f"{selector} is never reached: {passed[-5:]}")


ANSWERED = {
    "numbers": ".tp-sheet",
    "quiz": "[data-question=quiz]",
    "exercise": "[data-question=exercise]",
    "hint": "[data-fold=hint]",
}
"""What can be changed, answered or opened, by the kind of its block."""


def answer_by_keyboard(page: Page, section: int, step: Step) -> None:
    """Change a number, answer all questions and open all hints of a section, in their order."""
    for kind, node in ANSWERED.items():
        nodes = page.locator(f".part[data-section='{section}'] {node}").all()
        for block, each in zip([b for b in step.blocks if b["kind"] == kind], nodes, strict=True):
            each.evaluate(
                "(node, id) => (node.id = id)", f"asked-{section}-{step.blocks.index(block)}"
            )
    for number, block in enumerate(step.blocks):
        here = f"#asked-{section}-{number}"
        node = page.locator(here)
        match block["kind"]:
            case "numbers":
                reach(page, f"{here} input[type=number]")
                before = node.inner_text()
                page.keyboard.press("ArrowUp")
                expect(node).not_to_have_text(before, use_inner_text=True)
            case "quiz":
                for i in range(len(block["options"])):
                    reach(page, f"{here} .option:nth-of-type({i + 1})")
                    page.keyboard.press(("Space", "Enter")[i % 2])
                    expect(node.locator(".why").nth(i)).not_to_be_empty()
                expect(node).to_have_attribute("data-solved", "true")
            case "exercise":
                reach(page, f"{here} input")
                page.keyboard.type(rounded(block))
                page.keyboard.press("Enter")
                expect(node).to_have_attribute("data-solved", "true")
            case "hint":
                reach(page, f"{here} > summary")
                page.keyboard.press("Space")
                expect(node).to_have_attribute("open", "")
            case _:
                pass


@pytest.mark.parametrize(("name", "language"), [("softmax", "en"), ("attention", "zh")])
def test_a_lesson_is_done_by_the_keyboard_alone(open_page: Open, name: str, language: str) -> None:
    """Opened, answered, predicted, an experiment done on its tab, and back to the section it belongs to."""
    page = open_page(f"?tab=learn&lang={language}")
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector(".learn[data-ready=true]")
    reach(page, f"#learn-{name}")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".reading[data-lesson='{name}'][data-ready=true]")
    expect(page.locator(".reading h2")).to_be_focused()
    for number, step in enumerate(lessons.lesson(name, language).steps):
        part = f".part[data-section='{number}']"
        answer_by_keyboard(page, number, step)
        if step.options:
            reach(page, f"{part} [data-question=predict] .option:last-child")
            page.keyboard.press("Space")
            chosen = page.locator(f"{part} [data-question=predict] .option").last
            expect(chosen).to_have_attribute("aria-pressed", "true")
        if step.until:
            reach(page, f"{part} [data-go]")
            page.keyboard.press("Enter")
            expect(page.locator("#coach-title")).to_be_focused()
            undone = step.until.replace('"true"', '"false"')
            page.wait_for_selector(undone)
            reach(page, undone, "Shift+Tab")
            page.keyboard.press("Space")
            page.wait_for_selector(".coach[data-done=true]")
            reach(page, "#coach-back")
            page.keyboard.press("Enter")
            expect(page.locator(f"{part} > h3")).to_be_focused()
            expect(page.locator(f"{part} .tp-experiment")).to_have_attribute("data-solved", "true")
    reach(page, "#reading-next")
    reach(page, ".reading footer a[target=_blank]", "Shift+Tab")
