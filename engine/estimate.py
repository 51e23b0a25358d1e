"""The cost of a model, computed from its configuration: parameters, FLOPs, memory and time.

Parameters and FLOPs are exact; memory and time are estimates. V vocabulary, C d_model, T context,
L blocks, H heads of width D, F feed-forward width.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from engine.config import GATED, ModelConfig, OptimizerName, RunConfig
from engine.data.base import DataError
from engine.data.tasks import TASKS
from engine.data.translation_pairs import PAIRS
from engine.files import read_stored
from engine.validation import ConfigError, Problem

FLOAT = 4
"""Bytes of an fp32 number, the type of weights, gradients and optimizer state."""

OPTIMIZER_STATES: dict[OptimizerName, int] = {"adamw": 2, "sgd": 1, "lion": 1, "muon": 2}
"""Numbers that an optimizer remembers of each weight; of a matrix, Muon remembers one."""


def parameters(config: ModelConfig, vocab_size: int | None = None) -> dict[str, int]:
    """Count the parameters by part, and their `total`.

    `vocab_size` is used if the configuration leaves it to the tokenizer. A tied output matrix counts once,
    as the embedding. Raises `ConfigError` if the vocabulary size is unknown.
    """
    vocabulary = _vocabulary(config, vocab_size)
    width, hidden, bias = config.d_model, config.ff_width, int(config.bias)
    blocks, cross_blocks = config.blocks, config.n_layer if config.n_encoder_layer else 0
    stacks = 1 if config.n_encoder_layer is None else 2
    qkv = width + 2 * config.kv_heads * config.head_dim
    attention = width * qkv + width * width + bias * (qkv + width)
    attention += 2 * config.head_dim * config.qk_norm  # one weight for queries, one for keys
    moe_blocks = len(config.moe_layers)
    norms = 2 * blocks + cross_blocks + (stacks if config.placement == "pre" else 0)
    norm = 0 if config.norm == "none" else width * (1 + (bias * (config.norm == "layernorm")))
    source_vocabulary = (
        0 if stacks == 1 or config.share_embeddings else config.src_vocab_size or vocabulary
    )
    reads = [config.src_vocab_size or vocabulary] * (config.n_encoder_layer or 0)
    reads += [vocabulary] * config.n_layer  # the vocabulary that each block reads
    tables = [vocabulary] if stacks == 1 else [reads[0], vocabulary]
    parts = {
        "embedding": (vocabulary + source_vocabulary) * width,
        "pairs": sum(config.pair_rows(size) for size in tables) * width,
        "positions": stacks * config.max_seq_len * width * (config.position == "learned"),
        "attention": blocks * attention,
        "values": sum(reads) * config.kv_heads * config.head_dim * config.value_embeddings,
        "cross": cross_blocks * attention,
        "feedforward": (blocks - moe_blocks) * _feedforward_parameters(config, hidden),
        "router": moe_blocks * _router_parameters(config),
        "experts": moe_blocks
        * (config.n_experts or 0)
        * _feedforward_parameters(config, config.expert_width)
        + moe_blocks * _shared_parameters(config),
        "norms": norms * norm,
        "skips": 2 * blocks * config.embedding_skip,
        "output": 0 if config.tie_embeddings else vocabulary * width,
    }
    return parts | {"total": sum(parts.values())}


def active_parameters(config: ModelConfig, vocab_size: int | None = None) -> int:
    """Count the parameters active for one token: all except those of experts that are not chosen."""
    idle = (config.n_experts or 0) - _active_experts(config)
    expert = _feedforward_parameters(config, config.expert_width)
    return parameters(config, vocab_size)["total"] - round(len(config.moe_layers) * idle * expert)


def _active_experts(config: ModelConfig) -> float:
    """Mean number of routed experts per token if none is dropped, without shared experts."""
    if config.n_experts is None:
        return 0
    factor = config.capacity_factor if config.router == "expert_choice" else None
    return min(config.n_experts, config.top_k * (factor or 1))


def _feedforward_parameters(config: ModelConfig, hidden: int) -> int:
    """Parameters of one feed-forward of width `hidden`."""
    up = 2 * hidden if config.feedforward in GATED else hidden
    return config.d_model * (up + hidden) + int(config.bias) * (up + config.d_model)


def _shared_parameters(config: ModelConfig) -> int:
    """Parameters of the shared experts, built as one feed-forward of their total width."""
    wide = config.n_shared_experts * config.expert_width
    return _feedforward_parameters(config, wide) if wide else 0


def _router_parameters(config: ModelConfig) -> int:
    """Parameters of one router: a row per expert, and a bias per expert."""
    experts = config.n_experts or 0
    matrices = {"hash": 0, "noisy_topk": 2}.get(config.router, 1)
    biased = config.router not in ("hash", "expert_choice")
    return experts * (matrices * config.d_model + biased)


def _active_width(config: ModelConfig, layer: int) -> float:
    """Total feed-forward width active for one token in this block, over all its experts."""
    if layer not in config.moe_layers:
        return config.ff_width
    return (_active_experts(config) + config.n_shared_experts) * config.expert_width


def flops_by_part(
    config: ModelConfig, context: int, vocab_size: int | None = None
) -> dict[str, int]:
    """FLOPs of the forward pass for one token of a sequence of `context` tokens, and their `total`.

    A multiply-add is 2 FLOPs, so a matrix costs twice its size per token. Only matrix products count:
    norms, activations and the softmax are negligible. The attention of a token is counted over all
    `context` keys, as in `torch.utils.flop_counter`; a causal kernel that skips masked keys needs about
    half of `scores` and `mixing`. With experts, only the chosen ones count; a capacity that drops
    choices lowers the cost further.

    With an encoder, the result is the cost of one target token plus one source token, in sequences
    of `context` tokens each.
    """
    width, blocks = config.d_model, config.blocks
    cross_blocks = config.n_layer if config.n_encoder_layer else 0
    qkv = 2 * width * (width + 2 * config.kv_heads * config.head_dim)
    scored = 0 if config.router == "hash" else config.n_experts or 0
    up = 2 if config.feedforward in GATED else 1
    parts = {
        "qkv": blocks * qkv,
        "scores": blocks * 2 * context * width,
        "mixing": blocks * 2 * context * width,
        "projection": blocks * 2 * width * width,
        "cross": cross_blocks * (qkv + 2 * width * width + 4 * context * width),
        "feedforward": round(
            2 * width * (up + 1) * sum(_active_width(config, layer) for layer in range(blocks))
        ),
        "router": len(config.moe_layers) * 2 * width * scored,
        "output": 2 * width * _vocabulary(config, vocab_size),
    }
    return parts | {"total": sum(parts.values())}


def block_matrices(config: ModelConfig) -> list[tuple[int, int, int]]:
    """The matrices of the blocks, each projection apart: how many, and their rows and columns.

    These are the ones that Muon orthogonalizes. Their parameters are all but those of embeddings, of the output
    matrix, and of norms and biases.
    """
    width, key = config.d_model, config.kv_heads * config.head_dim
    attentions = config.blocks + (config.n_layer if config.n_encoder_layer else 0)
    mixed = len(config.moe_layers)
    found = [(2 * attentions, width, width), (2 * attentions, key, width)]
    into = 2 if config.feedforward in GATED else 1  # up, and gate

    def feedforward(count: int, hidden: int) -> None:
        found.extend([(into * count, hidden, width), (count, width, hidden)])

    feedforward(config.blocks - mixed, config.ff_width)
    if mixed:
        feedforward(mixed * (config.n_experts or 0), config.expert_width)
        feedforward(
            mixed * bool(config.n_shared_experts), config.n_shared_experts * config.expert_width
        )
        routers = {"hash": 0, "noisy_topk": 2}.get(config.router, 1)
        found.append((mixed * routers, config.n_experts or 0, width))
    return [each for each in found if each[0]]


def optimizer_flops(config: RunConfig) -> int:
    """FLOPs of matrix products in one update of the optimizer: those of Muon's Newton-Schulz iterations.

    With r the shorter side of a matrix and c the longer one, an iteration multiplies X X^T (r c r), its square (r r r) and
    both with X (r r c).
    """
    if config.train.optimizer != "muon":
        return 0
    total = 0
    for count, rows, columns in block_matrices(config.model):
        r, c = sorted((rows, columns))
        total += count * 2 * r * r * (2 * c + r)
    return config.train.newton_schulz_steps * total


def flops_per_token(config: ModelConfig, context: int, vocab_size: int | None = None) -> int:
    """FLOPs of the forward pass for one token, counted as in `flops_by_part`.

    Training takes three times this: the backward pass computes two products for each one of the forward
    pass, the gradient of its input and the gradient of its weights.
    """
    return flops_by_part(config, context, vocab_size)["total"]


def sequence_length(config: RunConfig) -> int:
    """Tokens in a training sequence, T: the full context for text, an item of a task, or a translation."""
    if config.data.source in PAIRS:
        return min(PAIRS[config.data.source].length, config.model.max_seq_len)
    task = TASKS.get(config.data.source)
    if task is None:
        return config.model.max_seq_len
    try:
        return task(config.data.task_length, config.model.max_seq_len, seed=0).sequence_length
    except DataError:  # an item does not fit, which starting the run will report
        return config.model.max_seq_len


def batch_tokens(config: RunConfig) -> int:
    """Tokens in one batch: the sum over its sequences, or `TrainConfig.batch_tokens` if set."""
    filled = config.train.batch_tokens
    return config.train.batch_size * sequence_length(config) if filled is None else filled


def flops_per_step(config: RunConfig, vocab_size: int | None = None) -> int:
    """FLOPs of one update: forward and backward passes over all accumulated batches."""
    length = sequence_length(config)
    tokens = batch_tokens(config) * config.train.gradient_accumulation
    return 3 * tokens * flops_per_token(config.model, length, vocab_size)


def cache_bytes(config: ModelConfig, context: int) -> int:
    """Size of the KV cache for `context` tokens of one sequence, in fp32; with token pairs, also their ids."""
    numbers = 2 * config.n_layer * config.kv_heads * config.head_dim
    return context * (numbers * FLOAT + 8 * bool(config.token_pairs))


def activations_per_token(config: ModelConfig, context: int, vocab_size: int | None = None) -> int:
    """Numbers that the forward pass stores for the backward pass, per token of a sequence of `context` tokens.

    Counted over the tensors of `engine.model`: the inputs of matrix products, and what norms, rotary
    positions, activations and the softmax store to compute their gradients.
    """
    width = config.d_model
    norm = width * {"none": 1, "layernorm": 2, "rmsnorm": 3}[config.norm]  # input, scaled, output
    if config.kv_heads == config.n_head:
        qkv = 3 * width + (2 * width if config.position == "rope" else 0)
        if (
            config.value_embeddings
        ):  # values have memory of their own, and are no view of q, k and v
            qkv += -2 * width if config.position == "rope" else width
    else:  # keys and values are repeated for the queries that share them
        packed = width + 2 * config.kv_heads * config.head_dim
        qkv = 2 * width + (width if config.position == "rope" else packed)
    normed, normed_across = _stored_qk_norm(config)
    kept_hidden = 4 if config.feedforward in GATED else 1 if config.feedforward == "relu" else 2
    scores = _stored_scores(config) * config.n_head * context
    block = 2 * norm + qkv + normed + width + scores + width * config.embedding_skip
    cross_blocks = config.n_layer if config.n_encoder_layer else 0
    cross = cross_blocks * (norm + qkv + normed_across + 2 * width + scores)
    inside = kept_hidden * sum(_active_width(config, layer) for layer in range(config.blocks))
    # A copy of the token per chosen expert and its output twice; logits, scores, choices and gates.
    inside += len(config.moe_layers) * (
        3 * _active_experts(config) * width + 6 * (config.n_experts or 0)
    )
    last = norm if config.placement == "pre" else width
    logits = (3 + (config.logit_softcap > 0)) * _vocabulary(config, vocab_size)  # and their tanh
    return config.blocks * block + cross + round(inside) + last + logits


def _stored_qk_norm(config: ModelConfig) -> tuple[int, int]:
    """The numbers that QK-norm stores per token, in self-attention and in cross-attention.

    Per number its input, scaled and then weighted, and a scale for each head. RoPE needs no copy of its input,
    and without repeated keys and values the input of the norm is stored anyway.
    """
    if not config.qk_norm:
        return 0, 0
    queries_and_keys = (config.n_head + config.kv_heads) * config.head_dim
    scaled = queries_and_keys + config.n_head + config.kv_heads
    if config.position != "rope":
        return scaled + queries_and_keys, scaled + queries_and_keys
    shared = config.kv_heads < config.n_head
    inputs = queries_and_keys + config.kv_heads * config.head_dim if shared else 0
    return scaled + inputs, scaled + queries_and_keys


def _stored_scores(config: ModelConfig) -> int:
    """(T, T) matrices that a head stores. The fused kernel stores none, but does not support dropout."""
    return 3 if config.dropout else 1 if config.position == "alibi" else 0


PROCESS_BYTES = 280_000_000
"""Resident memory of a process after importing torch and one tiny step (Linux, CPU build)."""


def memory_bytes(
    config: RunConfig, vocab_size: int | None = None, process: int = PROCESS_BYTES
) -> dict[str, int]:
    """Memory of a run by part, in bytes, and its `total`.

    Weights, gradients, optimizer state and the average of the weights are exact. `activations` estimates what
    the forward pass stores for the backward pass, at two bytes per number under mixed precision. `process` is
    Python with torch imported.
    """
    model, train = config.model, config.train
    count = parameters(model, vocab_size)["total"]
    number = FLOAT if train.dtype == "fp32" else 2
    kept = batch_tokens(config) * activations_per_token(model, sequence_length(config), vocab_size)
    parts = {
        "weights": count * FLOAT,
        "gradients": count * FLOAT,
        "optimizer": _averages(config, count) * FLOAT,
        "average": count * FLOAT if train.ema_decay else 0,
        "activations": kept * number,
        "process": process,
    }
    return parts | {"total": sum(parts.values())}


def _averages(config: RunConfig, count: int) -> int:
    """The size of the optimizer's state, in numbers, for `count` parameters."""
    averages = OPTIMIZER_STATES[config.train.optimizer] * count
    if config.train.optimizer == "muon":
        averages -= sum(n * rows * columns for n, rows, columns in block_matrices(config.model))
    return averages


