"""`tokenizer.json`: a tokenizer in the format of Hugging Face's `tokenizers`.

The file describes a pipeline (https://huggingface.co/docs/tokenizers/pipeline). Added tokens are cut
out of the text; the pre-tokenizer splits the rest into pieces; the model turns each piece into ids; the
decoder joins the tokens of ids to a text. The tokenizers here need little of all that it can say:

    kind    pre_tokenizer        model                                             decoder
    char    none                 BPE without merges: each character is a token     Fuse
    word    Split                BPE without merges, but a known piece is a token  Fuse
    byte    ByteLevel            BPE without merges                                ByteLevel
    bpe     ByteLevel            BPE                                               ByteLevel
    ids     Split                WordLevel: each piece is a token                  Fuse
    marked  as the inner one, with four more tokens in front and a post_processor

A character that is not in the vocabulary is an error there as it is here, since `unk_token` names no
token; only a marked tokenizer has one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from engine.tokenizers.errors import TokenizerError

Part = Mapping[str, Any]
"""A JSON object of the file."""

FUSE: Part = {"type": "Fuse"}
"""Joins tokens without spaces."""

NO_TOKEN = ""
"""The `unk_token` of a vocabulary without one: no token has an empty name."""


def byte_level(use_regex: bool) -> Part:
    """Bytes as GPT-2's alphabet writes them; with `use_regex`, split at GPT-2's pattern."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def split_at(pattern: str) -> Part:
    """Every match of a regular expression is a piece, and so is the text between two matches."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


@dataclass(frozen=True)
class Pipeline:
    """The parts of a `tokenizer.json` that affect ids or decoded text."""

    tokens: Sequence[str]
    """The vocabulary by id, added tokens included."""
    pre_tokenizer: Part | None = None
    decoder: Part | None = None
    model: str = "BPE"
    """Or WordLevel."""
    merges: Sequence[tuple[str, str]] = ()
    ignore_merges: bool = False
    """Whether a piece that is a token is never merged from its parts."""
    unknown: str | None = NO_TOKEN
    """The token for what is not in the vocabulary. An error, if the vocabulary does not have it."""
    added: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Tokens that are cut out of a text; True for those that `decode` may skip."""
    frame: tuple[str, str] | None = None
    """Tokens that `encode(text, add_special_tokens=True)` puts before and after a text."""

    def to_json(self) -> str:
        """The content of the file."""
        id_of = {token: i for i, token in enumerate(self.tokens)}
        model: dict[str, Any] = {"type": self.model, "unk_token": self.unknown, "vocab": id_of}
        if self.model == "BPE":
            model |= {
                "dropout": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": self.ignore_merges,
                "merges": [f"{left} {right}" for left, right in self.merges],
            }
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        values = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": id_of[token], "content": token, **flags, "special": self.added[token]}
                for token in sorted(self.added, key=id_of.__getitem__)
            ],
            "normalizer": None,
            "pre_tokenizer": self.pre_tokenizer,
            "post_processor": None if self.frame is None else _template(self.frame, id_of),
            "decoder": self.decoder,
            "model": model,
        }
        return json.dumps(values, ensure_ascii=False, indent=2)

    @classmethod
    def of(cls, values: Part) -> Pipeline:
        """Read the JSON object of a file. Raises `TokenizerError` naming the field.

        Refuses whatever changes ids and has no counterpart here. The `post_processor` is left out, as
        with `add_special_tokens=False`; so are `truncation` and `padding`.
        """
        model = part_of(values, "model")
        only(model, "model", "type", ["BPE", "WordLevel"])
        only(values, "", "normalizer", [None])
        is_bpe = model["type"] == "BPE"
        if is_bpe:
            only(model, "model", "dropout", [None, 0])
            for name in ("continuing_subword_prefix", "end_of_word_suffix"):
                only(model, "model", name, [None, ""])
            only(model, "model", "byte_fallback", [None, False])
            only(model, "model", "ignore_merges", [None, False, True])
        vocabulary = dict(part_of(model, "model.vocab", "vocab"))
        added = _added(values.get("added_tokens"), vocabulary)
        unknown = model.get("unk_token")
        if not isinstance(unknown, str | None):
            raise TokenizerError("model.unk_token", "must be text or null")
        decoder = values.get("decoder")
        return cls(
            in_order(vocabulary, "model.vocab"),
            None if values.get("pre_tokenizer") is None else part_of(values, "pre_tokenizer"),
            None if decoder is None else part_of(values, "decoder"),
            model["type"],
            merges_of(model.get("merges"), "model.merges") if is_bpe else (),
            is_bpe and bool(model.get("ignore_merges")),
            unknown,
            added,
        )


