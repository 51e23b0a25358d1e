"""Generate, the server's side: the page's numbers are the model's, whoever asks and in what order."""

from __future__ import annotations

import base64
import inspect
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import RunConfig
from engine.data import make_data
from engine.estimate import cache_bytes, flops_per_token
from engine.generation.sampler import GenerationSettings
from engine.generation.sampling import Sampler, adjust, window_start
from engine.runs.store import Run, RunStore
from engine.tokenizers import save_tokenizer
from engine.training import checkpoint
from engine.training.loop import new_state
from playground.hosting import checks
from playground.page import views
from playground.runs import models
from playground.tabs.generate import moments, scripts
from playground.tabs.generate import server as generating
from playground.tabs.inside import server as inside

pytestmark = pytest.mark.usefixtures("learners_runs")

TEXT = "Hello, 你好! <img onerror=alert(1)> 🙂\n\t\x07 and hello again. 0123456789\n\n"
CONTEXT = 24
SETTINGS = {"temperature": 0.7, "top_k": 12, "top_p": 0.9, "min_p": 0.02, "seed": 5}


def make_run(runs: Path, name: str, checkpoints: tuple[int, ...], **fields: Any) -> Run:
    """A run with random weights that differ from checkpoint to checkpoint."""
    config = RunConfig.from_flat(
        {"d_model": 16, "n_layer": 2, "n_head": 4, "max_seq_len": CONTEXT, **fields}
    )
    run = RunStore(runs).create(config, name)
    data = make_data(config)
    save_tokenizer(data.tokenizer, run.tokenizer_path)
    state = new_state(config, data)
    for step in checkpoints:
        state.step = step
        with torch.no_grad():
            for weight in state.model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
        checkpoint.save(state, run.checkpoint_path(step))
    return run


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    source = runs / "text.txt"
    source.write_text(TEXT * 40, encoding="utf-8", newline="\n")
    return make_run(runs, "texts", (0, 7), source="text", train_data_path=str(source), n_kv_head=2)


@pytest.fixture(scope="module")
def task(runs: Path) -> Run:
    return make_run(runs, "sums", (3,), source="addition", task_length=2)


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def logits_of(run: Run, step: int, tokens: list[int]) -> torch.Tensor:
    """A full pass over what the model sees of these tokens, without any cache."""
    model = models.load(run, step).model
    with torch.no_grad():
        return model(torch.tensor([tokens[window_start(len(tokens), CONTEXT) :]]))[0, -1]


# Opening a text ------------------------------------------------------------------------------------


def test_a_text_opens_by_itself_with_something_written(run: Run) -> None:
    opened = generating.begin(run.id)
    data = make_data(run.data_config())
    assert opened["step"] == 7
    assert opened["steps"] == [0, 7]
    assert opened["examples"] == data.prompts
    assert opened["prompt"] == data.prompts[0]
    assert opened["pieces"] == list(data.tokenizer.pieces)
    least, most = generating.AHEAD
    assert least <= len(opened["records"]) - 1 <= most
    assert opened["right"] is None
    assert json.loads(json.dumps(opened)) == opened  # plain values


def test_the_records_tell_the_tokens_in_order(run: Run) -> None:
    opened = generating.begin(run.id, 7, "Hello", SETTINGS, None, 10)
    prompt, *rest = opened["records"]
    assert prompt["length"] == prompt["window"] == prompt["computed"] == 5
    assert "before" not in prompt
    assert [record["token"] for record in rest] == opened["tokens"][5:]
    assert [record["length"] for record in rest] == list(range(6, 16))
    assert all(record["computed"] == 1 for record in rest)
    for i, record in enumerate(rest):
        adjusted = adjust(logits_of(run, 7, opened["tokens"][: 5 + i]), sampler(SETTINGS))
        assert record["before"] == pytest.approx(float(adjusted.before[record["token"]]), rel=1e-4)
        assert record["after"] == pytest.approx(float(adjusted.after[record["token"]]), rel=1e-4)
        assert record["after"] > 0


