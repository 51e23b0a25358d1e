"""Lessons tell no falsehood: numbers come from tables or are computed, quizzes have room for chance, names are the page's."""

from __future__ import annotations

import itertools
import json
import math
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch

from engine import AdamW, TransformerLM
from engine.ablation.races import MODEL
from engine.ablation.significance import CONFIDENCE
from engine.ablation.suites import SUITES
from engine.config import RunConfig
from engine.data import CORPORA, make_data
from engine.data.tasks import TASKS
from engine.inspection.observe import PATTERNS
from engine.model.attention import causal_mask
from engine.presets import PRESETS
from engine.runs import summary
from engine.tokenizers import BPETokenizer, train_merges
from engine.tokenizers.byte import BYTES
from engine.training.optim import NEWTON_SCHULZ, SGD
from playground import i18n
from playground.app import TABS
from playground.runs import run_lookup
from playground.tabs.learn import LESSONS, lessons, server
from playground.tabs.learn.computed import curves, forward_passes, landscape, two_by_two
from playground.tabs.learn.computed.numbers import NUMBERS
from playground.tabs.learn.lesson import figures, file_format
from playground.tabs.optimizers import server as optimizers
from tests.tools import measured, page_words

ROOT = Path(__file__).resolve().parents[4]
ALL = [(name, language) for name in lessons.names() for language in lessons.LANGUAGES]
MARGIN = 3
"""Standard deviations between what a learner's run comes to and the next answer's bound."""

PAGE_LINES = re.compile(r"(?:code|open|point|until|measure|equation|table|math|numbers|game): ")
LABELS = re.compile(r"^(figure: .*\n)(?:- .*\n)+", re.MULTILINE)
"""A figure, and the labels in it with their translations."""
REFERENCE = re.compile(r"\{[^{}]*\}")


def written(name: str, language: str) -> str:
    """What a learner reads of a lesson, as it stands in its file: without its header and lines for the page."""
    text = (LESSONS / language / f"{name}.md").read_text("utf-8")
    body = LABELS.sub(r"\1", text.split("---\n", 2)[2])
    return "\n".join(line for line in body.splitlines() if not PAGE_LINES.match(line))


# Numbers ------------------------------------------------------------------------------------------

NUMBER = re.compile(r"(?<![\w.,])[−-]?\d+(?:,\d{3})*(?:\.\d+)?")
NOT_NUMBERS = re.compile(r"`[^`]*`| \| [\d.]+ \.\. \S+|\b(?:19|20)\d\d\b|(?:Gemma|OLMo) \d")
"""Code, the bounds of answers, years, names."""


def numbers(name: str, language: str) -> list[float]:
    """The numbers that a lesson's text has in digits, beside those that it takes from tables."""
    text = NOT_NUMBERS.sub("", REFERENCE.sub("", written(name, language)))
    return sorted(float(each.replace(",", "").replace("−", "-")) for each in NUMBER.findall(text))


def characters() -> str:
    return CORPORA["stories"].path.read_text(encoding="utf-8")


def letter_frequencies() -> float:
    """The loss of a model that knows only how frequent each character of the stories is, in nats."""
    counts = Counter(characters())
    return -sum(n / counts.total() * math.log(n / counts.total()) for n in counts.values())


def adam_moves(gradients: list[float]) -> float:
    """How far the last of these gradients moves a weight, in units of the learning rate; mean of many weights."""
    weight = torch.nn.Parameter(torch.zeros(1))
    train = RunConfig().train
    optimizer = AdamW([weight], lr=1.0, betas=(train.beta1, train.beta2), weight_decay=0.0)
    for gradient in gradients:
        before = weight.item()
        weight.grad = torch.tensor([gradient])
        optimizer.step()
    return before - weight.item()


GRADIENT_ENTRIES = {float(x) for x in two_by_two.GRADIENTS[0].flat}


