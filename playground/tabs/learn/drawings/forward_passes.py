"""Figures of lessons that are drawn from what `numbers.forward_passes` has measured.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playground.tabs.learn.computed import forward_passes
from playground.tabs.learn.drawings.svg import svg, text

WIDTH = 420
"""Of every figure; a phone shows it at five sixths of this."""


# Attention ----------------------------------------------------------------------------------------

CELL = 12
LEFT = 30


def induction_map() -> str:
    """The two heads of an induction circuit on one row of letters, one map below the other."""
    values = forward_passes.stored("circuit")
    row = [
        chr(int(each.value))
        for each in sorted(values, key=lambda each: each.place)
        if each.name == "row"
    ]
    length = len(row)
    parts: list[str] = []
    top = 22.0
    for pattern, title in (
        ("previous", "Layer 1: a previous-token head"),
        ("repeat", "Layer 2: an induction head"),
    ):
        parts.append(text(LEFT, top, title, "strong"))
        top += 20
        side = CELL * length
        parts.append(
            f'<path class="rule" d="M{LEFT} {top:g}L{LEFT + side} {top + side:g}H{LEFT}Z"/>'
        )
        for i, letter in enumerate(row):
            middle = CELL * (i + 0.5)
            parts.append(text(LEFT + middle, top - 4, letter, "mono middle muted", 10))
            parts.append(text(LEFT - 9, top + middle + 3.5, letter, "mono middle muted", 10))
        for each in values:
            if each.name == f"map {pattern}":
                query, key = divmod(each.place, length)
                parts.append(
                    f'<rect class="heat" x="{LEFT + CELL * key}" y="{top + CELL * query:g}" width="{CELL}" height="{CELL}"'
                    f' fill-opacity="{each.value:.2f}"/>'
                )
        top += side + 34
    return svg(top - 22, parts, WIDTH)


# The block ----------------------------------------------------------------------------------------

STAGES = ("embedding", "attention 1", "feed-forward 1", "attention 2", "feed-forward 2")


def lens() -> str:
    """The favourites of the logit lens after each sub-layer, as bars."""
    values = forward_passes.stored("lens")
    parts = [text(WIDTH / 2, 18, forward_passes.STORY + " …", "mono middle strong")]
    for place, stage in enumerate(STAGES):
        y = 40 + 62 * place
        parts.append(text(8, y + 26, stage, "muted"))
        if place:
            parts.append(f'<path class="line" d="M116 {y - 10}V{y}"/>')
        for rank, each in enumerate(v for v in values if v.place == place and v.value >= 0.05):
            word = each.name.split(" ", 1)[1]
            down = y + 24 * rank
            kind = "accent" if word == "you" else "heat"
            parts += [
                f'<rect class="{kind}" x="116" y="{down}" width="{max(2, 200 * each.value):g}" height="16" rx="3"'
                + (' fill-opacity="0.35"/>' if kind == "heat" else "/>"),
                text(
                    124 + 200 * each.value,
                    down + 13,
                    f"{word} {each.value:.2f}",
                    "strong" if word == "you" else "",
                ),
            ]
    return svg(40 + 62 * len(STAGES) - 20, parts, WIDTH)


GAP = 17
"""Between two labels."""


# Norms --------------------------------------------------------------------------------------------


def curves(
    lines: Sequence[tuple[str, Sequence[float], str]],
    top: float,
    ticks: Sequence[float],
    axis: str,
    numbers: Sequence[int],
) -> str:
    """Lines (label, values, class) over evenly spaced places, with their labels at the right end."""
    left, right, upper, lower = 40.0, 312.0, 16.0, 206.0

    def y(value: float) -> float:
        return lower - (lower - upper) * value / top

    parts: list[str] = []
    for tick in ticks:
        parts.append(f'<path class="rule" d="M{left:g} {y(tick):g}H{right:g}"/>')
        parts.append(text(left - 6, y(tick) + 4, f"{tick:g}", "muted end"))
    taken = lower + GAP
    for label, values, kind in sorted(
        lines, key=lambda line: line[1][-1]
    ):  # labels from below, one above the other
        last = len(values) - 1
        points = " ".join(
            f"{left + (right - left) * i / last:.1f},{y(value):.1f}"
            for i, value in enumerate(values)
        )
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
        taken = min(y(values[-1]), taken - GAP)
        parts.append(text(right + 6, taken + 4, label, "strong" if kind == "curve" else ""))
    for i, number in enumerate(numbers):
        x = left + (right - left) * i / (len(numbers) - 1)
        parts.append(text(x, lower + 18, f"{number}", "middle muted"))
    parts.append(text((left + right) / 2, lower + 38, axis, "middle muted"))
    return svg(lower + 48, parts, WIDTH)


def stream_size() -> str:
    """The root mean square of the stream after each sub-layer, before training and after some steps."""
    after = f"{forward_passes.MOMENTS[-1]}"
    lines = [
        ("pre, later", forward_passes.places("stream", f"size pre {after}"), "curve"),
        ("post, later", forward_passes.places("stream", f"size post {after}"), "way"),
        ("pre, new", forward_passes.places("stream", "size pre 0"), "curve"),
    ]
    return curves(lines, 10, (0, 2, 4, 6, 8, 10), "sub-layers passed", (0, 6, 12, 18, 24))


def gradients() -> str:
    """The gradient norm of each block, before the first step and after two steps."""
    parts = [
        ("post, new", forward_passes.places("stream", "gradient post 0"), "way"),
        ("post, 2 steps", forward_passes.places("stream", "gradient post 2"), "curve"),
    ]
    return curves(parts, 0.3, (0, 0.1, 0.2, 0.3), "block", (1, 12))


DRAWINGS: dict[str, Callable[[], str]] = {
    "induction-map": induction_map, "lens": lens, "stream-size": stream_size, "gradients": gradients,
}  # fmt: skip
"""The drawings by name."""
