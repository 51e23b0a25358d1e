"""Experts, the server's side: true numbers, and a clear sentence for whatever else is sent."""

from __future__ import annotations

import base64
import gc
import json
import math
import shutil
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import RunConfig
from engine.estimate import flops_per_step
from engine.inspection.specialisation import CLASSES
from engine.model.routing import coactivation
from engine.runs.events import (
    BALANCE,
    Change,
    Changed,
    Ended,
    Message,
    Routed,
    Saved,
    Started,
    Stepped,
)
from engine.runs.store import TEXT_PATH, Run, RunStore
from engine.training.driver import drive
from playground.access import visitors
from playground.hosting import processes, run_queue
from playground.runs import models, run_lookup
from playground.tabs.experts import expert_routing
from playground.tabs.experts import server as experts
from tests.tools.visits import visit

pytestmark = pytest.mark.usefixtures("learners_runs")

SMALL = {
    "d_model": 16, "n_layer": 3, "n_head": 2, "max_seq_len": 32, "batch_size": 2, "n_experts": 4,
    "top_k": 2, "moe_layer_indices": (0, 2), "total_steps": 6, "eval_interval": 3,
    "save_interval": 3, "probe_interval": 2, "sample_interval": 0, "warmup_steps": 0, "threads": 1,
    "device": "cpu",
}  # fmt: skip


def make_run(runs: Path, name: str = "a small run", **fields: Any) -> Run:
    return RunStore(runs).create(RunConfig.from_flat(SMALL | fields), name)


@pytest.fixture(scope="module")
def run(runs: Path) -> Run:
    made = make_run(runs)
    drive(made)
    return made


@pytest.fixture(scope="module")
def dense(runs: Path) -> Run:
    return make_run(runs, "dense", n_experts=None, moe_layer_indices=None)


def imported(runs: Path, of: Run, **fields: Any) -> Run:
    """A run with weights alone, as an import makes it: these, whatever else is configured."""

    def fill(new: Path) -> None:
        shutil.copy(of.tokenizer_path, new)
        (new / "step-000000").mkdir()
        for name in ("model.safetensors", "state.json"):
            shutil.copy(of.checkpoint_path(0) / name, new / "step-000000")

    config = RunConfig.from_flat(SMALL | fields)
    made = RunStore(runs).create(config, "imported", fill=fill)
    made.append(Saved(step=0, name="step-000000"))
    made.append(Ended(how="stopped", step=0, reason="It was imported: weights alone."))
    return made


def array(text: str, kind: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)


def routed(of: Run) -> list[Routed]:
    return [event for event in of.history() if isinstance(event, Routed)]


# A run's log -------------------------------------------------------------------------------------


def test_follow_tells_what_was_routed(run: Run) -> None:
    answer = experts.follow(run.id, 0)
    told, records = answer["routed"], routed(run)
    count = told["count"]
    assert count == len(records) == 6
    assert array(told["step"], "<f8", count).tolist() == [record.step for record in records]
    load = array(told["load"], "<u2", count, 2, 4) / 65535
    assert load == pytest.approx(np.array([record.load for record in records]), abs=2e-5)
    probability = array(told["probability"], "<u2", count, 2, 4) / 65535
    assert probability == pytest.approx(np.array([r.probability for r in records]), abs=2e-5)
    entropy = array(told["entropy"], "<f4", count, 2)
    assert entropy == pytest.approx(np.array([record.entropy for record in records]))
    assert (entropy <= math.log(4)).all()
    assert array(told["dropped"], "<f4", count, 2).tolist() == [[0, 0]] * 6
    assert answer["probes"] == [0, 2, 4, 6] and answer["saved"] == [0, 3, 6]
    assert [step for step, *_ in answer["evaluated"]] == [0, 3, 6]
    assert array(answer["columns"]["step"], "<f8", 6).tolist() == [1, 2, 3, 4, 5, 6]
    status = {"state": "finished", "step": 6, "total_steps": 6, "tunable": False, "goes_on": False}
    assert status.items() <= answer["status"].items()
    json.dumps(answer)
    again = experts.follow(run.id, answer["offset"])
    assert again["routed"]["count"] == 0 and "about" not in again


