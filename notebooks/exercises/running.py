"""Run the code cells of a notebook, and keep what they print and draw as outputs in the notebook format.

Figures are drawn by a Chromium that is on the machine, with the plotly.js of the Python package: as pictures, they show
on any host of code.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Generator
from typing import Any
from unittest.mock import patch

import plotly.graph_objects as go
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from plotly.offline import get_plotlyjs

from tests.tools import chromium

WIDTH = 720
"""Of a picture, in pixels."""

COLOURS = 128
"""Of a picture. A chart has few: its file is a fifth as large as with 16 million, and looks the same."""


def run(cells: list[str]) -> list[list[dict[str, Any]]]:
    """The outputs of each cell, run in order in one namespace. Raises what the cells raise."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with painter() as page:
        return [outputs_of(cell, namespace, page) for cell in cells]


@contextlib.contextmanager
def painter() -> Generator[Page]:
    """A page with plotly.js."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=chromium.FLAGS)
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        yield page
        browser.close()


def outputs_of(cell: str, namespace: dict[str, Any], page: Page) -> list[dict[str, Any]]:
    """What one cell prints and draws, in order."""
    outputs: list[dict[str, Any]] = []
    printed = io.StringIO()

    def keep_text() -> None:
        if text := printed.getvalue():
            outputs.append({"output_type": "stream", "name": "stdout", "text": text})
        printed.seek(0)
        printed.truncate()

    def keep_figure(figure: go.Figure) -> None:
        keep_text()
        title = layout(figure)["title"]["text"]
        data = {
            "image/png": picture(figure, page),
            "text/plain": f"Figure: {title}",
        }
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})

    with contextlib.redirect_stdout(printed), patch.object(go.Figure, "show", keep_figure):
        exec(compile(cell, "<cell>", "exec"), namespace)
    keep_text()
    return outputs


def layout(figure: go.Figure) -> dict[str, Any]:
    """The layout of a figure, as plain values."""
    return json.loads(str(figure.to_json()))["layout"]


def picture(figure: go.Figure, page: Page) -> str:
    """A figure as a PNG in base64."""
    size = {
        "format": "png",
        "width": WIDTH,
        "height": layout(figure).get("height", 380),
    }
    address = page.evaluate(
        "([figure, size]) => Plotly.toImage(figure, size)",
        [json.loads(str(figure.to_json())), size],
    )
    return few_colours(str(address).partition(",")[2])


def few_colours(png: str) -> str:
    """A PNG in base64 with a palette of `COLOURS`."""
    painted = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    painted.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()