def sampler(settings: dict[str, Any]) -> Sampler:
    return Sampler.parse({name: value for name, value in settings.items() if name != "seed"})


def test_a_path_is_followed_whatever_its_probability(run: Run) -> None:
    path = [3, 3, 3, 0, 1]
    opened = generating.begin(run.id, 0, "Hello", SETTINGS, path)
    assert opened["tokens"][5:] == path


def test_an_earlier_checkpoint_writes_something_else(run: Run) -> None:
    texts = [
        generating.begin(run.id, step, "Hello", SETTINGS, None, 16)["tokens"] for step in (0, 7)
    ]
    assert texts[0] != texts[1]


def test_a_task_knows_the_right_answer_and_where_it_ends(task: Run) -> None:
    opened = generating.begin(task.id, None, "42+9=")
    assert opened["right"] == "51"
    assert opened["pieces"][opened["end"]] == "<end>"
    assert opened["end"] not in opened["tokens"][:-1]
    assert generating.begin(task.id, None, "42+")["right"] is None


# The distribution ----------------------------------------------------------------------------------


def test_the_distribution_is_the_models_over_the_whole_vocabulary(run: Run) -> None:
    opened = generating.begin(run.id, 7, "Hello, 你好! ", SETTINGS, None, 6)
    now, tokens = opened["now"], opened["tokens"]
    expected = adjust(logits_of(run, 7, tokens), sampler(SETTINGS))
    before, after = floats(now["before"]), floats(now["after"])
    assert len(before) == len(opened["pieces"])
    np.testing.assert_allclose(before, expected.before.numpy(), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(after, expected.after.numpy(), rtol=1e-4, atol=1e-7)
    removed = np.frombuffer(base64.b64decode(now["removed"]), "u1")
    assert removed.tolist() == expected.removed_by.tolist()
    assert after[now["drawn"]] > 0


def test_other_settings_need_no_forward_pass(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = generating.begin(run.id, 7, "Hello", None, None, 8)["tokens"]
    model = models.load(run, 7).model

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a forward pass")

    monkeypatch.setattr(model, "run", never)
    for settings in (None, SETTINGS, {"temperature": 0}, {"top_k": 1, "seed": 9}):
        now = generating.reweigh(run.id, 7, tokens, settings)["now"]
        assert floats(now["after"]).sum() == pytest.approx(1, abs=1e-5)
    assert floats(now["after"]).max() == 1


def test_the_next_token_is_fixed_by_seed_and_place(run: Run) -> None:
    tokens = generating.begin(run.id, 7, "Hello", SETTINGS, None, 0)["tokens"]
    promised = generating.reweigh(run.id, 7, tokens, SETTINGS)["now"]["drawn"]
    taken = generating.advance(run.id, 7, tokens, SETTINGS)["record"]["token"]
    assert promised == taken == generating.advance(run.id, 7, tokens, SETTINGS)["record"]["token"]
    draws = {
        generating.reweigh(run.id, 7, tokens, {"seed": seed})["now"]["drawn"] for seed in range(30)
    }
    assert len(draws) > 1


def test_stepping_writes_what_opening_and_the_script_write(run: Run) -> None:
    opened = generating.begin(run.id, 7, "Hello", SETTINGS, None, 30)
    tokens = opened["tokens"][:5]
    for _ in range(30):
        tokens.append(generating.advance(run.id, 7, tokens, SETTINGS)["record"]["token"])
    assert tokens == opened["tokens"]
    said = scripts.continue_text(run.id, 7, "Hello", 30, **SETTINGS)
    assert [token["id"] for token in said["tokens"]] == tokens[5:]
    assert said["text"] == "".join(opened["pieces"][token] for token in tokens[5:])


def test_any_token_can_be_taken_instead(run: Run) -> None:
    tokens = generating.begin(run.id, 7, "Hello", SETTINGS, None, 0)["tokens"]
    for token in (0, 5, 11):
        stepped = generating.advance(run.id, 7, tokens, {"top_k": 1}, token)
        assert stepped["record"]["token"] == token
        full = torch.softmax(logits_of(run, 7, [*tokens, token]).double(), 0)
        np.testing.assert_allclose(floats(stepped["now"]["before"]), full, rtol=1e-4, atol=1e-7)


# The cache -----------------------------------------------------------------------------------------


def test_costs_are_counted_and_the_cache_changes_nothing(run: Run) -> None:
    opened = generating.begin(run.id, 7, "Hello", None, None, 60)
    config = models.load(run, 7).config.model
    vocabulary = len(opened["pieces"])
    windows = [record["window"] for record in opened["records"]]
    assert max(windows) == CONTEXT
    slid = 0
    for before, record in zip(opened["records"], opened["records"][1:], strict=False):
        each = flops_per_token(config, record["window"], vocabulary)
        assert record["bytes"] == cache_bytes(config, record["window"])
        assert record["flops"] == record["computed"] * each
        assert record["flops_without"] == record["window"] * each
        assert record["start"] == window_start(record["length"], CONTEXT)
        assert record["window"] == record["length"] - record["start"]
        if record["start"] == before["start"]:
            assert record["computed"] == 1
        else:  # the window slid to its last half, which was computed anew
            slid += 1
            assert record["computed"] == record["window"] == CONTEXT // 2
        assert 0 < record["ms"] < math.inf
        compared = generating.compare(run.id, 7, opened["tokens"][: record["length"]])
        assert 0 < compared["ms"] < math.inf
        assert 0 < compared["ms_without"] < math.inf
        assert compared["difference"] < 1e-4
    assert slid >= 2


def test_a_click_computes_one_token_with_the_cache_and_nothing_else(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = generating.begin(run.id, 7, "Hello", None, None, 3)["tokens"]
    model, passes = models.load(run, 7).model, []
    plain = model.run

    def counted(given: torch.Tensor, **options: Any) -> Any:
        passes.append((tuple(given.shape), "cache" in options))
        return plain(given, **options)

    monkeypatch.setattr(model, "run", counted)
    generating.advance(run.id, 7, tokens, {"seed": 123}, 2)
    assert passes == [((1, 1), True)]


def test_a_cache_that_is_wrong_is_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = generating.begin(run.id, 7, "Hello", None, None, 3)["tokens"]
    assert generating.compare(run.id, 7, tokens[:5], True)["difference"] < 1e-4
    cache = moments.cache_of(models.load(run, 7), tokens[:-1]).clone()
    cache.keys += 1
    monkeypatch.setattr(generating, "cache_of", lambda *_: cache)
    assert generating.compare(run.id, 7, tokens)["difference"] > 1e-3


def test_branches_do_not_disturb_each_other(run: Run) -> None:
    """Two continuations of one text share its cache, each gets its own logits."""
    tokens = generating.begin(run.id, 7, "Hello again", None, None, 4)["tokens"]
    texts = [[*tokens, first] for first in range(6)]
    for _ in range(4):
        for i, text in enumerate(texts):
            stepped = generating.advance(run.id, 7, text, {"seed": i})
            text.append(stepped["record"]["token"])
            full = torch.softmax(logits_of(run, 7, text).double(), 0)
            np.testing.assert_allclose(floats(stepped["now"]["before"]), full, rtol=1e-4, atol=1e-7)


def test_what_was_forgotten_is_computed_again(run: Run) -> None:
    tokens = generating.begin(run.id, 7, "Hello", None, None, 12)["tokens"]
    kept = generating.advance(run.id, 7, tokens, SETTINGS)
    moments.moments.clear()
    moments.caches.clear()
    again = generating.advance(run.id, 7, tokens, SETTINGS)
    assert again["record"]["token"] == kept["record"]["token"]
    assert again["record"]["computed"] == 1
    np.testing.assert_allclose(
        floats(again["now"]["after"]), floats(kept["now"]["after"]), rtol=1e-4
    )


# Scripts -------------------------------------------------------------------------------------------


def test_the_script_gets_the_whole_distribution_sorted(run: Run) -> None:
    answer = scripts.distribution(run.id, None, "Hello", top_k=3)
    assert answer["step"] == 7
    assert len(answer["tokens"]) == len(models.load(run).tokenizer.pieces)
    before = [token["before"] for token in answer["tokens"]]
    assert before == sorted(before, reverse=True)
    assert sum(before) == pytest.approx(1)
    assert [token["removed_by"] for token in answer["tokens"]][2:4] == [None, "top-k"]
    assert answer["entropy_after"] <= math.log2(3) + 1e-9 < 10
    assert json.loads(json.dumps(answer)) == answer


def test_a_script_and_the_command_line_have_the_same_defaults() -> None:
    given = inspect.signature(scripts.continue_text).parameters
    fields = GenerationSettings.model_fields
    assert {name: given[name].default for name in fields} == {
        name: field.default for name, field in fields.items()
    }


def test_the_script_ends_with_a_tasks_end(task: Run) -> None:
    answer = scripts.continue_text(task.id, None, "42+9=", 200, seed=1)
    ends = [token["piece"] == "<end>" for token in answer["tokens"]]
    assert sum(ends) == (1 if len(ends) < 200 else 0) or ends[-1]
    assert not any(ends[:-1])


# What is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Zoë", ["'Z' (U+005A)", "'ë' (U+00EB)", "reads only", "Hadeg"]),
        ("", ["at least one character"]),
        ("a" * 2_048, ["2048 tokens", "at most 2047"]),
        ("a" * 30_000, ["at most 20000 characters"]),
        (17, ["string"]),
    ],
)
def test_a_prompt_that_cannot_be_is_refused_in_words(
    run: Run, prompt: Any, words: list[str]
) -> None:
    problem = generating.begin(run.id, None, prompt)["error"]
    for word in words:
        assert word in problem
    if prompt:
        with pytest.raises(ValueError):
            scripts.continue_text(run.id, None, prompt)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": -1}, "temperature = -1: must be at least 0"),
        ({"temperature": math.nan}, "temperature"),
        ({"top_p": 0}, "top_p = 0: must be greater than 0"),
        ({"top_k": 2.5}, "top_k = 2.5: must be a whole number"),
        ({"min_p": 7}, "min_p = 7: must be at most 1"),
        ({"seed": -1}, "seed = -1: must be at least 0"),
        ({"seed": 2**31}, "seed = 2147483648: must be less than 2,147,483,648"),
        ({"seed": True}, "seed = True: must be a number"),
        ({"top_k": False}, "top_k = False: must be a number"),
        ({"colour": 1}, "colour = 1: is not the name of a field"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(run: Run, settings: Any, words: str) -> None:
    tokens = [0, 1]
    for answer in (
        generating.begin(run.id, None, None, settings),
        generating.advance(run.id, 7, tokens, settings),
        generating.reweigh(run.id, 7, tokens, settings),
    ):
        assert words in answer["error"]


def test_settings_that_are_no_object_are_refused(run: Run) -> None:
    refused = checks.answer(checks.typed(generating.reweigh))(run.id, 7, [0, 1], [1, 2])
    assert "settings" in refused["error"]


@pytest.mark.parametrize(
    "tokens", [[], [-1], [10_000], ["0"], [True], "0", None, [0] * 2_049, [1.5]]
)
def test_tokens_that_cannot_be_are_refused(run: Run, tokens: Any) -> None:
    assert "tokens must be a list" in generating.reweigh(run.id, 7, tokens)["error"]
    assert "tokens must be a list" in generating.advance(run.id, 7, tokens)["error"]


@pytest.mark.parametrize("token", [-1, 10_000, "e", 1.5, [1]])
def test_a_token_that_cannot_be_is_refused(run: Run, token: Any) -> None:
    assert "token must be" in generating.advance(run.id, 7, [0], None, token)["error"]


@pytest.mark.parametrize("step", [5, -1, 10**15, "7", 1.5, [7]])
def test_a_step_that_is_not_stored_is_refused(run: Run, step: Any) -> None:
    for answer in (generating.begin(run.id, step), generating.advance(run.id, step, [0])):
        assert "step" in answer["error"]


@pytest.mark.parametrize("name", ["nothing", "../..", "", None, 3, ["x"]])
def test_a_run_that_is_not_there_is_refused(name: Any) -> None:
    for answer in (generating.begin(name), generating.checkpoints(name)):
        assert "run" in answer["error"].lower()


def test_a_text_at_its_limit_goes_no_further(run: Run) -> None:
    full = [0] * generating.MAX_TOKENS
    assert "at most 2048" in generating.advance(run.id, 7, full)["error"]
    assert "now" in generating.advance(run.id, 7, full[1:])


def test_a_run_without_checkpoints_says_so(runs: Path) -> None:
    empty = make_run(runs, "new", (), source="copy")
    assert "no checkpoint yet" in generating.begin(empty.id)["error"]
    assert generating.checkpoints(empty.id) == {"steps": []}


def test_the_text_of_a_run_may_be_gone(runs: Path) -> None:
    source = runs / "soon-gone.txt"
    source.write_text(TEXT * 40, encoding="utf-8")
    run = make_run(runs, "gone", (0,), source="text", train_data_path=str(source))
    source.unlink()
    opened = generating.begin(run.id)
    assert opened["examples"] == [opened["pieces"][0]]
    assert opened["right"] is None


def test_unknown_characters_are_named_and_the_known_listed(run: Run) -> None:
    tokenizer = models.load(run).tokenizer
    with pytest.raises(ValueError, match="and 3 more"):
        checks.encode(tokenizer, "ÀÁÂÃÄÅÆÇ")
    assert checks.encode(tokenizer, TEXT) == tokenizer.encode(TEXT)


def test_a_model_with_more_tokens_than_texts_writes_only_those_that_have_one(runs: Path) -> None:
    """As where a vocabulary was padded to a round number."""
    run = make_run(runs, "padded", (1,), source="addition", task_length=2, vocab_size=200)
    known = models.load(run).tokenizer.vocab_size
    assert known < 20
    tokens = generating.begin(run.id, None, "42+9=", {"temperature": 5.0}, None, 15)["tokens"]
    assert max(tokens) < known
    assert len(scripts.continue_text(run.id, None, "4", 15, temperature=5.0)["text"]) > 0
    assert len(scripts.distribution(run.id, None, "4")["tokens"]) <= known


def test_a_request_opens_its_run_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = generating.begin(run.id)["tokens"]
    opened: list[Path] = []
    plain = Run.__init__

    def counted(self: Run, path: Path) -> None:
        opened.append(path)
        plain(self, path)

    monkeypatch.setattr(Run, "__init__", counted)
    for ask in (
        lambda: generating.begin(run.id),
        lambda: generating.advance(run.id, 7, tokens),
        lambda: scripts.continue_text(run.id, None, "Hello", 2),
        lambda: inside.look(run.id),
        lambda: inside.stages(run.id, 7, "Hello", 0, 0, 0),
        lambda: inside.stops(run.id),
    ):
        opened.clear()
        assert "error" not in ask()
        assert opened == [run.path]


def test_the_address_has_the_fields_of_the_sampler_and_their_defaults() -> None:
    """What is not in a link means the same on the page as on the command line."""
    table = (views.ASSETS / "js/page/address.js").read_text("utf-8")
    found = dict(re.findall(r'(\w+): \["gen_\1", number, ([\d.]+)\]', table))
    assert {name: float(default) for name, default in found.items()} == {
        name: field["default"] for name, field in generating.FIELDS.items()
    }
