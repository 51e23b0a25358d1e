"""Training: the loop and its surroundings.

loop         `train(state)`, a generator of events: one update at a time
loss         cross-entropy
optim        optimizers, clipping, schedules
average      moving average of the weights (EMA)
race         several optimizers on the same batches, a step of each in turn
devices      the device, its precision and its threads
checkpoint   everything that a run needs to resume, bit for bit
driver       the process of a run: it trains, writes log and checkpoints, and obeys commands
followers    the other processes of a run, if there are several
speed        measured speed of this machine, for predicting the time of a run
shipped      the models in `checkpoints/`
"""

from engine.training.loop import (
    LossScale,
    TrainState,
    balance_weights,
    change,
    due,
    evaluate,
    new_state,
    rehearse,
    routed,
    train,
    update,
)

__all__ = [
    "LossScale", "TrainState", "balance_weights", "change", "due", "evaluate", "new_state", "rehearse", "routed",
    "train", "update",
]  # fmt: skip
