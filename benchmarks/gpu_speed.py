"""Tokens per second of training and generation on a GPU, in every precision: ours against transformers.

    python -m benchmarks.gpu_speed
    python -m benchmarks.gpu_speed --sizes gpt2 seed-moe --compile

A training step is the forward pass, cross-entropy, the backward pass and the update, on the same random tokens
and with PyTorch's fused AdamW for all; fp16 scales its loss, as in `engine.training.loop`. All contestants run in
one process in interleaved rounds, and each call synchronises with the GPU. The table shows medians, the median
ratio of the rounds, and the peak memory. Without a GPU it exits with a message. Needs `pip install transformers`.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

from benchmarks.common import interleaved, print_table, times_as_fast
from engine.config import ModelConfig
from engine.estimate import parameters
from engine.generation.sampling import Sampler, generate
from engine.model.decoder import TransformerLM
from engine.training.devices import check_dtype, precision
from engine.training.loop import LossScale
from engine.validation import ConfigError

Step = Callable[[], object]
Loss = Callable[[Tensor, Tensor], Tensor]

SIZES = {
    "small": (32, ModelConfig(vocab_size=65, d_model=64, n_head=4, n_layer=2, max_seq_len=64)),
    "large": (16, ModelConfig(vocab_size=65, d_model=384, n_head=6, n_layer=6, max_seq_len=256)),
    "gpt2": (8, ModelConfig(vocab_size=50_257, d_model=768, n_head=12, n_layer=12, max_seq_len=1024)),
    "seed-moe": (
        8,
        ModelConfig(
            vocab_size=30_000, d_model=512, n_head=8, n_layer=12, max_seq_len=1024, n_experts=8, top_k=2
        ),
    ),
}  # fmt: skip
"""Batch size and model: two sizes of the CPU benchmark, GPT-2's size, and the mixture of experts in the
documentation of `MoETransformerLM`."""

CUDA = torch.device("cuda")


def waited(step: Step) -> Step:
    """The step, followed by a synchronisation with the GPU."""

    def run() -> None:
        step()
        torch.cuda.synchronize()

    return run


def training_step(model: nn.Module, loss: Loss, batch: Tensor, dtype: str) -> Step:
    """A training step in this precision. `batch` is (B, T + 1) tokens."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    inputs, targets = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)
    scale = LossScale().scale if dtype == "fp16" else 1.0

    def step() -> None:
        optimizer.zero_grad()
        with precision(CUDA, dtype):
            value = loss(inputs, targets)
        (scale * value).backward()
        for weight in model.parameters():
            if scale != 1 and weight.grad is not None:
                weight.grad.div_(scale)
        optimizer.step()

    return waited(step)


def ours(config: ModelConfig, batch: Tensor, dtype: str, compiled: bool = False) -> Step:
    model = TransformerLM.from_config(config).to(CUDA)
    run: Any = torch.compile(model) if compiled else model

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(run(inputs).flatten(0, 1).float(), targets)

    return training_step(model, loss, batch, dtype)


def library(config: ModelConfig) -> nn.Module:
    """The model of the same size in transformers."""
    size: dict[str, Any] = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.expert_width if config.n_experts else config.ff_width,
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.kv_heads,
        "max_position_embeddings": config.max_seq_len,
        "tie_word_embeddings": True,
        "attn_implementation": "sdpa",
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": 0,
    }
    if config.n_experts is None:
        llama: Any = LlamaForCausalLM(LlamaConfig(**size))
        return llama.to(CUDA)
    size |= {"num_local_experts": config.n_experts, "num_experts_per_tok": config.top_k}
    size["experts_implementation"] = "grouped_mm"
    mixtral: Any = MixtralForCausalLM(MixtralConfig(**size))
    return mixtral.to(CUDA)


def theirs(config: ModelConfig, batch: Tensor, dtype: str) -> Step:
    model: Any = library(config)

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        logits = model(inputs, use_cache=False).logits
        return F.cross_entropy(logits.flatten(0, 1).float(), targets)

    return training_step(model, loss, batch, dtype)


