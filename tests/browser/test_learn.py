"""The guided path in Chromium: a lesson from its beginning to its end, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from playground import i18n, lesson_text, lessons
from playground.app import TABS
from playground.lesson_text import Lesson, Step
from tests import measured
from tests.browser.conftest import PATIENCE, TRAINING, Watched, too_wide

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

Act = Callable[[Page], None]

COACH = Watched(".coach")
GENERATE = Watched(".generate")


def at_step(page: Page, number: int) -> None:
    page.wait_for_selector(f".coach[data-at='{number}']")


def test_a_lesson_from_beginning_to_end(open_page: Open, shoot: Shoot) -> None:
    """Read, look, take a head away, predict, train, skip: the coach sees what was done."""
    page = open_page("?tab=learn&lang=en")
    page.locator("#learn-attention").click()
    at_step(page, 1)
    page.locator("#coach-show").click()  # leads to another tab, with the lesson beside it
    page.wait_for_selector(".coach[data-pointed='.inside .tokens']")
    expect(page.locator("#tab-inside-button")).to_have_attribute("aria-selected", "true")
    page.locator("#coach-next").click()
    page.locator(".coach .source summary").click()
    expect(page.locator(".coach .source code")).to_contain_text("softmax(dim=-1)")
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
        if number == 6:  # the walk of this lesson trains the second model, too
            page.locator("#coach-skip").click()
            break
        page.locator("#coach-show").click()
        page.wait_for_selector(".coach[data-pointed='#start']")
        page.locator("#start:enabled").click()
        COACH.until(page, "d.state === 'training'")
        COACH.until(page, "d.state === 'over'", patience=TRAINING)
        expect(page.locator(".coach .result").first).to_contain_text("You predicted something else")
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


# A whole lesson, as a learner does it: each takes a minute or more, so only `-m walk` runs them


def enter(selector: str, value: str) -> Act:
    """An action: give a field another value."""

    def act(page: Page) -> None:
        page.locator(selector).fill(value)

    return act


def write(tokens: int) -> Act:
    """An action: have the model write so many tokens."""

    def act(page: Page) -> None:
        for _ in range(tokens):
            length = GENERATE.value(page, "length")
            page.locator("#generate-step").click()
            GENERATE.until(page, "d.length !== a", length)

    return act


def looked(page: Page) -> None:
    """An action: none is needed, since what "Show me" opens was what was to be done."""


def started(page: Page) -> str:
    """Press Start; the id of the run that the page turns to."""
    before = page.locator(".transport").get_attribute("data-shown")
    page.locator("#start:enabled").click()
    Watched(".transport").until(page, "d.shown && d.shown !== a", before)
    return Watched(".transport").value(page, "shown")


def rescue(page: Page) -> None:
    """Start a run whose router collapses, and in the middle of it raise the weight that balances."""
    run = started(page)
    page.locator("#tab-experts-button").click()
    Watched(".experts").until(page, "d.run === a && Number(d.last) >= 200", run)
    page.locator("#experts-switch_loss").fill("1")
    page.locator("#experts-switch_loss").press("Enter")


def slow_down(page: Page) -> None:
    """Start a run, and lower its learning rate in the middle of it."""
    started(page)
    Watched(".live").until(page, "d.status === 'running' && Number(d.step) > 0")
    page.locator("#rate").fill("0.001")
    page.locator("#rate").press("Enter")


def stop_at(place: int) -> Act:
    """Go to a stop of the translation's slider over training."""

    def act(page: Page) -> None:
        page.wait_for_selector(".translate[data-ready=true]")
        page.locator("#translate-step").fill(str(place))

    return act


def read_why(page: Page) -> None:
    """Open what happened."""
    page.locator(".live .notes summary").click()


