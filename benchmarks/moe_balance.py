"""Router collapse with and without balancing, on character-level Shakespeare for 400 steps.

    python -m benchmarks.moe_balance PATH

PATH is the text file (tiny Shakespeare). The model is a decoder with 8 experts in every block and one expert per
token. Three seeds are trained with Switch's router, without balancing and with the Switch loss (weight 0.02), and
with DeepSeek-V3's sigmoid scores, without balancing and with the loss-free bias (rate 0.01, violation rule).
Measured over the complete validation split: MaxVio = max load / mean load - 1 of the worst layer, the number of
experts there with less than a tenth of their share, and the loss.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import torch

from benchmarks import shakespeare
from benchmarks.common import print_table
from engine.config import RunConfig
from engine.data import IGNORE, make_data
from engine.model.routing import max_violation
from engine.runs.events import Diverged
from engine.training.loop import TrainState, new_state, train
from engine.training.loss import cross_entropy

SETTINGS: dict[str, Any] = shakespeare.SETTINGS | {
    "total_steps": 400,
    "warmup_steps": 50,
    "n_experts": 8,
    "top_k": 1,
    "eval_steps": 1,
}
"""Changes to the project's defaults: the model size of `benchmarks.shakespeare`."""

BALANCING: dict[str, dict[str, Any]] = {
    "Switch, none": {"router": "switch", "switch_loss": 0.0},
    "Switch loss": {"router": "switch", "switch_loss": 0.02},
    "sigmoid, none": {"router": "sigmoid", "switch_loss": 0.0},
    "loss-free bias": {
        "router": "sigmoid",
        "switch_loss": 0.0,
        "bias_rate": 0.01,
        "bias_rule": "violation",
    },
}

WITHOUT = {"Switch loss": "Switch, none", "loss-free bias": "sigmoid, none"}
"""The baseline of each kind of balancing: the same router without it."""

NEARLY_DEAD = 0.1


@torch.inference_mode()
def measure(state: TrainState, batch_size: int = 64) -> tuple[float, float, int]:
    """MaxVio of the worst layer, the loss, and the number of nearly dead experts, over all validation data."""
    total, tokens, loads = 0.0, 0, torch.zeros(())
    state.model.eval()
    for batch in state.data.validation(batch_size, shakespeare.EVERYTHING):
        output = state.model.run(torch.from_numpy(batch.inputs))
        targets = torch.from_numpy(batch.targets)
        total += cross_entropy(output.logits, targets, count=1).item()
        tokens += int((targets != IGNORE).sum())
        chosen = [record.chosen.flatten(0, 1).sum(0) for record in output.routing]  # (E,) each
        loads = loads + torch.stack(chosen)
    worst = max(map(max_violation, loads))
    dead = loads <= NEARLY_DEAD * loads.float().mean(-1, keepdim=True)  # (layers, E)
    return worst, total / tokens, int(dead.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--steps", type=int, default=SETTINGS["total_steps"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--d_model", type=int, default=SETTINGS["d_model"])
    parser.add_argument("--n_layer", type=int, default=SETTINGS["n_layer"])
    parser.add_argument("--max_lr", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=SETTINGS["threads"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    changes = {
        "train_data_path": arguments.path,
        "total_steps": arguments.steps,
        "warmup_steps": min(SETTINGS["warmup_steps"], arguments.steps),
        "d_model": arguments.d_model,
        "n_layer": arguments.n_layer,
        "max_lr": arguments.max_lr,
    }
    rows: list[tuple[str, ...]] = []
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in BALANCING}
    for seed in arguments.seeds:
        for name, balance in BALANCING.items():
            config = RunConfig.from_flat(SETTINGS | changes | balance | {"seed": seed})
            state = new_state(config, make_data(config))
            for event in train(state):
                if isinstance(event, Diverged):
                    raise SystemExit(f"diverged at step {event.step}")
            worst, loss, dead = measure(state)
            found[name].append((worst, loss))
            rows.append((name, str(seed), f"{worst:.2f}", str(dead), f"{loss:.4f}"))
            print(f"seed {seed}, {name}: MaxVio {worst:.2f}, loss {loss:.4f}", flush=True)
    print()
    print_table(("balancing", "seed", "MaxVio", "nearly dead", "validation loss"), rows)
    print()
    for name, results in found.items():
        values = [worst for worst, _ in results]
        line = f"{name}: MaxVio {min(values):.2f} to {max(values):.2f}"
        if name in WITHOUT:
            pairs = zip(results, found[WITHOUT[name]], strict=True)
            worse = statistics.mean(mine[1] - none[1] for mine, none in pairs)
            line += f", loss {worse:+.4f} on average"
        print(line)


if __name__ == "__main__":
    main()
