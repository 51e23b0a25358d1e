"""What a run learns from: corpora, tasks with exact answers, and files of one's own.

Nothing in this package loads PyTorch.
"""

from __future__ import annotations

from functools import lru_cache

from engine.config import RunConfig
from engine.data.base import IGNORE, Batch, Data, DataError
from engine.data.corpora import CORPORA, Corpus
from engine.data.tasks import TASKS, Task
from engine.data.text import TextData, check_vocabulary, from_files, from_text, read_text

__all__ = [
    "CORPORA", "IGNORE", "SOURCES", "TASKS", "Batch", "Corpus", "Data", "DataError", "Task",
    "TextData", "make_data",
]  # fmt: skip

SOURCES: tuple[str, ...] = (*CORPORA, *TASKS)
"""What `DataConfig.source` may name, besides 'text' for a file of one's own."""


def make_data(config: RunConfig, seed: int | None = None) -> Data:
    """The data of a run; `seed` is that of its batches, `config.train.seed` if None.

    Raises `DataError` (a `ValueError`) naming the field, its value and what is allowed.
    """
    data, model = config.data, config.model
    seed = config.train.seed if seed is None else seed
    if data.source == "text":
        return from_files(data, model, seed)
    if data.valid_data_path is not None:
        raise DataError("valid_data_path", data.valid_data_path, "must go with train_data_path")
    if data.source in CORPORA:
        corpus = CORPORA[data.source]
        prompts = list(corpus.prompts)
        return from_text(_corpus_text(corpus), data, model, seed, name=corpus.name, prompts=prompts)
    if data.source in TASKS:
        task = TASKS[data.source](data.task_length, model.max_seq_len, seed)
        check_vocabulary(task.tokenizer, model)
        return task
    raise DataError("source", data.source, f"must be one of {', '.join(SOURCES)} or text")


@lru_cache(maxsize=len(CORPORA))
def _corpus_text(corpus: Corpus) -> str:
    return read_text(corpus.path, "source")
