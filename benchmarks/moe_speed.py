"""Tokens per second of training with a mixture of experts: ours against transformers' Mixtral.

    python -m benchmarks.moe_speed
    python -m benchmarks.moe_speed --sizes small medium --balance
    python -m benchmarks.moe_speed --scale

A training step is as in `benchmarks.train_speed`: the same random tokens and PyTorch's fused AdamW for all, one
thread, interleaved rounds. The table shows medians, and the median ratio of the rounds. Every block has 8 experts,
2 of which process each token. The dense model is as wide as 2 experts, so the ratio to it is the cost of routing.
Mixtral runs with both of its expert implementations for training: `eager`, a loop over the experts, and
`grouped_mm`. With `--balance`, both libraries add their balance loss.

`--scale` keeps 2 experts of the same width per token and increases the number of experts: it shows the time per
token of the forward and backward pass, and of the complete step. The cost per expert (reading weights, writing
gradients, and the update) is shared by the tokens of a batch. Batches are therefore four times as large here; with
fewer tokens the curve is steeper.

Needs `pip install transformers`.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import MixtralConfig, MixtralForCausalLM

from benchmarks.common import CLOCKS, Clock, interleaved, print_table, times_as_fast
from benchmarks.train_speed import LEARNING_RATE, SIZES, VOCABULARY, Step
from engine.config import ModelConfig
from engine.estimate import parameters
from engine.model.decoder import TransformerLM
from engine.training.devices import keep_freed_memory

EXPERTS, CHOSEN = 8, 2
SCALE = (8, 16, 32, 64)
"""Numbers of experts with `--scale`."""

SCALE_BATCH = 4
"""Batch size factor of `--scale`."""

Loss = Callable[[Tensor, Tensor], Tensor]


def training_step(model: nn.Module, loss: Loss, batch: Tensor, update: bool = True) -> Step:
    """A training step; without `update`, only its forward and backward pass. `batch` is (B, T + 1) tokens."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    inputs, targets = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)

    def step() -> None:
        optimizer.zero_grad()
        loss(inputs, targets).backward()
        if update:
            optimizer.step()

    return step


def ours(config: ModelConfig, batch: Tensor, balance: bool = False, update: bool = True) -> Step:
    model = TransformerLM.from_config(config)
    model.balance = {"expert": 0.001} if balance else {}

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        output = model.run(inputs)
        return F.cross_entropy(output.logits.flatten(0, 1), targets) + output.balance_loss

    return training_step(model, loss, batch, update)


def dense(config: ModelConfig, batch: Tensor, balance: bool = False) -> Step:
    return ours(equally_active(config), batch)


def equally_active(config: ModelConfig) -> ModelConfig:
    """The dense model whose feed-forward is as wide as the active experts together."""
    changes = {"n_experts": None, "d_ff": config.top_k * config.expert_width}
    return config.model_copy(update=changes)


def mixtral(implementation: str) -> Callable[[ModelConfig, Tensor, bool], Step]:
    def build(config: ModelConfig, batch: Tensor, balance: bool = False) -> Step:
        size: dict[str, Any] = {
            "vocab_size": VOCABULARY,
            "hidden_size": config.d_model,
            "intermediate_size": config.expert_width,
            "num_hidden_layers": config.n_layer,
            "num_attention_heads": config.n_head,
            "num_key_value_heads": config.kv_heads,
            "max_position_embeddings": config.max_seq_len,
            "num_local_experts": config.n_experts,
            "num_experts_per_tok": config.top_k,
            "router_aux_loss_coef": 0.001,
            "tie_word_embeddings": True,
            "attn_implementation": "sdpa",
            "experts_implementation": implementation,
        }
        model: Any = MixtralForCausalLM(MixtralConfig(**size))
        assert model.config._experts_implementation == implementation

        def loss(inputs: Tensor, targets: Tensor) -> Tensor:
            output = model(inputs, use_cache=False, output_router_logits=balance)
            loss = F.cross_entropy(output.logits.flatten(0, 1), targets)
            return loss + 0.001 * output.aux_loss if balance else loss

        return training_step(model, loss, batch)

    return build


CONTESTANTS: dict[str, Callable[[ModelConfig, Tensor, bool], Step]] = {
    "ours": ours,
    "Mixtral, eager": mixtral("eager"),
    "Mixtral, grouped_mm": mixtral("grouped_mm"),
    "ours, dense": dense,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine")
    parser.add_argument("--balance", action="store_true", help="with balance losses")
    parser.add_argument("--scale", action="store_true", help="8 to 64 experts instead")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # for all contestants, as at the start of every run
    clock = CLOCKS[arguments.clock]
    for name in arguments.sizes:
        if arguments.scale:
            measure_scale(name, arguments.rounds, clock)
        else:
            measure(name, arguments.rounds, arguments.balance, clock)


def sized(name: str, experts: int, batches: int = 1) -> tuple[ModelConfig, Tensor]:
    """A model with this number of experts, and a batch that is `batches` times the usual size."""
    batch_size, config = SIZES[name]
    changes = {"vocab_size": VOCABULARY, "n_experts": experts, "top_k": CHOSEN}
    config = config.model_copy(update=changes)
    torch.manual_seed(0)
    return config, torch.randint(VOCABULARY, (batches * batch_size, config.max_seq_len + 1))


def print_title(name: str, config: ModelConfig, batch: Tensor) -> None:
    print(
        f"\n{name}: d_model {config.d_model}, {config.n_layer} layers, experts {config.expert_width} "
        f"wide, {CHOSEN} for a token, context {config.max_seq_len}, batch {len(batch)}, "
        f"{parameters(config)['total']:,} parameters, {torch.get_num_threads()} thread(s)"
    )


def measure(name: str, rounds: int, balance: bool, clock: Clock) -> None:
    """Print the table of one size."""
    config, batch = sized(name, EXPERTS)
    print_title(name, config, batch)
    steps = {title: build(config, batch, balance) for title, build in CONTESTANTS.items()}
    seconds = interleaved(steps, rounds, clock=clock)
    rows: list[list[str]] = []
    for title, taken in seconds.items():
        median = statistics.median(taken)
        ratio = times_as_fast(seconds["ours"], taken)
        tokens = len(batch) * config.max_seq_len / median
        rows.append([title, f"{tokens:,.0f}", f"{median * 1e3:.1f}", f"{ratio:.2f} x"])
    print_table(["", "tokens/s", "ms/step", "ours is faster by"], rows)


def measure_scale(name: str, rounds: int, clock: Clock) -> None:
    """Print the cost per token for increasing numbers of experts."""
    config, batch = sized(name, SCALE[0], SCALE_BATCH)
    print_title(name, config, batch)
    contestants: dict[str, Step] = {}
    for experts in SCALE:
        config, batch = sized(name, experts, SCALE_BATCH)
        contestants[f"{experts} passes"] = ours(config, batch, update=False)
        contestants[f"{experts} step"] = ours(config, batch)
    seconds = interleaved(contestants, rounds, clock=clock)
    tokens = len(batch) * config.max_seq_len
    rows: list[list[str]] = []
    for experts in SCALE:
        row = [f"{experts} experts"]
        for part in ("passes", "step"):
            taken = seconds[f"{experts} {part}"]
            cost = 1 / times_as_fast(taken, seconds[f"{SCALE[0]} {part}"])
            row += [f"{statistics.median(taken) / tokens * 1e6:.1f}", f"{cost:.2f} x"]
        rows.append(row)
    header = ["", "µs/token, passes", f"of {SCALE[0]}", "µs/token, step", f"of {SCALE[0]}"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
