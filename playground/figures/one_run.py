"""Figures of stored runs: numbers in, a `plotly.graph_objects.Figure` out.

Every figure names its axes and their units, can be read without colour vision, and comes for a
light or a dark page. What a user wrote (a run's name, a token) is shown as text, never as markup.

No torch, no UI.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from engine.data.baselines import Baselines
from playground.figures.curves import SMOOTHING, Column, Curves, extremes, smoothed
from playground.i18n import Words

Theme = Literal["light", "dark"]

TEXT = Words({
    "step": "Step",
    "loss": "Loss",
    "loss_axis": "Loss (nats per token)",
    "batch": "train, each batch",
    "train": "train",
    "validation": "validation",
    "uniform": "uniform",
    "unigram": "unigram",
    "bigram": "bigram",
    "knows_nothing": "knows nothing: guessing evenly among {size} tokens, ln {size} = {loss}",
    "knows_letters": "knows letters: how often each one occurs",
    "knows_tokens": "knows tokens: how often each one occurs",
    "knows_pairs": "knows pairs: how often each follows the one before it",
    "lr": "Learning rate",
    "grad_norm": "Gradient norm",
    "grad_norm_axis": "Gradient norm before clipping",
    "accuracy": "Right answers",
    "accuracy_axis": "Right answers on validation items",
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

PLOT_HEIGHT, LABEL_HEIGHT = 250, 14
"""About the height of a figure's plot, and of a label in it, in pixels."""

MAX_POINTS = 3000
"""Points of one drawn line; of more, the peaks are kept."""


class Level(NamedTuple):
    """A loss that is reached without training."""

    name: str
    value: float
    """Nats per token."""
    meaning: str
    """What whoever reaches it knows."""


def loss(
    curves: Curves,
    *,
    title: str | None = None,
    vocab_size: int | None = None,
    baselines: Baselines | None = None,
    log: bool = False,
    smoothing: float = SMOOTHING,
    theme: Theme = "light",
) -> go.Figure:
    """Training loss, raw (faint) and averaged over `smoothing` steps, and validation loss as points.

    With `vocab_size` V, a line marks ln V: the loss of giving every token the same probability; with `baselines`, two
    more mark what counting reaches.
    """
    blue, orange = PALETTE[theme][:2]
    figure = blank(title or TEXT["loss"], TEXT["loss_axis"], theme, log=log)
    raw = {"color": blue, "width": 1}
    add_line(figure, curves.step, curves.loss, TEXT["batch"], raw, opacity=0.3, showlegend=False)
    smooth = smoothed(curves.step, curves.loss, smoothing)
    add_line(figure, curves.step, smooth, TEXT["train"], {"color": blue, "width": 2})
    add_points(figure, curves.evaluated, curves.validation, TEXT["validation"], {"color": orange})
    add_levels(
        figure, levels(vocab_size, baselines), [curves.loss, curves.validation], theme, log=log
    )
    return figure


def levels(
    vocab_size: int | None, baselines: Baselines | None = None, letters: bool = False
) -> list[Level]:
    """What guessing and counting reach: ln V, and the baselines that are known. `letters`: tokens are characters."""
    found: list[Level] = []
    if vocab_size is not None:
        uniform = math.log(vocab_size)
        meaning = TEXT["knows_nothing"].format(size=f"{vocab_size:,}", loss=f"{uniform:.2f}")
        found.append(Level(TEXT["uniform"], uniform, meaning))
    if baselines is not None:
        knows = TEXT["knows_letters" if letters else "knows_tokens"]
        found.append(Level(TEXT["unigram"], baselines.unigram, knows))
        found.append(Level(TEXT["bigram"], baselines.bigram, TEXT["knows_pairs"]))
    return found


def add_levels(
    figure: go.Figure,
    wanted: Sequence[Level],
    shown: Sequence[Column],
    theme: Theme,
    *,
    log: bool = False,
) -> None:
    """Horizontal lines, labelled right of the plot, where no curve is. `shown` are the values of its curves: with them
    the labels are moved apart where their lines are close."""
    if not wanted:
        return
    scale = np.log10 if log else np.asarray
    values = np.concatenate(
        [*(each[each > 0] if log else each for each in shown), [each.value for each in wanted]]
    )
    values = values[np.isfinite(values)]
    places = scale(np.array([each.value for each in wanted]))
    pixel = float(np.ptp(scale(values))) / PLOT_HEIGHT or 1.0
    order = np.argsort(places)
    shifts = np.zeros(len(wanted))
    above = -np.inf
    for i in (
        order.tolist()
    ):  # from the lowest: each label at its line, or a label's height above the one below
        above = max(places[i] / pixel, above + LABEL_HEIGHT)
        shifts[i] = above - places[i] / pixel
    for level, place, shift in zip(wanted, places.tolist(), shifts.tolist(), strict=True):
        figure.add_hline(
            level.value, line={"color": INK[theme]["muted"], "width": 1, "dash": "dot"}
        )
        figure.add_annotation(
            text=f"{level.name} {level.value:.2f}", hovertext=level.meaning, font={"color": INK[theme]["muted"], "size": 11},
            x=1, xref="paper", xanchor="left", y=place, yref="y", yshift=shift, showarrow=False,
        )  # fmt: skip
    figure.update_layout(margin={"r": 8 + 7 * max(len(f"{each.name} 0.00") for each in wanted)})


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
    """The share of validation items that a task's model answers exactly, in percent."""
    figure = blank(title or TEXT["accuracy"], TEXT["accuracy_axis"], theme)
    line = {"color": PALETTE[theme][2]}
    add_points(figure, curves.evaluated, curves.accuracy, TEXT["accuracy"], line)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure


def line_of(number: int, theme: Theme) -> dict[str, Any]:
    """The colour and dash of the run at this place, the same in every figure."""
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
    """An empty figure over steps, in the style of the page."""
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
    kept = extremes([y], MAX_POINTS) if len(y) else slice(0)
    look = {"mode": "lines", "line": line} | more
    figure.add_scatter(x=x[kept], y=y[kept], name=escape(name, quote=False), **look)


def add_points(
    figure: go.Figure, x: Column, y: Column, name: str, line: dict[str, Any], **more: Any
) -> None:
    """Measurements: points, with a line that leads the eye; an only one is still seen."""
    points = {"mode": "lines+markers", "marker": {"size": 5}, "hovertemplate": "%{y:.3f}"}
    add_line(figure, x, y, name, {"width": 1.5} | line, **points, **more)
