"""What a model costs, worked out before anything is built: parameters, FLOPs, memory and time.

Parameters and FLOPs are exact; memory and time are estimates, and say so. The symbols are those of
the model: V vocabulary, C d_model, T context, L blocks, H heads of width D, F feed-forward width.

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
from engine.data.parallel import PAIRS
from engine.data.tasks import TASKS
from engine.jsonl import read_stored
from engine.validation import ConfigError, Problem

FLOAT = 4
"""Bytes of a number in fp32, which weights, gradients and the optimizer's averages always have here."""

AVERAGES: dict[OptimizerName, int] = {"adamw": 2, "sgd": 1}
"""Numbers that an optimizer remembers of each weight."""


def parameters(config: ModelConfig, vocab_size: int | None = None) -> dict[str, int]:
    """How many numbers are learned, by part, and their `total`.

    `vocab_size` stands in where the configuration leaves it to the tokenizer. A tied output matrix
    is the embedding's, so it counts once. Raises `ConfigError` when no vocabulary size is known.
    """
    vocabulary = _vocabulary(config, vocab_size)
    width, hidden, bias = config.d_model, config.ff_width, int(config.bias)
    blocks, crossed = config.blocks, config.n_layer if config.n_encoder_layer else 0
    stacks = 1 if config.n_encoder_layer is None else 2
    qkv = width + 2 * config.kv_heads * config.head_dim
    attention = width * qkv + width * width + bias * (qkv + width)
    mixed = len(config.moe_layers)
    norms = 2 * blocks + crossed + (stacks if config.placement == "pre" else 0)
    norm = 0 if config.norm == "none" else width * (1 + (bias * (config.norm == "layernorm")))
    apart = 0 if stacks == 1 or config.share_embeddings else config.src_vocab_size or vocabulary
    parts = {
        "embedding": (vocabulary + apart) * width,
        "positions": stacks * config.max_seq_len * width * (config.position == "learned"),
        "attention": blocks * attention,
        "cross": crossed * attention,
        "feedforward": (blocks - mixed) * _feedforward(config, hidden),
        "router": mixed * _router(config),
        "experts": mixed * (config.n_experts or 0) * _feedforward(config, config.expert_width)
        + mixed * _shared(config),
        "norms": norms * norm,
        "output": 0 if config.tie_embeddings else vocabulary * width,
    }
    return parts | {"total": sum(parts.values())}


def active_parameters(config: ModelConfig, vocab_size: int | None = None) -> int:
    """Of all parameters those that work on one token: all but the experts that are not chosen."""
    idle = (config.n_experts or 0) - _working(config)
    expert = _feedforward(config, config.expert_width)
    return parameters(config, vocab_size)["total"] - round(len(config.moe_layers) * idle * expert)


def _working(config: ModelConfig) -> float:
    """How many experts work on one token, on average, where none is too full; without shared ones."""
    if config.n_experts is None:
        return 0
    factor = config.capacity_factor if config.router == "expert_choice" else None
    return min(config.n_experts, config.top_k * (factor or 1))


def _feedforward(config: ModelConfig, hidden: int) -> int:
    """Parameters of one feed-forward, `hidden` wide inside."""
    up = 2 * hidden if config.feedforward in GATED else hidden
    return config.d_model * (up + hidden) + int(config.bias) * (up + config.d_model)


def _shared(config: ModelConfig) -> int:
    """Parameters of the experts that every token passes through: one feed-forward, as wide as all."""
    wide = config.n_shared_experts * config.expert_width
    return _feedforward(config, wide) if wide else 0


def _router(config: ModelConfig) -> int:
    """Parameters of one router: a row for each expert, and its bias."""
    experts = config.n_experts or 0
    matrices = {"hash": 0, "noisy_topk": 2}.get(config.router, 1)
    biased = config.router not in ("hash", "expert_choice")
    return experts * (matrices * config.d_model + biased)


def _active_width(config: ModelConfig, layer: int) -> float:
    """How wide the feed-forward is that one token passes in this block, all its experts together."""
    if layer not in config.moe_layers:
        return config.ff_width
    return (_working(config) + config.n_shared_experts) * config.expert_width


def flops_by_part(
    config: ModelConfig, context: int, vocab_size: int | None = None
) -> dict[str, int]:
    """FLOPs of the forward pass for one token of a sequence of `context` tokens, and their `total`.

    A multiplication and its addition are 2 FLOPs, so a matrix costs twice its size per token. Only
    matrix products count: norms, activations and the softmax are far less arithmetic. The attention
    of a token is counted over all `context` keys, as `torch.utils.flop_counter` does; a causal
    kernel that leaves out what is masked needs about half of the parts `scores` and `mixing`. With
    experts, those that work on a token count; a capacity that drops choices makes it less.

    With an encoder it is what one token of the translation costs together with one of the text that
    is translated, both of `context` tokens.
    """
    width, blocks = config.d_model, config.blocks
    crossed = config.n_layer if config.n_encoder_layer else 0
    qkv = 2 * width * (width + 2 * config.kv_heads * config.head_dim)
    scored = 0 if config.router == "hash" else config.n_experts or 0
    up = 2 if config.feedforward in GATED else 1
    parts = {
        "qkv": blocks * qkv,
        "scores": blocks * 2 * context * width,
        "mixing": blocks * 2 * context * width,
        "projection": blocks * 2 * width * width,
        "cross": crossed * (qkv + 2 * width * width + 4 * context * width),
        "feedforward": round(
            2 * width * (up + 1) * sum(_active_width(config, layer) for layer in range(blocks))
        ),
        "router": len(config.moe_layers) * 2 * width * scored,
        "output": 2 * width * _vocabulary(config, vocab_size),
    }
    return parts | {"total": sum(parts.values())}


