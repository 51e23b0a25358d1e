"""One command: fetch a known corpus by its name.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine import progress
from engine.data.download import HUB, KNOWN, SITE, Network, download, known
from engine.data.watch import Watch
from engine.flags import Number

FOLDER = Path("data")
"""Where corpora are put, one folder each."""


def add_download_flags(parser: ArgumentParser) -> None:
    """What `download` takes."""
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(KNOWN)}")
    parser.add_argument(
        "--out",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help=f"where it gets a folder of its own (default: {FOLDER})",
    )
    parser.add_argument(
        "--mirror", metavar="URL", help=f"a site with the same paths as {SITE} or {HUB}"
    )
    parser.add_argument(
        "--timeout",
        type=Number(float, 0.001, 3600),
        default=Network.timeout,
        metavar="SECONDS",
        help=f"how long a server may be silent (default: {Network.timeout:g})",
    )


def fetch(options: Namespace) -> int:
    """Fetch a corpus, and say what it may be used for and how to train from it."""
    corpus = known(options.name)
    network = Network(site=options.mirror, timeout=options.timeout)
    line = Line()
    try:
        download(corpus, options.out, network, line)
    except KeyboardInterrupt:
        line.note("interrupted: the same command goes on from here")
        raise
    finally:
        line.clear()
    print(corpus.terms)
    for command in corpus.commands(options.out):
        print(command)
    return 0


class Line(progress.Line, Watch):
    """How far it is."""

    def received(self, name: str, count: int, total: int | None) -> None:
        of = f" of {total / 1e6:.2f}" if total else ""
        self.draw(lambda: f"{name}  {count / 1e6:.2f}{of} MB", last=count == total)

    def counted(self, name: str, count: int, total: int) -> None:
        self.draw(lambda: f"{name}  {count:,} of {total:,}", last=count == total)
