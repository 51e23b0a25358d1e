"""The loss landscape of lesson “How it learns”: the map from above, and below it the cut along the gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby

from playground.tabs.learn.computed.landscape import ACROSS, ALONG, best, stored
from playground.tabs.learn.drawings.svg import svg

CELL, LEFT, TOP, GAP, HEIGHT = 14, 46, 26, 58, 130
LEVELS = 16
WIDE = CELL * len(ALONG)
BOTTOM = TOP + CELL * len(ACROSS)
"""The lower end of the map."""
BASE = BOTTOM + GAP + HEIGHT
"""The lower end of the cut, where the loss is 0."""
X = {along: LEFT + CELL * (i + 0.5) for i, along in enumerate(ALONG)}
Y = {across: TOP + CELL * (len(ACROSS) - i - 0.5) for i, across in enumerate(ACROSS)}


def draw() -> str:
    """The whole drawing, as SVG."""
    parts = [*(cell for along in ALONG for cell in column(along)), *on_the_map(), *cut()]
    return svg(BASE + 42, parts, LEFT + WIDE + 12)


def column(along: float) -> Iterator[str]:
    """The colours of one distance against the gradient; equal neighbours become one rectangle."""
    losses = stored()
    low, high = min(losses.values()), max(losses.values())

    def level(across: float) -> int:
        return round(LEVELS * math.log(losses[along, across] / low) / math.log(high / low))

    for strength, group in groupby(ACROSS, level):
        equal = list(group)
        yield (
            f'<rect class="heat" x="{X[along] - CELL / 2:g}" y="{Y[equal[-1]] - CELL / 2:g}" width="{CELL}" height="{CELL * len(equal)}"'
            f' fill-opacity="{0.04 + 0.92 * strength / LEVELS:.2f}"/>'
        )


def on_the_map() -> list[str]:
    """The arrow from here to the lowest loss, and the words beside the map."""
    here, lowest, middle = X[0.0], X[best()], Y[0.0]
    return [
        f'<path class="arrow" d="M{here:g} {middle:g}H{lowest - 6:g}m-5 -4l6 4l-6 4"/>',
        f'<circle class="dot" cx="{here:g}" cy="{middle:g}" r="4.5"/>',
        f'<text class="strong end" x="{here - 8:g}" y="{middle + 4:g}">here</text>',
        f'<text x="{LEFT}" y="{TOP - 10}">Loss, seen from above: stronger colour is higher</text>',
        f'<text class="muted middle" transform="translate({LEFT - 30} {TOP + CELL * len(ACROSS) / 2:g}) rotate(-90)">random direction</text>',
    ]


def cut() -> list[str]:
    """The loss along the gradient, as a curve."""
    losses = {along: stored()[along, 0.0] for along in ALONG}
    top = math.ceil(max(losses.values()) * 2) / 2

    def up(loss: float) -> str:
        return f"{BASE - HEIGHT * loss / top:.1f}"

    def tick(loss: int) -> str:
        return (
            f'<line class="rule" x1="{LEFT}" x2="{LEFT + WIDE}" y1="{up(loss)}" y2="{up(loss)}"/>'
            f'<text class="muted end" x="{LEFT - 6}" y="{BASE - HEIGHT * loss / top + 4:.1f}">{loss:g}</text>'
        )

    curve = " ".join(f"{X[along]:.1f},{up(loss)}" for along, loss in losses.items())
    return [
        f'<text x="{LEFT}" y="{BOTTOM + GAP - 14:g}">The same, cut along the gradient</text>',
        *(tick(loss) for loss in range(int(top) + 1)),
        f'<polyline class="curve" points="{curve}"/>',
        f'<circle class="dot" cx="{X[0.0]:g}" cy="{up(losses[0.0])}" r="4.5"/>',
        f'<circle class="ring" cx="{X[best()]:g}" cy="{up(losses[best()])}" r="4.5"/>',
        *(
            f'<text class="muted middle" x="{X[along]:g}" y="{BASE + 16}">{f"{along:g}".replace("-", "−")}</text>'
            for along in (-0.5, 0.0, 0.5, 1.0)
        ),
        f'<text class="muted middle" x="{LEFT + WIDE / 2:g}" y="{BASE + 34}">distance against the gradient</text>',
    ]
