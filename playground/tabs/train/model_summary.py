"""The text alternative of the model picture."""

from __future__ import annotations

from engine.config import ModelConfig
from engine.estimate import active_parameters, parameters
from playground.tabs.train.model_sections import count_of
from playground.tabs.train.model_words import ACTIVATIONS, POSITIONS, TEXT


def summary(config: ModelConfig, vocab_size: int | None) -> str:
    """The text alternative of the picture."""
    heads, shared = count_of(config.n_head, "head"), count_of(config.kv_heads, "key/value head")
    if config.kv_heads != config.n_head:
        heads = TEXT["summary.sharing"].format(heads=heads, shared=shared)
    norm = "no norm" if config.norm == "none" else f"{config.placement}-{TEXT[config.norm]}"
    total = parameters(config, vocab_size)["total"]
    working = active_parameters(config, vocab_size)
    active = "" if working == total else TEXT["summary.active"].format(active=f"{working:,}")
    translates = config.n_encoder_layer is not None
    return TEXT["summary.translates" if translates else "summary"].format(
        encoders=count_of(config.n_encoder_layer or 0, "block"),
        total=f"{total:,}",
        active=active,
        layers=count_of(config.n_layer, "block"),
        norm=norm,
        heads=heads,
        then=second_sublayer(config),
        width=config.d_model,
        context=config.max_seq_len,
        position=POSITIONS[config.position],
        tied="one" if config.tie_embeddings else "two",
    )


def second_sublayer(config: ModelConfig) -> str:
    """The sub-layer after attention in each block, in words."""
    kind = ACTIVATIONS[config.feedforward][1]
    dense = TEXT["summary.dense"].format(feedforward=kind, ff=config.ff_width)
    layers = config.moe_layers
    if not layers:
        return dense
    k, every = config.top_k, count_of(config.n_shared_experts, "shared expert")
    which = "summary.choose" if config.router == "expert_choice" else "summary.chosen"
    chosen = TEXT[which].format(k=k, s="s" * (k == 1))
    if config.n_shared_experts:
        chosen = TEXT["summary.shared"].format(chosen=chosen, shared=every)
    experts = TEXT["summary.experts"].format(
        experts=config.n_experts,
        feedforward=kind,
        ff=config.expert_width,
        chosen=chosen,
    )
    if len(layers) == config.blocks:
        return experts
    return TEXT["summary.mixed"].format(
        s="s" * (len(layers) > 1),
        blocks=", ".join(str(layer + 1) for layer in layers),
        experts=experts,
        others="s" * (config.blocks - len(layers) > 1),
        dense=dense,
    )
