"""Models to transformers and back: the same logits, and a sentence for whatever cannot go."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import tokenizers
import torch
from torch import Tensor
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    masking_utils,
)

from engine.cli.main import main
from engine.config import ModelConfig, RunConfig
from engine.interop import safetensors_shards
from engine.interop.huggingface import (
    CONFIG,
    OLDER_TOKENIZER,
    TOKENIZER,
    export,
    import_run,
    read_config,
    read_model,
)
from engine.interop.huggingface_config import (
    CLASSES,
    IGNORED,
    MIXTURE,
    foreign_config,
    meanings,
    own_config,
)
from engine.model.block import PLACEMENTS
from engine.model.decoder import TransformerLM
from engine.model.feedforward import ACTIVATIONS
from engine.model.norms import NORMS
from engine.model.positions import POSITIONS
from engine.model.routers import ROUTERS
from engine.runs.store import Run, RunStore
from engine.tokenizers import CharTokenizer, IdTokenizer, save_tokenizer
from engine.training.checkpoint import CheckpointError, load_model, save_weights
from engine.validation import ConfigError

VOCAB = 23
BASE: dict[str, Any] = {
    "d_model": 16,
    "n_head": 4,
    "n_layer": 2,
    "vocab_size": VOCAB,
    "max_seq_len": 16,
}

DENSE: dict[str, dict[str, Any]] = {
    "plain": {},
    "gqa": {"n_kv_head": 2},
    "mqa": {"n_kv_head": 1},
    "untied": {"tie_embeddings": False},
    "bias": {"bias": True, "n_kv_head": 2},
    "theta": {"rope_theta": 100.0},
    "odd sizes": {"d_model": 18, "n_head": 3, "d_ff": 7, "n_layer": 3, "vocab_size": 31},
    "one head": {"n_head": 1},
    "pairs as heads": {"n_head": 8, "n_kv_head": 2},
    "dropout": {"dropout": 0.3},
}
MIXED: dict[str, dict[str, Any]] = {
    "plain": {"n_experts": 4},
    "all at once": {"n_experts": 3, "top_k": 3},
    "gqa, untied": {"n_experts": 4, "n_kv_head": 2, "tie_embeddings": False},
    "odd sizes": {"n_experts": 5, "d_model": 18, "n_head": 3, "d_ff": 7, "rope_theta": 500.0},
    "narrow experts": {"n_experts": 8, "top_k": 3, "d_expert": 12},
    "all layers by name": {"n_experts": 4, "moe_layer_indices": (0, 1)},
}
ALL = [pytest.param(change, id=f"dense, {name}") for name, change in DENSE.items()]
ALL += [pytest.param(change, id=f"mixed, {name}") for name, change in MIXED.items()]

LIBRARY = {"llama": LlamaForCausalLM, "mixtral": MixtralForCausalLM}


def build(**changes: Any) -> TransformerLM:
    """A model with weights large enough that a wrong one shows."""
    torch.manual_seed(7)
    model = TransformerLM(**{**BASE, **changes})
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not name.endswith("router.bias"):
                weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def tokens(vocab_size: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(vocab_size, (2, BASE["max_seq_len"]), generator=generator)


def checkpoint(folder: Path, model: TransformerLM) -> Path:
    """A run's folder with this model at step 0; the checkpoint's path."""
    folder.mkdir()
    characters = [chr(ord("a") + i) for i in range(model.config.vocab_size or 0)]
    save_tokenizer(CharTokenizer(characters), folder / "tokenizer.json")
    save_weights(model, RunConfig(model=model.config), folder / "step-000000")
    return folder / "step-000000"


def exported(folder: Path, **changes: Any) -> tuple[TransformerLM, Path]:
    model = build(**changes)
    export(checkpoint(folder / "run", model), folder / "out")
    return model, folder / "out"


def library(folder: Path, **options: Any) -> Any:
    kind = json.loads((folder / CONFIG).read_text("utf-8"))["model_type"]
    if kind == "mixtral":
        options["experts_implementation"] = "eager"  # any widths
    return LIBRARY[kind].from_pretrained(folder, **options).eval()


def difference(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item()


@pytest.mark.parametrize("changes", ALL)
@torch.no_grad()
def test_the_library_computes_the_same_logits(changes: dict[str, Any], tmp_path: Path) -> None:
    model, folder = exported(tmp_path, **changes)
    ids = tokens(model.config.vocab_size or 0)
    assert difference(model(ids), library(folder)(ids).logits) < 1e-5


@pytest.mark.parametrize("changes", ALL)
def test_what_went_out_comes_back_bit_by_bit(changes: dict[str, Any], tmp_path: Path) -> None:
    model, folder = exported(tmp_path, **changes)
    run = import_run(folder, RunStore(tmp_path / "runs"))
    back, tokenizer, config = load_model(run.checkpoints()[0].path)
    assert tokenizer.pieces[:2] == ("a", "b")
    before, after = model.state_dict(), back.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert foreign_config(config.model) == foreign_config(model.config)


SIZES: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16,
    "rms_norm_eps": 1e-5,
}


def stored(folder: Path, kind: str = "llama", shard: str = "1GB", **changes: Any) -> Any:
    """A model of the library, with random weights, saved by it."""
    torch.manual_seed(11)
    sizes = {**SIZES, **changes}
    if kind == "llama":
        model: Any = LlamaForCausalLM(LlamaConfig(**sizes))
    else:
        model = MixtralForCausalLM(MixtralConfig(**{"num_local_experts": 4, **sizes}))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    model.eval().save_pretrained(folder, max_shard_size=shard)
    return model


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True}),
        ("llama", {"attention_bias": True, "mlp_bias": True}),
        ("llama", {"num_key_value_heads": 4}),
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 321.0}}),
        ("llama", {"shard": "4KB"}),
        ("llama", {"dtype": torch.bfloat16}),
        ("mixtral", {}),
        ("mixtral", {"num_local_experts": 6, "num_experts_per_tok": 3, "shard": "8KB"}),
        ("mixtral", {"tie_word_embeddings": True, "num_key_value_heads": 1}),
    ],
)
@torch.no_grad()
def test_a_model_of_the_library_computes_the_same_here(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    dtype = changes.pop("dtype", None)
    model = stored(tmp_path / "theirs", kind, **changes)
    if dtype is not None:
        model.to(dtype).save_pretrained(tmp_path / "theirs")
        model = LlamaForCausalLM.from_pretrained(tmp_path / "theirs", dtype=torch.float32)
    run = import_run(tmp_path / "theirs", RunStore(tmp_path / "runs"))
    ours, tokenizer, _ = load_model(run.checkpoints()[0].path)
    assert difference(ours(tokens(VOCAB)), model(tokens(VOCAB)).logits) < 1e-5
    assert isinstance(tokenizer, IdTokenizer)


def test_an_older_configuration_reads_the_same(tmp_path: Path) -> None:
    """Before transformers 5, rope_theta stood by itself, beside a rope_scaling of null."""
    stored(tmp_path / "theirs", rope_parameters={"rope_type": "default", "rope_theta": 321.0})
    values = json.loads((tmp_path / "theirs" / CONFIG).read_text("utf-8"))
    older = {name: value for name, value in values.items() if name != "rope_parameters"}
    assert own_config(older | {"rope_theta": 321.0, "rope_scaling": None}) == own_config(values)
    assert own_config(values).rope_theta == 321


# Every field of a configuration --------------------------------------------------------------------

OTHER: dict[str, tuple[Any, ...]] = {
    "transformers_version": ("4.28.0", None),
    "_name_or_path": ("elsewhere",),
    "name_or_path": ("elsewhere",),
    "_commit_hash": ("abc",),
    "architectures": (["GemmaForCausalLM"], None),
    "tokenizer_class": ("LlamaTokenizer",),
    "prefix": ("a",),
    "task_specific_params": ({"summary": {"max_length": 3}},),
    "finetuning_task": ("mnli",),
    "id2label": ({"0": "a"},),
    "label2id": ({"a": 0},),
    "num_labels": (3,),
    "problem_type": ("regression",),
    "dtype": ("bfloat16", "float16"),
    "torch_dtype": ("bfloat16", "float16"),
    "initializer_range": (0.5,),
    "pretraining_tp": (2,),
    "torchscript": (True,),
    "use_bfloat16": (True,),
    "tf_legacy_loss": (True,),
    "use_cache": (False,),
    "max_sequence_length": (7,),
    "chunk_size_feed_forward": (3,),
    "is_decoder": (True,),
    "tie_encoder_decoder": (True,),
    "attn_implementation": ("eager",),
    "_attn_implementation": ("eager",),
    "_attn_implementation_autoset": (True,),
    "experts_implementation": ("eager",),
    "output_attentions": (False,),
    "output_hidden_states": (True,),
    "output_router_logits": (True,),
    "return_dict": (False,),
    "tie_last_hidden_states": (False,),
    "attention_dropout": (0.5,),
    "router_aux_loss_coef": (0.5,),
    "router_jitter_noise": (0.5,),
    "pad_token_id": (3,),
    "bos_token_id": (3,),
    "eos_token_id": (3, [3, 4]),
    "sep_token_id": (3,),
    "decoder_start_token_id": (3,),
    "hidden_act": ("swish", "gelu", "relu", "gelu_new", None),
    "rms_norm_eps": (1e-6, 0.1, None),
    "is_causal": (False, None),
    "is_encoder_decoder": (True,),
    "add_cross_attention": (True,),
    "partial_rotary_factor": (0.5, 1.0, None),
    "pruned_heads": ({"0": [1]}, {}),
    "sliding_window": (3, 0, None),
    "attention_chunk_size": (3,),
    "layer_types": (["sliding_attention", "full_attention"], ["full_attention"] * 2),
    "mlp_layer_types": (["sparse", "dense"],),
    "per_layer_config": ({"0": {"head_dim": 8}},),
    "quantization_config": ({"bits": 4}, None),
    "auto_map": ({"AutoModel": "evil.py"}, None),
    "head_dim": (8, 4, None),
    "attention_bias": (True, None),
    "mlp_bias": (True, None),
    "num_experts": (4, 2, None),
    "num_key_value_heads": (3,),
    "tie_word_embeddings": (True, None),
    "rope_theta": (50.0, None),
    "model_type": ("mistral", None),
    "rope_interleaved": (True, None),
    "logit_scale": (0.5,),
}
"""Values other than the usual one, for each field by itself. The last two have no meaning here."""

SIZED: dict[str, int] = {
    "vocab_size": 31,
    "hidden_size": 24,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 9,
    "num_local_experts": 6,
    "num_experts_per_tok": 3,
}
"""Fields that need other weights, too."""

SCALED: list[dict[str, Any]] = [
    {"factor": 4.0},
    {"kind": "linear", "factor": 4.0},
    {"kind": "dynamic", "factor": 4.0},
    {"kind": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    | {"original_max_position_embeddings": 8},
    {"kind": "yarn", "factor": 4.0, "original_max_position_embeddings": 8},
    {"kind": "longrope", "short_factor": [2.0, 3.0], "long_factor": [2.0, 3.0]}
    | {"factor": 4.0, "original_max_position_embeddings": 8},
    {"kind": "default", "partial_rotary_factor": 0.5},
    {"kind": "default", "mrope_section": [1, 1]},
]
PLAIN: list[dict[str, Any]] = [{}, {"kind": "default"}, {"kind": "default", "rope_theta": 77.0}]

ROPES: list[dict[str, Any]] = [
    {place: {**({word: kind} if kind else {}), **rest}}
    for place, word in product(("rope_parameters", "rope_scaling"), ("rope_type", "type"))
    for entries in (*PLAIN, *SCALED)
    for kind, rest in [
        (entries.get("kind"), {name: value for name, value in entries.items() if name != "kind"})
    ]
]
ROPES += [
    {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 50.0}}},
    {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 4.0}}}
    | {"layer_types": ["full_attention"] * 2},
    {"rope_parameters": {"rope_type": "default", "type": "linear", "factor": 4.0}},
    {"rope_parameters": {"rope_type": "linear", "type": "default", "factor": 4.0}},
    {"rope_parameters": {"rope_theta": 50.0}, "rope_theta": 50.0},
    {"rope_parameters": {"rope_theta": 50.0}, "rope_theta": 70.0},
    {"rope_parameters": {"rope_theta": 50.0}, "rope_theta": None},
    {"rope_parameters": {"rope_theta": None}, "rope_theta": 50.0},
    {"rope_parameters": {"rope_type": "default"}, "rope_theta": 50.0},
    {"rope_scaling": {"type": "default"}, "rope_theta": 50.0},
    {"rope_scaling": {"type": "default"}, "rope_parameters": {"rope_theta": 50.0}},
    {"rope_parameters": None, "rope_scaling": None},
]
"""Every spelling of every kind of RoPE: where it stands, what its kind is called, where its base stands."""

GENERATION = sorted(GenerationConfig._get_default_generation_params())
"""Settings of generation, which old versions stored in the same file."""

VARIATIONS: list[dict[str, Any]] = [
    *({field: value} for field, values in OTHER.items() for value in values),
    *ROPES,
    dict.fromkeys(set(GENERATION) - {"use_cache"}, 1),
]


@pytest.fixture(scope="module", params=CLASSES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that the library saved, of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    stored(folder, request.param)
    return folder


@pytest.mark.case("F6")
@torch.no_grad()
def test_every_field_keeps_the_logits_or_is_refused_by_name(saved: Path) -> None:
    """Each field in each spelling: it is refused, or both models compute the same."""
    original = json.loads((saved / CONFIG).read_text("utf-8"))
    kind, ids, read = original["model_type"], tokens(VOCAB), 0
    plain = {name: value for name, value in original.items() if name != "rope_parameters"}
    for changes in VARIATIONS:
        (saved / CONFIG).write_text(json.dumps(plain | changes), "utf-8")
        known = [meanings(kind).get(name) for name in changes]
        try:
            ours = read_model(saved, read_config(saved))
        except CheckpointError as refused:
            assert any(name in str(refused) for name in changes), f"{changes}: {refused}"
            assert known != [IGNORED] * len(known), f"{changes}: {refused}"
        else:
            assert None not in known, f"{changes} was taken"
            theirs = library(saved, dtype=torch.float32)
            theirs.config.return_dict = True  # it is a tuple otherwise
            logits = theirs(ids).logits
            assert difference(ours(ids), logits) < 1e-5, changes
            read += 1
    assert read > len(VARIATIONS) / 3
    (saved / CONFIG).write_text(json.dumps(original), "utf-8")


@pytest.mark.case("F6")
@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind in CLASSES for field in SIZED if field in meanings(kind)],
)
@torch.no_grad()
def test_every_size_is_read(kind: str, field: str, tmp_path: Path) -> None:
    if kind == "llama" and field in MIXTURE:
        with pytest.raises(ConfigError, match=f"{field} = 6|3: must be null: llama has no experts"):
            own_config({"model_type": kind, **SIZES, field: SIZED[field]})
        return
    model = stored(tmp_path, kind, **{field: SIZED[field]})
    ours = read_model(tmp_path, read_config(tmp_path))
    ids = tokens(model.config.vocab_size)[:, : model.config.max_position_embeddings]
    assert difference(ours(ids), model(ids).logits) < 1e-5


@pytest.mark.case("F6")
@pytest.mark.parametrize("kind", CLASSES)
def test_every_field_that_the_library_has_is_known_and_tried(kind: str) -> None:
    """A version of the library that has a field more fails here and names it."""
    configuration = LIBRARY[kind].config_class
    names = {field.name for field in dataclasses.fields(configuration)}
    names |= {*configuration.attribute_map, *GENERATION}
    # What is taken from a file beside these, and what the models and their masks read.
    bases = [base for base in configuration.__mro__ if base.__module__.startswith("transformers")]
    code = "".join(map(inspect.getsource, bases))
    names |= set(re.findall(r'kwargs\.(?:pop|get)\("(\w+)", (?!False|"")', code)) - ABOUT_FILES
    for module in (sys.modules[LIBRARY[kind].__module__], masking_utils):
        read = re.findall(r'config\.(\w+)|getattr\(config, "(\w+)"', inspect.getsource(module))
        names |= {one or other for one, other in read}
    names = {name for name in names if not callable(getattr(configuration, name, None))}
    assert {name for name in names if name not in meanings(kind)} == set()
    tried = {name for changes in VARIATIONS for name in changes} | set(SIZED)
    assert set(meanings(kind)) <= tried and names <= tried


OWN: dict[str, tuple[Any, ...]] = {
    "vocab_size": (31,),
    "max_seq_len": (9,),
    "d_model": (24,),
    "n_layer": (3,),
    "n_encoder_layer": (1,),
    "n_head": (2,),
    "n_kv_head": (1,),
    "d_ff": (7,),
    "norm": tuple(NORMS),
    "placement": tuple(PLACEMENTS),
    "position": tuple(POSITIONS),
    "feedforward": tuple(ACTIVATIONS),
    "rope_theta": (50.0,),
    "dropout": (0.3,),
    "tie_embeddings": (False,),
    "scale_embeddings": (True,),
    "token_pairs": (40, 4_096),
    "value_embeddings": (True,),
    "embedding_skip": (True,),
    "share_embeddings": (False,),
    "src_vocab_size": (31,),
    "bias": (True,),
    "zero_output": (True,),
    "qk_norm": (True,),
    "logit_softcap": (0.1, 30.0),
    "n_experts": (6,),
    "top_k": (1, 3),
    "moe_layer_indices": ((1,), (0, 1)),
    "router": tuple(ROUTERS),
    "renormalise": (False, True),
    "n_shared_experts": (1,),
    "d_expert": (12,),
    "capacity_factor": (1.0,),
    "n_device": (2,),
    "max_device": (1,),
}
"""Values for every field of a model here."""


@pytest.mark.case("F6")
@pytest.mark.parametrize("field", ModelConfig.model_fields)
@torch.no_grad()
def test_every_field_of_ours_keeps_the_logits_or_is_refused_by_name(
    field: str, tmp_path: Path
) -> None:
    for number, (value, mixed) in enumerate(product(OWN[field], (False, True))):
        changes = ({"n_experts": 4} if mixed else {}) | {field: value}
        if field == "max_device":
            changes["n_device"] = 2
        try:
            model = build(**changes)
        except ConfigError:
            continue  # there is no such model
        try:
            export(checkpoint(tmp_path / f"run {number}", model), tmp_path / f"out {number}")
        except ConfigError as refused:
            assert any(name in str(refused) for name in {*changes, "renormalise"} - {"n_experts"})
            continue
        ids = tokens(model.config.vocab_size or 0)[:, : model.config.max_seq_len]
        theirs = library(tmp_path / f"out {number}")
        assert difference(model(ids), theirs(ids).logits) < 1e-5, changes


ABOUT_FILES = {
    "_configuration_file", "_from_auto", "_from_pipeline", "cache_dir", "commit_message",
    "force_download", "gguf_file", "local_files_only", "proxies", "repo_id", "return_unused_kwargs",
    "revision", "subfolder", "token", "trust_remote_code",
}  # fmt: skip
"""Arguments of the library's functions that load a file: no fields of it."""


