"""The data of the model picture, computed from the configuration.

`model_spec` returns plain data for the view `model`, which only draws it: the parts in order of computation,
each with its tensor shapes, parameter count and description. Letters of shapes: B batch, T tokens,
C d_model, H heads, Hkv key/value heads, D head width, F feed-forward width, V vocabulary; E experts,
K chosen experts, S shared experts, and F the width of one expert. With an encoder, S are the source tokens.

No torch.
"""

from __future__ import annotations

from typing import TypedDict

from engine.config import ModelConfig
from engine.estimate import active_parameters, parameters
from playground.tabs.train.model_sections import (
    ModelPart,
    ModelSection,
    ModelShape,
    attention_section,
    drop,
    feedforward_section,
    moe_section,
    norm_part,
    part,
    reading,
    shape,
)
from playground.tabs.train.model_summary import summary
from playground.tabs.train.model_words import TEXT

KINDS = {
    "embedding": "embedding",
    "pairs": "pairs",
    "positions": "position",
    "attention": "attention",
    "values": "values",
    "skips": "skips",
    "cross": "cross",
    "feedforward": "feedforward",
    "router": "router",
    "experts": "experts",
    "norms": "norm",
    "output": "output",
}
"""Keys of `engine.estimate.parameters`, and the kind of part that each is drawn as."""


class ModelBlock(TypedDict):
    """One kind of block: its sub-layers, and what mixes the embedding into its input, if anything does."""

    name: str
    enter: list[ModelPart]
    sections: list[ModelSection]
    parameters: int


class ModelShare(TypedDict):
    """The parameters of one kind of part, in the whole model."""

    kind: str
    name: str
    parameters: int


class ModelSpec(TypedDict):
    """A model for its picture. `before` are the inputs, of an encoder if there is one; `between` is from its memory to
    the decoder's blocks; `layers` names each block's kind, the encoder's first; `after` ends in the logits.

    `summary` is the text alternative of the picture.
    """

    before: list[ModelPart]
    between: list[ModelPart]
    encoders: int
    blocks: dict[str, ModelBlock]
    layers: list[str]
    after: list[ModelPart]
    tied: bool
    shared: bool
    total: int
    active: int
    kinds: list[ModelShare]
    summary: str


def model_spec(config: ModelConfig, batch_size: int, vocab_size: int | None = None) -> ModelSpec:
    """The parts of a model, for `view("model", spec=...)`.

    `vocab_size` is used if the configuration leaves it to the tokenizer. Raises `ConfigError` if the
    vocabulary size is unknown.
    """
    counts = parameters(config, vocab_size)
    vocabulary = config.vocab_size or vocab_size
    assert vocabulary is not None
    config = config.model_copy(update={"vocab_size": vocabulary})
    stream = shape("B T C", batch_size, config.max_seq_len, config.d_model)
    translates = config.n_encoder_layer is not None

    inputs = entry(config, stream, "written" if translates else "tokens", vocabulary)
    if config.tie_embeddings:
        inputs[1]["about"] += " " + TEXT["tied"]
    before = inputs
    between: list[ModelPart] = []
    if translates:
        before = entry(config, stream, "sources", config.src_vocab_size or vocabulary)
        if config.share_embeddings:
            before[1]["about"] += " " + TEXT["embedding.shared"]
            inputs[1]["parameters"] = None
        before, between = reading(before), [memory(config, stream), *inputs]

    kinds = [kind_of(config, number) for number in range(config.blocks)]
    return {
        "before": before,
        "between": between,
        "encoders": config.n_encoder_layer or 0,
        "blocks": {kind: block(config, stream, kind) for kind in sorted(set(kinds))},
        "layers": kinds,
        "after": leaving(config, stream, vocabulary, counts["output"]),
        "tied": config.tie_embeddings,
        "shared": translates and config.share_embeddings,
        "total": counts["total"],
        "active": active_parameters(config, vocab_size),
        "kinds": [
            {"kind": KINDS[name], "name": TEXT[f"kind.{name}"], "parameters": counts[name]}
            for name in KINDS
        ],
        "summary": summary(config, vocab_size),
    }


def entry(config: ModelConfig, stream: ModelShape, tokens: str, vocabulary: int) -> list[ModelPart]:
    """The input parts: tokens, embedding, and added positions if there are any."""
    batch, length, width = stream["sizes"]
    first = part(tokens, "token", [shape("B T", batch, length)])
    parts: list[ModelPart] = [{**first, "glyph": "tokens"}]
    parts.append(part("embedding", "embedding", [stream], vocabulary * width))
    if config.position in ("sinusoidal", "learned"):
        table = [shape("T C", length, width)]
        learned = length * width if config.position == "learned" else None
        parts.append(part(config.position, "position", table, learned))
    if config.token_pairs:
        rows, pairs = config.pair_rows(vocabulary), vocabulary**2
        parts.append(part("pairs", "pairs", [stream], rows * width))
        if rows < pairs:
            shared = TEXT["pairs.hash"].format(pairs=f"{pairs:,}", rows=f"{rows:,}")
            parts[-1]["about"] += " " + shared
    drop(parts[-1], config)
    return parts


def memory(config: ModelConfig, stream: ModelShape) -> ModelPart:
    """What the encoder hands to the decoder's cross-attention, after the encoder's last norm if it has one."""
    found = part("memory", "token", [stream])
    if config.norm != "none" and config.placement == "pre":
        found = norm_part(config, stream, "final")
        found["name"] = TEXT["memory"]
        found["about"] += " " + TEXT["memory.about"]
    return {**reading([found])[0], "id": "memory", "kind": "norm"}


def leaving(
    config: ModelConfig, stream: ModelShape, vocabulary: int, weights: int
) -> list[ModelPart]:
    """The output parts: the last norm if there is one, and the logits, from a matrix of so many `weights`."""
    batch, length, _ = stream["sizes"]
    logits = [shape("B T V", batch, length, vocabulary)]
    output = part("logits", "output", logits, None if config.tie_embeddings else weights)
    if config.logit_softcap:
        output["about"] += " " + TEXT["logits.softcap"].format(cap=f"{config.logit_softcap:g}")
    if config.tie_embeddings:
        output["about"] += " " + TEXT["logits.tied"]
    if config.norm != "none" and config.placement == "pre":
        return [norm_part(config, stream, "final"), output]
    return [output]


def kind_of(config: ModelConfig, number: int) -> str:
    """The kind of block `number`, counted from 0, encoder blocks first."""
    experts = number in config.moe_layers
    if config.n_encoder_layer is None:
        return "experts" if experts else "dense"
    stack = "encoder" if number < config.n_encoder_layer else "decoder"
    return f"{stack} experts" if experts else stack


def block(config: ModelConfig, stream: ModelShape, kind: str) -> ModelBlock:
    """One kind of block, as named by `kind_of`: its sub-layers and parameter count."""
    second = moe_section if kind.endswith("experts") else feedforward_section
    stack = kind.split()[0]
    sections = [attention_section(config, stream, "encoder" if stack == "encoder" else "self")]
    if stack == "decoder":
        sections.append(attention_section(config, stream, "cross"))
    sections.append(second(config, stream))
    enter = [part("skip", "skips", [stream], 2)] if config.embedding_skip else []
    if stack == "encoder":
        for section in sections:
            section["parts"] = reading(section["parts"])
        enter = reading(enter)
    parts = [*enter, *(entry for section in sections for entry in section["parts"])]
    return {
        "name": TEXT[f"block.{kind}"],
        "enter": enter,
        "sections": sections,
        "parameters": sum(entry["parameters"] or 0 for entry in parts),
    }
