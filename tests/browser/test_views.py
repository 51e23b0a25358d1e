"""The views by themselves: drawn in Chromium from plain data, without Gradio and without training."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from engine.config import ModelConfig, RunConfig
from engine.data.baselines import Baselines
from engine.presets import DEFAULT, PRESETS
from engine.runs import snapshots
from engine.runs.events import (
    Changed,
    Diverged,
    Ended,
    Evaluated,
    Message,
    Paused,
    Probed,
    Sampled,
    Started,
    Stepped,
    Working,
)
from engine.runs.store import Run, RunStore
from engine.tokenizers import CharTokenizer, save_tokenizer
from playground.hosting import run_feed
from playground.page.theme import CSS
from playground.page.views import HEAD, sources
from playground.planning.choice import Choice
from playground.planning.plan import plan
from playground.runs import phases, run_data, run_lookup
from playground.tabs.learn.tab import terms
from playground.tabs.train import tab as train_tab
from playground.tabs.train.model_spec import model_spec
from playground.tabs.train.tab import CHART_TERMS

pytestmark = pytest.mark.browser

RUN_VIEW = """
window.server = {poll: (...a) => window.pollServer(a), probe: (...a) => window.probeServer(a)};
window.watched = {};
Function('element', 'trigger', 'props', 'server', 'upload', 'watch', SCRIPT)(
  document.getElementById('view'), () => {}, window.props = PROPS, window.server, null,
  (name, callback) => { window.watched[name] = callback; });
"""


Open = Callable[..., Page]


@pytest.fixture
def open_view(browser: Browser) -> Iterator[Open]:
    """Open a view: `open_view("model", width=390, dark=True, spec=...)`. Errors fail the test."""
    errors: list[str] = []
    pages: list[Page] = []

    def open_view(name: str, width: int = 1200, dark: bool = False, **props: Any) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 1000})
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.expose_function("pollServer", lambda sent: run_feed.poll(*sent))
        page.expose_function("probeServer", lambda sent: run_feed.probe(*sent))
        template, style, script = sources(name)
        page.route(
            "http://view.test/**",
            lambda route: route.fulfill(
                content_type="text/html; charset=utf-8",
                body=f"<!doctype html><html><head>{HEAD}<style>{CSS.read_text('utf-8')} "
                f"#view {{ {style} }}</style></head>"
                f'<body class="{"dark" if dark else ""}"><div id="view">{template}</div></body></html>',
            ),
        )
        page.goto("http://view.test/")
        start = RUN_VIEW.replace("SCRIPT", json.dumps(script)).replace("PROPS", json.dumps(props))
        page.evaluate(start)
        return page

    yield open_view
    for page in pages:
        page.close()
    assert errors == []


def change(page: Page, **props: Any) -> None:
    """Change properties of the view, as an event handler of the page does."""
    for name, value in props.items():
        page.evaluate("([name, value]) => { props[name] = value; watched[name](); }", [name, value])


# The form that configures ---------------------------------------------------------------------------


def test_the_form_says_why_the_server_cannot_answer_and_stays_as_it_was(open_view: Open) -> None:
    answer = train_tab.answered(plan(Choice(PRESETS[DEFAULT])))
    page = open_view("configure", layout=train_tab.layout(), answer=answer, limits=None)
    page.evaluate("server.describe = async () => ({ error: 'The disk is full.' })")
    page.locator("#card-text").check(force=True)
    expect(page.locator("#start-problem")).to_have_text("The disk is full.")
    page.evaluate("answer => { server.describe = async () => answer; }", answer)
    page.locator("#card-reverse").check(force=True)
    expect(page.locator("#start-problem")).to_have_text("")


@pytest.mark.parametrize("chosen", ["#card-reverse", "#size-S"])
def test_what_is_chosen_while_a_link_is_on_its_way_stays(open_view: Open, chosen: str) -> None:
    """Another card takes the link's place; a field is changed in what the link brings."""
    answer = train_tab.answered(plan(Choice(PRESETS[DEFAULT])))
    page = open_view("configure", layout=train_tab.layout(), answer=answer, limits=None)
    page.evaluate("answer => { server.describe = async () => answer; }", answer)
    page.locator("#card-stories").check(force=True)  # whatever the page began with is over
    page.wait_for_selector(".configure[data-ready=true]")
    page.evaluate(
        """() => {
          window.held = [];
          server.describe = () => new Promise((done) => held.push(done));
          tp.lessons.open("tab=train&preset=induction");
        }"""
    )
    page.wait_for_function("held.length === 1")
    page.locator(chosen).check(force=True)
    linked = {"preset": "induction", "changes": {}, "fork": None}
    page.evaluate("(answer) => held[0](answer)", answer | {"choice": linked})
    page.wait_for_function("held.length === 2")  # the newest choice is asked for
    preset, width = ("reverse", "64") if chosen == "#card-reverse" else ("induction", "32")
    expect(page.locator("#preset")).to_have_value(preset)
    expect(page.locator("#field-d_model")).to_have_value(width)


