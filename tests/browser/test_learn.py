"""Lessons in Chromium: experiments beside their tabs, what they came to in the lesson, the list, and whole walks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from engine.runs.events import Ended, Evaluated, Stepped
from playground import i18n
from playground.app import TABS
from playground.runs import run_lookup
from playground.tabs.learn import game, lessons, server
from playground.tabs.learn.lesson import file_format
from playground.tabs.learn.lesson.file_format import Lesson, Step
from tests.browser.conftest import Watched, alone, too_wide
from tests.browser.test_accessibility import AXE, LOOK
from tests.browser.test_reading import READING, answer_questions, play
from tests.tools import measured

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

Act = Callable[[Page], None]

COACH = Watched(".coach")
GENERATE = Watched(".generate")
HIT = {"en": "Just as you predicted.", "zh": "和你预测的一样。"}
MISSED = {"en": "You predicted “{}”. Right is “{}”.", "zh": "你预测的是“{}”，正确的是“{}”。"}


def read(page: Page, name: str) -> None:
    page.wait_for_selector(f".reading[data-lesson='{name}'][data-ready=true]")


def section(page: Page, step: int) -> Locator:
    return page.locator(f".reading .part[data-section='{step}']")


def go(page: Page, step: int) -> None:
    """Open the experiment of a section: the coach is beside its tab."""
    page.locator(f"[data-go='{step}']").click()
    page.wait_for_selector(f".coach[data-at='{step + 1}']")


def back(page: Page, step: int) -> None:
    """Go back to the lesson: its section is in sight, and the coach is gone."""
    page.locator("#coach-back").click()
    expect(page.locator(".coach")).to_be_hidden()
    expect(section(page, step).locator("h3").first).to_be_in_viewport()


def judged(language: str, options: list[file_format.Option], predicted: int, right: int) -> str:
    """What is said of a prediction: whether it was right, and why."""
    option = options[predicted]
    said = HIT[language]
    if predicted != right:
        said = MISSED[language].format(option.text, options[right].text)
    return said + "".join(text for _, text in option.why)


def asks(step: Step) -> bool:
    return bool(step.measure or step.until)


def test_an_experiment_is_done_beside_its_tab_and_told_in_the_lesson(
    open_page: Open, shoot: Shoot
) -> None:
    """Take a head away; predict, train, and be told in the lesson: without the page being loaded again."""
    page = open_page("?tab=learn&lang=en")
    page.locator("#learn-attention").click()
    read(page, "attention")
    page.evaluate("window.kept = true")
    steps = lessons.lesson("attention", "en").steps
    head = next(
        i for i, step in enumerate(steps) if step.until and step.open.startswith("tab=inside")
    )
    go(page, head)
    page.wait_for_selector(f".coach[data-pointed='{steps[head].point}']")
    expect(page.locator("#tab-inside-button")).to_have_attribute("aria-selected", "true")
    assert COACH.value(page, "done") == "false"  # nothing has been done
    switch_off(page)
    COACH.until(page, "d.done === 'true'")
    switch_off(page)  # on again: it has been done all the same
    page.wait_for_selector(".inside .off[aria-pressed=true]", state="detached")
    back(page, head)
    expect(section(page, head).locator(".tp-experiment")).to_have_attribute("data-solved", "true")

    run = next(i for i, step in enumerate(steps) if step.measure)
    asked = run if steps[run].options else run - 1
    go(page, run)  # whoever comes without a prediction is asked beside the tab
    expect(page.locator(".coach .option")).to_have_count(len(steps[asked].options))
    back(page, run)
    section(page, asked).locator(".option").last.click()
    go(page, run)
    page.wait_for_selector(".coach[data-pointed='#start']")
    expect(page.locator(".coach .option")).to_have_count(0)
    page.locator("#start:enabled").click()
    COACH.until(page, "d.state === 'training'")
    page.locator("#tab-learn-button").click()  # the lesson goes on meanwhile
    expect(page.locator(".coach")).to_be_hidden()
    result = section(page, run).locator(".tp-experiment .said")
    expect(result).to_contain_text("Your run trains: step")
    expect(result).to_contain_text("Your result: ")
    right = guess(lessons.lesson("attention", "en"), asked)
    last = len(steps[asked].options) - 1
    expect(result).to_contain_text(judged("en", steps[asked].options, last, right))
    for option in section(page, asked).locator(".option").all():
        expect(option).to_be_disabled()
    shoot(page, "learn-attention")
    page.reload()
    read(page, "attention")
    expect(result).to_contain_text(judged("en", steps[asked].options, last, right))
    page.locator("#reading-back").click()
    expect(page.locator("#learn-attention")).to_have_text("Go on")


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("en", 390, "dark"), ("zh", 1440, "light")]
)
def test_a_stored_run_is_watched_and_told(
    open_page: Open, shoot: Shoot, language: str, width: int, scheme: str
) -> None:
    """It is played on the tab Train, and is compared with the prediction when it has come to its end."""
    found = lessons.lesson("attention", language)
    run, stored = next(
        (i, s) for i, step in enumerate(found.steps) if (s := lessons.stored_run(step))
    )
    asked = run if found.steps[run].options else run - 1
    page = open_page(f"?tab=learn&read=attention&lang={language}", width=width, scheme=scheme)
    read(page, "attention")
    section(page, asked).locator(".option").last.click()
    page.locator(f"[data-watch='{run}']").click()
    COACH.until(page, "d.state === 'watching'")
    Watched(".live").until(page, "d.status === 'running' && d.run === a", stored.id)
    expect(page.locator(".live .name")).to_contain_text(
        {"en": "a stored run, seed 0", "zh": "种子 0"}[language]
    )
    expect(page.locator("#run-select")).to_have_value(stored.id)
    assert too_wide(page) == []
    COACH.until(page, "d.done === 'true'")
    options = found.steps[asked].options
    said = judged(language, options, len(options) - 1, guess(found, asked))
    expect(page.locator(".coach .result")).to_contain_text(said)
    back(page, run)
    told = section(page, run).locator(".tp-experiment .said")
    expect(told).to_contain_text(
        {"en": "Stored run, seed 0: ", "zh": "预先存好的训练，种子 0："}[language]
    )
    expect(told).to_contain_text(said)
    assert too_wide(page) == []
    shoot(page, f"learn-watched-{language}")


@pytest.mark.walk
@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_every_stored_run_is_watched(open_page: Open, language: str) -> None:
    """One after the other, on one page: each is played to its end, once, and told in its lesson."""
    page = open_page(f"?tab=learn&lang={language}")
    told = {"en": "Stored run, seed 0: ", "zh": "预先存好的训练，种子 0："}[language]
    watched: set[str] = set()
    for name in lessons.names():
        steps = lessons.lesson(name, language).steps
        runs = {i: run for i, s in enumerate(steps) if s.measure and (run := lessons.stored_run(s))}
        if not runs:
            continue
        page.locator(f"#learn-{name}").click()
        read(page, name)
        expect(page.locator("[data-watch]")).to_have_count(len(runs))
        for step, run in runs.items():
            page.locator(f"[data-watch='{step}']").click()
            if run.id not in watched:  # two sections can ask about the same run
                Watched(".live").until(page, "d.status === 'running' && d.run === a", run.id)
                assert COACH.value(page, "done") == "false", (name, step)
            COACH.until(page, "d.at === a && d.done === 'true'", str(step + 1))
            state = run.status().state
            Watched(".live").until(page, "d.run === a[0] && d.status === a[1]", [run.id, state])
            back(page, step)
            said = section(page, step).locator(".tp-experiment .said")
            expect(said).to_contain_text(told)
            watched.add(run.id)
        page.locator("#reading-back").click()
    assert len(watched) > 20


@pytest.fixture
def open_view(browser: Browser) -> Iterator[Open]:
    """The reading page by itself, answered by this process, whose learners have runs of the tests' own."""
    with alone(browser, "reading", (server.read, server.check, game.guess)) as opened:
        yield opened


