"""A run's numbers in TensorBoard, Weights & Biases or Trackio, beside the run's own files.

Each is a package of its own, needed only when it is asked for with `--logger`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engine.events import Evaluated, Message, Stepped
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
    """A function that logs the events it is called with, until the block ends."""
    check_logger(name)
    if name == "tensorboard":
        writer: Any = import_module("torch.utils.tensorboard").SummaryWriter(
            run.path / "tensorboard"
        )

        def write(event: Message) -> None:
            for tag, value in scalars(event).items():
                writer.add_scalar(tag, value, getattr(event, "step", 0))

        close = writer.close
    else:
        service: Any = import_module(PACKAGES[name])
        service.init(project=PROJECT, name=run.name, config=run.config.flat())

        def write(event: Message) -> None:
            values = scalars(event)
            if values:
                service.log(values, step=getattr(event, "step", 0))

        close = service.finish
    try:
        yield write
    finally:
        close()


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
