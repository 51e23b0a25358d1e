"""Store a training state, and load it bit for bit.

    step-000500/model.safetensors       every weight once; with `ema_decay`, their average
                last.safetensors        only with `ema_decay`: the weights themselves, which training goes on from
                optimizer.safetensors   the optimizer's averages and step count of every weight
                state.json              configuration, counters, generators, loss scale

So whatever reads `model.safetensors` has the model that was evaluated.

Tensors are stored as safetensors, not pickle, so reading a file executes nothing. A checkpoint is written
into a temporary folder, synced to disk and renamed: it exists completely or not at all. Reading validates
everything: names, shapes and types are compared with the model's before memory is allocated, and a
mismatch is a `CheckpointError` with the file and the reason.
"""

from __future__ import annotations

import base64
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.config import ModelConfig, RunConfig
from engine.data.base import Data
from engine.distributed.ranks import ALONE, Ranks
from engine.distributed.sharding import part_like, placed, unshard
from engine.estimate import parameters
from engine.files import check_stored, is_stored, sync_folder
from engine.model.build import build
from engine.model.decoder import Decoder
from engine.runs.states import STATE, CheckpointError, config_of, count_of, read_state
from engine.tokenizers import Tokenizer, TokenizerError, load_tokenizer
from engine.training.average import WeightAverage
from engine.training.devices import prepare
from engine.training.loop import LossScale, TrainState
from engine.training.optim import Optimizer, make_optimizer
from engine.validation import ConfigError

OLD_AVERAGES = {"mean": "exp_avg", "square": "exp_avg_sq", "velocity": "momentum_buffer"}
OLD_NORMS = {"gain": "weight", "offset": "bias"}

MODEL, LAST, OPTIMIZER = "model.safetensors", "last.safetensors", "optimizer.safetensors"

# Writing -----------------------------------------------------------------------------------------


