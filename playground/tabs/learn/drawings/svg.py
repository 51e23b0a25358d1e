"""What the drawings of lessons are made of: SVG, labels and charts with axes.

Colours are classes of assets/css/lessons.css. A chart is 400 units wide, so its letters can be read on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from playground.tabs.learn.computed.curves import Series

WIDE = 400
COLOURS = ("", " second", " third")
"""Further classes of a curve."""


def svg(height: float, parts: Sequence[str], width: float = WIDE) -> str:
    """A drawing of so many units."""
    inside = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">\n{inside}\n</svg>\n'


def text(x: float, y: float, words: str, kind: str = "", size: int = 0) -> str:
    """A label. `kind` is its classes."""
    classes = f' class="{kind}"' if kind else ""
    small = f' font-size="{size}"' if size else ""
    return f'<text{classes} x="{x:.4g}" y="{y:.4g}"{small}>{escape(words)}</text>'


@dataclass
class Panel:
    """A chart: its place, the ranges of its axes, and what is drawn in it. A logarithmic axis has `low` > 0."""

    x: float
    y: float
    width: float
    height: float
    last: float
    low: float
    high: float
    first: float = 0
    log: bool = False
    parts: list[str] = field(default_factory=list[str])

    def across(self, step: float) -> float:
        return self.x + self.width * (step - self.first) / (self.last - self.first)

    def up(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        share = (
            math.log(value / self.low) / math.log(self.high / self.low)
            if self.log
            else (value - self.low) / (self.high - self.low)
        )
        return self.y + self.height * (1 - share)

    def title(self, words: str) -> None:
        self.parts.append(text(self.x, self.y - 10, words, "strong"))

    def scale(self, values: Sequence[float], steps: Sequence[float], unit: str = "") -> None:
        """Lines at these values, and these steps below."""
        for value in values:
            y = self.up(value)
            self.parts.append(
                f'<line class="rule" x1="{self.x:g}" x2="{self.x + self.width:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            self.parts.append(
                text(
                    self.x - 6,
                    y + 4,
                    f"{value:,g}{unit}" if value < 1e6 else f"{value / 1e6:g}M",
                    "muted end",
                    11,
                )
            )
        for step in steps:
            self.parts.append(
                text(self.across(step), self.y + self.height + 15, f"{step:g}", "muted middle", 11)
            )

    def level(self, value: float, words: str, dy: float = -5) -> None:
        """A dashed line at a value, with its name at the right end, `dy` below it."""
        y = self.up(value)
        self.parts.append(
            f'<line class="level" x1="{self.x:g}" x2="{self.x + self.width:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        if words:
            self.parts.append(text(self.x + self.width, y + dy, words, "muted end", 11))

    def curve(self, points: Series, colour: int = 0) -> None:
        way = " ".join(f"{self.across(step):.1f},{self.up(value):.1f}" for step, value in points)
        self.parts.append(f'<polyline class="curve{COLOURS[colour]}" points="{way}"/>')

    def note(self, step: float, value: float, words: str, kind: str = "", dy: float = 0) -> None:
        self.parts.append(text(self.across(step), self.up(value) + dy, words, kind, 12))