# The picture of the model ---------------------------------------------------------------------------


def spec(**fields: Any) -> dict[str, Any]:
    return model_spec(ModelConfig(**fields), 16, 75)


def parts(page: Page) -> list[str]:
    """The parts' keys, from top to bottom."""
    return page.evaluate(
        """() => {
            const y = (group) => Number(/translateY\\((.*)px\\)/.exec(group.style.transform)[1]);
            const groups = [...document.querySelectorAll("g[data-part]")];
            return groups.sort((a, b) => y(a) - y(b)).map((group) => group.dataset.part);
        }"""
    )


PICTURES = {
    "default": {},
    "grouped": {"n_head": 8, "n_kv_head": 2, "n_layer": 6},
    "post, untied": {"placement": "post", "tie_embeddings": False, "position": "sinusoidal"},
    "no norm, ALiBi": {"norm": "none", "position": "alibi", "feedforward": "relu"},
    "many": {"n_layer": 96, "n_head": 64, "n_kv_head": 1, "d_model": 4096},
    "experts": {"n_experts": 8, "n_shared_experts": 1},
    "many experts": {"n_experts": 256, "top_k": 8, "placement": "post"},
    "hybrid": {"n_layer": 24, "n_experts": 16, "moe_layer_indices": tuple(range(1, 24, 2))},
    "translator": {"n_encoder_layer": 6, "n_layer": 6, "norm": "layernorm", "placement": "post"},
    "translator with experts": {"n_encoder_layer": 1, "n_experts": 8, "position": "sinusoidal"},
    "learned": {"position": "learned", "norm": "layernorm", "bias": True, "feedforward": "gelu"},
}


@pytest.mark.parametrize("width", [390, 1200])
def test_every_model_fits_its_page(open_view: Open, width: int) -> None:
    """One page for all of them, as for a learner who changes the configuration."""
    page = open_view("model", width, spec=spec())
    drawn: list[str] = []
    for name, fields in PICTURES.items():
        change(page, spec=spec(**fields))
        drawn.append(page.evaluate("document.querySelector('.drawing').innerHTML"))
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        beyond = page.evaluate(
            """() => {
              const svg = document.querySelector('.drawing svg').getBoundingClientRect();
              return [...document.querySelectorAll('.drawing text, .drawing rect')].filter((node) => {
                const box = node.getBoundingClientRect();
                return box.left < svg.left - 2 || box.right > svg.right + 12;
              }).map((node) => node.outerHTML);
            }"""
        )
        assert beyond == [], name
    assert len(set(drawn)) == len(PICTURES), "each was drawn"


def test_the_picture_is_the_configured_model(open_view: Open) -> None:
    page = open_view("model", spec=spec(n_layer=2))
    assert parts(page) == [
        "tokens", "embedding", "block.0", "attention.norm", "attention.heads", "attention.rope",
        "attention.weights", "attention.project", "feedforward.norm", "feedforward.up",
        "feedforward.curve", "feedforward.down", "block.1", "after.norm", "after.logits",
    ]  # fmt: skip
    change(page, spec=spec(n_layer=1, placement="post", position="learned"))
    assert parts(page) == [
        "tokens", "embedding", "learned", "block.0", "attention.heads", "attention.weights",
        "attention.project", "attention.norm", "feedforward.up", "feedforward.curve",
        "feedforward.down", "feedforward.norm", "after.logits",
    ]  # fmt: skip
    label = page.get_attribute("g[data-part='learned']", "aria-label")
    assert label is not None and "T × C = 128 × 64" in label and "8,192 parameters" in label


