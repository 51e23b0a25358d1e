"""The loop around training: events, commands, samples, checkpoints, and every way a run ends."""

from __future__ import annotations

import json
import math
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import tokenizers
import torch
from safetensors.torch import load_file

from engine.config import RunConfig, TrainConfig
from engine.data import Data, make_data
from engine.data.tasks import TASKS
from engine.generation.batched import continue_all
from engine.runs.events import (
    Change,
    Changed,
    Diverged,
    Ended,
    Evaluated,
    Message,
    Noted,
    Pause,
    Paused,
    Probed,
    Resume,
    Resumed,
    Routed,
    Sampled,
    Save,
    Saved,
    Started,
    Step,
    Stepped,
    Stop,
    Working,
)
from engine.runs.forks import fork, rerun
from engine.runs.snapshots import load as load_snapshot
from engine.runs.store import Run, RunBusy, RunError, RunStore
from engine.tokenizers import load_tokenizer
from engine.training import loop
from engine.training.checkpoint import CheckpointError
from engine.training.devices import cpu_count
from engine.training.driver import SAMPLE_TOKENS, drive, end_with_parent, log, warm_up
from engine.training.driver import driver as driving
from engine.training.loop import due, new_state
from engine.validation import ConfigError
from tests.engine.generation.test_batched import Writes
from tests.tools.options import TINY_RUN
from tests.tools.waiting import PATIENCE

