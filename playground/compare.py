"""Stored runs as a dashboard compares them: what they did so far, in few numbers and short columns.

A `History` reads on from where it stopped, so following a run costs what is new of it. It is shared
by every session that looks at the run, and so it locks.

Nothing in this file loads PyTorch or knows how it is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.config import RunConfig
from engine.estimate import parameters
from engine.events import Evaluated, Message, Routed, Sampled, Started, Stepped
from engine.presets import PRESETS
from engine.runs import Run, describe
from engine.validation import ConfigError
from playground.curves import Curves

RECENT = 50
"""Steps over which tokens per second are averaged."""


@dataclass
class History:
    """What a run has told so far. `read` takes in what is new; the rest only looks."""

    run: Run
    parameters: int | None = None
    steps: list[Stepped] = field(default_factory=list[Stepped])
    evaluations: list[Evaluated] = field(default_factory=list[Evaluated])
    samples: list[Sampled] = field(default_factory=list[Sampled])
    routings: list[Routed] = field(default_factory=list[Routed])
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
                for event, _ in events:
                    self._take(event)

    def _take(self, event: Message) -> None:
        if isinstance(event, Stepped):
            self.steps.append(event)
        elif isinstance(event, Evaluated):
            self.evaluations.append(event)
        elif isinstance(event, Sampled):
            self.samples.append(event)
        elif isinstance(event, Routed):
            self.routings.append(event)
        elif isinstance(event, Started):
            self.parameters = event.parameters
            # Resumed from a checkpoint: what an earlier process did after it is done again.
            self.steps = [old for old in self.steps if old.step <= event.step]
            self.evaluations = [old for old in self.evaluations if old.step <= event.step]
            self.samples = [old for old in self.samples if old.step <= event.step]
            self.routings = [old for old in self.routings if old.step <= event.step]

    @property
    def tokens_per_second(self) -> float | None:
        """Over the last steps; None before there are two."""
        last = self.steps[-RECENT:]
        spent = sum(step.seconds for step in last[1:])
        return (last[-1].tokens - last[0].tokens) / spent if spent > 0 else None

    @property
    def final_loss(self) -> float | None:
        """The newest held-out loss, in nats per token."""
        return self.evaluations[-1].loss if self.evaluations else None

    @property
    def best_loss(self) -> float | None:
        """The lowest held-out loss, in nats per token."""
        return min((each.loss for each in self.evaluations), default=None)

    @property
    def accuracy(self) -> float | None:
        """The newest share of exact answers, for a task that has them."""
        return self.evaluations[-1].accuracy if self.evaluations else None

    def count(self) -> int | None:
        """How many parameters; None while the vocabulary is not known."""
        if self.parameters is not None:
            return self.parameters
        try:
            return parameters(self.run.config.model)["total"]
        except ConfigError:
            return None

    def curves(self) -> Curves:
        """The losses so far, and the balance of experts, as columns."""
        return Curves.of([*self.steps, *self.evaluations, *self.routings])

    def samples_at(self, step: int) -> list[Sampled]:
        """The newest samples that are not later than this step, one for each prompt."""
        newest = {sample.prompt: sample for sample in self.samples if sample.step <= step}
        return list(newest.values())


def origin(config: RunConfig) -> tuple[str, dict[str, Any]]:
    """The preset that a run is closest to, and what it changes of it."""
    distances = {name: config.differences(preset.config()) for name, preset in PRESETS.items()}
    nearest = min(distances, key=lambda name: len(distances[name]))
    return nearest, distances[nearest]


def what_changed(config: RunConfig) -> str:
    """ "stories" for the preset as it is, "stories: d_model 128, position alibi" otherwise."""
    name, changes = origin(config)
    return f"{name}: {describe(changes)}" if changes else name


def distinct(names: Sequence[str]) -> list[str]:
    """The same names, with a number after those that come more than once."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def sampled_steps(histories: Iterable[History]) -> list[int]:
    """Every step at which one of these runs wrote samples."""
    return sorted({sample.step for history in histories for sample in history.samples})
