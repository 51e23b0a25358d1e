"""The server of the tab Optimizers: a race from start to end, its limits, and the race that is stored."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from engine.ablation.races import FIELDS, MATRICES, MODEL, RacePlan, parse_entry
from engine.cli.main import main
from engine.config import RunConfig
from playground.access.visitors import Visitor
from playground.hosting import checks
from playground.planning import controls
from playground.tabs.optimizers import races
from playground.tabs.optimizers import server as optimizers
from tests.tools.waiting import until

ENTRIES = [{"optimizer": "adamw"}, {"optimizer": "muon", "max_lr": 0.05}]


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No race outlives its test."""
    yield
    races.close()
    races.registry().races.clear()


def follow(race: str, offset: int = 0) -> Any:
    """What a page is told."""
    return optimizers.follow(race, offset)


def stop(race: str) -> Any:
    return optimizers.stop(race)


def begin(entries: Any = ENTRIES, steps: Any = 4, seeds: Any = 1) -> str:
    answer: Any = optimizers.begin(entries, steps, seeds)
    return answer["race"]


def refused(*arguments: Any) -> str:
    return checks.answer(checks.typed(optimizers.begin))(*arguments).get("error", "")


def over(race: str) -> dict[str, Any]:
    until(lambda: follow(race, 0)["state"] not in races.ACTIVE)
    return follow(race, 0)


def kinds(news: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in news["events"] if event["kind"] == kind]


def test_a_race_from_start_to_end() -> None:
    news = over(begin(seeds=2))
    assert news["state"] == "over"
    (plan,) = kinds(news, "Plan")
    assert plan["entries"] == list(RacePlan.of(ENTRIES, 4).entries)
    for entry in (0, 1):
        laps = [lap for lap in kinds(news, "Lap") if lap["entry"] == entry]
        assert [lap["step"] for lap in laps] == [1, 2, 3, 4]
        finals = [
            m["seed"] for m in kinds(news, "Measured") if (m["entry"], m["step"]) == (entry, 4)
        ]
        assert finals == [0, 1]
        spectra = [s for s in kinds(news, "Spectra") if s["entry"] == entry]
        assert [s["step"] for s in spectra] == RacePlan.of(ENTRIES, 4).moments()
    first, second = news["verdicts"]
    assert (
        first is None and second["count"] == 2 and second["low"] < second["mean"] < second["high"]
    )
    assert second["within_noise"] == (second["low"] <= 0 <= second["high"])


def test_a_page_reads_on_from_where_it_was() -> None:
    race = begin()
    seen: list[Any] = []

    def read() -> bool:
        news = follow(race, len(seen))
        seen.extend(news["events"])
        assert news["offset"] == len(seen)
        return news["state"] == "over"

    until(read)
    assert seen == over(race)["events"]


def test_the_command_on_the_page_gives_the_same_race(capsys: pytest.CaptureFixture[str]) -> None:
    news = over(begin([{"optimizer": "sgd", "max_lr": 1e-05, "beta1": 0.5}]))
    (plan,) = kinds(news, "Plan")
    words = shlex.split(plan["command"])
    assert words[:4] == ["python", "-m", "engine", "race"]
    assert main(words[3:]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def told(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in event.items() if name != "seconds"} for event in events
        ]

    assert told(events) == told(news["events"])


def test_a_race_is_stopped() -> None:
    race = begin(steps=600)
    process = races.registry().races[race].process
    assert process is not None
    assert stop(race) == {"race": race}
    assert follow(race, 0)["state"] == "stopped"
    until(lambda: process.poll() is not None)
    assert stop(race) == {"race": race}, "again does nothing"


def test_a_process_that_dies_is_told() -> None:
    race = begin(steps=600)
    process = races.registry().races[race].process
    assert process is not None
    process.kill()
    assert over(race)["state"] == "failed"


