"""One damaged run never hides the others: whatever is in its files, it is shown, or its reason is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tracemalloc
import zipfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from engine.ablation import comparison
from engine.cli.commands import runs
from engine.cli.main import main
from engine.config import RunConfig
from engine.files import error_reason
from engine.runs.events import Ended, Noted, Pause
from engine.runs.store import TEXT_PATH, DamagedRun, Run, RunStore
from engine.validation import ConfigError
from playground.access import keys
from playground.hosting import actions, run_feed, storage
from playground.planning import own_text
from playground.runs import models, phases, run_lookup
from playground.screens import common, compare, report, run_index, suite_runs
from playground.screens import runs as table_page
from playground.screens.histories import AXES, History
from playground.tabs.experts import server as experts
from playground.tabs.generate import server as generating
from playground.tabs.inside import server as inside
from playground.tabs.translate import server as translating
from playground.tabs.translate import translation_runs
from tests.tools.damage import KINDS, Files, Kind, damage, lay_out, valid_runs
from tests.tools.waiting import PATIENCE

LIST = Namespace(state=None, source=None, match=None, suite=None)
"""`python -m engine runs` without filters."""

HEAVY = ("config.json", "tokenizer.json", "6/state.json", "6/model.safetensors", ".npz")
"""Files that what needs PyTorch reads: of the checkpoints the newest."""

_numbers = count()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    return valid_runs(tmp_path_factory.mktemp("valid"))


@pytest.fixture(scope="module", autouse=True)
def alone(root: Path, valid: dict[str, dict[str, bytes]]) -> Iterator[None]:
    """A store with one whole run, without the shipped ones. What hangs is ended after a while."""
    patch = pytest.MonkeyPatch()
    patch.setenv("TP_RUNS", str(root))
    patch.setattr(run_lookup, "ROOT", root / "elsewhere")
    patch.setattr(run_index, "FRESH", 0.0)
    common.history_of.clear()
    common.index.cache_clear()
    lay_out(dict(valid["experts"]), root / "whole")
    for species, files in valid.items():  # what the damaged ones are linked from
        lay_out(dict(files), root / ".whole" / species)
    yield
    patch.undo()


class Hung(BaseException):
    """Not an `Exception`, so that nobody takes it for a damaged file."""


def hung(*_: object) -> None:
    raise Hung("a file of a run made its reader wait")


@pytest.fixture(autouse=True)
def ended(root: Path) -> Iterator[None]:
    """A reader that waits for ever fails its test, instead of stopping them all; no test leaves a run behind."""
    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(1_800)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    for left in root.glob("damaged-*"):
        shutil.rmtree(left)


def make(root: Path, species: str, change: Files) -> Run | str:
    """A run of whole files but for these; its id where it cannot be opened."""
    folder = root / f"damaged-{next(_numbers)}"
    shutil.copytree(root / ".whole" / species, folder, copy_function=os.link)
    lay_out(change, folder)
    try:
        return Run(folder)
    except DamagedRun as error:
        assert error.reason and str(root) not in str(error)
        return folder.name


def said(call: Callable[..., Any], *given: Any) -> Any:
    """What a function answers, or the sentence that it refuses with; without a path of this machine."""
    try:
        answer = call(*given)
    except ValueError as error:
        answer = {"error": str(error)}
    text = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    assert os.environ["TP_RUNS"] not in text
    if isinstance(answer, dict) and "error" in answer:
        assert isinstance(answer["error"], str) and answer["error"].strip()
    return answer


def look(root: Path, species: str, change: Files) -> None:
    """Everything that shows runs, with one that is damaged among them."""
    made = make(root, species, change)
    run_id = made if isinstance(made, str) else made.id
    there = any(os.path.lexists(root / run_id / name) for name in ("run.json", "config.json"))
    try:
        store = RunStore(root)
        listed, damaged = {run.id for run in store.list()}, {each.id for each in store.damaged()}
        assert "whole" in listed and (run_id in listed ^ damaged) == there
        assert runs.list_runs(Namespace(checkpoint_dir=root, **vars(LIST))) == 0

        entries, unread = run_index.RunIndex(lambda: (root,)).look()
        assert "whole" in entries
        assert (run_id in entries.keys() ^ {each.id for each in unread}) == there
        assert all(each.reason and str(root) not in each.reason for each in unread)
        table_page.table(entries)

        if isinstance(made, Run):
            made.status()
            made.checkpoints()
            made.commands()
            made.events()
            made.history()
            history = History(made)
            history.read()
            for axis in AXES:
                history.curves(axis)
            report.archive({"damaged": history})

        assert (run_id in {each.id for each in storage.stored()}) == there
        storage.in_use()

        said(run_feed.poll, run_id, 0)
        said(run_feed.probe, run_id, 2)
        said(actions.status, run_id)
        said(actions.events, run_id)
        own = said(actions.runs, [run_id, "whole"])["own"]
        assert "whole" in [entry["id"] for entry in own]
        said(experts.follow, run_id, 0)
        said(experts.runs, [run_id])
        said(translation_runs.follow, run_id, 0)
    finally:
        shutil.rmtree(root / run_id)


def look_inside(root: Path, species: str, change: Files) -> None:
    """What a model of the run is asked for, which takes PyTorch."""
    made = make(root, species, change)
    run_id = made if isinstance(made, str) else made.id
    models._models.clear()
    try:
        for step in (None, 2):
            said(experts.SERVED[1], run_id, step, None)
            said(inside.look, run_id, step)
            if step is not None:
                said(translating.look, run_id, step)
        said(generating.begin, run_id, None, None, None, None, 1)
    finally:
        shutil.rmtree(root / run_id)


def shown(change: Files) -> dict[str, str]:
    """A short form of what was damaged."""
    return {name: str(content)[:300] for name, content in change.items()}


SPECIES_OF_RUN = st.sampled_from(["experts", "translator"])
SEEDS = st.integers(0, 2**32)
PARTS = range(4)
"""Of the damaged runs, for several processes; the seeds of each part differ."""
STEADY = {"derandomize": True, "suppress_health_check": list(HealthCheck)}


@pytest.mark.slow
@pytest.mark.case("R4")
@pytest.mark.case("R18")
@pytest.mark.parametrize("part", PARTS)
@settings(max_examples=500, **STEADY)
@given(species=SPECIES_OF_RUN, seed=SEEDS)
def test_a_damaged_run_is_shown_or_explained(
    root: Path, valid: dict[str, dict[str, bytes]], part: int, species: str, seed: int
) -> None:
    change = damage(valid[species], Random(len(PARTS) * seed + part))
    note(str(shown(change)))
    look(root, species, change)


@pytest.mark.case("R4")
@pytest.mark.case("R21")
@settings(max_examples=100, **STEADY)
@given(species=SPECIES_OF_RUN, seed=SEEDS)
def test_a_damaged_model_is_shown_or_explained(
    root: Path, valid: dict[str, dict[str, bytes]], species: str, seed: int
) -> None:
    heavy = {name: content for name, content in valid[species].items() if name.endswith(HEAVY)}
    change = damage(heavy, Random(seed))
    note(str(shown(change)))
    look_inside(root, species, change)


# What was met once --------------------------------------------------------------------------------

WRONG_LINES = {
    "a loss of nothing": b'{"type": "evaluated", "step": 3, "loss": null}',
    "a loss in words": b'{"type": "evaluated", "step": 3, "loss": "low"}',
    "a loss that is a list": b'{"type": "evaluated", "step": 3, "loss": [1.0]}',
    "a loss that is true": b'{"type": "evaluated", "step": 3, "loss": true}',
    "no number": b'{"type": "evaluated", "step": 3, "loss": NaN}',
    "infinity": b'{"type": "evaluated", "step": 3, "loss": -Infinity}',
    "beyond all numbers": b'{"type": "evaluated", "step": 3, "loss": 1e999}',
    "a loss without a step": b'{"type": "evaluated", "loss": 1.0}',
    "a step in words": b'{"type": "evaluated", "step": "3", "loss": 1.0}',
    "half a step": b'{"type": "evaluated", "step": 2.5, "loss": 1.0}',
    "a step below zero": b'{"type": "evaluated", "step": -3, "loss": 1.0}',
    "a step of 64 bits": b'{"type": "evaluated", "step": 9223372036854775807, "loss": 1.0}',
    "a step of 400 digits": b'{"type": "evaluated", "step": ' + b"9" * 400 + b', "loss": 1.0}',
    "an accuracy in words": b'{"type": "evaluated", "step": 3, "loss": 1.0, "accuracy": "half"}',
    "a time too late": b'{"type": "evaluated", "step": 3, "loss": 1.0, "time": 1e18}',
    "a time in words": b'{"type": "evaluated", "step": 3, "loss": 1.0, "time": "noon"}',
    "step 0 of training": b'{"type": "stepped", "step": 0, "loss": 1, "lr": 1, "grad_norm": 1, "tokens": 1, "seconds": 1}',
    "seconds in words": b'{"type": "stepped", "step": 5, "loss": 1, "lr": 1, "grad_norm": 1, "tokens": 1, "seconds": "s"}',
    "parameters in words": b'{"type": "started", "step": 0, "parameters": "many", "device": "cpu", "dtype": "fp32", "threads": 1, "train_tokens": 1}',
    "started at no step": b'{"type": "started", "step": null, "parameters": 1, "device": "cpu", "dtype": "fp32", "threads": 1, "train_tokens": 1}',
    "an end of another kind": b'{"type": "ended", "step": 6, "how": "exploded"}',
    "a reason that is none": b'{"type": "ended", "step": 6, "how": "failed", "reason": 5}',
    "a sample without a text": b'{"type": "sampled", "step": 3, "prompt": null, "text": null}',
    "half a character": b'{"type": "sampled", "step": 3, "prompt": "\\ud800", "text": ""}',
    "a load without layers": b'{"type": "routed", "step": 3, "layers": [], "load": [], "probability": [], "dropped": [], "entropy": [], "losses": {}, "balance_loss": 0}',
    "a load of two lengths": b'{"type": "routed", "step": 3, "layers": [0], "load": [[1], [1, 2]], "probability": [[1]], "dropped": [0], "entropy": [0], "losses": {}, "balance_loss": 0}',
    "a load in words": b'{"type": "routed", "step": 3, "layers": [0], "load": "even", "probability": [[1]], "dropped": [0], "entropy": [0], "losses": {}, "balance_loss": 0}',
    "a snapshot elsewhere": b'{"type": "probed", "step": 2, "name": "../../../etc/passwd"}',
    "a kind that is a list": b'{"type": ["evaluated"], "step": 3, "loss": 1.0}',
    "deeper than anybody reads": b"[" * 100_000,
    "zeros": b"\x00" * 4_096,
    "no text": b"\xff\xfe\x00\x01",
}
"""Lines at the end of a log that has events before them, by what is wrong."""

WRONG_FILES: dict[str, tuple[str, Any]] = {
    "run.json: made in the year 30 billion": ("run.json", {"created": 1e18}),
    "run.json: made before 1970": ("run.json", {"created": -1e18}),
    "run.json: made at noon": ("run.json", {"created": "noon"}),
    "run.json: made at no number": ("run.json", {"created": float("nan")}),
    "run.json: made at 400 digits": ("run.json", {"created": 10**400}),
    "run.json: a name that is a number": ("run.json", {"name": 7}),
    "run.json: no name": ("run.json", {"name": None}),
    "run.json: half a character": ("run.json", {"name": "\ud800"}),
    "run.json: a name without an end": ("run.json", {"name": "x" * 100_000}),
    "run.json: a parent that is a list": ("run.json", {"parent": ["a"]}),
    "run.json: a parent's step of 64 bits": ("run.json", {"parent_step": 2**64}),
    "run.json: a suite that is an object": ("run.json", {"suite": {"a": 1}}),
    "config.json: a part that is a list": ("config.json", {"model": []}),
    "config.json: a part that is a number": ("config.json", {"train": 5}),
    "config.json: a field of no meaning": ("config.json", {"model": {"x" * 10_000: 1}}),
    "config.json: no number": ("config.json", {"train": {"max_lr": float("nan")}}),
    "config.json: 400 digits": ("config.json", {"train": {"total_steps": 10**400}}),
    "predicted.json: in words": ("predicted.json", {"seconds": "long", "memory": [1]}),
    "measured.json: in words": ("measured.json", {"memory": "much"}),
    "measured.json: below zero": ("measured.json", {"memory": -1}),
    "process-1.json: a number in words": ("process-1.json", {"pid": "one", "released": False}),
    "process-1.json: of 64 bits": ("process-1.json", {"pid": 2**64, "released": False}),
    "process-1.json: a time in words": (
        "process-1.json", {"pid": os.getpid(), "created": "noon", "released": False},
    ),
    "process-1.json: a place in words": (
        "process-1.json", {"pid": os.getpid(), "events": "all", "released": False},
    ),
    "tokenizer.json: of no kind": ("tokenizer.json", {"type": ["char"]}),
    "tokenizer.json: no characters": ("tokenizer.json", {"characters": 5}),
}  # fmt: skip
"""A stored file by what is wrong with it: the values that it has instead."""


def changed(content: bytes, values: dict[str, Any]) -> bytes:
    return json.dumps(json.loads(content) | values).encode()


@pytest.mark.case("R4")
@pytest.mark.parametrize("wrong", WRONG_LINES)
def test_one_wrong_line_hides_nothing(
    root: Path, valid: dict[str, dict[str, bytes]], wrong: str
) -> None:
    log = valid["experts"]["events.jsonl"]
    look(root, "experts", {"events.jsonl": log + WRONG_LINES[wrong] + b"\n"})
    look(root, "experts", {"events.jsonl": WRONG_LINES[wrong] + b"\n" + log})
    made = make(root, "experts", {"events.jsonl": log + WRONG_LINES[wrong] + b"\n"})
    assert isinstance(made, Run) and made.status().state == "finished"
    assert len(made.history()) == len(Run(root / "whole").history())


@pytest.mark.case("R4")
@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_one_wrong_file_hides_nothing(
    root: Path, valid: dict[str, dict[str, bytes]], wrong: str
) -> None:
    name, values = WRONG_FILES[wrong]
    look(root, "experts", {name: changed(valid["experts"][name], values)})


@pytest.mark.case("R4")
@pytest.mark.case("R18")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_hides_nothing(
    root: Path, valid: dict[str, dict[str, bytes]], kind: Kind
) -> None:
    """A folder, a pipe, a link or a device in place of each of a run's files."""
    for name in valid["experts"]:
        look(root, "experts", {name: kind})
        if name.endswith(HEAVY):
            look_inside(root, "experts", {name: kind})


