"""Every device of this machine computes what the CPU computes, and trains, resumes and writes.

On a machine without a GPU there is one device; with one, each test runs on both.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import Trace
from engine.config import RunConfig
from engine.data import make_data
from engine.generation.sampling import Sampler, generate
from engine.generation.translation import beam_search, translate
from engine.runs.events import Evaluated, Stepped
from engine.tokenizers.files import save_tokenizer
from engine.training.checkpoint import load, load_model, save
from engine.training.devices import available_devices, check_dtype
from engine.training.loop import new_state, train, update
from engine.validation import ConfigError
from tests.engine.model.test_encoder_decoder import build as build_translator
from tests.engine.model.test_encoder_decoder import pairs
from tests.tools.options import AXES, ROUTED, TINY_RUN, VARIANTS, build, sequence

DEVICES = available_devices()

pytestmark = pytest.mark.parametrize("device", DEVICES)

OPTIONS: list[dict[str, Any]] = [
    *({axis: value} for axis, values in AXES.items() for value in values),
    *ROUTED,
    *VARIANTS,
]


def dtypes(device: str) -> list[str]:
    """The precisions that this device computes in."""
    found: list[str] = []
    for name in ("fp32", "bf16", "fp16"):
        try:
            check_dtype(name, torch.device(device))
        except ConfigError:
            continue
        found.append(name)
    return found


def run_of(device: str, **changes: Any) -> RunConfig:
    return RunConfig.from_flat({**TINY_RUN, "device": device, **changes})


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(f"{k}_{v}" for k, v in o.items()))  # fmt: skip
def test_every_option_computes_what_the_cpu_does(device: str, options: dict[str, Any]) -> None:
    """Logits and gradients to fp32's precision; the cache and the trace too."""
    exact = build(**options)
    model = copy.deepcopy(exact).to(device)
    tokens = sequence()
    wanted = exact(tokens)
    given = model(tokens.to(device))
    close: dict[str, Any] = {"rtol": 2e-3, "atol": 2e-4 * max(1.0, wanted.abs().max().item())}
    torch.testing.assert_close(given.cpu(), wanted, **close)
    wanted.square().mean().backward()
    given.square().mean().backward()
    for (name, one), other in zip(exact.named_parameters(), model.parameters(), strict=True):
        if one.grad is not None:
            scale = one.grad.abs().max().item()
            assert other.grad is not None, name
            difference = (other.grad.cpu() - one.grad).abs().max().item()
            assert difference <= 2e-3 * scale + 1e-6, name
    with torch.inference_mode():
        trace = Trace()
        traced = model.run(tokens.to(device), trace=trace).logits
        assert trace["logits"].device.type == torch.device(device).type
        torch.testing.assert_close(traced, given.detach(), rtol=1e-3, atol=close["atol"])
        if model.config.is_causal:  # what a token gets does not depend on those beside it
            cache = model.new_cache(tokens.shape[0])
            steps = [
                model.run(tokens[:, t : t + 1].to(device), cache=cache).logits
                for t in range(tokens.shape[1])
            ]
            torch.testing.assert_close(
                torch.cat(steps, dim=1), given.detach(), rtol=1e-3, atol=close["atol"]
            )


def test_a_translator_searches_as_on_the_cpu(device: str) -> None:
    here, there = build_translator(), build_translator().to(device)
    source = pairs()[0][0].tolist()
    with torch.inference_mode():
        written = [translate(model, [source])[0] for model in (here, there)]
        found = [beam_search(model, [source], 3)[0].found[0] for model in (here, there)]
    for wanted, given in (written, found):
        assert given.tokens == wanted.tokens
        assert given.log_probability == pytest.approx(wanted.log_probability, abs=1e-3)


@pytest.mark.parametrize(
    "extra", [{}, {"n_experts": 4, "switch_loss": 0.01}], ids=["dense", "experts"]
)
def test_it_learns_in_every_precision(device: str, extra: dict[str, Any]) -> None:
    for dtype in dtypes(device):
        config = run_of(
            device, dtype=dtype, total_steps=100, max_lr=1e-2, eval_interval=50, **extra
        )
        events = list(train(new_state(config, make_data(config))))
        losses = [event.loss for event in events if isinstance(event, Stepped)]
        assert sum(losses[-5:]) < 0.8 * sum(losses[:5]), dtype
        assert [event.step for event in events if isinstance(event, Evaluated)][-1] == 100


def test_a_stopped_run_goes_on_exactly(device: str, tmp_path: Path) -> None:
    """On its device as if it had not stopped, dropout included; and its checkpoint is read on every device."""
    config = run_of(device, dropout=0.2, total_steps=8)
    state = new_state(config, make_data(config))
    whole: list[float] = []
    for step in range(8):
        if step == 4:
            save(state, tmp_path / "step-000004")
        event = update(state)
        assert isinstance(event, Stepped)
        whole.append(event.loss)
    resumed = load(tmp_path / "step-000004", make_data(config))
    assert resumed.device.type == device
    again = [update(resumed) for _ in range(4)]
    losses = [event.loss for event in again if isinstance(event, Stepped)]
    assert losses == pytest.approx(whole[4:], rel=1e-6 if device == "cpu" else 1e-4)

    save_tokenizer(state.data.tokenizer, tmp_path / "tokenizer.json")
    weights = [load_model(tmp_path / "step-000004", place)[0].embedding.weight for place in DEVICES]
    assert [weight.device.type for weight in weights] == DEVICES
    assert all(torch.equal(weight.cpu(), weights[0].cpu()) for weight in weights)


def test_writing_is_reproducible(device: str) -> None:
    model = build().to(device)
    texts = [
        [
            step.token
            for step in generate(model, [1], 12, Sampler(), torch.Generator().manual_seed(5))
        ]
        for _ in range(2)
    ]
    assert texts[0] == texts[1] and len(set(texts[0])) > 1
    here = [
        s.token for s in generate(build(), [1], 12, Sampler(), torch.Generator().manual_seed(5))
    ]
    assert texts[0] == here  # draws are made on the CPU, so that a seed writes one text everywhere
