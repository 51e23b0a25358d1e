"""Training as a generator: `train(state)` makes one update at a time and yields what happened.

It does no I/O and knows no user interface: a generator that nobody asks for more is a paused run,
`next(run)` is one step, and `list(train(state))` is a test.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from engine.config import RunConfig, TrainConfig
from engine.data.base import IGNORE, Batch, Data
from engine.devices import precision, prepare
from engine.events import CHANGEABLE, Diverged, Evaluated, Noted, Routed, Stepped
from engine.loss import cross_entropy
from engine.metrics import bits_per_character
from engine.model.build import build
from engine.model.decoder import Decoder
from engine.model.moe import MixtureOfExperts
from engine.model.routing import BALANCERS, Routing, balance_loss, nudge, of_whole_batch
from engine.optim import Optimizer, clip_grad_norm, learning_rate, make_optimizer, set_rates
from engine.parallel import PARALLELS, Predict, begin_draws, placed, whole
from engine.ranks import ALONE, Ranks
from engine.validation import ConfigError, Problem

MOST_RECORDS = 500
"""Samples, recorded attention maps and records of routing are at most so many in a run, however long
it is."""


@dataclass
class LossScale:
    """A factor on the loss that keeps small fp16 gradients from becoming zero.

    It doubles after `GROWTH` updates in a row, and halves when a gradient overflows; that batch is
    skipped (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2).
    """

    scale: float = 2.0**16
    updates: int = 0
    """In a row, since the scale last changed."""

    GROWTH = 2_000

    def succeeded(self) -> None:
        self.updates += 1
        if self.updates == self.GROWTH:
            self.scale, self.updates = 2 * self.scale, 0

    def overflowed(self) -> None:
        self.scale, self.updates = self.scale / 2, 0


@dataclass
class TrainState:
    """Everything that training changes. Stored and loaded, it goes on bit by bit the same."""

    config: RunConfig
    model: Decoder
    optimizer: Optimizer
    data: Data
    device: torch.device
    scale: LossScale | None = None
    """Only with fp16."""
    step: int = 0
    """Updates made."""
    tokens: int = 0
    """Tokens trained on."""
    ranks: Ranks = ALONE
    """The processes that train this model; each has a state of its own, and the same `data`."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """How the newest batch was routed, for whoever wants to tell it; not stored."""
    report: Callable[[int, int], object] = lambda done, total: None
    """Is told how many batches of how many `evaluate` has measured."""
    forward: Predict = field(init=False)
    """`Decoder.predict`, compiled where the configuration says so, and parallel with others."""
    summing: Callable[[bool], object] = field(init=False)
    """Tells whether the next passes sum their gradients over all processes."""

    def __post_init__(self) -> None:
        self.forward, self.summing = self.model.predict, lambda on: None
        if self.config.train.compile:
            self.forward = cast(Any, torch.compile(self.model.predict))
        if self.ranks.together:
            parallel = PARALLELS[self.config.train.parallel]
            self.forward, self.summing = parallel(self.model, self.forward)


def new_state(
    config: RunConfig, data: Data, device: torch.device | None = None, ranks: Ranks = ALONE
) -> TrainState:
    """A model with its first weights, ready to train. Seeds PyTorch's global generator.

    The seed fixes the weights on every device, since they are drawn on the CPU, and in every process.
    Raises `ConfigError` for a device, precision or compiler that is not there, and for what the processes
    cannot do together.
    """
    device = prepare(config.train, ranks) if device is None else device
    torch.manual_seed(config.train.seed)
    size = config.model.vocab_size or data.tokenizer.vocab_size
    model_config = config.model.model_copy(update={"vocab_size": size})
    model = placed(build(model_config), device, ranks, config.train.parallel)
    return TrainState(
        config=config,
        model=model,
        optimizer=make_optimizer(model, config.train),
        data=data,
        device=device,
        scale=LossScale() if config.train.dtype == "fp16" else None,
        ranks=ranks,
    )


def train(state: TrainState) -> Iterator[Stepped | Routed | Evaluated | Diverged | Noted]:
    """Train up to `total_steps`, one update for each `Stepped`.

    Yields `Evaluated` at step 0, every `eval_interval` steps and after the last; with experts, a
    `Routed` before a `Stepped`, at most `MOST_RECORDS` in a run; `Diverged`, and nothing more, when the loss or a gradient is not
    finite; `Noted` for a batch that fp16 skipped.
    """
    if state.step == 0:
        yield evaluate(state)
    while state.step < state.config.train.total_steps:
        event = update(state)
        if isinstance(event, Stepped) and state.routing and due(state.step, 1, state.config.train):
            yield routed(state)
        yield event
        if isinstance(event, Diverged):
            return
        if isinstance(event, Stepped) and evaluation_due(state):
            yield evaluate(state)


def evaluation_due(state: TrainState) -> bool:
    """Does an `Evaluated` follow the `Stepped` of this step?"""
    config = state.config.train
    return state.step % config.eval_interval == 0 or state.step == config.total_steps


def due(step: int, interval: int, config: TrainConfig) -> bool:
    """Is it time for a record that comes every `interval` steps, at most `MOST_RECORDS` in a run?

    The first step (0) and the last are always recorded; an interval of 0 turns them all off.
    """
    if interval == 0:
        return False
    apart = interval * -(-config.total_steps // (interval * MOST_RECORDS))
    return step % apart == 0 or step == config.total_steps


def update(state: TrainState) -> Stepped | Diverged | Noted:
    """Make one update, from `gradient_accumulation` batches.

    Of several processes, each draws the same batches and takes its own rows of them. Gradients, loss and
    the counts of routers are summed, so that the update is the one that a single process makes, but for
    what is drawn (dropout, a router's noise) and for experts with limited room, who take or drop tokens
    of each process by itself.

    Makes none, and returns `Diverged`, when the loss or the gradient is not finite. With fp16 an
    overflow is no divergence: the batch is skipped, the loss scale halved, and `Noted` returned.
    """
    began = perf_counter()
    config, optimizer, scale = state.config.train, state.optimizer, state.scale
    ranks = state.ranks
    if ranks.together:
        begin_draws(config.seed, state.step, ranks.rank)
    batches = [state.data.batch(config.batch_size) for _ in range(config.gradient_accumulation)]
    count = sum(_targets_counted(batch) for batch in batches)
    state.model.balance = balance_weights(config)
    # The mean of all processes' gradients is taken, and their sum is meant.
    factor = ranks.size * (1.0 if scale is None else scale.scale)

    optimizer.zero_grad()
    losses: list[Tensor] = []
    loads: list[Tensor] = []
    for batch in batches:
        part = batch.part(ranks.rank, ranks.size)
        inputs, targets, sources, present = _tensors(part, state.device)
        state.summing(batch is batches[-1])
        with precision(state.device, config.dtype):
            output = state.forward(inputs, sources, present)
        loss = cross_entropy(output.logits, targets, count, config.label_smoothing)
        losses.append(loss.detach())
        state.routing, balance = output.routing, output.balance_loss
        if ranks.together and state.routing:
            state.routing = of_whole_batch(state.routing, ranks.sum, _targets_counted(part) > 0)
            balance = balance_loss(state.routing, state.model.balance)
        if state.routing:  # the one place where the balance loss joins
            loss = loss + balance / len(batches)
            if config.bias_rate:
                loads.append(torch.stack([record.load for record in state.routing]))
        (loss if factor == 1 else loss * factor).backward()
    weights = optimizer.named_parameters().values()
    if scale is not None:
        for weight in weights:
            if weight.grad is not None:
                weight.grad /= scale.scale
    norm = whole(clip_grad_norm(weights, config.max_grad_norm))
    # The one place where a step waits for the device: nothing may be updated before this is known.
    values: Tensor = torch.stack([ranks.sum(torch.stack(losses).sum()), norm]).cpu()
    loss, grad_norm = values[0].item(), values[1].item()

    if not math.isfinite(grad_norm) or not math.isfinite(loss):
        optimizer.zero_grad()
        if scale is not None and scale.scale > 1 and math.isfinite(loss):
            scale.overflowed()
            text = f"fp16 overflowed: a batch was skipped, the loss scale is now {scale.scale:g}."
            return Noted(step=state.step, text=text)
        return Diverged(step=state.step, loss=f"{loss:g}", grad_norm=f"{grad_norm:g}")

    lr = learning_rate(state.step, config)
    set_rates(optimizer, lr, config.weight_decay)
    optimizer.step()
    if loads:
        nudge_routers(state.model, torch.stack(loads).mean(0), config)
    if scale is not None:
        scale.succeeded()
    state.step += 1
    state.tokens += sum(batch.inputs.size for batch in batches)
    return Stepped(
        step=state.step,
        loss=loss,
        lr=lr,
        grad_norm=grad_norm,
        tokens=state.tokens,
        seconds=perf_counter() - began,
    )


def balance_weights(config: TrainConfig) -> dict[str, float]:
    """The weight of each balance loss, as `Decoder.balance` has them."""
    return {name: getattr(config, f"{name}_loss") for name in BALANCERS}


@torch.no_grad()
def nudge_routers(model: Decoder, loads: Tensor, config: TrainConfig) -> None:
    """Move the bias of every router that has one; `loads` is (expert layers, E)."""
    mixtures = [part for part in model.modules() if isinstance(part, MixtureOfExperts)]
    mixtures.sort(key=lambda part: part.layer)  # an encoder's come first, as they are passed
    for mixture, load in zip(mixtures, loads, strict=True):
        if mixture.router.bias is not None:
            nudge(mixture.router.bias, load, config.bias_rate, config.bias_rule)


@torch.inference_mode()
def routed(state: TrainState) -> Routed:
    """What is told of how the last batch was routed, by all processes."""
    routing = state.routing

    def mean(measure: Callable[[Routing], Tensor]) -> Tensor:
        """Of each layer, over the tokens of all processes."""
        return state.ranks.sum(torch.stack([record.share * measure(record) for record in routing]))

    losses = {name: mean(loss) for name, loss in BALANCERS.items()}
    dropped = torch.stack(
        [record.count("dropped") / record.count("choices").sum() for record in routing]
    )
    weighted = sum(state.model.balance[name] * values.sum() for name, values in losses.items())
    return Routed(
        step=state.step,
        layers=[record.layer for record in routing],
        load=_short(torch.stack([record.load for record in routing])),
        probability=_short(mean(lambda record: record.probability)),
        dropped=_short(dropped),
        entropy=_short(mean(lambda record: record.entropy)),
        losses={name: _short(values) for name, values in losses.items()},
        balance_loss=float(weighted),
    )


def _short(values: Tensor) -> Any:
    """As lists of numbers with seven decimals: a run's log holds thousands of them."""
    return values.double().cpu().numpy().round(7).tolist()


@torch.no_grad()  # weights in parts (fsdp) are not put together in inference mode
def evaluate(state: TrainState) -> Evaluated:
    """Measure on held-out data, the same each time; nothing that training uses is moved by it.

    The loss is the mean over all targets. Where answers are exact, accuracy is the share of rows in
    which the most probable token is right at every target. Several processes share the rows.
    """
    config, ranks, lengths = state.config.train, state.ranks, state.data.character_counts
    total, count, right, rows, characters = 0.0, 0, 0, 0, 0
    state.model.eval()
    try:
        for done, batch in enumerate(state.data.validation(config.batch_size, config.eval_steps)):
            state.report(done, config.eval_steps)
            batch = batch.part(ranks.rank, ranks.size)
            inputs, targets, sources, present = _tensors(batch, state.device)
            with precision(state.device, config.dtype):
                logits = state.model.predict(inputs, sources, present).logits  # (B, T, V)
            total += cross_entropy(logits, targets, count=1).item()
            count += _targets_counted(batch)
            if lengths is not None:
                characters += int(lengths[batch.targets[batch.targets != IGNORE]].sum())
            if state.data.exact:
                hits = (logits.argmax(-1) == targets) | (targets == IGNORE)  # (B, T)
                asked = (targets != IGNORE).any(-1)  # (B,)
                right += int((hits.all(-1) & asked).sum())
                rows += int(asked.sum())
    finally:
        state.model.train()
    sums = ranks.sum(torch.tensor([total, count, right, rows, characters], dtype=torch.float64))
    numbers: list[float] = sums.tolist()
    total, count, right, rows, characters = numbers
    loss = total / max(1.0, count)
    return Evaluated(
        step=state.step,
        loss=loss,
        accuracy=right / rows if rows else None,
        bits=bits_per_character(loss, count, characters) if characters else None,
    )


def rehearse(state: TrainState) -> Callable[[], None]:
    """A training step that changes nothing, for measuring how long one takes."""
    batch = next(iter(state.data.validation(state.config.train.batch_size, 1)))
    inputs, targets, sources, present = _tensors(batch, state.device)

    def step() -> None:
        with torch.random.fork_rng(devices=[]):
            cross_entropy(state.model.predict(inputs, sources, present).logits, targets).backward()
        state.optimizer.zero_grad()

    return step


def change(state: TrainState, name: str, value: float) -> dict[str, float]:
    """Set one of `CHANGEABLE` from the next update on; returns what was changed.

    A `max_lr` below `min_lr` takes `min_lr` down with it. Raises `ConfigError`.
    """
    if name not in CHANGEABLE:
        allowed = f"cannot be changed in the middle of a run; {', '.join(CHANGEABLE)} can"
        raise ConfigError([Problem(name, value, allowed)])
    changes = {name: value}
    if name == "max_lr" and 0 < value < state.config.train.min_lr:
        changes["min_lr"] = value
    train = TrainConfig.parse(state.config.train.model_dump() | changes)
    state.config = state.config.model_copy(update={"train": train})
    return {field: float(getattr(train, field)) for field in changes}


def _targets_counted(batch: Batch) -> int:
    return int(np.count_nonzero(batch.targets != IGNORE))


def _tensors(
    batch: Batch, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Inputs and targets, (B, T) each, sources (B, S) if there are any, and `Batch.present`, on the device."""
    arrays = batch.inputs, batch.targets, batch.sources, batch.present
    inputs, targets, sources, present = (
        None if array is None else torch.from_numpy(array).to(device) for array in arrays
    )
    assert inputs is not None and targets is not None
    return inputs, targets, sources, present
