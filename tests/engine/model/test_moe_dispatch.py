"""Tokens reach their experts and come back: the fast way equals the definition, value and gradient."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from engine.model import experts
from engine.model.context import Context
from engine.model.experts import MixtureOfExperts, counts, grouped_product, reference_product
from tests.tools.options import MOE, ROUTED, SIZES, build

SHAPES: list[dict[str, Any]] = [
    {},
    {"top_k": 1},
    {"top_k": 4, "n_experts": 4},
    {"n_experts": 7, "top_k": 3},
    {"d_expert": 7},
    {"d_model": 18, "n_head": 3, "d_expert": 5},
    {"bias": True},
    {"bias": True, "feedforward": "gelu", "d_expert": 9},
    {"feedforward": "relu"},
    {"capacity_factor": 0.5},
]
EVERY = [*ROUTED, *({**MOE, **shape} for shape in SHAPES)]


def mixture(**options: Any) -> MixtureOfExperts:
    """The expert layer of a model's first block."""
    layer = build(**options).blocks[0].feedforward
    assert isinstance(layer, MixtureOfExperts)
    return layer


def inputs(layer: MixtureOfExperts, tokens: int = 13) -> tuple[Tensor, Tensor]:
    """x (N, C) and the gates (N, E) that the router gives it, both to take gradients from."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(1, tokens, layer.config.d_model, generator=generator)
    ids = torch.randint(SIZES["vocab_size"], (1, tokens), generator=generator)
    gates = layer.route(x, Context(tokens=ids)).detach()
    return x[0].requires_grad_(), gates[0].requires_grad_()


def dispatch_by_loop(layer: MixtureOfExperts, x: Tensor, gates: Tensor) -> Tensor:
    """The definition of `dispatch`, one token and one expert at a time."""
    y = torch.zeros_like(x)
    for token, expert in gates.nonzero().tolist():
        ends = torch.zeros(gates.shape[-1], dtype=torch.int32)
        ends[expert:] = 1
        y[token] += gates[token, expert] * layer.experts(x[token : token + 1], ends)[0]
    return y


@pytest.mark.parametrize("options", EVERY, ids=str)
def test_the_fast_way_equals_the_definition(options: dict[str, Any]) -> None:
    layer = mixture(**options)
    x, gates = inputs(layer)
    learned = dict(layer.experts.named_parameters())
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(6))
    found: list[list[Tensor]] = []
    for dispatch in (layer.dispatch, partial(dispatch_by_loop, layer)):
        y = dispatch(x, gates)
        gradients = torch.autograd.grad((y * direction).sum(), [x, gates, *learned.values()])
        found.append([y, *gradients])
    for name, fast, slow in zip(["y", "x", "gates", *learned], *found, strict=True):
        assert slow.any(), name
        torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5, msg=name)


def test_one_token_and_none_at_all() -> None:
    layer = mixture(**MOE)
    x, gates = inputs(layer, tokens=1)
    torch.testing.assert_close(layer.dispatch(x, gates), dispatch_by_loop(layer, x, gates))
    assert not layer.dispatch(x, torch.zeros_like(gates)).any()  # all were dropped


@pytest.mark.parametrize("width", [8, 7], ids=["by the library", "by the reference"])
def test_an_expert_without_tokens_does_no_work_and_learns_nothing(width: int) -> None:
    layer = mixture(**MOE, d_expert=width, bias=True)
    x, gates = inputs(layer)
    idle = 1
    gates = gates.detach().index_fill(1, torch.tensor([idle]), 0.0)
    with torch.no_grad():
        for weight in layer.experts.parameters():
            weight[idle] = torch.nan  # whatever touches it would show
    y = layer.dispatch(x, gates)
    assert y.isfinite().all()
    y.square().sum().backward()
    for name, weight in layer.experts.named_parameters():
        assert weight.grad is not None and not weight.grad[idle].any(), name
        assert weight.grad[0].any(), name


def test_work_is_for_chosen_tokens_alone() -> None:
    layer = mixture(**MOE)
    x, gates = inputs(layer)
    seen: list[int] = []
    product = experts.grouped_product

    def counted(rows: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
        seen.append(len(rows))
        assert ends[-1] == len(rows)
        return product(rows, weights, ends)

    with patch.object(experts, "grouped_product", counted):
        layer.dispatch(x, gates)
    assert seen == 3 * [int((gates != 0).sum())]  # up, gate, output


SIDES = [(8, 12), (4, 4), (8, 7), (7, 8), (5, 3), (1, 1)]


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str
)
@pytest.mark.parametrize(("inside", "outside"), SIDES)
def test_the_grouped_product_equals_the_reference(
    inside: int, outside: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(1)
    x, weights = (
        torch.randn(shape, generator=generator).to(dtype).requires_grad_()
        for shape in ((10, inside), (4, outside, inside))
    )
    ends = torch.tensor([3, 3, 9, 10], dtype=torch.int32)  # the second has no rows
    assert counts(ends).tolist() == [3, 0, 6, 1]
    found: list[tuple[Tensor, ...]] = []
    for product in (grouped_product, reference_product):
        y = product(x, weights, ends)
        found.append((y, *torch.autograd.grad(y.square().sum(), [x, weights])))
    for fast, slow in zip(*found, strict=True):
        torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize(("inside", "outside"), SIDES)
def test_widths_that_the_library_refuses_take_the_reference(inside: int, outside: int) -> None:
    ends = torch.tensor([1, 2], dtype=torch.int32)
    with patch.object(experts, "reference_product", wraps=reference_product) as reference:
        grouped_product(torch.ones(2, inside), torch.ones(2, outside, inside), ends)
    assert bool(reference.call_count) == bool(inside % 4 or outside % 4)
