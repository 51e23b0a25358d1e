"""The loss of a language model: cross-entropy, how surprised it is by the token that came."""

from __future__ import annotations

from torch import Tensor

from engine.data.base import IGNORE


def cross_entropy(
    logits: Tensor, targets: Tensor, count: int | None = None, smoothing: float = 0.0
) -> Tensor:
    """The mean of -log p(target) in nats, equal to `torch.nn.functional.cross_entropy`.

    log p(i) = z_i - log sum_j exp(z_j) for logits z, computed in fp32 whatever the logits are. With
    smoothing, the target is only 1 - smoothing of the truth and the rest is spread evenly over the
    whole vocabulary (Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7).

    Args:
        logits: (B, T, V) or (N, V).
        targets: (B, T) or (N,) token ids; -100 is left out of the mean.
        count: divide by this number instead of the targets counted here, so that the losses of
            several batches sum to the mean over all of them.
        smoothing: from 0 to 1.

    Returns:
        A scalar; not a number where no target counts.
    """
    counted = targets != IGNORE
    log_probabilities = logits.float().log_softmax(-1)  # (B, T, V)
    likelihood = log_probabilities.gather(-1, targets.clamp(min=0)[..., None])[..., 0]  # (B, T)
    if smoothing:
        likelihood = (1 - smoothing) * likelihood + smoothing * log_probabilities.mean(-1)
    total = -likelihood.masked_fill(~counted, 0.0).sum()
    return total / (counted.sum() if count is None else count)
