"""Models to and from the format of transformers' Llama and Mixtral.

    config.json                  sizes and choices, in that library's words
    model.safetensors            weights, in that library's names
    playground_tokenizer.json    our tokenizer, which that library has no form for

Every logit stays the same. `foreign` says which models can go; their weights are laid down differently:

- queries, keys and values are one matrix here, three there;
- RoPE turns neighbouring numbers 2i, 2i + 1 here, and i, i + D/2 there, so rows change places;
- experts are one tensor here, a matrix each there: w1 gate, w3 up, w2 output.

The other library is not needed for any of this.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

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

from engine import shards
from engine.checkpoint import (
    CheckpointError,
    load_model,
    packed,
    save_weights,
    write_synced,
)
from engine.config import ModelConfig, RunConfig
from engine.estimate import parameters
from engine.events import Ended, Saved
from engine.foreign import foreign_config, own_config
from engine.jsonl import sync_folder
from engine.model.attention import Attention
from engine.model.decoder import Decoder, TransformerLM
from engine.model.moe import MixtureOfExperts
from engine.runs import Run, RunStore
from engine.states import read_values
from engine.tokenizers import (
    IdTokenizer,
    Tokenizer,
    TokenizerError,
    load_tokenizer,
    save_tokenizer,
)
from engine.validation import ConfigError, Problem

CONFIG, TOKENIZER = "config.json", "playground_tokenizer.json"

HEAD = "lm_head.weight"
"""The output matrix there. Where embeddings are tied, it may be stored all the same."""

# Out ----------------------------------------------------------------------------------------------


def export(checkpoint: Path, out: Path) -> None:
    """Write the model of a checkpoint into a new folder, for `from_pretrained` of transformers.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ConfigError: the other library has no such model; says which field, and what there is.
        FileExistsError: `out` is already there.
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
        write_synced(temporary / shards.WHOLE, packed(weights))
        write_synced(temporary / CONFIG, json.dumps(values, indent=2).encode())
        save_tokenizer(tokenizer, temporary / TOKENIZER)
        sync_folder(temporary)
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _special_tokens(tokenizer: Tokenizer) -> dict[str, int | None]:
    """Where a text ends, if the tokenizer has a word for it: the other library has its own guess."""
    ends = [place for place, piece in enumerate(tokenizer.pieces) if piece == "<end>"]
    return {"bos_token_id": None, "eos_token_id": ends[0] if ends else None}


# Both ways ----------------------------------------------------------------------------------------


Entry = tuple[str, Tensor, tuple[int, ...]]
"""A weight's name there, a view of it in the model here, and its shape there.

The view has as many numbers as the shape, in the same order: reading it exports, writing imports.
"""


def correspondence(model: Decoder) -> Iterator[Entry]:
    """Every weight of a model."""
    yield whole("model.embed_tokens.weight", model.embedding.weight)
    for layer, block in enumerate(cast("Any", model.blocks)):
        place = f"model.layers.{layer}"
        yield from _attention(f"{place}.self_attn", block.attention)
        if isinstance(block.feedforward, MixtureOfExperts):
            yield from _mixture(f"{place}.block_sparse_moe", block.feedforward)
        else:
            for part, name in (("gate", "gate_proj"), ("up", "up_proj"), ("output", "down_proj")):
                yield from _matrix(f"{place}.mlp.{name}", getattr(block.feedforward, part))
        norms = block.attention_residual.norm, block.feedforward_residual.norm
        yield whole(f"{place}.input_layernorm.weight", norms[0].weight)
        yield whole(f"{place}.post_attention_layernorm.weight", norms[1].weight)
    yield whole("model.norm.weight", cast("Any", model.norm).weight)
    if not model.config.tie_embeddings:
        yield whole(HEAD, model.output.weight)


def whole(name: str, weight: Tensor) -> Entry:
    """A weight that lies there as it does here."""
    return name, weight, tuple(weight.shape)


def _matrix(place: str, linear: nn.Module) -> Iterator[Entry]:
    """A matrix, and its offset where it has one."""
    for kind, weight in linear.named_parameters():
        yield whole(f"{place}.{kind}", weight)


