"""The process that trains a run: its warm-up, the end of its parent, and the reason of its failure."""

from __future__ import annotations

import errno
import os
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import torch

from engine.generation.batched import continue_all
from engine.model.decoder import TransformerLM
from engine.runs.store import RunError
from engine.training.checkpoint import CheckpointError
from engine.training.loss import cross_entropy
from engine.training.optim import AdamW
from engine.validation import ConfigError


def warm_up() -> None:
    """Make one step with a tiny model, so that the first step of a run is as fast as the others."""
    with torch.random.fork_rng(devices=[]):
        model = TransformerLM(d_model=16, n_head=2, n_layer=1, vocab_size=8, max_seq_len=8)
        tokens = torch.zeros(2, 8, dtype=torch.long)
        cross_entropy(model(tokens), tokens).backward()
        AdamW(model.parameters()).step()
        continue_all(model, [[1, 2]], max_new_tokens=2)


def end_with_parent(stop: threading.Event, descriptor: int = 0) -> None:
    """Set `stop` when the other end of this process's standard input closes.

    The operating system closes it when the parent process ends, however it ends.
    """

    def watch() -> None:
        with suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        stop.set()

    threading.Thread(target=watch, daemon=True, name="parent").start()


def explain(error: Exception, folder: Path) -> str:
    """The reason of a failure in one sentence. Details of an unexpected one are written to a file.

    Paths are relative to the run's folder, since visitors of a page must not learn where that is.
    """
    return _reason(error, folder).replace(f"{folder}{os.sep}", "")


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, ConfigError | RunError | CheckpointError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        return "Out of memory. A smaller batch_size, max_seq_len or d_model needs less."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full."
    if isinstance(error, OSError):
        return str(error)
    with suppress(OSError):
        (folder / "error.txt").write_text("".join(traceback.format_exception(error)), "utf-8")
    first = (str(error).strip() or "no message").splitlines()[0][:300]
    return f"{type(error).__name__}: {first} (details in error.txt of the run's folder)"
