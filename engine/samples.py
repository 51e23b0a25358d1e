"""Several texts continued at once, for watching a model in the course of its training."""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.generation import evaluating, window_start
from engine.model.decoder import Decoder


@torch.inference_mode()
def continue_all(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    most: int,
    temperature: float = 0.8,
    seed: int = 0,
    end: int | None = None,
    known: int | None = None,
    report: Callable[[int, int], object] = lambda done, total: None,
) -> list[list[int]]:
    """Up to `most` new tokens after each prompt, one forward pass for a token of every text.

    All texts begin together, as long as the shortest prompt; a longer one is read to its end while
    the others are being written. A text ends before its first `end` token and then leaves the batch.
    At temperature 0 the most probable token is taken. Only the first `known` tokens are written,
    where a model has more than its tokenizer. The draws come from a generator of their own.
    `report` is told how far this is, in tokens.
    """
    texts = [list(prompt) for prompt in prompts]
    written: list[list[int]] = [[] for _ in prompts]
    generator = torch.Generator().manual_seed(seed)
    device = model.embedding.weight.device
    cache, start = model.new_cache(len(texts)), -1  # no window yet
    length = min(map(len, texts))
    begun, last = length, max(map(len, texts)) + most
    active = list(range(len(texts))) if most > 0 else []
    with evaluating(model):
        while active:
            report(length - begun, last - begun)
            window = window_start(length, model.config.max_seq_len)
            first = length - 1 if window == start else window
            if window != start:
                cache.truncate(0)
                start = window
            feed = torch.tensor(
                [texts[row][first:length] for row in active], device=device
            )  # (B, T)
            logits = model.run(feed, cache=cache).logits[:, -1, :known].cpu()  # (B, V)
            going: list[int] = []
            for place, token in enumerate(_draw(logits, temperature, generator)):
                row = active[place]
                if len(texts[row]) == length:  # its prompt has been read
                    if token == end:
                        continue
                    texts[row].append(token)
                    written[row].append(token)
                if len(written[row]) < most:
                    going.append(place)
            if len(going) < len(active):  # the others go on alone
                active = [active[place] for place in going]
                cache.select(torch.tensor(going, device=device, dtype=torch.long))
            length += 1
    return written


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> list[int]:
    """One token for each row of (B, V)."""
    if temperature == 0:
        return [int(token) for token in logits.argmax(-1)]
    probabilities = (logits.float() / temperature).softmax(-1)
    return [int(token) for token in probabilities.multinomial(1, generator=generator)]