def matrix_and_race() -> set[float]:
    """The first gradient's directions and singular values, the betas, what Newton-Schulz ends at, and a race's size."""
    left, stretched, _ = np.linalg.svd(two_by_two.GRADIENTS[0])
    directions = {float(x) for x in np.round(left * math.sqrt(2)).flat}
    exact = {float(x) for x in np.eye(2).flat}
    assert directions == {1.0, -1.0}
    s = torch.linspace(0.02, 1, 2_000)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    train, (plan, *_) = RunConfig().train, optimizers.stored()
    steps = {
        float(dict(parse_qsl(step.open)).get("o.steps", plan["steps"]))
        for step in lessons.lesson("optimizers", "en").steps
        if step.open
    }
    return {
        *directions, *exact, *map(round, stretched), train.beta1, train.beta2, round(s.min().item(), 1),
        math.ceil(10 * s.max().item()) / 10, MODEL["d_model"], 100 * CONFIDENCE, *steps,
        *worked_numbers("optimizers"), *GRADIENT_ENTRIES, 5, 2, 2.95, 9.97, 0, 1.1, 0.99, 0.14, *shown("two-directions"),
    }  # fmt: skip


COMPUTED: dict[str, Callable[[], set[float]]] = {
    # MaxVio of an even load, of twice the fair share, of one for all; when the map shows who is idle
    "experts": lambda: {
        summary.max_violation([1] * 16), summary.max_violation([2, 1, 0]),
        summary.max_violation([1, *[0] * 15]), 200, *worked_numbers("experts"), *shown("router"), 8, 1000, 0.8, 0.1, 4,
    },
    # numbers to compute with; what is read off the drawings; betas and their complements; a rate to set
    "training": lambda: {
        *worked_numbers("training"), 16, 2, 0.5, -1, 0, 0.1, 0.01, 0.001, 1.8, *shown("moves"),
    },
    # bytes, the largest one and merges; the merge to stop at; half the width of the answer "the same"
    "tokens": lambda: {
        256, 255, 500 - 256, 5, 0.05, 3, 9.11, 9.9, 11, 9, 40, 1000, 64, 1.5, 2.5, 1, 1.2, *shown("two-units"),
        *(round(value, 1) for _, value in curves.stored()["pieces"]["characters"]),
    },
    # an even look at six digits and the end token, in per cent
    "translation": lambda: {
        7, round(100 / 7), *worked_numbers("translation"), *shown("cross"), 0.9, 0.6, 0.3, 2, 0, 20, 8,
        *(float(NUMBERS[f"{when} {what}"]()) for when in ("first", "last") for what in ("sharp", "right")),
    },
    # characters of a page; numbers to compute with; what is read off the drawings; sizes of two vocabularies
    "failed-run": lambda: {
        round(0.002 * len(characters()), -2), *worked_numbers("failed-run"), 6, 8, 0.3, 0.4, 2, 10, 0, *read_off(),
        make_data(SUITES["post-norm"].config("post")).tokenizer.vocab_size,
    },
    # widths, vocabulary and window of the shipped model; numbers to compute with; what is read off the drawings
    "model": lambda: {
        *model_sizes(), *worked_numbers("model"), *map(float, range(3)), 10, 50, 0.9, 0.1, 0.5, 0.25, 0.4, 0.97, 0.02, 45,
        0.7, *shown("filters"), len(curves.LOOP), *shown("beam"), *shown("draw"), 457, 85, 542,
    },
    "optimizers": matrix_and_race,
    # bits of a number; rows to count; the sizes of a model
    "cache": lambda: {
        torch.finfo(torch.get_default_dtype()).bits, *map(float, range(1, 7)), *worked_numbers("cache"), 1000, 64,
    },
    # probabilities that are scored; a contest of ten letters; letters, the questions that find one; how far the model reads
    "guess": lambda: {
        0, 2, -2, 0.95, 0.05, 0.25, 0.125, 0.5, 1, 4, 95, 60, 40, 20, 6, 5, 32, math.log2(32), PRESETS["stories"].config().model.max_seq_len,
    },
    # a text's characters, pieces and words; bytes; the ids of three letters; a table's size; a window's length
    "pieces": lambda: {
        *map(float, cuts()), len(BYTES), *shipped_ids("owl"), 10, 42, 64, 1000, 128, 2.5,
    },
    "softmax": lambda: {*worked_numbers("softmax"), -2, 3, 10, 0.5, 0.87, 0.67, 0.51, 4, -1},
    # a probability; the drawing; a small change of a number, and of a square; places in the landscape, its checkpoint, its measurements
    "gradient": lambda: {
        *worked_numbers("gradient"), 0.8, *shown("pull"), 0.755, 1.01, 0.01, 4, 1, 0, 3, 0.25, 0.3, 0.5, 16, landscape.STEP,
        len(landscape.ALONG), PRESETS["stories"].config().train.batch_size, PRESETS["stories"].config().model.max_seq_len,
    },
    # two halves; heads, and numbers for each; letters; a matching score; per cent; how far back the row of the maps repeats
    "attention": lambda: {
        *worked_numbers("attention"), 0.5, 64, 8, 5, 26, 16, repeat_of_the_map(), repeat_of_the_map() - 1,
    },
    # what a token collects, and where; GPT-3; places, and angles of 30 degrees each; the end of a clock and of a table
    "positions": lambda: {
        *worked_numbers("positions"), 0.2, 5, 6, 7, 3, 60, *(30.0 * place for place in (3, 5, 7)), 101,
        PRESETS["stories"].config().model.max_seq_len + 1,
    },
    # a sum; what sub-layers write; what a matrix makes of x and of -x
    "block": lambda: {*worked_numbers("block"), 5, 0.5, -1, -3, -10, 7},
    # what sub-layers add, and the size of the sum; sub-layers of twelve blocks; the last moment of the measurement
    "normalisation": lambda: {
        *worked_numbers("normalisation"), 0.75, math.hypot(1, 0.75), 2 * 12, forward_passes.MOMENTS[-1],
    },
    "attention-by-hand": lambda: {*worked_numbers("attention-by-hand"), 64, 0.19, 0.77, 0.05, 0.23, 0.81},
}  # fmt: skip
"""Numbers that are neither in a table nor a setting of a run, from where they come."""


