"""The pictures of both READMEs, taken from the page as it is.

    python -m tests.tools.screenshots

Starts a playground with the runs that ship, opens it in a headless Chromium, and writes `assets/screenshots/`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.tools import chromium
from tests.tools.served import ROOT, served

FOLDER = ROOT / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 800

TRAIN = (".live[data-status=finished]", ".size span:text-matches('about|约')")
TRANSLATE = (".translate[data-ready=true]",)
VERB = "?tab=translate&run=translate-german&t.token=w11"
"""The verb, which comes last in German and earlier in English."""

HOME = (".home[data-tokens='16']",)

PICTURES = {
    "home": ("?lang=en", HOME),
    "home-zh": ("?lang=zh", HOME),
    "train": ("?tab=train", TRAIN),
    "train-zh": ("?tab=train&lang=zh", TRAIN),
    "translate": (VERB, TRANSLATE),
    "translate-zh": (f"{VERB}&lang=zh", TRANSLATE),
}
"""Name: the address, and what is there when all is drawn."""


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        for name, (query, ready) in PICTURES.items():
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address + query)
            for selector in ready:
                page.wait_for_selector(selector)
            page.wait_for_timeout(1500)  # until fonts, curves and maps have settled
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
            print(FOLDER / f"{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
