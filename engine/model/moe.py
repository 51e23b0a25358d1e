"""Mixture of experts: many feed-forwards in a block, of which each token uses a few.

    y = Σ_i g_i(x) E_i(x)  over the K experts that the router chooses for x     Shazeer et al. 2017, eq. 1
    s = softmax(W x)       what the router thinks of every expert

A router answers with a matrix over all experts, true where one is chosen; the experts then take their
tokens in groups, so that no work is done for an expert without tokens and none per token in Python.
B batch, T positions, N = B T tokens, E experts, K chosen experts, A assignments (about N K), C d_model.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import GATED, ModelConfig, RouterName
from engine.model.context import Context
from engine.model.feedforward import ACTIVATIONS, feedforward
from engine.model.routing import Routing

JITTER = 0.01
"""Switch multiplies the router's input by a random number this near to one while training."""

# Routers: which experts, and how much of each ----------------------------------------------------


class Router(nn.Module):
    """Softmax over all experts, the K most probable are chosen, their probabilities are the gates.

    Always in fp32, also under mixed precision: a rounded score sends a token elsewhere (Switch,
    section 2.4). `bias` is DeepSeek-V3's: added when experts are chosen, never to a gate, and moved
    by `routing.nudge`, never by a gradient.
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
        ranked = self.within_devices(scores if self.bias is None else scores + self.bias)
        best = ranked.topk(self.config.top_k, dim=-1).indices  # (B, T, K)
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, best, True)

    def within_devices(self, ranked: Tensor) -> Tensor:
        """Leave only the groups with the best expert, `max_device` of them (DeepSeek-V2, 2.2.2)."""
        if self.config.max_device is None:
            return ranked
        groups = ranked.unflatten(-1, (self.config.n_device, -1))  # (B, T, D, E/D)
        best = groups.amax(-1).topk(self.config.max_device, dim=-1).indices  # (B, T, M)
        out = torch.ones(groups.shape[:-1], dtype=torch.bool, device=ranked.device)
        out.scatter_(-1, best, False)
        return groups.masked_fill(out.unsqueeze(-1), -math.inf).flatten(-2)

    def gates(self, scores: Tensor, chosen: Tensor) -> Tensor:
        """(B, T, E), (B, T, E) -> (B, T, E), zero where not chosen."""
        gates = scores * chosen
        if self.config.renormalised:
            gates = gates / gates.sum(-1, keepdim=True).clamp(min=1e-20)
        return gates


class SwitchRouter(Router):
    """One expert for each token, its probability the gate; the input jitters in training (Switch)."""

    def logits(self, x: Tensor, context: Context) -> Tensor:
        if self.training:
            x = x * torch.empty_like(x).uniform_(1 - JITTER, 1 + JITTER)
        return super().logits(x, context)


class SigmoidRouter(Router):
    """Every expert is scored by itself: a score does not fall because another rises (DeepSeek-V3)."""

    def scores(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


class NoisyRouter(Router):
    """Noise of a learned size on every logit in training, so that others are tried.

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
    """Each expert takes the tokens that suit it best, as many as its fair share (Zhou et al. 2022).

    Perfectly even, but a token's experts depend on all others in the batch, those after it among
    them: what such a model learns to predict, it has partly seen.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__(config, layer)
        self.bias = None

    def choose(self, scores: Tensor) -> Tensor:
        flat = scores.flatten(0, -2)  # (N, E)
        room = min(len(flat), room_for(len(flat), self.config, self.config.capacity_factor or 1.0))
        best = flat.topk(room, dim=0).indices
        return torch.zeros_like(flat, dtype=torch.bool).scatter_(0, best, True).view_as(scores)


class HashRouter(Router):
    """A fixed hash of the token's id decides, whatever it means: a baseline (Roller et al. 2021)."""

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


def room_for(tokens: int, config: ModelConfig, factor: float) -> int:
    """The capacity of one expert: `factor` times its fair share of the choices (Switch, eq. 3)."""
    assert config.n_experts is not None
    return max(1, math.ceil(factor * tokens * config.top_k / config.n_experts))


# Experts -----------------------------------------------------------------------------------------


class ExpertLinear(nn.Module):
    """A matrix for each expert. (A, in), sorted by expert, -> (A, out); expert e's rows end at ends[e]."""

    def __init__(self, experts: int, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(experts, outputs)) if bias else None

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        y = grouped_product(x, self.weight, ends)
        if self.bias is not None:
            y = y + self.bias.repeat_interleave(counts(ends), dim=0)
        return y


def counts(ends: Tensor) -> Tensor:
    """(E,) ends -> (E,) rows of each expert."""
    return ends.diff(prepend=ends.new_zeros(1))


