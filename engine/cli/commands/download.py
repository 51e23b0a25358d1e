"""The command `download`: download a public corpus by name.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.cli.flags import Number
from engine.cli.progress import progress_line
from engine.data.corpora.download import Network, download
from engine.data.corpora.known import HUB, KNOWN, SITE, known

FOLDER = Path("data")
"""Default folder for corpora, which get one subfolder each."""


def add_download_flags(parser: ArgumentParser) -> None:
    """Add the flags of `download`."""
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(KNOWN)}")
    parser.add_argument(
        "--out",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help=f"folder in which it gets a subfolder (default: {FOLDER})",
    )
    parser.add_argument(
        "--mirror", metavar="URL", help=f"a site with the same paths as {SITE} or {HUB}"
    )
    parser.add_argument(
        "--timeout",
        type=Number(float, 0.001, 3600),
        default=Network.timeout,
        metavar="SECONDS",
        help=f"seconds to wait for data from a server (default: {Network.timeout:g})",
    )


def download_corpus(options: Namespace) -> int:
    """Download a corpus, then print its terms of use and the commands to train on it."""
    corpus = known(options.name)
    network = Network(site=options.mirror, timeout=options.timeout)
    with progress_line() as line:
        download(corpus, options.out, network, line)
    print(corpus.terms)
    for command in corpus.commands(options.out):
        print(command)
    return 0