def finished(config: object, step: int, **values: float) -> str:
    """A run of a learner that came to its end; its id."""
    run = run_lookup.store().create(config, "mine")  # type: ignore[arg-type]
    run.append(Stepped(step=step, loss=1, lr=1, grad_norm=1, tokens=1, seconds=1))
    run.append(Evaluated(step=step, **values))  # type: ignore[arg-type]
    run.append(Ended(step=step, how="finished"))
    return run.id


@pytest.mark.parametrize(
    ("language", "width", "scheme", "right"),
    [("en", 390, "dark", True), ("zh", 1440, "light", False)],
)
def test_what_a_run_came_to_is_told_beside_the_prediction(
    open_view: Open, shoot: Shoot, language: str, width: int, scheme: str, right: bool
) -> None:
    """A hit and a miss, each with its reason; the prediction shows what was chosen and what happened."""
    found = lessons.lesson("positions", language)
    run = next(i for i, step in enumerate(found.steps) if step.measure == "accuracy")
    asked = run if found.steps[run].options else run - 1
    options = found.steps[asked].options
    covers = guess(found, asked)
    chosen = covers if right else (covers + 1) % len(options)
    page = open_view(f"?read=positions&lang={language}", width, scheme == "dark", {})
    read(page, "positions")
    section(page, asked).locator(".option").nth(chosen).click()
    expect(section(page, run).locator(".said")).to_contain_text(
        {"en": "Start the run", "zh": "开始训练"}[language]
    )
    config = found.steps[run].config()
    assert config is not None
    low, high = options[covers].low, min(1.0, options[covers].high)
    own = finished(config, config.train.total_steps, loss=1.0, accuracy=(low + high) / 2)
    page.evaluate("id => tp.memory.add(id)", own)
    said = section(page, run).locator(".tp-experiment .said")
    expect(said).to_contain_text(judged(language, options, chosen, covers))
    marks = section(page, asked).locator(".option")
    expect(marks.nth(covers)).to_have_class("option good")
    expect(marks.nth(chosen)).to_have_class("option good" if right else "option bad")
    assert too_wide(page) == []
    shoot(page, f"learn-told-{language}")


