"""The loss of a language model: cross-entropy, its surprise at the next token."""

from __future__ import annotations

from torch import Tensor

from engine.data.base import IGNORE


def cross_entropy(
    logits: Tensor, targets: Tensor, count: int | None = None, smoothing: float = 0.0
) -> Tensor:
    """The mean of -log p(target) in nats: `torch.nn.functional.cross_entropy`, with V as the last dimension.

    log p(i) = z_i - log sum_j exp(z_j) for logits z, always computed in fp32. With smoothing, the target
    distribution gives 1 - smoothing to the target and the rest evenly to the vocabulary (Szegedy et al. 2016,
    "Rethinking the Inception Architecture", section 7).

    Args:
        logits: (B, T, V) or (N, V).
        targets: (B, T) or (N,) token ids; -100 is excluded from the mean.
        count: divisor; the default is the number of targets here. With the targets of several batches,
            their losses sum to the mean over all.
        smoothing: from 0 to 1.

    Returns:
        A scalar; NaN without targets.
    """
    counted = targets != IGNORE
    log_probabilities = logits.float().log_softmax(-1)  # (B, T, V)
    likelihood = log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0]  # (B, T)
    if smoothing:
        likelihood = (1 - smoothing) * likelihood + smoothing * log_probabilities.mean(-1)
    total = -likelihood.masked_fill(~counted, 0.0).sum()
    return total / (counted.sum() if count is None else count)
