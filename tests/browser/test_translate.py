"""The tab Translate in Chromium: train, translate, step, follow a word's lines, open the beam tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.data.translation_pairs import EDITIONS
from engine.runs.store import Run
from playground.tabs.translate import server as translating
from playground.tabs.translate import translation_runs
from tests.browser.conftest import Watched, alone, too_wide
from tests.playground.tabs.test_translate import TEXT, make_run

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


WATCHED = Watched(".translate")
root, value, until = WATCHED.root, WATCHED.value, WATCHED.until


def translated(page: Page, text: str) -> None:
    """Type a text, and wait for its translation, whole."""
    page.fill("#translate-text", text)
    until(page, "d.text === a && d.playing === 'false' && d.at === d.tokens", text)


# In the whole page ------------------------------------------------------------------------------------


@pytest.mark.case("K1")
@pytest.mark.case("C6")
@pytest.mark.parametrize(("width", "language"), [(1440, "en"), (390, "zh")])
def test_words_it_does_not_know_are_marked_and_those_it_knows_offered(
    open_page: Open, shoot: Shoot, width: int, language: str
) -> None:
    page = open_page(f"?tab=translate&run=translate-german&lang={language}", width=width)
    page.emulate_media(reduced_motion="reduce")
    words = EDITIONS["german"].words()
    expect(page.locator("#translate-words .example")).to_have_count(len(words))
    assert len(words) > 200
    strangers, outside = page.locator("#translate-strangers"), page.locator("#translate-outside")

    field = page.locator("#translate-text")
    field.fill("I love the ")
    field.press_sequentially("ca")
    expect(strangers.locator("s")).to_have_text(["I", "love"])
    expect(page.locator("#translate-real code")).to_have_text("python -m engine download multi30k")
    shoot(page, f"translate-words-{language}")
    fitting = [word for word in words if word.startswith("ca")]
    expect(page.locator("#translate-offered .example")).to_have_text(fitting)
    page.locator("#translate-offered .example", has_text=re.compile("^cat$")).click()
    expect(field).to_have_value("I love the cat ")
    expect(strangers.locator("s")).to_have_text(["I", "love"])

    field.fill("")
    field.press_sequentially("The fox has lost the shi")  # "shirt", soon: nothing is said of it yet
    until(page, "d.text === 'The fox has lost the shi'")
    expect(strangers).to_be_hidden()
    expect(outside).to_be_hidden()
    field.press_sequentially("rt.")
    until(page, "d.text === 'The fox has lost the shirt.' && d.expected")
    expect(outside).to_be_hidden()

    translated(page, "The cat sleeps.")  # known words, and not a sentence of its language
    expect(outside).to_be_visible()
    expect(strangers).to_be_hidden()
    shoot(page, f"translate-outside-{language}")
    translated(page, "The cat sleeps now.")
    until(page, "d.expected === 'Die Katze schläft jetzt.'")
    expect(outside).to_be_hidden()
    assert too_wide(page) == []
    small = {"en": "of its own small language", "zh": "在它自己的小语言里"}[language]
    expect(root(page)).to_contain_text(small)
    for row in {"en": ("reads English", "writes German"), "zh": ("读英语", "写德语")}[language]:
        expect(root(page)).to_contain_text(row)


def test_train_translate_step_and_open_the_beam_tree(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?tab=translate")
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector(".translate:not([data-ready=false])")
    expect(
        root(page).locator(".notice")
    ).to_be_hidden()  # nobody has chosen the shipped run of a language model
    if value(page, "instead"):  # a trained one is shown in its place
        until(page, "d.ready === 'true' && Number(d.lines) > 0")

    page.locator("#translate-train-numbers").click()  # 100 steps, live
    until(page, "d.ready === 'true' && d.instead === undefined && d.status === 'running'")
    until(page, "d.recorded === 'true' && Number(d.step) > 0 && d.sharpness !== ''")  # it follows
    until(page, "Number(d.last) >= 100")
    expect(root(page).locator(".progress")).to_contain_text("training, step")
    page.locator("#translate-stop").click()
    until(page, "d.status === 'stopped' && d.recorded === 'false'")
    expect(page.locator(".sample-list li")).to_have_count(5)
    expect(page.locator(".chart-host .tp-chart")).to_be_visible()

    translated(page, TEXT)
    until(page, "d.expected === 'four thousand seven hundred twenty-one'")
    page.locator("#translate-restart").click()
    until(page, "d.at === '0'")
    expect(page.locator(".sentences .lines path:not([stroke-opacity='0'])")).to_have_count(0)
    page.locator("#translate-advance").click()
    until(page, "d.at === '1' && d.focus === 'target-0'")
    page.locator("#translate-advance").click()
    until(page, "d.at === '2' && d.focus === 'target-1'")
    page.locator("#translate-play").click()
    until(page, "d.at === d.tokens")

    page.locator("#translate-target-0").hover()  # an aligned word
    until(page, "d.focus === 'target-0'")
    assert page.locator(".sentences .lines path.on").count() > 0
    expect(page.locator(".readout")).to_contain_text("the decoder looks at")
    page.locator("#translate-target-0").click()
    until(page, "d.held === 'target-0'")

    page.locator("#translate-beam summary").click()
    until(page, "Number(d.nodes) > 10")
    assert page.locator(".tree .node.pruned").count() > 0
    assert page.locator(".tree .node.best").count() > 1
    expect(page.locator(".found tbody tr")).to_have_count(5)
    shoot(page, "translate-1440-light")

    # The other tabs say where this run is shown, and lead back.
    for tab in ("generate", "inside"):
        page.locator(f"#tab-{tab}-button").click()
        message = page.locator(f".{tab} .message")
        expect(message).to_contain_text("translates texts")
        message.locator(".tp-button").click()
        expect(page.locator("#tab-translate-button")).to_have_attribute("aria-selected", "true")


# The view by itself, over the real server functions ---------------------------------------------------


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    return make_run(runs, total_steps=40, eval_interval=20, save_interval=20, probe_interval=10)


@pytest.fixture
def open_view(browser: Browser, run: Run) -> Iterator[Open]:
    """Open the view by itself: `open_view("?t.of=encoder", width=390)`. An error fails the test."""
    with alone(browser, "translate", translating.SERVED) as open_alone:

        def open_view(
            query: str = "", width: int = 1440, dark: bool = False, of: Run = run
        ) -> Page:
            props = {"run": of.id, "starters": translation_runs.starters(), "started": None}
            page = open_alone(query, width, dark, props, reduced_motion="reduce")
            page.wait_for_selector(".translate[data-ready=true][data-expected]")
            return page

        yield open_view


def test_a_tab_that_is_opened_late_has_all_its_properties(open_page: Open) -> None:
    """The page's run reaches a view before its tab is opened, and must not take the place of the others."""
    page = open_page("?run=stories-zh")
    expect(page.locator("#live")).to_contain_text("finished")
    page.get_by_role("tab", name="Translate").click()
    expect(page.locator("#translate .starters button").first).to_be_attached()


