"""What lessons ask, all in one answer: for the cards that bring questions back, and for a learner's record.

What was answered stays in the learner's browser (`assets/js/lessons/record.js`): the server is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from playground.hosting import checks
from playground.tabs.learn import lessons
from playground.tabs.learn.lesson.file_format import Lesson, LessonError

HELP = ("hint", "answer")
"""Blocks that belong to the exercise before them."""


class Prediction(TypedDict):
    """A question that an experiment decides; `decided` is the number of the step that measures."""

    step: int
    decided: int
    title: str
    ask: str
    options: list[str]
    measure: str


class Question(TypedDict):
    """A question, and its hint and answer."""

    id: str
    blocks: list[dict[str, Any]]


class LessonQuestions(TypedDict):
    """What one lesson asks."""

    name: str
    title: str
    predictions: list[Prediction]
    questions: list[Question]


class Sheet(TypedDict):
    """What `questions` answers."""

    lessons: list[LessonQuestions]


@checks.answer
def questions(lang: str) -> Sheet:
    """All predictions, quizzes and exercises of all lessons, in their order."""
    if lang not in lessons.LANGUAGES:
        raise LessonError(lessons.TEXT["language"].format(allowed=", ".join(lessons.LANGUAGES)))
    found = [lessons.lesson(name, lang) for name in lessons.names()]
    return {
        "lessons": [
            {
                "name": each.name,
                "title": each.title,
                "predictions": list(predictions(each)),
                "questions": [question for step in each.steps for question in asked(step.blocks)],
            }
            for each in found
        ]
    }


def predictions(found: Lesson) -> Iterator[Prediction]:
    """The predictions of a lesson. One without a measure of its own is decided by the step after it."""
    for number, step in enumerate(found.steps):
        if step.options:
            decided = number if step.measure else number + 1
            yield {
                "step": number,
                "decided": decided,
                "title": step.title,
                "ask": step.predict,
                "options": [option.text for option in step.options],
                "measure": found.steps[decided].measure,
            }


def asked(blocks: Sequence[dict[str, Any]]) -> Iterator[Question]:
    """The questions among some blocks, each with the help that comes right after it."""
    for place, block in enumerate(blocks):
        if block["kind"] in lessons.ASKED:
            after = blocks[place + 1 :]
            stop = next((i for i, each in enumerate(after) if each["kind"] not in HELP), len(after))
            yield {"id": block["id"], "blocks": [block, *after[:stop]]}
