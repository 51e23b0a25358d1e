"""The command line: `python -m engine train | resume | generate | translate | evaluate | ...`.

An invalid command prints one line to standard error and exits with status 2. A run that fails or diverges
exits with 1. Only commands that compute load PyTorch.
"""

from __future__ import annotations

import os
import stat
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from engine.cli import ablate, download, runs, translate
from engine.cli import prepare as cli_prepare
from engine.cli import race as cli_race
from engine.cli.choose_run import add_choice, add_root, chosen_checkpoint, find_checkpoint, find_own
from engine.cli.flags import (
    NON_NEGATIVE,
    PATHS,
    Parser,
    add_config_flags,
    add_flag,
    apply_flags,
    command_line,
    fields_from_flags,
    shell,
)
from engine.cli.loggers import PACKAGES, check_logger, open_logger
from engine.cli.progress import Progress
from engine.cli.signals import stop_on_signals
from engine.config import RunConfig, read_config
from engine.data.reading import ended_lines
from engine.distributed.ranks import Ranks, hush, join, launched
from engine.generation.sampler import GenerationSettings
from engine.presets import PRESETS
from engine.runs.events import Ended, Message
from engine.runs.forks import fork
from engine.runs.locks import Claim
from engine.runs.naming import describe
from engine.runs.store import Run, RunError, RunStore
from engine.validation import ConfigError, Problem

__all__ = ["command_line", "main"]

TRANSLATION = "translate-german"
"""The preset that `--task translate` starts from."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal may not be able to show a character
    hush(launched())
    options = build_parser().parse(words)
    try:
        if launched().together and options.command not in (train, resume):
            raise RunError("torchrun works with train and resume only; run this command without it")
        return options.command(options)
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError) as error:  # an invalid request, with its reason
        reason = str(error)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        reason = f"{type(error).__name__}: {error} (python -X dev shows the traceback)"
    print(
        f"{options.parser.prog}: {' '.join(map(str.strip, reason.splitlines()))}", file=sys.stderr
    )
    return 2


class Command(NamedTuple):
    """One command of the command line."""

    name: str
    action: Callable[[Namespace], int]
    """Runs it; returns the exit status."""
    flags: Sequence[Callable[[Parser], None]]
    """Each adds some of its flags, in the order of the help."""
    description: str


def all_commands() -> Sequence[Command]:
    """The commands, in the order of the help."""
    return (
        Command(
            "train", train, (_add_train_flags, add_root, _add_logger, add_config_flags),
            "Train a new run.",
        ),
        Command(
            "resume", resume, (_add_run, add_root, _add_logger),
            "Continue a run that was stopped or interrupted.",
        ),
        Command(
            "generate", generate_text, (_add_generate_flags, add_root),
            "Generate text from a prompt.",
        ),
        Command(
            "translate", translate.translate, (translate.add_translate_flags, add_root),
            "Translate texts.",
        ),
        Command(
            "evaluate", translate.evaluate, (translate.add_evaluate_flags, add_root),
            "Evaluate a model on validation data.",
        ),
        Command(
            "export", export_run, (_add_export_flags, add_root),
            "Export a model as Llama or Mixtral for transformers.",
        ),
        Command(
            "import", import_model, (_add_import_flags, add_root),
            "Create a run from a model in transformers' format.",
        ),
        Command(
            "download", download.download_corpus, (download.add_download_flags,),
            "Download a public corpus by name.",
        ),
        Command(
            "prepare", cli_prepare.prepare_data, (cli_prepare.add_prepare_flags,),
            "Tokenize texts of any size into files of token ids.",
        ),
        Command(
            "ablate", ablate.ablate, (ablate.add_ablate_flags, add_root, add_config_flags),
            "Train a suite of runs and compare its variants.",
        ),
        Command(
            "race", cli_race.race, (cli_race.add_race_flags,),
            "Train one small model with several optimizers at once.",
        ),
        Command(
            "runs", runs.list_runs, (runs.add_runs_flags,),
            "List the runs; compare, rename, export or delete.",
        ),
    )  # fmt: skip


def build_parser() -> Parser:
    """Build the parser with all commands and their flags."""
    parser = Parser(
        prog="python -m engine", description="Train Transformers and generate text with them."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in all_commands():
        part = commands.add_parser(
            command.name, help=command.description, description=command.description
        )
        part.set_defaults(command=command.action, parser=part)
        for add_flags in command.flags:
            add_flags(part)
    return parser


def _add_run(parser: ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="folder, id or name of the run")


def _add_logger(parser: ArgumentParser) -> None:
    names = "|".join(PACKAGES)
    parser.add_argument("--logger", metavar=names, help="also log to this service")


# train and resume --------------------------------------------------------------------------------


def _add_train_flags(parser: ArgumentParser) -> None:
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
    status = _report(ended, run)
    if ranks.together and ended.how == "failed":
        raise SystemExit(status)  # a failed rank cannot shut down together with the others
    return status


def _report(ended: Ended, run: Run) -> int:
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
        return _report(drive(run, claim=claim, stop=stop), run)


# generate ----------------------------------------------------------------------------------------


def _add_generate_flags(parser: ArgumentParser) -> None:
    add_choice(parser, "stories")
    parser.add_argument("--prompt", metavar="TEXT", help="default: a new line, if it knows that")
    for name, info in GenerationSettings.model_fields.items():
        add_flag(parser, name, info)


def generate_text(options: Namespace) -> int:
    """Print the prompt and the model's continuation, token by token."""
    known = GenerationSettings.model_fields
    settings = GenerationSettings.parse({n: v for n, v in vars(options).items() if n in known})
    folder, name = chosen_checkpoint(options, "stories")
    import torch

    from engine.generation.sampling import generate
    from engine.tokenizers import TextStream
    from engine.training.checkpoint import load_model

    model, tokenizer, _ = load_model(folder)
    torch.set_num_threads(1)  # for one token at a time, more threads are slower
    start = "\n" if "\n" in tokenizer.pieces else tokenizer.pieces[0]
    prompt = ended_lines(options.prompt or "") or start
    ids = tokenizer.encode(prompt)
    ends = {token for token, piece in enumerate(tokenizer.pieces) if piece == "<end>"}
    generator = torch.Generator().manual_seed(settings.seed)
    print(f"{name}, {folder.name}", file=sys.stderr)
    print(prompt, end="", flush=True)
    stream = TextStream(tokenizer)
    for step in generate(model, ids, settings.max_new_tokens, settings, generator, stop=ends):
        if step.token >= tokenizer.vocab_size:  # a model may have more tokens than its tokenizer
            print(stream.end() + "\ufffd", end="", flush=True)
        elif step.token not in ends:
            print(stream.feed([step.token]), end="", flush=True)
    print(stream.end())
    return 0


