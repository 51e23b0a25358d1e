"""What the lesson on optimizers works out by hand is what the optimizers of the engine do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from engine.config import TrainConfig
from engine.training.optim import NEWTON_SCHULZ, SGD, AdamW, Muon, Optimizer, orthogonalized
from playground.tabs.learn.computed import two_by_two
from playground.tabs.learn.computed.two_by_two import GRADIENTS, Matrix

TRAIN = TrainConfig()


def stepped(make: Callable[[Parameter], Optimizer], count: int) -> tuple[Matrix, dict[str, Matrix]]:
    """The last of `count` steps with learning rate 1, and the optimizer's averages after it."""
    weight = Parameter(torch.zeros(2, 2, dtype=torch.float64))
    optimizer = make(weight)
    before = weight.detach().clone()
    for gradient in GRADIENTS[:count]:
        before = weight.detach().clone()
        weight.grad = torch.from_numpy(gradient)
        optimizer.step()
    state = optimizer.state[weight]
    return (before - weight.detach()).numpy(), {
        name: state[name].numpy() for name in optimizer.averages_of(optimizer.param_groups[0])
    }


@pytest.mark.parametrize("count", [1, 2])
def test_momentum(count: int) -> None:
    moved, averages = stepped(lambda w: SGD([w], lr=1.0, momentum=TRAIN.beta1), count)
    assert np.allclose(moved, two_by_two.momentum(count))
    assert np.allclose(averages["momentum_buffer"], two_by_two.momentum(count))


@pytest.mark.parametrize("count", [1, 2])
def test_adamw(count: int) -> None:
    betas = (TRAIN.beta1, TRAIN.beta2)
    moved, averages = stepped(lambda w: AdamW([w], lr=1.0, betas=betas, weight_decay=0.0), count)
    m, v = two_by_two.averages(count)
    assert np.allclose(averages["exp_avg"], m) and np.allclose(averages["exp_avg_sq"], v)
    assert np.allclose(moved, two_by_two.adamw(count), rtol=1e-6)


def test_newton_schulz() -> None:
    assert two_by_two.NEWTON_SCHULZ == NEWTON_SCHULZ
    for count in range(6):
        (found,) = orthogonalized([torch.from_numpy(GRADIENTS[0])], steps=count)
        assert np.allclose(found.numpy(), two_by_two.newton_schulz(GRADIENTS[0], count))


def test_muon_moves_the_matrix_so() -> None:
    """Times its scale for a matrix of two rows and columns."""
    moved, _ = stepped(lambda w: Muon([w], lr=1.0, weight_decay=0.0), 1)
    assert np.allclose(moved, 0.2 * np.sqrt(2) * two_by_two.newton_schulz(GRADIENTS[0], 5))


def test_what_the_lesson_says_in_words() -> None:
    strong, weak = two_by_two.singular_values(GRADIENTS[0])
    assert strong == pytest.approx(7 * weak), "seven times as slowly"
    before, after = GRADIENTS[0], two_by_two.momentum(2)
    agree = np.sign(GRADIENTS[0]) == np.sign(GRADIENTS[1])
    assert (after[agree] > before[agree]).all() and (after[~agree] < before[~agree]).all()
    first, second = two_by_two.adamw(1), two_by_two.adamw(2)
    assert np.allclose(first, np.sign(GRADIENTS[0]))
    assert two_by_two.singular_values(first)[1] == pytest.approx(0, abs=1e-12), (
        "the weak one nothing"
    )
    assert (second[agree] > 0.9).all() and (second[~agree] < 0.5).all()
    u, _, v = np.linalg.svd(GRADIENTS[0])
    assert np.allclose(u @ v, np.eye(2)), "what Muon wants"
    ratio = [
        two_by_two.singular_values(two_by_two.newton_schulz(GRADIENTS[0], n)) for n in range(6)
    ]
    assert ratio[0][0] <= 1 and ratio[5][1] / ratio[5][0] > 0.8


@pytest.mark.parametrize("name", two_by_two.NUMBERS)
def test_every_number_is_written_with_a_true_minus(name: str) -> None:
    written = two_by_two.NUMBERS[name]()
    assert written and "-" not in written and "−0.00" not in written
