"""What the engine computes in each exercise: its own functions, or a layer with the weights of the exercise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.config import ModelConfig, TrainConfig
from engine.generation.sampler import Sampler
from engine.generation.sampling import adjust
from engine.model.attention import Attention, CrossAttention
from engine.model.balance import switch_loss
from engine.model.context import Context, Memory, View
from engine.model.feedforward import feedforward
from engine.model.norms import RMSNorm
from engine.model.positions import Rotary, rotate
from engine.model.routers import Router
from engine.model.routing import Routing
from engine.tokenizers.bpe import training
from engine.tokenizers.bpe.tokenizer import BPETokenizer
from engine.tokenizers.byte import LETTERS
from engine.training.loss import cross_entropy
from engine.training.optim import AdamW, clip_grad_norm, learning_rate


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> Tensor:
    """(T, D), (S, D), (S, D) -> (T, D), by the engine's layer."""
    layer = Attention(
        ModelConfig.parse({"d_model": q.shape[-1], "n_head": 1, "vocab_size": 2}), 0, "attention"
    )
    return layer.fused(q[None, None], k[None, None], v[None, None], View(causal=causal))[0, 0]


def attention_config(width: int, n_head: int) -> ModelConfig:
    size = {"d_model": width, "n_head": n_head, "vocab_size": 2, "position": "none"}
    return ModelConfig.parse(size)


def many_heads(x: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, wo: Tensor, n_head: int) -> Tensor:
    layer = Attention(attention_config(x.shape[-1], n_head), 0, "attention")
    with torch.no_grad():
        layer.qkv.weight.copy_(torch.cat([wq, wk, wv]))
        layer.output.weight.copy_(wo)
        return layer(x[None], Context(view=View(causal=True)))[0]


def cross(x: Tensor, memory: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, wo: Tensor) -> Tensor:
    layer = CrossAttention(attention_config(x.shape[-1], 1), 0, "attention")
    with torch.no_grad():
        layer.q.weight.copy_(wq)
        layer.kv.weight.copy_(torch.cat([wk, wv]))
        layer.output.weight.copy_(wo)
        return layer(x[None], Context(memory=Memory(memory[None], None)))[0]


def rope(x: Tensor, base: float) -> Tensor:
    """(T, D) -> (T, D), token p at position p."""
    size = {
        "d_model": x.shape[-1],
        "n_head": 1,
        "vocab_size": 2,
        "max_seq_len": len(x),
        "rope_theta": base,
    }
    turn = Rotary(ModelConfig.parse(size)).rotations(torch.arange(len(x)))
    return rotate(x[None, :, None], turn)[0, :, 0]


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    norm = RMSNorm(len(weight))
    with torch.no_grad():
        norm.weight.copy_(weight)
        return norm(x)


def swiglu(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    config = ModelConfig.parse(
        {
            "d_model": x.shape[-1],
            "n_head": 1,
            "vocab_size": 2,
            "feedforward": "swiglu",
            "d_ff": len(gate),
        }
    )
    layer: Any = feedforward(config, 0, "feedforward")
    with torch.no_grad():
        layer.gate.weight.copy_(gate)
        layer.up.weight.copy_(up)
        layer.output.weight.copy_(down)
        return layer(x[None], Context())[0]


def top_p(logits: Tensor, p: float) -> Tensor:
    return adjust(logits, Sampler(top_p=p)).after


def adamw_step(
    w: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float, decay: float = 0.01
) -> tuple[Tensor, Tensor, Tensor]:
    """The t-th update, t from 1, with betas 0.9 and 0.999."""
    weight = torch.nn.Parameter(w.clone())
    optimizer = AdamW([weight], lr=lr, weight_decay=decay)
    weight.grad = g.clone()
    optimizer.state[weight].update(step=t - 1, exp_avg=m.clone(), exp_avg_sq=v.clone())
    optimizer.step()
    state = optimizer.state[weight]
    return weight.detach(), state["exp_avg"], state["exp_avg_sq"]


def cosine(step: int, warmup: int, total: int, high: float, low: float) -> float:
    config = TrainConfig.parse(
        {
            "total_steps": total,
            "warmup_steps": warmup,
            "max_lr": high,
            "min_lr": low,
            "schedule": "cosine",
        }
    )
    return learning_rate(step, config)


def clip(gradient: Tensor, max_norm: float) -> Tensor:
    weight = torch.nn.Parameter(torch.zeros_like(gradient))
    weight.grad = gradient.clone()
    clip_grad_norm([weight], max_norm)
    return weight.grad


def train_bpe(words: dict[str, int], number: int) -> list[str]:
    return [merge.new_bytes.decode() for merge in training.learn_merges(words, number)]


def pieces(word: str, merges: list[tuple[str, str]]) -> list[str]:
    tokenizer = BPETokenizer([*LETTERS, *dict.fromkeys(a + b for a, b in merges)], merges)
    return [tokenizer.decode([token]) for token in tokenizer.encode(word)]


def top_k_gates(logits: Tensor, k: int) -> Tensor:
    """(N, E) -> (N, E), zero for all but the k most probable experts."""
    size = {
        "d_model": 2,
        "n_head": 1,
        "vocab_size": 2,
        "n_experts": logits.shape[-1],
        "top_k": k,
        "renormalise": False,
    }
    router = Router(ModelConfig.parse(size), 0)
    scores = router.scores(logits[None])
    return router.gates(scores, router.choose(scores))[0]


def balance_loss(probabilities: Tensor) -> Tensor:
    chosen = torch.nn.functional.one_hot(probabilities.argmax(-1), probabilities.shape[-1]).bool()
    gates = probabilities * chosen
    routing = Routing(
        0,
        probabilities.log()[None],
        probabilities[None],
        chosen[None],
        gates[None],
        torch.tensor(0),
    )
    return switch_loss(routing)


def slope(function: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    w = w.requires_grad_()
    return torch.autograd.grad(function(w), w)[0]


def bits(probabilities: Tensor) -> Tensor:
    """(N,) probabilities that were given to what came -> bits, by the engine's loss in nats."""
    logits = torch.stack([probabilities, 1 - probabilities], -1).log()
    return cross_entropy(logits, torch.zeros(len(probabilities), dtype=torch.long)) / math.log(2)
