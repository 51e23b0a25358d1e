"""What can be done with runs, for the page and for scripts alike.

Every function takes plain values from anyone, checks them, and raises `ValueError` with a sentence
for the learner. To know a run's id is to have the run; shipped runs can only be read and forked.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from engine import forks
from engine.config import RunConfig
from engine.data import DataError
from engine.data.text import from_text
from engine.events import (
    CHANGEABLE,
    Change,
    Ended,
    Message,
    Pause,
    Paused,
    Positive,
    Resume,
    Resumed,
    Started,
    Step,
    Stop,
)
from engine.jsonl import read_stored, size_of, write_whole
from engine.runs import DamagedRun, Run, RunError, State
from engine.validation import ConfigError, read_json
from playground import library, sessions, storage
from playground.controls import OWN_TEXT
from playground.plan import MAX_TEXT, Choice, TextFacts, plan, read_choice

PREDICTED = "predicted.json"
"""In a run's folder: its costs as the page predicted them before the start."""

COSTS: TypeAdapter[dict[str, float | None] | None] = TypeAdapter(
    dict[str, Positive | None] | None, config=ConfigDict(strict=True, allow_inf_nan=False)
)
"""What is in it."""

MOST_STEPS = 10_000
"""Steps that one command may ask for."""

COMMANDS = ("pause", "resume", "step", "stop", "change")

TEXT = {
    "no run": "No run is chosen yet.",
    "text": "A text of your own is characters, at most {most:,}.",
    "shipped": "“{name}” comes with the project: it can be forked, not changed.",
    "unknown": "{what} is not a command; there are {known}.",
    "steps": "A number of steps is from 1 to {most}.",
    "field": "{field} cannot be changed in the middle of a run; {known} can.",
    "number": "{value} is not a number that {field} can have.",
    "not training": "“{name}” is not being trained.",
    "waits": "“{name}” waits for its turn: until then it can only be stopped.",
    "mine": "Your own runs are a list of ids.",
    "not resumable": "“{name}” has nothing left to do, or no checkpoint to go on from.",
}


def find(run_id: object) -> Run:
    """The run of this id. Raises `ValueError`."""
    if not isinstance(run_id, str) or not 0 < len(run_id) <= 64:
        raise ValueError(TEXT["no run"])
    return library.find(run_id)


def own(run_id: object) -> Run:
    """The same, but not a shipped one."""
    run = find(run_id)
    if library.is_shipped(run):
        raise ValueError(TEXT["shipped"].format(name=run.name))
    return run


def understood(asked: object, text: object = None) -> Choice:
    """What a script asks for. Raises `ConfigError` for anything that makes no sense."""
    choice = read_choice(asked)
    if choice.refused:
        raise ConfigError(list(choice.refused))
    if isinstance(text, str) and text:
        choice = replace(choice, text=TextFacts.of(text))
    return choice


def start(choice: Choice, text: object = None, *, paused: bool = False, mine: object = None) -> Run:
    """Make a run of this choice and train it. Raises `ConfigError` for one that cannot be.

    `text` is the learner's own, where the choice reads one. A run started `paused` waits before its
    first step. `mine`: the ids of this learner's runs, as far as the browser knows them.
    """
    check_host(mine)
    worked_out = plan(choice)
    if worked_out.problems:
        raise ConfigError(list(worked_out.problems))
    if worked_out.obstacles:
        raise ValueError(" ".join(worked_out.obstacles))
    config = worked_out.config
    assert config is not None
    store, fork, name = library.store(), choice.fork, worked_out.name
    if fork is not None:
        run = forks.fork(store, fork.run, fork.step, config.flat(), name)
    elif config.data.source == OWN_TEXT:
        run = store.create(config, name, text=_checked(text, config))
    else:
        run = store.create(config, name)
    write_whole(run.path / PREDICTED, json.dumps(worked_out.costs()))
    return _begin(run, paused)


