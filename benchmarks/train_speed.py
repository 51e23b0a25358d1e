"""Tokens per second of training: ours against other libraries, at three sizes.

    python -m benchmarks.train_speed
    python -m benchmarks.train_speed --sizes small medium --compile

A training step is the forward pass, cross-entropy, the backward pass and the update, with the same random tokens and
PyTorch's fused AdamW for all. All contestants run in one process on one thread, in interleaved rounds. The table shows
medians, and the median ratio of the rounds. The last line is the time of the matrix products alone, forward and
backward, a lower bound for any implementation.

Ours has RMSNorm, RoPE and SwiGLU, like transformers' Llama and x-transformers. The model of torch.nn layers has
LayerNorm, learned positions and GELU, with as many parameters. Needs `pip install transformers x-transformers`.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM
from x_transformers import Decoder, TransformerWrapper

from benchmarks.common import CLOCKS, Clock, interleaved, print_table, times_as_fast
from engine.config import ModelConfig
from engine.estimate import parameters
from engine.model.decoder import TransformerLM
from engine.training.devices import keep_freed_memory
from engine.training.optim import AdamW

VOCABULARY = 65
LEARNING_RATE = 1e-3
LIMIT = "matrix products alone"

SIZES = {
    "small": (32, ModelConfig(d_model=64, n_head=4, n_layer=2, max_seq_len=64)),
    "medium": (12, ModelConfig(d_model=128, n_head=4, n_layer=4, max_seq_len=64)),
    "large": (16, ModelConfig(d_model=384, n_head=6, n_layer=6, max_seq_len=256)),
}
"""Batch size and model."""

Step = Callable[[], object]


def training_step(model: nn.Module, logits: Callable[[Tensor], Tensor], batch: Tensor) -> Step:
    """A training step with the fused AdamW. `batch` is (B, T + 1) tokens."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    inputs, targets = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(logits(inputs).flatten(0, 1), targets).backward()
        optimizer.step()

    return step


def ours(config: ModelConfig, batch: Tensor) -> Step:
    model = TransformerLM.from_config(config)
    return training_step(model, model, batch)


def ours_with_own_adamw(config: ModelConfig, batch: Tensor) -> Step:
    model = TransformerLM.from_config(config)
    optimizer = AdamW(model.parameters(), lr=LEARNING_RATE)
    inputs, targets = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(inputs).flatten(0, 1), targets).backward()
        optimizer.step()

    return step


def ours_compiled(config: ModelConfig, batch: Tensor) -> Step:
    model = TransformerLM.from_config(config)
    return training_step(model, torch.compile(model), batch)


def llama(config: ModelConfig, batch: Tensor) -> Step:
    size: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": config.d_model,
        "intermediate_size": config.ff_width,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "max_position_embeddings": config.max_seq_len,
        "tie_word_embeddings": True,
        "attn_implementation": "sdpa",
    }
    model: Any = LlamaForCausalLM(LlamaConfig(**size))
    return training_step(model, lambda tokens: model(tokens, use_cache=False).logits, batch)


def x_transformers(config: ModelConfig, batch: Tensor) -> Step:
    layers = Decoder(
        dim=config.d_model,
        depth=config.n_layer,
        heads=config.n_head,
        attn_dim_head=config.head_dim,
        attn_flash=True,
        rotary_pos_emb=True,
        use_rmsnorm=True,
        ff_glu=True,
        ff_swish=True,
        ff_no_bias=True,
        ff_mult=config.ff_width / config.d_model,
    )
    model = TransformerWrapper(
        num_tokens=VOCABULARY,
        max_seq_len=config.max_seq_len,
        attn_layers=layers,
        use_abs_pos_emb=False,
        tie_embedding=True,
    )
    return training_step(model, model, batch)


