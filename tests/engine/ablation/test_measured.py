"""Results that ship: every table can be read, is of a suite, and says where it is from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engine.ablation.comparison import Result, compare, from_csv, to_csv
from engine.ablation.measured import RESULTS, Origin, measured
from engine.ablation.suites import SUITES
from engine.config import fields
from engine.runs.summary import Outcome

SHIPPED = sorted(path.name for path in RESULTS.iterdir())
WITHIN = 1_000_000
"""Bytes that all results may take together."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_result_is_the_answer_of_its_suite(name: str) -> None:
    found = measured(name)
    assert found is not None
    assert [row.variant for row in found.rows] == list(SUITES[name].variants)
    assert found.origin.command.startswith(f"python -m engine ablate {name}")
    if SUITES[name].rates:
        assert found.origin.date and found.origin.machine
        assert found.origin.rates.keys() == SUITES[name].variants.keys()
        assert all(row.finished >= 3 for row in found.rows)
        assert all(row.at_equal_time is not None for row in found.rows[1:])


def test_what_ships_is_small() -> None:
    assert sum(path.stat().st_size for path in RESULTS.rglob("*")) < WITHIN


def test_a_table_is_read_as_it_was_written() -> None:
    def outcome(loss: float, seconds: float) -> Outcome:
        return Outcome("finished", 9, loss, loss, 0.5, 7, 80.0, curve=((0, 4.0), (seconds, loss)))

    wild = Outcome("diverged", 9, None, parameters=7)
    rows = compare(
        [
            *(Result("base", seed, outcome(2.0 + seed, 10)) for seed in range(3)),
            *(Result("other", seed, outcome(1.5 + seed / 2, 20)) for seed in range(3)),
            Result("one seed", 0, outcome(1.0, 5)),
            Result("wild", 0, wild),
        ]
    )
    assert from_csv(to_csv(rows)) == rows
    for text in ("variant\nbase\n", "variant,finished,diverged\nbase,x,0\n"):
        with pytest.raises(ValueError, match="is not a table of a suite"):
            from_csv(text)


def test_a_result_that_is_not_there_or_is_damaged(tmp_path: Path) -> None:
    assert measured("magic", tmp_path) is None
    assert measured("../results", tmp_path) is None
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "table.csv").write_text(
        to_csv(compare([Result("a", 0, Outcome("finished", 1, 1.0))]))
    )
    found = measured("mine", tmp_path)
    assert found is not None and found.origin == Origin("python -m engine ablate mine")
    origin = Origin.here("python -m engine ablate mine --seeds 5", {"a": 0.1})
    (folder / "measured.json").write_text(json.dumps(origin.to_json()))
    again = measured("mine", tmp_path)
    assert again is not None and again.origin == origin and "CPUs" in origin.machine
    (folder / "measured.json").write_text("[]")
    assert measured("mine", tmp_path) is None


WORTH = {
    "optimizer": ("optimizer", ("Muon", "AdamW")),
    "zero_output": ("zero-output", ("zero", "random")),
    "token_pairs": ("token-pairs", ("a table of pairs", "no table")),
    "embedding_rate": ("embedding-rate", ("as all others", "3 times", "5 times")),
}
"""Fields whose help says what they are worth: the suite that measured it, and the variants in that order."""


@pytest.mark.parametrize("name", WORTH)
def test_what_a_setting_is_said_to_be_worth_was_measured(name: str) -> None:
    suite, variants = WORTH[name]
    found = measured(suite)
    assert found is not None
    losses = {row.variant: row.final.mean for row in found.rows if row.final is not None}
    help_text = next(info.description or "" for _, field, info in fields() if field == name)
    said = re.findall(r"\d\.\d\d", help_text.rpartition("Stories, 300 steps")[2])
    assert said == [f"{losses[variant]:.2f}" for variant in variants]
