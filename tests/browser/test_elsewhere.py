"""The page where a browser denies features, in a frame of another site, and below a path of a proxy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from engine.runs.store import RunStore
from tests.tools.reverse_proxy import below, framing, listening
from tests.tools.served import EQUAL_SHARE, served

pytestmark = pytest.mark.browser

QUICK = "?c.d_model=16&c.n_layer=1&c.n_head=2&c.total_steps=20&c.batch_size=2&c.max_seq_len=16&c.threads=1"

DENIED = """
const denied = () => { throw new DOMException("denied", "SecurityError"); };
for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { get: denied });
for (const name of ["clipboard", "serviceWorker"]) Object.defineProperty(navigator, name, { get: denied });
"""

TABS = ("learn", "train", "generate", "inside", "tokens", "translate", "experts", "optimizers")


@dataclass(frozen=True)
class Elsewhere:
    """A playground below a path of a proxy, and another site that may frame it."""

    address: str
    """Of the page below the proxy's path."""
    other: str
    """A page of another site, with the playground in a frame."""
    stranger: str
    """The same page at a third site."""
    runs: Path
    outside: list[str]
    """Paths that the browser asked the proxy for, outside of the prefix."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    folder, framed, outside = tmp_path_factory.mktemp("elsewhere"), [""], list[str]()
    with listening(framing(framed)) as port, listening(framing(framed)) as third:
        settings = {"GRADIO_ROOT_PATH": "/play", "TP_SITES": f"localhost:{port}"}
        with (
            served(folder, EQUAL_SHARE, settings=settings) as upstream,
            listening(below("/play", upstream, outside)) as proxy,
        ):
            framed[0] = f"http://127.0.0.1:{proxy}/play/{QUICK}"
            yield Elsewhere(
                framed[0],
                f"http://localhost:{port}/",
                f"http://localhost:{third}/",
                folder / "runs",
                outside,
            )


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 1250})
    yield context
    context.close()


def opened(context: BrowserContext, address: str, errors: list[str]) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(address)
    return page


def framed_in(page: Page) -> Frame:
    element = page.locator("iframe").element_handle()
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    return frame


def walk(page: Page, frame: Frame, folder: Path) -> None:
    """Train a short run, write a token with it, and download it."""
    expect(frame.locator(".transport[data-shown]")).to_have_count(1)
    expect(frame.locator("#start")).to_be_enabled()
    before = frame.locator(".transport[data-shown]").get_attribute("data-shown")
    frame.locator("#start").click()
    changed = "id => document.querySelector('.transport[data-shown]').dataset.shown !== id"
    frame.wait_for_function(changed, arg=before)
    frame.locator(".transport[data-state=finished]").wait_for()
    expect(frame.locator("#download")).to_be_enabled()
    with page.expect_download() as download:
        frame.locator("#download").click()
    kept = folder / "run.zip"
    download.value.save_as(kept)
    assert kept.read_bytes().startswith(b"PK")
    frame.locator("#tab-generate-button").click()
    frame.locator(".generate[data-ready=true]:not([data-busy])").wait_for()
    length = int(frame.locator(".generate").get_attribute("data-length") or 0)
    frame.locator("#generate-step").click()
    frame.locator(f".generate[data-length='{length + 1}']").wait_for()


@pytest.mark.case("F2")
def test_the_page_works_where_the_browser_remembers_nothing(
    address: str, context: BrowserContext, tmp_path: Path
) -> None:
    errors: list[str] = []
    context.add_init_script(DENIED)
    page = opened(context, address + QUICK, errors)
    walk(page, page.main_frame, tmp_path)
    own = page.locator(".transport[data-shown]").get_attribute("data-shown")
    expect(page.locator(f"#run-select option[value='{own}']")).to_have_count(1)  # for this visit
    page.locator("#theme-switch").click()
    page.locator("#tab-learn-button").click()
    page.locator(".learn .teach summary").click()
    page.locator("#teach-copy").click()  # by the older way
    expect(page.locator("#teach-copy")).not_to_have_text("Copy")
    assert errors == []


@pytest.mark.case("F2")
@pytest.mark.case("F13")
def test_the_page_works_in_a_frame_of_another_site_below_a_path_of_a_proxy(
    elsewhere: Elsewhere, context: BrowserContext, tmp_path: Path
) -> None:
    errors: list[str] = []
    elsewhere.outside.clear()
    context.add_init_script(f"if (location.hostname !== 'localhost') {{ {DENIED} }}")
    page = opened(context, elsewhere.other, errors)
    walk(page, framed_in(page), tmp_path)
    assert errors == []
    assert elsewhere.outside == []


@pytest.mark.case("F13")
def test_the_page_is_itself_below_a_path_of_a_proxy(
    elsewhere: Elsewhere, context: BrowserContext
) -> None:
    """Not in a frame, where the address is the browser's: what it says stays below the path."""
    errors: list[str] = []
    elsewhere.outside.clear()
    page = opened(context, elsewhere.address, errors)
    expect(page.locator("#start")).to_be_enabled()
    page.locator("#tab-generate-button").click()
    page.locator(".generate[data-ready=true]:not([data-busy])").wait_for()
    expect(page).to_have_url(re.compile(r"^http://127\.0\.0\.1:\d+/play/\?.*tab=generate"))
    page.reload()
    page.locator(".generate[data-ready=true]:not([data-busy])").wait_for()
    by_itself = "/favicon.ico"  # the browser's own guess, for any page
    assert set(elsewhere.outside) <= {by_itself}
    assert [error for error in errors if "404" not in error] == []  # of that guess


@pytest.mark.case("R9")
@pytest.mark.case("R10")
def test_a_page_of_another_site_neither_frames_it_nor_acts(
    elsewhere: Elsewhere, context: BrowserContext
) -> None:
    errors: list[str] = []
    page = opened(context, elsewhere.stranger, errors)
    expect(framed_in(page).locator("body")).not_to_contain_text("Transformer")
    assert any("frame-ancestors" in error for error in errors)
    root = elsewhere.address.partition("?")[0]
    before = {run.id for run in RunStore(elsewhere.runs).list()}
    answers = page.evaluate(
        """async ([root, kinds]) => {
          const body = JSON.stringify({ data: [{ preset: "stories" }, ""] });
          const ask = (path, options) => fetch(root + path, { method: "POST", body, ...options }).then(
            (answer) => `${answer.type} ${answer.status}`, (error) => "denied");
          const all = [];
          for (const type of kinds) for (const mode of ["cors", "no-cors"])
            all.push(await ask("gradio_api/call/start", { mode, headers: { "Content-Type": type } }));
          return all;
        }""",
        [root, ["text/plain", "application/json", "multipart/form-data"]],
    )
    assert set(answers) <= {"denied", "opaque 0", "cors 403"}
    assert {run.id for run in RunStore(elsewhere.runs).list()} == before


@pytest.mark.case("K1")
@pytest.mark.case("R10")
def test_no_tab_asks_for_what_the_policy_denies(address: str, context: BrowserContext) -> None:
    errors: list[str] = []
    page = opened(context, address, errors)
    for tab in TABS:
        page.locator(f"#tab-{tab}-button").click()
        page.locator(f"#tab-{tab}").wait_for()
        page.wait_for_load_state("networkidle")
    expect(page.locator("footer .divider:visible")).to_have_count(0)
    assert errors == []