def check_host(mine: object = None, more: int = 1) -> None:
    """Raises `ValueError` where this host has no room for so many more runs of this learner."""
    if mine is not None and not isinstance(mine, list):
        raise ValueError(TEXT["mine"])
    sessions.check_each([str(run_id) for run_id in mine or ()], more)
    storage.make_room()


def reset(run_id: object, mine: Sequence[object] = ()) -> Run:
    """A new run like this one: same configuration, same initial weights, paused before its start.

    The old one is told to stop, and keeps what it has learned.
    """
    run = find(run_id)
    check_host([other for other in mine if other != run.id])
    store, parent, step = library.store(), run.info.parent, run.info.parent_step
    if parent is not None and step is not None:
        again = forks.fork(store, library.find(parent), step, run.config.flat(), run.name)
    else:
        again = forks.begin_again(store, run)
    if (run.path / PREDICTED).is_file():
        write_whole(again.path / PREDICTED, (run.path / PREDICTED).read_bytes())
    if run.status().alive:
        run.send(Stop())
    return _begin(again, paused=True, replacing=run.id)


def tell(
    run_id: object,
    what: object,
    value: object = None,
    field: object = "max_lr",
    mine: object = None,
) -> None:
    """Pause, resume, make `value` steps, stop, or change `field` to `value`.

    To resume a run without a process starts one. To stop one that waits for its turn gives up its place.
    """
    run = own(run_id)
    if what not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise ValueError(TEXT["unknown"].format(what=str(what)[:40], known=known))
    command: Message
    if what == "step":
        steps = 1 if value is None else value
        if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MOST_STEPS:
            raise ValueError(TEXT["steps"].format(most=MOST_STEPS))
        command = Step(steps=steps)
    elif what == "change":
        command = _change(run, field, value)
    else:
        command = {"pause": Pause(), "resume": Resume(), "stop": Stop()}[str(what)]
    if run.id in sessions.training() or run.status().alive:
        run.send(command)
    elif sessions.place(run.id) is not None:
        if what != "stop":
            raise RunError(TEXT["waits"].format(name=run.name))
        sessions.leave(run.id)
    elif what == "resume":
        if not _resumable(run, run.status().state):
            raise RunError(TEXT["not resumable"].format(name=run.name))
        check_host(mine)
        sessions.start(run)
    else:
        raise RunError(TEXT["not training"].format(name=run.name))


def status(run_id: object) -> dict[str, Any]:
    """Where a run is, as plain data. `place`: [its place in the queue, how many wait], where it waits."""
    run = find(run_id)
    sessions.see([run.id])
    now = sessions.status(run)
    saved = run.checkpoints()
    over = now.state in ("finished", "stopped", "diverged")
    return {
        "id": run.id,
        "name": run.name,
        "state": now.state,
        "step": now.step,
        "total": now.total_steps,
        "reason": now.reason,
        "place": sessions.place(run.id),
        "alive": now.alive or now.state == "starting",
        "shipped": library.is_shipped(run),
        "resumable": _resumable(run, now.state),
        "checkpoints": [checkpoint.step for checkpoint in saved],
        "rate": _told(run),
        "parent": run.info.parent,
        "predicted": _predicted(run),
        "measured": measured(run) if over and not library.is_shipped(run) else None,
    }


def measured(run: Run) -> dict[str, Any]:
    """What the run really took: seconds without its pauses, bytes of its process, parameters."""
    size = size_of(run.path / "events.jsonl")
    seconds, parameters = _timed(run.path, size)
    return {"seconds": seconds, "memory": sessions.memory(run), "parameters": parameters}


def remove(run_id: object) -> None:
    """Delete a run for good. Raises `RunBusy` while it is trained."""
    run = own(run_id)
    sessions.leave(run.id)
    library.store().delete(run.id)


def download(run_id: object, keep: Callable[[str], str | None]) -> str:
    """Write a zip of the run and hand its path to `keep`, which copies it; the path of the copy.

    Raises `RunError` without a checkpoint.
    """
    run = find(run_id)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"run-{run.id}.zip"
        run.download(path)
        kept = keep(str(path))
    assert kept is not None
    return kept