@dataclass(frozen=True)
class Work:
    """The work of one update: arithmetic, memory traffic and operations launched.

    `moved` counts the numbers stored for the backward pass, plus costs that these do not show: one number
    per attention score (its exponential), three per number that dropout draws, and three per weight of a table of
    token pairs, all of which get a gradient and an update whether their pairs occur or not. `blocks` counts the
    blocks, one more for embedding, loss and optimizer, and one more per expert layer, because routing
    launches about the same number of operations as a block.
    """

    flops: float
    moved: float
    blocks: float

    @classmethod
    def of(cls, config: RunConfig, vocab_size: int | None = None) -> Work:
        """Compute the work of one update of this run."""
        model, train = config.model, config.train
        length = sequence_length(config)
        cross_blocks = model.n_layer if model.n_encoder_layer else 0
        layers = model.blocks + cross_blocks / 2  # cross-attention counts as half a block
        scores = (model.blocks + cross_blocks) * model.n_head * length
        moved = activations_per_token(model, length, vocab_size) + scores
        if model.dropout:
            moved += 3 * (scores + 2 * layers * model.d_model)
        tokens = batch_tokens(config) * train.gradient_accumulation
        return cls(
            flops=flops_per_step(config, vocab_size) + optimizer_flops(config),
            moved=tokens * moved + 3 * parameters(model, vocab_size)["pairs"],
            blocks=train.gradient_accumulation * (layers + len(model.moe_layers) + 1),
        )

    def seconds(self, flop: float, move: float, block: float) -> float:
        return self.flops * flop + self.moved * move + self.blocks * block


