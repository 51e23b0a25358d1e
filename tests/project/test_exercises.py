"""The exercises of the notebooks: what is right passes, and what is wrong is told what differs."""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import pytest
import torch

from notebooks import exercises
from notebooks.exercises import EXERCISES, check, zh
from notebooks.exercises.compare import Exercise, Wrong, compare

each = pytest.mark.parametrize("name", EXERCISES)


def named(name: str, function: Any) -> Any:
    def written(*inputs: Any) -> Any:
        return function(*inputs)

    written.__name__ = name
    return written


@each
def test_an_empty_function_is_not_written_yet(name: str) -> None:
    with pytest.raises(Wrong, match="not written yet"):
        compare(named(name, lambda *_: None), name, EXERCISES[name])


@each
def test_known_mistakes_are_explained(name: str) -> None:
    exercise = EXERCISES[name]
    for mistaken, advice in exercise.mistakes:
        with pytest.raises(Wrong) as wrong:
            compare(named(name, mistaken), name, EXERCISES[name])
        assert str(wrong.value) == f"{name} is nearly right. {advice}"
        chinese = wrong.value.what.words(zh.CHINESE)
        assert chinese == f"{name} 差一点就对了。{zh.CHINESE[advice]}"


@pytest.mark.parametrize("name", [n for n, e in EXERCISES.items() if e.use is Exercise.use])
def test_what_is_close_but_wrong_is_found(name: str) -> None:
    """Every number of the right result must matter: a change of one in a thousand is found."""
    exercise = EXERCISES[name]

    def bent(value: Any) -> Any:
        if isinstance(value, list):
            return value[:-1]
        if isinstance(value, tuple):
            return (*value[:-1], bent(value[-1]))
        return torch.as_tensor(value, dtype=torch.float64) * 1.001 + 0.001

    with pytest.raises(Wrong):
        compare(
            named(name, lambda *inputs: bent(exercise.reference(*inputs))), name, EXERCISES[name]
        )


def test_the_messages_say_what_differs_in_both_languages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def softmax(logits: torch.Tensor) -> Any:
        return logits.softmax(-1)

    pieces = EXERCISES["pieces"].reference
    cases = [
        (softmax, "✓ softmax is right", "✓ softmax 正确"),
        (named("softmax", lambda z: z.softmax(-1)[:, :1]), "must have the shape", "的形状应该是"),
        (named("softmax", lambda z: z.softmax(-1) + 0.1), "the engine's is", "引擎的是"),
        (named("softmax", lambda z: "0.5"), "must be a tensor or a number", "应该是张量或数"),
        (named("softmax", lambda z: z.nothing), "stopped with AttributeError", "运行出错，AttributeError"),
        (named("adamw", lambda *_: (1, 2)), "must have 3 values, and has 2", "应该有 3 个值，现在有 2 个"),
        (named("adamw", lambda *_: 1), "must be 3 values, and is a int", "应该是 3 个值，现在是 int"),
        (named("pieces", lambda *given: [each + "{" for each in pieces(*given)]), "{', the engine's is", "{'，引擎的是"),
        (named("sofmax", softmax), "There is no exercise sofmax", "没有名为 sofmax 的练习"),
    ]  # fmt: skip
    for function, english, chinese in cases:
        check(function)
        assert english in capsys.readouterr().out
        zh.check(function)
        assert chinese in (out := capsys.readouterr().out)
        assert not re.search(r"\b(the|is|with)\b", out)


def test_every_sentence_and_every_advice_is_in_chinese() -> None:
    """And nothing is that is not said any more."""
    source = inspect.getsource(exercises) + inspect.getsource(sys.modules[compare.__module__])
    sentences = re.findall(r'(?:\bsaid\(|sentence = )\s*"([^"]+)"', source)
    advice = [text for exercise in EXERCISES.values() for _, text in exercise.mistakes]
    assert set(zh.CHINESE) == {*sentences, *advice}
    for english, chinese in zh.CHINESE.items():
        assert re.search("[\u4e00-\u9fff]", chinese) or english == "✗ {problem}"
        assert sorted(re.findall("{.*?}", english)) == sorted(re.findall("{.*?}", chinese))


def test_a_function_cannot_change_what_it_is_compared_with() -> None:
    def clip(gradient: torch.Tensor, max_norm: float) -> torch.Tensor:
        return gradient.mul_(0.0)

    with pytest.raises(Wrong):
        compare(clip, "clip", EXERCISES["clip"])
