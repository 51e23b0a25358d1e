"""Routers: which experts compute each token, and how much of each expert's output is used.

    s = softmax(W x)                   a score for every expert
    chosen = the K highest s           the experts that compute x
    g_i = s_i / Σ s of the chosen      their gates; those of the others are 0       Shazeer et al. 2017, eq. 3
    g_i = s_i                          with K = 1, or `renormalise` off             Switch, Fedus et al. 2022, eq. 2

A router returns (B, T, E) tensors over all experts, not lists of indices: `experts` groups the tokens.
B batch, T positions, N = B T tokens, E experts, K chosen experts, C d_model.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig, RouterName
from engine.model.context import Context

JITTER = 0.01
"""Switch multiplies the router's input in training by random numbers in [1 - JITTER, 1 + JITTER]."""


class Router(nn.Module):
    """Softmax over all experts; the K most probable are chosen. Their probabilities, divided by their sum if
    `ModelConfig.renormalised`, are the gates.

    Computes in fp32, also under mixed precision: a rounded score can choose another expert (Switch,
    section 2.4). `bias` is DeepSeek-V3's: it is added when experts are chosen, never to a gate.
    `balance.update_expert_bias` changes it; it has no gradient.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        assert config.n_experts is not None
        self.config, self.layer, self.experts = config, layer, config.n_experts
        self.weight = nn.Parameter(torch.empty(config.n_experts, config.d_model))
        self.bias: nn.Parameter | None = nn.Parameter(
            torch.zeros(config.n_experts), requires_grad=False
        )

    def logits(self, x: Tensor, context: Context) -> Tensor:
        """(B, T, C) fp32 -> (B, T, E)"""
        return F.linear(x, self.weight.float())

    def scores(self, logits: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, E), all positive."""
        return logits.softmax(-1)

    def choose(self, scores: Tensor) -> Tensor:
        """(B, T, E) -> (B, T, E), true at the K highest."""
        ranked = self.limit_devices(scores if self.bias is None else scores + self.bias)
        best = ranked.topk(self.config.top_k, dim=-1).indices  # (B, T, K)
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)

    def limit_devices(self, ranked: Tensor) -> Tensor:
        """Exclude all but the `max_device` groups with the best experts (DeepSeek-V2, 2.2.2)."""
        if self.config.max_device is None:
            return ranked
        groups = ranked.unflatten(-1, (self.config.n_device, -1))  # (B, T, D, E/D)
        best = groups.amax(-1).topk(self.config.max_device, dim=-1).indices  # (B, T, M)
        excluded = torch.ones(groups.shape[:-1], dtype=torch.bool, device=ranked.device)
        excluded.scatter_(-1, best, False)
        return groups.masked_fill(excluded.unsqueeze(-1), -math.inf).flatten(-2)

    def gates(self, scores: Tensor, chosen: Tensor) -> Tensor:
        """(B, T, E), (B, T, E) -> (B, T, E), zero where not chosen."""
        gates = scores * chosen
        if self.config.renormalised:
            gates = gates / gates.sum(-1, keepdim=True).clamp(min=1e-20)
        return gates


class SwitchRouter(Router):
    """One expert for each token, gated by its probability. The input is jittered in training (Switch)."""

    def logits(self, x: Tensor, context: Context) -> Tensor:
        if self.training:
            x = x * torch.empty_like(x).uniform_(1 - JITTER, 1 + JITTER)
        return super().logits(x, context)


class SigmoidRouter(Router):
    """Scores are independent: one does not fall because another rises (DeepSeek-V3)."""

    def scores(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class NoisyRouter(Router):
    """Noise of a learned size on every logit in training, so that other experts are tried.

    H_i = (W x)_i + normal · softplus((W_noise x)_i)                     Shazeer et al. 2017, eq. 4
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.noise = nn.Parameter(torch.empty_like(self.weight))

    def logits(self, x: Tensor, context: Context) -> Tensor:
        logits = super().logits(x, context)
        if self.training:
            size = F.softplus(F.linear(x, self.noise.float()))
            logits = logits + torch.randn_like(logits) * size
        return logits


class ExpertChoiceRouter(Router):
    """Each expert chooses the tokens with its highest scores, up to its capacity (Zhou et al. 2022).

    The load is perfectly even. But the experts of a token depend on all tokens of the batch, including
    later ones, so in training the model sees part of what it learns to predict.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.bias = None

    def choose(self, scores: Tensor) -> Tensor:
        flat = scores.flatten(0, -2)  # (N, E)
        tokens = len(flat)
        count = min(tokens, capacity(tokens, self.config, self.config.capacity_factor or 1.0))
        best = flat.topk(count, dim=0).indices
        return torch.zeros_like(flat, dtype=torch.bool).scatter_(0, best, True).view_as(scores)


class HashRouter(Router):
    """Experts are chosen by a fixed hash of the token id: a baseline (Roller et al. 2021)."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.bias = None
        del self.weight

    def logits(self, x: Tensor, context: Context) -> Tensor:
        """Zero for the chosen experts, minus infinity for all others."""
        assert context.tokens is not None
        mixed = (context.tokens + 1) * 2_654_435_761 + self.layer * 40_503  # Knuth's multiplier
        first = (mixed >> 8) % self.experts  # (B, T)
        others = torch.arange(self.config.top_k, device=first.device)
        chosen = (first.unsqueeze(-1) + others) % self.experts  # (B, T, K)
        logits = torch.full((*first.shape, self.experts), -math.inf, device=x.device)
        return logits.scatter_(-1, chosen, 0.0)

    def choose(self, scores: Tensor) -> Tensor:
        return scores > 0


ROUTERS: dict[RouterName, Callable[[ModelConfig, int], Router]] = {
    "topk": Router,
    "switch": SwitchRouter,
    "sigmoid": SigmoidRouter,
    "expert_choice": ExpertChoiceRouter,
    "hash": HashRouter,
    "noisy_topk": NoisyRouter,
}


def capacity(tokens: int, config: ModelConfig, factor: float) -> int:
    """The tokens that one expert takes: `factor` times its fair share of the choices (Switch, eq. 3)."""
    assert config.n_experts is not None
    return max(1, math.ceil(factor * tokens * config.top_k / config.n_experts))
