"""A run's numbers in TensorBoard, Weights & Biases or Trackio, beside the run's own files.

Each is a package of its own, needed only when it is asked for with `--logger`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engine.events import Evaluated, Message, Saved, Started, Stepped
from engine.runs import Run
from engine.validation import ConfigError, Problem

PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""The loggers, and what to install for each."""

PROJECT = "transformer-playground"


def check_logger(name: str) -> None:
    """Raises `ConfigError` for a logger that is not known or not installed."""
    if name not in PACKAGES:
        raise ConfigError([Problem("logger", name, f"must be one of {', '.join(PACKAGES)}")])
    package = PACKAGES[name]
    if find_spec(package) is None:
        reason = f"needs the package {package}: pip install {package}"
        raise ConfigError([Problem("logger", name, reason)])


@contextmanager
def open_logger(name: str, run: Run) -> Generator[Callable[[Message], None]]:
    """A function that logs the events it is called with, until the block ends.

    What a resumed run does again is there once: TensorBoard drops its earlier points, a service goes on
    with the same run and is told what is new.
    """
    check_logger(name)
    logger = (_TensorBoard if name == "tensorboard" else _Service)(name, run)
    try:
        yield logger.write
    finally:
        logger.close()


class _TensorBoard:
    """Points in files of the run's folder; opened when it is known from which step the run goes on."""

    def __init__(self, name: str, run: Run) -> None:
        self.folder = run.path / "tensorboard"
        self.open: Any = import_module("torch.utils.tensorboard").SummaryWriter
        self.writer: Any = None

    def write(self, event: Message) -> None:
        if isinstance(event, Started):
            self.close()
            self.writer = self.open(self.folder, purge_step=event.step + 1)
        for tag, value in scalars(event).items():
            self.writer.add_scalar(tag, value, getattr(event, "step", 0))
        if isinstance(event, Evaluated | Saved):
            self.writer.flush()  # a resumed run does not do again what came before its checkpoint

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _Service:
    """Weights & Biases, which knows a run by its id, or Trackio, which knows it by its name."""

    def __init__(self, name: str, run: Run) -> None:
        self.service: Any = import_module(PACKAGES[name])
        self.told = _last_steps(run)
        """What earlier processes have told: a service keeps both of two values for a step."""
        called: dict[str, str] = {"id": run.id, "name": run.name}
        if name == "trackio":
            called = {"name": f"{run.name} {run.id[:8]}"}  # names of runs are not unique
        self.service.init(project=PROJECT, config=run.config.flat(), resume="allow", **called)

    def write(self, event: Message) -> None:
        values, step = scalars(event), getattr(event, "step", 0)
        if values and step > self.told.get(event.type, -1):
            self.service.log(values, step=step)

    def close(self) -> None:
        self.service.finish()


def _last_steps(run: Run) -> dict[str, int]:
    """The highest step of each kind of event in the run's log, with what a resumed run does again."""
    highest: dict[str, int] = {}
    offset = 0
    while True:
        events, after = run.events(offset)
        if after == offset:
            return highest
        for event, _ in events:
            highest[event.type] = max(highest.get(event.type, -1), getattr(event, "step", -1))
        offset = after


def scalars(event: Message) -> dict[str, float]:
    """The numbers of an event, by the name of their chart."""
    if isinstance(event, Stepped):
        return {
            "train/loss": event.loss,
            "train/lr": event.lr,
            "train/grad_norm": event.grad_norm,
            "train/tokens": float(event.tokens),
            "train/step_seconds": event.seconds,
        }
    if isinstance(event, Evaluated):
        found = {"valid/loss": event.loss}
        return found if event.accuracy is None else found | {"valid/accuracy": event.accuracy}
    return {}
