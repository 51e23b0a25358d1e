"""Drive a run: train it, record its events, obey its commands and save its checkpoints, until it ends."""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

import torch

from engine.config import RunConfig
from engine.data import Data, PairData
from engine.distributed.ranks import ALONE, HEARTBEAT_SECONDS, Ranks
from engine.files import file_size
from engine.model.decoder import Decoder
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
    Resume,
    Resumed,
    Routed,
    Save,
    Saved,
    Started,
    Step,
    Stepped,
    Stop,
)
from engine.runs.locks import Claim
from engine.runs.store import Run
from engine.training import checkpoint, followers
from engine.training.devices import keep_freed_memory
from engine.training.driver.log import Listener, Log
from engine.training.driver.observations import record_attention, samples
from engine.training.driver.process import explain
from engine.training.driver.start import (
    Start,
    begin_state,
    choose_threads,
    find_start,
    prepare_folder,
)
from engine.training.followers import Work
from engine.training.loop import TrainState, due, evaluation_due, train
from engine.validation import ConfigError

PAUSE_SECONDS = 0.02
"""Interval at which a paused run checks for commands."""


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
        ranks: the processes that train it. This is the first of them; the others run `followers.follow`.

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
            ended = Ended(step=driver.log.step, how="failed", reason=reason)
        driver.log.end(ended)
        return ended
    finally:
        claim.release()


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
        self.log = Log(run, listen)
        self.stop = stop
        self.ranks = ranks
        self.commands = commands
        """Bytes of `commands.jsonl` that have been obeyed."""
        self.paused = False
        self.steps_left: int | None = None
        """Steps until the next pause, after a `Step` command."""
        self.saved: RunConfig | None = None
        """The configuration in the checkpoint of the current step; None if it has no checkpoint."""
        self.begun_at = -1
        """The step at which this process began if everything at it was recorded before its checkpoint; else -1."""
        self.why = ""
        """The reason of a `Stop` that the learner did not ask for."""

    def do(self, operation: str, *given: Any) -> Any:
        """Do one of `followers.OPERATIONS` in all processes of this run."""
        return followers.lead(self.work, operation, *given)

    # The loop ----------------------------------------------------------------------------------

    def go(self) -> Ended:
        """Train until the run ends; returns how it ended."""
        state = self.state = self.prepare()
        if not self.obey():
            return self.stopped()
        while (event := self.do("next")) is not None:
            self.log.step = state.step
            if isinstance(event, Stepped):
                self.saved = None
                self.record_step(event)
                if evaluation_due(state):
                    continue  # its `Evaluated` comes next; only then is the step complete
            elif isinstance(event, Evaluated):
                if event.step == self.begun_at:
                    continue  # recorded before the run was interrupted
                self.log.record(event)
            elif isinstance(event, Routed | Noted):
                self.log.record(event)
                continue
            else:
                self.log.record(event)
                return self.diverged(event)
            self.observe()
            if not self.obey():
                return self.stopped()
        return Ended(step=state.step, how="finished")

    def record_step(self, event: Stepped) -> None:
        """Log every `log_interval`-th step, and those with an evaluation."""
        config = self.state.config.train
        if event.step % config.log_interval == 0 or evaluation_due(self.state):
            self.log.record(event)
        elif self.log.listen is not None:
            self.log.listen(event)
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
        torch.set_num_threads(1)  # until more are measured to be faster
        keep_freed_memory()
        data = prepare_folder(self.run)
        start = find_start(self.run)
        state = self.state = begin_state(self.run, data, start, self.ranks)
        self.saved = None if start.folder is None else state.config
        state.report = partial(self.log.report, "evaluate")
        self.work = Work(state, train(state))
        self.begun_at = state.step if start.resumed else -1
        self.log.begin(state.step, start.history)
        note = choose_threads(state, start.folder)
        self.log.reserve_disk_space()
        self.log.watch.start()
        self.announce(data, start, note)
        return state

    def announce(self, data: Data, start: Start, note: str) -> None:
        """Record `Started`, notes, and what a new fork can do before its first step."""
        state = self.state
        self.log.record(
            Started(
                step=state.step,
                parameters=sum(w.numel() for w in state.model.parameters()),
                device=state.device.type,
                dtype=state.config.train.dtype,
                threads=torch.get_num_threads(),
                train_tokens=data.train_tokens,
            )
        )
        if start.folder is not None and start.resumed:
            # A kill can come between the rename of a checkpoint and its line in the log.
            self.log.record(Saved(step=state.step, name=start.folder.name))
        if isinstance(data, PairData) and data.left_out() and not start.recorded:
            self.log.record(Noted(step=state.step, text=data.left_out()))
        if note:
            self.log.record(Noted(step=state.step, text=note))
        if state.step > 0 and (start.fork or not start.recorded):
            self.log.record(self.do("evaluate"))
            self.observe()

    # After a step ------------------------------------------------------------------------------

    def observe(self) -> None:
        """Sample, record attention and save a checkpoint, each if it is due."""
        data, config, step = self.state.data, self.state.config.train, self.state.step
        if step == self.begun_at:
            return
        if due(step, config.sample_interval, config):
            report = partial(self.log.report, "sample")
            for sample in samples(self.whole_model(), data, step, report):
                self.log.record(sample)
        if due(step, config.probe_interval, config):
            self.log.record(record_attention(self.whole_model(), data, step, self.run))
        if step == 0 or step % config.save_interval == 0 or step == config.total_steps:
            self.save()

    def whole_model(self) -> Decoder:
        """The model for samples and attention; of a sharded model (fsdp), a complete copy on the CPU."""
        model = self.state.measured_model
        if not self.state.processes.sharded:
            return model
        return checkpoint.built(model.config, self.do("weights"))

    def save(self) -> None:
        """Write a checkpoint, and delete those beyond `keep_checkpoints`."""
        folder = self.run.checkpoint_path(self.state.step)
        self.do("save", str(folder))
        self.saved = self.state.config
        self.log.record(Saved(step=self.state.step, name=folder.name))
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
                    self.execute(command)
            if not self.paused:
                return True
            self.stop.wait(PAUSE_SECONDS)
            if monotonic() - heartbeat > HEARTBEAT_SECONDS:  # else the other processes give up
                heartbeat = monotonic()
                self.do("wait")
        return False

    def pause(self) -> None:
        self.paused, self.steps_left = True, None
        self.log.watch.stop()
        self.log.record(Paused(step=self.state.step))

    def execute(self, command: Message) -> None:
        """Execute one command, or refuse an impossible one by a `Noted`."""
        step = self.state.step
        if isinstance(command, Pause):
            if not self.paused:
                self.pause()
        elif isinstance(command, Resume):
            self.steps_left = None
            if self.paused:
                self.paused = False
                self.log.watch.start()
                self.log.record(Resumed(step=step))
        elif isinstance(command, Step):
            if command.steps >= 1:
                self.paused, self.steps_left = False, command.steps
                self.log.watch.start()
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
            self.log.record(Changed(step=self.state.step, field=field, value=value))

    def refuse(self, reason: str) -> None:
        self.log.record(Noted(step=self.state.step, text=f"Refused: {reason}."))
