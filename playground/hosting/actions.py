"""Actions on runs, for the page and for scripts alike.

Every function takes plain values from any client, checks them, and raises `ValueError` with a sentence
for the learner. The id of a run is enough to read and fork it. On a public host, changing or deleting it
also takes its key (`keys`). Shipped runs can only be read and forked.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import lru_cache
from itertools import chain, count
from pathlib import Path
from typing import Any, TypedDict

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import NotRequired

from engine.config import RunConfig, label
from engine.data import DataError, make_data
from engine.data.reading import ended_lines
from engine.files import file_size, is_stored, read_stored, write_atomic
from engine.runs import forks
from engine.runs.events import (
    CHANGEABLE,
    Change,
    Message,
    Pause,
    Positive,
    Resume,
    Started,
    Step,
    Stop,
)
from engine.runs.store import DamagedRun, Run, RunError, State
from engine.validation import ConfigError, Problem, read_json
from playground.access import keys
from playground.hosting import checks, downloads, processes, run_queue, storage
from playground.planning.choice import Choice, TextFacts, read_choice
from playground.planning.controls import OWN_TEXT
from playground.planning.own_text import learns, most_text
from playground.planning.plan import plan
from playground.runs import run_lookup

PREDICTED = "predicted.json"
"""In a run's folder: its costs as the page predicted them before the start."""

Costs = dict[str, float | None]

COSTS: TypeAdapter[Costs | None] = TypeAdapter(
    dict[str, Positive | None] | None, config=ConfigDict(strict=True, allow_inf_nan=False)
)
"""What is in it."""

NUMBER = re.compile(r" \(\d+\)$")
"""What `unique_name` adds to a name."""

MAX_STEPS = 10_000
"""Steps that one command may ask for."""

COMMANDS = ("pause", "resume", "step", "stop", "change")

TEXT = {
    "text": "Your text must be a string of at most {most:,} characters.",
    "own": "Your text {allowed}.",
    "unread": "is read only with the source 'text', and not by a fork",
    "shipped": "“{name}” comes with the project: it can be forked, not changed.",
    "unknown": "{what} is not a command. Commands: {known}.",
    "steps": "The number of steps must be a whole number from 1 to {most}.",
    "field": "{field} cannot be changed in the middle of a run; {known} can.",
    "number": "{field} cannot be {value}: it {allowed}.",
    "not training": "“{name}” is not being trained.",
    "waits": "“{name}” waits for its turn: until then it can only be stopped.",
    "not resumable": "“{name}” is finished, or has no checkpoint to resume from.",
}


def own(run_id: object, key: object) -> Run:
    """The run of this id, if this client may change it: not a shipped one, and only with its key."""
    run = run_lookup.find(run_id)
    if run_lookup.is_shipped(run):
        raise ValueError(TEXT["shipped"].format(name=run.name))
    keys.check(run, key)
    return run


def understood(asked: object, text: object = None) -> Choice:
    """The choice of a script. Raises `ConfigError` for anything that makes no sense."""
    choice = read_choice(asked)
    if choice.refused:
        raise ConfigError(list(choice.refused))
    if isinstance(text, str) and text:
        if choice.fork is not None or choice.values().get("source") != OWN_TEXT:
            raise ConfigError([Problem("text", text, TEXT["unread"])])
        choice = replace(choice, text=TextFacts.of(ended_lines(text)))
    return choice


