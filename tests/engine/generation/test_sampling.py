"""What is drawn from is exactly what the filters say, and the cache changes nothing but the time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from engine.generation.sampling import (
    FILTERS,
    GREEDY,
    KEPT,
    MIN_P,
    TOP_K,
    TOP_P,
    Sampler,
    adjust,
    entropy,
    generate,
    next_token,
    sample,
    window_start,
)
from engine.model.positions import POSITIONS
from engine.validation import ConfigError
from tests.tools.options import CONTEXT, VOCAB, build

NEVER = -math.inf


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reference(logits: Tensor, sampler: Sampler) -> Tensor:
    """(V,) float64: what transformers' own warpers make of the logits, in their order."""
    warpers = LogitsProcessorList()
    warpers.append(TemperatureLogitsWarper(float(sampler.temperature)))
    if sampler.top_k:
        warpers.append(TopKLogitsWarper(sampler.top_k))
    if sampler.top_p < 1:
        warpers.append(TopPLogitsWarper(sampler.top_p))
    if sampler.min_p > 0:
        warpers.append(MinPLogitsWarper(sampler.min_p))
    ids = torch.LongTensor([[0]])
    return warpers(ids, logits.double()[None])[0].softmax(-1)


# ------------------------------------------------------------------ the distribution


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([1, 2, 7, 65, 500]),
    spread=st.sampled_from([0.1, 1.0, 4.0]),
    impossible=st.booleans(),
    temperature=st.sampled_from([0.1, 0.5, 1.0, 1.7, 10.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 64, 65, 10_000]),
    top_p=st.sampled_from([0.01, 0.3, 0.5, 0.9, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
)
def test_the_distribution_is_that_of_transformers(
    seed: int,
    size: int,
    spread: float,
    impossible: bool,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
) -> None:
    logits = torch.randn(size, generator=seeded(seed)) * spread
    if impossible:
        logits[: size // 2] = NEVER
    sampler = Sampler(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    adjusted = adjust(logits, sampler)
    expected = reference(logits, sampler)
    assert torch.equal(adjusted.after > 0, expected > 0)
    torch.testing.assert_close(adjusted.after, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(adjusted.before, logits.double().softmax(0), rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), top_k=st.integers(0, 9), top_p=st.floats(0.05, 1.0))
def test_each_removal_has_one_filter_and_the_rest_sums_to_one(
    seed: int, top_k: int, top_p: float
) -> None:
    logits = torch.randn(9, generator=seeded(seed))
    adjusted = adjust(logits, Sampler(top_k=top_k, top_p=top_p, min_p=0.2))
    assert torch.equal(adjusted.removed_by == KEPT, adjusted.after > 0)
    assert adjusted.after.sum().item() == pytest.approx(1.0, abs=1e-12)
    kept = adjusted.removed_by == KEPT
    ratio = adjusted.after[kept] / adjusted.before[kept]  # the filters keep the odds as they are
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


def test_the_filters_act_in_the_stated_order() -> None:
    logits = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05]).log()
    removed = adjust(logits, Sampler(top_k=4, top_p=0.8, min_p=0.4)).removed_by.tolist()
    # top-k drops the fifth. Of the rest, 0.42 + 0.32 + 0.16 reach 0.8, so top-p drops the fourth.
    # The third is 0.375 times as probable as the first.
    assert removed == [KEPT, KEPT, MIN_P, TOP_P, TOP_K]
    assert [FILTERS[code] for code in removed] == ["kept", "kept", "min-p", "top-p", "top-k"]


def test_everything_off_is_the_softmax() -> None:
    logits = torch.randn(50, generator=seeded())
    adjusted = adjust(logits, Sampler())
    assert torch.equal(adjusted.before, adjusted.after)
    assert not adjusted.removed_by.any()


@pytest.mark.parametrize("top_k", [5, 6, 1_000_000])
def test_top_k_of_at_least_the_vocabulary_removes_nothing(top_k: int) -> None:
    assert not adjust(torch.arange(5.0), Sampler(top_k=top_k)).removed_by.any()


def test_top_k_keeps_all_that_equal_the_kth() -> None:
    kept = adjust(torch.tensor([1.0, 2.0, 1.0, 1.0, 0.0]), Sampler(top_k=2)).after > 0
    assert kept.tolist() == [True, True, True, True, False]


def test_top_p_takes_the_fewest_tokens_and_the_lower_ids_of_equal_ones() -> None:
    assert (adjust(torch.zeros(8), Sampler(top_p=0.5)).after > 0).tolist() == [True] * 4 + [
        False
    ] * 4
    assert (adjust(torch.zeros(8), Sampler(top_p=0.51)).after > 0).sum() == 5
    assert (adjust(torch.zeros(8), Sampler(top_p=1e-9)).after > 0).sum() == 1


def test_min_p_of_one_keeps_only_the_best() -> None:
    after = adjust(torch.tensor([0.0, 3.0, 3.0, 1.0]), Sampler(min_p=1.0)).after
    assert after.tolist() == [0.0, 0.5, 0.5, 0.0]


def test_all_mass_on_one_token_stays_there() -> None:
    logits = torch.tensor([NEVER, 5.0, NEVER])
    for sampler in (Sampler(), Sampler(top_k=2, top_p=0.5, min_p=0.5), Sampler(temperature=0)):
        adjusted = adjust(logits, sampler)
        assert adjusted.after.tolist() == [0.0, 1.0, 0.0]
        assert not adjusted.removed_by.any()  # the others were impossible from the start


def test_temperature_zero_takes_the_first_of_the_best() -> None:
    adjusted = adjust(
        torch.tensor([1.0, 4.0, 4.0, NEVER]), Sampler(temperature=0, top_k=3, top_p=0.5)
    )
    assert adjusted.after.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert adjusted.removed_by.tolist() == [GREEDY, KEPT, GREEDY, KEPT]


def test_a_tiny_temperature_and_huge_logits_do_not_overflow() -> None:
    logits = torch.tensor([1e38, -1e38, 0.9e38])
    assert adjust(logits, Sampler(temperature=1e-300)).after.tolist() == [1.0, 0.0, 0.0]


def test_half_precision_logits_are_read() -> None:
    logits = torch.tensor([1.0, 2.0, 3.0])
    exact = adjust(logits, Sampler(top_k=2))
    assert torch.equal(adjust(logits.to(torch.bfloat16), Sampler(top_k=2)).after, exact.after)


@pytest.mark.parametrize(
    "logits", [[math.nan, 1.0], [math.inf, 1.0], [NEVER, NEVER], [], [[1.0, 2.0]]]
)
def test_what_is_no_distribution_is_refused(logits: list[float]) -> None:
    with pytest.raises(ValueError, match="logits"):
        adjust(torch.tensor(logits), Sampler())


@pytest.mark.parametrize("logits", [[math.nan, 1.0], [math.inf, 1.0], [NEVER, NEVER]])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_nothing_is_drawn_from_what_is_no_distribution(
    logits: list[float], temperature: float
) -> None:
    with pytest.raises(ValueError, match="logits must be numbers"):
        next_token(torch.tensor(logits), Sampler(temperature=temperature), seeded())


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("temperature", -0.1, "at least 0"),
        ("temperature", math.nan, "finite number"),
        ("top_k", -1, "at least 0"),
        ("top_k", 1.5, "whole number"),
        ("top_p", 0.0, "greater than 0"),
        ("top_p", 1.1, "at most 1"),
        ("min_p", -0.1, "at least 0"),
        ("min_p", 2.0, "at most 1"),
        ("top_q", 1, "not the name of a field"),
    ],
)
def test_an_impossible_sampler_names_field_value_and_what_is_allowed(
    field: str, value: float, allowed: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Sampler.parse({field: value})
    assert [problem.field for problem in caught.value.problems] == [field]
    assert allowed in str(caught.value)


def test_entropy_counts_equally_likely_choices() -> None:
    assert entropy(torch.tensor([0.25] * 4 + [0.0])) == pytest.approx(2.0)
    assert str(entropy(torch.tensor([0.0, 1.0]))) == "0.0"


# ------------------------------------------------------------------ drawing


def test_draws_follow_the_distribution() -> None:
    adjusted = adjust(torch.tensor([0.5, 0.3, 0.0, 0.2]).log(), Sampler())
    generator = seeded(1)
    draws = torch.tensor([sample(adjusted, generator) for _ in range(5_000)])
    shares = draws.bincount(minlength=4) / 5_000
    torch.testing.assert_close(shares, adjusted.after.float(), atol=0.03, rtol=0)
    assert shares[2] == 0


@pytest.mark.parametrize("size", [1, 2, 65, 500])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_shorter_way_draws_the_same_tokens(
    size: int, temperature: float, dtype: torch.dtype
) -> None:
    sampler, numbers = Sampler(temperature=temperature), seeded(2)
    short, long = seeded(4), seeded(4)
    for _ in range(200):
        logits = (torch.randn(size, generator=numbers) * 3).to(dtype)
        logits[: size // 3] = NEVER
        expected = sample(adjust(logits, sampler), long)
        assert next_token(logits, sampler, short) == expected
    assert torch.equal(short.get_state(), long.get_state())


def test_generating_draws_what_adjusting_and_sampling_do() -> None:
    numbers = seeded(3)
    for step in generate(build(), [4], 3 * CONTEXT, generator=seeded(3)):
        assert step.token == sample(adjust(step.logits, Sampler()), numbers)


def test_a_draw_is_repeated_by_its_seed_and_leaves_torch_alone() -> None:
    adjusted = adjust(torch.randn(100, generator=seeded()), Sampler())
    before = torch.get_rng_state()
    first = [sample(adjusted, generator) for generator in [seeded(3)] for _ in range(20)]
    again = [sample(adjusted, generator) for generator in [seeded(3)] for _ in range(20)]
    assert first == again
    assert len(set(first)) > 1
    assert torch.equal(torch.get_rng_state(), before)


# ------------------------------------------------------------------ the window


@pytest.mark.parametrize("context", [2, 3, 4, 7, 16])
def test_a_full_window_slides_to_its_last_half(context: int) -> None:
    start = 0
    for length in range(1, 6 * context):
        if length - start > context:
            start = length - context // 2
        assert window_start(length, context) == start
        assert 1 <= length - start <= context


# ------------------------------------------------------------------ generating


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("n_kv_head", [None, 1])
def test_the_logits_are_those_of_a_full_pass_over_the_window(
    position: str, n_kv_head: int | None
) -> None:
    model = build(position=position, n_kv_head=n_kv_head)
    ids, slid = [1, 2, 3], False
    for step in generate(model, ids, 3 * CONTEXT, generator=seeded(5)):
        window = ids[step.window_start :]
        slid |= step.window_start > 0
        assert len(window) <= CONTEXT
        with torch.no_grad():
            full = model(torch.tensor([window]))[0, -1]
        torch.testing.assert_close(step.logits, full, rtol=1e-4, atol=1e-4)
        ids.append(step.token)
    assert slid
    assert len(ids) == 3 + 3 * CONTEXT


def test_a_prompt_longer_than_the_context_is_read_from_its_window_on() -> None:
    model = build()
    prompt = [i % VOCAB for i in range(2 * CONTEXT + 3)]
    step = next(generate(model, prompt, 1, Sampler(temperature=0)))
    window = prompt[window_start(len(prompt), CONTEXT) :]
    with torch.no_grad():
        full = model(torch.tensor([window]))[0, -1]
    torch.testing.assert_close(step.logits, full, rtol=1e-4, atol=1e-4)
    assert step.token == int(full.argmax())


def test_generation_is_repeated_by_its_seed() -> None:
    model = build()

    def tokens(generator: torch.Generator | None) -> list[int]:
        return [step.token for step in generate(model, [4], 20, generator=generator)]

    assert tokens(None) == tokens(None)
    assert tokens(seeded(1)) == tokens(seeded(1)) != tokens(seeded(2))


def test_torchs_own_randomness_is_not_touched() -> None:
    model = build()
    before = torch.get_rng_state()
    list(generate(model, [4], 5))
    assert torch.equal(torch.get_rng_state(), before)


def test_it_ends_with_a_stop_token_and_yields_it() -> None:
    model = build()
    tokens = [step.token for step in generate(model, [4], 30)]
    stop = tokens[7]
    assert [step.token for step in generate(model, [4], 30, stop={stop})] == (
        tokens[: tokens.index(stop) + 1]
    )


def test_tokens_are_computed_when_they_are_asked_for() -> None:
    model = build()
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    handle = model.embedding.register_forward_hook(count)
    steps = generate(model, [4, 5], 1_000_000)
    assert calls == 0
    next(steps)
    next(steps)
    assert calls == 2
    handle.remove()


def test_dropout_rests_while_generating_and_the_model_trains_on_after_it() -> None:
    model = build(dropout=0.5)
    quiet = [step.token for step in generate(model, [4], 10)]
    model.train()
    training = []
    for step in generate(model, [4], 10):
        training.append(step.token)
        assert model.training
        assert model.blocks[0].training
    assert training == quiet


@pytest.mark.parametrize(
    ("ids", "message"), [([], "at least one token"), ([VOCAB], "from 0 to"), ([-1], "from 0 to")]
)
def test_what_cannot_be_continued_is_refused_at_once(ids: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(build(), ids, 5)
