"""Lessons: every reference resolves, both languages ask the same, and a learner's own run decides a prediction."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import RunConfig
from engine.events import Ended, Evaluated, Stepped
from engine.runs import Run, RunStore
from playground import lesson_text, lessons, library
from tests import measured

HEAD = "---\ntitle: T\ngoal: G\nminutes: 3\npreset: stories\npages: train\ncode: engine.loss:cross_entropy\npaper: P\n---\n"
ALL = [(name, language) for name in lessons.names() for language in lessons.LANGUAGES]


def test_nothing_is_wrong_with_any_lesson() -> None:
    assert lessons.names()
    assert list(lessons.problems()) == []


@pytest.mark.parametrize(("name", "language"), ALL)
def test_a_lesson_is_whole(name: str, language: str) -> None:
    """Its code exists, its tables are there, and every number in its text comes out of one."""
    found = lessons.lesson(name, language)
    for reference in found.code:
        assert lessons.source(reference)
    answer = lessons.read(name, language)
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
    stored = {path.stem for path in (lessons.FOLDER / "en").glob("*.md")}
    assert set(lessons.names()) == stored
    listed = lessons.path("en")["lessons"]
    assert [each["name"] for each in listed] == lessons.names()
    assert [each["beside"] for each in listed] == sorted(each["beside"] for each in listed)
    assert {each["name"] for each in listed if each["beside"]} <= set(lessons.BESIDE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no header", "header"),
        (HEAD.replace("goal: G\n", ""), "goal"),
        (HEAD.replace("goal", "gaol"), "gaol"),
        (HEAD.replace("minutes: 3", "minutes: few"), "minutes"),
        (HEAD + "## S\nopen: a=b\n\nopen: a=c", "open twice"),
        (HEAD + "## S\npredict: what?\n- one | none", "must be an answer"),
        (HEAD + "## S\n{post-norm: nobody, accuracy}", "nobody"),
        (HEAD + "## S\n{nothing: a, accuracy}", "no table"),
        (HEAD + "## S\n{computed: nobody}", "nobody"),
    ],
)
def test_a_broken_lesson_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(lesson_text.LessonError, match=said):
        lesson_text.parse(text, "name", "en")


def test_text_is_marked_up_and_never_markup() -> None:
    text = "a **b** `c` <img src=x> * d"
    assert lesson_text.spans(text) == [
        ["", "a "], ["b", "b"], ["", " "], ["code", "c"], ["", " <img src=x> * d"]
    ]  # fmt: skip
    assert lesson_text.spans("{post-norm: pre, accuracy} right") == [["", "79 % right"]]


@pytest.mark.parametrize("reference", ["os:system", "engine.loss:nothing", "playground.app:main"])
def test_code_is_shown_of_the_engine_alone(reference: str) -> None:
    with pytest.raises(lesson_text.LessonError):
        lessons.source(reference)


# What a learner's own run says


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("TP_RUNS", str(tmp_path))
    return library.store()


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
        return lessons.check("attention", "en", number, [run.id for run in runs])

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
    assert lessons.check("attention", "en", number, ["../x", 3, mine.id])["value"] == 0.36  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nothing", "en", 0, []), ""), (("attention", "fr", 0, []), "lang"), (("attention", "en", 99, []), "step")],
)  # fmt: skip
def test_what_is_not_there_is_refused(
    arguments: tuple[str, str, int, list[str]], said: str
) -> None:
    assert said in lessons.check(*arguments)["error"]
