"""Trains a run's folder: the loop around `train` that writes events, obeys commands and saves.

Everything a run does beyond learning is here: samples, recorded attention, checkpoints, pauses, and
the reason it ended. One process drives one run; others that train it too do what it says (`following`).
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

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
from typing import Any

import torch

from engine import checkpoint, following, observe, snapshots
from engine.claims import Claim
from engine.config import RunConfig
from engine.data import Data, PairData, make_data
from engine.devices import cpu_count, keep_freed_memory, measure_threads
from engine.events import (
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
from engine.following import Work, begin
from engine.jsonl import finish_line, read_stored, size_of, write_whole
from engine.loss import cross_entropy
from engine.model.decoder import Decoder, TransformerLM
from engine.model.encoder_decoder import Transformer
from engine.optim import AdamW
from engine.ranks import ALONE, HEARTBEAT_SECONDS, Ranks
from engine.runs import Run, RunError
from engine.samples import continue_all
from engine.tokenizers import TextStream
from engine.tokenizers.base import MAX_BYTES
from engine.tokenizers.marked import BEGIN, END, MarkedTokenizer
from engine.training import (
    TrainState,
    due,
    evaluation_due,
    rehearse,
    train,
)
from engine.translation import translate
from engine.validation import ConfigError

SAMPLE_TOKENS = 96
"""How much a text model writes after each prompt."""

SAMPLE_TEMPERATURE = 0.8
"""For texts. Where answers are exact, the most probable token is taken."""

SILENCE = 0.5
"""Seconds after which whoever looks on is told how far a long evaluation is, or a long sample."""

RESERVE_BYTES = 1 << 14

PAUSE_SECONDS = 0.02
"""How long a paused run sleeps before it looks for commands."""

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
        claim: this process's claim on the run, when it is taken already.
        stop: set it to have the run save and end after its current step.
        listen: is told every event, also the steps that `log_interval` leaves out of the log.
        ranks: the processes that train it. This is the first of them; the others `follow`.

    Whatever goes wrong is the `reason` of the `Ended` that it records and returns. Raises `RunBusy`
    when another process trains the run.
    """
    claim = claim or run.claim()
    driver = Driver(run, claim.commands, stop or threading.Event(), listen, ranks)
    try:
        try:
            ended = driver.go()
            ranks.say(None)  # after a failure, the end of this process tells the others
        except Exception as error:
            reason = ranks.lost(error) or explain(error, run.path)
            ended = Ended(step=driver.step, how="failed", reason=reason)
        driver.end(ended)
        return ended
    finally:
        claim.release()


class Stopwatch:
    """Seconds of training without pauses, by a clock that nobody sets."""

    def __init__(self) -> None:
        self.before = 0.0
        """What it showed when it was last stopped."""
        self.since: float | None = None
        """When it was started, on the clock of `monotonic`; None while it stands."""

    def start(self) -> None:
        if self.since is None:
            self.since = monotonic()

    def stop(self) -> None:
        self.before, self.since = self.read(), None

    def read(self) -> float:
        return self.before + (0.0 if self.since is None else monotonic() - self.since)