def worked_numbers(name: str) -> set[float]:
    """All numbers that a lesson's tables begin with: what its text computes with."""

    def numbers_in(value: object) -> Iterator[float]:
        if isinstance(value, list):
            for each in value:
                yield from numbers_in(each)
        elif isinstance(value, float):
            yield value

    steps = lessons.lesson(name, "en").steps
    return {
        number
        for step in steps
        for block in step.blocks
        if block["kind"] == "numbers"
        for value in block["values"].values()
        for number in numbers_in(value)
    }


def shown(figure: str) -> set[float]:
    """The numbers that stand in a drawing."""
    labels = ElementTree.fromstring(figures.drawing(figure)).iter()
    return {
        float(number)
        for node in labels
        if node.text
        for number in NUMBER.findall(node.text.replace("−", "-"))
    }


def model_sizes() -> set[float]:
    """The width, the vocabulary and the window of the shipped model of the stories."""
    run = run_lookup.find("stories")
    sizes = run.config.model
    return {sizes.d_model, run.tokenizer().vocab_size, sizes.max_seq_len}


def read_off() -> set[float]:
    """What the lesson on failed runs reads off its curves: see `test_curves_are_read_rightly`."""
    stored = curves.stored()
    return {
        *(float(NUMBERS[name]()) for name in ("blow up step", "guessing", "unigram nats")),
        round(stored["page"]["train"][-1][1], 1), round(stored["page"]["valid"][-1][1], 1),
        round((stored["page"]["train"][-1][1] + stored["page"]["valid"][-1][1]) / 2, 1),
        round(stored["post-norm"]["valid"][-1][1]), 40, 100, 3.2, 150, 300,
        curves.config("post-norm").train.total_steps,
    }  # fmt: skip


def repeat_of_the_map() -> int:
    """After how many places a letter of the row in the maps of the induction circuit comes again."""
    values = forward_passes.stored("circuit")
    row = [each.value for each in sorted(values, key=lambda each: each.place) if each.name == "row"]
    return len(row) - 1 - row.index(row[-1])


