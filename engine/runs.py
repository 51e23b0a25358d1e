"""A run is a folder: what was asked for, what happened, and what was learned.

    config.json      the whole RunConfig
    run.json         its name, when it was made, what it was forked from, of which suite it is
    tokenizer.json   written when the run first starts
    data/text.txt    a learner's own text, where the run reads one
    events.jsonl     what happened, one line each, only ever appended to   (events.EVENTS)
    commands.jsonl   what the run was told, likewise                       (events.COMMANDS)
    lock             held by the process that trains the run               (claims)
    process-N.json   how long the logs were when its N-th process began
    snapshots/       attention of one fixed sequence, step-000010.npz
    step-000500/     a checkpoint: model.safetensors, optimizer.safetensors, state.json

A writer appends whole lines; a reader remembers how many bytes it has read and asks for what came
after. A shipped run is the same folder without optimizer.safetensors: it can be read, generated
with and forked, but not resumed.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter

from engine import claims
from engine.config import RunConfig, read_config
from engine.events import (
    COMMANDS,
    EVENTS,
    MAX_TIME,
    AtStep,
    Changed,
    Diverged,
    Ended,
    Evaluated,
    Line,
    Message,
    Paused,
    Probed,
    Resumed,
    Routed,
    Sampled,
    Saved,
    Started,
    Stepped,
    Working,
    read_line,
)
from engine.jsonl import (
    MAX_LINE,
    MAX_REASON,
    append_line,
    check_stored,
    is_stored,
    lines_backward,
    read_lines,
    read_stored,
    reason_of,
    size_of,
    write_whole,
    writing_out,
)
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
"""How many bytes of a log one read takes at most, unless told otherwise."""

MAX_TAIL = 16 * MAX_LINE
"""How many bytes at the end of a log are searched for where the run is."""

CONFIG = "config.json"

TEXT_PATH = "data/text.txt"
"""Where a run keeps a learner's own text, inside its folder."""

MAX_OWN_TEXT = 1 << 28
"""Bytes of it."""

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
_CHECKPOINT = re.compile(r"step-(\d{6,12})")
REPEATED = frozenset(
    kind.type
    for kind in (Stepped, Routed, Evaluated, Diverged, Sampled, Working, Probed, Saved, Changed)
)
"""Events that a resumed process tells again, where it begins before them: what was learned, and with which
settings. The others tell what happened to the run's processes (that one was paused, or failed), and stay.
Of the step that a process begins with, nothing is told a second time."""

_ASIDE = {"changed", "saved", "noted", "sampled", "probed"}
"""Events that do not tell whether a run trains or waits: they happen in both."""


class RunError(ValueError):
    """A run that cannot be opened, claimed or deleted, and why."""


class DamagedRun(RunError):
    """A run whose files cannot be read: `reason` names the file, and what is wrong with it."""

    def __init__(self, run_id: str, reason: str) -> None:
        reason = reason[:MAX_REASON]
        self.reason = reason
        super().__init__(f"The run {run_id!r} cannot be read: {reason}")


class UnknownRun(RunError):
    """There is no run of this id."""


class RunBusy(RunError):
    """Another process trains this run."""


@dataclass(frozen=True)
class RunInfo:
    """`run.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True, extra="ignore", allow_inf_nan=False
    )

    name: Annotated[str, Field(max_length=1_000)]
    created: Annotated[float, Field(ge=0, le=MAX_TIME)]
    """Seconds since 1970."""
    parent: Annotated[str, Field(max_length=1_000)] | None = None
    """The id of the run that this one was forked from."""
    parent_step: AtStep | None = None
    suite: Annotated[str, Field(max_length=1_000)] | None = None
    """The ablation suite that this run is of, by its name."""
    variant: Annotated[str, Field(max_length=1_000)] | None = None
    """Which of the suite's variants it is."""


INFO: TypeAdapter[RunInfo] = TypeAdapter(RunInfo)


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk."""

    step: int
    path: Path

    @property
    def resumable(self) -> bool:
        """Does it hold the optimizer too? Shipped runs keep the weights alone."""
        return is_stored(self.path / "optimizer.safetensors")


@dataclass(frozen=True)
class Status:
    """Where a run is, derived from its events and its process; never stored."""

    state: State
    step: int
    total_steps: int
    reason: str = ""
    """Why it ended, where it said so."""
    alive: bool = False
    """Is there a process that obeys commands?"""
    pid: int | None = None
    """That process's number where it runs. For people to read: in another container it means nothing."""


