"""The pages of the dashboard for tests: runs to show, and what a page shows of them."""

from __future__ import annotations

import re
from typing import Any

from streamlit.testing.v1 import AppTest

from engine.config import RunConfig
from engine.runs.events import Ended, Evaluated, Sampled, Started, Stepped
from engine.runs.store import Run, RunStore
from playground.screens import suite_runs as suites
from tests.tools.waiting import PATIENCE

PAGE = "from playground.screens import common, {page}\ncommon.speak()\n{page}.show()\ncommon.write_address()"
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x^2$ 故事 😀"

ENGLISH = re.compile(r"[A-Za-z]{2,}[,;]? [a-z]{2,}")
"""A sentence, or two words of one."""


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


def suite_runs(store: RunStore, name: str = "norm") -> None:
    found = suites.chosen(name)
    assert found is not None
    for number, each in enumerate(found.suite.plan(2)):
        run = store.create(each.config, f"{name}: {each.variant}", suite=name, variant=each.variant)
        steps(run, 1, 5)
        run.append(Evaluated(step=5, loss=2.0 + number % 4 + each.seed / 100))
        run.append(Ended(step=5, how="finished"))


def page(name: str = "compare", **query: Any) -> AppTest:
    test = AppTest.from_string(PAGE.format(page=name), default_timeout=PATIENCE)
    for key, value in query.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception, test.exception
    return test


def asked(test: AppTest, name: str) -> str:
    """What stands in the address."""
    (value,) = [value] if isinstance(value := test.query_params[name], str) else value
    return value


def rows() -> list[dict[str, Any]]:
    """The table of all runs."""
    return page("runs").dataframe[0].value.to_dict("records")


def shown(test: AppTest) -> str:
    """All the text on the page."""
    elements = [*test.info, *test.caption, *test.text, *test.code, *test.markdown]
    return "\n".join(element.value for element in elements)
