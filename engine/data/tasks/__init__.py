"""Tasks with exact answers: copy, reverse, sort, addition, modular addition, parity, brackets, induction.

`task.Task` has what all of them share. A task itself defines the width of a row, how items are drawn, and,
independently of that, the right answer.
"""

from __future__ import annotations

from engine.data.tasks.arithmetic import Addition, AdditionReversed, ModularAddition
from engine.data.tasks.copying import Copy, Reverse, Sort
from engine.data.tasks.counting import Brackets, Parity
from engine.data.tasks.induction import Baseline, Induction
from engine.data.tasks.task import Task

__all__ = ["TASKS", "Baseline", "Induction", "ModularAddition", "Task"]

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Copy, Reverse, Sort, Addition, AdditionReversed, ModularAddition, Parity, Brackets,
        Induction,
    )
}  # fmt: skip
