"""Predicted and measured time of a training step, for many model sizes.

    python -m benchmarks.predicted_time

Measures this machine's speed once, as the playground does, in about a second (`engine.training.speed`). Then times
complete updates of models from tiny to large and of the presets, with the number of threads that a run would
choose. Prints medians and the error of the prediction.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from benchmarks.common import interleaved, print_table
from engine.config import RunConfig
from engine.data import make_data
from engine.estimate import seconds_per_step
from engine.presets import PRESETS
from engine.training.devices import measure_threads
from engine.training.loop import new_state, rehearse, update
from engine.training.speed import measure_speed

SIZES: tuple[dict[str, Any], ...] = (
    {"d_model": 16, "n_head": 2, "n_layer": 1, "max_seq_len": 32, "batch_size": 4},
    {"d_model": 32, "n_layer": 4, "max_seq_len": 32, "batch_size": 8},
    {"d_model": 64, "n_layer": 2, "max_seq_len": 64, "batch_size": 32},
    {"d_model": 64, "n_layer": 2, "max_seq_len": 512, "batch_size": 4},
    {"d_model": 64, "n_layer": 4, "max_seq_len": 128, "batch_size": 16, "dropout": 0.1},
    {"d_model": 96, "n_layer": 4, "max_seq_len": 128, "position": "alibi"},
    {"d_model": 96, "n_layer": 3, "norm": "layernorm", "feedforward": "gelu", "bias": True},
    {"d_model": 128, "n_layer": 4, "max_seq_len": 64, "batch_size": 12},
    {"d_model": 128, "n_layer": 8, "max_seq_len": 32, "batch_size": 4, "n_kv_head": 1},
    {"d_model": 192, "n_layer": 4, "max_seq_len": 128, "batch_size": 8},
    {"d_model": 256, "n_layer": 6, "max_seq_len": 256, "batch_size": 4},
    {"d_model": 384, "n_layer": 3, "max_seq_len": 128, "batch_size": 8},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    speed = measure_speed("cpu")
    cases = {", ".join(f"{k} {v}" for k, v in size.items()): size for size in SIZES}
    cases |= {f"preset {name}": preset.changes for name, preset in PRESETS.items()}
    rows: list[list[str]] = []
    off: list[float] = []
    for name, changes in cases.items():
        config = RunConfig.from_flat(changes | {"device": "cpu"})
        state = new_state(config, make_data(config))
        threads, _ = measure_threads(rehearse(state))
        taken = interleaved({name: lambda state=state: update(state)}, arguments.rounds)
        measured = statistics.median(taken[name])
        predicted = seconds_per_step(config, speed, state.model.config.vocab_size)
        off.append(predicted / measured - 1)
        row = [f"{1e3 * measured:.1f} ms", f"{1e3 * predicted:.1f} ms", f"{100 * off[-1]:+.0f}%"]
        rows.append([name, str(threads), *row])
    print_table(["", "threads", "measured", "predicted", "off by"], rows)
    close = sum(abs(each) <= 0.25 for each in off)
    print(
        f"within 25%: {close} of {len(off)}; median {100 * statistics.median(map(abs, off)):.0f}%"
    )


if __name__ == "__main__":
    main()