@dataclass(frozen=True)
class Damaged:
    """A folder among the runs that is not a run, and what is wrong with it."""

    id: str
    path: Path
    reason: str


class Run:
    """One run's folder. Opening reads `config.json` and `run.json`, the rest is read when asked.

    Raises `DamagedRun`, a `RunError`, for a folder that is not a whole run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        try:
            self.config: RunConfig = read_config(path / CONFIG)
            self.info: RunInfo = _read_info(path / "run.json")
            for log in ("events.jsonl", "commands.jsonl"):
                with suppress(FileNotFoundError):
                    check_stored(path / log)
        except OSError as error:
            raise DamagedRun(self.id, reason_of(error)) from None
        except ConfigError as error:
            raise DamagedRun(self.id, f"{CONFIG}: {error}") from None
        except RunError as error:
            raise DamagedRun(self.id, str(error)) from None

    @property
    def name(self) -> str:
        """What the learner calls it."""
        return self.info.name

    def rename(self, name: str) -> None:
        """Call it something else. Raises `RunError` for a name that is empty."""
        self.info = replace(self.info, name=_printable(name))
        _write_info(self.path, self.info)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # What happened -----------------------------------------------------------------------------

    def append(self, event: Message, trained: float | None = None) -> None:
        """Add one line to `events.jsonl`, stamped with the time, and with what `trained` would answer."""
        stamp = {} if trained is None else {"trained": round(trained, 3)}
        append_line(self.path / "events.jsonl", _stamped(event, **stamp))

    def events(
        self, offset: int = 0, limit_bytes: int = READ_LIMIT
    ) -> tuple[list[tuple[Message, float]], int]:
        """What happened since byte `offset`: (event, time) each, and the offset to go on from.

        At most about `limit_bytes` are read; ask again until the offset stays where it is. An
        unfinished last line waits for the next read. Lines that cannot be read (a process was
        killed while writing, or a newer version wrote them) are left out.
        """
        found, offset = self._log(offset, limit_bytes)
        return [(line.message, line.time) for line in found], offset

    def _log(self, offset: int, limit: int = READ_LIMIT) -> tuple[list[Line], int]:
        """`events` with all stamps."""
        lines, offset = read_lines(self.path / "events.jsonl", offset, limit)
        return _readable(lines, EVENTS), offset

    def raw_events(
        self, offset: int = 0, limit: int = READ_LIMIT
    ) -> tuple[list[dict[str, Any]], int]:
        """The same as plain dictionaries with "type", "time" and, in newer logs, "trained", for a page."""
        found, offset = self._log(offset, limit)
        return [
            {"type": line.message.type, **vars(line.message), "time": line.time}
            | ({} if line.trained is None else {"trained": line.trained})
            for line in found
        ], offset

    def history(self) -> list[Message]:
        """All events, without those that a resumed run has repeated since (see `current`)."""
        found: list[Message] = []
        offset = 0
        while True:
            messages, after = self.events(offset)
            if after == offset:
                return current(found)
            found.extend(message for message, _ in messages)
            offset = after

    def trained(self) -> float:
        """Seconds that its processes have trained it, without pauses, by a clock that nobody sets.

        They are in the stamps of its events. Older logs have times alone; there, a time that went
        backward counts as none.
        """
        seconds, since, offset = 0.0, None, 0
        while True:
            found, after = self._log(offset)
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

    # What it is told ---------------------------------------------------------------------------

    def send(self, command: Message) -> None:
        """Tell the run's process something; it answers with an event.

        Raises `ValueError` for what is no command, such as a number of another type.
        """
        line = _stamped(command)
        read_line(line, COMMANDS)
        append_line(self.path / "commands.jsonl", line)

    def commands(
        self, offset: int = 0, limit_bytes: int = READ_LIMIT
    ) -> tuple[list[tuple[Message, float]], int]:
        """What the run was told since byte `offset`, as `events` does."""
        lines, offset = read_lines(self.path / "commands.jsonl", offset, limit_bytes)
        return [(line.message, line.time) for line in _readable(lines, COMMANDS)], offset

    # What it learned ---------------------------------------------------------------------------

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint of this step is, or would be."""
        return self.path / f"step-{step:06d}"

    def snapshot_path(self, name: str) -> Path:
        """Where the snapshot that a `Probed` event names is."""
        return self.path / "snapshots" / name

    @property
    def tokenizer_path(self) -> Path:
        """Written when the run first starts."""
        return self.path / "tokenizer.json"

    def tokenizer(self) -> Tokenizer:
        """Read it. Raises `DamagedRun`, also while there is none yet."""
        try:
            return load_tokenizer(self.tokenizer_path)
        except OSError as error:
            raise DamagedRun(self.id, reason_of(error)) from None
        except TokenizerError as error:
            raise DamagedRun(self.id, f"{self.tokenizer_path.name}: {error}") from None

    def checkpoints(self) -> list[Checkpoint]:
        """Every whole checkpoint, the earliest first. A save that was cut short is none."""
        found: list[Checkpoint] = []
        for entry in self.path.iterdir():
            match = _CHECKPOINT.fullmatch(entry.name)
            if match and is_stored(entry / "state.json") and is_stored(entry / "model.safetensors"):
                found.append(Checkpoint(int(match[1]), entry))
        return sorted(found, key=lambda checkpoint: checkpoint.step)

    def data_config(self) -> RunConfig:
        """The configuration, with the whole path of a text that lies inside the run's folder."""
        given = self.config.data.train_data_path
        if given is None or not is_stored(self.path / given):
            return self.config
        data = self.config.data.model_copy(update={"train_data_path": str(self.path / given)})
        return self.config.model_copy(update={"data": data})

    # Who trains it -----------------------------------------------------------------------------

    def claim(self) -> claims.Claim:
        """Take the run for this process, so that no other trains it.

        Raises `RunBusy`, or `UnknownRun` where it has just been deleted.
        """
        try:
            return claims.take(self.path)
        except claims.Taken as error:
            raise RunBusy(f"{self.name}: {error}") from None
        except FileNotFoundError:
            raise UnknownRun(f"{self.name}: has been deleted") from None

    def status(self) -> Status:
        """Where the run is. Reads the end of `events.jsonl` only, however long the run is."""
        alive = claims.is_held(self.path)  # asked first: what it told before it ended is then read
        last, told, step = self._latest()
        claim = claims.last(self.path) if alive or last is None else None
        pid = claim.pid if claim is not None and alive else None

        def status(state: State, reason: str = "") -> Status:
            return Status(state, step, self.config.train.total_steps, reason, alive, pid)

        if alive and (last is None or (claim is not None and told < claim.events)):
            return status("starting")  # what was told so far came from an earlier process
        if last is None:
            return status("new" if claim is None or claim.released else "interrupted")
        if isinstance(last, Ended):
            return status(last.how, last.reason)
        if not alive:
            return status("interrupted", "Its process is gone; it can be resumed.")
        return status("paused" if isinstance(last, Paused) else "running")

    def ended_since(self, offset: int) -> bool:
        """Has a process said that it is done, at this byte of the log or later?"""
        last, place, _ = self._latest()
        return isinstance(last, Ended) and place >= offset

    def _latest(self) -> tuple[Message | None, int, int]:
        """The last event that tells training from waiting, its place in the file, the last step."""
        path = self.path / "events.jsonl"
        size = size_of(path)
        window = 1 << 14
        while True:
            start = max(0, size - window)
            step: int | None = None
            for place, line in lines_backward(path, start, size):
                try:
                    event = read_line(line).message
                except ValueError:
                    continue
                if step is None:
                    step = int(getattr(event, "step", 0))
                if event.type not in _ASIDE:
                    return event, place, step
            if start == 0 or window >= MAX_TAIL:
                saved = self.checkpoints()
                return None, 0, step if step is not None else saved[-1].step if saved else 0
            window *= 8

    # Taking it along ---------------------------------------------------------------------------

    def download(self, target: Path | IO[bytes]) -> None:
        """Write a zip of the run: its folder with the newest weights, and a script that uses them.

        Without the optimizer and the learner's own text. A file is written whole, or left as it was.
        Raises `RunError` without a checkpoint.
        """
        if isinstance(target, Path):
            with writing_out(target) as file:
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
                if is_stored(self.path / name):
                    with open(self.path / name, "rb") as file:
                        add_file(archive, f"{root}/{name}", file)
            translates = self.config.model.n_encoder_layer is not None
            name, script = "generate.py", GENERATE_SCRIPT
            if translates:
                name, script = "translate.py", TRANSLATE_SCRIPT
            script = script.replace("STEP", newest)
            add_file(archive, f"{root}/{name}", io.BytesIO(script.encode()))


