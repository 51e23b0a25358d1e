"""Runs to take along: their curves as CSV, and a report in Markdown with figures drawn as SVG.

The report is in the language in use.

Names and samples are a user's words: in Markdown they stand in code, in SVG they are escaped.
Nothing in this file loads PyTorch or knows how it is shown.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engine.cli.flags import command_line
from engine.runs.archive import add_file
from engine.runs.summary import Outcome, differing_fields
from playground.figures.curves import SMOOTHING, Column, Curves, extremes, smoothed
from playground.figures.one_run import INK, line_of
from playground.i18n import Words
from playground.runs import run_states
from playground.screens.histories import History, sampled_steps

WIDTH, HEIGHT = 760, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 44
MAX_POINTS = 800

TEXT = Words({
    "title": "Runs compared",
    "runs": "The runs",
    "columns": [
        "run",
        "state",
        "steps",
        "validation loss",
        "best",
        "right",
        "parameters",
        "tokens/s",
    ],
    "commands": "Commands that train them",
    "curves": "Curves",
    "curves_note": "Lines with points: validation data. Faint lines: training batches, averaged over "
    f"{SMOOTHING} steps.",
    "loss": "Loss (nats per token)",
    "steps": "Steps",
    "differences": "How they differ",
    "same": "These runs have the same configuration.",
    "samples": "What they write",
    "none": "–",
    "yes": "yes",
    "no": "no",
})  # fmt: skip

CSV = (
    "run", "step", "tokens", "seconds", "training loss", "learning rate", "gradient norm",
    "validation loss", "right answers",
)  # fmt: skip
"""For programs, so the same in every language."""


def shown(value: Any) -> str:
    """A field's value as a person would write it."""
    if value is None:
        return TEXT["none"]
    if isinstance(value, bool):
        return TEXT["yes" if value else "no"]
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


# CSV ----------------------------------------------------------------------------------------------


def curves_csv(runs: Mapping[str, History]) -> str:
    """A line for each recorded step and for each measurement of each run; empty where unknown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV)
    for name, history in runs.items():
        measured = {event.step: event for event in history.evaluations}
        seconds = 0.0
        for event in history.steps:
            seconds += event.seconds
            at = measured.pop(event.step, None)
            row = [name, event.step, event.tokens, f"{seconds:.3f}"]
            row += [event.loss, event.lr, event.grad_norm]
            writer.writerow([*row, at and at.loss, at and at.accuracy])
        for step, at in sorted(measured.items()):  # step 0, and those between recorded steps
            writer.writerow([name, step, *[None] * 5, at.loss, at.accuracy])
    return text.getvalue()


# The report ---------------------------------------------------------------------------------------


def archive(runs: Mapping[str, History]) -> bytes:
    """A zip of the report: report.md, its figures, and the curves as CSV."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in (
            ("report.md", markdown(runs)),
            ("loss.svg", loss_svg({name: run.curves() for name, run in runs.items()})),
            ("curves.csv", curves_csv(runs)),
        ):
            add_file(file, name, io.BytesIO(text.encode()))
    return content.getvalue()


def markdown(runs: Mapping[str, History]) -> str:
    """The report's text. Its figure is `loss.svg` beside it."""
    parts = [f"# {TEXT['title']}", f"## {TEXT['runs']}", _table(_outcomes(runs))]
    commands = [f"    {command_line(history.run.config)}" for history in runs.values()]
    parts += [f"## {TEXT['commands']}", "\n".join(commands)]
    parts += [f"## {TEXT['curves']}", f"![{TEXT['loss']}](loss.svg)", TEXT["curves_note"]]
    fields = differing_fields({name: history.run.config for name, history in runs.items()})
    rows = [["", *map(code, runs)]]
    rows += [[field, *map(shown, values.values())] for field, values in fields.items()]
    parts += [f"## {TEXT['differences']}", _table(rows) if fields else TEXT["same"]]
    steps = sampled_steps(runs.values())
    if steps:
        parts.append(f"## {TEXT['samples']}")
        for name, history in runs.items():
            parts.append(f"### {code(name)}")
            for sample in history.samples_at(steps[-1]):
                parts.append(_block(sample.prompt + sample.text))
    return "\n\n".join(parts) + "\n"


