"""Runs beside each other: curves, differences, samples, and the load of experts."""

from __future__ import annotations

import pytest

from engine.runs.events import Routed
from engine.runs.store import RunStore
from playground.screens import compare
from playground.screens.histories import AXES
from tests.playground.screens.pages import HOSTILE, make, page, rows, shown


def test_runs_beside_each_other(store: RunStore) -> None:
    made = [make(store, "same name", max_lr=1e-3), make(store, "same name", norm="layernorm")]
    assert {row["Run"] for row in rows()} == {"same name", "same name (2)"}
    test = page()
    assert set(test.multiselect[0].value) == {run.id for run in made}
    differences = test.dataframe[0].value
    assert list(differences["field"]) == ["norm", "max_lr"]
    assert shown(test).count(f"Once there was {HOSTILE} at 100") == 2
    next(s for s in test.select_slider if s.value == 100).set_value(50).run()
    assert not test.exception
    assert shown(test).count(f"Once there was {HOSTILE} at 50") == 2


@pytest.mark.parametrize("axis", AXES)
def test_every_metric_over_every_axis(store: RunStore, axis: str) -> None:
    for seed in (0, 1):
        make(store, f"run {seed}", seed=seed)
    for bands in ("true", "false"):
        test = page(over=axis, bands=bands, log="true", metric="gradient")
        (chart,) = test.get("plotly_chart")
        assert compare.TEXT["axis_titles"][axis] in chart.proto.spec


def test_experts_show_their_balance_and_load(store: RunStore) -> None:
    make(store, "dense")
    load = [[0.25] * 4, [0.7, 0.1, 0.1, 0.1]]
    fields = {"n_experts": 4, "n_layer": 4, "moe_layer_indices": [0, 2]}
    for seed in (0, 1):
        run = make(store, f"mixture {seed}", seed=seed, **fields)
        run.append(
            Routed(
                step=1, layers=[0, 2], load=load, probability=load, dropped=[0, 0], entropy=[1, 1],
                losses={"switch": [1, 1]}, balance_loss=0.01,
            )
        )  # fmt: skip
    mixture = next(row for row in rows() if row["Run"] == "mixture 0")
    assert "blocks with experts 1 and 3" in mixture["What changed"]
    test = page(metric="balance")
    assert len(test.get("plotly_chart")) == 3  # the curves, and the load of two
    assert shown(test).count(compare.TEXT["load"]) == 2
    chosen = [store.open(run_id).name for run_id in test.multiselect[0].value]
    differences = test.dataframe[0].value.set_index("field")[f"run {chosen.index('mixture 0')}"]
    assert differences["moe_layer_indices"] == "0,2" and differences["n_experts"] == "4"


def test_nothing_chosen_and_one_chosen(store: RunStore) -> None:
    run = make(store, "only")
    test = page()
    assert compare.TEXT["one"] in shown(test)
    test.multiselect[0].set_value([]).run()
    assert not test.exception
    assert compare.TEXT["chosen_none"] in shown(test)
    assert "run" not in test.query_params
    test.multiselect[0].set_value([run.id]).run()
    assert run.id in test.query_params["run"]


def test_a_run_deleted_while_it_is_compared(store: RunStore) -> None:
    kept, gone = make(store, "kept"), make(store, "gone")
    test = page()
    store.delete(gone.id)
    test.run()
    assert not test.exception
    assert [row["Run"] for row in rows()] == ["kept"]
    assert test.multiselect[0].value == [kept.id]
