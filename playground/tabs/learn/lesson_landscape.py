"""The loss landscape of lesson “How it learns”: measured on the shipped model of the stories, and drawn.

    python -m playground.tabs.learn.lesson_landscape        measures again and draws (about a minute)

A loss is a function of all weights, here about 100,000. A map has two directions only (Li et al. 2018, "Visualizing
the Loss Landscape of Neural Nets"): against the gradient, and a random one. Both have length 1, so both axes have the
same scale: the distance that the vector of all weights moves.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from playground.tabs.learn.lesson_figures import FIGURES

if TYPE_CHECKING:
    from engine.model.decoder import Decoder

LOSSES = FIGURES / "landscape.csv"
STEP = 400
"""The checkpoint: late enough to be far below guessing, early enough to have far to go."""
ROWS = 8
"""Windows of the validation data on which every loss is measured."""
ALONG = [-0.5 + i / 16 for i in range(25)]
"""Distances against the gradient."""
ACROSS = [-0.75 + i / 16 for i in range(25)]
"""Distances in the random direction."""

Point = tuple[float, float]


def measure(points: Sequence[Point]) -> list[float]:
    """The loss at each (distance against the gradient, distance in a random direction), in nats."""
    import torch

    from engine.data import make_data
    from engine.training.loss import cross_entropy
    from playground.runs import models, run_lookup

    loaded = models.load(run_lookup.find("stories"), STEP)
    batch = next(iter(make_data(loaded.config).validation(ROWS, 1)))
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    weights = {name: weight.detach() for name, weight in loaded.model.named_parameters()}

    def loss(values: dict[str, torch.Tensor]) -> torch.Tensor:
        model: Decoder = loaded.model
        return cross_entropy(torch.func.functional_call(model, values, (inputs,)), targets)

    def of_length_one(direction: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        length = math.sqrt(sum(float(part.square().sum()) for part in direction.values()))
        return {name: part / length for name, part in direction.items()}

    downhill = of_length_one({name: -part for name, part in torch.func.grad(loss)(weights).items()})
    generator = torch.Generator().manual_seed(0)
    chance = of_length_one(
        {name: torch.randn(weight.shape, generator=generator) for name, weight in weights.items()}
    )
    with torch.no_grad():
        return [
            float(loss({name: w + along * downhill[name] + across * chance[name] for name, w in weights.items()}))
            for along, across in points
        ]  # fmt: skip


@functools.cache
def stored() -> dict[Point, float]:
    """The measured losses."""
    with open(LOSSES, encoding="utf-8", newline="") as file:
        return {(float(row["along"]), float(row["across"])): float(row["loss"]) for row in csv.DictReader(file)}  # fmt: skip


def best() -> float:
    """The distance against the gradient at which the loss is lowest."""
    return min(ALONG, key=lambda along: stored()[along, 0.0])


# The drawing --------------------------------------------------------------------------------------

CELL, LEFT, TOP, GAP, HEIGHT = 14, 46, 26, 58, 130
LEVELS = 16
WIDE = CELL * len(ALONG)


def draw() -> str:
    """The map, and below it the cut along the gradient, as SVG."""
    losses = stored()
    low, high = min(losses.values()), max(losses.values())
    x = {along: LEFT + CELL * (i + 0.5) for i, along in enumerate(ALONG)}
    y = {across: TOP + CELL * (len(ACROSS) - i - 0.5) for i, across in enumerate(ACROSS)}
    bottom = TOP + CELL * len(ACROSS)
    parts: list[str] = []
    for along in ALONG:  # equal neighbours of a column become one rectangle
        levels = [
            round(LEVELS * math.log(losses[along, across] / low) / math.log(high / low))
            for across in ACROSS
        ]
        start = 0
        for i in range(1, len(levels) + 1):
            if i == len(levels) or levels[i] != levels[start]:
                top = y[ACROSS[i - 1]] - CELL / 2
                parts.append(
                    f'<rect class="heat" x="{x[along] - CELL / 2:g}" y="{top:g}" width="{CELL}" height="{CELL * (i - start)}"'
                    f' fill-opacity="{0.04 + 0.92 * levels[start] / LEVELS:.2f}"/>'
                )
                start = i
    here, lowest = x[0.0], x[best()]
    middle = y[0.0]
    parts += [
        f'<path class="arrow" d="M{here:g} {middle:g}H{lowest - 6:g}m-5 -4l6 4l-6 4"/>',
        f'<circle class="dot" cx="{here:g}" cy="{middle:g}" r="4.5"/>',
        f'<text class="strong end" x="{here - 8:g}" y="{middle + 4:g}">here</text>',
        f'<text x="{LEFT}" y="{TOP - 10}">Loss, seen from above: stronger colour is higher</text>',
        f'<text class="muted middle" transform="translate({LEFT - 30} {TOP + CELL * len(ACROSS) / 2:g}) rotate(-90)">random direction</text>',
    ]
    base = bottom + GAP + HEIGHT
    top_loss = math.ceil(max(losses[along, 0.0] for along in ALONG) * 2) / 2

    def level(loss: float) -> float:
        return base - HEIGHT * loss / top_loss

    curve = " ".join(f"{x[along]:.1f},{level(losses[along, 0.0]):.1f}" for along in ALONG)
    parts += [
        f'<text x="{LEFT}" y="{bottom + GAP - 14:g}">The same, cut along the gradient</text>',
        *(
            f'<line class="rule" x1="{LEFT}" x2="{LEFT + WIDE}" y1="{level(tick):.1f}" y2="{level(tick):.1f}"/>'
            f'<text class="muted end" x="{LEFT - 6}" y="{level(tick) + 4:.1f}">{tick:g}</text>'
            for tick in range(int(top_loss) + 1)
        ),
        f'<polyline class="curve" points="{curve}"/>',
        f'<circle class="dot" cx="{here:g}" cy="{level(losses[0.0, 0.0]):.1f}" r="4.5"/>',
        f'<circle class="ring" cx="{lowest:g}" cy="{level(losses[best(), 0.0]):.1f}" r="4.5"/>',
        *(
            f'<text class="muted middle" x="{x[tick]:g}" y="{base + 16}">{f"{tick:g}".replace("-", "−")}</text>'
            for tick in (-0.5, 0.0, 0.5, 1.0)
        ),
        f'<text class="muted middle" x="{LEFT + WIDE / 2:g}" y="{base + 34}">distance against the gradient</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDE + 12} {base + 42}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def main(folder: Path = FIGURES) -> None:
    """Measure all points and write the table and the drawing."""
    points = [(along, across) for along in ALONG for across in ACROSS]
    with open(folder / LOSSES.name, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["along", "across", "loss"])
        rows.writerows(
            (a, b, f"{loss:.4f}") for (a, b), loss in zip(points, measure(points), strict=True)
        )
    stored.cache_clear()
    (folder / "landscape.svg").write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
