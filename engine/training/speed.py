"""Measure the training speed of this machine, from which the time of a run is predicted.

Times a few real updates of four small models with different bottlenecks; takes about a second:

    python -m engine.training.speed            print the result
    python -m engine.training.speed FILE       store it too
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from engine.config import DeviceName, RunConfig
from engine.data.text import TextData
from engine.estimate import Measurement, Speed, Work
from engine.files import write_atomic
from engine.tokenizers import IdTokenizer
from engine.training.devices import keep_freed_memory, measure_threads
from engine.training.loop import TrainState, new_state, rehearse, update

VOCABULARY = 80
"""Vocabulary size: the characters of an ordinary text."""

SIZES: tuple[dict[str, int], ...] = (
    {"d_model": 16, "n_layer": 1, "max_seq_len": 32, "batch_size": 8},  # starting operations
    {"d_model": 32, "n_layer": 2, "max_seq_len": 64, "batch_size": 16},  # all of it
    {"d_model": 64, "n_layer": 2, "max_seq_len": 64, "batch_size": 32},  # moving numbers
    {"d_model": 192, "n_layer": 2, "max_seq_len": 64, "batch_size": 12},  # arithmetic
)


def measure_speed(device: DeviceName = "auto", seconds: float = 0.5) -> Speed:
    """Time updates of the four models, alternating, each with the threads that a run would choose.

    Takes about `seconds`, with at least two updates of each model. The fastest update counts, since other
    programs can only add time. Restores PyTorch's random generator and number of threads. Raises
    `ConfigError` for a device that is not available.
    """
    ids = np.random.default_rng(0).integers(0, VOCABULARY, 4096).astype(np.uint16)
    tokenizer = IdTokenizer(VOCABULARY)
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        states: list[TrainState] = []
        threads: list[int] = []
        for size in SIZES:
            config = RunConfig.from_flat(size | {"vocab_size": VOCABULARY, "device": device})
            data = TextData("noise", tokenizer, ids, ids, config.model.max_seq_len, seed=0)
            state = new_state(config, data)
            update(state)  # the first allocates memory and is slower
            on_cpu = state.device.type == "cpu"
            threads.append(measure_threads(rehearse(state), 0.1)[0] if on_cpu else before)
            states.append(state)
        best = [math.inf] * len(states)
        end, rounds = perf_counter() + seconds, 0
        while rounds < 2 or perf_counter() < end:
            rounds += 1
            for place, state in enumerate(states):
                torch.set_num_threads(threads[place])
                begun = perf_counter()
                update(state)
                best[place] = min(best[place], perf_counter() - begun)
    torch.set_num_threads(before)
    return Speed.fit(
        [
            Measurement(Work.of(state.config), fastest)
            for state, fastest in zip(states, best, strict=True)
        ]
    )


def store_speed(speed: Speed, path: Path) -> None:
    """Write the file that `engine.estimate.read_speed` reads; the write is atomic."""
    write_atomic(path, speed.to_json())


def main() -> None:
    keep_freed_memory()  # as a run does
    speed = measure_speed()
    print(f"{speed.seconds_per_flop * 1e9:8.3f} s for 10^9 FLOPs")
    print(f"{speed.seconds_per_move * 1e9:8.3f} s for 10^9 numbers moved")
    print(f"{speed.seconds_per_block * 1e3:8.3f} ms to start the operations of one block")
    if len(sys.argv) > 1:
        store_speed(speed, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