def add_file(archive: zipfile.ZipFile, name: str, content: IO[bytes]) -> None:
    """Put a file into a zip without any date: a zip has none before 1980 or after 2107, but disks and clocks do."""
    with archive.open(name, "w", force_zip64=True) as file:  # with its own default date, 1980-01-01
        shutil.copyfileobj(content, file, 1 << 20)


GENERATE_SCRIPT = '''\
"""Write on from a prompt with this run's model.

Start it in the project's folder, where `engine/` is, with its requirements installed:

    python path/to/this/generate.py "Once upon a time"
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

import torch

from engine.checkpoint import load_model
from engine.data.reading import ended_lines
from engine.generation import Sampler, generate
from engine.tokenizers import TextStream

model, tokenizer, config = load_model(Path(__file__).parent / "STEP")
start = "\\n" if "\\n" in tokenizer.pieces else tokenizer.pieces[0]
prompt = ended_lines(" ".join(sys.argv[1:])) or start
ids = tokenizer.encode(prompt)
generator = torch.Generator().manual_seed(0)

print(prompt, end="")
stream = TextStream(tokenizer)
for step in generate(model, ids, 200, Sampler(temperature=0.8), generator):
    print(stream.feed([step.token]), end="", flush=True)
print(stream.end())
'''


TRANSLATE_SCRIPT = '''\
"""Translate a text with this run's model.

Start it in the project's folder, where `engine/` is, with its requirements installed:

    python path/to/this/translate.py "a text to translate"
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from engine.checkpoint import load_model
from engine.data.pairs import source_ids
from engine.translation import beam_search

model, tokenizer, config = load_model(Path(__file__).parent / "STEP")
text = " ".join(sys.argv[1:])
if not text.strip():
    sys.exit("Say what to translate.")
best = beam_search(model, [source_ids(tokenizer, text)], beams=4)[0].found[0]
print(tokenizer.decode(best.text))
'''