def _attention(place: str, attention: Attention) -> Iterator[Entry]:
    heads = [attention.n_head, attention.n_kv_head, attention.n_kv_head]
    for kind, stacked in attention.qkv.named_parameters():  # weight, bias
        parts = stacked.unflatten(0, (-1, attention.head_dim)).split(heads)  # (H, D, ...) each
        for letter, rows in zip("qkv", parts, strict=True):
            shape = (rows.shape[0] * rows.shape[1], *rows.shape[2:])
            yield f"{place}.{letter}_proj.{kind}", rows if letter == "v" else halves(rows), shape
    yield from _matrix(f"{place}.o_proj", attention.output)


def _mixture(place: str, mixture: MixtureOfExperts) -> Iterator[Entry]:
    yield whole(f"{place}.gate.weight", mixture.router.weight)
    experts = cast("Any", mixture.experts)
    for theirs, ours in (("w1", experts.gate), ("w3", experts.up), ("w2", experts.output)):
        for number, weight in enumerate(ours.weight):
            yield whole(f"{place}.experts.{number}.{theirs}.weight", weight)


def halves(rows: Tensor) -> Tensor:
    """(H, D, ...) -> a view (H, 2, D/2, ...): first of each pair, then second of each pair."""
    return torch.unflatten(rows, 1, (-1, 2)).transpose(1, 2)


# In -----------------------------------------------------------------------------------------------


def import_run(
    folder: Path, store: RunStore, name: str | None = None, tokenizer: Path | None = None
) -> Run:
    """A new run with the model in a folder that transformers wrote, or `export`.

    It can be generated with, looked into, and trained further by a fork with data of the same
    tokens. Its tokenizer is `tokenizer`, or the one that `export` left in the folder; without
    either, token 17 is written ⟨17⟩ (`IdTokenizer`).

    Raises `CheckpointError` naming the file and what in it has no place here.
    """
    config = read_config(folder)
    pieces = _read_tokenizer(folder, tokenizer, cast("int", config.vocab_size))
    model = read_model(folder, config)
    run_config = RunConfig(model=config)

    def fill(new: Path) -> None:
        save_tokenizer(pieces, new / "tokenizer.json")
        save_weights(model, run_config, new / "step-000000")

    run = store.create(run_config, name or folder.resolve().name, fill=fill)
    run.append(Saved(step=0, name="step-000000"))
    run.append(Ended(how="stopped", step=0, reason="It was imported: weights alone."))
    return run


def read_config(folder: Path) -> ModelConfig:
    """The configuration here of the model in a folder. Raises `CheckpointError`."""
    path = folder / CONFIG
    values = read_values(path.resolve())  # other libraries keep their files as links
    try:
        return own_config(values)
    except ConfigError as error:
        raise CheckpointError(path, error) from None


def read_model(folder: Path, config: ModelConfig) -> TransformerLM:
    """The model in a folder, as `config` describes it, in fp32. Raises `CheckpointError`.

    Nothing is allocated before the files are known to fit.
    """
    needed = parameters(config)["total"] - len(config.moe_layers) * (config.n_experts or 0)
    try:
        size = sum(path.stat().st_size for path in shards.files(folder))
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

    weights = shards.read(folder, shapes, ignored)
    first = next(weights)  # all names and shapes are right, or this raises
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # first weights are drawn in vain
        model = TransformerLM.from_config(config)
        views = {name: view for name, view, _ in correspondence(model)}
        for name, weight in (first, *weights):
            views[name].copy_(weight.view(views[name].shape))
    head = shards.find(folder, HEAD) if config.tie_embeddings else None
    if head is not None and not torch.equal(head.float(), model.embedding.weight):
        reason = f"has an {HEAD} of its own, but tie_word_embeddings is true: must be false"
        raise CheckpointError(folder, reason)  # the other library would not tie them
    return model.eval()


_FREQUENCIES = re.compile(r"model\.layers\.\d{1,4}\.self_attn\.rotary_emb\.inv_freq")
"""RoPE's frequencies, which old versions stored too; the configuration says the same."""


def _read_tokenizer(folder: Path, given: Path | None, vocab_size: int) -> Tokenizer:
    path = folder / TOKENIZER if given is None else given
    if given is None and not path.is_file():
        return IdTokenizer(vocab_size)
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
