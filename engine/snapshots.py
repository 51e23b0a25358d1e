"""A snapshot: the attention of one fixed sequence, which training records every few steps.

Weights are rounded to bytes, arrays lie in an .npz file as they are, and reading one checks every
size first. L layers, H heads, T positions, S tokens of a text to translate, N encoder layers, Lx
expert layers, E experts. Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.jsonl import read_stored

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

NO_WEIGHTS = np.zeros((0, 0, 0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The attention of one fixed sequence at one step of training."""

    step: int
    tokens: npt.NDArray[np.int32]
    """(T,) the ids of the sequence."""
    attention: Bytes
    """(L, H, T, T) weights as `quantise` rounds them: 255 is one."""
    norms: Floats
    """(2 L + 1, T) root mean square of the residual stream: after the embedding, then after each
    block's attention and each block's feed-forward. (3 L + 1, T) with cross-attention between them."""
    losses: Floats
    """(T - 1,) cross-entropy of each next token, in nats."""
    routing: Bytes
    """(2, Lx, T, E) of the Lx expert layers: what the router thinks of every expert (the
    probabilities), and the gates of those that were chosen, 0 for all others; as `quantise_up`
    rounds them. Lx is 0 for a dense model, and where there is an encoder."""
    sources: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """(S,) the ids of the text to translate; without an encoder these three are empty."""
    cross: Bytes = field(default_factory=lambda: NO_WEIGHTS)
    """(L, H, T, S) cross-attention, rounded like `attention`."""
    encoder: Bytes = field(default_factory=lambda: NO_WEIGHTS)
    """(N, H, S, S) the encoder's attention."""

    def sharpness(self) -> Floats:
        """(L + 1, H + 1) how sharp the alignment is: the largest weight of each row of cross-attention,
        on average over the rows; 1 / S where every token is looked at alike.

        The last layer and head stand for all: their weights are averaged before the largest is taken.
        Raises `ValueError` without cross-attention.
        """
        if 0 in self.cross.shape:
            raise ValueError(f"step {self.step}: without cross-attention")
        cross = dequantise(self.cross)  # (L, H, T, S)
        cross = np.concatenate([cross, cross.mean(0, keepdims=True)])
        cross = np.concatenate([cross, cross.mean(1, keepdims=True)], 1)
        return cross.max(-1).mean(-1).astype(np.float32)


def quantise(weights: Floats) -> Bytes:
    """Weights in 0..1 as bytes: round(255 w). The error is at most 1/510, about 0.002."""
    return np.rint(255 * weights).astype(np.uint8)


def dequantise(rounded: Bytes) -> Floats:
    """Weights in 0..1 from the bytes of `quantise`."""
    return np.divide(rounded, 255, dtype=np.float32)


def quantise_up(shares: Floats) -> Bytes:
    """Shares in 0..1 as bytes, rounded up, so that what is above zero stays so."""
    return np.ceil(255 * shares.clip(0, 1) - 1e-4).clip(0, 255).astype(np.uint8)


# Snapshots on disk -------------------------------------------------------------------------------

_TYPES: dict[str, str] = {
    "step": "<i8",
    "tokens": "<i4",
    "attention": "|u1",
    "norms": "<f4",
    "losses": "<f4",
    "routing": "|u1",
    "sources": "<i4",
    "cross": "|u1",
    "encoder": "|u1",
}
_LATER = ("routing", "sources", "cross", "encoder")
"""What snapshots of earlier versions do not have."""
_NAME = re.compile(r"step-(\d{6,12})\.npz")
_MAX_FILE = 64 << 20
"""Bytes. 96 layers of 96 heads over 48 tokens take 21 MB."""


def save(snapshot: Snapshot, path: Path) -> None:
    """Write an .npz file that is either whole or not there."""
    arrays = {name: np.asarray(getattr(snapshot, name), kind) for name, kind in _TYPES.items()}
    unfinished = path.with_name(path.name + ".tmp")
    with open(unfinished, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(unfinished, path)


def load(path: Path) -> Snapshot:
    """Read what `save` wrote.

    Every size is checked before memory is taken, so a damaged or hostile file is a `ValueError`, and one
    that is not a regular file or is too large an `OSError`.
    """
    content = io.BytesIO(read_stored(path, _MAX_FILE))
    try:
        with zipfile.ZipFile(content) as archive:
            arrays = {
                name: _member(archive, name, kind)
                for name, kind in _TYPES.items()
                if name not in _LATER or f"{name}.npy" in archive.namelist()
            }
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path.name}: not a snapshot: {error}") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    step, tokens, attention = arrays["step"], arrays["tokens"], arrays["attention"]
    length = len(tokens) if tokens.ndim == 1 else 0
    routing = arrays.setdefault("routing", np.zeros((2, 0, length, 0), np.uint8))
    sources = arrays.setdefault("sources", np.zeros(0, np.int32))
    arrays.setdefault("cross", NO_WEIGHTS)
    encoder = arrays.setdefault("encoder", NO_WEIGHTS)
    read = len(sources) if sources.ndim == 1 else 0
    layers, heads = (*attention.shape, 0, 0)[:2]
    shapes = {
        "step": (),
        "tokens": (length,),
        "attention": (*attention.shape[:2], length, length),
        "norms": ((3 if read else 2) * layers + 1, length),
        "losses": (length - 1,),
        "routing": (2, *routing.shape[1:2], length, *routing.shape[3:4]),
        "sources": (read,),
        "cross": (layers, heads, length, read) if read else (0, 0, 0, 0),
        "encoder": (len(encoder), heads, read, read) if read else (0, 0, 0, 0),
    }
    for name, shape in shapes.items():
        empty = 0 in shape[:-1] and name not in _LATER
        if arrays[name].shape != shape or empty:
            raise ValueError(f"{path.name}: {name} has shape {arrays[name].shape}")
    for name in ("norms", "losses"):
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{path.name}: {name} holds values that are not finite")
    if min(int(step), tokens.min(initial=0), sources.min(initial=0)) < 0:
        raise ValueError(f"{path.name}: holds a step or a token below zero")
    named = _NAME.fullmatch(path.name)
    if named and int(named[1]) != step:
        raise ValueError(f"{path.name}: is of step {int(step)}")
    del arrays["step"]
    return Snapshot(step=int(step), **arrays)


def _member(archive: zipfile.ZipFile, name: str, kind: str) -> npt.NDArray[Any]:
    """One array of the file: stored as it is, so that its size in memory is known before."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > _MAX_FILE:
        raise ValueError(f"{name} is compressed or too large")
    data = archive.read(entry)
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} has an unknown format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype != np.dtype(kind) or fortran or any(size < 0 for size in shape):
        raise ValueError(f"{name} has type {dtype}, not {kind}")
    count = 1
    for size in shape:
        count *= size
    if count * dtype.itemsize != len(data) - file.tell():
        raise ValueError(f"{name} does not hold what its header says")
    return np.ndarray(shape, dtype, buffer=data, offset=file.tell())