def test_pairs_that_are_left_out_are_told(browser: Browser, runs: Path, tmp_path: Path) -> None:
    pairs = [f"a {i}\tb {i}" for i in range(40)]
    (tmp_path / "own.tsv").write_text("\n".join([*pairs, "a " * 80 + "\tb"]), encoding="utf-8")
    path = str(tmp_path / "own.tsv")
    own = make_run(runs, "own pairs", source="pairs", train_data_path=path, valid_fraction=0.2)
    with alone(browser, "translate", translating.SERVED) as open_alone:
        for query, words in (("", "Pairs left out: 1 "), ("?lang=zh", "略去的句对：1")):
            page = open_alone(query, 1440, False, {"run": own.id, "starters": [], "started": None})
            expect(page.locator(".left-out")).to_contain_text(words)


@pytest.mark.parametrize(("width", "dark"), [(1440, True), (390, False), (390, True)])
def test_how_it_looks(open_view: Open, shoot: Shoot, width: int, dark: bool) -> None:
    page = open_view("?t.beams=3", width=width, dark=dark)
    until(page, "Number(d.nodes) > 0 && Number(d.lines) > 0")
    page.locator("#translate-target-1").click()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    shoot(page, f"translate-{width}-{'dark' if dark else 'light'}")


def test_three_kinds_of_attention_in_one_view(open_view: Open, run: Run) -> None:
    page = open_view()
    assert page.url == "http://view.test/", "what is not chosen is not in the address"
    looked = translating.look(run.id)
    rows, columns = len(looked["targets"]), len(looked["sources"])
    cells = page.locator(".table [data-column]")
    expect(cells).to_have_count(rows * columns)
    page.locator("[data-value=encoder]").click()
    expect(cells).to_have_count(columns * columns)
    page.locator("#translate-source-1").hover()
    expect(page.locator(".readout")).to_contain_text("looks at")
    page.locator("[data-value=decoder]").click()
    expect(cells).to_have_count(rows * (rows + 1) // 2)
    page.select_option("#translate-layer", label="2")
    page.select_option("#translate-head", label="1")
    page.wait_for_url(re.compile(r"t\.of=decoder.*t\.layer=2.*t\.head=1"))
    again = open_view("?t.of=decoder&t.layer=2&t.head=1&t.token=w2")
    until(again, "d.of === 'decoder' && d.layer === '1' && d.head === '0'")
    until(again, "d.held === 'target-1' && d.focus === 'target-1'")


def test_the_table_names_its_cells(open_view: Open) -> None:
    page = open_view()
    page.locator(".table [data-row='1'][data-column='0']").hover()
    expect(page.locator(".matrix-text")).to_have_text(re.compile("“.*” looks at “.*” with .*%"))
    until(page, "d.focus === 'target-1'")


def test_another_candidate_leads_on(open_view: Open) -> None:
    page = open_view()
    translated(page, TEXT)
    before = value(page, "written")
    page.locator("#translate-target-0").click()
    other = page.locator(".candidate:not(.on)").first
    token = other.get_attribute("data-id")
    other.click()
    until(page, "d.written !== a", before)
    expect(page.locator(".chip.given")).to_have_count(1)
    page.wait_for_url(re.compile(rf"t\.start={token}($|&)"))
    page.locator("#translate-unbranch").click()
    until(page, "d.written === a", before)


def test_the_slider_goes_through_training(open_view: Open, run: Run) -> None:
    page = open_view()
    until(page, "d.sharpness !== ''")
    slider = page.locator("#translate-step")
    slider.fill("1")  # step 10: recorded, without a checkpoint
    until(page, "d.step === '10' && d.recorded === 'true'")
    expect(page.locator(".film .hint")).to_contain_text("recorded while training")
    expect(page.locator("#translate-by-itself")).to_be_visible()  # what the model itself said then
    expect(page.locator(".candidates")).to_be_hidden()
    slider.fill("0")
    until(page, "d.step === '0' && d.recorded === 'false'")
    assert value(page, "written") == translating.expected(run.id, None)["right"]
    slider.fill("4")  # the newest, by the slider: the model's own, as by the button
    until(page, "d.step === '40'")
    expect(page.locator("[data-value=own]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#translate-by-itself")).to_be_hidden()
    slider.fill("0")
    until(page, "d.step === '0'")
    page.locator("#translate-newest").click()
    until(page, "d.step === '40'")
    page.locator("[data-value=right]").click()
    until(page, "d.written === d.expected")


def test_keys_move_hold_and_let_go(open_view: Open) -> None:
    page = open_view()
    figure = page.locator("#translate-figure")
    figure.focus()
    page.keyboard.press("ArrowRight")
    until(page, "d.focus === 'target-0'")
    page.keyboard.press("ArrowUp")
    until(page, "d.focus === 'source-0'")
    page.keyboard.press("ArrowRight")
    until(page, "d.focus === 'source-1'")
    page.keyboard.press("Enter")
    until(page, "d.held === 'source-1'")
    page.keyboard.press("Escape")
    until(page, "d.held === '' && d.focus === ''")
    page.keyboard.press(" ")
    until(page, "d.at === d.tokens")


def test_any_text_is_shown_as_it_is(open_view: Open) -> None:
    page = open_view()
    for text in ("4 שלום 7", "猫7<b>&amp;${1}", "7  \u202e1"):
        translated(page, text)
        assert page.locator(".chip.unknown").count() > 0
        expect(page.locator(".unknown-hint")).to_contain_text("never seen")
        shown = page.locator(".chip[data-row=source] text").all_text_contents()
        plain = "".join(shown[:-1]).replace("␣", " ").replace("U+202E", "\u202e")
        assert plain == text
    page.fill("#translate-text", "")
    expect(page.locator(".source .message")).to_contain_text("at least one character")
    translated(page, "12")
    expect(page.locator(".source .message")).to_be_hidden()


def test_every_figure_can_be_saved_and_has_a_name(open_view: Open) -> None:
    page = open_view("?t.beams=2")
    until(page, "Number(d.nodes) > 0")
    saved: set[str] = set()
    for button in page.locator(".tp-save button").all():
        with page.expect_download() as download:
            button.click()
        assert download.value.path().stat().st_size > 100
        saved.add(download.value.suggested_filename)
    assert len(saved) == 15, "five figures, three ways"
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('canvas, svg, button, input, select, textarea')]
          .filter((node) => !node.closest('[aria-hidden=true]') && !node.closest('label')
            && !node.getAttribute('aria-label') && !node.textContent.trim() && !node.labels?.length)
          .map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []
