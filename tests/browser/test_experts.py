"""The tab Experts in Chromium: a router collapses and is rescued, a step is scrubbed, tokens are read."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from engine.config import RunConfig
from engine.runs.events import Routed, Saved
from engine.runs.store import Run, RunStore
from engine.training.driver import drive
from playground.tabs.experts import expert_routing
from playground.tabs.experts import server as experts
from tests.browser.conftest import Watched, alone
from tests.playground.tabs.test_experts import SMALL, imported
from tests.tools import redrawn

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]


# In the whole page ------------------------------------------------------------------------------------

DENSE = "?c.d_model=32&c.n_layer=1&c.n_head=2&c.max_seq_len=32&c.batch_size=8&c.total_steps=500&c.threads=1"
COLLAPSING = (
    "?c.d_model=32&c.n_layer=1&c.n_head=2&c.max_seq_len=32&c.batch_size=8&c.n_experts=4&c.top_k=1"
    "&c.router=switch&c.switch_loss=0&c.max_lr=0.03&c.warmup_steps=0&c.total_steps=5000&c.threads=1"
    "&c.sample_interval=0"
)
"""A router that soon sends most tokens to one expert of four, and stays so."""


WATCHED = Watched(".experts")
root, value, until = WATCHED.root, WATCHED.value, WATCHED.until


def start(page: Page) -> None:
    """Press Start in the tab Train, and turn to the new run's experts."""
    page.locator(".configure[data-answered]").wait_for()
    page.locator(".transport[data-shown]").wait_for()
    before = page.locator(".transport").get_attribute("data-shown")
    expect(page.locator("#start")).to_be_enabled()
    page.locator("#start").click()
    page.wait_for_function(
        "id => document.querySelector('.transport').dataset.shown !== id", arg=before
    )
    page.locator("#tab-experts-button").click()


def stop(page: Page) -> None:
    page.locator("#tab-train-button").click()
    page.locator("#stop").click()
    page.locator(".transport[data-state=stopped]").wait_for()


