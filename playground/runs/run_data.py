"""What a run's data says: its prompts and probe text, and the right answer to a prompt.

A run stores its examples when it starts (`engine.runs.examples`). Runs of earlier versions and imported ones
have none stored; theirs are computed from the data, here and nowhere else.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import functools
from pathlib import Path

from engine.data import CORPORA, TASKS, Data, make_data
from engine.data.baselines import Baselines
from engine.runs import examples as stored
from engine.runs.examples import Examples, examples_of
from engine.runs.store import Run
from engine.validation import ConfigError


def examples(run: Run) -> Examples | None:
    """The run's examples; None if none are stored and its data is gone."""
    return _examples(run.path)


def baselines(run: Run) -> Baselines | None:
    """The baselines of the run's loss; None if none are stored, as before it starts."""
    try:
        return stored.read(run.path).baselines
    except (ConfigError, OSError):
        return None


def letters(run: Run) -> bool:
    """Are the tokens of a run the characters of a text?"""
    data = run.config.data
    return data.source in ("text", *CORPORA) and data.tokenizer in (None, "char")


def answer(run: Run, prompt: str) -> str | None:
    """The one right continuation or translation of a prompt; None if it is not known."""
    if run.config.model.n_encoder_layer is None and run.config.data.source not in TASKS:
        return None  # a text may continue in many ways: its data need not be read
    data = _data(run.path)
    return None if data is None else data.answer(prompt)


def read(path: Path) -> Data | None:
    """The data of the run in this folder, read again; None if it is gone."""
    try:
        return make_data(Run(path).data_config())
    except (ConfigError, OSError):
        return None


def forget() -> None:
    """Read everything again when it is next asked for."""
    _data.cache_clear()
    _examples.cache_clear()


_data = functools.lru_cache(maxsize=16)(read)


@functools.lru_cache(maxsize=64)
def _examples(path: Path) -> Examples | None:
    try:
        return stored.read(path)
    except (ConfigError, OSError):
        data = _data(path)
        return None if data is None else examples_of(data, Run(path).config.train)
