"""Own norms, attention, positions and feed-forwards equal the library's, in value and gradient."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
from textwrap import dedent

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import engine
import engine.model
from engine import TransformerLM
from engine.config import NormName
from engine.model.attention import causal_mask
from engine.model.context import Context, Trace, View
from engine.model.norms import EPSILON, NORMS, LayerNorm, RMSNorm
from engine.model.positions import rotate
from tests.tools.options import SIZES, build, sequence


def same(ours: Tensor, theirs: Tensor, *inputs: Tensor) -> None:
    """Equal values, and equal gradients of a random projection with respect to each input."""
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(ours)
    mine = torch.autograd.grad((ours * weights).sum(), inputs, retain_graph=True)
    other = torch.autograd.grad((theirs * weights).sum(), inputs, retain_graph=True)
    for one, two in zip(mine, other, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


def test_norms_equal_the_librarys() -> None:
    x = (3 * torch.randn(4, 7, 16) + 1).requires_grad_()
    rms, layer = RMSNorm(16), LayerNorm(16, bias=True)
    for weight in (*rms.parameters(), *layer.parameters()):
        nn.init.normal_(weight)
    same(rms(x), F.rms_norm(x, (16,), rms.weight, EPSILON), x, rms.weight)
    assert layer.bias is not None
    centred = x - x.mean(-1, keepdim=True)  # ours is the library's: compare with the equation
    deviation = (centred.square().mean(-1, keepdim=True) + EPSILON).sqrt()
    same(layer(x), centred / deviation * layer.weight + layer.bias, x, layer.weight, layer.bias)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", NORMS)
def test_a_norm_computes_in_every_precision(name: NormName, bias: bool, dtype: torch.dtype) -> None:
    """With weights of that precision: about the result of fp32, and gradients for every weight."""
    norm, x = NORMS[name](16, bias), (3 * torch.randn(4, 16) + 1).requires_grad_()
    exact = norm(x)
    found = norm.to(dtype)(x.to(dtype))
    torch.testing.assert_close(found.float(), exact, rtol=0.02, atol=0.02)
    found.square().sum().backward()
    assert found.dtype == dtype
    assert all(each.grad is not None for each in (x, *norm.parameters()))


def test_attention_equals_the_librarys() -> None:
    """Our block-0 attention against torch.nn.MultiheadAttention holding the same weights."""
    attention = build(position="none", bias=True).blocks[0].attention
    library = nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        library.in_proj_weight.copy_(attention.qkv.weight)
        library.in_proj_bias.copy_(attention.qkv.bias)
        library.out_proj.weight.copy_(attention.output.weight)
        library.out_proj.bias.copy_(attention.output.bias)
    x = torch.randn(2, 9, 16, requires_grad=True)
    theirs, weights = library(x, x, x, attn_mask=~causal_mask(9, 9), average_attn_weights=False)
    same(attention(x, Context(View(causal=True))), theirs, x)
    trace = Trace()
    same(attention(x, Context(View(causal=True), trace=trace)), theirs, x)
    torch.testing.assert_close(trace["blocks.0.attention.weights"], weights)


def test_qk_norm_equals_the_librarys_rms_norm() -> None:
    """Normalised, rotated, and multiplied by PyTorch's own attention; queries share keys and values."""
    model = build(qk_norm=True, n_kv_head=2)
    attention = model.blocks[0].attention
    x = torch.randn(2, 9, 16, requires_grad=True)
    q, k, v = attention.qkv(x).unflatten(-1, (-1, 4)).split([4, 2, 2], dim=2)  # (B, T, heads, D)
    rotations = model.positions.rotations(torch.arange(9))
    q = rotate(F.rms_norm(q, (4,), attention.q_norm.weight, EPSILON), rotations)
    k = rotate(F.rms_norm(k, (4,), attention.k_norm.weight, EPSILON), rotations)
    heads = F.scaled_dot_product_attention(
        *(part.transpose(1, 2) for part in (q, k, v)), is_causal=True, enable_gqa=True
    )
    theirs = attention.output(heads.transpose(1, 2).flatten(2))
    learned = x, attention.q_norm.weight, attention.k_norm.weight, attention.qkv.weight
    for trace in (None, Trace()):
        context = Context(View(causal=True), rotations=rotations, trace=trace)
        same(attention(x, context), theirs, *learned)


