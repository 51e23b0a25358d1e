"""A run is a folder with its configuration, its logs and its checkpoints.

    config.json      the complete RunConfig
    run.json         name, creation time, parent run, ablation suite
    tokenizer.json   written when the run first starts
    examples.json    likewise: prompts, the end token and the probe text of its data   (examples)
    data/text.txt    the user's own text, if the run reads one
    events.jsonl     events, one per line, append-only                 (events.EVENTS)
    commands.jsonl   commands sent to the run, likewise                (events.COMMANDS)
    lock             held by the process that trains the run           (locks)
    process-N.json   the sizes of the logs when the N-th process started
    snapshots/       attention maps of one fixed sequence, step-000010.npz
    step-000500/     a checkpoint: model.safetensors, optimizer.safetensors, state.json (and
                     last.safetensors, with an average of the weights)

A writer appends complete lines. A reader keeps the byte offset up to which it has read, and continues
from there. A shipped run is the same folder without optimizer.safetensors: it supports reading,
generation and forking, but not resuming.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from engine.config import RunConfig, read_config
from engine.files import (
    MAX_LINE,
    MAX_REASON,
    append_line,
    atomic_output,
    check_stored,
    error_reason,
    file_size,
    is_stored,
    lines_backward,
    read_lines,
    read_stored,
    write_atomic,
)
from engine.runs import locks
from engine.runs.archive import GENERATE_SCRIPT, TRANSLATE_SCRIPT, add_file
from engine.runs.events import (
    COMMANDS,
    EVENTS,
    MAX_TIME,
    AtStep,
    Ended,
    Line,
    Message,
    Paused,
    Resumed,
    Started,
    read_line,
)
from engine.runs.history import current
from engine.tokenizers import Tokenizer, TokenizerError, load_tokenizer
from engine.validation import ConfigError, read_json

State = Literal[
    "new",
    "waiting",
    "starting",
    "running",
    "paused",
    "finished",
    "stopped",
    "diverged",
    "failed",
    "interrupted",
]

READ_LIMIT = 1 << 20
"""Default limit of one read of a log, in bytes."""

MAX_TAIL = 16 * MAX_LINE
"""Bytes at the end of a log that are searched for the run's state."""

CONFIG = "config.json"

_CHECKPOINT = re.compile(r"step-(\d{6,12})")

_STATE_NEUTRAL = {"changed", "saved", "noted", "sampled", "probed"}
"""Event types that occur in both the running and the paused state, and so do not determine the state."""


class RunError(ValueError):
    """A run cannot be opened, claimed or deleted. The message says why."""


class DamagedRun(RunError):
    """A run's files cannot be read. `reason` names the file and the problem."""

    def __init__(self, run_id: str, reason: str) -> None:
        reason = reason[:MAX_REASON]
        self.reason = reason
        super().__init__(f"The run {run_id!r} cannot be read: {reason}")


class UnknownRun(RunError):
    """There is no run with this id."""


class RunBusy(RunError):
    """Another process is training this run."""


@dataclass(frozen=True)
class RunInfo:
    """The contents of `run.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="ignore", allow_inf_nan=False
    )

    name: Annotated[str, Field(max_length=1_000)]
    created: Annotated[float, Field(ge=0, le=MAX_TIME)]
    """Seconds since 1970."""
    parent: Annotated[str, Field(max_length=1_000)] | None = None
    """Id of the run that this one was forked from."""
    parent_step: AtStep | None = None
    suite: Annotated[str, Field(max_length=1_000)] | None = None
    """Name of the ablation suite that this run belongs to."""
    variant: Annotated[str, Field(max_length=1_000)] | None = None
    """Name of the suite's variant that this run trains."""


INFO: TypeAdapter[RunInfo] = TypeAdapter(RunInfo)


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    step: int
    path: Path

    @property
    def resumable(self) -> bool:
        """Whether it has the optimizer state. Shipped runs have the weights only."""
        return is_stored(self.path / "optimizer.safetensors")


@dataclass(frozen=True)
class Status:
    """The state of a run, derived from its events and its process. Never stored."""

    state: State
    step: int
    total_steps: int
    reason: str = ""
    """Why the run ended, if it logged a reason."""
    alive: bool = False
    """Whether a process is running that executes commands."""
    pid: int | None = None
    """That process's id, for display only: it has no meaning in another container."""


