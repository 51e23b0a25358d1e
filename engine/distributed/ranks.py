"""The processes that train one model: their number, the rank of this one, and their messages.

    torchrun --nproc_per_node=2 -m engine train ...

starts `nproc_per_node` processes and numbers them in environment variables. Rank 0 leads: only it reads
commands, writes the run and prints. The others do the same tasks at the same moment (`followers`). Sums
and messages use gloo on CPUs and nccl on GPUs. Without torchrun there is only `ALONE`, for which sums and
messages do nothing.
"""

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
"""Time that a process waits for another one, which may be writing a large checkpoint."""

HEARTBEAT_SECONDS = 60.0
"""Interval of the first process's heartbeat while it is paused."""

MESSAGE = 8192
"""Bytes of a message: more than the longest path of a run."""

CULPRIT = "culprit"
"""Key in torchrun's store for the reason of a failure."""


@dataclass(frozen=True)
class Ranks:
    """All processes, from the view of one of them."""

    rank: int = 0
    """Number of this process."""
    size: int = 1
    """Number of processes."""
    local: int = 0
    """Number of this process on its machine, and of its GPU."""
    beside: int = 1
    """Number of processes on its machine."""

    @property
    def together(self) -> bool:
        """Whether there is more than one process."""
        return self.size > 1

    @property
    def leads(self) -> bool:
        """Whether this is the first or the only process."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """The sum of this tensor over processes, the same in each. Has no gradient."""
        if not self.together:
            return values
        import torch.distributed as dist

        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    def say(self, message: object) -> None:
        """Send a message, anything that JSON can store, to all others, which wait in `hear`."""
        if self.together:
            line = json.dumps(message).encode()
            if len(line) > MESSAGE:
                raise ValueError(f"a message of {len(line)} bytes: there is room for {MESSAGE}")
            self._pass_on(bytearray(line.ljust(MESSAGE)))

    def hear(self) -> Any:
        """Wait for the message of the first process, and return it."""
        line = bytearray(MESSAGE)
        self._pass_on(line)
        return json.loads(line)

    def _pass_on(self, line: bytearray) -> None:
        """Copy `line` from the first process to all others, in place."""
        import torch
        import torch.distributed as dist

        dist.broadcast(torch.frombuffer(line, dtype=torch.uint8), src=0)

    def blame(self, reason: str) -> None:
        """Store the reason why this process fails, for the first process to find."""
        _store().set(CULPRIT, f"process {self.rank} of {self.size}: {reason}")

    def lost(self, error: Exception) -> str:
        """The message if `error` was caused by another process that failed or is gone; else ""."""
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
"""One process, without torchrun."""


def launched(environment: Mapping[str, str] = os.environ) -> Ranks:
    """The processes that torchrun has started; `ALONE` if it has not started this one."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
    numbers = [environment.get(name, "") for name in names]
    if not all(map(str.isdecimal, numbers)) or numbers[1] == "1":
        return ALONE
    rank, size, local, beside, _ = map(int, numbers)
    return Ranks(rank, size, local, beside)


@contextmanager
def join() -> Generator[Ranks]:
    """Connect the processes that torchrun started, inside the block.

    Does nothing without torchrun, or if they are connected already.
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
    """Silence all processes but the first, which would print the same."""
    if not ranks.leads:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _store() -> Any:
    """Torchrun's key-value store, which outlives each process."""
    from torch.distributed.distributed_c10d import (
        _get_default_store,  # pyright: ignore[reportPrivateUsage]
    )

    return _get_default_store()
