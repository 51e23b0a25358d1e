"""How tokens were routed: the record of one expert layer, what it measures, and what balances it.

Left alone, a router collapses: an expert that is chosen more often learns faster and is chosen more
often still. Every loss here is smallest when all experts have equal work. Its gradient goes through
P, the router's probabilities; f, what was chosen, is a count and has none.

    switch         E Σ f_i P_i          f: share of first choices        Fedus et al. 2022, eq. 4-6
    expert         E Σ f_i P_i          f: share of all K choices        DeepSeek-V2, eq. 23-25
    device         D Σ f'_g P'_g        over groups of experts           DeepSeek-V2, eq. 26-28
    communication  D Σ f''_g P'_g       f'': tokens sent to a group      DeepSeek-V2, eq. 29-31
    sequence       as expert, within each sequence                       DeepSeek-V3, eq. 17-20
    z              mean of (log Σ exp logits)²                           ST-MoE, Zoph et al. 2022, eq. 5

All but `z` are one where the work is even. DeepSeek-V3's balancing without a loss is `nudge`.
B batch, T positions, E experts, K chosen experts, D groups ("devices") of E / D experts.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.config import BiasRuleName


@dataclass(frozen=True, eq=False)
class Routing:
    """What the router of one layer decided, for every token of a batch.

    Where a batch has padding, its tokens alone are one long sequence: B is 1 and T is N. `rows` tells
    which sequence each of them is from.
    """

    layer: int
    """The block, counted from 0."""
    logits: Tensor
    """(B, T, E) the router's scores, fp32."""
    probabilities: Tensor
    """(B, T, E) over all experts, also those not chosen; they sum to one."""
    chosen: Tensor
    """(B, T, E) true where the router wanted this expert for this token."""
    gates: Tensor
    """(B, T, E) how much of each expert's answer is taken; zero where not chosen, or dropped."""
    dropped: Tensor
    """Scalar: choices for which the expert had no room."""
    n_device: int = 1
    rows: Tensor | None = None
    """(N,) the row of the batch that each token is from, in order; None: the batch has no padding."""
    whole: Mapping[str, Tensor] | None = None
    """Where other processes have other rows of the batch: the `COUNTS` of all of it."""
    share: float | Tensor = 1.0
    """How much of the whole batch these tokens are."""

    def count(self, name: str) -> Tensor:
        """One of `COUNTS`, of the whole batch."""
        return COUNTS[name](self) if self.whole is None else self.whole[name]

    @property
    def load(self) -> Tensor:
        """(E,) f: each expert's share of all choices, before anything is dropped; sums to one."""
        counts = self.count("choices")
        return counts / counts.sum().clamp(min=1)

    @property
    def probability(self) -> Tensor:
        """(E,) P: the mean probability of each expert; sums to one."""
        return self.probabilities.flatten(0, -2).mean(0)

    @property
    def entropy(self) -> Tensor:
        """Scalar, in nats: how undecided the router is about a token, on average; at most ln E."""
        return torch.special.entr(self.probabilities).sum(-1).mean()

    def losses(self) -> dict[str, Tensor]:
        """Every balance loss of this layer, before its weight."""
        return {name: loss(self) for name, loss in BALANCERS.items()}


# What is counted ---------------------------------------------------------------------------------


def choices(routing: Routing) -> Tensor:
    """(E,) how many tokens chose each expert."""
    return routing.chosen.flatten(0, -2).sum(0)


def first_choices(routing: Routing) -> Tensor:
    """(E,) of how many tokens each is the most probable expert."""
    first = routing.probabilities.argmax(-1).flatten()  # (N,)
    return torch.bincount(first, minlength=routing.probabilities.shape[-1])


def sent(routing: Routing) -> Tensor:
    """(D,) copies of tokens that go to each group."""
    return routing.chosen.flatten(0, -2).unflatten(-1, (routing.n_device, -1)).any(-1).sum(0)


def dropped(routing: Routing) -> Tensor:
    """Scalar: choices for which the expert had no room."""
    return routing.dropped


COUNTS: dict[str, Callable[[Routing], Tensor]] = {
    "choices": choices,
    "first": first_choices,
    "sent": sent,
    "dropped": dropped,
}
"""Everything that is counted of a batch: where several processes have parts of it, counts are added."""


def of_whole_batch(
    parts: Sequence[Routing], add: Callable[[Tensor], Tensor], present: bool
) -> list[Routing]:
    """The records of this process's tokens, each with the counts and its share of the whole batch.

    f is then that of the whole batch, and since every loss is linear in P, or a mean over tokens, the
    shares' sum of all processes' losses is the loss of the whole batch, and so is its gradient.

    Args:
        parts: one record for each layer, as many in every process.
        add: sums a tensor over all processes.
        present: False where these tokens stand in for none, and count for nothing.
    """
    own = [{name: count(part) for name, count in COUNTS.items()} for part in parts]
    flat = torch.cat([count.flatten() for counts in own for count in counts.values()])
    total = iter(add(flat * present).split([n.numel() for counts in own for n in counts.values()]))
    records: list[Routing] = []
    for part, counts in zip(parts, own, strict=True):
        whole = {name: next(total).view_as(count) for name, count in counts.items()}
        share = present * counts["first"].sum() / whole["first"].sum()
        records.append(replace(part, whole=whole, share=share))
    return records


# What balances -----------------------------------------------------------------------------------


def switch_loss(routing: Routing) -> Tensor:
    """E Σ f P with f the share of tokens whose most probable expert this is."""
    first = routing.count("first")
    return len(first) * (first / first.sum()) @ routing.probability


def expert_loss(routing: Routing) -> Tensor:
    """E Σ f P with f the share of all choices."""
    return routing.chosen.shape[-1] * routing.load @ routing.probability


