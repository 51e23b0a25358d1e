"""The configurations of transformers' Llama and Mixtral, in the words of `config.json`, and ours.

The dense model here is Llama where it has RMSNorm before each sub-layer, RoPE and SwiGLU (Touvron et al.
2023); with experts in every block, the top k of a softmax with gates that sum to one, it is Mixtral
(Jiang et al. 2024, section 2.1). Whatever would change a logit on the way is refused by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from engine.config import ModelConfig
from engine.model.norms import EPSILON
from engine.validation import ConfigError, Problem

FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "num_key_value_heads": "n_kv_head",
    "intermediate_size": "d_ff",
    "max_position_embeddings": "max_seq_len",
    "tie_word_embeddings": "tie_embeddings",
    "num_local_experts": "n_experts",
    "num_experts_per_tok": "top_k",
}
"""What a setting is called there, and here."""

MIXTURE = ("num_local_experts", "num_experts_per_tok")
"""Those that Llama does not have."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": {
        "num_key_value_heads": None,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
    },
    "mixtral": {
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1_000_000.0,
    },
}
"""What a `config.json` means where it says nothing; what is not here must be said."""

# Out ---------------------------------------------------------------------------------------------


def foreign_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model. Raises `ConfigError` with all that has no place there."""
    mixed = config.n_experts is not None
    kind = "mixtral" if mixed else "llama"
    needed: dict[str, object] = {
        "norm": "rmsnorm",
        "placement": "pre",
        "position": "rope",
        "feedforward": "swiglu",
        "n_encoder_layer": None,
        "scale_embeddings": False,
    }
    if mixed:
        needed |= {
            "bias": False,
            "moe_layers": tuple(range(config.n_layer)),
            "router": "topk",
            "renormalised": True,
            "n_shared_experts": 0,
            "capacity_factor": None,
            "n_device": 1,
        }
    problems = [
        Problem(_SET_BY.get(name, name), getattr(config, name), f"{kind} {_ONLY[name]}")
        for name, value in needed.items()
        if getattr(config, name) != value
    ]
    if problems:
        raise ConfigError(problems)
    values: dict[str, Any] = {
        "architectures": ["MixtralForCausalLM" if mixed else "LlamaForCausalLM"],
        "model_type": kind,
        **{theirs: getattr(config, ours) for theirs, ours in _fields(kind).items()},
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.expert_width if mixed else config.ff_width,
        "hidden_act": "silu",
        "rms_norm_eps": EPSILON,
        "rope_theta": config.rope_theta,  # before transformers 5
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "torch_dtype": "float32",
    }
    if not mixed:
        values |= {"attention_bias": config.bias, "mlp_bias": config.bias}
    return values


_SET_BY = {"moe_layers": "moe_layer_indices", "renormalised": "renormalise"}
_ONLY = {
    "norm": "has rmsnorm only",
    "placement": "has its norms before each sub-layer only: pre",
    "position": "has rope only",
    "feedforward": "has swiglu only",
    "n_encoder_layer": "has no encoder: must be empty",
    "scale_embeddings": "does not scale embeddings: must be off",
    "bias": "has no offsets: must be off",
    "moe_layers": "has experts in every block: must be empty",
    "router": "has topk only",
    "renormalised": "divides gates by their sum: must be on, with top_k of 2 or more",
    "n_shared_experts": "has none: must be 0",
    "capacity_factor": "drops nothing: must be empty",
    "n_device": "has no groups of experts: must be 1",
}


# In ----------------------------------------------------------------------------------------------


def own_config(values: Mapping[str, Any]) -> ModelConfig:
    """The configuration that a `config.json` describes. Raises `ConfigError` in its words."""
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind not in DEFAULTS:
        allowed = f"must be one of {', '.join(DEFAULTS)}"
        raise ConfigError([Problem("model_type", kind, allowed)])
    values = DEFAULTS[kind] | dict(values)
    problems = list(_refused(kind, values))
    if problems:
        raise ConfigError(problems)
    rope = cast("dict[str, Any]", values.get("rope_parameters") or {})
    fields = {ours: values[theirs] for theirs, ours in _fields(kind).items()}
    fields["rope_theta"] = rope.get("rope_theta", values["rope_theta"])
    fields["bias"] = kind == "llama" and values.get("attention_bias", False)
    try:
        return ModelConfig.parse(fields)
    except ConfigError as error:
        names = {ours: theirs for theirs, ours in FIELDS.items()} | {"bias": "attention_bias"}
        renamed = [
            Problem(names.get(problem.field, problem.field), problem.value, problem.allowed)
            for problem in error.problems
        ]
        raise ConfigError(renamed) from None


def _refused(kind: str, values: Mapping[str, Any]) -> Iterator[Problem]:
    """What is missing, and what changes the logits there and has no place here."""

    def only(name: str, allowed: tuple[object, ...], words: str) -> Iterator[Problem]:
        value = values.get(name, allowed[0])
        if value not in allowed:
            yield Problem(name, value, words)

    for name in _fields(kind):
        if values.get(name) is None and name != "num_key_value_heads":
            yield Problem(name, None, "must be there")
    yield from only("hidden_act", ("silu", "swish"), "must be silu")
    yield from only("rms_norm_eps", (EPSILON,), f"must be {EPSILON:g}")
    for name in ("rope_scaling", "sliding_window", "quantization_config", "auto_map"):
        yield from only(name, (None,), "must be null: there is no such thing here")
    width, heads = values.get("hidden_size"), values.get("num_attention_heads")
    if isinstance(width, int) and isinstance(heads, int) and heads > 0:
        share = width // heads
        yield from only("head_dim", (None, share), f"must be hidden_size / heads = {share}")
    rope: Any = values.get("rope_parameters")
    if rope is not None and not isinstance(rope, dict):
        yield Problem("rope_parameters", rope, "must be an object")
    else:
        parts = cast("dict[str, Any]", rope or {})
        if parts.get("rope_type", "default") != "default":
            yield Problem("rope_parameters", parts, "must be of rope_type default: plain RoPE")
        if parts.get("partial_rotary_factor") not in (None, 1):
            yield Problem("rope_parameters", parts, "must turn whole heads")
    if kind == "llama":
        offsets = values.get("attention_bias", False)
        words = f"must be {offsets}, as attention_bias is: offsets are in all matrices, or in none"
        yield from only("mlp_bias", (offsets,), words)
        if offsets and "mlp_bias" not in values:
            yield Problem("mlp_bias", None, words)
    elif values.get("num_experts_per_tok") == 1:
        yield Problem("num_experts_per_tok", 1, "must be 2 or more: a single gate is always 1")


def _fields(kind: str) -> dict[str, str]:
    """`FIELDS`, of those that this kind of model has."""
    return {
        theirs: ours
        for theirs, ours in FIELDS.items()
        if kind == "mixtral" or theirs not in MIXTURE
    }
