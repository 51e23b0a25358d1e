"""Stored runs as a dashboard compares them: what they did so far, in few numbers and short columns.

A `History` reads on from where it stopped, so following a run costs what is new of it. It is shared
by every session that looks at the run, and so it locks.

Nothing in this file loads PyTorch or knows how it is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.config import RunConfig
from engine.estimate import flops_per_token, sequence_length
from engine.presets import nearest
from engine.runs import history
from engine.runs.events import Evaluated, Routed, Sampled, Stepped
from engine.runs.naming import describe
from engine.runs.store import Run
from playground.figures import one_run
from playground.figures.curves import Curves, along, column
from playground.figures.one_run import Level
from playground.runs import run_data, run_lookup

AXES = ("steps", "tokens", "FLOPs", "seconds")
"""What curves can be drawn over: the seconds of the steps alone, without measuring and saving."""


@dataclass
class History:
    """The events of a run so far. `read` takes in new ones; the rest does not change it."""

    run: Run
    log: history.History = field(default_factory=history.History)
    offset: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> None:
        """Read to the end of what is written; a line that is being written waits for the next."""
        with self.lock:
            while True:
                events, after = self.run.events(self.offset)
                if after == self.offset:
                    return
                self.offset = after
                self.log.add(event for event, _ in events)

    @property
    def steps(self) -> list[Stepped]:
        return self.log.of(Stepped)

    @property
    def evaluations(self) -> list[Evaluated]:
        return self.log.of(Evaluated)

    @property
    def samples(self) -> list[Sampled]:
        return self.log.of(Sampled)

    @property
    def routings(self) -> list[Routed]:
        return self.log.of(Routed)

    def curves(self, axis: str = "steps") -> Curves:
        """The measurements so far as columns, over one of `AXES`."""
        curves = Curves.of([*self.steps, *self.evaluations, *self.routings])
        if axis == "steps":
            return curves
        if axis == "seconds":
            reached = np.cumsum(column(step.seconds for step in self.steps))
        else:
            reached = column(step.tokens for step in self.steps)
        if axis == "FLOPs":
            config, size = self.run.config, self.vocabulary
            reached *= 3 * flops_per_token(config.model, sequence_length(config), size or 1)
        return along(curves, curves.step, reached)

    @property
    def vocabulary(self) -> int | None:
        """How many tokens its model has; None before it has started."""
        return run_lookup.vocabulary(self.run)

    def loads_at(self, step: int) -> Routed | None:
        """The newest record of how experts were loaded that is not later than this step."""
        return next((each for each in reversed(self.routings) if each.step <= step), None)

    def samples_at(self, step: int) -> list[Sampled]:
        """The newest samples that are not later than this step, one for each prompt."""
        newest = {sample.prompt: sample for sample in self.samples if sample.step <= step}
        return list(newest.values())


def levels(histories: Iterable[History]) -> list[Level]:
    """What guessing and counting reach on the data of these runs; nothing where they learn from different data."""
    found = {
        (history.vocabulary, run_data.baselines(history.run), run_data.letters(history.run))
        for history in histories
    }
    return one_run.levels(*found.pop()) if len(found) == 1 else []


def what_changed(config: RunConfig) -> str:
    """ "stories" for the preset as it is, "stories: d_model 128, position alibi" otherwise."""
    preset, changes = nearest(config)
    return f"{preset.name}: {describe(changes)}" if changes else preset.name


def distinct(names: Sequence[str]) -> list[str]:
    """The same names, no two alike: a number stands after those that come more than once."""
    taken = set(names)
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        number = seen.get(name, 0) + 1
        given = name
        while number > 1 and (given := f"{name} ({number})") in taken:  # another is called so
            number += 1
        seen[name] = number
        taken.add(given)
        result.append(given)
    return result


def sampled_steps(histories: Iterable[History]) -> list[int]:
    """Every step at which one of these runs wrote samples."""
    return sorted({sample.step for history in histories for sample in history.samples})


def seeded(configs: Mapping[str, RunConfig]) -> list[list[str]]:
    """Runs that differ in their seed alone, together: the ids of each group."""
    groups: dict[str, list[str]] = {}
    for run, config in configs.items():
        alike = repr(config.flat() | {"seed": 0})
        groups.setdefault(alike, []).append(run)
    return list(groups.values())
