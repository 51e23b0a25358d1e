"""A race: the same batches for all, each contestant as it would train alone, and true singular values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.ablation.races import FIELDS, MATRICES, MODEL, RacePlan
from engine.config import RunConfig
from engine.data import make_data
from engine.data.base import Batch
from engine.estimate import flops_per_step, optimizer_flops
from engine.runs.events import Diverged, Evaluated, Stepped
from engine.training import race as racing
from engine.training.loop import new_state, train
from engine.training.race import Event, Fell, Lap, Measured, Spectra, matrices, race
from engine.validation import ConfigError

STEPS = 4
SMALL: dict[str, Any] = MODEL | {
    "d_model": 16, "max_seq_len": 16, "batch_size": 4, "total_steps": STEPS, "warmup_steps": 1,
    "eval_interval": 2, "eval_steps": 1, "threads": 1,
}  # fmt: skip
RATES = {"adamw": 0.01, "muon": 0.02, "lion": 0.002, "sgd": 0.3}


def configs(*names: str, **changes: Any) -> list[RunConfig]:
    return [
        RunConfig.from_flat(SMALL | {"optimizer": name, "max_lr": RATES[name]} | changes)
        for name in names
    ]


def of(events: list[Event], kind: type[Any], entry: int) -> list[Any]:
    return [event for event in events if isinstance(event, kind) and event.entry == entry]


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_each_contestant_trains_as_it_would_alone(dropout: float) -> None:
    """Bit for bit, also where training draws random numbers."""
    entries = configs(*FIELDS, dropout=dropout)
    events = list(race(entries, moments=range(STEPS + 1)))
    for number, config in enumerate(entries):
        alone = list(train(new_state(config, make_data(config), torch.device("cpu"))))
        losses = [event.loss for event in alone if isinstance(event, Stepped)]
        assert [lap.loss for lap in of(events, Lap, number)] == losses
        found = [(event.step, event.loss) for event in alone if isinstance(event, Evaluated)]
        assert [(event.step, event.loss) for event in of(events, Measured, number)] == found
    finals = {of(events, Measured, number)[-1].loss for number in range(len(entries))}
    assert len(finals) == len(entries), "the optimizers differ"


def test_all_start_from_the_same_weights_and_see_the_same_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches: list[Batch] = []
    weights: list[torch.Tensor] = []
    original = racing.new_state

    def watched(*arguments: Any) -> Any:
        state = original(*arguments)
        weights.append(torch.cat([each.detach().flatten() for each in state.model.parameters()]))
        draw = state.data.batch

        def batch(size: int) -> Batch:
            batches.append(draw(size))
            return batches[-1]

        monkeypatch.setattr(state.data, "batch", batch)
        return state

    monkeypatch.setattr(racing, "new_state", watched)
    list(race(configs("adamw", "muon", "sgd")))
    assert len(batches) == 3 * STEPS
    for first, *others in zip(*[iter(batches)] * 3, strict=True):
        assert all(np.array_equal(first.inputs, other.inputs) for other in others)
    assert not np.array_equal(batches[0].inputs, batches[3].inputs)
    assert all(torch.equal(weights[0], other) for other in weights[1:])


@pytest.mark.parametrize("name", FIELDS)
def test_singular_values_are_those_of_the_matrix_and_of_its_step(name: str) -> None:
    """Recomputed from the weights before and after, in double precision."""
    (config,) = configs(name)
    state = new_state(config, make_data(config), torch.device("cpu"))
    steps = train(state)
    next(steps)
    next(steps)
    before = matrices(state)
    while state.step < 2:
        next(steps)
    after = matrices(state)
    (found,) = of(list(race([config], moments=[2])), Spectra, 0)
    assert set(found.update) == set(found.weight) == set(after)
    group = next(group for group in state.optimizer.param_groups if group["kind"] == "matrix")
    pull = 0.0 if name == "sgd" else group["lr"] * group["weight_decay"]
    for matrix, weight in after.items():
        moved = ((1 - pull) * before[matrix].double() - weight.double()) / group["lr"]
        for values, expected in ((found.weight[matrix], weight), (found.update[matrix], moved)):
            wanted = torch.linalg.svdvals(expected.double())
            assert torch.allclose(
                torch.tensor(values).double(), wanted, rtol=1e-3, atol=2e-4 * wanted[0].item()
            )
            assert values == sorted(values, reverse=True)


def test_every_matrix_of_the_blocks_is_recorded_once() -> None:
    (config,) = configs("adamw", n_layer=2)
    state = new_state(config, make_data(config), torch.device("cpu"))
    found = matrices(state)
    assert list(found) == [f"{block}.{name}" for block in (0, 1) for name in MATRICES]
    attention = state.model.get_parameter("blocks.1.attention.qkv.weight")
    assert torch.equal(torch.cat([found["1.q"], found["1.k"], found["1.v"]]), attention)
    assert torch.equal(
        found["0.down"], state.model.get_parameter("blocks.0.feedforward.output.weight")
    )
    (gated,) = configs("adamw", feedforward="swiglu")
    assert "0.gate" in matrices(new_state(gated, make_data(gated), torch.device("cpu")))


def share(values: list[float]) -> float:
    """How evenly directions share a step: (Σ s²)² / Σ s⁴, divided by their number."""
    squares = torch.tensor(values).double().square()
    return float(squares.sum() ** 2 / squares.square().sum() / len(values))


def test_muon_makes_singular_values_about_equal_and_adamw_does_not() -> None:
    events = list(race(configs("muon", "adamw"), moments=[STEPS]))
    muon, adamw = (of(events, Spectra, number)[0].update for number in (0, 1))
    for matrix, values in muon.items():
        rows, columns = {"up": (64, 16), "down": (16, 64)}.get(matrix[2:], (16, 16))
        ones = torch.tensor(values) / (
            0.2 * max(rows, columns) ** 0.5
        )  # without the scale of the step
        assert ones.max() < 1.3 and ones.median() > 0.6, matrix
        assert share(values) > 1.5 * share(adamw[matrix]), matrix


def test_flops_and_seconds_add_up() -> None:
    entries = configs("adamw", "muon")
    events = list(race(entries))
    for number, config in enumerate(entries):
        laps = of(events, Lap, number)
        vocabulary = make_data(config).tokenizer.vocab_size
        each = flops_per_step(config, vocabulary) + optimizer_flops(config)
        assert [lap.flops for lap in laps] == [each * step for step in range(1, STEPS + 1)]
        seconds = [lap.seconds for lap in laps]
        assert seconds == sorted(seconds) and seconds[0] >= 0
    assert of(events, Lap, 1)[-1].flops > of(events, Lap, 0)[-1].flops, (
        "Newton-Schulz costs products"
    )


def test_one_that_diverges_leaves_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    original = racing.update

    def update(state: Any) -> Any:
        if state.config.train.optimizer == "sgd" and state.step == 1:
            return Diverged(step=1, loss="nan", grad_norm="1")
        return original(state)

    monkeypatch.setattr(racing, "update", update)
    events = list(race(configs("sgd", "adamw"), moments=[STEPS]))
    assert of(events, Fell, 0) == [Fell(0, 1)]
    assert len(of(events, Lap, 0)) == 1 and len(of(events, Lap, 1)) == STEPS
    assert not of(events, Spectra, 0) and of(events, Spectra, 1)


@pytest.mark.parametrize("since", [0, 1])
def test_one_whose_validation_loss_is_not_finite_leaves_too(
    monkeypatch: pytest.MonkeyPatch, since: int
) -> None:
    original = racing.evaluate

    def evaluate(state: Any) -> Any:
        found = original(state)
        is_lost = state.config.train.optimizer == "sgd" and state.step >= since
        return replace(found, loss=math.nan) if is_lost else found

    monkeypatch.setattr(racing, "evaluate", evaluate)
    events = list(race(configs("sgd", "adamw"), moments=[STEPS]))
    first = of(events, Measured, 1)[since].step
    assert of(events, Fell, 0) == [Fell(0, first)]
    assert [event.step for event in of(events, Measured, 0)] == [0][:since]
    assert len(of(events, Lap, 0)) == first and len(of(events, Lap, 1)) == STEPS


def test_weights_that_are_not_finite_have_no_singular_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = racing.update

    def update(state: Any) -> Any:
        event = original(state)
        if state.config.train.optimizer == "sgd":
            for weight in state.model.parameters():
                weight.data.fill_(math.inf)
        return event

    monkeypatch.setattr(racing, "update", update)
    events = list(race(configs("sgd", "adamw"), moments=[1, STEPS]))
    assert not of(events, Spectra, 0) and len(of(events, Spectra, 1)) == 2
    assert len(of(events, Fell, 0)) == 1 and len(of(events, Lap, 1)) == STEPS


def test_contestants_share_model_data_and_seed() -> None:
    for field, value in (("seed", 1), ("d_model", 32), ("batch_size", 8)):
        different = [*configs("adamw"), *configs("muon", **{field: value})]
        with pytest.raises(ConfigError, match=f"{field} = {value}"):
            next(race(different))


def test_a_plan_differs_in_what_contestants_may_differ_in() -> None:
    plan = RacePlan.of([{"optimizer": name} for name in FIELDS], 5)
    first, *others = plan.configs(3)
    assert first.train.seed == 3
    for config in others:
        assert set(config.differences(first)) <= racing.OWN