TINY = TINY_RUN | {"sample_interval": 3, "probe_interval": 2, "save_interval": 4}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far something is, nobody is told here, however slow the machine; one test asks for it."""
    monkeypatch.setattr(log, "SILENCE", math.inf)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def make(store: RunStore, **changes: Any) -> Run:
    return store.create(RunConfig.from_flat(TINY | changes), "a run")


def of(run: Run, *kinds: type[Message]) -> list[Any]:
    return [event for event in run.history() if isinstance(event, kinds)]


def losses(run: Run) -> list[tuple[int, float]]:
    return [(event.step, event.loss) for event in of(run, Stepped)]


def told(run: Run) -> list[str]:
    return [f"{event['type']} {event['step']}" for event in run.raw_events()[0]]


def after(
    kind: type[Message], act: Callable[[], None], times: int = 1
) -> Callable[[Message], None]:
    """A listener that does something at the n-th event of a kind."""
    seen = 0

    def listen(event: Message) -> None:
        nonlocal seen
        seen += isinstance(event, kind)
        if isinstance(event, kind) and seen == times:
            act()

    return listen


def test_a_run_from_its_beginning_to_its_end(store: RunStore) -> None:
    run = make(store)
    heard: list[Message] = []
    ended = drive(run, listen=heard.append)
    assert ended == Ended(step=6, how="finished")
    samples = len(of(run, Sampled)) // 3
    assert told(run) == [
        *["started 0", "evaluated 0", *["sampled 0"] * samples, "probed 0", "saved 0"],
        *["stepped 1", "stepped 2", "probed 2"],
        *["stepped 3", "evaluated 3", *["sampled 3"] * samples],
        *["stepped 4", "probed 4", "saved 4"],
        *["stepped 5"],
        *["stepped 6", "evaluated 6", *["sampled 6"] * samples, "probed 6", "saved 6", "ended 6"],
    ]
    assert heard == [event for event, _ in run.events()[0]]
    started = of(run, Started)[0]
    assert started.parameters == 16 * 28 + run_parameters(run)
    assert (started.device, started.dtype, started.threads) == ("cpu", "fp32", 1)
    assert [kept.step for kept in run.checkpoints()] == [0, 4, 6]
    assert run.status().state == "finished" and not run.status().alive
    assert run.tokenizer_path.is_file()


def run_parameters(run: Run) -> int:
    state = new_state(run.config, make_data(run.config))
    return sum(w.numel() for w in state.model.parameters()) - 16 * 28


def test_what_is_recorded_disturbs_nothing(store: RunStore) -> None:
    watched = make(store, dropout=0.2)
    quiet = make(
        store, dropout=0.2, sample_interval=0, probe_interval=0, eval_interval=6, save_interval=6
    )
    drive(watched)
    drive(quiet)
    assert losses(watched) == losses(quiet)
    assert not of(quiet, Sampled, Probed)


def test_what_takes_long_tells_how_far_it_is(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, run = make(store), make(store)
    drive(quiet)
    monkeypatch.setattr(log, "SILENCE", 0.0)
    drive(run)
    steps = run.config.train.eval_steps
    measured = [event for event in of(run, Working) if event.task == "evaluate"]
    assert {event.step for event in measured} == {0, 3, 6}
    assert [event.done for event in measured][: len(measured) // 3] == list(
        range(len(measured) // 3)
    )
    assert all(event.done < event.total == steps for event in measured)
    written = [event for event in of(run, Working) if event.task == "sample"]
    assert written and all(event.done < event.total for event in written)
    assert {event.step for event in written} == {0, 3, 6}
    assert losses(run) == losses(quiet), "telling changes nothing"
    assert run.status().state == "finished"


def test_samples_and_snapshots_are_of_the_run(store: RunStore) -> None:
    run = make(store)
    drive(run)
    data = make_data(run.config)
    first = of(run, Sampled)[0]
    assert first.prompt == data.prompts[0]
    assert first.correct == (first.text == data.answer(first.prompt))
    snapshot = load_snapshot(run.snapshot_path(of(run, Probed)[1].name))
    assert snapshot.step == 2
    assert data.tokenizer.decode(snapshot.tokens.tolist()) == data.probe()


def test_text_is_sampled_with_temperature(store: RunStore) -> None:
    config = RunConfig.from_flat({**TINY, "source": "stories"} | {"total_steps": 2})
    run = store.create(config, "text", text="Once there was a fox, and it ran home. " * 40)
    drive(run)
    samples = of(run, Sampled)
    assert samples and all(s.correct is None for s in samples)
    assert {len(s.text) for s in samples} == {SAMPLE_TOKENS}
    assert len({s.text for s in samples if s.step == 2}) == len([s for s in samples if s.step == 2])
    resumable = Run(run.path)
    assert resumable.config.data.train_data_path == "data/text.txt"


@pytest.mark.parametrize("kind", ["byte", "word", "bpe"])
def test_a_text_of_any_tokens_trains_samples_stops_resumes_and_forks(
    store: RunStore, kind: str
) -> None:
    text = "小猴 said: 你好, fox! The fox said: 好。😀 the end.\n" * 40
    config = RunConfig.from_flat({**TINY, "total_steps": 4, "tokenizer": kind})
    run = store.create(config, "text", text=text)
    assert drive(run, listen=after(Stepped, lambda: run.send(Stop()), times=2)).how == "stopped"
    assert drive(run).how == "finished"
    assert load_tokenizer(run.tokenizer_path) == make_data(run.data_config()).tokenizer
    assert of(run, Sampled) and of(run, Probed)
    child = fork(store, run, 4, {"total_steps": 5})
    assert drive(child).how == "finished"
    with pytest.raises(ConfigError, match="gives other tokens"):
        fork(store, run, 4, {"total_steps": 5, "tokenizer": None})
    replaced = fork(store, run, 4, {"total_steps": 5})
    (replaced.path / "data" / "text.txt").write_text("Other text. " * 40, encoding="utf-8")
    assert ("other characters or tokens" in drive(replaced).reason) == (kind != "byte")


def test_log_interval_thins_the_log_but_not_the_listener(store: RunStore) -> None:
    run = make(store, log_interval=4)
    heard: list[Message] = []
    drive(run, listen=heard.append)
    assert [step for step, _ in losses(run)] == [3, 4, 6]  # and those that are measured
    assert [e.step for e in heard if isinstance(e, Stepped)] == [1, 2, 3, 4, 5, 6]


def test_records_are_bounded() -> None:
    config = TrainConfig.parse({"total_steps": 100_000})
    steps = [step for step in range(100_001) if due(step, 10, config)]
    assert len(steps) == 501 and steps[:2] == [0, 200]
    assert [s for s in range(11) if due(s, 3, TrainConfig.parse(TEN))] == [0, 3, 6, 9, 10]
    assert not due(0, 0, config)


TEN = {"total_steps": 10, "warmup_steps": 0}


# Going on


def test_stopped_and_resumed_equals_uninterrupted(store: RunStore) -> None:
    whole, parts = make(store, dropout=0.1), make(store, dropout=0.1)
    drive(whole)
    ended = drive(parts, listen=after(Stepped, lambda: parts.send(Stop()), times=3))
    assert (ended.how, ended.step) == ("stopped", 3)
    assert parts.status().state == "stopped"
    assert [kept.step for kept in parts.checkpoints()] == [0, 3]
    drive(parts)
    assert losses(parts) == losses(whole)
    same = [kind for kind in told(whole) if not kind.startswith(("started", "saved", "ended"))]
    assert [k for k in map(_label, parts.history()) if k in set(same)] == same


def _label(event: Message) -> str:
    return f"{event.type} {getattr(event, 'step', '')}"


@pytest.mark.parametrize("step", [0, 4])
def test_a_killed_run_goes_on_from_its_last_checkpoint(store: RunStore, step: int) -> None:
    whole, killed = make(store), make(store)
    drive(whole)

    class Killed(BaseException):
        """As a kill: nothing that the driver does at its end is done."""

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        drive(killed, listen=after(Stepped, kill, times=step + 1))
    assert killed.status().state == "interrupted"
    drive(killed)
    assert losses(killed) == losses(whole)
    assert [_label(e) for e in killed.history() if not isinstance(e, Started)] == [
        _label(e) for e in whole.history() if not isinstance(e, Started)
    ]


def test_a_kill_between_a_checkpoint_and_its_event_loses_neither(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = make(store), make(store)
    drive(whole)

    class Killed(BaseException):
        pass

    append = Run.append

    def fail(run: Run, event: Message, trained: float | None = None) -> None:
        if isinstance(event, Saved) and event.step == 4:
            raise Killed
        append(run, event, trained)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Run, "append", fail)
        drive(killed)
    assert killed.checkpoints()[-1].step == 4
    drive(killed)
    assert sorted(e.step for e in of(killed, Saved)) == sorted(e.step for e in of(whole, Saved))
    drive(killed)
    assert len(of(killed, Saved)) == len(of(whole, Saved))


@pytest.mark.parametrize("name", ["tokenizer.json", "examples.json", "process-1.json"])
def test_a_kill_while_a_file_is_written_leaves_no_part_of_it(name: str, store: RunStore) -> None:
    """As the kill leaves it: the temporary file that was to replace `name`."""
    run = make(store)
    (run.path / f".{name}.0123abcd").write_text("half")
    (run.path / ".run.json.0123abcd").write_text("a page is renaming the run")
    drive(run)
    assert [path.name for path in run.path.glob(".*")] == [".run.json.0123abcd"]


def test_a_finished_run_stays_finished(store: RunStore) -> None:
    run = make(store)
    drive(run)
    assert drive(run) == Ended(step=6, how="finished")
    assert len(losses(run)) == 6


def test_a_run_keeps_its_number_of_threads(store: RunStore) -> None:
    run = make(store, threads=None)
    drive(run, listen=after(Stepped, lambda: run.send(Stop()), times=2))
    first = of(run, Started)[0].threads
    notes = [event.text for event in of(run, Noted)]
    assert not notes or notes[0].startswith(f"CPU threads: {first}")
    drive(run)
    assert [event.threads for event in run.history() if isinstance(event, Started)] == [
        first,
        first,
    ]


def test_a_run_with_more_threads_than_processors_goes_on_with_those_it_began_with(
    store: RunStore,
) -> None:
    run = make(store, threads=cpu_count() + 3)
    drive(run)
    drive(run)
    assert [event.threads for event in of(run, Started)] == [cpu_count()] * 2


def test_two_processes_do_not_train_one_run(store: RunStore) -> None:
    run = make(store)
    claim = run.claim()
    with pytest.raises(RunBusy):
        drive(run)
    assert drive(run, claim=claim).how == "finished"


# Commands


class Live:
    """A run that is driven in a thread of this process."""

    def __init__(self, run: Run) -> None:
        self.run, self.stop, self.offset = run, threading.Event(), 0
        self.thread = threading.Thread(target=drive, args=(run,), kwargs={"stop": self.stop})
        self.thread.start()

    def wait_for(self, kind: type[Message]) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            events, offset = self.run.events(self.offset)
            for event, _ in events:
                if isinstance(event, kind):
                    self.offset = offset
                    return event
            self.offset = offset
            time.sleep(0.002)
        raise AssertionError(f"no {kind.type} in {PATIENCE} s: {told(self.run)[-5:]}")


@pytest.fixture
def live(store: RunStore) -> Iterator[Live]:
    run = make(store, total_steps=10_000_000, sample_interval=0, probe_interval=0)
    found = Live(run)
    yield found
    found.stop.set()
    found.thread.join()


def test_pause_step_and_resume(live: Live) -> None:
    run = live.run
    live.wait_for(Stepped)
    run.send(Pause())
    paused = live.wait_for(Paused)
    assert run.status().state == "paused"
    before = len(losses(run))
    time.sleep(0.2)
    assert len(losses(run)) == before == paused.step

    run.send(Step(steps=3))
    assert live.wait_for(Paused).step == paused.step + 3
    run.send(Step())
    assert live.wait_for(Paused).step == paused.step + 4
    run.send(Resume())
    assert live.wait_for(Resumed).step == paused.step + 4
    live.wait_for(Stepped)
    assert run.status().state == "running"
    run.send(Stop())
    assert live.wait_for(Ended).how == "stopped"


def test_a_paused_run_answers_at_once_and_rests(live: Live) -> None:
    assert driving.PAUSE_SECONDS <= 0.05  # between two looks at its commands
    run = live.run
    run.send(Pause())
    live.wait_for(Paused)
    for value in (1e-3, 2e-3, 3e-3):
        run.send(Change(field="max_lr", value=value))
        assert live.wait_for(Changed).value == value
    worked = sum(psutil.Process().cpu_times()[:2])
    time.sleep(0.5)
    assert sum(psutil.Process().cpu_times()[:2]) - worked < 0.1


def test_changes_act_and_are_kept(live: Live) -> None:
    run = live.run
    live.wait_for(Stepped)
    run.send(Pause())
    live.wait_for(Paused)
    run.send(Change(field="max_lr", value=1e-4))
    assert live.wait_for(Changed) == Changed(step=run.status().step, field="max_lr", value=1e-4)
    run.send(Step())
    stepped = live.wait_for(Stepped)
    assert stepped.lr <= 1e-4
    run.send(Save())
    saved = live.wait_for(Saved)
    state = json.loads((run.path / saved.name / "state.json").read_bytes())
    assert state["config"]["train"]["max_lr"] == 1e-4


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (Change(field="max_lr", value=-1.0), "Refused: max_lr = -1.0: must be greater than 0."),
        (Change(field="d_model", value=8), "cannot be changed in the middle of a run"),
        (Step(steps=0), "steps = 0: must be a whole number of at least 1"),
    ],
)
def test_an_impossible_command_is_refused(live: Live, command: Message, answer: str) -> None:
    live.run.send(command)
    assert answer in live.wait_for(Noted).text
    live.wait_for(Stepped)


@pytest.mark.parametrize(
    "command",
    [
        Change(field="max_lr", value="x"),  # type: ignore[arg-type]
        Step(steps=1.5),  # type: ignore[arg-type]
        Step(steps=[1]),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_command_is_refused_at_once(store: RunStore, command: Message) -> None:
    run = make(store)
    with pytest.raises(ValueError):
        run.send(command)
    assert run.commands()[0] == []


def test_foreign_lines_among_the_commands_do_no_harm(live: Live) -> None:
    with open(live.run.path / "commands.jsonl", "ab") as file:
        file.write(b'nonsense\n{"type": "explode"}\n[]\n{"type": "change"}\n')
        file.write(b'{"type": "change", "field": "max_lr", "value": NaN}\n')
    live.run.send(Pause())
    live.wait_for(Paused)


def test_the_end_of_the_parent_ends_the_run(live: Live) -> None:
    reader, writer = os.pipe()
    live.wait_for(Stepped)
    end_with_parent(live.stop, reader)
    os.write(writer, b"ignored\n")
    time.sleep(0.05)
    assert not live.stop.is_set()
    os.close(writer)
    ended = live.wait_for(Ended)
    assert ended.how == "stopped"
    assert live.run.checkpoints()[-1].step == ended.step
    os.close(reader)


# Every other end


def test_first_weights_without_a_loss_are_a_divergence(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        loop, "evaluate", lambda state: Evaluated(step=0, loss=math.nan, accuracy=None)
    )
    run = make(store)
    assert drive(run).how == "diverged" and run.status().state == "diverged"


@pytest.mark.parametrize("step", [7, 6], ids=["at the next batch", "at the evaluation"])
def test_divergence_is_an_end_with_a_reason(store: RunStore, step: int) -> None:
    run = make(
        store, max_lr=10.0, total_steps=60, warmup_steps=0, max_grad_norm=0.0, save_interval=5
    )
    original = driving.train

    def poisoned(state: Any) -> Iterator[Any]:
        for event in original(state):
            yield event
            if state.step == step and isinstance(event, Stepped):
                with torch.no_grad():
                    state.model.embedding.weight.fill_(math.inf)

    driving.train = poisoned  # type: ignore[assignment]
    try:
        ended = drive(run)
    finally:
        driving.train = original
    assert ended.how == "diverged" and ended.step == step
    (diverged,) = of(run, Diverged)
    assert diverged.step == step and diverged.grad_norm in ended.reason
    assert "The checkpoint of step 5 is kept" in ended.reason
    assert [kept.step for kept in run.checkpoints()] == [0, 5]
    assert run.status().state == "diverged"


def test_a_failure_is_an_end_with_a_reason(store: RunStore) -> None:
    run = make(store, source="nothing-like-this")
    ended = drive(run)
    assert ended.how == "failed" and "source = 'nothing-like-this': must be one of" in ended.reason
    assert run.status().state == "failed" and not (run.path / "error.txt").exists()

    run = make(store, dtype="fp16")
    assert "dtype = 'fp16': needs a GPU" in drive(run).reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "The disk is full."),
        (MemoryError(), "Out of memory."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Out of memory."),
        (KeyError("odd"), "KeyError: 'odd' (details in error.txt"),
    ],
)
def test_what_nobody_expected_is_told(
    store: RunStore, error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("engine.inspection.observe.probe", broken)
    run = make(store)
    ended = drive(run)
    assert ended.how == "failed" and reason in ended.reason
    assert (run.path / "error.txt").exists() == ("error.txt" in reason)


@pytest.mark.case("R14")
@pytest.mark.parametrize(
    "error",
    [
        lambda path: PermissionError(13, "Permission denied", str(path)),
        lambda path: RuntimeError(f"cannot map {path}"),
        lambda path: ValueError(f"{path}: is odd"),
    ],
    ids=["OSError", "RuntimeError", "ValueError"],
)
def test_a_reason_says_nothing_of_where_the_run_is(
    store: RunStore, error: Callable[[Path], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor of a page reads it."""
    run = make(store)

    def broken(*_: object) -> None:
        raise error(run.path / "snapshots" / "step-000000.npz")

    monkeypatch.setattr("engine.inspection.observe.probe", broken)
    reason = drive(run).reason
    assert "snapshots/step-000000.npz" in reason and str(run.path) not in reason


