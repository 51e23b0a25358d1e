"""The tab Tokens in Chromium: cut a text, step through merges, train on one's own text, look at batches."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Page, expect

from playground.tabs.learn import lessons
from playground.tabs.tokens import server as tokens
from tests.browser.conftest import Watched, alone

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("learners_runs")]

Open = Callable[..., Page]
Shoot = Callable[[Page, str], None]

WATCHED = Watched("#tokens .tokens")
BATCHES = Watched("#batches .batches")
EMBEDDINGS = Watched("#embeddings .embeddings")

LATIN = "学 ab\n".encode() * 1001 + b"caf\xe9\n"
MOST = 1_000_000
OWN = "".join(
    f"the {animal} {verb} in the {place}.\n"
    for animal in ("cat", "dog", "fox", "hen", "owl")
    for verb in ("sat", "sang", "slept", "hid")
    for place in ("hat", "house", "garden", "mill", "moon")
)


def reach(page: Page, view: str) -> None:
    """Scroll to a view until it is there: what loads above it may push it out of sight again."""
    page.wait_for_function(
        "(id) => { const found = document.getElementById(id); found?.scrollIntoView();"
        " return found?.querySelector('[data-ready]')?.dataset.ready === 'true'; }",
        arg=view,
    )


def test_paste_learn_train_and_generate(open_page: Open, shoot: Shoot) -> None:
    """A text of one's own becomes tokens, then a model, and the model writes."""
    page = open_page("?tab=tokens")
    page.wait_for_selector("#tokens .tokens")
    WATCHED.until(page, "d.ready === 'true'")
    page.locator("#tokens-source-own").click()
    page.fill("#tokens-own", OWN)
    page.select_option("#tokens-size", "300")
    page.locator("#tokens-learn").click()
    WATCHED.until(page, "d.ready === 'true' && d.merges === '44'")
    page.fill("#tokens-text", "the fox sang in the moon. 🦊")
    expect(page.locator("#tokens-row-char .unknown")).to_have_count(1)
    expect(page.locator("#tokens-row-bpe .several .whole")).to_contain_text("🦊")
    assert "�" not in (page.locator("#tokens-row-bpe").inner_text())

    page.locator("#tokens-train").click()
    expect(page.locator("#own-text")).to_have_value(OWN)
    expect(page.locator("#field-tokenizer-bpe")).to_be_checked()
    expect(page.locator("#run-select")).to_contain_text(
        "Own text · BPE · vocabulary 300"
    )  # it trains at once
    page.wait_for_selector("#live .samples, #live .sample")
    page.locator("#stop").click()
    page.wait_for_selector(".live[data-status=stopped]")
    end = page.locator(".live").get_attribute("data-step")
    page.locator("#tab-generate-button").click()
    page.wait_for_selector("#generate .chip")
    page.locator("#generate-step").click()
    page.wait_for_selector("#generate .chip.mine")

    page.locator("#tab-tokens-button").click()
    expect(page.locator("#tokens-row-run")).to_contain_text("BPE (subwords)")
    reach(page, "batches")
    BATCHES.until(page, "d.step === a", end)  # it follows the run to its end
    shoot(page, "tokens-own")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_batches_and_embeddings(open_page: Open, shoot: Shoot, width: int, scheme: str) -> None:
    page = open_page("?tab=tokens&run=stories", width=width, scheme=scheme)
    page.wait_for_selector("#tokens .tokens")
    WATCHED.until(page, "d.ready === 'true'")
    reach(page, "batches")
    BATCHES.until(page, "d.ready === 'true' && d.number === '1'")
    trained = float(BATCHES.value(page, "loss"))
    page.locator("#batches-later").click()
    BATCHES.until(page, "d.number === '2'")
    page.locator("#batches-step").fill("0")
    BATCHES.until(page, "d.step === '0'")
    assert float(BATCHES.value(page, "loss")) > 2 * trained
    page.locator("#batches-valid").click()
    BATCHES.until(page, "d.part === 'valid' && d.number === '1'")
    page.locator("#batches .tokens .chip").nth(5).hover()
    expect(page.locator("#batches .readout")).to_contain_text("nats")

    reach(page, "embeddings")
    EMBEDDINGS.until(page, "d.ready === 'true'")
    page.locator("#embeddings text.point").nth(30).click()
    expect(page.locator("#embeddings .near li")).to_have_count(6)
    page.locator("#embeddings-step").fill("0")
    EMBEDDINGS.until(page, "d.step === '0'")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shoot(page, f"tokens-{width}-{scheme}")


