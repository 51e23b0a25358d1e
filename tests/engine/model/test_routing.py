"""What is measured of a router, and what balances it: on cases worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from engine.config import BiasRuleName
from engine.model.balance import BALANCERS, BIAS_RULES, balance_loss, update_expert_bias
from engine.model.routing import Routing, coactivation, max_violation
from engine.runs.events import BALANCE


def record(probabilities: list[list[float]], k: int = 1, n_device: int = 1) -> Routing:
    """One sequence of tokens that take their k most probable experts."""
    p = torch.tensor([probabilities])  # (1, T, E)
    chosen = torch.zeros_like(p, dtype=torch.bool)
    chosen.scatter_(-1, p.topk(k, dim=-1).indices, True)
    return Routing(
        layer=0,
        logits=p.log(),
        probabilities=p,
        chosen=chosen,
        gates=p * chosen,
        dropped=torch.tensor(0),
        n_device=n_device,
    )


LEANING = record(
    [[0.7, 0.2, 0.1, 0.0], [0.6, 0.3, 0.1, 0.0], [0.1, 0.5, 0.2, 0.2], [0.4, 0.3, 0.2, 0.1]]
)
"""First choices 0, 0, 1, 0; the mean probabilities are 0.45, 0.325, 0.15, 0.075."""
EVEN = record(
    [[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.1, 0.1, 0.7]]
)


def test_load_probability_and_entropy() -> None:
    torch.testing.assert_close(LEANING.load, torch.tensor([0.75, 0.25, 0.0, 0.0]))
    torch.testing.assert_close(LEANING.probability, torch.tensor([0.45, 0.325, 0.15, 0.075]))
    two = record([[0.7, 0.2, 0.1, 0.0], [0.6, 0.1, 0.3, 0.0]], k=2)
    torch.testing.assert_close(two.load, torch.tensor([0.5, 0.25, 0.25, 0.0]))
    sure_and_even = record([[1.0, 0.0], [0.5, 0.5]])
    assert sure_and_even.entropy.item() == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize(
    ("name", "routing", "expected"),
    [
        # Switch, eq. 4: 4 (0.75 x 0.45 + 0.25 x 0.325)
        ("switch", LEANING, 1.675),
        ("expert", LEANING, 1.675),
        # K = 2: first choices 0, 0 but all choices 0, 1, 0, 2
        ("switch", record([[0.7, 0.2, 0.1, 0.0], [0.6, 0.1, 0.3, 0.0]], k=2), 4 * 0.65),
        (
            "expert",
            record([[0.7, 0.2, 0.1, 0.0], [0.6, 0.1, 0.3, 0.0]], k=2),
            4 * (0.5 * 0.65 + 0.25 * 0.15 + 0.25 * 0.2),
        ),
        # Groups (0, 1) and (2, 3): all work in the first, whose P is 0.775
        ("device", replace(LEANING, n_device=2), 2 * 0.775),
        ("device", LEANING, 1.0),
        # Tokens sent: the first to both groups, the second to the first group alone
        (
            "communication",
            record([[0.5, 0.0, 0.4, 0.1], [0.5, 0.4, 0.1, 0.0]], k=2, n_device=2),
            2 * (2 / 3 * 0.7 + 1 / 3 * 0.3),
        ),
        ("z", record([[1.0, 1.0], [math.e / 2, math.e / 2]]), (math.log(2) ** 2 + 1) / 2),
        *((name, EVEN, 1.0) for name in ("switch", "expert", "device", "communication", "sequence")),
    ],
)  # fmt: skip
def test_balance_losses_by_hand(name: str, routing: Routing, expected: float) -> None:
    assert BALANCERS[name](routing).item() == pytest.approx(expected, rel=1e-5)


def test_the_sequence_loss_balances_within_sequences() -> None:
    """Two sequences that each use one expert are even together, and not by themselves."""
    p = torch.tensor([[[0.9, 0.1]] * 3, [[0.1, 0.9]] * 3])  # (2, 3, 2)
    apart = Routing(0, p.log(), p, p > 0.5, p * (p > 0.5), torch.tensor(0))
    assert BALANCERS["expert"](apart).item() == pytest.approx(1.0)
    assert BALANCERS["sequence"](apart).item() == pytest.approx(2 * 0.9)


def test_the_sum_is_made_once_over_losses_and_layers() -> None:
    weights = {"switch": 0.5, "z": 2.0, "expert": 0.0}
    one, two = LEANING, replace(EVEN, layer=1)
    expected = sum(0.5 * BALANCERS["switch"](r) + 2.0 * BALANCERS["z"](r) for r in (one, two))
    torch.testing.assert_close(balance_loss([one, two], weights), expected)
    assert balance_loss([], weights).item() == 0
    assert balance_loss([one], {}).item() == 0


def test_every_loss_has_its_weight_in_the_configuration() -> None:
    assert {f"{name}_loss" for name in BALANCERS} | {"bias_rate"} == set(BALANCE)


@pytest.mark.parametrize(
    ("load", "violation"),
    [
        ([0.25, 0.25, 0.25, 0.25], 0.0),
        ([1.0, 0.0, 0.0, 0.0], 3.0),
        ([0.5, 0.5, 0.0, 0.0], 1.0),
        ([6.0, 1.0, 1.0, 0.0], 2.0),
        ([0.0, 0.0], 0.0),
    ],
)
def test_max_violation(load: list[float], violation: float) -> None:
    assert max_violation(torch.tensor(load)) == pytest.approx(violation)


def test_coactivation() -> None:
    chosen = torch.tensor(
        [[True, True, False, False], [True, False, True, False], [True, True, False, False]]
    )
    expected = torch.tensor(
        [[1, 2 / 3, 1 / 3, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.float64
    )
    torch.testing.assert_close(coactivation(chosen), expected)
    torch.testing.assert_close(coactivation(chosen.view(1, 3, 4)), expected)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("sign", [-0.1, 0.0, 0.1, 0.1]), ("violation", [-0.18, 0.0, 0.08, 0.1])],
)
def test_the_bias_favours_those_with_too_few_tokens(rule: Any, expected: list[float]) -> None:
    bias = torch.tensor([0.5, 0.0, 0.0, 0.0])
    update_expert_bias(bias, torch.tensor([0.7, 0.25, 0.05, 0.0]), 0.1, rule)
    torch.testing.assert_close(bias, torch.tensor([0.5, 0.0, 0.0, 0.0]) + torch.tensor(expected))


def test_rules_of_the_bias_and_the_configuration_name_the_same() -> None:
    assert set(BIAS_RULES) == set(get_args(BiasRuleName))
