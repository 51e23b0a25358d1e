"""Exports and imports models in the format of transformers' Llama and Mixtral.

    config.json              the configuration, with that library's field names
    model.safetensors        the weights, with that library's names
    tokenizer.json           the tokenizer, in the format of `tokenizers`
    tokenizer_config.json    which class of that library reads it

The logits stay the same. `huggingface_config` says which models can be exported. The layout of weights
differs:

- queries, keys and values are one matrix here, three there;
- RoPE rotates adjacent channels 2i, 2i + 1 here, and i, i + D/2 there, so rows are permuted;
- experts are one tensor here, one matrix each there: w1 gate, w3 up, w2 output.

The other library is not required.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.config import ModelConfig, RunConfig
from engine.estimate import parameters
from engine.files import sync_folder
from engine.interop import safetensors_shards
from engine.interop.huggingface_config import foreign_config, own_config
from engine.model.attention import Attention
from engine.model.decoder import Decoder, TransformerLM
from engine.model.experts import MixtureOfExperts
from engine.runs.events import Ended, Saved
from engine.runs.states import read_values
from engine.runs.store import Run, RunStore
from engine.tokenizers import (
    IdTokenizer,
    Tokenizer,
    TokenizerError,
    load_tokenizer,
    save_tokenizer,
)
from engine.training.checkpoint import (
    CheckpointError,
    load_model,
    safetensors_bytes,
    save_weights,
    write_synced,
)
from engine.validation import ConfigError, Problem

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"

OLDER_TOKENIZER = "playground_tokenizer.json"
"""The tokenizer's name in what earlier versions exported."""

HEAD = "lm_head.weight"
"""The output matrix there. It may be stored even if embeddings are tied."""

# Out ----------------------------------------------------------------------------------------------


def export(checkpoint: Path, out: Path) -> None:
    """Write the model of a checkpoint into a new folder, for `from_pretrained` of transformers.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ConfigError: the other library has no such model; names the field and what is allowed.
        FileExistsError: `out` exists.
    """
    if out.exists():
        raise FileExistsError(f"{out}: is already there")
    model, tokenizer, _ = load_model(checkpoint)
    values = foreign_config(model.config) | _special_tokens(tokenizer)
    for name, weight in model.named_parameters():
        if name.endswith("router.bias") and weight.any():
            allowed = "must be zero: Mixtral chooses experts by their scores alone"
            raise ConfigError([Problem(name, weight.abs().max().item(), allowed)])
    weights = {
        name: view.detach().reshape(shape).clone() for name, view, shape in correspondence(model)
    }
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        write_synced(temporary / safetensors_shards.WHOLE, safetensors_bytes(weights))
        write_synced(temporary / CONFIG, json.dumps(values, indent=2).encode())
        save_tokenizer(tokenizer, temporary / TOKENIZER)
        write_synced(
            temporary / TOKENIZER_CONFIG, json.dumps(_loader(tokenizer), indent=2).encode()
        )
        sync_folder(temporary)
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


END_OF_TEXT = "<end>"
"""The token that ends a text of the tasks."""


def _special_tokens(tokenizer: Tokenizer) -> dict[str, int | None]:
    """`eos_token_id`, if the tokenizer has such a token: the other library has its own default."""
    ends = [token for token, piece in enumerate(tokenizer.pieces) if piece == END_OF_TEXT]
    return {"bos_token_id": None, "eos_token_id": ends[0] if ends else None}


def _loader(tokenizer: Tokenizer) -> dict[str, object]:
    """The class that reads `tokenizer.json` as it is: that of Llama would build its own pipeline."""
    values: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
    }
    return values | ({"eos_token": END_OF_TEXT} if END_OF_TEXT in tokenizer.pieces else {})


# Both ways ----------------------------------------------------------------------------------------


Entry = tuple[str, Tensor, tuple[int, ...]]
"""A weight's name there, a view of it in the model here, and its shape there.

The view has as many numbers as the shape, in the same order: reading it exports, writing imports.
"""


def correspondence(model: Decoder) -> Iterator[Entry]:
    """Every weight of a model."""
    yield same_layout("model.embed_tokens.weight", model.embedding.weight)
    for layer, block in enumerate(cast("Any", model.blocks)):
        prefix = f"model.layers.{layer}"
        yield from _attention(f"{prefix}.self_attn", block.attention)
        if isinstance(block.feedforward, MixtureOfExperts):
            yield from _mixture(f"{prefix}.block_sparse_moe", block.feedforward)
        else:
            for part, name in (("gate", "gate_proj"), ("up", "up_proj"), ("output", "down_proj")):
                yield from _matrix(f"{prefix}.mlp.{name}", getattr(block.feedforward, part))
        norms = block.attention_residual.norm, block.feedforward_residual.norm
        yield same_layout(f"{prefix}.input_layernorm.weight", norms[0].weight)
        yield same_layout(f"{prefix}.post_attention_layernorm.weight", norms[1].weight)
    yield same_layout("model.norm.weight", cast("Any", model.norm).weight)
    if not model.config.tie_embeddings:
        yield same_layout(HEAD, model.output.weight)


def same_layout(name: str, weight: Tensor) -> Entry:
    """A weight with the same layout in both."""
    return name, weight, tuple(weight.shape)


def _matrix(prefix: str, linear: nn.Module) -> Iterator[Entry]:
    """A matrix, and its bias if it has one."""
    for kind, weight in linear.named_parameters():
        yield same_layout(f"{prefix}.{kind}", weight)


