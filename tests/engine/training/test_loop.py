"""Training as a generator: what it yields, what it equals, and what it never does."""

from __future__ import annotations

import math
import os
import platform
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.config import RunConfig
from engine.data import IGNORE, Batch, Data, TextData, make_data
from engine.runs.events import Diverged, Evaluated, Noted, Stepped
from engine.training.devices import (
    ISA_LIMIT,
    WITHOUT_AMX,
    available_devices,
    avoid_broken_amx,
    check_compile,
    check_dtype,
    choose_device,
    cpu_count,
    cpu_has_bf16,
    keep_freed_memory,
    measure_threads,
    prepare,
    processors_are_free,
)
from engine.training.loop import (
    LossScale,
    TrainState,
    change,
    evaluate,
    new_state,
    rehearse,
    train,
    update,
)
from engine.validation import ConfigError
from tests.tools.options import TINY_RUN

TINY = TINY_RUN | {"batch_size": 8, "eval_steps": 2}


def state_of(**changes: Any) -> TrainState:
    config = RunConfig.from_flat(TINY | changes)
    return new_state(config, make_data(config))


def numbers(state: TrainState) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in state.model.parameters()]).clone()


def test_an_evaluation_says_what_an_update_cost_the_processor() -> None:
    events = train(state_of(total_steps=4, eval_interval=2))
    found = [event for event in events if isinstance(event, Evaluated)]
    assert found[0].processor_seconds is None
    assert all(0 < (event.processor_seconds or 0) < 10 for event in found[1:])
    assert (
        replace(found[1], processor_seconds=9.0) == found[1]
    )  # a measurement, no part of the result


def test_events_come_in_order() -> None:
    events = list(train(state_of()))
    kinds = [(event.type, event.step) for event in events]
    steps = [("stepped", n) for n in range(1, 7)]
    steps.insert(6, ("evaluated", 6))
    steps.insert(3, ("evaluated", 3))
    assert kinds == [("evaluated", 0), *steps]


def test_the_last_step_is_evaluated() -> None:
    events = list(train(state_of(total_steps=4)))
    assert isinstance(events[-1], Evaluated) and events[-1].step == 4


def test_a_step_says_what_it_did() -> None:
    state = state_of()
    batch_tokens = 8 * state.data.sequence_length
    first, second = [e for e in islice(train(state), 3) if isinstance(e, Stepped)]
    assert first.loss == pytest.approx(math.log(state.data.tokenizer.vocab_size), abs=0.3)
    assert (first.tokens, second.tokens) == (batch_tokens, 2 * batch_tokens)
    assert first.lr == pytest.approx(3e-3 / 3) and second.lr == pytest.approx(3e-3 * 2 / 3)
    assert first.grad_norm > 0 and 0 < first.seconds < 10


def test_one_update_is_torch_s() -> None:
    state = state_of(max_grad_norm=0.1)
    reference = state_of(max_grad_norm=0.1)
    update(state)

    batch = reference.data.batch(8)
    logits = reference.model(torch.from_numpy(batch.inputs))
    F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten()).backward()
    torch.nn.utils.clip_grad_norm_(reference.model.parameters(), 0.1)
    weights = list(reference.model.parameters())
    groups = [
        {"params": [w for w in weights if w.dim() >= 2], "weight_decay": 0.1},
        {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0},
    ]
    torch.optim.AdamW(groups, lr=3e-3 / 3, betas=(0.9, 0.99)).step()
    torch.testing.assert_close(numbers(state), numbers(reference))


def test_training_is_the_same_twice_and_differs_by_seed() -> None:
    def losses(**changes: Any) -> list[float]:
        return [e.loss for e in train(state_of(dropout=0.1, **changes)) if isinstance(e, Stepped)]

    assert losses() == losses()
    assert losses() != losses(seed=1)


def test_it_learns() -> None:
    events = list(train(state_of(task_length=2, total_steps=120, d_model=32, n_layer=2)))
    assert isinstance(events[0], Evaluated) and isinstance(events[-1], Evaluated)
    assert events[-1].loss < 0.7 * events[0].loss