def test_an_encoder_stands_before_the_decoder_that_reads_it(open_view: Open) -> None:
    fields = {"n_encoder_layer": 2, "n_layer": 1, "position": "sinusoidal", "placement": "post"}
    page = open_view("model", spec=spec(**fields))
    assert parts(page) == [
        "sources", "embedding", "sinusoidal", "block.0", "block.1", "memory",
        "between.written", "between.embedding", "between.sinusoidal", "block.2",
        "attention.heads", "attention.weights", "attention.project", "attention.norm",
        "cross.heads", "cross.weights", "cross.project", "cross.norm",
        "feedforward.up", "feedforward.curve", "feedforward.down", "feedforward.norm", "after.logits",
    ]  # fmt: skip
    label = page.get_attribute("g[data-part='cross.weights']", "aria-label")
    assert label is not None and "B × H × T × S" in label and "alignment" in label
    page.locator("g[data-part='block.0']").click()
    order = parts(page)
    assert order.index("attention.weights") < order.index("memory")
    assert page.get_attribute("g[data-part='attention.weights']", "aria-label").count(
        "B × H × S × S"
    )


def test_blocks_open_by_keyboard_and_parts_explain_themselves(open_view: Open) -> None:
    page = open_view("model", spec=spec(n_layer=3))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.part") == "tokens"
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.part") == "attention.heads"
    said = page.inner_text(".tp-tip")
    assert -1 < said.index("Each token asks for something") < said.index("16 × 4 × 128 × 16")
    page.locator("g[data-part='block.2']").focus()
    page.keyboard.press("Enter")
    order = parts(page)
    assert order.index("block.2") < order.index("attention.heads")
    assert page.evaluate("document.activeElement.dataset.part") == "block.2"


def test_experts_and_the_blocks_that_have_them(open_view: Open) -> None:
    page = open_view("model", spec=spec(n_layer=4, n_experts=8, moe_layer_indices=(1, 3)))
    order = parts(page)  # the first block with experts is open
    at = order.index("block.1")
    assert order[at + 1 : at + 10] == [
        "attention.norm", "attention.heads", "attention.rope", "attention.weights",
        "attention.project", "experts.norm", "experts.router", "experts.experts", "experts.combine",
    ]  # fmt: skip
    assert "8 experts, 2 work on each token" in page.inner_text(".drawing")
    assert "work on each token" in page.inner_text(".total")
    label = page.get_attribute("g[data-part='experts.experts']", "aria-label") or ""
    assert "B × T × K × F = 16 × 128 × 2 × 168" in label
    squares = page.locator(".strip button")
    names = squares.evaluate_all("all => all.map(square => square.getAttribute('aria-label'))")
    assert names == [
        f"Block {n}: {kind}" for n, kind in enumerate(["dense", "with experts"] * 2, 1)
    ]
    squares.nth(2).click()
    order = parts(page)
    assert order.index("block.2") < order.index("feedforward.up") < order.index("block.3")
    assert squares.nth(2).get_attribute("aria-pressed") == "true"
    change(page, spec=spec(n_layer=2, n_experts=8))
    assert page.locator(".strip").is_hidden() and "experts.router" in parts(page)


# The live view --------------------------------------------------------------------------------------

TEXT = "the <b>cat</b>\nsat"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TP_RUNS", str(tmp_path))
    return make(tmp_path, "first run")


def make(root: Path, name: str) -> Run:
    run = RunStore(root).create(RunConfig.from_flat({"total_steps": 400}), name)
    save_tokenizer(CharTokenizer.train(TEXT), run.tokenizer_path)
    return run


def tell(run: Run, *events: Message) -> None:
    for event in events:
        run.append(event)


