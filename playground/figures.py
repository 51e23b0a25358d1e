"""Figures of stored runs: numbers in, a `plotly.graph_objects.Figure` out.

Every figure names its axes and their units, is told apart without seeing all colours, and comes for a
light or a dark page. What a user wrote (a run's name, a token) is shown as text, never as markup.

No torch, no UI.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from playground.curves import Column, Curves, extremes, smoothed
from playground.i18n import Words

Theme = Literal["light", "dark"]

TEXT = Words({
    "step": "Step",
    "loss": "Loss",
    "loss_axis": "Loss (nats per token)",
    "batch": "train, each batch",
    "train": "train",
    "validation": "validation",
    "uniform": "guessing evenly: ln {size} = {loss:.2f}",
    "lr": "Learning rate",
    "grad_norm": "Gradient norm",
    "grad_norm_axis": "Gradient norm before clipping",
    "accuracy": "Right answers",
    "accuracy_axis": "Right answers on held-out items",
    "attention": "Attention",
    "query": "Query: the token that looks",
    "key": "Key: the token looked at",
    "weight": "weight",
})  # fmt: skip

PALETTE: dict[Theme, tuple[str, ...]] = {
    "light": (
        "#0072b2", "#d55e00", "#009e73", "#b8578f", "#c98a00", "#3f9fd6", "#6a5acd", "#6b6b6b",
    ),
    "dark": (
        "#56a8e0", "#ff8b47", "#33c79b", "#e08fbd", "#eab13f", "#8fd0f5", "#a99bf5", "#a3a3a3",
    ),
}  # fmt: skip
"""The page's eight colours (assets/css/theme.css), after Okabe & Ito 2008."""

DASHES = ("solid", "dash", "dot", "dashdot")
"""With more runs than colours, the next round of colours is drawn with other dashes."""

INK: dict[Theme, dict[str, str]] = {
    "light": {"page": "#fdfdfc", "ink": "#1c1d20", "muted": "#5f6168", "line": "#e4e4df"},
    "dark": {"page": "#141518", "ink": "#ececee", "muted": "#a4a7ae", "line": "#2d3036"},
}

HEAT: dict[Theme, tuple[str, ...]] = {
    "light": ("#f4f7fb", "#a8c8ea", "#408ad9", "#274ba8", "#201b5b"),
    "dark": ("#1c1e23", "#2f3f8f", "#3f74c9", "#63b4e4", "#d5f4f2"),
}
"""From no weight, almost the page itself, to all of it; lightness changes in even steps."""

MOST_POINTS = 3000
"""Points of one drawn line; of more, the peaks are kept."""


def loss(
    curves: Curves,
    *,
    title: str | None = None,
    vocab_size: int | None = None,
    log: bool = False,
    smoothing: float = 10,
    theme: Theme = "light",
) -> go.Figure:
    """Training loss, raw (faint) and averaged over `smoothing` steps, and held-out loss as points.

    With `vocab_size` V, a line marks ln V: the loss of giving every token the same probability.
    """
    blue, orange = PALETTE[theme][:2]
    figure = blank(title or TEXT["loss"], TEXT["loss_axis"], theme, log=log)
    raw = {"color": blue, "width": 1}
    add_line(figure, curves.step, curves.loss, TEXT["batch"], raw, opacity=0.3, showlegend=False)
    smooth = smoothed(curves.step, curves.loss, smoothing)
    add_line(figure, curves.step, smooth, TEXT["train"], {"color": blue, "width": 2})
    add_points(figure, curves.evaluated, curves.validation, TEXT["validation"], {"color": orange})
    if vocab_size is not None:
        uniform = math.log(vocab_size)
        figure.add_hline(
            uniform,
            line={"color": INK[theme]["muted"], "width": 1, "dash": "dot"},
            annotation={
                "text": TEXT["uniform"].format(size=f"{vocab_size:,}", loss=uniform),
                "font": {"color": INK[theme]["muted"], "size": 11},
            },
        )
    return figure


def learning_rate(curves: Curves, *, title: str | None = None, theme: Theme = "light") -> go.Figure:
    """The learning rate of each step."""
    figure = blank(title or TEXT["lr"], TEXT["lr"], theme)
    add_line(figure, curves.step, curves.lr, TEXT["lr"], {"color": PALETTE[theme][0], "width": 2})
    figure.update_yaxes(rangemode="tozero", exponentformat="power")
    return figure


def gradient_norm(curves: Curves, *, title: str | None = None, theme: Theme = "light") -> go.Figure:
    """The length of the gradient of each step, before clipping."""
    figure = blank(title or TEXT["grad_norm"], TEXT["grad_norm_axis"], theme)
    line = {"color": PALETTE[theme][0], "width": 1}
    add_line(figure, curves.step, curves.grad_norm, TEXT["grad_norm"], line)
    figure.update_yaxes(rangemode="tozero")
    return figure


