"""Curves of the lessons: measured once on real runs and stored in a table, from which `drawings.charts` draws.

    python -m playground.tabs.learn.computed.curves          measures again (about ten minutes); then draw

The table `curves.csv` has one number a line: run, series, step, value. Series are `train` and `norm` (each update),
`valid`, `accuracy`, `sharpness`, and `load 0` ... (the shares of the experts in the first block). Every run is a variant
of a suite with its first seed, evaluated more often.

Nothing in this file loads PyTorch, unless it measures.
"""

from __future__ import annotations

import csv
import functools
import math
import tempfile
import threading
from pathlib import Path
from statistics import fmean

from engine.config import RunConfig
from engine.runs.events import Diverged, Evaluated, Probed, Routed, Stepped
from playground.tabs.learn import FIGURES

CURVES = FIGURES / "curves.csv"

RUNS: dict[str, tuple[str, str, int]] = {
    "rate 0.0001": ("learning-rate", "0.0001", 20),
    "rate 0.01": ("learning-rate", "0.01", 20),
    "rate 1": ("learning-rate", "1", 20),
    "constant rate": ("recipe", "constant rate", 20),
    "whole recipe": ("recipe", "the whole recipe", 20),
    "diverges": ("divergence", "nothing", 10),
    "page": ("over-fitting", "600 steps", 20),
    "short": ("length", "100 steps", 10),
    "long": ("length", "2400 steps", 100),
    "post-norm": ("post-norm", "post", 20),
    "induction": ("induction", "2 layers", 20),
    "no balancing": ("collapse", "no balancing", 100),
    "balance loss": ("collapse", "balance loss", 100),
    "alignment": ("alignment", "500 steps", 25),
    "alignment 1": ("alignment", "500 steps", 25),
    "alignment 2": ("alignment", "500 steps", 25),
}
"""Each run: its suite and variant, and after how many steps it is evaluated. A number at the end of its name is its seed."""

Series = list[tuple[int, float]]


def config(name: str) -> RunConfig:
    """The configuration of a run: that of its suite, evaluated more often."""
    from engine.ablation.suites import SUITES

    suite, variant, every = RUNS[name]
    changes = SUITES[suite].config(variant).changes() | {"eval_interval": every, "threads": 1}
    if suite == "alignment":
        changes |= {"probe_interval": every, "seed": int(name.partition(" ")[2] or 0)}
    return RunConfig.from_flat(changes)


def measure(name: str, folder: Path) -> dict[str, Series]:
    """Train a run in a temporary store, and read its series."""
    from engine.ablation.workers import train_in_process
    from engine.runs import snapshots
    from engine.runs.store import RunStore

    run = RunStore(folder).create(config(name), name)
    train_in_process(run, threading.Event())
    found: dict[str, Series] = {}

    def add(series: str, step: int, value: float) -> None:
        found.setdefault(series, []).append((step, value))

    last = run.config.train.total_steps
    for event in run.history():
        match event:
            case Stepped():
                add("train", event.step, event.loss)
                add("norm", event.step, event.grad_norm)
            case Evaluated():
                add("valid", event.step, event.loss)
                if event.accuracy is not None:
                    add("accuracy", event.step, event.accuracy)
            case Routed() if event.step % 10 == 1 or event.step == last:
                for expert, share in enumerate(event.load[0]):
                    add(f"load {expert}", event.step, share)
            case Probed() if run.config.model.n_encoder_layer is not None:
                recorded = snapshots.load(run.snapshot_path(event.name))
                add("sharpness", event.step, float(recorded.sharpness()[-1, -1]))
            case Diverged():
                add("diverged", event.step, 1.0)
            case _:
                pass
    return found


PROMPT = "The "
LOOP = (
    'They sat close together until the window. "I cannot sleep," said Max. "Neither can I," said Max. '
    '"It is too quiet here." "Then let us be awake together," said Tom. '
)
"""What greedy decoding of the shipped model of the stories comes to repeat after `PROMPT`, without end."""


def rounds(most: int) -> int:
    """How often greedy decoding comes through `LOOP`, one time after the other, in at most so many times."""
    from engine.generation import sampling
    from engine.generation.sampler import Sampler
    from playground.runs import models, run_lookup

    loaded = models.load(run_lookup.find("stories"))
    ids = loaded.tokenizer.encode(PROMPT)
    tokens: list[int] = []
    for step in sampling.generate(loaded.model, ids, 5_000, Sampler(temperature=0)):
        tokens.append(step.token)
        found = len(tokens) % len(LOOP) == 0 and loaded.tokenizer.decode(tokens).count(LOOP)
        if found and found >= most:
            break
    text = loaded.tokenizer.decode(tokens)
    return most if LOOP * most in text else 0


SIZES = (256, 300, 400, 500, 700, 1000, 1400)
"""Vocabularies of BPE that are compared."""


def pieces() -> Series:
    """(size of the vocabulary, characters per token of the English stories), for tokenizers learned on them."""
    from engine.data import CORPORA
    from engine.tokenizers import BPETokenizer, train_merges

    text = CORPORA["stories"].path.read_text("utf-8")
    merges = list(train_merges([text], max(SIZES)))
    return [
        (size, len(text) / len(BPETokenizer.from_merges(merges[: size - 256]).encode(text)))
        for size in SIZES
    ]


@functools.cache
def stored() -> dict[str, dict[str, Series]]:
    """The measured series: {run: {series: [(step, value), ...]}}."""
    found: dict[str, dict[str, Series]] = {}
    with open(CURVES, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            points = found.setdefault(row["run"], {}).setdefault(row["series"], [])
            points.append((int(row["step"]), float(row["value"])))
    return found


def write(measured: dict[str, dict[str, Series]]) -> None:
    """Write the table."""
    with open(CURVES, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["run", "series", "step", "value"])
        for name, every in measured.items():
            for series, points in every.items():
                kept = points if len(points) <= 130 or name == "diverges" else _thinned(points)
                rows.writerows((name, series, step, f"{value:.4g}") for step, value in kept)
    stored.cache_clear()


def _thinned(points: Series, most: int = 60) -> Series:
    """Means of equally long stretches, each at its last step: a curve of many noisy updates can be read."""
    size = math.ceil(len(points) / most)
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(part[-1][0], fmean(value for _, value in part)) for part in parts]


def main() -> None:
    """Measure everything and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        measured = {name: measure(name, Path(folder)) for name in RUNS}
    write({**measured, "pieces": {"characters": pieces()}})


if __name__ == "__main__":
    main()
