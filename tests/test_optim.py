"""Own optimizer, clipping, schedules and loss against PyTorch's, in value and gradient."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler as schedulers

import engine.optim as optim
from engine.config import OptimizerName, TrainConfig
from engine.estimate import AVERAGES
from engine.loss import cross_entropy
from engine.optim import OPTIMIZERS, SGD, AdamW, Optimizer, clip_grad_norm, learning_rate


def weights(seed: int = 0) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"matrix": (5, 7), "vector": (7,), "cube": (2, 3, 4), "one": (1,), "unused": (3, 3)}
    return {name: nn.Parameter(torch.randn(s, generator=generator)) for name, s in shapes.items()}


def give_gradients(named: dict[str, nn.Parameter], seed: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, weight in named.items():
        if name != "unused":
            weight.grad = torch.randn(weight.shape, generator=generator) * scale


def groups(named: dict[str, nn.Parameter], decay: object) -> list[dict[str, object]]:
    """As torch's optimizers take them: matrices are decayed, vectors are not."""
    matrices = [w for w in named.values() if w.dim() >= 2]
    vectors = [w for w in named.values() if w.dim() < 2]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def side_by_side(
    own: Optimizer, reference: torch.optim.Optimizer, theirs: dict[str, nn.Parameter]
) -> None:
    """200 updates of both with the same gradients and rates; the weights have to stay equal."""
    mine, rate = own.parameters, own.lr
    for step in range(200):
        give_gradients(mine, step, 10.0 ** (step % 5 - 2))
        give_gradients(theirs, step, 10.0 ** (step % 5 - 2))
        own.lr = rate * (1 - step / 400)
        for group in reference.param_groups:
            group["lr"] = own.lr
        own.step()
        reference.step()
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-5, atol=1e-6)
    assert torch.equal(mine["unused"], weights()["unused"])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 3e-3, "betas": (0.9, 0.99), "weight_decay": 0.1},
        {"lr": 0.1, "betas": (0.0, 0.0), "weight_decay": 0.0},
        {"lr": 0.01, "betas": (0.5, 0.999), "eps": 1e-3, "weight_decay": 1.0},
    ],
)
@pytest.mark.parametrize("cached", [1, 40, 1 << 18])
def test_adamw_is_torch_s(
    settings: dict[str, object], cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optim, "CACHED", cached)
    mine, theirs = weights(), weights()
    own = AdamW(mine.items(), **settings)  # type: ignore[arg-type]
    others = {name: value for name, value in settings.items() if name != "weight_decay"}
    decayed = groups(theirs, settings.get("weight_decay", 0.01))
    reference = torch.optim.AdamW(decayed, **others)  # type: ignore[arg-type]
    side_by_side(own, reference, theirs)
    for name in mine.keys() - {"unused"}:
        averages = reference.state[theirs[name]]
        torch.testing.assert_close(own.mean[name], averages["exp_avg"])
        torch.testing.assert_close(own.square[name], averages["exp_avg_sq"])


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("cached", [40, 1 << 18])
def test_sgd_is_torch_s(
    momentum: float, decay: float, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optim, "CACHED", cached)
    mine, theirs = weights(), weights()
    own = SGD(mine.items(), lr=3e-4, momentum=momentum, weight_decay=decay)
    reference = torch.optim.SGD(groups(theirs, decay), lr=3e-4, momentum=momentum)
    side_by_side(own, reference, theirs)
    for name in mine.keys() - {"unused"} if momentum else ():
        buffer = reference.state[theirs[name]]["momentum_buffer"]
        torch.testing.assert_close(own.velocity[name], buffer, rtol=1e-5, atol=1e-3)


def test_optimizers_are_named_and_costed() -> None:
    assert set(OPTIMIZERS) == set(get_args(OptimizerName))
    for name, make in OPTIMIZERS.items():
        optimizer = make(weights().items(), TrainConfig(beta1=0.7))
        assert len(optimizer.memory) == AVERAGES[name]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_on_from_its_state(name: OptimizerName) -> None:
    once, twice = weights(), weights()
    first, second = (OPTIMIZERS[name](w.items(), TrainConfig()) for w in (once, twice))
    for step in range(20):
        if step == 10:
            stored = {name: tensor.clone() for name, tensor in second.state().items()}
            second = OPTIMIZERS[name](twice.items(), TrainConfig())
            second.load_state(stored, 10)
        for named, optimizer in ((once, first), (twice, second)):
            give_gradients(named, step)
            optimizer.step()
    for name in once:
        assert torch.equal(once[name], twice[name])


def test_adamw_refuses_a_foreign_state() -> None:
    own = AdamW(weights().items())
    state = own.state()
    with pytest.raises(ValueError, match=r"mean\.matrix"):
        own.load_state({k: v for k, v in state.items() if k != "mean.matrix"}, 1)
    with pytest.raises(ValueError, match="shape"):
        own.load_state(state | {"mean.matrix": torch.zeros(2)}, 1)
    with pytest.raises(ValueError, match="extra"):
        own.load_state(state | {"extra": torch.zeros(2)}, 1)


@pytest.mark.parametrize("scale", [1e-6, 0.01, 1.0, 1e6])
@pytest.mark.parametrize("max_norm", [0.5, 1.0, 100.0])
def test_clipping_is_torch_s(scale: float, max_norm: float) -> None:
    mine, theirs = weights(), weights()
    give_gradients(mine, 1, scale)
    give_gradients(theirs, 1, scale)
    norm = clip_grad_norm(mine.values(), max_norm)
    reference = nn.utils.clip_grad_norm_(theirs.values(), max_norm)
    torch.testing.assert_close(norm, reference)
    for name in mine:
        if name != "unused":
            torch.testing.assert_close(mine[name].grad, theirs[name].grad)


