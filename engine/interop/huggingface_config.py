"""Converts between our configuration and the `config.json` of transformers' Llama and Mixtral.

The dense model here is Llama if it has RMSNorm before each sub-layer, RoPE and SwiGLU (Touvron et al.
2023); with experts in every block, the top k of a softmax with gates that sum to one, it is Mixtral
(Jiang et al. 2024, section 2.1). A setting that would change a logit is refused by its name, and so
is a field of `config.json` that is not in `MEANINGS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

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
"""Field names there, and here."""

MIXTURE = ("num_local_experts", "num_experts_per_tok")
"""Fields that Llama does not have."""


class Must(NamedTuple):
    """A field that leaves the logits unchanged only with these values; others are refused."""

    values: tuple[object, ...]
    allowed: str


READ, IGNORED = "is read", "changes no logit"

ABSENT = Must((None,), "must be null: there is no such thing here")

_IGNORED = (
    "transformers_version", "_name_or_path", "name_or_path", "_commit_hash", "tokenizer_class",
    "prefix", "task_specific_params", "finetuning_task", "id2label", "label2id", "num_labels",
    "problem_type", "dtype", "torch_dtype", "initializer_range", "pretraining_tp", "torchscript",
    "use_bfloat16", "tf_legacy_loss", "use_cache", "max_sequence_length",
    "chunk_size_feed_forward", "is_decoder", "tie_encoder_decoder", "attn_implementation",
    "_attn_implementation", "_attn_implementation_autoset", "experts_implementation",
    "output_attentions", "output_hidden_states", "output_router_logits", "return_dict",
    "tie_last_hidden_states", "attention_dropout", "router_aux_loss_coef", "router_jitter_noise",
    "pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "decoder_start_token_id",
    "assistant_confidence_threshold", "assistant_lookbehind", "bad_words_ids",
    "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
    "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id",
    "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_assistant_tokens",
    "num_assistant_tokens_schedule", "num_beam_groups", "num_beams", "num_return_sequences",
    "output_scores", "remove_invalid_values", "repetition_penalty", "return_dict_in_generate",
    "suppress_tokens", "target_lookbehind", "temperature", "top_k", "top_p", "typical_p",
)  # fmt: skip
"""Names and versions; what acts in training, on memory or on speed only; what acts after the logits.
Weights are read as fp32, whatever `dtype` they are stored in."""

_READ = (
    "model_type", "head_dim", "attention_bias", "mlp_bias", "num_experts", "rope_theta",
    "rope_parameters", "rope_scaling",
)  # fmt: skip
"""Fields that are read, beside `FIELDS`. `num_experts` is another name of `num_local_experts`, and
`rope_scaling` of `rope_parameters`."""

MEANINGS: dict[str, str | Must] = {
    **dict.fromkeys([*FIELDS, *_READ], READ),
    **dict.fromkeys(_IGNORED, IGNORED),
    "hidden_act": Must(("silu", "swish"), "must be silu"),
    "rms_norm_eps": Must((EPSILON,), f"must be {EPSILON:g}"),
    "is_causal": Must((True,), "must be true: no token sees a later one"),
    "is_encoder_decoder": Must((False,), "must be false: there is no encoder"),
    "add_cross_attention": Must((False,), "must be false: there is no encoder"),
    "partial_rotary_factor": Must((None, 1), "must be 1: RoPE turns whole heads"),
    "pruned_heads": Must((None, {}), "must be empty: every layer has all heads"),
    **dict.fromkeys(
        ("sliding_window", "attention_chunk_size", "layer_types", "mlp_layer_types"), ABSENT
    ),
    **dict.fromkeys(("per_layer_config", "quantization_config", "auto_map"), ABSENT),
}
"""The effect of each field of a `config.json` on the logits. A field that is not here is refused."""

CLASSES = {"llama": "LlamaForCausalLM", "mixtral": "MixtralForCausalLM"}

ROPE_ENTRIES: dict[str, str | Must] = {
    "rope_theta": READ,
    "rope_type": Must(("default",), "must be default: plain RoPE"),
    "type": Must(("default",), "must be default: plain RoPE"),
    "partial_rotary_factor": Must((None, 1), "must be 1: RoPE turns whole heads"),
}
"""The same for the entries of `rope_parameters`. `type` is the older name of `rope_type`."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": {
        "num_key_value_heads": None,
        "tie_word_embeddings": False,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
    },
    "mixtral": {
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 1_000_000.0,
    },
}
"""Defaults of a `config.json`; fields that are not here are required."""

# Out ---------------------------------------------------------------------------------------------


