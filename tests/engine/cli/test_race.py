"""The command `race`: its lines, its report, and what it says about a bad entry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.main import main


def test_it_prints_a_plan_and_every_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same lines on standard output and in a file; the report compares with the first entry."""
    words = ["race", "adamw", "muon,max_lr=0.02", "--steps", "2", "--seeds", "2"]
    assert main(words) == 0
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    plan, *events = lines
    assert plan["kind"] == "Plan" and plan["entries"][1]["max_lr"] == 0.02
    assert plan["command"] == "python -m engine " + " ".join(words)
    assert {event["kind"] for event in events} == {"Lap", "Measured", "Spectra"}
    assert {e["seed"] for e in events if e["kind"] == "Measured"} == {0, 1}
    assert {e["seed"] for e in events if e["kind"] != "Measured"} == {0}, (
        "curves are of the first seed"
    )
    first, second = printed.err.splitlines()
    assert first.startswith("adamw") and "2 of 2 seeds" in first and "to the first" not in first
    assert second.startswith("muon") and "to the first [" in second

    assert main([*words, "--out", str(tmp_path / "race.jsonl")]) == 0
    assert capsys.readouterr().out == ""
    stored = [json.loads(line) for line in (tmp_path / "race.jsonl").read_text().splitlines()]

    def losses(found: list[dict[str, object]]) -> list[object]:
        return [(e["entry"], e["step"], e["loss"]) for e in found if "loss" in e]

    assert losses(stored) == losses(lines)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("adam", "optimizer = 'adam': must be one of adamw, sgd, lion, muon"),
        ("muon,max_lr", "must be a setting with its value"),
        ("adamw,momentum=0.9", "is no setting of adamw"),
        ("sgd,max_lr=-1", "max_lr = -1"),
    ],
)
def test_a_bad_entry_is_named(entry: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", entry]) == 2
    message = capsys.readouterr().err
    assert said in message and message.count("\n") == 1
