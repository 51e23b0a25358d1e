"""The commands `train` and `resume`: a new run, a prepared one, or one that goes on; with one process or several."""

from __future__ import annotations

import os
import stat
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from engine.cli.choose_run import find_own
from engine.cli.flags import PATHS, apply_flags, fields_from_flags, shell
from engine.cli.loggers import PACKAGES, check_logger, open_logger
from engine.cli.progress import Progress
from engine.cli.signals import stop_on_signals
from engine.config import RunConfig, read_config
from engine.distributed.ranks import Ranks, join, launched
from engine.presets import PRESETS
from engine.runs.events import Ended, Message
from engine.runs.forks import fork
from engine.runs.locks import Claim
from engine.runs.naming import describe
from engine.runs.store import Run, RunError, RunStore
from engine.validation import ConfigError, Problem

TRANSLATION = "translate-german"
"""The preset that `--task translate` starts from."""


def add_logger(parser: ArgumentParser) -> None:
    """Add the flag for a service that the run is logged to as well."""
    names = "|".join(PACKAGES)
    parser.add_argument("--logger", metavar=names, help="also log to this service")


def add_train_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--preset", metavar="NAME", help=f"start from one of {', '.join(PRESETS)}")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="start from a run's config.json"
    )
    parser.add_argument(
        "--task", metavar="translate", help=f"start from an encoder-decoder: --preset {TRANSLATION}"
    )
    parser.add_argument("--name", metavar="TEXT", help="name of the run")
    parser.add_argument(
        "--resume_from",
        type=Path,
        metavar="FOLDER",
        help="continue a run or one of its checkpoints; with other settings, as a new run",
    )
    parser.add_argument(
        "--run", metavar="FOLDER", help="train a prepared run; -: read its folder from stdin"
    )


def train(options: Namespace) -> int:
    """Train a new run, or a prepared one."""
    if options.run is not None:
        return train_prepared(options)

    def find(ranks: Ranks) -> Run:
        return _from_checkpoint(options, ranks) if options.resume_from else _new_run(options, ranks)

    return _drive(find, options.logger)


def _new_run(options: Namespace, ranks: Ranks) -> Run:
    given = fields_from_flags(options)
    base, title = _base(options)
    config = RunConfig.from_flat(apply_flags(base.flat(), given))
    _check(config, ranks)
    values = config.flat()  # flags are text, and named by their values
    about = describe({name: values[name] for name in given if name != "source"})
    name = options.name or ": ".join(filter(None, [title or config.data.source, about]))
    return RunStore(options.checkpoint_dir).create(config, name)


def _base(options: Namespace) -> tuple[RunConfig, str]:
    """The configuration to which the flags apply, and a title for the run."""
    if options.task not in (None, "translate"):
        allowed = "must be translate; choose other tasks with --source"
        raise ConfigError([Problem("task", options.task, allowed)])
    if options.task and not options.preset and not options.config:
        return PRESETS[TRANSLATION].config(), options.task
    if options.preset and options.config:
        raise ConfigError(
            [Problem("config", str(options.config), "cannot be combined with --preset")]
        )
    if options.preset:
        if options.preset not in PRESETS:
            allowed = f"must be one of {', '.join(PRESETS)}"
            raise ConfigError([Problem("preset", options.preset, allowed)])
        return PRESETS[options.preset].config(), options.preset
    if options.config:
        return read_config(options.config), options.config.stem
    return RunConfig(), ""


def _check(config: RunConfig, ranks: Ranks) -> None:
    """Check device and data before the run is created. Raises `ConfigError`."""
    from engine.data import make_data
    from engine.training.devices import prepare

    prepare(config.train, ranks)
    make_data(config)


def _from_checkpoint(options: Namespace, ranks: Ranks) -> Run:
    """The run to continue: the same one if nothing changes, else a fork."""
    if options.preset or options.config:
        raise RunError("--resume_from keeps the run's own settings: no --preset or --config")
    folder: Path = options.resume_from
    is_checkpoint = (folder / "state.json").is_file()
    run = Run(folder.resolve().parent if is_checkpoint else folder)
    saved = run.checkpoints()
    if not saved:
        raise RunError(f"{run.path}: has no checkpoint")
    chosen = saved[-1]
    if is_checkpoint:
        chosen = next(kept for kept in saved if kept.path.name == folder.resolve().name)
    given = fields_from_flags(options)
    if chosen == saved[-1] and chosen.resumable and not given and not options.name:
        return run
    if given.keys() & {"source", *PATHS}:
        data = apply_flags(run.data_config().flat(), given)
        given |= {name: data.get(name) for name in ("source", *PATHS)}
    store = RunStore(options.checkpoint_dir)

    def check(config: RunConfig) -> None:
        from engine.training.devices import prepare

        prepare(config.train, ranks)

    return fork(store, run, chosen.step, given, options.name, check)