def measure(name: str, rounds: int, compiled: bool) -> None:
    """Print the table of one size."""
    batch_size, config = SIZES[name]
    torch.manual_seed(0)
    batch = torch.randint(config.vocab_size or 1, (batch_size, config.max_seq_len + 1), device=CUDA)
    print(
        f"\n{name}: {parameters(config)['total']:,} parameters, {batch_size} x {config.max_seq_len} tokens"
    )
    rows: list[list[str]] = []
    for dtype in ("fp32", "bf16", "fp16"):
        try:
            check_dtype(dtype, CUDA)
        except ConfigError as error:
            print(error)
            continue
        contestants = {
            f"ours, {dtype}": lambda dtype=dtype: ours(config, batch, dtype),
            f"transformers, {dtype}": lambda dtype=dtype: theirs(config, batch, dtype),
        }
        if compiled:
            contestants[f"ours, {dtype}, compiled"] = lambda dtype=dtype: ours(
                config, batch, dtype, True
            )
        steps: dict[str, Step] = {}
        held: dict[str, float] = {}
        for title, build in contestants.items():
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            try:
                steps[title] = build()
                steps[title]()
            except RuntimeError as error:
                print(f"{title}: {str(error).splitlines()[0][:150]}")
                steps.pop(title, None)
                continue
            held[title] = (torch.cuda.max_memory_allocated() - before) / 1e9
        seconds = interleaved(steps, rounds)
        first = next(iter(seconds))
        for title, taken in seconds.items():
            tokens = batch_size * config.max_seq_len / statistics.median(taken)
            ratio = times_as_fast(seconds[first], taken)
            rows.append([title, f"{tokens:,.0f}", f"{statistics.median(taken) * 1e3:.2f}", f"{held[title]:.2f}", f"{ratio:.2f} x"])  # fmt: skip
        steps.clear()
        gc.collect()
        torch.cuda.empty_cache()
    print_table(["", "tokens/s", "ms/step", "GB", "ours is faster by"], rows)


def measure_writing(rounds: int) -> None:
    """Generation of one text by a small model, where the GPU mostly waits for Python."""
    config = ModelConfig(vocab_size=65, max_seq_len=64, d_model=128, n_head=4, n_layer=4)
    torch.manual_seed(0)
    model = TransformerLM.from_config(config).eval()
    contestants: dict[str, Step] = {}
    for device in ("cpu", "cuda"):
        placed = TransformerLM.from_config(config).eval()
        placed.load_state_dict(model.state_dict())
        placed.to(device)

        def write(placed: TransformerLM = placed) -> None:
            list(generate(placed, [1], 63, Sampler(), torch.Generator().manual_seed(0)))

        contestants[f"ours, {device}"] = write
    llama: Any = library(config).eval()
    start = torch.tensor([[1]], device=CUDA)

    def write_theirs() -> None:
        llama.generate(
            start, attention_mask=torch.ones_like(start), max_new_tokens=63, do_sample=True, top_k=0
        )

    contestants["transformers, cuda"] = waited(write_theirs)
    seconds = interleaved(contestants, rounds)
    rows = [
        [
            title,
            f"{63 / statistics.median(taken):,.0f}",
            f"{times_as_fast(seconds['ours, cuda'], taken):.2f} x",
        ]
        for title, taken in seconds.items()
    ]
    print("\ngenerating 63 tokens, d_model 128, 4 layers")
    print_table(["", "tokens/s", "ours on the GPU is faster by"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--compile", action="store_true", help="also ours with torch.compile")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU on this machine.")
    print(torch.cuda.get_device_name(), f"torch {torch.__version__}")
    for name in arguments.sizes:
        measure(name, arguments.rounds, arguments.compile)
    measure_writing(arguments.rounds)


if __name__ == "__main__":
    main()
