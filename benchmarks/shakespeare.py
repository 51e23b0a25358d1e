"""Character-level Shakespeare: the loss after 2000 steps, over the complete validation split.

    python -m benchmarks.shakespeare PATH             the base: RMSNorm, RoPE, SwiGLU, AdamW at 3e-3
    python -m benchmarks.shakespeare PATH --tuned     the preset `shakespeare-size`
    python -m benchmarks.shakespeare PATH --tuned --change token_pairs=0    as many parameters as the base

PATH is the text file (tiny Shakespeare: 1,115,394 characters). The model has the size that nanoGPT's README trains
on a CPU: 4 layers, 4 heads, d_model 128, context 64, batch 12, 2000 steps, dropout 0. The last tenth is the
validation split. The loss is the mean over all its characters, each predicted once, from adjacent windows of 64.
nanoGPT's own settings reach 1.88 to 1.89. The seconds are the processor's, of the updates.
"""

from __future__ import annotations

import argparse
from time import process_time
from typing import Any

import torch

from engine.config import RunConfig
from engine.data import make_data
from engine.estimate import parameters
from engine.presets import PRESETS
from engine.runs.events import Evaluated, Stepped
from engine.training.loop import new_state, train

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
"""Changes to the project's defaults."""

EVERYTHING = 1_000_000
"""More batches than the validation split has."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--tuned", action="store_true", help="with the settings of the preset")
    parser.add_argument("--change", nargs="+", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--steps", type=int, default=SETTINGS["total_steps"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=SETTINGS["threads"])
    arguments = parser.parse_args()
    tuned = PRESETS["shakespeare-size"].changes if arguments.tuned else {}
    changes = {
        **tuned,
        **SETTINGS,
        **dict(each.split("=", 1) for each in arguments.change),
        "train_data_path": arguments.path,
        "total_steps": arguments.steps,
        "warmup_steps": min(SETTINGS["warmup_steps"], arguments.steps),
        "seed": arguments.seed,
        "eval_steps": EVERYTHING,
    }
    config = RunConfig.from_flat(changes)
    torch.set_num_threads(arguments.threads)
    data = make_data(config)
    state = new_state(config, data)
    count = parameters(state.model.config)["total"]
    print(f"{count:,} parameters, {data.train_tokens:,} characters to learn from", flush=True)
    seconds, begun = 0.0, process_time()
    for event in train(state):
        if isinstance(event, Evaluated):
            print(f"step {event.step:5}   validation loss {event.loss:.4f}", flush=True)
        elif isinstance(event, Stepped):
            seconds += process_time() - begun
            if event.step % 100 == 0:
                print(f"step {event.step:5}   loss {event.loss:.3f}   {seconds:6.1f} s", flush=True)
        begun = process_time()


if __name__ == "__main__":
    main()