def train(run: Run, first: int, last: int, correct: bool | None = None) -> None:
    """Events as a run from one step to another writes them."""
    if first == 1:
        tell(
            run,
            Started(step=0, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=9),
        )
    tokens = np.array(CharTokenizer.train(TEXT).encode("the cat"), np.int32)
    for step in range(first, last + 1):
        loss = 1 + 2 * math.exp(-step / 60)
        tell(
            run,
            Stepped(step=step, loss=loss, lr=0.001, grad_norm=0.5, tokens=64 * step, seconds=0.01),
        )
        if step % 50 == 0:
            share = None if correct is None else 0.5
            tell(run, Evaluated(step=step, loss=loss, accuracy=share))
            tell(run, Sampled(step=step, prompt="the ", text="<b>cat</b>\n", correct=correct))
            length = len(tokens)
            maps = np.full((2, 3, length, length), 80, np.uint8)
            snapshot = snapshots.Snapshot(
                step,
                tokens,
                maps,
                np.ones((5, length), np.float32),
                np.ones(length - 1, np.float32),
                np.zeros((2, 0, length, 0), np.uint8),
            )
            path = run.snapshot_path(f"step-{step:06d}.npz")
            path.parent.mkdir(exist_ok=True)
            snapshots.save(snapshot, path)
            tell(run, Probed(step=step, name=path.name))


def wait(page: Page, **data: Any) -> None:
    """Wait for the view's data-... attributes."""
    selector = "".join(f"[data-{name}='{value}']" for name, value in data.items())
    page.wait_for_selector(f".live{selector}", state="attached")


def test_a_finished_run_is_there_at_once(open_view: Open, run: Run) -> None:
    train(run, 1, 400)
    tell(run, Ended(step=400, how="finished"))
    page = open_view("live", run=run.id)
    wait(page, step=400, status="finished")
    assert page.inner_text(".live .name") == "first run"
    assert page.inner_text(".status").endswith("finished")
    assert page.locator(".card").count() == 8
    assert page.locator(".card p").last.inner_text() == "the <b>cat</b>\n"
    assert page.locator(".card b b").count() == 0  # what looks like markup is text
    page.wait_for_selector("canvas.maps[data-step='400']")
    assert "guessing evenly among" in (page.get_attribute(".tp-chart", "aria-label") or "")
    assert "knows nothing" in (page.text_content(".tp-chart .labels") or "")


def test_the_chart_says_its_levels_in_words_and_its_terms_open(
    open_view: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Baselines(unigram=2.0, bigram=1.8, counted=100)
    monkeypatch.setattr(run_data, "baselines", lambda run: counted)
    monkeypatch.setattr(run_data, "letters", lambda run: True)
    train(run, 1, 60)
    page = open_view("live", run=run.id, terms=terms(*CHART_TERMS))
    wait(page, step=60)
    labels = page.locator(".tp-chart .reference-text").all_text_contents()
    assert [label.rsplit(" ", 1)[0] for label in labels] == [
        "knows nothing",
        "counts letters",
        "counts pairs",
    ]
    rates = page.locator(".tp-chart .tick").all_text_contents()
    assert "0.001" in rates and not [rate for rate in rates if "e" in rate]
    words = page.locator(".reading .tp-term")
    assert words.all_text_contents() == [
        "nats",
        "unigram",
        "bigram",
        "Learning rate",
        "Gradient norm",
    ]
    words.first.focus()
    expect(page.locator(".tp-definition")).to_contain_text("1.44 bits")


def test_one_time_is_measured(open_view: Open, run: Run) -> None:
    """That of updates and of what is measured and written between them, as in the run's summary."""
    claim = run.claim()
    train(run, 1, 200)  # two seconds of updates
    run.append(Evaluated(step=200, loss=1, accuracy=None), trained=5.0)
    page = open_view("live", run=run.id)
    wait(page, step=200)
    expect(page.locator(".stats .left dd")).to_have_text("5.0 s")  # as long again
    claim.release()
    run.append(Ended(step=200, how="stopped"), trained=5.0)
    wait(page, status="stopped")
    expect(page.locator(".stats .left dt")).to_have_text("trained for")
    expect(page.locator(".stats .left dd")).to_have_text("5.0 s")
    assert run.trained() == 5.0


def test_the_badge_and_the_newest_sample_are_of_one_phase(
    open_view: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluation between two samples does not run ahead of what can be read."""
    known = [{"name": "letters", "at": 2.9}, {"name": "words", "at": 1.9}]
    found = {"by": "loss", "first": "noise", "phases": known}
    monkeypatch.setattr(phases, "phases", lambda run: found)
    claim = run.claim()
    tell(run, Sampled(step=0, prompt="the ", text="x", correct=None))
    train(run, 1, 30)
    tell(run, Evaluated(step=30, loss=2.5, accuracy=None))
    train(run, 31, 49)
    page = open_view("live", run=run.id)
    wait(page, step=49)
    badge, newest = page.locator(".phases .now b"), page.locator(".card .phase").last
    expect(badge).to_have_text("noise")
    expect(newest).to_have_text("noise")
    train(run, 50, 50)  # an evaluation and a sample
    expect(badge).to_have_text("words")
    expect(newest).to_have_text("words")
    assert page.locator(".phases .now small").inner_text() == "step 50"
    assert page.locator(".card b").last.inner_text() == "step 50"
    claim.release()


def test_another_machine_s_speed_is_not_told(
    open_view: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the time that a card says for this machine, that of a shipped run would contradict it."""
    train(run, 1, 100)
    run.append(Ended(step=100, how="finished"), trained=500.0)
    monkeypatch.setattr(run_lookup, "is_shipped", lambda run: True)
    page = open_view("live", run=run.id)
    wait(page, status="finished")
    expect(page.locator(".stats .loss")).to_be_visible()
    expect(page.locator(".stats .left")).to_be_hidden()
    expect(page.locator(".stats .speed")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 430, 500, 700])
@pytest.mark.parametrize("correct", [None, True])
def test_numbers_and_samples_are_whole_at_every_width(
    open_view: Open, run: Run, width: int, correct: bool | None
) -> None:
    """No row of a single number, and no sample that is cut at the left."""
    train(run, 1, 200, correct)
    page = open_view("live", width=width, run=run.id)
    wait(page, step=200)
    tops = page.locator(".stats > div:visible").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().top)"
    )
    assert min(tops.count(top) for top in tops) > 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if correct is None:
        cut = page.locator(".card").evaluate_all(
            """all => all.filter((card) => {
              const [box, strip] = [card, card.parentElement].map((node) => node.getBoundingClientRect());
              return box.right > strip.left + 1 && box.left < strip.left - 1;
            }).map((card) => [card, card.parentElement].map((node) => node.getBoundingClientRect().toJSON()))"""
        )
        assert cut == []