def test_a_damaged_checkpoint_is_named(store: RunStore) -> None:
    run = make(store)
    drive(run, listen=after(Stepped, lambda: run.send(Stop()), times=2))
    (run.path / "step-000002" / "model.safetensors").write_bytes(b"short")
    ended = drive(run)
    assert ended.how == "failed" and "model.safetensors: was cut short" in ended.reason


def test_other_data_is_not_mistaken_for_the_run_s(store: RunStore) -> None:
    config = RunConfig.from_flat({**TINY, "total_steps": 4})
    run = store.create(config, "text", text="abcdef " * 60)
    drive(run, listen=after(Stepped, lambda: run.send(Stop()), times=2))
    (run.path / "data" / "text.txt").write_text("uvwxyz " * 60)
    assert "other characters" in drive(run).reason


@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_run_of_an_earlier_version_goes_on_and_is_forked(store: RunStore, kind: str) -> None:
    config = RunConfig.from_flat({**TINY, "total_steps": 4, "tokenizer": kind})
    run = store.create(config, "text", text="The cat, the hat. " * 40)
    assert drive(run, listen=after(Stepped, lambda: run.send(Stop()), times=2)).how == "stopped"
    pieces = load_tokenizer(run.tokenizer_path).pieces
    older = {"characters": "".join(pieces)} if kind == "char" else {"pieces": pieces}
    run.tokenizer_path.write_text(json.dumps({"type": kind, **older}), "utf-8")
    assert drive(run).how == "finished"
    child = fork(store, run, 4, {"total_steps": 5})
    assert "model" in json.loads(child.tokenizer_path.read_text("utf-8"))
    assert drive(child).how == "finished"
    run.download(run.path / "run.zip")
    with zipfile.ZipFile(run.path / "run.zip") as archive:
        taken = archive.read(f"run-{run.id}/tokenizer.json")
    assert tokenizers.Tokenizer.from_str(taken.decode()).decode([0, 1]) == "".join(pieces[:2])
    run.tokenizer_path.write_text('{"type": "char"}', "utf-8")
    assert "tokenizer.json: characters: must be" in drive(run).reason


