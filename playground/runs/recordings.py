"""The text that training recorded, and what it recorded of it: for every view that shows the inside of a model.

Nothing in this file loads PyTorch before it is asked for a text.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.files import error_reason
from engine.runs import snapshots
from engine.runs.snapshots import Snapshot
from playground.runs import run_data

if TYPE_CHECKING:
    from engine.runs.store import Run
    from playground.runs.models import Loaded

_SNAPSHOT = re.compile(r"step-(\d{6,12})\.npz")


def recorded(run: Run) -> dict[int, Path]:
    """The snapshots that training wrote, by step."""
    try:
        entries = list((run.path / "snapshots").iterdir())
    except OSError:  # none were written
        return {}
    found = {int(match[1]): path for path in entries if (match := _SNAPSHOT.fullmatch(path.name))}
    return dict(sorted(found.items()))


def snapshot(path: Path) -> Snapshot:
    """Read one of them. Raises `ValueError`."""
    try:
        return snapshots.load(path)
    except OSError as error:
        raise ValueError(error_reason(error)) from None


@functools.lru_cache(maxsize=64)
def _tokens_of(path: Path) -> list[int]:
    return snapshot(path).tokens.tolist()


def recorded_ids(run: Run, loaded: Loaded) -> list[int]:
    """The tokens that training recorded, the same at every step; none if it recorded nothing."""
    found = recorded(run)
    try:
        ids = _tokens_of(found[min(found)]) if found else []
    except ValueError:  # a damaged file: all else can still be shown
        return []
    return ids if all(0 <= i < len(loaded.tokenizer.pieces) for i in ids) else []


def default_ids(run: Run, loaded: Loaded, limit: int) -> list[int]:
    """The text to begin with: the one that training recorded, else the one it would record."""
    from engine.inspection.observe import RECORDED_TOKENS

    ids = recorded_ids(run, loaded)
    if not ids:
        found = run_data.examples(run)
        try:
            ids = [] if found is None else loaded.tokenizer.encode(found.probe)
        except ValueError:  # the tokenizer is not that of the data: a file was replaced
            ids = []
    if not ids:
        ids = list(range(len(loaded.tokenizer.pieces)))
    return ids[: min(RECORDED_TOKENS, limit)]
