"""The tab Tokens, the server's side: texts cut, byte pairs learned, batches with losses, embeddings."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from engine.data.base import IGNORE
from engine.tokenizers import BPETokenizer
from playground.runs import models, run_lookup
from playground.tabs.tokens import batches, embeddings
from playground.tabs.tokens import server as tokens


def unpacked(text: str, kind: Any = np.int32) -> Any:
    return np.frombuffer(base64.b64decode(text), kind)


# Texts and byte pairs


def test_what_is_learned_is_the_engines_tokenizer() -> None:
    answer = tokens.learn("own", "low lower lowest\n" * 5, 262)
    merges = unpacked(answer["merges"]).reshape(-1, 5)
    ours = BPETokenizer.train("low lower lowest\n" * 5, 262)
    assert answer["size"] == ours.vocab_size == 262
    assert merges[:, 2].tolist() == [256, 257, 258, 259, 260, 261]
    left, right, new, count, merged = merges[0].tolist()
    assert (bytes([left, right]), new, count, merged) == (ours.tokens[256], 256, 15, 15)
    assert answer["bytes"] - merges[:, 4].sum() == len(ours.encode("low lower lowest\n" * 5))


def test_a_text_is_cut_by_every_tokenizer() -> None:
    key = tokens.learn("stories", None, 400)["key"]
    text = "Once 从前 👩‍🚀"
    answer = tokens.cut(text, key, "stories")
    assert unpacked(answer["bytes"], np.uint8).tobytes().decode() == text
    assert len(unpacked(answer["closed"])) == len(text.encode()) - 1
    rows = answer["rows"]
    assert rows["char"]["starts"][:6] == [0, 1, 2, 3, 4, 5]
    assert rows["char"]["ids"][5] is None  # 从 is not in the stories
    assert rows["run"]["name"] == "Stories" and rows["run"]["kind"] == "char"
    assert rows["word"]["ids"][0] is not None and rows["word"]["starts"][1] == 4


@pytest.mark.parametrize(
    ("source", "text", "size", "said"),
    [
        ("novels", None, 400, "novels"),
        ("own", "short", 400, "the minimum is"),
        ("own", None, 400, "the minimum is"),
        ("own", "x" * 1_000_001, 400, "1,000,000"),
        ("own", "a\ud800" * 20, 400, "U+D800"),
        ("stories", None, 256, "257"),
        ("stories", None, "many", "whole number"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    source: str, text: str | None, size: Any, said: str
) -> None:
    assert said in tokens.learn(source, text, size)["error"]


def test_what_cannot_be_cut_is_refused() -> None:
    key = tokens.learn("stories", None, 300)["key"]
    assert "at least one" in tokens.cut("", key)["error"]
    assert "U+DC00" in tokens.cut("a\udc00", key)["error"]
    assert tokens.cut("a", "no key")["gone"] is True
    long = tokens.cut("ab " * 900, key)
    assert len(long["text"]) == tokens.MAX_CUT and long["rest"]


# Batches


@pytest.mark.parametrize("run", ["stories", "translate-german"])
def test_the_losses_of_a_batch_are_the_models(run: str) -> None:
    answer = batches.batch(run, "valid", 1)
    shape = answer["rows"], answer["columns"]
    losses = unpacked(answer["losses"], np.float32).reshape(shape)
    inputs, targets = (unpacked(answer[name]).reshape(shape) for name in ("inputs", "targets"))
    assert (np.isnan(losses) == (targets == IGNORE)).all() and (
        losses[targets != IGNORE] >= 0
    ).all()
    if answer["read"] == 0:
        assert (inputs[:, 1:] == targets[:, :-1]).all()

    import torch

    from engine.training.loss import cross_entropy

    sources = answer["sources"]
    read = None if sources is None else unpacked(sources).reshape(shape[0], -1)
    with torch.inference_mode():
        logits = (
            models.load_any(run_lookup.find(run))
            .model.predict(
                torch.tensor(inputs).long(), None if read is None else torch.tensor(read).long()
            )
            .logits
        )
        mean = cross_entropy(logits, torch.tensor(targets).long())
    assert np.nanmean(losses) == pytest.approx(float(mean), rel=1e-5)
    assert set(targets.ravel().tolist()) - {IGNORE} <= {i for i, _ in answer["pieces"]}


def test_batches_are_those_that_training_draws() -> None:
    from engine.data import make_data

    data = make_data(run_lookup.find("stories").config)
    drawn = [data.batch(8).inputs for _ in range(3)]
    for number in (3, 1, 2):
        answer = batches.batch("stories", "train", number, 800)
        assert answer["step"] == 800
        assert (unpacked(answer["inputs"]).reshape(8, -1) == drawn[number - 1]).all()


def test_a_later_checkpoint_is_less_surprised() -> None:
    first, last = (
        np.nanmean(unpacked(batches.batch("stories", "valid", 1, step)["losses"], np.float32))
        for step in (0, run_lookup.find("stories").checkpoints()[-1].step)
    )
    assert last < first / 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"run": "nobody"}, "nobody"),
        ({"run": "stories", "part": "test"}, "part"),
        ({"run": "stories", "number": 0}, "number"),
        ({"run": "stories", "number": 10**6}, "number"),
        ({"run": "stories", "step": 3}, "no checkpoint of step 3"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    assert said in batches.batch(**arguments)["error"]


# Embeddings


def test_principal_directions_by_hand() -> None:
    """Points on a line through (3, 4), and a little beside it."""
    line = np.array([[3, 4], [-3, -4], [6, 8], [-6, -8]], np.float32)
    beside = np.array([[-0.08, 0.06], [0.08, -0.06], [0.08, -0.06], [-0.08, 0.06]], np.float32)
    directions = embeddings.principal_directions(line + beside)
    assert directions == pytest.approx(np.array([[0.6, 0.8], [0.8, -0.6]]), abs=0.02)


def test_points_keep_their_distances_in_the_two_directions() -> None:
    table = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    directions = embeddings.principal_directions(table)
    assert directions @ directions.T == pytest.approx(np.eye(2), abs=1e-5)
    variances = ((table - table.mean(0)) @ directions.T).var(0)
    exact = np.sort(np.linalg.eigvalsh(np.cov(table.T, bias=True)))[::-1]
    assert variances == pytest.approx(exact[:2], rel=1e-4)


def test_embeddings_of_a_run() -> None:
    answer = embeddings.project("translate-german", "tokens")
    assert answer["tables"] == ["tokens", "positions"]
    assert len(unpacked(answer["points"], np.float32)) == 2 * answer["count"]
    assert len(answer["names"]) == len(answer["kinds"]) == answer["count"]
    assert 0 < answer["share"] < 1
    early = embeddings.project("translate-german", "positions", 0)
    assert early["names"] is None and early["step"] == 0
    assert embeddings.project("stories")["tables"] == ["tokens"]
    assert "tokens" in embeddings.project("stories", "positions")["error"]


def test_neighbours_lie_in_the_most_similar_direction() -> None:
    table = np.array([[1, 0], [2, 0.1], [0, 1], [-1, 0]], np.float32)
    cosines = embeddings.cosine_similarities(table, 0)
    assert np.argsort(-cosines).tolist() == [1, 2, 3, 0]
    found = embeddings.neighbours("stories", "tokens", None, 30)["neighbours"]
    assert len(found) == embeddings.NEIGHBOURS and found[0][1] >= found[-1][1]
    assert 30 not in [point for point, _ in found]
    assert "point" in embeddings.neighbours("stories", "tokens", None, 10**6)["error"]