def test_follows_a_run_and_keeps_the_zoom(open_view: Open, run: Run) -> None:
    train(run, 1, 100)
    page = open_view("live", run=run.id)
    wait(page, step=100)
    chart = page.locator(".tp-chart")
    page.evaluate("() => { window.kept = document.querySelector('.curve.train'); }")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 100)
    page.mouse.up()
    assert page.get_by_text("Show the whole run").is_visible()
    ticks = page.locator(".tp-chart .tick").all_text_contents()
    train(run, 101, 160)
    wait(page, step=160)
    assert page.evaluate("kept === document.querySelector('.curve.train')")  # redrawn in place
    assert page.locator(".tp-chart .tick").all_text_contents() == ticks
    page.get_by_text("Show the whole run").click()
    assert not page.get_by_text("Show the whole run").is_visible()


@pytest.mark.case("C8")
def test_a_pause_is_no_work(open_view: Open, run: Run) -> None:
    """Time left counts the steps' own seconds: not a pause, nor how long ago the run began."""
    claim = run.claim()
    train(run, 1, 30)
    with run.path.joinpath("events.jsonl").open("a", encoding="utf-8") as log:
        for step, hours in ((31, 1), (32, 2)):  # one step at a time, an hour apart
            event = Stepped(step=step, loss=1, lr=1, grad_norm=1, tokens=64 * step, seconds=0.01)
            log.write(event.to_line(time=time.time() + 3600 * hours) + "\n")
            log.write(Paused(step=step).to_line(time=time.time() + 3600 * hours) + "\n")
    page = open_view("live", run=run.id)
    wait(page, step=32)
    expect(page.locator(".stats .left dt")).to_have_text("time left")
    expect(page.locator(".stats .left dd")).to_have_text("3.7 s")  # 368 steps of a hundredth
    claim.release()