def _outcomes(runs: Mapping[str, History]) -> list[list[str]]:
    rows: list[list[str]] = [list(TEXT["columns"])]
    for name, history in runs.items():
        outcome = Outcome.of(history.run)
        right = None if outcome.accuracy is None else f"{100 * outcome.accuracy:.1f}%"
        speed = outcome.tokens_per_second
        rows.append(
            [
                code(name),
                run_states.TEXT[outcome.state],
                str(outcome.step),
                _number(outcome.final_loss),
                _number(outcome.best_loss),
                right or TEXT["none"],
                f"{outcome.parameters:,}" if outcome.parameters else TEXT["none"],
                f"{speed:,.0f}" if speed else TEXT["none"],
            ]
        )
    return rows


def _number(value: float | None) -> str:
    return TEXT["none"] if value is None else f"{value:.3f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def code(text: str) -> str:
    """A user's words inside a line of Markdown: as they are, never as markup."""
    text = " ".join(text.replace("|", "¦").split())
    fence = "`" * (1 + max((len(run) for run in text.split("`") if not run), default=0))
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _block(text: str) -> str:
    """A user's words as a block of their own."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"


# The figure ---------------------------------------------------------------------------------------


def loss_svg(runs: Mapping[str, Curves]) -> str:
    """Losses over steps, training faint and validation with points, as a drawing that stands alone."""
    lines: list[tuple[int, Column, Column, bool]] = []
    for number, curves in enumerate(runs.values()):
        lines.append((number, curves.step, smoothed(curves.step, curves.loss, SMOOTHING), False))
        lines.append((number, curves.evaluated, curves.validation, True))
    points = [(x, y) for _, x, y, _ in lines if len(x)]
    right = max((float(x.max()) for x, _ in points), default=1.0) or 1.0
    low = min((float(y.min()) for _, y in points), default=0.0)
    high = max((float(y.max()) for _, y in points), default=1.0)
    high = high if high > low else low + 1

    def X(x: float) -> float:
        return LEFT + x / right * (WIDTH - LEFT - RIGHT)

    def Y(y: float) -> float:
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    ink = INK["light"]
    height = HEIGHT + 18 * len(runs)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="12" fill="{ink["ink"]}">',
        f'<rect width="{WIDTH}" height="{height}" fill="{ink["page"]}"/>',
    ]
    for value in _ticks(low, high):
        parts.append(
            f'<path d="M{LEFT},{Y(value):.1f}H{WIDTH - RIGHT}" stroke="{ink["line"]}"/>'
            f'<text x="{LEFT - 6}" y="{Y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for value in _ticks(0, right):
        parts.append(
            f'<text x="{X(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:,g}</text>'
        )
    parts.append(
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{TEXT["steps"]}</text>'
        f'<text x="0" y="{TOP - 2}">{TEXT["loss"]}</text>'
    )
    for number, x, y, measured in lines:
        parts.append(_line(number, [(X(a), Y(b)) for a, b in _thin(x, y)], measured))
    for number, name in enumerate(runs):
        y = HEIGHT + 18 * number + 8
        parts.append(_line(number, [(LEFT, y - 4), (LEFT + 24, y - 4)], True))
        parts.append(f'<text x="{LEFT + 32}" y="{y}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _thin(x: Column, y: Column) -> list[tuple[float, float]]:
    kept = extremes([y], MAX_POINTS) if len(y) else []
    return [(float(x[i]), float(y[i])) for i in kept if math.isfinite(y[i])]


def _line(number: int, points: Sequence[tuple[float, float]], measured: bool) -> str:
    """The run's colour and dash are those it has in every figure."""
    line = line_of(number, "light")
    colour = line["color"]
    dash = {"solid": "", "dash": "8 5", "dot": "2 4", "dashdot": "8 4 2 4"}[line["dash"]]
    path = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    look = 'stroke-width="1.75"' if measured else 'stroke-width="1" stroke-opacity="0.4"'
    drawn = f'<path d="M{path}" fill="none" stroke="{colour}" stroke-dasharray="{dash}" {look}/>'
    if not points:
        return ""
    if measured:
        drawn += "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points
        )
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five of them, over a range."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    first = math.ceil(low / step)
    return [round(i * step, 12) for i in range(first, math.floor(high / step) + 1)]
