"""The average of the weights: the equation, PyTorch's own, and who uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.config import RunConfig, TrainConfig
from engine.data import make_data
from engine.distributed.ranks import Ranks
from engine.inspection.observe import probe
from engine.runs import snapshots
from engine.runs.events import Evaluated, Sampled, Stepped
from engine.runs.forks import fork
from engine.runs.store import RunStore
from engine.training.checkpoint import load, load_model
from engine.training.devices import check_ranks
from engine.training.driver import drive
from engine.training.loop import TrainState, evaluate, new_state, train, update
from engine.validation import ConfigError
from tests.tools.options import TINY_RUN

TINY = TINY_RUN | {"sample_interval": 3, "probe_interval": 3, "save_interval": 3}


def state_of(**changes: Any) -> TrainState:
    config = RunConfig.from_flat(TINY | changes)
    return new_state(config, make_data(config))


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("changes", [{}, {"n_experts": 4, "bias_rate": 0.1}], ids=str)
def test_the_average_is_the_equation_and_the_librarys(changes: dict[str, Any]) -> None:
    """PyTorch does not correct the bias: its average begins at the first weights, with factor β^(t-1).

    e_t = (1 - β) Σ_(i=2) β^(t-i) θ_i + β^(t-1) θ_1, so e_t = (1 - β^t) a_t + β^t θ_1.
    """
    beta, steps = 0.8, 6
    state = state_of(ema_decay=beta, **changes)
    assert state.average is not None and not state.average.model.training
    library = AveragedModel(state.model, multi_avg_fn=get_ema_multi_avg_fn(beta))
    seen: list[dict[str, Tensor]] = []
    for t in range(1, steps + 1):
        update(state)
        library.update_parameters(state.model)
        seen.append(weights(state.model))
        theirs = weights(library.module)
        for name, average in weights(state.average.model).items():
            terms = [(1 - beta) * beta ** (t - i) * w[name] for i, w in enumerate(seen, start=1)]
            equation = torch.stack(terms).sum(0) / (1 - beta**t)
            torch.testing.assert_close(average, equation, rtol=1e-5, atol=1e-6)
            same = (1 - beta**t) * average + beta**t * seen[0][name]
            torch.testing.assert_close(same, theirs[name], rtol=1e-5, atol=1e-6)
    assert state.average.updates == steps
    assert any(
        not torch.equal(seen[-1][name], average)
        for name, average in weights(state.average.model).items()
    )
    if changes:
        biases = [w for name, w in weights(state.average.model).items() if "router.bias" in name]
        assert biases and all(bias.any() for bias in biases)


def test_averaging_changes_no_step_of_training() -> None:
    seen: list[tuple[list[float], dict[str, Tensor]]] = []
    for decay in (0.0, 0.9):
        state = state_of(dropout=0.1, ema_decay=decay)
        losses = [event.loss for event in train(state) if isinstance(event, Stepped)]
        seen.append((losses, weights(state.model)))
    assert seen[0][0] == seen[1][0]
    for name, weight in seen[0][1].items():
        assert torch.equal(weight, seen[1][1][name])


def test_evaluation_is_of_the_average() -> None:
    state = state_of(ema_decay=0.9, max_lr=0.01)
    for _ in range(4):
        update(state)
    assert state.average is not None
    found = evaluate(state)
    assert state.model.training and not state.average.model.training
    state.average.update(state.model, 0.0)  # no memory: the average is the last weights
    assert evaluate(state).loss != found.loss
    state.average = None
    last = evaluate(state)
    assert last.loss != found.loss


def test_a_run_shows_and_stores_the_average(tmp_path: Path) -> None:
    """Evaluation, attention and the stored model are of the same weights."""
    config = RunConfig.from_flat(TINY | {"ema_decay": 0.9, "max_lr": 0.01})
    run = RunStore(tmp_path).create(config, "averaged")
    assert drive(run).how == "finished"
    folder = run.checkpoints()[-1].path
    model, tokenizer, _ = load_model(folder)
    state = load(folder, make_data(config))
    assert state.average is not None and state.average.updates == state.step == 6
    told = [event for event in run.history() if isinstance(event, Evaluated)]
    assert evaluate(state).loss == told[-1].loss
    assert [event for event in run.history() if isinstance(event, Sampled) and event.step == 6]

    stored = snapshots.load(run.snapshot_path("step-000006.npz"))
    text = state.data.probe()
    for each, same in ((model, True), (state.model, False)):
        found = probe(each, tokenizer.encode(text), 6)
        assert (abs(found.losses - stored.losses).max() < 1e-5) == same


def test_a_fork_goes_on_from_the_last_weights_with_or_without_the_average(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    parent = store.create(RunConfig.from_flat(TINY | {"ema_decay": 0.9}), "parent")
    drive(parent)
    checkpoint = parent.checkpoints()[-1].path
    last = load_file(checkpoint / "last.safetensors")
    average = load_file(checkpoint / "model.safetensors")
    for changes, model in (
        ({"total_steps": 9}, average),
        ({"total_steps": 9, "ema_decay": 0}, last),
    ):
        child = fork(store, parent, 6, changes)
        folder = child.checkpoints()[-1].path
        begun = load(folder, make_data(child.config), fresh_optimizer=True)
        for name, weight in begun.model.named_parameters():
            assert torch.equal(weight, last[name])
        for name, weight in load_model(folder)[0].named_parameters():
            assert torch.equal(weight, model[name])
        assert drive(child).how == "finished"
        ended = load(child.checkpoints()[-1].path, make_data(child.config))
        assert (ended.average is None) == ("ema_decay" in changes)
        assert ended.average is None or ended.average.updates == 9


def test_fsdp_has_no_average() -> None:
    values = {"batch_size": 4, "ema_decay": 0.9, "parallel": "fsdp"}
    device, two = torch.device("cpu"), Ranks(0, 2, 0, 2)
    with pytest.raises(ConfigError, match=r"ema_decay = 0\.9: must be 0 with fsdp"):
        check_ranks(TrainConfig.parse(values), device, two)
    check_ranks(TrainConfig.parse(values | {"parallel": "ddp"}), device, two)
    check_ranks(TrainConfig.parse(values | {"ema_decay": 0.0}), device, two)
