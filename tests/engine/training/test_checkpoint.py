"""Checkpoints: bit-exact, atomic, and suspicious of what they read."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from engine.config import RunConfig
from engine.data import make_data
from engine.runs.events import Stepped
from engine.tokenizers import save_tokenizer
from engine.training.checkpoint import (
    CheckpointError,
    averages,
    clear_leftovers,
    load,
    load_model,
    save,
    surplus,
    threads_of,
)
from engine.training.loop import LossScale, TrainState, new_state, train, update
from engine.training.optim import OPTIMIZERS
from tests.tools.options import AXES, ROUTED, TINY_RUN, VARIANTS

ROOT = Path(__file__).resolve().parents[3]

TINY = TINY_RUN | {"n_head": 4, "n_layer": 2, "total_steps": 8, "dropout": 0.1}

OPTIONS = [{axis: value} for axis, values in AXES.items() for value in values]
OPTIONS += [{**option, "bias_rate": 0.01} for option in (*ROUTED, *VARIANTS)]
OPTIONS += [{"optimizer": name} for name in OPTIMIZERS]
OPTIONS += [{"ema_decay": 0.7}, {"ema_decay": 0.9, "n_experts": 4, "bias_rate": 0.01}]
OPTIONS += [{"gradient_accumulation": 2}, {"schedule": "wsd", "max_grad_norm": 0.0}]
TRANSLATING = {"source": "numbers", "n_encoder_layer": 1, "n_layer": 1, "label_smoothing": 0.1}
OPTIONS += [
    TRANSLATING,
    TRANSLATING | {"batch_tokens": 100, "share_embeddings": False, "schedule": "inverse_sqrt"},
    TRANSLATING | {"n_experts": 2, "scale_embeddings": True, "gradient_accumulation": 2},
]


def state_of(**changes: Any) -> TrainState:
    config = RunConfig.from_flat(TINY | changes)
    return new_state(config, make_data(config))


def reload(folder: Path, **options: Any) -> TrainState:
    values = json.loads((folder / "state.json").read_bytes())
    return load(folder, make_data(RunConfig.parse(values["config"])), **options)


def losses(state: TrainState, steps: int) -> list[float]:
    stepped = (event for event in train(state) if isinstance(event, Stepped))
    return [event.loss for event in islice(stepped, steps)]


def everything(state: TrainState) -> dict[str, torch.Tensor]:
    weights = {name: w.detach().clone() for name, w in state.model.named_parameters()}
    if state.average is not None:
        averaged = state.average.model.named_parameters()
        weights |= {f"average.{name}": w.clone() for name, w in averaged}
        weights["average.updates"] = torch.tensor(state.average.updates)
    return weights | {name: t.clone() for name, t in averages(state.optimizer).items()}


def steps(state: TrainState) -> set[int]:
    """The counts of updates that the optimizer has of its parameters."""
    return {remembered["step"] for remembered in state.optimizer.state.values()}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_resuming_is_bit_exact(option: dict[str, Any], tmp_path: Path) -> None:
    whole = state_of(**option)
    first = losses(whole, 8)
    expected = everything(whole)

    half = state_of(**option)
    begun = losses(half, 4)
    save(half, tmp_path / "step-000004")
    torch.manual_seed(12345)
    torch.rand(7)
    resumed = reload(tmp_path / "step-000004")
    assert (resumed.step, resumed.tokens) == (half.step, half.tokens)
    assert begun + losses(resumed, 4) == first
    assert_same(everything(resumed), expected)
    assert (resumed.step, resumed.tokens) == (8, whole.tokens)
    assert max(steps(resumed)) == 8


def test_saving_disturbs_nothing(tmp_path: Path) -> None:
    quiet = losses(state_of(), 6)
    state = state_of()
    found: list[float] = []
    for step in range(6):
        save(state, tmp_path / f"step-{step:06d}")
        found += losses(state, 1)
    assert found == quiet


def test_what_changed_in_the_run_comes_back(tmp_path: Path) -> None:
    state = state_of()
    train_config = state.config.train.model_copy(update={"max_lr": 1e-3})
    state.config = state.config.model_copy(update={"train": train_config})
    state.scale = LossScale(scale=128.0, updates=3)
    save(state, tmp_path / "step-000000")
    assert reload(tmp_path / "step-000000").config == state.config
    stored = json.loads((tmp_path / "step-000000" / "state.json").read_bytes())
    assert stored["loss_scale"] == {"scale": 128.0, "updates": 3}
    assert threads_of(tmp_path / "step-000000") == torch.get_num_threads()


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    sizes: dict[bool, int] = {}
    for tied in (True, False):
        state = state_of(tie_embeddings=tied)
        save(state, tmp_path / str(tied))
        sizes[tied] = (tmp_path / str(tied) / "model.safetensors").stat().st_size
        again = reload(tmp_path / str(tied))
        assert (again.model.output.weight is again.model.embedding.weight) == tied
    assert sizes[False] - sizes[True] >= 4 * state_of().model.embedding.weight.numel()


def test_nothing_stored_is_pickle(tmp_path: Path) -> None:
    save(state_of(), tmp_path / "step-000000")
    names = sorted(p.name for p in (tmp_path / "step-000000").iterdir())
    assert names == ["model.safetensors", "optimizer.safetensors", "state.json"]


def test_saving_again_replaces(tmp_path: Path) -> None:
    state = state_of()
    save(state, tmp_path / "newest")
    update(state)
    save(state, tmp_path / "newest")
    assert_same(everything(reload(tmp_path / "newest")), everything(state))
    assert os.listdir(tmp_path) == ["newest"]


def test_a_failed_save_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = state_of()
    save(state, tmp_path / "step-000000")
    before = everything(state)
    update(state)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.training.checkpoint.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(state, tmp_path / "step-000000")
    assert os.listdir(tmp_path) == ["step-000000"]
    assert_same(everything(reload(tmp_path / "step-000000")), before)


def test_leftovers_are_cleared(tmp_path: Path) -> None:
    save(state_of(), tmp_path / "step-000000")
    (tmp_path / "step-000000").rename(tmp_path / ".step-000000.ab12.old")
    (tmp_path / ".step-000005.cd34").mkdir()
    (tmp_path / ".step-000005.cd34" / "model.safetensors").write_text("half")
    clear_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["step-000000"]


# Killed in the middle of a save

CHILD = """
import os, sys, time
from pathlib import Path
from engine.config import RunConfig
from engine.data import make_data
from engine.runs.events import Stepped
from engine.training import checkpoint, new_state, train

