"""Reads weights that another library stored as safetensors: one file, or several and an index.

    model.safetensors
    model.safetensors.index.json    {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}

Nothing in such a folder is trusted. Names, shapes and types of all tensors are checked before the first
is read, and the index may only name files beside it. Pickle files, which can run code, are never read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.files import read_object
from engine.training.checkpoint import CheckpointError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"

MAX_INDEX = 32 << 20
"""Bytes. Of a model with 10,000 experts, an index takes 5 MB."""

FLOATS = ("F32", "F16", "BF16")
"""The types that are read; the model is fp32, which represents all their values."""

_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.safetensors")

Shapes = Mapping[str, tuple[int, ...]]


def files(folder: Path) -> dict[Path, set[str] | None]:
    """The weight files and the names that each must have; None: see the file itself.

    Raises `CheckpointError` if there are none, or if the index is invalid or leaves the folder.
    """
    if (folder / WHOLE).is_file():
        return {folder / WHOLE: None}
    path = folder / INDEX
    if not path.is_file():
        reason = f"has neither {WHOLE} nor {INDEX}; other formats, such as .bin, are not read"
        raise CheckpointError(folder, reason)
    if path.stat().st_size > MAX_INDEX:
        raise CheckpointError(path, f"is larger than {MAX_INDEX >> 20} MB")
    places = (read_object(path.read_bytes()) or {}).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise CheckpointError(path, "is no JSON object with a weight_map, or was cut short")
    found: dict[Path, set[str] | None] = {}
    for name, shard in cast("dict[str, Any]", places).items():
        if not isinstance(shard, str) or not _SHARD.fullmatch(shard):
            raise CheckpointError(path, f"{str(shard)[:80]!r} is not a safetensors file beside it")
        names = found.setdefault(folder / shard, set())
        assert names is not None
        names.add(name)
    return found


def read(
    folder: Path, shapes: Shapes, ignored: Callable[[str], bool]
) -> Iterator[tuple[str, Tensor]]:
    """Exactly these tensors, in no particular order, in their stored types.

    Args:
        folder: where the files are.
        shapes: the name and shape of every tensor that the model needs.
        ignored: whether another name may be there too.

    Raises:
        CheckpointError: naming the file and the tensor, also for values that are not finite.
    """
    found = files(folder).items()
    chosen = {path: _check(path, names, shapes, ignored) for path, names in found}
    there = {name for names in chosen.values() for name in names}
    for name in sorted(shapes.keys() - there):
        raise CheckpointError(folder, f"lacks {name}")
    for path, names in chosen.items():
        with _opened(path) as file:
            for name in names:
                tensor: Tensor = file.get_tensor(name)
                if not tensor.isfinite().all():
                    raise CheckpointError(path, f"{name} holds values that are not finite")
                yield name, tensor


def find(folder: Path, name: str) -> Tensor | None:
    """One tensor, whatever its shape; None if no file has it. Raises `CheckpointError` as `read` does."""
    for path, listed in files(folder).items():
        if listed is None or name in listed:
            with _opened(path) as file:
                names: list[str] = file.keys()
                if name in names:
                    return file.get_tensor(name)
    return None


def _check(
    path: Path, listed: set[str] | None, shapes: Shapes, ignored: Callable[[str], bool]
) -> list[str]:
    """The needed names in this file, after its header is checked."""
    with _opened(path) as file:
        stored: set[str] = set(file.keys())
        for name in sorted((listed or set[str]()) - stored):
            raise CheckpointError(path, f"lacks {name[:80]}, which the index promises")
        if listed is not None:
            stored = listed
        for name in sorted(stored - shapes.keys()):
            if not ignored(name):
                raise CheckpointError(path, f"holds {name[:80]!r}, which has no place in the model")
        needed = sorted(stored & shapes.keys())
        for name in needed:
            part = file.get_slice(name)
            found, kind = tuple(part.get_shape()), part.get_dtype()
            if found != shapes[name] or kind not in FLOATS:
                wanted = f"{' or '.join(FLOATS)} {shapes[name]}"
                raise CheckpointError(path, f"{name} is {kind} {found}, the model needs {wanted}")
    return needed


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    """The open file; every error names it."""
    try:
        opened: Any = safe_open(path, "pt")
        with opened as file:
            yield file
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    except SafetensorError as error:
        reason = f"is not a safetensors file, or was cut short: {error}"
        raise CheckpointError(path, reason) from None
