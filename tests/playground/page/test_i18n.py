"""What a learner reads in another language: all of it is there, nothing is left over, and it is put together right."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import RunConfig
from engine.validation import ConfigError
from playground import i18n
from playground.i18n import HOLE, Words, translate
from playground.tabs.learn import lessons
from tests.tools import spoken

CHINESE = re.compile(r"[\u4e00-\u9fff]")

NOT_TRANSLATED = {
    "Beta1", "Beta2", "Dropout", "FLOPs", "Logits", "RMSNorm", "LayerNorm", "MaxVio", "config: {0}", "data: {0}",
    "generators: {0}", "{0} = {1}: {2}", "top-k", "top-p", "min-p",
}  # fmt: skip
"""The same in Chinese."""

TERMS_THAT_ARE_NONE = {
    "tokenizer": ["set tokenizer to"],
    "attention": ["“Attention Is All You Need”"],
    "step": ["in steps of 8", "steps = {0}", "step = {0}"],
}
"""Where a word of the glossary is another word, or a name in the code."""

CASES = {
    # whole, and with holes
    "Learning rate": "学习率",
    "must be at least 3": "至少为 3",
    "must divide n_head = 4: 1, 2, 4": "必须整除 n_head = 4：1, 2, 4",
    # inside each other, and several
    "top_k = 9: must be at most n_experts = 8": "top_k = 9：不能超过 n_experts = 8",
    "d_model = 65: must be a number; top_k = 9: must be at least 1": "d_model = 65：必须是数；top_k = 9：至少为 1",
    "The disk is full. The checkpoint of step 5 is kept.": "磁盘已满。第 5 步的检查点还保留着。",
    "Refused: max_lr = 0: must be greater than 0.": "已拒绝：max_lr = 0：必须大于 0。",
    "runs/a/config.json: source = 'x': must be text": "runs/a/config.json: source = 'x'：必须是文本",
    # names and values stay as they are, whatever is in them
    "“Experts” is not being trained.": "“Experts”没有在训练。",
    "“a. b; c: d” is not being trained.": "“a. b; c: d”没有在训练。",
    "“.*$1\\0{0}[” is not being trained.": "“.*$1\\0{0}[”没有在训练。",
    "router = 'none': must be one of topk, hash": "router = 'none'：必须是 topk, hash 之一",
    # in words that count
    "2 blocks": "2 个块",
    "8 experts, 1 works on each token": "8 个专家，每个词元用 1 个",
    "8 experts, 2 work on each token": "8 个专家，每个词元用 2 个",
    # not known
    "": "",
    "A sentence that nobody says; and another.": "A sentence that nobody says; and another.",
    "My answer: none": "My answer: none",
    "Unknown. Learning rate": "Unknown. Learning rate",
}
"""What the server says, and what is read; the browser must say the same (tests/browser/test_language.py)."""


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    yield
    i18n.use("en")


def entries() -> dict[str, str]:
    return i18n.catalogue("zh")


def test_whatever_the_server_says_is_there_in_chinese() -> None:
    missing = [
        f"{where}: {each}" for each, where in spoken.required().items() if each not in entries()
    ]
    assert not missing, "\n".join(missing)


def test_nothing_in_the_catalogue_is_said_no_longer() -> None:
    views = json.loads((i18n.FOLDER / "zh" / "page.json").read_text("utf-8"))
    assert not entries().keys() - views.keys() - spoken.known()


def test_nothing_is_said_twice() -> None:
    found: dict[str, str] = {}
    for path in sorted((i18n.FOLDER / "zh").glob("*.json")):
        pairs = json.loads(path.read_text("utf-8"), object_pairs_hook=list[tuple[str, str]])
        for english, _ in pairs:
            assert english not in found, f"{english!r} is in {found[english]} and {path.name}"
            found[english] = path.name


def test_translations_are_chinese_with_the_same_holes() -> None:
    for english, chinese in entries().items():
        assert CHINESE.search(chinese) or english in NOT_TRANSLATED, english
        holes = set(HOLE.findall(english))
        plural = set(
            re.findall(r"(?<=[a-z])\{\d+\}", english)
        )  # {s} in "work{s}": Chinese has none
        assert holes - plural <= set(HOLE.findall(chinese)) <= holes, english
        assert not re.search(r"[\u4e00-\u9fff] ?[,;:?!()]|[,;:?!(] ?[\u4e00-\u9fff]", chinese), (
            chinese
        )
        assert not re.search(
            r"[\u4e00-\u9fff]\.|[，。；：？！（）、] | [，。；：？！（）、]", chinese
        ), chinese
        assert chinese == chinese.strip()


def test_no_entry_is_another_with_something_before_it() -> None:
    """It would be taken for the other where that comes after "where: "."""
    plain = {HOLE.sub("{}", english) for english in entries()}
    assert not [
        each for each in plain if each.startswith("{} ") and " " in each[3:] and each[3:] in plain
    ]


def test_no_sentence_of_the_picture_stays_english() -> None:
    for sentence in spoken.pictures():
        left = re.search(r"[a-z]{2,}[ ,]+[a-z]{2,}", translate(sentence, "zh"))
        assert left is None, f"{sentence} → {translate(sentence, 'zh')}"


@pytest.mark.parametrize(
    "changes",
    [
        {"d_model": 65},
        {"n_kv_head": 3},
        {"d_model": 12},
        {"d_model": "x", "top_k": 3.5, "norm": "batch", "bias": "maybe"},
        {"n_experts": 4, "top_k": 8},
        {"moe_layer_indices": "1;2"},
        {"max_lr": -1, "total_steps": 10**12, "seed": None, "nothing": 1},
        {"warmup_steps": 2000},
        {"tokenizer": "char", "tokenizer_size": 500},
        {"train_data_path": "x"},
    ],
)
def test_what_is_wrong_with_a_configuration_is_said_in_chinese(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        RunConfig.from_flat(changes)
    said = translate(str(error.value), "zh")
    assert CHINESE.search(said) and not re.search(r"must|is not|should", said), said


@pytest.mark.parametrize("term", i18n.glossary(), ids=lambda term: term.en)
def test_a_term_is_the_same_everywhere(term: i18n.Term) -> None:
    word = re.compile(rf"(?<![\w-]){re.escape(term.en)}(?:s|es)?(?![\w-])", re.IGNORECASE)
    for english, chinese in entries().items():
        others = TERMS_THAT_ARE_NONE.get(term.en, [])
        if word.search(english) and not any(other in english for other in others):
            accepted = (term.zh, *term.also)
            assert any(each.lower() in chinese.lower() for each in accepted), (english, chinese)


def test_terms_are_there_once() -> None:
    names = [term.en for term in i18n.glossary()]
    assert len(names) == len(set(names))
    assert all(term.zh and term.en == term.en.strip() for term in i18n.glossary())


JARGON = {
    "activation", "algorithm", "backpropagation", "convergence", "distribution", "dimension", "function", "hidden",
    "hyperparameter", "inference", "likelihood", "linear", "neuron", "objective", "perplexity", "regularisation",
    "scalar", "tensor", "tuning",
}  # fmt: skip
"""Words that a beginner need not know, and that no definition needs: each would need a definition of its own."""
KNOWN = {"probability distribution", "non-linear function", "e to the power"}
"""Where one of them stands beside words that explain it."""


def test_every_term_is_defined_for_a_beginner() -> None:
    """In one or two sentences of each language, with words that are plain or defined, and a lesson that is there."""
    names = {term.en for term in i18n.glossary()}
    for term in i18n.glossary():
        assert 1 <= len(re.findall(r"[.?](?: |$)", term.means)) <= 3 and len(term.means) < 220, (
            term.en
        )
        assert re.search(r"[。？]$", term.means_zh) and len(term.means_zh) < 90, term.zh
        plain = term.means.lower()
        for known in KNOWN:
            plain = plain.replace(known, "")
        words = set(re.findall(r"[a-z-]+", plain))
        assert not words & JARGON - names, (term.en, words & JARGON)
        assert term.lesson in lessons.names()


@pytest.mark.parametrize(
    "word",
    [
        "vector",
        "dot product",
        "softmax",
        "logits",
        "gradient",
        "probability",
        "loss",
        "batch",
    ],
)
def test_a_term_that_definitions_use_is_defined(word: str) -> None:
    assert any(word in term.means for term in i18n.glossary())
    assert word in {term.en for term in i18n.glossary()}


@pytest.mark.parametrize("sentence", CASES)
def test_sentences_are_translated(sentence: str) -> None:
    assert translate(sentence, "zh") == CASES[sentence]
    assert translate(sentence, "en") == sentence == translate(sentence)


@given(st.text(max_size=30))
def test_a_users_words_stay_as_they_are(text: str) -> None:
    if "”" not in text:
        assert translate(f"“{text}” is not being trained.", "zh") == f"“{text}”没有在训练。"
    assert isinstance(translate(text, "zh"), str)


@pytest.mark.parametrize(
    "text", ["a: b c. ", "“x”; y. Z: none; ", "must be 1 to ", "; ", "2 blocks "]
)
def test_a_long_text_takes_no_time(text: str) -> None:
    begun = time.process_time()  # of this process alone: others may keep the machine busy
    for count in (8, 16, 300):
        translate(text * count, "zh")
        translate(f"{text * count} occurs twice", "zh")
    assert time.process_time() - begun < 5


def test_words_are_read_in_the_language_in_use() -> None:
    words = Words(
        {
            "step": "step {step:,}",
            "kinds": {"loss": "loss", "other": "nobody translates this"},
            "columns": ["run", "state"],
            "number": 3,
        }
    )
    assert words["step"] == "step {step:,}" and words["columns"] == ["run", "state"]
    i18n.use("zh")
    assert words["step"].format(step=1200) == "第 1,200 步"
    assert dict(words["kinds"]) == {"loss": "损失", "other": "nobody translates this"}
    assert words["columns"] == ["训练任务", "状态"] and words["number"] == 3
    assert list(words) == ["step", "kinds", "columns", "number"] and len(words) == 4


def test_a_template_keeps_how_its_values_are_written() -> None:
    i18n.use("zh")
    english = "knows nothing: guessing evenly among {size} tokens, ln {size} = {loss:.2f}"
    found = i18n.template(english).format(size="75", loss=4.31749)
    assert found == "什么都不知道：在 75 个词元中均匀猜测，ln 75 = 4.32"
    assert i18n.template("There is no suite {name!r}.").format(name="x") == "没有实验套件 'x'。"


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="lang = 'xx'"):
        i18n.use("xx")
