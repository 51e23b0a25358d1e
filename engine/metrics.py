"""How good translations are: exact matches, BLEU and chrF. And a loss in bits of a character.

BLEU (Papineni 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation") and chrF
(Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation") are computed by
sacrebleu (Post 2018, "A Call for Clarity in Reporting BLEU Scores"), so that they can be compared
with what others report. Its signature says how the words were split and what else was chosen; a
score means nothing without it. The package is needed only here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from engine.validation import ConfigError, Problem

PACKAGE = "sacrebleu"


class Score(NamedTuple):
    """A score of a whole set of translations."""

    value: float
    """0 to 100, the higher the better."""
    signature: str
    """Everything that others need to know to compute the same, in sacrebleu's short form."""


def bits_per_character(loss: float, tokens: float, characters: float) -> float:
    """A loss in nats a token, as what it comes to for a character of the text.

    Losses a token cannot be compared between tokenizers: a longer token is harder to predict and says
    more. Bits of a character can (as in Graves 2013, "Generating Sequences With Recurrent Neural
    Networks", section 3.2). `tokens` of the text were predicted, and have so many `characters`.
    """
    return loss * tokens / characters / math.log(2)


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share, 0 to 1, of translations (N,) that are the reference (N,), letter by letter.

    Raises `ValueError` where there are none, or not as many of both.
    """
    _check_lengths(hypotheses, references)
    pairs = zip(hypotheses, references, strict=True)
    return sum(hypothesis == reference for hypothesis, reference in pairs) / len(references)


def bleu(hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str = "13a") -> Score:
    """Corpus BLEU of translations (N,) with one reference each (N,).

    `tokenize` is how sacrebleu splits words: "13a" for languages with spaces, "zh" for Chinese,
    "char" for any other without. Texts are given as people write them, not split. Raises
    `ConfigError` where the package is not installed, `ValueError` as `exact_match`.
    """
    metrics = _metrics()
    _check_lengths(hypotheses, references)
    return _score(metrics.BLEU(tokenize=tokenize), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str], *, word_order: int = 0) -> Score:
    """Corpus chrF of translations (N,) with one reference each (N,).

    `word_order` 2 is chrF++, which counts words and pairs of words too. Raises as `bleu`.
    """
    metrics = _metrics()
    _check_lengths(hypotheses, references)
    return _score(metrics.CHRF(word_order=word_order), hypotheses, references)


def bleu_tokenizer(references: Sequence[str]) -> str:
    """What `bleu` should split these texts with: "zh" where most characters are Chinese."""
    text = "".join(references)
    chinese = sum("\u3400" <= character <= "\u9fff" for character in text)
    return "zh" if 2 * chinese > len(text) else "13a"


def _score(metric: Any, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    result = metric.corpus_score(list(hypotheses), [list(references)])
    return Score(float(result.score), str(metric.get_signature()))


def _check_lengths(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if not references or len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} translations and {len(references)} references: there must be as "
            "many of both, and at least one"
        )


def _metrics() -> Any:
    """sacrebleu's metrics. Raises `ConfigError` where it is not installed."""
    if find_spec(PACKAGE) is None:
        reason = f"needs the package {PACKAGE}: pip install {PACKAGE}"
        raise ConfigError([Problem("metric", "bleu", reason)])
    return import_module("sacrebleu.metrics")
