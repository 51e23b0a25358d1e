"""Quality of translations: exact match, BLEU and chrF. Also a loss in bits per character.

BLEU (Papineni 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation") and chrF
(Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation") are computed by
sacrebleu (Post 2018, "A Call for Clarity in Reporting BLEU Scores"), so that they are comparable with
published scores. Its signature has the tokenization and all other settings; a score is meaningless
without it. Only this module needs the package.
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
    """A score of a set of translations."""

    value: float
    """0 to 100; higher is better."""
    signature: str
    """All settings of the metric, in sacrebleu's short form."""


def bits_per_character(loss: float, tokens: float, characters: float) -> float:
    """Convert a loss in nats per token to bits per character.

    Losses per token are not comparable between tokenizers: a longer token is harder to predict. Bits per
    character are (as in Graves 2013, "Generating Sequences With Recurrent Neural Networks", section
    3.2). `tokens` is the number of predicted tokens, `characters` the number of their characters.
    """
    return loss * tokens / characters / math.log(2)


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """The share, 0 to 1, of translations (N,) that equal their reference (N,) exactly.

    Raises `ValueError` for empty or unequally long lists.
    """
    _check_lengths(hypotheses, references)
    pairs = zip(hypotheses, references, strict=True)
    return sum(hypothesis == reference for hypothesis, reference in pairs) / len(references)


def bleu(hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str = "13a") -> Score:
    """Corpus BLEU of translations (N,) with one reference each (N,).

    `tokenize` is the tokenization of sacrebleu: "13a" for languages with spaces, "zh" for Chinese, "char"
    for other languages without spaces. Texts are plain, not tokenized. Raises `ConfigError` if the
    package is not installed, and `ValueError` as `exact_match`.
    """
    metrics = _metrics()
    _check_lengths(hypotheses, references)
    return _score(metrics.BLEU(tokenize=tokenize), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str], *, word_order: int = 0) -> Score:
    """Corpus chrF of translations (N,) with one reference each (N,).

    `word_order` 2 is chrF++, which also counts words and word pairs. Raises as `bleu`.
    """
    metrics = _metrics()
    _check_lengths(hypotheses, references)
    return _score(metrics.CHRF(word_order=word_order), hypotheses, references)


def bleu_tokenizer(references: Sequence[str]) -> str:
    """The tokenization of `bleu` for these texts: "zh" if most characters are Chinese."""
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
    """sacrebleu's metrics. Raises `ConfigError` if it is not installed."""
    if find_spec(PACKAGE) is None:
        reason = f"needs the package {PACKAGE}: pip install {PACKAGE}"
        raise ConfigError([Problem("metric", "bleu", reason)])
    return import_module("sacrebleu.metrics")