@pytest.mark.case("K1")
def test_figures_for_people(open_view: Open) -> None:
    """Units go up instead of powers of ten, and small shares are no powers of ten either."""
    page = open_view("live", run="")
    durations = {
        0.04: "0.0 s", 5.72: "5.7 s", 49.4: "49 s", 59.6: "1 min", 610: "10 min 10 s",
        3600: "1 h", 45_480: "12 h 38 min", 3e6: "34 days 17 h", 4e9: "126 years 306 days",
    }  # fmt: skip
    rough = {
        0.2: "1 s",
        49.4: "49 s",
        130: "2.2 min",
        29_900: "8.3 h",
        3e6: "35 days",
        1e12: "32k years",
    }
    shares = {
        0: "0%", 5e-6: "< 0.01%", 0.0029: "0.29%", 0.052: "5.2%", 0.125: "13%", 0.5: "50%",
        0.996: "99.6%", 0.9971: "99.71%", 0.99999: "> 99.99%", 1: "100%", 0.9999999: "100%",
    }  # fmt: skip
    sizes = {950: "950 B", 295e6: "295 MB", 19e9: "19 GB", 4e12: "4 TB", 123e12: "123 TB"}
    say = "([name, values, more]) => values.map((value) => tp[name](value, ...more))"
    for name, wanted, more in (
        ("duration", durations, []), ("duration", rough, [{"rough": True}]),
        ("percent", shares, []), ("percent", {0.125: "12.5%", 1 / 16: "6.25%", 0.25: "25%"}, [3]),
        ("size", sizes, []),
    ):  # fmt: skip
        assert page.evaluate(say, [name, list(wanted), more]) == list(wanted.values())
    assert page.evaluate("[tp.duration(NaN), tp.percent(NaN)]") == ["–", "–"]


def test_a_loss_axis_does_not_go_below_zero(open_view: Open, run: Run) -> None:
    train(run, 1, 400)  # from 3 down to 1: with room below, the axis would begin at -0.2
    for step in range(401, 420):
        tell(run, Stepped(step=step, loss=0.01, lr=1, grad_norm=1, tokens=1, seconds=0.01))
    page = open_view("live", run=run.id)
    wait(page, step=419)
    zero = page.locator(".tp-chart text.tick", has_text=re.compile("^0$")).first.bounding_box()
    base = page.locator(".tp-chart .base").first.bounding_box()
    assert zero is not None and base is not None
    assert zero["y"] < base["y"] < zero["y"] + zero["height"]


def test_says_what_takes_long(open_view: Open, run: Run) -> None:
    claim = run.claim()
    train(run, 1, 100)
    tell(run, Working(step=100, task="evaluate", done=3, total=8))
    page = open_view("live", run=run.id)
    expect(page.locator(".status")).to_contain_text("measuring on validation data, 3 of 8")
    tell(run, Working(step=100, task="sample", done=40, total=96))
    expect(page.locator(".status")).to_contain_text("writing a sample, 40 of 96")
    train(run, 101, 101)
    expect(page.locator(".status")).to_contain_text("training")
    claim.release()


def test_choices_live_in_the_address(open_view: Open, run: Run) -> None:
    train(run, 1, 100)
    page = open_view("live", run=run.id)
    wait(page, step=100)
    page.get_by_role("button", name="log").click()
    page.get_by_label("smoothing").fill("5")
    assert "loss_axis=log" in page.url and "smoothing=100" in page.url
    page.get_by_role("button", name="linear").click()
    assert "loss_axis" not in page.url


def test_changes_and_divergence_are_told_in_words(open_view: Open, run: Run) -> None:
    train(run, 1, 100)
    tell(run, Paused(step=60), Changed(step=60, field="max_lr", value=0.3))
    tell(run, Diverged(step=101, loss="nan", grad_norm="inf"), Ended(step=101, how="diverged"))
    page = open_view("live", run=run.id)
    wait(page, status="diverged")
    assert "not a number" in page.inner_text(".message")
    assert "Learning rate 0.3" in (page.text_content(".tp-chart .marks") or "")
    page.locator("summary").click()
    assert "Learning rate is now 0.3" in page.inner_text(".notes")