def cuts() -> tuple[int, int, int]:
    """Into how many characters, pieces and words the example of the lesson on tokens is cut."""
    text = "The unhappy squirrel"
    tokenizer = BPETokenizer.from_merges(train_merges([characters()], 1000))
    return len(text), len(tokenizer.encode(text)), len(text.split())


def shipped_ids(letters: str) -> list[float]:
    """The numbers of these characters in the vocabulary of the shipped model of the stories."""
    return list(map(float, run_lookup.find("stories").tokenizer().encode(letters)))


def settings(name: str) -> set[float]:
    """All numbers in the settings of the runs that a lesson asks for, or shows a table of."""
    found = lessons.lesson(name, "en")
    configs = [config for step in found.steps if (config := step.config()) is not None]
    for suite in tables(name):
        configs += [SUITES[suite].config(variant) for variant in SUITES[suite].variants]
    return {
        float(value)
        for config in configs
        for value in config.flat().values()
        if isinstance(value, int | float)
    }


def tables(name: str, step: int | None = None) -> list[str]:
    """The tables of a lesson, or of one of its steps."""
    steps = lessons.lesson(name, "en").steps
    chosen = steps if step is None else [steps[step]]
    return [block["text"] for each in chosen for block in each.blocks if block["kind"] == "table"]


@pytest.mark.parametrize(("name", "language"), ALL)
def test_every_number_is_a_setting_or_comes_from_somewhere(name: str, language: str) -> None:
    known = settings(name) | COMPUTED.get(name, set)()
    assert not [each for each in numbers(name, language) if each not in known]
    assert numbers(name, language) == numbers(name, "en")
    references = [REFERENCE.findall(written(name, each)) for each in (language, "en")]
    assert sorted(references[0]) == sorted(references[1])


COUNTS = {"three": 3, "eight": 8, "三": 3, "八": 8}


@pytest.mark.parametrize(("name", "language"), ALL)
def test_as_many_seeds_as_the_table_has(name: str, language: str) -> None:
    parts = re.split(r"^## .+$", written(name, language), flags=re.MULTILINE)[1:]
    for number, part in enumerate(parts):
        for count in re.findall(r"(\w+) seeds|(.)个(?:随机)?种子", part):
            said = "".join(count)
            if said in ("different", "the", "一"):
                continue
            for table in tables(name, number) or tables(name):
                rows = file_format.results(table)
                assert {int(row["finished"]) + int(row["diverged"]) for row in rows} == {
                    COUNTS[said]
                }


@pytest.mark.parametrize("language", lessons.LANGUAGES)
@pytest.mark.parametrize("name", lessons.names())
def test_what_a_step_opens_is_there(name: str, language: str) -> None:
    """Its tab, and the run that it names: a shipped one, or the stored one of an experiment. What writes and what is
    looked into is the model of this language's words."""
    for step in lessons.lesson(name, language).steps:
        query = dict(part.split("=", 1) for part in step.open.split("&") if part)
        assert query.get("tab", "train") in TABS
        if step.examines:
            assert lessons.stored_run(step) is not None
        elif query.get("tab") in ("generate", "inside"):
            assert query["run"] == run_lookup.first(language)
        else:
            assert query.get("run", "stories") in [run.id for run in run_lookup.shipped()]


# Predictions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", lessons.names())
def test_a_learners_run_is_three_deviations_from_the_next_answer(name: str) -> None:
    """With another machine or another version of PyTorch, the right idea is still told that it is right."""
    found = lessons.lesson(name, "en")
    ends = {0.0, 1.0, math.inf}  # beyond which no share, and no loss, can be
    for number, step in enumerate(found.steps):
        if not step.measure:
            continue
        spread = measured.spread_of(found, step)
        assert spread is not None, f"{step.title}: no suite measured this"
        mean, deviation = spread
        options = lessons.predicted(found, number)
        (right,) = measured.right(options, mean)
        for bound in {options[right].low, options[right].high} - ends:
            assert abs(mean - bound) >= MARGIN * deviation, (
                f"{step.title}: {mean} ± {deviation}, {bound}"
            )


