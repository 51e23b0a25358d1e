"""Observed values equal the values that the model computes."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.inspection import observe
from engine.model.context import Edit, Trace
from engine.model.decoder import TransformerLM
from engine.model.positions import POSITIONS
from engine.runs import snapshots

VOCABULARY = 23
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7]

OPTIONS: dict[str, dict[str, Any]] = {name: {"position": name} for name in POSITIONS} | {
    "post-norm": {"placement": "post"},
    "grouped queries": {"n_kv_head": 2},
    "layernorm, biases": {"norm": "layernorm", "bias": True},
    "dropout": {"dropout": 0.4},
    "untied": {"tie_embeddings": False},
}


@pytest.fixture(params=OPTIONS, scope="module")
def model(request: pytest.FixtureRequest) -> TransformerLM:
    """A model with large random weights, so that attention is far from uniform."""
    torch.manual_seed(0)
    model = TransformerLM(
        vocab_size=VOCABULARY,
        d_model=32,
        n_head=4,
        n_layer=3,
        max_seq_len=32,
        **OPTIONS[request.param],
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.25 * torch.randn_like(weight))
    return model.eval()


@pytest.fixture
def trace(model: TransformerLM) -> Trace:
    return observe.trace_sequence(model, IDS)


def own_distribution(model: TransformerLM) -> np.ndarray:
    """The model's logits without a trace: (T, V)."""
    with torch.no_grad():
        return model(torch.tensor([IDS])).softmax(-1)[0].numpy()


def test_rows_of_attention_sum_to_one_and_never_look_ahead(model: TransformerLM, trace: Trace):
    weights = observe.attention_maps(trace, 3)
    assert weights.shape == (3, 4, len(IDS), len(IDS))
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert (np.triu(weights, 1) == 0).all()
    assert weights.max() > 0.5, "the weights of this model should not be even"


def test_a_traced_pass_gives_the_untraced_logits(model: TransformerLM, trace: Trace):
    np.testing.assert_allclose(
        trace["logits"][0].softmax(-1).numpy(), own_distribution(model), atol=1e-5
    )


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer, head, query", [(0, 0, 0), (0, 3, 13), (1, 2, 7), (2, 1, 12)])
def test_the_stages_lead_from_q_and_k_to_the_heads_output(
    trace: Trace, layer: int, head: int, query: int
):
    found = observe.attention_stages(trace, layer, head, query)
    width = len(found.query)
    close(found.products, found.keys @ found.query)
    close(found.scaled, found.products / np.sqrt(width))
    scores = found.scaled + found.bias
    past = np.arange(len(IDS)) <= query
    close(found.masked[past], scores[past])
    assert np.isneginf(found.masked[~past]).all()
    powers = np.exp(found.masked - found.masked.max())
    close(found.weights, powers / powers.sum())
    close(found.weighted, found.weights[:, None] * found.values)
    close(found.output, found.weighted.sum(0))


def test_only_alibi_adds_something_to_the_scores(model: TransformerLM, trace: Trace):
    bias = observe.attention_stages(trace, 1, 1, 9).bias[:10]
    if model.config.position == "alibi":
        assert (np.diff(bias) > 0).all(), "near keys are penalised least"
    else:
        assert (bias == 0).all()


def test_a_head_or_query_that_is_not_there_is_an_error(trace: Trace):
    for layer, head, query in [(0, 4, 0), (0, 0, len(IDS)), (0, -1, 0)]:
        with pytest.raises(IndexError):
            observe.attention_stages(trace, layer, head, query)
    with pytest.raises(KeyError):
        observe.attention_stages(trace, 3, 0, 0)


