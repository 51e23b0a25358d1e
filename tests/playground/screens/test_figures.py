"""Figures say what their numbers are, survive hostile names, and keep the peaks of long runs."""

from __future__ import annotations

import json
import math
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.ablation.comparison import Result, compare
from engine.data.baselines import Baselines
from engine.runs.events import Evaluated, Message, Routed, Started, Stepped
from engine.runs.summary import Outcome
from playground.figures import one_run, several_runs
from playground.figures.curves import SMOOTHING, Curves, extremes, smoothed


def stepped(step: int, loss: float, lr: float = 1e-3) -> Stepped:
    return Stepped(step=step, loss=loss, lr=lr, grad_norm=0.5, tokens=64 * step, seconds=0.01)


def history(steps: int = 200, accuracy: float | None = None) -> list[Message]:
    events: list[Message] = []
    for step in range(1, steps + 1):
        events.append(stepped(step, 4 / step + 1))
        if step % 50 == 0:
            events.append(Evaluated(step=step, loss=4 / step + 1.1, accuracy=accuracy))
    return events


ROOT = Path(__file__).resolve().parents[3]
ALL = {
    "loss": lambda curves, theme: one_run.loss(curves, vocab_size=75, theme=theme),
    "learning rate": lambda curves, theme: one_run.learning_rate(curves, theme=theme),
    "gradient norm": lambda curves, theme: one_run.gradient_norm(curves, theme=theme),
    "accuracy": lambda curves, theme: one_run.accuracy(curves, theme=theme),
    "compare": lambda curves, theme: several_runs.compare({"a": curves, "b": curves}, theme=theme),
    "balance": lambda curves, theme: several_runs.compare(
        {"a": curves}, metric="balance", theme=theme
    ),
    "bands": lambda curves, theme: several_runs.compare({"a": [curves, curves]}, theme=theme),
    "attention": lambda curves, theme: one_run.attention(np.eye(3), ["a", "b", "c"], theme=theme),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ALL)
def test_every_figure_has_a_title_and_named_axes(name: str, theme: one_run.Theme) -> None:
    figure: Any = ALL[name](Curves.of(history(accuracy=0.5)), theme)
    assert figure.layout.title.text
    assert figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text
    assert figure.layout.paper_bgcolor == one_run.INK[theme]["page"]


@pytest.mark.parametrize("name", [name for name in ALL if name != "attention"])
def test_a_run_without_events_draws_an_empty_figure(name: str) -> None:
    figure: Any = ALL[name](Curves.of([]), "light")
    assert all(len(trace.x) == 0 for trace in figure.data)
    figure.to_json()


def test_loss_shows_what_was_measured() -> None:
    figure: Any = one_run.loss(Curves.of(history()), vocab_size=75, log=True)
    raw, train, validation = figure.data
    np.testing.assert_array_equal(raw.x, np.arange(1, 201))
    np.testing.assert_allclose(raw.y, 4 / np.arange(1, 201) + 1)
    np.testing.assert_array_equal(validation.x, [50, 100, 150, 200])
    assert train.y[0] == raw.y[0]
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.shapes[0].y0 == pytest.approx(math.log(75))
    (label,) = figure.layout.annotations
    assert label.text == "uniform 4.32" and "among 75 tokens, ln 75 = 4.32" in label.hovertext
    assert label.y == pytest.approx(
        math.log10(math.log(75))
    )  # of a logarithmic axis, plotly wants the exponent


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("unigram", "bigram"), [(3.08, 2.2), (4.31, 4.3), (4.3, 4.31)])
def test_labels_of_baselines_cover_no_curve_and_not_each_other(
    unigram: float, bigram: float, log: bool
) -> None:
    curves = Curves.of(history())
    wanted = one_run.levels(75, Baselines(unigram, bigram, 1000), letters=True)
    figure: Any = several_runs.compare({"a": curves}, levels=wanted, log=log)
    labels = figure.layout.annotations
    assert [line.y0 for line in figure.layout.shapes] == [each.value for each in wanted]
    assert all(label.x == 1 and label.xanchor == "left" for label in labels)  # right of the plot
    assert figure.layout.margin.r >= 7 * max(len(label.text) for label in labels)
    values = np.concatenate([curves.loss, curves.validation, [each.value for each in wanted]])
    span = np.ptp(np.log10(values) if log else values)
    heights = sorted(one_run.PLOT_HEIGHT * label.y / span + label.yshift for label in labels)
    assert min(np.diff(heights)) >= one_run.LABEL_HEIGHT - 1e-6
    assert "knows letters" in labels[1].hovertext and "knows pairs" in labels[2].hovertext
    other: Any = several_runs.compare({"a": curves}, metric="gradient", levels=wanted)
    assert not other.layout.annotations