DOCK = """() => {
  const [coach, ring] = [".coach", ".tp-ring"].map((name) => document.querySelector(name).getBoundingClientRect());
  const beside = innerWidth > 900;
  const bottom = beside ? innerHeight : coach.top;
  return {
    apart: beside ? ring.right <= coach.left + 4 : true,
    seen: ring.top >= -8 && ring.top < bottom - 40 && (ring.bottom <= bottom + 4 || ring.height > bottom / 2),
    share: (coach.width * coach.height) / (innerWidth * innerHeight),
  };
}"""
"""Where the coach is, and where what it points at."""


@pytest.mark.case("B3")
@pytest.mark.case("B4")
@pytest.mark.parametrize(
    ("width", "height", "language", "names"),
    [
        (1440, 900, "en", lessons.names()[5:7]),
        (390, 844, "zh", lessons.names()[9:11]),
        pytest.param(1440, 900, "en", lessons.names(), marks=pytest.mark.walk),
        pytest.param(390, 844, "zh", lessons.names(), marks=pytest.mark.walk),
    ],
    ids=["en", "zh", "en-all", "zh-all"],
)
def test_the_coach_covers_nothing_and_show_me_arrives(
    open_page: Open, width: int, height: int, language: str, names: list[str]
) -> None:
    """Each experiment of these lessons: the same page, its thing in view and not under the coach; what is to be done is not done by that."""
    page = open_page(f"?tab=learn&lang={language}", width=width, height=height)
    page.emulate_media(reduced_motion="reduce")
    page.evaluate("window.kept = true")
    for name in names:
        page.locator(f"#learn-{name}").click()
        read(page, name)
        for number, step in enumerate(lessons.lesson(name, language).steps):
            if not step.open:
                continue
            go(page, number)
            expect(page.locator(".coach h3")).to_have_text(step.title)
            tab = parse_qs(step.open)["tab"][0]
            expect(page.locator(f"#tab-{tab}-button")).to_have_attribute("aria-selected", "true")
            if step.point:
                page.wait_for_selector(f".coach[data-pointed='{step.point.replace(chr(39), '')}']")
                # The page may still grow above it: then it is brought into view again.
                page.wait_for_function(f"({DOCK})().seen")
                place = page.evaluate(DOCK)
                assert place["apart"], (name, step.title, place)
                assert place["share"] < 0.345
            assert COACH.value(page, "done") == str(not asks(step)).lower(), (name, step.title)
            for button in page.locator(".coach footer button").all():
                expect(button).to_be_in_viewport(ratio=1)
            assert too_wide(page) == []
            back(page, number)
        page.locator(".reading .back:visible").first.click()
    assert page.evaluate("window.kept")


