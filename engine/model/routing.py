"""Routing records: what the router of one expert layer decided, and measures of it.

B batch, T positions, N tokens, E experts, D groups ("devices") of E / D experts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Routing:
    """The decisions of one layer's router for every token of a batch.

    A batch with padding is recorded as one sequence without it: B is 1, T is N, and `rows` has the row
    of each token.
    """

    layer: int
    """The block, counted from 0."""
    logits: Tensor
    """(B, T, E) the router's logits, fp32."""
    probabilities: Tensor
    """(B, T, E) scores over all experts, chosen or not, divided by their sum."""
    chosen: Tensor
    """(B, T, E) true where the router chose this expert for this token."""
    gates: Tensor
    """(B, T, E) factor on each expert's output; zero where not chosen, or dropped."""
    dropped: Tensor
    """Scalar: the number of choices beyond an expert's capacity."""
    n_device: int = 1
    """D"""
    rows: Tensor | None = None
    """(N,) the row of the batch that each token is from, ascending; None: the batch has no padding."""
    global_counts: Mapping[str, Tensor] | None = None
    """The `COUNTS` of the global batch, if other processes have other rows of it."""
    share: float | Tensor = 1.0
    """The share of these tokens in the global batch."""

    def count(self, name: str) -> Tensor:
        """One of `COUNTS`, over the global batch."""
        return COUNTS[name](self) if self.global_counts is None else self.global_counts[name]

    @property
    def load(self) -> Tensor:
        """(E,) f: each expert's share of all choices, including dropped ones; sums to one."""
        counts = self.count("choices")
        return counts / counts.sum().clamp(min=1)

    @property
    def probability(self) -> Tensor:
        """(E,) P: the mean probability of each expert; sums to one."""
        return self.probabilities.flatten(0, -2).mean(0)

    @property
    def entropy(self) -> Tensor:
        """Scalar, in nats: mean entropy of the probabilities of a token, at most ln E."""
        return torch.special.entr(self.probabilities).sum(-1).mean()


# Counts ------------------------------------------------------------------------------------------


def choices(routing: Routing) -> Tensor:
    """(E,) number of tokens that chose each expert."""
    return routing.chosen.flatten(0, -2).sum(0)


def first_choices(routing: Routing) -> Tensor:
    """(E,) number of tokens for which each expert is the most probable one."""
    first = routing.probabilities.argmax(-1).flatten()  # (N,)
    return torch.bincount(first, minlength=routing.probabilities.shape[-1])


def sent(routing: Routing) -> Tensor:
    """(D,) number of token copies sent to each group."""
    return routing.chosen.flatten(0, -2).unflatten(-1, (routing.n_device, -1)).any(-1).sum(0)


def dropped(routing: Routing) -> Tensor:
    """Scalar: the number of choices beyond an expert's capacity."""
    return routing.dropped


COUNTS: dict[str, Callable[[Routing], Tensor]] = {
    "choices": choices,
    "first": first_choices,
    "sent": sent,
    "dropped": dropped,
}
"""Everything that is counted in a batch. Counts of several processes are added."""


def sum_counts(
    parts: Sequence[Routing], add: Callable[[Tensor], Tensor], counted: bool
) -> list[Routing]:
    """Add the counts of all processes to the records of this one, and its share of the global batch.

    f then is that of the global batch. Every balance loss is linear in P or a mean over tokens, so the
    losses of all processes, weighted by their shares, sum to the loss of the global batch. The same holds
    for its gradient.

    Args:
        parts: one record for each layer, the same number in every process.
        add: sums a tensor over all processes.
        counted: False if these tokens are placeholders of a process without tokens, and must not be counted.
    """
    own = [{name: count(part) for name, count in COUNTS.items()} for part in parts]
    flat = torch.cat([count.flatten() for counts in own for count in counts.values()])
    total = iter(add(flat * counted).split([n.numel() for counts in own for n in counts.values()]))
    records: list[Routing] = []
    for part, counts in zip(parts, own, strict=True):
        summed = {name: next(total).view_as(count) for name, count in counts.items()}
        share = counted * counts["first"].sum() / summed["first"].sum()
        records.append(replace(part, global_counts=summed, share=share))
    return records


# Measures ----------------------------------------------------------------------------------------


def max_violation(load: Tensor) -> float:
    """MaxVio of (E,) loads: max / mean - 1 (Wang et al. 2024, eq. 4).

    0 if all loads are equal, E - 1 if one expert has all tokens.
    """
    mean = load.float().mean().item()
    return load.max().item() / mean - 1 if mean else 0.0


def coactivation(chosen: Tensor) -> Tensor:
    """(E, E) from chosen (..., E): the share of the tokens of expert i (row) that also chose expert j.

    The diagonal is one for every expert that was chosen; the rows of the others are zero.
    """
    seen = chosen.flatten(0, -2).double()  # (N, E)
    together = seen.T @ seen
    return together / together.diagonal()[:, None].clamp(min=1)