def test_intervals_are_a_line_for_each_variant() -> None:
    def outcome(loss: float) -> Outcome:
        return Outcome("finished", 5, final_loss=loss)

    results = [
        Result(variant, seed, outcome(loss + seed / 100 + wobble * seed))
        for variant, loss, wobble in (("<base>", 2, 0), ("worse", 3, 0), ("same", 2, 0.1))
        for seed in (0, 1, 2)
    ]
    figure: Any = several_runs.intervals(compare(results))
    assert figure.layout.yaxis.type == "category"
    found = {trace.name: (list(trace.y), list(trace.x)) for trace in figure.data}
    assert found["worse"] == (["worse"], pytest.approx([1.0]))
    assert found["within noise"] == (["same"], pytest.approx([0.1]))
    assert "&lt;base&gt;" in figure.layout.xaxis.title.text


def test_a_band_reaches_from_the_least_to_the_most() -> None:
    low, high = ([*history(), stepped(201, 1.0)] for _ in range(2))
    high = [
        Evaluated(step=each.step, loss=each.loss + 1) if isinstance(each, Evaluated) else each
        for each in high
    ]
    figure: Any = several_runs.compare({"both": [Curves.of(low), Curves.of(high)]})
    bottom, top, mean = figure.data
    np.testing.assert_allclose(top.y - bottom.y, 1)
    np.testing.assert_allclose(mean.y, (top.y + bottom.y) / 2)


