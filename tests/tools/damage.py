"""Damaged runs: every stored file of a run, in every way a file can be wrong. For tests and benchmarks.

    runs = valid_runs(folder)                    # {"experts": {"config.json": b"...", ...}, "translator": ...}
    change = damage(runs["experts"], Random(7))  # {"events.jsonl": b"...", "step-000004/state.json": "pipe"}
    lay_out(runs["experts"] | change, folder)    # write the files there; what is a word becomes that kind of thing

`damage` gives only the files that differ. The same seed damages in the same way. Nothing here needs a
running server, and only `valid_runs` loads PyTorch: it trains two tiny runs.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np

Kind = Literal["missing", "folder", "pipe", "link out", "link to itself", "link to a device"]
KINDS: tuple[Kind, ...] = (
    "missing", "folder", "pipe", "link out", "link to itself", "link to a device",
)  # fmt: skip
Files = dict[str, "bytes | Kind"]
"""A run's files by their path in its folder: the content, or what stands in place of a file."""

OUTSIDE = Path(__file__).resolve().parents[2] / "pyproject.toml"
"""What a link that leads out of the run's folder leads to: a file that everybody has, and no run's."""

SMALL: dict[str, Any] = {
    "source": "sort", "task_length": 4, "max_seq_len": 16, "d_model": 8, "n_head": 2, "n_layer": 1,
    "batch_size": 2, "total_steps": 6, "warmup_steps": 1, "eval_interval": 3, "eval_steps": 1,
    "sample_interval": 3, "probe_interval": 2, "save_interval": 4, "threads": 1,
}  # fmt: skip

SPECIES: dict[str, dict[str, Any]] = {
    "experts": SMALL | {"n_experts": 2, "top_k": 1},
    "translator": SMALL | {"source": "numbers", "n_encoder_layer": 1, "max_seq_len": 24},
}

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**53, 2**63 - 1, 2**64, 10**400, -(10**400), 1e18, 1e308, -1e308,
    math.nan, math.inf, -math.inf, "", "x", "5", "nan", "\ud800", "\x00", "../../../etc/passwd", "/etc/passwd",
    "__proto__", "constructor", "Field", "<img src=x onerror=alert(1)>", "x" * 300_000, [], [[]], {}, [None],
    {"__proto__": 1}, [1, [2, [3]]], [[0.5], [0.5, 0.5]], [math.nan], ["x"],
)  # fmt: skip
"""What a value is replaced by."""

LINES: tuple[bytes, ...] = (
    b"", b"null", b"[]", b"5", b"{}", b"{", b"\x00" * 100, b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 5_000,
    b'{"type": "from the future", "step": 9}', b'{"type": ["stepped"]}', b'"' + b"x" * 200_000, b" " * 100_000,
    b"9" * 5_000, b'{"type": "stepped", "type": "ended", "step": 3}', b"\r\r\r",
)  # fmt: skip
"""What a line, or a whole file, is replaced by."""

LONG = b'{"type": "noted", "step": 1, "text": "' + b"x" * (6 << 20)
"""A line that is longer than a line can be, and does not end."""


def valid_runs(folder: Path) -> dict[str, dict[str, bytes]]:
    """Two small whole runs, trained in this folder: one with experts, and one that translates."""
    from engine.config import RunConfig
    from engine.runs.events import Pause, Resume
    from engine.runs.store import RunStore
    from engine.training.driver import drive

    found: dict[str, dict[str, bytes]] = {}
    for name, fields in SPECIES.items():
        run = RunStore(folder).create(RunConfig.from_flat(fields), name)
        for command in (Pause(), Resume()):
            run.send(command)
        assert drive(run).how == "finished"
        costs = {"parameters": 1, "active": None, "flops": 1.0, "memory": 1, "seconds": 1.0}
        (run.path / "predicted.json").write_text(json.dumps(costs))
        (run.path / "measured.json").write_text('{"memory": 100000000}')
        paths = sorted(path for path in run.path.rglob("*") if path.is_file())
        found[name] = {str(path.relative_to(run.path)): path.read_bytes() for path in paths}
    return found


def damage(files: dict[str, bytes], random: Random) -> Files:
    """One to three of the files, each damaged in one to three ways."""
    changed: Files = {}
    names = [*files, *(name for name in files if "/" not in name)]  # a run has many checkpoints
    for name in random.sample(names, random.choice((1, 1, 2, 3))):
        if random.random() < 0.15:
            changed[name] = random.choice(KINDS)
            continue
        content = files[name]
        for _ in range(random.choice((1, 1, 2, 3))):
            content = random.choice(_ways(name))(content, random)
        changed[name] = content
    if random.random() < 0.03:  # the state, the weights or the snapshot of another step
        twins = [(a, b) for a in files for b in files if a != b and _alike(a) == _alike(b)]
        one, other = random.choice(twins)
        changed[one] = files[other]
    return changed


def _alike(name: str) -> str:
    return "".join(c for c in name if not c.isdigit())


