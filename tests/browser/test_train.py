"""The page as a learner uses it: configure, train, generate, look inside, come back."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import overlapping, too_wide

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

QUICK = "?c.d_model=32&c.total_steps=3000&c.batch_size=4&c.max_seq_len=32&c.threads=1&c.save_interval=25"
"""A run that is small, and long enough to be caught in the middle."""

LONG = QUICK.replace("total_steps=3000", "total_steps=100000")
"""One that does not end by itself."""


def ready(page: Page) -> None:
    """The form has its answer, and a run is on the page."""
    page.locator(".configure[data-answered]").wait_for()
    page.locator(".transport[data-shown]").wait_for()


def state(page: Page, *names: str) -> None:
    """Wait until the run on the page is in one of these states."""
    wanted = ", ".join(f".transport[data-state={name}]" for name in names)
    page.locator(wanted).wait_for()


def step(page: Page) -> int:
    return int(page.locator(".transport").get_attribute("data-step") or 0)


def until(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until this JavaScript is true."""
    page.wait_for_function(expression, arg=argument)


def past(page: Page, number: int) -> None:
    """Wait until the curve has a step beyond this one."""
    until(page, "n => Number(document.querySelector('.live').dataset.step) >= n", number)


def start(page: Page) -> str:
    """Press Start, wait for the new run, and give its id."""
    before = page.locator(".transport").get_attribute("data-shown")
    expect(page.locator("#start")).to_be_enabled()
    page.locator("#start").click()
    until(page, "id => document.querySelector('.transport').dataset.shown !== id", before)
    return page.locator(".transport").get_attribute("data-shown") or ""


def stop(page: Page) -> None:
    page.locator("#stop").click()
    state(page, "stopped", "finished")


def settings(page: Page) -> None:
    """Open all settings."""
    page.locator("#all-settings").click()
    expect(page.locator("#settings-search")).to_be_visible()


