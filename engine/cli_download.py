"""One command: fetch a known corpus by its name.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from time import perf_counter
from typing import TextIO

from engine.data.download import HUB, KNOWN, SITE, Network, download, known
from engine.data.watch import Watch

FOLDER = Path("data")
"""Where corpora are put, one folder each."""

REDRAW_SECONDS = 0.1


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
        type=float,
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


class Line(Watch):
    """How far it is: in a terminal one line that is written again; in a file, what is noted alone."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.shown = ""
        self.drawn = 0.0

    def received(self, name: str, count: int, total: int | None) -> None:
        of = f" of {total / 1e6:.2f}" if total else ""
        self._show(f"{name}  {count / 1e6:.2f}{of} MB", last=count == total)

    def counted(self, name: str, count: int, total: int) -> None:
        self._show(f"{name}  {count:,} of {total:,}", last=count == total)

    def _show(self, line: str, last: bool) -> None:
        now = perf_counter()
        if self.live and (last or now - self.drawn >= REDRAW_SECONDS):
            self.drawn = now
            line = line[: shutil.get_terminal_size().columns - 1]
            self.stream.write("\r" + line.ljust(len(self.shown)))
            self.stream.flush()
            self.shown = line

    def note(self, text: str) -> None:
        self.clear()
        self.stream.write(text + "\n")
        self.stream.flush()

    def clear(self) -> None:
        """Take away the line that is written again."""
        if self.shown:
            self.stream.write("\r" + " " * len(self.shown) + "\r")
            self.stream.flush()
            self.shown = ""