def test_nothing_serious_is_found_with_the_coach_docked(open_page: Open) -> None:
    """By axe-core, on a phone, with a prediction to be made in the coach: over the whole page."""
    steps = lessons.lesson("attention", "zh").steps
    at = next(i for i, step in enumerate(steps) if step.measure)
    page = open_page(f"?tab=train&read=attention&at={at + 1}&lang=zh", width=390, height=844)
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector(f".coach[data-at='{at + 1}']")
    page.wait_for_selector(".configure[data-answered]")
    expect(page.locator(".coach .option").first).to_be_visible()
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(LOOK, [False, True]) == []


@pytest.mark.case("C18")
@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_the_end_of_a_lesson_leads_to_the_next(open_page: Open, language: str) -> None:
    """From the first to the last, in the order of the list."""
    names = lessons.names()
    page = open_page(f"?tab=learn&read={names[0]}&lang={language}")
    for name, following in itertools.pairwise(names):
        read(page, name)
        expect(page.locator("#reading-next")).to_contain_text(
            lessons.lesson(following, language).title
        )
        page.locator("#reading-next").click()
    read(page, names[-1])
    expect(page.locator("#reading-next")).to_have_count(0)


def test_older_links_still_lead_to_their_section(open_page: Open) -> None:
    """To a lesson's step, and to one beside the tab that it is about; after a reload, too."""
    steps = lessons.lesson("cache", "en").steps
    at = next(i for i, step in enumerate(steps) if step.measure == "saved")
    page = open_page(f"?lesson=cache&at={at + 1}&lang=en")
    read(page, "cache")
    expect(page.locator("#tab-learn-button")).to_have_attribute("aria-selected", "true")
    expect(section(page, at).locator("h3").first).to_be_in_viewport()
    go(page, at)
    page.wait_for_selector(".coach[data-pointed='.generate .cache']")
    page.reload()
    page.wait_for_selector(f".coach[data-at='{at + 1}']")
    page.locator("#coach-close").click()
    expect(page.locator(".coach")).to_be_hidden()
    page.reload()
    page.wait_for_selector("#tab-generate-button[aria-selected=true]")
    expect(page.locator(".coach")).to_be_hidden()