# What cannot go ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "layernorm"},
        {"norm": "none"},
        {"placement": "post"},
        {"position": "alibi"},
        {"position": "learned"},
        {"feedforward": "geglu"},
        {"feedforward": "gelu"},
        {"token_pairs": 40},
        {"value_embeddings": True},
        {"embedding_skip": True},
        {"n_experts": 4, "token_pairs": 4_096},
        {"qk_norm": True},
        {"logit_softcap": 30.0},
        {"n_experts": 4, "qk_norm": True},
        {"n_experts": 4, "logit_softcap": 30.0},
        {"n_experts": 4, "bias": True},
        {"n_experts": 4, "moe_layer_indices": (1,)},
        {"n_experts": 4, "router": "sigmoid"},
        {"n_experts": 4, "router": "noisy_topk"},
        {"n_experts": 4, "renormalise": False},
        {"n_experts": 4, "top_k": 1},
        {"n_experts": 4, "n_shared_experts": 1},
        {"n_experts": 4, "capacity_factor": 1.25},
        {"n_experts": 4, "n_device": 2},
    ],
    ids=str,
)
def test_a_model_that_the_library_lacks_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        foreign_config(ModelConfig.parse(BASE | changes))
    problem = refused.value.problems[0]
    field = "renormalise" if "top_k" in changes else list(changes)[-1]
    assert problem.field == field
    assert ("mixtral" if "n_experts" in changes else "llama") in problem.allowed


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    changes = {"norm": "layernorm", "position": "none", "placement": "post"}
    with pytest.raises(ConfigError) as refused:
        foreign_config(ModelConfig.parse(BASE | changes))
    assert {problem.field for problem in refused.value.problems} == set(changes)