def foreign_config(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` of a model. Raises `ConfigError` with everything that it cannot express."""
    mixed = config.n_experts is not None
    kind = "mixtral" if mixed else "llama"
    needed: dict[str, object] = {
        "norm": "rmsnorm",
        "placement": "pre",
        "position": "rope",
        "feedforward": "swiglu",
        "n_encoder_layer": None,
        "scale_embeddings": False,
        "token_pairs": 0,
        "value_embeddings": False,
        "embedding_skip": False,
        "qk_norm": False,
        "logit_softcap": 0,
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
        "architectures": [CLASSES[kind]],
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
    "token_pairs": "has no table of token pairs: must be 0",
    "value_embeddings": "has no value embeddings: must be off",
    "embedding_skip": "adds the embedding once only: must be off",
    "qk_norm": "does not normalise queries and keys: must be off",
    "logit_softcap": "does not cap logits: must be 0",
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
    """The configuration that a `config.json` describes. Raises `ConfigError` with its field names."""
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind not in DEFAULTS:
        allowed = f"must be one of {', '.join(DEFAULTS)}"
        raise ConfigError([Problem("model_type", kind, allowed)])
    if "num_experts" in values:
        values = {"num_local_experts": values["num_experts"], **values}
    theta, problems = _rope(values, DEFAULTS[kind]["rope_theta"])
    values = DEFAULTS[kind] | dict(values)
    problems += [*_unlike(meanings(kind), values), *_refused(kind, values)]
    if problems:
        raise ConfigError(problems)
    fields = {ours: values[theirs] for theirs, ours in _fields(kind).items()}
    fields["rope_theta"] = theta
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


def meanings(kind: str) -> dict[str, str | Must]:
    """`MEANINGS` for one kind of model."""
    meanings = MEANINGS | {
        "architectures": Must((None, [CLASSES[kind]]), f"must be {CLASSES[kind]}")
    }
    if kind == "llama":
        absent = Must((None,), "must be null: llama has no experts")
        return meanings | dict.fromkeys((*MIXTURE, "num_experts"), absent)
    off = Must((False,), "must be false: mixtral has no offsets")
    return meanings | dict.fromkeys(("attention_bias", "mlp_bias"), off)


def _unlike(
    meanings: Mapping[str, str | Must], values: Mapping[str, Any], prefix: str = ""
) -> Iterator[Problem]:
    """Unknown entries, and entries with values that are not allowed."""
    for name, value in values.items():
        meaning = meanings.get(name)
        field = f"{prefix}.{name}" if prefix else name
        if meaning is None:
            yield Problem(field, value, "is not known here, so it may change the logits")
        elif isinstance(meaning, Must) and value not in meaning.values:
            yield Problem(field, value, meaning.allowed)


def _rope(values: Mapping[str, Any], default: float) -> tuple[Any, list[Problem]]:
    """The base of RoPE, from inside `rope_parameters` or beside it, and what is wrong with either."""
    given = {name: values[name] for name in ("rope_parameters", "rope_scaling") if values.get(name)}
    if len(given) > 1:
        return None, [
            Problem("rope_scaling", given["rope_scaling"], "must be null beside rope_parameters")
        ]
    theta, problems = values.get("rope_theta", default), list[Problem]()
    for name, rope in given.items():
        if not isinstance(rope, dict):
            return None, [Problem(name, rope, "must be an object")]
        entries = cast("dict[str, Any]", rope)
        problems += _unlike(ROPE_ENTRIES, entries, name)
        inside = entries.get("rope_theta", theta)
        if values.get("rope_theta", inside) not in (None, inside):
            allowed = f"must be {inside}, as in {name}"
            problems.append(Problem("rope_theta", values["rope_theta"], allowed))
        theta = inside
    return theta, problems


def _refused(kind: str, values: Mapping[str, Any]) -> Iterator[Problem]:
    """Fill in missing fields, and those that depend on another field."""
    for name in _fields(kind):
        if values.get(name) is None and name != "num_key_value_heads":
            yield Problem(name, None, "must be there")
    width, heads = values.get("hidden_size"), values.get("num_attention_heads")
    if isinstance(width, int) and isinstance(heads, int) and heads > 0:
        share = width // heads
        if values.get("head_dim") not in (None, share):
            allowed = f"must be hidden_size / heads = {share}"
            yield Problem("head_dim", values["head_dim"], allowed)
    if kind == "llama":
        offsets = values.get("attention_bias", False)
        if values.get("mlp_bias", False) != offsets:
            allowed = (
                f"must be {offsets}, as attention_bias is: offsets are in all matrices, or in none"
            )
            yield Problem("mlp_bias", values.get("mlp_bias"), allowed)
        return
    experts = values.get("num_local_experts")
    if values.get("num_experts", experts) != experts:
        allowed = f"must be {experts}, as num_local_experts is"
        yield Problem("num_experts", values["num_experts"], allowed)
    if values.get("num_experts_per_tok") == 1:
        yield Problem("num_experts_per_tok", 1, "must be 2 or more: a single gate is always 1")


def _fields(kind: str) -> dict[str, str]:
    """`FIELDS`, of those that this kind of model has."""
    return {
        theirs: ours
        for theirs, ours in FIELDS.items()
        if kind == "mixtral" or theirs not in MIXTURE
    }