folder, slow = Path(sys.argv[1]), sys.argv[2]
config = RunConfig.from_json(sys.stdin.read())
state = new_state(config, make_data(config))
real, written = os.fsync, 0

def fsync(descriptor):
    global written
    real(descriptor)
    written += 1
    if state.step == 6 and written == int(slow):
        print("saving", flush=True)
        time.sleep(60)

os.fsync = fsync
for event in train(state):
    if isinstance(event, Stepped) and event.step in (3, 6):
        written = 0
        checkpoint.save(state, folder / f"step-{event.step:06d}")
"""


@pytest.mark.parametrize("file", ["1", "4"])
def test_kill_in_the_middle_of_a_save(file: str, tmp_path: Path) -> None:
    """After the first file is written, and after all are but before the folder has its name."""
    torch.set_num_threads(1)
    config = RunConfig.from_flat(TINY)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(config.to_json().encode())
    child.stdin.close()
    assert child.stdout.readline().strip() == b"saving"
    child.kill()  # as kill -9
    child.wait()
    child.stdout.close()

    names = sorted(os.listdir(tmp_path))
    assert "step-000003" in names and "step-000006" not in names and len(names) == 2
    clear_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["step-000003"]
    never_killed = state_of()
    expected = losses(never_killed, 8)[3:]
    resumed = reload(tmp_path / "step-000003")
    assert losses(resumed, 5) == expected
    assert_same(everything(resumed), everything(never_killed))


# Weights alone


def test_weights_alone(tmp_path: Path) -> None:
    state = state_of()
    update(state)
    folder = tmp_path / "step-000001"
    save(state, folder)
    save_tokenizer(state.data.tokenizer, tmp_path / "tokenizer.json")
    (folder / "optimizer.safetensors").unlink()

    generator = torch.get_rng_state()
    model, tokenizer, config = load_model(folder)
    assert torch.equal(torch.get_rng_state(), generator)
    assert not model.training and config == state.config
    assert tokenizer.pieces == state.data.tokenizer.pieces
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(model(ids), state.model.eval()(ids))

    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors"):
        reload(folder)
    fresh = reload(folder, fresh_optimizer=True)
    assert fresh.step == 1 and steps(fresh) == {0}
    assert not averages(fresh.optimizer)["exp_avg.embedding.weight"].any()


def test_a_stored_model_is_the_average_and_training_goes_on_from_the_last_weights(
    tmp_path: Path,
) -> None:
    state, folder = state_of(ema_decay=0.8), tmp_path / "step-000003"
    losses(state, 3)
    save(state, folder)
    save_tokenizer(state.data.tokenizer, tmp_path / "tokenizer.json")
    assert state.average is not None
    averaged = dict(state.average.model.named_parameters())
    assert not torch.equal(averaged["norm.weight"], state.model.norm.weight)
    for name, weight in load_model(folder)[0].named_parameters():
        assert torch.equal(weight, averaged[name])
    stored = safetensors.torch.load_file(folder / "last.safetensors")
    for name, weight in state.model.named_parameters():
        assert torch.equal(weight, stored[name])

    # A fork without an average goes on from the last weights, and one that begins to average as well.
    for before, after in ((0.8, 0.0), (0.0, 0.8)):
        state = state_of(ema_decay=before)
        losses(state, 3)
        save(state, folder)
        values = json.loads((folder / "state.json").read_bytes())
        values["config"]["train"]["ema_decay"] = after
        (folder / "state.json").write_text(json.dumps(values))
        changed = reload(folder, fresh_optimizer=True)
        assert_same(dict(changed.model.named_parameters()), dict(state.model.named_parameters()))
        assert (changed.average is None) == (after == 0)
        if changed.average is not None:
            assert changed.average.updates == 0
            losses(changed, 1)  # the first update is all that the average holds
            ours = dict(changed.average.model.named_parameters())
            assert_same(ours, dict(changed.model.named_parameters()))


def test_a_shipped_average_is_trained_further(tmp_path: Path) -> None:
    """Without the optimizer's averages and the last weights, a fork has the average alone."""
    state, folder = state_of(ema_decay=0.8), tmp_path / "step-000003"
    losses(state, 3)
    save(state, folder)
    (folder / "last.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"last\.safetensors"):
        reload(folder, fresh_optimizer=True)
    (folder / "optimizer.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"last\.safetensors"):
        reload(folder)
    fork = reload(folder, fresh_optimizer=True)
    assert state.average is not None and fork.average is not None
    assert_same(dict(fork.model.named_parameters()), dict(state.average.model.named_parameters()))
    assert fork.average.updates == 0


def test_a_missing_or_broken_tokenizer_is_named(tmp_path: Path) -> None:
    save(state_of(), tmp_path / "step-000000")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_model(tmp_path / "step-000000")
    (tmp_path / "tokenizer.json").write_text('{"type": "magic"}')
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_model(tmp_path / "step-000000")


# Files that are not what they should be


def edit(**changes: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "state.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return apply


def edit_config(part: str, **changes: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "state.json"
        values = json.loads(path.read_text())
        values["config"][part] |= changes
        path.write_text(json.dumps(values))

    return apply


def cut(name: str, share: float) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return apply


def replace(name: str, content: bytes) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return apply


def tensors(name: str, **changes: torch.Tensor | None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        stored = safetensors.torch.load_file(folder / name)
        for key, tensor in changes.items():
            key = key.replace("__", ".")
            if tensor is None:
                del stored[key]
            else:
                stored[key] = tensor
        safetensors.torch.save_file(stored, folder / name)

    return apply


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def folder_at(name: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return apply


def pipe_at(name: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return apply


def link_at(name: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).rename(folder.parent / name)
        (folder / name).symlink_to(folder.parent / name)

    return apply


def run_config(**changes: Any) -> Callable[[Path], None]:
    """The run's own configuration says something else than the checkpoint's."""
    config = RunConfig.from_flat(TINY | changes)
    return lambda folder: (folder.parent / "config.json").write_text(config.to_json()) and None


FILLING = b" " * 99_999
HUGE_HEADER = struct.pack("<Q", 2**60) + FILLING
HOLLOW = json.dumps(
    {"embedding.weight": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}
).encode()

M, A, S = "model.safetensors", "optimizer.safetensors", "state.json"
L = "last.safetensors"
HOSTILE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "no model": (M, remove(M), "No such file"),
    "no state": (S, remove(S), "No such file"),
    "no optimizer": (A, remove(A), "No such file"),
    "model cut": (M, cut(M, 0.5), "cut short"),
    "model empty": (M, cut(M, 0), "cut short"),
    "optimizer cut": (A, cut(A, 0.9), "cut short"),
    "state cut": (S, cut(S, 0.5), "cut short"),
    "state empty": (S, cut(S, 0), "cut short"),
    "state a list": (S, replace(S, b"[]"), "not a JSON object"),
    "state binary": (S, replace(S, b"\xff\xfe\x00"), "not a JSON object"),
    "state deep": (S, replace(S, b"[" * 100_000), "not a JSON object"),
    "state large": (S, replace(S, b" " * (1 << 21)), "larger than"),
    "pickle": (M, replace(M, b"\x80\x04\x95magic" * 9_999), "not a safetensors file"),
    "huge header": (M, replace(M, HUGE_HEADER), "not a safetensors file"),
    "hollow": (
        M,
        replace(M, struct.pack("<Q", len(HOLLOW)) + HOLLOW + FILLING),
        "not a safetensors file",
    ),
    "wrong shape": (M, tensors(M, norm__weight=torch.zeros(3)), "the model needs F32 (16,)"),
    "wrong type": (M, tensors(M, norm__weight=torch.zeros(16).half()), "norm.weight is F16"),
    "missing": (M, tensors(M, norm__weight=None), "lacks norm.weight"),
    "extra": (M, tensors(M, more=torch.zeros(1)), "holds 'more'"),
    "nan": (M, tensors(M, norm__weight=torch.full((16,), torch.nan)), "not finite"),
    "foreign optimizer": (A, tensors(A, exp_avg__norm__weight=None), "lacks exp_avg.norm.weight"),
    "no config": (S, edit(config=None), "lacks config"),
    "nan config": (S, edit_config("train", max_lr=float("nan")), "not a JSON object"),
    "unknown field": (S, edit_config("model", magic=1), "magic = 1: is not the name of a field"),
    "deeper": (M, edit_config("model", n_layer=3), "not of a model of"),
    "other model": (M, edit_config("model", norm="none"), "does not belong to it"),
    "vast model": (M, edit_config("model", d_model=65_536, n_layer=512), "not of a model of"),
    "no vocabulary": (S, edit(vocab_size=None), "vocab_size = None"),
    "one token": (S, edit(vocab_size=1), "vocab_size = 1: must be at least 2"),
    "negative step": (S, edit(step=-1), "step = -1"),
    "step text": (S, edit(step="5"), "step = '5'"),
    "another step": (S, edit(step=5), "step = 5: must be 0, as its folder"),
    "a step beyond counting": (S, edit(step=2**63 - 1), "step = 9223372036854775807: must be at"),
    "tokens beyond counting": (S, edit(tokens=2**64), "tokens = 18446744073709551616: must be"),
    "a folder": (S, folder_at(S), "is a folder, not a file"),
    "a pipe": (M, pipe_at(M), "is a pipe or a device, not a file"),
    "a pipe beside": (A, pipe_at(A), "is a pipe or a device, not a file"),
    "a link": (M, link_at(M), "is a link, not a file"),
    "another run's model": (S, run_config(n_layer=3), "n_layer = 2: must be 3, as in the run's"),
    "bad data state": (S, edit(data={"generator": 5}), "data: "),
    "bad generators": (S, edit(generators={"cpu": "AAAA"}), "generators: "),
    "odd generators": (S, edit(generators=[1]), "generators: "),
    "average without weights": (L, edit(averaged=3), "No such file"),
    "average of no count": (S, edit(averaged=-1), "averaged = -1: must be a whole number"),
}


@pytest.mark.case("R21")
@pytest.mark.parametrize("case", HOSTILE)
def test_what_does_not_fit_is_refused(case: str, tmp_path: Path) -> None:
    file, damage, message = HOSTILE[case]
    state = state_of()
    folder = tmp_path / "step-000000"
    save(state, folder)
    damage(folder)
    with pytest.raises(CheckpointError) as caught:
        load(folder, state.data)
    assert message in str(caught.value)
    assert f"{folder.name}/{file}: " in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    save(state_of(), tmp_path / "step-000000")
    config = RunConfig.from_flat(TINY | {"source": "parity", "task_length": 4})
    with pytest.raises(CheckpointError, match="tokens, the data has"):
        load(tmp_path / "step-000000", make_data(config))


# Pruning


def test_pruning_keeps_the_ends_and_spreads_the_rest() -> None:
    assert surplus([0, 100, 200], 3) == []
    assert surplus([0, 100, 200, 300], 3) == [100]
    assert surplus([0, 100, 110, 300, 400], 4) == [100]
    assert surplus([5], 2) == [] and surplus([], 2) == []
    assert surplus([30, 10, 20], 2) == [20]


@pytest.mark.parametrize("keep", [2, 3, 7, 12])
def test_pruning_while_a_run_goes_on(keep: int) -> None:
    kept: list[int] = []
    for step in range(0, 10_001, 100):
        kept.append(step)
        for gone in surplus(kept, keep):
            kept.remove(gone)
        assert len(kept) <= keep and kept[0] == 0 and kept[-1] == step
    gaps = [after - before for before, after in pairwise(kept)]
    if keep > 3:
        assert max(gaps) <= 4 * 10_000 / (keep - 1)


# Older versions


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_a_checkpoint_of_an_earlier_version_goes_on(name: str, tmp_path: Path) -> None:
    """It names norms and averages in another way, and has one count of updates."""
    folder = Path(__file__).parent / "stored" / f"checkpoint-{name}"
    state = reload(folder / "step-000003")
    assert state.step == 3 and steps(state) == {3}
    assert losses(state, 4) == pytest.approx(json.loads((folder / "losses.json").read_bytes()))
    save(state, tmp_path / "step-000007")
    again = reload(tmp_path / "step-000007")
    assert_same(everything(again), everything(state))
    for file in ("model.safetensors", "optimizer.safetensors"):
        names = safetensors.torch.load_file(tmp_path / "step-000007" / file).keys()
        assert not [n for n in names if n.endswith((".gain", ".offset")) or n.startswith("mean.")]
