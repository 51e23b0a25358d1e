"""Tokens per second of generation, one sequence: ours against transformers' `generate`.

    python -m benchmarks.generate_speed

Both models have the same size (d_model 128, 4 heads, 4 layers, context 64, vocabulary 65), random weights, one
thread and a batch of one. They sample at temperature 1, from one token until the context is full. transformers'
Llama has the same components: RMSNorm, RoPE, SwiGLU and a cache. Also measured: its forward passes without
`generate`, and ours without a cache. Rounds are interleaved. The table shows medians, and the ratio to ours in
the same round. Needs `pip install transformers`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from engine.config import ModelConfig
from engine.generation.sampling import Sampler, adjust, generate, sample
from engine.model.decoder import TransformerLM

VOCABULARY = 65
START = 1
"""The first token of every text."""


def ours(config: ModelConfig) -> dict[str, Callable[[int], int]]:
    """Our contestants: functions that take a seed and return the number of generated tokens."""
    model = TransformerLM.from_config(config).eval()
    sampler, new = Sampler(), config.max_seq_len - 1

    def cached(seed: int) -> int:
        generator = torch.Generator().manual_seed(seed)
        return sum(1 for _ in generate(model, [START], new, sampler, generator))

    @torch.inference_mode()
    def uncached(seed: int) -> int:
        generator = torch.Generator().manual_seed(seed)
        ids = [START]
        for _ in range(new):
            logits = model(torch.tensor([ids]))[0, -1]
            ids.append(sample(adjust(logits, sampler), generator))
        return new

    return {"engine.generation.sampling.generate": cached, "ours, no cache": uncached}


def llama(config: ModelConfig) -> dict[str, Callable[[int], int]]:
    """The contestants of the same size in transformers."""
    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=config.d_model,
            intermediate_size=config.ff_width,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            max_position_embeddings=config.max_seq_len,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
        )
    ).eval()
    new = config.max_seq_len - 1
    start = torch.tensor([[START]])

    def library(seed: int) -> int:
        torch.manual_seed(seed)
        out = model.generate(
            start,
            attention_mask=torch.ones_like(start),
            max_new_tokens=new,
            do_sample=True,
            top_k=0,
            use_cache=True,
        )
        return out.shape[1] - 1

    @torch.inference_mode()
    def bare(seed: int) -> int:
        generator = torch.Generator().manual_seed(seed)
        cache, token = DynamicCache(), start
        for _ in range(new):
            logits = model(token, past_key_values=cache, use_cache=True).logits[0, -1]
            token = torch.multinomial(F.softmax(logits, -1), 1, generator=generator)[None]
        return new

    return {"transformers generate": library, "transformers forward": bare}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    config = ModelConfig(vocab_size=VOCABULARY, max_seq_len=64, d_model=128, n_head=4, n_layer=4)
    contestants = ours(config) | llama(config)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for seed in range(-1, arguments.rounds):  # the first round warms up
        for name, run in contestants.items():
            began = time.perf_counter()
            tokens = run(seed + 1)
            took = (time.perf_counter() - began) / tokens
            if seed >= 0:
                seconds[name].append(took)
    first = next(iter(contestants))
    print(f"{'':28} tokens/s   ms/token   ours is")
    for name, took in seconds.items():
        ratio = statistics.median(t / o for t, o in zip(took, seconds[first], strict=True))
        median = statistics.median(took)
        print(f"{name:28} {1 / median:8.0f}   {median * 1e3:8.3f}   {ratio:6.2f} x as fast")


if __name__ == "__main__":
    main()
