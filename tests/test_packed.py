"""Copies of matrices: the same numbers, in one piece of memory, up to date, and no more than allowed."""

from __future__ import annotations

import mmap

import pytest
import torch

from engine import packed
from engine.packed import LINE, PAGE, Packed, large_pages


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(256, 128), (255, 128), (129, 200), (1000, 250)], ids=str)
def test_a_copy_is_the_weight_and_follows_it(shape: tuple[int, int], dtype: torch.dtype) -> None:
    weight = torch.randn(*shape, dtype=dtype, requires_grad=True)
    copies = Packed(weight.nbytes)
    copy = copies.of(weight)
    assert copy is not None and copies.of(weight) is copy
    assert copy.turned == (shape[0] >= 2 * shape[1])
    assert torch.equal(copy.values, weight.t() if copy.turned else weight)
    assert copy.values.is_contiguous()
    with torch.no_grad():
        weight.add_(1)
    assert not torch.equal(copy.values, weight.t() if copy.turned else weight)
    copies.refresh()
    assert torch.equal(copy.values, weight.t() if copy.turned else weight)


def test_copies_lie_one_behind_the_other_and_none_is_over_the_room() -> None:
    weights = [torch.randn(128 + n, 129) for n in range(4)]
    copies = Packed(sum(weight.nbytes + LINE for weight in weights[:3]))
    first, second, third = (copies.of(weight) for weight in weights[:3])
    assert first is not None and second is not None and third is not None
    for before, after in ((first, second), (second, third)):
        gap = after.values.data_ptr() - before.values.data_ptr() - before.weight.nbytes
        assert 0 <= gap < LINE and after.values.data_ptr() % LINE == 0
    assert copies.of(weights[3]) is None
    for copy, weight in zip((first, second, third), weights, strict=False):
        assert torch.equal(copy.values, weight)


def test_what_is_narrow_or_cannot_be_followed_stays_where_it_is() -> None:
    copies = Packed(1 << 20)
    assert copies.of(torch.randn(128, 127)) is None
    with torch.inference_mode():
        assert copies.of(torch.randn(128, 128)) is None


def test_no_more_than_most_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST", 128 * 128 * 4)
    copies = Packed(1 << 40)
    assert copies.of(torch.randn(128, 128)) is not None
    assert copies.of(torch.randn(128, 128)) is None


@pytest.mark.parametrize("size", [1, PAGE, PAGE + 1])
@pytest.mark.parametrize("lent", [True, False])
def test_large_pages_begin_where_pages_begin(
    size: int, lent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not lent:
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    memory = large_pages(size)
    assert memory.shape == (size,) and memory.dtype == torch.uint8
    memory.fill_(7)
    assert memory.sum(dtype=torch.int64) == 7 * size
    if lent and hasattr(mmap, "MADV_HUGEPAGE"):
        assert memory.data_ptr() % PAGE == 0
