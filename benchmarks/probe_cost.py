"""Cost of tracing: training without trace code, with unused trace code, and with probes.

    python -m benchmarks.probe_cost

"no trace code" is the same model with a forward pass without trace, cache and options; the difference to it is the
cost of unused trace code. "probe" adds the work that a run does every ten steps: tracing one fixed sequence and
writing it to disk. One thread, training steps in blocks of ten, interleaved rounds. The table shows medians, and the
median ratio of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import CLOCKS, interleaved, print_table
from benchmarks.train_speed import SIZES, VOCABULARY, training_step
from engine.config import ModelConfig
from engine.inspection import observe
from engine.model.decoder import TransformerLM
from engine.model.positions import rotate
from engine.runs import snapshots

STEPS = 10
"""Training steps for each probe: `probe_interval` of a run."""


def without_trace_code(model: TransformerLM) -> Callable[[Tensor], Tensor]:
    """A minimal forward pass of the default architecture, with the weights of `model`."""
    config = model.config
    blocks: Any = model.blocks

    def forward(tokens: Tensor) -> Tensor:
        rotation = model.positions.rotations(torch.arange(tokens.shape[1]))
        x = model.embedding(tokens)  # (B, T, C)
        for block in blocks:
            attention, feedforward = block.attention, block.feedforward
            packed = attention.qkv(block.attention_residual.norm(x))
            heads = packed.unflatten(-1, (-1, config.head_dim))
            q, k, v = heads.split((config.n_head, config.kv_heads, config.kv_heads), dim=2)
            turned = (rotate(q, rotation), rotate(k, rotation), v)
            q, k, v = (part.transpose(1, 2) for part in turned)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + attention.output(mixed.transpose(1, 2).flatten(2))
            x = x + feedforward.output(feedforward.hidden(block.feedforward_residual.norm(x)))
        return model.output(model.norm(x))

    return forward


def contestants(
    config: ModelConfig, batch: Tensor, folder: Path
) -> dict[str, Callable[[], object]]:
    """Ten training steps each."""

    def ten(step: Callable[[], object]) -> Callable[[], object]:
        return lambda: [step() for _ in range(STEPS)]

    bare = TransformerLM.from_config(config)
    forward = without_trace_code(bare)
    with torch.no_grad():
        difference = (forward(batch[:, :-1]) - bare(batch[:, :-1])).abs().max().item()
    assert difference < 1e-4, f"not the same model: logits differ by {difference}"
    off = TransformerLM.from_config(config)
    probed = TransformerLM.from_config(config)
    step, ids = training_step(probed, probed, batch), batch[0].tolist()

    def with_probe() -> None:
        for _ in range(STEPS):
            step()
        probed.eval()
        snapshots.save(observe.probe(probed, ids), folder / "probe.npz")
        probed.train()

    return {
        "no trace code": ten(training_step(bare, forward, batch)),
        "tracing off": ten(training_step(off, off, batch)),
        f"a probe every {STEPS} steps": with_probe,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows: list[list[str]] = []
    for size in arguments.sizes:
        batch_size, config = SIZES[size]
        config = config.model_copy(update={"vocab_size": VOCABULARY})
        batch = torch.randint(VOCABULARY, (batch_size, config.max_seq_len + 1))
        with tempfile.TemporaryDirectory() as folder:
            runs = contestants(config, batch, Path(folder))
            seconds = interleaved(runs, arguments.rounds, CLOCKS[arguments.clock])
        off = seconds["tracing off"]
        for title, taken in seconds.items():
            share = statistics.median(t / o for t, o in zip(taken, off, strict=True)) - 1
            median = 1e3 * statistics.median(taken) / STEPS
            rows.append([f"{size}: {title}", f"{median:.2f}", f"{100 * share:+.1f}%"])
    print_table(["", "ms/step", "against tracing off"], rows)


if __name__ == "__main__":
    main()