class FixedData:
    """Batches of other data, as they are or each cut into pieces of rows."""

    def __init__(self, data: Data, rows: int) -> None:
        self.data, self.rows, self.pieces = data, rows, list[Batch]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.data, name)

    def batch(self, batch_size: int) -> Batch:
        if not self.pieces:
            whole = self.data.batch(self.rows)
            targets = whole.targets.copy()
            targets[:3] = IGNORE  # the pieces have different numbers of targets
            targets[3, :-1] = IGNORE
            self.pieces = [
                Batch(whole.inputs[i : i + batch_size], targets[i : i + batch_size])
                for i in range(0, self.rows, batch_size)
            ]
        return self.pieces.pop(0)


def test_accumulated_gradients_equal_the_big_batch() -> None:
    whole, parts = state_of(batch_size=12), state_of(batch_size=4, gradient_accumulation=3)
    for state in (whole, parts):
        state.data = cast("Data", FixedData(state.data, 12))
    for _ in range(4):
        big, small = update(whole), update(parts)
        assert isinstance(big, Stepped) and isinstance(small, Stepped)
        assert small.loss == pytest.approx(big.loss, rel=1e-5)
        assert small.grad_norm == pytest.approx(big.grad_norm, rel=1e-4)
        assert small.tokens == big.tokens
    torch.testing.assert_close(numbers(whole), numbers(parts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("where", ["weights", "gradient"])
def test_what_is_not_finite_ends_the_run(where: str) -> None:
    state = state_of()
    events = train(state)
    for _ in range(3):
        next(events)
    if where == "weights":
        with torch.no_grad():
            state.model.embedding.weight.mul_(math.nan)
    else:
        state.model.embedding.weight.register_hook(lambda grad: grad * math.inf)
    averages = state.optimizer.state[state.model.embedding.weight]
    before, average = numbers(state), averages["exp_avg"].clone()
    event = next(events)
    assert isinstance(event, Diverged) and event.step == 2
    assert event.grad_norm == "nan" if where == "weights" else event.grad_norm in ("nan", "inf")
    torch.testing.assert_close(numbers(state), before, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(averages["exp_avg"], average)
    assert state.step == 2 and list(events) == []


def test_fp16_overflow_skips_and_recovers() -> None:
    state, plain = state_of(), state_of()
    state.scale = LossScale(scale=2.0**125)
    before, notes = numbers(state), 0
    events: list[Any] = []
    while not events or isinstance(events[-1], Noted):
        events.append(update(state))
        if isinstance(events[-1], Noted):
            notes += 1
            assert torch.equal(numbers(state), before) and state.step == 0
            assert all(each["step"] == 0 for each in state.optimizer.state.values())
    assert notes and state.scale.scale == 2.0 ** (125 - notes)
    assert isinstance(events[-1], Stepped) and events[-1].step == 1
    for _ in range(notes):
        plain.data.batch(8)  # skipped batches are gone
    update(plain)
    torch.testing.assert_close(numbers(state), numbers(plain))


def test_fp16_gives_up_when_scaling_does_not_help() -> None:
    state = state_of()
    state.scale = LossScale(scale=4.0)
    state.model.embedding.weight.register_hook(lambda grad: grad * math.inf)
    assert [update(state).type for _ in range(3)] == ["noted", "noted", "diverged"]


def test_the_loss_scale_grows_again() -> None:
    scale = LossScale(scale=8.0)
    for _ in range(LossScale.GROWTH):
        scale.succeeded()
    assert (scale.scale, scale.updates) == (16.0, 0)


def test_bf16_trains_close_to_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.devices.cpu_has_bf16", lambda: True)
    exact = [e for e in train(state_of()) if isinstance(e, Stepped)]
    rough = [e for e in train(state_of(dtype="bf16")) if isinstance(e, Stepped)]
    assert [e.loss for e in rough] != [e.loss for e in exact]
    assert [e.loss for e in rough] == pytest.approx([e.loss for e in exact], abs=0.05)


# Evaluation


def test_evaluation_disturbs_nothing() -> None:
    quiet = state_of(dropout=0.2)
    losses = [update(quiet).loss for _ in range(4)]  # type: ignore[union-attr]
    measured = state_of(dropout=0.2)
    for loss in losses:
        first, again = evaluate(measured), evaluate(measured)
        assert first == again
        assert measured.model.training
        assert update(measured).loss == loss  # type: ignore[union-attr]


def test_evaluation_is_the_mean_over_targets() -> None:
    state = state_of(eval_steps=3)
    losses: list[torch.Tensor] = []
    right: list[bool] = []
    with torch.no_grad():
        for batch in state.data.validation(8, 3):
            logits = state.model(torch.from_numpy(batch.inputs))
            for row, target in zip(logits, torch.from_numpy(batch.targets), strict=True):
                asked = target != IGNORE
                losses.append(F.cross_entropy(row, target, reduction="none")[asked])
                right.append(bool((row.argmax(-1) == target)[asked].all()))
    event = evaluate(state)
    assert event.loss == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
    assert event.accuracy == pytest.approx(np.mean(right))


def test_a_row_is_right_only_with_every_answer_token() -> None:
    state = state_of(task_length=2, total_steps=120, d_model=32, n_layer=2, warmup_steps=10)
    accuracies = [e.accuracy for e in train(state) if isinstance(e, Evaluated)]
    assert accuracies[0] is not None and accuracies[0] < 0.2
    assert accuracies[-1] is not None and accuracies[-1] > accuracies[0]


@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe", "word"])
def test_text_has_bits_and_no_accuracy(tmp_path: Path, tokenizer: str) -> None:
    """Bits of a character are the whole loss over the characters, however the text is cut."""
    path = tmp_path / "text.txt"
    path.write_text("so many wörds, and no end 我\n" * 50, encoding="utf-8")
    state = state_of(source="text", train_data_path=str(path), tokenizer=tokenizer, eval_steps=99)
    found = evaluate(state)
    assert found.accuracy is None and found.bits is not None
    valid: list[int] = cast(TextData, state.data).valid.tolist()
    text = state.data.tokenizer.decode(valid)
    predicted = len(text) - len(state.data.tokenizer.decode(valid[:1]))
    assert found.bits == pytest.approx(found.loss * (len(valid) - 1) / predicted / math.log(2))
    assert evaluate(state_of()).bits is None  # a task has no text


# Changes in the middle of a run


def test_a_setting_changes_from_the_next_step_on() -> None:
    state = state_of(warmup_steps=0, schedule="constant")
    events = train(state)
    next(events)
    next(events)
    assert change(state, "max_lr", 1e-3) == {"max_lr": 1e-3}
    event = next(events)
    assert isinstance(event, Stepped) and event.lr == 1e-3
    assert change(state, "weight_decay", 0.0) == {"weight_decay": 0.0}
    next(events)
    assert all(group["weight_decay"] == 0.0 for group in state.optimizer.param_groups)
    assert state.config.train.max_lr == 1e-3


def test_min_lr_goes_down_with_max_lr() -> None:
    state = state_of(min_lr=3e-4)
    assert change(state, "max_lr", 1e-4) == {"max_lr": 1e-4, "min_lr": 1e-4}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("d_model", 32, "cannot be changed in the middle of a run"),
        ("max_lr", -1.0, "max_lr = -1.0: must be greater than 0"),
        ("max_lr", math.nan, "must be a finite number"),
        ("min_lr", 1.0, "must not be above max_lr"),
    ],
)
def test_an_impossible_change_is_refused(field: str, value: float, message: str) -> None:
    state = state_of()
    config = state.config
    with pytest.raises(ConfigError, match=message):
        change(state, field, value)
    assert state.config == config


# Devices


def test_devices_are_chosen_or_refused() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == available_devices()[0]
    for name in {"cuda", "mps"} - set(available_devices()):
        with pytest.raises(ConfigError, match=f"device = '{name}': is not on this machine; it has"):
            choose_device(name)


def test_dtypes_are_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    check_dtype("fp32", cpu)
    with pytest.raises(ConfigError, match="dtype = 'fp16': needs a GPU"):
        check_dtype("fp16", cpu)
    monkeypatch.setattr("engine.training.devices.cpu_has_bf16", lambda: False)
    with pytest.raises(ConfigError, match=r"dtype = 'bf16': .* ten times slower"):
        check_dtype("bf16", cpu)
    monkeypatch.setattr("engine.training.devices.cpu_has_bf16", lambda: True)
    check_dtype("bf16", cpu)
    assert isinstance(cpu_has_bf16(), bool)


def test_freed_memory_is_kept_where_the_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() or platform.libc_ver()[0] != "glibc"
    monkeypatch.setattr("engine.training.devices.ctypes.CDLL", lambda _: object())
    assert not keep_freed_memory()


@pytest.mark.parametrize("amx", [True, False])
@pytest.mark.parametrize("ends", [0, -signal.SIGILL])
def test_an_amx_that_kills_is_avoided(
    amx: bool, ends: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, ends)

    monkeypatch.setenv(ISA_LIMIT, "")  # so that what the function sets is undone
    monkeypatch.delenv(ISA_LIMIT)
    monkeypatch.setattr("engine.training.devices.cpu_capabilities", lambda: {"amx_bf16": amx})
    monkeypatch.setattr("engine.training.devices.subprocess.run", tried)
    avoid_broken_amx()
    assert os.environ.get(ISA_LIMIT) == (WITHOUT_AMX if amx and ends else None)


@pytest.mark.slow
def test_bf16_products_survive_on_this_machine() -> None:
    code = (
        "import torch; from engine.training.devices import avoid_broken_amx; avoid_broken_amx(); "
        "a = torch.ones(64, 64, dtype=torch.bfloat16); print((a @ a)[0, 0].item())"
    )
    clean = {name: value for name, value in os.environ.items() if name != ISA_LIMIT}
    said = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, check=True)
    assert said.stdout.strip() == b"64.0"


