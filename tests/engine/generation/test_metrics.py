"""Scores of translations: those of sacrebleu, with what is needed to compare them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.generation import metrics
from engine.generation.metrics import bits_per_character, bleu, bleu_tokenizer, chrf, exact_match
from engine.validation import ConfigError

REFERENCES = ["The cat sat on the mat.", "A dog barked at the old moon."]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_exact_match_is_the_share_of_equal_texts(pairs: list[tuple[str, str]]) -> None:
    share = exact_match([one for one, _ in pairs], [other for _, other in pairs])
    assert share == pytest.approx(sum(one == other for one, other in pairs) / len(pairs))
    assert exact_match([one for one, _ in pairs], [one for one, _ in pairs]) == 1


def test_bits_of_a_character_do_not_depend_on_the_tokens() -> None:
    assert bits_per_character(math.log(2), 5, 5) == pytest.approx(1)
    pieces = bits_per_character(3 * math.log(8), 10, 30)  # each says as much as three of 8 letters
    assert pieces == pytest.approx(bits_per_character(math.log(8), 30, 30)) == pytest.approx(3)


def test_scores_are_those_of_sacrebleu() -> None:
    pytest.importorskip("sacrebleu")
    from sacrebleu import corpus_bleu, corpus_chrf

    hypotheses = ["The cat sat on a mat.", "A dog barked at the moon."]
    score = bleu(hypotheses, REFERENCES)
    assert score.value == pytest.approx(corpus_bleu(hypotheses, [REFERENCES]).score)
    assert 0 < score.value < 100
    assert "tok:13a" in score.signature and "version:" in score.signature
    assert chrf(hypotheses, REFERENCES).value == pytest.approx(
        corpus_chrf(hypotheses, [REFERENCES]).score
    )
    assert "nw:2" in chrf(hypotheses, REFERENCES, word_order=2).signature
    assert bleu(REFERENCES, REFERENCES).value == pytest.approx(100)


def test_chinese_is_split_into_characters() -> None:
    pytest.importorskip("sacrebleu")
    references = ["这只猫在花园里睡觉。"]
    assert bleu_tokenizer(references) == "zh"
    assert bleu_tokenizer(REFERENCES) == bleu_tokenizer([""]) == "13a"
    almost = ["那只猫在花园里睡觉。"]
    assert bleu(almost, references).value < bleu(almost, references, tokenize="zh").value < 100


@pytest.mark.parametrize("score", [exact_match, bleu, chrf])
def test_as_many_translations_as_references(score: Callable[..., object]) -> None:
    if score is not exact_match:
        pytest.importorskip("sacrebleu")
    with pytest.raises(ValueError, match="1 translations and 2 references"):
        score(["a"], REFERENCES)
    with pytest.raises(ValueError, match="at least one"):
        score([], [])


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "find_spec", lambda name: None)
    for score in (bleu, chrf):
        with pytest.raises(ConfigError, match="needs the package sacrebleu: pip install sacrebleu"):
            score(REFERENCES, REFERENCES)
    assert exact_match(REFERENCES, REFERENCES) == 1
