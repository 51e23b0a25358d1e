"""What byte-level BPE's tokens and merges must be, wherever they come from.

Tokens are spelled in GPT-2's alphabet (`alphabet.py`), as in all of its file formats; specials are
written as they are. Whatever passes is a tokenizer that can write any text: all bytes are there, and
merging ends, since each merge uses bytes and what earlier merges made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from engine.tokenizers.alphabet import LETTERS
from engine.tokenizers.base import MAX_BYTES, TokenizerError, check_pieces
from engine.tokenizers.bpe_training import MAX_VOCABULARY


def check_vocabulary(
    tokens: Sequence[str], merges: Sequence[tuple[str, str]], specials: Sequence[str]
) -> None:
    """`tokens` are the 256 bytes, what the merges make, and the specials, each once.

    Raises `TokenizerError` naming `tokens`, `merges` or `specials`.
    """
    for field, values in (("tokens", tokens), ("merges", merges)):
        if len(values) > MAX_VOCABULARY:
            raise TokenizerError(field, f"{len(values)} of them, at most {MAX_VOCABULARY}")
    for value, letter in enumerate(LETTERS):
        if letter in specials:
            raise TokenizerError("specials", f"{letter!a} is also the token of byte {value}")
    check_pieces("tokens", tokens, longest=MAX_BYTES)
    known = set(tokens)
    for value, letter in enumerate(LETTERS):
        if letter not in known:
            raise TokenizerError("tokens", f"{letter!a}, the token of byte {value}, is missing")
    for special in specials:
        if special not in known:
            raise TokenizerError("specials", f"{special!a} is not one of tokens")
    explained = made_by(merges).union(specials)
    for token in tokens:
        if token not in explained:
            problem = f"{shown(token)} is no byte, no special, and made by no merge"
            raise TokenizerError("tokens", problem)
    named = set(specials)
    for pair in merges:
        if "".join(pair) not in known:
            raise TokenizerError("merges", f"{shown(*pair)}: what it makes is not one of tokens")
        if "".join(pair) in named:
            raise TokenizerError("merges", f"{shown(*pair)}: what it makes is one of specials")


def made_by(merges: Iterable[tuple[str, str]]) -> set[str]:
    """The bytes and what the merges make. Raises `TokenizerError` about a merge that cannot be."""
    made = set(LETTERS)
    seen: set[tuple[str, str]] = set()
    for pair in merges:
        for part in pair:
            if part not in made:
                problem = f"{shown(part)} is neither a byte nor made by an earlier merge"
                raise TokenizerError("merges", f"{shown(*pair)}: {problem}")
        if pair in seen:
            raise TokenizerError("merges", f"{shown(*pair)} is there twice")
        seen.add(pair)
        made.add("".join(pair))
    return made


def shown(*tokens: str) -> str:
    """Tokens for a message, cut where they are long."""
    return " with ".join(ascii(token[:40]) for token in tokens)


def merge_of(line: str) -> tuple[str, str]:
    """The two tokens of `Ġ t`. Raises `TokenizerError` about `merges`."""
    left, _, right = line.partition(" ")
    if not left or not right or " " in right:
        raise TokenizerError(
            "merges", f"{line[:40]!a} must be two tokens with one space between them"
        )
    return left, right


def string_list(values: Any, field: str) -> list[str]:
    """A list of strings from a file. Raises `TokenizerError` about `field`."""
    if not isinstance(values, list):
        raise TokenizerError(field, "must be a list of strings")
    for value in cast("list[object]", values):
        if not isinstance(value, str):
            raise TokenizerError(field, "must all be text")
    return cast("list[str]", values)
