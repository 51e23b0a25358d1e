"""Figures that lay several runs over each other, and that show an ablation's table.

As in `figures`: numbers in, a `plotly.graph_objects.Figure` out. No torch, no UI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.ablation.comparison import Row
from engine.runs.events import Routed
from playground import i18n
from playground.figures import one_run
from playground.figures.curves import SMOOTHING, Column, Curves, smoothed
from playground.figures.one_run import (
    HEAT,
    INK,
    PALETTE,
    Level,
    Theme,
    add_levels,
    add_line,
    add_points,
    blank,
    line_of,
)
from playground.i18n import Words

TEXT = Words({
    "compare": "Loss of several runs",
    "imbalance_axis": "MaxVio of the least balanced layer",
    "intervals": "Differences between variants",
    "difference": "Validation loss minus that of {first} (nats per token): mean and 95% interval",
    "load": "Load of experts",
    "block": "Block",
    "expert": "Expert",
    "share": "times its<br>fair share",
    "load_hover": "block {block}, expert {expert}: {share} times its share",
    "verdicts": {
        "better": "better",
        "worse": "worse",
        "within noise": "within noise",
        "one seed: no interval": "one seed: no interval",
        "": "",
    },
})  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """What of several runs can be drawn over each other."""

    title: str
    """In English."""
    values: Callable[[Curves], tuple[Column, Column]]
    """The points: where, and how much."""
    measured: bool = True
    """Now and then, as points, rather than at every step."""
    zero: bool = False
    share: bool = False


METRICS: dict[str, Metric] = {
    "loss": Metric(
        one_run.TEXT.english["loss_axis"], lambda curves: (curves.evaluated, curves.validation)
    ),
    "right answers": Metric(
        one_run.TEXT.english["accuracy_axis"],
        lambda curves: known(curves.evaluated, curves.accuracy),
        share=True,
    ),
    "balance": Metric(
        TEXT.english["imbalance_axis"],
        lambda curves: (curves.routed, curves.imbalance),
        False,
        True,
    ),
    "learning rate": Metric(
        one_run.TEXT.english["lr"], lambda curves: (curves.step, curves.lr), False, True
    ),
    "gradient": Metric(
        one_run.TEXT.english["grad_norm_axis"],
        lambda curves: (curves.step, curves.grad_norm),
        False,
        True,
    ),
}


def known(x: Column, y: Column) -> tuple[Column, Column]:
    """Without the points that have no value."""
    there = ~np.isnan(y)
    return x[there], y[there]


def compare(
    runs: Mapping[str, Curves | Sequence[Curves]],
    *,
    metric: str = "loss",
    axis: str | None = None,
    title: str | None = None,
    log: bool = False,
    log_x: bool = False,
    smoothing: float = SMOOTHING,
    levels: Sequence[Level] = (),
    theme: Theme = "light",
) -> go.Figure:
    """One of `METRICS` of several runs over each other, by name. `levels` are what the loss is without training.

    Runs that belong together, such as seeds, are one entry: their mean, and from least to most. `axis` names
    what the curves are over. A run without the metric keeps its colour only.
    """
    figure = _comparing(metric, axis, title, log, log_x, theme)
    for number, (name, given) in enumerate(runs.items()):
        line = line_of(number, theme)
        if isinstance(given, Curves):
            _add_run(figure, given, metric, smoothing, name, line, str(number))
        else:
            _add_band(figure, given, metric, name, line, str(number))
    if metric == "loss":
        groups = ([given] if isinstance(given, Curves) else given for given in runs.values())
        shown = [column for each in chain(*groups) for column in (each.loss, each.validation)]
        add_levels(figure, levels, shown, theme, log=log)
    return figure


def _add_run(
    figure: go.Figure,
    curves: Curves,
    metric: str,
    smoothing: float,
    name: str,
    line: dict[str, Any],
    group: str,
) -> None:
    """Of the loss: validation as points, and training, averaged over `smoothing` steps, faint behind."""
    if metric == "loss":
        train = smoothed(curves.step, curves.loss, smoothing)
        add_line(
            figure, curves.step, train, name, line | {"width": 1},
            opacity=0.45, showlegend=False, legendgroup=group, hoverinfo="skip",
        )  # fmt: skip
    x, y = METRICS[metric].values(curves)
    if METRICS[metric].measured:
        add_points(figure, x, y, name, line, legendgroup=group)
    elif len(x):
        y = y if metric == "learning rate" else smoothed(x, y, smoothing)
        add_line(figure, x, y, name, line)


def _add_band(
    figure: go.Figure,
    members: Sequence[Curves],
    metric: str,
    name: str,
    line: dict[str, Any],
    group: str,
) -> None:
    """Over the steps that all of a group have; one alone is a line."""
    x, values = together([METRICS[metric].values(curves) for curves in members])
    if len(members) > 1 and len(x):
        edge = {"mode": "lines", "line": {"width": 0}, "showlegend": False}
        edge |= {"hoverinfo": "skip", "legendgroup": group}
        figure.add_scatter(x=x, y=values.min(0), **edge)
        fill = rgba(line["color"], 0.2)
        figure.add_scatter(x=x, y=values.max(0), fill="tonexty", fillcolor=fill, **edge)
    add = add_points if METRICS[metric].measured else add_line
    add(figure, x, values.mean(0), name, line, legendgroup=group)


def together(curves: Sequence[tuple[Column, Column]]) -> tuple[Column, Column]:
    """Several curves on one grid: the places (N,) of the one with fewest, up to the shortest, and
    every curve's values there, (curves, N)."""
    present = [(x, y) for x, y in curves if len(x)]
    if not present:
        return np.zeros(0), np.zeros((1, 0))
    low, high = max(x[0] for x, _ in present), min(x[-1] for x, _ in present)
    grid = min((x for x, _ in present), key=len)
    grid = grid[(grid >= low) & (grid <= high)]
    return grid, np.stack([np.interp(grid, x, y) for x, y in present])


