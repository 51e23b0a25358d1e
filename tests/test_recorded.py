"""The recorded step is the ordinary one: for every option, after training went on, and never kept too long."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch

from engine import recorded
from engine.generation import generate
from engine.model.context import KVCache
from engine.recorded import MAX_BYTES, can_replay, edges, replay
from tests.options import AXES, CONTEXT, build, sequence

OPTIONS = [{axis: value} for axis, values in AXES.items() for value in values]


@pytest.fixture(params=[False, True], ids=["rows", "columns"])
def turned(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether flat matrices are read by columns; those of tests are too small to be, if they are let."""
    if request.param:
        monkeypatch.setattr(recorded, "WIDE", 1)
    return request.param


@pytest.mark.usefixtures("turned")
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


def test_it_follows_the_weights_and_serves_every_cache(turned: bool) -> None:
    model = build()

    def logits() -> torch.Tensor:
        with torch.inference_mode():
            return replay(model, 5, model.new_cache())[0]

    before = logits()
    torch.testing.assert_close(logits(), before, rtol=0, atol=0)
    assert bool(recorded._recordings[model].turned) == turned
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.1)
    after = logits()
    assert not torch.allclose(after, before)
    with torch.inference_mode():
        expected = model(torch.tensor([[5]]))[0, -1]
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-4)


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