def test_merges_step_by_step(browser: Browser) -> None:
    with alone(browser, "tokens", tokens.SERVED) as open_alone:
        page = open_alone("?k.merges=0", 1440, False, {"run": "", "form": "configure"})
        watched = Watched(".tokens")
        watched.until(page, "d.ready === 'true' && d.merges === '0'")
        row = page.locator("#tokens-row-bpe")
        expect(row).to_have_attribute("data-tokens", "59")
        page.locator("#tokens-merges").focus()
        page.keyboard.press("ArrowRight")
        watched.until(page, "d.merges === '1'")
        expect(page.locator(".now")).to_contain_text("stood")
        before = 59
        for _ in range(4):
            page.keyboard.press("ArrowRight")
            tokens_now = int(row.get_attribute("data-tokens") or 0)
            assert tokens_now <= before
            before = tokens_now
        page.locator("#tokens-around button").last.click()
        watched.until(page, "d.merges === '9'")
        row.locator(".line").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".rows .readout")).to_contain_text("bytes")
        page.locator("#tokens-merges-play").click()
        watched.until(page, "d.merges === '744'")


@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_a_lesson_gets_what_it_asks_for_and_does_not_do_it(browser: Browser, language: str) -> None:
    """At the first visit, and after the learner chose other things: the text, its tokens, and nothing is done yet."""
    asked = [
        step
        for name in lessons.names()
        for step in lessons.lesson(name, language).steps
        if "k.source" in step.open
    ]
    assert len(asked) > 3
    watched = Watched(".tokens")
    for step in asked:
        wanted = {name: values[0] for name, values in parse_qs(step.open).items()}
        with alone(browser, "tokens", tokens.SERVED) as open_alone:
            query = f"?lang={language}&" + step.open
            page = open_alone(query, 1440, False, {"run": "", "form": "configure"})
            for again in (False, True):
                if again:
                    other = "stories" if wanted["k.source"] == "stories-zh" else "stories-zh"
                    page.locator(f"#tokens-source-{other}").click()
                    page.fill("#tokens-text", "🦊")
                    watched.until(page, "d.ready === 'true' && d.source === a", other)
                    unknown = "#tokens-row-char .unknown"
                    expect(page.locator(unknown)).to_have_count(1)
                    page.evaluate("query => tp.lessons.open(query)", step.open)
                    left = page.locator(f".tokens:not([aria-busy=true]) {unknown}")
                    assert left.count() == 0, "of the text before"
                watched.until(page, "d.ready === 'true' && d.source === a", wanted["k.source"])
                chosen = page.locator(f"#tokens-source-{wanted['k.source']}")
                expect(chosen).to_have_attribute("aria-pressed", "true")
                if "k.text" in wanted:
                    expect(page.locator("#tokens-text")).to_have_value(wanted["k.text"])
                if step.until:
                    expect(page.locator(step.until)).to_have_count(0)


def test_a_refusal_is_a_sentence_and_nothing_is_lost(browser: Browser) -> None:
    with alone(browser, "tokens", tokens.SERVED) as open_alone:
        page = open_alone("", 390, True, {"run": "", "form": "configure"})
        Watched(".tokens").until(page, "d.ready === 'true'")
        page.locator("#tokens-source-own").click()
        page.fill("#tokens-own", "short")
        page.locator("#tokens-learn").click()
        expect(page.locator(".learn .message")).to_contain_text("the minimum is 20")
        expect(page.locator("#tokens-own")).to_have_value("short")
        page.set_input_files(
            "#tokens-file", {"name": "x.png", "mimeType": "image/png", "buffer": b"\x89PNG\x00\xff"}
        )
        expect(page.locator(".learn .message")).to_contain_text("is not text")
        latin = {"name": "x.txt", "mimeType": "text/plain", "buffer": LATIN}
        page.set_input_files("#tokens-file", latin)
        expect(page.locator(".learn .message")).to_contain_text(
            "byte 7,010, in line 1,002, is 0xE9. Save it as UTF-8"
        )
        expect(page.locator("#tokens-own")).to_have_value("short")
        utf16 = {"name": "x.txt", "mimeType": "text/plain", "buffer": "été 学\n".encode("utf-16")}
        page.set_input_files("#tokens-file", utf16)
        expect(page.locator("#tokens-own")).to_have_value("été 学\n")
        page.evaluate(
            f"document.querySelector('#tokens-own').value = 'ab '.repeat({MOST // 3 + 500})"
        )
        page.locator("#tokens-learn").click()
        expect(page.locator(".learn .message")).to_contain_text(
            "1,001,499 characters; at most 1,000"
        )
        page.fill("#tokens-text", "<img src=x onerror=alert(1)>")
        expect(page.locator("#tokens-row-byte .line")).to_contain_text("<img")
        assert page.locator("#tokens-row-byte img").count() == 0
