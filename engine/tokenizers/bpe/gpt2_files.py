"""BPE tokenizers in GPT-2's files, `vocab.json` and `merges.txt`.

Both spell tokens in GPT-2's alphabet. `vocab.json` is the id of each token, `merges.txt` one merge a
line, the earliest first.
"""

from __future__ import annotations

import json
from pathlib import Path

from engine.files import atomic_output
from engine.tokenizers.base import MAX_BYTES, json_object
from engine.tokenizers.bpe.tokenizer import BPETokenizer
from engine.tokenizers.bpe.vocabulary import made_by
from engine.tokenizers.errors import TokenizerError
from engine.tokenizers.pipeline import in_order, merges_of

VERSION = "#version: 0.2"
"""The first line of `merges.txt`."""


def save_gpt2(tokenizer: BPETokenizer, folder: Path) -> None:
    """Write `vocab.json` and `merges.txt` into a folder that is there."""
    vocabulary = {name: i for i, name in enumerate(tokenizer.names)}
    _write(folder / "vocab.json", json.dumps(vocabulary, ensure_ascii=False))
    lines = [VERSION, *(f"{left} {right}" for left, right in tokenizer.merges)]
    _write(folder / "merges.txt", "\n".join(lines))


def load_gpt2(folder: Path) -> BPETokenizer:
    """Read `vocab.json` and `merges.txt`. Tokens that no merge makes are the specials.

    Raises `TokenizerError` naming the file or the field, and `OSError` where one cannot be read.
    """
    vocabulary = json_object(_read(folder / "vocab.json"), "vocab.json")
    try:
        text = _read(folder / "merges.txt").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TokenizerError("merges.txt", f"is not UTF-8: {error.reason}") from None
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines[0].startswith("#version") or lines == [""]:
        del lines[0]
    merges = merges_of(lines, "merges")
    tokens = in_order(vocabulary, "vocab.json")
    explained = made_by(merges)
    return BPETokenizer(tokens, merges, [token for token in tokens if token not in explained])


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise TokenizerError(path.name, f"has {size} bytes; a tokenizer has at most {MAX_BYTES}")
    return path.read_bytes()


def _write(path: Path, text: str) -> None:
    with atomic_output(path) as file:
        file.write(f"{text}\n".encode())
