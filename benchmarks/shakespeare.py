"""Character-level Shakespeare: the loss after 2000 steps, over the whole validation split.

    python -m benchmarks.shakespeare PATH

PATH is the text file (tiny Shakespeare: 1,115,394 characters). The size that nanoGPT's README trains
on a CPU: 4 layers, 4 heads, 128 wide, context 64, batch 12, 2000 steps, dropout 0. The last tenth is
held out; the loss printed is the mean over every one of its characters, each predicted once, from
windows of 64 side by side. nanoGPT's own settings reach 1.88 to 1.89.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from engine.config import RunConfig
from engine.data import make_data
from engine.estimate import parameters
from engine.events import Evaluated, Stepped
from engine.training import new_state, train

SETTINGS: dict[str, Any] = {
    "source": "text",
    "valid_fraction": 0.1,
    "n_layer": 4,
    "n_head": 4,
    "d_model": 128,
    "max_seq_len": 64,
    "batch_size": 12,
    "total_steps": 2_000,
    "dropout": 0.0,
    "warmup_steps": 100,
    "eval_interval": 10_000_000,
    "threads": 1,
}
"""What differs from the defaults of this project."""

EVERYTHING = 1_000_000
"""More batches than the validation split has."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--max_lr", type=float, default=3e-3)
    parser.add_argument("--min_lr", type=float, default=3e-4)
    parser.add_argument("--steps", type=int, default=SETTINGS["total_steps"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=SETTINGS["threads"])
    arguments = parser.parse_args()
    changes = {
        "train_data_path": arguments.path,
        "max_lr": arguments.max_lr,
        "min_lr": arguments.min_lr,
        "total_steps": arguments.steps,
        "warmup_steps": min(SETTINGS["warmup_steps"], arguments.steps),
        "seed": arguments.seed,
        "eval_steps": EVERYTHING,
    }
    config = RunConfig.from_flat(SETTINGS | changes)
    torch.set_num_threads(arguments.threads)
    data = make_data(config)
    state = new_state(config, data)
    count = parameters(state.model.config)["total"]
    print(f"{count:,} parameters, {data.train_tokens:,} characters to learn from", flush=True)
    seconds = 0.0
    for event in train(state):
        if isinstance(event, Evaluated):
            print(f"step {event.step:5}   held-out loss {event.loss:.4f}", flush=True)
        elif isinstance(event, Stepped):
            seconds += event.seconds
            if event.step % 100 == 0:
                print(f"step {event.step:5}   loss {event.loss:.3f}   {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
