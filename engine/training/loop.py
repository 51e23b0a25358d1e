"""Training as a generator: `train(state)` makes one update at a time and yields typed events.

It does no I/O and knows no user interface. A generator that is not advanced is a paused run, `next(run)`
goes on to the next event (`Stepped` is one update), and `list(train(state))` is a whole run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from engine.config import RunConfig, TrainConfig
from engine.data.base import IGNORE, Batch, Data
from engine.distributed.processes import OneProcess, spread
from engine.distributed.ranks import ALONE, Ranks
from engine.distributed.sharding import Predict, placed, unshard
from engine.generation.metrics import bits_per_character
from engine.model.balance import BALANCERS, update_expert_bias
from engine.model.build import build
from engine.model.decoder import Decoder
from engine.model.experts import MixtureOfExperts
from engine.model.routing import Routing
from engine.runs.events import CHANGEABLE, Diverged, Evaluated, Noted, Routed, Stepped
from engine.training.average import WeightAverage
from engine.training.devices import precision, prepare
from engine.training.loss import cross_entropy
from engine.training.optim import (
    Optimizer,
    clip_grad_norm,
    learning_rate,
    make_optimizer,
    rate_factors,
    set_rates,
)
from engine.validation import ConfigError, Problem

MAX_RECORDS = 500
"""Upper limit on the samples, the recorded attention maps and the routing records of one run."""


@dataclass
class LossScale:
    """A factor on the loss that keeps small fp16 gradients from becoming zero.

    It doubles after `GROWTH` updates without an overflow. An overflow halves it, and that batch is skipped
    (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2).
    """

    scale: float = 2.0**16
    updates: int = 0
    """Updates since the scale last changed."""

    GROWTH = 2_000

    def succeeded(self) -> None:
        self.updates += 1
        if self.updates == self.GROWTH:
            self.scale, self.updates = 2 * self.scale, 0

    def overflowed(self) -> None:
        self.scale, self.updates = self.scale / 2, 0


@dataclass
class TrainState:
    """Everything that training changes. A stored and loaded state continues bit for bit."""

    config: RunConfig
    model: Decoder
    optimizer: Optimizer
    data: Data
    device: torch.device
    scale: LossScale | None = None
    """Only with fp16."""
    average: WeightAverage | None = None
    """Only with `ema_decay`."""
    step: int = 0
    """Updates made."""
    tokens: int = 0
    """Positions of `inputs` trained on, padding included; source tokens are not counted."""
    ranks: Ranks = ALONE
    """The processes that train this model. Each has its own state and the same `data`."""
    routing: list[Routing] = field(default_factory=lambda: list[Routing]())
    """Routing records of the last batch, for logging; not checkpointed."""
    report: Callable[[int, int], object] = lambda done, total: None
    """Progress callback of `evaluate`: (batches done, total)."""
    spent: float = 0.0
    """Processor seconds of the updates since the last evaluation; not checkpointed."""
    updates: int = 0
    """Updates since the last evaluation; not checkpointed."""
    processes: OneProcess = field(init=False)
    """The distribution of an update over `ranks`; holds the forward pass, compiled if configured."""

    def __post_init__(self) -> None:
        config, predict = self.config.train, self.model.predict
        if config.compile:
            predict = cast(Predict, torch.compile(predict))
        self.processes = spread(self.model, predict, self.ranks, config.parallel)

    @property
    def measured_model(self) -> Decoder:
        """The model that is evaluated, sampled and inspected: with the averaged weights if there are any."""
        return self.model if self.average is None else self.average.model


def new_state(
    config: RunConfig, data: Data, device: torch.device | None = None, ranks: Ranks = ALONE
) -> TrainState:
    """A newly initialised model, ready to train. Seeds PyTorch's global generator.

    Weights are drawn on the CPU, so the seed fixes them for every device and in every process. Raises
    `ConfigError` for a device, precision or compiler that is not available, and for a configuration that
    several processes cannot train.
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
        average=WeightAverage(model) if config.train.ema_decay else None,
        ranks=ranks,
    )


def train(state: TrainState) -> Iterator[Stepped | Routed | Evaluated | Diverged | Noted]:
    """Train up to `total_steps`. Each update yields one `Stepped`.

    Other events: `Evaluated` at step 0, every `eval_interval` steps and after the last step; with experts,
    `Routed` before a `Stepped`, at most `MAX_RECORDS` in a run; `Noted` when fp16 skips a batch; `Diverged`,
    as the last event, when the loss, a gradient or the validation loss is not finite.
    """
    if state.step == 0:
        yield (event := evaluated(state))
        if isinstance(event, Diverged):
            return
    while state.step < state.config.train.total_steps:
        event = update(state)
        if isinstance(event, Stepped) and state.routing and due(state.step, 1, state.config.train):
            yield routed(state)
        yield event
        if isinstance(event, Stepped) and evaluation_due(state):
            yield (event := evaluated(state, event.grad_norm))
        if isinstance(event, Diverged):
            return