@pytest.mark.case("L2")
@pytest.mark.parametrize("name", lessons.names())
def test_every_prediction_is_judged(name: str) -> None:
    """By a run, or by what the page itself has measured; each in both languages."""
    for language in lessons.LANGUAGES:
        steps = lessons.lesson(name, language).steps
        for number, step in enumerate(steps):
            if step.options:
                assert any(each.measure for each in steps[number : number + 2]), step.title


@pytest.mark.case("L2")
def test_what_the_page_measured_is_judged() -> None:
    steps = lessons.lesson("cache", "en").steps
    number = next(i for i, step in enumerate(steps) if step.measure in lessons.ON_PAGE)
    read = server.read("cache", "en")["steps"][number]
    assert read["seen"] and read["until"]
    assert server.check("cache", "en", number, []) == {"state": "none"}
    for nothing in (None, "0.9", math.nan, [0.9]):
        assert server.check("cache", "en", number, [], nothing)["state"] == "none"  # type: ignore[arg-type]
    over = {"state": "over", "measure": "saved"}
    assert server.check("cache", "zh", number, [], 0.94) == over | {"value": 0.94, "right": 2}
    assert server.check("cache", "en", number, ["x"], 0.3) == over | {"value": 0.3, "right": 0}


# What the errors were about, computed -------------------------------------------------------------


def texts(*names: str) -> Iterator[tuple[str, str]]:
    """(language, the whole text of a lesson with its numbers) in both languages."""
    for name in names:
        for language in lessons.LANGUAGES:
            yield language, file_format.filled(written(name, language))


@pytest.mark.case("E1")
def test_the_task_reverse_has_letters_and_no_digits() -> None:
    assert TASKS["reverse"].characters.rstrip(">").isalpha()
    for language, text in texts("positions", "normalisation"):
        assert {"en": "row of letters", "zh": "一行字母"}[language] in text
        assert {"en": "digit", "zh": "数字"}[language] not in text


@pytest.mark.case("E2")
@pytest.mark.parametrize("name", lessons.names())
def test_a_question_about_accuracy_counts_whole_answers(name: str) -> None:
    """Rows, words or sums without a mistake, which is what accuracy is; never single letters."""
    for language, whole in (("en", "rows|words|sums"), ("zh", "行|单词|算式")):
        steps = lessons.lesson(name, language).steps
        for question, run in itertools.pairwise(steps):
            if run.measure == "accuracy" and question.options:
                assert re.search(whole, question.predict), question.predict


@pytest.mark.case(
    "E3",
)
def test_a_token_matches_keys_and_collects_values_its_own_too() -> None:
    assert causal_mask(3, 3).diagonal().all()
    for language, text in texts("attention-by-hand"):
        terms = {
            "en": ("**query**", "**key**", "**value**"),
            "zh": ("**查询**", "**键**", "**值**"),
        }
        assert all(term in text for term in terms[language])
        assert {"en": "can read only itself", "zh": "只能读它自己"}[language] in text


@pytest.mark.case("E4")
def test_a_model_reads_a_whole_text_at_once() -> None:
    for language, text in texts("attention"):
        assert {"en": "reads all tokens of a text at once", "zh": "一次读入文本的所有词元"}[
            language
        ] in text
    notebook = (ROOT / "notebooks" / "attention.py").read_text("utf-8")
    assert "reads all tokens of a text at once" in notebook


@pytest.mark.case("E5")
def test_the_induction_head_is_the_second_of_two() -> None:
    assert {"previous", "repeat"} <= set(PATTERNS)  # the page tells them apart, too
    for language, text in texts("attention"):
        terms = {
            "en": ("previous-token head", "induction head", "induction circuit"),
            "zh": ("前一词元头", "归纳头", "归纳回路"),
        }[language]
        places = [text.index(term) for term in terms]
        assert places == sorted(places)


