"""The README's pictures, taken from the page as it is.

    python -m tests.screenshots

Starts a playground with the runs that ship, opens it in a headless Chromium, and writes `assets/screenshots/`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import chromium
from tests.served import ROOT, served

FOLDER = ROOT / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 800

PICTURES = {
    "train": ("?tab=train", ".live[data-status=finished]", "light"),
    "inside": ("?tab=inside", ".inside[data-ready=true]", "dark"),
    "experts": ("?tab=experts&run=experts", ".experts[data-ready=true]", "light"),
    "learn-zh": ("?tab=learn&lang=zh&lesson=attention&at=4", ".coach[data-at='4']", "light"),
}
"""Name: the address, what is there when all is drawn, light or dark."""


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        for name, (query, ready, scheme) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.goto(address + query)
            page.wait_for_selector(ready)
            page.wait_for_timeout(1500)  # until fonts, curves and maps have settled
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
            print(FOLDER / f"{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
