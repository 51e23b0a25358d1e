"""The recorded step is the ordinary one: for every option, after training went on, and never kept too long."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import packed, recorded
from engine.generation import generate
from engine.model.context import KVCache
from engine.recorded import MAX_BYTES, can_replay, edges, replay, write_greedily
from engine.tokenizers.marked import BEGIN, END, PAD
from tests.options import AXES, CONTEXT, build, sequence
from tests.test_encoder_decoder import build as build_pair

OPTIONS = [{axis: value} for axis, values in AXES.items() for value in values]


@pytest.fixture(params=[False, True], ids=["in place", "copied"])
def copied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether matrices are read from copies; those of tests are too small to be, if they are let."""
    if request.param:
        monkeypatch.setattr(packed, "WIDE", 1)
    return request.param


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_replayed_step_equals_the_pass(options: dict[str, Any]) -> None:
    model, tokens = build(**options), sequence(batch=1)
    with torch.inference_mode():
        full = model(tokens)[0]
        cache = model.new_cache()
        model.run(tokens[:, :3], cache=cache)
        for t in range(3, CONTEXT):
            logits, drawn_from = replay(model, int(tokens[0, t]), cache)
            torch.testing.assert_close(logits, full[t], rtol=1e-4, atol=1e-4)
            assert torch.equal(drawn_from, edges(logits.softmax(0, dtype=torch.float64)))
            assert cache.length == t + 1
        with pytest.raises(ValueError, match="the cache is full: it holds 16 tokens"):
            replay(model, 0, cache)


def test_it_follows_the_weights_and_serves_every_cache(copied: bool) -> None:
    model = build()

    def logits() -> torch.Tensor:
        with torch.inference_mode():
            return replay(model, 5, model.new_cache())[0]

    before = logits()
    torch.testing.assert_close(logits(), before, rtol=0, atol=0)
    copies = recorded._recordings[model].packed.copies.values()
    assert {copy.turned for copy in copies} == ({True, False} if copied else set())
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.1)
    after = logits()
    assert not torch.allclose(after, before)
    with torch.inference_mode():
        expected = model(torch.tensor([[5]]))[0, -1]
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-4)


TRANSLATIONS = [{}, {"position": "alibi"}, {"position": "rope", "norm": "rmsnorm", "n_kv_head": 2}]


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("options", TRANSLATIONS, ids=str)
def test_what_is_written_in_one_go_is_what_single_passes_write(options: dict[str, Any]) -> None:
    model, never, most = build_pair(**options), (PAD, BEGIN), 12

    def in_one_go(source: Tensor, end: int) -> tuple[list[int], list[float], int]:
        cache = model.new_cache()
        written = write_greedily(model, BEGIN, cache, model.encode(source), never, end, most)
        return *written, cache.length

    def by_passes(source: Tensor, end: int) -> tuple[list[int], list[float], int]:
        cache, memory = model.new_cache(), model.encode(source)
        tokens, costs = [BEGIN], []
        while len(tokens) <= most and tokens[-1] != end:
            logits = model.run(torch.tensor([tokens[-1:]]), cache=cache, memory=memory).logits[0, 0]
            allowed = logits.index_fill(0, torch.tensor(never), -torch.inf)
            tokens.append(int(allowed.argmax()))
            costs.append(float(logits.log_softmax(0)[tokens[-1]]))
        return tokens[1:], costs, cache.length

    lengths: set[int] = set()
    with torch.inference_mode():
        for seed in range(6):
            draw = torch.Generator().manual_seed(seed)
            source = torch.randint(3, 23, (1, 2 + seed), generator=draw)
            end = END
            for _ in range(2):
                (tokens, costs, length), expected = in_one_go(source, end), by_passes(source, end)
                assert (tokens, length) == (expected[0], expected[2])
                torch.testing.assert_close(costs, expected[1], rtol=1e-4, atol=1e-4)
                lengths.add(len(tokens))
                end = tokens[len(tokens) // 2]  # and once more, to end in the middle
    assert most in lengths and min(lengths) < most


def test_no_more_is_written_than_the_cache_can_hold() -> None:
    model = build_pair()
    with torch.inference_mode():
        memory, cache = model.encode(torch.tensor([[5, END]])), model.new_cache()
        most = cache.capacity + 1
        with pytest.raises(ValueError, match=f"most = {most}: the cache has room for {most - 1}"):
            write_greedily(model, BEGIN, cache, memory, (), END, most)


def test_a_recording_does_not_keep_its_model() -> None:
    model = build()
    list(generate(model, [1], 4))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_large_caches_and_training_take_the_ordinary_pass() -> None:
    model = build()
    assert can_replay(model, model.new_cache())
    assert not can_replay(model.train(), model.new_cache())
    wide = model.config.model_copy(update={"max_seq_len": MAX_BYTES})
    assert not can_replay(model.eval(), KVCache(wide, device="meta"))