def _attention(prefix: str, attention: Attention) -> Iterator[Entry]:
    heads = [attention.n_head, attention.n_kv_head, attention.n_kv_head]
    for kind, stacked in attention.qkv.named_parameters():  # weight, bias
        parts = stacked.unflatten(0, (-1, attention.head_dim)).split(heads)  # (H, D, ...) each
        for letter, rows in zip("qkv", parts, strict=True):
            shape = (rows.shape[0] * rows.shape[1], *rows.shape[2:])
            yield f"{prefix}.{letter}_proj.{kind}", rows if letter == "v" else halves(rows), shape
    yield from _matrix(f"{prefix}.o_proj", attention.output)


def _mixture(prefix: str, mixture: MixtureOfExperts) -> Iterator[Entry]:
    yield same_layout(f"{prefix}.gate.weight", mixture.router.weight)
    experts = cast("Any", mixture.experts)
    for theirs, ours in (("w1", experts.gate), ("w3", experts.up), ("w2", experts.output)):
        for number, weight in enumerate(ours.weight):
            yield same_layout(f"{prefix}.experts.{number}.{theirs}.weight", weight)


def halves(rows: Tensor) -> Tensor:
    """(H, D, ...) -> a view (H, 2, D/2, ...): the first of each pair, then the second of each pair."""
    return torch.unflatten(rows, 1, (-1, 2)).transpose(1, 2)


# In -----------------------------------------------------------------------------------------------


def import_run(
    folder: Path, store: RunStore, name: str | None = None, tokenizer: Path | None = None
) -> Run:
    """A new run with the model in a folder that transformers wrote, or `export`.

    It can generate, be inspected, and be trained further by a fork with data of the same tokens. Its
    tokenizer is `tokenizer`, or that of the folder. If there is none, or the folder's cannot be expressed
    here, token 17 is written ⟨17⟩ (`IdTokenizer`), and the run's last event says why.

    Raises `CheckpointError` naming the file and what in it cannot be imported.
    """
    config = read_config(folder)
    size = cast("int", config.vocab_size)
    pieces, note = (
        _folder_tokenizer(folder, size)
        if tokenizer is None
        else (_read_tokenizer(tokenizer, size), "")
    )
    model = read_model(folder, config)
    run_config = RunConfig(model=config)

    def fill(new: Path) -> None:
        save_tokenizer(pieces, new / "tokenizer.json")
        save_weights(model, run_config, new / "step-000000")

    run = store.create(run_config, name or folder.resolve().name, fill=fill)
    run.append(Saved(step=0, name="step-000000"))
    reason = " ".join(filter(None, ("It was imported: weights alone.", note)))
    run.append(Ended(how="stopped", step=0, reason=reason))
    return run


def read_config(folder: Path) -> ModelConfig:
    """Our configuration of the model in a folder. Raises `CheckpointError`."""
    path = folder / CONFIG
    values = read_values(path.resolve())  # other libraries keep their files as links
    try:
        return own_config(values)
    except ConfigError as error:
        raise CheckpointError(path, error) from None


def read_model(folder: Path, config: ModelConfig) -> TransformerLM:
    """The model in a folder, as `config` describes it, in fp32. Raises `CheckpointError`.

    Nothing is allocated before names, shapes and sizes are checked.
    """
    needed = parameters(config)["total"] - len(config.moe_layers) * (config.n_experts or 0)
    try:
        size = sum(path.stat().st_size for path in safetensors_shards.files(folder))
    except OSError as error:
        raise CheckpointError(Path(error.filename), error.strerror or error) from None
    if size < 2 * needed:  # in 16 bits
        reason = f"has {size:,} bytes of weights, too few for the {needed:,} numbers of its config"
        raise CheckpointError(folder, reason)
    with torch.device("meta"):
        empty = TransformerLM.from_config(config)
    shapes = {name: shape for name, _, shape in correspondence(empty)}

    def ignored(name: str) -> bool:
        return (config.tie_embeddings and name == HEAD) or bool(_FREQUENCIES.fullmatch(name))

    weights = safetensors_shards.read(folder, shapes, ignored)
    first = next(weights)  # all names and shapes are right, or this raises
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # first weights are drawn in vain
        model = TransformerLM.from_config(config)
        views = {name: view for name, view, _ in correspondence(model)}
        for name, weight in (first, *weights):
            views[name].copy_(weight.view(views[name].shape))
    head = safetensors_shards.find(folder, HEAD) if config.tie_embeddings else None
    if head is not None and not torch.equal(head.float(), model.embedding.weight):
        reason = f"has an {HEAD} of its own, but tie_word_embeddings is true: must be false"
        raise CheckpointError(folder, reason)  # the other library would not tie them
    return model.eval()


_FREQUENCIES = re.compile(r"model\.layers\.\d{1,4}\.self_attn\.rotary_emb\.inv_freq")
"""RoPE's frequencies, which old versions stored too; the configuration says the same."""


def _folder_tokenizer(folder: Path, vocab_size: int) -> tuple[Tokenizer, str]:
    """The tokenizer of a model's folder, or token ids instead, and why."""
    for name in (OLDER_TOKENIZER, TOKENIZER):
        if (folder / name).is_file():
            try:
                return _read_tokenizer(folder / name, vocab_size), ""
            except CheckpointError as error:
                return IdTokenizer(vocab_size), f"Its tokenizer is not used: {error}"
    return IdTokenizer(vocab_size), ""


def _read_tokenizer(path: Path, vocab_size: int) -> Tokenizer:
    """Raises `CheckpointError` naming the file and the field."""
    try:
        tokenizer = load_tokenizer(path.resolve())
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    except TokenizerError as error:
        raise CheckpointError(path, error) from None
    if tokenizer.vocab_size > vocab_size:
        reason = f"has {tokenizer.vocab_size} tokens, the model {vocab_size}"
        raise CheckpointError(path, reason)
    return tokenizer
