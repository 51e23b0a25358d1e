"""What the record and the cards ask is what the lessons ask, in both languages."""

from __future__ import annotations

import pytest

from playground.tabs.learn import lessons, record, server


def asked(lang: str) -> list[record.LessonQuestions]:
    answer = record.questions(lang)
    assert "lessons" in answer
    return answer["lessons"]


def test_every_question_has_an_id_of_its_own_that_both_languages_share() -> None:
    sheets = [asked(lang) for lang in lessons.LANGUAGES]
    ids = [[each["id"] for lesson in sheet for each in lesson["questions"]] for sheet in sheets]
    assert ids[0] == ids[1] and len(ids[0]) == len(set(ids[0])) > 20
    path, page = server.path("en"), server.read("softmax", "en")
    assert "lessons" in path and "steps" in page
    listed = [each["questions"] for each in path["lessons"]]
    assert listed == [[each["id"] for each in lesson["questions"]] for lesson in sheets[0]]
    assert [block["id"] for step in page["steps"] for block in step["blocks"] if "id" in block] == [
        each["id"]
        for lesson in sheets[0]
        if lesson["name"] == "softmax"
        for each in lesson["questions"]
    ]


def test_a_question_brings_its_own_help() -> None:
    for lesson in asked("en"):
        for question in lesson["questions"]:
            first, *helps = question["blocks"]
            assert first["kind"] in lessons.ASKED and first["id"] == question["id"]
            assert all(block["kind"] in record.HELP for block in helps)
            assert helps or first["kind"] == "quiz"


def test_every_prediction_is_decided_by_a_step_that_measures() -> None:
    for lesson in asked("zh"):
        steps = lessons.lesson(lesson["name"], "zh").steps
        for each in lesson["predictions"]:
            assert steps[each["decided"]].measure == each["measure"] != ""
            assert each["options"] == [option.text for option in steps[each["step"]].options]
            assert (
                lessons.predicted(lessons.lesson(lesson["name"], "zh"), each["decided"])
                == steps[each["step"]].options
            )
    total = sum(len(lesson["predictions"]) for lesson in asked("zh"))
    assert total >= 24


@pytest.mark.parametrize("lang", ["xx", "", "../en"])
def test_another_language_is_refused(lang: str) -> None:
    answer = record.questions(lang)
    assert "error" in answer and "lang must be one of en, zh" in answer["error"]
