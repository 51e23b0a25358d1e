"""Means, standard deviations and paired intervals, against values computed by hand and printed tables."""

from __future__ import annotations

import math

import pytest

from engine.ablation.significance import Difference, Spread, t_probability, t_quantile

TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228, 30: 2.042, 120: 1.980}  # fmt: skip
"""Student's t, 95% between -t and t, from printed tables."""


@pytest.mark.parametrize(("freedom", "t"), TABLE.items())
def test_quantiles_are_those_of_the_tables(freedom: int, t: float) -> None:
    assert t_quantile(freedom) == pytest.approx(t, abs=5e-4)
    assert t_probability(t_quantile(freedom), freedom) == pytest.approx(0.95)


def test_other_confidences() -> None:
    assert t_quantile(1, 0.5) == pytest.approx(1.0)  # Cauchy: tan(pi / 4)
    assert t_quantile(2, 0.99) == pytest.approx(9.925, abs=5e-4)
    assert t_probability(0.0, 7) == 0.0
    for freedom, confidence in ((0, 0.95), (3, 1.0), (3, 0.0)):
        with pytest.raises(ValueError, match="no quantile"):
            t_quantile(freedom, confidence)


def test_a_spread() -> None:
    assert Spread.of([1.0, None, 3.0]) == Spread(2.0, pytest.approx(math.sqrt(2)), 2)
    assert Spread.of([1.5]) == Spread(1.5, None, 1)
    assert Spread.of([None]) is None


def test_differences_are_paired_by_seed() -> None:
    """Differences 0.1, 0.2, 0.3: mean 0.2, s 0.1, so 0.2 ± 4.303 x 0.1 / sqrt(3) = 0.2 ± 0.2484."""
    found = Difference.paired({0: 1.1, 1: 2.2, 2: 3.3, 5: 9.0}, {0: 1.0, 1: 2.0, 2: 3.0, 7: 0.0})
    assert found is not None and found.count == 3
    assert found.mean == pytest.approx(0.2)
    assert (found.low, found.high) == (
        pytest.approx(-0.0484, abs=1e-4),
        pytest.approx(0.4484, abs=1e-4),
    )
    assert found.within_noise is True
    # Unpaired, the spread of losses from 1 to 3 would hide the difference that all pairs share.
    surer = Difference.paired({0: 1.19, 1: 2.2, 2: 3.21}, {0: 1.0, 1: 2.0, 2: 3.0})
    assert surer is not None and surer.within_noise is False


def test_one_pair_says_nothing_and_none_is_none() -> None:
    one = Difference.paired({3: 1.5}, {3: 1.0})
    assert one == Difference(0.5, None, None, 1) and one.within_noise is None
    assert Difference.paired({3: 1.5}, {4: 1.0}) is None


def test_equal_runs_are_within_noise_and_equal_differences_are_not() -> None:
    same = Difference.paired({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0})
    assert same is not None and same.within_noise is True
    shifted = Difference.paired({0: 1.5, 1: 2.5}, {0: 1.0, 1: 2.0})
    assert shifted is not None and shifted.within_noise is False
