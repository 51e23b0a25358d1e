"""What the page says of a run before it starts, and the controls that it is chosen with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.config import PART_OF, RunConfig, fields
from engine.data import SOURCES
from engine.data.text import encode_text
from engine.presets import PRESETS
from engine.runs.store import TEXT_PATH, RunStore
from engine.tokenizers import save_tokenizer
from engine.validation import ConfigError
from playground.hosting import actions
from playground.planning import controls, own_text, plan, sizes
from playground.planning.choice import Choice, Fork, TextFacts, lenient, of_run, read_choice
from playground.planning.offers import offers
from playground.planning.plan import summary
from playground.tabs.train.tab import as_data


def planned(**asked: Any) -> plan.Plan:
    return plan.plan(read_choice(asked))


def test_every_field_has_one_control_or_a_reason_for_none() -> None:
    placed = [
        control["name"]
        for section in controls.layout()
        for group in section["groups"]
        for control in group["controls"]
    ]
    assert len(placed) == len(set(placed))
    assert set(placed) | controls.HIDDEN == set(PART_OF)
    assert not set(placed) & controls.HIDDEN


def test_every_group_has_a_name_of_its_own() -> None:
    names = [group["name"] for section in controls.layout() for group in section["groups"]]
    assert all(names) and len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["n_layer", "optimizer", "n_shared_experts", "source"])
def test_a_field_without_a_place_stands_beside_the_one_declared_before_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a field that somebody adds is found among its own kind."""
    order = [field for _, field, _ in fields() if field not in controls.HIDDEN]
    before = order[order.index(name) - 1]
    without = {
        section: {group: tuple(n for n in names if n != name) for group, names in groups.items()}
        for section, groups in controls.GROUPS.items()
    }
    monkeypatch.setattr(controls, "GROUPS", without)
    groups = [
        [control["name"] for control in group["controls"]]
        for section in controls.layout()
        for group in section["groups"]
    ]
    (group,) = [group for group in groups if name in group]
    if PART_OF[before] == PART_OF[name]:
        assert group.index(name) == group.index(before) + 1


def test_every_source_can_be_chosen() -> None:
    assert {source["value"] for source in controls.sources()} == {*SOURCES, controls.OWN_TEXT}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_started(name: str) -> None:
    made = planned(preset=name)
    assert made.ready, made.problems or made.obstacles
    assert made.name == PRESETS[name].title
    costs = made.costs()
    assert costs is not None and costs["parameters"] and costs["memory"] and costs["flops"]


def test_a_run_is_named_by_what_differs() -> None:
    made = planned(preset="stories", changes={"d_model": 96, "n_layer": 3})
    base = PRESETS["stories"].config().model
    assert (base.d_model, base.n_layer) != (96, 3)
    assert made.name == "Stories · width 96 · 3 blocks"
    lesson = {"n_layer": 12, "placement": "post", "source": "sort"}
    made = planned(preset="reverse", changes=lesson)
    assert made.name == "Reverse · learns from Sort · 12 blocks · post-norm"


def test_what_cannot_be_is_said_of_its_field() -> None:
    made = planned(changes={"d_model": 65, "n_head": 4})
    assert not made.ready and made.costs() is None
    assert [problem.field for problem in made.problems] == ["d_model"]
    assert "multiple of n_head = 4" in summary(made)["problems"]["d_model"]


def test_the_field_that_was_changed_is_at_fault() -> None:
    said = summary(planned(changes={"n_head": 3}))
    assert said["problems"] == {"n_head": "does not fit d_model = 64; 1, 2, 4, 8 do"}
    assert said["remedies"] == {"n_head": 2}
    for heads in (1, 2, 4, 8):
        assert planned(changes={"n_head": heads}).ready
    said = summary(planned(changes={"n_head": 3, "d_model": 64}))
    assert said["problems"]["d_model"].endswith("such as 60, 66")
    for width in (60, 66):  # what an error suggests can be started
        assert planned(changes={"n_head": 3, "d_model": width}).ready


@pytest.mark.parametrize("name", PRESETS)
def test_three_sizes_of_every_preset_can_be_started(name: str) -> None:
    small, medium, large = offers(read_choice({"preset": name}))
    assert [small["name"], medium["name"], large["name"]] == list(sizes.SIZES)
    base = PRESETS[name].config().flat()
    assert medium["values"] == {field: base[field] for field in medium["values"]}
    counts = [size["parameters"] or 0 for size in (small, medium, large)]
    assert 0 < 2 * counts[0] < counts[1] < counts[2] / 2
    for size in (small, medium, large):
        made = planned(preset=name, changes=size["values"])
        title = PRESETS[name].title
        assert made.name == (title if size is medium else f"{title} · {size['name']}")
        assert size["ready"] and made.ready, made.problems
        costs = made.costs()
        assert costs is not None and costs["parameters"] == size["parameters"]


