"""The same encoder-decoder out of PyTorch's own layers, with the same weights.

`torch.nn.Transformer` knows the blocks of the paper: LayerNorm before or after, ReLU or GELU, one key
for each query head. It has no embeddings and no output matrix; positions that are added to the
embeddings are none of its business.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.model.decoder import embed
from engine.model.encoder_decoder import Transformer
from engine.validation import ConfigError, Problem

_NEEDED: dict[str, tuple[tuple[Any, ...], str]] = {
    "norm": (("layernorm",), "must be layernorm: torch.nn.Transformer has no other"),
    "feedforward": (("relu", "gelu"), "must be relu or gelu for torch.nn.Transformer"),
    "position": (
        ("sinusoidal", "learned", "none"),
        "must not act inside attention, as torch.nn.Transformer has no rope and no alibi",
    ),
    "n_experts": ((None,), "must be empty: torch.nn.Transformer has no experts"),
    "qk_norm": ((False,), "must be off: torch.nn.Transformer normalises no queries and keys"),
}


def torch_transformer(model: Transformer) -> nn.Transformer:
    """A `torch.nn.Transformer` with copies of this model's weights, in the same mode.

        library = torch_transformer(model)
        states = library(embedded_sources, embedded_tokens, tgt_mask=mask, tgt_is_causal=True)

    The states (B, T, C) are those that `model.output` turns into logits. Raises `ConfigError` where the
    library has no such model: which field, and what it would have to be.
    """
    config = model.config
    problems = [
        Problem(name, getattr(config, name), allowed)
        for name, (values, allowed) in _NEEDED.items()
        if getattr(config, name) not in values
    ]
    if config.kv_heads != config.n_head:
        allowed = f"must be n_head = {config.n_head}: torch.nn.Transformer shares no keys"
        problems.append(Problem("n_kv_head", config.n_kv_head, allowed))
    if problems:
        raise ConfigError(problems)
    library = _empty(config)
    with torch.no_grad():
        for ours, theirs in zip(
            cast(Any, model.encoder.blocks), cast(Any, library.encoder.layers), strict=True
        ):
            _copy_attention(ours.attention.qkv, ours.attention.output, theirs.self_attn)
            _copy_feedforward(ours.feedforward, theirs)
            _copy_norm(ours.attention_residual.norm, theirs.norm1)
            _copy_norm(ours.feedforward_residual.norm, theirs.norm2)
        for ours, theirs in zip(
            cast(Any, model.blocks), cast(Any, library.decoder.layers), strict=True
        ):
            _copy_attention(ours.attention.qkv, ours.attention.output, theirs.self_attn)
            both = torch.cat([ours.cross.q.weight, ours.cross.kv.weight])
            theirs.multihead_attn.in_proj_weight.copy_(both)
            if config.bias:
                both = torch.cat([ours.cross.q.bias, ours.cross.kv.bias])
                theirs.multihead_attn.in_proj_bias.copy_(both)
            _copy(ours.cross.output, theirs.multihead_attn.out_proj)
            _copy_feedforward(ours.feedforward, theirs)
            _copy_norm(ours.attention_residual.norm, theirs.norm1)
            _copy_norm(ours.cross_residual.norm, theirs.norm2)
            _copy_norm(ours.feedforward_residual.norm, theirs.norm3)
        if config.placement == "pre":
            _copy_norm(model.encoder.norm, library.encoder.norm)
            _copy_norm(model.norm, library.decoder.norm)
    return library.train(model.training)


def _empty(config: ModelConfig) -> nn.Transformer:
    """PyTorch's layers of these sizes. In post-norm, it would by itself add a norm at the end."""
    settings: dict[str, Any] = {
        "d_model": config.d_model,
        "nhead": config.n_head,
        "dim_feedforward": config.ff_width,
        "dropout": config.dropout,
        "activation": config.feedforward,
        "batch_first": True,
        "norm_first": config.placement == "pre",
        "bias": config.bias,
    }
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**settings),
        config.n_encoder_layer or 0,
        norm=_last(config),
        enable_nested_tensor=False,
    )
    decoder = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**settings), config.n_layer, norm=_last(config)
    )
    return nn.Transformer(
        d_model=config.d_model,
        nhead=config.n_head,
        custom_encoder=encoder,
        custom_decoder=decoder,
        batch_first=True,
    )


def _last(config: ModelConfig) -> nn.LayerNorm | None:
    return nn.LayerNorm(config.d_model, bias=config.bias) if config.placement == "pre" else None


def _copy(ours: Any, theirs: Any) -> None:
    theirs.weight.copy_(ours.weight)
    if ours.bias is not None:
        theirs.bias.copy_(ours.bias)


def _copy_norm(ours: Any, theirs: Any) -> None:
    theirs.weight.copy_(ours.weight)
    if ours.bias is not None:
        theirs.bias.copy_(ours.bias)


def _copy_attention(qkv: Any, output: Any, theirs: Any) -> None:
    theirs.in_proj_weight.copy_(qkv.weight)
    if qkv.bias is not None:
        theirs.in_proj_bias.copy_(qkv.bias)
    _copy(output, theirs.out_proj)


def _copy_feedforward(ours: Any, theirs: Any) -> None:
    _copy(ours.up, theirs.linear1)
    _copy(ours.output, theirs.linear2)


def embedded(model: Transformer, sources: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What goes into the first blocks, (B, S, C) and (B, T, C): for comparing, without dropout."""
    read, written = (torch.arange(rows.shape[1], device=rows.device) for rows in (sources, tokens))
    encoder = model.encoder
    return (
        embed(encoder.embedding, encoder.positions, sources, read, model.config),
        embed(model.embedding, model.positions, tokens, written, model.config),
    )