def test_checkpoints_are_pruned_by_the_rule(store: RunStore) -> None:
    run = make(store, total_steps=40, save_interval=1, keep_checkpoints=5, sample_interval=0)
    drive(run)
    steps = [kept.step for kept in run.checkpoints()]
    assert len(steps) == 5 and steps[0] == 0 and steps[-1] == 40
    assert not list(run.path.glob(".*"))


# Forks


def test_a_fork_goes_on_where_its_parent_was(store: RunStore) -> None:
    parent = make(store, dropout=0.1)
    drive(parent)
    child = fork(store, parent, 4)
    assert child.name == "a run from 4"
    assert (child.info.parent, child.info.parent_step) == (parent.id, 4)
    assert child.status().state == "new" and child.status().step == 4
    drive(child)
    assert losses(child) == losses(parent)[4:]
    assert [_label(e) for e in child.history()][:2] == ["started 4", "evaluated 4"]


def test_a_fork_with_changes(store: RunStore) -> None:
    parent = make(store)
    drive(parent)
    child = fork(store, parent, 4, {"total_steps": 8, "max_lr": 1e-3, "seed": 5})
    assert child.name == "a run from 4: seed 5, 8 steps, learning rate 0.001"
    drive(child)
    assert [step for step, _ in losses(child)] == [5, 6, 7, 8]
    assert child.config.train.seed == 5
    assert losses(child)[:2] != losses(parent)[4:]