def test_about_names_what_the_view_needs(run: Run) -> None:
    about = experts.follow(run.id, 0)["about"]
    assert about["layers"] == [0, 2] and about["experts"] == 4 and about["top_k"] == 2
    assert about["balance"]["switch_loss"] == 0.01
    assert about["flops"] == flops_per_step(run.config, about_vocabulary(run))
    assert about["active"] < about["parameters"]
    names = [control["name"] for control in about["controls"]]
    assert names == [n for n in BALANCE if n not in ("device_loss", "communication_loss")]
    switch = next(c for c in about["controls"] if c["name"] == "switch_loss")
    assert list(switch["stops"]) == [0.0, 0.001, 0.01, 0.1, 1.0]


def about_vocabulary(run: Run) -> int:
    return models.load(run).tokenizer.vocab_size


def test_controls_are_those_that_matter() -> None:
    grouped = RunConfig.from_flat(SMALL | {"n_device": 2})
    assert [each.name for each in experts.balance_controls(grouped)] == list(BALANCE)
    chosen = RunConfig.from_flat(SMALL | {"router": "expert_choice"})
    assert "bias_rate" not in [each.name for each in experts.balance_controls(chosen)]


def record(step: int, load: list[list[float]]) -> Routed:
    return Routed(
        step=step, layers=[0, 2], load=load, probability=load, dropped=[0.0, 0.25],
        entropy=[1.0, 1.0], losses={}, balance_loss=0.0,
    )  # fmt: skip


EVEN = [[0.25] * 4, [0.25] * 4]


def test_a_resumed_run_repeats_and_is_cut(runs: Path) -> None:
    started = {"parameters": 1, "device": "cpu", "dtype": "fp32", "threads": 1, "train_tokens": 1}
    step = {"loss": 1.0, "lr": 0.1, "grad_norm": 1.0, "tokens": 1, "seconds": 0.1}
    made = make_run(runs, "resumed")
    told: list[Message] = [
        *[message for i in range(1, 5) for message in (record(i, EVEN), Stepped(step=i, **step))],
        Changed(step=4, field="switch_loss", value=0.1),
        Started(step=2, **started),
        record(3, EVEN),
    ]
    for event in told:
        made.append(event)
    answer = experts.follow(made.id, 0)
    assert answer["cut"] == 2 and [note["kind"] for note in answer["notes"]] == ["started"]
    assert array(answer["routed"]["step"], "<f8", 3).tolist() == [1, 2, 3]
    assert array(answer["columns"]["step"], "<f8", 2).tolist() == [1, 2]


