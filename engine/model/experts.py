"""Mixture of experts: several feed-forwards in a block, of which each token uses a few.

    y = Σ_i g_i(x) E_i(x)  over the K experts that the router chooses for x     Shazeer et al. 2017, eq. 1

The router gives a gate for every token and expert (`routers`). Tokens are grouped by expert, each expert
computes its group at once, and the results are added up: no Python loop over tokens, and no work for an
expert without tokens.

B batch, T positions, N = B T tokens, E experts, K chosen experts, A assignments (about N K), C d_model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import GATED, ModelConfig
from engine.model.context import Context
from engine.model.feedforward import ACTIVATIONS, feedforward
from engine.model.routers import ROUTERS, capacity
from engine.model.routing import Routing


class MixtureOfExperts(nn.Module):
    """Router and experts in place of a feed-forward. (B, T, C) -> (B, T, C)

    `name` begins the names of its hook points.
    """

    def __init__(self, config: ModelConfig, layer: int, name: str) -> None:
        super().__init__()
        self.config, self.layer, self.name = config, layer, name
        self.router = ROUTERS[config.router](config, layer)
        self.experts = Experts(config)
        self.shared = None
        if config.n_shared_experts:  # together they are one feed-forward of their total width
            wide = config.model_copy(update={"d_ff": config.n_shared_experts * config.expert_width})
            self.shared = feedforward(wide, layer, f"{name}.shared")

    def forward(self, x: Tensor, context: Context) -> Tensor:
        if context.present is not None:
            return self.without_padding(x, context, context.present)
        gates = self.route(x, context)
        y = self.dispatch(x.flatten(0, 1), gates.flatten(0, 1)).view_as(x)
        if self.shared is not None:
            y = y + self.shared(x, context)
        return context.record(f"{self.name}.output", y)

    def dispatch(self, x: Tensor, gates: Tensor) -> Tensor:
        """Send each token to its experts and add up their outputs. (N, C), (N, E) -> (N, C)"""
        taken = gates != 0
        expert, token = taken.T.nonzero(as_tuple=True)  # (A,) each, sorted by expert
        ends = taken.sum(0).cumsum(0).to(torch.int32)  # (E,)
        outputs = self.experts(x.index_select(0, token), ends)  # (A, C)
        weighted = outputs * gates[token, expert].unsqueeze(-1)
        return torch.zeros_like(x).index_add(0, token, weighted.to(x.dtype))

    def route(self, x: Tensor, context: Context) -> Tensor:
        """(B, T, C) -> gates (B, T, E). Adds a record to `context.routing`."""

        def record(name: str, value: Tensor) -> Tensor:
            return context.record(f"{self.name}.router.{name}", value)

        router = self.router
        with torch.autocast(x.device.type, enabled=False):
            logits = record("logits", router.logits(x.float(), context))  # (B, T, E)
            scores = router.scores(logits)
            chosen = record("chosen", router.choose(scores))
            gates, dropped = self.apply_capacity(router.gates(scores, chosen), chosen)
            gates = record("gates", gates)
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

    def apply_capacity(self, gates: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Drop the choices beyond an expert's capacity; earlier tokens come first.

        (B, T, E) each -> the gates with zeros for dropped choices, and the number of dropped choices.
        """
        factor = self.config.capacity_factor
        if factor is None or self.config.router == "expert_choice":  # which never chooses more
            return gates, torch.zeros((), dtype=torch.long, device=gates.device)
        flat = chosen.flatten(0, -2)  # (N, E)
        limit = capacity(len(flat), self.config, factor)
        late = (flat & (flat.cumsum(0) > limit)).view_as(chosen)
        return gates.masked_fill(late, 0.0), late.sum()

    def without_padding(self, x: Tensor, context: Context, present: Tensor) -> Tensor:
        """Compute the tokens alone, as one sequence (1, N, C): padding uses no expert and no capacity."""
        tokens = None if context.tokens is None else context.tokens[present].unsqueeze(0)
        rows = present.nonzero()[:, 0]  # (N,)
        # The copy shares the list of routing records.
        inside = replace(context, tokens=tokens, present=None, rows=rows)
        return torch.zeros_like(x).masked_scatter(
            present.unsqueeze(-1), self(x[present].unsqueeze(0), inside)
        )


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
        """(A, C) sorted by expert, and the end of each expert's rows, (E,) -> (A, C)"""
        up = self.up(x, ends)
        if self.gate is None:
            return self.output(self.activation(up), ends)
        return self.output(self.activation(self.gate(x, ends)) * up, ends)


class ExpertLinear(nn.Module):
    """A matrix for each expert. (A, in) sorted by expert -> (A, out); expert e's rows end at ends[e]."""

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
    """Multiply each row of x (A, in) by the matrix of its expert, of weights (E, out, in).

    `ends` is (E,) int32, the end of each expert's rows. torch.compile leaves this product eager, since
    it compiles the library's grouped product for bf16 only (PyTorch 2.13). `torch.compiler.disable` is
    called only when compiling: as a decorator it would import the compiler, which takes two seconds.
    """
    if torch.compiler.is_compiling():
        disable: Any = torch.compiler.disable
        return disable(eager_product)(x, weights, ends)
    return eager_product(x, weights, ends)


def eager_product(x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """`grouped_product` by the library, for the devices, precisions and sizes that it supports."""
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weights = x.to(dtype), weights.to(dtype)
    aligned = all(size * x.element_size() % 16 == 0 for size in weights.shape[1:])
    available = hasattr(F, "grouped_mm") and x.device.type in ("cpu", "cuda")  # since PyTorch 2.10
    if not aligned or not available or x.dtype == torch.float64:
        return reference_product(x, weights, ends)
    return F.grouped_mm(x, weights.transpose(-2, -1), offs=ends)


def reference_product(x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
    """`grouped_product` expert by expert: its reference in tests."""
    groups = x.split(counts(ends).tolist())
    return torch.cat([F.linear(rows, weight) for rows, weight in zip(groups, weights, strict=True)])
