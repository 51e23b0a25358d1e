"""Validates the tokens and merges of byte-level BPE.

Tokens are written in GPT-2's alphabet (`engine/tokenizers/byte.py`), as in all of its file formats; specials are
written as they are. A valid vocabulary encodes any text, since it has all bytes, and merging ends, since
a merge only uses bytes and what earlier merges made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.tokenizers.base import MAX_BYTES, check_pieces
from engine.tokenizers.bpe.training import MAX_VOCABULARY
from engine.tokenizers.byte import LETTERS
from engine.tokenizers.errors import TokenizerError


def check_vocabulary(
    tokens: Sequence[str],
    merges: Sequence[tuple[str, str]],
    specials: Sequence[str],
    ignore_merges: bool = False,
) -> None:
    """`tokens` are the 256 bytes, what the merges make, and the specials, each once.

    With `ignore_merges`, there may be others: pre-tokens that become a token before anything is merged. And a
    merge may use any token: the files of Llama 3 have every way to make each.

    Raises `TokenizerError` naming `tokens`, `merges` or `specials`.
    """
    for field, values in (("tokens", tokens), ("merges", merges)):
        if len(values) > MAX_VOCABULARY:
            raise TokenizerError(field, f"{len(values)} entries, at most {MAX_VOCABULARY}")
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
    explained = made_by(merges, known.difference(specials) if ignore_merges else ()).union(specials)
    for token in () if ignore_merges else tokens:
        if token not in explained:
            problem = f"{shown(token)} is no byte, no special, and made by no merge"
            raise TokenizerError("tokens", problem)
    named = set(specials)
    for pair in merges:
        if "".join(pair) not in known:
            raise TokenizerError("merges", f"{shown(*pair)}: what it makes is not one of tokens")
        if "".join(pair) in named:
            raise TokenizerError("merges", f"{shown(*pair)}: what it makes is one of specials")


def made_by(merges: Iterable[tuple[str, str]], others: Iterable[str] = ()) -> set[str]:
    """The bytes and what the merges make. Raises `TokenizerError` about an impossible merge.

    A merge uses bytes, what earlier merges made, and `others`.
    """
    made = set(LETTERS).union(others)
    seen: set[tuple[str, str]] = set()
    for pair in merges:
        for part in pair:
            if part not in made:
                problem = f"{shown(part)} is neither a byte nor made by an earlier merge"
                raise TokenizerError("merges", f"{shown(*pair)}: {problem}")
        if pair in seen:
            raise TokenizerError("merges", f"{shown(*pair)} occurs twice")
        seen.add(pair)
        made.add("".join(pair))
    return made


def shown(*tokens: str) -> str:
    """Tokens for a message, long ones cut."""
    return " with ".join(ascii(token[:40]) for token in tokens)
