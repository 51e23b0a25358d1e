"""What all tests share: one thread each, since they run side by side, and one playground."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.tools.served import EQUAL_SHARE, served

# Before torch or Gradio are first imported, also in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Some virtual machines announce AMX and kill a process that uses it: see engine/training/devices.py.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

settings.register_profile("any machine", deadline=None)  # a busy one is slow, and nothing is wrong
settings.load_profile("any machine")


SECOND_PAGE = ("test_learn", "test_reading", "test_accessibility")
"""Files of about half the tests of the whole page, by the time they take."""


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups next
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Walks through whole lessons take many minutes: they are for who asks for them, by `-m walk`.

    Three groups of tests are long, and each runs in one worker: two of the whole page, which have
    one playground each, and those of views by themselves. Each has a Chromium.

    The largest groups start first, then what is slow by itself, so the many short tests that follow end together.
    """
    if "walk" not in config.option.markexpr:
        walks = [item for item in items if item.get_closest_marker("walk")]
        config.hook.pytest_deselected(items=walks)
        items[:] = [item for item in items if item not in walks]
    for item in items:
        if "address" in getattr(item, "fixturenames", ()):
            second = item.path.stem in SECOND_PAGE
            item.add_marker(pytest.mark.xdist_group("page 2" if second else "page 1"))
        elif item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("views"))
    if hasattr(config, "workerinput"):  # alone, a test file stays together
        items.sort(key=lambda item: not slow_by_itself(item))


def slow_by_itself(item: pytest.Item) -> bool:
    """Is it slow, and in no group?"""
    return bool(item.get_closest_marker("slow") and not item.get_closest_marker("xdist_group"))


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A playground of the tests' own, with the shipped runs and no others to begin with."""
    with served(tmp_path_factory.mktemp("playground"), EQUAL_SHARE) as url:
        yield url


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the learners' runs of a test file are, with `learners_runs`."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def learners_runs(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The playground finds its learners' runs in `runs`."""
    monkeypatch.setenv("TP_RUNS", str(runs))
