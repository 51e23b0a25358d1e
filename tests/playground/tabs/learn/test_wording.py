"""Lessons, notebooks, pages and docs/ say nothing that was found wrong, and call one thing by one name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.tabs.learn import LESSONS

ROOT = Path(__file__).resolve().parents[4]


def everywhere() -> Iterator[tuple[str, str]]:
    """All that lessons, notebooks, views, settings, READMEs and docs/ say: (where, text in one line)."""
    paths = [
        *LESSONS.glob("*/*.md"),
        *(ROOT / "notebooks").rglob("*.py"),
        *ROOT.glob("README*.md"),
        *(ROOT / "docs").glob("*.md"),
    ]
    paths += [
        *(ROOT / "playground").rglob("*.js"),
        *(ROOT / "assets" / "js").glob("*.js"),
        *(ROOT / "assets" / "i18n").rglob("*.json"),
    ]
    paths += [
        *(ROOT / "engine" / "config").glob("*.py"),
        *(ROOT / "engine" / "training" / "optim").glob("*.py"),
        ROOT / "assets" / "suites.json",
    ]
    for path in paths:
        text = re.sub(r"\n#? *", " ", path.read_text("utf-8"))
        yield path.relative_to(ROOT).as_posix(), re.sub(r'" "', "", text)


FALSEHOODS = {
    "E1": r"digits in reverse|reverse a row of digits|数字倒过来",
    "E2": r"repeated letters will it get right|重复部分的字母，它能答对",
    "E3": r"offers an answer",
    "E4": r"reads one token at a time|一次读一个词元",
    "E5": r"This is an \*\*induction head|这就是\*\*归纳头",
    "E7": r"All of it is a few lines|全部只有几行",
    "E8": r"however small its gradient|不管梯度多小|quotient is about one|steps of about the learning rate",
    "E9": r"as long as the gradient|梯度有多长|与梯度一样长",
    "E10": r"costs more than guessing|比瞎猜的代价还大",
    "E11": r"\d byte pairs|\d 个字节对|[\"*]Byte pairs|\"字节对\"[,}]",
    "E12": r"work is even now|: nearly even \| 0 \.\. 2|工作均匀了",
    "E13": r"32-bit numbers[^,]|32 位数",
}
"""What was said once and is wrong. A sentence may be split over lines; each pattern is looked for everywhere."""

OTHER_NAMES = {
    "实验套件": "实验组",
    "随机猜测，均匀猜测": "瞎猜|乱猜|随便猜|(?:还|只是)在猜|：在猜",
    "集中度": "集中程度",
    "子词": "片段",
    "KV 缓存（键值缓存）": "(?<!（)键值缓存",
    "logit lens": "[Ll]ogit 透镜",
    "前馈网络": "前馈(?!网络)",
    "块数": r"(?:十二|[0-9] \+ [0-9] |\b(?:4|8|12) )层",
}
"""What has one name in Chinese, and the other names that it had."""


def said(pattern: str) -> list[str]:
    return [
        f"{where}: {match[0]}"
        for where, text in everywhere()
        for match in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize(
    "pattern", [pytest.param(said, marks=pytest.mark.case(case)) for case, said in FALSEHOODS.items()]
)  # fmt: skip
def test_what_was_wrong_is_said_nowhere(pattern: str) -> None:
    pair = "assets/i18n/glossary.json"  # the pair itself, a term
    assert not [found for found in said(pattern) if not found.startswith(pair)]


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_thing_has_one_name_in_chinese(name: str) -> None:
    assert not said(OTHER_NAMES[name])


KINDS = {
    "validation": r"\b[Hh]eld-out\b",
    "a subject": r"\b[Ww]hoever\b|(?<=[.:|] )Who [^?|]*?[.|]",
    "will, must or should": r"\b(?:is|are|was|were) to be\b",
    "gets right": r"\b(?:had|has|have) [^.,;|]{0,40}(?:%|\}|rows|sums|digits|it)(?: of the \w+)? right\b",
    "14%": r"[0-9}`] %(?!\s?[\w(])",
}
"""What is written in one way, and other ways that say the same in words that learners do not know."""


@pytest.mark.parametrize("kind", KINDS)
def test_english_is_plain(kind: str) -> None:
    assert not [
        f"{where}: {match[0]}"
        for where, text in everywhere()
        for match in re.finditer(KINDS[kind], re.sub(r"/\*.*?\*/", "", text))
    ]
