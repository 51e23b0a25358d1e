"""The parts of a model's blocks: attention, feed-forward, experts; each with its shapes and parameters."""

from __future__ import annotations

from typing import TypedDict

from engine.config import GATED, ModelConfig
from engine.estimate import parameters
from playground.tabs.train.model_words import ACTIVATIONS, PLAIN, TEXT


class ModelShape(TypedDict):
    """A tensor's shape: letters, and sizes in the same order."""

    letters: list[str]
    sizes: list[int]


class ModelPart(TypedDict):
    """One part of the picture. `glyph` is how it is drawn; `parameters` is None for a part that cannot have any."""

    id: str
    glyph: str
    kind: str
    name: str
    about: str
    shapes: list[ModelShape]
    parameters: int | None
    on_stream: bool
    """Whether it is drawn on the residual stream, though it is of a sub-layer."""


class ModelSublayer(TypedDict):
    """A sub-layer of a block."""

    id: str
    name: str
    parts: list[ModelPart]


class ModelSection(ModelSublayer, total=False):
    """A sub-layer, with what its kind draws."""

    note: str
    heads: int
    kv_heads: int
    gated: bool
    ratio: float
    activation: str
    experts: int
    chosen: int
    shared: int


def reading(parts: list[ModelPart]) -> list[ModelPart]:
    """The same parts in the encoder, with S in place of T in the shapes."""

    def renamed(letters: list[str]) -> list[str]:
        return ["S" if letter == "T" else letter for letter in letters]

    return [
        {
            **each,
            "shapes": [{**made, "letters": renamed(made["letters"])} for made in each["shapes"]],
        }
        for each in parts
    ]


def attention_section(config: ModelConfig, stream: ModelShape, which: str = "self") -> ModelSection:
    """An attention sub-layer: norm, heads and output projection.

    `which` is "self" (causal), "encoder" (bidirectional) or "cross".
    """
    batch, length, width = stream["sizes"]
    heads, shared, head = config.n_head, config.kv_heads, config.head_dim
    crosses, kind = which == "cross", "cross" if which == "cross" else "attention"
    others = "S" if crosses else "T"
    queries = shape("B H T D", batch, heads, length, head)
    keys = shape(f"B Hkv {others} D", batch, shared, length, head)

    rows = (heads + 2 * shared) * head
    sharing = "mha" if shared == heads else "mqa" if shared == 1 else "gqa"
    about = "heads.cross" if crosses else "heads.about"
    qkv = part("heads", kind, [queries, keys, keys], (width + config.bias) * rows, about)
    qkv["about"] += " " + TEXT[f"heads.{sharing}"].format(share=heads // shared)
    parts = [qkv]
    if config.value_embeddings and not crosses:
        vocabulary = config.vocabulary("encoder" if which == "encoder" else "blocks")
        values = shape("B T Hkv D", batch, length, shared, head)
        parts.append(part("value", "values", [values], vocabulary * shared * head))
    if config.qk_norm:
        parts.append({**part("qk_norm", kind, [queries, keys], 2 * head), "glyph": "norm"})
    if config.position == "rope" and not crosses:
        parts.append(part("rope", "position", [queries, keys]))
    about = {"self": "weights.about", "encoder": "weights.encoder", "cross": "weights.cross"}[which]
    square = shape(f"B H T {others}", batch, heads, length, length)
    weights = part("weights", kind, [square], None, about)
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


def feedforward_section(config: ModelConfig, stream: ModelShape) -> ModelSection:
    """The feed-forward sub-layer: up projection, activation, down projection."""
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
    parts: list[ModelPart] = [
        {**up, "id": "up", "glyph": "up"},
        {**curve, "id": "curve", "glyph": "curve"},
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


def moe_section(config: ModelConfig, stream: ModelShape) -> ModelSection:
    """The mixture-of-experts sub-layer: router, experts, shared experts, weighted sum."""
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
    """Parameter counts of one block's router, experts and shared experts."""
    layers = len(config.moe_layers)
    counts = parameters(config, 2)
    alone = parameters(config.model_copy(update={"n_shared_experts": 0}), 2)
    return {
        "router": counts["router"] // layers,
        "experts": alone["experts"] // layers,
        "shared": (counts["experts"] - alone["experts"]) // layers,
    }


def heads_note(heads: int, shared: int) -> str:
    """The number of heads, shown beside the name of the sub-layer."""
    return count_of(heads, "head") if heads == shared else f"{heads} heads, {shared} k/v"


def count_of(count: int, thing: str) -> str:
    """Format a count: "1 head", "2 heads"."""
    return f"{count} {thing}{'s' * (count != 1)}"


def with_norm(config: ModelConfig, stream: ModelShape, parts: list[ModelPart]) -> list[ModelPart]:
    """Add the norm of a sub-layer before or after its parts, if there is one."""
    if config.norm == "none":
        return parts
    norm = norm_part(config, stream, config.placement)
    return [norm, *parts] if config.placement == "pre" else [*parts, norm]


def norm_part(config: ModelConfig, stream: ModelShape, where: str) -> ModelPart:
    """A norm "pre" or "post" a sub-layer, or the "final" one."""
    bias = config.norm == "layernorm" and config.bias
    norm = part(config.norm, "norm", [stream], config.d_model * (1 + bias))
    norm["about"] += " " + TEXT[f"norm.{where}"]
    return {**norm, "id": "norm", "glyph": "norm", "on_stream": where != "pre"}


def drop(entry: ModelPart, config: ModelConfig) -> ModelPart:
    """Mention dropout in a part's description, if there is any."""
    if config.dropout:
        entry["about"] += " " + TEXT["dropout"].format(percent=f"{100 * config.dropout:g}")
    return entry


def part(
    name: str,
    kind: str,
    shapes: list[ModelShape],
    count: int | None = None,
    about: str | None = None,
) -> ModelPart:
    """One named part. `count` is its number of parameters; None for a part that cannot have any.

    Its description begins with `PLAIN`; `about` is the key of the rest in `TEXT` (default: "NAME.about").
    """
    return {
        "id": name,
        "glyph": name,
        "kind": kind,
        "name": TEXT[name],
        "about": f"{PLAIN[name]} {TEXT[about or f'{name}.about']}",
        "shapes": shapes,
        "parameters": count,
        "on_stream": False,
    }


def shape(letters: str, *sizes: int) -> ModelShape:
    """A tensor's shape: letters and sizes in the same order."""
    return {"letters": letters.split(), "sizes": list(sizes)}