def test_who_has_watched_can_break_the_circuit(open_page: Open, shoot: Shoot) -> None:
    """“Show me” opens the stored run, since this browser has no own one; a head that is off in another model does not
    count, and one in this model does."""
    found = lessons.lesson("attention", "en")
    at = next(i for i, step in enumerate(found.steps) if step.examines)
    stored = lessons.stored_run(found.steps[at])
    assert stored is not None
    page = open_page(f"?tab=inside&run=stories&read=attention&at={at + 1}")
    page.wait_for_selector(".inside[data-run=stories]")
    page.wait_for_selector(f".coach[data-at='{at + 1}']")
    with page.expect_response(lambda answer: '"check"' in (answer.request.post_data or "")):
        switch_off(page)
    expect(page.locator(".inside .off[aria-pressed=true]")).to_have_count(1)
    page.locator("#coach-show").click()
    page.wait_for_selector(f".inside[data-run='{stored.id}']")
    assert COACH.value(page, "done") == "false"
    expect(page.locator(".inside .grid .map")).to_have_count(8)
    expect(page.locator(".inside .message")).to_be_hidden()
    switch_off(page)
    COACH.until(page, "d.done === 'true'")
    expect(page.locator(".inside .effect")).to_be_visible()
    shoot(page, "learn-break-the-circuit")


# What a learner does where a section waits until something is done


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


def switch_off(page: Page) -> None:
    """Switch a head off."""
    page.locator(".inside .off").first.click()


def follow_a_column(page: Page) -> None:
    """Point at a cell of the logit lens."""
    page.locator(".lens .box[data-stage='1']").first.hover()


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


def race(page: Page) -> None:
    """Start a race of optimizers."""
    page.locator("#optimizers-start").click()


def read_why(page: Page) -> None:
    """Open what happened."""
    page.locator(".live .notes summary").click()


ACTIONS: dict[str, tuple[Act, ...]] = {
    "attention": (switch_off,),
    "block": (follow_a_column,),
    "model": (write(8), enter("#generate-top-k", "3")),
    "cache": (write(30),),
    "tokens": (enter("#tokens-text", "I ❤️ 中文"), enter("#tokens-merges", "5")),
    "experts": (rescue,),
    "training": (slow_down,),
    "translation": (stop_at(0), stop_at(3)),
    "failed-run": (read_why,),
    "optimizers": (race, race),
}
"""What a learner does at the steps of a lesson that wait until something is done, in their order."""