def _template(frame: tuple[str, str], id_of: Mapping[str, int]) -> Part:
    """A text becomes BEGIN, its tokens, END; a pair of texts stays as it is."""
    before, after = ({"SpecialToken": {"id": token, "type_id": 0}} for token in frame)
    first, second = ({"Sequence": {"id": name, "type_id": i}} for i, name in enumerate(("A", "B")))
    return {
        "type": "TemplateProcessing",
        "single": [before, first, after],
        "pair": [first, second],
        "special_tokens": {
            token: {"id": token, "ids": [id_of[token]], "tokens": [token]} for token in frame
        },
    }


# Reading ------------------------------------------------------------------------------------------


def _added(values: Any, vocabulary: dict[str, Any]) -> dict[str, bool]:
    """The added tokens; those that `vocabulary` lacks are put into it."""
    added: dict[str, bool] = {}
    for value in objects(values or [], "added_tokens"):
        content, i = value.get("content"), value.get("id")
        if not isinstance(content, str):
            raise TokenizerError("added_tokens", "must each have a content, which is text")
        for name in ("single_word", "lstrip", "rstrip"):
            only(value, "added_tokens", name, [None, False])
        if vocabulary.setdefault(content, i) != i:
            raise TokenizerError("added_tokens", f"{content[:40]!a} has another id in model.vocab")
        if content in added:
            raise TokenizerError("added_tokens", f"{content[:40]!a} occurs twice")
        added[content] = value.get("special") is True
    return added


def in_order(vocabulary: Part, name: str) -> list[str]:
    """The tokens by id, which must be 0, 1, 2 and so on. Raises `TokenizerError` about `name`."""
    tokens: dict[int, str] = {}
    for token, i in vocabulary.items():
        if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i < len(vocabulary):
            allowed = f"a whole number from 0 to {len(vocabulary) - 1}"
            raise TokenizerError(name, f"the id of {token[:40]!a} must be {allowed}")
        if i in tokens:
            raise TokenizerError(name, f"{tokens[i][:40]!a} and {token[:40]!a} both have id {i}")
        tokens[i] = token
    return [tokens[i] for i in range(len(tokens))]


def merges_of(values: Any, name: str) -> list[tuple[str, str]]:
    """Each a pair `["Ġ", "t"]` or a line `"Ġ t"`. Raises `TokenizerError` about `name`."""
    if not isinstance(values, list):
        raise TokenizerError(name, "must be a list")
    found: list[tuple[str, str]] = []
    for value in cast("list[Any]", values):
        pair = value.split(" ") if isinstance(value, str) else string_list(value, name)
        if len(pair) != 2 or not all(pair):
            problem = "must be two tokens with one space between them"
            raise TokenizerError(name, f"{' '.join(pair)[:40]!a} {problem}")
        found.append((pair[0], pair[1]))
    return found


def string_list(values: Any, field: str) -> list[str]:
    """A list of strings from a file. Raises `TokenizerError` about `field`."""
    if not isinstance(values, list):
        raise TokenizerError(field, "must be a list of strings")
    for value in cast("list[object]", values):
        if not isinstance(value, str):
            raise TokenizerError(field, "must all be text")
    return cast("list[str]", values)


def part_of(values: Part, name: str, key: str = "") -> Part:
    """A field that is a JSON object. Raises `TokenizerError` about `name`."""
    part = values.get(key or name)
    if not isinstance(part, dict):
        raise TokenizerError(name, "must be a JSON object")
    return cast("Part", part)


def objects(values: Any, name: str) -> Iterable[Part]:
    """A list of JSON objects. Raises `TokenizerError` about `name`."""
    if not isinstance(values, list):
        raise TokenizerError(name, "must be a list")
    for value in cast("list[object]", values):
        if not isinstance(value, dict):
            raise TokenizerError(name, "must all be JSON objects")
    return cast("list[Part]", values)


def only(values: Part, part: str, key: str, allowed: Sequence[object]) -> None:
    """Raises `TokenizerError` naming the field, where its value would change ids."""
    value = values.get(key)
    if value not in allowed:
        name = f"{part}.{key}".strip(".")
        wanted = " or ".join(json.dumps(one) for one in allowed if one is not None) or "null"
        raise TokenizerError(name, f"{str(value)[:80]!a} must be {wanted}")