def grouped_product(x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """Rows of x (A, in) times the matrix of their expert, (E, out, in), by the library if it can.

    `ends` is (E,) int32: where each expert's rows end. Left as it is by torch.compile, whose rule for
    the library's product takes bf16 alone (PyTorch 2.13). To say so beforehand, as a decorator, would
    load the compiler in every process: two seconds that nobody needs who does not compile.
    """
    if torch.compiler.is_compiling():
        disable: Any = torch.compiler.disable
        return disable(eager_product)(x, weights, ends)
    return eager_product(x, weights, ends)


def eager_product(x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """What `grouped_product` computes, compiled or not."""
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weights = x.to(dtype), weights.to(dtype)
    aligned = all(size * x.element_size() % 16 == 0 for size in weights.shape[1:])
    there = hasattr(F, "grouped_mm") and x.device.type in ("cpu", "cuda")  # torch has it since 2.10
    if not aligned or not there:
        return reference_product(x, weights, ends)
    return F.grouped_mm(x, weights.transpose(-2, -1), offs=ends)


def reference_product(x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """The same, expert by expert: what `grouped_product` is tested against."""
    groups = x.split(counts(ends).tolist())
    return torch.cat([F.linear(rows, weight) for rows, weight in zip(groups, weights, strict=True)])


class Experts(nn.Module):
    """E feed-forwards of the same kind, each with its own weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.n_experts is not None
        sizes = config.n_experts, config.d_model, config.expert_width, config.bias
        experts, width, hidden, bias = sizes
        self.activation = ACTIVATIONS[config.feedforward]
        self.up = ExpertLinear(experts, width, hidden, bias)
        gated = config.feedforward in GATED
        self.gate = ExpertLinear(experts, width, hidden, bias) if gated else None
        self.output = ExpertLinear(experts, hidden, width, bias)

    def forward(self, x: Tensor, ends: Tensor) -> Tensor:
        """(A, C), sorted by expert, and where each one's rows end, (E,) -> (A, C)"""
        up = self.up(x, ends)
        if self.gate is None:
            return self.output(self.activation(up), ends)
        return self.output(self.activation(self.gate(x, ends)) * up, ends)


class MixtureOfExperts(nn.Module):
    """Router and experts in place of a feed-forward. (B, T, C) -> (B, T, C)"""

    def __init__(self, config: ModelConfig, layer: int, place: str) -> None:
        super().__init__()
        self.config, self.layer, self.place = config, layer, place
        self.router = ROUTERS[config.router](config, layer)
        self.experts = Experts(config)
        self.shared = None
        if config.n_shared_experts:  # side by side, they are one feed-forward, as wide as all
            wide = config.model_copy(update={"d_ff": config.n_shared_experts * config.expert_width})
            self.shared = feedforward(wide, layer, f"{place}.shared")

    def forward(self, x: Tensor, context: Context) -> Tensor:
        if context.present is not None:
            return self.without_padding(x, context, context.present)
        gates = self.route(x, context)
        y = self.dispatch(x.flatten(0, 1), gates.flatten(0, 1)).view_as(x)
        if self.shared is not None:
            y = y + self.shared(x, context)
        return context.see(f"{self.place}.output", y)

    def without_padding(self, x: Tensor, context: Context, present: Tensor) -> Tensor:
        """The tokens alone, as one long sequence (1, N, C): padding takes no expert's time or room."""
        tokens = None if context.tokens is None else context.tokens[present].unsqueeze(0)
        rows = present.nonzero()[:, 0]  # (N,)
        # The list of records stays the same one.
        inside = replace(context, tokens=tokens, present=None, rows=rows)
        return torch.zeros_like(x).masked_scatter(
            present.unsqueeze(-1), self(x[present].unsqueeze(0), inside)
        )

    def route(self, x: Tensor, context: Context) -> Tensor:
        """(B, T, C) -> gates (B, T, E); what was decided is added to `context.routing`."""

        def see(name: str, value: Tensor) -> Tensor:
            return context.see(f"{self.place}.router.{name}", value)

        router = self.router
        with torch.autocast(x.device.type, enabled=False):
            logits = see("logits", router.logits(x.float(), context))  # (B, T, E)
            scores = router.scores(logits)
            chosen = see("chosen", router.choose(scores))
            gates, dropped = self.fitting(router.gates(scores, chosen), chosen)
            gates = see("gates", gates)
            context.routing.append(
                Routing(
                    layer=self.layer,
                    logits=logits,
                    probabilities=scores / scores.sum(-1, keepdim=True),
                    chosen=chosen,
                    gates=gates,
                    dropped=dropped,
                    n_device=self.config.n_device,
                    rows=context.rows,
                )
            )
        return gates

    def fitting(self, gates: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, E) each -> gates that are zero where an expert has no room, and how many those are.

        The tokens that come first are taken.
        """
        factor = self.config.capacity_factor
        if factor is None or self.config.router == "expert_choice":
            return gates, torch.zeros((), dtype=torch.long, device=gates.device)
        flat = chosen.flatten(0, -2)  # (N, E)
        room = room_for(len(flat), self.config, factor)
        late = (flat & (flat.cumsum(0) > room)).view_as(chosen)
        return gates.masked_fill(late, 0.0), late.sum()

    def dispatch(self, x: Tensor, gates: Tensor) -> Tensor:
        """Each token to its experts and back. (N, C), (N, E) -> (N, C)"""
        taken = gates != 0
        expert, token = taken.T.nonzero(as_tuple=True)  # (A,) each, sorted by expert
        ends = taken.sum(0).cumsum(0).to(torch.int32)  # (E,)
        answers = self.experts(x.index_select(0, token), ends)  # (A, C)
        weighted = answers * gates[token, expert].unsqueeze(-1)
        return torch.zeros_like(x).index_add(0, token, weighted.to(x.dtype))

    def dispatch_by_loop(self, x: Tensor, gates: Tensor) -> Tensor:
        """The same sum, one token and one expert at a time: the definition, to test against."""
        y = torch.zeros_like(x)
        for token, expert in gates.nonzero().tolist():
            ends = torch.zeros(gates.shape[-1], dtype=torch.int32, device=x.device)
            ends[expert:] = 1
            y[token] += gates[token, expert] * self.experts(x[token : token + 1], ends)[0]
        return y