def test_the_name_says_the_size_and_what_else_was_chosen() -> None:
    large = sizes.values(PRESETS["stories"], "L")
    assert planned(changes=large | {"n_layer": 3}).name == "Stories · L · 3 blocks"
    assert planned(changes=large | {"max_lr": 0.002}).name.startswith("Stories · width 128")


def test_a_size_keeps_what_else_was_chosen() -> None:
    choice = read_choice({"changes": {"n_layer": 4, "d_model": 96}})
    costs = [size["parameters"] for size in offers(choice)]
    for size, cost in zip(offers(choice), costs, strict=True):
        made = planned(changes={"n_layer": 4} | size["values"]).costs()
        assert made is not None and made["parameters"] == cost


def test_a_run_that_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planned().ready
    little = psutil.virtual_memory()._replace(available=10_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    made = planned()
    assert not made.ready and "10 MB" in made.obstacles[0]


def test_every_condition_names_a_control_and_what_it_can_be() -> None:
    for name, needs in controls.ONLY_WITH.items():
        assert name in controls.CONTROLS
        for need in needs:
            other = controls.CONTROLS[need.field]
            assert (need.above is None) == bool(need.among), name
            if other.kind == "choice":
                assert set(need.among) < set(other.choices), name
            elif need.above is not None:
                assert other.kind == "number", name


EXPERT_FIELDS = {
    name
    for group in ("Experts", "Balancing")
    for section in controls.GROUPS.values()
    for name in section.get(group, ())
}


def test_a_dense_model_has_no_controls_of_experts_but_their_number() -> None:
    waiting = {name for name, needs in controls.ONLY_WITH.items() if controls.EXPERTS in needs}
    assert waiting == EXPERT_FIELDS - {"n_experts"}
    assert controls.CONTROLS["n_experts"].empty == "dense"
    assert controls.CONTROLS["renormalise"].choices == (None, True, False)
    assert controls.CONTROLS["tokenizer"].choices == (None, "char", "word", "byte", "bpe")


def test_costs_of_experts_are_told_apart() -> None:
    dense, mixture = planned(preset="stories").costs(), planned(preset="experts").costs()
    assert dense is not None and dense["active"] is None
    assert mixture is not None
    active, total = mixture["active"], mixture["parameters"]
    assert active is not None and total is not None and 0 < active < total


def test_what_cannot_be_comes_with_what_can() -> None:
    def remedies(**changes: Any) -> dict[str, Any]:
        return summary(planned(changes=changes))["remedies"]

    assert remedies(n_experts=8, router="switch") == {"top_k": 1}
    assert remedies(n_experts=2, top_k=3) == {"top_k": 2}
    assert remedies(n_experts=8, n_device=3) == {"n_device": 2}
    assert remedies(moe_layer_indices=[1]) == {"moe_layer_indices": None}
    assert remedies(n_experts=8, top_k=1, renormalise=True) == {"renormalise": None}
    assert remedies(d_model=65, max_lr=20) == {"d_model": 64, "max_lr": 0.01}
    assert remedies() == {} == remedies(d_modle=3)
    for far in (10**400, float("inf"), -(10**400)):
        assert remedies(max_lr=far)["max_lr"] > 0


@pytest.mark.parametrize("blocks", [[1, 3], "1,3", "1, 3"])
def test_a_list_of_blocks_comes_from_links_scripts_and_runs(blocks: object, tmp_path: Path) -> None:
    asked = {"preset": "experts", "changes": {"n_layer": 4, "moe_layer_indices": blocks}}
    choice = lenient(read_choice(asked))
    made = plan.plan(choice)
    assert made.ready and made.config is not None and not choice.refused
    assert made.config.model.moe_layers == (1, 3)
    assert made.name.endswith("blocks with experts 2 and 4")
    assert "--moe_layer_indices 1,3" in (made.command() or "")
    run = RunStore(tmp_path).create(made.config, "x")
    sent = json.loads(json.dumps(as_data(of_run(run))))  # as the browser gets it, and sends it back
    again = plan.plan(read_choice(sent))
    assert again.config == made.config
    forked = plan.plan(
        Choice(choice.preset, choice.changes | {"moe_layer_indices": "0"}, Fork(run, 1))
    )
    assert summary(forked)["problems"]["moe_layer_indices"].startswith("must stay 1,3")


def test_a_text_of_ones_own() -> None:
    asked = {"changes": {"source": "text", "max_seq_len": 64}}
    assert not planned(**asked).ready
    enough = {"characters": 2_000, "vocabulary": 31}
    made = planned(**asked, text=enough)
    assert made.ready and made.vocabulary == 31 and made.name == "Own text · context 64"
    assert "train_data_path" not in made.name
    assert not planned(**asked, text={"characters": 40, "vocabulary": 9}).ready
    assert not planned(**asked, text={"characters": 2_000_000, "vocabulary": 9}).ready


@pytest.mark.parametrize(
    ("changes", "vocabulary"),
    [
        ({}, 8), ({"tokenizer": "byte"}, 256), ({"tokenizer": "bpe"}, 1_000),
        ({"tokenizer": "bpe", "tokenizer_size": 300}, 300), ({"tokenizer": "word"}, 8 + 4),
        ({"tokenizer": "word", "tokenizer_size": 11}, 11),
    ],
)  # fmt: skip
def test_a_text_of_ones_own_in_other_tokens(changes: dict[str, Any], vocabulary: int) -> None:
    text = "to be or not to be, or not " * 40
    facts = TextFacts.of(text)
    assert facts == TextFacts(len(text), 8, 4, len(text))
    choice = {"source": "text", "max_seq_len": 16} | changes
    made = planned(changes=choice, text=asdict(facts))
    assert made.ready and made.vocabulary == vocabulary and made.costs()
    config = made.config
    assert config is not None and controls.matters("tokenizer", config)
    sized = config.data.tokenizer in ("word", "bpe")
    assert controls.matters("tokenizer_size", config) == sized
    assert planned(changes=choice).vocabulary in (vocabulary, own_text.UNKNOWN_VOCABULARY)


def test_a_vocabulary_that_cannot_be_is_said_of_its_field() -> None:
    def said(**changes: Any) -> dict[str, str]:
        facts = {"characters": 2_000, "vocabulary": 31}
        return summary(planned(changes={"source": "text"} | changes, text=facts))["problems"]

    assert (
        "at least 31, one for each" in said(tokenizer="word", tokenizer_size=30)["tokenizer_size"]
    )
    assert "must be empty for characters" in said(tokenizer_size=500)["tokenizer_size"]
    assert "at least 256 with 'bpe'" in said(tokenizer="bpe", tokenizer_size=200)["tokenizer_size"]
    small = {"source": "stories", "tokenizer": "word", "tokenizer_size": 10}
    assert "at least 56" in summary(planned(changes=small))["problems"]["tokenizer_size"]
    too_short = {"source": "text", "tokenizer": "byte", "max_seq_len": 1_024}
    facts = {"characters": 400, "vocabulary": 9, "bytes": 1_000}
    assert "1,000 bytes" in planned(changes=too_short, text=facts).obstacles[0]
    auto = summary(planned(changes={"tokenizer": "bpe"}))["auto"]
    assert (auto["tokenizer"], auto["tokenizer_size"]) == ("char", 1_000)


def test_a_fork_must_keep_its_tokens(tmp_path: Path) -> None:
    text = "to be or not to be, or not " * 40
    config = RunConfig.from_flat(
        {"source": "text", "train_data_path": TEXT_PATH, "tokenizer": "word", "max_seq_len": 16}
    )
    run = RunStore(tmp_path).create(config, "x", text=text)
    save_tokenizer(encode_text(text, config.data).tokenizer, run.tokenizer_path)

    def problems(**changes: Any) -> set[str]:
        choice = of_run(run)
        made = plan.plan(Choice(choice.preset, choice.changes | changes, Fork(run, 1)))
        return {problem.field for problem in made.problems}

    assert problems() == set() == problems(valid_fraction=0.2) == problems(max_lr=0.001)
    assert problems(tokenizer="bpe") == {"tokenizer"}
    assert problems(tokenizer_size=10) == {"tokenizer_size"}
    assert problems(valid_fraction=0.99) == {"valid_fraction"}, "there are other words"
    assert problems(source="stories") == {"source"}


@pytest.mark.parametrize("field", sorted(controls.HIDDEN))
def test_no_visitor_chooses_a_path_on_the_server(field: str) -> None:
    choice = read_choice({"changes": {field: "/etc/passwd", "source": "text"}})
    assert choice.changes == {"source": "text"}
    assert choice.refused[0].field == field
    assert choice.values()["train_data_path"] == "data/text.txt"


@pytest.mark.parametrize(
    "asked",
    [
        None, 7, "x", [], {"preset": 7}, {"preset": {"a": 1}}, {"changes": [1]}, {"changes": {"": 1}},
        {"changes": {"d_model": {"a": 1}}}, {"changes": {"d_model": "x" * 1000}}, {"changes": {"d_model": "9" * 90}},
        {"changes": {"seed": float("nan")}}, {"changes": {"max_lr": float("inf")}}, {"changes": {"d_model": -1}},
        {"text": {"characters": -1, "vocabulary": "x"}}, {"fork": {"run": "../..", "step": 1}},
        {"fork": {"run": 1, "step": []}}, {"fork": "x"}, {"changes": {"moe_layer_indices": [[1]]}},
        {"changes": {"moe_layer_indices": [1] * 9999}}, {"changes": {"d_model": [1]}},
        {"changes": {"n_experts": 4, "moe_layer_indices": ["1", None]}}, {"changes": {"d_model": 10**400}},
    ],
)  # fmt: skip
def test_nothing_that_is_sent_can_break_it(asked: Any) -> None:
    for choice in (read_choice(asked), lenient(read_choice(asked))):
        summary(plan.plan(choice))


def test_a_link_keeps_what_can_be_understood() -> None:
    changes = {
        "d_model": "96",
        "max_lr": "1e-3",
        "d_ff": "",
        "seed": "<b>",
        "bias": "true",
        "nonsense": "1",
    }
    choice = lenient(read_choice({"preset": "nope", "changes": changes}))
    assert choice.changes == {"d_model": 96, "max_lr": 1e-3, "bias": True}
    assert {problem.field for problem in choice.refused} == {"preset", "seed", "nonsense"}
    assert plan.plan(choice).ready


def test_a_link_that_contradicts_itself_falls_back() -> None:
    choice = lenient(read_choice({"changes": {"n_head": "3"}}))
    assert choice.changes == {}
    assert [problem.field for problem in choice.refused] == ["n_head"]


def test_a_runs_configuration_comes_back_into_the_form(tmp_path: Path) -> None:
    base = PRESETS["addition"].config()
    config = RunConfig.from_flat(base.changes() | {"d_model": 32, "n_head": 2, "total_steps": 77})
    choice = of_run(RunStore(tmp_path).create(config, "x"))
    assert choice.preset.name == "addition"
    assert RunConfig.from_flat(choice.values()) == config


def test_facts_of_a_text_come_with_the_choice() -> None:
    assert read_choice({"text": {"characters": 5, "vocabulary": 3}}).text == TextFacts(5, 3)
    assert isinstance(read_choice({}), Choice)


@pytest.mark.case("R7")
@pytest.mark.parametrize(
    ("asked", "field", "allowed"),
    [
        ("x", "choice", "must be an object"),
        (7, "choice", "must be an object"),
        ([], "choice", "must be an object"),
        (None, "choice", "must be an object"),
        ({"presett": "copy"}, "presett", "there are preset, changes, fork, text, link"),
        ({"preset": 0}, "preset", "is not the name of a preset"),
        ({"preset": []}, "preset", "is not the name of a preset"),
        ({"changes": []}, "changes", "must be an object"),
        ({"changes": "d_model=8"}, "changes", "must be an object"),
        ({"changes": {"d_modell": 8}}, "d_modell", "is not the name of a field"),
        ({"changes": {str(n): 1 for n in range(101)}}, "changes", "at most 100 fields"),
        ({"fork": []}, "fork", "must be an object"),
        ({"fork": {"run": "stories", "step": 1, "at": 2}}, "at", "there are run, step, name"),
        ({"fork": {"run": "stories", "step": True}}, "fork", "is not a run and a step"),
        ({"text": "my own text"}, "text", "must be an object, with characters, vocabulary, words, bytes"),
        ({"text": {"letters": 5}}, "letters", "there are characters, vocabulary, words, bytes"),
        ({"text": {"characters": "5", "vocabulary": 3}}, "text", "must be counts"),
    ],
)  # fmt: skip
def test_a_script_that_asks_for_what_is_not_understood_starts_nothing(
    asked: Any, field: str, allowed: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        actions.understood(asked)
    found = {problem.field: problem.allowed for problem in refused.value.problems}
    assert allowed in found[field]


@pytest.mark.case("R7")
@pytest.mark.parametrize(
    "asked",
    [{}, {"preset": "copy"}, {"changes": {"source": "stories"}}, {"fork": {"run": "stories", "step": 5_000}}],
)  # fmt: skip
def test_a_text_that_nothing_reads_is_not_ignored(asked: Any) -> None:
    with pytest.raises(ConfigError, match="is read only with the source 'text'"):
        actions.understood(asked, "my own text")
    assert actions.understood({"changes": {"source": "text"}}, "my own text").text is not None