def _comparing(
    metric: str, axis: str | None, title: str | None, log: bool, log_x: bool, theme: Theme
) -> go.Figure:
    shown = METRICS[metric]
    figure = blank(title or TEXT["compare"], i18n.template(shown.title), theme, log=log)
    axis = axis or one_run.TEXT["step"]
    figure.update_xaxes(title_text=axis, type="log" if log_x else "linear")
    figure.update_layout(showlegend=True)
    if shown.share and not log:
        figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    elif shown.zero and not log:
        figure.update_yaxes(rangemode="tozero")
    return figure


def intervals(
    rows: Sequence[Row], *, title: str | None = None, theme: Theme = "light"
) -> go.Figure:
    """An ablation's table: each variant's difference to the first, with its 95% interval.

    A difference within noise is grey; one that is not is green where the loss is lower.
    """
    figure = blank(title or TEXT["intervals"], "", theme)
    colours = {"better": PALETTE[theme][2], "worse": PALETTE[theme][1]}
    shown = [row for row in rows if row.difference is not None]
    for verdict in ("better", "worse", "within noise", "one seed: no interval"):
        some = [row for row in shown if row.verdict == verdict]
        if not some:
            continue
        found = [row.difference for row in some if row.difference is not None]
        colour = colours.get(verdict, INK[theme]["muted"])
        figure.add_scatter(
            x=[each.mean for each in found],
            y=[_variant(row) for row in some],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [0 if each.high is None else each.high - each.mean for each in found],
                "arrayminus": [0 if each.low is None else each.mean - each.low for each in found],
                "thickness": 2,
            },
            name=TEXT["verdicts"][verdict],
            mode="markers",
            marker={"color": colour, "size": 10},
            hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
        )
    figure.add_vline(0, line={"color": INK[theme]["muted"], "width": 1, "dash": "dot"})
    names = [_variant(row) for row in reversed(shown)]
    first = _variant(rows[0]) if rows else ""
    figure.update_xaxes(title_text=TEXT["difference"].format(first=first))
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names)
    figure.update_layout(
        hovermode="closest", showlegend=True, height=max(220, 110 + 42 * len(shown))
    )
    return figure


def _variant(row: Row) -> str:
    """A variant's name: a suite's own word, in the language in use if it is known."""
    return escape(i18n.translate(row.variant), quote=False)


def expert_load(
    record: Routed, *, title: str | None = None, most: float | None = None, theme: Theme = "light"
) -> go.Figure:
    """How much each expert had to do at one step, as a multiple of its fair share (rows: blocks)."""
    load = np.array(record.load)
    shown = load * load.shape[1] / np.maximum(load.sum(1, keepdims=True), 1e-12)
    figure = blank(title or TEXT["load"], TEXT["block"], theme)
    even = np.linspace(0, 1, len(HEAT[theme])).tolist()
    figure.add_heatmap(
        z=shown,
        x=[str(i + 1) for i in range(load.shape[1])],
        y=[str(layer + 1) for layer in record.layers],
        zmin=0,
        zmax=most or max(2.0, float(shown.max())),
        colorscale=[[at, colour] for at, colour in zip(even, HEAT[theme], strict=True)],
        colorbar={"title": TEXT["share"], "thickness": 10},
        hovertemplate=TEXT["load_hover"].format(block="%{y}", expert="%{x}", share="%{z:.2f}")
        + "<extra></extra>",
    )
    figure.update_layout(hovermode="closest", height=150 + 36 * len(record.layers))
    figure.update_xaxes(title_text=TEXT["expert"], showgrid=False, type="category")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    return figure


def rgba(colour: str, alpha: float) -> str:
    """`#rrggbb`, and how opaque."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
