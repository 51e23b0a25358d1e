"""Ten things that a newcomer wants to do, done by clicks from the first screen, and what is on that screen.

    python -m benchmarks.ten_tasks
    python -m benchmarks.ten_tasks --root ../before --walk before

Starts a playground, and for each task a headless Chromium that remembers nothing, at 1440 x 900 in
English. A click counts as one, a choice in a list as two, typing is free; a scroll is counted where what comes next
is out of sight. Seconds run from the first click until the task is done, and training is most of them: they depend
on the load, which is printed; clicks do not.

Also counts the numbers and the technical terms that are in sight on the first screen (`tests/tools/first_screen.py`).

`--walk before` is the same for the page as it was at commit 7feae34, of which `--root` is a checkout.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

from playwright.sync_api import Browser, Error, Locator, Page, sync_playwright

from benchmarks.common import print_table
from tests.tools import chromium, first_screen
from tests.tools.served import ROOT, served

SENTENCE = "One day a small fox"
STORIES = ROOT / "assets" / "corpora" / "stories.txt"
MOSTLY = 0.6
"""Share of a sample's words that are words of the stories, from which it counts as words."""

IN_SIGHT = """node => {
  const { top, bottom } = node.getBoundingClientRect();
  const covered = document.querySelector(".go")?.getBoundingClientRect(); // Start stays at the lower edge
  const end = covered && !node.closest(".go") && covered.bottom >= innerHeight ? covered.top : innerHeight;
  return bottom > 0 && top + Math.min(40, bottom - top) <= end;
}"""


class Visitor:
    """A newcomer at a page: counts what is clicked and scrolled."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.scrolls = 0
        self.begun = perf_counter()

    def look(self, selector: str) -> Locator:
        """Wait for something, and scroll to it if it is out of sight."""
        found = self.page.locator(selector).locator("visible=true").first
        found.wait_for()
        if not found.evaluate(IN_SIGHT):
            self.scrolls += 1
            found.evaluate("node => node.scrollIntoView({ block: 'center' })")
        return found

    def click(self, *selectors: str) -> None:
        """Click these, one after the other."""
        for selector in selectors:
            self.look(selector).click()
            self.clicks += 1

    def choose(self, selector: str, value: str) -> None:
        """Choose in a list: one click opens it, one takes the entry."""
        self.look(selector).select_option(value)
        self.clicks += 2

    def type(self, selector: str, text: str) -> None:
        """Click into a field and type over what is there."""
        self.click(selector)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def wait(self, selector: str) -> None:
        """Wait until this is there, wherever it is."""
        self.page.locator(selector).first.wait_for(state="attached")

    def until(self, code: str, argument: object = None) -> None:
        """Wait until an expression in the page is true."""
        self.page.wait_for_function(code, arg=argument)


Walk = Callable[[Visitor], None]


# ------------------------------------------------------------------------------------------ the page today


def next_words(visitor: Visitor) -> None:
    """See a next-word distribution for a sentence of one's own."""
    visitor.type("#home-text", SENTENCE)
    visitor.wait(f".home[data-text='{SENTENCE}']")
    visitor.look(".home .guesses")


def noise_to_words(visitor: Visitor) -> None:
    """Watch a model go from noise to words."""
    visitor.click("#home-train", "#start")
    written(visitor)


def one_head(visitor: Visitor) -> None:
    """See what one head reads."""
    visitor.wait(".home[data-ready=true]")
    visitor.until("() => document.querySelectorAll('.home .word').length >= 4")
    visitor.click(".home .word >> nth=3")
    visitor.wait(".home[data-writing=false] .lines path")
    visitor.look(".home .story > .caption")


def head_off(visitor: Visitor) -> None:
    """Switch a head off and see what changes."""
    visitor.wait(".home[data-ready=true]")
    visitor.click("#home-inside", "[data-cell='1.2'] .off")
    visitor.look(".inside .effect:not([hidden])")


def what_attention_is(visitor: Visitor) -> None:
    """Find what attention is."""
    visitor.click("#home-learn", "#learn-attention")
    visitor.look(".reading[data-lesson=attention][data-ready=true] h2")


def more_layers(visitor: Visitor) -> None:
    """Change the number of layers and train."""
    visitor.click("#home-train", "#all-settings")
    visitor.type("#field-n_layer", "3")
    visitor.page.keyboard.press("Tab")
    visitor.wait("[data-field=n_layer].chip")
    visitor.click("#start")
    trains(visitor)


