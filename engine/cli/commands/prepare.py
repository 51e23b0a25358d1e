"""The command `prepare`: tokenize texts into files of token ids, which training memory-maps.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.cli.flags import POSITIVE, Number, shell
from engine.cli.progress import progress_line
from engine.data.id_files import TOKENIZER
from engine.data.prepare import BINS, KINDS, Settings, prepare


def add_prepare_flags(parser: ArgumentParser) -> None:
    """Add the flags of `prepare`."""
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="TEXT",
        help="text files, which may be larger than memory; several are concatenated",
    )
    parser.add_argument(
        "--tokenizer",
        default=Settings.tokenizer,
        metavar="|".join((*KINDS, "FILE")),
        help=f"kind of tokenizer, or a {TOKENIZER}, also of transformers (default: {Settings.tokenizer})",
    )
    parser.add_argument(
        "--vocab_size",
        type=POSITIVE,
        help="size for bpe (default: 8,000) or word (default: every sufficiently frequent word)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder to create or to continue"
    )
    parser.add_argument(
        "--valid_fraction",
        type=Number(float, 0, 1),
        default=Settings.valid_fraction,
        help=f"share at the end of the text for validation (default: {Settings.valid_fraction})",
    )
    parser.add_argument(
        "--processes", type=Number(int, 1, 1_024), default=1, help="processes (default: 1)"
    )


def prepare_data(options: Namespace) -> int:
    """Prepare the texts, then print the command that trains on them."""
    settings = Settings(options.tokenizer, options.vocab_size, options.valid_fraction)
    with progress_line() as line:
        prepare(options.input, options.out, settings, processes=options.processes, watch=line)
    train, valid = (str(options.out / name) for name in BINS.values())
    print(shell("train", "--train_data_path", train, "--valid_data_path", valid))
    return 0
