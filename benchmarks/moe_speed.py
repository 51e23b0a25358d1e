"""Tokens per second of training with a mixture of experts: ours against transformers' Mixtral.

    python -m benchmarks.moe_speed
    python -m benchmarks.moe_speed --sizes small medium --balance
    python -m benchmarks.moe_speed --scale

A training step as in `benchmarks.train_speed`: the same random tokens and PyTorch's fused AdamW for
all, one thread, rounds interleaved; printed are medians, and the median ratio of the rounds. Every
block has 8 experts, of which 2 work on a token; the dense model is as wide as 2 of them, so that the
ratio to it is the price of routing. Mixtral runs with both of its implementations of experts that
are made for training: `eager`, a loop over the experts, and `grouped_mm`. With `--balance`, both
libraries add their balance loss.

`--scale` keeps 2 experts for a token, of the same width, and adds experts for the router to choose
from: the time of a token's forward and backward pass, and of the whole step. What is paid once for
each expert, its weights read, its gradient written, and in a step its update, is shared by the tokens
of a batch; so batches are four times as large here, and with fewer tokens the curve is steeper.

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
from engine.devices import keep_freed_memory
from engine.estimate import parameters
from engine.model.decoder import TransformerLM

EXPERTS, CHOSEN = 8, 2
SCALE = (8, 16, 32, 64)
"""Experts to choose from, with `--scale`."""

SCALE_BATCH = 4
"""How much larger its batches are."""

Loss = Callable[[Tensor, Tensor], Tensor]


def training_step(model: nn.Module, loss: Loss, batch: Tensor, update: bool = True) -> Step:
    """A step of this model; without `update`, its two passes alone. `batch` is (B, T + 1) tokens."""
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
    """Without experts, the feed-forward as wide as all those together that work on a token."""
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
    keep_freed_memory()  # for all alike, as at the start of every run
    clock = CLOCKS[arguments.clock]
    for name in arguments.sizes:
        if arguments.scale:
            measure_scale(name, arguments.rounds, clock)
        else:
            measure(name, arguments.rounds, arguments.balance, clock)


def sized(name: str, experts: int, batches: int = 1) -> tuple[ModelConfig, Tensor]:
    """The model of one size with so many experts, and a batch for it, or several in one."""
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
    """Print what a token costs with ever more experts to choose from."""
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