def test_the_first_load_shows_a_trained_model(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?tab=train")
    ready(page)
    state(page, "finished")
    past(page, 1)
    page.locator(".picture svg").first.wait_for()
    expect(page.locator("#run-select option:checked")).not_to_be_empty()
    assert parse_qs(urlsplit(page.url).query) == {"tab": ["train"]}
    shoot(page, "train")
    for tab in ("generate", "inside"):
        page.locator(f"#tab-{tab}-button").click()
        page.locator(f".{tab}[data-ready=true]").wait_for()
        shoot(page, tab)


def test_a_learner_walks_through(open_page: Open, shoot: Shoot) -> None:
    page = open_page(QUICK)
    ready(page)
    run = start(page)
    past(page, 50)
    shoot(page, "walk-1-training")

    page.locator("#pause").click()
    state(page, "paused")
    paused_at = step(page)
    page.locator("#rate").fill("0.0005")
    page.locator("#rate").press("Enter")
    page.locator(".transport[data-rate='0.0005']").wait_for()
    page.locator(".live[data-changed~=max_lr]").wait_for()
    page.locator("#step").click()
    until(
        page, "n => Number(document.querySelector('.transport').dataset.step) === n", paused_at + 1
    )
    state(page, "paused")
    shoot(page, "walk-2-paused")
    page.locator("#pause").click()
    state(page, "running")
    past(page, paused_at + 20)

    page.reload()  # in the middle of the run
    ready(page)
    assert page.locator(".transport").get_attribute("data-shown") == run
    state(page, "running")
    past(page, paused_at + 40)
    assert "c.d_model=32" in page.url
    shoot(page, "walk-3-reloaded")

    page.locator("#tab-generate-button").click()
    page.locator(".generate[data-ready=true]").wait_for()
    length = page.locator(".generate").get_attribute("data-length") or "0"
    for made in range(1, 21):
        page.locator("#generate-step").click()
        until(
            page,
            "n => Number(document.querySelector('.generate').dataset.length) === n",
            int(length) + made,
        )
    nodes = int(page.locator(".generate").get_attribute("data-nodes") or 0)
    page.locator("#generate-back").click()
    until(
        page,
        "n => Number(document.querySelector('.generate').dataset.length) === n",
        int(length) + 19,
    )
    for choice in (2, 3):  # one of the two is not what was written there before
        page.locator("#generate-list:not(.stale) .choice").nth(choice).click()
        until(
            page,
            "n => Number(document.querySelector('.generate').dataset.length) === n",
            int(length) + 20,
        )
        if int(page.locator(".generate").get_attribute("data-nodes") or 0) > nodes:
            break
        page.locator("#generate-back").click()
    until(page, "n => Number(document.querySelector('.generate').dataset.nodes) > n", nodes)
    shoot(page, "walk-4-generated")

    page.locator("#tab-inside-button").click()
    page.locator(".inside[data-ready=true]").wait_for()
    page.locator(".inside [role=gridcell]").nth(1).click()
    page.locator(".inside .text-figure [data-token='6']").click()
    page.locator(".inside[data-locked=true]").wait_for()
    shoot(page, "walk-5-inside")

    page.locator("#tab-train-button").click()
    stop(page)


def test_a_configuration_that_cannot_be_is_refused_beside_its_control(
    open_page: Open, shoot: Shoot
) -> None:
    page = open_page("?tab=train")
    ready(page)
    settings(page)
    page.locator("#field-d_model").fill("65")
    page.locator("#field-d_model").press("Enter")
    expect(page.locator("#field-d_model-problem")).to_contain_text("multiple of “Attention heads”")
    expect(page.locator("#start")).to_be_disabled()
    shoot(page, "refused")
    page.locator("#row-d_model .undo").click()
    expect(page.locator("#field-d_model-problem")).to_be_hidden()
    expect(page.locator("#start")).to_be_enabled()


def test_the_reason_stands_at_start_and_leads_to_its_field(open_page: Open) -> None:
    """Named as the form names it, with the settings closed: a press opens them, or mends it."""
    page = open_page("?tab=train")
    ready(page)
    settings(page)
    page.locator("#field-total_steps").fill("20")
    page.locator("#field-total_steps").press("Enter")
    reason = page.locator("#start-problem [data-field=warmup_steps]")
    expect(reason).to_contain_text("Warm-up steps: must not be above “Steps” = 20")
    page.locator("#all-settings").click()
    expect(page.locator("#field-warmup_steps")).to_be_hidden()
    reason.locator(".link").click()
    expect(page.locator("#field-warmup_steps")).to_be_focused()
    expect(page.locator("#field-warmup_steps")).to_be_in_viewport()
    reason.locator(".tp-button").click()
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#start-problem")).to_be_empty()
    page.locator("#field-n_head").fill("3")
    page.locator("#field-n_head").press("Enter")
    expect(page.locator("#start-problem [data-field=n_head]")).to_contain_text("“Width” = 64")


def test_a_newcomer_chooses_a_card_a_size_and_starts(open_page: Open, shoot: Shoot) -> None:
    """No setting is in sight, and the sizes say what they cost."""
    page = open_page("?tab=train")
    ready(page)
    for hidden in ("#field-d_model", "#settings-search", "#cost-parameters"):
        expect(page.locator(hidden)).to_be_hidden()
    page.locator("#card-reverse").check()
    expect(page.locator("#run-name")).to_have_text("Reverse")
    assert "preset=reverse" in page.url
    expect(page.locator("#size-M")).to_be_checked()
    for size in ("S", "M", "L"):
        expect(page.locator(f".size:has(#size-{size})")).to_contain_text(re.compile(r"\d+k"))
    stands = page.locator("#start").bounding_box()
    page.locator("#size-S").check()
    expect(page.locator(".changed-line")).to_be_visible()
    assert page.locator("#start").bounding_box() == stands  # a hand on its way to Start meets it
    expect(page.locator("#run-name")).to_have_text("Reverse · S")
    expect(page.locator(".chip")).to_have_text(["Width: 32×"])
    for card in page.locator(".configure .card").all():
        expect(card).to_be_in_viewport(ratio=1)
    expect(page.locator("#start")).to_be_in_viewport(ratio=1)
    shoot(page, "cards")
    page.locator("#card-text").check()
    expect(page.locator("#own-text")).to_be_visible()
    expect(page.locator("#start")).to_be_disabled()
    page.locator("#preset").select_option("induction")
    expect(page.locator(".card :checked")).to_have_count(0)
    expect(page.locator("#preset-about")).to_contain_text("cliff")


def test_settings_are_searched_and_changes_are_taken_back(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?c.n_layer=3")
    ready(page)
    settings(page)
    rows = page.locator(".settings .row:visible")
    page.locator("#settings-search").fill("rope")
    expect(rows).to_have_count(3)  # its base, the positions, and the norm that comes before it
    expect(page.locator("#row-position")).to_be_visible()
    expect(page.locator("#row-rope_theta")).to_be_visible()
    shoot(page, "searched")
    page.locator("#settings-search").fill("top_k")  # of a mixture of experts: this one is dense
    expect(rows).to_have_count(0)
    expect(page.locator("#settings-none")).to_contain_text("Experts per token")
    page.locator("#settings-search").press("Escape")
    expect(page.locator("#field-d_model")).to_be_visible()
    page.locator("#row-position label", has_text="ALiBi").click()
    expect(page.locator(".chip")).to_have_text(["Blocks: 3×", "Positions: ALiBi×"])
    expect(page.locator("#run-name")).to_have_text("Stories · 3 blocks · ALiBi")
    page.locator(".chip[data-field=n_layer] .chip-undo").click()
    expect(page.locator("#run-name")).to_have_text("Stories · ALiBi")
    page.locator(".chip[data-field=position] .chip-name").click()
    expect(page.locator("#row-position")).to_be_in_viewport()


def test_a_second_start_asks_and_the_header_shows_all_that_trains(open_page: Open) -> None:
    page = open_page(LONG)
    ready(page)
    first = start(page)
    state(page, "running")
    past(page, 5)
    page.locator("#start:enabled").click()
    page.locator("#beside-cancel").click()
    expect(page.locator("#beside")).to_have_count(0)
    expect(page.locator("#start")).to_be_enabled()
    assert page.locator(".transport").get_attribute("data-shown") == first
    page.locator("#start").click()
    page.locator("#beside-go").click()
    until(page, "id => document.querySelector('.transport').dataset.shown !== id", first)
    second = page.locator(".transport").get_attribute("data-shown")
    expect(page.locator("#trains")).to_contain_text("2 runs train")
    page.locator("#trains").click()
    page.locator(f".transport[data-shown='{first}']").wait_for()
    page.locator("#start:enabled").click()
    page.locator("#beside-stop").click()
    until(
        page,
        "ids => !ids.includes(document.querySelector('.transport').dataset.shown)",
        [first, second],
    )
    for run in (first, second):
        expect(page.locator(f".runs [data-run='{run}']")).to_have_attribute("data-state", "stopped")
    names = page.locator(".runs .name").all_text_contents()
    assert len(names) == len(set(names)) == 3
    stop(page)
    expect(page.locator("#trains")).to_be_hidden()


def test_runs_are_renamed_shown_and_deleted_in_their_list(open_page: Open) -> None:
    page = open_page("?c.total_steps=20&c.warmup_steps=5")
    ready(page)
    run = start(page)
    state(page, "finished")
    row = page.locator(f".runs [data-run='{run}']")
    expect(row).to_have_attribute("data-state", "finished")
    expect(page.locator(".live .onward button")).to_have_text(["Let it write", "Look inside it"])
    row.locator(".rename").click()
    row.locator("input").fill("  <b>mine</b> ")
    row.locator("input").press("Enter")
    expect(row.locator(".name")).to_have_text("<b>mine</b>")
    option = page.locator(f"#run-select option[value='{run}']")
    expect(option).to_have_text(re.compile(r"^<b>mine</b> · \d\d:\d\d · finished$"))
    page.locator("#run-select").select_option("stories")
    page.locator(".transport[data-shown=stories]").wait_for()
    row.locator(".name").click()
    page.locator(f".transport[data-shown='{run}']").wait_for()
    row.locator(".remove").click()
    page.locator("#runs-remove-sure").click()
    expect(row).to_have_count(0)
    expect(option).to_have_count(0)


def test_a_link_shows_a_run_to_somebody_else_who_cannot_change_it(open_page: Open) -> None:
    page = open_page(LONG)
    ready(page)
    run = start(page)
    past(page, 30)
    other = open_page(f"?run={run}")
    other.locator(f".transport[data-shown='{run}'][data-guest]").wait_for()
    past(other, 30)
    for hidden in ("#pause", "#step", "#stop", "#remove", "#rate"):
        expect(other.locator(hidden)).to_be_hidden()
    expect(other.locator("#fork")).to_be_enabled()
    assert f"run={run}" in other.url
    assert other.evaluate("tp.memory.read().runs") == []
    other.reload()
    other.locator(f".transport[data-shown='{run}'][data-guest]").wait_for()
    stop(page)


def test_predictions_and_picture_move_with_the_controls(open_page: Open) -> None:
    page = open_page("?tab=train")
    ready(page)
    settings(page)
    before = page.locator(".picture").get_attribute("data-total")
    parameters = page.locator("#cost-parameters").text_content()
    page.locator("#row-n_layer .slider").focus()
    page.keyboard.press("ArrowRight")
    until(page, "n => document.querySelector('.picture').dataset.total !== n", before)
    expect(page.locator("#cost-parameters")).not_to_have_text(parameters or "")
    assert "c.n_layer=" in page.url
    page.locator("#reset-to-preset").click()
    until(page, "n => document.querySelector('.picture').dataset.total === n", before)
    assert "c.n_layer" not in page.url


def test_experts_are_configured(open_page: Open, shoot: Shoot) -> None:
    page = open_page("?tab=train")
    ready(page)
    settings(page)
    expect(page.locator("#field-n_experts")).to_have_attribute("placeholder", "dense")
    for hidden in ("#row-top_k", "#row-router", "#group-balancing"):
        expect(page.locator(hidden)).to_be_hidden()
    for _ in range(3):  # dense, 2, 4, 8
        page.locator("#row-n_experts .slider").press("ArrowRight")
    expect(page.locator("#field-n_experts")).to_have_value("8")
    expect(page.locator("#group-balancing")).to_be_visible()
    expect(page.locator("#cost-active")).to_be_visible()
    expect(page.locator("g[data-part='experts.router']")).to_be_visible()
    expect(page.locator("#row-max_device")).to_be_hidden()

    page.locator("#row-router label", has_text="switch").click()
    expect(page.locator("#field-top_k-problem")).to_contain_text("must be 1")
    expect(page.locator("#start")).to_be_disabled()
    shoot(page, "experts-refused")
    page.locator("#field-top_k-problem button").click()
    expect(page.locator("#start")).to_be_enabled()
    for hidden in ("#row-top_k", "#row-renormalise"):  # Switch has one expert, whose gate stays
        expect(page.locator(hidden)).to_be_hidden()

    page.locator("#field-moe_layer_indices-0").click()
    expect(page.locator(".strip button")).to_have_count(2)
    page.locator("#field-moe_layer_indices-1").click()  # the last one stays
    expect(page.locator("#field-moe_layer_indices-1")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#run-name")).to_contain_text("blocks with experts 2")
    shoot(page, "experts")
    page.reload()
    ready(page)
    expect(page.locator("#field-moe_layer_indices-0")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#run-name")).to_contain_text("blocks with experts 2")
    expect(page.locator("#link-notes")).to_be_hidden()


def test_a_link_is_reproduced_and_a_hostile_one_is_refused_kindly(open_page: Open) -> None:
    page = open_page("?c.d_model=96&c.position=alibi&tab=generate")
    page.locator(".generate[data-ready=true]").wait_for()
    page.locator("#tab-train-button").click()
    ready(page)
    expect(page.locator("#field-d_model")).to_have_value("96")
    expect(page.locator("#field-position-alibi")).to_be_checked()
    hostile = "?c.d_model=7e99&c.seed=<img src=x onerror=alert(1)>&c.train_data_path=/etc/passwd&preset=${1}&run=../x&tab=<b>"
    page = open_page(hostile)
    ready(page)
    notes = page.locator("#link-notes")
    for field in ("Width", "Seed", "Train data path", "preset"):  # as the form names them
        expect(notes).to_contain_text(field)
    expect(notes).not_to_contain_text("d_model")
    expect(page.locator("#start")).to_be_enabled()
    assert "passwd" not in page.url


@pytest.mark.parametrize("tab", ["train", "generate", "inside", "experts"])
def test_a_link_opens_its_tab(open_page: Open, tab: str) -> None:
    """Also where Gradio, which selects its first tab on the way, has cleared the address by then."""
    page = open_page(f"?tab={tab}")
    expect(page.locator(f"#tab-{tab}-button")).to_have_attribute("aria-selected", "true")
    page.add_init_script(
        """const soon = setInterval(() => {
          if (!window.tp) return;
          history.replaceState(null, "", "/");
          clearInterval(soon);
        }, 1)"""
    )
    page.goto(page.url.split("?")[0] + f"?tab={tab}")
    expect(page.locator(f"#tab-{tab}-button")).to_have_attribute("aria-selected", "true")
    page.click("#tab-generate-button")  # and leaves the choice to the visitor from then on
    page.wait_for_timeout(300)
    expect(page.locator("#tab-generate-button")).to_have_attribute("aria-selected", "true")


def test_two_browsers_do_not_see_each_others_runs(open_page: Open) -> None:
    one, other = open_page(QUICK), open_page(QUICK)
    ready(one)
    ready(other)
    mine = start(one)
    past(one, 5)
    other.reload()
    ready(other)
    options = other.locator("#run-select option").evaluate_all("all => all.map(o => o.value)")
    assert mine not in options
    state(other, "finished")
    stop(one)


def test_a_run_is_started_over_forked_and_deleted(open_page: Open) -> None:
    page = open_page(QUICK)
    ready(page)
    run = start(page)
    past(page, 30)
    page.locator("#reset").click()
    until(page, "id => document.querySelector('.transport').dataset.shown !== id", run)
    state(page, "running")  # at once
    past(page, 30)
    stop(page)
    again = page.locator(".transport").get_attribute("data-shown")

    page.locator("#fork-step").select_option("25")
    page.locator("#fork").click()
    expect(page.locator(".configure .fork span")).to_contain_text("from step 25")
    expect(page.locator("#start")).to_be_focused()
    settings(page)
    page.locator("#field-max_lr").fill("0.001")
    page.locator("#field-max_lr").press("Enter")
    fork = start(page)
    past(page, 30)
    stop(page)
    assert fork not in (run, again)

    page.locator("#runs-compare").click()  # with the newest of the other two
    expect(page.locator("#compare-with")).to_have_value(str(again))
    page.locator(".tp-chart path.curve.other").first.wait_for(state="attached")
    assert f"with={again}" in page.url
    page.locator("#compare-with").select_option("")
    expect(page.locator(".tp-chart path.curve.other")).to_have_count(0)

    page.locator("#remove").click()
    page.locator("#remove-sure").click()
    until(page, "id => document.querySelector('.transport').dataset.shown !== id", fork)
    expect(page.locator(f"#run-select option[value='{fork}']")).to_have_count(0)
    for kept in (run, again):
        expect(page.locator(f"#run-select option[value='{kept}']")).to_have_count(1)
    expect(page.locator("#run-select optgroup").first.locator("option")).to_have_count(2)


def test_a_text_of_ones_own(open_page: Open) -> None:
    page = open_page(QUICK)
    ready(page)
    settings(page)
    page.locator("#field-source").select_option("text")
    expect(page.locator("#start")).to_be_disabled()
    text = "<b>Ein Text</b> über 学习 und 🦊; ${1+1} `x`.\n" * 60
    page.locator("#own-text").fill(text)
    start(page)
    past(page, 10)
    stop(page)


def test_with_a_text_of_ones_own_start_stands_below_the_sizes(open_page: Open) -> None:
    """Not over them, nor over the text; and the list says what it is for."""
    page = open_page("?tab=train&lang=en", width=1366, height=768)
    ready(page)
    caption = page.locator("label[for=preset]")
    expect(caption).to_have_text("or any preset:")
    page.locator("#card-text").check(force=True)
    page.locator("#own-text").fill("The fox sang. The owl slept.\n" * 100)
    expect(caption).to_have_text("with the settings of:")
    expect(page.locator("#run-name")).to_have_text("Own text")
    boxes = [
        page.locator(part).bounding_box()
        for part in ("#own-text", ".own .file", ".sizes", ".known", "#start")
    ]
    tops = [(box["y"], box["y"] + box["height"]) for box in boxes if box]
    assert len(tops) == 5
    assert all(end <= begin for (_, end), (begin, _) in pairwise(tops)), tops


def test_start_leaves_the_page_where_it_is_and_the_end_renews_the_estimate(open_page: Open) -> None:
    page = open_page("?tab=train&c.total_steps=40&c.warmup_steps=5", width=1366, height=768)
    ready(page)
    expect(page.locator(".known")).to_contain_text("As measured here last")
    expect(page.locator(".live .message")).to_contain_text("This is an example")
    page.evaluate("scrollTo(0, 150)")
    assert page.evaluate("scrollY") == 150
    start(page)
    name = page.locator(".runs li .name").first
    expect(name).to_contain_text("40 steps")
    past(page, 5)
    assert page.evaluate("scrollY") == 150
    asked = page.locator(".configure").get_attribute("data-asked") or ""
    state(page, "finished")
    until(page, "n => Number(document.querySelector('.configure').dataset.asked) > n", int(asked))


@pytest.mark.case("K1")
def test_a_text_that_cannot_be_taken_is_answered_with_what_to_do(open_page: Open) -> None:
    page = open_page(QUICK)
    ready(page)
    settings(page)
    page.locator("#field-source").select_option("text")
    area, said = page.locator("#own-text"), page.locator(".own [role=status]")
    latin = {"name": "x.txt", "mimeType": "text/plain", "buffer": b"one\ncaf\xe9 au lait\n"}
    page.set_input_files("#own-file", latin)
    expect(said).to_contain_text("byte 7, in line 2, is 0xE9. Save it as UTF-8")
    zero = {"name": "x.txt", "mimeType": "text/plain", "buffer": b"one\0two"}
    page.set_input_files("#own-file", zero)
    expect(said).to_contain_text("not text")
    expect(area).to_have_value("")
    area.fill("ab " * 333_500)  # nothing of it is cut without a word
    expect(said).to_contain_text("1,000,500 characters")
    expect(page.locator("#start-problem")).to_contain_text(
        "too long: 1,000,500 characters; at most 1,000,000"
    )
    expect(page.locator("#start")).to_be_disabled()


def test_a_link_is_not_started_before_it_is_understood(open_page: Open, address: str) -> None:
    """Else who is quick starts the run that the form held before."""
    page = open_page("?tab=learn")
    held: list[Route] = []

    def hold(route: Route) -> None:
        asked = "describe" in (route.request.post_data or "")
        held.append(route) if asked else route.continue_()

    page.route(re.compile("component_server"), hold)
    page.goto(f"{address}?preset=tiny&c.total_steps=321")
    page.wait_for_function("document.querySelector('#start')")
    while not held:
        page.wait_for_timeout(50)
    expect(page.locator("#start")).to_be_disabled()
    held[0].continue_()
    expect(page.locator("#start")).to_be_enabled()
    expect(page.locator("#run-name")).to_have_text("Tiny · 321 steps")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_fits_and_nothing_is_empty(
    open_page: Open, shoot: Shoot, width: int, scheme: str
) -> None:
    page = open_page("?tab=train", width=width, height=844, scheme=scheme)
    ready(page)
    state(page, "finished")
    past(page, 1)
    for tab in ("train", "generate", "inside"):
        page.locator(f"#tab-{tab}-button").click()
        if tab != "train":
            page.locator(f".{tab}[data-ready=true]").wait_for()
        assert too_wide(page) == [] and overlapping(page) == []
        shoot(page, f"{tab}-{width}-{scheme}")


def test_the_theme_can_be_switched_and_is_remembered(open_page: Open) -> None:
    page = open_page("?tab=train")
    ready(page)
    assert not page.evaluate("document.body.classList.contains('dark')")
    page.locator("#theme-switch").click()
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    ready(page)
    assert page.evaluate("document.body.classList.contains('dark')")


def test_everything_has_a_name_for_a_screen_reader(open_page: Open) -> None:
    page = open_page("?tab=train")
    ready(page)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('#tab-train button, #tab-train input, #tab-train select, header select')]
          .filter(e => e.offsetParent && !e.labels?.length && !e.textContent.trim()
            && !e.getAttribute('aria-label') && !e.title).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    expect(page.locator("h1")).to_have_text(re.compile("."))
