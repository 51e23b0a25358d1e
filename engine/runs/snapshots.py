"""Snapshots: attention maps of one fixed sequence, recorded every few steps of training.

Weights are quantised to bytes and stored uncompressed in an .npz file. Loading checks every size before
it allocates. L layers, H heads, T positions, S source tokens, N encoder layers, Lx expert layers, E experts.
Nothing in this file loads PyTorch.
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

from engine.files import read_stored

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

NO_WEIGHTS = np.zeros((0, 0, 0, 0), np.uint8)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The attention of one fixed sequence at one step of training."""

    step: int
    tokens: npt.NDArray[np.int32]
    """(T,) token ids of the sequence."""
    attention: Bytes
    """(L, H, T, T) attention weights, quantised by `quantise`: 255 is one."""
    norms: Floats
    """(2 L + 1, T) root mean square of the residual stream: after the embedding, then after each
    block's attention and feed-forward. (3 L + 1, T) with cross-attention between the two."""
    losses: Floats
    """(T - 1,) cross-entropy of each next token, in nats."""
    routing: Bytes
    """(2, Lx, T, E) router probabilities of all experts, and gates of the chosen experts (0 for the
    others), quantised by `quantise_up`. Lx is 0 for a dense model and for an encoder-decoder."""
    sources: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """(S,) token ids of the source text. Without an encoder, this and the two below are empty."""
    cross: Bytes = field(default_factory=lambda: NO_WEIGHTS)
    """(L, H, T, S) cross-attention weights, quantised by `quantise`."""
    encoder: Bytes = field(default_factory=lambda: NO_WEIGHTS)
    """(N, H, S, S) attention weights of the encoder, quantised by `quantise`."""

    def sharpness(self) -> Floats:
        """(L + 1, H + 1) alignment sharpness: the largest cross-attention weight of a row, averaged over rows.

        It is 1 / S for uniform attention and at most 1. Index -1 is the average over all layers or heads,
        taken before the maximum. Raises `ValueError` without cross-attention.
        """
        if 0 in self.cross.shape:
            raise ValueError(f"step {self.step}: has no cross-attention")
        cross = dequantise(self.cross)  # (L, H, T, S)
        cross = np.concatenate([cross, cross.mean(0, keepdims=True)])
        cross = np.concatenate([cross, cross.mean(1, keepdims=True)], 1)
        return cross.max(-1).mean(-1).astype(np.float32)


def quantise(weights: Floats) -> Bytes:
    """Quantise weights in 0..1 to bytes: round(255 w). The error is at most 1/510, about 0.002."""
    return np.rint(255 * weights).astype(np.uint8)


def dequantise(rounded: Bytes) -> Floats:
    """Restore weights in 0..1 from the bytes of `quantise`."""
    return np.divide(rounded, 255, dtype=np.float32)


def quantise_up(shares: Floats) -> Bytes:
    """Quantise shares in 0..1 to bytes, rounding up so that positive shares stay positive."""
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
_OPTIONAL = ("routing", "sources", "cross", "encoder")
"""Arrays that snapshots of earlier versions lack."""
_NAME = re.compile(r"step-(\d{6,12})\.npz")
_MAX_FILE = 64 << 20
"""Bytes. 96 layers of 96 heads over 48 tokens take 21 MB."""


def save(snapshot: Snapshot, path: Path) -> None:
    """Write an .npz file atomically."""
    arrays = {name: np.asarray(getattr(snapshot, name), kind) for name, kind in _TYPES.items()}
    unfinished = path.with_name(path.name + ".tmp")
    with open(unfinished, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(unfinished, path)


def load(path: Path) -> Snapshot:
    """Load a snapshot that `save` wrote.

    Every size is checked before memory is allocated. Raises `ValueError` for a damaged or hostile file,
    `OSError` for one that is too large or not a regular file.
    """
    content = io.BytesIO(read_stored(path, _MAX_FILE))
    try:
        with zipfile.ZipFile(content) as archive:
            arrays = {
                name: _member(archive, name, kind)
                for name, kind in _TYPES.items()
                if name not in _OPTIONAL or f"{name}.npy" in archive.namelist()
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
        empty = 0 in shape[:-1] and name not in _OPTIONAL
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
    """One array of the file. It must be uncompressed, so that its size in memory is known beforehand."""
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
        raise ValueError(f"{name} has another size than its header says")
    return np.ndarray(shape, dtype, buffer=data, offset=file.tell())
