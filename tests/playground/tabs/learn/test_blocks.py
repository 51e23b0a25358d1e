"""Blocks of lessons: clear errors, numbers that are computed, drawings that are safe and translated, a fair game."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import RunConfig
from engine.data import CORPORA, make_data
from engine.data.text import cut
from engine.presets import PRESETS
from playground.tabs.learn import FIGURES, LESSONS, game, lessons
from playground.tabs.learn.computed import forward_passes, landscape
from playground.tabs.learn.drawings.__main__ import DRAWINGS
from playground.tabs.learn.lesson import calculator, figures, file_format, formulas
from playground.tabs.learn.lesson.file_format import LessonError

HEAD = "---\ntitle: T\ngoal: G\nminutes: 3\npreset: stories\npages: learn\ncode: engine.training.loss:cross_entropy\npaper: P | https://example.org/p\n---\n"
ALL = [(name, language) for name in lessons.names() for language in lessons.LANGUAGES]

QUIZ = "quiz: Why?\n+ because | Yes.\n- why not | No.\n"
EXERCISE = "exercise: How many?\ncheck: {= exp(1) | 2}\nwrong: {= 1 | 2} | No.\n"


def blocks(body: str, language: str = "en") -> list[dict[str, Any]]:
    return file_format.parse(f"{HEAD}## S\n{body}", "name", language).steps[0].blocks


def test_every_kind_of_block_is_read() -> None:
    found = blocks(
        f"Text.\n\n{QUIZ}\n{EXERCISE}hint: A\nhint?\nanswer: {{= exp(1) | 2}}\n\nmath: p_i = frac{{1}}{{2}}\n\n"
        "numbers: softmax; names = a, b; logits = 1, -2; temperature = 1\n\ngame: guess\n\nfigure: cuts | Three rows."
    )
    kinds = ["text", "quiz", "exercise", "hint", "answer", "math", "numbers", "game", "figure"]
    assert [block["kind"] for block in found] == kinds
    quiz, exercise, hint, answer = found[1:5]
    assert [option["right"] for option in quiz["options"]] == [True, False]
    assert exercise["value"] == math.e and exercise["tolerance"] == 0.01
    assert hint["spans"] == [["", "A hint?"]] and answer["spans"] == [["", "2.72"]]
    assert found[6]["values"]["logits"] == [1.0, -2.0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("quiz: Why?\n+ a | b\n+ c | d", "exactly one with [+]"),
        ("quiz: Why?\n+ a | b", "two or more"),
        ("quiz: Why?\n+ a | b\n- c", "must be an answer"),
        ("exercise: What?\nwrong: {= 1 | 2} | No.", "exactly one line"),
        ("exercise: What?\ncheck: 3", "must be “check"),
        ("exercise: What?\ncheck: {= 1 | 2}\nwrong: {= 1.005 | 2} | No.", "within the tolerance"),
        ("exercise: What?\ncheck: {= 1 | 2} | why", "must be “check"),
        ("figure: nothing | N", "no figure"),
        ("figure: cuts", "text alternative"),
        ("figure: cuts | Rows.\n- nothing | 无", "no label"),
        ("math: frac{1}", "is missing"),
        ("math: {a", "is missing"),
        ("math: a}", "without a symbol"),
        ("math: a_b_c", "twice"),
        ("math: a_", "too early"),
        ("numbers: nothing; a = 1", "must be one of softmax, dot"),
        ("numbers: softmax; names = a, b; logits = 1, 2", "lacks temperature"),
        ("numbers: softmax; names = a; logits = 1, 2; temperature = 1", "equally many"),
        ("numbers: softmax; names = a; logits = x; temperature = 1", "must be numbers"),
        ("numbers: softmax; colour = red", "unknown or repeated"),
        ("game: chess", "must be one of guess"),
        ("{= exp(1, | 2}", "exp"),
        ("{= open(1) | 2}", "allowed are"),
        ("{= [1, 2] | 2}", "is a list"),
        ("{= 1 / 0 | 2}", "division"),
        ("{= [1][3] | 2}", "range"),
    ],
)  # fmt: skip
def test_a_broken_block_says_where_and_what_is_allowed(body: str, said: str) -> None:
    with pytest.raises(LessonError, match=said) as error:
        blocks(f"Text.\n\n{body}")
    assert str(error.value).startswith("en/name.md, line 13, S: ")


def test_a_header_names_its_line() -> None:
    with pytest.raises(LessonError, match=r"line 3: .*objective"):
        file_format.parse(HEAD.replace("goal", "gaol"), "name", "en")


# Numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 2.0])
def test_the_calculator_agrees_with_pytorch(temperature: float) -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -3.5], dtype=torch.float64)
    wanted = (logits / temperature).softmax(0)
    for i, value in enumerate(wanted.tolist()):
        text = f"softmax([2, 1, 0, -3.5], {temperature})[{i}]"
        assert calculator.calculate(text) == pytest.approx(value, rel=1e-12)
    assert calculator.calculate("dot([1, 2] * 3 - [1, 1], [0.5, -2])") == 1.0 - 10.0


def test_a_number_is_written_with_a_minus_and_never_as_minus_zero() -> None:
    assert file_format.filled("{= -1.256 | 2} {= -0.001 | 2} {= 2 ** 3 | 0}") == "−1.26 0.00 8"


def test_one_step_of_the_lesson_is_one_of_pytorch() -> None:
    """The new logits and the new loss in the lesson on learning, by autograd."""
    logits = torch.tensor([2.0, 1.0, 0.0], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits[None], torch.tensor([1]))
    loss.backward()
    assert logits.grad is not None
    after = (logits - logits.grad).detach()
    text = file_format.filled((LESSONS / "en" / "gradient.md").read_text("utf-8"))
    numbers = [
        f"{loss.item():.2f}",
        *(f"{value:.3f}".replace("-", "−") for value in after.tolist()),
    ]
    numbers += [f"{after.softmax(0)[1]:.3f}", f"{-after.log_softmax(0)[1]:.2f}"]
    assert [number for number in numbers if number not in text] == []


def test_attention_of_the_lesson_is_that_of_pytorch() -> None:
    (sheet,) = [
        block
        for step in lessons.lesson("attention-by-hand", "en").steps
        for block in step.blocks
        if block["kind"] == "numbers"
    ]
    q, k, v = (torch.tensor(sheet["values"][name])[None, None] for name in "qkv")
    output = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)[
        0, 0
    ]  # (T, D)
    weights = (q @ k.mT / math.sqrt(2))[0, 0]
    weights = weights.masked_fill(torch.ones(3, 3).triu(1).bool(), -math.inf).softmax(-1)
    text = file_format.filled((LESSONS / "en" / "attention-by-hand.md").read_text("utf-8"))
    for value in [*output[2].tolist(), *weights[2].tolist()]:
        assert f"{value:.3f}" in text
    exercise = next(b for s in lessons.lesson("attention-by-hand", "en").steps for b in s.blocks if b["kind"] == "exercise")  # fmt: skip
    assert exercise["value"] == pytest.approx(weights[1, 0].item())


# Drawings -----------------------------------------------------------------------------------------


def texts(name: str) -> list[str]:
    root = ElementTree.fromstring(figures.drawing(name))
    return [node.text for node in root.iter() if node.text and node.text.strip()]


@pytest.mark.parametrize("path", sorted(FIGURES.glob("*.svg")), ids=lambda path: path.stem)  # fmt: skip
def test_a_drawing_is_ours_and_follows_the_theme(path: Any) -> None:
    svg = figures.drawing(path.stem)  # raises for what is not allowed
    assert "viewBox" in svg
    assert not re.search(r'(?:fill|stroke)="(?!none)', svg), "colours come from classes"


@pytest.mark.parametrize("content", ["<script/>", '<a href="x"/>', '<rect onclick="x"/>', '<rect fill="url(http://x)"/>'])  # fmt: skip
def test_a_drawing_may_not_run_or_load(
    content: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.svg").write_text(f'<svg xmlns="{figures.SVG}">{content}</svg>')
    monkeypatch.setattr(figures, "FIGURES", tmp_path)
    with pytest.raises(figures.FigureError, match="not allowed"):
        figures.drawing("evil")
    with pytest.raises(figures.FigureError, match="no figure"):
        figures.drawing("../evil")


NOT_TRANSLATED = {
    *("the", "cat", "sat", "The", "Once upon a", "ppy", "␣squirrel", "␣unhappy", "Mia", "thanks", "Tom", "dog", "bites", "man", "owl"),
    *("fox", "car", "top-k = 2", "top-p = 0.9", "min-p = 0.1", "MHA", "GQA", "MQA", "four", "thousand", "seven"),
    *("BPE, 500", "AdamW", "Muon", "SGD", "They sat close together …", "… said Tom. They sat close together …"),
    *("silu(a)", f"{forward_passes.STORY} …"),
}  # fmt: skip
"""The words of examples, which are English in every language, like names of functions."""
EXAMPLE = re.compile(r"(?:for|you) \d\.\d\d")
"""A word of an example with its probability."""
WITH_FIGURES = [
    (name, language)
    for name in lessons.names()
    for language in lessons.LANGUAGES
    if "\nfigure: " in (LESSONS / language / f"{name}.md").read_text("utf-8")
]


@pytest.mark.parametrize(("name", "language"), WITH_FIGURES)
def test_every_label_of_a_figure_is_in_the_language_of_the_lesson(name: str, language: str) -> None:
    found = lessons.lesson(name, language)
    drawn = [b for part in [found.intro, *(s.blocks for s in found.steps)] for b in part if b["kind"] == "figure"]  # fmt: skip
    for block in drawn:
        assert block["alternative"]
        left = set(texts(block["text"])) & {
            node.text for node in ElementTree.fromstring(block["svg"]).iter() if node.text
        }
        words = {text for text in left if figures.WORD.search(text) and not EXAMPLE.fullmatch(text)}
        if language == "zh":
            assert words <= NOT_TRANSLATED, block["text"]


def test_the_numbers_in_figures_are_computed() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0])
    shown = texts("temperature")
    wanted = [f"{p:.2f}" for t in (0.5, 1.0, 2.0) for p in (logits / t).softmax(0).tolist()]
    assert [text for text in shown if re.fullmatch(r"0\.\d\d", text)] == wanted
    gradient = logits.softmax(0) - torch.tensor([0.0, 1.0, 0.0])
    assert [text for text in texts("pull") if re.fullmatch(r"[+−]0\.\d\d\d", text)] == [
        f"{value:+.3f}".replace("-", "−") for value in gradient.tolist()
    ]
    weights = (torch.tensor([2.0, 4.0, 0.0]) / math.sqrt(2)).softmax(0)
    values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    output = weights @ values
    found = texts("reads")
    assert [text for text in found if re.fullmatch(r"0\.\d\d", text)] == [f"{w:.2f}" for w in weights.tolist()]  # fmt: skip
    assert f"({output[0]:.2f}, {output[1]:.2f})" in found


def test_the_vectors_of_the_figure_are_those_of_the_shipped_model() -> None:
    from playground.runs import models, run_lookup

    loaded = models.load(run_lookup.find("stories"))
    found = texts("lookup")
    for letter in "owl":
        (number,) = loaded.tokenizer.encode(letter)
        at = found.index(letter)
        assert found[at + 1] == str(number)
        row = loaded.model.embedding.weight[number, :10].tolist()
        assert found[at + 2 : at + 12] == [f"{value:.2f}".replace("-", "−") for value in row]


def test_the_landscape_was_measured() -> None:
    """At a few of its points, again."""
    points = [(0.0, 0.0), (landscape.best(), 0.0), (1.0, 0.0), (0.0, 0.5)]
    for point, loss in zip(points, landscape.measure(points), strict=True):
        assert loss == pytest.approx(landscape.stored()[point], abs=2e-3)


def close(found: forward_passes.Value) -> bool:
    """Is a value that was measured again the stored one, but for rounding on another machine?"""
    stored = {
        each[:3]: each.value
        for each in forward_passes.stored("stream" if " " in found.name else "shuffle")
    }
    return found.value == pytest.approx(stored[found[:3]], rel=0.05, abs=1e-5)


def test_what_lessons_say_of_new_models_was_measured() -> None:
    """Shuffled tokens, and twelve blocks before training: some of the stored values, again."""
    again = [*forward_passes.shuffle(), *itertools.islice(forward_passes.stream(), 12 + 25)]
    assert again[6].name == "gradient pre 0" and all(close(each) for each in again)
    one, two = (
        forward_passes.mean("shuffle", "moved", 1),
        forward_passes.mean("shuffle", "moved", 2),
    )
    assert one < 1e-5 and two > 0.01


def test_the_logit_lens_of_the_figure_is_that_of_the_shipped_model() -> None:
    stored = {each[:3]: each.value for each in forward_passes.stored("lens")}
    for each in forward_passes.lens():
        if each.value > 0.01:
            assert each.value == pytest.approx(stored[each[:3]], abs=5e-3)


def test_the_story_of_the_stream_is_in_its_numbers() -> None:
    """Post-norm keeps the size and loses the past; pre-norm grows. After two steps the last block has most gradient."""
    mean, places = forward_passes.mean, forward_passes.places
    assert all(0.9 < size < 1.1 for size in places("stream", "size post 20")[1:])
    assert mean("stream", "size pre 20", 24) > 8 and mean("stream", "size pre 0", 24) < 1
    left = [mean("stream", f"left post {step}") for step in forward_passes.MOMENTS]
    assert left[0] > 0.8 and left[1] < 0.1 and left[2] < 0.001
    new, later = places("stream", "gradient post 0"), places("stream", "gradient post 2")
    assert max(new) / min(new) < 1.2 and 2.5 < later[-1] / later[0] < 3


def test_the_circuit_needs_both_of_its_heads() -> None:
    mean = forward_passes.mean
    assert mean("circuit", "whole") > 0.99
    for off in ("previous off", "matching off", "both off"):
        assert mean("circuit", off) < 0.2
    assert mean("circuit", "one matching off") > 0.8
    # the control: the other heads of layer 1 are missed too, and less
    assert mean("circuit", "one previous off") + 0.2 < mean("circuit", "other off") < 0.9


def test_more_carries_are_harder_for_a_narrow_feed_forward() -> None:
    right = forward_passes.places("carries", "right")
    assert right == sorted(right, reverse=True)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_drawn_from_what_is_stored(name: str) -> None:
    assert (FIGURES / f"{name}.svg").read_text("utf-8") == DRAWINGS[name]()


def test_the_numbers_in_drawn_figures_are_computed() -> None:
    assert [text for text in texts("waves") if "." in text] == [
        f"{math.sin(6 / width):.2f}".replace("-", "−") for width in (1, math.sqrt(10), 10)
    ]
    product = math.cos(math.radians(60))
    assert [text for text in texts("rope") if "=" in text] == [f"q · k = {product:.2f}"] * 2
    shown = [text for text in texts("silu") if "." in text]
    values = [torch.nn.functional.silu(torch.tensor(float(a))).item() for a in (-2, 0, 2)]
    assert shown == [f"{value:.2f}".replace("-", "−") for value in values]


# Formulas -----------------------------------------------------------------------------------------


def test_a_formula_is_mathml() -> None:
    found = formulas.mathml('p_i = frac{exp(z_i / T)}{sum_j exp(z_j / T)} < "a<b" sqrt{d} x^2_1')
    root = ElementTree.fromstring(found)
    tags = [node.tag.split("}")[1] for node in root.iter()]
    for tag in ("msub", "mfrac", "munder", "mtext", "msqrt", "msubsup", "mn"):
        assert tag in tags
    assert root.attrib["alttext"].startswith("p_i = ")


# The game -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_the_game_is_fair(language: str) -> None:
    """What is to be guessed was not in the training text's part, nor is it shown elsewhere; everyone's probabilities sum to one."""
    counts = game.counted(language)
    assert counts.unigram.sum() == pytest.approx(1) and np.allclose(counts.bigram.sum(1), 1)
    training = cut(CORPORA[game.RUNS[language]].path.read_text("utf-8"), RunConfig().data)[0]
    probe = make_data(RunConfig.from_flat(PRESETS[game.RUNS[language]].changes)).probe()
    paid: dict[str, float] = dict.fromkeys(("uniform", "unigram", "bigram", "model"), 0.0)
    for number in range(game.STORIES):
        answer = game.guess(language, number)
        assert len(answer["asked"]) == game.ASKED
        assert sum(answer["shares"]) == pytest.approx(1)
        assert answer["text"] not in training
        assert answer["text"][:20] not in probe  # Look inside and Train show it
        for asked in answer["asked"]:
            assert answer["text"][asked["place"]] in answer["characters"]
            best = max(share for _, share in asked["favourites"])
            assert asked["probabilities"]["model"] <= best + 1e-9
            for who, probability in asked["probabilities"].items():
                paid[who] -= math.log2(probability)
    assert paid["model"] < paid["bigram"] < paid["unigram"] < paid["uniform"]


def test_the_models_probability_is_that_of_its_next_token() -> None:
    from playground.runs import models, run_lookup

    answer = game.guess("en", 0)
    loaded = models.load(run_lookup.find("stories"))
    asked = answer["asked"][3]
    before = loaded.tokenizer.encode(answer["text"][: asked["place"]])
    (right,) = loaded.tokenizer.encode(answer["text"][asked["place"]])
    with torch.inference_mode():
        wanted = loaded.model.run(torch.tensor([before])).logits[0, -1].softmax(0)[right]
    assert asked["probabilities"]["model"] == pytest.approx(wanted.item(), rel=1e-4)


@pytest.mark.parametrize("arguments", [("fr", 0), ("en", -1), ("en", 99), ("en", 1.5)])
def test_another_game_is_refused(arguments: tuple[str, int]) -> None:
    assert game.guess(*arguments)["error"]
