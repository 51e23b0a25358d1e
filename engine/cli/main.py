"""The command line: `python -m engine train | resume | generate | translate | evaluate | ...`.

An invalid command prints one line to standard error and exits with status 2. A run that fails or diverges
exits with 1. Only commands that compute load PyTorch.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.cli.choose_run import add_root, add_run
from engine.cli.commands import (
    ablate,
    download,
    exchange,
    generate,
    prepare,
    race,
    runs,
    train,
    translate,
)
from engine.cli.flags import Parser, add_config_flags, command_line
from engine.distributed.ranks import hush, launched
from engine.runs.store import RunError

__all__ = ["command_line", "main"]


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal may not be able to show a character
    hush(launched())
    options = build_parser().parse(words)
    try:
        if launched().together and options.command not in (train.train, train.resume):
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
            "train", train.train,
            (train.add_train_flags, add_root, train.add_logger, add_config_flags),
            "Train a new run.",
        ),
        Command(
            "resume", train.resume, (add_run, add_root, train.add_logger),
            "Continue a run that was stopped or interrupted.",
        ),
        Command(
            "generate", generate.generate_text, (generate.add_generate_flags, add_root),
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
            "export", exchange.export_run, (exchange.add_export_flags, add_root),
            "Export a model as Llama or Mixtral for transformers.",
        ),
        Command(
            "import", exchange.import_model, (exchange.add_import_flags, add_root),
            "Create a run from a model in transformers' format.",
        ),
        Command(
            "download", download.download_corpus, (download.add_download_flags,),
            "Download a public corpus by name.",
        ),
        Command(
            "prepare", prepare.prepare_data, (prepare.add_prepare_flags,),
            "Tokenize texts of any size into files of token ids.",
        ),
        Command(
            "ablate", ablate.ablate, (ablate.add_ablate_flags, add_root, add_config_flags),
            "Train a suite of runs and compare its variants.",
        ),
        Command(
            "race", race.race, (race.add_race_flags,),
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