def start(
    choice: Choice,
    text: object = None,
    *,
    paused: bool = False,
    new_key: str = "",
    own: object = (),
) -> Run:
    """Create and train a run. Raises `ConfigError` for an impossible choice.

    `text` is the learner's own text, if the choice reads one. A run started `paused` waits before its
    first step. `new_key`, made by `keys.new`, is needed to change the run. `own` are the ids of the learner's
    runs: the new one gets a name that none of them has.
    """
    check_host()
    worked_out = plan(choice)
    if worked_out.problems:
        raise ConfigError(list(worked_out.problems))
    if worked_out.obstacles:
        raise ValueError(" ".join(worked_out.obstacles))
    config = worked_out.config
    assert config is not None
    store, fork, name = run_lookup.store(), choice.fork, unique_name(worked_out.name, own)
    if fork is not None:
        run = forks.fork(store, fork.run, fork.step, config.flat(), name)
    elif config.data.source == OWN_TEXT:
        run = store.create(config, name, text=_checked(text, config))
    else:
        run = store.create(config, name)
    write_atomic(run.path / PREDICTED, json.dumps(worked_out.costs()))
    return begin(run, new_key, paused=paused)


def check_host(more: int = 1, replacing: str | None = None) -> None:
    """Raises `ValueError` if this host has no room for `more` runs of this visitor."""
    run_queue.check_each(more, replacing)
    storage.make_room()


def unique_name(name: str, own: object) -> str:
    """The name, with a number if another run has it already: beside a shipped run, the learner's first is (1)."""
    listed = runs(own)
    shipped, mine = ({entry["name"] for entry in listed[key]} for key in ("shipped", "own"))
    numbered = (f"{name} ({number})" for number in count(1 if name in shipped else 2))
    return next(each for each in chain([name], numbered) if each not in shipped | mine)


def reset(
    run_id: object, key: object = "", *, paused: bool = False, new_key: str = "", own: object = ()
) -> Run:
    """A new run like this one: same configuration, same initial weights. It starts at once, or `paused`.

    The old run stops and keeps its checkpoints, which takes its key; a shipped run needs no key and does
    not stop. `new_key` is needed to change the new run.
    """
    run = run_lookup.find(run_id)
    if not run_lookup.is_shipped(run):
        keys.check(run, key)
    check_host(replacing=run.id)
    store, parent, step = run_lookup.store(), run.info.parent, run.info.parent_step
    name = unique_name(NUMBER.sub("", run.name), own)
    if parent is not None and step is not None:
        again = forks.fork(store, run_lookup.find(parent), step, run.config.flat(), name)
    else:
        again = forks.rerun(store, run, name)
    if is_stored(run.path / PREDICTED):
        write_atomic(again.path / PREDICTED, read_stored(run.path / PREDICTED))
    if run.status().alive:
        run.send(Stop())
    return begin(again, new_key, paused=paused, replacing=run.id)


def send_command(
    run_id: object,
    what: object,
    value: object = None,
    field: object = "max_lr",
    key: object = "",
) -> None:
    """Pause, resume, make `value` steps, stop, or change `field` to `value`.

    Resuming a run without a process starts one. Stopping a run in the queue gives up its place.
    """
    run = own(run_id, key)
    if what not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise ValueError(TEXT["unknown"].format(what=str(what)[:40], known=known))
    command: Message
    if what == "step":
        steps = 1 if value is None else value
        if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MAX_STEPS:
            raise ValueError(TEXT["steps"].format(most=MAX_STEPS))
        command = Step(steps=steps)
    elif what == "change":
        command = _change(run, field, value)
    else:
        command = {"pause": Pause(), "resume": Resume(), "stop": Stop()}[str(what)]
    if run.id in processes.training() or run.status().alive:
        run.send(command)
    elif run_queue.place(run.id) is not None:
        if what != "stop":
            raise RunError(TEXT["waits"].format(name=run.name))
        run_queue.leave(run.id)
    elif what == "resume":
        if not _resumable(run, run.status().state):
            raise RunError(TEXT["not resumable"].format(name=run.name))
        check_host()
        run_queue.start(run)
    else:
        raise RunError(TEXT["not training"].format(name=run.name))


class Measured(TypedDict):
    """What a run really took until a step."""

    steps: int
    """Its own, without those of the run that it was forked from."""
    seconds: float | None
    """Without pauses."""
    memory: int | None
    """Bytes of its process."""
    parameters: int | None


