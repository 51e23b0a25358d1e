"""Mixtures of experts: the properties every option keeps, and the traps it must not fall into."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from engine import (
    HybridMoETransformerLM,
    ModelConfig,
    MoETransformerLM,
    RunConfig,
    Trace,
    TransformerLM,
)
from engine.config import BiasRuleName, RouterName
from engine.data import make_data
from engine.model.balance import BALANCERS, BIAS_RULES, update_expert_bias
from engine.model.context import Context, hook_points
from engine.model.experts import MixtureOfExperts
from engine.model.routers import ROUTERS, HashRouter, capacity
from engine.model.routing import max_violation
from engine.training.checkpoint import averages
from engine.training.loop import balance_weights, change, new_state, train, update
from engine.training.loss import cross_entropy
from engine.training.optim import AdamW, clip_grad_norm, parameter_groups
from engine.validation import ConfigError
from tests.tools.options import (
    CONTEXT,
    MOE,
    ROUTED,
    SIZES,
    VARIANTS,
    VOCAB,
    build,
    sequence,
)

EVERY = [*ROUTED, *VARIANTS]
ALONE = [options for options in EVERY if ModelConfig(**options).is_causal]
CROWDED = [options for options in EVERY if not ModelConfig(**options).is_causal]


def name(options: dict[str, Any]) -> str:
    return "-".join(f"{value}" for key, value in options.items() if key != "n_experts")


def mixture(model: TransformerLM, layer: int = 1) -> MixtureOfExperts:
    found = model.get_submodule(f"blocks.{layer}.feedforward")
    assert isinstance(found, MixtureOfExperts)
    return found


def cached(model: TransformerLM, tokens: torch.Tensor) -> torch.Tensor:
    """The logits of a prefill of five tokens and then one at a time."""
    cache = model.new_cache(batch_size=len(tokens))
    parts = [model.run(tokens[:, :5], cache=cache).logits]
    parts += [model.run(tokens[:, t : t + 1], cache=cache).logits for t in range(5, CONTEXT)]
    return torch.cat(parts, dim=1)


def with_another(tokens: torch.Tensor, place: int) -> torch.Tensor:
    changed = tokens.clone()
    changed[:, place] = (changed[:, place] + 1) % VOCAB
    return changed


def test_the_dictionary_and_the_configuration_name_the_same_routers() -> None:
    assert set(ROUTERS) == set(get_args(RouterName))


# Properties 1 to 4 -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ALONE, ids=name)
def test_cached_equals_full_and_nothing_sees_the_future(options: dict[str, Any]) -> None:
    model, tokens = build(**options), sequence()
    with torch.inference_mode():
        full = model(tokens)
        torch.testing.assert_close(cached(model, tokens), full, rtol=1e-4, atol=1e-4)
        after = model(with_another(tokens, 9))
    torch.testing.assert_close(after[:, :9], full[:, :9], rtol=0, atol=1e-6)
    assert not torch.allclose(after[:, 9:], full[:, 9:])


@pytest.mark.parametrize("options", CROWDED, ids=name)
def test_what_breaks_these_properties_by_construction_is_known_to(options: dict[str, Any]) -> None:
    """Expert choice looks at later tokens; capacity at how many there are, and at other rows."""
    model, tokens = build(**options), sequence()
    with torch.inference_mode():
        full = model(tokens)
        assert not torch.allclose(cached(model, tokens), full, atol=1e-3)
        after = model(with_another(tokens, CONTEXT - 1))
        future = not torch.allclose(after[:, :-1], full[:, :-1], atol=1e-4)
        assert future == (options["router"] == "expert_choice" if "router" in options else True)


@pytest.mark.parametrize("options", EVERY, ids=name)
def test_traced_equals_untraced_and_every_place_is_there(options: dict[str, Any]) -> None:
    model, tokens = build(**options), sequence()
    trace = Trace()
    with torch.inference_mode():
        output = model.run(tokens, trace=trace)
        torch.testing.assert_close(output.logits, model(tokens), rtol=1e-4, atol=1e-4)
    assert list(trace) == list(hook_points(model.config))
    layers = model.config.moe_layers
    assert [record.layer for record in output.routing] == list(layers)
    for record in output.routing:
        hook_point = f"blocks.{record.layer}.feedforward.router"
        assert torch.equal(trace[f"{hook_point}.chosen"], record.chosen)
        assert torch.equal(trace[f"{hook_point}.gates"], record.gates)
        experts = model.config.n_experts
        assert record.logits.shape == record.gates.shape == (2, CONTEXT, experts)
        torch.testing.assert_close(record.probabilities.sum(-1), torch.ones(2, CONTEXT))
        if model.config.is_causal:
            assert (record.chosen.sum(-1) == model.config.top_k).all()
            assert ((record.gates > 0) == record.chosen).all()
        if model.config.renormalised and "capacity_factor" not in options:
            torch.testing.assert_close(record.gates.sum(-1), torch.ones(2, CONTEXT))


def test_no_two_options_give_the_same_model() -> None:
    """Property 4, also between every two routers while training."""
    tokens, seen = sequence(), []
    for options in [{}, MOE, *(o for o in EVERY if o != {**MOE, "router": "topk"})]:
        model = build(**options)
        for mode in (False, True):
            torch.manual_seed(5)
            logits = model.train(mode)(tokens)
            seen.append((mode, name(options), logits.detach()))
    for i, (mode, one, logits) in enumerate(seen):
        for other_mode, other, others in seen[:i]:
            if mode == other_mode:
                same = torch.allclose(logits, others, atol=1e-4)
                # One expert alone by its probability is Switch, which adds jitter while training.
                alike = {one, other} == {"1-switch", "1"} and not mode
                assert same == alike, (one, other)


def test_edits_of_the_router_reach_the_output() -> None:
    model, tokens = build(**MOE), sequence()
    plain = model(tokens)
    for hook_point in hook_points(model.config):
        if hook_point.endswith("chosen"):
            edit = Trace([], edits={hook_point: lambda value: value.roll(1, dims=-1)})
        else:
            edit = Trace([], edits={hook_point: lambda value: value * 0.5 + 0.1})
        assert not torch.allclose(model.run(tokens, trace=edit).logits, plain), hook_point
    nobody = Trace([], edits={"blocks.1.feedforward.router.gates": torch.zeros_like})
    silent = Trace([], edits={"blocks.1.feedforward.output": torch.zeros_like})
    torch.testing.assert_close(
        model.run(tokens, trace=nobody).logits, model.run(tokens, trace=silent).logits
    )


# Routers -----------------------------------------------------------------------------------------


def decide(options: dict[str, Any], x: torch.Tensor, training: bool = False) -> Any:
    model = build(**options)
    part = mixture(model).train(training)
    context = Context(tokens=sequence())
    part.route(x, context)
    return part, context.routing[0]


def test_gates_are_the_probabilities_of_the_chosen() -> None:
    x = torch.randn(2, CONTEXT, 16, generator=torch.Generator().manual_seed(1))
    part, record = decide({**MOE, "renormalise": False}, x)
    p = (x @ part.router.weight.T).softmax(-1)
    values, indices = p.topk(2, dim=-1)
    torch.testing.assert_close(record.gates.gather(-1, indices), values)
    _, renormalised = decide(MOE, x)
    torch.testing.assert_close(
        renormalised.gates.gather(-1, indices), values / values.sum(-1, keepdim=True)
    )
    part, record = decide({**MOE, "router": "sigmoid"}, x)
    s = (x @ part.router.weight.T).sigmoid()
    chosen = s.topk(2, dim=-1).values
    torch.testing.assert_close(
        record.gates.sort(-1, descending=True).values[..., :2],
        chosen / chosen.sum(-1, keepdim=True),
    )


def test_the_bias_moves_choices_and_never_a_gate() -> None:
    x = torch.randn(2, CONTEXT, 16, generator=torch.Generator().manual_seed(1))
    model = build(**{**MOE, "renormalise": False})
    part, context = mixture(model), Context()
    assert part.router.bias is not None
    part.router.bias.data = torch.tensor([-9.0, 0.0, 9.0, 0.0])
    part.route(x, context)
    record = context.routing[0]
    assert record.chosen[..., 2].all() and not record.chosen[..., 0].any()
    torch.testing.assert_close(record.gates, record.probabilities * record.chosen)


def test_device_limited_routing_stays_within_the_best_groups() -> None:
    options = {"n_experts": 8, "top_k": 3, "n_device": 4, "max_device": 2}
    x = torch.randn(2, CONTEXT, 16, generator=torch.Generator().manual_seed(1))
    _, record = decide(options, x)
    groups = record.chosen.unflatten(-1, (4, 2)).any(-1)  # (B, T, D)
    assert groups.sum(-1).max() == 2
    best = record.probabilities.argmax(-1)
    assert record.chosen.gather(-1, best[..., None]).all()
    _, free = decide({**options, "max_device": None}, x)
    assert free.chosen.unflatten(-1, (4, 2)).any(-1).sum(-1).max() == 3


def test_experts_that_choose_all_have_the_same_work() -> None:
    x = torch.randn(2, CONTEXT, 16, generator=torch.Generator().manual_seed(1))
    _, record = decide({**MOE, "router": "expert_choice"}, x)
    assert (record.chosen.flatten(0, 1).sum(0) == 2 * CONTEXT * 2 // 4).all()
    assert record.dropped == 0


def test_the_hash_goes_by_the_token_alone_and_learns_nothing() -> None:
    model = build(**{**MOE, "router": "hash"})
    router = mixture(model).router
    assert isinstance(router, HashRouter) and not list(router.parameters())
    tokens = torch.arange(VOCAB)[None].expand(2, -1)
    logits = router.logits(torch.randn(2, VOCAB, 16), Context(tokens=tokens))
    assert torch.equal(logits[0], logits[1])
    assert ((logits == 0).sum(-1) == 2).all()
    used = (logits[0] == 0).sum(0)
    assert used.min() > 0  # every expert has some of the vocabulary
    first, second = (mixture(model, layer).router.logits for layer in (0, 1))
    x, context = torch.randn(2, VOCAB, 16), Context(tokens=tokens)
    assert not torch.equal(first(x, context), second(x, context))


def test_noise_is_for_training_alone() -> None:
    x = torch.randn(2, CONTEXT, 16)
    for router, k in (("noisy_topk", 2), ("switch", 1)):
        model = build(**{**MOE, "router": router, "top_k": k})
        part, context = mixture(model), Context()
        calm = part.router.logits(x, context)
        assert torch.equal(calm, part.router.logits(x, context))
        part.train()
        assert not torch.allclose(calm, part.router.logits(x, context))


def test_capacity_drops_the_last_to_come_and_counts_them() -> None:
    model = build(**{**MOE, "top_k": 1, "capacity_factor": 1.0})
    part = mixture(model)
    assert part.router.bias is not None
    part.router.bias.data = torch.tensor([9.0, 0.0, 0.0, 0.0])  # everyone wants the first expert
    context = Context()
    gates = part.route(torch.randn(2, CONTEXT, 16), context)
    room = capacity(2 * CONTEXT, model.config, 1.0)
    assert room == 2 * CONTEXT // 4
    taken = (gates > 0).flatten()
    assert (gates.flatten(0, 1)[:room, 0] > 0).all() and (gates > 0).sum() == room
    assert context.routing[0].dropped == taken.numel() // 4 - room
    assert context.routing[0].load[0] == 1  # f counts what was wanted


def test_a_dropped_token_passes_by() -> None:
    part = mixture(build(**{**MOE, "top_k": 1, "capacity_factor": 0.01}))
    x = torch.randn(1, CONTEXT, 16)
    context = Context()
    y = part(x, context)
    dropped = (context.routing[0].gates == 0).all(-1)
    assert dropped.sum() >= CONTEXT - 4
    assert (y[dropped] == 0).all() and (y[~dropped] != 0).any()


@pytest.mark.parametrize("options", ROUTED, ids=name)
def test_the_router_computes_in_fp32_under_mixed_precision(options: dict[str, Any]) -> None:
    model, tokens = build(**options).train(), sequence()
    model.balance = dict.fromkeys(BALANCERS, 1.0)
    with torch.autocast("cpu", torch.bfloat16):
        output = model.run(tokens)
        loss = cross_entropy(output.logits, tokens) + output.balance_loss
    assert output.logits.dtype == torch.bfloat16
    for record in output.routing:
        assert (
            record.logits.dtype == record.probabilities.dtype == record.gates.dtype == torch.float32
        )
    exact = sum(loss(record) for record in output.routing for loss in BALANCERS.values())
    torch.testing.assert_close(output.balance_loss, exact)
    loss.backward()
    weight = mixture(model).experts.up.weight
    assert weight.grad is not None and weight.grad.dtype == torch.float32


@pytest.mark.slow
def test_a_mixture_can_be_compiled() -> None:
    """Also when the weight of a loss changes between two steps."""
    model, tokens = build(**MOE, n_layer=1), sequence()
    compiled = torch.compile(model.run, backend="aot_eager")
    for weight in (0.5, 0.25):
        model.balance = {"switch": weight}
        ours, theirs = compiled(tokens), model.run(tokens)
        torch.testing.assert_close(ours.logits, theirs.logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.balance_loss, theirs.balance_loss)
    ours.logits.sum().backward()
    assert mixture(model, 0).experts.up.weight.grad is not None


def test_biases_of_experts_are_not_decayed() -> None:
    model = build(**MOE, bias=True)
    groups = parameter_groups(model.named_parameters())
    decayed = {name for group in groups if group["decays"] for name, _ in group["params"]}
    assert "blocks.0.feedforward.experts.up.weight" in decayed
    assert not any(name.endswith("bias") for name in decayed)


# Traps -------------------------------------------------------------------------------------------


def test_a_model_is_built_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked for CUDA")

    for function in ("is_available", "current_device", "device_count", "get_device_capability"):
        monkeypatch.setattr(torch.cuda, function, refuse)
    monkeypatch.setattr(torch.Tensor, "cuda", refuse)
    model = MoETransformerLM(**SIZES, n_experts=4, top_k=2)
    assert model(sequence()).device.type == "cpu"


def test_the_names_of_the_seed_build_the_one_decoder() -> None:
    sizes: dict[str, Any] = {
        "d_model": 16,
        "n_head": 4,
        "vocab_size": VOCAB,
        "max_seq_len": CONTEXT,
    }
    model = MoETransformerLM(**sizes, n_layer=3)
    assert (model.config.n_experts, model.config.top_k) == (8, 2)
    assert [record.layer for record in model.run(sequence()).routing] == [0, 1, 2]
    hybrid = HybridMoETransformerLM(**sizes, n_layer=6, moe_layer_indices=[2, 5], n_experts=4)
    assert [record.layer for record in hybrid.run(sequence()).routing] == [2, 5]
    assert hybrid.config == ModelConfig(**sizes, n_layer=6, moe_layer_indices=(2, 5), n_experts=4)
    assert type(TransformerLM.from_config(hybrid.config)) is TransformerLM
    assert type(model).from_config(model.config).config == model.config
    dense = TransformerLM(**sizes, n_layer=2).run(sequence())
    assert dense.routing == [] and dense.balance_loss.item() == 0


TINY: dict[str, Any] = {
    "source": "stories",
    "max_seq_len": 16,
    "d_model": 16,
    "n_head": 2,
    "n_layer": 2,
    "batch_size": 8,
    "total_steps": 40,
    "warmup_steps": 2,
    "eval_interval": 1000,
    "eval_steps": 1,
    "n_experts": 4,
    "top_k": 1,
    "device": "cpu",
    "threads": 1,
}

LEARNED = [options for options in ROUTED if options["router"] != "hash"]


@pytest.mark.parametrize("loss", BALANCERS)
@pytest.mark.parametrize("options", LEARNED, ids=name)
def test_every_balance_loss_has_a_gradient_at_the_router(
    options: dict[str, Any], loss: str
) -> None:
    """Property 5, by gradient: and none at an expert, which it does not concern.

    Where experts choose, f is even whatever the router thinks, so that sums of f P say nothing.
    """
    model = build(**{**options, "n_layer": 1, "n_device": 2})
    model.balance = {loss: 1.0}
    model.run(sequence()).balance_loss.backward()
    part = mixture(model, 0)
    grad = part.router.weight.grad
    nothing = options["router"] == "expert_choice" and loss in ("expert", "device")
    assert grad is not None and (grad.abs().max() > 1e-6) != nothing
    assert part.experts.up.weight.grad is None


@pytest.mark.parametrize("loss", [name for name in BALANCERS if name != "z"])
@pytest.mark.parametrize("router", ["topk", "switch", "sigmoid"])
def test_minimising_a_balance_loss_lowers_imbalance(router: str, loss: str) -> None:
    """Property 5, by effect: only the loss is minimised, on one batch, from a leaning router."""
    options = {"n_experts": 4, "top_k": 1, "router": router, "n_layer": 1, "n_device": 2}
    model, tokens = build(**options), sequence(batch=8)
    part = mixture(model, 0)
    with torch.no_grad():  # lean towards the experts of the first group
        part.router.weight[:2] *= 3
    model.balance = {loss: 1.0}

    def imbalance() -> float:
        load = model.run(tokens).routing[0].load
        grouped = loss in ("device", "communication")
        return max_violation(load.unflatten(0, (2, 2)).sum(-1) if grouped else load)

    before = imbalance()
    optimizer = AdamW([part.router.weight], lr=0.02, weight_decay=0.0)
    for _ in range(60):
        optimizer.zero_grad()
        model.run(tokens).balance_loss.backward()
        optimizer.step()
    assert before > 0.2
    assert imbalance() < before / 2


def test_the_z_loss_makes_logits_small() -> None:
    model, tokens = build(**MOE, n_layer=1), sequence(batch=8)
    model.balance = {"z": 1.0}
    part = mixture(model, 0)
    before = model.run(tokens).routing[0].logits.logsumexp(-1).abs().mean()
    optimizer = AdamW([part.router.weight], lr=0.02, weight_decay=0.0)
    for _ in range(100):
        optimizer.zero_grad()
        model.run(tokens).balance_loss.backward()
        optimizer.step()
    assert model.run(tokens).routing[0].logits.logsumexp(-1).abs().mean() < before / 2


@pytest.mark.parametrize("rule", BIAS_RULES)
def test_nudging_the_bias_lowers_imbalance_and_changes_no_weight(rule: BiasRuleName) -> None:
    model, tokens = build(**MOE, n_layer=1), sequence(batch=8)
    part = mixture(model, 0)
    assert part.router.bias is not None
    before = max_violation(model.run(tokens).routing[0].load)
    with torch.no_grad():
        for _ in range(200):
            update_expert_bias(part.router.bias, model.run(tokens).routing[0].load, 0.005, rule)
    assert before > 0.2
    assert max_violation(model.run(tokens).routing[0].load) < before / 2


@pytest.mark.parametrize("accumulation", [1, 2])
def test_training_adds_the_balance_loss_exactly_once(accumulation: int) -> None:
    """One update equals the same update written out: cross-entropy plus the mean balance loss."""
    changes: dict[str, Any] = {
        "switch_loss": 0.3,
        "z_loss": 0.1,
        "gradient_accumulation": accumulation,
    }
    config = RunConfig.from_flat(TINY | changes)
    trained, by_hand = (new_state(config, make_data(config)) for _ in range(2))
    update(trained)

    model = by_hand.model
    batches = [by_hand.data.batch(8) for _ in range(accumulation)]
    total = torch.zeros(())
    for batch in batches:
        output = model.run(torch.from_numpy(batch.inputs))
        balance = sum(
            0.3 * BALANCERS["switch"](r) + 0.1 * BALANCERS["z"](r) for r in output.routing
        )
        total = total + cross_entropy(output.logits, torch.from_numpy(batch.targets)) + balance
    (total / accumulation).backward()
    clip_grad_norm(model.parameters(), config.train.max_grad_norm)
    by_hand.optimizer.step()
    # AdamW's average is a tenth of the gradient now; the step itself hardly depends on its size.
    expected, found = (averages(state.optimizer) for state in (by_hand, trained))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "field", ["switch_loss", "expert_loss", "device_loss", "communication_loss", "sequence_loss", "z_loss", "bias_rate"]
)  # fmt: skip
def test_every_balance_field_changes_what_is_learned(field: str) -> None:
    """No option is dead; and set in the middle of a run, it works from the next update on."""

    def weights(value: float) -> torch.Tensor:
        config = RunConfig.from_flat(TINY | {"switch_loss": 0.0, "n_device": 2})
        state = new_state(config, make_data(config))
        for _ in range(3):
            update(state)
        change(state, field, value)
        for _ in range(3):
            update(state)
        return torch.cat(
            [w.detach().flatten() for n, w in state.model.named_parameters() if "router" in n]
        )

    assert not torch.equal(weights(0.0), weights(0.5))


def test_the_bias_moves_by_its_rate_and_only_then() -> None:
    config = RunConfig.from_flat(
        TINY | {"bias_rate": 0.25, "switch_loss": 0.0, "gradient_accumulation": 2}
    )
    state = new_state(config, make_data(config))
    update(state)
    bias = mixture(state.model).router.bias
    assert bias is not None
    assert set(bias.abs().tolist()) <= {0.0, 0.25} and bias.abs().max() == 0.25
    change(state, "bias_rate", 0.0)
    kept = bias.clone()
    update(state)
    assert torch.equal(bias, kept)


def test_the_rule_of_the_bias_reaches_training() -> None:
    config = RunConfig.from_flat(
        TINY | {"bias_rate": 0.25, "bias_rule": "violation", "switch_loss": 0.0}
    )
    state = new_state(config, make_data(config))
    update(state)
    expected = [0.25 * BIAS_RULES["violation"](record.load) for record in state.routing]
    biases = [mixture(state.model, layer).router.bias for layer in range(len(expected))]
    torch.testing.assert_close(
        torch.stack([b for b in biases if b is not None]), torch.stack(expected)
    )


def test_a_run_says_how_its_batches_were_routed() -> None:
    config = RunConfig.from_flat(
        TINY | {"total_steps": 3, "capacity_factor": 0.5, "moe_layer_indices": [1]}
    )
    events = list(train(new_state(config, make_data(config))))
    kinds = [event.type for event in events]
    assert kinds == ["evaluated", *["routed", "stepped"] * 3, "evaluated"]
    told = events[1]
    assert told.type == "routed" and told.step == 1
    assert told.layers == [1] and len(told.load[0]) == 4
    assert sum(told.load[0]) == pytest.approx(1, abs=1e-4)
    assert sum(told.probability[0]) == pytest.approx(1, abs=1e-4)
    assert 0 < told.dropped[0] < 1 and 0 < told.entropy[0] < 1.39
    assert set(told.losses) == set(BALANCERS)
    assert told.balance_loss == pytest.approx(0.01 * told.losses["switch"][0], abs=1e-6)
    assert balance_weights(config.train)["switch"] == 0.01


def test_a_dense_run_says_nothing_of_routing() -> None:
    config = RunConfig.from_flat(TINY | {"total_steps": 2, "n_experts": None})
    assert "routed" not in [event.type for event in train(new_state(config, make_data(config)))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_experts": 1}, "n_experts = 1: must be at least 2"),
        ({"n_experts": 4, "top_k": 5}, "top_k = 5: must be at most n_experts = 4"),
        ({"n_experts": 4, "router": "switch"}, "top_k = 2: must be 1: Switch"),
        ({"n_experts": 4, "router": "best"}, "router = 'best': must be one of topk, switch"),
        ({"n_experts": 4, "top_k": 1, "renormalise": True}, "renormalise = True: must be off"),
        ({"n_experts": 4, "moe_layer_indices": [2]}, "must be different block numbers in order"),
        ({"n_experts": 4, "moe_layer_indices": [1, 0]}, "must be different block numbers in order"),
        ({"n_experts": 4, "moe_layer_indices": []}, "must be different block numbers in order"),
        ({"n_experts": 4, "moe_layer_indices": "one"}, "must be block numbers such as 1,3"),
        ({"n_experts": 4, "moe_layer_indices": 3.5}, "must be a list of whole numbers"),
        ({"moe_layer_indices": [1]}, "must be empty without n_experts"),
        ({"n_experts": 8, "n_device": 3}, "n_device = 3: must divide n_experts = 8"),
        ({"n_experts": 8, "max_device": 2}, "max_device = 2: must be at most n_device = 1"),
        ({"n_experts": 8, "n_device": 8, "max_device": 1}, "top_k = 2: must be at most the 1 experts"),
        ({"n_experts": 8, "capacity_factor": 0.0}, "capacity_factor = 0.0: must be greater than 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ModelConfig.parse(changes)
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1