def test_every_head_reads_the_whole_vector() -> None:
    """All 64 numbers; it makes fewer of them. No text or picture shares the vector out."""
    model = TransformerLM(d_model=64, n_head=4, n_layer=1, vocab_size=5, max_seq_len=4)
    weight = model.blocks[0].attention.qkv.weight
    assert weight.shape == (3 * 64, 64) and bool((weight != 0).all())
    for language, text in texts("attention"):
        assert {"en": "Every head reads all 64 numbers", "zh": "每个头都读词元向量的全部 64 个数"}[
            language
        ] in text
        assert not re.search("shared out|share the vector|分着用", text)
    assert "all 64 go to every head" in figures.drawing("split")


def test_what_a_switch_does_and_its_control_are_said() -> None:
    """A head's output becomes 0; the list has all heads on, and a head of neither kind off."""
    for language, text in texts("attention"):
        said = {
            "en": ("output of this head to 0", "**control**"),
            "zh": ("输出都设为 0", "**对照**"),
        }
        assert all(each in text for each in said[language])
        assert NUMBERS["circuit other off"]() in text


@pytest.mark.case("E6")
def test_one_layer_has_nothing_without_a_match() -> None:
    """It is right no more often than positions alone allow, and the lesson says how often that is."""
    prior = float(NUMBERS["induction prior"]().rstrip("%")) / 100
    rows = {row["variant"]: float(row["accuracy"]) for row in file_format.results("induction")}
    assert rows["1 layer"] <= prior < 0.1 and rows["2 layers"] > 0.99
    for _, text in texts("attention"):
        assert NUMBERS["induction prior"]() in text and NUMBERS["induction distances"]() in text


def test_the_computed_prior_is_that_of_the_task() -> None:
    """The best single distance, row by row."""
    batch = make_data(RunConfig.from_flat(PRESETS["induction"].changes | {"seed": 5})).batch(2000)
    right: Counter[int] = Counter()
    for inputs, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        asked = [i for i, target in enumerate(targets) if target >= 0]
        for distance in range(1, len(inputs)):
            right[distance] += all(
                i + 1 >= distance and inputs[i + 1 - distance] == targets[i] for i in asked
            )
    prior = float(NUMBERS["induction prior"]().rstrip("%")) / 100
    assert max(right.values()) / 2000 == pytest.approx(prior, abs=0.03)
    assert sum(share > 0 for share in right.values()) == int(NUMBERS["induction distances"]())


@pytest.mark.case("E7")
@pytest.mark.parametrize("name", lessons.names())
def test_code_that_is_shown_can_be_read(name: str) -> None:
    """A function or a small class; and attention's has the equation's own steps in it."""
    read = server.read(name, "en")
    for step in read["steps"]:
        for block in step["blocks"]:
            if block["kind"] == "code":
                assert block["source"].count("\n") <= 60, block["text"]
    if name == "attention-by-hand":
        (block,) = [b for step in read["steps"] for b in step["blocks"] if b["kind"] == "code"]
        assert block["source"].count("\n") <= 25
        for part in ("k.transpose", "math.sqrt", "masked_fill", "softmax", "@ v"):
            assert part in block["source"]


@pytest.mark.case("E8")
def test_adams_step_depends_on_agreement_and_not_on_size() -> None:
    for scale in (1e-3, 1.0, 1e3):
        assert adam_moves([scale] * 300) == pytest.approx(1, abs=0.01)
        assert abs(adam_moves([scale, -scale] * 150)) < 0.1
    noise = torch.randn(400, generator=torch.Generator().manual_seed(0)).tolist()
    assert sum(abs(adam_moves(noise[:n])) for n in range(300, 400, 5)) / 20 < 0.5
    for _, text in texts("training"):
        assert "m̂ / √v̂" in text
        assert all(NUMBERS[f"adam {kind}"]() in text for kind in ("steady", "noise", "alternating"))
    for language in lessons.LANGUAGES:
        assert "m̂ / (√v̂ + ε)" in (LESSONS / language / "training.md").read_text("utf-8")