ACTIONS: dict[str, tuple[Act, ...]] = {
    "attention": (looked,),
    "block": (looked,),
    "model": (write(8), enter("#generate-top-k", "3")),
    "cache": (write(30),),
    "tokens": (enter("#tokens-text", "I ❤️ 中文"), enter("#tokens-merges", "10")),
    "experts": (rescue,),
    "training": (slow_down,),
    "translation": (stop_at(0), stop_at(3)),
    "failed-run": (read_why,),
}
"""What a learner does at the steps of a lesson that wait until something is done, in their order."""

SAID = {"en": "Just as you predicted", "zh": "和你预测的一样"}


@pytest.mark.walk
@pytest.mark.parametrize("language", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_a_walk_through_a_lesson(open_page: Open, shoot: Shoot, name: str, language: str) -> None:
    """Predict what the suites measured, do everything, train everything: each run bears the prediction out."""
    page = open_page(f"?tab=learn&lang={language}")
    page.set_default_timeout(5 * PATIENCE)  # a run takes its time where others run too
    page.locator(f"#learn-{name}").click()
    found = lessons.lesson(name, language)
    waiting = iter(ACTIONS.get(name, ()))
    trained: set[str] = set()
    for number, step in enumerate(found.steps):
        at_step(page, number + 1)
        expect(page.locator(".coach h3")).to_have_text(step.title)
        if step.options:
            expect(page.locator("#coach-next")).to_have_count(0)
            page.locator(f"#coach-option-{guess(found, number)}").click()
        if step.open or step.point:
            page.locator("#coach-show").click()
            page.wait_for_selector(f".coach[data-pointed='{step.point}']")
        if step.until:
            next(waiting)(page)
            COACH.until(page, "d.done === 'true'")
        if step.measure:
            if step.open not in trained and step.measure not in lessons.ON_PAGE:
                page.locator("#start:enabled").click()
                COACH.until(page, "['training', 'over'].includes(d.state)")
                trained.add(step.open)
            COACH.until(page, "d.state === 'over'")
            expect(page.locator(".coach .result").first).to_contain_text(SAID[language])
        shoot(page, f"walk-{name}-{language}-{number + 1}")
        page.locator("#coach-next").click()
    assert next(waiting, None) is None, "an action is left over"
    expect(page.locator(".coach")).to_be_hidden()
    page.locator("#tab-learn-button").click()
    done = {"en": "✓ done", "zh": "✓ 已完成"}[language]
    expect(page.locator("li", has=page.locator(f"#learn-{name}"))).to_contain_text(done)


def guess(found: Lesson, number: int) -> int:
    """The answer that a prediction's run will bear out, by what its suite measured; else the first."""
    for step in found.steps[number : number + 2]:
        if step.measure:
            spread = measured.spread_of(lessons.lesson(found.name, "en"), step)
            assert spread is not None
            return measured.right(found.steps[number].options, spread[0])[0]
    return 0


@pytest.mark.case("L2")
@pytest.mark.parametrize(
    ("language", "guessed", "said"), [("en", 2, "Just as you"), ("zh", 0, "和你的预测不同")]
)
def test_what_the_page_measured_decides(
    open_page: Open, shoot: Shoot, language: str, guessed: int, said: str
) -> None:
    """What the cache saves is on the page: it is compared with the prediction, once the tokens are written."""
    page = open_page(f"?lesson=cache&at=2&lang={language}", scheme="dark")
    page.locator(f"#coach-option-{guessed}").click()
    page.locator("#coach-next").click()
    at_step(page, 3)
    page.locator("#coach-show").click()
    page.wait_for_selector(".coach[data-pointed='.generate .cache']")
    expect(page.locator("#coach-next")).to_have_count(0)
    write(30)(page)
    expect(page.locator(".coach .result")).to_contain_text(said)
    COACH.until(page, "d.done === 'true'")
    shoot(page, f"learn-judged-{language}")


@pytest.mark.case("L3")
@pytest.mark.case("L4")
@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("en", 1440, "light"), ("zh", 390, "dark")]
)
def test_a_table_shows_how_sure_it_is(
    open_page: Open, shoot: Shoot, language: str, width: int, scheme: str
) -> None:
    """Spread, interval, verdict and size of every variant, in words of the page's language, and it fits."""
    page = open_page(f"?tab=learn&lang={language}", width=width, scheme=scheme)
    page.wait_for_selector(".learn[data-ready=true]")
    for name in ("positions", "experts", "tokens", "translation", "failed-run"):
        steps = lessons.lesson(name, language).steps
        for number, step in enumerate(steps, start=1):
            shown = [block["text"] for block in step.blocks if block["kind"] == "table"]
            if not shown:
                continue
            page.goto(f"{page.url.split('?')[0]}?lesson={name}&at={number}&lang={language}")
            at_step(page, number)
            for table, suite in zip(page.locator(".coach .measured").all(), shown, strict=True):
                for line, row in zip(
                    table.locator("tbody tr").all(), lesson_text.results(suite), strict=True
                ):
                    text = line.inner_text()
                    assert i18n.translate(row["variant"], language) in text
                    assert f"{int(row['parameters']):,}" in text
                    assert ("±" in text) == bool(row["final"])
                    assert ("[" in text) == bool(row["difference_low"])
                    if row["within_noise"]:
                        worse = "worse" if float(row["difference"]) > 0 else "better"
                        verdict = "within noise" if row["within_noise"] == "True" else worse
                        assert i18n.translate(verdict, language) in text
                fits = "n => n.scrollWidth <= n.clientWidth && n.scrollHeight <= n.clientHeight"
                assert table.evaluate(fits), suite
            assert too_wide(page) == []
            shoot(page, f"learn-table-{name}-{number}-{language}")