def test_the_logit_lens_ends_in_the_models_own_distribution(model: TransformerLM, trace: Trace):
    stages = np.stack(list(observe.logit_lens(model, trace)))
    assert stages.shape == (7, len(IDS), VOCABULARY)
    np.testing.assert_allclose(stages.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(stages[-1], own_distribution(model), atol=1e-5)
    assert np.abs(stages[0] - stages[-1]).max() > 0.05


def test_without_any_head_attention_adds_nothing(model: TransformerLM):
    every = [(layer, head) for layer in range(3) for head in range(4)]
    silent = observe.logits_without_heads(model, IDS, every)
    # With all heads at zero, only the bias of the attention's output matrix remains.
    edits: dict[str, Edit] = {}
    for layer in range(3):
        place = f"blocks.{layer}.attention.output"
        bias = dict(model.named_parameters()).get(f"{place}.bias", torch.zeros(32))
        edits[place] = lambda x, bias=bias: bias.expand_as(x)
    with torch.no_grad():
        cut = model.run(torch.tensor([IDS]), trace=Trace((), edits)).logits[0].numpy()
    np.testing.assert_allclose(silent, cut, atol=1e-4)


def test_the_effect_of_a_head(model: TransformerLM):
    none = observe.head_effect(model, IDS, [])
    np.testing.assert_allclose(none.before, own_distribution(model), atol=1e-5)
    np.testing.assert_array_equal(none.before, none.after)
    one = observe.head_effect(model, IDS, [(1, 2)])
    two = observe.head_effect(model, IDS, [(1, 2), (1, 0)])
    assert np.abs(one.after - one.before).max() > 1e-3
    assert np.abs(two.after - one.after).max() > 1e-3, "heads of one layer can go together"
    targets = np.array(IDS[1:])
    expected = -np.log(one.after[np.arange(len(targets)), targets])
    np.testing.assert_allclose(one.losses_after, expected, rtol=1e-3, atol=1e-4)
    for wrong in [(3, 0), (0, 4), (-1, 0)]:
        with pytest.raises(ValueError, match="not in this model"):
            observe.head_effect(model, IDS, [wrong])


def test_a_probe_holds_the_rounded_attention_and_changes_nothing(model: TransformerLM):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    snapshot = observe.probe(model, IDS, step=70)
    assert model.training, "the model comes back in the mode it was in"
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.eval()
    trace = observe.trace_sequence(model, IDS)
    weights = observe.attention_maps(trace, 3)
    assert snapshot.step == 70
    assert snapshot.tokens.tolist() == IDS
    assert np.abs(snapshots.dequantise(snapshot.attention) - weights).max() <= 1 / 510 + 1e-6
    stream = trace["blocks.2.feedforward.residual"][0]
    np.testing.assert_allclose(
        snapshot.norms[-1], stream.square().mean(-1).sqrt().numpy(), rtol=1e-4
    )
    targets = np.array(IDS[1:])
    expected = -np.log(own_distribution(model)[np.arange(len(targets)), targets])
    np.testing.assert_allclose(snapshot.losses, expected, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def small() -> TransformerLM:
    torch.manual_seed(1)
    return TransformerLM(vocab_size=VOCABULARY, d_model=16, n_head=2, n_layer=2, max_seq_len=64)


def test_a_probe_reads_as_much_as_fits(small: TransformerLM):
    assert len(observe.probe(small, [1] * 60).tokens) == observe.RECORDED_TOKENS
    assert observe.probe(small, [1]).losses.shape == (0,)
    with pytest.raises(ValueError, match="0 tokens"):
        observe.probe(small, [])
    with pytest.raises(ValueError, match="65 tokens"):
        observe.trace_sequence(small, [1] * 65)


def test_a_probe_every_ten_steps_is_a_small_share_of_training(small: TransformerLM):
    """At most 2% of training time; the bound here is loose, because tests share the CPU (see benchmarks/)."""
    torch.manual_seed(0)
    model = TransformerLM(vocab_size=65, d_model=64, n_head=4, n_layer=2, max_seq_len=64)
    tokens = torch.randint(65, (32, 64))
    ids = tokens[0].tolist()

    def seconds(action) -> float:
        began = time.process_time()  # of this process alone: others may keep the machine busy
        action()
        return time.process_time() - began

    def train() -> None:
        torch.nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()

    pairs = [(seconds(train), seconds(lambda: observe.probe(model, ids))) for _ in range(12)]
    step, probe = np.median(pairs[2:], axis=0)
    assert probe / 10 / step < 0.03


# Patterns ------------------------------------------------------------------------------------------


def perfect(targets: list[int]) -> np.ndarray:
    """Attention of one head on exactly one key per query: (1, 1, T, T)."""
    return np.eye(len(targets), dtype=np.float32)[targets][None, None]


@pytest.mark.parametrize(
    "name, tokens, targets",
    [
        ("itself", [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        ("previous", [0, 1, 2, 3, 4, 5], [0, 0, 1, 2, 3, 4]),
        ("first", [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 0]),
        ("repeat", [9, 0, 1, 2, 3, 0, 1, 2, 3], [0, 0, 0, 0, 0, 2, 3, 4, 5]),
        ("same", [9, 0, 1, 2, 3, 0, 1, 2, 3], [0, 0, 0, 0, 0, 1, 2, 3, 4]),
    ],
)
def test_a_perfect_head_is_recognised(name: str, tokens: list[int], targets: list[int]):
    shares = observe.head_patterns(perfect(targets), tokens)[0, 0]
    which = observe.PATTERNS.index(name)
    assert shares.argmax() == which
    assert shares[which] == pytest.approx(1)


def test_even_attention_has_no_pattern():
    even = np.tril(np.ones((8, 8), np.float32))
    even /= even.sum(-1, keepdims=True)
    tokens = [0, 1, 2, 0, 1, 2, 0, 1]
    assert observe.head_patterns(even[None, None], tokens).max() < 1e-6
    assert observe.head_patterns(even[None, None, :1, :1], [0]).max() == 0
    assert observe.long_range_attention(even[None, None, :2, :2]).tolist() == [[0]]


def test_reach_prefers_a_head_that_looks_back():
    previous, back = perfect([0, 0, 1, 2, 3, 4, 5]), perfect([0, 0, 1, 1, 1, 1, 2])
    reach = observe.long_range_attention(np.concatenate([previous, back], axis=1))
    assert reach.tolist() == [[0, 1]]


# Files ---------------------------------------------------------------------------------------------


@pytest.fixture
def snapshot(small: TransformerLM) -> snapshots.Snapshot:
    return observe.probe(small, IDS, step=120)


def test_a_snapshot_survives_the_disk(snapshot: snapshots.Snapshot, tmp_path: Path):
    path = tmp_path / "step-000120.npz"
    snapshots.save(snapshot, path)
    again = snapshots.load(path)
    assert again.step == 120
    for name in ("tokens", "attention", "norms", "losses"):
        np.testing.assert_array_equal(getattr(again, name), getattr(snapshot, name))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "no temporary file is left"


def arrays_of(snapshot: snapshots.Snapshot) -> dict[str, Any]:
    return {
        name: np.asarray(getattr(snapshot, name))
        for name in ("step", "tokens", "attention", "norms", "losses")
    }


@pytest.mark.parametrize(
    "change",
    [
        {"attention": np.zeros((2, 2, 14, 13), np.uint8)},
        {"attention": np.zeros((2, 2, 14, 14), np.float64)},
        {"attention": np.zeros((0, 2, 14, 14), np.uint8)},
        {"attention": np.zeros((), np.uint8)},
        {"tokens": np.zeros((14, 1), np.int32)},
        {"tokens": np.zeros(0, np.int32)},
        {"tokens": np.array(["x"] * 14)},
        {"tokens": np.array([object()] * 14)},
        {"norms": np.zeros((4, 14), np.float32)},
        {"losses": np.zeros(14, np.float32)},
        {"step": np.array([1, 2])},
    ],
    ids=lambda change: " ".join(f"{k} {v.dtype} {v.shape}" for k, v in change.items()),
)
def test_a_wrong_array_is_refused(snapshot: snapshots.Snapshot, tmp_path: Path, change: dict):
    path = tmp_path / "wrong.npz"
    np.savez(path, **{**arrays_of(snapshot), **change})
    with pytest.raises(ValueError, match=r"wrong\.npz"):
        snapshots.load(path)


def test_a_header_that_promises_terabytes_takes_no_memory(
    snapshot: snapshots.Snapshot, tmp_path: Path
):
    path = tmp_path / "huge.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 20, 1 << 20)}
    )
    snapshots.save(snapshot, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, header.getvalue() if name == "attention.npy" else data)
    with pytest.raises(ValueError, match="header"):
        snapshots.load(path)


def test_compressed_missing_or_foreign_files_are_refused(
    snapshot: snapshots.Snapshot, tmp_path: Path
):
    path = tmp_path / "file.npz"
    np.savez_compressed(path, **arrays_of(snapshot))
    with pytest.raises(ValueError, match="compressed"):
        snapshots.load(path)
    arrays = arrays_of(snapshot)
    del arrays["losses"]
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match="losses"):
        snapshots.load(path)
    path.write_bytes(b"PK not an archive")
    with pytest.raises(ValueError, match="not a snapshot"):
        snapshots.load(path)
    with pytest.raises(OSError):
        snapshots.load(tmp_path / "absent.npz")


def test_a_damaged_file_is_a_value_error_wherever_it_is_damaged(
    snapshot: snapshots.Snapshot, tmp_path: Path
):
    path = tmp_path / "damaged.npz"
    snapshots.save(snapshot, path)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(400):
        data = bytearray(whole[: generator.integers(len(whole) // 2, len(whole) + 1)])
        for place in generator.integers(0, len(data), 3):
            data[place] = generator.integers(256)
        path.write_bytes(data)
        try:
            snapshots.load(path)
        except ValueError:
            continue