def test_a_collapsed_router_is_rescued_on_the_page(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?preset=collapse&c.threads=1&c.sample_interval=0&c.total_steps=2000")
    start(page)
    until(page, "Number(d.last) >= 200 && Number(d.maxvio) > 1.5")
    assert value(page, "rescued") == "false"
    shoot(page, "experts-collapsed")

    page.locator("#experts-switch_loss").fill("1")
    page.locator("#experts-switch_loss").press("Enter")
    until(page, "JSON.parse(d.balance).switch_loss === 1")
    raised = int(value(page, "last"))
    until(page, "Number(d.maxvio) < 0.5 || Number(d.last) > a + 300", raised)
    assert float(value(page, "maxvio")) < 0.5
    assert int(value(page, "last")) <= raised + 300
    until(page, "d.rescued === 'true'")
    expect(page.locator(".experts .tp-chart .mark-text")).to_have_text("switch_loss 1")
    expect(page.locator(".map-marks i")).to_have_count(1)
    shoot(page, "experts-rescued")

    page.locator("#experts-bias").click()
    until(
        page, "JSON.parse(d.balance).bias_rate === 0.01 && JSON.parse(d.balance).switch_loss === 0"
    )
    page.locator("#experts-off").click()
    until(page, "Object.values(JSON.parse(d.balance)).every((weight) => weight === 0)")
    expect(page.locator("#experts-switch_loss")).to_have_value("0")

    stop(page)


def test_a_pair_with_and_without_balancing(open_page: Open, shoot: Shoot) -> None:
    page = open_page(COLLAPSING)
    start(page)
    until(page, "Number(d.records) > 0")
    stop(page)
    page.locator("#tab-experts-button").click()
    page.locator("#experts-pair").click()
    until(page, "Number(d.records) > 0 && d.second !== '' && d.secondVio !== ''")
    expect(page.locator(".which")).to_have_count(2)
    expect(page.locator(".which").nth(0)).to_contain_text("balance on")
    expect(page.locator(".which").nth(1)).to_contain_text("balance off")
    assert json.loads(value(page, "balance"))["switch_loss"] == 0.01
    own = page.locator("#run-select optgroup").first.locator("option")
    expect(own).to_have_count(3)  # both are this browser's own
    until(page, "Number(d.last) > 20")
    shoot(page, "experts-pair")
    without = own.filter(has_text=re.compile("^balance off")).get_attribute("value")
    stop(page)
    page.locator("#run-select").select_option(without)  # its label says how it stands, and changes
    page.locator(".transport[data-state=running]").wait_for()
    stop(page)


def test_a_dense_run_leads_to_one_with_experts(open_page: Open) -> None:
    page = open_page("?tab=experts")
    root(page).locator("h3, .facts").first.wait_for()
    expect(root(page).locator(".notice")).to_be_hidden()  # nobody has chosen the shipped run
    page = open_page(DENSE)
    start(page)
    stop(page)
    page.locator("#tab-experts-button").click()
    expect(root(page).locator(".notice")).to_contain_text("has no experts")
    if value(page, "instead"):  # a trained one is shown in its place
        until(page, "d.ready === 'true' && Number(d.records) > 0")
    else:
        page.locator("#experts-train").click()
        page.locator(".configure[data-answered]").wait_for()
        assert "tab=" not in page.url and re.search("preset=experts|n_experts=8", page.url)


# The view by itself, over the real server functions ---------------------------------------------------


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    made = RunStore(runs).create(
        RunConfig.from_flat(SMALL | {"total_steps": 20, "probe_interval": 5}), "a small run"
    )
    drive(made)
    return made


@pytest.fixture(scope="module")
def wide_run(runs: Path) -> Run:
    """16 layers of 64 experts, with a log as a run writes it."""
    config = SMALL | {"n_layer": 16, "moe_layer_indices": None, "n_experts": 64, "total_steps": 2}
    made = RunStore(runs).create(RunConfig.from_flat(config), "16 x 64")
    drive(made)
    last = next(e for e in reversed(made.history()) if isinstance(e, Routed))
    for step in range(3, 503):
        made.append(Routed(**(vars(last) | {"step": step})))
    return made


@pytest.fixture
def offline() -> set[str]:
    """Runs of which the server does not answer."""
    return set()


@pytest.fixture
def open_view(browser: Browser, run: Run, offline: set[str]) -> Iterator[Open]:
    """Open the view by itself: `open_view("?e.layer=1", width=390)`. An error fails the test."""

    def follow(of: str, *sent: Any) -> dict[str, Any] | None:
        return None if of in offline else answering(of, *sent)

    served = {function.__name__: function for function in experts.SERVED}
    answering = served["follow"]
    with alone(browser, "experts", [*experts.SERVED, follow]) as open_alone:

        def open_view(
            query: str = "", width: int = 1280, dark: bool = False, of: Run = run
        ) -> Page:
            page = open_alone(query, width, dark, {"run": of.id, "pair": None})
            page.wait_for_selector(".experts[data-ready=true][data-text-step]")
            return page

        yield open_view


def test_scrubbing_moves_bars_and_text_together(open_view: Open, run: Run) -> None:
    page = open_view()
    assert page.url == "http://view.test/", "what is not chosen is not in the address"
    records = [event for event in run.history() if isinstance(event, Routed)]
    expect(page.locator(".bars-layer")).to_have_count(2)
    for index, text_step in ((0, "0"), (7, "10"), (19, "20")):
        page.locator("#experts-step").fill(str(index))
        until(page, "d.step === String(a)", index + 1)
        until(page, "d.textStep === a", text_step)
        load = records[index].load[1]
        shown = page.locator(".bars-layer").nth(1).get_attribute("data-vio")
        assert float(shown or "nan") == pytest.approx(max(load) / 0.25 - 1, abs=1e-3)
    map_ = page.locator(".map canvas").first.bounding_box()
    assert map_ is not None
    page.mouse.click(map_["x"] + map_["width"] / 2, map_["y"] + 5)
    until(page, "9 <= Number(d.step) && Number(d.step) <= 11")
    page.wait_for_function("location.search.includes('e.step=')")
    page.locator("#experts-newest").click()
    until(page, "d.step === '20'")
    page.wait_for_function("!location.search.includes('e.step=')")


def test_nothing_is_drawn_of_a_run_in_the_figures_of_another(
    open_view: Open, run: Run, wide_run: Run
) -> None:
    """The next run is smaller, and its news are here when it is known that the figures are out of sight."""
    page = open_view(of=wide_run)
    page.evaluate(
        """(run) => {
          const { follow } = server;
          const news = {};
          server.follow = async (...sent) => {
            news[sent] ??= await follow(...sent);
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            return news[sent];
          };
          window.show = (of) => { props.run = of; watched.run(); };
          show(run);
        }""",
        run.id,
    )
    for of in (run, wide_run, run):
        page.evaluate("show", of.id)
        until(page, "d.run === a && d.ready === 'true'", of.id)
    expect(page.locator(".bars-layer")).to_have_count(2)


def test_a_link_brings_the_choices_back(open_view: Open) -> None:
    page = open_view("?e.layer=3&e.step=5&e.x=flops&e.text=the%20cat")
    assert value(page, "step") == "5"
    expect(page.locator(".bars-layer h4")).to_have_text("Block 3")
    expect(page.locator("[data-value=flops]")).to_have_attribute("aria-pressed", "true")
    assert page.locator(".token-row .piece").all_text_contents() == list("the␣cat")
    expect(page.locator("#experts-text")).to_have_value("the cat")
    page.locator("[data-value=seconds]").click()
    page.wait_for_function("location.search.includes('e.x=seconds')")


def test_tokens_are_read_by_pointer_and_keyboard(open_view: Open, run: Run) -> None:
    page = open_view()
    cell = page.locator("#experts-cell-1-4")
    cell.hover()
    until(page, "d.token === '4' && d.row === '1' && d.locked === 'false'")
    taken = page.locator(".gates li.taken")
    expect(taken).to_have_count(2)
    strongest = cell.locator("small").inner_text()
    gates = page.locator(".path li").nth(1).locator(".chip").all_text_contents()
    assert gates[0] == strongest
    cell.click()
    until(page, "d.locked === 'true'")
    page.locator("#experts-cell-0-9").hover()
    assert value(page, "token") == "4"
    page.locator(".token-grid").focus()
    for key in ("ArrowRight", "ArrowUp", "Escape"):
        page.keyboard.press(key)
    until(page, "d.token === '5' && d.row === '0' && d.locked === 'false'")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    until(page, "d.token === '31' && d.locked === 'true'")
    expect(page.locator(".tp-hidden[role=status]")).to_contain_text("in block 1")


def test_text_is_text_and_a_problem_is_a_sentence(open_view: Open) -> None:
    page = open_view()
    page.fill("#experts-text", "żółw")
    expect(page.locator(".tokens .message")).to_contain_text("U+017C")
    page.fill("#experts-text", "the\ncat")
    until(page, "document.querySelectorAll('.token-row .piece').length === 14")
    assert page.locator(".token-row .piece").all_text_contents()[:7] == list("the⏎cat")
    expect(page.locator(".tokens .message")).to_be_hidden()
    page.locator(".tokens .link").click()
    until(page, "document.querySelectorAll('.token-row .piece').length === 64")


def test_kinds_of_tokens_beside_chance(open_view: Open, run: Run) -> None:
    page = open_view()
    page.locator(".special").scroll_into_view_if_needed()
    page.locator(".experts[data-counted]").wait_for()
    expect(page.locator(".kind-table")).to_have_count(2)
    expect(page.locator(".together canvas")).to_be_visible()
    counted = expert_routing.specialise(run.id, None)
    expect(page.locator(".kinds")).to_contain_text("shuffled among the tokens it would tell")
    shown = page.locator(".kinds").get_attribute("data-information")
    assert float(shown or "nan") == pytest.approx(counted["information"][0], abs=0.006)


def test_an_imported_run_shows_its_router_without_a_timeline(
    open_view: Open, runs: Path, run: Run
) -> None:
    page = open_view(of=imported(runs, run))
    expect(page.locator(".wait")).to_contain_text("has no recorded training")
    expect(page.locator(".token-row")).to_have_count(2)
    expect(page.locator(".path li")).to_have_count(2)
    expect(page.locator(".routed-at")).to_have_text(
        "Routed by the checkpoint of step 0, the nearest."
    )
    expect(page.locator(".upper")).to_be_hidden()
    page.locator(".special").scroll_into_view_if_needed()
    page.locator(".experts[data-counted='0']").wait_for()
    expect(page.locator(".kind-table")).to_have_count(2)
    page.fill("#experts-text", "the cat")
    until(page, "document.querySelectorAll('.token-row .piece').length === 14")


def test_a_run_before_its_first_step_says_what_will_come(
    open_view: Open, runs: Path, run: Run
) -> None:
    made = RunStore(runs).create(run.config, "about to train")
    for name in ("tokenizer.json", "step-000000"):
        of, to = run.path / name, made.path / name
        shutil.copytree(of, to) if of.is_dir() else shutil.copy(of, to)
    made.append(Saved(step=0, name="step-000000"))
    page = open_view(of=made)
    expect(page.locator(".wait")).to_contain_text("appear with its first record")
    expect(page.locator(".timeline")).to_be_hidden()
    made.append(next(event for event in run.history() if isinstance(event, Routed)))
    until(page, "d.records === '1'")
    expect(page.locator(".wait")).to_be_hidden()
    expect(page.locator(".map canvas").first).to_be_visible()
    expect(page.locator(".bars-layer")).to_have_count(2)


def test_a_partner_is_remembered_while_the_server_is_away(
    open_view: Open, runs: Path, run: Run, offline: set[str]
) -> None:
    partner = RunStore(runs).create(
        RunConfig.from_flat(SMALL | {"total_steps": 17, "eval_interval": 8}), "its partner"
    )
    drive(partner)
    offline.add(partner.id)
    page = open_view(f"?e.with={partner.id}")
    page.evaluate(
        "([first, second]) => localStorage.setItem('transformer-playground-pair', "
        "JSON.stringify({first, second}))",
        [run.id, partner.id],
    )
    page.wait_for_timeout(1000)  # it is asked about meanwhile
    assert value(page, "second") == ""
    assert partner.id in page.evaluate("localStorage.getItem('transformer-playground-pair')")
    offline.clear()
    until(page, "d.second === a", partner.id)

    # up to step 17 A was measured at 15, B at 17: each loss is told with its own step
    expect(page.locator(".measured")).to_contain_text("of A is")
    expect(page.locator(".measured")).to_contain_text("at step 15, and that of B is")
    page.locator("#experts-step").fill("7")
    label = page.locator(".map canvas").last
    expect(label).to_have_attribute("aria-label", re.compile("run B. At step 8, expert"))


def test_every_figure_can_be_saved(open_view: Open) -> None:
    page = open_view("?e.layer=1")
    page.locator(".special").scroll_into_view_if_needed()
    page.locator(".experts[data-counted]").wait_for()
    saved: set[str] = set()
    for group in page.locator(".tp-save").all():
        for button in group.locator("button").all():
            with page.expect_download() as download:
                button.click()
            assert download.value.path().stat().st_size > 100
            saved.add(download.value.suggested_filename)
    assert len(saved) == 18, "six figures, three ways"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_scrolls_sideways_on_a_phone(open_view: Open, dark: bool) -> None:
    page = open_view(width=390, dark=dark)
    page.locator(".special").scroll_into_view_if_needed()
    page.locator(".experts[data-counted]").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_figures_have_text_alternatives(open_view: Open) -> None:
    page = open_view()
    page.locator(".special").scroll_into_view_if_needed()
    page.locator(".experts[data-counted]").wait_for()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('canvas, svg, button, input, select, textarea')]
          .filter((node) => !node.closest('[aria-hidden=true]') && !node.closest('label')
            && !node.getAttribute('aria-label') && !node.textContent.trim() && !node.labels?.length)
          .map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []


