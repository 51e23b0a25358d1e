"""Guess the next character: the game of the first lesson, against counts of the corpus and a trained model.

A text of the validation data is shown up to a character that the learner has to guess, again and again. Each guesser
gives the right character a probability p, and pays −log2 p bits, as in Shannon 1951, "Prediction and Entropy of
Printed English", and as in the loss of a language model. The guessers:

    uniform    every character of the alphabet is equally likely
    unigram    as often as the character occurs in the training text
    bigram     as often as it follows the character before
    model      the shipped model, which reads the whole text before it

To each count one is added, so that nothing is impossible. Any client may call `guess`, so every argument is checked.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from engine.data.corpora import CORPORA
from engine.data.text import cut
from engine.tokenizers import Tokenizer
from playground.hosting import checks
from playground.runs import models, run_lookup

if TYPE_CHECKING:
    from playground.runs.models import Loaded

RUNS = {"en": "stories", "zh": "stories-zh"}
"""The shipped run for each language of the page, and its corpus: both read character by character."""
STORIES = 6
"""How many texts there are to guess."""
SEEN = 2
"""Texts at the beginning of the validation data that a learner may have seen: attention is recorded there."""
ASKED = 8
"""Characters to guess in each."""
FIRST = {"en": (30, 12), "zh": (14, 6)}
"""The first of these characters, and the distance from one to the next: not chosen for being easy or hard."""
SHOWN = 3
"""How many of the model's favourites are shown."""

TEXT = {"language": "lang must be one of {allowed}."}

Floats = npt.NDArray[np.float64]


class Asked(TypedDict):
    """A character to guess: its place in the text, the right one's probability for each guesser, the model's favourites."""

    place: int
    probabilities: dict[str, float]
    favourites: list[tuple[str, float]]


class Guess(TypedDict):
    """What `guess` answers. `shares` are the unigram's probabilities of `characters`."""

    text: str
    asked: list[Asked]
    characters: list[str]
    shares: list[float]
    rounds: int


class Counts(NamedTuple):
    """Probabilities from counts of the training text: (V,) and (V, V), each row sums to one."""

    unigram: Floats
    bigram: Floats


@checks.answer
def guess(lang: str, number: int) -> Guess:
    """A text to guess in; `number` counts from 0."""
    if lang not in RUNS:
        raise ValueError(TEXT["language"].format(allowed=", ".join(RUNS)))
    number = checks.whole("number", number, 0, STORIES - 1)
    loaded = models.load(run_lookup.find(RUNS[lang]))
    counts = counted(lang)
    first, distance = FIRST[lang]
    places = [first + distance * i for i in range(ASKED)]
    text = texts(lang)[number][: places[-1] + distance]
    ids = loaded.tokenizer.encode(text)
    predicted = probabilities(loaded, ids)
    characters = [loaded.tokenizer.decode([i]) for i in range(loaded.tokenizer.vocab_size)]
    asked: list[Asked] = []
    for place in places:
        right, before = ids[place], ids[place - 1]
        model = predicted[place - 1]
        best = np.argsort(-model)[:SHOWN]
        asked.append({
            "place": place,
            "probabilities": {
                "uniform": 1 / len(characters),
                "unigram": float(counts.unigram[right]),
                "bigram": float(counts.bigram[before, right]),
                "model": float(model[right]),
            },
            "favourites": [(characters[i], float(model[i])) for i in best],
        })  # fmt: skip
    return {
        "text": text, "asked": asked, "characters": characters, "shares": counts.unigram.tolist(), "rounds": STORIES,
    }  # fmt: skip


def probabilities(loaded: Loaded, ids: list[int]) -> Floats:
    """The model's probabilities (T, V) of the token after each of these."""
    import torch

    with torch.inference_mode():
        logits = loaded.model.run(torch.tensor([ids])).logits[0]  # (T, V)
    return logits.double().softmax(-1).numpy()


def texts(lang: str) -> list[str]:
    """Whole texts of the validation data, after those that other tabs show while a run trains."""
    return _parts(lang)[1].split("\n\n")[SEEN : SEEN + STORIES]


@functools.cache
def counted(lang: str) -> Counts:
    """Count characters and pairs of the training text."""
    size, ids = _tokenizer(lang).vocab_size, _ids(lang, 0)
    single = np.bincount(ids, minlength=size) + 1.0
    pairs = np.bincount(ids[:-1] * size + ids[1:], minlength=size * size).reshape(size, size) + 1.0
    return Counts(single / single.sum(), pairs / pairs.sum(1, keepdims=True))


def bits(lang: str) -> dict[str, float]:
    """What each guesser but the model pays for a character of the whole validation text, in bits."""
    counts, ids = counted(lang), _ids(lang, 1)
    return {
        "uniform": math.log2(_tokenizer(lang).vocab_size),
        "unigram": float(-np.log2(counts.unigram[ids[1:]]).mean()),
        "bigram": float(-np.log2(counts.bigram[ids[:-1], ids[1:]]).mean()),
    }


@functools.cache
def _parts(lang: str) -> tuple[str, str]:
    """The training text and the validation text."""
    whole = CORPORA[RUNS[lang]].path.read_text("utf-8")
    return cut(whole, run_lookup.find(RUNS[lang]).config.data)


def _ids(lang: str, part: int) -> npt.NDArray[np.int64]:
    """The ids of a part: each token is one character, so the tokenizer is asked once for each character."""
    text, tokenizer = _parts(lang)[part], _tokenizer(lang)
    known = {character: tokenizer.encode(character)[0] for character in set(text)}
    return np.fromiter(map(known.__getitem__, text), np.int64, len(text))


@functools.cache
def _tokenizer(lang: str) -> Tokenizer:
    return run_lookup.find(RUNS[lang]).tokenizer()


SERVED: checks.Served = (guess,)
