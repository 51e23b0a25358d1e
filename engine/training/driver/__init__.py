"""The process of a run: the loop around `train` that writes events, obeys commands and saves.

start         what is prepared before the first step: data, tokenizer, state, threads
log           the run's events, and the seconds of training beside them
observations  sampled texts and recorded attention
driver        the loop itself: `drive`
process       the process around it: warm-up, the end of its parent, the reason of a failure

One process drives a run; with several, the others do the same work (`engine.training.followers`).
"""

from __future__ import annotations

from engine.training.driver.driver import Driver, drive
from engine.training.driver.log import Stopwatch
from engine.training.driver.observations import SAMPLE_TOKENS
from engine.training.driver.process import end_with_parent, explain, warm_up

__all__ = [
    "SAMPLE_TOKENS", "Driver", "Stopwatch", "drive", "end_with_parent", "explain", "warm_up",
]  # fmt: skip
