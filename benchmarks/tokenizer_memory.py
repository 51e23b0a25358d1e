"""Memory and time of training a BPE vocabulary on half a gigabyte of text; the limit is 2 GB.

    python -m benchmarks.tokenizer_memory TEXT...

Repeats the given texts to 500 MB in a temporary folder. In each repetition, a few per cent of the words are spelled
differently, so that new words keep appearing, as in real texts of that size. A separate process then trains 10,000
tokens on the file and reports its peak memory, including Python and its libraries, and its time. The exit status is
1 if the memory exceeds 2 GB.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

MEGABYTES = 500
VOCABULARY = 10_000
LIMIT = 2e9
"""Bytes of memory."""

CHANGED = 0.03
"""The share of words that are spelled differently."""

WORD = re.compile(rb"[a-z]{4,}")


def write_large(sources: Sequence[Path], path: Path, size: int) -> None:
    """Write a file of at least `size` bytes: the sources repeated, each time with other changes."""
    draw = random.Random(0)

    def spelled(found: re.Match[bytes]) -> bytes:
        word = bytearray(found[0])
        if draw.random() < CHANGED:
            word[draw.randrange(len(word))] = draw.choice(b"abcdefghijklmnopqrstuvwxyz")
        return bytes(word)

    texts = [source.read_bytes() for source in sources]
    with open(path, "wb") as file:
        while file.tell() < size:
            for text in texts:
                file.write(WORD.sub(spelled, text))


def learn(path: Path) -> None:
    """Train in this separate process, and print the measurements as JSON."""
    from engine.tokenizers import BPETokenizer
    from engine.tokenizers.bpe.pretokens import PreTokenizer
    from engine.tokenizers.bpe.training import learn_merges, merges_within

    begun = perf_counter()
    with open(path, encoding="utf-8", newline="") as text:
        counts = PreTokenizer().count(text)
    tokenizer = BPETokenizer.from_merges(learn_merges(counts, merges_within(VOCABULARY, ())))
    seconds = perf_counter() - begun
    print(json.dumps([tokenizer.vocab_size, seconds, peak_memory()]))


def peak_memory() -> int:
    """The peak memory of this process in bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # elsewhere it is in kilobytes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("paths", type=Path, nargs="+", metavar="TEXT", help="texts in UTF-8")
    parser.add_argument("--megabytes", type=int, default=MEGABYTES, help="of the text to be made")
    parser.add_argument("--learn", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.learn:
        return learn(arguments.paths[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.txt"
        write_large(arguments.paths, path, arguments.megabytes * 10**6)
        size = path.stat().st_size
        command = [sys.executable, "-m", "benchmarks.tokenizer_memory", "--learn", str(path)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    tokens, seconds, peak = json.loads(output)
    print(f"{size / 1e6:,.0f} MB of text, {tokens:,} tokens: {seconds:.0f} s, one process")
    print(f"at most {peak / 1e6:,.0f} MB of memory; the limit is {LIMIT / 1e6:,.0f} MB")
    if peak > LIMIT:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