def test_a_router_that_was_balanced_by_its_bias_is_refused(tmp_path: Path) -> None:
    model = build(n_experts=4)
    with torch.no_grad():
        dict(model.named_parameters())["blocks.1.feedforward.router.bias"][2] = 0.01
    with pytest.raises(ConfigError, match=r"blocks\.1\.feedforward\.router\.bias"):
        export(checkpoint(tmp_path / "run", model), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    _, folder = exported(tmp_path)
    before = (folder / CONFIG).read_bytes()
    with pytest.raises(FileExistsError, match="already there"):
        export(tmp_path / "run" / "step-000000", folder)
    assert (folder / CONFIG).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# What cannot come --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "gpt2"}, "model_type = 'gpt2': must be one of llama, mixtral"),
        ({"model_type": ["llama"]}, "model_type"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "rope_parameters"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "rope_parameters"),
        ({"rope_parameters": [1]}, "rope_parameters"),
        ({"sliding_window": 8}, "sliding_window"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"auto_map": {"AutoModel": "evil.py"}}, "auto_map"),
        ({"attention_bias": True}, "mlp_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"head_dim": 8}, "head_dim = 8: must be hidden_size / heads = 4"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"rms_norm_eps": 1e-6}, "rms_norm_eps = 1e-06: must be 1e-05"),
        ({"rope_theta": None, "rope_parameters": None}, "rope_theta"),
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"hidden_size": 10**9, "num_attention_heads": 10**8}, "hidden_size"),
        ({"vocab_size": -1}, "vocab_size"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers"),
        ({"num_hidden_layers": 3}, "lacks model.layers.2"),
        ({"num_hidden_layers": 1}, "which has no place in the model"),
        ({"vocab_size": 10**6}, "too few"),
        ({"intermediate_size": 24}, "the model needs F32 or F16 or BF16 (16, 24)"),
    ],
    ids=str,
)
def test_a_configuration_that_has_no_place_here_is_refused_by_name(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    folder, store = tmp_path / "theirs", RunStore(tmp_path / "runs")
    stored(folder)
    values = json.loads((folder / CONFIG).read_text("utf-8"))
    del values["head_dim"]
    (folder / CONFIG).write_text(json.dumps(values | changes), "utf-8")
    with pytest.raises(CheckpointError) as refused:
        import_run(folder, store)
    assert named in str(refused.value)
    assert store.list() == []


def test_one_expert_for_a_token_is_refused(tmp_path: Path) -> None:
    stored(tmp_path / "theirs", "mixtral", num_experts_per_tok=1)
    with pytest.raises(CheckpointError, match="num_experts_per_tok = 1: must be 2 or more"):
        import_run(tmp_path / "theirs", RunStore(tmp_path / "runs"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"model_type": 1e999}', "[" * 100_000, " " * (1 << 21)]
)
def test_a_file_that_is_no_configuration_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        import_run(tmp_path, RunStore(tmp_path / "runs"))


def test_every_place_to_cut_the_weights_short_is_noticed(tmp_path: Path) -> None:
    stored(tmp_path)
    config = own_config(json.loads((tmp_path / CONFIG).read_text("utf-8")))
    whole = (tmp_path / safetensors_shards.WHOLE).read_bytes()
    for length in (0, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / safetensors_shards.WHOLE).write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_model(tmp_path, config)


def test_pickle_is_not_read(tmp_path: Path) -> None:
    stored(tmp_path)
    (tmp_path / safetensors_shards.WHOLE).rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor"):
        import_run(tmp_path, RunStore(tmp_path / "runs"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda weights: weights.pop("model.norm.weight"), "lacks model.norm.weight"),
        (lambda weights: weights.update(more=torch.zeros(1)), "'more', which has no place"),
        (lambda weights: weights["model.norm.weight"].fill_(torch.nan), "not finite"),
        (
            lambda weights: weights.update({"model.norm.weight": torch.zeros(16).long()}),
            "model.norm.weight is I64 (16,), the model needs F32",
        ),
        (
            lambda weights: weights.update({"model.norm.weight": torch.zeros(4, 4)}),
            "model.norm.weight is F32 (4, 4), the model needs F32 or F16 or BF16 (16,)",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Any, named: str, tmp_path: Path) -> None:
    stored(tmp_path)
    weights = safetensors.torch.load((tmp_path / safetensors_shards.WHOLE).read_bytes())
    change(weights)
    safetensors.torch.save_file(weights, tmp_path / safetensors_shards.WHOLE)
    with pytest.raises(CheckpointError) as refused:
        import_run(tmp_path, RunStore(tmp_path / "runs"))
    assert named in str(refused.value)


def test_frequencies_that_old_versions_stored_are_left_out(tmp_path: Path) -> None:
    model = stored(tmp_path, tie_word_embeddings=True)
    weights = safetensors.torch.load((tmp_path / safetensors_shards.WHOLE).read_bytes())
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(2)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    safetensors.torch.save_file(weights, tmp_path / safetensors_shards.WHOLE)
    ours = read_model(tmp_path, own_config(json.loads((tmp_path / CONFIG).read_text("utf-8"))))
    assert difference(ours(tokens(VOCAB)), model(tokens(VOCAB)).logits) < 1e-5


@pytest.mark.parametrize(
    ("index", "named"),
    [
        ("", "weight_map"),
        ("{}", "weight_map"),
        ('{"weight_map": []}', "weight_map"),
        ('{"weight_map": {"a": 3}}', "'3' is not a safetensors file beside it"),
        ('{"weight_map": {"a": "../model.safetensors"}}', "beside it"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "beside it"),
        ('{"weight_map": {"a": "evil.bin"}}', "beside it"),
        ('{"weight_map": {"a": "gone.safetensors"}}', "gone.safetensors"),
    ],
)
def test_an_index_that_leads_elsewhere_is_refused(index: str, named: str, tmp_path: Path) -> None:
    stored(tmp_path, shard="4KB")
    (tmp_path / safetensors_shards.INDEX).write_text(index, "utf-8")
    with pytest.raises(CheckpointError) as refused:
        import_run(tmp_path, RunStore(tmp_path / "runs"))
    assert named in str(refused.value)


def test_a_shard_that_is_gone_or_lacks_its_share_is_named(tmp_path: Path) -> None:
    stored(tmp_path, shard="4KB")
    first, second, *_ = sorted(tmp_path.glob("model-*.safetensors"))
    shutil.copyfile(second, first)
    with pytest.raises(CheckpointError, match="which the index promises"):
        import_run(tmp_path, RunStore(tmp_path / "runs"))
    first.unlink()
    with pytest.raises(CheckpointError, match=first.name):
        import_run(tmp_path, RunStore(tmp_path / "runs"))


# By command --------------------------------------------------------------------------------------


def imported(root: Path) -> Run:
    (run,) = RunStore(root).list()
    return run


def test_both_ways_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = checkpoint(tmp_path / "run", build()).parent
    (run / CONFIG).write_text(RunConfig(model=build().config).to_json(), "utf-8")
    (run / "run.json").write_text('{"name": "letters", "created": 0}', "utf-8")
    out, runs = str(tmp_path / "out"), tmp_path / "runs"
    assert main(["export", str(run), "--out", out]) == 0
    assert main(["import", out, "--name", "back", "--checkpoint_dir", str(runs)]) == 0
    back = imported(runs)
    assert back.name == "back" and back.status().state == "stopped"
    capsys.readouterr()
    written: list[str] = []
    for folder in (run, back.path):
        words = ["generate", "--run", str(folder), "--prompt", "abc", "--max_new_tokens", "9"]
        assert main(words) == 0
        written.append(capsys.readouterr().out)
    assert written[0] == written[1] and len(written[0]) > 9

    assert main(["export", str(run), "--out", out]) == 2
    assert "already there" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "nowhere"), "--checkpoint_dir", str(runs)]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_an_imported_model_is_trained_further_by_a_fork(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, folder = exported(tmp_path, n_experts=4)
    run = import_run(folder, RunStore(tmp_path / "runs"))
    text = "".join(chr(ord("a") + i) for i in range(model.config.vocab_size or 0))
    (tmp_path / "text.txt").write_text(20 * text, "utf-8")
    words = ["--checkpoint_dir", str(tmp_path / "runs"), "--source", "text"]
    words += [
        "--train_data_path",
        str(tmp_path / "text.txt"),
        "--total_steps",
        "1",
        "--warmup_steps",
        "0",
    ]
    assert main(["train", "--resume_from", str(run.path), *words]) == 0, capsys.readouterr().err
    fork = next(found for found in RunStore(tmp_path / "runs").list() if found.id != run.id)
    assert fork.status().state == "finished" and fork.info.parent == run.id

    assert main(["resume", str(run.path)]) == 1  # by itself it has no data that suits it
    assert "vocab_size = 23" in capsys.readouterr().err


def test_a_model_without_a_tokenizer_writes_token_ids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "theirs")
    runs = tmp_path / "runs"
    assert main(["import", str(tmp_path / "theirs"), "--checkpoint_dir", str(runs)]) == 0
    assert "write prompts as token ids" in capsys.readouterr().err
    run = imported(runs)
    assert run.name == "theirs"
    words = ["generate", "--run", str(run.path), "--prompt", "⟨4⟩⟨2⟩", "--max_new_tokens", "3"]
    assert main(words) == 0
    assert capsys.readouterr().out.count("⟨") == 5


