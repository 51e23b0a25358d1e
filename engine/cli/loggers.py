"""Log a run's metrics to TensorBoard, Weights & Biases or Trackio, in addition to the run's own files.

Each needs its package, which is imported only if `--logger` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engine.runs.events import Evaluated, Message, Saved, Started, Stepped
from engine.runs.store import Run
from engine.validation import ConfigError, Problem

PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""The loggers, and the package that each needs."""

PROJECT = "transformer-playground"


def check_logger(name: str) -> None:
    """Raise `ConfigError` if a logger is unknown or not installed."""
    if name not in PACKAGES:
        raise ConfigError([Problem("logger", name, f"must be one of {', '.join(PACKAGES)}")])
    package = PACKAGES[name]
    if find_spec(package) is None:
        reason = f"needs the package {package}: pip install {package}"
        raise ConfigError([Problem("logger", name, reason)])


@contextmanager
def open_logger(name: str, run: Run) -> Generator[Callable[[Message], None]]:
    """Yield a function that logs the event it is called with.

    Steps that a resumed run repeats are logged once: TensorBoard purges the earlier points, and a service
    continues the same run and receives only later steps.
    """
    check_logger(name)
    logger = (_TensorBoard if name == "tensorboard" else _Service)(name, run)
    try:
        yield logger.write
    finally:
        logger.close()


class _TensorBoard:
    """Event files in the run's folder. They are opened at `Started`, which gives the step to purge from."""

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
            self.writer.flush()  # a resumed run does not repeat steps before its checkpoint

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class _Service:
    """Weights & Biases, which identifies a run by its id, or Trackio, which identifies it by its name."""

    def __init__(self, name: str, run: Run) -> None:
        self.service: Any = import_module(PACKAGES[name])
        self.logged = _last_steps(run)
        """The last logged step per event type; a service would keep both of two values for a step."""
        identity: dict[str, str] = {"id": run.id, "name": run.name}
        if name == "trackio":
            identity = {"name": f"{run.name} {run.id[:8]}"}  # names of runs are not unique
        self.service.init(project=PROJECT, config=run.config.flat(), resume="allow", **identity)

    def write(self, event: Message) -> None:
        values, step = scalars(event), getattr(event, "step", 0)
        if values and step > self.logged.get(event.type, -1):
            self.service.log(values, step=step)

    def close(self) -> None:
        self.service.finish()


def _last_steps(run: Run) -> dict[str, int]:
    """The highest step of each event type in the run's log, including superseded events."""
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
    """The metrics of an event, by the name of their chart."""
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
