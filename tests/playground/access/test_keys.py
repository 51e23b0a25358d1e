"""A public host: whoever knows a run's id may read it; only who has its key may change it."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from engine.config import RunConfig
from engine.runs.events import Stop
from engine.runs.store import Run
from engine.training.driver import drive
from playground import api
from playground.access import keys
from playground.app import demo
from playground.hosting import actions, downloads, processes
from playground.hosting.processes import Registry
from playground.runs import run_lookup
from tests.playground.hosting.test_processes import TINY
from tests.playground.hosting.test_queue import Training

pytestmark = pytest.mark.case("R2")


@pytest.fixture(autouse=True)
def _public_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host for strangers, with runs of this test alone, and processes only in name."""
    monkeypatch.setenv("TP_PUBLIC", "1")
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    known = Registry()
    monkeypatch.setattr(sys, processes._HOME, known, raising=False)

    def train(run: Run) -> None:
        known.workers[run.id] = Training(run)

    monkeypatch.setattr(processes, "train", train)


def make(name: str, **changes: Any) -> tuple[Run, str]:
    run = run_lookup.store().create(RunConfig.from_flat(TINY | changes), name)
    key = keys.new()
    keys.lock(run, key)
    return run, key


def stopped(**changes: Any) -> tuple[Run, str]:
    """A run that was stopped before its end: it can be resumed, reset and deleted."""
    run, key = make("stopped", **changes)
    run.send(Stop())
    drive(run)
    return run, key


def training(**changes: Any) -> tuple[Run, str]:
    """A run that a process trains, which obeys whatever it is told: this one."""
    run, key = stopped(**changes)
    run.claim()
    return run, key


def waiting(**changes: Any) -> tuple[Run, str]:
    """A run in the queue."""
    run, key = make("waiting", **changes)
    processes.registry().waiting.append(run)
    return run, key


KINDS = {"stopped": stopped, "training": training, "waiting": waiting}
SHAPES = {"decoder": {}, "experts": {"n_experts": 2}, "translator": {
    "source": "numbers", "n_encoder_layer": 1, "max_seq_len": 32, "task_length": 8,
}}  # fmt: skip


