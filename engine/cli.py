"""The command line: `python -m engine train | resume | generate | translate | evaluate | ...`.

Whatever is wrong with a command is one line on standard error and exit status 2; a run that failed
or diverged gives 1. PyTorch is loaded only by the commands that compute.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
import stat
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from engine import cli_ablate, cli_download, cli_manage, cli_prepare, cli_translate
from engine.claims import Claim
from engine.cli_runs import add_choice, add_root, chosen, find_checkpoint, find_own
from engine.config import RunConfig, read_config
from engine.data.reading import ended_lines
from engine.events import Ended, Message
from engine.flags import (
    AMOUNT,
    PATHS,
    SEED,
    Parser,
    add_config_flags,
    changed,
    command_line,
    given_fields,
    shell,
)
from engine.forks import fork
from engine.interrupts import stop_on_signals
from engine.logging_backends import PACKAGES, check_logger, open_logger
from engine.presets import PRESETS
from engine.progress import Progress
from engine.ranks import Ranks, hush, join, launched
from engine.runs import Run, RunError, RunStore, describe
from engine.validation import ConfigError, Problem

__all__ = ["command_line", "main"]

TRANSLATION = "translate-german"
"""The preset that `--task translate` starts from."""

SAMPLER_FLAGS = {
    "temperature": "below 1 safer, above 1 more surprising; 0: always the most probable token",
    "top_k": "keep only so many of the most probable tokens; 0: off",
    "top_p": "keep the fewest tokens whose probabilities sum to this; 1: off",
    "min_p": "keep tokens at least this share as probable as the most probable; 0: off",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that cannot show a character still runs
    hush(launched())
    options = build_parser().parse(words)
    try:
        if launched().together and options.command not in (train, resume):
            raise RunError("torchrun is for train and resume; do without it")
        return options.command(options)
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:  # what was asked for cannot be; it says why
        reason = str(error)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        reason = f"{type(error).__name__}: {error} (python -X dev shows where)"
    print(
        f"{options.parser.prog}: {' '.join(map(str.strip, reason.splitlines()))}", file=sys.stderr
    )
    return 2


def build_parser() -> Parser:
    """All commands and their flags."""
    parser = Parser(prog="python -m engine", description="Train Transformers and write with them.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, action: Callable[[Namespace], int], description: str) -> Parser:
        part = commands.add_parser(name, help=description, description=description)
        part.set_defaults(command=action, parser=part)
        return part

    part = command("train", train, "Train a new run.")
    part.add_argument("--preset", metavar="NAME", help=f"start from one of {', '.join(PRESETS)}")
    part.add_argument("--config", type=Path, metavar="FILE", help="start from a run's config.json")
    part.add_argument(
        "--task", metavar="translate", help=f"start from an encoder-decoder: --preset {TRANSLATION}"
    )
    part.add_argument("--name", metavar="TEXT", help="what to call the run")
    part.add_argument(
        "--resume_from",
        type=Path,
        metavar="FOLDER",
        help="go on from a run or one of its checkpoints; with other settings, as a new run",
    )
    part.add_argument(
        "--run", metavar="FOLDER", help="train a prepared run; -: read which from stdin"
    )
    add_root(part)
    _add_logger(part)
    add_config_flags(part)

    part = command("resume", resume, "Go on with a run that was stopped or interrupted.")
    part.add_argument("run", metavar="RUN", help="its folder, id or name")
    add_root(part)
    _add_logger(part)

    part = command("generate", write, "Write on from a prompt.")
    add_choice(part, "stories")
    part.add_argument("--prompt", metavar="TEXT", help="default: a new line, if it knows that")
    part.add_argument(
        "--max_new_tokens", type=AMOUNT, default=200, metavar="N", help="default: 200"
    )
    part.add_argument(
        "--seed", type=SEED, default=0, metavar="N", help="fixes the draws; default: 0"
    )
    for name, description in SAMPLER_FLAGS.items():
        part.add_argument(f"--{name}", metavar="X", help=description)
    add_root(part)

    part = command("translate", cli_translate.translate, "Translate texts.")
    cli_translate.add_translate_flags(part)
    add_root(part)

    part = command("evaluate", cli_translate.evaluate, "Measure a model on held-out data.")
    cli_translate.add_evaluate_flags(part)
    add_root(part)

    part = command("export", export_run, "Write a model for transformers' Llama or Mixtral.")
    part.add_argument("run", metavar="RUN", help="its folder, id or name")
    part.add_argument("--step", type=AMOUNT, metavar="N", help="its checkpoint of this step")
    part.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="to make, for from_pretrained"
    )
    add_root(part)

    part = command("import", import_model, "Make a run of a model in transformers' format.")
    part.add_argument("folder", type=Path, metavar="FOLDER", help="with config.json and weights")
    part.add_argument(
        "--name", metavar="TEXT", help="what to call the run (default: FOLDER's name)"
    )
    part.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FILE",
        help="a run's tokenizer.json (default: the one in FOLDER; else token 17 is written ⟨17⟩)",
    )
    add_root(part)

    part = command("download", cli_download.fetch, "Fetch a known corpus by its name.")
    cli_download.add_download_flags(part)

    part = command("prepare", cli_prepare.make, "Make files of token ids from texts of any size.")
    cli_prepare.add_prepare_flags(part)

    part = command("ablate", cli_ablate.ablate, "Train a suite of runs and compare its variants.")
    cli_ablate.add_ablate_flags(part)
    add_root(part)
    add_config_flags(part)

    part = command(
        "runs", cli_manage.list_runs, "List the runs; compare, rename, export or delete."
    )
    cli_manage.add_runs_flags(part)
    return parser


def _add_logger(parser: ArgumentParser) -> None:
    names = "|".join(PACKAGES)
    parser.add_argument("--logger", metavar=names, help="log there too, beside the run's own files")


# train and resume --------------------------------------------------------------------------------


def train(options: Namespace) -> int:
    """Train a new run, or one that is prepared."""
    if options.run is not None:
        return train_prepared(options)

    def find(ranks: Ranks) -> Run:
        return _from_checkpoint(options, ranks) if options.resume_from else _new_run(options, ranks)

    return _drive(find, options.logger)


def _new_run(options: Namespace, ranks: Ranks) -> Run:
    given = given_fields(options)
    base, title = _base(options)
    config = RunConfig.from_flat(changed(base.flat(), given))
    _check(config, ranks)
    about = describe({name: given[name] for name in given if name != "source"})
    name = options.name or ": ".join(filter(None, [title or config.data.source, about]))
    return RunStore(options.checkpoint_dir).create(config, name)


def _base(options: Namespace) -> tuple[RunConfig, str]:
    """What the flags change, and what to call it."""
    if options.task not in (None, "translate"):
        allowed = "must be translate; what else there is to learn is a --source"
        raise ConfigError([Problem("task", options.task, allowed)])
    if options.task and not options.preset and not options.config:
        return PRESETS[TRANSLATION].config(), options.task
    if options.preset and options.config:
        raise ConfigError([Problem("config", str(options.config), "cannot go with --preset")])
    if options.preset:
        if options.preset not in PRESETS:
            allowed = f"must be one of {', '.join(PRESETS)}"
            raise ConfigError([Problem("preset", options.preset, allowed)])
        return PRESETS[options.preset].config(), options.preset
    if options.config:
        return read_config(options.config), options.config.stem
    return RunConfig(), ""


def _check(config: RunConfig, ranks: Ranks) -> None:
    """Refuse what cannot be before there is a run of it. Raises `ConfigError`."""
    from engine.data import make_data
    from engine.devices import prepare

    prepare(config.train, ranks)
    make_data(config)


def _from_checkpoint(options: Namespace, ranks: Ranks) -> Run:
    """The run to go on with: the same one where nothing changes, else a fork."""
    if options.preset or options.config:
        raise RunError("--resume_from goes on with the run's own settings: no --preset or --config")
    folder: Path = options.resume_from
    is_checkpoint = (folder / "state.json").is_file()
    run = Run(folder.resolve().parent if is_checkpoint else folder)
    saved = run.checkpoints()
    if not saved:
        raise RunError(f"{run.path}: has no checkpoint")
    chosen = saved[-1]
    if is_checkpoint:
        chosen = next(kept for kept in saved if kept.path.name == folder.resolve().name)
    given = given_fields(options)
    if chosen == saved[-1] and chosen.resumable and not given and not options.name:
        return run
    if given.keys() & {"source", *PATHS}:
        data = changed(run.data_config().flat(), given)
        given |= {name: data.get(name) for name in ("source", *PATHS)}
    store = RunStore(options.checkpoint_dir)

    def check(config: RunConfig) -> None:
        from engine.devices import prepare

        prepare(config.train, ranks)

    return fork(store, run, chosen.step, given, options.name, check)


def resume(options: Namespace) -> int:
    """Go on with a run."""
    return _drive(lambda _: _unfinished(options), options.logger)


def _unfinished(options: Namespace) -> Run:
    run = find_own(options.run, options.checkpoint_dir)
    if run.status().state == "finished":
        more = shell("train", "--resume_from", run.path, "--total_steps", "N")
        raise RunError(
            f"{run.name}: has made all of its {run.config.train.total_steps} steps; {more} goes on in "
            "a new run"
        )
    return run


def _drive(find: Callable[[Ranks], Run], logger: str | None) -> int:
    """Train the run that `find` makes or finds, with all processes of torchrun if it started this one.

    The first finds the run; the others wait to be told which, or that there is none.
    """
    if logger:
        check_logger(logger)
    with join() as ranks:
        if not ranks.leads:
            return _follow(ranks)
        try:
            run = find(ranks)
            if ranks.together:
                from engine.devices import prepare

                prepare(run.config.train, ranks)
            claim = run.claim()
        except BaseException:
            ranks.say(None)
            raise
        ranks.say(str(run.path.resolve()))
        return _lead(run, logger, claim, ranks)


def _follow(ranks: Ranks) -> int:
    """Train with the first process. It decides when to end: signals alone do not."""
    folder = ranks.hear()
    if folder is None:
        return 2
    from engine.driver import explain
    from engine.following import follow

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
    """Train a run in this terminal. The first Ctrl-C lets it save, the second does not."""
    from engine.driver import drive

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
    status = _report(ended, run)
    if ranks.together and ended.how == "failed":
        raise SystemExit(status)  # there is no taking leave of the other processes
    return status


def _report(ended: Ended, run: Run) -> int:
    """Say how a run ended; the exit status."""
    if ended.how in ("failed", "diverged"):
        print(f"{ended.how} at step {ended.step}: {ended.reason}", file=sys.stderr)
        return 1
    print(f"{ended.how} at step {ended.step}", file=sys.stderr)
    if ended.how == "stopped":
        print(f"Go on with: {shell('resume', run.path)}", file=sys.stderr)
    elif run.config.model.n_encoder_layer is not None:
        command = shell("translate", "--run", run.path)
        print(f'Translate with: {command} "..."', file=sys.stderr)
    else:
        print(f"Write with: {shell('generate', '--run', run.path)}", file=sys.stderr)
    return 0


def train_prepared(options: Namespace) -> int:
    """Train a run whose folder is given, as the page does.

    With `-`, everything slow is done first, then the line `ready` is written and the folder read
    from standard input; the end of it instead of a folder ends the process. When the other end of
    that pipe is closed later, as when the page is gone, the run is saved and ends.
    """
    if launched().together:
        allowed = "cannot go with torchrun; resume FOLDER trains a prepared run with all processes"
        raise ConfigError([Problem("run", options.run, allowed)])
    if options.run != "-":
        run = Run(Path(options.run))
        return _finish_prepared(run, run.claim())
    from engine.driver import warm_up

    warm_up()
    print("ready", flush=True)
    line = sys.stdin.buffer.readline().decode("utf-8", "surrogateescape").strip()
    if not line:
        return 0
    run = Run(Path(line))
    return _finish_prepared(run, run.claim())


def _finish_prepared(run: Run, claim: Claim) -> int:
    from engine.driver import drive, end_with_parent

    with stop_on_signals() as stop:
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            end_with_parent(stop)
        return _report(drive(run, claim=claim, stop=stop), run)


# generate ----------------------------------------------------------------------------------------


def write(options: Namespace) -> int:
    """Write the prompt and what the model makes of it, token by token."""
    folder, name = chosen(options, "stories")
    from engine.generation import Sampler

    asked = {name: getattr(options, name) for name in SAMPLER_FLAGS}
    sampler = Sampler.parse({name: value for name, value in asked.items() if value is not None})
    import torch

    from engine.checkpoint import load_model
    from engine.generation import generate
    from engine.tokenizers import TextStream

    model, tokenizer, _ = load_model(folder)
    torch.set_num_threads(1)  # for one token at a time, more are slower
    start = "\n" if "\n" in tokenizer.pieces else tokenizer.pieces[0]
    prompt = ended_lines(options.prompt or "") or start
    ids = tokenizer.encode(prompt)
    ends = {place for place, piece in enumerate(tokenizer.pieces) if piece == "<end>"}
    generator = torch.Generator().manual_seed(options.seed)
    print(f"{name}, {folder.name}", file=sys.stderr)
    print(prompt, end="", flush=True)
    stream = TextStream(tokenizer)
    for step in generate(model, ids, options.max_new_tokens, sampler, generator, stop=ends):
        if step.token >= tokenizer.vocab_size:  # a model may have more tokens than its tokenizer
            print(stream.end() + "\ufffd", end="", flush=True)
        elif step.token not in ends:
            print(stream.feed([step.token]), end="", flush=True)
    print(stream.end())
    return 0


# export and import -------------------------------------------------------------------------------


def export_run(options: Namespace) -> int:
    """Write a model for the other library."""
    folder, name = find_checkpoint(options.run, options.step, options.checkpoint_dir)
    from engine.exchange import export

    export(folder, options.out)
    print(f"{name}, {folder.name}: written to {options.out}", file=sys.stderr)
    return 0


def import_model(options: Namespace) -> int:
    """Make a run of a model that the other library wrote."""
    from engine.exchange import import_run
    from engine.tokenizers import IdTokenizer, load_tokenizer

    run = import_run(
        options.folder, RunStore(options.checkpoint_dir), options.name, options.tokenizer
    )
    print(f"{run.name}\n{run.path}", file=sys.stderr)
    if isinstance(load_tokenizer(run.tokenizer_path), IdTokenizer):
        print("Without a tokenizer: prompts are token ids such as ⟨17⟩⟨4⟩.", file=sys.stderr)
    print(f"Write with: {shell('generate', '--run', run.path)}", file=sys.stderr)
    return 0
