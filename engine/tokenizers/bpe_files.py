"""BPE tokenizers in the files of others: GPT-2's `vocab.json` and `merges.txt`, and transformers' `tokenizer.json`.

Both spell tokens in GPT-2's alphabet. `vocab.json` is the id of each token, `merges.txt` one merge a
line, the earliest first; `tokenizer.json` holds both, the specials, and how text is cut, and is what
`tokenizers.Tokenizer.from_file` and transformers' `PreTrainedTokenizerFast` read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from engine.jsonl import writing_out
from engine.tokenizers.base import MAX_BYTES, TokenizerError, json_object
from engine.tokenizers.bpe import BPETokenizer
from engine.tokenizers.bpe_vocabulary import made_by, merge_of, string_list

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
    merges = [merge_of(line) for line in lines]
    tokens = in_order(vocabulary, "vocab.json")
    explained = made_by(merges)
    return BPETokenizer(tokens, merges, [token for token in tokens if token not in explained])


def to_transformers(tokenizer: BPETokenizer) -> str:
    """The text of a `tokenizer.json` for transformers: the same ids for the same text."""
    id_of = {name: i for i, name in enumerate(tokenizer.names)}
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    values = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": id_of[special], "content": special, **added, "special": True}
            for special in sorted(tokenizer.specials, key=id_of.__getitem__)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": id_of,
            "merges": tokenizer.merges,
        },
    }
    return json.dumps(values, ensure_ascii=False)


def from_transformers(text: str | bytes, name: str = "tokenizer.json") -> BPETokenizer:
    """Read a `tokenizer.json` that cuts and merges text as GPT-2 does, and refuse all others.

    What it would add around a text (`post_processor`) is left out, as with `add_special_tokens=False`.
    Raises `TokenizerError` naming the field, or the file.
    """
    values = json_object(text, name)
    model = _part(values, "model")
    cutting = _part(values, "pre_tokenizer")
    _only(model, "model", "type", ["BPE"])
    _only(cutting, "pre_tokenizer", "type", ["ByteLevel"])
    _only(cutting, "pre_tokenizer", "add_prefix_space", [False])
    _only(
        cutting, "pre_tokenizer", "use_regex", [True, None]
    )  # None: older files have no such field
    _only(values, "", "normalizer", [None])
    _only(model, "model", "dropout", [None, 0])
    for field in ("continuing_subword_prefix", "end_of_word_suffix"):
        _only(model, "model", field, [None, ""])
    for field in ("byte_fallback", "ignore_merges"):
        _only(model, "model", field, [None, False])

    vocabulary = dict(_part(model, "model.vocab", "vocab"))
    specials: list[str] = []
    for special in _objects(values.get("added_tokens") or [], "added_tokens"):
        content, i = special.get("content"), special.get("id")
        if not isinstance(content, str):
            raise TokenizerError("added_tokens", "must each have a content, which is text")
        for field in ("single_word", "lstrip", "rstrip"):
            _only(special, "added_tokens", field, [None, False])
        if vocabulary.setdefault(content, i) != i:
            raise TokenizerError("added_tokens", f"{content[:40]!a} has another id in model.vocab")
        specials.append(content)
    merges = _merges(model.get("merges"))
    return BPETokenizer(in_order(vocabulary, "model.vocab"), merges, specials)


def in_order(vocabulary: Mapping[str, Any], field: str) -> list[str]:
    """The tokens by id, which must be 0, 1, 2 and so on. Raises `TokenizerError` about `field`."""
    tokens: dict[int, str] = {}
    for token, i in vocabulary.items():
        if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i < len(vocabulary):
            allowed = f"a whole number from 0 to {len(vocabulary) - 1}"
            raise TokenizerError(field, f"the id of {token[:40]!a} must be {allowed}")
        if i in tokens:
            raise TokenizerError(field, f"{tokens[i][:40]!a} and {token[:40]!a} both have id {i}")
        tokens[i] = token
    return [tokens[i] for i in range(len(tokens))]


def _merges(values: Any) -> list[tuple[str, str]]:
    """Merges as pairs, or as lines with a space, as older versions wrote them."""
    if not isinstance(values, list):
        raise TokenizerError("merges", "must be a list")
    merges: list[tuple[str, str]] = []
    for value in cast("list[Any]", values):
        if isinstance(value, str):
            merges.append(merge_of(value))
        else:
            left, right = [*string_list(value, "merges"), "", ""][:2]
            if len(value) != 2 or not left or not right:
                raise TokenizerError("merges", "must each be of two tokens")
            merges.append((left, right))
    return merges


def _part(values: Mapping[str, Any], field: str, key: str = "") -> Mapping[str, Any]:
    part = values.get(key or field)
    if not isinstance(part, dict):
        raise TokenizerError(field, "must be a JSON object")
    return cast("Mapping[str, Any]", part)


def _objects(values: Any, field: str) -> list[Mapping[str, Any]]:
    if not isinstance(values, list):
        raise TokenizerError(field, "must be a list")
    for value in cast("list[object]", values):
        if not isinstance(value, dict):
            raise TokenizerError(field, "must all be JSON objects")
    return cast("list[Mapping[str, Any]]", values)


def _only(values: Mapping[str, Any], part: str, key: str, allowed: Sequence[object]) -> None:
    """Settings other than GPT-2's would make other ids of the same text."""
    if values.get(key) not in allowed:
        field = f"{part}.{key}".strip(".")
        wanted = " or ".join(json.dumps(value) for value in allowed if value is not None) or "null"
        raise TokenizerError(field, f"{str(values.get(key))[:80]!a} must be {wanted}")


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise TokenizerError(path.name, f"has {size} bytes; a tokenizer has at most {MAX_BYTES}")
    return path.read_bytes()


def _write(path: Path, text: str) -> None:
    with writing_out(path) as file:
        file.write(f"{text}\n".encode())