@pytest.mark.case("E9")
def test_a_step_of_sgd_is_up_to_ten_times_the_gradient() -> None:
    found = lessons.lesson("failed-run", "en")
    config = next(config for step in found.steps if (config := step.config()) is not None)
    assert config.train.optimizer == "sgd" and config.train.beta1 == 0.9
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = SGD([weight], lr=config.train.max_lr, momentum=config.train.beta1)
    for _ in range(200):
        before = weight.item()
        weight.grad = torch.ones(1)
        optimizer.step()
    assert before - weight.item() == pytest.approx(10, rel=1e-3)
    for language, text in texts("failed-run", "training"):
        assert {"en": "momentum", "zh": "动量"}[language] in text
    for language, text in texts("failed-run"):
        assert {"en": "ten times as long", "zh": "梯度的十倍"}[language] in " ".join(text.split())
    assert "momentum" in (ROOT / "notebooks" / "failed-run.py").read_text("utf-8")


@pytest.mark.case("E10")
def test_learned_by_heart_is_as_bad_as_guessing() -> None:
    row = next(row for row in file_format.results("over-fitting") if row["variant"] == "600 steps")
    guessing = math.log(len(set(characters())))
    assert NUMBERS["guessing"]() == f"{guessing:.2f}"
    assert abs(float(row["final"]) - guessing) < float(row["final_deviation"])
    for language, text in texts("failed-run"):
        assert {"en": "no better than that of guessing", "zh": "并不比随机猜测好"}[
            language
        ] in " ".join(text.split())


@pytest.mark.case("E11")
def test_a_vocabulary_is_bytes_and_merges() -> None:
    merges = list(train_merges([characters()[:20_000]], 500))
    assert len(merges) == 244 and BPETokenizer.from_merges(merges).vocab_size == 500
    assert any(len(merge.new_bytes) > 2 for merge in merges)  # a piece is no pair of bytes
    for language, text in texts("tokens"):
        assert {"en": "the 256 bytes and 244 merges", "zh": "256 个字节加 244 次合并"}[
            language
        ] in text


@pytest.mark.case("E12")
def test_balanced_is_told_to_be_better_and_not_even() -> None:
    row = next(row for row in file_format.results("collapse") if row["variant"] == "balance loss")
    busiest = 1 + float(row["maxvio"])
    assert 1.7 < busiest < 2.05  # "nearly twice its fair share"
    for language, text in texts("experts"):
        assert {"en": "nearly twice its fair share", "zh": "几乎有公平份额的两倍"}[
            language
        ] in " ".join(text.split())
        assert f"{busiest - 1:.2f}" in text
    assert float(row["difference_low"]) > 0  # "a little higher", more than noise


@pytest.mark.case("E13")
def test_rounding_is_that_of_floating_point_numbers() -> None:
    for language, text in texts("cache"):
        assert {"en": "32-bit floating-point numbers", "zh": "32 位浮点数"}[language] in " ".join(
            text.split()
        )
    assert any("32-bit floating-point numbers" in text for text in page_words.said("en"))
    assert any("32 位浮点数" in text for text in page_words.said("zh"))


@pytest.mark.case("L5")
def test_code_stands_under_what_it_does() -> None:
    """The code of learning learns, and a notebook shows the same."""
    for language in lessons.LANGUAGES:
        titled = {"en": "How pieces are learned", "zh": "子词是怎么学出来的"}[language]
        step = next(
            step for step in lessons.lesson("tokens", language).steps if step.title == titled
        )
        (code,) = [block["text"] for block in step.blocks if block["kind"] == "code"]
        assert code == "engine.tokenizers.bpe.training:learn_merges"
    source = lessons.source(code)
    assert "most_frequent" in source and "yield Merge(" in source
    assert source.count("\n") < 30
    notebook = (ROOT / "notebooks" / "tokens.py").read_text("utf-8")
    assert "inspect.getsource(learn_merges)" in notebook


# Names of the page --------------------------------------------------------------------------------


