"""The phases of a run: noise, letters, words, sentences; and of a task, when its answers become right.

A phase of a text begins when the validation loss falls below that of a table that only counts. Whoever knows

    how often each letter comes           has the loss H(letter), the entropy of single letters
    how often each word comes             has H(word), here per letter of the text
    which word comes after which          has H(word | the word before), likewise

so a model with a lower loss than the table of letters knows more of letters than the table does, and so on. All
are entropies of the run's own text (Shannon 1951, "Prediction and Entropy of Printed English", section 2), and
multiplied by the letters of a token they are nats per token, as the loss is. In a script without spaces the tables
count one, two and three characters.

Measured on the shipped runs: `stories` has the thresholds 3.08, 1.34 and 0.62 nats per letter. It passes them at
steps 50, 200 and 1,050; of the words in its samples 3% are words of the text at step 0, 57% at step 100, 75% at
step 200, and 95% from step 1,600 to 2,000.
`stories-zh` has 4.78, 2.23 and 1.03, and passes them at steps 50, 150 and 300.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from engine.data import CORPORA, TASKS, is_pairs
from engine.files import is_stored
from engine.runs.store import TEXT_PATH, Run, RunError
from playground.runs import run_lookup

MAX_CHARACTERS = 200_000
"""Of a longer text the beginning is counted."""

SAMPLE = 20_000
"""Characters that are cut into tokens, to know how long a token is."""

WORD = re.compile(r"\w+|[^\w\s]")
UNSPACED = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
"""Characters of scripts that put no spaces between words."""

NAMES = ("letters", "words", "sentences")
RIGHT = {"mostly right": 0.6, "solved": 0.99}
"""Phases of a task, by the share of right answers. An answer of two possible ones is right in half of all cases by
luck, so that 60% is more than luck."""


class Phase(TypedDict):
    """Where a phase begins."""

    name: str
    at: float
    """Validation loss in nats per token, or the share of right answers."""


class Phases(TypedDict):
    """What a run is measured by, the name of its beginning, and its phases in order."""

    by: str
    """"loss", which falls below each `at`; or "accuracy", which rises above it."""
    first: str
    phases: list[Phase]
    own: bool
    """Is it the learner's own text? A short one is learned by heart, and its validation loss says little."""


def phases(run: Run) -> Phases | None:
    """The phases of this run; None where its text is gone, or it has not started yet."""
    source = run.config.data.source
    if source in TASKS or is_pairs(source):
        found = [Phase(name=name, at=at) for name, at in RIGHT.items()]
        return {"by": "accuracy", "first": "not yet right", "phases": found, "own": False}
    path = CORPORA[source].path if source in CORPORA else run.path / TEXT_PATH
    vocabulary = run_lookup.vocabulary(run)
    if not is_stored(path) or vocabulary is None:
        return None
    try:
        length = _token_length(run.path, path)
    except (RunError, OSError, ValueError):
        return None
    found = [
        Phase(name=name, at=round(entropy * length, 4))
        for name, entropy in zip(NAMES, entropies(path), strict=True)
        if entropy * length
        < math.log(vocabulary)  # else guessing evenly would be a phase further on
    ]
    return {"by": "loss", "first": "noise", "phases": found, "own": source not in CORPORA}


@lru_cache(maxsize=32)
def entropies(path: Path) -> tuple[float, float, float]:
    """The three thresholds of a text, in nats per character."""
    with open(path, encoding="utf-8") as file:
        text = file.read(MAX_CHARACTERS)
    if len(UNSPACED.findall(text)) > len(text) / 4:
        return entropy(text, 1), entropy(text, 2), entropy(text, 3)
    words = WORD.findall(text)
    share = len(words) / max(1, len(text))
    return entropy(text, 1), share * entropy(words, 1), share * entropy(words, 2)


def entropy(symbols: Sequence[str], length: int) -> float:
    """Entropy of a symbol given the `length - 1` before it, in nats: H = -sum p(s, before) log p(s | before)."""
    counts = Counter(zip(*(symbols[i:] for i in range(length)), strict=False))
    before: Counter[tuple[str, ...]] = Counter()
    for symbol, count in counts.items():
        before[symbol[:-1]] += count
    total = max(1, counts.total())
    return -sum(n / total * math.log(n / before[s[:-1]]) for s, n in counts.items())


@lru_cache(maxsize=64)
def _token_length(run: Path, path: Path) -> float:
    """Characters of a token of this run, on average."""
    with open(path, encoding="utf-8") as file:
        text = file.read(SAMPLE)
    return len(text) / max(1, len(Run(run).tokenizer().encode(text)))
