"""What experts specialise in, counted: kinds of tokens against experts, and what chance would give.

A table of counts always shows some pattern. So the same table is made once more with the kinds
shuffled among the tokens, and mutual information says in one number how much of either is there.
N tokens, E experts, G kinds of tokens.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

CLASSES = (
    "vowel", "consonant", "capital", "digit", "space", "newline", "punctuation",
    "Chinese character", "other",
)  # fmt: skip
"""Kinds of tokens, as `token_class` tells them apart."""

_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


def token_class(piece: str) -> int:
    """The kind of a token, as a place in `CLASSES`: that of its first character that is no space.

    Accents do not count. Letters of other scripts than Latin, and a token without text, are "other";
    a capital letter is one in any script.
    """
    stripped = piece.strip()
    if not stripped:
        name = "newline" if "\n" in piece else "space" if piece else "other"
        return CLASSES.index(name)
    first = stripped[0]
    base = unicodedata.normalize("NFD", first)[0].lower()
    if any(low <= ord(first) <= high for low, high in _IDEOGRAPHS):
        name = "Chinese character"
    elif first.isupper():
        name = "capital"
    elif base in "aeiou":
        name = "vowel"
    elif "a" <= base <= "z":
        name = "consonant"
    elif first.isdecimal():
        name = "digit"
    elif unicodedata.category(first)[0] in "PS":
        name = "punctuation"
    else:
        name = "other"
    return CLASSES.index(name)


def token_classes(pieces: Sequence[str]) -> Whole:
    """The kind of every token of a vocabulary: places in `CLASSES`."""
    return np.array([token_class(piece) for piece in pieces], np.int64)


def counts(classes: Whole, chosen: npt.NDArray[np.bool_]) -> Whole:
    """(N,) kinds and (N, E) choices -> (G, E): how often a token of this kind went to this expert."""
    table = np.zeros((len(CLASSES), chosen.shape[-1]), np.int64)
    np.add.at(table, classes, chosen.astype(np.int64))
    return table


def shuffled(classes: Whole, seed: int = 0) -> Whole:
    """The same kinds, dealt out anew among the tokens: as many of each, and no connection left."""
    return np.random.default_rng(seed).permutation(classes)


def shares(table: Whole) -> Numbers:
    """Counts (G, E) -> the share of each kind's choices that went to each expert; rows sum to one.

    A kind that never occurred has a row of zeros.
    """
    return table / table.sum(-1, keepdims=True).clip(min=1)


def entropy(weights: npt.NDArray[np.generic]) -> float:
    """The entropy of weights, in bits, after they are divided by their sum; 0 for no weight."""
    share = weights.astype(np.float64).ravel() / max(
        float(weights.astype(np.float64).sum()), 1e-300
    )
    some = share[share > 0]
    return float(-(some * np.log2(some)).sum()) + 0.0


def mutual_information(table: Whole) -> float:
    """What a token's expert tells of its kind, in bits, from counts (G, E): H(G) + H(E) - H(G, E).

    Zero where the two have nothing to do with each other. A sample of N tokens gives a little more
    than that by chance, which is what the shuffled table is for.
    """
    kinds, experts = entropy(table.sum(1)), entropy(table.sum(0))
    return max(0.0, kinds + experts - entropy(table))