@dataclass(frozen=True)
class Measurement:
    """A timed update: its work and its seconds."""

    work: Work
    seconds: float


@dataclass(frozen=True)
class Speed:
    """A machine's training speed: seconds per unit of `Work`, fitted to measured steps.

    Launching operations dominates the time of tiny models, memory traffic that of narrow ones, and
    arithmetic that of wide ones.
    """

    seconds_per_flop: float
    seconds_per_move: float
    seconds_per_block: float
    measured: tuple[Measurement, ...]
    """Benchmark steps of models of different sizes."""
    runs: tuple[Measurement, ...] = ()
    """Steps of real runs since the benchmark, newest last."""

    @classmethod
    def fit(cls, measured: Sequence[Measurement], runs: Sequence[Measurement] = ()) -> Speed:
        """Fit the three times, all non-negative, by least squares of the relative error.

        Raises `ValueError` without measurements, or if one has no positive duration.
        """
        steps = [*measured, *runs]
        if not steps or any(step.seconds <= 0 for step in steps):
            raise ValueError("a speed needs measured steps, each with a positive duration")
        # Dividing each row by its seconds makes the target 1, so errors are relative.
        rows = np.array([astuple(step.work) for step in steps], np.float64)
        rows /= np.array([[step.seconds] for step in steps])
        scale = rows.max(axis=0)
        scale[scale == 0] = 1
        best, times = math.inf, np.zeros(3)
        for used in product(
            (True, False), repeat=3
        ):  # try every subset, since a time must not be < 0
            columns = np.flatnonzero(used)
            found = np.zeros(3)
            found[columns] = np.linalg.lstsq((rows / scale)[:, columns], np.ones(len(rows)))[0]
            error = float(np.square(rows / scale @ found - 1).sum())
            if (found >= 0).all() and error < best:
                best, times = error, found / scale
        flop, move, block = times.tolist()
        return cls(flop, move, block, tuple(measured), tuple(runs))

    def refined(
        self, config: RunConfig, seconds: float, vocab_size: int | None = None, keep: int = 8
    ) -> Speed:
        """Refit with a measured step of a real run. Only the newest `keep` runs count."""
        run = Measurement(Work.of(config, vocab_size), seconds)
        return Speed.fit(self.measured, (*self.runs, run)[-keep:])

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Speed:
        """Parse JSON that `to_json` wrote. Raises `ValueError`."""
        try:
            values = json.loads(text)
            measured, runs = (
                [Measurement(Work(**entry["work"]), float(entry["seconds"])) for entry in entries]
                for entries in (values["measured"], values["runs"])
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored speed: {error!r}") from None
        return cls.fit(measured, runs)


def read_speed(path: Path) -> Speed | None:
    """Read a stored speed; None if the file is missing or invalid."""
    try:
        return Speed.from_json(read_stored(path))
    except (OSError, ValueError):
        return None


def seconds_per_step(config: RunConfig, speed: Speed, vocab_size: int | None = None) -> float:
    """Estimated seconds of one update on a machine of this speed."""
    work = Work.of(config, vocab_size)
    return work.seconds(speed.seconds_per_flop, speed.seconds_per_move, speed.seconds_per_block)


SAMPLE_TOKENS = 96
"""Tokens generated each time a run samples. For a task or a translation, only the answer is generated."""


def seconds(config: RunConfig, speed: Speed, vocab_size: int | None = None) -> float:
    """Estimated seconds of a complete run: updates, evaluations on validation data, and samples.

    A validation batch costs a third of a training batch, because it has no backward pass. A sampled token
    costs a forward pass of one position, whose time is that of launching operations.
    """
    train, model = config.train, config.model
    update = seconds_per_step(config, speed, vocab_size)
    evaluation = train.eval_steps * update / train.gradient_accumulation / 3
    evaluations = math.ceil(train.total_steps / train.eval_interval)
    tokens = SAMPLE_TOKENS
    if config.data.source in TASKS:
        tokens = config.data.task_length + 1
    elif config.data.source in PAIRS:
        tokens = sequence_length(config)
    sample = tokens * (model.n_layer + 1) * speed.seconds_per_block / 3
    samples = train.total_steps // train.sample_interval if train.sample_interval else 0
    return train.total_steps * update + evaluations * evaluation + samples * sample


def _vocabulary(config: ModelConfig, vocab_size: int | None) -> int:
    size = vocab_size if config.vocab_size is None else config.vocab_size
    if size is None:
        raise ConfigError([Problem("vocab_size", None, "is not known until a tokenizer is made")])
    return size
