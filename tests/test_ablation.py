"""The table of an ablation, worked by hand, and which runs belong to it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from engine.ablation import (
    Result,
    compare,
    find_planned,
    make_planned,
    members,
    names,
    results,
    to_csv,
    to_markdown,
)
from engine.config import RunConfig
from engine.events import Ended, Evaluated, Routed, Started, Stepped
from engine.outcomes import Outcome
from engine.runs import Run, RunStore, State
from engine.suites import Planned


def outcome(loss: float | None, state: State = "finished", right: float | None = None) -> Outcome:
    best = None if loss is None else loss - 0.5
    return Outcome(state, 100, loss, best, right, 1_000, 2_000.0)


def give(variant: str, *outcomes: Outcome) -> list[Result]:
    return [Result(variant, seed, each) for seed, each in enumerate(outcomes)]


def test_a_table_worked_by_hand() -> None:
    rows = compare(
        give("base", outcome(1.0), outcome(2.0), outcome(3.0))
        + give("higher", outcome(1.19), outcome(2.2), outcome(3.21))
        + give("alike", outcome(1.1), outcome(2.0), outcome(2.9))
    )
    base, higher, alike = rows
    assert base.final is not None and (base.final.mean, base.final.deviation) == (2.0, 1.0)
    assert base.best is not None and base.best.mean == 1.5
    assert (base.finished, base.parameters, base.difference, base.verdict) == (3, 1_000, None, "")
    assert base.tokens_per_second is not None and base.tokens_per_second.mean == 2_000
    assert higher.difference is not None and higher.difference.mean == pytest.approx(0.2)
    # s = 0.01, t = 4.303: 0.2 ± 4.303 x 0.01 / sqrt(3)
    assert higher.difference.low == pytest.approx(0.17516, abs=1e-5)
    assert (higher.verdict, alike.verdict) == ("worse", "within noise")
    assert compare(give("a", outcome(1.0), outcome(1.0)) + give("b", outcome(0.5), outcome(0.5)))[
        1
    ].verdict == "better"  # fmt: skip


def test_what_did_not_finish_is_counted_and_not_averaged() -> None:
    rows = compare(
        give("base", outcome(1.0), outcome(2.0))
        + give("wild", outcome(9.0, "diverged"), outcome(2.5))
        + give("lost", outcome(None, "diverged"), outcome(None, "failed"))
    )
    _, wild, lost = rows
    assert wild.states == {"diverged": 1, "finished": 1}
    assert wild.final is not None and (wild.final.mean, wild.final.count) == (2.5, 1)
    assert wild.difference is not None and wild.difference.mean == 0.5
    assert wild.verdict == "one seed: no interval"
    assert (lost.final, lost.difference, lost.verdict, lost.finished) == (None, None, "", 0)


def test_the_variant_to_compare_with_is_first_also_where_it_comes_later() -> None:
    rows = compare(give("b", outcome(2.0)) + give("a", outcome(1.0)), "a")
    assert [row.variant for row in rows] == ["a", "b"]
    assert rows[1].difference is not None and rows[1].difference.mean == 1.0
    assert compare([]) == []


def test_other_tokens_are_compared_by_bits_of_a_character() -> None:
    """A token of two characters is harder to guess, and the model may be better all the same."""

    def of_text(loss: float, tokens_of_a_character: float) -> Outcome:
        return replace(outcome(loss), bits=loss * tokens_of_a_character)

    same = give("a", of_text(1.0, 1), of_text(2.0, 1)) + give("b", of_text(1.5, 1))
    assert [row.bits for row in compare(same)] == [None, None]
    rows = compare(
        give("characters", of_text(1.0, 1), of_text(1.2, 1))
        + give("pairs", of_text(1.8, 0.5), of_text(2.0, 0.5))
        + give("lost", outcome(None, "diverged"))
    )
    characters, pairs, lost = rows
    assert characters.bits is not None and characters.bits.mean == pytest.approx(1.1)
    assert pairs.final is not None and pairs.final.mean == pytest.approx(1.9)
    assert pairs.difference is not None and pairs.difference.mean == pytest.approx(-0.15)
    assert lost.bits is None
    text = to_markdown(rows, "mine", "Which?", "")
    assert "| bits a character |" in text and "difference to characters, bits |" in text
    assert "| 0.950 ± 0.071 |" in text
    first = next(csv.DictReader(io.StringIO(to_csv(rows))))
    assert float(first["bits"]) == pytest.approx(1.1)


def test_markdown_and_csv() -> None:
    rows = compare(
        give("base", outcome(1.0, right=0.5), outcome(2.0, right=1.0))
        + give("other", outcome(0.9, right=0.25), outcome(2.1, "diverged"))
    )
    text = to_markdown(rows, "mine", "Does it matter?", "python -m engine train")
    assert text.startswith("# mine\n\nDoes it matter?\n\n    python -m engine train\n\n| variant |")
    assert (
        "| base | 2 | 1.500 ± 0.707 | 1.000 ± 0.707 | 75.0 ± 35.4 % | 1,000 | 2,000 | – |  |"
        in text
    )
    assert "| 1, 1 diverged | 0.900 | 0.400 | 25.0 % | 1,000 | 2,000 | −0.100 | one seed" in text
    base, other = csv.DictReader(io.StringIO(to_csv(rows)))
    assert (base["variant"], base["final"], base["difference"]) == ("base", "1.5", "")
    assert (other["diverged"], other["pairs"], other["within_noise"]) == ("1", "1", "")
    assert "right" not in to_markdown(compare(give("a", outcome(1.0))), "", "", "")
    assert to_csv([]) == "variant\n"


def test_what_only_some_runs_have_has_a_column_of_its_own() -> None:
    mixed = [replace(outcome(1.0), maxvio=value) for value in (2.0, 4.0)]
    rows = compare(give("base", *mixed) + give("other", replace(outcome(1.0), sharpness=0.75)))
    text = to_markdown(rows, "", "", "")
    assert "| best loss | MaxVio | sharpness | parameters |" in text
    assert "| 3.000 ± 1.414 | – | 1,000 |" in text and "| – | 75.0 % | 1,000 |" in text
    base, other = csv.DictReader(io.StringIO(to_csv(rows)))
    assert (base["maxvio"], base["sharpness"], other["sharpness"]) == ("3.0", "", "0.75")


# Runs of a suite


def told(run: Run, loss: float) -> None:
    """Log what a short run says."""
    run.append(
        Started(step=0, parameters=7, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    )
    for step, seconds in ((1, 9.0), (2, 0.5), (3, 0.5)):
        run.append(Stepped(step=step, loss=1, lr=1, grad_norm=1, tokens=step * 40, seconds=seconds))
    run.append(Evaluated(step=2, loss=loss - 0.25))
    run.append(Evaluated(step=3, loss=loss, accuracy=0.5))
    run.append(Ended(step=3, how="finished"))


def test_an_outcome_is_read_from_the_log(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(RunConfig.from_flat({"vocab_size": 10}), "a run")
    new = Outcome.of(run)
    assert (new.state, new.step, new.final_loss, new.tokens_per_second) == ("new", 0, None, None)
    assert new.parameters is not None and new.parameters > 7
    told(run, 1.5)
    assert Outcome.of(run) == Outcome("finished", 3, 1.5, 1.25, 0.5, 7, 80.0)


def test_an_outcome_says_how_even_the_last_batch_was(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(RunConfig.from_flat({"n_experts": 4}), "a run")
    for step, load in ((1, [1.0, 0, 0, 0]), (2, [0.5, 0.5, 0, 0])):
        loads = [[0.25] * 4, load]
        run.append(
            Routed(
                step=step, layers=[0, 1], load=loads, probability=loads, dropped=[0, 0],
                entropy=[1, 1], losses={}, balance_loss=0.0,
            )
        )  # fmt: skip
    assert Outcome.of(run).maxvio == 1  # of the worse layer, in the newest record
    assert Outcome.of(run).idle == 2
    assert Outcome.of(run).sharpness is None


def test_planned_runs_are_made_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    config = RunConfig.from_flat({"total_steps": 100, "warmup_steps": 0})
    plan = [
        Planned("a", config),
        Planned(
            "b", config.model_copy(update={"train": config.train.model_copy(update={"seed": 1})})
        ),
    ]
    store.create(config, "no member")
    assert find_planned(store, "mine", plan) == [None, None]
    made = make_planned(store, "mine", plan)
    again = make_planned(store, "mine", plan)
    assert [run.id for run in again] == [run.id for run in made]
    assert [run.name for run in made] == ["mine: a, seed 0", "mine: b, seed 1"]
    assert names(store.list()) == ["mine"]
    assert {run.id for run in members(store.list(), "mine")} == {run.id for run in made}
    for run, loss in zip(made, (1.0, 2.0), strict=True):
        told(run, loss)
    found = results(members(store.list(), "mine"))
    assert {(each.variant, each.seed, each.outcome.final_loss) for each in found} == {
        ("a", 0, 1.0), ("b", 1, 2.0),
    }  # fmt: skip
    # Changed since: a new run, which is the one that counts.
    longer = config.model_copy(
        update={"train": config.train.model_copy(update={"total_steps": 200})}
    )
    (newer,) = make_planned(store, "mine", [Planned("a", longer)])
    assert newer.id not in {run.id for run in made}
    assert newer.id in {run.id for run in members(store.list(), "mine")}
