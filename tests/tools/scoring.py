"""The log-probability of a given translation, computed without a cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine import Transformer
from engine.generation.translation import Translation
from engine.tokenizers.marked import BEGIN


@torch.inference_mode()
def score(model: Transformer, source: Sequence[int], tokens: Sequence[int]) -> Translation:
    """One forward pass over the whole translation. `model` must be in evaluation mode."""
    given = torch.tensor([[BEGIN, *tokens[:-1]]])  # (1, T)
    logits = model.predict(given, torch.tensor([list(source)])).logits[0]  # (T, V)
    costs = logits.float().log_softmax(-1)
    chosen = [costs[place, token].item() for place, token in enumerate(tokens)]
    return Translation(tuple(tokens), tuple(chosen))
