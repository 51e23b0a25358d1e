"""The processes that train one model together: how many, which one this is, what they say to each other.

    torchrun --nproc_per_node=2 -m engine train ...

starts as many processes as it is told and numbers them in environment variables. Number 0, the
first, leads: it alone reads commands, writes the run and speaks to the terminal. The others do what
it says, at the same moment (`following`). Sums and messages between CPUs go through gloo, between GPUs
through nccl. Without torchrun there is `ALONE`, for which everything here does nothing.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = timedelta(minutes=30)
"""How long a process waits for another, which may be writing a large checkpoint."""

HEARTBEAT_SECONDS = 60.0
"""So often the first process tells the others that it is still paused."""

MESSAGE = 8192
"""Bytes of a message: more than the path of a run has."""

CULPRIT = "culprit"
"""Where in torchrun's store a process says why it failed."""


@dataclass(frozen=True)
class Ranks:
    """All processes, as one of them sees them."""

    rank: int = 0
    """The number of this one."""
    size: int = 1
    """How many there are."""
    local: int = 0
    """The number of this one among those on its machine, and of its GPU there."""
    beside: int = 1
    """How many there are on its machine."""

    @property
    def together(self) -> bool:
        """Is there more than one?"""
        return self.size > 1

    @property
    def leads(self) -> bool:
        """Is this the first one, or the only one?"""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum of every process's tensor of this shape, the same in all of them. No gradient."""
        if not self.together:
            return values
        import torch.distributed as dist

        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    def say(self, message: object) -> None:
        """Tell all others, who wait in `hear`. `message` is anything that JSON can write."""
        if self.together:
            line = json.dumps(message).encode()
            if len(line) > MESSAGE:
                raise ValueError(f"a message of {len(line)} bytes: there is room for {MESSAGE}")
            self._pass_on(bytearray(line.ljust(MESSAGE)))

    def hear(self) -> Any:
        """What the first process says, when it says it."""
        line = bytearray(MESSAGE)
        self._pass_on(line)
        return json.loads(line)

    def _pass_on(self, line: bytearray) -> None:
        """Fill `line` with that of the first process, in all of them."""
        import torch
        import torch.distributed as dist

        dist.broadcast(torch.frombuffer(line, dtype=torch.uint8), src=0)

    def blame(self, reason: str) -> None:
        """Leave word of why this process fails, for the first one to find when it is gone."""
        _store().set(CULPRIT, f"process {self.rank} of {self.size}: {reason}")

    def lost(self, error: Exception) -> str:
        """What to say where an error comes from another process that failed or is gone; else nothing."""
        if not self.together or not isinstance(error, RuntimeError):
            return ""
        if not any(word in str(error) for word in ("gloo", "NCCL", "Connection")):
            return ""
        found = ""
        with suppress(RuntimeError):  # the store may be gone too
            found = _store().get(CULPRIT).decode() if _store().check([CULPRIT]) else ""
        if found:
            return f"Another process failed, {found}"
        return "Another process is gone: killed, or out of memory. The run can be resumed."


ALONE = Ranks()
"""What there is without torchrun."""


def launched(environment: Mapping[str, str] = os.environ) -> Ranks:
    """The processes that torchrun says there are; `ALONE` where it has not started this one."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
    numbers = [environment.get(name, "") for name in names]
    if not all(map(str.isdecimal, numbers)) or numbers[1] == "1":
        return ALONE
    rank, size, local, beside, _ = map(int, numbers)
    return Ranks(rank, size, local, beside)


@contextmanager
def join() -> Generator[Ranks]:
    """Inside the block, the processes that torchrun started know each other.

    Without torchrun there is nothing to join; who has joined already may do so again.
    """
    ranks = launched()
    if not ranks.together:
        yield ranks
        return
    import torch
    import torch.distributed as dist

    if dist.is_initialized():
        yield ranks
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    yield ranks
    dist.destroy_process_group()  # not after an error: the others may be gone


def hush(ranks: Ranks) -> None:
    """Let the first process alone speak to the terminal: the others would say the same."""
    if not ranks.leads:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _store() -> Any:
    """Torchrun's own store of words, which outlives each of the processes."""
    from torch.distributed.distributed_c10d import (
        _get_default_store,  # pyright: ignore[reportPrivateUsage]
    )

    return _get_default_store()