def events(run_id: object, offset: object = 0) -> dict[str, Any]:
    """What happened since byte `offset` of the run's log, and the offset to go on from."""
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < 2**53:
        raise ValueError(f"{str(offset)[:40]!r} is not a place in a run's log.")
    run = find(run_id)
    sessions.see([run.id])
    found, after = run.raw_events(offset)
    return {"events": found, "offset": after}


def runs(ids: object = ()) -> dict[str, list[dict[str, str]]]:
    """The shipped runs, and of `ids` those that there are: own runs are listed to nobody else.

    {"id", "name"} each; one that cannot be read has the beginning of its id for a name, and "damaged",
    the reason.
    """
    mine: list[dict[str, str]] = []
    store = library.store()
    for run_id in ids if isinstance(ids, list) else []:
        try:
            mine.append(_entry(store.open(str(run_id))))
        except DamagedRun as error:
            mine.append({"id": str(run_id), "name": str(run_id)[:8], "damaged": error.reason})
        except RunError:
            continue
    return {"shipped": [_entry(run) for run in library.shipped()], "own": mine}


def _resumable(run: Run, state: State) -> bool:
    if state in ("finished", "diverged"):
        return False
    saved = run.checkpoints()
    fresh = state == "new" and (not saved or saved[-1].step == run.info.parent_step)
    return fresh or any(checkpoint.resumable for checkpoint in saved)


def _entry(run: Run) -> dict[str, str]:
    return {"id": run.id, "name": run.name}


def _begin(run: Run, paused: bool, replacing: str | None = None) -> Run:
    """Train a new run; take it away again where that cannot be."""
    try:
        if paused:
            run.send(Pause())
        sessions.start(run, replacing)
    except RunError:
        library.store().delete(run.id)
        raise
    return run


def _checked(text: object, config: RunConfig) -> str:
    """The learner's own text, when this configuration can learn from it."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError(TEXT["text"].format(most=MAX_TEXT))
    try:
        from_text(text, config.data, config.model, config.train.seed, name=OWN_TEXT)
    except DataError as error:
        raise ValueError(error.allowed) from None
    return text


def _change(run: Run, field: object, value: object) -> Change:
    if field not in CHANGEABLE:
        known = ", ".join(CHANGEABLE)
        raise ValueError(TEXT["field"].format(field=str(field)[:40], known=known))
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    try:
        type(run.config.train).parse({str(field): number} | _beside(str(field), number))
    except ValueError:
        sentence = TEXT["number"].format(value=str(value)[:40], field=field)
        raise ValueError(sentence) from None
    return Change(field=str(field), value=float(number))


def _beside(field: str, number: float) -> dict[str, float]:
    """Keeps the two learning rates in order while one is checked alone."""
    return {"max_lr": {"min_lr": 0.0}, "min_lr": {"max_lr": 10.0}}.get(field, {})


def _told(run: Run) -> float:
    """The run's highest learning rate: as configured, or as it was told last."""
    rate = run.config.train.max_lr
    for command, _ in run.commands()[0]:
        if isinstance(command, Change) and command.field == "max_lr":
            rate = command.value
    return rate


def _predicted(run: Run) -> dict[str, float | None] | None:
    """None where nothing was predicted, or what was cannot be read."""
    try:
        return read_json(COSTS, read_stored(run.path / PREDICTED))
    except (OSError, ConfigError):
        return None


@lru_cache(maxsize=256)
def _timed(path: Path, size: int) -> tuple[float | None, int | None]:
    """Seconds of training without pauses, and parameters, from a log of this size."""
    run = Run(path)
    seconds, since, parameters = 0.0, None, None
    offset = 0
    while True:
        found, after = run.events(offset)
        if after == offset:
            return (seconds or None), parameters
        for event, at in found:
            if isinstance(event, Started):
                since, parameters = at, event.parameters
            elif isinstance(event, Resumed):
                since = at
            elif isinstance(event, Paused | Ended) and since is not None:
                seconds += at - since
                since = None
        offset = after
