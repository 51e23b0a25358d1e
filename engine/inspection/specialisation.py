"""Expert specialisation: a table of token classes against experts, with a permutation baseline.

Any table of counts shows some pattern by chance. The baseline is the same table with the classes shuffled
among the tokens; mutual information measures the association in each table as one number.
N tokens, E experts, G token classes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CLASSES = (
    "vowel", "consonant", "capital", "digit", "space", "newline", "punctuation",
    "Chinese character", "other",
)  # fmt: skip
"""Names of the token classes of `token_class`."""

_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


def token_class(piece: str) -> int:
    """The class of a token, as an index into `CLASSES`, determined by its first non-space character.

    Accents are ignored. Lower-case letters of non-Latin scripts and tokens without text are "other";
    upper-case letters of any script are "capital".
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


def token_classes(pieces: Sequence[str]) -> Ints:
    """The class of every token of a vocabulary, as indices into `CLASSES`."""
    return np.array([token_class(piece) for piece in pieces], np.int64)


def count_choices(classes: Ints, chosen: npt.NDArray[np.bool_]) -> Ints:
    """Count how often tokens of each class went to each expert: (N,) classes, (N, E) choices -> (G, E)."""
    table = np.zeros((len(CLASSES), chosen.shape[-1]), np.int64)
    np.add.at(table, classes, chosen.astype(np.int64))
    return table


def shuffle_classes(classes: Ints, seed: int = 0) -> Ints:
    """Token classes shuffled among the tokens (permutation baseline)."""
    return np.random.default_rng(seed).permutation(classes)


def shares(table: Ints) -> Floats:
    """Counts (G, E) -> the share of each class's choices that went to each expert; rows sum to one.

    A class that never occurred has a row of zeros.
    """
    return table / table.sum(-1, keepdims=True).clip(min=1)


def entropy(weights: npt.NDArray[np.generic]) -> float:
    """The entropy in bits of weights after normalisation by their sum; 0 if all are zero."""
    share = weights.astype(np.float64).ravel() / max(
        float(weights.astype(np.float64).sum()), 1e-300
    )
    some = share[share > 0]
    return float(-(some * np.log2(some)).sum()) + 0.0


def mutual_information(table: Ints) -> float:
    """Mutual information of class and expert in bits, from counts (G, E): H(G) + H(E) - H(G, E).

    Zero if the two are independent. A finite sample gives slightly more by chance, which the permutation
    baseline measures.
    """
    kinds, experts = entropy(table.sum(1)), entropy(table.sum(0))
    return max(0.0, kinds + experts - entropy(table))