class Run:
    """One run's folder. The constructor reads `config.json` and `run.json`; other files are read on demand.

    Raises `DamagedRun`, a `RunError`, if the folder is not a complete run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        try:
            self.config: RunConfig = read_config(path / CONFIG)
            self.info: RunInfo = read_info(path / "run.json")
            for log in ("events.jsonl", "commands.jsonl"):
                with suppress(FileNotFoundError):
                    check_stored(path / log)
        except OSError as error:
            raise DamagedRun(self.id, error_reason(error)) from None
        except ConfigError as error:
            raise DamagedRun(self.id, f"{CONFIG}: {error}") from None
        except RunError as error:
            raise DamagedRun(self.id, str(error)) from None

    @property
    def name(self) -> str:
        """The name that the user gave it."""
        return self.info.name

    def rename(self, name: str) -> None:
        """Rename the run. Raises `RunError` for an empty name."""
        self.info = replace(self.info, name=clean_name(name))
        write_info(self.path, self.info)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # Events ------------------------------------------------------------------------------------

    def append(self, event: Message, trained: float | None = None) -> None:
        """Append an event to `events.jsonl`, stamped with the time and with `trained` seconds of training."""
        stamp = {} if trained is None else {"trained": round(trained, 3)}
        append_line(self.path / "events.jsonl", _stamped(event, **stamp))

    def events(
        self, offset: int = 0, limit_bytes: int = READ_LIMIT
    ) -> tuple[list[tuple[Message, float]], int]:
        """Events from byte `offset` on: a list of (event, time), and the offset of the next read.

        One call reads about `limit_bytes`; call again until the offset stops growing. An incomplete
        last line is left for the next read. Invalid lines (from a process killed while writing, or
        from a newer version) are skipped.
        """
        found, offset = self.lines(offset, limit_bytes)
        return [(line.message, line.time) for line in found], offset

    def lines(self, offset: int = 0, limit: int = READ_LIMIT) -> tuple[list[Line], int]:
        """`events` with all stamps."""
        lines, offset = read_lines(self.path / "events.jsonl", offset, limit)
        return _parse_lines(lines, EVENTS), offset

    def raw_events(
        self, offset: int = 0, limit: int = READ_LIMIT
    ) -> tuple[list[dict[str, Any]], int]:
        """Like `events`, as plain dictionaries with "type", "time" and, in newer logs, "trained"."""
        found, offset = self.lines(offset, limit)
        return [
            {"type": line.message.type, **vars(line.message), "time": line.time}
            | ({} if line.trained is None else {"trained": line.trained})
            for line in found
        ], offset

    def history(self) -> list[Message]:
        """All events that still hold (see `engine.runs.history`)."""
        found: list[Message] = []
        offset = 0
        while True:
            messages, after = self.events(offset)
            if after == offset:
                return current(found)
            found.extend(message for message, _ in messages)
            offset = after

    def trained(self) -> float:
        """Seconds of training over all processes, without pauses, measured by a monotonic clock.

        Read from the stamps of the events. Older logs have wall-clock times only; there, an interval
        in which the time went backward counts as zero.
        """
        seconds, since, offset = 0.0, None, 0
        while True:
            found, after = self.lines(offset)
            if after == offset:
                return seconds
            for event, at, trained in found:
                if trained is not None:
                    seconds, since = max(seconds, trained), None
                elif isinstance(event, Started | Resumed):
                    since = at
                elif isinstance(event, Paused | Ended) and since is not None:
                    seconds, since = seconds + max(0.0, at - since), None
            offset = after

    # Commands ----------------------------------------------------------------------------------

    def send(self, command: Message) -> None:
        """Send a command to the run's process, which answers with an event.

        Raises `ValueError` for an invalid command, such as one with a number of the wrong type.
        """
        line = _stamped(command)
        read_line(line, COMMANDS)
        append_line(self.path / "commands.jsonl", line)

    def commands(
        self, offset: int = 0, limit_bytes: int = READ_LIMIT
    ) -> tuple[list[tuple[Message, float]], int]:
        """Commands from byte `offset` on; see `events`."""
        lines, offset = read_lines(self.path / "commands.jsonl", offset, limit_bytes)
        return [(line.message, line.time) for line in _parse_lines(lines, COMMANDS)], offset

    # Checkpoints -------------------------------------------------------------------------------

    def checkpoint_path(self, step: int) -> Path:
        """Path of the checkpoint of this step, whether it exists or not."""
        return self.path / f"step-{step:06d}"

    def snapshot_path(self, name: str) -> Path:
        """Path of the snapshot that a `Probed` event names."""
        return self.path / "snapshots" / name

    @property
    def tokenizer_path(self) -> Path:
        """Path of the tokenizer, which is written when the run first starts."""
        return self.path / "tokenizer.json"

    def tokenizer(self) -> Tokenizer:
        """Load the tokenizer. Raises `DamagedRun`, also if it does not exist yet."""
        try:
            return load_tokenizer(self.tokenizer_path)
        except OSError as error:
            raise DamagedRun(self.id, error_reason(error)) from None
        except TokenizerError as error:
            raise DamagedRun(self.id, f"{self.tokenizer_path.name}: {error}") from None

    def checkpoints(self) -> list[Checkpoint]:
        """All complete checkpoints, earliest first. Interrupted saves are ignored."""
        found: list[Checkpoint] = []
        for entry in self.path.iterdir():
            match = _CHECKPOINT.fullmatch(entry.name)
            if match and is_stored(entry / "state.json") and is_stored(entry / "model.safetensors"):
                found.append(Checkpoint(int(match[1]), entry))
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def data_config(self) -> RunConfig:
        """The configuration, with an absolute path if the text is inside the run's folder."""
        given = self.config.data.train_data_path
        if given is None or not is_stored(self.path / given):
            return self.config
        data = self.config.data.model_copy(update={"train_data_path": str(self.path / given)})
        return self.config.model_copy(update={"data": data})

    # Process and status ------------------------------------------------------------------------

    def claim(self) -> locks.Claim:
        """Lock the run for this process, so that no other process can train it.

        Raises `RunBusy`, or `UnknownRun` if the run has just been deleted.
        """
        try:
            return locks.acquire(self.path)
        except locks.LockError as error:
            raise RunBusy(f"{self.name}: {error}") from None
        except FileNotFoundError:
            raise UnknownRun(f"{self.name}: has been deleted") from None

    def status(self) -> Status:
        """The run's state. Reads only the end of `events.jsonl`, so the cost does not grow with the run."""
        alive = locks.is_held(self.path)  # checked first, so that a final event is read afterwards
        last, position, step = self._latest()
        claim = locks.newest_claim(self.path) if alive or last is None else None
        pid = claim.pid if claim is not None and alive else None

        def status(state: State, reason: str = "") -> Status:
            return Status(state, step, self.config.train.total_steps, reason, alive, pid)

        if alive and (last is None or (claim is not None and position < claim.events)):
            return status("starting")  # all events so far came from earlier processes
        if last is None:
            return status("new" if claim is None or claim.released else "interrupted")
        if isinstance(last, Ended):
            return status(last.how, last.reason)
        if not alive:
            return status("interrupted", "Its process is gone; it can be resumed.")
        return status("paused" if isinstance(last, Paused) else "running")

    def ended_since(self, offset: int) -> bool:
        """Whether the latest event is an `Ended` at this byte offset of the log or later."""
        last, position, _ = self._latest()
        return isinstance(last, Ended) and position >= offset

    def _latest(self) -> tuple[Message | None, int, int]:
        """The last event that determines the state, its byte offset in the log, and the last step."""
        path = self.path / "events.jsonl"
        size = file_size(path)
        window = 1 << 14
        while True:
            start = max(0, size - window)
            step: int | None = None
            for position, line in lines_backward(path, start, size):
                try:
                    event = read_line(line).message
                except ValueError:
                    continue
                if step is None:
                    step = int(getattr(event, "step", 0))
                if event.type not in _STATE_NEUTRAL:
                    return event, position, step
            if start == 0 or window >= MAX_TAIL:
                saved = self.checkpoints()
                return None, 0, step if step is not None else saved[-1].step if saved else 0
            window *= 8

    # Export ------------------------------------------------------------------------------------

    def download(self, target: Path | IO[bytes]) -> None:
        """Write a zip of the run: its folder with the newest weights, and a script that uses them.

        It holds neither the optimizer state nor the file of the user's own text, but the log and the tokenizer
        quote parts of that text. A file is written atomically. Raises `RunError` if the run has no checkpoint.
        """
        if isinstance(target, Path):
            with atomic_output(target) as file:
                return self.download(file)
        saved = self.checkpoints()
        if not saved:
            raise RunError(f"{self.name}: has no checkpoint yet")
        newest = saved[-1].path.name
        files = ["config.json", "run.json", "tokenizer.json", "events.jsonl"]
        files += [f"{newest}/model.safetensors", f"{newest}/state.json"]
        root = f"run-{self.id}"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in files:
                if name == self.tokenizer_path.name and (content := self._shared_tokenizer()):
                    add_file(archive, f"{root}/{name}", io.BytesIO(content))
                elif is_stored(self.path / name):
                    with open(self.path / name, "rb") as file:
                        add_file(archive, f"{root}/{name}", file)
            translates = self.config.model.n_encoder_layer is not None
            name, script = "generate.py", GENERATE_SCRIPT
            if translates:
                name, script = "translate.py", TRANSLATE_SCRIPT
            script = script.replace("STEP", newest)
            add_file(archive, f"{root}/{name}", io.BytesIO(script.encode()))

    def _shared_tokenizer(self) -> bytes | None:
        """The tokenizer's file in today's format, which other programs read; None without one."""
        try:
            return f"{self.tokenizer().to_json()}\n".encode()
        except DamagedRun:
            return None


def _stamped(message: Message, **stamp: float) -> str:
    return message.to_line(time=round(time.time(), 3), **stamp)


def _parse_lines(lines: Iterable[bytes], kinds: dict[str, type[Message]]) -> list[Line]:
    found: list[Line] = []
    for line in lines:
        try:
            found.append(read_line(line, kinds))
        except ValueError:
            continue
    return found


def clean_name(name: str) -> str:
    """Reduce a run's name to one printable line of at most 120 characters. Raises `RunError` if it is empty."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())[:120]
    if not name:
        raise RunError("A run needs a name.")
    return name


def write_info(folder: Path, info: RunInfo) -> None:
    write_atomic(folder / "run.json", json.dumps(asdict(info), ensure_ascii=False, indent=2))


def read_info(path: Path) -> RunInfo:
    try:
        return read_json(INFO, read_stored(path))
    except ConfigError as error:
        raise RunError(f"{path.name}: {error}") from None