class Driver:
    """One process's work on one run; `drive` is the way to use it."""

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
        """How many bytes of `commands.jsonl` have been obeyed."""
        self.paused = False
        self.steps_left: int | None = None
        """Steps until the next pause, after a `Step` command."""
        self.saved: RunConfig | None = None
        """The configuration in the checkpoint of the current step; None while there is none."""
        self.step = 0
        """Kept here for a failure before there is a state."""
        self.first_step = 0
        """The step that this process begins with."""
        self.begun_at = -1
        """The same, where a checkpoint of this run's own says that all that happens there is recorded."""
        self.why = ""
        """Why it was told to stop, where that was not the learner's wish."""
        self.told = 0.0
        """When an event was last recorded."""
        self.watch = Stopwatch()
        self.known: set[tuple[str, str] | None] = set()
        """What earlier processes have told of the step that this one begins with (see `key`)."""
        self.reserve = run.path / "reserve"
        """Room on the disk for the last line of the log, given back when that cannot be written."""

    def end(self, ended: Ended) -> None:
        """Record how the run ended. A log that cannot be written, by no means, stays as it is."""
        try:
            self.tell(ended)
        except OSError:
            with suppress(OSError):
                self.reserve.unlink()
                finish_line(self.run.path / "events.jsonl")
                self.tell(ended)
        finally:
            with suppress(OSError):
                self.reserve.unlink(missing_ok=True)

    def tell(self, event: Message) -> None:
        """Record an event, unless an earlier process has recorded it of the step that this one begins with."""
        if self.step == self.first_step and key(event) in self.known:
            return
        self.run.append(event, self.watch.read())
        self.told = monotonic()
        if self.listen is not None:
            self.listen(event)

    def report(self, task: Task, done: int, total: int) -> None:
        """Tell how far this is, where nothing else was told for a while."""
        if monotonic() - self.told >= SILENCE:
            self.tell(Working(step=self.state.step, task=task, done=done, total=total))

    def do(self, task: str, *given: Any) -> Any:
        """Do one of `following.TASKS`, in all processes that train this run."""
        return following.lead(self.work, task, *given)

    # The loop ----------------------------------------------------------------------------------

    def go(self) -> Ended:
        """Train until the end, and say how it came."""
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
                self.tell(event)
            elif isinstance(event, Routed | Noted):
                self.tell(event)
                continue
            else:
                self.tell(event)
                return self.diverged(event)
            self.observe()
            if not self.obey():
                return self.stopped()
        return Ended(step=state.step, how="finished")

    def record_step(self, event: Stepped) -> None:
        """Log every `log_interval`-th step, and those that are measured."""
        config = self.state.config.train
        if event.step % config.log_interval == 0 or evaluation_due(self.state):
            self.tell(event)
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
        """The state to train, stored or new, on its device; tells `Started`."""
        run, config = self.run, self.run.data_config()
        checkpoint.clear_leftovers(run.path)
        saved = run.checkpoints()
        torch.set_num_threads(1)  # until it is known that more are faster
        keep_freed_memory()
        data = make_data(config)
        self.keep_tokenizer(data)
        history = run.history()
        recorded = any(isinstance(event, Evaluated) for event in history)
        fork = False
        if saved:
            newest = saved[-1]
            # Only the run that was forked from it can go on from weights alone.
            fork = newest.step == run.info.parent_step
            if not newest.resumable and not fork:
                raise RunError(f"{run.name}: holds weights only; fork it to train them further")
        folder = saved[-1].path if saved else None
        if self.ranks.together:
            threads = self.share_threads(config, folder)
            self.ranks.say([None if folder is None else str(folder), fork, threads])
        state = begin(config, data, folder, self.ranks, fork)
        if saved:
            self.saved = state.config
        else:
            state.config = run.config  # without the whole path of the learner's own text
        self.state = state
        state.report = partial(self.report, "evaluate")
        self.work = Work(state, train(state))
        self.step = self.first_step = state.step
        self.begun_at = state.step if saved and recorded and not fork else -1
        self.known = {key(each) for each in history if getattr(each, "step", None) == state.step}
        self.known.discard(None)
        self.watch.before = run.trained()
        note = "" if self.ranks.together else self.choose_threads(state, folder)
        with suppress(OSError):  # the disk is full already
            self.reserve.write_bytes(os.urandom(RESERVE_BYTES))
        self.watch.start()
        self.tell(
            Started(
                step=state.step,
                parameters=sum(w.numel() for w in state.model.parameters()),
                device=state.device.type,
                dtype=state.config.train.dtype,
                threads=torch.get_num_threads(),
                train_tokens=data.train_tokens,
            )
        )
        if isinstance(data, PairData) and data.left_out() and not recorded:
            self.tell(Noted(step=state.step, text=data.left_out()))
        if note:
            self.tell(Noted(step=state.step, text=note))
        if state.step > 0 and (fork or not recorded):  # show where it stands
            self.tell(self.do("evaluate"))
            self.observe()
        return state

    def share_threads(self, config: RunConfig, folder: Path | None) -> int:
        """Set the CPU threads of each of several processes, which share the processors; returns them."""
        share = max(1, cpu_count() // self.ranks.beside)
        before = checkpoint.threads_of(folder) if folder is not None else None
        threads = config.train.threads or min(before or share, share)
        torch.set_num_threads(threads)
        return threads

    def keep_tokenizer(self, data: Data) -> None:
        """Store the tokenizer, or make sure that it is still the one the model has learned."""
        path, content = self.run.tokenizer_path, data.tokenizer.to_json() + "\n"
        try:
            stored = read_stored(path, MAX_BYTES)
        except FileNotFoundError:
            write_whole(path, content)
            return
        if stored.decode("utf-8", "replace").strip() != content.strip():
            raise RunError(
                f"{path.name}: the data now has other characters or tokens than those that the model has learned"
            )

    def choose_threads(self, state: TrainState, folder: Path | None) -> str:
        """Set the number of CPU threads; what a measurement found, in words, if one was made."""
        wanted = state.config.train.threads
        if wanted is None and folder is not None:
            wanted = checkpoint.threads_of(folder)  # the same number rounds the same
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
        """Sample, record attention and save, each when it is due."""
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
        """Let the model continue each fixed prompt. Draws from a generator of its own."""
        data, model = self.state.data, self.whole_model()
        answers = [data.answer(prompt) for prompt in data.prompts]
        prompts = [self.encode(prompt) for prompt in data.prompts]
        known = [self.encode(answer) for answer in answers if answer is not None]
        longest = max(map(len, known), default=0)
        if isinstance(model, Transformer):
            sources = [[*prompt, END] for prompt in prompts]
            found = translate(model, sources, most=2 * longest + 2)
            written = [translation.text for translation in found]
        else:
            written = continue_all(
                model,
                prompts,
                most=longest + 1 if data.exact else SAMPLE_TOKENS,
                temperature=0.0 if data.exact else SAMPLE_TEMPERATURE,
                end=data.end,
                known=data.tokenizer.vocab_size,
                report=partial(self.report, "sample"),
            )
        for prompt, answer, tokens in zip(data.prompts, answers, written, strict=True):
            text = TextStream(data.tokenizer).feed(tokens)  # whole characters only
            correct = text == answer if data.exact else None
            self.tell(Sampled(step=self.state.step, prompt=prompt, text=text, correct=correct))

    def whole_model(self) -> Decoder:
        """The model to write with and to look into; of weights in parts (fsdp), a copy on the CPU."""
        model = self.state.model
        if not self.ranks.together or self.state.config.train.parallel != "fsdp":
            return model
        return checkpoint.built(model.config, self.do("weights"))

    def encode(self, text: str) -> list[int]:
        """The ids of a held-out text; of pairs, it may have characters that training does not."""
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
        if isinstance(model, Transformer):  # the translation as it should be
            ids, sources = [BEGIN, *self.encode(data.answer(text) or "")], [*ids, END]
        snapshots.save(observe.probe(model, ids, step, sources), path)
        self.tell(Probed(step=step, name=name))

    def save(self) -> None:
        """Write a checkpoint, and delete what `keep_checkpoints` does not keep."""
        folder = self.run.checkpoint_path(self.state.step)
        self.do("save", str(folder))
        self.saved = self.state.config
        self.tell(Saved(step=self.state.step, name=folder.name))
        steps = [kept.step for kept in self.run.checkpoints()]
        for step in checkpoint.surplus(steps, self.state.config.train.keep_checkpoints):
            old = self.run.checkpoint_path(step)
            gone = old.with_name(f".{old.name}.gone")
            with suppress(OSError):  # somebody reads it on Windows: next time
                old.rename(gone)
                shutil.rmtree(gone)

    # Commands ----------------------------------------------------------------------------------

    def obey(self) -> bool:
        """Do what was commanded, and wait while paused. False: the run is to end."""
        log = self.run.path / "commands.jsonl"
        if self.steps_left == 0:
            self.pause()
        told = monotonic()
        while not self.stop.is_set():
            if size_of(log) > self.commands:
                commands, self.commands = self.run.commands(self.commands)
                for command, _ in commands:
                    if isinstance(command, Stop):
                        self.why = command.reason
                        return False
                    self.follow(command)
            if not self.paused:
                return True
            self.stop.wait(PAUSE_SECONDS)
            if monotonic() - told > HEARTBEAT_SECONDS:  # or the others think that this one is gone
                told = monotonic()
                self.do("wait")
        return False

    def pause(self) -> None:
        self.paused, self.steps_left = True, None
        self.watch.stop()
        self.tell(Paused(step=self.state.step))

    def follow(self, command: Message) -> None:
        """One command. What cannot be done is refused in a `Noted`."""
        step = self.state.step
        if isinstance(command, Pause):
            if not self.paused:
                self.pause()
        elif isinstance(command, Resume):
            self.steps_left = None
            if self.paused:
                self.paused = False
                self.watch.start()
                self.tell(Resumed(step=step))
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
            self.tell(Changed(step=self.state.step, field=field, value=value))

    def refuse(self, reason: str) -> None:
        self.tell(Noted(step=self.state.step, text=f"Refused: {reason}."))


def key(event: Message) -> tuple[str, str] | None:
    """The same for two events of one step of which the second says nothing new; None where each is news."""
    if isinstance(event, Evaluated | Probed | Saved):
        return event.type, ""
    return (event.type, event.prompt) if isinstance(event, Sampled) else None


def explain(error: Exception, folder: Path) -> str:
    """The reason of a failure in a sentence; the details of an unexpected one go into a file.

    Files of the run are named from its folder on: where that is, a page's visitor is not told.
    """
    if isinstance(error, ConfigError | RunError | checkpoint.CheckpointError):
        return str(error).replace(f"{folder}{os.sep}", "")
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
    """Make one step with a tiny model, so that the first of a real one is as fast as the others."""
    with torch.random.fork_rng(devices=[]):
        model = TransformerLM(d_model=16, n_head=2, n_layer=1, vocab_size=8, max_seq_len=8)
        tokens = torch.zeros(2, 8, dtype=torch.long)
        cross_entropy(model(tokens), tokens).backward()
        AdamW(model.parameters()).step()
        continue_all(model, [[1, 2]], most=2)


def end_with_parent(stop: threading.Event, descriptor: int = 0) -> None:
    """Set `stop` when the other end of this process's standard input is closed.

    The operating system closes it when the process that started this one dies, however it dies.
    """

    def watch() -> None:
        with suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        stop.set()

    threading.Thread(target=watch, daemon=True, name="parent").start()
