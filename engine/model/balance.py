"""Balance the work of experts: losses for the router, and DeepSeek-V3's bias that needs no loss.

Without balancing a router collapses: an expert that is chosen more often learns faster and is then
chosen even more often. Every loss here is smallest when all experts have equal work. Its gradient flows
through P, the router's probabilities; f, the share of choices, is a count and has no gradient.

    switch         E Σ f_i P_i          f: share of first choices        Fedus et al. 2022, eq. 4-6
    expert         E Σ f_i P_i          f: share of all K choices        DeepSeek-V2, eq. 23-25
    device         D Σ f'_g P'_g        over groups of experts           DeepSeek-V2, eq. 26-28
    communication  D Σ f''_g P'_g       f'': tokens sent to a group      DeepSeek-V2, eq. 29-31
    sequence       as expert, within each sequence                       DeepSeek-V3, eq. 17-20
    z              mean of (log Σ exp logits)²                           ST-MoE, Zoph et al. 2022, eq. 5

All but `z` are 1 when the work is even. B batch, T positions, E experts, K chosen experts, D groups
("devices") of E / D experts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from engine.config import BiasRuleName
from engine.model.routing import Routing


def switch_loss(routing: Routing) -> Tensor:
    """E Σ f P, where f is the share of tokens whose most probable expert this is."""
    first = routing.count("first")
    f = first / first.sum()
    return len(f) * (f @ routing.probability)


def expert_loss(routing: Routing) -> Tensor:
    """E Σ f P, where f is the share of all choices."""
    return len(routing.load) * (routing.load @ routing.probability)


def device_loss(routing: Routing) -> Tensor:
    """D Σ f' P' over groups, where f' and P' are the sums of f and P over the experts of a group.

    The paper takes the mean of its f, which is 1 for even work. Here f is a share, 1 / E for even work, and the
    sum of the shares takes the place of that mean.
    """
    groups = routing.n_device
    f = routing.load.unflatten(0, (groups, -1)).sum(-1)  # (D,)
    return groups * (f @ routing.probability.unflatten(0, (groups, -1)).sum(-1))


def communication_loss(routing: Routing) -> Tensor:
    """D Σ f'' P', where f'' is the share of all sent copies of tokens that go to this group.

    The paper divides by the maximum number of copies, M T. Here the divisor is the number of copies
    that were sent, so that even work gives 1 for every limit M.
    """
    groups = routing.n_device
    copies = routing.count("sent")  # (D,)
    f = copies / copies.sum().clamp(min=1)
    return groups * (f @ routing.probability.unflatten(0, (groups, -1)).sum(-1))


def sequence_loss(routing: Routing) -> Tensor:
    """E Σ f P of each sequence, averaged over the batch with the number of tokens as weight.

    f counts the chosen experts. The paper counts the K highest scores without the bias of
    `update_expert_bias`, which is the same while that bias is zero.
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
    """Mean square of log Σ exp: smaller logits have smaller rounding errors. Balances nothing."""
    return routing.logits.logsumexp(-1).square().mean()


BALANCERS: dict[str, Callable[[Routing], Tensor]] = {
    "switch": switch_loss,
    "expert": expert_loss,
    "device": device_loss,
    "communication": communication_loss,
    "sequence": sequence_loss,
    "z": z_loss,
}
"""Each loss by name; its weight in a configuration is `<name>_loss`."""


def balance_loss(routing: Sequence[Routing], weights: Mapping[str, float]) -> Tensor:
    """The term that training adds to the cross-entropy: the weighted sum over losses and layers.

    Computed in fp32. A loss with weight zero is not computed. With several processes, each has its share of the sum.
    """
    if not routing:
        return torch.zeros(())
    device = routing[0].logits.device
    with torch.autocast(device.type, enabled=False):
        terms = [
            weight * record.share * BALANCERS[name](record)
            for record in routing
            for name, weight in weights.items()
            if weight
        ]
    return torch.stack(terms).sum() if terms else torch.zeros((), device=device)


def move_by_sign(load: Tensor) -> Tensor:
    """(E,) loads -> (E,) 1 for too few tokens, -1 for too many.

    Wang et al. 2024, "Auxiliary-Loss-Free Load Balancing Strategy for Mixture-of-Experts", algorithm
    1. The step never gets smaller, so the bias oscillates around its equilibrium.
    """
    return torch.sign(load.mean() - load)


def move_by_violation(load: Tensor) -> Tensor:
    """(E,) loads -> (E,) 1 - load / mean: 1 for an expert without tokens, -1 at twice the fair share.

    The same paper's variant that keeps the size of the error, here relative to the fair share.
    """
    return 1 - load / load.mean()


BIAS_RULES: dict[BiasRuleName, Callable[[Tensor], Tensor]] = {
    "sign": move_by_sign,
    "violation": move_by_violation,
}
"""The change of a router's bias at a rate of 1."""


def update_expert_bias(
    bias: Tensor, load: Tensor, rate: float, rule: BiasRuleName = "sign"
) -> None:
    """Change a router's bias (E,) in place: up for experts with too few tokens, down for too many."""
    bias += rate * BIAS_RULES[rule](load)