def test_a_tokenizer_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path / "theirs")
    save_tokenizer(CharTokenizer("abc"), tmp_path / "small.json")
    save_tokenizer(IdTokenizer(VOCAB + 1), tmp_path / "large.json")
    words = ["import", str(tmp_path / "theirs"), "--checkpoint_dir", str(tmp_path / "runs")]
    assert main([*words, "--tokenizer", str(tmp_path / "large.json")]) == 2
    assert "has 24 tokens, the model 23" in capsys.readouterr().err
    assert main([*words, "--tokenizer", str(tmp_path / "gone.json")]) == 2
    assert main([*words, "--tokenizer", str(tmp_path / "theirs" / CONFIG)]) == 2
    assert main([*words, "--tokenizer", str(tmp_path / "small.json")]) == 0
    run = imported(tmp_path / "runs")
    assert load_model(run.checkpoints()[0].path)[1].pieces == ("a", "b", "c")


def test_what_is_exported_ends_where_our_texts_end(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "run", build(vocab_size=4))
    save_tokenizer(CharTokenizer("abc", ("<end>",)), folder.parent / "tokenizer.json")
    export(folder, tmp_path / "out")
    config = json.loads((tmp_path / "out" / CONFIG).read_text("utf-8"))
    assert (config["bos_token_id"], config["eos_token_id"]) == (None, 3)
    assert (tmp_path / "out" / TOKENIZER).is_file()
    assert tokenizers.Tokenizer.from_file(str(tmp_path / "out" / TOKENIZER)).encode("ab").ids == [
        0,
        1,
    ]
    theirs: Any = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = theirs("cab<end>", add_special_tokens=False)["input_ids"]
    assert ids == [2, 0, 1, 3] and theirs.eos_token_id == 3
    assert theirs.decode(ids) == "cab<end>"


