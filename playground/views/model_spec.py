"""What the picture of the model shows, worked out from its configuration.

`model_spec` gives the view `model` plain data: the parts in reading order, each with its tensors'
shapes, its parameters and one sentence; the view only draws. Letters of shapes: B batch, T tokens,
C d_model, H heads, Hkv key/value heads, D head width, F feed-forward width, V vocabulary.

No torch.
"""

from __future__ import annotations

from typing import Any

from engine.config import GATED, ModelConfig
from engine.estimate import parameters

TEXT = {
    "tokens": "Tokens",
    "tokens.about": "Text as numbers: every token is the index of one entry in the vocabulary.",
    "embedding": "Embedding",
    "embedding.about": "Looks up a learned vector for each token: one row of a table of V rows.",
    "tied": "The same matrix reads tokens here and predicts them at the end (tied).",
    "sinusoidal": "Waves",
    "sinusoidal.about": "Adds fixed sine and cosine waves, from fast to slow, so that each position "
    "has its own pattern.",
    "learned": "Positions",
    "learned.about": "Adds a learned vector for each of the T positions.",
    "rmsnorm": "RMSNorm",
    "rmsnorm.about": "Scales each token's vector to length 1 per number on average, then by learned "
    "factors, so that its size cannot run away.",
    "layernorm": "LayerNorm",
    "layernorm.about": "Centres each token's vector on zero and scales it to variance one, then by "
    "learned factors.",
    "norm.pre": "It stands before the sub-layer, so the residual stream itself is never scaled.",
    "norm.post": "It stands on the residual stream, after the sum, as in the paper of 2017.",
    "norm.final": "The last one, before the stream is read out.",
    "heads": "Query, key, value",
    "heads.about": "Each head asks with a query, offers a key, and holds a value, all D numbers wide, "
    "from one matrix product.",
    "heads.mha": "Every head has keys and values of its own (multi-head attention).",
    "heads.gqa": "{share} query heads share each key and value (grouped-query attention): a smaller "
    "cache.",
    "heads.mqa": "All query heads share one key and value (multi-query attention): the smallest "
    "cache.",
    "rope": "Rotate q, k",
    "rope.about": "Turns queries and keys by an angle that grows with the position, so that q·k "
    "depends on how far apart two tokens are (RoPE).",
    "weights": "Attention",
    "weights.about": "softmax(q·k / √D): for each token, how much it takes from itself and from "
    "every earlier token. The future is masked. The values are summed with these weights.",
    "weights.alibi": "Each head subtracts a penalty that grows with distance, steeply in some heads "
    "and gently in others (ALiBi).",
    "project": "Output",
    "project.about": "Joins what the heads found, mixes it with one matrix, and adds it to the "
    "residual stream.",
    "gated": "Gate and up",
    "gated.about": "Two matrices widen each token's vector from C to F numbers: one is the gate, the "
    "other what it lets through.",
    "plain": "Up",
    "plain.about": "One matrix widens each token's vector from C to F numbers.",
    "curve.gated": "{name} × up",
    "curve.gated.about": "The gate goes through {name} and multiplies what came up, number by number "
    "({kind}).",
    "curve.plain": "{name}",
    "curve.plain.about": "A bend, number by number: without it, two matrices would be no more than "
    "one.",
    "down": "Down",
    "down.about": "One matrix narrows F numbers to C again, and the result is added to the residual "
    "stream.",
    "dropout": "While training, {percent} % of its result is set to zero at random (dropout).",
    "logits": "Logits",
    "logits.about": "One score for each entry of the vocabulary; their softmax is the prediction of "
    "the next token.",
    "logits.tied": "The scores come from the embedding's own matrix, so it costs no parameters.",
    "summary": "A decoder-only Transformer with {total} parameters. {layers}, {norm}. Each: "
    "attention with {heads}{shared}, then a feed-forward network ({feedforward}) that is {ff} wide. "
    "Width {width}, context {context} tokens, positions: {position}. Input and output matrices are "
    "{tied}.",
    "attention": "Self-attention",
    "feedforward": "Feed-forward",
    "kind.embedding": "embedding",
    "kind.positions": "positions",
    "kind.attention": "attention",
    "kind.feedforward": "feed-forward",
    "kind.norms": "norms",
    "kind.output": "output",
}