def test_a_fork_with_another_optimizer_begins_its_averages_anew(store: RunStore) -> None:
    parent = make(store)
    drive(parent)
    child = fork(store, parent, 4, {"optimizer": "sgd", "total_steps": 8})
    assert drive(child).how == "finished"
    stored = load_file(child.checkpoints()[-1].path / "optimizer.safetensors")
    assert {int(count) for name, count in stored.items() if name.startswith("step.")} == {4}


def test_a_fork_of_weights_alone(store: RunStore) -> None:
    parent = make(store)
    drive(parent)
    for kept in parent.checkpoints():
        (kept.path / "optimizer.safetensors").unlink()
    assert "weights only" in drive(parent).reason
    child = fork(store, parent, 6, {"total_steps": 9})
    drive(child, listen=after(Stepped, lambda: child.send(Stop()), times=1))
    assert child.status().step == 7
    drive(child)
    assert child.status().state == "finished"


def test_a_fork_keeps_the_learner_s_text(store: RunStore) -> None:
    config = RunConfig.from_flat({**TINY, "total_steps": 2})
    parent = store.create(config, "text", text="ab cd\r\n " * 60)
    drive(parent)
    child = fork(store, parent, 2, {"total_steps": 4})
    assert drive(child).how == "finished"
    assert (child.path / "data" / "text.txt").read_bytes() == b"ab cd\r\n " * 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 32}, "d_model = 32: must stay 16, or the weights would not fit"),
        ({"position": "alibi"}, "position = 'alibi': must stay rope"),
        ({"total_steps": 4}, "total_steps = 4: must be above 4"),
        ({"max_lr": -1}, "max_lr = -1: must be greater than 0"),
        ({"magic": 1}, "magic = 1: is not the name of a field"),
    ],
)
def test_an_impossible_fork_is_refused(
    store: RunStore, changes: dict[str, Any], message: str
) -> None:
    parent = make(store)
    drive(parent)
    with pytest.raises(ConfigError) as caught:
        fork(store, parent, 4, changes)
    assert message in str(caught.value)
    assert len(store.list()) == 1


