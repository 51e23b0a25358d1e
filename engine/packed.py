"""Copies of a model's matrices for products with one token: turned where that helps, in large pages.

One vector times a matrix takes as long as the matrix takes to be read, and two things decide how long that
is (PyTorch 2.13, AVX2; `benchmarks.seq2seq_speed` measures them together):

- The direction. The library reads a flat matrix best along its longer side: 1.2 to 2.8 times as fast from
  256 x 128 to 8,000 x 256.
- The pages. A processor remembers where some thousand pages of memory are. Of 4 KB each, that is less than a
  small model; of 2 MB each, more than a large one: 1.02 to 1.15 times as fast with 19 MB of matrices.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import mmap
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

WIDE = 128
"""Matrices with fewer columns stay where they are."""

MOST = 256 << 20
"""Bytes that the copies of one model may take; what is over is read where it is."""

PAGE = 2 << 20
LINE = 64
"""Bytes of a large page, and of what a processor reads at once."""


@dataclass(eq=False)
class Copy:
    """A weight (F, C) and its copy: (C, F) where it is turned, else (F, C)."""

    weight: Tensor
    values: Tensor
    turned: bool
    version: int
    """Of the weight when it was copied; PyTorch counts every change but those made through `.data`."""


class Packed:
    """The copies of one model's matrices, one behind the other. `room` is the most bytes they will need."""

    def __init__(self, room: int) -> None:
        self.memory = large_pages(min(room, MOST))
        self.used = 0
        self.copies: dict[Tensor, Copy] = {}

    def of(self, weight: Tensor) -> Copy | None:
        """The copy of a weight (F, C), made when it is first asked for; None: read the weight itself."""
        if weight in self.copies:
            return self.copies[weight]
        rows, columns = weight.shape
        end = self.used + weight.nbytes
        if columns < WIDE or end > len(self.memory) or weight.is_inference():
            return None
        turned = rows >= 2 * columns
        shape = (columns, rows) if turned else (rows, columns)
        values = self.memory[self.used : end].view(weight.dtype).view(shape)
        self.used = -(-end // LINE) * LINE
        copy = self.copies[weight] = Copy(weight, values, turned, version=-1)
        refresh(copy)
        return copy

    def refresh(self) -> None:
        """Copy again what has changed."""
        for copy in self.copies.values():
            refresh(copy)


def refresh(copy: Copy) -> None:
    """Copy the weight again if it has changed."""
    version = copy.weight._version  # pyright: ignore[reportPrivateUsage]
    if version != copy.version:
        with torch.inference_mode():  # as where the copy was made
            copy.values.copy_(copy.weight.t() if copy.turned else copy.weight)
        copy.version = version


def large_pages(size: int) -> Tensor:
    """(size,) bytes, in large pages where the system lends some: Linux takes it as advice.

    What is never written to takes no memory.
    """
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is None:
        return torch.empty(size, dtype=torch.uint8)
    memory = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system built without them
        memory.madvise(advice)
    whole = torch.frombuffer(memory, dtype=torch.uint8)  # which keeps `memory`
    first = -whole.data_ptr() % PAGE
    return whole[first : first + size]
