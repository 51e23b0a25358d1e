"""Decoding: greedy, drawn and beam search, each against what it is by definition."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from engine import Transformer
from engine.generation.sampling import Sampler
from engine.generation.translation import (
    ENDED,
    KEPT,
    PRUNED,
    Translation,
    beam_search,
    padded,
    translate,
)
from engine.tokenizers.marked import BEGIN, END, PAD
from tests.engine.model.test_encoder_decoder import build
from tests.tools.scoring import score

SOURCES = [[5, 6, 7, 8, END], [9, 10, END], [20, 21, 22, 5, 6, 7, END]]


def by_definition(model: Transformer, source: list[int], most: int) -> list[int]:
    """The most probable token each time, from a whole pass without a cache."""
    written: list[int] = []
    while len(written) < most and written[-1:] != [END]:
        logits = model(torch.tensor([source]), torch.tensor([[BEGIN, *written]]))[0, -1]
        logits[[PAD, BEGIN]] = -math.inf
        written.append(int(logits.argmax()))
    return written


@pytest.mark.parametrize("options", [{}, {"position": "rope", "norm": "rmsnorm", "n_kv_head": 2}])
def test_greedy_is_the_most_probable_token_each_time(options: dict[str, str]) -> None:
    model = build(**options)
    together = translate(model, SOURCES, max_new_tokens=9)
    for source, found in zip(SOURCES, together, strict=True):
        assert list(found.tokens) == by_definition(model, source, 9)
        alone = translate(model, [source], max_new_tokens=9)[0]
        assert alone.tokens == found.tokens
        again = score(model, source, found.tokens)
        assert again.log_probability == pytest.approx(found.log_probability, abs=1e-4)


def test_rows_that_end_leave_and_the_others_go_on() -> None:
    """Some texts end early; what the others write does not change by it."""
    model = build(tie_embeddings=False)
    sources = [[a, b, END] for a, b in product(range(4, 10), range(10, 14))]
    often = translate(model, sources, max_new_tokens=10)[0].tokens[-1]
    with torch.no_grad():  # END becomes more probable than a token that is written often
        model.output.weight[END] = 1.2 * model.output.weight[often]
    found = translate(model, sources, max_new_tokens=10)
    lengths = {len(each.tokens) for each in found}
    assert len(lengths) > 2, "the test needs translations of different lengths"
    for source, each in zip(sources, found, strict=True):
        assert each.tokens == translate(model, [source], max_new_tokens=10)[0].tokens


def test_drawing_follows_the_model() -> None:
    model = build()
    drawn = translate(model, [SOURCES[0]] * 3000, Sampler(), max_new_tokens=1)
    counts = torch.bincount(torch.tensor([each.tokens[0] for each in drawn]), minlength=23)
    logits = model(torch.tensor([SOURCES[0]]), torch.tensor([[BEGIN]]))[0, -1]
    logits[[PAD, BEGIN]] = -math.inf
    assert (counts / 3000 - logits.softmax(0)).abs().max() < 0.03
    assert counts[[PAD, BEGIN]].sum() == 0
    seeded = [
        translate(model, SOURCES, Sampler(), torch.Generator().manual_seed(5), max_new_tokens=6)
        for _ in range(2)
    ]
    assert seeded[0] == seeded[1]


def test_a_translation_may_begin_as_it_is_told() -> None:
    model = build()
    found = translate(model, SOURCES, max_new_tokens=6, forced_prefix=[11, 12])
    assert all(each.tokens[:2] == (11, 12) for each in found)
    for source, each in zip(SOURCES, found, strict=True):
        assert score(model, source, each.tokens).log_probability == pytest.approx(
            each.log_probability, abs=1e-4
        )


def exhaustive(model: Transformer, source: list[int], length: int, alpha: float) -> Translation:
    """The best of all translations that end within `length` tokens."""
    vocabulary = [
        token for token in range(model.config.vocab_size or 0) if token not in (PAD, BEGIN)
    ]
    words = [token for token in vocabulary if token != END]
    complete = [
        [*middle, END] for count in range(length) for middle in product(words, repeat=count)
    ] + [list(middle) for middle in product(words, repeat=length)]
    rows = padded([[BEGIN, *tokens[:-1]] for tokens in complete])
    sources = torch.tensor([source]).expand(len(complete), -1)
    costs = model(sources, rows).log_softmax(-1)
    found = [
        Translation(tuple(tokens), tuple(costs[row, range(len(tokens)), tokens].tolist()))
        for row, tokens in enumerate(complete)
    ]
    return max(found, key=lambda each: each.score(alpha))


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_beam_as_wide_as_everything_finds_the_best_of_all(alpha: float) -> None:
    with torch.inference_mode():
        model = build(src_vocab_size=8, tgt_vocab_size=8)
        for source in ([5, 6, END], [4, 4, 7, END]):
            best = exhaustive(model, source, 3, alpha)
            found = beam_search(model, [source], beams=64, length_penalty=alpha, max_new_tokens=3)[
                0
            ]
            assert found.found[0].tokens == best.tokens
            assert found.found[0].score(alpha) == pytest.approx(best.score(alpha), abs=1e-4)


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_beam_search_alone_and_together(beams: int) -> None:
    model = build()
    together = beam_search(model, SOURCES, beams, max_new_tokens=8)
    for source, search in zip(SOURCES, together, strict=True):
        alone = beam_search(model, [source], beams, max_new_tokens=8)[0]
        assert [each.tokens for each in alone.found] == [each.tokens for each in search.found]
        scores = [each.score(0.6) for each in search.found]
        assert scores == sorted(scores, reverse=True) and 1 <= len(scores) <= beams
        assert len({each.tokens for each in search.found}) == len(scores)
        for each in search.found:  # beam scores recompute exactly
            again = score(model, source, each.tokens)
            assert again.log_probability == pytest.approx(each.log_probability, abs=1e-4)


def test_a_wider_beam_is_seldom_worse_and_never_for_these() -> None:
    model = build()
    for source in SOURCES:
        found = [beam_search(model, [source], beams, 0.0, max_new_tokens=6)[0] for beams in (1, 8)]
        assert found[1].found[0].score(0.0) >= found[0].found[0].score(0.0) - 1e-6


def test_the_tree_tells_what_became_of_each_candidate() -> None:
    search = beam_search(build(), [SOURCES[0]], beams=3, max_new_tokens=5)[0]
    tree = search.tree
    assert {KEPT, PRUNED} <= {node.fate for node in tree} <= {KEPT, PRUNED, ENDED}
    depth: list[int] = []
    for place, node in enumerate(tree):
        assert node.parent < place
        depth.append(0 if node.parent < 0 else depth[node.parent] + 1)
        if node.parent >= 0:
            assert tree[node.parent].fate == KEPT
            assert node.total == pytest.approx(tree[node.parent].total + node.log_probability)
    for level in range(max(depth) + 1):
        kept = [
            node for node, at in zip(tree, depth, strict=True) if at == level and node.fate == KEPT
        ]
        assert len(kept) <= 3
    ends = {node.total for node in tree if node.fate == ENDED or node.fate == KEPT}
    assert all(any(abs(each.log_probability - end) < 1e-9 for end in ends) for each in search.found)


def test_the_length_penalty_is_the_papers() -> None:
    short, long = Translation((4, END), (-1.0, -1.0)), Translation((4, 4, 4, END), (-0.6,) * 4)
    assert short.score(0.0) == -2.0 and long.score(0.0) == pytest.approx(-2.4)
    assert short.score(0.6) == pytest.approx(-2.0 / (7 / 6) ** 0.6)
    assert long.score(2.0) > short.score(2.0)
    assert short.text == (4,) and Translation((4, 5), (0.0, 0.0)).text == (4, 5)


def test_what_cannot_be_is_refused() -> None:
    model = build()
    for sources in ([], [[]], [[4], []]):
        with pytest.raises(ValueError, match="at least one"):
            translate(model, sources)
    with pytest.raises(ValueError, match="17 tokens"):
        translate(model, [[4] * 17])
    for wrong in ([PAD], [23], [-1]):
        with pytest.raises(ValueError, match="source ids"):
            beam_search(model, [wrong])
    with pytest.raises(ValueError, match="beams = 0"):
        beam_search(model, [[4]], beams=0)
    with pytest.raises(ValueError, match="length_penalty = -1"):
        beam_search(model, [[4]], length_penalty=-1)
    with pytest.raises(ValueError, match="forced_prefix: ids must be from 0 to 22"):
        translate(model, [[4]], forced_prefix=[23])
    with pytest.raises(ValueError, match="max_new_tokens = 0"):
        translate(model, [[4]], max_new_tokens=0)