def resume(options: Namespace) -> int:
    """Resume a run."""
    return _drive(lambda _: _resumable_run(options), options.logger)


def _resumable_run(options: Namespace) -> Run:
    run = find_own(options.run, options.checkpoint_dir)
    if run.status().state == "finished":
        more = shell("train", "--resume_from", run.path, "--total_steps", "N")
        raise RunError(
            f"{run.name}: all {run.config.train.total_steps} steps are done; {more} continues in a "
            "new run"
        )
    return run


def _drive(find: Callable[[Ranks], Run], logger: str | None) -> int:
    """Train the run that `find` returns, with all processes of torchrun if it started this one.

    Rank 0 calls `find` and broadcasts the run's folder; the other ranks wait for it, or for None on failure.
    """
    if logger:
        check_logger(logger)
    with join() as ranks:
        if not ranks.leads:
            return _follow(ranks)
        try:
            run = find(ranks)
            if ranks.together:
                from engine.training.devices import prepare

                prepare(run.config.train, ranks)
            claim = run.claim()
        except BaseException:
            ranks.say(None)
            raise
        ranks.say(str(run.path.resolve()))
        return _lead(run, logger, claim, ranks)


def _follow(ranks: Ranks) -> int:
    """Train as a rank other than 0. Rank 0 decides when to end, so signals alone do not stop this one."""
    folder = ranks.hear()
    if folder is None:
        return 2
    from engine.training.driver import explain
    from engine.training.followers import follow

    run = Run(Path(folder))
    with stop_on_signals():
        try:
            follow(run.data_config(), ranks)
        except Exception as error:
            if not ranks.lost(error):
                ranks.blame(explain(error, run.path))
            raise SystemExit(1) from None
    return 0


def _lead(run: Run, logger: str | None, claim: Claim, ranks: Ranks) -> int:
    """Train a run in this terminal. The first Ctrl-C saves and stops; the second interrupts at once."""
    from engine.training.driver import drive

    print(f"{run.name}\n{run.path}", file=sys.stderr)
    progress = Progress(run.config)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        listeners: list[Callable[[Message], None]] = [progress]
        if logger:
            listeners.append(stack.enter_context(open_logger(logger, run)))

        def listen(event: Message) -> None:
            for listener in listeners:
                listener(event)

        stack.callback(progress.close)
        ended = drive(run, claim=claim, stop=stop, listen=listen, ranks=ranks)
    status = report(ended, run)
    if ranks.together and ended.how == "failed":
        raise SystemExit(status)  # a failed rank cannot shut down together with the others
    return status


def report(ended: Ended, run: Run) -> int:
    """Print how a run ended; returns the exit status."""
    if ended.how in ("failed", "diverged"):
        print(f"{ended.how} at step {ended.step}: {ended.reason}", file=sys.stderr)
        return 1
    print(f"{ended.how} at step {ended.step}", file=sys.stderr)
    if ended.how == "stopped":
        print(f"Resume with: {shell('resume', run.path)}", file=sys.stderr)
    elif run.config.model.n_encoder_layer is not None:
        command = shell("translate", "--run", run.path)
        print(f'Translate with: {command} "..."', file=sys.stderr)
    else:
        print(f"Generate with: {shell('generate', '--run', run.path)}", file=sys.stderr)
    return 0


def train_prepared(options: Namespace) -> int:
    """Train an existing run by its folder, as the page does.

    With `-`, the process first does all slow initialisation, prints `ready`, and reads the folder from
    standard input; an end of file ends the process. If standard input is closed later, because the parent
    process is gone, the run is saved and ends.
    """
    if launched().together:
        allowed = (
            "cannot be used with torchrun; resume FOLDER trains a prepared run with all processes"
        )
        raise ConfigError([Problem("run", options.run, allowed)])
    if options.run != "-":
        run = Run(Path(options.run))
        return _finish_prepared(run, run.claim())
    from engine.training.driver import warm_up

    warm_up()
    print("ready", flush=True)
    line = sys.stdin.buffer.readline().decode("utf-8", "surrogateescape").strip()
    if not line:
        return 0
    run = Run(Path(line))
    return _finish_prepared(run, run.claim())


def _finish_prepared(run: Run, claim: Claim) -> int:
    from engine.training.driver import drive, end_with_parent

    with stop_on_signals() as stop:
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            end_with_parent(stop)
        return report(drive(run, claim=claim, stop=stop), run)