def compare(visitor: Visitor) -> None:
    """Compare the two."""
    visitor.click("#home-train")
    visitor.look("#runs li >> nth=1")
    visitor.click("#runs-compare")
    visitor.wait("path.curve.other")
    visitor.look(".live .chart")


def own_text(visitor: Visitor) -> None:
    """Put one's own text in."""
    visitor.click("#home-train", "label:has(#card-text)", "#own-text")
    visitor.page.keyboard.insert_text(STORIES.read_text("utf-8")[:20_000])
    visitor.until("() => !document.querySelector('#start').disabled")
    visitor.click("#start")
    trains(visitor)


def to_a_class(visitor: Visitor) -> None:
    """Send a lesson to a class, and do its first experiment."""
    visitor.click("#home-learn")
    class_link(visitor)
    visitor.click(".reading [data-go]")
    visitor.wait(".coach[data-pointed]")
    visitor.click("#coach-back")
    visitor.wait(".reading[data-lesson=attention][data-ready=true]")


def back_again(visitor: Visitor) -> None:
    """Come back after a reload."""
    visitor.page.reload()
    visitor.wait(".live[data-step]:not([data-step='0'])")
    visitor.look("#runs li")


# ------------------------------------------------------------------------------------------ the page before


def next_words_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.click("#tab-generate-button")
    visitor.wait(".generate[data-ready=true]")
    visitor.type("#generate-prompt", SENTENCE)
    visitor.click("button:text('Use this prompt')")
    visitor.wait("#generate-list [role=option]")
    visitor.look("#generate-list")


def noise_to_words_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.click("#start")
    written(visitor)


def one_head_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.click("#tab-inside-button", "[data-cell='1.1'] .map")
    visitor.look(".inside .tokens")


def head_off_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.click("#tab-inside-button", "[data-cell='1.2'] .off")
    visitor.look(".inside [data-panel=zero][open] summary")


def what_attention_is_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.click("#tab-learn-button", "#learn-attention")
    visitor.look(".coach h3")


def more_layers_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.type("#field-n_layer", "3")
    visitor.page.keyboard.press("Tab")
    visitor.until("() => document.querySelector('#run-name').textContent.includes('3')")
    visitor.click("#start")
    trains(visitor)


def own_text_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.choose("#field-source", "text")
    visitor.click("#own-text")
    visitor.page.keyboard.insert_text(STORIES.read_text("utf-8")[:20_000])
    visitor.until("() => !document.querySelector('#start').disabled")
    visitor.click("#start")
    trains(visitor)


def to_a_class_before(visitor: Visitor) -> None:
    """The same where the first screen was the tab Train."""
    visitor.click("#tab-learn-button")
    class_link(visitor)
    visitor.click("#coach-show", "#coach-next")
    visitor.wait(".coach[data-at='2']")


def back_again_before(visitor: Visitor) -> None:
    """The same where there was no list of runs."""
    visitor.page.reload()
    visitor.wait(".live[data-step]:not([data-step='0'])")
    visitor.look("#run-select")


# ------------------------------------------------------------------------------------------ parts of walks


def written(visitor: Visitor) -> None:
    """Wait until the samples of the run that trains are mostly words, in sight."""
    visitor.wait(".live[data-status=running]")
    visitor.look(".samples .strip")
    vocabulary = sorted(set(re.findall(r"[a-z]+", STORIES.read_text("utf-8").lower())))
    visitor.until(
        """([vocabulary, mostly]) => {
          window.known ??= new Set(vocabulary);
          const text = document.querySelector(".samples .strip > :last-child .text, .samples .strip > :last-child p:last-child");
          const words = (text?.textContent ?? "").toLowerCase().match(/[a-z]+/g) ?? [];
          return words.length > 8 && words.filter((word) => known.has(word)).length >= mostly * words.length;
        }""",
        [vocabulary, MOSTLY],
    )


def trains(visitor: Visitor) -> None:
    """Wait until the new run has made a step."""
    visitor.wait(".live[data-status=running]:not([data-step='0'])")


def class_link(visitor: Visitor) -> None:
    """Make a link, and open it as somebody in the class does."""
    visitor.wait(".learn[data-ready=true]")
    visitor.click(".teach summary")
    visitor.choose("#teach-what", "lesson attention")
    visitor.click("#teach-only", "#teach-copy")
    visitor.page.goto(visitor.page.locator("#teach-link").input_value())


