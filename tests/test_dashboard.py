"""The dashboard tells what the runs' folders hold, whatever state they are in."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.config import RunConfig
from engine.events import Diverged, Ended, Evaluated, Routed, Sampled, Started, Stepped
from engine.outcomes import differing
from engine.presets import PRESETS
from engine.runs import Run, RunStore
from playground import dashboard, library
from playground.compare import History, distinct, origin, what_changed

PAGE = str(Path(dashboard.__file__))
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x^2$ 故事 😀"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """No runs at all: the learners' folder and the shipped one are empty."""
    monkeypatch.setenv("TP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(library, "ROOT", tmp_path)
    dashboard.history_of.clear()
    return library.store()


def steps(run: Run, first: int, last: int, loss: float = 2.0) -> None:
    for step in range(first, last + 1):
        run.append(
            Stepped(step=step, loss=loss, lr=1e-3, grad_norm=1, tokens=100 * step, seconds=0.05)
        )


def make(store: RunStore, name: str, loss: float = 1.5, **changes: Any) -> Run:
    run = store.create(RunConfig.from_flat({"total_steps": 100} | changes), name)
    run.append(
        Started(step=0, parameters=4321, device="cpu", dtype="fp32", threads=1, train_tokens=9_000)
    )
    steps(run, 1, 100)
    run.append(Evaluated(step=50, loss=loss - 0.25))
    run.append(Evaluated(step=100, loss=loss))
    for step in (50, 100):
        text = f" there was {HOSTILE} at {step}"
        run.append(Sampled(step=step, prompt="Once", text=text))
    run.append(Ended(step=100, how="finished"))
    return run


def page() -> AppTest:
    test = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not test.exception, test.exception
    return test


def rows(test: AppTest) -> list[dict[str, Any]]:
    return test.dataframe[0].value.to_dict("records")


def shown(test: AppTest) -> str:
    """All the text on the page."""
    elements = [*test.info, *test.caption, *test.text, *test.code, *test.markdown]
    return "\n".join(element.value for element in elements)


def test_without_runs_it_says_how_to_make_one(store: RunStore) -> None:
    test = page()
    assert dashboard.TEXT["none"] in shown(test)
    assert "python -m engine train" in shown(test)
    assert not test.dataframe


def test_a_run_in_numbers(store: RunStore) -> None:
    make(store, "first", loss=1.5, n_layer=3)
    (row,) = rows(page())
    assert row["Run"] == "first" and row["Status"] == "finished" and row["Progress"] == 100
    assert row["Step"] == 100 and row["Parameters"] == 4321
    assert row["Held-out loss"] == 1.5 and row["Best"] == 1.25
    assert row["Tokens/s"] == pytest.approx(2000)
    assert "n_layer 3" in row["What changed"]


def test_runs_beside_each_other(store: RunStore) -> None:
    runs = [make(store, "same name", max_lr=1e-3), make(store, "same name", norm="layernorm")]
    test = page()
    assert {row["Run"] for row in rows(test)} == {"same name", "same name (2)"}
    assert set(test.multiselect[0].value) == {run.id for run in runs}
    differences = test.dataframe[1].value
    assert list(differences["Field"]) == ["norm", "max_lr"]
    assert shown(test).count(f"Once there was {HOSTILE} at 100") == 2
    test.select_slider[0].set_value(50).run()
    assert not test.exception
    assert shown(test).count(f"Once there was {HOSTILE} at 50") == 2


def test_experts_show_their_balance(store: RunStore) -> None:
    make(store, "dense")
    test = page()
    assert dashboard.TEXT["balance"] not in [title.value for title in test.subheader]
    fields = {"n_experts": 4, "n_layer": 4, "moe_layer_indices": [0, 2]}
    run = make(store, "mixture", **fields)
    load = [[0.25] * 4, [0.7, 0.1, 0.1, 0.1]]
    run.append(
        Routed(
            step=1, layers=[0, 2], load=load, probability=load, dropped=[0, 0], entropy=[1, 1],
            losses={"switch": [1, 1]}, balance_loss=0.01,
        )
    )  # fmt: skip
    test = page()
    assert dashboard.TEXT["balance"] in [title.value for title in test.subheader]
    assert (
        "moe_layer_indices 0,2"
        in next(r for r in rows(test) if r["Run"] == "mixture")["What changed"]
    )
    differences = test.dataframe[1].value.set_index("Field")["mixture"]
    assert differences["moe_layer_indices"] == "0,2" and differences["n_experts"] == "4"


def test_nothing_chosen_and_one_chosen(store: RunStore) -> None:
    run = make(store, "only")
    test = page()
    assert dashboard.TEXT["one"] in shown(test)
    test.multiselect[0].set_value([]).run()
    assert not test.exception
    assert dashboard.TEXT["chosen_none"] in shown(test)
    assert "run" not in test.query_params
    test.multiselect[0].set_value([run.id]).run()
    assert run.id in test.query_params["run"]


def test_a_link_chooses_runs(store: RunStore) -> None:
    runs = [make(store, f"run {number}") for number in range(5)]
    test = AppTest.from_file(PAGE, default_timeout=60)
    test.query_params["run"] = [runs[1].id, "../../etc", "gone"]
    test.run()
    assert not test.exception
    assert test.multiselect[0].value == [runs[1].id]


def test_a_run_being_written(store: RunStore) -> None:
    run = store.create(RunConfig.from_flat({"total_steps": 10, "warmup_steps": 0}), "young")
    test = page()
    (row,) = rows(test)
    assert row["Status"] == "not started" and row["Step"] == 0
    test.multiselect[0].set_value([run.id]).run()
    assert dashboard.TEXT["no_losses"] in shown(test)
    assert dashboard.TEXT["no_samples"] in shown(test)

    run.claim()
    test.run()
    assert rows(test)[0]["Status"] == "starting"
    run.append(
        Started(step=0, parameters=7, device="cpu", dtype="fp32", threads=1, train_tokens=None)
    )
    steps(run, 1, 4)
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"type": "stepped", "step": 5, "lo')  # a line that is not finished yet
    test.run()
    assert not test.exception
    (row,) = rows(test)
    assert row["Status"] == "training" and row["Step"] == 4 and row["Progress"] == 40


def test_damaged_folders_are_named_and_hide_nothing(store: RunStore) -> None:
    make(store, "whole")
    broken = make(store, "broken")
    (broken.path / "config.json").write_text("{", encoding="utf-8")
    foreign = make(store, "foreign")
    (foreign.path / "events.jsonl").write_bytes(b"\xff\xfe not a line\n\n[1]\n" * 5)
    test = page()
    assert {row["Run"] for row in rows(test)} == {"whole", "foreign"}
    assert test.expander[0].label.endswith(": 1")
    assert broken.id in "".join(text.value for text in test.expander[0].text)


def test_a_run_deleted_while_it_is_compared(store: RunStore) -> None:
    kept, gone = make(store, "kept"), make(store, "gone")
    test = page()
    store.delete(gone.id)
    test.run()
    assert not test.exception
    assert [row["Run"] for row in rows(test)] == ["kept"]
    assert test.multiselect[0].value == [kept.id]


def test_a_diverged_run_says_so(store: RunStore) -> None:
    run = store.create(RunConfig(), "wild")
    steps(run, 1, 3)
    run.append(Diverged(step=3, loss="nan", grad_norm="inf"))
    run.append(Ended(step=3, how="diverged"))
    assert rows(page())[0]["Status"] == "diverged"


def test_a_history_reads_on(store: RunStore) -> None:
    run = make(store, "long")
    history = History(run)
    history.read()
    assert len(history.steps) == 100 and history.final_loss == 1.5
    before = history.offset
    history.read()
    assert history.offset == before == os.path.getsize(run.path / "events.jsonl")
    # Resumed from step 60: what came after it is done, and told, again.
    run.append(
        Started(step=60, parameters=4321, device="cpu", dtype="fp32", threads=1, train_tokens=1)
    )
    steps(run, 61, 70, loss=1.0)
    history.read()
    assert [step.step for step in history.steps] == list(range(1, 71))
    assert history.steps[-1].loss == 1.0 and history.final_loss == 1.25
    assert [sample.step for sample in history.samples] == [50]


def test_a_history_shared_by_sessions_counts_each_event_once(store: RunStore) -> None:
    run = make(store, "shared")
    history = History(run)
    threads = [threading.Thread(target=history.read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.steps) == 100


def test_what_changed_is_told_from_the_nearest_preset() -> None:
    for name, preset in PRESETS.items():
        nearest, changes = origin(preset.config())
        assert not changes and PRESETS[nearest].config() == preset.config(), name
    first = next(iter(PRESETS))
    config = RunConfig.from_flat(PRESETS[first].config().changes() | {"bias": True})
    assert what_changed(config).endswith(": bias")


def test_differences_between_configurations() -> None:
    runs = {"a": RunConfig(), "b": RunConfig.from_flat({"bias": True, "dropout": 0.1})}
    assert differing(runs) == {"dropout": {"a": 0.0, "b": 0.1}, "bias": {"a": False, "b": True}}
    assert differing({"a": RunConfig()}) == differing({}) == {}
    assert distinct(["x", "y", "x", "x"]) == ["x", "y", "x (2)", "x (3)"]