class TorchLayers(nn.Module):
    """A GPT of torch.nn layers, as in their documentation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, config.d_model)
        self.positions = nn.Embedding(config.max_seq_len, config.d_model)
        layer = nn.TransformerEncoderLayer(
            config.d_model,
            config.n_head,
            dim_feedforward=4 * config.d_model,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        norm = nn.LayerNorm(config.d_model)
        self.layers = nn.TransformerEncoder(layer, config.n_layer, norm, enable_nested_tensor=False)
        mask = nn.Transformer.generate_square_subsequent_mask(config.max_seq_len)
        self.register_buffer("mask", mask)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1])
        x = self.embedding(tokens) + self.positions(places)
        x = self.layers(x, mask=self.mask, is_causal=True)
        return x @ self.embedding.weight.T


def torch_layers(config: ModelConfig, batch: Tensor) -> Step:
    model = TorchLayers(config)
    return training_step(model, model, batch)


def matrix_products(config: ModelConfig, batch: Tensor) -> Step:
    """The matrix products of one of our steps: each forward product, and two of its size backward."""
    sequences, length = batch.shape[0], batch.shape[1] - 1
    width, hidden, tokens = config.d_model, config.ff_width, sequences * length
    matrices = [
        *[(width, 3 * width), (width, width), (width, 2 * hidden), (hidden, width)]
        * config.n_layer,
        (width, VOCABULARY),
    ]
    linear = [
        (torch.randn(tokens, rows), torch.randn(rows, columns), torch.randn(tokens, columns))
        for rows, columns in matrices
    ]
    heads = sequences * config.n_head
    wide = torch.randn(heads, length, config.head_dim)
    square = torch.randn(heads, length, length)

    def step() -> None:
        for x, weight, change in linear:
            torch.mm(x, weight)
            torch.mm(change, weight.T)
            torch.mm(x.T, change)
        for _ in range(config.n_layer):
            torch.bmm(wide, wide.mT)  # the scores, and the gradients of queries and keys
            torch.bmm(square, wide)
            torch.bmm(square.mT, wide)
            torch.bmm(square, wide)  # the mixing, and the gradients of weights and values
            torch.bmm(wide, wide.mT)
            torch.bmm(square.mT, wide)

    return step


CONTESTANTS: dict[str, Callable[[ModelConfig, Tensor], Step]] = {
    "ours": ours,
    "ours, with our own AdamW": ours_with_own_adamw,
    "transformers Llama": llama,
    "torch.nn layers": torch_layers,
    "x-transformers": x_transformers,
    LIMIT: matrix_products,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine")
    parser.add_argument("--compile", action="store_true", help="also ours with torch.compile")
    parser.add_argument("--no_keep", action="store_true", help="return freed memory to the system")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if not arguments.no_keep:  # for all contestants, as at the start of every run
        keep_freed_memory()
    for name in arguments.sizes:
        measure(name, arguments.rounds, arguments.compile, CLOCKS[arguments.clock])


def measure(name: str, rounds: int, compiled: bool, clock: Clock) -> None:
    """Print the table of one size."""
    batch_size, config = SIZES[name]
    config = config.model_copy(update={"vocab_size": VOCABULARY})
    torch.manual_seed(0)
    batch = torch.randint(VOCABULARY, (batch_size, config.max_seq_len + 1))
    steps = {title: build(config, batch) for title, build in CONTESTANTS.items()}
    print(
        f"\n{name}: d_model {config.d_model}, {config.n_head} heads, {config.n_layer} layers, "
        f"context {config.max_seq_len}, batch {batch_size}, "
        f"{parameters(config)['total']:,} parameters, {torch.get_num_threads()} thread(s)"
    )
    if compiled:
        step = ours_compiled(config, batch)
        begun = perf_counter()
        step()
        took = perf_counter() - begun
        steps[f"ours, --compile ({took:.0f} s to compile)"] = step
    seconds = interleaved(steps, rounds, clock=clock)
    tokens = batch_size * config.max_seq_len
    rows: list[list[str]] = []
    for title, taken in seconds.items():
        median = statistics.median(taken)
        ratio = times_as_fast(seconds["ours"], taken)
        rows.append([title, f"{tokens / median:,.0f}", f"{median * 1e3:.1f}", f"{ratio:.2f} x"])
    print_table(["", "tokens/s", "ms/step", "ours is faster by"], rows)


if __name__ == "__main__":
    main()