def evaluated(state: TrainState, grad_norm: float = math.nan) -> Evaluated | Diverged:
    """What `evaluate` measures; `Diverged` if that loss is not finite, as after an update to weights without a loss."""
    found = evaluate(state)
    if math.isfinite(found.loss):
        return found
    return Diverged(step=state.step, loss=f"{found.loss:g}", grad_norm=f"{grad_norm:g}")


def evaluation_due(state: TrainState) -> bool:
    """Whether an `Evaluated` comes after the `Stepped` of this step."""
    config = state.config.train
    return state.step % config.eval_interval == 0 or state.step == config.total_steps


def due(step: int, interval: int, config: TrainConfig) -> bool:
    """Whether a record is due that is made every `interval` steps, at most `MAX_RECORDS` times in a run.

    Step 0 and the last step are always recorded. An interval of 0 turns all records off.
    """
    if interval == 0:
        return False
    apart = interval * -(-config.total_steps // (interval * MAX_RECORDS))
    return step % apart == 0 or step == config.total_steps


def update(state: TrainState) -> Stepped | Diverged | Noted:
    """Make one update, from `gradient_accumulation` batches.

    Several processes draw the same batches, and each computes its own rows. Gradients, losses and routing
    counts are summed over processes, so the update equals that of one process. Two exceptions: random
    draws (dropout, router noise), and expert capacity, which each process applies to its own tokens.

    A loss or gradient that is not finite changes no weight. It returns `Diverged`, or `Noted` if a smaller
    fp16 loss scale may avoid it.
    """
    began, processor = perf_counter(), process_time()
    state.processes.begin_update(state.config.train.seed, state.step)
    batches = draw_batches(state)
    loss_sum, loads = accumulate_gradients(state, batches)
    norm = clip_gradients(state)
    # The one point at which a step waits for the device: no weight may change before these are known.
    numbers: list[float] = torch.stack([state.processes.sum(loss_sum), norm]).tolist()
    loss, grad_norm = numbers
    if not (math.isfinite(loss) and math.isfinite(grad_norm)):
        return reject(state, loss, grad_norm)
    lr = apply_gradients(state)
    if loads:
        update_expert_biases(state.model, torch.stack(loads).mean(0), state.config.train)
    if state.average is not None:
        state.average.update(state.model, state.config.train.ema_decay)
    state.step += 1
    state.tokens += sum(batch.inputs.size for batch in batches)
    state.spent += process_time() - processor
    state.updates += 1
    return Stepped(
        step=state.step,
        loss=loss,
        lr=lr,
        grad_norm=grad_norm,
        tokens=state.tokens,
        seconds=perf_counter() - began,
    )


def draw_batches(state: TrainState) -> list[Batch]:
    """The batches of one update. Advances the data's generator."""
    config = state.config.train
    return [state.data.batch(config.batch_size) for _ in range(config.gradient_accumulation)]


def accumulate_gradients(state: TrainState, batches: list[Batch]) -> tuple[Tensor, list[Tensor]]:
    """Forward and backward passes of all batches.

    The gradient of the cross-entropy is that of one large batch. A balance loss is the mean of those of the
    batches, each with its own f, and each batch has its own expert capacity.

    Returns:
        The cross-entropy of this process's rows, a scalar: divided by the number of targets in all batches.
        The load of each router, (expert layers, E) for each batch; empty unless biases balance it.
    """
    config, processes = state.config.train, state.processes
    count = sum(_targets_counted(batch) for batch in batches)
    # Synchronising averages the gradients of all processes; the size makes it their sum.
    factor = processes.size * (1.0 if state.scale is None else state.scale.scale)
    state.model.balance = balance_weights(config)
    state.optimizer.zero_grad()
    losses: list[Tensor] = []
    loads: list[Tensor] = []
    for batch in batches:
        rows = processes.rows(batch)
        inputs, targets, sources, present = _tensors(rows, state.device)
        processes.sync_gradients(batch is batches[-1])
        with precision(state.device, config.dtype):
            output = processes.predict(inputs, sources, present)
        output = processes.of_whole_batch(output, state.model.balance, _targets_counted(rows) > 0)
        state.routing = output.routing
        loss = cross_entropy(output.logits, targets, count, config.label_smoothing)
        losses.append(loss.detach())
        if output.routing:  # the one place where the balance loss is added
            loss = loss + output.balance_loss / len(batches)
        (loss * factor).backward()
        if output.routing and config.bias_rate:
            loads.append(torch.stack([record.load for record in output.routing]))
    return torch.stack(losses).sum(), loads


def clip_gradients(state: TrainState) -> Tensor:
    """Remove the loss scale from the gradients and clip them; returns their norm before, a scalar."""
    weights = state.optimizer.named_parameters().values()
    if state.scale is not None:
        for weight in weights:
            if weight.grad is not None:
                weight.grad /= state.scale.scale
    return unshard(clip_grad_norm(weights, state.config.train.max_grad_norm))


def reject(state: TrainState, loss: float, grad_norm: float) -> Diverged | Noted:
    """Drop the gradients of an update that is not finite.

    With fp16, a gradient may have overflowed because of the loss scale: it is halved and training continues.
    """
    state.optimizer.zero_grad()
    scale = state.scale
    if scale is not None and scale.scale > 1 and math.isfinite(loss):
        scale.overflowed()
        text = f"fp16 overflowed: a batch was skipped, the loss scale is now {scale.scale:g}."
        return Noted(step=state.step, text=text)
    return Diverged(step=state.step, loss=f"{loss:g}", grad_norm=f"{grad_norm:g}")


def apply_gradients(state: TrainState) -> float:
    """Let the optimizer make its step; returns the learning rate."""
    config = state.config.train
    lr = learning_rate(state.step, config)
    set_rates(state.optimizer, lr, config.weight_decay, rate_factors(config))
    state.optimizer.step()
    if state.scale is not None:
        state.scale.succeeded()
    return lr


def balance_weights(config: TrainConfig) -> dict[str, float]:
    """The weight of each balance loss, in the form of `Decoder.balance`."""
    return {name: getattr(config, f"{name}_loss") for name in BALANCERS}


@torch.no_grad()
def update_expert_biases(model: Decoder, loads: Tensor, config: TrainConfig) -> None:
    """Update the bias of every router that has one; `loads` is (expert layers, E)."""
    mixtures = [part for part in model.modules() if isinstance(part, MixtureOfExperts)]
    mixtures.sort(key=lambda part: part.layer)  # the order of the forward pass: encoder first
    for mixture, load in zip(mixtures, loads, strict=True):
        if mixture.router.bias is not None:
            update_expert_bias(mixture.router.bias, load, config.bias_rate, config.bias_rule)


@torch.inference_mode()
def routed(state: TrainState) -> Routed:
    """The routing of the last batch, over the tokens of all processes."""
    routing = state.routing

    def mean(measure: Callable[[Routing], Tensor]) -> Tensor:
        """The measure of each layer, over the tokens of all processes."""
        shares = torch.stack([record.share * measure(record) for record in routing])
        return state.processes.sum(shares)

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
    """Nested lists of numbers with seven decimals: a run's log holds thousands of them."""
    return values.double().cpu().numpy().round(7).tolist()


@torch.no_grad()  # fsdp cannot gather sharded weights in inference mode
def evaluate(state: TrainState) -> Evaluated:
    """Measure `measured_model` on the validation data, the same each time. Changes nothing that training uses but its
    clock.

    The loss is the mean over all targets. For data with exact answers, accuracy is the share of rows in
    which the most probable token is right at every target. Several processes divide the rows among them.
    """
    config, processes, model = state.config.train, state.processes, state.measured_model
    lengths = state.data.character_counts
    total, count, right, rows, characters = 0.0, 0, 0, 0, 0
    model.eval()
    try:
        for done, batch in enumerate(state.data.validation(config.batch_size, config.eval_steps)):
            state.report(done, config.eval_steps)
            batch = processes.rows(batch)
            inputs, targets, sources, present = _tensors(batch, state.device)
            with precision(state.device, config.dtype):
                logits = model.predict(inputs, sources, present).logits  # (B, T, V)
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
        model.train(model is state.model)
    sums = processes.sum(torch.tensor([total, count, right, rows, characters], dtype=torch.float64))
    numbers: list[float] = sums.tolist()
    total, count, right, rows, characters = numbers
    loss = total / max(1.0, count)
    spent = state.spent / state.updates if state.updates else None
    state.spent, state.updates = 0.0, 0
    return Evaluated(
        step=state.step,
        loss=loss,
        accuracy=right / rows if rows else None,
        bits=bits_per_character(loss, count, characters) if characters else None,
        processor_seconds=spent,
    )


def rehearse(state: TrainState) -> Callable[[], None]:
    """A training step that changes nothing, for timing."""
    batch = next(iter(state.data.validation(state.config.train.batch_size, 1)))
    inputs, targets, sources, present = _tensors(batch, state.device)

    def step() -> None:
        with torch.random.fork_rng(devices=[]):
            cross_entropy(state.model.predict(inputs, sources, present).logits, targets).backward()
        state.optimizer.zero_grad()

    return step


def change(state: TrainState, name: str, value: float) -> dict[str, float]:
    """Change one of `CHANGEABLE` from the next update on; returns the changed fields.

    A `max_lr` below `min_lr` lowers `min_lr` too. Raises `ConfigError`.
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