def test_clipping_at_zero_only_measures() -> None:
    mine, untouched = weights(), weights()
    give_gradients(mine, 1)
    give_gradients(untouched, 1)
    assert clip_grad_norm(mine.values(), 0) > 1
    assert mine["matrix"].grad is not None and untouched["matrix"].grad is not None
    assert torch.equal(mine["matrix"].grad, untouched["matrix"].grad)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_norm_of_a_bad_gradient_says_so(bad: float) -> None:
    mine = weights()
    give_gradients(mine, 1)
    assert mine["one"].grad is not None
    mine["one"].grad[0] = bad
    assert not clip_grad_norm(mine.values(), 1.0).isfinite()


def test_clipping_nothing() -> None:
    assert clip_grad_norm([], 1.0) == 0


def rates(scheduler: schedulers.LRScheduler, steps: int) -> list[float]:
    found: list[float] = []
    for _ in range(steps):
        found.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("warm", [0, 1, 10])
@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "wsd"])
def test_schedules_are_torch_s(schedule: str, warm: int) -> None:
    total, high, low = 50, 0.1, 0.01
    config = TrainConfig.parse(
        {"total_steps": total, "max_lr": high, "min_lr": low, "warmup_steps": warm}
        | {"schedule": schedule}
    )
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=high)
    begin = 40 if schedule == "wsd" else warm
    parts: list[schedulers.LRScheduler] = [
        schedulers.LinearLR(optimizer, 1 / (warm + 1), 1.0, total_iters=max(1, warm))
        if warm
        else schedulers.ConstantLR(optimizer, 1.0),
        schedulers.ConstantLR(optimizer, 1.0),
    ]
    milestones = [warm]
    if schedule == "cosine":
        parts[1] = schedulers.CosineAnnealingLR(optimizer, total - warm, low)
    elif schedule == "linear":
        parts[1] = schedulers.LinearLR(optimizer, 1.0, low / high, total_iters=total - warm)
    elif schedule == "wsd":
        parts.append(schedulers.LinearLR(optimizer, 1.0, low / high, total_iters=total - begin))
        milestones.append(begin)
    reference = rates(schedulers.SequentialLR(optimizer, parts, milestones), total)
    assert [learning_rate(step, config) for step in range(total)] == pytest.approx(reference)


def test_the_schedule_of_the_paper() -> None:
    """Vaswani et al. 2017, eq. 3: C^-0.5 min(n^-0.5, n w^-1.5), n from 1, w its last warm-up update."""
    width, warm = 512, 20
    peak = width**-0.5 * warm**-0.5
    config = TrainConfig.parse(
        {"total_steps": 900, "warmup_steps": warm - 1, "schedule": "inverse_sqrt", "max_lr": peak}
        | {"min_lr": 0.0}
    )
    papers = [width**-0.5 * min(n**-0.5, n * warm**-1.5) for n in range(1, 901)]
    assert [learning_rate(step, config) for step in range(900)] == pytest.approx(papers)
    floored = config.model_copy(update={"min_lr": peak / 2})
    assert learning_rate(899, floored) == peak / 2


def test_schedules_keep_their_ends() -> None:
    for schedule in ("cosine", "linear", "wsd", "constant"):
        config = TrainConfig.parse(
            {"total_steps": 10, "warmup_steps": 10, "schedule": schedule, "min_lr": 0.0}
        )
        assert learning_rate(9, config) == pytest.approx(config.max_lr * 10 / 11)
        assert learning_rate(0, config) > 0
        last = config.max_lr if schedule == "constant" else config.min_lr
        assert learning_rate(1_000, config) == pytest.approx(last)


@pytest.mark.parametrize("shape", [(3, 5), (20,)])
@pytest.mark.parametrize("ignored", [0, 7, 15])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cross_entropy_is_torch_s(shape: tuple[int, ...], ignored: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits = (torch.randn(*shape, 11) * 5).to(dtype).requires_grad_()
    targets = torch.randint(0, 11, shape)
    targets.view(-1)[:ignored] = -100
    if targets.numel() == ignored:
        assert not targets.ge(0).any()
    reference_logits = logits.detach().clone().requires_grad_()

    loss = cross_entropy(logits, targets)
    reference = F.cross_entropy(reference_logits.float().view(-1, 11), targets.view(-1))
    torch.testing.assert_close(loss, reference, equal_nan=True)
    assert loss.dtype == torch.float32
    (gradient,) = torch.autograd.grad(loss, logits)
    (expected,) = torch.autograd.grad(reference, reference_logits)
    torch.testing.assert_close(gradient, expected, equal_nan=True)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_label_smoothing_is_torch_s(smoothing: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(4, 6, 11, requires_grad=True)
    targets = torch.randint(0, 11, (4, 6))
    targets[0, :3] = -100
    loss = cross_entropy(logits, targets, smoothing=smoothing)
    library = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), label_smoothing=smoothing)
    torch.testing.assert_close(loss, library)
    for ours, theirs in zip(
        torch.autograd.grad(loss, logits), torch.autograd.grad(library, logits), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_cross_entropy_of_huge_logits() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = cross_entropy(logits, torch.tensor([1]))
    assert loss.item() == pytest.approx(2e4)


def test_losses_with_a_common_count_sum_to_the_mean_of_all() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 4, 9), torch.randint(0, 9, (6, 4))
    targets[0, :3] = -100

    def part(rows: slice) -> Tensor:
        return cross_entropy(logits[rows], targets[rows], count=21)

    whole = cross_entropy(logits, targets)
    torch.testing.assert_close(part(slice(0, 2)) + part(slice(2, 6)), whole)