def device_loss(routing: Routing) -> Tensor:
    """D Σ f' P' over groups: the mean f of a group's experts, and the sum of their P."""
    groups = routing.n_device
    f = routing.load.unflatten(0, (groups, -1)).sum(-1)  # E/D experts: E mean(f) = D sum(f)
    return groups * f @ routing.probability.unflatten(0, (groups, -1)).sum(-1)


def communication_loss(routing: Routing) -> Tensor:
    """D Σ f'' P': f'' is the share of all sent copies of tokens that go to this group.

    The paper divides by the most groups that a token may be sent to, M T; here it is by how many
    were sent, so that even work gives one whatever the limit.
    """
    groups = routing.n_device
    copies = routing.count("sent")  # (D,)
    f = copies / copies.sum().clamp(min=1)
    return groups * f @ routing.probability.unflatten(0, (groups, -1)).sum(-1)


def sequence_loss(routing: Routing) -> Tensor:
    """E Σ f P of each sequence, the mean over the batch, in which each counts by its tokens.

    f counts what was chosen. The paper counts the K highest scores before the bias of `nudge`, which
    is the same where that bias is zero.
    """
    experts = routing.chosen.shape[-1]
    if routing.rows is None:
        chosen, probability = routing.chosen.sum(-2), routing.probabilities.mean(-2)  # (B, E)
        sizes = torch.ones(len(chosen), device=chosen.device)
    else:
        sizes = torch.unique_consecutive(routing.rows, return_counts=True)[1]  # (B,)
        parts = [each[0].split(sizes.tolist()) for each in (routing.chosen, routing.probabilities)]
        chosen = torch.stack([part.sum(0) for part in parts[0]])  # (B, E)
        probability = torch.stack([part.mean(0) for part in parts[1]])  # (B, E)
    f = chosen / chosen.sum(-1, keepdim=True).clamp(min=1)
    return experts * (f * probability).sum(-1) @ (sizes / sizes.sum())


def z_loss(routing: Routing) -> Tensor:
    """The mean square of log Σ exp: smaller logits round less. It balances nothing."""
    return routing.logits.logsumexp(-1).square().mean()


BALANCERS: dict[str, Callable[[Routing], Tensor]] = {
    "switch": switch_loss,
    "expert": expert_loss,
    "device": device_loss,
    "communication": communication_loss,
    "sequence": sequence_loss,
    "z": z_loss,
}
"""Each loss by its name; its weight in a configuration is `<name>_loss`."""


def balance_loss(routing: Sequence[Routing], weights: Mapping[str, float]) -> Tensor:
    """What training adds to the cross-entropy: weighted, and summed over losses and layers.

    The one place where this sum is made. A weight of zero costs nothing. Of several processes, each has
    its share of it.
    """
    terms = [
        weight * record.share * BALANCERS[name](record)
        for record in routing
        for name, weight in weights.items()
        if weight
    ]
    return torch.stack(terms).sum() if terms else torch.zeros(())


def move_by_sign(load: Tensor) -> Tensor:
    """(E,) loads -> (E,) 1 for too few tokens, -1 for too many.

    Wang et al. 2024, "Auxiliary-Loss-Free Load Balancing Strategy for Mixture-of-Experts", algorithm
    1. The step never gets smaller, so the bias trembles about the place where it should rest.
    """
    return torch.sign(load.mean() - load)


def move_by_violation(load: Tensor) -> Tensor:
    """(E,) loads -> (E,) 1 - load / mean: 1 for an expert without tokens, -1 for one with twice its share.

    The variant of the same paper that keeps the size of the error, here relative to the fair share.
    """
    return 1 - load / load.mean()


NUDGES: dict[BiasRuleName, Callable[[Tensor], Tensor]] = {
    "sign": move_by_sign,
    "violation": move_by_violation,
}
"""How far a router's bias moves at a rate of one."""


def nudge(bias: Tensor, load: Tensor, rate: float, rule: BiasRuleName = "sign") -> None:
    """Change a router's bias (E,) in place: up for experts with too few tokens, down for too many."""
    bias += rate * NUDGES[rule](load)


# What is measured --------------------------------------------------------------------------------


def max_violation(load: Tensor) -> float:
    """MaxVio of (E,) loads: how far the busiest expert is above the mean, 0 where all are even.

    max / mean - 1 (Wang et al. 2024, eq. 4). With E experts it is at most E - 1.
    """
    mean = load.float().mean().item()
    return load.max().item() / mean - 1 if mean else 0.0


def dead_experts(load: Tensor, below: float = 0.0) -> list[int]:
    """The experts of (E,) loads whose share is at most `below` times the fair one."""
    return torch.nonzero(load <= below * load.float().mean()).flatten().tolist()


def effective_experts(load: Tensor) -> float:
    """How many experts would do the work if they shared it evenly: exp of the entropy of (E,) loads.

    From 1 to E; a Hill number, as ecologists count species (Hill 1973, "Diversity and Evenness").
    """
    shares = load.double() / load.double().sum().clamp(min=1e-300)
    return math.exp(torch.special.entr(shares).sum().item())


def coactivation(chosen: Tensor) -> Tensor:
    """(E, E) from chosen (..., E): of the tokens of expert i (row), the share that also have j.

    One on the diagonal of every expert that was chosen at all; rows of the others are zero.
    """
    seen = chosen.flatten(0, -2).double()  # (N, E)
    together = seen.T @ seen
    return together / together.diagonal()[:, None].clamp(min=1)


def expert_similarity(weights: Tensor) -> Tensor:
    """(E, E) cosine of the experts' weights (E, ...): 1 on the diagonal, near 0 where they differ."""
    flat = weights.flatten(1)
    unit = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit @ unit.T
