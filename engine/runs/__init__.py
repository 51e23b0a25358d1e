"""Runs on disk: a run is a folder, read and written only by this package. No file here loads PyTorch.

run         the run's folder: configuration, logs, status, checkpoints
store       the runs in one folder
naming      names from the fields that were changed
archive     the zip of a run, with a script
events      event and command types, one JSON line each
history     the events that still hold after a resumed run has repeated some
locks       the lock that says which process trains a run
examples    prompts, the end token and the probe text of a run's data
states      validation of a checkpoint's state.json
snapshots   attention maps of one fixed sequence, recorded during training
forks       new runs that start from another run
summary     a run's result as a few numbers
"""

from engine.runs.history import REPEATED, History
from engine.runs.naming import describe
from engine.runs.store import (
    MAX_OWN_TEXT,
    TEXT_PATH,
    Checkpoint,
    Damaged,
    DamagedRun,
    Run,
    RunBusy,
    RunError,
    RunInfo,
    RunStore,
    State,
    Status,
    UnknownRun,
)

__all__ = [
    "MAX_OWN_TEXT", "REPEATED", "TEXT_PATH", "Checkpoint", "Damaged", "DamagedRun", "History", "Run", "RunBusy", "RunError",
    "RunInfo", "RunStore", "State", "Status", "UnknownRun", "describe",
]  # fmt: skip