@pytest.mark.case("L1")
@pytest.mark.parametrize(("name", "language"), ALL)
def test_what_a_lesson_quotes_is_on_the_page(name: str, language: str) -> None:
    """Controls, tabs and headings stand in “quotes”, as the page of that language calls them."""
    text = written(name, language)
    assert page_words.unknown(text, language) == []
    bare = (
        r"\b(?:[Pp]ress|the tab|the preset) (?!“)|\bthen (?=[A-Z])"
        if language == "en"
        else r"(?:点|按下) ?(?=[A-Z])"
    )
    assert not re.findall(bare, text)
    if language == "zh":
        foreign = set(re.findall(r"[A-Z][A-Za-z]+(?: [a-z]+)*", text))
        assert not foreign & page_words.words("en") - page_words.words("zh")


@pytest.mark.case("L1")
@pytest.mark.parametrize("language", lessons.LANGUAGES)
def test_what_the_page_quotes_is_on_the_page(language: str) -> None:
    """The tour too, and every sentence of a view that says where to press."""
    said = {text: where for text, where in page_words.said(language).items() if "${" not in text}
    assert any(
        where.endswith("tour.js") and page_words.QUOTED.search(text) for text, where in said.items()
    )
    assert not {
        where: missing
        for text, where in said.items()
        if (missing := page_words.unknown(text, language))
    }
    if language == "en":
        assert not [
            text for text in said if re.search(r"\b[Pp]ress [A-Z]\w*|\bthe tab [A-Z]", text)
        ]


@pytest.mark.case("L1")
@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "README.zh.md",
        *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")),
        *sorted(
            path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").glob("[a-z]*.py")
        ),
    ],
)
def test_what_is_quoted_elsewhere_to_press_is_on_the_page(path: str) -> None:
    """In a README, in docs/ or in a notebook, whatever is to be pressed, opened or turned to by name."""
    text = (ROOT / path).read_text("utf-8")
    language = "zh" if path.endswith(".zh.md") else "en"
    pressed = r"(?:[点按选]|打开|转到|[Pp]ress|the tab) ?(“[^“”]+”)|(“[^“”]+”) ?(?:标签页|按钮|tab\b|button\b)"
    quoted = ["".join(groups) for groups in re.findall(pressed, text)]
    assert page_words.unknown(" ".join(quoted), language) == []


@pytest.mark.case("L1")
def test_a_renamed_button_is_found() -> None:
    assert page_words.unknown("Press “Start training”, then “Begin training”.", "en") == [
        "Begin training"
    ]
    assert page_words.unknown("点“开始训练”，再点“Start training”。", "zh") == ["Start training"]


# Tables -------------------------------------------------------------------------------------------

NAMES = re.compile(r"RMSNorm|LayerNorm|RoPE|ALiBi|SwiGLU|GEGLU|GELU|ReLU|SiLU|AdamW|SGD|Muon|Lion")


@pytest.mark.case("L3")
def test_every_variant_has_a_name_in_chinese() -> None:
    """But for what is a name, or a number, in Chinese too."""
    shown = [
        row["variant"]
        for name in SUITES
        if (file_format.RESULTS / name).is_dir()
        for row in file_format.results(name)
    ]
    for variant in {*shown, *(variant for suite in SUITES.values() for variant in suite.variants)}:
        latin = re.search("[a-z]{2,}", NAMES.sub("", variant))
        chinese = re.search("[\u4e00-\u9fff]", i18n.translate(variant, "zh"))
        assert chinese or not latin, variant


@pytest.mark.case("L4")
def test_a_table_that_is_read_has_its_spread_and_its_verdict() -> None:
    """What the page draws below each number is in what is served; `test_learn` looks at it there."""
    for name in lessons.names():
        for table in tables(name):
            for row in file_format.results(table):
                if row["final"]:
                    assert float(row["final_deviation"]) >= 0 and int(row["parameters"]) > 0
                if row["difference"]:
                    assert (
                        row["difference_low"]
                        and row["difference_high"]
                        and row["within_noise"] in ("True", "False")
                    )
    assert json.dumps(server.read("positions", "en")).count("difference_low")