def test_what_no_page_could_read_ends_a_race() -> None:
    """The next one has its turn, and nobody waits for this one's events."""
    race = races.Race(RacePlan.of(ENTRIES, 100), [], None)
    command = [sys.executable, "-c", "print('{\"loss\": NaN}', flush=True); input()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    race.process, race.state = process, "running"
    races._listen(race, process)
    assert race.state == "failed" and process.poll() is not None and race.events == []


def test_a_race_that_no_page_follows_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    race = races.registry().races[begin(steps=600)]
    monkeypatch.setattr(races, "AWAY_SECONDS", 0.0)
    until(lambda: race.process is not None and race.process.poll() is not None)
    assert race.state == "stopped"
    monkeypatch.setattr(races, "KEEP_SECONDS", 0.0)
    time.sleep(0.01)
    races.advance()  # as when anybody asks about a race
    assert races.TEXT["gone"] in follow(race.id, 0)["error"]


def test_a_race_ends_with_its_parent() -> None:
    process = races.registry().races[begin(steps=600)].process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    until(lambda: process.poll() is not None)


WRONG: dict[str, tuple[Any, ...]] = {
    "optimizer = 'adam'": ([{"optimizer": "adam"}], 10, 1),
    "momentum = 0.5": ([{"optimizer": "adamw", "momentum": 0.5}], 10, 1),
    "max_lr = '0.1; rm'": ([{"optimizer": "adamw", "max_lr": "0.1; rm"}], 10, 1),
    "steps = 10000": (ENTRIES, 10_000, 1),
    "seeds = 0": (ENTRIES, 10, 0),
    "entries = 0": ([], 10, 1),
    "entries =": ("adamw", 10, 1),
    "steps =": (ENTRIES, "10", 1),
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_is_said_and_starts_nothing(said: str) -> None:
    assert said in refused(*WRONG[said])
    assert not races.registry().races


@pytest.mark.parametrize("offset", [-1, 10**9])
def test_an_offset_has_limits(offset: int) -> None:
    assert "offset" in follow("", offset)["error"]


# A public host ----------------------------------------------------------------------------------------


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_PUBLIC", "1")


def visits(monkeypatch: pytest.MonkeyPatch, learner: str, address: str = "10.0.0.1") -> None:
    monkeypatch.setattr(races.visitors, "current", lambda: Visitor(learner, address))


@pytest.mark.usefixtures("public")
def test_a_public_host_limits_the_work_of_a_race() -> None:
    assert "4,000" in refused([{"optimizer": name} for name in FIELDS], 600, 5)
    assert races.MAX_UPDATES >= 300 * 3 * 3, (
        "what the page offers at first may be repeated with three seeds"
    )


@pytest.mark.usefixtures("public")
def test_races_wait_for_each_other_on_a_public_host(monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []
    for learner in ("a", "b", "c"):
        visits(monkeypatch, learner)
        ids.append(begin(steps=600))
    assert [follow(race, 0)["place"] for race in ids] == [None, 1, 2]
    stop(ids[1])
    assert follow(ids[2], 0)["place"] == 1
    stop(ids[0])
    assert follow(ids[2], 0)["state"] in ("starting", "running")


@pytest.mark.usefixtures("public")
def test_a_learner_has_one_race(monkeypatch: pytest.MonkeyPatch) -> None:
    visits(monkeypatch, "a")
    first = begin(steps=600)
    second = begin(steps=600)
    assert follow(first, 0)["state"] == "stopped"
    assert follow(second, 0)["state"] in races.ACTIVE


@pytest.mark.usefixtures("public")
def test_a_network_has_as_many_races_as_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TP_MAX_ADDRESS", "2")
    for learner in ("a", "b"):
        visits(monkeypatch, learner)
        begin(steps=600)
    visits(monkeypatch, "c")
    assert "2 races" in refused(ENTRIES, 600, 1)
    visits(monkeypatch, "c", "10.0.0.2")
    assert refused(ENTRIES, 600, 1) == ""


@pytest.mark.usefixtures("public")
def test_a_race_has_limited_time_on_a_public_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(races, "MAX_SECONDS", 0.0)
    news = over(begin(steps=600))
    assert news["state"] == "stopped" and "0 seconds" in news["reason"]


# What is stored, and what the view is told ------------------------------------------------------------


def test_the_stored_race_is_whole() -> None:
    """It is what its command computes: each entry's last step, three seeds, every matrix."""
    news = follow("", 0)
    assert news["state"] == "over" and news["offset"] == len(news["events"]) == len(
        optimizers.stored()
    )
    (plan,) = kinds(news, "Plan")
    words = shlex.split(plan["command"])
    assert str(optimizers.STORED).endswith(words[-1])
    entries = [parse_entry(word) for word in words[4 : words.index("--steps")]]
    expected = RacePlan.of(entries, plan["steps"], plan["seeds"])
    assert plan["entries"] == list(expected.entries), "the usual values are those it ran with"
    assert plan["seeds"] == 3 and [v and v["count"] for v in news["verdicts"]] == [None, 3, 3]
    for entry in range(len(entries)):
        assert [lap["step"] for lap in kinds(news, "Lap") if lap["entry"] == entry][-1] == plan[
            "steps"
        ]
        spectra = [s for s in kinds(news, "Spectra") if s["entry"] == entry]
        assert [s["step"] for s in spectra] == expected.moments()
        names = {f"{block}.{name}" for block in range(MODEL["n_layer"]) for name in MATRICES}
        assert all(set(s["update"]) == set(s["weight"]) == names for s in spectra)
    assert optimizers.STORED.stat().st_size < 500_000


def test_the_first_steps_of_the_stored_race_are_those_of_a_race() -> None:
    """Its numbers come from the code as it is: first losses and validation losses agree with a race of today."""
    (plan,) = kinds(follow("", 0), "Plan")
    stored = [e for e in optimizers.stored() if e.get("step") in (0, 1) and e.get("seed") == 0]
    from engine.training.race import Lap, Measured, race

    expected = RacePlan.of(plan["entries"], plan["steps"], plan["seeds"])
    for event in race(expected.configs(0)):
        if event.step > 1:
            break
        if isinstance(event, Lap | Measured):
            (match,) = [
                e for e in stored
                if (e["kind"], e["entry"], e["step"]) == (type(event).__name__, event.entry, event.step)
            ]  # fmt: skip
            assert match["loss"] == pytest.approx(event.loss, rel=1e-3)


@pytest.mark.parametrize("name", FIELDS)
def test_the_settings_of_an_optimizer_are_those_that_matter(name: str) -> None:
    """As in the form of the tab Train."""
    config = RunConfig.from_flat({"optimizer": name})
    for field in ("max_lr", "weight_decay", "momentum", "beta1", "beta2"):
        assert (field in FIELDS[name]) == controls.matters(field, config)  # type: ignore[index]
