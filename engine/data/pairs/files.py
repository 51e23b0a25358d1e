"""Translation pairs from the user's files: a TSV file, or two files line by line.

Each line of a TSV file is a text, a tab and its translation. There are no quotation marks, comments or
headings. A line ends in `\\n` or `\\r\\n`; other line-breaking characters are white space, so that the
lines of two files correspond.
"""

from __future__ import annotations

from pathlib import Path

from engine.config import DataConfig, ModelConfig
from engine.data.base import DataError
from engine.data.pairs.encoded import encode_pairs, sentence
from engine.data.pairs.pair_data import PairData
from engine.data.reading import read_lines
from engine.data.text import check_vocabulary
from engine.data.tokens import MIN_COUNT, joint_tokenizer


def from_pair_files(
    data: DataConfig, model: ModelConfig, seed: int, batch_tokens: int | None = None
) -> PairData:
    """The pairs that `data` names, in files. Raises `DataError` naming the field.

    Pairs too long for `max_seq_len` are left out and counted (`PairData.skipped`). Without a
    validation file, the last `valid_fraction` of the pairs is the validation data.
    """
    assert data.train_data_path is not None  # DataConfig refuses source = 'pairs' without it
    train = read_pairs(
        data.train_data_path, data.target_data_path, "train_data_path", "target_data_path"
    )
    if data.valid_data_path is not None:
        valid = read_pairs(
            data.valid_data_path, data.valid_target_path, "valid_data_path", "valid_target_path"
        )
    else:
        if len(train) < 2:
            allowed = "has 1 pair; it must have at least 2, one of them to be held out"
            raise DataError("train_data_path", data.train_data_path, allowed)
        count = min(max(1, int(len(train) * data.valid_fraction)), len(train) - 1)
        train, valid = train[:-count], train[-count:]
    texts = [text for pair in train for text in pair]
    tokenizer = joint_tokenizer(
        data.tokenizer or "word", data.tokenizer_size, texts, min_count=MIN_COUNT
    )
    check_vocabulary(tokenizer, model)
    name = Path(data.train_data_path).stem
    paths = {"train_data_path": data.train_data_path, "valid_data_path": data.valid_data_path}
    return PairData(
        name, tokenizer, encode_pairs(tokenizer, train), encode_pairs(tokenizer, valid),
        max_seq_len=model.max_seq_len, seed=seed, batch_tokens=batch_tokens, skip_long=True,
        files={field: path for field, path in paths.items() if path is not None},
    )  # fmt: skip


def read_pairs(
    path: str, target_path: str | None, field: str, target_field: str
) -> list[tuple[str, str]]:
    """The pairs of a TSV file, or of two files. Raises `DataError` naming the field and the line.

    Spaces around a text are not part of it.
    """
    lines = _lines(path, field)
    if target_path is not None:
        targets = _lines(target_path, target_field)
        if len(targets) != len(lines):
            allowed = f"has {len(targets):,} lines; {field} has {len(lines):,}"
            raise DataError(target_field, target_path, allowed)
        sources = [
            _text(line, number, path, field, "empty") for number, line in enumerate(lines, start=1)
        ]
        return [
            (source, _text(line, number, target_path, target_field, "empty"))
            for number, (source, line) in enumerate(zip(sources, targets, strict=True), start=1)
        ]
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        source, *rest = line.split("\t")
        if len(rest) != 1:
            tabs = f"{len(rest)} tabs" if rest else "no tab"
            allowed = f"line {number:,} has {tabs}; it must be a text, one tab and its translation"
            raise DataError(field, path, allowed)
        source = _text(source, number, path, field, "without a text before the tab")
        pairs.append((source, _text(rest[0], number, path, field, "without a translation")))
    return pairs


def _lines(path: str, field: str) -> list[str]:
    """The lines of a file, except empty ones at its end."""
    lines = read_lines(Path(path), field)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _text(text: str, number: int, path: str, field: str, problem: str) -> str:
    text = sentence(text)
    if not text:
        raise DataError(field, path, f"line {number:,} is {problem}")
    return text