def begun(page: Page) -> None:
    """Start a short run and wait for its end: what `compare` and `back_again` begin with."""
    page.goto(page.url.partition("?")[0] + "?tab=train&preset=tiny&c.total_steps=60")
    page.wait_for_function("() => !document.querySelector('#start')?.disabled")
    page.locator("#start").click()
    page.locator(".live[data-status=running]").wait_for()
    page.locator(".live[data-status=finished][data-step='60']").wait_for()


def two(page: Page) -> None:
    """Two runs of one's own."""
    begun(page)
    begun(page)


TODAY: Mapping[str, Walk | None] = {
    "next words of one's own sentence": next_words,
    "from noise to words": noise_to_words,
    "what one head reads": one_head,
    "a head off, and what changes": head_off,
    "what attention is": what_attention_is,
    "other number of layers, trained": more_layers,
    "compare the two": compare,
    "one's own text": own_text,
    "a lesson for a class, first step": to_a_class,
    "back after a reload": back_again,
}
BEFORE: Mapping[str, Walk | None] = {
    "next words of one's own sentence": next_words_before,
    "from noise to words": noise_to_words_before,
    "what one head reads": one_head_before,
    "a head off, and what changes": head_off_before,
    "what attention is": what_attention_is_before,
    "other number of layers, trained": more_layers_before,
    "compare the two": None,
    "one's own text": own_text_before,
    "a lesson for a class, first step": to_a_class_before,
    "back after a reload": back_again_before,
}
"""None: no click of the page led there."""
WALKS = {"today": TODAY, "before": BEFORE}
FIRST = {"compare the two": two, "back after a reload": begun}
"""What has happened before a task begins."""


def stop_all(page: Page) -> None:
    """Stop the run of a task, so that the next one has the processors."""
    stop = page.locator("#stop:enabled")
    if stop.count() and stop.is_visible():
        stop.click()
        page.locator(".transport:not([data-state=running])").wait_for(state="attached")


def done(browser: Browser, address: str, name: str, walk: Walk, patience: float) -> list[str]:
    """A row of the table: what a task took."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    context.set_default_timeout(1000 * patience)
    page = context.new_page()
    page.goto(address)
    if name in FIRST:
        FIRST[name](page)
        if name != "back after a reload":
            page.goto(address)
    page.locator(".header[data-run]").wait_for(state="attached")
    page.wait_for_timeout(3000)  # a person looks before clicking
    visitor = Visitor(page)
    try:
        walk(visitor)
        row = [str(visitor.clicks), str(visitor.scrolls), f"{perf_counter() - visitor.begun:.1f}"]
    except Error as error:
        print(name, str(error).partition("\n")[0], page.url, file=sys.stderr)
        row = ["not done", str(visitor.scrolls), "–"]
    stop_all(page)
    context.close()
    return [name, *row]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout that is measured")
    parser.add_argument("--walk", choices=WALKS, default="today")
    parser.add_argument("--only", default="", help="tasks whose name contains this")
    parser.add_argument("--patience", type=float, default=180, help="seconds to wait for one thing")
    arguments = parser.parse_args()
    path = chromium.find()
    if path is None:
        sys.exit("No Chromium was found: python tests/tools/chromium.py installs one.")
    rows: list[list[str]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), (str(arguments.root.resolve() / "playground" / "app.py"),)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
        page.set_default_timeout(1000 * arguments.patience)
        page.goto(address)
        page.locator(".home[data-ready=true], .live[data-status=finished]").wait_for()
        page.wait_for_timeout(3000)
        numbers, terms = first_screen.counted(page)
        page.close()
        print(
            f"first screen: {len(numbers)} numbers ({' '.join(numbers)}), {len(terms)} terms ({', '.join(terms)})"
        )
        for name, walk in WALKS[arguments.walk].items():
            if arguments.only not in name:
                continue
            if walk is None:
                rows.append([name, "no way", "–", "–"])
            else:
                rows.append(done(browser, address, name, walk, arguments.patience))
            print(*rows[-1], sep="\t", file=sys.stderr)
        browser.close()
    print_table(["task", "clicks", "scrolls", "seconds"], rows)
    print(
        f"load average: {', '.join(f'{load:.0f}' for load in os.getloadavg())} on {os.cpu_count()} processors"
    )


if __name__ == "__main__":
    main()
