"""The data of a run: corpora, tasks with exact answers, translation pairs, and the user's files.

Nothing in this package loads PyTorch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from engine.config import DataConfig, ModelConfig, RunConfig, TokenizerName
from engine.data.base import IGNORE, Batch, Data, DataError
from engine.data.corpora import CORPORA, Corpus
from engine.data.pairs import Encoded, PairData, encode_pairs, from_pair_files
from engine.data.reading import as_read, read_text
from engine.data.tasks import TASKS, Task
from engine.data.text import (
    EncodedText,
    TextData,
    check_vocabulary,
    encode_text,
    from_files,
    from_text,
    windows,
)
from engine.data.tokens import joint_tokenizer
from engine.data.translation_pairs import PAIRS, PairSource, pair_parts
from engine.tokenizers import MarkedTokenizer

__all__ = [
    "CORPORA", "IGNORE", "PAIRS", "SOURCES", "TASKS", "Batch", "Corpus", "Data", "DataError",
    "PairData", "PairSource", "Task", "TextData",
    "check_no_pairs", "is_pairs", "make_data",
]  # fmt: skip

SOURCES: tuple[str, ...] = (*CORPORA, *TASKS, *PAIRS)
"""The values of `DataConfig.source`, besides 'text' and 'pairs' for the user's files."""


def is_pairs(source: str) -> bool:
    """Whether this source has translation pairs, for a model with an encoder."""
    return source == "pairs" or source in PAIRS


def make_data(config: RunConfig, seed: int | None = None, text: str | None = None) -> Data:
    """The data of a run; `seed` is that of its batches, `config.train.seed` by default.

    `text` is the content of `train_data_path` if that is not written yet. Raises `DataError` (a
    `ValueError`) naming the field, its value and what is allowed.
    """
    data, model = config.data, config.model
    seed = config.train.seed if seed is None else seed
    if is_pairs(data.source):
        if model.n_encoder_layer is None:
            allowed = (
                f"must be set, for example to {model.n_layer}: {data.source} has pairs to translate"
            )
            raise DataError("n_encoder_layer", None, allowed)
        if data.source == "pairs":
            return from_pair_files(data, model, seed, config.train.batch_tokens)
        return _own_pairs(data, model, seed, config.train.batch_tokens)
    check_no_pairs(config)
    if data.source == "text" and text is not None:
        path = data.train_data_path or data.source
        text = as_read(text, "train_data_path", path)
        return from_text(text, data, model, seed, name=Path(path).stem)
    if data.source == "text":
        return from_files(data, model, seed)
    if data.valid_data_path is not None:
        raise DataError("valid_data_path", data.valid_data_path, "needs train_data_path")
    if data.source in CORPORA:
        corpus = CORPORA[data.source]
        parts = _encoded_corpus(corpus, data.tokenizer, data.tokenizer_size, data.valid_fraction)
        prompts = list(corpus.prompts)
        return windows(parts, data, model, seed, name=corpus.name, prompts=prompts)
    if data.source in TASKS:
        for field, value in (
            ("tokenizer", data.tokenizer),
            ("tokenizer_size", data.tokenizer_size),
        ):
            if value not in (None, "char"):
                allowed = f"must be empty for {data.source}, whose tokens are given"
                raise DataError(field, value, allowed)
        task = TASKS[data.source](data.task_length, model.max_seq_len, seed)
        check_vocabulary(task.tokenizer, model)
        return task
    allowed = f"must be one of {', '.join(SOURCES)}, text or pairs"
    raise DataError("source", data.source, allowed)


def check_no_pairs(config: RunConfig) -> None:
    """Raises `DataError` if the configuration of a language model asks for what only pairs have."""
    if config.model.n_encoder_layer is not None:
        allowed = (
            f"must be pairs to translate for a model with an encoder: {', '.join(PAIRS)} or pairs"
        )
        raise DataError("source", config.data.source, allowed)
    if config.train.batch_tokens is not None:
        allowed = "must be empty: only batches of pairs to translate are counted in tokens"
        raise DataError("batch_tokens", config.train.batch_tokens, allowed)


def _own_pairs(
    data: DataConfig, model: ModelConfig, seed: int, batch_tokens: int | None
) -> PairData:
    """One of `PAIRS`. Raises `DataError`."""
    if data.valid_data_path is not None:
        raise DataError("valid_data_path", data.valid_data_path, "needs train_data_path")
    tokenizer, train, valid, compositional = _encoded(
        data.source, data.tokenizer or "word", data.tokenizer_size
    )
    check_vocabulary(tokenizer, model)
    return PairData(
        data.source, tokenizer, train, valid, compositional,
        max_seq_len=model.max_seq_len, seed=seed, batch_tokens=batch_tokens, exact=True,
        translate=PAIRS[data.source].translate,
    )  # fmt: skip


@lru_cache(maxsize=2 * len(PAIRS))
def _encoded(
    name: str, kind: TokenizerName, size: int | None
) -> tuple[MarkedTokenizer, Encoded, Encoded, Encoded]:
    """The tokenizer of one of `PAIRS`, and its parts. Cached: do not modify."""
    parts = pair_parts(name)
    tokenizer = joint_tokenizer(kind, size, [text for pair in parts["train"] for text in pair])
    train, valid, compositional = (
        encode_pairs(tokenizer, parts[part]) for part in ("train", "valid", "compositional")
    )
    return tokenizer, train, valid, compositional


@lru_cache(maxsize=8)
def _encoded_corpus(
    corpus: Corpus, kind: TokenizerName | None, size: int | None, valid_fraction: float
) -> EncodedText:
    """The tokens of one of `CORPORA`. Cached: do not modify."""
    data = DataConfig(tokenizer=kind, tokenizer_size=size, valid_fraction=valid_fraction)
    return encode_text(read_text(corpus.path, "source"), data)