def test_what_a_resumed_run_repeats_is_drawn_once() -> None:
    killed = history(130)
    again: list[Message] = [
        Started(step=100, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    ]
    again += [stepped(step, 9.0) for step in range(101, 121)]
    curves = Curves.of(killed + again)
    np.testing.assert_array_equal(curves.step, np.arange(1, 121))
    assert curves.loss[-1] == 9.0
    np.testing.assert_array_equal(curves.evaluated, [50, 100])


def routed(step: int, *load: list[float]) -> Routed:
    """How two layers routed a batch, as far as figures read it."""
    nothing = [0.0] * len(load)
    return Routed(
        step=step, layers=list(range(len(load))), load=list(load), probability=list(load),
        dropped=nothing, entropy=nothing, losses={}, balance_loss=0.0,
    )  # fmt: skip


def test_imbalance_is_that_of_the_worst_layer() -> None:
    even, uneven = [0.25] * 4, [0.7, 0.1, 0.1, 0.1]
    events = [routed(1, even, even), routed(2, even, uneven), routed(3, [1, 0, 0, 0], even)]
    curves = Curves.of([*events, routed(9, uneven, even)])
    np.testing.assert_allclose(curves.imbalance, [0, 1.8, 3, 1.8])
    resumed = Started(step=2, parameters=1, device="cpu", dtype="fp32", threads=1, train_tokens=1)
    assert list(Curves.of([*events, resumed]).routed) == [1, 2]
    dense = Curves.of(history())
    figure: Any = several_runs.compare({"dense": dense, "experts": curves}, metric="balance")
    (line,) = figure.data
    assert line.name == "experts" and list(line.x) == [1, 2, 3, 9]
    both: Any = several_runs.compare({"dense": dense, "experts": curves})
    assert line.line.color == both.data[-1].line.color


def test_names_are_text() -> None:
    name = "<b>d_model</b> 128 & <img src=x>"
    figure: Any = several_runs.compare({name: Curves.of(history())}, title=name)
    assert all("<" not in trace.name and unescape(trace.name) == name for trace in figure.data)
    assert "<" not in figure.layout.title.text


def test_compared_runs_look_different() -> None:
    curves = Curves.of(history())
    figure: Any = several_runs.compare({str(i): curves for i in range(20)})
    looks = {(t.line.color, t.line.dash) for t in figure.data if t.mode == "lines+markers"}
    assert len(looks) == 20


def test_attention_hides_the_future_and_shows_every_character() -> None:
    weights = np.tril(np.full((4, 4), 0.25))
    figure: Any = one_run.attention(weights, [" ", "\n", "<", "\x07"])
    (heat,) = figure.data
    z = np.array(heat.z, float)
    assert np.isnan(z[np.triu_indices(4, 1)]).all()
    np.testing.assert_allclose(z[np.tril_indices(4)], 0.5)
    assert figure.layout.xaxis.ticktext == ("␣", "⏎", "&lt;", "␇")
    with pytest.raises(ValueError, match="must be"):
        one_run.attention(weights, ["a"])


def test_visible_shows_what_cannot_be_seen() -> None:
    shown = one_run.visible("é中 \u200b\u202e\u00a0")
    assert shown == "é中␣U+200BU+202EU+00A0"


def test_smoothing_starts_without_bias_and_knows_gaps() -> None:
    steps = np.arange(1.0, 301)
    constant = smoothed(steps, np.full(300, 3.0), 20)
    np.testing.assert_allclose(constant, 3.0)
    jump = smoothed(steps, np.where(steps <= 200, 0.0, 1.0), 20)
    assert jump[220 - 1] == pytest.approx(1 - math.exp(-1), abs=1e-3)
    # Recorded every tenth step, the same curve comes out at the same steps.
    coarse = smoothed(steps[9::10], np.where(steps <= 200, 0.0, 1.0)[9::10], 20)
    np.testing.assert_allclose(coarse[-5:], jump[9::10][-5:], atol=1e-3)
    assert smoothed(steps, steps, 0) is steps


def test_smoothing_gives_the_numbers_that_the_page_gives() -> None:
    """The same series is smoothed by `tp.smoothed` in tests/javascript/feed.test.mjs."""
    told = json.loads((ROOT / "tests" / "javascript" / "smoothing.json").read_text("utf-8"))
    steps, values = (np.array(told[name], np.float64) for name in ("steps", "values"))
    for case in told["cases"]:
        found = smoothed(steps, values, case["window"])
        np.testing.assert_allclose(found, case["smoothed"], rtol=0, atol=1e-12)
    script = (ROOT / "assets" / "js" / "runs" / "feed.js").read_text("utf-8")
    assert f"const SMOOTHING = {SMOOTHING};" in script


def test_thinning_keeps_the_peaks() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=100_000)
    values[77_777] = 50.0
    values[33_333] = -50.0
    kept = extremes([values], 2000)
    assert len(kept) <= 2001
    assert {0, 33_333, 77_777, 99_999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    assert len(extremes([values[:10]], 2000)) == 10


def test_a_long_run_stays_a_small_figure() -> None:
    steps = np.arange(1.0, 100_001)
    loss = 1 + 3 * np.exp(-steps / 1e4)
    loss[50_000] = 7.0
    none = np.array([])
    curves = Curves(steps, loss, loss, loss, none, none, none, none, none)
    figure: Any = one_run.loss(curves)

    assert max(len(trace.x) for trace in figure.data) <= one_run.MAX_POINTS + 1
    assert max(figure.data[0].y) == 7.0