@pytest.mark.case("R18")
@pytest.mark.parametrize("name", ["run.json", "config.json", "events.jsonl", "commands.jsonl"])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("folder", "is a folder, not a file"),
        ("pipe", "is a pipe or a device, not a file"),
        ("link out", "is a link, not a file"),
    ],
)
def test_the_reason_names_the_file(root: Path, name: str, kind: Kind, reason: str) -> None:
    run_id = make(root, "experts", {name: kind})
    assert isinstance(run_id, str)
    (damaged,) = RunStore(root).damaged()
    assert damaged.reason == f"{name}: {reason}"
    (entry,) = actions.runs([run_id])["own"]
    assert entry == {"id": run_id, "name": run_id[:8], "damaged": damaged.reason}
    assert (
        run_feed.poll(run_id, 0)["error"] == f"The run {run_id!r} cannot be read: {damaged.reason}"
    )


@pytest.mark.case("R18")
def test_a_link_to_another_file_of_this_machine_is_not_taken_along(root: Path) -> None:
    made = make(root, "experts", {"tokenizer.json": "link out"})
    assert isinstance(made, Run)
    target = root / "taken.zip"
    made.download(target)
    with zipfile.ZipFile(target) as archive:
        assert f"run-{made.id}/tokenizer.json" not in archive.namelist()
    target.unlink()


