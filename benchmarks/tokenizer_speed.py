"""Speed of byte-level BPE on a text: ours, in Python, against `tokenizers` and `tiktoken`, both in Rust.

    python -m benchmarks.tokenizer_speed PATH

Training counts the text's words and learns a vocabulary of 1,000 and of 10,000 tokens. Encoding processes the
complete text at once, with the same merges for all; the ids are checked to be equal. Ours and `tokenizers` cache
words, so later rounds are faster; `first time` is ours with an empty cache. One thread, interleaved rounds. The
table shows medians, and the median ratio of the rounds.

Needs `pip install tokenizers tiktoken`.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # before tokenizers is imported
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tiktoken
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from benchmarks.common import CLOCKS, interleaved, print_table, times_as_fast
from engine.tokenizers import BPETokenizer, Tokenizer, tokenizer_from_json
from engine.tokenizers.bpe.pretokens import GPT2_PATTERN

VOCABULARIES = (1_000, 10_000)


def train_theirs(text: str, vocab_size: int) -> None:
    """The same training in `tokenizers`: 256 bytes, and merges within GPT-2's pre-tokens."""
    # Its classes are written in Rust and have incomplete types.
    tokenizer: Any = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer: Any = trainers.BpeTrainer(
        vocab_size=vocab_size,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([text], trainer)
    assert tokenizer.get_vocab_size() == vocab_size, "the text is too short for this vocabulary"


def encoders(tokenizer: BPETokenizer, text: str, rounds: int) -> dict[str, Callable[[], list[int]]]:
    """All of them with the tokens and merges of this tokenizer."""
    theirs: Any = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    ranks = {token: i for i, token in enumerate(tokenizer.tokens)}
    tik = tiktoken.Encoding("ours", pat_str=GPT2_PATTERN, mergeable_ranks=ranks, special_tokens={})
    ids = tokenizer.encode(text)
    assert ids == theirs.encode(text).ids == tik.encode_ordinary(text)
    # As many as `interleaved` calls: each is used once.
    new: list[Tokenizer] = [tokenizer_from_json(tokenizer.to_json()) for _ in range(rounds + 2)]
    return {
        "ours": lambda: tokenizer.encode(text),
        "ours, first time": lambda: new.pop().encode(text),
        "tokenizers": lambda: theirs.encode(text).ids,
        "tiktoken": lambda: tik.encode_ordinary(text),
    }


def report(
    contestants: Mapping[str, Callable[[], object]], size: int, rounds: int, clock: str
) -> None:
    """Print the seconds of each contestant, and the ratio to `tokenizers`."""
    seconds = interleaved(contestants, rounds, CLOCKS[clock])
    rows: list[list[str]] = []
    for name, taken in seconds.items():
        median = statistics.median(taken)
        ratio = times_as_fast(taken, seconds["tokenizers"])
        rows.append([name, f"{median:.3f}", f"{size / median / 1e6:.2f}", f"{ratio:.2f} x"])
    print_table(["", "seconds", "MB/s", "as fast as tokenizers"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path", type=Path, help="a text in UTF-8, a megabyte or so")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine")
    arguments = parser.parse_args()
    text = arguments.path.read_text("utf-8")
    size = arguments.path.stat().st_size
    print(f"{arguments.path.name}, {size / 1e6:.2f} MB, one thread")
    for vocab_size in VOCABULARIES:
        print(f"\ntraining, {vocab_size:,} tokens")
        contestants = {
            "ours": lambda size=vocab_size: BPETokenizer.train(text, size),
            "tokenizers": lambda size=vocab_size: train_theirs(text, size),
        }
        report(contestants, size, arguments.rounds, arguments.clock)
        print(f"\nencoding, {vocab_size:,} tokens")
        tokenizer = BPETokenizer.train(text, vocab_size)
        contestants = encoders(tokenizer, text, arguments.rounds)
        report(contestants, size, arguments.rounds, arguments.clock)


if __name__ == "__main__":
    main()
