"""Ablation tables against values computed by hand, and the runs that belong to a suite."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from engine.ablation.comparison import (
    Result,
    compare,
    find_planned,
    make_planned,
    results,
    runs_of_suite,
    suite_names,
    to_csv,
    to_markdown,
)
from engine.ablation.significance import Difference
from engine.ablation.suites import PlannedRun
from engine.config import RunConfig
from engine.runs.events import Ended, Evaluated, Routed, Started, Stepped
from engine.runs.store import Run, RunStore, State
from engine.runs.summary import Outcome, curve


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
    """Losses per token are not comparable: a two-character token is harder to predict."""

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
    assert "| bits per character |" in text and "difference to characters, bits |" in text
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
        "| base | 2 | 1.500 ± 0.707 | 1.000 ± 0.707 | 75.0 ± 35.4% | 1,000 | 2,000 | – |  |" in text
    )
    assert "| 1, 1 diverged | 0.900 | 0.400 | 25.0% | 1,000 | 2,000 | −0.100 | one seed" in text
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
    assert "| 3.000 ± 1.414 | – | 1,000 |" in text and "| – | 75.0% | 1,000 |" in text
    base, other = csv.DictReader(io.StringIO(to_csv(rows)))
    assert (base["maxvio"], base["sharpness"], other["sharpness"]) == ("3.0", "", "0.75")


def timed(*points: tuple[float, float]) -> Outcome:
    """An outcome with a curve of (processor seconds, loss)."""
    return replace(outcome(points[-1][1]), curve=points)


def test_variants_are_compared_after_equal_processor_seconds() -> None:
    base = give("base", timed((0, 4.0), (10, 2.0)), timed((0, 4.0), (10, 2.2)))
    slow = give("slow", timed((0, 4.0), (10, 3.0), (20, 1.0)), timed((0, 4.0), (8, 3.2), (16, 1.0)))
    fast = give("fast", timed((0, 4.0), (5, 2.5)), timed((0, 4.0), (5, 2.9)))
    first, slower, faster = compare(base + slow + fast)
    assert first.at_equal_time is None and first.verdict_at_equal_time == ""
    assert first.seconds is not None and first.seconds.mean == 10
    # The slow one is read off at 10 s: 3.0, and 3.2 - 2.2 x 2 / 8 = 2.65. The base is, at 5 s: 3.0 and 3.1.
    assert slower.at_equal_time is not None and faster.at_equal_time is not None
    assert slower.at_equal_time.mean == pytest.approx((1.0 + 0.45) / 2)
    assert faster.at_equal_time.mean == pytest.approx((-0.5 - 0.2) / 2)
    assert slower.difference is not None and slower.difference.mean == pytest.approx(-1.1)
    assert faster.verdict_at_equal_time == "within noise"  # two seeds: the interval is wide
    assert compare(base + [replace(each, variant="same") for each in base])[1].at_equal_time == (
        Difference(0.0, 0.0, 0.0, 2)
    )
    text = to_markdown(compare(base + slow), "", "", "")
    assert (
        "| processor seconds | difference to base |  | after equal processor seconds |  |" in text
    )
    assert "where its learning rate has not come down yet" in text
    row = list(csv.DictReader(io.StringIO(to_csv(compare(base + slow)))))[1]
    assert float(row["processor_seconds"]) == 18
    assert float(row["equal_time_difference"]) == pytest.approx(0.725)


def test_a_run_without_processor_seconds_is_not_compared_by_them() -> None:
    base = give("base", timed((0, 4.0), (10, 2.0)), outcome(2.0))
    other = give("other", timed((0, 4.0), (10, 1.0)), timed((0, 4.0), (10, 1.0)))
    wild = give("wild", replace(timed((0, 4.0), (10, 9.0)), state="diverged"))
    _, compared, lost = compare(base + other + wild)
    assert compared.at_equal_time is not None and compared.at_equal_time.count == 1
    assert lost.at_equal_time is None and lost.seconds is None
    assert "processor seconds" not in to_markdown(compare(give("a", outcome(1.0))), "", "", "")


def test_a_curve_is_read_off_the_evaluations() -> None:
    measured = [
        Evaluated(step=0, loss=4.0),
        Evaluated(step=10, loss=3.0, processor_seconds=0.5),
        Evaluated(step=14, loss=2.0, processor_seconds=0.25),
    ]
    assert curve(measured) == ((0.0, 4.0), (5.0, 3.0), (6.0, 2.0))
    assert curve(measured[:1]) == () == curve([]) == curve([Evaluated(step=3, loss=1.0)])


# Runs of a suite


def log_run(run: Run, loss: float) -> None:
    """Log the events of a short run."""
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
    log_run(run, 1.5)
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
    assert Outcome.of(run).maxvio == 1  # of the least balanced layer, in the latest record
    assert Outcome.of(run).idle == 2
    assert Outcome.of(run).sharpness is None


def test_planned_runs_are_made_once(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    config = RunConfig.from_flat({"total_steps": 100, "warmup_steps": 0})
    plan = [
        PlannedRun("a", config),
        PlannedRun(
            "b", config.model_copy(update={"train": config.train.model_copy(update={"seed": 1})})
        ),
    ]
    store.create(config, "no member")
    assert find_planned(store, "mine", plan) == [None, None]
    made = make_planned(store, "mine", plan)
    again = make_planned(store, "mine", plan)
    assert [run.id for run in again] == [run.id for run in made]
    assert [run.name for run in made] == ["mine: a, seed 0", "mine: b, seed 1"]
    assert suite_names(store.list()) == ["mine"]
    assert {run.id for run in runs_of_suite(store.list(), "mine")} == {run.id for run in made}
    for run, loss in zip(made, (1.0, 2.0), strict=True):
        log_run(run, loss)
    found = results(runs_of_suite(store.list(), "mine"))
    assert {(each.variant, each.seed, each.outcome.final_loss) for each in found} == {
        ("a", 0, 1.0), ("b", 1, 2.0),
    }  # fmt: skip
    # A changed configuration gives a new run, which replaces the old one in the table.
    longer = config.model_copy(
        update={"train": config.train.model_copy(update={"total_steps": 200})}
    )
    (newer,) = make_planned(store, "mine", [PlannedRun("a", longer)])
    assert newer.id not in {run.id for run in made}
    assert newer.id in {run.id for run in runs_of_suite(store.list(), "mine")}
