"""Look inside in Chromium: hover, hold, keyboard, steps, numbers, heads that are off, and the lens.

The view runs by itself, without Gradio, over the real server functions and a run of four steps.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from engine.runs.store import Run
from playground.tabs.inside import server as inside
from tests.browser.conftest import alone
from tests.playground.tabs.test_inside import CONTEXT, make_run
from tests.tools import redrawn

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    return make_run(runs, "a small run", n_head=4)


@pytest.fixture(scope="module")
def wide_run(runs: Path) -> Run:
    return make_run(runs, "4 x 4 heads, 128 tokens", n_head=4, n_layer=4, max_seq_len=128)


Open = Callable[..., Page]


@pytest.fixture
def open_view(browser: Browser, run: Run) -> Iterator[Open]:
    """Open the view: `open_view("?layer=2", width=390)`. An error on the page fails the test."""
    with alone(browser, "inside", inside.SERVED) as open_alone:

        def open_view(
            query: str = "",
            width: int = 1280,
            dark: bool = False,
            of: Run = run,
            ready: bool = True,
        ) -> Page:
            page = open_alone(query, width, dark, {"run": of.id})
            if ready:
                page.wait_for_selector(".inside[data-ready=true]")
            return page

        yield open_view


def root(page: Page) -> Locator:
    return page.locator(".inside")


def token(page: Page, index: int) -> Locator:
    return page.locator(f".text-figure [data-token='{index}']")


def write(page: Page, text: str) -> None:
    """Type a text and wait until it is shown."""
    page.fill("#inside-text", text)
    shown = min(len(text), CONTEXT)
    page.wait_for_function(
        "size => document.querySelectorAll('.text-figure [data-token]').length === size", arg=shown
    )


def weights(of: Run, step: int | None, text: str, layer: int, head: int) -> list[list[float]]:
    return inside.attention(of.id, step, text, layer, head)["weights"]


# The first look --------------------------------------------------------------------------------------


def test_it_opens_with_all_heads_and_a_suggested_one(open_view: Open, run: Run) -> None:
    page = open_view()
    layer, head, query = inside.look(run.id)["suggested"]
    expect(page.locator(".cell")).to_have_count(8)
    expect(page.locator(".head-title")).to_have_text(f"Layer {layer + 1}, head {head + 1}")
    expect(root(page)).to_have_attribute("data-query", str(query))
    expect(root(page)).to_have_attribute("data-locked", "false")
    expect(page.locator(".cell.chosen")).to_have_attribute("data-cell", f"{layer}.{head}")
    assert page.locator(".lines path").count() > 0
    assert page.url == "http://view.test/", "what is not chosen is not in the address"


def test_canvases_show_the_weights(open_view: Open, run: Run) -> None:
    page = open_view()
    text = "hello, hello again"
    write(page, text)
    expected = weights(run, None, text, 1, 2)
    size, reds = page.evaluate(
        """() => { const canvas = document.querySelector("[data-cell='1.2'] canvas");
          const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return [canvas.width, Array.from(data)]; }"""
    )
    assert size == len(text)
    for query in range(size):
        for key in range(size):
            alpha = reds[4 * (query * size + key) + 3]
            assert (alpha == 255) == (key <= query), "the future is empty"
    heat = page.evaluate("share => tp.heat(Math.sqrt(share))", round(expected[9][4] * 255) / 255)
    assert reds[4 * (9 * size + 4) :][:3] == heat


# Hover, hold and the keyboard -------------------------------------------------------------------------


def test_hovering_shows_lines_and_leaving_takes_them_back(open_view: Open, run: Run) -> None:
    page = open_view("?layer=2&head=1&query=3")
    page.keyboard.press("Escape")
    write(page, "hello, hello again")
    before = root(page).get_attribute("data-query")
    token(page, 10).hover()
    expect(root(page)).to_have_attribute("data-query", "10")
    row = weights(run, None, "hello, hello again", 1, 0)[10]
    lines = page.locator(".lines path")
    expect(lines).to_have_count(sum(round(weight * 255) >= 2.55 for weight in row))
    strongest = page.eval_on_selector_all(
        ".lines path",
        "paths => paths.map(p => [parseFloat(p.style.strokeWidth), Number(p.dataset.key)])",
    )
    assert max(strongest)[1] == max(range(11), key=lambda key: row[key])
    first = page.locator(".list li").first
    assert first.locator(".share").inner_text() == f"{round(max(row) * 100)}%"
    page.mouse.move(2, 2)
    expect(root(page)).to_have_attribute("data-query", str(before))


def test_a_click_holds_a_token_and_a_second_lets_go(open_view: Open) -> None:
    page = open_view()
    token(page, 5).click()
    expect(root(page)).to_have_attribute("data-locked", "true")
    assert "query=6" in page.url
    token(page, 9).hover()
    expect(root(page)).to_have_attribute("data-query", "5")
    token(page, 5).click()
    expect(root(page)).to_have_attribute("data-locked", "false")
    assert "query" not in page.url


def test_everything_works_by_keyboard(open_view: Open) -> None:
    page = open_view()
    page.locator(".text-figure").focus()
    page.keyboard.press("Home")
    expect(root(page)).to_have_attribute("data-query", "0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(root(page)).to_have_attribute("data-query", "2")
    expect(root(page)).to_have_attribute("data-locked", "true")
    page.keyboard.press("ArrowRight")
    expect(root(page)).to_have_attribute("data-query", "3")
    expect(root(page)).to_have_attribute("data-locked", "true")
    page.keyboard.press("Escape")
    expect(root(page)).to_have_attribute("data-locked", "false")
    expect(page.locator(".tp-hidden[role=status]")).to_contain_text("reads")

    page.locator(".cell.chosen .map").focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    expect(root(page)).to_have_attribute("data-layer", "0")
    expect(root(page)).to_have_attribute("data-head", "0")
    page.keyboard.press("ArrowDown")
    expect(root(page)).to_have_attribute("data-layer", "1")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-cell='1.0']")).to_have_class("cell chosen zeroed")


def test_the_table_reads_out_one_weight(open_view: Open, run: Run) -> None:
    page = open_view("?layer=1&head=2")
    write(page, "hello, hello again")
    side = page.locator(".matrix").bounding_box()
    assert side is not None
    cell = (side["width"] - 20) / 18
    x, y = side["x"] + 20 + 4.5 * cell, side["y"] + 20 + 9.5 * cell
    page.mouse.move(x, y)
    weight = weights(run, None, "hello, hello again", 0, 1)[9][4]
    expect(page.locator(".matrix-text")).to_have_text(
        f"l (10) reads {round(weight * 100)}% from o (5)"
    )
    page.mouse.click(x, y)
    expect(root(page)).to_have_attribute("data-locked", "true")
    expect(root(page)).to_have_attribute("data-query", "9")


# Any text ---------------------------------------------------------------------------------------------


def test_every_character_is_shown_readably_and_as_text(open_view: Open) -> None:
    page = open_view()
    text = "<b>&amp;</b> 你好 🙂\n\t\x07ï"
    write(page, text)
    shown = page.locator(".text-figure text").all_text_contents()
    assert "".join(shown) == "<b>&amp;</b>␣你好␣🙂⏎⇥␇ï"
    assert page.locator(".inside b", has_text="&").count() == 0
    for name in ("numbers", "zero", "lens"):
        page.locator(f"[data-panel={name}] summary").click()
        page.wait_for_selector(f"[data-panel={name}] [data-ready]")
    assert page.locator(".lens .input").all_text_contents()[: len(shown)] == shown


def test_a_character_the_model_does_not_know_is_said(open_view: Open) -> None:
    page = open_view()
    before = page.locator(".text-figure [data-token]").count()
    page.fill("#inside-text", "żółw")
    expect(page.locator(".message")).to_contain_text("U+017C")
    assert page.locator(".text-figure [data-token]").count() == before
    page.fill("#inside-text", "")
    expect(page.locator(".message")).to_contain_text("at least one character")
    write(page, "hello")
    expect(page.locator(".message")).to_be_hidden()


def test_a_text_that_is_too_long_is_visibly_cut(open_view: Open) -> None:
    page = open_view()
    write(page, "hello, hello again " * 4)
    expect(page.locator(".hint .rest")).to_have_text(
        "␣hello,␣hello␣again␣hello,␣hello␣again␣"[-36:]
    )
    page.get_by_text("Back to the first text").click()
    expect(page.locator(".hint .rest")).to_have_count(0)


# Steps of training ------------------------------------------------------------------------------------


def test_the_slider_goes_through_training_and_keeps_the_choice(open_view: Open) -> None:
    page = open_view("?layer=2&head=4&query=8")
    slider = page.locator("#inside-step")
    for index, step in enumerate([0, 1, 2, 3]):
        slider.fill(str(index))
        expect(root(page)).to_have_attribute("data-step", str(step))
        expect(page.locator(".head-title")).to_have_text("Layer 2, head 4")
        expect(root(page)).to_have_attribute("data-query", "7")
    page.wait_for_function("location.search.includes('step=3')")
    expect(page.locator(".step-note")).to_contain_text("recorded while training")
    page.locator("[data-panel=lens] summary").click()
    page.get_by_text("go to step 2").click()
    expect(root(page)).to_have_attribute("data-step", "2")
    page.wait_for_selector("[data-panel=lens] [data-ready]")
    slider.fill("4")
    expect(root(page)).to_have_attribute("data-step", "4")
    page.wait_for_selector("[data-panel=lens] [data-ready]")
    page.wait_for_function("!location.search.includes('step=')")  # the newest is the default


def test_play_goes_on_to_the_newest_step(open_view: Open) -> None:
    page = open_view("?step=0")
    page.evaluate(
        """() => { window.seen = []; const root = document.querySelector('.inside');
          new MutationObserver(() => seen.push(root.dataset.step))
            .observe(root, {attributeFilter: ['data-step']}); }"""
    )
    page.get_by_role("button", name="Play").click()
    expect(root(page)).to_have_attribute("data-step", "4")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert list(dict.fromkeys(page.evaluate("seen"))) == ["1", "2", "3", "4"]


def test_a_new_checkpoint_appears_while_the_run_trains(open_view: Open, runs: Path) -> None:
    growing = make_run(runs, "still training")
    newest = growing.checkpoint_path(4)
    aside = newest.with_name(".aside")
    newest.rename(aside)
    page = open_view(of=growing)
    expect(root(page)).to_have_attribute("data-step", "2")
    aside.rename(newest)
    expect(root(page)).to_have_attribute("data-step", "4")


def test_a_run_without_a_checkpoint_says_so_and_waits(open_view: Open, runs: Path) -> None:
    young = make_run(runs, "just started")
    paths = [checkpoint.path for checkpoint in young.checkpoints()]
    for path in paths:
        path.rename(path.with_name(f".{path.name}"))
    page = open_view(of=young, ready=False)
    expect(page.locator(".message")).to_contain_text("no checkpoint yet")
    expect(page.locator(".explore")).to_be_hidden()
    paths[0].with_name(f".{paths[0].name}").rename(paths[0])
    expect(root(page)).to_have_attribute("data-step", "0")
    expect(page.locator(".message")).to_be_hidden()
    expect(page.locator(".explore")).to_be_visible()


# The panels -------------------------------------------------------------------------------------------


def fixed(value: float) -> str:
    """As the page writes it: with a real minus sign, and none before zero."""
    return f"{round(value, 2) or 0:.2f}".replace("-", "−")


def test_the_numbers_are_the_servers(open_view: Open, run: Run) -> None:
    text = "hello, hello again"
    page = open_view("?layer=2&head=3")
    write(page, text)
    token(page, 6).click()
    page.locator("[data-panel=numbers] summary").click()
    page.wait_for_selector("[data-panel=numbers] [data-ready='1.2.6.4']")
    answer = inside.stages(run.id, 4, text, 1, 2, 6)
    rows = page.locator(".stages tbody tr")
    expect(rows).to_have_count(len(text))
    cells = [rows.nth(i).locator("td.number").all_inner_texts()[1:] for i in range(len(text))]
    for i, (product, scaled, masked) in enumerate(cells):
        assert product == fixed(answer["products"][i])
        assert scaled == fixed(answer["scaled"][i])
        assert masked == (scaled if i <= 6 else "−∞")
    rows.nth(3).hover()
    expect(page.locator(".worked")).to_contain_text(fixed(answer["products"][3]))
    rows.nth(10).hover()
    expect(page.locator(".worked")).to_contain_text("lies in the future")
    token(page, 9).click()
    page.wait_for_selector("[data-panel=numbers] [data-ready='1.2.9.4']")


def test_heads_can_be_switched_off(open_view: Open, run: Run) -> None:
    page = open_view("?panel=zero")
    write(page, "hello, hello again")
    page.locator("[data-cell='0.1'] .off").click()
    page.wait_for_selector("[data-panel=zero] [data-ready='0.1']")
    page.locator("[data-cell='1.3'] .off").click()
    page.wait_for_selector("[data-panel=zero] [data-ready='0.1,1.3']")
    assert "zero=1.2%2C2.4" in page.url
    query = int(root(page).get_attribute("data-query") or 0)
    answer = inside.zero(run.id, 4, "hello, hello again", [[0, 1], [1, 3]], query)
    loss = page.locator("[data-panel=zero] .loss b").inner_text()
    assert loss.startswith(f"{answer['loss_before']:.3f} → {answer['loss_after']:.3f}")
    assert page.locator("[data-panel=zero] .bars rect.after").count() > 3
    page.locator("[data-panel=zero]").get_by_role("button", name="All heads on").click()
    page.wait_for_selector("[data-panel=zero] [data-ready='none']")
    expect(page.locator(".cell.zeroed")).to_have_count(0)


@pytest.mark.case("C12")
@pytest.mark.parametrize("width", [1440, 390])
def test_what_a_head_that_is_off_changes_stands_at_the_maps(
    open_view: Open, run: Run, width: int
) -> None:
    """Loss and next tokens, without scrolling and without a panel; gone when the heads are on again."""
    page = open_view("?lang=en", width=width)
    write(page, "hello, hello again")
    off = page.locator("[data-cell='0.1'] .off")
    off.scroll_into_view_if_needed()
    expect(page.locator(".effect")).to_be_hidden()
    off.click()
    page.wait_for_selector(".effect[data-ready='0.1']")
    query = int(root(page).get_attribute("data-query") or 0)
    answer = inside.zero(run.id, 4, "hello, hello again", [[0, 1]], query)
    expect(page.locator(".effect .loss b")).to_have_text(
        f"{answer['loss_before']:.3f} → {answer['loss_after']:.3f} nats per token"
    )
    expect(page.locator(".effect .bars g:not(.legend) rect.after")).to_have_count(4)
    box, grid = page.locator(".effect").bounding_box(), page.locator(".grid").bounding_box()
    assert box and grid
    near = box["y"] - (grid["y"] + grid["height"])
    assert 0 <= near < 40 or box["x"] >= grid["x"] + grid["width"]
    expect(page.locator("details[open]")).to_have_count(0)
    page.locator(".effect").get_by_role("button", name="All heads on").click()
    expect(page.locator(".effect")).to_be_hidden()


def test_the_lens_shows_every_stage_at_every_position(open_view: Open, run: Run) -> None:
    page = open_view("?panel=lens")
    write(page, "hello again")
    expect(page.locator(".lens .box")).to_have_count(5 * 11)
    names = page.locator(".lens .row-name").all_text_contents()
    assert names[1:-1] == ["embedding", "attention 1", "feed-forward 1", "attention 2", "feed-forward 2"]  # fmt: skip
    page.locator(".lens-frame").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".lens-readout p").first).to_contain_text("attention 2")
    expect(page.locator(".lens-readout li")).to_have_count(5)
    page.locator(".lens .box[data-stage='0'][data-token='4']").hover()
    expect(page.locator(".lens-readout p").first).to_have_text("After embedding, at o (token 5):")


def test_one_panel_is_open_at_a_time(open_view: Open) -> None:
    page = open_view("?panel=lens")
    page.wait_for_selector("[data-panel=lens] [data-ready]")
    page.locator("[data-panel=numbers] summary").click()
    page.wait_for_selector("[data-panel=numbers] [data-ready]")
    expect(page.locator("details[open]")).to_have_count(1)
    assert "panel=numbers" in page.url


# The address, saving, and sizes -----------------------------------------------------------------------


def test_the_address_brings_the_same_view_back(open_view: Open) -> None:
    page = open_view()
    write(page, "hello, <b>&amp;")
    page.locator("[data-cell='0.3'] .map").click()
    token(page, 4).click()
    page.locator("#inside-step").fill("1")
    page.locator("[data-cell='1.1'] .off").click()
    page.wait_for_selector(".effect[data-ready='1.1']")
    page.wait_for_function("/step=2.*zero=2.2/.test(location.search)")
    again = open_view(page.url.removeprefix("http://view.test/"))
    again.wait_for_selector(".effect[data-ready='1.1']")
    for name in ("step", "layer", "head", "query", "locked"):
        expect(root(again)).to_have_attribute(
            f"data-{name}", str(root(page).get_attribute(f"data-{name}"))
        )
    expect(again.locator("#inside-text")).to_have_value("hello, <b>&amp;")
    again.wait_for_function("url => location.href === url", arg=page.url)


@pytest.mark.parametrize(
    "query", ["?layer=99&head=99&query=99&zero=9.9,1.1&panel=none", "?layer=0&zero=x&query=-1"]
)
def test_an_address_that_does_not_fit_does_no_harm(open_view: Open, query: str) -> None:
    page = open_view(query)
    assert page.locator(".lines path").count() > 0


def test_another_run_begins_anew(open_view: Open, wide_run: Run) -> None:
    page = open_view("?layer=2&head=4&query=8&text=hello&zero=1.1")
    page.evaluate("id => { props.run = id; watched.run(); }", wide_run.id)
    expect(root(page)).to_have_attribute("data-run", wide_run.id)
    expect(page.locator(".cell")).to_have_count(16)
    expect(page.locator(".cell.zeroed")).to_have_count(0)
    page.wait_for_function("location.search === ''")


def downloaded(page: Page, button: Locator) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        button.click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_every_figure_can_be_saved(open_view: Open, run: Run) -> None:
    page = open_view("?layer=1&head=1&query=5")
    write(page, "hello")
    bars: list[tuple[str, int]] = [(".every-head", 3), (".under", 3), (".matrix-figure", 3)]
    for name, buttons in (("numbers", 1), ("zero", 3), ("lens", 3)):
        bars.append((f"[data-panel={name}]", buttons))
    for place, count in bars:
        if place.startswith("["):
            page.locator(f"{place} summary").click()
            page.wait_for_selector(f"{place} [data-ready]")
        buttons = page.locator(f"{place} .tp-save-button")
        expect(buttons).to_have_count(count)
        for button in buttons.all():
            name, content = downloaded(page, button)
            assert name.startswith("attention-step-4-")
            if name.endswith(".png"):
                assert content.startswith(b"\x89PNG")
            elif name.endswith(".svg"):
                assert b"<svg" in content
            else:
                rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
                assert len(rows) > 1 and len({len(row) for row in rows}) == 1, name
                if place == ".matrix-figure":
                    assert len(rows) == 1 + 5 * 6 / 2
                    expected = weights(run, 4, "hello", 0, 0)
                    assert float(rows[-1][-1]) == pytest.approx(expected[4][4], abs=0.0021)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("panel", ["numbers", "zero", "lens"])
def test_nothing_scrolls_sideways_on_a_phone(open_view: Open, panel: str, dark: bool) -> None:
    page = open_view(f"?panel={panel}", width=390, dark=dark)
    page.wait_for_selector(f"[data-panel={panel}] [data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_figures_have_text_alternatives(open_view: Open) -> None:
    page = open_view("?panel=lens")
    page.wait_for_selector("[data-panel=lens] [data-ready]")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('canvas, svg, button, input, textarea')]
          .filter((node) => !node.closest('[aria-hidden=true]') && !node.closest('label')
            && !node.getAttribute('aria-label') && !node.textContent.trim() && !node.labels?.length)
          .map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []


def test_128_by_128_tokens_are_not_drawn_anew_at_every_hover(
    open_view: Open, wide_run: Run
) -> None:
    page = open_view(of=wide_run)
    page.fill("#inside-text", ("hello, hello again 0123456789. " * 5)[:128])
    page.wait_for_function("document.querySelectorAll('[data-token]').length === 128")
    hover = """document.querySelectorAll(".text-figure [data-token]")[(i * 37) % 128]
                 .dispatchEvent(new PointerEvent("pointermove", { bubbles: true, pointerType: "mouse" }));"""
    changes = redrawn.least(page, hover)
    assert 1 <= changes <= 1_000, "there are 128 tokens, and lines between them"


# What a beginner reads -----------------------------------------------------------------------------------


def test_a_head_without_a_rule_is_described_by_its_sharpest_pair(open_view: Open, run: Run) -> None:
    page = open_view()
    text = "hello, hello again"
    write(page, text)
    patterns = inside.look(run.id, None, text)["patterns"]
    layer, head = next(
        (layer, head)
        for layer, heads in enumerate(patterns)
        for head, (_, share, _) in enumerate(heads)
        if share < 0.3
    )
    page.locator(f"[data-cell='{layer}.{head}'] .map").click()
    rows = weights(run, None, text, layer, head)
    share, query, key = max(
        (rows[q][k], q, k)
        for q in range(len(text))
        for k in range(q)
        if text[q].isalnum() and text[k].isalnum()
    )
    expect(page.locator(".pattern")).to_contain_text("No simple rule")
    sentence = f"“{text[query]}” reads {round(share * 100)}% from “{text[key]}”"
    expect(page.locator(".pattern")).to_contain_text(sentence)
    expect(root(page)).to_have_attribute("data-query", str(query))


def test_a_head_is_switched_off_beside_what_that_changes(open_view: Open) -> None:
    page = open_view("?panel=zero")
    write(page, "hello, hello again hello, hello")
    switch = page.locator("[data-panel=zero] .switch[data-head='1.2']")
    switch.click()
    page.wait_for_selector("[data-panel=zero] [data-ready='1.2']")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(switch).to_be_focused()  # the next press undoes it
    expect(page.locator("[data-cell='1.2'] .off")).to_have_attribute("aria-pressed", "true")
    switch.press("Enter")
    page.wait_for_selector("[data-panel=zero] [data-ready='none']")


def test_the_text_before_the_next_token_begins_with_a_word(open_view: Open) -> None:
    page = open_view("?panel=zero")
    write(page, "hello again, hello again, hello again")
    token(page, 36).click()
    said = page.locator("[data-panel=zero] .next")
    expect(said).to_have_text("The next token after “…again, hello again, hello again”")
    write(page, "hello again")
    token(page, 10).click()
    expect(said).to_have_text("The next token after “hello again”")


LABELS = """() => {
  const drawn = CanvasRenderingContext2D.prototype.fillText;
  window.labels = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    if (y > 30) window.labels.push([parseFloat(this.font), x, y]);
    return drawn.call(this, text, x, y, ...rest);
  };
}"""


def test_labels_of_the_large_map_do_not_overlap(open_view: Open, wide_run: Run) -> None:
    page = open_view(of=wide_run)
    page.evaluate(LABELS)
    for size in (48, 90):
        page.evaluate("window.labels = []")
        write_long(page, ("hello, hello again " * 6)[:size])
        page.wait_for_function("window.labels.filter(([font]) => font < 13).length > 5")
        found = page.evaluate("window.labels.filter(([font]) => font < 13)")
        by_y = sorted({(y, font) for font, _, y in found})
        assert len(by_y) > 5
        for (y, font), (below, _) in pairwise(by_y):
            assert below - y >= font - 0.5


def write_long(page: Page, text: str) -> None:
    """Like `write`, for a run that reads longer texts."""
    page.fill("#inside-text", text)
    page.wait_for_function(
        "size => document.querySelectorAll('.text-figure [data-token]').length === size",
        arg=len(text),
    )