ACTIVATIONS = {
    "swiglu": ("SiLU", "SwiGLU"),
    "geglu": ("GELU", "GEGLU"),
    "gelu": ("GELU", "GELU"),
    "relu": ("ReLU", "ReLU"),
    "silu": ("SiLU", "SiLU"),
}
"""Each feed-forward's activation, and its own name."""

KINDS = {
    "embedding": "embedding",
    "positions": "position",
    "attention": "attention",
    "feedforward": "feedforward",
    "norms": "norm",
    "output": "output",
}
"""Where the parameters are, in `engine.estimate`'s words, and the kind of part each is drawn as."""

POSITIONS = {
    "rope": "rotary",
    "sinusoidal": "sinusoidal",
    "learned": "learned",
    "alibi": "ALiBi",
    "none": "none",
}


def model_spec(
    config: ModelConfig, batch_size: int, vocab_size: int | None = None
) -> dict[str, Any]:
    """The parts of this model, for `view("model", spec=...)`.

    `vocab_size` stands in where the configuration leaves it to the tokenizer.
    Raises `ConfigError` when no vocabulary size is known.
    """
    counts = parameters(config, vocab_size)
    batch, length, width = batch_size, config.max_seq_len, config.d_model
    vocabulary = config.vocab_size or vocab_size
    stream = shape("B T C", batch, length, width)

    before = [part("tokens", "token", [shape("B T", batch, length)])]
    embedding = part("embedding", "embedding", [stream], counts["embedding"])
    if config.tie_embeddings:
        embedding["about"] += " " + TEXT["tied"]
    before.append(embedding)
    if config.position in ("sinusoidal", "learned"):
        table = [shape("T C", length, width)]
        learned = counts["positions"] if config.position == "learned" else None
        before.append(part(config.position, "position", table, learned))
    drop(before[-1], config)

    after: list[dict[str, Any]] = []
    if config.norm != "none" and config.placement == "pre":
        after.append(norm_part(config, stream, "final"))
    logits = [shape("B T V", batch, length, vocabulary)]
    output = part("logits", "output", logits, None if config.tie_embeddings else counts["output"])
    if config.tie_embeddings:
        output["about"] += " " + TEXT["logits.tied"]
    after.append(output)

    block = [attention_section(config, stream), feedforward_section(config, stream)]
    return {
        "before": before,
        "block": block,
        "after": after,
        "layers": config.n_layer,
        "tied": config.tie_embeddings,
        "total": counts["total"],
        "block_parameters": sum(
            entry["parameters"] or 0 for section in block for entry in section["parts"]
        ),
        "kinds": [
            {"kind": KINDS[name], "name": TEXT[f"kind.{name}"], "parameters": counts[name]}
            for name in KINDS
        ],
        "summary": summary(config, counts["total"]),
    }