@pytest.mark.parametrize("name", lessons.names())
def test_every_step_is_shown(open_page: Open, shoot: Shoot, name: str) -> None:
    """On a phone, where the coach lies at the bottom; what is pointed at is there."""
    page = open_page(f"?lesson={name}&at=1&lang=en", width=390, scheme="dark")
    for step in passed(page, shoot, name, "en"):
        if step.point:
            page.locator("#coach-show").click()
            page.wait_for_selector(f".coach[data-pointed='{step.point.replace(chr(39), '')}']")
            page.wait_for_selector(".tp-ring:not([hidden])", state="attached")


def test_every_step_is_shown_in_chinese(open_page: Open, shoot: Shoot) -> None:
    """One lesson after another; where they point is the same in both languages."""
    page = open_page("?tab=learn&lang=zh", width=390, scheme="dark")
    for name in lessons.names():
        page.locator("#tab-learn-button").click()
        page.locator(f"#learn-{name}").click()
        list(passed(page, shoot, name, "zh"))
        page.locator("#coach-close").click()


def passed(page: Page, shoot: Shoot, name: str, language: str) -> Iterator[Step]:
    """Each step of a lesson, once it is on the page and fits."""
    steps = lessons.lesson(name, language).steps
    for number, step in enumerate(steps, start=1):
        at_step(page, number)
        expect(page.locator(".coach h3")).to_have_text(step.title)
        assert too_wide(page) == []
        yield step
        if number == 1:
            shoot(page, f"learn-{name}-{language}")
        if number < len(steps):
            page.locator("#coach-skip, #coach-next").click()


@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_lessons_beside_the_path(open_page: Open, shoot: Shoot, width: int, language: str) -> None:
    """They have a list of their own, and are begun as those of the path are."""
    page = open_page(f"?tab=learn&lang={language}", width=width)
    beside = [name for name in lessons.names() if name in lessons.BESIDE]
    expect(page.locator(".learn .path li")).to_have_count(len(lessons.names()) - len(beside))
    expect(page.locator(".learn .beside li")).to_have_count(len(beside))
    heading = {"en": "Beside the path", "zh": "路径之外"}[language]
    expect(page.locator(".learn h2.other")).to_have_text(heading)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shoot(page, f"learn-{language}-{width}")
    page.locator(f"#learn-{beside[0]}").click()
    at_step(page, 1)


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
