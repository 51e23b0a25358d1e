"""The report that is taken along says what the runs say, in the language of its reader."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest

from engine.runs.store import RunStore
from playground import i18n
from playground.screens import report
from playground.screens.histories import History
from tests.playground.screens.pages import ENGLISH, HOSTILE, make


def test_a_report_says_what_the_runs_say(store: RunStore) -> None:
    made = {
        run.name: History(run)
        for run in (make(store, "a | b ` c"), make(store, HOSTILE, norm="layernorm"))
    }
    for history in made.values():
        history.read()
    with zipfile.ZipFile(io.BytesIO(report.archive(made))) as file:
        text, drawn, data = (
            file.read(name).decode() for name in ("report.md", "loss.svg", "curves.csv")
        )
    assert "| norm | rmsnorm | layernorm |" in text and "1.500" in text and "4,321" in text
    assert "a ¦ b ` c" in text and f"`{HOSTILE}`" in text  # in code, where it is no markup
    assert "<img" not in drawn and "&lt;img" in drawn
    lines = list(csv.DictReader(io.StringIO(data)))
    assert len(lines) == 200 and lines[49]["validation loss"] == "1.25"
    assert float(lines[99]["seconds"]) == pytest.approx(5.0)


def test_a_report_is_in_the_language_of_its_reader(store: RunStore) -> None:
    made = {run.name: History(run) for run in (make(store, "a"), make(store, "b", bias=True))}
    for history in made.values():
        history.read()
    i18n.use("zh")
    try:
        text, drawn = report.markdown(made), report.loss_svg({"a": made["a"].curves()})
        table = report.curves_csv(made)
    finally:
        i18n.use("en")
    assert "# 训练任务的比较" in text and "| 已完成 |" in text and "| bias | 否 | 是 |" in text
    assert not [line for line in text.splitlines() if ENGLISH.search(line) and line[:1] in "#|"]
    assert "损失（奈特/词元）" in drawn and table.startswith("run,step,tokens")
