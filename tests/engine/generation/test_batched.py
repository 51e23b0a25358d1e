"""Texts written together: each is the one that is written alone, and one that has ended costs nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from engine import TransformerLM
from engine.generation.batched import continue_all
from engine.generation.sampling import Sampler, generate
from engine.model.context import KVCache, Output
from engine.model.positions import POSITIONS
from tests.tools.options import SIZES, VOCAB, build


@pytest.mark.parametrize("position", POSITIONS)
def test_texts_continued_together_are_those_continued_alone(position: str) -> None:
    model = build(position=position)
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9], list(range(14))]
    together = continue_all(model, prompts, max_new_tokens=25, temperature=0)
    for prompt, written in zip(prompts, together, strict=True):
        alone = generate(model, prompt, 25, Sampler(temperature=0))
        assert written == [step.token for step in alone]


def test_a_text_ends_at_the_end_token() -> None:
    model = build()
    prompts = [[1, 2, 3], [4]]
    free = continue_all(model, prompts, max_new_tokens=20, temperature=0)
    end = free[0][5]
    cut = continue_all(model, prompts, max_new_tokens=20, temperature=0, end=end)
    assert cut[0] == free[0][: free[0].index(end)]
    assert cut[1] == (free[1][: free[1].index(end)] if end in free[1] else free[1])


class Writes(TransformerLM):
    """Continues each text as `said` says, and whatever comes after that with `after`, over and over."""

    def __init__(self, said: Mapping[str, list[int]], after: list[int], vocab_size: int) -> None:
        super().__init__(**SIZES | {"vocab_size": vocab_size, "max_seq_len": 128})
        self.said, self.after, self.size = said, after, vocab_size
        self.rows = 0
        """How many tokens were computed."""

    def run(self, tokens: Tensor, cache: KVCache | None = None, *_: Any, **__: Any) -> Output:
        assert cache is not None
        keys = tokens[None, :, None, :, None].expand(*cache.keys[:, :, :, :0].shape[:3], -1, 4)
        for layer in range(2):  # the cache holds the tokens themselves
            seen, _ = cache.extend(layer, keys[layer].float(), keys[layer].float())
        cache.advance(tokens.shape[1])
        self.rows += tokens.numel()
        following = [self.next([int(token) for token in row[0, :, 0]]) for row in seen]
        logits = one_hot(torch.tensor(following), self.size)[:, None].float()  # (B, 1, V)
        return Output(logits=logits, balance_loss=torch.zeros(()))

    def next(self, text: list[int]) -> int:
        for prompt, said in self.said.items():
            ids = list(map(ord, prompt))
            if text[: len(ids)] == ids:
                at = len(text) - len(ids)
                return (
                    said[at] if at < len(said) else self.after[(at - len(said)) % len(self.after)]
                )
        return 0  # a prompt that is still being read


@pytest.mark.case("F1")
def test_a_text_that_has_ended_costs_nothing_more() -> None:
    """Rows leave the batch at their END, and at `most` tokens: none is computed for them."""
    end, most = 9, 12
    model = Writes({chr(1): [5, end], chr(2): [5] * 40, chr(3) * 4: [end]}, [end], VOCAB)
    written = continue_all(
        model, [[1], [2], [3, 3, 3, 3]], max_new_tokens=most, temperature=0, end=end
    )
    assert written == [[5], [5] * most, []]
    assert model.rows == 2 + most + 4
    assert continue_all(model, [[2], [3] * 4], max_new_tokens=0, end=end) == [[], []]
    # A row that already has all its tokens writes no more of them while another goes on.
    late = Writes({chr(1): [5, 5, end, 5], chr(3) * 9: [6, 6]}, [end], VOCAB)
    assert continue_all(late, [[1], [3] * 9], max_new_tokens=2, temperature=0, end=end) == [
        [5, 5],
        [6, 6],
    ]


def test_drawn_texts_are_the_same_again_and_touch_no_generator() -> None:
    model = build().train()
    state = torch.get_rng_state()
    first = continue_all(model, [[1], [2, 3]], max_new_tokens=12, seed=5)
    assert first == continue_all(model, [[1], [2, 3]], max_new_tokens=12, seed=5)
    assert first != continue_all(model, [[1], [2, 3]], max_new_tokens=12, seed=6)
    assert torch.equal(torch.get_rng_state(), state) and model.training
    assert all(0 <= token < VOCAB for text in first for token in text)