def save(state: TrainState, folder: Path) -> None:
    """Store everything that training resumes from. `folder` then exists completely or not at all.

    Replaces a checkpoint of the same name. Raises `OSError` if the disk is full or read-only. With several
    processes, all take part in `contents` and the first one writes. The files do not depend on the number
    of processes.
    """
    weights, averages = contents(state)
    if not state.ranks.leads:
        return
    values = {
        "config": state.config.model_dump(mode="json"),
        "vocab_size": state.model.config.vocab_size,
        "step": state.step,
        "tokens": state.tokens,
        "loss_scale": None if state.scale is None else asdict(state.scale),
        "averaged": None if state.average is None else state.average.updates,
        "threads": torch.get_num_threads(),
        "data": state.data.state(),
        "generators": _generators(state.device),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        if state.average is None:
            write_synced(temporary / MODEL, safetensors_bytes(weights))
        else:
            write_synced(
                temporary / MODEL, safetensors_bytes(dict(state.average.model.named_parameters()))
            )
            write_synced(temporary / LAST, safetensors_bytes(weights))
        write_synced(temporary / OPTIMIZER, safetensors_bytes(averages))
        write_synced(temporary / STATE, json.dumps(values, allow_nan=False).encode())
        sync_folder(temporary)
        replace_folder(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def contents(state: TrainState) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All weights and all averages of the optimizer, unsharded; only in the first process.

    All processes must call it at the same moment.
    """
    return unsharded_weights(state), _unsharded(averages(state.optimizer), state.ranks)


def averages(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's averages and step counts, such as `exp_avg.<parameter>` and `step.<parameter>`."""
    found: dict[str, Tensor] = {}
    for name, parameter in optimizer.named_parameters().items():
        remembered = optimizer.state[parameter]
        found[f"step.{name}"] = torch.tensor(float(remembered["step"]))
        found |= {f"{kind}.{name}": value for kind, value in remembered.items() if kind != "step"}
    return found


@torch.no_grad()
def _set_averages(optimizer: Optimizer, stored: Mapping[str, Tensor]) -> None:
    """Take over what `averages` returned."""
    for name, parameter in optimizer.named_parameters().items():
        remembered = optimizer.state[parameter]
        remembered["step"] = int(stored[f"step.{name}"])
        for kind in remembered.keys() - {"step"}:
            remembered[kind].copy_(part_like(stored[f"{kind}.{name}"], remembered[kind]))


def unsharded_weights(state: TrainState) -> dict[str, Tensor]:
    """All weights, unsharded; only in the first process. All must call it at the same moment."""
    return _unsharded(dict(state.model.named_parameters()), state.ranks)


def _unsharded(tensors: Mapping[str, Tensor], ranks: Ranks) -> dict[str, Tensor]:
    """Gather sharded tensors one by one, so that the device holds at most one complete tensor."""
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        value = unshard(tensor)
        if ranks.leads:
            found[name] = value.cpu()
    return found


def save_weights(model: Decoder, config: RunConfig, folder: Path) -> None:
    """Store only weights, as step 0 of a run: for generation, inspection and forks.

    Creates `folder`, which must not exist: for a run that is being created. Raises `OSError`.
    """
    folder.mkdir()
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    values = {
        "config": config.model_dump(mode="json"),
        "vocab_size": model.config.vocab_size,
        "step": 0,
        "tokens": 0,
    }
    write_synced(folder / MODEL, safetensors_bytes(weights))
    write_synced(folder / STATE, json.dumps(values, allow_nan=False).encode())


def safetensors_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a safetensors file."""
    on_cpu = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(on_cpu, metadata={"format": "pt"})


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and sync it to disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_folder(new: Path, old: Path) -> None:
    """Rename `new` to `old`, replacing it if it exists."""
    aside = old.with_name(f".{old.name}.{secrets.token_hex(4)}.old")
    if old.exists():
        old.rename(aside)
    new.rename(old)
    sync_folder(old.parent)
    shutil.rmtree(aside, ignore_errors=True)


def clear_leftovers(folder: Path) -> None:
    """Remove the leftovers of interrupted saves from a run's folder."""
    for aside in folder.glob(".step-*.old"):  # killed while a checkpoint was being replaced
        name = folder / aside.name[1:].partition(".")[0]
        if not name.exists():
            aside.rename(name)
    for leftover in folder.glob(".step-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _generators(device: torch.device) -> dict[str, str]:
    """The states of PyTorch's random generators that this run uses."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return {name: base64.b64encode(bytes(state.numpy())).decode() for name, state in states.items()}


# Reading -----------------------------------------------------------------------------------------


def load(
    folder: Path, data: Data, *, fresh_optimizer: bool = False, ranks: Ranks = ALONE
) -> TrainState:
    """Load the training state that `save` stored. Restores PyTorch's global generators.

    The number of processes may differ from that of `save`.

    Args:
        folder: the checkpoint.
        data: of the same configuration; its generator is restored.
        fresh_optimizer: accept a checkpoint without optimizer averages, for a fork of a shipped run.
        ranks: the processes that continue; each reads the files.

    Raises:
        CheckpointError: a damaged or mismatched file, with the reason.
        ConfigError: the device or precision of the run is not available.
    """
    values = read_state(folder)
    config = config_of(folder, values)
    device = prepare(config.train, ranks)
    resumed = is_stored(folder / LAST) or is_stored(folder / OPTIMIZER) or not fresh_optimizer
    model, stored_average, updates = _read_models(folder, config, values, resumed)
    model = placed(model, device, ranks, config.train.parallel)
    average = None
    if config.train.ema_decay:
        average = WeightAverage(stored_average.to(device), updates)
    if model.config.vocab_size != (config.model.vocab_size or data.tokenizer.vocab_size):
        reason = f"has {model.config.vocab_size} tokens, the data has {data.tokenizer.vocab_size}"
        raise CheckpointError(folder / MODEL, reason)
    optimizer = make_optimizer(model, config.train)
    if is_stored(folder / OPTIMIZER) or not fresh_optimizer:
        _set_averages(optimizer, _read_averages(folder, values, optimizer))
    state = TrainState(
        config=config,
        model=model,
        optimizer=optimizer,
        data=data,
        device=device,
        scale=_loss_scale(folder, values) if config.train.dtype == "fp16" else None,
        average=average,
        step=count_of(folder, values, "step"),
        tokens=count_of(folder, values, "tokens"),
        ranks=ranks,
    )
    if values.get("data") is not None:
        try:
            data.load_state(values["data"])
        except (ValueError, TypeError) as error:
            raise CheckpointError(folder / STATE, f"data: {error}") from None
    _set_generators(folder, values.get("generators"), config.train.seed, device)
    return state


def load_model(
    folder: Path, device: torch.device | str = "cpu"
) -> tuple[Decoder, Tokenizer, RunConfig]:
    """Load only the weights, in evaluation mode, with the tokenizer and configuration of the run.

    With `ema_decay`, they are the averaged ones.

    Does not change PyTorch's generators. Raises `CheckpointError`.
    """
    values = read_state(folder)
    config = config_of(folder, values)
    model = _read_model(folder, _model_config(folder, config, values)).to(device).eval()
    path = folder.parent / "tokenizer.json"
    try:
        tokenizer = load_tokenizer(path)
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    except TokenizerError as error:
        raise CheckpointError(path, error) from None
    if tokenizer.vocab_size > len(model.embedding.weight):
        reason = f"has {tokenizer.vocab_size} tokens, the model {len(model.embedding.weight)}"
        raise CheckpointError(path, reason)
    return model, tokenizer, config


def threads_of(folder: Path) -> int | None:
    """The number of CPU threads of the run: with another number, sums round differently."""
    threads = read_state(folder).get("threads")
    return threads if isinstance(threads, int) and 1 <= threads <= 1_024 else None


def _model_config(folder: Path, config: RunConfig, values: Mapping[str, Any]) -> ModelConfig:
    try:
        return ModelConfig.parse(
            config.model.model_dump() | {"vocab_size": count_of(folder, values, "vocab_size")}
        )
    except ConfigError as error:
        raise CheckpointError(folder / STATE, error) from None


def _loss_scale(folder: Path, values: Mapping[str, Any]) -> LossScale:
    stored = values.get("loss_scale")
    if stored is None:  # a fork that changed to fp16
        return LossScale()
    parts = cast("dict[str, Any]", stored) if isinstance(stored, dict) else {}
    scale = parts.get("scale")
    if not isinstance(scale, float) or not math.isfinite(scale) or scale <= 0:
        raise CheckpointError(folder / STATE, f"loss_scale = {stored!r}: must have a scale above 0")
    return LossScale(scale, count_of(folder, parts, "updates"))


def _read_model(folder: Path, config: ModelConfig, file: str = MODEL) -> Decoder:
    """The model with its stored weights. Allocates no memory before the file is validated."""
    path, weights_needed = folder / file, parameters(config)["total"]
    try:
        if check_stored(path) < 4 * weights_needed:
            raise CheckpointError(
                path, f"was cut short, or is not of a model of {weights_needed:,} weights"
            )
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    with torch.device("meta"):
        named = build(config).named_parameters()
        shapes = {name: weight.shape for name, weight in named}
    return built(config, _read_tensors(path, shapes))


def _read_models(
    folder: Path, config: RunConfig, values: Mapping[str, Any], resumed: bool
) -> tuple[Decoder, Decoder, int]:
    """The model to train, the average of its weights, and the updates in the average.

    If the run is not resumed, or has no average, both are the model in `MODEL`.
    """
    model_config = _model_config(folder, config, values)
    model = _read_model(folder, model_config)
    if values.get("averaged") is None or not resumed:
        return model, model, 0
    updates = count_of(folder, values, "averaged")
    return _read_model(folder, model_config, LAST), model, updates


def _read_averages(
    folder: Path, values: Mapping[str, Any], optimizer: Optimizer
) -> dict[str, Tensor]:
    """What `averages` returned when the checkpoint was saved."""
    shapes = {name: tensor.shape for name, tensor in averages(optimizer).items()}
    counts = dict[str, Tensor]()
    if "optimizer_steps" in values:  # an old file, with one count for all parameters
        steps = torch.tensor(float(count_of(folder, values, "optimizer_steps")))
        counts = {name: steps for name in shapes if name.startswith("step.")}
        shapes = {name: shape for name, shape in shapes.items() if name not in counts}
    return _read_tensors(folder / OPTIMIZER, shapes) | counts


def built(config: ModelConfig, weights: Mapping[str, Tensor]) -> Decoder:
    """Build a model on the CPU with these weights by name. Does not change PyTorch's generators."""
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, then overwritten
        model = build(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(weights[name])
    return model


def renamed(name: str) -> str:
    """The current name of a stored tensor; old files have other names."""
    kind, _, rest = name.partition(".")
    if kind in OLD_AVERAGES:
        name = f"{OLD_AVERAGES[kind]}.{rest}"
    stem, _, last = name.rpartition(".")
    return f"{stem}.{OLD_NORMS[last]}" if last in OLD_NORMS else name


def _read_tensors(path: Path, shapes: Mapping[str, Iterable[int]]) -> dict[str, Tensor]:
    """Read exactly these fp32 tensors, of these shapes, all finite. Raises `CheckpointError`."""
    try:
        check_stored(path)
        opened: Any = safe_open(path, "pt")
        with opened as file:
            stored = {renamed(name): name for name in file.keys()}  # noqa: SIM118
            for name in sorted(shapes.keys() - stored.keys()):
                raise CheckpointError(path, f"lacks {name}")
            for name in sorted(stored.keys() - shapes.keys()):
                raise CheckpointError(path, f"holds {name[:80]!r}, which does not belong to it")
            for name, shape in shapes.items():
                part = file.get_slice(stored[name])
                found, kind, wanted = tuple(part.get_shape()), part.get_dtype(), tuple(shape)
                if found != wanted or kind != "F32":
                    reason = f"{name} is {kind} {found}, the model needs F32 {wanted}"
                    raise CheckpointError(path, reason)
            tensors: dict[str, Tensor] = {name: file.get_tensor(stored[name]) for name in shapes}
    except OSError as error:
        raise CheckpointError(path, error.strerror or error) from None
    except SafetensorError as error:
        raise CheckpointError(
            path, f"is not a safetensors file, or was cut short: {error}"
        ) from None
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(path, f"{name} holds values that are not finite")
    return tensors


def _set_generators(folder: Path, stored: Any, seed: int, device: torch.device) -> None:
    """Restore PyTorch's generators; seed them if nothing is stored."""
    torch.manual_seed(seed)
    if stored is None:
        return
    try:
        states = {
            name: torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
            for name, text in dict(stored).items()
        }
        torch.set_rng_state(states["cpu"])
        if device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], device)
        if device.type == "mps" and "mps" in states:
            torch.mps.set_rng_state(states["mps"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(folder / STATE, f"generators: {error}") from None


# Pruning -----------------------------------------------------------------------------------------


def surplus(steps: Iterable[int], keep: int) -> list[int]:
    """The checkpoints to delete so that `keep` remain, spread evenly over the run.

    The first and the newest always remain. Of the others, the one whose neighbours are closest together
    is deleted (the earlier one of equals), until `keep` are left.
    """
    left, gone = sorted(steps), list[int]()
    while len(left) > max(2, keep):
        gaps = [after - before for before, after in zip(left, left[2:], strict=False)]
        gone.append(left.pop(1 + gaps.index(min(gaps))))
    return gone
