"""What the picture of the model shows, worked out from its configuration.

`model_spec` gives the view `model` plain data: the parts in reading order, each with its tensors'
shapes, its parameters and one sentence; the view only draws. Letters of shapes: B batch, T tokens,
C d_model, H heads, Hkv key/value heads, D head width, F feed-forward width, V vocabulary; E experts,
K chosen experts, S shared experts, and F the width of one expert. With an encoder, S are the tokens of the
text to translate.

No torch.
"""

from __future__ import annotations

from typing import Any

from engine.config import GATED, ModelConfig
from engine.estimate import active_parameters, parameters

TEXT = {
    "tokens": "Tokens",
    "tokens.about": "Text as numbers: every token is the index of one entry in the vocabulary.",
    "sources": "Text to translate",
    "sources.about": "The whole text as numbers: the encoder reads all of it before the decoder writes.",
    "written": "Translation so far",
    "written.about": "What is written up to now, as numbers; it begins with a token that says so.",
    "memory": "Memory",
    "memory.about": "What the encoder has made of the text: a vector for each of its tokens, which every "
    "block of the decoder looks at.",
    "embedding.shared": "The same matrix reads the text to translate and the translation.",
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
    "weights.encoder": "softmax(q·k / √D): for each token of the text, how much it takes from every "
    "other, before it and after it. The values are summed with these weights.",
    "weights.cross": "softmax(q·k / √D): for each token of the translation, how much it takes from every "
    "token of the text. The values are summed with these weights: this is the alignment.",
    "heads.cross": "Queries come from the translation, keys and values from the encoder's memory, each D "
    "numbers wide.",
    "cross": "Cross-attention",
    "cross.note": "reads memory",
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
    "router": "Router",
    "router.topk": "One row of weights for each expert scores the token; softmax makes the E scores "
    "probabilities, and the {k} most probable take the token.",
    "router.switch": "One row of weights for each expert scores the token; softmax makes the E scores "
    "probabilities, and the most probable one alone takes the token (Switch).",
    "router.sigmoid": "One row of weights for each expert scores the token; each score goes through "
    "a sigmoid by itself, and the {k} highest take the token (DeepSeek-V3).",
    "router.noisy_topk": "One row of weights for each expert scores the token; while training, noise "
    "of a learned size is added, so that others are tried, and the {k} highest take the token.",
    "router.expert_choice": "One row of weights for each expert scores the token; here each expert "
    "picks the tokens that suit it best, as many as its fair share, {k} for each token on average. "
    "Which they are depends on later tokens too.",
    "router.hash": "A fixed hash of the token's number says which {k} of the E experts take it; "
    "nothing is learned.",
    "router.bias": "A bias for each expert, moved only by balancing without a loss, counts when "
    "experts are chosen.",
    "experts": "Experts",
    "experts.about": "E feed-forwards side by side, each with weights of its own ({kind}, F wide). "
    "Those that are not chosen cost nothing for this token.",
    "experts.capacity": "Each has room for {factor} times its fair share of the tokens; what does "
    "not fit passes by.",
    "experts.choose": "{experts} experts, each picks its tokens",
    "experts.note": "{experts} experts, {k} work{s} on each token",
    "shared": "Shared",
    "shared.about": "Every token passes through {shared}, whatever the router says, for what all "
    "tokens need.",
    "combine": "Weighted sum",
    "combine.gates": "The chosen experts' answers, each times its gate, are summed{sum}, and the result "
    "is added to the residual stream.",
    "combine.renormalised": "The gates of a token sum to one.",
    "combine.shared": " with the shared answer",
    "dropout": "While training, {percent} % of its result is set to zero at random (dropout).",
    "logits": "Logits",
    "logits.about": "One score for each entry of the vocabulary; their softmax is the prediction of "
    "the next token.",
    "logits.tied": "The scores come from the embedding's own matrix, so it costs no parameters.",
    "summary": "A decoder-only Transformer with {total} parameters{active}. {layers}, {norm}. Each: "
    "attention with {heads}, then {then}. Width {width}, context {context} tokens, positions: {position}. Input and output matrices are "
    "{tied}.",
    "summary.sharing": "{heads} sharing {shared}",
    "summary.translates": "An encoder-decoder Transformer with {total} parameters{active}. {encoders} of an "
    "encoder read the text to translate, {layers} of a decoder write the translation, {norm}. Each: "
    "attention with {heads}, in the decoder cross-attention to what the encoder has read, then "
    "{then}. Width {width}, context {context} tokens, positions: {position}. Input and output matrices are "
    "{tied}.",
    "summary.active": ", of which {active} work on each token",
    "summary.dense": "a feed-forward network ({feedforward}) that is {ff} wide",
    "summary.experts": "a router and {experts} experts ({feedforward}), each {ff} wide, of which "
    "{chosen}",
    "summary.chosen": "{k} work{s} on each token",
    "summary.choose": "each picks its tokens",
    "summary.shared": "{chosen}, and {shared} for all tokens",
    "summary.mixed": "in block{s} {blocks}: {experts}, and in the other{others}: {dense}",
    "attention": "Self-attention",
    "feedforward": "Feed-forward",
    "moe": "Mixture of experts",
    "block.dense": "dense",
    "block.experts": "with experts",
    "block.encoder": "encoder",
    "block.encoder experts": "encoder with experts",
    "block.decoder": "decoder",
    "block.decoder experts": "decoder with experts",
    "kind.embedding": "embedding",
    "kind.positions": "positions",
    "kind.attention": "attention",
    "kind.cross": "cross-attention",
    "kind.feedforward": "feed-forward",
    "kind.router": "router",
    "kind.experts": "experts",
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
    "cross": "cross",
    "feedforward": "feedforward",
    "router": "router",
    "experts": "experts",
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
    assert vocabulary is not None
    stream = shape("B T C", batch, length, width)
    translates = config.n_encoder_layer is not None

    inputs = entry(config, stream, "written" if translates else "tokens", vocabulary)
    if config.tie_embeddings:
        inputs[1]["about"] += " " + TEXT["tied"]
    before = inputs
    between: list[dict[str, Any]] = []
    if translates:
        before = entry(config, stream, "sources", config.src_vocab_size or vocabulary)
        if config.share_embeddings:
            before[1]["about"] += " " + TEXT["embedding.shared"]
            inputs[1]["parameters"] = None
        memory = part("memory", "token", [stream])
        if config.norm != "none" and config.placement == "pre":
            memory = norm_part(config, stream, "final") | {"name": TEXT["memory"]}
            memory["about"] += " " + TEXT["memory.about"]
        before, memory = reading(before), reading([memory])[0]
        between = [memory | {"id": "memory", "kind": "norm"}, *inputs]

    after: list[dict[str, Any]] = []
    if config.norm != "none" and config.placement == "pre":
        after.append(norm_part(config, stream, "final"))
    logits = [shape("B T V", batch, length, vocabulary)]
    output = part("logits", "output", logits, None if config.tie_embeddings else counts["output"])
    if config.tie_embeddings:
        output["about"] += " " + TEXT["logits.tied"]
    after.append(output)

    kinds = [kind_of(config, number) for number in range(config.blocks)]
    return {
        "before": before,
        "between": between,
        "encoders": config.n_encoder_layer or 0,
        "blocks": {kind: block(config, stream, kind) for kind in sorted(set(kinds))},
        "layers": kinds,
        "after": after,
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


def entry(
    config: ModelConfig, stream: dict[str, Any], tokens: str, vocabulary: int
) -> list[dict[str, Any]]:
    """Where tokens come in: themselves, their embedding, and positions that are added."""
    batch, length, width = stream["sizes"]
    parts = [part(tokens, "token", [shape("B T", batch, length)]) | {"glyph": "tokens"}]
    parts.append(part("embedding", "embedding", [stream], vocabulary * width))
    if config.position in ("sinusoidal", "learned"):
        table = [shape("T C", length, width)]
        learned = length * width if config.position == "learned" else None
        parts.append(part(config.position, "position", table, learned))
    drop(parts[-1], config)
    return parts


def kind_of(config: ModelConfig, number: int) -> str:
    """Which kind of block stands there, counted through the encoder, if there is one, and on."""
    experts = number in config.moe_layers
    if config.n_encoder_layer is None:
        return "experts" if experts else "dense"
    stack = "encoder" if number < config.n_encoder_layer else "decoder"
    return f"{stack} experts" if experts else stack


def block(config: ModelConfig, stream: dict[str, Any], kind: str) -> dict[str, Any]:
    """One kind of block, as `kind_of` names it: its sub-layers, and their parameters."""
    second = moe_section if kind.endswith("experts") else feedforward_section
    stack = kind.split()[0]
    sections = [attention_section(config, stream, "encoder" if stack == "encoder" else "self")]
    if stack == "decoder":
        sections.append(attention_section(config, stream, "cross"))
    sections.append(second(config, stream))
    if stack == "encoder":
        sections = [section | {"parts": reading(section["parts"])} for section in sections]
    return {
        "name": TEXT[f"block.{kind}"],
        "sections": sections,
        "parameters": sum(
            entry["parameters"] or 0 for section in sections for entry in section["parts"]
        ),
    }


def reading(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same parts in the encoder, whose tokens are S and not T."""

    def renamed(letters: list[str]) -> list[str]:
        return ["S" if letter == "T" else letter for letter in letters]

    return [
        each | {"shapes": [made | {"letters": renamed(made["letters"])} for made in each["shapes"]]}
        for each in parts
    ]


def attention_section(
    config: ModelConfig, stream: dict[str, Any], which: str = "self"
) -> dict[str, Any]:
    """A sub-layer of attention: its norm, its heads, and the way back to the stream.

    `which` is "self", "encoder", where every token looks at every other, or "cross".
    """
    batch, length, width = stream["sizes"]
    heads, shared, head = config.n_head, config.kv_heads, config.head_dim
    crosses, kind = which == "cross", "cross" if which == "cross" else "attention"
    others = "S" if crosses else "T"
    queries = shape("B H T D", batch, heads, length, head)
    keys = shape(f"B Hkv {others} D", batch, shared, length, head)

    rows = (heads + 2 * shared) * head
    sharing = "mha" if shared == heads else "mqa" if shared == 1 else "gqa"
    said = "heads.cross" if crosses else "heads.about"
    qkv = part("heads", kind, [queries, keys, keys], (width + config.bias) * rows, said)
    qkv["about"] += " " + TEXT[f"heads.{sharing}"].format(share=heads // shared)
    parts = [qkv]
    if config.position == "rope" and not crosses:
        parts.append(part("rope", "position", [queries, keys]))
    seen = {"self": "weights.about", "encoder": "weights.encoder", "cross": "weights.cross"}[which]
    square = shape(f"B H T {others}", batch, heads, length, length)
    weights = part("weights", kind, [square], None, seen)
    if which != "self":
        weights["glyph"] = "square"
    if config.position == "alibi" and not crosses:
        weights["glyph"] = "penalty" if which == "self" else "square"
        weights["about"] += " " + TEXT["weights.alibi"]
    parts += [
        drop(weights, config),
        drop(part("project", kind, [stream], (width + config.bias) * width), config),
    ]
    return {
        "id": kind,
        "name": TEXT[kind],
        "note": TEXT["cross.note"] if crosses else heads_note(heads, shared),
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


def moe_section(config: ModelConfig, stream: dict[str, Any]) -> dict[str, Any]:
    """The second sub-layer of a block with experts: which of them, each by itself, and their sum."""
    experts, chosen, hidden = config.n_experts, config.top_k, config.expert_width
    assert experts is not None
    batch, length, _ = stream["sizes"]
    counts = layer_parameters(config)
    shared = count_of(config.n_shared_experts, "shared expert")

    scores = shape("B T E", batch, length, experts)
    router = part("router", "router", [scores], counts["router"] or None, f"router.{config.router}")
    router["about"] = router["about"].format(k=chosen)
    if config.router in ("topk", "sigmoid", "switch", "noisy_topk"):
        router["about"] += " " + TEXT["router.bias"]

    inner = shape("B T K F", batch, length, chosen, hidden)
    side_by_side = part("experts", "experts", [inner], counts["experts"])
    kind = ACTIVATIONS[config.feedforward][1]
    side_by_side["about"] = side_by_side["about"].format(kind=kind)
    if config.capacity_factor is not None and config.router != "expert_choice":
        factor = f"{config.capacity_factor:g}"
        side_by_side["about"] += " " + TEXT["experts.capacity"].format(factor=factor)
    parts = [router, side_by_side]

    if config.n_shared_experts:
        wide = shape("B T S·F", batch, length, config.n_shared_experts * hidden)
        every = part("shared", "experts", [wide], counts["shared"])
        every["about"] = every["about"].format(shared=shared)
        parts.append(every)
    combine = part("combine", "experts", [stream], None, "combine.gates")
    added = TEXT["combine.shared"] if config.n_shared_experts else ""
    combine["about"] = combine["about"].format(sum=added)
    if config.renormalised:
        combine["about"] += " " + TEXT["combine.renormalised"]
    note = "experts.choose" if config.router == "expert_choice" else "experts.note"
    return {
        "id": "experts",
        "name": TEXT["moe"],
        "note": TEXT[note].format(experts=experts, k=chosen, s="s" * (chosen == 1)),
        "experts": experts,
        "chosen": chosen,
        "shared": config.n_shared_experts,
        "parts": with_norm(config, stream, [*parts, combine]),
    }


def layer_parameters(config: ModelConfig) -> dict[str, int]:
    """The parameters of one block's router, of its experts and of its shared experts."""
    layers = len(config.moe_layers)
    counts = parameters(config, 2)
    alone = parameters(config.model_copy(update={"n_shared_experts": 0}), 2)
    return {
        "router": counts["router"] // layers,
        "experts": alone["experts"] // layers,
        "shared": (counts["experts"] - alone["experts"]) // layers,
    }


def heads_note(heads: int, shared: int) -> str:
    """How many heads, beside the name of their sub-layer."""
    return count_of(heads, "head") if heads == shared else f"{heads} heads, {shared} k/v"


def count_of(count: int, thing: str) -> str:
    """ "1 head", "2 heads"."""
    return f"{count} {thing}{'s' * (count != 1)}"


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
    name: str,
    kind: str,
    shapes: list[dict[str, Any]],
    count: int | None = None,
    about: str | None = None,
) -> dict[str, Any]:
    """One named part. `count` is its parameters; None for a part that cannot have any.

    `about` names its sentence in `TEXT`, where that is not "NAME.about".
    """
    return {
        "id": name,
        "glyph": name,
        "kind": kind,
        "name": TEXT[name],
        "about": TEXT[about or f"{name}.about"],
        "shapes": shapes,
        "parameters": count,
    }


def shape(letters: str, *sizes: int | None) -> dict[str, Any]:
    """A tensor's shape: its letters, and its numbers in the same order."""
    return {"letters": letters.split(), "sizes": list(sizes)}


def summary(config: ModelConfig, vocab_size: int | None) -> str:
    """The picture in words."""
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
    """In words: what stands after attention in each block."""
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