class StatusAnswer(TypedDict):
    """Where a run is."""

    id: str
    name: str
    state: State
    step: int
    total: int
    reason: str
    """Why it ended."""
    place: tuple[int, int] | None
    """Its place in the queue and the length of the queue, while it waits."""
    alive: bool
    shipped: bool
    resumable: bool
    checkpoints: list[int]
    rate: float
    """The highest learning rate."""
    parent: str | None
    predicted: Costs | None
    """Of the complete run; once it has ended, of the steps that `measured` is about."""
    measured: Measured | None


class Events(TypedDict):
    """Events of a run, and the offset to ask from next."""

    events: list[dict[str, Any]]
    offset: int


class Entry(TypedDict):
    """A run in a list."""

    id: str
    name: str
    """Of a damaged run the beginning of its id."""
    created: NotRequired[float]
    """Seconds since 1970."""
    state: NotRequired[State]
    step: NotRequired[int]
    total: NotRequired[int]
    damaged: NotRequired[str]
    """Why it cannot be read."""


Runs = dict[str, list[Entry]]
"""By "shipped" and "own"."""


def status(run_id: object) -> StatusAnswer:
    """Where a run is."""
    run = run_lookup.find(run_id)
    run_queue.see([run.id])
    now = run_queue.status(run)
    saved = run.checkpoints()
    over = now.state in ("finished", "stopped", "diverged")
    took = measured(run, now.step) if over and not run_lookup.is_shipped(run) else None
    return {
        "id": run.id,
        "name": run.name,
        "state": now.state,
        "step": now.step,
        "total": now.total_steps,
        "reason": checks.without_paths(now.reason),
        "place": run_queue.place(run.id),
        "alive": now.alive or now.state == "starting",
        "shipped": run_lookup.is_shipped(run),
        "resumable": _resumable(run, now.state),
        "checkpoints": [checkpoint.step for checkpoint in saved],
        "rate": _learning_rate(run),
        "parent": run.info.parent,
        "predicted": _predicted(run, None if took is None else took["steps"]),
        "measured": took,
    }


def measured(run: Run, step: int) -> Measured:
    """What the run really took until this step."""
    size = file_size(run.path / "events.jsonl")
    seconds, parameters = _timed(run.path, size)
    steps, memory = step - (run.info.parent_step or 0), processes.memory(run)
    return {"steps": steps, "seconds": seconds, "memory": memory, "parameters": parameters}


def remove(run_id: object, key: object = "") -> None:
    """Delete a run for good. Raises `RunBusy` while it is trained."""
    run = own(run_id, key)
    with processes.registry().lock:
        run_queue.leave(run.id)
        if not run.status().alive:
            processes.end(run.id)
        run_lookup.store().delete(run.id)
    downloads.forget(run)


def rename(run_id: object, name: object, key: object = "") -> str:
    """Give a run another name, and return it as it is stored: one line. Raises `RunError` for an empty one."""
    run = own(run_id, key)
    run.rename(name if isinstance(name, str) else "")
    return run.name


def going(ids: object) -> list[Entry]:
    """Those of these runs that train or wait for their turn, at once: only these are opened."""
    at_work = run_queue.at_work()
    mine = [run_id for run_id in ids if run_id in at_work] if isinstance(ids, list) else []
    return [entry for entry in runs(mine)["own"] if "damaged" not in entry]


def download(run_id: object) -> str:
    """The path of the run as a zip, from where Gradio serves it. Raises `RunError` without a checkpoint."""
    return str(downloads.copy_of(run_lookup.find(run_id)))


def events(run_id: object, offset: object = 0) -> Events:
    """The events since byte `offset` of the run's log."""
    offset = checks.whole("offset", offset, 0, 2**53 - 1)
    run = run_lookup.find(run_id)
    run_queue.see([run.id])
    found, after = run.raw_events(offset)
    return {"events": list(map(checks.public_event, found)), "offset": after}