# export and import -------------------------------------------------------------------------------


def _add_export_flags(parser: ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument("--step", type=NON_NEGATIVE, metavar="N", help="step of the checkpoint")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new folder, for from_pretrained"
    )


def export_run(options: Namespace) -> int:
    """Export a model in the format of Hugging Face transformers."""
    folder, name = find_checkpoint(options.run, options.step, options.checkpoint_dir)
    from engine.interop.huggingface import export

    export(folder, options.out)
    print(f"{name}, {folder.name}: written to {options.out}", file=sys.stderr)
    return 0


def _add_import_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder with config.json and weights"
    )
    parser.add_argument("--name", metavar="TEXT", help="name of the run (default: FOLDER's name)")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FILE",
        help="a tokenizer.json (default: the one in FOLDER; else token 17 is written ⟨17⟩)",
    )


def import_model(options: Namespace) -> int:
    """Create a run from a model in the format of Hugging Face transformers."""
    from engine.interop.huggingface import import_run
    from engine.tokenizers import IdTokenizer, load_tokenizer

    run = import_run(
        options.folder, RunStore(options.checkpoint_dir), options.name, options.tokenizer
    )
    print(f"{run.name}\n{run.path}", file=sys.stderr)
    if isinstance(load_tokenizer(run.tokenizer_path), IdTokenizer):
        print(run.status().reason, file=sys.stderr)
        print("No tokenizer: write prompts as token ids such as ⟨17⟩⟨4⟩.", file=sys.stderr)
    print(f"Write with: {shell('generate', '--run', run.path)}", file=sys.stderr)
    return 0
