"""Lessons: every reference resolves, both languages ask the same, and a learner's own run decides a prediction."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from engine.config import RunConfig
from engine.runs.events import Ended, Evaluated, Stepped
from engine.runs.store import Run, RunStore
from playground.runs import run_lookup
from playground.tabs.learn import LESSONS, lessons, server
from playground.tabs.learn.lesson import file_format
from tests.tools import measured
from tests.tools.lesson_problems import problems

HEAD = "---\ntitle: T\ngoal: G\nminutes: 3\npreset: stories\npages: train\ncode: engine.training.loss:cross_entropy\npaper: P | https://example.org/p\n---\n"
ALL = [(name, language) for name in lessons.names() for language in lessons.LANGUAGES]


def test_nothing_is_wrong_with_any_lesson() -> None:
    assert lessons.names()
    assert list(problems()) == []


@pytest.mark.parametrize(("name", "language"), ALL)
def test_a_lesson_is_whole(name: str, language: str) -> None:
    """Its code exists, its tables are there, and every number in its text comes out of one."""
    found = lessons.lesson(name, language)
    for reference in found.code:
        assert lessons.source(reference)
    answer = server.read(name, language)
    assert answer.get("error") is None and len(answer["steps"]) == len(found.steps)
    blocks = [*answer["intro"], *(block for step in answer["steps"] for block in step["blocks"])]
    written = "".join(text for block in blocks for _, text in block.get("spans", []))
    assert "{" not in written and "**" not in written
    chinese = any("\u4e00" <= character <= "\u9fff" for character in written)
    assert chinese == (language == "zh")
    assert any(block["kind"] == "code" and block["source"] for block in blocks)


@pytest.mark.parametrize("name", lessons.names())
def test_what_is_predicted_was_measured(name: str) -> None:
    """Each run that a lesson asks for is a variant of a suite with a stored result, which one answer covers."""
    found = lessons.lesson(name, "en")
    for number, step in enumerate(found.steps):
        if not step.measure:
            continue
        spread = measured.spread_of(found, step)
        assert spread is not None, f"{step.title}: no suite measured this"
        assert len(measured.right(lessons.predicted(found, number), spread[0])) == 1


def test_a_lesson_stands_on_the_path_or_beside_it() -> None:
    """In this order; and all that there is a file for is found."""
    stored = {path.stem for path in (LESSONS / "en").glob("*.md")}
    assert set(lessons.names()) == stored
    listed = server.path("en")["lessons"]
    assert [each["name"] for each in listed] == lessons.names()
    parts = [each["part"] for each in listed]
    assert parts == sorted(parts, key=("path", "beside").index)
    assert {each["name"] for each in listed if each["part"] == "beside"} <= set(lessons.BESIDE)
    assert all(each["picture"].startswith("<svg") for each in listed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no header", "header"),
        (HEAD.replace("goal: G\n", ""), "goal"),
        (HEAD.replace("goal", "gaol"), "gaol"),
        (HEAD.replace("minutes: 3", "minutes: few"), "minutes"),
        (HEAD.replace("paper: P | https://example.org/p\n", ""), "lacks paper"),
        (HEAD.replace("P | https", "P, https"), "https://address"),
        (HEAD.replace("https", "http"), "https://address"),
        (HEAD.replace("https:", "javascript:"), "https://address"),
        (HEAD.replace("example.org/p", "example.org/p q"), "https://address"),
        (HEAD + "## S\nDo it.\n\nopen: a=b\n\nopen: a=c", "open twice"),
        (HEAD + "## S\nopen: a=b", "what to do"),
        (HEAD + "## S\nDo it.\n\ntable: tokens\n\nopen: a=b", "what to do"),
        (HEAD + "## S\npredict: what?\n- one | none", "must be an answer"),
        (HEAD + "## S\npredict: what?\n- one | 0 .. 1 |", "must be an answer"),
        (HEAD + "## S\ncode: engine.files", "module:name"),
        (HEAD + "## S\ncode: engine.training.loss:cross_entropy | 9-4", "4-9"),
        (HEAD + "## S\ncode: engine.training.loss:cross_entropy\n- softmax", "a note"),
        (HEAD + "## S\n{post-norm: nobody, accuracy}", "nobody"),
        (HEAD + "## S\n{nothing: a, accuracy}", "no table"),
        (HEAD + "## S\n{computed: nobody}", "nobody"),
    ],
)
def test_a_broken_lesson_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(file_format.LessonError, match=said):
        file_format.parse(text, "name", "en")


def test_an_experiment_stands_where_its_task_does() -> None:
    """The paragraph before `open` is what the coach repeats; what follows comes after the experiment."""
    text = HEAD + "## S\nRead.\n\nDo **it**.\n\nopen: a=b\nuntil: .done\n\nanswer: So it is.\n"
    (step,) = file_format.parse(text, "name", "en").steps
    assert [block["kind"] for block in step.blocks] == ["text", "text", "answer"]
    assert step.task == [step.blocks[step.place - 1]]
    assert step.task[0]["spans"] == [["", "Do "], ["b", "it"], ["", "."]]


@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_the_coach_repeats_every_task(language: str) -> None:
    for name in lessons.names():
        for step in server.read(name, language)["steps"]:
            assert bool(step["task"]) == bool(step["open"]), f"{name}: {step['title']}"
            if step["open"]:
                assert step["blocks"][step["place"] - 1] == step["task"][0]


def test_an_answer_says_why_it_is_wrong() -> None:
    """A reason is optional, is marked up, and goes on in the next line."""
    text = HEAD + (
        "## S\npredict: How\nmany?\n- none | 0 .. 0.5 | The **mask**\nalone.\n- all | or most | 0.5 .. inf\n"
    )
    (step,) = file_format.parse(text, "name", "en").steps
    assert step.predict == "How many?"
    first, second = step.options
    assert (first.text, first.low, first.high) == ("none", 0, 0.5)
    assert first.why == [["", "The "], ["b", "mask"], ["", " alone."]]
    assert (second.text, second.high, second.why) == ("all | or most", float("inf"), [])


def code_block(text: str) -> dict[str, object]:
    (step,) = file_format.parse(HEAD + "## S\n" + text, "name", "en").steps
    return step.blocks[0]


def test_an_excerpt_of_code_has_notes_beside_its_lines() -> None:
    where = "engine.model.attention:Attention.visible"
    whole = lessons.source(where).split("\n")
    number = next(i for i, line in enumerate(whole, start=1) if "softmax(" in line)
    block = code_block(
        f"code: {where} | {number - 1}-{number}\n- softmax( | Each row\nsums to one."
    )
    found = lessons.excerpt(block)
    assert found["first"] == number - 1
    assert found["source"].split("\n") == [line.strip() for line in whole[number - 2 : number]]
    assert found["notes"] == [{"line": 1, "spans": [["", "Each row sums to one."]]}]
    assert lessons.excerpt(code_block(f"code: {where}"))["source"] == "\n".join(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code: engine.training.loss:cross_entropy | 1-9999", "lines"),
        ("code: engine.training.loss:cross_entropy\n- not to be found | x", "0 lines have"),
    ],
)
def test_an_excerpt_that_no_longer_fits_is_found(text: str, said: str) -> None:
    with pytest.raises(file_format.LessonError, match=said):
        lessons.excerpt(code_block(text))


def test_text_is_marked_up_and_never_markup() -> None:
    text = "a **b** `c` <img src=x> * d"
    assert file_format.spans(text) == [
        ["", "a "], ["b", "b"], ["", " "], ["code", "c"], ["", " <img src=x> * d"]
    ]  # fmt: skip
    assert file_format.spans("{post-norm: pre, accuracy} right") == [["", "88% right"]]


def test_a_lesson_that_is_named_is_linked() -> None:
    """In both languages; a tab or a part of the page of the same name is not."""
    link = ["lesson:translation", "Translation"]
    assert file_format.spans("See the lesson “Translation”.") == [
        ["", "See the lesson “"], link, ["", "”."]
    ]  # fmt: skip
    link = ["lesson:translation", "翻译"]
    assert file_format.spans("“翻译”这一课") == [["", "“"], link, ["", "”这一课"]]
    assert file_format.spans("打开“翻译”标签页") == [["", "打开“翻译”标签页"]]
    with pytest.raises(file_format.LessonError, match="no lesson “Nothing”"):
        file_format.spans("the lesson “Nothing”")


@pytest.mark.parametrize(("name", "language"), ALL)
def test_help_stands_below_each_exercise(name: str, language: str) -> None:
    """A hint or an answer: a wrong number is told to open what comes next."""
    for step in lessons.lesson(name, language).steps:
        kinds = [block["kind"] for block in step.blocks]
        for this, following in itertools.pairwise([*kinds, ""]):
            assert this != "exercise" or following in ("hint", "answer")


def test_every_paper_has_an_address() -> None:
    """The same in both languages, where all but Chinese ones can be read further; a paper has one address everywhere."""
    addresses: dict[str, set[str]] = defaultdict(set)
    for name in lessons.names():
        english, chinese = (lessons.lesson(name, language) for language in lessons.LANGUAGES)
        papers = [each.address for each in english.papers]
        assert papers == [each.address for each in chinese.papers]
        assert len(set(papers)) == len(papers) > 0
        more = [each.address for each in english.readings]
        assert more == [each.address for each in chinese.readings][: len(more)]
        assert len(chinese.readings) > len(more)
        for each in english.papers:
            author_and_year = re.match(r".+? \d{4}", each.text)
            assert author_and_year, each.text
            addresses[author_and_year[0]].add(each.address)
    assert {who: found for who, found in addresses.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", lessons.names())
def test_a_paper_that_the_text_names_is_among_its_sources(name: str) -> None:
    """By its author and its year, as in (Haviv et al. 2022)."""
    text = (LESSONS / "en" / f"{name}.md").read_text("utf-8")
    _, header, body = text.split("---\n", 2)
    sources = re.findall(r"^(?:paper|reading): (\w+).* (\d{4})", header, re.MULTILINE)
    named = r"((?:\w+ )?\w+)(?: et al\.| and others)? \(?(20[012]\d)\b[).,]"
    for words, year in re.findall(named, " ".join(body.split())):
        assert any(author in words and year == when for author, when in sources), (words, year)


def quizzes(language: str) -> list[list[dict[str, Any]]]:
    """The answers to all quizzes, in the order in which they are shown."""
    steps = [step for name in lessons.names() for step in lessons.lesson(name, language).steps]
    return [b["options"] for step in steps for b in step.blocks if b["kind"] == "quiz"]


def written(language: str) -> list[list[dict[str, Any]]]:
    """The same, in the order of the files."""
    files = [LESSONS / language / f"{name}.md" for name in lessons.names()]
    found = [file_format.parse(path.read_text("utf-8"), path.stem, language) for path in files]
    steps = [step for lesson in found for step in lesson.steps]
    return [b["options"] for step in steps for b in step.blocks if b["kind"] == "quiz"]


def test_the_place_of_an_answer_does_not_tell_whether_it_is_right() -> None:
    """No place has the right one in more than half of all quizzes with as many answers."""
    places: dict[int, Counter[int]] = defaultdict(Counter)
    for options in quizzes("en"):
        places[len(options)][[option["right"] for option in options].index(True)] += 1
    for counts in places.values():
        assert max(counts.values()) <= counts.total() / 2, places


def test_both_languages_show_answers_in_the_same_order() -> None:
    orders = [
        [[file.index(option) for option in shown] for shown, file in pairs]
        for pairs in (zip(quizzes(of), written(of), strict=True) for of in lessons.LANGUAGES)
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders[0]}) > 4


def test_the_answers_to_a_prediction_go_from_low_to_high_or_back() -> None:
    """They are not shuffled: their order has a meaning, and a stored prediction is the number of an answer."""
    for name in lessons.names():
        for step in lessons.lesson(name, "en").steps:
            lows = [option.low for option in step.options]
            assert lows in (sorted(lows), sorted(lows, reverse=True)), f"{name}: {step.title}"


@pytest.mark.parametrize(
    "reference", ["os:system", "engine.training.loss:nothing", "playground.app:main"]
)
def test_code_is_shown_of_the_engine_alone(reference: str) -> None:
    with pytest.raises(file_format.LessonError):
        lessons.source(reference)


# What a learner's own run says


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("TP_RUNS", str(tmp_path))
    return run_lookup.store()


def first_run() -> tuple[int, RunConfig]:
    """The first step of the lesson on attention that is decided by a run, and its settings."""
    steps = lessons.lesson("attention", "en").steps
    number = next(i for i, step in enumerate(steps) if step.measure)
    config = steps[number].config()
    assert config is not None
    return number, config


def trained(store: RunStore, config: RunConfig, accuracy: float, over: bool = True) -> Run:
    run = store.create(config, "mine")
    run.append(Stepped(step=1, loss=1, lr=1, grad_norm=1, tokens=1, seconds=1))
    run.append(Evaluated(step=300, loss=1.0, accuracy=accuracy))
    if over:
        run.append(Ended(step=300, how="finished"))
    return run


def test_a_prediction_is_compared_with_the_learners_run(store: RunStore) -> None:
    number, config = first_run()

    def check(*runs: Run) -> dict[str, object]:
        return server.check("attention", "en", number, [run.id for run in runs])

    assert check() == {"state": "none"}
    other = trained(store, RunConfig(), 0.9)
    assert check(other) == {"state": "none"}
    changed = {"seed": 7, "probe_interval": 0}  # what changes nothing of the question
    mine = trained(store, RunConfig.from_flat(config.changes() | changed), 0.36)
    answer = check(other, mine)
    assert answer["state"] == "over" and answer["run"] == mine.id
    assert answer["value"] == 0.36 and answer["right"] == 1
    assert check(trained(store, config, 0.05))["right"] == 0
    assert check(trained(store, config, 0.5, over=False))["state"] == "training"
    assert server.check("attention", "en", number, ["../x", 3, mine.id])["value"] == 0.36  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nothing", "en", 0, []), ""), (("attention", "fr", 0, []), "lang"), (("attention", "en", 99, []), "step")],
)  # fmt: skip
def test_what_is_not_there_is_refused(
    arguments: tuple[str, str, int, list[str]], said: str
) -> None:
    assert said in server.check(*arguments)["error"]