@pytest.mark.case("R18")
def test_a_command_is_not_written_into_a_pipe(root: Path) -> None:
    made = make(root, "experts", {})
    assert isinstance(made, Run)
    lay_out({"commands.jsonl": "pipe"}, made.path)  # after it was opened
    with pytest.raises(OSError, match="is a pipe or a device, not a file"):
        made.send(Pause())


@pytest.mark.case("R18")
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_page_keeps_in_a_run_is_a_file_or_none(
    root: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key, its own text, what it was predicted to cost; and the log of a suite: none is waited for or followed."""
    monkeypatch.setenv("TP_PUBLIC", "1")
    own = dict.fromkeys((keys.FILE, TEXT_PATH, actions.PREDICTED), kind)
    made = make(root, "experts", own)
    assert isinstance(made, Run)
    with pytest.raises(keys.NotYours):
        actions.remove(made.id, "x")
    with pytest.raises(ConfigError, match="the text of this run is gone"):
        own_text.stored_text(made)
    config = RunConfig.from_flat({"source": "text", "train_data_path": TEXT_PATH})
    (made.path / "config.json").unlink()  # it is one file with that of the whole run
    (made.path / "config.json").write_text(config.to_json())
    assert phases.phases(Run(made.path)) is None
    assert actions.status(made.id)["predicted"] is None
    folder = comparison.suite_folder(RunStore(root), "norm")
    lay_out({suite_runs.LOG: kind}, folder)
    assert suite_runs.standing("norm", []).trouble == ""
    shutil.rmtree(folder.parent)


@pytest.mark.case("R18")
@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("flag", ["--train_data_path", "--valid_data_path"])
def test_a_pipe_in_place_of_a_text_is_refused(
    tmp_path: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be waited for, and could be read only once."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text.txt").write_text("The fox said: a good day.\n" * 40)
    given = {"--train_data_path": tmp_path / "text.txt", flag: tmp_path / "pipe"}
    words = [str(word) for pair in given.items() for word in pair]
    assert main(["train", *words, "--checkpoint_dir", str(tmp_path / "runs")]) == 2
    assert "is a pipe or a device, not a file" in capsys.readouterr().err


@pytest.mark.case("R14")
def test_what_a_log_says_names_no_folder_of_the_server(root: Path) -> None:
    """A run of the command line may tell of files beside it."""
    made = make(root, "experts", {})
    assert isinstance(made, Run)
    reason = f"train_data_path = '{root / 'text.txt'}': does not exist"
    (made.path / "events.jsonl").unlink()  # it is one file with that of the whole run
    for event in (
        Noted(step=1, text=f"Skipped {root / 'text.txt'}."),
        Ended(step=1, how="failed", reason=reason),
    ):
        made.append(event)
    for answer in (actions.events(made.id), run_feed.poll(made.id, 0), actions.status(made.id)):
        text = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        assert "text.txt" in text and str(root) not in text


@pytest.mark.case("R13")
@pytest.mark.parametrize(
    "error",
    [OSError(), OSError(28, "No space left on device", "/srv/runs/a/events.jsonl"), ValueError()],
    ids=repr,
)
def test_an_error_always_says_something_and_no_path(error: Exception) -> None:
    assert error_reason(error) and "/srv" not in error_reason(error)


@pytest.mark.case("R13")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["tokenizer.json", "snapshots/step-000002.npz", "6/state.json"])
def test_every_view_says_why_it_shows_nothing(root: Path, name: str, kind: Kind) -> None:
    made = make(root, "experts", {name.replace("6/", "step-000006/"): kind})
    assert isinstance(made, Run)
    models._models.clear()
    for answer in (
        run_feed.probe(made.id, 2),
        inside.look(made.id, 2),
        generating.begin(made.id, 6),
    ):
        if "error" in answer:
            assert isinstance(answer["error"], str) and answer["error"]
            assert str(root) not in answer["error"]


@pytest.mark.case("R4")
def test_what_a_folder_without_a_readable_file_takes_is_counted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that could not count one run would delete none, and start none."""
    made = make(
        root,
        "experts",
        {"config.json": "missing", "run.json": "link to itself", "events.jsonl": "missing"},
    )
    assert made in {each.id for each in storage.stored()}
    monkeypatch.setattr(RunStore, "folders", lambda store: [root / "just deleted", root / "whole"])
    assert [each.id for each in storage.stored()] == ["whole"]


@pytest.mark.case("R4")
def test_a_line_of_100_megabytes_is_passed_over(
    root: Path, valid: dict[str, dict[str, bytes]]
) -> None:
    log = valid["experts"]["events.jsonl"]
    long = b'{"type": "noted", "step": 1, "text": "' + b"x" * (100 << 20) + b'"}\n'
    made = make(root, "experts", {"events.jsonl": log + long + log})
    twice = make(root, "experts", {"events.jsonl": log + log})
    assert isinstance(made, Run) and isinstance(twice, Run)
    assert made.status().state == "finished"
    tracemalloc.start()
    assert made.history() == twice.history()
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
    lay_out({"events.jsonl": log + long[:-2]}, made.path)  # and it does not end
    assert made.history() == Run(root / "whole").history()
    assert made.status().step == 6  # that of the newest checkpoint


@pytest.mark.case("R4")
@pytest.mark.parametrize("page", ["runs", "compare", "suites"])
def test_the_dashboard_names_what_it_cannot_read(
    root: Path, valid: dict[str, dict[str, bytes]], page: str
) -> None:
    log = valid["experts"]["events.jsonl"]
    odd = b"".join(line + b"\n" for line in WRONG_LINES.values())
    changes: list[Files] = [
        {"events.jsonl": log + odd},
        {"config.json": "pipe"},
        {"run.json": "folder"},
        {"events.jsonl": "link to a device"},
        {"snapshots/step-000006.npz": b"PK", "tokenizer.json": "pipe"},
    ]
    made = [make(root, "experts", change) for change in changes]
    script = f"from playground.screens import common, {page}\ncommon.speak()\n{page}.show()"
    test = AppTest.from_string(script, default_timeout=PATIENCE)
    test.query_params["run"] = [run.id for run in made if isinstance(run, Run)]
    test.run()
    assert not test.exception
    expander = next(each for each in test.expander if "cannot be read" in each.label)
    told = [text.value for text in expander.text]
    assert sorted(each.split(": ")[1] for each in told) == [
        "config.json",
        "events.jsonl",
        "run.json",
    ]
    assert str(root) not in "".join(told)
    if page == "runs":
        assert len(test.dataframe[0].value) == 3


@pytest.mark.case("F20")
def test_a_name_is_never_taken_for_a_column(root: Path) -> None:
    """Names that the table of differences, or a language of the web, has its own use for."""
    names = ["Field", "", "field", "label", "run 0", "run 1", "__proto__", "constructor", "Suite"]
    made: list[Run] = []
    for number, name in enumerate(names):
        run = make(root, "experts", {})
        assert isinstance(run, Run)
        config = run.config.model_copy(
            update={"train": run.config.train.model_copy(update={"seed": number})}
        )
        (run.path / "config.json").unlink()  # it is one file with that of the whole run
        (run.path / "config.json").write_text(config.to_json())
        (run.path / "run.json").unlink()
        (run.path / "run.json").write_text(
            json.dumps({"name": name, "created": number, "parent": None})
        )
        made.append(Run(run.path))
    script = "from playground.screens import common, compare\ncommon.speak()\ncompare.show()"
    test = AppTest.from_string(script, default_timeout=PATIENCE)
    test.query_params["run"] = [run.id for run in made]
    test.run()
    assert not test.exception
    table = test.dataframe[0].value
    assert list(table["field"]) == ["seed"]
    assert [table[f"run {number}"][0] for number in range(len(names))] == [*map(str, range(9))]
    assert len(table.columns) == 2 + len(names)
    heads = json.loads(test.dataframe[0].proto.columns)
    assert [heads[f"run {number}"]["label"] for number in range(len(names))] == names


@pytest.mark.case("F20")
def test_groups_of_seeds_keep_their_curves_whatever_they_are_called() -> None:
    names = {"a": "x", "b": "x again", "c": "x (2 seeds)"}
    curves = {run: run for run in names}
    found = compare.banded_names([["a", "b"], ["c"]], names, curves)
    assert sorted(map(tuple, found.values())) == [("a", "b"), ("c",)]
