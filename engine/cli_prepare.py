"""One command: texts to files of token ids, which a run maps rather than loads.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.cli_download import Line
from engine.data.id_files import TOKENIZER
from engine.data.prepare import BINS, KINDS, Settings, prepare
from engine.flags import COUNT, Number, shell


def add_prepare_flags(parser: ArgumentParser) -> None:
    """What `prepare` takes."""
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="TEXT",
        help="text files, which may be larger than memory; one after the other they are one text",
    )
    parser.add_argument(
        "--tokenizer",
        default=Settings.tokenizer,
        metavar="|".join((*KINDS, "FILE")),
        help=f"what a token is, or a {TOKENIZER} (default: {Settings.tokenizer})",
    )
    parser.add_argument(
        "--vocab_size",
        type=COUNT,
        metavar="N",
        help="of bpe (default: 8,000) and word (default: every word that comes often enough)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="to make, or to go on with"
    )
    parser.add_argument(
        "--valid_fraction",
        type=Number(float, 0, 1),
        default=Settings.valid_fraction,
        metavar="X",
        help=f"share of the text, at its end, that is held out (default: {Settings.valid_fraction})",
    )
    parser.add_argument(
        "--processes",
        type=Number(int, 1, 1_024),
        default=1,
        metavar="N",
        help="that work on it (default: 1)",
    )


def make(options: Namespace) -> int:
    """Prepare the texts, and say how to train from them."""
    settings = Settings(options.tokenizer, options.vocab_size, options.valid_fraction)
    line = Line()
    try:
        prepare(options.input, options.out, settings, processes=options.processes, watch=line)
    except KeyboardInterrupt:
        line.note("interrupted: the same command goes on from here")
        raise
    finally:
        line.clear()
    train, valid = (str(options.out / name) for name in BINS.values())
    print(shell("train", "--train_data_path", train, "--valid_data_path", valid))
    return 0
