"""What can be done with runs, for the page and for scripts alike.

Every function takes plain values from anyone, checks them, and raises `ValueError` with a sentence
for the learner. Who knows a run's id may read and fork the run. To change or delete it takes its key as
well, on a host that strangers share (`keys`). Shipped runs can only be read and forked.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from engine import forks
from engine.config import RunConfig
from engine.data import DataError, make_data
from engine.data.reading import ended_lines
from engine.events import (
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
from engine.flags import PATHS
from engine.jsonl import read_stored, size_of, write_whole
from engine.runs import DamagedRun, Run, RunError, State
from engine.validation import ConfigError, read_json
from playground import answers, downloads, keys, library, sessions, storage
from playground.controls import OWN_TEXT
from playground.plan import Choice, TextFacts, learns, most_text, plan, read_choice

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
    "own": "Your text {allowed}.",
    "shipped": "“{name}” comes with the project: it can be forked, not changed.",
    "unknown": "{what} is not a command; there are {known}.",
    "steps": "A number of steps is from 1 to {most}.",
    "field": "{field} cannot be changed in the middle of a run; {known} can.",
    "number": "{value} is not a number that {field} can have.",
    "not training": "“{name}” is not being trained.",
    "waits": "“{name}” waits for its turn: until then it can only be stopped.",
    "not resumable": "“{name}” has nothing left to do, or no checkpoint to go on from.",
}


def find(run_id: object) -> Run:
    """The run of this id. Raises `ValueError`."""
    if not isinstance(run_id, str) or not 0 < len(run_id) <= 64:
        raise ValueError(TEXT["no run"])
    return library.find(run_id)


def own(run_id: object, key: object) -> Run:
    """The same, for whoever may change it: no shipped one, and none without its key."""
    run = find(run_id)
    if library.is_shipped(run):
        raise ValueError(TEXT["shipped"].format(name=run.name))
    keys.check(run, key)
    return run


def understood(asked: object, text: object = None) -> Choice:
    """What a script asks for. Raises `ConfigError` for anything that makes no sense."""
    choice = read_choice(asked)
    if choice.refused:
        raise ConfigError(list(choice.refused))
    if isinstance(text, str) and text:
        choice = replace(choice, text=TextFacts.of(ended_lines(text)))
    return choice


def start(choice: Choice, text: object = None, *, paused: bool = False, new_key: str = "") -> Run:
    """Make a run of this choice and train it. Raises `ConfigError` for one that cannot be.

    `text` is the learner's own, where the choice reads one. A run started `paused` waits before its
    first step. From then on the run is changed with `new_key`, which `keys.new` makes.
    """
    check_host()
    worked_out = plan(choice)
    if worked_out.problems:
        raise ConfigError(list(worked_out.problems))
    if worked_out.obstacles:
        raise ValueError(" ".join(worked_out.obstacles))
    config = worked_out.config
    assert config is not None
    store, fork, name = library.store(), choice.fork, worked_out.name
    if fork is not None:
        with _no_paths():
            run = forks.fork(store, fork.run, fork.step, config.flat(), name)
    elif config.data.source == OWN_TEXT:
        run = store.create(config, name, text=_checked(text, config))
    else:
        run = store.create(config, name)
    write_whole(run.path / PREDICTED, json.dumps(worked_out.costs()))
    return begin(run, new_key, paused=paused)


def check_host(more: int = 1, replacing: str | None = None) -> None:
    """Raises `ValueError` where this host has no room for so many more runs of this visitor."""
    sessions.check_each(more, replacing)
    storage.make_room()


def reset(run_id: object, key: object = "", *, new_key: str = "") -> Run:
    """A new run like this one: same configuration, same initial weights, paused before its start.

    The old one is told to stop, and keeps what it has learned. So it takes the key of the old one, unless
    that is a shipped one, which nobody stops; the new one is changed with `new_key`.
    """
    run = find(run_id)
    if not library.is_shipped(run):
        keys.check(run, key)
    check_host(replacing=run.id)
    store, parent, step = library.store(), run.info.parent, run.info.parent_step
    with _no_paths():
        if parent is not None and step is not None:
            again = forks.fork(store, library.find(parent), step, run.config.flat(), run.name)
        else:
            again = forks.begin_again(store, run)
    if (run.path / PREDICTED).is_file():
        write_whole(again.path / PREDICTED, (run.path / PREDICTED).read_bytes())
    if run.status().alive:
        run.send(Stop())
    return begin(again, new_key, paused=True, replacing=run.id)


def tell(
    run_id: object,
    what: object,
    value: object = None,
    field: object = "max_lr",
    key: object = "",
) -> None:
    """Pause, resume, make `value` steps, stop, or change `field` to `value`.

    To resume a run without a process starts one. To stop one that waits for its turn gives up its place.
    """
    run = own(run_id, key)
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
        check_host()
        sessions.start(run)
    else:
        raise RunError(TEXT["not training"].format(name=run.name))


def status(run_id: object) -> dict[str, Any]:
    """Where a run is, as plain data. `place`: [its place in the queue, how many wait], where it waits.

    `predicted` are the costs of the whole run; once it has ended, of the steps that `measured` is about.
    """
    run = find(run_id)
    sessions.see([run.id])
    now = sessions.status(run)
    saved = run.checkpoints()
    over = now.state in ("finished", "stopped", "diverged")
    took = measured(run, now.step) if over and not library.is_shipped(run) else None
    return {
        "id": run.id,
        "name": run.name,
        "state": now.state,
        "step": now.step,
        "total": now.total_steps,
        "reason": answers.without_paths(now.reason),
        "place": sessions.place(run.id),
        "alive": now.alive or now.state == "starting",
        "shipped": library.is_shipped(run),
        "resumable": _resumable(run, now.state),
        "checkpoints": [checkpoint.step for checkpoint in saved],
        "rate": _told(run),
        "parent": run.info.parent,
        "predicted": _predicted(run, None if took is None else took["steps"]),
        "measured": took,
    }


def measured(run: Run, step: int) -> dict[str, Any]:
    """What the run really took until this step: its own steps, seconds without its pauses, bytes of its
    process, parameters."""
    size = size_of(run.path / "events.jsonl")
    seconds, parameters = _timed(run.path, size)
    steps, memory = step - (run.info.parent_step or 0), sessions.memory(run)
    return {"steps": steps, "seconds": seconds, "memory": memory, "parameters": parameters}


def remove(run_id: object, key: object = "") -> None:
    """Delete a run for good. Raises `RunBusy` while it is trained."""
    run = own(run_id, key)
    with sessions.registry().lock:
        sessions.leave(run.id)
        if not run.status().alive:
            sessions.end(run.id)
        library.store().delete(run.id)
    downloads.forget(run)


def download(run_id: object) -> str:
    """The path of the run as a zip, from where Gradio serves it. Raises `RunError` without a checkpoint."""
    return str(downloads.copy_of(find(run_id)))


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


def begin(run: Run, key: str, *, paused: bool = False, replacing: str | None = None) -> Run:
    """Train a new run, which is changed with this key; take it away again where that cannot be."""
    try:
        keys.lock(run, key)
        if paused:
            run.send(Pause())
        sessions.start(run, replacing)
    except (RunError, OSError):
        library.store().delete(run.id)
        raise
    return run


def _checked(text: object, config: RunConfig) -> str:
    """The learner's own text as the run will read it, when this configuration can learn from it."""
    if not isinstance(text, str) or len(text) > most_text():
        raise ValueError(TEXT["text"].format(most=most_text()))
    try:
        with learns(config.data):
            make_data(config, text=text)
    except DataError as error:
        allowed, own = error.allowed, error.field == "train_data_path"
        raise ValueError(TEXT["own"].format(allowed=allowed) if own else str(error)) from None
    return ended_lines(text)


@contextmanager
def _no_paths() -> Iterator[None]:
    """Problems with a file name the file; where it is on this machine, a page's visitor is not told."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(
            [
                replace(problem, value=Path(str(problem.value)).name)
                if problem.field in PATHS
                else problem
                for problem in error.problems
            ]
        ) from None


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


def _predicted(run: Run, steps: int | None = None) -> dict[str, float | None] | None:
    """The run's costs as predicted, the seconds for so many of its steps; None where none can be read."""
    try:
        costs = read_json(COSTS, read_stored(run.path / PREDICTED))
    except (OSError, ConfigError):
        return None
    seconds = None if costs is None else costs.get("seconds")
    if costs is not None and steps is not None and seconds is not None:
        whole = run.config.train.total_steps - (run.info.parent_step or 0)
        costs = costs | {"seconds": seconds * steps / whole}
    return costs


@lru_cache(maxsize=256)
def _timed(path: Path, size: int) -> tuple[float | None, int | None]:
    """Seconds of training without pauses, and parameters, from a log of this size."""
    run = Run(path)
    begun = [event.parameters for event in run.history() if isinstance(event, Started)]
    return run.trained() or None, begun[-1] if begun else None