def runs(ids: object = ()) -> Runs:
    """The shipped runs, and those of `ids` that exist: a learner's runs are listed only by their ids."""
    mine: list[Entry] = []
    store = run_lookup.store()
    for run_id in ids if isinstance(ids, list) else []:
        try:
            mine.append(_entry(store.open(str(run_id))))
        except DamagedRun as error:
            mine.append({"id": str(run_id), "name": str(run_id)[:8], "damaged": error.reason})
        except RunError:
            continue
    return {"shipped": [_entry(run) for run in run_lookup.shipped()], "own": mine}


def _resumable(run: Run, state: State) -> bool:
    if state in ("finished", "diverged"):
        return False
    saved = run.checkpoints()
    fresh = state == "new" and (not saved or saved[-1].step == run.info.parent_step)
    return fresh or any(checkpoint.resumable for checkpoint in saved)


def _entry(run: Run) -> Entry:
    now = run_queue.status(run)
    return {
        "id": run.id,
        "name": run.name,
        "created": run.info.created,
        "state": now.state,
        "step": now.step,
        "total": now.total_steps,
    }


def begin(run: Run, key: str, *, paused: bool = False, replacing: str | None = None) -> Run:
    """Train a new run that is changed with this key; delete it if it cannot start."""
    try:
        keys.lock(run, key)
        if paused:
            run.send(Pause())
        run_queue.start(run, replacing)
    except (RunError, OSError):
        run_lookup.store().delete(run.id)
        raise
    return run


def _checked(text: object, config: RunConfig) -> str:
    """The learner's own text as the run will read it. Raises `ValueError` if it cannot be trained on."""
    if not isinstance(text, str) or len(text) > most_text():
        raise ValueError(TEXT["text"].format(most=most_text()))
    try:
        with learns(config.data):
            make_data(config, text=text)
    except DataError as error:
        allowed, own = error.allowed, error.field == "train_data_path"
        raise ValueError(TEXT["own"].format(allowed=allowed) if own else str(error)) from None
    return ended_lines(text)


def _change(run: Run, field: object, value: object) -> Change:
    if field not in CHANGEABLE:
        known = ", ".join(CHANGEABLE)
        raise ValueError(TEXT["field"].format(field=str(field)[:40], known=known))
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    try:
        type(run.config.train).parse({str(field): number} | _beside(str(field), number))
    except ConfigError as error:
        allowed = next(each.allowed for each in error.problems if each.field == field)
        called = label(str(field))
        sentence = TEXT["number"].format(value=str(value)[:40], field=called, allowed=allowed)
        raise ValueError(sentence) from None
    return Change(field=str(field), value=float(number))


def _beside(field: str, number: float) -> dict[str, float]:
    """Keeps the two learning rates in order while one is checked alone."""
    return {"max_lr": {"min_lr": 0.0}, "min_lr": {"max_lr": 10.0}}.get(field, {})


def _learning_rate(run: Run) -> float:
    """The run's highest learning rate: as configured, or as last changed."""
    rate = run.config.train.max_lr
    for command, _ in run.commands()[0]:
        if isinstance(command, Change) and command.field == "max_lr":
            rate = command.value
    return rate


def _predicted(run: Run, steps: int | None = None) -> Costs | None:
    """The run's costs as predicted, with the seconds of `steps` of its steps; None if none can be read."""
    try:
        costs = read_json(COSTS, read_stored(run.path / PREDICTED))
    except (OSError, ConfigError):
        return None
    seconds = None if costs is None else costs.get("seconds")
    if costs is not None and steps is not None and seconds is not None:
        total = run.config.train.total_steps - (run.info.parent_step or 0)
        costs = costs | {"seconds": seconds * steps / total}
    return costs


@lru_cache(maxsize=256)
def _timed(path: Path, size: int) -> tuple[float | None, int | None]:
    """Seconds of training without pauses, and parameters, from a log of this size."""
    run = Run(path)
    begun = [event.parameters for event in run.history() if isinstance(event, Started)]
    return run.trained() or None, begun[-1] if begun else None
