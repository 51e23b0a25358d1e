"""The average of the weights over training steps, an exponential moving average (EMA).

Every update moves the weights by about the learning rate, partly in the direction of the batch's noise. Their
average has less of this noise than the last weights (Polyak & Juditsky 1992, "Acceleration of Stochastic
Approximation by Averaging"). With decay β, the average after update t is

    a_t = (1 - β) Σ_i β^(t - i) θ_i / (1 - β^t)        θ_i the weights after update i, i = 1 ... t

where the division makes the factors sum to one, as in Adam (Kingma & Ba 2015, section 3): without it, the
average would begin at zero. It is computed in place, from the average before:

    a_t = a_(t-1) + (1 - β) / (1 - β^t) (θ_t - a_(t-1))

The first update's factor is 1: the initial weights are forgotten.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from engine.model.decoder import Decoder


class WeightAverage:
    """A copy of a model that holds the average of its weights; training never computes with it.

    All parameters are averaged, also the bias by which a router chooses experts.
    """

    def __init__(self, model: Decoder, updates: int = 0) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.updates = updates
        """t, the updates that are in the average; with 0, it is the weights that it was made from."""

    @torch.no_grad()
    def update(self, model: Decoder, decay: float) -> None:
        """Take the weights of `model` after one more update into the average."""
        self.updates += 1
        share = (1 - decay) / (1 - decay**self.updates)
        averages: list[Tensor] = list(self.model.parameters())
        weights: list[Tensor] = list(model.parameters())
        torch._foreach_lerp_(averages, weights, share)