class RunStore:
    """The runs below one folder, each in a folder named by its id."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def create(
        self,
        config: RunConfig,
        name: str,
        parent: str | None = None,
        *,
        parent_step: int | None = None,
        text: str | None = None,
        fill: Callable[[Path], None] | None = None,
        suite: str | None = None,
        variant: str | None = None,
    ) -> Run:
        """Make a run: in a temporary folder first, then renamed, so that no half of one is seen.

        Its id is random and cannot be guessed: to know it is to have access to it. `text` is a
        learner's own text, kept in the folder and read from there; `fill` may put more into the
        folder, such as a checkpoint to start from; `suite` and `variant` say what a run of an ablation
        is. Raises `RunError` for a name that is empty.
        """
        name = _printable(name)
        run_id = secrets.token_hex(12)
        folder = self.root / f".new-{run_id}"
        make_private(folder)
        try:
            if text is not None:
                write_whole(folder / TEXT_PATH, text)
                data = config.data.changes() | {"source": "text", "train_data_path": TEXT_PATH}
                config = config.model_copy(update={"data": type(config.data).parse(data)})
            if fill is not None:
                fill(folder)
            info = RunInfo(name, round(time.time(), 3), parent, parent_step, suite, variant)
            write_whole(folder / "config.json", config.to_json())
            _write_info(folder, info)
            folder.rename(self.root / run_id)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Run(self.root / run_id)

    def open(self, run_id: str) -> Run:
        """Raises `UnknownRun` for an id that is none, `RunError` for a damaged folder."""
        if not _ID.fullmatch(run_id) or not (self.root / run_id).is_dir():
            raise UnknownRun(f"There is no run {run_id[:80]!r} in {self.root}.")
        return Run(self.root / run_id)

    def find(self, text: str) -> Run:
        """A run by its id, the beginning of its id, or its name. Raises `UnknownRun`."""
        for matches in self.matches(text):
            if len(matches) == 1:
                return matches[0]
            if matches:
                ids = ", ".join(run.id for run in matches)
                raise UnknownRun(f"{text!r} could be any of {ids}; say which by its id.")
        raise UnknownRun(f"There is no run {text[:80]!r} in {self.root}.")

    def matches(self, text: str) -> tuple[list[Run], list[Run], list[Run]]:
        """The runs of this id, those of this name, and those whose id begins so."""
        runs = self.list()
        return (
            [run for run in runs if run.id == text],
            [run for run in runs if run.name == text],
            [run for run in runs if text and run.id.startswith(text)],
        )

    def list(self) -> list[Run]:
        """Every run that can be read, the newest first. `damaged` has the rest."""
        return self._survey()[0]

    def damaged(self) -> list[Damaged]:
        """Every folder here that is not a whole run, with the reason."""
        return self._survey()[1]

    def _survey(self) -> tuple[list[Run], list[Damaged]]:
        runs: list[Run] = []
        damaged: list[Damaged] = []
        for path in self.folders():
            try:
                runs.append(Run(path))
            except DamagedRun as error:
                damaged.append(Damaged(path.name, path, error.reason))
        return sorted(runs, key=lambda run: -run.info.created), damaged

    def folders(self) -> Iterator[Path]:
        """Every folder here that is a run, or was meant to be one."""
        for name in sorted(_names(self.root)):
            if not _ID.fullmatch(name):
                continue
            path = self.root / name
            if _holds(path, "run.json") or _holds(path, "config.json"):
                yield path  # not some other folder, such as the learners' runs beside the shipped

    def delete(self, run_id: str) -> None:
        """Remove a run, whole or damaged. Raises `UnknownRun`, or `RunBusy` while it is trained."""
        if not _ID.fullmatch(run_id) or not (self.root / run_id).is_dir():
            raise UnknownRun(f"There is no run {run_id[:80]!r} in {self.root}.")
        folder = self.root / run_id
        gone = self.root / f".deleted-{run_id}-{secrets.token_hex(4)}"
        try:
            claims.put_away(folder, gone)
        except claims.Taken:
            raise RunBusy(f"{_name_in(folder)}: is being trained; stop it first") from None
        shutil.rmtree(gone, ignore_errors=True)


def make_private(folder: Path) -> None:
    """Make a folder, and missing ones above it, that other users of this machine cannot enter.

    A folder that is there already stays as it is.
    """
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)


def current(events: Iterable[Message]) -> list[Message]:
    """Leave out what no longer holds.

    A process that was killed at step 550 is resumed from its checkpoint at 500, and says so with
    `Started(step=500)`: what came after step 500 is then done, and told, again (`REPEATED`).
    """
    kept: list[Message] = []
    for event in events:
        if isinstance(event, Started):
            kept = [
                old
                for old in kept
                if old.type not in REPEATED or getattr(old, "step", 0) <= event.step
            ]
        kept.append(event)
    return kept


def describe(changes: Mapping[str, Any]) -> str:
    """A name for a run out of what was changed: "d_model 128, position alibi"."""
    words = [
        name if value is True else f"no {name}" if value is False else f"{name} {_short(value)}"
        for name, value in changes.items()
    ]
    return ", ".join(words)


def _stamped(message: Message, **stamp: float) -> str:
    return message.to_line(time=round(time.time(), 3), **stamp)


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, cast("tuple[int, ...]", value)))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _readable(lines: Iterable[bytes], kinds: dict[str, type[Message]]) -> list[Line]:
    found: list[Line] = []
    for line in lines:
        try:
            found.append(read_line(line, kinds))
        except ValueError:
            continue
    return found


def _printable(name: str) -> str:
    """A run's name in one line. Raises `RunError` where nothing is left of it."""
    name = " ".join("".join(c if c.isprintable() else " " for c in name).split())[:120]
    if not name:
        raise RunError("A run needs a name.")
    return name


def _write_info(folder: Path, info: RunInfo) -> None:
    write_whole(folder / "run.json", json.dumps(asdict(info), ensure_ascii=False, indent=2))


def _read_info(path: Path) -> RunInfo:
    try:
        return read_json(INFO, read_stored(path))
    except ConfigError as error:
        raise RunError(f"{path.name}: {error}") from None


def _holds(folder: Path, name: str) -> bool:
    """Is there something of this name, or may nobody look? A folder of another kind is no run."""
    try:
        os.lstat(folder / name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # opening it says why it cannot be read
    return True


def _name_in(folder: Path) -> str:
    """What the learner calls the run in a folder; its id where that cannot be read."""
    try:
        return _read_info(folder / "run.json").name
    except (OSError, RunError):
        return folder.name


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
