"""A learner's own text, and the tokens that data has before a run starts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

from engine.config import (
    BYTE_VALUES,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from engine.data import DataError, make_data
from engine.data.reading import read_text
from engine.data.text import encode_text
from engine.data.tokens import TEXT_BPE_SIZE
from engine.files import is_stored
from engine.runs.store import TEXT_PATH, Run
from engine.tokenizers import Tokenizer
from engine.validation import ConfigError, Problem
from playground import settings
from playground.planning import tokenizer_gate
from playground.planning.choice import TextFacts
from playground.planning.controls import OWN_TEXT

TEXT = {
    "text.missing": "Paste a text, or choose a file, to learn from.",
    "text.gone": "the text of this run is gone",
    "text.short": "Your text is too short: {count:,} {unit}, and one training sequence "
    "needs {needed:,}. Add text, or lower the context.",
    "text.long": "Your text is too long: {characters:,} characters; at most {most:,} are taken.",
}

MAX_TEXT = 1_000_000
"""Characters that a learner's own text may have."""

UNKNOWN_VOCABULARY = 64
"""What a text is taken to have, for the picture, until there is one."""


def predicted_vocabulary(data: DataConfig, text: TextFacts | None) -> int:
    """How many tokens a text of one's own will have: of words and their pieces, at most."""
    if data.tokenizer == "byte":
        return BYTE_VALUES
    if data.tokenizer == "bpe":
        return data.tokenizer_size or TEXT_BPE_SIZE
    if text is None:
        return UNKNOWN_VOCABULARY
    words = text.words if data.tokenizer == "word" else 0
    return data.tokenizer_size or max(2, text.vocabulary + words)


def most_text() -> int:
    """Characters that a learner's own text may have on this host."""
    return min(MAX_TEXT, settings.current().max_text or MAX_TEXT)


def stored_text(run: Run) -> str:
    """The learner's own text that this run reads. Raises `ConfigError` where there is none."""
    path = run.path / TEXT_PATH
    try:
        if is_stored(path):
            return read_text(path, "source")
    except DataError:
        pass
    raise ConfigError([Problem("source", OWN_TEXT, TEXT["text.gone"])])


def tokenizer_of(
    data: DataConfig, model: ModelConfig, batch_tokens: int | None = None
) -> Tokenizer:
    """What turns this data into tokens.

    Raises `ConfigError` if it does not fit the model, or the tokens of a batch.
    """
    relevant = ModelConfig(
        max_seq_len=model.max_seq_len,
        vocab_size=model.vocab_size,
        n_encoder_layer=None if model.n_encoder_layer is None else 1,
    )
    return _tokenizer_of(data.to_json(), relevant.to_json(), batch_tokens)


@lru_cache(maxsize=256)
def _tokenizer_of(data: str, model: str, batch_tokens: int | None) -> Tokenizer:
    config = RunConfig(
        model=ModelConfig.from_json(model),
        data=DataConfig.from_json(data),
        train=TrainConfig(batch_tokens=batch_tokens),
    )
    with learns(config.data):
        return make_data(config).tokenizer


def learns(data: DataConfig) -> AbstractContextManager[None]:
    """See `tokenizer_gate.alone`, where this data's tokenizer is one that takes long to learn."""
    return nullcontext() if data.tokenizer in (None, "char", "byte") else tokenizer_gate.alone()


@lru_cache(maxsize=64)
def stored_facts(path: Path) -> TextFacts:
    return TextFacts.of(stored_text(Run(path)))


@lru_cache(maxsize=16)
def stored_tokenizer(path: Path, data: str) -> Tokenizer:
    config = DataConfig.from_json(data)
    with learns(config):
        return encode_text(stored_text(Run(path)), config).tokenizer


def text_obstacles(config: RunConfig, text: TextFacts | None) -> list[str]:
    if text is None or text.characters == 0:
        return [TEXT["text.missing"]]
    if text.characters > most_text():
        return [TEXT["text.long"].format(characters=text.characters, most=most_text())]
    kind = config.data.tokenizer
    count, unit = text.most_tokens(kind), "bytes" if kind in ("byte", "bpe") else "characters"
    held_out = max(2, round(count * config.data.valid_fraction))
    needed = config.model.max_seq_len + 1
    if count - held_out < needed:
        return [TEXT["text.short"].format(count=count, unit=unit, needed=needed + held_out)]
    return []