def flops_per_token(config: ModelConfig, context: int, vocab_size: int | None = None) -> int:
    """FLOPs of the forward pass for one token; see `flops_by_part` for what is counted.

    Training takes three times this: backwards, every product becomes two (one for the gradient of
    its input, one for the gradient of its weights).
    """
    return flops_by_part(config, context, vocab_size)["total"]


def sequence_length(config: RunConfig) -> int:
    """Tokens in a training sequence, T: the whole context of a text, an item of a task, a translation."""
    if config.data.source in PAIRS:
        return min(PAIRS[config.data.source].length, config.model.max_seq_len)
    task = TASKS.get(config.data.source)
    if task is None:
        return config.model.max_seq_len
    try:
        return task(config.data.task_length, config.model.max_seq_len, seed=0).sequence_length
    except DataError:  # an item does not fit; the run will be refused for it
        return config.model.max_seq_len


def batch_tokens(config: RunConfig) -> int:
    """Tokens in one batch: of all its sequences, or as many as `batch_tokens` fills it with."""
    filled = config.train.batch_tokens
    return config.train.batch_size * sequence_length(config) if filled is None else filled


def flops_per_step(config: RunConfig, vocab_size: int | None = None) -> int:
    """FLOPs of one update: forward and backward, over all sequences of all accumulated batches."""
    length = sequence_length(config)
    tokens = batch_tokens(config) * config.train.gradient_accumulation
    return 3 * tokens * flops_per_token(config.model, length, vocab_size)


def cache_bytes(config: ModelConfig, context: int) -> int:
    """Size of the keys and values of `context` tokens of one sequence, in fp32."""
    return 2 * config.n_layer * config.kv_heads * config.head_dim * context * FLOAT


def kept_per_token(config: ModelConfig, context: int, vocab_size: int | None = None) -> int:
    """How many numbers the forward pass keeps for the backward pass, for each token of a sequence.

    The sequence has `context` tokens. Counted over the tensors of `engine.model`: inputs of matrix products, and what a norm, a
    rotation, an activation and the softmax need to find their gradients.
    """
    width = config.d_model
    norm = width * {"none": 1, "layernorm": 2, "rmsnorm": 3}[config.norm]  # input, scaled, output
    if config.kv_heads == config.n_head:
        qkv = 3 * width + (2 * width if config.position == "rope" else 0)
    else:  # keys and values are repeated for the queries that share them
        packed = width + 2 * config.kv_heads * config.head_dim
        qkv = 2 * width + (width if config.position == "rope" else packed)
    kept_hidden = 4 if config.feedforward in GATED else 1 if config.feedforward == "relu" else 2
    scores = _stored_scores(config) * config.n_head * context
    block = 2 * norm + qkv + width + scores
    crossed = config.n_layer if config.n_encoder_layer else 0
    cross = crossed * (norm + qkv + 2 * width + scores)
    inside = kept_hidden * sum(_active_width(config, layer) for layer in range(config.blocks))
    # A copy of the token for each expert, its answer twice; logits, scores, choices and gates.
    inside += len(config.moe_layers) * (3 * _working(config) * width + 6 * (config.n_experts or 0))
    last = norm if config.placement == "pre" else width
    return (
        config.blocks * block + cross + round(inside) + last + 3 * _vocabulary(config, vocab_size)
    )


def _stored_scores(config: ModelConfig) -> int:
    """How many (T, T) matrices a head keeps. The fused kernel keeps none, but takes no dropout."""
    return 3 if config.dropout else 1 if config.position == "alibi" else 0


PROCESS_BYTES = 280_000_000
"""Resident memory of a process that has imported torch and made one tiny step (Linux, CPU build)."""


def memory_bytes(
    config: RunConfig, vocab_size: int | None = None, process: int = PROCESS_BYTES
) -> dict[str, int]:
    """Memory of a run by part, in bytes, and its `total`.

    Weights, gradients and the optimizer's averages are exact. `activations` is an estimate of what the
    forward pass keeps for the backward pass, in two bytes each under mixed precision; `process` is
    Python with torch imported.
    """
    model, train = config.model, config.train
    count = parameters(model, vocab_size)["total"]
    number = FLOAT if train.dtype == "fp32" else 2
    kept = batch_tokens(config) * kept_per_token(model, sequence_length(config), vocab_size)
    parts = {
        "weights": count * FLOAT,
        "gradients": count * FLOAT,
        "optimizer": AVERAGES[train.optimizer] * count * FLOAT,
        "activations": kept * number,
        "process": process,
    }
    return parts | {"total": sum(parts.values())}