@pytest.mark.parametrize(
    "broken",
    [
        {"load": EVEN[:1]}, {"load": [[0.25] * 3] * 2}, {"entropy": [1.0]}, {"dropped": []},
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_left_out(broken: dict[str, Any]) -> None:
    bad = replace(record(2, EVEN), **broken)
    answer = experts.records([record(1, EVEN), bad], RunConfig.from_flat(SMALL))
    assert answer["count"] == 1


def test_only_nothing_is_nothing() -> None:
    tiny = [[1 - 3e-6, 1e-6, 2e-6, 0.0]] * 2
    load = array(
        experts.records([record(1, tiny)], RunConfig.from_flat(SMALL))["load"], "<u2", 2, 4
    )
    assert (load[:, :3] > 0).all() and (load[:, 3] == 0).all()


def test_a_long_log_is_thinned_and_keeps_its_ends() -> None:
    many = [record(i, EVEN) for i in range(1, 1301)]
    answer = experts.records(many, RunConfig.from_flat(SMALL))
    steps = array(answer["step"], "<f8", answer["count"])
    assert answer["count"] == experts.MAX_RECORDS
    assert steps[0] == 1 and steps[-1] == 1300


def test_a_large_model_is_answered_in_parts(runs: Path) -> None:
    wide = make_run(runs, "16 x 64", n_layer=16, moe_layer_indices=None, n_experts=64)
    load = [[round(1 / 64, 5)] * 64] * 16
    for step in range(1, 101):
        wide.append(
            Routed(
                step=step, layers=list(range(16)), load=load, probability=load, dropped=[0.0] * 16,
                entropy=[1.0] * 16, losses={}, balance_loss=0.0,
            )
        )  # fmt: skip
    offset, counts, more = 0, [], True
    while more:
        answer = experts.follow(wide.id, offset)
        counts.append(answer["routed"]["count"])
        offset, more = answer["offset"], answer["more"]
    assert sum(counts) == 100 and len(counts) > 1


def test_own_texts_are_told_apart(runs: Path) -> None:
    config = RunConfig.from_flat(SMALL)
    texts = ("the cat sat " * 30, "the cat sat " * 30, "the cat ate " * 30)
    made = [RunStore(runs).create(config, "own text", text=text) for text in texts]
    one, same, other = (experts.about(each)["data"] for each in made)
    assert one == same != other


# Without records -----------------------------------------------------------------------------------


def test_an_imported_run_is_routed_and_goes_no_further(runs: Path, run: Run) -> None:
    made = imported(runs, run)
    answer = experts.follow(made.id, 0)
    assert answer["routed"]["count"] == 0 and answer["saved"] == [0]
    assert answer["status"]["state"] == "stopped" and not answer["status"]["goes_on"]
    shown = expert_routing.look(made.id, None, None)
    assert shown["step"] == 0 and shown["pieces"] and not shown["recorded"]
    assert expert_routing.look(run.id, None, None)["recorded"]
    assert sum(map(len, expert_routing.specialise(made.id, None)["table"]))


def test_kinds_are_not_counted_with_the_tokens_of_another_model(runs: Path, run: Run) -> None:
    # a task's few tokens all have a place in the model's vocabulary, and mean others there
    made = imported(runs, run, source="addition", vocab_size=about_vocabulary(run))
    assert "other tokens than the model" in expert_routing.specialise(made.id, None)["error"]


# A dense run ---------------------------------------------------------------------------------------


def test_a_dense_run_says_so_and_names_another(
    dense: Run, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lookup, "shipped", lambda: [dense, run])
    about = experts.follow(dense.id, 0)["about"]
    assert about["experts"] is None and about["instead"] == run.id
    monkeypatch.setattr(run_lookup, "shipped", lambda: [dense])
    about = experts.follow(dense.id, 0)["about"]
    assert about["instead"] is None and about["start"].startswith("?")
    assert "no experts" in expert_routing.look(dense.id, None, None)["error"]
    assert "no experts" in expert_routing.specialise(dense.id, None)["error"]


# One text ----------------------------------------------------------------------------------------


def test_the_recorded_text_at_any_recorded_step(run: Run) -> None:
    answer = expert_routing.look(run.id, 5, None)
    assert answer["step"] in (4, 6) and len(answer["pieces"]) == 32
    routing = array(answer["routing"], "u1", 2, 2, 32, 4)
    probability, gates = routing.astype(int)
    assert (abs(probability.sum(-1) - 255) <= 4).all()
    assert ((gates > 0).sum(-1) == 2).all()
    strongest = np.take_along_axis(probability, gates.argmax(-1)[..., None], -1)[..., 0]
    assert (strongest == probability.max(-1)).all()
    assert expert_routing.look(run.id, None, None)["step"] == 6


def test_any_text_at_the_nearest_checkpoint(run: Run) -> None:
    answer = expert_routing.look(run.id, 4, "the cat")
    assert answer["step"] == 3 and answer["stored"] and answer["pieces"] == list("the cat")
    expected = models.load(run, 3)
    gates = array(answer["routing"], "u1", 2, 2, 7, 4)[1]
    ids = expected.tokenizer.encode("the cat")
    import torch

    record = expected.model.run(torch.tensor([ids])).routing[1]
    assert ((gates[1] > 0) == record.chosen[0].numpy()).all()
    long = expert_routing.look(run.id, None, "a" * 50)
    assert len(long["pieces"]) == 32 and long["rest"] == "a" * 18


def test_a_recorded_text_equals_its_forward_pass(run: Run) -> None:
    recorded = expert_routing.look(run.id, 6, None)
    forward = expert_routing.look(run.id, 6, "".join(recorded["pieces"]))
    shape = (2, 2, 32, 4)
    difference = array(recorded["routing"], "u1", *shape).astype(int) - array(
        forward["routing"], "u1", *shape
    )
    assert abs(difference).max() <= 1


# Kinds of tokens -----------------------------------------------------------------------------------


def test_specialise_counts_held_out_tokens(run: Run) -> None:
    answer = expert_routing.specialise(run.id, 4)
    assert answer["step"] == 3 and tuple(answer["classes"]) == CLASSES
    tables, baselines = np.array(answer["table"]), np.array(answer["baseline"])
    assert tables.shape == baselines.shape == (2, len(CLASSES), 4)
    assert tables.sum() == 2 * 2 * answer["tokens"]  # layers, experts for each token
    assert (tables.sum(2) == baselines.sum(2)).all(), "shuffling moves kinds, it loses none"
    assert (tables.sum(1) == baselines.sum(1)).all()
    assert all(b < 0.05 for b in answer["chance"])
    together = array(answer["together"], "<f4", 2, 4, 4)
    import torch

    tokens = torch.from_numpy(expert_routing._held_out(run.path)[0])
    record = models.load(run, 3).model.run(tokens).routing[0]
    assert together[0] == pytest.approx(coactivation(record.chosen).float().numpy())
    assert expert_routing.specialise(run.id, 3) is answer, "it is not counted again"


def test_a_kept_answer_keeps_no_model(run: Run) -> None:
    expert_routing._specialised.cache_clear()
    answer = expert_routing.specialise(run.id, 3)
    model = weakref.ref(models.load(run, 3).model)
    models._models.clear()
    gc.collect()
    assert model() is None
    assert expert_routing.specialise(run.id, 3) == answer


def test_accumulated_batches_count_no_less(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    for name, accumulated in (("one batch", 1), ("eight", 8)):
        made = make_run(runs, name, vocab_size=200, gradient_accumulation=accumulated)
        monkeypatch.setattr(
            expert_routing, "SAMPLE_FLOPS", flops_per_step(made.config, 200) / accumulated
        )
        rows.append(len(expert_routing._held_out(made.path)[0]))
    assert rows[0] == rows[1] > 1


# Acting on runs --------------------------------------------------------------------------------------


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs that count as being trained, without any process."""
    alive: list[str] = []
    monkeypatch.setattr(processes, "training", lambda: alive)
    monkeypatch.setattr(run_queue, "start", lambda run, replacing=None: alive.append(run.id))
    return alive


def changes(of: Run) -> dict[str, float]:
    return {c.field: c.value for c, _ in of.commands()[0] if isinstance(c, Change)}


def test_balance_tells_a_running_run(runs: Path, training: list[str]) -> None:
    made = make_run(runs, "running")
    training.append(made.id)
    assert experts.balance(made.id, {"switch_loss": 0.1}) == {}
    assert changes(made) == {"switch_loss": 0.1}
    experts.balance(made.id, "bias")
    balancing = [name for name in BALANCE if name != "z_loss"]
    assert changes(made) == {name: 0.01 if name == "bias_rate" else 0.0 for name in balancing}
    experts.balance(made.id, "off")
    assert changes(made) == dict.fromkeys(balancing, 0.0), "the z loss balances nothing"


@pytest.mark.parametrize("asked", [None, [], {}, "on", {"d_model": 8}, {"switch_loss": "x"}, 3])
def test_balance_refuses_in_a_sentence(runs: Path, training: list[str], asked: object) -> None:
    made = make_run(runs, "refusing")
    training.append(made.id)
    assert "error" in experts.balance(made.id, asked)
    assert changes(made) == {}


def test_balance_refuses_a_run_that_does_not_train(run: Run) -> None:
    assert "not being trained" in experts.balance(run.id, "off")["error"]


def test_a_pair_differs_in_balancing_alone(runs: Path, training: list[str]) -> None:
    made = make_run(runs, "to compare", switch_loss=0.0, z_loss=0.001)
    one, other = experts.start_pair(made.id)
    assert training == [one.id, other.id]
    assert one.config.differences(made.config) == {"switch_loss": 0.01}
    assert other.config.differences(one.config) == {"switch_loss": 0.0}
    assert one.config.train.z_loss == other.config.train.z_loss == 0.001
    assert one.config.train.seed == other.config.train.seed
    assert one.name.startswith("balance on") and other.name.startswith("balance off")


@pytest.mark.case("F16")
def test_a_pair_whose_text_is_gone_is_not_started(
    runs: Path, training: list[str], tmp_path: Path
) -> None:
    """A run's own text, in its folder or elsewhere: the refusal comes before there is a run."""
    elsewhere = tmp_path / "own.txt"
    elsewhere.write_text("The fox said: a good day.\n" * 20, encoding="utf-8")
    given = {"source": "text", "train_data_path": str(elsewhere)}
    inside = RunConfig.from_flat(SMALL | {"source": "text", "train_data_path": TEXT_PATH})
    made = [
        make_run(runs, "of a file", **given),
        RunStore(runs).create(inside, "of its own", text=elsewhere.read_text("utf-8")),
    ]
    for each in made:
        pair = experts.start_pair(each.id)
        assert training[-2:] == [run.id for run in pair]
    elsewhere.unlink()
    (made[1].path / TEXT_PATH).unlink()
    before = len(RunStore(runs).list())
    for each in made:
        with pytest.raises(ValueError, match="does not exist"):
            experts.start_pair(each.id)
    assert len(RunStore(runs).list()) == before and len(training) == 4


def test_a_pair_keeps_how_a_run_balances() -> None:
    given = {"switch_loss": 0.0, "bias_rate": 0.001}
    kept = experts.balanced(RunConfig.from_flat(SMALL | given))
    assert {name: kept[name] for name in given} == given


def test_a_pair_needs_two_places(
    runs: Path, training: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_run(runs, "no room")
    training.append(make_run(runs, "another").id)
    monkeypatch.setenv("TP_MAX_EACH", "2")
    with visit(visitors.token()) as visitor:
        monkeypatch.setitem(processes.registry().owners, training[0], visitor)
        with pytest.raises(ValueError, match="1 of yours train or wait"):
            experts.start_pair(made.id)
    monkeypatch.setenv("TP_MAX_RUNS", "1")
    with pytest.raises(ValueError, match="trains one run at a time"):
        experts.start_pair(made.id)
    hashed = make_run(runs, "hashed", router="hash")
    with pytest.raises(ValueError, match="Balancing has no effect"):
        experts.start_pair(hashed.id)


@pytest.mark.parametrize(
    "problem", [run_queue.TooManyRuns("no room for it"), OSError("no room for it")]
)
def test_half_a_pair_does_not_train_on(
    runs: Path, training: list[str], monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    made = make_run(runs, "half")

    def start(run: Run, replacing: str | None = None) -> None:
        if training:
            raise problem
        training.append(run.id)

    monkeypatch.setattr(run_queue, "start", start)
    before = {run.id for run in RunStore(runs).list()}
    with pytest.raises(type(problem), match="no room for it"):
        experts.start_pair(made.id)
    assert {run.id for run in RunStore(runs).list()} == before | set(training)
    assert [command.type for command, _ in run_lookup.find(training[0]).commands()[0]] == ["stop"]


def test_runs_to_compare_with(run: Run, dense: Run) -> None:
    listed = experts.runs([run.id, dense.id, "nonsense"])
    assert [(entry["id"], entry["experts"]) for entry in listed["own"]] == [
        (run.id, 4),
        (dense.id, None),
    ]


# Whatever else is sent ------------------------------------------------------------------------------


@pytest.mark.parametrize("run_id", [None, 3, "", "../x", "a" * 100, [], {}])
def test_a_run_that_is_none_is_a_sentence(run_id: Any) -> None:
    for answer in (
        experts.follow(run_id, 0),
        expert_routing.look(run_id, None, None),
        expert_routing.specialise(run_id, None),
        experts.balance(run_id, "off"),
    ):
        assert set(answer) == {"error"} and answer["error"]


@pytest.mark.parametrize("step", [-1, 1.5, "3", True, 10**13, [1]])
def test_a_step_that_is_none_is_a_sentence(run: Run, step: Any) -> None:
    assert "error" in expert_routing.look(run.id, step, None)
    assert "error" in expert_routing.specialise(run.id, step)
    assert "error" in experts.follow(run.id, step if step != 10**13 else 2**54)


@pytest.mark.parametrize("text", ["", "żółw", "a" * 30_000, 3, ["a"]])
def test_a_text_that_cannot_be_routed_is_a_sentence(run: Run, text: Any) -> None:
    assert "error" in expert_routing.look(run.id, None, text)


def test_a_run_that_has_not_started_says_so(runs: Path) -> None:
    made = make_run(runs, "not started")
    answer = experts.follow(made.id, 0)
    assert answer["routed"]["count"] == 0 and answer["about"]["flops"] is None
    assert "has no recording yet" in expert_routing.look(made.id, None, None)["error"]
    assert "error" in expert_routing.specialise(made.id, None)