def accuracy(curves: Curves, *, title: str | None = None, theme: Theme = "light") -> go.Figure:
    """The share of held-out items that a task's model answers exactly, in percent."""
    figure = blank(title or TEXT["accuracy"], TEXT["accuracy_axis"], theme)
    line = {"color": PALETTE[theme][2]}
    add_points(figure, curves.evaluated, curves.accuracy, TEXT["accuracy"], line)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure


def line_of(number: int, theme: Theme) -> dict[str, Any]:
    """The look of the run at this place, the same in every figure."""
    colours = PALETTE[theme]
    return {
        "color": colours[number % len(colours)],
        "dash": DASHES[number // len(colours) % len(DASHES)],
    }


def attention(
    weights: npt.NDArray[np.floating[Any]],
    tokens: Sequence[str],
    *,
    title: str | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """One head's weights (T, T) as a heat map: row = query, column = key, each row sums to one.

    Keys in the future of their query are left empty. Colour goes with the square root of the weight,
    so that faint attention shows. Raises `ValueError` when tokens and weights do not fit.
    """
    length = len(tokens)
    if weights.shape != (length, length):
        raise ValueError(f"weights {weights.shape} for {length} tokens: must be (T, T)")
    future = np.triu(np.ones((length, length), bool), k=1)
    shown = np.where(future, np.nan, weights)
    names = [escape(visible(token), quote=False) for token in tokens]
    # An axis merges equal categories, so the places are numbers and the tokens only their labels.
    ticks = {"tickmode": "array", "tickvals": list(range(length)), "ticktext": names}
    figure = blank(title or TEXT["attention"], TEXT["query"], theme)
    even = np.linspace(0, 1, len(HEAT[theme])).tolist()
    figure.add_heatmap(
        z=np.sqrt(shown),
        customdata=np.where(future, 0, weights),
        text=[[f"{query} → {key}" for key in names] for query in names],
        hovertemplate="%{text}: %{customdata:.3f}<extra></extra>",
        hoverongaps=False,
        zmin=0,
        zmax=1,
        colorscale=[[at, colour] for at, colour in zip(even, HEAT[theme], strict=True)],
        colorbar={
            "title": TEXT["weight"],
            "thickness": 10,
            "tickvals": np.sqrt([0, 0.05, 0.25, 0.5, 1]).tolist(),
            "ticktext": ["0", "0.05", "0.25", "0.5", "1"],
        },
    )
    figure.update_layout(hovermode="closest", height=520)
    figure.update_xaxes(title_text=TEXT["key"], showgrid=False, constrain="domain", **ticks)
    figure.update_yaxes(
        autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False, **ticks
    )
    return figure


def visible(token: str) -> str:
    """A token as `tp.visible` shows it on the page: no character is invisible, none breaks a line."""
    named = {" ": "␣", "\n": "⏎", "\t": "⇥"}
    return "".join(
        named[char]
        if char in named
        else chr(0x2400 + ord(char))  # Unicode's own pictures of control characters
        if ord(char) < 0x20
        else f"U+{ord(char):04X}"
        if unicodedata.category(char)[0] in "CZ"
        else char
        for char in token
    )


def blank(title: str, y_title: str, theme: Theme, *, log: bool = False) -> go.Figure:
    """An empty figure over steps, in the look of the page."""
    ink = INK[theme]
    axis: dict[str, Any] = {
        "gridcolor": ink["line"],
        "linecolor": ink["line"],
        "zeroline": False,
        "title_font": {"size": 12, "color": ink["muted"]},
        "tickfont": {"size": 11, "color": ink["muted"]},
    }
    figure = go.Figure()
    figure.update_layout(
        title={"text": escape(title, quote=False), "font": {"size": 15}, "x": 0, "xref": "paper"},
        font={"color": ink["ink"], "family": "system-ui, sans-serif"},
        paper_bgcolor=ink["page"],
        plot_bgcolor=ink["page"],
        height=380,
        margin={"l": 8, "r": 8, "t": 64, "b": 8},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"},
        uirevision=title,
    )
    figure.update_xaxes(title_text=TEXT["step"], **axis)
    figure.update_yaxes(title_text=y_title, type="log" if log else "linear", **axis)
    return figure


def add_line(
    figure: go.Figure, x: Column, y: Column, name: str, line: dict[str, Any], **more: Any
) -> None:
    """A line; of very many points, those that draw the same picture."""
    kept = extremes([y], MOST_POINTS) if len(y) else slice(0)
    figure.add_scatter(
        x=x[kept], y=y[kept], name=escape(name, quote=False), mode="lines", line=line, **more
    )


def add_points(
    figure: go.Figure, x: Column, y: Column, name: str, line: dict[str, Any], **more: Any
) -> None:
    """Measurements: points, with a line that leads the eye; an only one is still seen."""
    kept = extremes([y], MOST_POINTS) if len(y) else slice(0)
    figure.add_scatter(
        x=x[kept],
        y=y[kept],
        name=escape(name, quote=False),
        mode="lines+markers",
        line={"width": 1.5} | line,
        marker={"size": 5},
        hovertemplate="%{y:.3f}",
        **more,
    )