def test_16_layers_of_64_experts_are_not_drawn_anew_at_every_step(
    open_view: Open, wide_run: Run
) -> None:
    page = open_view(of=wide_run)
    until(page, "Number(d.records) > 500")
    move = """const slider = document.getElementById("experts-step");
              slider.value = (i * 97) % 500;
              slider.dispatchEvent(new Event("input"));"""
    changes = redrawn.least(page, move)
    assert 16 <= changes <= 4_000, "16 layers have 1,024 bars, of a few parts each"


def test_it_begins_with_a_picture_and_measures_open_their_definitions(open_page: Open) -> None:
    page = open_page("?tab=experts&lang=en", height=768)
    page.wait_for_selector(".experts[data-ready=true]")
    page.wait_for_selector(".experts .token-grid .cell")
    tops = [
        page.locator(f".experts {part}").first.bounding_box() for part in (".token-grid", ".facts")
    ]
    assert tops[0] and tops[1] and tops[0]["y"] < 700 and tops[0]["y"] < tops[1]["y"]
    terms = page.locator(".experts .facts").first.locator(".tp-term")
    expect(terms).to_have_text(["MaxVio", "routing entropy", "dropped tokens", "dead experts"])
    for i in range(4):
        terms.nth(i).focus()
        expect(page.locator(".tp-definition .means")).to_be_visible()