def test_a_folders_tokenizer_is_read_or_the_run_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path / "theirs")
    words = ["import", str(tmp_path / "theirs"), "--checkpoint_dir", str(tmp_path / "runs")]
    path = tmp_path / "theirs" / TOKENIZER
    save_tokenizer(CharTokenizer("abc"), path)
    assert main(words) == 0
    run = imported(tmp_path / "runs")
    assert run.tokenizer() == CharTokenizer("abc")
    run.path.rename(tmp_path / "first")
    path.write_text(
        path.read_text("utf-8").replace('"normalizer": null', '"normalizer": {}'), "utf-8"
    )
    capsys.readouterr()
    assert main(words) == 0
    run = imported(tmp_path / "runs")
    assert run.tokenizer() == IdTokenizer(VOCAB)
    assert "not used: " in run.status().reason and "normalizer" in run.status().reason
    assert "normalizer" in capsys.readouterr().err
    assert main([*words, "--tokenizer", str(path)]) == 2
    assert "normalizer" in capsys.readouterr().err


def test_what_earlier_versions_exported_is_imported(tmp_path: Path) -> None:
    stored(tmp_path / "theirs")
    (tmp_path / "theirs" / OLDER_TOKENIZER).write_text('{"type": "char", "characters": "abc"}')
    words = ["import", str(tmp_path / "theirs"), "--checkpoint_dir", str(tmp_path / "runs")]
    assert main(words) == 0
    assert imported(tmp_path / "runs").tokenizer() == CharTokenizer("abc")