def state(run: Run) -> dict[str, Any]:
    """Everything about a run that a stranger could change."""
    files = {
        str(path.relative_to(run.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.path.rglob("*"))
        if path.is_file()
    }
    known = processes.registry()
    at_work = run.id in known.workers, [each.id for each in known.waiting].count(run.id)
    return {"files": files, "at work": at_work}


# What may be called, and with what -----------------------------------------------------------------

VALUES: dict[str, tuple[Any, ...]] = {
    "what": actions.COMMANDS,
    "field": ("max_lr",),
    "value": (0.001, 2, None),
    "steps": (1,),
    "step": (None, 0),
    "changes": ("off", {"switch_loss": 0.5}),
    "choice": ({"changes": TINY}, {"preset": "tiny"}),
    "asked": ({"preset": "tiny"},),
    "ids": ([],),
    "own": ([],),
    "runs": ([],),
    "offset": (0,),
}
"""What parameters may be; more than one value for those that decide what is done."""
USUAL: dict[str, Any] = {
    "text": "a b",
    "prompt": "a b",
    "name": "a b",
    "source": "stories",
    "size": 300,
    "lang": "en",
}
"""The others that need a value that makes sense: any function may refuse what it is given."""


class Offered:
    """Something that anyone can call: an endpoint, or a server function of a view."""

    def __init__(self, where: str, function: Callable[..., Any]) -> None:
        self.where, self.function = where, function
        self.parameters = list(inspect.signature(function).parameters.values())
        self.names = [parameter.name for parameter in self.parameters]

    def calls(self, run: Run, key: Any) -> Iterator[dict[str, Any]]:
        """Every combination of arguments that means something for this run."""
        found: list[dict[str, Any]] = [{}]
        for parameter in self.parameters:
            name = parameter.name
            if name in ("run", "run_id", "shown"):
                values: tuple[Any, ...] = (run.id,)
            elif name in ("ids", "own", "runs"):
                values = ([run.id],)
            elif name == "key" and self.names[-1] == "key":
                values = (key,)
            elif name == "choice":
                fork = {"run": run.id, "step": 0}
                values = (*VALUES["choice"], {"fork": fork, "changes": {"total_steps": 90}})
            elif name in VALUES:
                values = VALUES[name]
            elif name in USUAL:
                values = (USUAL[name],)
            elif parameter.default is not inspect.Parameter.empty:
                values = (parameter.default,)
            else:
                values = (0,)
            found = [given | {name: value} for given in found for value in values]
        yield from found

    def call(self, given: dict[str, Any]) -> Any:
        """What it answers, or why it refuses."""
        try:
            return self.function(**given)
        except (ValueError, OSError, gr.Error) as error:
            return error


def server_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The server functions of every view of the page."""
    for block in demo.blocks.values():
        for served in getattr(block, "server_fns", ()):
            function = inspect.unwrap(inspect.getclosurevars(served).nonlocals["checked"])
            yield f"{block.elem_id}.{served.__name__}", function


def handlers() -> Iterator[tuple[str, Callable[..., Any]]]:
    """What else runs when something on the page changes: anyone can call it with any values."""
    for number, dependency in demo.fns.items():
        function = dependency.fn
        if function is not None and "event" not in inspect.signature(function).parameters:
            yield f"{function.__name__} ({function.__module__}, {number})", function


def events() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The events of the page that a browser sends data with."""
    for dependency in demo.fns.values():
        function = dependency.fn
        hints = inspect.signature(function).parameters if function is not None else {}
        if "event" in hints:
            assert function is not None
            yield f"{dependency.targets[0][1]} ({function.__module__})", function


CALLED = [
    *(Offered(f"/{name}", function) for name, function in api.ENDPOINTS.items()),
    *(Offered(where, function) for where, function in server_functions()),
    *(Offered(where, function) for where, function in handlers()),
]
EVENTS = list(events())


def sent(function: Callable[..., Any], run: Run, key: Any) -> Any:
    """What an event answers, sent about this run."""
    data = {"run": run.id, "step": 0, "choice": {"changes": TINY}, "preset": "numbers"}
    return function(gr.EventData(None, data | {"key": key}))


def test_there_is_something_to_call() -> None:
    """The lists above are read from the page: an empty one would make every test here pass."""
    assert len(CALLED) > 40 and len(EVENTS) >= 8
    assert {"transport.send_command", "translate.stop", "experts.balance", "/delete"} <= {
        each.where for each in CALLED
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_stranger_changes_nothing(kind: str, shape: str) -> None:
    """With the id and without the key, or with a wrong one: 0 of all calls does anything to a run."""
    run, _ = KINDS[kind](**SHAPES[shape])
    _, another = make("another")
    assert changed_by(CALLED, EVENTS, run, "") == []
    asking = [each for each in CALLED if each.names[-1:] == ["key"]]
    for wrong in ("x", another, None, 7, ["x"]):
        assert changed_by(asking, EVENTS, run, wrong) == []


def test_a_function_that_forgets_the_key_is_found() -> None:
    """The test above fails for it, whether it takes a key or not."""

    def hurry(run: str, key: str = "") -> None:
        run_lookup.find(run).send(Stop())

    def tidy(event: gr.EventData) -> None:
        run_lookup.store().delete(event._data["run"])

    run, _ = stopped()
    assert changed_by([Offered("a view's", hurry)], [], run, "x") == ["a view's"]
    assert changed_by([], [("an event's", tidy)], run, "x") == ["an event's"]


def changed_by(
    called: list[Offered], sending: list[tuple[str, Callable[..., Any]]], run: Run, wrong: Any
) -> list[str]:
    """Which of these did something to the run, with a key that is not its own."""
    before, found = state(run), list[str]()
    for each in called:
        for given in each.calls(run, wrong):
            each.call(given)
        found += [each.where] if state(run) != before else []
    for where, function in sending:
        sent(function, run, wrong)
        found += [where] if state(run) != before else []
    return found


def changes(where: str, of: Callable[..., Any], run: Run, key: str) -> bool:
    before = state(run)
    if where in dict(EVENTS):
        sent(of, run, key)
        return not run.path.is_dir() or state(run) != before
    called = Offered(where, of)
    for given in called.calls(run, key):
        called.call(given)
    return not run.path.is_dir() or state(run) != before


LOCKED = [(each.where, each.function) for each in CALLED if each.names[-1:] == ["key"]]


@pytest.mark.parametrize(("where", "function"), LOCKED, ids=[where for where, _ in LOCKED])
def test_the_owner_can(where: str, function: Callable[..., Any]) -> None:
    """Whatever asks for a key does something with the right one, to a run of some kind."""
    done = [
        changes(where, function, *KINDS[kind](**shape))
        for kind in KINDS
        for shape in SHAPES.values()
    ]
    assert any(done)


@pytest.mark.parametrize("name", ["reset", "remove"])
def test_the_owners_events_work(name: str) -> None:
    found = [each for each in EVENTS if each[0].startswith(f"{name} (")]
    assert found
    for where, function in found:
        assert changes(where, function, *(stopped if name == "remove" else waiting)())


# Keys ---------------------------------------------------------------------------------------------


def test_a_start_answers_with_a_key_that_is_kept_as_a_hash() -> None:
    made = api.start({"changes": TINY})
    run, stored = run_lookup.find(made["run"]), run_lookup.store().root / made["run"] / keys.FILE
    assert len(made["key"]) >= 40
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert stored.read_text() == hashlib.sha256(made["key"].encode()).hexdigest()
    for path in run.path.rglob("*"):
        assert not path.is_file() or made["key"].encode() not in path.read_bytes()
    with pytest.raises(gr.Error, match="started in another browser"):
        api.pause(run.id, "wrong")
    api.stop(run.id, made["key"])
    again = api.reset(run.id, made["key"])
    assert again["key"] not in ("", made["key"])
    with pytest.raises(OSError, match="exists"):
        keys.lock(run, keys.new())


@pytest.mark.case("R6")
def test_what_is_handed_out_of_a_run_has_no_key() -> None:
    """Its zip, its status and events, its entry in a list; and a fork's."""
    run, key = stopped()
    digest = (run.path / keys.FILE).read_text()
    asked = {"changes": TINY | {"total_steps": 90}, "fork": {"run": run.id, "step": 0}}
    made = api.start(asked)
    fork = run_lookup.find(made["run"])
    assert fork.info.parent == run.id and (fork.path / keys.FILE).read_text() != digest
    told = [actions.status(fork.id), actions.status(run.id), actions.runs([run.id, fork.id])]
    told += [actions.events(run.id), actions.events(fork.id)]
    text = json.dumps(told)
    for each in (run, fork):
        zipped = Path(actions.download(each.id)).read_bytes()
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            assert not [name for name in archive.namelist() if keys.FILE in name]
            text += "".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    for secret in (key, digest, made["key"], (fork.path / keys.FILE).read_text()):
        assert secret not in text
    with pytest.raises(gr.Error, match="another browser"):
        api.delete(run.id, made["key"])  # who may change a fork may not change its parent


def test_a_run_without_a_key_is_changed_by_nobody_here() -> None:
    """Made before there were keys, or by the command line."""
    run = run_lookup.store().create(RunConfig.from_flat(TINY), "older")
    for key in ("", "x", hashlib.sha256(b"").hexdigest()):
        with pytest.raises(keys.NotYours):
            actions.remove(run.id, key)
    assert run.path.is_dir()


def test_on_ones_own_machine_no_key_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_PUBLIC", "0")
    made = api.start({"changes": TINY})
    assert set(made) == {"run"}
    assert not (run_lookup.store().root / made["run"] / keys.FILE).exists()
    of_the_command_line = run_lookup.store().create(RunConfig.from_flat(TINY), "by hand")
    api.delete(of_the_command_line.id)
    assert not of_the_command_line.path.is_dir()


def test_shipped_runs_can_be_begun_anew_by_anyone() -> None:
    made = api.reset(run_lookup.first())
    assert made["key"] and run_lookup.find(made["run"]).config == run_lookup.shipped()[0].config


# Downloads ----------------------------------------------------------------------------------------


@pytest.mark.case("R22")
@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_other_users_of_the_machine_cannot_read_a_download() -> None:
    """It is kept in the folder of all users' temporary files."""
    before = os.umask(0o022)
    try:
        copy = Path(actions.download(stopped()[0].id))
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700


@pytest.mark.case("R8")
def test_downloads_share_one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    run, key = stopped()
    paths = {actions.download(run.id) for _ in range(30)}
    assert len(paths) == 1 and len(list(downloads.root().rglob("*.zip"))) == 1
    monkeypatch.setattr(downloads, "MAX_COPIES", 2)
    for _ in range(4):
        actions.download(stopped()[0].id)
    assert len(list(downloads.root().rglob("*.zip"))) == 2
    actions.download(run.id)
    actions.remove(run.id, key)
    assert not list(downloads.root().rglob(f"run-{run.id}.zip"))
    monkeypatch.setattr(downloads, "KEEP_SECONDS", -1.0)
    downloads.tidy()
    assert not list(downloads.root().rglob("*.zip"))