def attention_section(config: ModelConfig, stream: dict[str, Any]) -> dict[str, Any]:
    """The first sub-layer of a block: its norm, its heads, and the way back to the stream."""
    batch, length, width = stream["sizes"]
    heads, shared, head = config.n_head, config.kv_heads, config.head_dim
    queries = shape("B H T D", batch, heads, length, head)
    keys = shape("B Hkv T D", batch, shared, length, head)

    rows = (heads + 2 * shared) * head
    sharing = "mha" if shared == heads else "mqa" if shared == 1 else "gqa"
    qkv = part("heads", "attention", [queries, keys, keys], (width + config.bias) * rows)
    qkv["about"] += " " + TEXT[f"heads.{sharing}"].format(share=heads // shared)
    parts = [qkv]
    if config.position == "rope":
        parts.append(part("rope", "position", [queries, keys]))
    weights = part("weights", "attention", [shape("B H T T", batch, heads, length, length)])
    if config.position == "alibi":
        weights["glyph"] = "penalty"
        weights["about"] += " " + TEXT["weights.alibi"]
    parts += [
        drop(weights, config),
        drop(part("project", "attention", [stream], (width + config.bias) * width), config),
    ]
    return {
        "id": "attention",
        "name": TEXT["attention"],
        "heads": heads,
        "kv_heads": shared,
        "parts": with_norm(config, stream, parts),
    }


def feedforward_section(config: ModelConfig, stream: dict[str, Any]) -> dict[str, Any]:
    """The second sub-layer of a block: wider, bent, narrower again, token by token."""
    batch, length, width = stream["sizes"]
    hidden, gated = config.ff_width, config.feedforward in GATED
    inner = shape("B T F", batch, length, hidden)
    function, kind = ACTIVATIONS[config.feedforward]

    name = "gated" if gated else "plain"
    matrices = 2 if gated else 1
    count = matrices * (width + config.bias) * hidden
    up = part(name, "feedforward", [inner] * matrices, count)
    curve = part(f"curve.{name}", "feedforward", [inner])
    curve["name"] = curve["name"].format(name=function)
    curve["about"] = curve["about"].format(name=function, kind=kind)
    down = part("down", "feedforward", [stream], (hidden + config.bias) * width)
    parts = [
        up | {"id": "up", "glyph": "up"},
        curve | {"id": "curve", "glyph": "curve"},
        drop(down, config),
    ]
    return {
        "id": "feedforward",
        "name": TEXT["feedforward"],
        "gated": gated,
        "ratio": hidden / width,
        "activation": function.lower(),
        "parts": with_norm(config, stream, parts),
    }


def with_norm(
    config: ModelConfig, stream: dict[str, Any], parts: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The parts of a sub-layer with its norm before them, after them, or with none."""
    if config.norm == "none":
        return parts
    norm = norm_part(config, stream, config.placement)
    return [norm, *parts] if config.placement == "pre" else [*parts, norm]


def norm_part(config: ModelConfig, stream: dict[str, Any], where: str) -> dict[str, Any]:
    """A norm that stands "pre" or "post" a sub-layer, or "final"."""
    offset = config.norm == "layernorm" and config.bias
    norm = part(config.norm, "norm", [stream], config.d_model * (1 + offset))
    norm["about"] += " " + TEXT[f"norm.{where}"]
    return norm | {"id": "norm", "glyph": "norm", "on_stream": where != "pre"}


def drop(entry: dict[str, Any], config: ModelConfig) -> dict[str, Any]:
    """The same part, with what dropout does to its result."""
    if config.dropout:
        entry["about"] += " " + TEXT["dropout"].format(percent=f"{100 * config.dropout:g}")
    return entry


def part(
    name: str, kind: str, shapes: list[dict[str, Any]], count: int | None = None
) -> dict[str, Any]:
    """One named part. `count` is its parameters; None for a part that cannot have any."""
    return {
        "id": name,
        "glyph": name,
        "kind": kind,
        "name": TEXT[name],
        "about": TEXT[f"{name}.about"],
        "shapes": shapes,
        "parameters": count,
    }


def shape(letters: str, *sizes: int | None) -> dict[str, Any]:
    """A tensor's shape: its letters, and its numbers in the same order."""
    return {"letters": letters.split(), "sizes": list(sizes)}


def summary(config: ModelConfig, total: int) -> str:
    """The picture in words."""
    shared = config.kv_heads
    norm = "no norm" if config.norm == "none" else f"{config.placement}-{TEXT[config.norm]}"
    return TEXT["summary"].format(
        total=f"{total:,}",
        layers=f"{config.n_layer} block{'s' * (config.n_layer > 1)}",
        norm=norm,
        heads=f"{config.n_head} head{'s' * (config.n_head > 1)}",
        shared=""
        if shared == config.n_head
        else f" sharing {shared} key/value head{'s' * (shared > 1)}",
        feedforward=ACTIVATIONS[config.feedforward][1],
        ff=config.ff_width,
        width=config.d_model,
        context=config.max_seq_len,
        position=POSITIONS[config.position],
        tied="one" if config.tie_embeddings else "two",
    )
