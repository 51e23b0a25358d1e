"""Own optimizer, clipping, schedules and loss against PyTorch's, in value and gradient."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler as schedulers

from engine.config import OptimizerName, RunConfig, TrainConfig
from engine.data import make_data
from engine.estimate import OPTIMIZER_STATES, block_matrices, memory_bytes, optimizer_flops
from engine.training import new_state, update
from engine.training.loss import cross_entropy
from engine.training.optim import (
    OPTIMIZERS,
    SGD,
    AdamW,
    Lion,
    Muon,
    Optimizer,
    base,
    clip_grad_norm,
    configured,
    kind_of,
    learning_rate,
    make_optimizer,
    orthogonalized,
    parameter_groups,
    rows_of,
    set_rates,
)


def weights(seed: int = 0) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"matrix": (5, 7), "vector": (7,), "cube": (2, 3, 4), "one": (1,), "unused": (3, 3)}
    return {name: nn.Parameter(torch.randn(s, generator=generator)) for name, s in shapes.items()}


def give_gradients(named: dict[str, nn.Parameter], seed: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for name, weight in named.items():
        if name != "unused":
            weight.grad = torch.randn(weight.shape, generator=generator) * scale


def names_of(groups: list[dict[str, object]]) -> list[list[str]]:
    return [[name for name, _ in group["params"]] for group in groups]  # type: ignore[attr-defined]


def side_by_side(
    own: Optimizer,
    reference: torch.optim.Optimizer,
    mine: dict[str, nn.Parameter],
    theirs: dict[str, nn.Parameter],
    scheduled: bool = False,
) -> None:
    """200 updates of both with the same gradients and rates; the weights have to stay equal."""
    pair, first = (own, reference), weights()
    lambdas = [schedulers.LambdaLR(each, lambda step: 1 - step / 400) for each in pair]
    for step in range(200):
        for named in (mine, theirs):
            give_gradients(named, step, 10.0 ** (step % 5 - 2))
            if step % 7 == 3:
                named["vector"].grad = None  # as of an expert that no token reached
        for optimizer, scheduler in zip(pair, lambdas, strict=True):
            optimizer.step()
            if scheduled:
                scheduler.step()
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-5, atol=1e-6)
    assert torch.equal(mine["unused"], first["unused"])


SETTINGS = {
    "adamw": [
        {},
        {"lr": 3e-3, "betas": (0.9, 0.99), "weight_decay": 0.1},
        {"lr": 0.1, "betas": (0.0, 0.0), "weight_decay": 0.0},
        {"lr": 0.01, "betas": (0.5, 0.999), "eps": 1e-3, "weight_decay": 1.0},
    ],
    "sgd": [
        {"lr": 3e-4, "momentum": momentum, "weight_decay": decay}
        for momentum in (0.0, 0.5, 0.9)
        for decay in (0.0, 0.1)
    ],
}
PAIRS: dict[str, tuple[type[Optimizer], type[torch.optim.Optimizer]]] = {
    "adamw": (AdamW, torch.optim.AdamW),
    "sgd": (SGD, torch.optim.SGD),
}
CHOICES = [(name, settings) for name, each in SETTINGS.items() for settings in each]


@pytest.mark.parametrize(("name", "settings"), CHOICES)
@pytest.mark.parametrize("cached", [1, 40, 1 << 18])
@pytest.mark.parametrize("grouped", [False, True])
def test_an_optimizer_is_torch_s(
    name: str,
    settings: dict[str, object],
    cached: int,
    grouped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In value, with parameter groups or without, driven by PyTorch's own scheduler."""
    monkeypatch.setattr(base, "CACHED", cached)
    mine, theirs = weights(), weights()
    made: list[torch.optim.Optimizer] = []
    for kind, named in zip(PAIRS[name], (mine, theirs), strict=True):
        params = parameter_groups(named.items()) if grouped else list(named.values())
        made.append(kind(params, **settings))  # type: ignore[arg-type]
    own, reference = made
    assert isinstance(own, Optimizer)
    side_by_side(own, reference, mine, theirs, scheduled=True)
    for key in mine.keys() - {"unused"} if settings.get("momentum", 1) else ():
        for kind in own.averages:
            averages = own.state[mine[key]][kind], reference.state[theirs[key]][kind]
            torch.testing.assert_close(*averages, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("ours_first", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_state_dict_goes_on_in_the_other_library(
    name: str, ours_first: bool, grouped: bool
) -> None:
    """As it is stored, without settings of the library that loads it."""
    own, reference = PAIRS[name]
    first, second = (own, reference) if ours_first else (reference, own)

    def made(kind: Any, named: dict[str, nn.Parameter], **settings: float) -> Any:
        params = parameter_groups(named.items()) if grouped else list(named.values())
        return kind(params, lr=1e-3, **settings)

    momentum = {"momentum": 0.9} if name == "sgd" else {}
    named, alone = weights(), weights()
    before, throughout = made(first, named, **momentum), made(reference, alone, **momentum)
    for step in range(20):
        if step == 10:
            after = made(second, named)
            after.load_state_dict(before.state_dict())
            before = after
        for each, optimizer in ((named, before), (alone, throughout)):
            give_gradients(each, step)
            optimizer.step()
    for key in named:
        torch.testing.assert_close(named[key], alone[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [SGD, torch.optim.SGD])
def test_sgd_goes_on_from_a_state_dict_of_before(kind: Any) -> None:
    """Ours had no `dampening`; PyTorch's own step needs it, and finds it in what ours stores again."""
    named, alone = weights(), weights()
    before, throughout = (SGD(each.values(), weight_decay=0.1) for each in (named, alone))
    for step in range(20):
        if step == 10:
            stored = before.state_dict()
            del stored["param_groups"][0]["dampening"]
            resumed = SGD(named.values())
            resumed.load_state_dict(stored)
            before = kind(named.values())
            before.load_state_dict(resumed.state_dict())
        for each, optimizer in ((named, before), (alone, throughout)):
            give_gradients(each, step)
            optimizer.step()
    for key in named:
        torch.testing.assert_close(named[key], alone[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ours_first", [False, True])
def test_muon_s_state_dict_does_not_load_into_torch_s(ours_first: bool) -> None:
    """The package says so: the settings have other names."""
    weight = nn.Parameter(torch.ones(2, 3))
    weight.grad = torch.ones(2, 3)
    kinds: list[Any] = [Muon, torch.optim.Muon]
    first, second = (kind([weight]) for kind in (kinds if ours_first else kinds[::-1]))
    first.step()
    with pytest.raises(KeyError, match="nesterov" if ours_first else "orthogonal"):
        second.load_state_dict(first.state_dict())
        second.step()


def test_groups_separate_matrices_from_vectors() -> None:
    named = weights() | {"experts.up.bias": nn.Parameter(torch.zeros(4, 8))}
    matrices, vectors = parameter_groups(named.items())
    assert [matrices["kind"], vectors["kind"]] == ["matrix", "vector"]
    assert names_of([matrices]) == [["matrix", "cube", "unused"]]
    assert names_of([vectors]) == [["vector", "one", "experts.up.bias"]]
    assert vectors["weight_decay"] == 0.0
    optimizer = AdamW([matrices, vectors])
    set_rates(optimizer, 0.5, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.25, 0.0]


def test_the_groups_of_a_model_have_every_parameter_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.ModuleDict({"one": nn.Linear(3, 3), "two": nn.Linear(3, 3)})
    model["two"].weight = model["one"].weight  # tied
    optimizer = make_optimizer(model, TrainConfig())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 3
    monkeypatch.setattr(
        configured,
        "parameter_groups",
        lambda named: [{"params": [w for _, w in named][1:]}],  # one is missing
    )
    with pytest.raises(AssertionError, match="left out"):
        make_optimizer(model, TrainConfig())


def test_a_closure_is_evaluated_with_gradients() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = SGD([weight], lr=0.1)

    def closure() -> float:
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 2.0
    torch.testing.assert_close(weight.data, torch.full((2,), 0.8))


def test_optimizers_are_named_and_costed() -> None:
    assert set(OPTIMIZERS) == set(get_args(OptimizerName))
    for name in get_args(OptimizerName):
        optimizer = make_optimizer(nn.Linear(2, 2), TrainConfig(optimizer=name, beta1=0.7))
        assert len(optimizer.averages) == OPTIMIZER_STATES[name]


def test_lion_by_its_definition() -> None:
    """No library at hand has it: the three lines of the paper, one number after the other."""
    named, lr, (beta1, beta2), decay = weights(), 0.01, (0.9, 0.99), 0.1
    expected = {name: weight.detach().clone() for name, weight in named.items()}
    average = {name: torch.zeros_like(weight) for name, weight in expected.items()}
    optimizer = Lion(named.values(), lr=lr, betas=(beta1, beta2), weight_decay=decay)
    for step in range(50):
        give_gradients(named, step)
        optimizer.step()
        for name in expected.keys() - {"unused"}:
            w, m, g = expected[name], average[name], named[name].grad
            assert g is not None
            direction = torch.sign(beta1 * m + (1 - beta1) * g)
            expected[name] = w - lr * (direction + decay * w)
            average[name] = beta2 * m + (1 - beta2) * g
    for name in named:
        torch.testing.assert_close(named[name].data, expected[name])


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.5, "weight_decay": 0.5, "lr": 0.1}])
def test_muon_is_torch_s(settings: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """In value, where PyTorch's works in fp32 too instead of bfloat16; for wide, tall and square matrices."""
    monkeypatch.setattr(Tensor, "bfloat16", lambda tensor: tensor.clone())
    shapes = [(5, 7), (7, 5), (4, 4), (5, 7)]
    generator = torch.Generator().manual_seed(0)
    first = [torch.randn(shape, generator=generator) for shape in shapes]
    mine, theirs = ([nn.Parameter(value.clone()) for value in first] for _ in range(2))
    own = Muon(mine, **settings)  # type: ignore[arg-type]
    reference = torch.optim.Muon(
        theirs, **({"weight_decay": 0.01} | settings), adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(20):
        for one, other in zip(mine, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        own.step()
        reference.step()
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            own.state[one]["momentum_buffer"], reference.state[other]["momentum_buffer"]
        )


def test_orthogonalized_matrices_have_singular_values_of_about_one() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.randn(shape, generator=generator) for shape in [(8, 20), (20, 8), (3, 8, 20)]]
    for one, together in zip(matrices, orthogonalized(matrices), strict=True):
        values = torch.linalg.svdvals(together)
        assert values.min() > 0.5 and values.max() < 1.3
        torch.testing.assert_close(orthogonalized([one])[0], together)
        assert torch.linalg.svdvals(one).max() > 3
    zero = torch.zeros(3, 4)
    assert torch.equal(orthogonalized([zero])[0], zero)


def test_muon_iterates_as_often_as_configured() -> None:
    """From zero, a step without weight decay is a multiple of the orthogonalized gradient."""
    config = RunConfig.from_flat({"optimizer": "muon", "newton_schulz_steps": 2, "weight_decay": 0})
    model = nn.Linear(6, 3, bias=False)
    optimizer = make_optimizer(model, config.train)
    nn.init.zeros_(model.weight)
    gradient = model.weight.grad = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    for steps, same in ((2, True), (5, False)):
        (o,) = orthogonalized([gradient], steps)
        expected = -config.train.max_lr * 0.2 * 6**0.5 * o
        assert torch.allclose(model.weight.data, expected, rtol=1e-4, atol=1e-6) == same


def test_muon_takes_projections_and_experts_apart() -> None:
    """q, k and v in one matrix, and a stack of experts, are updated as matrices of their own."""
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(rows, 6, generator=generator) for rows in (6, 2, 2)]
    gradients = [torch.randn(part.shape, generator=generator) for part in parts]
    apart = [nn.Parameter(part.clone()) for part in parts]
    joined = nn.Parameter(torch.cat(parts))
    stack = nn.Parameter(torch.stack(parts[1:]))
    for parameter, gradient in zip(apart, gradients, strict=True):
        parameter.grad = gradient
    joined.grad, stack.grad = torch.cat(gradients), torch.stack(gradients[1:])
    Muon(apart, lr=0.1).step()
    Muon([joined], lr=0.1, rows=(6, 2, 2)).step()
    Muon([stack], lr=0.1).step()
    torch.testing.assert_close(joined.data, torch.cat([part.data for part in apart]))
    torch.testing.assert_close(stack.data, torch.stack([part.data for part in apart[1:]]))


MODELS: list[dict[str, object]] = [
    {},
    {"n_kv_head": 1, "position": "learned", "tie_embeddings": False},
    {"feedforward": "gelu", "bias": True, "norm": "layernorm"},
    {"n_experts": 4, "n_shared_experts": 2, "moe_layer_indices": [1]},
    *({"n_experts": 4, "router": router} for router in ("noisy_topk", "hash", "expert_choice")),
    {"source": "numbers", "n_encoder_layer": 1, "n_kv_head": 1, "task_length": 10},
]
"""Models with every kind of matrix."""


@pytest.mark.parametrize("changes", MODELS, ids=str)
def test_matrices_are_counted_as_they_are(changes: dict[str, object]) -> None:
    """What is predicted of Muon: which matrices it has, and how many numbers it remembers."""
    small = {"source": "copy", "task_length": 3, "d_model": 8, "n_layer": 2, "n_head": 2}
    config = RunConfig.from_flat({**small, "optimizer": "muon", **changes})
    state = new_state(config, make_data(config))
    found: list[tuple[int, int]] = []
    for name, parameter in state.model.named_parameters():
        if kind_of(name, parameter) == "matrix":
            parts = rows_of(name, parameter) or (parameter.shape[-2],)
            stacked = parameter.shape[0] if parameter.dim() == 3 else 1
            found += [(rows, parameter.shape[-1]) for rows in parts] * stacked
    predicted = block_matrices(config.model)
    assert sorted(found) == sorted((r, c) for count, r, c in predicted for _ in range(count))
    remembered = sum(
        value.numel()
        for each in state.optimizer.state.values()
        for name, value in each.items()
        if name != "step"
    )
    memory = memory_bytes(config, state.model.config.vocab_size)
    assert memory["optimizer"] == 4 * remembered


def test_flops_of_muon_by_hand() -> None:
    """d_model 2, d_ff 4: q, k, v and output 2 x 2; gate, up and output 4 x 2, all with 2 as the shorter side."""
    small = {"source": "copy", "task_length": 3, "d_model": 2, "n_layer": 1, "n_head": 1, "d_ff": 4}
    squares = 4 * (
        8 + 8 + 8
    )  # X X^T, its square, both times X: 2 FLOPs for each of 2 x 2 x 2 products
    gated = 3 * 2 * (2 * 2 * 4 + 2 * 2 * 2 + 2 * 2 * 4)
    config = RunConfig.from_flat({**small, "optimizer": "muon"})
    assert optimizer_flops(config) == 5 * (2 * squares + gated)
    fewer = RunConfig.from_flat({**small, "optimizer": "muon", "newton_schulz_steps": 3})
    assert optimizer_flops(fewer) == 3 * (2 * squares + gated)
    assert optimizer_flops(RunConfig.from_flat(small)) == 0


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_each_kind_of_parameter_has_its_rate(name: OptimizerName) -> None:
    """A factor of zero keeps a kind as it is; the others move."""
    small = {"source": "copy", "task_length": 3, "d_model": 8, "n_layer": 1, "n_head": 2}
    kinds = ("embedding", "output", "matrix", "vector")
    for still in kinds:
        config = RunConfig.from_flat(
            {
                **small,
                "tie_embeddings": False,
                "optimizer": name,
                f"{still}_rate": 0.0,
                "warmup_steps": 0,
            }
        )
        state = new_state(config, make_data(config))
        before = {key: value.detach().clone() for key, value in state.model.named_parameters()}
        update(state)
        for key, value in state.model.named_parameters():
            assert torch.equal(value, before[key]) == (kind_of(key, value) == still), key


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