def test_a_fork_of_no_checkpoint_is_refused(store: RunStore) -> None:
    parent = make(store)
    with pytest.raises(RunError, match="no checkpoint of step 5; it has none"):
        fork(store, parent, 5)
    drive(parent)
    with pytest.raises(RunError, match="it has 0, 4, 6"):
        fork(store, parent, 5)
    (parent.path / "step-000004" / "state.json").write_text("{}")
    with pytest.raises(CheckpointError, match="lacks config"):
        fork(store, parent, 4)


def test_beginning_again_is_the_same_run(store: RunStore) -> None:
    first = make(store, dropout=0.1, seed=3)
    drive(first)
    again = rerun(store, first)
    drive(again)
    assert again.id != first.id and losses(again) == losses(first)


# Samples


def right_and_on(data: Data, after: list[int]) -> Writes:
    """A model that writes the right answer to each of the data's prompts, and then `after`."""

    def ids(text: str) -> list[int]:
        return data.tokenizer.encode(text)

    ends = [] if data.end is None else [data.end]
    said = {
        "".join(map(chr, ids(prompt))): [*ids(data.answer(prompt) or ""), *ends]
        for prompt in data.prompts
    }
    return Writes(said, after, data.tokenizer.vocab_size)


@pytest.mark.case("F1")
@pytest.mark.parametrize("name", TASKS)
def test_the_right_answer_is_right_whatever_is_written_after_it(
    name: str, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer ends before its first END. Each prompt gets the same text as it gets alone."""
    longest = {"task_length": 8, "max_seq_len": 64, "sample_interval": 1, "total_steps": 2}
    run = make(store, source=name, **longest)
    data = make_data(run.config)
    end = data.tokenizer.vocab_size - 1 if data.end is None else data.end
    for after in ([end], [0, end], [end, end, 0]):
        model = right_and_on(data, after)
        prompts = [data.tokenizer.encode(prompt) for prompt in data.prompts]
        answers = [data.tokenizer.encode(data.answer(prompt) or "") for prompt in data.prompts]
        most = max(map(len, answers)) + 1
        together = continue_all(model, prompts, max_new_tokens=most, temperature=0, end=data.end)
        for prompt, answer, text in zip(prompts, answers, together, strict=True):
            assert [text] == continue_all(
                model, [prompt], max_new_tokens=most, temperature=0, end=data.end
            )
            assert text == answer if data.end is not None else text[: len(answer)] == answer
        monkeypatch.setattr(driving.Driver, "whole_model", lambda _, model=model: model)
        ended = make(store, source=name, **longest)
        drive(ended)
        samples = of(ended, Sampled)
        assert {sample.prompt for sample in samples} == set(data.prompts)
        assert all(sample.correct for sample in samples) or data.end is None


@pytest.mark.case("F1")
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("experts", [{}, {"n_experts": 4}], ids=str)
def test_held_out_rows_are_measured_together_as_alone(name: str, experts: dict[str, Any]) -> None:
    """Loss and accuracy, in one batch and row by row: what follows an END counts in neither."""
    found: list[Evaluated] = []
    for sizes in ({"batch_size": 32, "eval_steps": 1}, {"batch_size": 1, "eval_steps": 32}):
        config = RunConfig.from_flat(TINY | {"source": name, "task_length": 4} | experts | sizes)
        found.append(loop.evaluate(new_state(config, make_data(config))))
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-5)
    assert found[0].accuracy == found[1].accuracy


def test_no_token_is_written_that_the_tokenizer_lacks(store: RunStore) -> None:
    config = RunConfig.from_flat(TINY | {"vocab_size": 500, "total_steps": 2})
    run = store.create(config, "text", text="ab cd " * 60)
    assert drive(run).how == "finished"
    assert {s for sample in of(run, Sampled) for s in sample.text} <= set("ab cd")


def test_warming_up_touches_no_generator() -> None:
    state = torch.get_rng_state()
    warm_up()
    assert torch.equal(torch.get_rng_state(), state)


def test_evaluations_carry_accuracy_for_tasks(store: RunStore) -> None:
    run = make(store)
    drive(run)
    assert all(event.accuracy is not None for event in of(run, Evaluated))


# Experts -----------------------------------------------------------------------------------------

EXPERTS: dict[str, Any] = {"n_experts": 4, "top_k": 1, "router": "switch"}


def test_the_routing_of_every_step_is_in_the_log_and_that_of_a_text_in_the_snapshots(
    store: RunStore,
) -> None:
    run = make(store, **EXPERTS)
    drive(run)
    assert [event.step for event in of(run, Routed)] == list(range(1, 7))
    lines = told(run)
    assert lines[lines.index("routed 3") + 1] == "stepped 3"  # before the step is told as complete
    length = len(load_snapshot(run.snapshot_path("step-000000.npz")).tokens)
    for name in ("step-000000.npz", "step-000006.npz"):
        routing = load_snapshot(run.snapshot_path(name)).routing
        assert routing.shape == (2, 1, length, 4)  # probabilities and gates, of the one layer
        assert ((routing[1] > 0).sum(-1) == 1).all()  # one expert for every token


def test_the_routing_of_a_long_run_is_thinned(store: RunStore, monkeypatch: Any) -> None:
    monkeypatch.setattr(loop, "MAX_RECORDS", 4)
    run = make(store, **EXPERTS, total_steps=12, probe_interval=0, sample_interval=0)
    drive(run)
    assert [event.step for event in of(run, Routed)] == [3, 6, 9, 12]
    assert len(of(run, Stepped)) == 12


def test_a_weight_of_balance_changes_in_the_middle_of_a_run(store: RunStore) -> None:
    run = make(store, **EXPERTS, switch_loss=0.0, total_steps=400, sample_interval=0)
    live = Live(run)
    live.wait_for(Stepped)
    run.send(Pause())
    live.wait_for(Paused)
    run.send(Change(field="switch_loss", value=0.5))
    changed = live.wait_for(Changed)
    assert (changed.field, changed.value) == ("switch_loss", 0.5)
    run.send(Step(steps=2))
    live.wait_for(Paused)
    run.send(Stop())
    live.thread.join()
    for event in of(run, Routed):
        assert (event.balance_loss > 0.4) == (event.step > changed.step)