def test_a_post_norm_block_equals_torch_nn() -> None:
    """Post-norm, LayerNorm, ReLU and biases: torch.nn.TransformerEncoderLayer with a causal mask."""
    model = build(
        norm="layernorm", placement="post", feedforward="relu", position="none", bias=True
    )
    block = model.blocks[0]
    library = nn.TransformerEncoderLayer(16, 4, 64, dropout=0.0, batch_first=True)
    pairs = {
        "self_attn.in_proj_weight": block.attention.qkv.weight,
        "self_attn.in_proj_bias": block.attention.qkv.bias,
        "self_attn.out_proj.weight": block.attention.output.weight,
        "self_attn.out_proj.bias": block.attention.output.bias,
        "linear1.weight": block.feedforward.up.weight,
        "linear1.bias": block.feedforward.up.bias,
        "linear2.weight": block.feedforward.output.weight,
        "linear2.bias": block.feedforward.output.bias,
        "norm1.weight": block.attention_residual.norm.weight,
        "norm1.bias": block.attention_residual.norm.bias,
        "norm2.weight": block.feedforward_residual.norm.weight,
        "norm2.bias": block.feedforward_residual.norm.bias,
    }
    library.load_state_dict(pairs)
    x = torch.randn(2, 9, 16, requires_grad=True)
    same(block(x, Context(View(causal=True))), library(x, src_mask=~causal_mask(9, 9)), x)


def test_rotation_is_the_papers_matrix() -> None:
    """Su et al. 2021, eq. 15: pair (2i, 2i+1) at position p turned by p θ^(-2i/D)."""
    rotations = build().positions.rotations(torch.arange(5))
    x = torch.randn(1, 5, 1, 4)  # (B, T, H, D)
    turned = rotate(x, rotations)
    for p in range(5):
        for i in range(2):
            angle = torch.tensor(p * 10_000.0 ** (-2 * i / 4))
            a, b = x[0, p, 0, 2 * i], x[0, p, 0, 2 * i + 1]
            torch.testing.assert_close(
                turned[0, p, 0, 2 * i : 2 * i + 2],
                torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()]),
            )


def test_the_model_survives_mixed_precision() -> None:
    exact = build()(sequence())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = build()(sequence())
    assert (mixed.float() - exact).abs().max() < 0.1 * exact.abs().max()


def examples() -> list[tuple[str, str]]:
    """Each paragraph of a docstring in `engine.model` that is code, and where it is."""
    found: list[tuple[str, str]] = []
    for module in pkgutil.iter_modules(engine.model.__path__, "engine.model."):
        for node in ast.walk(ast.parse(inspect.getsource(importlib.import_module(module.name)))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            for block in map(dedent, (ast.get_docstring(node) or "").split("\n\n")):
                with contextlib.suppress(SyntaxError):  # text, or an equation
                    if any(isinstance(part, ast.Call) for part in ast.walk(ast.parse(block))):
                        found.append((getattr(node, "name", module.name), block))
    return found


@pytest.mark.parametrize(("place", "code"), examples(), ids=[place for place, _ in examples()])
def test_the_example_of_a_docstring_runs(place: str, code: str) -> None:
    """As it stands: with the public names, and tokens, targets, sources and a model where it says so."""
    public = {name: getattr(engine, name) for name in engine.__all__}
    tokens = sequence()
    given = {"tokens": tokens, "targets": tokens.flip(1), "sources": tokens, "model": build()}
    exec(compile(code, place, "exec"), public | given)


def test_every_model_s_example_is_found() -> None:
    found = {place for place, _ in examples()}
    assert found >= {"TransformerLM", "MoETransformerLM", "Transformer", "Trace"}


def test_gradients_reach_every_parameter() -> None:
    model = TransformerLM(
        **SIZES, position="learned", bias=True, norm="layernorm", qk_norm=True, logit_softcap=30.0
    )
    model(sequence()).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        # A key's bias moves every score of a query alike, and softmax does not see that.
        gradient = weight.grad[:16] if name.endswith("qkv.bias") else weight.grad
        assert gradient.abs().max() > 0, name