@pytest.mark.case("R16")
def test_a_change_that_a_resumed_run_does_not_know_is_no_longer_shown(
    open_view: Open, run: Run
) -> None:
    train(run, 1, 100)
    tell(
        run,
        Changed(step=40, field="max_lr", value=0.2),
        Changed(step=100, field="max_lr", value=0.3),
    )
    page = open_view("live", run=run.id)
    wait(page, step=100)
    page.locator("summary").click()
    expect(page.locator(".notes")).to_contain_text("Learning rate is now 0.3")
    tell(run, Started(step=50, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=9))
    tell(run, Stepped(step=51, loss=1.0, lr=0.001, grad_norm=0.5, tokens=64, seconds=0.01))
    wait(page, step=51)
    expect(page.locator(".notes")).not_to_contain_text("Learning rate is now 0.3")
    expect(page.locator(".notes")).to_contain_text("Learning rate is now 0.2")
    expect(page.locator(".notes")).to_contain_text("went on from this checkpoint")
    assert "Learning rate 0.3" not in (page.text_content(".tp-chart .marks") or "")


def test_a_task_shows_right_and_wrong(open_view: Open, run: Run) -> None:
    train(run, 1, 50, correct=False)
    page = open_view("live", 390, dark=True, run=run.id)
    wait(page, step=50)
    assert page.inner_text(".stats .accuracy dd") == "50%"
    assert page.locator(".answer.wrong .verdict").inner_text() == "✗"
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_resumed_run_is_not_drawn_twice(open_view: Open, run: Run) -> None:
    train(run, 1, 160)
    page = open_view("live", run=run.id)
    wait(page, step=160)
    assert page.locator(".card").count() == 3
    tell(
        run, Started(step=100, parameters=9, device="cpu", dtype="fp32", threads=1, train_tokens=9)
    )
    tell(run, Stepped(step=101, loss=1.0, lr=0.001, grad_norm=0.5, tokens=64, seconds=0.01))
    wait(page, step=101)
    page.wait_for_function("document.querySelectorAll('.card').length === 2")


def test_switches_runs_and_survives_bad_ones(open_view: Open, run: Run, tmp_path: Path) -> None:
    train(run, 1, 60)
    other = make(tmp_path, "second run")
    train(other, 1, 20)
    page = open_view("live", run=run.id)
    wait(page, step=60)
    change(page, run=other.id)
    wait(page, step=20)
    assert page.inner_text(".live .name") == "second run"
    change(page, run="no-such-run")
    wait(page, status="error")
    assert "There is no run" in page.inner_text(".message")
    change(page, run=run.id)
    wait(page, step=60)
    assert "There is no run" not in page.inner_text(".live")


def test_goes_on_after_the_server_failed(open_view: Open, run: Run) -> None:
    train(run, 1, 20)
    page = open_view("live", run=run.id)
    wait(page, step=20)
    page.evaluate(
        "() => { window.good = server.poll;"
        " server.poll = () => Promise.reject(new Error('the server is gone')); }"
    )
    train(run, 21, 40)
    page.evaluate("new Promise(done => setTimeout(done, 500))")
    page.evaluate("() => { server.poll = good; }")
    wait(page, step=40)


def test_old_attention_comes_back_with_the_slider(open_view: Open, run: Run) -> None:
    train(run, 1, 200)
    page = open_view("live", run=run.id)
    page.wait_for_selector("canvas.maps[data-step='200']")
    slider = page.get_by_label("Step of training")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_selector("canvas.maps[data-step='50']")
    train(run, 201, 250)
    wait(page, step=250)
    assert page.get_attribute("canvas.maps", "data-step") == "50"
    page.get_by_role("button", name="Newest").click()
    page.wait_for_selector("canvas.maps[data-step='250']")


def test_figures_and_their_data_are_saved(open_view: Open, run: Run) -> None:
    train(run, 1, 60)
    page = open_view("live", run=run.id)
    wait(page, step=60)
    page.wait_for_selector("canvas.maps[data-step='50']")
    for section, kinds in (
        (".chart", ("PNG", "SVG", "CSV")),
        (".samples", ("CSV",)),
        (".attention", ("PNG", "CSV")),
    ):
        for kind in kinds:
            with page.expect_download() as started:
                page.locator(f"{section} .tp-save-button", has_text=kind).click()
            path = started.value.path()
            assert started.value.suggested_filename.endswith(f".{kind.lower()}")
            content = path.read_bytes()
            assert content.startswith(
                {"PNG": b"\x89PNG", "SVG": b"<svg", "CSV": b"\xef\xbb\xbf"}[kind]
            )
            if kind == "CSV" and section == ".chart":
                assert len(content.decode().strip().splitlines()) == 61