@dataclass(frozen=True)
class Work:
    """What one update has to do: arithmetic, numbers to move, operations to start.

    `moved` counts what is kept for the backward pass, and a little more where the work is more than
    that shows: one number for each attention score (its exponential), three for each number that
    dropout draws. `blocks` are those it runs through; the embedding, the loss and the optimizer are one more, and an expert
    layer counts as one more block: routing starts about as many operations.
    """

    flops: float
    moved: float
    blocks: float

    @classmethod
    def of(cls, config: RunConfig, vocab_size: int | None = None) -> Work:
        """The work of one update of this run."""
        model, train = config.model, config.train
        length = sequence_length(config)
        crossed = model.n_layer if model.n_encoder_layer else 0
        layers = model.blocks + crossed / 2  # cross-attention is half of a block
        scores = (model.blocks + crossed) * model.n_head * length
        moved = kept_per_token(model, length, vocab_size) + scores
        if model.dropout:
            moved += 3 * (scores + 2 * layers * model.d_model)
        tokens = batch_tokens(config) * train.gradient_accumulation
        return cls(
            flops=flops_per_step(config, vocab_size),
            moved=tokens * moved,
            blocks=train.gradient_accumulation * (layers + len(model.moe_layers) + 1),
        )

    def seconds(self, flop: float, move: float, block: float) -> float:
        return self.flops * flop + self.moved * move + self.blocks * block


@dataclass(frozen=True)
class Measurement:
    """The seconds that one update took, and its work."""

    work: Work
    seconds: float


@dataclass(frozen=True)
class Speed:
    """How fast a machine trains: the seconds for each unit of `Work`, fitted to measured steps.

    Starting operations decides the time of tiny models, moving numbers that of narrow ones and
    arithmetic that of wide ones.
    """

    seconds_per_flop: float
    seconds_per_move: float
    seconds_per_block: float
    measured: tuple[Measurement, ...]
    """Steps of models of different sizes, timed for this."""
    runs: tuple[Measurement, ...] = ()
    """Steps of real runs since then, the newest last."""

    @classmethod
    def fit(cls, measured: Sequence[Measurement], runs: Sequence[Measurement] = ()) -> Speed:
        """The three times, none below zero, with the smallest squared relative error.

        Raises `ValueError` without measurements, or for one that took no time.
        """
        steps = [*measured, *runs]
        if not steps or any(step.seconds <= 0 for step in steps):
            raise ValueError("a speed needs measured steps, each longer than nothing")
        # A row divided by its seconds should give one: its error is then the relative one.
        rows = np.array([astuple(step.work) for step in steps], np.float64)
        rows /= np.array([[step.seconds] for step in steps])
        scale = rows.max(axis=0)
        scale[scale == 0] = 1
        best, times = math.inf, np.zeros(3)
        for used in product((True, False), repeat=3):  # the best may leave out what came out < 0
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
        """Fitted again, with what a step of a real run took; only the newest `keep` runs count."""
        run = Measurement(Work.of(config, vocab_size), seconds)
        return Speed.fit(self.measured, (*self.runs, run)[-keep:])

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Speed:
        """Read what `to_json` wrote. Raises `ValueError`."""
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
    """The speed stored in this file; None when there is none, or none that can be read."""
    try:
        return Speed.from_json(read_stored(path))
    except (OSError, ValueError):
        return None


def seconds_per_step(config: RunConfig, speed: Speed, vocab_size: int | None = None) -> float:
    """Expected seconds of one update on the machine whose speed this is."""
    work = Work.of(config, vocab_size)
    return work.seconds(speed.seconds_per_flop, speed.seconds_per_move, speed.seconds_per_block)


SAMPLE_TOKENS = 96
"""How much a run writes after its prompts each time it samples; for a task or a text to translate, only
the answer."""


def seconds(config: RunConfig, speed: Speed, vocab_size: int | None = None) -> float:
    """Expected seconds of a whole run: its updates, its measurements on held-out data, its samples.

    A held-out batch costs a third of a training batch, since nothing goes backward. A sampled token
    costs a forward pass of one position, which is all starting of operations.
    """
    train, model = config.train, config.model
    update = seconds_per_step(config, speed, vocab_size)
    held_out = train.eval_steps * update / train.gradient_accumulation / 3
    measurements = math.ceil(train.total_steps / train.eval_interval)
    tokens = SAMPLE_TOKENS
    if config.data.source in TASKS:
        tokens = config.data.task_length + 1
    elif config.data.source in PAIRS:
        tokens = sequence_length(config)
    sample = tokens * (model.n_layer + 1) * speed.seconds_per_block / 3
    samples = train.total_steps // train.sample_interval if train.sample_interval else 0
    return train.total_steps * update + measurements * held_out + samples * sample


def _vocabulary(config: ModelConfig, vocab_size: int | None) -> int:
    size = vocab_size if config.vocab_size is None else config.vocab_size
    if size is None:
        raise ConfigError([Problem("vocab_size", None, "is not known until a tokenizer is made")])
    return size