@pytest.mark.walk
@pytest.mark.parametrize("language", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_a_walk_through_a_lesson(open_page: Open, shoot: Shoot, name: str, language: str) -> None:
    """Read, answer wrong and right, predict, do everything, train everything. In English each prediction is what the
    suites measured, and each run bears it out; in Chinese each is another one, and each run says why it was wrong."""
    page = open_page(f"?tab=learn&lang={language}")
    page.locator(f"#learn-{name}").click()
    read(page, name)
    found = lessons.lesson(name, language)
    waiting = iter(ACTIONS.get(name, ()))
    trained: set[str] = set()
    chosen: dict[int, int] = {}
    for number, step in enumerate(found.steps):
        expect(section(page, number).locator("h3").first).to_have_text(step.title)
        answer_questions(section(page, number), step, language)
        if any(block["kind"] == "game" for block in step.blocks):
            play(page)
        if step.options:
            right = guess(found, number)
            chosen[number] = right if language == "en" else (right + 1) % len(step.options)
            section(page, number).locator("[data-question=predict] .option").nth(
                chosen[number]
            ).click()
        if step.open:
            go(page, number)
            if step.point:
                page.wait_for_selector(f".coach[data-pointed='{step.point}']")
            if step.until:
                next(waiting)(page)
                COACH.until(page, "d.done === 'true'")
            if step.measure:
                if step.open not in trained and step.measure not in lessons.ON_PAGE:
                    page.locator("#start:enabled").click()
                    COACH.until(page, "['training', 'over'].includes(d.state)")
                    trained.add(step.open)
                COACH.until(page, "d.done === 'true'")
            shoot(page, f"walk-{name}-{language}-{number + 1}")
            back(page, number)
        if step.measure:
            asked = number if step.options else number - 1
            said = judged(language, found.steps[asked].options, chosen[asked], guess(found, asked))
            expect(section(page, number).locator(".tp-experiment .said")).to_contain_text(said)
        section(page, number).locator(".section-end").scroll_into_view_if_needed()
    assert next(waiting, None) is None, "an action is left over"
    READING.until(page, "d.done === d.sections")
    shoot(page, f"walk-{name}-{language}")
    page.locator("#reading-back").click()
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
@pytest.mark.parametrize(("language", "guessed"), [("en", 2), ("zh", 0)])
def test_what_the_page_measured_decides(
    open_page: Open, shoot: Shoot, language: str, guessed: int
) -> None:
    """What the cache saves is on the page: it is compared with the prediction, once the tokens are written."""
    steps = lessons.lesson("cache", language).steps
    at = next(i for i, step in enumerate(steps) if step.measure == "saved")
    asked = at if steps[at].options else at - 1
    page = open_page(f"?tab=learn&read=cache&lang={language}", scheme="dark")
    section(page, asked).locator(".option").nth(guessed).click()
    go(page, at)
    page.wait_for_selector(".coach[data-pointed='.generate .cache']")
    assert COACH.value(page, "done") == "false"
    write(30)(page)
    said = judged(language, steps[asked].options, guessed, 2)
    expect(page.locator(".coach .result")).to_contain_text(said)
    COACH.until(page, "d.done === 'true'")
    shoot(page, f"learn-judged-{language}")
    back(page, at)
    expect(section(page, at).locator(".said")).to_contain_text(said)


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
    for name in ("positions", "experts", "tokens", "translation", "failed-run"):
        page.locator(f"#learn-{name}").click()
        read(page, name)
        blocks = [block for step in lessons.lesson(name, language).steps for block in step.blocks]
        shown = [block["text"] for block in blocks if block["kind"] == "table"]
        tables = page.locator(".reading .tp-measured").all()
        for table, suite in zip(tables, shown, strict=True):
            for line, row in zip(
                table.locator("tbody tr").all(), file_format.results(suite), strict=True
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
        shoot(page, f"learn-table-{name}-{language}")
        page.locator(".reading .back:visible").first.click()


@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_lessons_stand_on_the_path_and_beside_it(
    open_page: Open, shoot: Shoot, width: int, language: str
) -> None:
    """Those of the path are numbered from 1; those beside it are begun in the same way."""
    page = open_page(f"?tab=learn&lang={language}", width=width)
    beside = [name for name in lessons.names() if name in lessons.BESIDE]
    expect(page.locator(".learn .path li")).to_have_count(len(lessons.names()) - len(beside))
    expect(page.locator(".learn .beside li")).to_have_count(len(beside))
    heading = {"en": "Beside the path", "zh": "选修"}[language]
    expect(page.locator(".learn .beside h2")).to_have_text(heading)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shoot(page, f"learn-{language}-{width}")
    page.locator(f"#learn-{beside[0]}").click()
    read(page, beside[0])


@pytest.mark.parametrize(
    "query",
    ["lesson=<b>nothing</b>&at=9", "tab=train&read=nothing&at=2", "tab=train&read=cache&at=99"],
)
def test_a_link_to_a_lesson_that_is_not_there(open_page: Open, query: str) -> None:
    page = open_page(f"?{query}")
    page.wait_for_selector("#tab-train-button")
    page.wait_for_function("!new URLSearchParams(location.search).has('lesson')")
    page.wait_for_function("!new URLSearchParams(location.search).has('at')")
    expect(page.locator(".coach")).to_be_hidden()


@pytest.mark.case("K1")
def test_every_tab_is_reached_on_a_phone(open_page: Open) -> None:
    """Gradio would hide those without room in a menu, where no link and no lesson finds them."""
    page = open_page("?tab=experts", width=390)
    expect(page.locator("#tab-experts-button")).to_have_attribute("aria-selected", "true")
    for name in TABS:
        page.locator(f"#tab-{name}-button").click()
        expect(page.locator(f"#tab-{name}-button")).to_have_attribute("aria-selected", "true")
