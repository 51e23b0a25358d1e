"""What is prepared before the first step of a run: its data, its state and its threads."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from engine.config import RunConfig
from engine.data import Data, make_data
from engine.distributed.ranks import Ranks
from engine.files import remove_unfinished, write_atomic
from engine.runs import examples
from engine.runs.events import Evaluated, Message
from engine.runs.store import Run, RunError
from engine.tokenizers import TokenizerError, load_tokenizer
from engine.training import checkpoint
from engine.training.devices import cpu_count, measure_threads
from engine.training.followers import begin
from engine.training.loop import TrainState, rehearse


def prepare_folder(run: Run) -> Data:
    """Remove what interrupted processes left behind; returns the data, with its tokenizer and examples stored."""
    checkpoint.clear_leftovers(run.path)
    remove_unfinished(run.path, run.tokenizer_path.name, examples.NAME)
    data = make_data(run.data_config())
    keep_tokenizer(run, data)
    examples.write(run.path, examples.examples_of(data, run.config.train))
    return data


def keep_tokenizer(run: Run, data: Data) -> None:
    """Store the tokenizer, or check that it equals the stored one."""
    path = run.tokenizer_path
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

    @property
    def resumed(self) -> bool:
        """Whether everything at the first step was recorded before its checkpoint."""
        return self.folder is not None and self.recorded and not self.fork


def find_start(run: Run) -> Start:
    """The newest checkpoint, if there is one. Raises `RunError` if it cannot be trained further."""
    history, saved = run.history(), run.checkpoints()
    recorded = any(isinstance(event, Evaluated) for event in history)
    if not saved:
        return Start(None, False, recorded, history)
    newest = saved[-1]
    # Only the fork of a run may continue from weights alone.
    fork = newest.step == run.info.parent_step
    if not newest.resumable and not fork:
        raise RunError(f"{run.name}: holds weights only; fork it to train them further")
    return Start(newest.path, fork, recorded, history)


def begin_state(run: Run, data: Data, start: Start, ranks: Ranks) -> TrainState:
    """Build or load the state, in all processes at the same moment."""
    config = run.data_config()
    if ranks.together:
        threads = share_threads(config, start.folder, ranks)
        ranks.say([None if start.folder is None else str(start.folder), start.fork, threads])
    state = begin(config, data, start.folder, ranks, start.fork)
    if start.folder is None:
        state.config = run.config  # without the absolute path of the learner's own text
    return state


def share_threads(config: RunConfig, folder: Path | None, ranks: Ranks) -> int:
    """Divide the processors among the processes of this machine; returns the threads of each."""
    share = max(1, cpu_count() // ranks.beside)
    before = checkpoint.threads_of(folder) if folder is not None else None
    threads = config.train.threads or min(before or share, share)
    torch.set_num_threads(threads)
    return threads


def choose_threads(state: TrainState, folder: Path | None) -> str:
    """Set the number of CPU threads of a single process; returns the measurement in words, if any."""
    if state.ranks.together:  # `share_threads` has set it
        return ""
    wanted = state.config.train.threads
    if wanted is None and folder is not None:
        wanted = checkpoint.threads_of(folder)  # the same number gives the same rounding
    if wanted is not None:
        torch.set_num_threads(min(wanted, cpu_count()))
        return ""
    if state.device.type != "cpu" or cpu_count() == 1:
        return ""
    chosen, seconds = measure_threads(rehearse(state))
    if not seconds:
        return "CPU threads: 1, since the other processors are busy."
    measured = ", ".join(f"{n}: {1e3 * s:.1f} ms" for n, s in seconds.items())
    return f"CPU threads: {chosen} (a step with {measured})."