def lay_out(files: Files, folder: Path) -> None:
    """Write these files into a folder, in place of what is there."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
            os.utime(path, (1e9, 1e9))  # a file that is being written is given a moment
        elif content == "folder":
            path.mkdir()
        elif content == "pipe":
            os.mkfifo(path)
        elif content == "link out":
            path.symlink_to(OUTSIDE)
        elif content == "link to itself":
            path.symlink_to(path)
        elif content == "link to a device":
            path.symlink_to("/dev/zero")


# Ways of damaging ---------------------------------------------------------------------------------

Way = Callable[[bytes, Random], bytes]


def _ways(name: str) -> tuple[Way, ...]:
    anything = (cut, flip, insert, empty, junk)
    if name.endswith(".jsonl"):
        return (*anything, line_gone, line_twice, line_junk, *4 * (line_value,), line_long)
    if name.endswith(".json"):
        return (*anything, *5 * (value,))
    if name.endswith(".npz"):
        return (*anything, *3 * (array,))
    return anything


def cut(content: bytes, random: Random) -> bytes:
    """The file ends too early."""
    return content[: random.randrange(len(content) + 1)]


def flip(content: bytes, random: Random) -> bytes:
    """Some bytes are others."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 3, 20)) if changed else 0):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def insert(content: bytes, random: Random) -> bytes:
    """Something is in the middle that does not belong there."""
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(LINES) + content[at:]


def empty(content: bytes, random: Random) -> bytes:
    """Nothing, or nothing but zeros, as a disk that was full may leave it."""
    return random.choice((b"", b"\x00" * len(content), b"\n"))


def junk(content: bytes, random: Random) -> bytes:
    """Another file's content."""
    return random.choice(LINES) + random.choice((b"", b"\n"))


def line_gone(content: bytes, random: Random) -> bytes:
    """A line is missing."""
    lines = content.splitlines(keepends=True)
    if lines:
        del lines[random.randrange(len(lines))]
    return b"".join(lines)


def line_twice(content: bytes, random: Random) -> bytes:
    """A line stands again, somewhere."""
    lines = content.splitlines(keepends=True)
    if lines:
        lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
    return b"".join(lines)


def line_junk(content: bytes, random: Random) -> bytes:
    """A line is something else."""
    lines = content.splitlines(keepends=True)
    lines.insert(random.randrange(len(lines) + 1), random.choice(LINES) + b"\n")
    return b"".join(lines)


def line_long(content: bytes, random: Random) -> bytes:
    """Now and then: a line that never ends."""
    if random.random() < 0.8:
        return line_junk(content, random)
    lines = content.splitlines(keepends=True)
    lines.insert(random.randrange(len(lines) + 1), LONG)
    return b"".join(lines)


def line_value(content: bytes, random: Random) -> bytes:
    """A value in one line is another."""
    lines = content.splitlines(keepends=True)
    if lines:
        at = random.randrange(len(lines))
        lines[at] = value(lines[at], random).rstrip(b"\n") + b"\n"
    return b"".join(lines)


def value(content: bytes, random: Random) -> bytes:
    """A value somewhere in a JSON text is another, is gone, or is new."""
    try:
        whole: Any = json.loads(content)
    except (ValueError, RecursionError):
        return flip(content, random)
    place = whole
    while isinstance(place, dict | list) and place:
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        key: Any = random.choice(keys)
        inner: Any = place[key]
        if isinstance(inner, dict | list) and inner and random.random() < 0.8:
            place = inner
            continue
        how = random.random()
        if how < 0.1:
            del place[key]
        elif how < 0.2 and isinstance(place, dict):
            place[random.choice(("__proto__", "new", "type", "step", "x" * 1_000))] = inner
        else:
            place[key] = random.choice(VALUES)
        break
    else:
        whole = random.choice(VALUES)
    return json.dumps(whole).encode()


def array(content: bytes, random: Random) -> bytes:
    """One array of a snapshot has another type, shape or values; or is an object, which only pickle has."""
    try:
        with np.load(io.BytesIO(content)) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception:  # damaged before
        return flip(content, random)
    name = random.choice(list(arrays))
    found = arrays[name]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: found.astype("<f8"),
        lambda: found[None],
        lambda: found.reshape(-1)[:1],
        lambda: found.reshape(-1)[:0],
        lambda: np.full_like(found, -1 if found.dtype.kind != "u" else 255),
        lambda: np.full_like(found, np.nan if found.dtype.kind == "f" else 2),
        lambda: np.full_like(
            found, np.iinfo(found.dtype).max if found.dtype.kind in "iu" else 1e38
        ),
        lambda: np.array([{"a": 1}], object),
        lambda: np.asfortranarray(np.resize(found, (2, 3))),
    )
    arrays[name] = random.choice(ways)()
    if random.random() < 0.1:
        del arrays[name]
    file = io.BytesIO()
    (np.savez_compressed if random.random() < 0.1 else np.savez)(file, **arrays)
    if random.random() < 0.05:  # a file that says that it has more than it has
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("step.npy", b"\x93NUMPY\x01\x00")
    return file.getvalue()