def test_compiling_is_refused_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig.from_flat(TINY | {"compile": True})
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match=r"compile = True: needs a C\+\+ compiler"):
        prepare(config.train)
    monkeypatch.delenv("CXX")
    monkeypatch.setattr("engine.training.devices.shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("engine.training.devices.sysconfig.get_path", lambda name: "/nowhere")
    with pytest.raises(ConfigError, match="header files"):
        check_compile(torch.device("cpu"))


def test_a_rehearsal_changes_nothing() -> None:
    state, untouched = state_of(dropout=0.2), state_of(dropout=0.2)
    step = rehearse(state)
    generator = torch.get_rng_state()
    step()
    step()
    assert torch.equal(torch.get_rng_state(), generator)
    torch.manual_seed(5)
    first = update(state)
    torch.manual_seed(5)
    assert first.loss == update(untouched).loss  # type: ignore[union-attr]
    assert torch.equal(numbers(state), numbers(untouched))


def test_busy_processors_are_found_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    clock, products = 0.0, 0
    cost = 0.001
    original = torch.mm

    def mm(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        nonlocal clock, products
        products += 1
        clock += 0.001 if torch.get_num_threads() == 1 else cost
        return original(a, b)

    monkeypatch.setattr("engine.training.devices.torch.mm", mm)
    monkeypatch.setattr("engine.training.devices.perf_counter", lambda: clock)
    try:
        cost = 0.0006
        assert processors_are_free(2) and products == 18
        cost, products = 0.1, 0
        assert not processors_are_free(2) and products == 11  # one product tells
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_threads_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    tried: list[int] = []
    clock = 0.0
    cost = {1: 0.010, 2: 0.006, 4: 0.0058, 6: 0.100}

    def step() -> None:
        nonlocal clock
        tried.append(torch.get_num_threads())
        clock += cost.get(torch.get_num_threads(), 0.010)

    try:
        monkeypatch.setattr("engine.training.devices.cpu_count", lambda: 6)
        monkeypatch.setattr("engine.training.devices.perf_counter", lambda: clock)
        monkeypatch.setattr("engine.training.devices.processors_are_free", lambda threads: True)
        torch.set_num_threads(1)
        chosen, seconds = measure_threads(step)
        assert chosen == 2 and torch.get_num_threads() == 2  # four are not a tenth faster than two
        assert seconds == pytest.approx(cost)
        assert clock < 0.3 + 1.1 * sum(cost.values())
        monkeypatch.setattr("engine.training.devices.cpu_count", lambda: 1)
        assert measure_threads(step) == (1, {})
        monkeypatch.setattr("engine.training.devices.cpu_count", lambda: 6)
        monkeypatch.setattr("engine.training.devices.processors_are_free", lambda threads: False)
        assert measure_threads(step) == (1, {})  # a busy machine is not waited for
        assert cpu_count() >= 1
    finally:
        torch.set_num_threads(before)
