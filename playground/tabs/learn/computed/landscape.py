"""The loss landscape of lesson “How it learns”: measured on the shipped model of the stories.

    python -m playground.tabs.learn.computed.landscape        measures again (about a minute); then draw

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

from playground.tabs.learn import FIGURES

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


def main(folder: Path = FIGURES) -> None:
    """Measure all points and write the table."""
    points = [(along, across) for along in ALONG for across in ACROSS]
    with open(folder / LOSSES.name, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["along", "across", "loss"])
        rows.writerows(
            (a, b, f"{loss:.4f}") for (a, b), loss in zip(points, measure(points), strict=True)
        )
    stored.cache_clear()


if __name__ == "__main__":
    main()
