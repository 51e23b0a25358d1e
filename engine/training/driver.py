"""Train a run's folder: the loop around `train` that writes events, obeys commands and saves.

Everything that a run does besides its updates is here: samples, recorded attention, checkpoints, pauses,
and the reason for its end. One process drives a run; with several, the others follow it (`followers`).
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import torch

from engine.config import RunConfig
from engine.data import Data, PairData, make_data
from engine.distributed.ranks import ALONE, HEARTBEAT_SECONDS, Ranks
from engine.files import file_size, finish_line, remove_unfinished, write_atomic
from engine.generation.batched import continue_all
from engine.generation.translation import translate
from engine.inspection import observe
from engine.model.decoder import Decoder, TransformerLM
from engine.model.encoder_decoder import Transformer
from engine.runs import examples, snapshots
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
    Task,
    Working,
)
from engine.runs.locks import Claim
from engine.runs.store import Run, RunError
from engine.tokenizers import TextStream, TokenizerError, load_tokenizer
from engine.tokenizers.marked import BEGIN, END, MarkedTokenizer
from engine.training import checkpoint, followers
from engine.training.devices import cpu_count, keep_freed_memory, measure_threads
from engine.training.followers import Work, begin
from engine.training.loop import (
    TrainState,
    due,
    evaluation_due,
    rehearse,
    train,
)
from engine.training.loss import cross_entropy
from engine.training.optim import AdamW
from engine.validation import ConfigError

SAMPLE_TOKENS = 96
"""Length of a sample of text."""

SAMPLE_TEMPERATURE = 0.8
"""For text. Exact answers are decoded greedily."""

SILENCE = 0.5
"""Seconds without an event after which a long evaluation or sample reports its progress."""

RESERVE_BYTES = 1 << 14
"""Disk space that is kept for the last line of the log."""

PAUSE_SECONDS = 0.02
"""Interval at which a paused run checks for commands."""

Listener = Callable[[Message], None]


def drive(
    run: Run,
    *,
    claim: Claim | None = None,
    stop: threading.Event | None = None,
    listen: Listener | None = None,
    ranks: Ranks = ALONE,
) -> Ended:
    """Train a run from its newest checkpoint, or from its beginning, until it ends.

    Args:
        run: its folder.
        claim: this process's claim on the run, if it has one already.
        stop: if set, the run saves and ends after its current step.
        listen: called with every event, including the steps that `log_interval` leaves out of the log.
        ranks: the processes that train it. This is the first of them; the others `follow`.

    An error becomes the `reason` of the `Ended` that is recorded and returned. Raises `RunBusy` if another
    process trains the run.
    """
    claim = claim or run.claim()
    driver = Driver(run, claim.commands, stop or threading.Event(), listen, ranks)
    try:
        try:
            ended = driver.go()
            ranks.say(None)  # after a failure, the end of this process ends the others
        except Exception as error:
            reason = ranks.lost(error) or explain(error, run.path)
            ended = Ended(step=driver.step, how="failed", reason=reason)
        driver.end(ended)
        return ended
    finally:
        claim.release()


class Stopwatch:
    """Seconds of training without pauses, by the monotonic clock."""

    def __init__(self) -> None:
        self.before = 0.0
        """Seconds up to the last stop."""
        self.since: float | None = None
        """Time of the last start, by `monotonic`; None while it is stopped."""

    def start(self) -> None:
        if self.since is None:
            self.since = monotonic()

    def stop(self) -> None:
        self.before, self.since = self.read(), None

    def read(self) -> float:
        return self.before + (0.0 if self.since is None else monotonic() - self.since)


class Start(NamedTuple):
    """The point at which a process starts to train a run."""

    folder: Path | None
    """The newest checkpoint; None: a new run."""
    fork: bool
    """Whether it is the checkpoint that the run was forked from."""
    recorded: bool
    """Whether the log already has an evaluation."""
    history: list[Message]
    """The log so far."""


class Driver:
    """The work of one process on one run, used through `drive`."""

    def __init__(
        self,
        run: Run,
        commands: int,
        stop: threading.Event,
        listen: Listener | None,
        ranks: Ranks,
    ) -> None:
        self.run = run
        self.stop = stop
        self.listen = listen
        self.ranks = ranks
        self.commands = commands
        """Bytes of `commands.jsonl` that have been obeyed."""
        self.paused = False
        self.steps_left: int | None = None
        """Steps until the next pause, after a `Step` command."""
        self.saved: RunConfig | None = None
        """The configuration in the checkpoint of the current step; None if it has no checkpoint."""
        self.step = 0
        """The current step; also known if building the state fails."""
        self.first_step = 0
        """The step at which this process began."""
        self.begun_at = -1
        """The same if everything at that step was recorded before its checkpoint; else -1."""
        self.why = ""
        """The reason of a `Stop` that the learner did not ask for."""
        self.recorded_at = 0.0
        """Time of the last recorded event."""
        self.watch = Stopwatch()
        self.known: set[tuple[str, str] | None] = set()
        """Events of `first_step` that earlier processes have recorded (see `key`)."""
        self.reserve = run.path / "reserve"
        """A file that reserves disk space, deleted if the last line of the log cannot be written."""

    def end(self, ended: Ended) -> None:
        """Record how the run ended. A log that cannot be written at all stays as it is."""
        try:
            self.record(ended)
        except OSError:
            with suppress(OSError):
                self.reserve.unlink()
                finish_line(self.run.path / "events.jsonl")
                self.record(ended)
        finally:
            with suppress(OSError):
                self.reserve.unlink(missing_ok=True)

    def record(self, event: Message) -> None:
        """Record an event, unless it is of the first step and an earlier process has recorded it."""
        if self.step == self.first_step and key(event) in self.known:
            return
        self.run.append(event, self.watch.read())
        self.recorded_at = monotonic()
        if self.listen is not None:
            self.listen(event)

    def report(self, task: Task, done: int, total: int) -> None:
        """Record progress, if there was no event for a while."""
        if monotonic() - self.recorded_at >= SILENCE:
            self.record(Working(step=self.state.step, task=task, done=done, total=total))

    def do(self, task: str, *given: Any) -> Any:
        """Do one of `followers.TASKS` in all processes of this run."""
        return followers.lead(self.work, task, *given)

    # The loop ----------------------------------------------------------------------------------

    def go(self) -> Ended:
        """Train until the run ends; returns how it ended."""
        state = self.state = self.prepare()
        if not self.obey():
            return self.stopped()
        while (event := self.do("next")) is not None:
            self.step = state.step
            if isinstance(event, Stepped):
                self.saved = None
                self.record_step(event)
                if evaluation_due(state):
                    continue  # its `Evaluated` comes next; only then is the step complete
            elif isinstance(event, Evaluated):
                if event.step == self.begun_at:
                    continue  # recorded before the run was interrupted
                self.record(event)
            elif isinstance(event, Routed | Noted):
                self.record(event)
                continue
            else:
                self.record(event)
                return self.diverged(event)
            self.observe()
            if not self.obey():
                return self.stopped()
        return Ended(step=state.step, how="finished")

    def record_step(self, event: Stepped) -> None:
        """Log every `log_interval`-th step, and those with an evaluation."""
        config = self.state.config.train
        if event.step % config.log_interval == 0 or evaluation_due(self.state):
            self.record(event)
        elif self.listen is not None:
            self.listen(event)
        if self.steps_left is not None:
            self.steps_left -= 1

    def stopped(self) -> Ended:
        if self.saved != self.state.config:
            self.save()
        return Ended(step=self.state.step, how="stopped", reason=self.why)

    def diverged(self, event: Diverged) -> Ended:
        kept = self.run.checkpoints()
        reason = (
            f"After step {event.step} the loss was {event.loss} and the gradient's norm "
            f"{event.grad_norm}: no longer numbers that can be learned from. "
        )
        if kept:
            reason += f"The checkpoint of step {kept[-1].step} is kept. "
        return Ended(step=event.step, how="diverged", reason=reason + "A lower max_lr helps.")

    # Before the first step ---------------------------------------------------------------------

    def prepare(self) -> TrainState:
        """Everything before the first step; returns the state to train, stored or new."""
        checkpoint.clear_leftovers(self.run.path)
        remove_unfinished(self.run.path, self.run.tokenizer_path.name, examples.NAME)
        torch.set_num_threads(1)  # until more are measured to be faster
        keep_freed_memory()
        data = make_data(self.run.data_config())
        self.keep_tokenizer(data)
        examples.write(self.run.path, examples.examples_of(data, self.run.config.train))
        start = self.find_start()
        state = self.state = self.begin_state(data, start)
        self.work = Work(state, train(state))
        self.continue_log(start)
        note = self.choose_threads(start.folder)
        self.reserve_disk_space()
        self.watch.start()
        self.announce(data, start, note)
        return state

    def find_start(self) -> Start:
        """The newest checkpoint, if there is one. Raises `RunError` if it cannot be trained further."""
        history, saved = self.run.history(), self.run.checkpoints()
        recorded = any(isinstance(event, Evaluated) for event in history)
        if not saved:
            return Start(None, False, recorded, history)
        newest = saved[-1]
        # Only the fork of a run may continue from weights alone.
        fork = newest.step == self.run.info.parent_step
        if not newest.resumable and not fork:
            raise RunError(f"{self.run.name}: holds weights only; fork it to train them further")
        return Start(newest.path, fork, recorded, history)

    def begin_state(self, data: Data, start: Start) -> TrainState:
        """Build or load the state, in all processes at the same moment."""
        config = self.run.data_config()
        if self.ranks.together:
            threads = self.share_threads(config, start.folder)
            self.ranks.say(
                [None if start.folder is None else str(start.folder), start.fork, threads]
            )
        state = begin(config, data, start.folder, self.ranks, start.fork)
        if start.folder is None:
            state.config = self.run.config  # without the absolute path of the learner's own text
        else:
            self.saved = state.config
        state.report = partial(self.report, "evaluate")
        return state

    def continue_log(self, start: Start) -> None:
        """Find out which events of the first step earlier processes have recorded already."""
        step = self.step = self.first_step = self.state.step
        resumed = start.folder is not None and start.recorded and not start.fork
        self.begun_at = step if resumed else -1
        self.known = {key(each) for each in start.history if getattr(each, "step", None) == step}
        self.known.discard(None)
        self.watch.before = self.run.trained()

    def reserve_disk_space(self) -> None:
        with suppress(OSError):  # the disk is full already
            self.reserve.write_bytes(os.urandom(RESERVE_BYTES))

    def announce(self, data: Data, start: Start, note: str) -> None:
        """Record `Started`, notes, and what a new fork can do before its first step."""
        state = self.state
        self.record(
            Started(
                step=state.step,
                parameters=sum(w.numel() for w in state.model.parameters()),
                device=state.device.type,
                dtype=state.config.train.dtype,
                threads=torch.get_num_threads(),
                train_tokens=data.train_tokens,
            )
        )
        if start.folder is not None and start.recorded and not start.fork:
            # A kill can come between the rename of a checkpoint and its line in the log.
            self.record(Saved(step=state.step, name=start.folder.name))
        if isinstance(data, PairData) and data.left_out() and not start.recorded:
            self.record(Noted(step=state.step, text=data.left_out()))
        if note:
            self.record(Noted(step=state.step, text=note))
        if state.step > 0 and (start.fork or not start.recorded):
            self.record(self.do("evaluate"))
            self.observe()

    def share_threads(self, config: RunConfig, folder: Path | None) -> int:
        """Divide the processors among the processes of this machine; returns the threads of each."""
        share = max(1, cpu_count() // self.ranks.beside)
        before = checkpoint.threads_of(folder) if folder is not None else None
        threads = config.train.threads or min(before or share, share)
        torch.set_num_threads(threads)
        return threads

    def keep_tokenizer(self, data: Data) -> None:
        """Store the tokenizer, or check that it equals the stored one."""
        path = self.run.tokenizer_path
        try:
            stored = load_tokenizer(path)
        except FileNotFoundError:
            write_atomic(path, data.tokenizer.to_json() + "\n")
            return
        except TokenizerError as error:
            raise RunError(f"{path.name}: {error}") from None
        if stored != data.tokenizer:
            raise RunError(
                f"{path.name}: the data now has other characters or tokens than those that the model has learned"
            )

    def choose_threads(self, folder: Path | None) -> str:
        """Set the number of CPU threads of a single process; returns the measurement in words, if any."""
        if self.ranks.together:  # `share_threads` has set it
            return ""
        state = self.state
        wanted = state.config.train.threads
        if wanted is None and folder is not None:
            wanted = checkpoint.threads_of(folder)  # the same number gives the same rounding
        if wanted is not None:
            torch.set_num_threads(min(wanted, max(1, cpu_count())) if folder else wanted)
            return ""
        if state.device.type != "cpu" or cpu_count() == 1:
            return ""
        chosen, seconds = measure_threads(rehearse(state))
        if not seconds:
            return "CPU threads: 1, since the other processors are busy."
        measured = ", ".join(f"{n}: {1e3 * s:.1f} ms" for n, s in seconds.items())
        return f"CPU threads: {chosen} (a step with {measured})."

    # After a step ------------------------------------------------------------------------------

    def observe(self) -> None:
        """Sample, record attention and save a checkpoint, each if it is due."""
        config, step = self.state.config.train, self.state.step
        if step == self.begun_at:
            return
        if due(step, config.sample_interval, config):
            self.sample()
        if due(step, config.probe_interval, config):
            self.probe()
        if step == 0 or step % config.save_interval == 0 or step == config.total_steps:
            self.save()

    def sample(self) -> None:
        """Continue each fixed prompt. Uses its own random generator."""
        data, model = self.state.data, self.whole_model()
        answers = [data.answer(prompt) for prompt in data.prompts]
        prompts = [self.encode(prompt) for prompt in data.prompts]
        known = [self.encode(answer) for answer in answers if answer is not None]
        longest = max(map(len, known), default=0)
        if isinstance(model, Transformer):
            sources = [[*prompt, END] for prompt in prompts]
            found = translate(model, sources, max_new_tokens=2 * longest + 2)
            written = [translation.text for translation in found]
        else:
            written = continue_all(
                model,
                prompts,
                max_new_tokens=longest + 1 if data.exact else SAMPLE_TOKENS,
                temperature=0.0 if data.exact else SAMPLE_TEMPERATURE,
                end=data.end,
                known=data.tokenizer.vocab_size,
                report=partial(self.report, "sample"),
            )
        for prompt, answer, tokens in zip(data.prompts, answers, written, strict=True):
            text = TextStream(data.tokenizer).feed(tokens)  # complete characters only
            correct = text == answer if data.exact else None
            self.record(Sampled(step=self.state.step, prompt=prompt, text=text, correct=correct))

    def whole_model(self) -> Decoder:
        """The model for samples and attention; of a sharded model (fsdp), a complete copy on the CPU."""
        model = self.state.measured_model
        if not self.state.processes.sharded:
            return model
        return checkpoint.built(model.config, self.do("weights"))

    def encode(self, text: str) -> list[int]:
        """The ids of a validation text, which in pairs may have characters unknown to the tokenizer."""
        tokenizer = self.state.data.tokenizer
        if isinstance(tokenizer, MarkedTokenizer):
            return tokenizer.encode_known(text)[0]
        return tokenizer.encode(text)

    def probe(self) -> None:
        """Record the attention of one fixed sequence."""
        data, step = self.state.data, self.state.step
        name = f"step-{step:06d}.npz"
        path = self.run.snapshot_path(name)
        path.parent.mkdir(exist_ok=True)
        text, sources = data.probe(), None
        ids, model = self.encode(text), self.whole_model()
        if isinstance(model, Transformer):  # with the reference translation
            ids, sources = [BEGIN, *self.encode(data.answer(text) or "")], [*ids, END]
        snapshots.save(observe.probe(model, ids, step, sources), path)
        self.record(Probed(step=step, name=name))

    def save(self) -> None:
        """Write a checkpoint, and delete those beyond `keep_checkpoints`."""
        folder = self.run.checkpoint_path(self.state.step)
        self.do("save", str(folder))
        self.saved = self.state.config
        self.record(Saved(step=self.state.step, name=folder.name))
        steps = [kept.step for kept in self.run.checkpoints()]
        for step in checkpoint.surplus(steps, self.state.config.train.keep_checkpoints):
            old = self.run.checkpoint_path(step)
            gone = old.with_name(f".{old.name}.gone")
            with suppress(OSError):  # open in another program on Windows: next time
                old.rename(gone)
                shutil.rmtree(gone)

    # Commands ----------------------------------------------------------------------------------

    def obey(self) -> bool:
        """Obey new commands, and wait while paused. False: the run must end."""
        log = self.run.path / "commands.jsonl"
        if self.steps_left == 0:
            self.pause()
        heartbeat = monotonic()
        while not self.stop.is_set():
            if file_size(log) > self.commands:
                commands, self.commands = self.run.commands(self.commands)
                for command, _ in commands:
                    if isinstance(command, Stop):
                        self.why = command.reason
                        return False
                    self.follow(command)
            if not self.paused:
                return True
            self.stop.wait(PAUSE_SECONDS)
            if monotonic() - heartbeat > HEARTBEAT_SECONDS:  # else the other processes give up
                heartbeat = monotonic()
                self.do("wait")
        return False

    def pause(self) -> None:
        self.paused, self.steps_left = True, None
        self.watch.stop()
        self.record(Paused(step=self.state.step))

    def follow(self, command: Message) -> None:
        """Obey one command. Refuses an impossible one by a `Noted`."""
        step = self.state.step
        if isinstance(command, Pause):
            if not self.paused:
                self.pause()
        elif isinstance(command, Resume):
            self.steps_left = None
            if self.paused:
                self.paused = False
                self.watch.start()
                self.record(Resumed(step=step))
        elif isinstance(command, Step):
            if command.steps >= 1:
                self.paused, self.steps_left = False, command.steps
                self.watch.start()
            else:
                self.refuse(f"steps = {command.steps!r}: must be a whole number of at least 1")
        elif isinstance(command, Save):
            self.save()
        elif isinstance(command, Change):
            self.change(command)

    def change(self, command: Change) -> None:
        try:
            changed: dict[str, float] = self.do("change", command.field, command.value)
        except ConfigError as error:
            return self.refuse(str(error))
        for field, value in changed.items():
            self.record(Changed(step=self.state.step, field=field, value=value))

    def refuse(self, reason: str) -> None:
        self.record(Noted(step=self.state.step, text=f"Refused: {reason}."))


def key(event: Message) -> tuple[str, str] | None:
    """Equal for two events of one step if the second repeats the first; None if it never does."""
    if isinstance(event, Evaluated | Probed | Saved):
        return event.type, ""
    return (event.type, event.prompt) if isinstance(event, Sampled) else None


def explain(error: Exception, folder: Path) -> str:
    """The reason of a failure in one sentence. Details of an unexpected one are written to a file.

    Paths are relative to the run's folder, since visitors of a page must not learn where that is.
    """
    return _reason(error, folder).replace(f"{folder}{os.sep}", "")


def _reason(error: Exception, folder: Path) -> str:
    if isinstance(error, ConfigError | RunError | checkpoint.CheckpointError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error):
        return "Out of memory. A smaller batch_size, max_seq_len or d_model needs less."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full."
    if isinstance(error, OSError):
        return str(error)
    with suppress(OSError):
        (folder / "error.txt").write_text("".join(traceback.format_exception(error)), "utf-8")
    first = (str(error).strip() or "no message").splitlines()[0][:300]
    return f"{type(error).__name__}: {first} (details in error.txt of the run's folder)"


def warm_up() -> None:
    """Make one step with a tiny model, so that the first step of a run is as fast as the others."""
    with torch.random.fork_rng(devices=[]):
        model = TransformerLM(d_model=16, n_head=2, n_layer=1, vocab_size=8, max_seq_len=8)
        tokens = torch.zeros(2, 8, dtype=torch.long)
        cross_entropy(model(tokens), tokens).backward()
        AdamW(model.parameters()).step()
        continue_all(model, [[1, 2]], max_new_tokens=2)


def end_with_parent(stop: threading.Event, descriptor: int = 0) -> None:
    """Set `stop` when the other end of this process's standard input closes.

    The operating system closes it when the parent process ends, however it ends.
    """

    def watch() -> None:
        with suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        stop.set()

    threading.Thread(target=watch, daemon=True, name="parent").start()
