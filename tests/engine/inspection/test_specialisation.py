"""Expert specialisation, against tables computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.inspection.specialisation import (
    CLASSES,
    count_choices,
    entropy,
    mutual_information,
    shares,
    shuffle_classes,
    token_class,
    token_classes,
)


@pytest.mark.parametrize(
    ("piece", "name"),
    [
        ("a", "vowel"), ("é", "vowel"), ("b", "consonant"), ("ç", "consonant"), ("y", "consonant"),
        ("A", "capital"), ("Ж", "capital"), ("7", "digit"), (" ", "space"), ("\t", "space"),
        ("\n", "newline"), (" \n", "newline"), (".", "punctuation"), ("+", "punctuation"),
        ("。", "punctuation"), ("你", "Chinese character"), ("ж", "other"), ("", "other"),
        ("\x07", "other"), ("the", "consonant"), (" apple", "vowel"), ("🙂", "punctuation"),
    ],
)  # fmt: skip
def test_kinds_of_tokens(piece: str, name: str) -> None:
    assert CLASSES[token_class(piece)] == name


def test_counts_and_shares_by_hand() -> None:
    classes = token_classes(["a", "a", "b", "e"])
    chosen = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]], bool)
    table = count_choices(classes, chosen)
    assert table.shape == (len(CLASSES), 3)
    assert table[0].tolist() == [2, 1, 0]  # three vowels
    assert table[1].tolist() == [0, 1, 1]  # one consonant, two experts
    assert table[2:].sum() == 0
    share = shares(table)
    assert share[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    assert share[1].tolist() == [0, 0.5, 0.5]
    assert share[2].tolist() == [0, 0, 0]


def test_shuffling_keeps_the_counts_and_its_seed() -> None:
    classes = np.repeat(np.arange(4), 50)
    once, again = shuffle_classes(classes, seed=1), shuffle_classes(classes, seed=1)
    assert (once == again).all() and (once != classes).any()
    assert np.bincount(once).tolist() == [50] * 4
    assert (shuffle_classes(classes, seed=2) != once).any()


def test_entropy_by_hand() -> None:
    assert entropy(np.array([1, 1])) == 1
    assert entropy(np.array([2, 1, 1])) == 1.5
    assert entropy(np.array([5, 0])) == 0
    assert entropy(np.array([0, 0])) == 0


def test_mutual_information_by_hand() -> None:
    assert mutual_information(np.array([[8, 0], [0, 8]])) == 1  # the expert determines the class
    assert mutual_information(np.array([[4, 4], [4, 4]])) == 0  # independent
    assert mutual_information(np.array([[4, 4], [0, 8]])) == pytest.approx(0.3112781)
    assert mutual_information(np.zeros((3, 2), np.int64)) == 0


def test_shuffled_kinds_tell_almost_nothing() -> None:
    classes = np.repeat(np.arange(4), 500)
    chosen = np.eye(4, dtype=bool)[classes]
    assert mutual_information(count_choices(classes, chosen)) == pytest.approx(2)
    assert mutual_information(count_choices(shuffle_classes(classes), chosen)) < 0.02
