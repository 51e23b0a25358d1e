"""Continue several texts at once: the samples of a model in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.generation.sampling import evaluating, window_start
from engine.model.decoder import Decoder


@torch.inference_mode()
def continue_all(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    temperature: float = 0.8,
    seed: int = 0,
    end: int | None = None,
    known: int | None = None,
    report: Callable[[int, int], object] = lambda done, total: None,
) -> list[list[int]]:
    """Continue each prompt by up to `max_new_tokens`; one forward pass adds a token to every text.

    The batch starts with the length of the shortest prompt; longer prompts are read token by token while
    the shorter ones are continued. A text ends before its first `end` token and leaves the batch.

    Args:
        model: a language model.
        prompts: token ids of each.
        max_new_tokens: upper limit for each text.
        temperature: 0 is greedy.
        seed: of the generator that draws.
        end: the token that ends a text.
        known: only token ids below this are drawn, for a model with more tokens than its tokenizer.
        report: progress callback: (tokens done, total).
    """
    batch = _Batch(prompts, max_new_tokens, end)
    generator = torch.Generator().manual_seed(seed)
    device = model.embedding.weight.device
    cache, start = model.new_cache(len(batch.texts)), -1  # no window yet
    begun, last = batch.length, max(map(len, batch.texts)) + max_new_tokens
    with evaluating(model):
        while batch.active:
            report(batch.length - begun, last - begun)
            window = window_start(batch.length, model.config.max_seq_len)
            first = batch.length - 1 if window == start else window
            if window != start:
                cache.truncate(0)
                start = window
            read = torch.tensor(batch.columns(first), device=device)  # (B, T)
            logits = model.run(read, cache=cache).logits[:, -1, :known].cpu()  # (B, V)
            count, going = len(batch.active), batch.append(_draw(logits, temperature, generator))
            if len(going) < count:  # drop the rows that have ended
                cache.select(torch.tensor(going, device=device, dtype=torch.long))
    return batch.written


class _Batch:
    """Texts of one common length that grow together: each is read up to its prompt's end, then written."""

    def __init__(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, end: int | None
    ) -> None:
        self.texts = [list(prompt) for prompt in prompts]
        self.written: list[list[int]] = [[] for _ in prompts]
        self.length = min(map(len, self.texts))
        self.active = list(range(len(self.texts))) if max_new_tokens > 0 else []
        """The texts that are still written."""
        self.max_new_tokens, self.end = max_new_tokens, end

    def columns(self, first: int) -> list[list[int]]:
        """The tokens from `first` on of each active text."""
        return [self.texts[row][first : self.length] for row in self.active]

    def append(self, tokens: Sequence[int]) -> list[int]:
        """One token for each active text, ignored inside a prompt. Returns the indices of those that go on."""
        going = [i for i, token in enumerate(tokens) if self._goes_on(self.active[i], token)]
        self.active = [self.active[i] for i in going]
        self.length += 1
        return going

    def _goes_on(self, row: int, token: int) -> bool:
        if len(self.texts[row]) == self.length:  # the prompt is read
            if token == self.end:
                return False
            self.texts[row].append(token)
            self.written[row].append(token)
        return len(self.written[row]) < self.max_new_tokens


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> list[int]:
    """One token for each row of (B, V)."""
    if temperature == 0:
        return [int(token) for token in logits.argmax(-1)]
    probabilities = (logits.float() / temperature).softmax(-1)
    return [int(token) for token in probabilities.multinomial(1, generator=generator)]
