"""Batches: right, repeatable, and never a held-out item among them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import RunConfig
from engine.data import (
    CORPORA,
    IGNORE,
    PAIRS,
    SOURCES,
    TASKS,
    Batch,
    Data,
    DataError,
    Task,
    make_data,
    reading,
)
from engine.data.base import spread
from engine.data.corpora.stories import EDITIONS, Edition, read_grammar, tell
from engine.data.corpora.stories import main as write_corpora
from engine.data.tasks import Induction, ModularAddition
from engine.data.tasks.counting import balanced
from engine.data.tasks.task import END
from engine.presets import PRESETS
from engine.tokenizers import BPETokenizer, IdTokenizer, Tokenizer
from engine.validation import ConfigError
from tests.tools.counting import calls

TEXT = "".join(f"line {i} of a text, which goes on.\n" for i in range(200))


def data_of(**changes: object) -> Data:
    return make_data(config_of(**changes))


def config_of(**changes: object) -> RunConfig:
    """A configuration; with an encoder where there is something to translate."""
    encoder = {"n_encoder_layer": 1} if changes.get("source") in PAIRS else {}
    return RunConfig.from_flat(encoder | changes)


def refused(field: str, **changes: object) -> str:
    """The message about this field when this data is asked for."""
    with pytest.raises(DataError) as caught:
        data_of(**changes)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.field == field == caught.value.problems[0].field
    assert caught.value.value == caught.value.problems[0].value
    assert str(caught.value).startswith(f"{field} = ")
    return caught.value.allowed


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write(content: str | bytes | np.ndarray, name: str = "own.txt") -> str:
        path = tmp_path / name
        if isinstance(content, np.ndarray):
            content.astype("<u2").tofile(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def same(one: Batch, other: Batch) -> bool:
    if (one.sources is None) != (other.sources is None):
        return False
    if one.sources is not None and not np.array_equal(one.sources, other.sources):
        return False
    return np.array_equal(one.inputs, other.inputs) and np.array_equal(one.targets, other.targets)


# Every source


@pytest.mark.parametrize("source", SOURCES)
class TestEverySource:
    def test_batches_have_the_promised_shape(self, source: str) -> None:
        data = data_of(source=source)
        for batch in (data.batch(5), next(data.validation(5, 1))):
            assert batch.inputs.shape == batch.targets.shape
            assert len(batch.inputs) == 5
            assert batch.inputs.dtype == batch.targets.dtype == np.int64
            assert 0 <= batch.inputs.min() <= batch.inputs.max() < data.tokenizer.vocab_size
            counted = batch.targets != IGNORE
            assert counted.any(axis=1).all()
            if source in PAIRS:  # as long as its longest pair; test_pairs reads the rows
                assert batch.sources is not None and len(batch.sources) == 5
                assert batch.inputs.shape[1] <= data.sequence_length
                continue
            assert batch.sources is None
            assert batch.inputs.shape[1] == data.sequence_length
            moved = batch.targets[:, :-1][counted[:, :-1]]
            assert np.array_equal(moved, batch.inputs[:, 1:][counted[:, :-1]])
        assert data.sequence_length <= 128

    def test_seed_fixes_the_batches(self, source: str) -> None:
        config = config_of(source=source, seed=7)
        one, other = make_data(config), make_data(config, 7)
        first = one.batch(8)
        assert same(first, other.batch(8))
        assert not same(first, one.batch(8))
        assert not same(first, make_data(config, 8).batch(8))

    def test_validation_is_always_the_same_and_disturbs_nothing(self, source: str) -> None:
        one, other = data_of(source=source), data_of(source=source, seed=1)
        before = one.state()
        held_out = list(one.validation(8, 4))
        assert one.state() == before
        one.batch(8)
        for again in (one.validation(8, 4), other.validation(8, 4)):
            assert all(same(a, b) for a, b in zip(held_out, again, strict=True))

    def test_resume_is_exact(self, source: str) -> None:
        data = data_of(source=source)
        data.batch(3)
        state = json.loads(json.dumps(data.state()))
        expected = [data.batch(3) for _ in range(3)]
        other = data_of(source=source, seed=5)
        other.load_state(state)
        assert all(same(batch, other.batch(3)) for batch in expected)
        assert other.state() == data.state()

    @pytest.mark.parametrize(
        "state",
        [
            {},
            {"generator": None},
            {"generator": {}},
            {"generator": {"bit_generator": "MT19937"}},
            {"generator": {"bit_generator": "PCG64", "state": {"state": "1", "inc": -1}}},
            {"generator": {"bit_generator": "PCG64", "state": {"state": 2**200, "inc": 1}}},
        ],
    )
    def test_a_foreign_state_is_refused(self, source: str, state: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="not the state of a data generator"):
            data_of(source=source).load_state(state)

    def test_prompts_and_probe_can_be_read_by_the_model(self, source: str) -> None:
        data = data_of(source=source)
        assert data.name == source
        assert 2 <= len(data.prompts) == len(set(data.prompts))
        for text in (*data.prompts, data.probe()):
            assert 1 <= len(data.tokenizer.encode(text)) <= data.sequence_length + 1
        assert data.probe() == data.probe()

    def test_vocab_size_may_be_larger_and_not_smaller(self, source: str) -> None:
        size = data_of(source=source).tokenizer.vocab_size
        assert data_of(source=source, vocab_size=size + 9).tokenizer.vocab_size == size
        allowed = refused("vocab_size", source=source, vocab_size=size - 1)
        assert allowed == f"must be at least {size}, the number of tokens of this data, or empty"


def test_sources_are_corpora_tasks_and_pairs() -> None:
    assert tuple(SOURCES) == (*CORPORA, *TASKS, *PAIRS)
    assert "copy" in refused("source", source="copied")


@given(st.integers(1, 500), st.integers(0, 600))
def test_spread_is_even(available: int, wanted: int) -> None:
    chosen = spread(available, wanted)
    assert len(chosen) == len(set(chosen.tolist())) == min(available, wanted)
    if len(chosen):
        assert chosen[0] == 0
        assert chosen[-1] < available
        gaps = np.diff(np.append(chosen, available))
        assert gaps.max() - gaps.min() <= 1


# Text


def test_text_is_split_at_its_end(write: Callable[..., str]) -> None:
    data = data_of(source="text", train_data_path=write(TEXT), valid_fraction=0.25)
    held_out = int(len(TEXT) * 0.25)
    assert data.train_tokens == len(TEXT) - held_out
    assert data.tokenizer.decode(data.train) + data.tokenizer.decode(data.valid) == TEXT
    assert data.valid.dtype == np.uint16
    assert data.name == "own"
    assert data.exact is False
    assert data.answer("line") is None
    assert data.end is None


def test_windows_come_from_the_training_part_and_reach_all_of_it(write: Callable[..., str]) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(100))
    data = data_of(source="text", train_data_path=write(text), max_seq_len=16, valid_fraction=0.2)
    batch = data.batch(2000)
    assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert np.array_equal(np.unique(batch.inputs[:, 0]), np.arange(80 - 16))
    assert batch.targets.max() == 79


def test_validation_predicts_each_token_once(write: Callable[..., str]) -> None:
    path = write("".join(chr(0x4E00 + i) for i in range(1000)))
    for max_seq_len, fraction in [(16, 0.1), (16, 0.113), (99, 0.1), (128, 0.1), (7, 0.002)]:
        data = data_of(
            source="text", train_data_path=path, max_seq_len=max_seq_len, valid_fraction=fraction
        )
        predicted = [
            target
            for batch in data.validation(3, None)
            for target in batch.targets.ravel().tolist()
            if target != IGNORE
        ]
        assert sorted(predicted) == data.valid[1:].tolist()
        assert data.tokenizer.vocab_size == 1000


def test_few_validation_steps_are_evenly_spaced(write: Callable[..., str]) -> None:
    path = write("".join(chr(0x4E00 + i) for i in range(1001)))
    data = data_of(source="text", train_data_path=path, max_seq_len=8, valid_fraction=0.5)
    firsts = np.concatenate([batch.inputs[:, 0] for batch in data.validation(4, 3)])
    assert len(firsts) == 12
    assert set(np.diff(firsts)) <= {40, 48}


def test_a_validation_file_of_its_own(write: Callable[..., str]) -> None:
    train, valid = write(TEXT), write("held out: 世界", "valid.txt")
    data = data_of(source="text", train_data_path=train, valid_data_path=valid)
    assert data.tokenizer.decode(data.train) == TEXT
    assert data.tokenizer.decode(data.valid) == "held out: 世界"


def test_prompts_of_a_text_begin_its_lines(write: Callable[..., str]) -> None:
    data = data_of(source="text", train_data_path=write(TEXT))
    assert len(data.prompts) == 3
    assert all(prompt.startswith("line 1") for prompt in data.prompts)
    assert data.probe().startswith("line ")
    assert len(data.probe()) == 64
    poem = data_of(source="text", train_data_path=write("roses\n" * 4), max_seq_len=4)
    assert poem.prompts
    assert poem.probe()


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8-sig", b""), ("utf-16", b""), ("utf-16-be", b"\xfe\xff")],
)
def test_byte_order_marks_and_windows_lines(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, encoding: str, mark: bytes
) -> None:
    path = write(mark + ("a\r\nb\rc世😀\n" * 30).encode(encoding))
    for at_once in (1, 7, 2**20):  # where a read ends, a line or a character may go on
        monkeypatch.setattr(reading, "READ_AT_ONCE", at_once)
        assert reading.read_text(Path(path), "x") == "a\nb\nc世😀\n" * 30
    data = data_of(source="text", train_data_path=path)
    assert set(data.tokenizer.pieces) == set("abc世😀\n")


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"caf\xe9 au lait", "is not UTF-8: byte 3, in line 1, is 0xE9; save it as UTF-8"),
        (b"\xef\xbb\xbfcaf\xe9", "is not UTF-8: byte 6, in line 1, is 0xE9; save it as UTF-8"),
        (b"a\r\nb\ncaf\xe9", "is not UTF-8: byte 8, in line 3, is 0xE9; save it as UTF-8"),
        (
            b"x" * 5000 + b"\xe4\xb8",
            "is not UTF-8: byte 5,000, in line 1, is 0xE4; save it as UTF-8",
        ),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text: byte 8 is zero"),
        ("text".encode("utf-32"), "is UTF-32; save it as UTF-8"),
        ("text".encode("utf-16") + b"\xd8", "is not UTF-16: byte 10 is 0xD8; save it as UTF-8"),
        ("ab\0c".encode("utf-16"), "is not text: byte 6 is zero"),
        (" \n\t\r\n\u3000".encode(), "has only white space"),
    ],
)
def test_what_is_not_text_is_refused(
    write: Callable[..., str], content: bytes, allowed: str
) -> None:
    assert refused("train_data_path", source="text", train_data_path=write(content)) == allowed
    good, bad = write(TEXT, "good.txt"), write(content)
    paths = {"train_data_path": good, "valid_data_path": bad}
    assert refused("valid_data_path", source="text", **paths) == allowed


@pytest.mark.parametrize("name", ["gone.txt", "gone.bin"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    changes = {"source": "text", "vocab_size": 9}
    path = str(tmp_path / name)
    assert refused("train_data_path", train_data_path=path, **changes) == "does not exist"
    (tmp_path / name).mkdir()
    assert refused("train_data_path", train_data_path=path, **changes) == "is a folder, not a file"
    assert "cannot be read" in refused("train_data_path", train_data_path="\0" + name, **changes)


def test_validation_path_needs_a_training_path(write: Callable[..., str]) -> None:
    allowed = refused("valid_data_path", source="copy", valid_data_path=write("x"))
    assert allowed == "needs train_data_path"


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("max_seq_len", [2, 16, 129])
def test_a_short_text_is_told_how_long_it_must_be(
    write: Callable[..., str], fraction: float, max_seq_len: int
) -> None:
    changes = {"source": "text", "max_seq_len": max_seq_len, "valid_fraction": fraction}
    allowed = refused("train_data_path", train_data_path=write("ab"), **changes)
    start, _, needed = allowed.rpartition(" at least ")
    assert start == f"has 2 characters; with max_seq_len = {max_seq_len} it must have"
    length = int(needed.replace(",", ""))
    refused("train_data_path", train_data_path=write(("ab" * length)[: length - 1]), **changes)
    data = data_of(train_data_path=write(("ab" * length)[:length]), **changes)
    assert data.batch(2).inputs.shape == (2, max_seq_len)
    assert sum(1 for _ in data.validation(2, None)) >= 1


def test_short_texts_with_a_validation_file(write: Callable[..., str]) -> None:
    paths = {"train_data_path": write("ab" * 64), "valid_data_path": write("ab", "valid.txt")}
    allowed = refused("train_data_path", source="text", **paths)
    assert allowed == "has 128 characters; with max_seq_len = 128 it must have at least 129"
    paths = {"train_data_path": write("ab" * 65), "valid_data_path": write("a", "valid.txt")}
    allowed = refused("valid_data_path", source="text", **paths)
    assert allowed == "has 1 characters; it must have at least 2"


# Tokens of a text

KINDS = ("char", "word", "byte", "bpe")
STORY = "The king said: 我很好 😀. The king sings, the king sleeps.\n\n" * 60


@pytest.mark.parametrize("kind", KINDS)
def test_every_tokenizer_writes_the_whole_text(write: Callable[..., str], kind: str) -> None:
    text = STORY + "Ωmega, unheard of: ж\n" * 20
    data = data_of(
        source="text", train_data_path=write(text), tokenizer=kind, max_seq_len=16,
        valid_fraction=0.2,
    )  # fmt: skip
    train, valid = (data.tokenizer.decode(part) for part in (data.train, data.valid))
    assert train + valid == text and len(valid) == int(0.2 * len(text))
    assert data.train.dtype == np.uint16 and data.train_tokens == len(data.train)
    assert data.character_counts is not None
    assert data.character_counts[data.valid].sum() == len(valid)
    for shown in (*data.prompts, data.probe()):
        assert shown in text and 1 <= len(data.tokenizer.encode(shown)) <= 17
    assert data.batch(3).inputs.shape == (3, 16)
    same_again = data_of(
        source="text",
        train_data_path=write(text),
        tokenizer=kind,
        max_seq_len=8,
        valid_fraction=0.2,
    )
    assert same_again.tokenizer == data.tokenizer


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_held_out_text_teaches_the_tokenizer_nothing(write: Callable[..., str], kind: str) -> None:
    """Put anything for it that has the same characters, and the tokenizer is the same."""
    train = STORY[:-2] + ". "
    changes: dict[str, object] = {"source": "text", "tokenizer": kind, "max_seq_len": 16}
    found: list[Data] = []
    for i, held_out in enumerate(("zebra zebra zebra " * 30, "ze bra " * 77 + " ")):
        paths = {"train_data_path": write(train), "valid_data_path": write(held_out, f"{i}.txt")}
        found.append(data_of(**paths, **changes))
        whole = write(train + held_out, f"whole-{i}.txt")
        share = len(held_out) / len(train + held_out) + 1e-9
        one = data_of(train_data_path=whole, valid_fraction=share, **changes)
        assert one.tokenizer == found[-1].tokenizer
    assert found[0].tokenizer == found[1].tokenizer
    assert not any("zeb" in piece for piece in found[0].tokenizer.pieces)
    assert "king" in "".join(found[0].tokenizer.pieces)


def test_the_size_of_a_vocabulary_is_kept_to(write: Callable[..., str]) -> None:
    text = write(STORY)
    changes: dict[str, object] = {"source": "text", "train_data_path": text, "max_seq_len": 8}
    assert data_of(tokenizer="bpe", tokenizer_size=280, **changes).tokenizer.vocab_size == 280
    assert data_of(tokenizer="word", tokenizer_size=28, **changes).tokenizer.vocab_size == 28
    assert data_of(tokenizer="byte", **changes).tokenizer.vocab_size == 256
    assert data_of(source="stories", tokenizer="bpe").tokenizer.vocab_size == 1_000
    assert data_of(tokenizer="bpe", **changes).tokenizer.vocab_size < 400, "there is no more"
    characters = len(set(STORY))
    for asked, field, allowed in (
        ({"tokenizer": "word", "tokenizer_size": 9}, "tokenizer_size", f"must be at least {characters}, one for each"),
        ({"tokenizer_size": 500}, "tokenizer_size", "must be empty for characters: set tokenizer"),
        ({"tokenizer": "bpe", "vocab_size": 99}, "vocab_size", "must be at least 291"),
        ({"tokenizer": "byte", "max_seq_len": 8_000}, "train_data_path", "has 3,510 tokens to learn from; with max_seq_len = 8000 it must have at least 8,001"),
        ({"tokenizer": "bpe", "valid_fraction": 1e-9, "train_data_path": write("ab " * 99 + "ab", "ab.txt")}, "valid_fraction", "holds out 1 tokens"),
    ):  # fmt: skip
        assert refused(field, **(changes | asked)).startswith(allowed)
    for kind, size in (("byte", 300), ("char", 300), ("bpe", 255)):
        with pytest.raises(ConfigError, match=f"tokenizer_size = {size}: must be"):
            config_of(tokenizer=kind, tokenizer_size=size, source="stories")


# Files of ids


def test_ids_are_memory_mapped(write: Callable[..., str]) -> None:
    ids = np.arange(5000) % 300
    train, valid = write(ids, "train.bin"), write(ids[:700], "val.bin")
    changes = {"source": "text", "train_data_path": train, "vocab_size": 300}
    data = data_of(valid_data_path=valid, **changes)
    assert isinstance(data.train, np.memmap)
    assert isinstance(data.tokenizer, IdTokenizer)
    assert data.tokenizer.vocab_size == 300
    assert data.train_tokens == 5000
    assert len(data.valid) == 700
    assert data.batch(4).inputs.shape == (4, 128)
    assert data.probe() == "".join(f"⟨{i}⟩" for i in range(64))
    assert data.prompts[0].startswith("⟨0⟩⟨1⟩")
    assert len(data_of(**changes).valid) == 500


def test_what_is_not_a_file_of_ids_is_refused(write: Callable[..., str]) -> None:
    def allowed(content: bytes | np.ndarray, vocab_size: int | None = 300) -> str:
        path = write(content, "train.bin")
        field = "vocab_size" if vocab_size is None else "train_data_path"
        return refused(field, source="text", train_data_path=path, vocab_size=vocab_size)

    assert allowed(b"") == "is empty"
    assert allowed(b"abc") == "has 3 bytes: ids of 2 bytes need a multiple of 2"
    outside = np.append(np.zeros(200), [299, 300, 301])
    assert allowed(outside) == "has id 300 at position 201; vocab_size is 300"
    assert allowed(outside, None).startswith("must be set for a .bin file")
    assert allowed(np.zeros(100)) == (
        "has 100 ids; with max_seq_len = 128 it must have at least 143"
    )


def prepared(folder: Path, tokenizer: Tokenizer, text: str, dtype: str = "<u2") -> Path:
    """What `prepare` writes, as far as training needs it."""
    folder.mkdir()
    content = tokenizer.to_json() + "\n"
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    meta = {
        "dtype": {"<u2": "uint16", "<u4": "uint32"}[dtype],
        "vocab_size": tokenizer.vocab_size,
        "tokenizer_sha256": hashlib.sha256(content.encode()).hexdigest(),
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    for name in ("train.bin", "val.bin"):
        tokenizer.encode_array(text).astype(dtype).tofile(folder / name)
    return folder


@pytest.mark.parametrize("dtype", ["<u2", "<u4"])
def test_ids_with_their_tokenizer(tmp_path: Path, dtype: str) -> None:
    tokenizer = BPETokenizer.train(STORY, 290)
    folder = prepared(tmp_path / "data", tokenizer, STORY, dtype)
    paths = {"train_data_path": str(folder / "train.bin"), "source": "text", "max_seq_len": 16}
    data = data_of(valid_data_path=str(folder / "val.bin"), **paths)
    assert data.tokenizer == tokenizer and isinstance(data.train, np.memmap)
    assert data.tokenizer.decode(data.train) == STORY == data.tokenizer.decode(data.valid)
    assert data.probe() in STORY and data.prompts
    assert len(data_of(**paths).valid) == int(0.1 * len(data.train))
    assert data_of(vocab_size=999, **paths).tokenizer.vocab_size == tokenizer.vocab_size
    allowed = refused("vocab_size", vocab_size=100, **paths)
    assert (
        allowed
        == f"must be at least {tokenizer.vocab_size}, the number of tokens of this data, or empty"
    )
    assert "whose tokens are given" in refused("tokenizer", tokenizer="bpe", **paths)


def test_ids_and_tokenizers_that_do_not_belong_together(tmp_path: Path) -> None:
    tokenizer = BPETokenizer.train(STORY, 290)
    one = prepared(tmp_path / "one", tokenizer, STORY)
    other = prepared(tmp_path / "other", BPETokenizer.train(STORY, 280), STORY)
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(one / "val.bin", bare)
    train = {"source": "text", "train_data_path": str(one / "train.bin"), "max_seq_len": 16}
    for folder in (other, bare):
        allowed = refused("valid_data_path", valid_data_path=str(folder / "val.bin"), **train)
        assert allowed == "must be made by the same tokenizer as the training data"

    def broken(name: str, content: str) -> str:
        before = (one / name).read_bytes()
        (one / name).write_text(content, encoding="utf-8")
        said = refused("train_data_path", **train)
        (one / name).write_bytes(before)
        return said

    meta = {"dtype": "uint16", "vocab_size": tokenizer.vocab_size}
    assert "does not say dtype (uint16, uint32) and vocab_size" in broken("meta.json", "[]")
    assert "290 tokens, meta.json 7" in broken("meta.json", json.dumps(meta | {"vocab_size": 7}))
    assert "is not the one that made it" in broken(
        "meta.json", json.dumps(meta | {"tokenizer_sha256": "0" * 64})
    )
    assert "tokenizer.json beside it is none: tokens:" in broken(
        "tokenizer.json", '{"type": "bpe", "tokens": []}'
    )
    assert "need a multiple of 4" in broken(
        "meta.json", json.dumps(meta | {"dtype": "uint32"})
    ) or "has id" in broken("meta.json", json.dumps(meta | {"dtype": "uint32"}))
    np.array([290], "<u2").tofile(one / "train.bin")
    assert "has id 290 at position 0" in refused("train_data_path", **train)
    (one / "tokenizer.json").unlink()
    assert "lacks what belongs beside it" in refused("train_data_path", **train)
    (one / ".prepare.json").write_text("{}")
    assert "is not finished: run the same prepare" in refused("train_data_path", **train)


def test_text_and_ids_do_not_mix(write: Callable[..., str]) -> None:
    text, ids = write(TEXT), write(np.zeros(1000), "ids.bin")
    changes = {"source": "text", "vocab_size": 300}
    one = refused("valid_data_path", train_data_path=text, valid_data_path=ids, **changes)
    other = refused("valid_data_path", train_data_path=ids, valid_data_path=text, **changes)
    assert one == "must be text, as the training data"
    assert other == "must be a .bin file, as the training data"


# Tasks


def right_answer(name: str, prompt: str, width: int) -> str:
    """Every task's answer, written again, as plainly as can be."""
    body = prompt[:-1]
    if name == "copy":
        return body
    if name == "reverse":
        return "".join(body[i] for i in range(len(body) - 1, -1, -1))
    if name == "sort":
        return "".join(digit * body.count(digit) for digit in "0123456789")
    if name in ("addition", "addition_reversed"):
        one, other = body.split("+")
        total = str(int(one) + int(other))
        return total if name == "addition" else "".join(reversed(total))
    if name == "modular_addition":
        one, other = map(int, body.split("+"))
        return str((one + other) % 19)
    if name == "parity":
        odd = False
        for bit in body:
            odd ^= bit == "1"
        return "odd" if odd else "even"
    if name == "brackets":
        height = 0
        for bracket in body:
            height += 1 if bracket == "(" else -1
            if height < 0:
                return "no"
        return "yes" if height == 0 else "no"
    assert name == "induction"
    text = prompt
    while len(text) < width:
        text += text[text.index(text[-1]) + 1]
    return text[len(prompt) :]


@pytest.mark.parametrize("name", TASKS)
class TestEveryTask:
    def items(self, task: Task, batch: Batch) -> list[tuple[str, str]]:
        """Prompt and answer of each row, from what the model reads and is asked for."""
        found: list[tuple[str, str]] = []
        for row, target in zip(batch.inputs, batch.targets, strict=True):
            places = np.flatnonzero(target != IGNORE)
            assert np.array_equal(places, np.arange(places[0], places[-1] + 1))
            prompt = task.tokenizer.decode(row[: places[0] + 1])
            answer = task.tokenizer.decode(target[places])
            if task.end is not None:
                assert answer.endswith(END)
                assert (row[places[-1] + 1 :] == task.end).all()
                answer = answer.removesuffix(END)
            found.append((prompt, answer))
        return found

    def test_answers_are_right_and_masks_are_exactly_on_them(self, name: str) -> None:
        task = TASKS[name](8, 128, 0)
        batches = [task.batch(300), *task.validation(100, 2)]
        for batch in batches:
            for prompt, answer in self.items(task, batch):
                assert answer == right_answer(name, prompt, task.width())
                assert answer == task.answer(prompt)
                assert END not in prompt + answer

    def test_held_out_items_are_never_trained_on(self, name: str) -> None:
        task = TASKS[name](4, 128, 0)
        held_out = {
            prompt for batch in task.validation(64) for prompt, _ in self.items(task, batch)
        }
        assert all(map(task.is_held_out, held_out))
        assert set(task.prompts) <= held_out
        for seed in range(3):
            trained = self.items(task, TASKS[name](4, 128, seed).batch(2000))
            assert not held_out & {prompt for prompt, _ in trained}

    def test_the_whole_held_out_pool_once(self, name: str) -> None:
        task = TASKS[name](6, 128, 0)
        prompts = [prompt for batch in task.validation(50) for prompt, _ in self.items(task, batch)]
        assert len(prompts) == len(set(prompts)) <= 512
        few = [prompt for batch in task.validation(5, 2) for prompt, _ in self.items(task, batch)]
        assert len(few) == min(10, len(prompts))
        assert set(few) <= set(prompts)

    def test_every_size_leaves_both_sides_something(self, name: str) -> None:
        smallest, largest = TASKS[name].smallest, TASKS[name].largest
        for length in (*range(smallest, smallest + 5), largest):
            task = TASKS[name](length, 256, 0)
            trained = {prompt for prompt, _ in self.items(task, task.batch(200))}
            held_out = [
                prompt for batch in task.validation(512, 1) for prompt, _ in self.items(task, batch)
            ]
            assert len(trained) >= 10
            assert len(held_out) >= 2
            assert len(task.prompts) >= 2

    def test_an_eighth_is_held_out(self, name: str) -> None:
        task = TASKS[name](16, 128, 0)
        prompts = task.draw(np.random.default_rng(0), 4000).prompts
        texts = {task.tokenizer.decode(row[:length]) for row, length in zip(*prompts, strict=True)}
        share = np.mean([task.is_held_out(text) for text in texts])
        assert 0.09 < share < 0.16

    def test_sizes_outside_the_limits_are_refused(self, name: str) -> None:
        task = TASKS[name]
        for length in (task.smallest - 1, task.largest + 1):
            if 1 <= length <= 64:
                allowed = refused("task_length", source=name, task_length=length)
                assert allowed.startswith(f"must be {task.smallest} to {task.largest} for {name} (")

    def test_a_row_must_fit_the_context(self, name: str) -> None:
        needed = data_of(source=name, task_length=6).sequence_length
        changes = {"source": name, "task_length": 6}
        data = data_of(max_seq_len=needed, **changes)
        assert max(len(data.tokenizer.encode(prompt)) for prompt in data.prompts) <= needed
        allowed = refused("max_seq_len", max_seq_len=needed - 1, **changes)
        assert allowed == f"must be at least {needed} for {name} with task_length = 6"

    def test_what_is_not_a_prompt_has_no_answer(self, name: str) -> None:
        task = TASKS[name](8, 128, 0)
        for text in (
            "",
            "x",
            ">",
            "=",
            "?",
            "1+",
            "+1=",
            "(a)?",
            "12?",
            "ab>c",
            "9²>",
            "٣+1=",
            "世界",
        ):
            assert task.answer(text) is None

    def test_texts_for_the_page(self, name: str) -> None:
        task = TASKS[name](8, 128, 0)
        assert TASKS[name].name == name
        assert task.exact
        assert task.train_tokens is None
        assert task.description.endswith((".", "?"))
        assert task.title
        assert task.size
        assert [task.answer(prompt) for prompt in task.prompts].count(None) == 0

    def test_a_batch_is_drawn_by_array_operations(self, name: str) -> None:
        """The work in Python is the same for any number of rows."""
        task = TASKS[name](8, 128, 0)

        def least(rows: int) -> int:
            """Of several batches: now and then so many drawn items are held out that a few more are drawn."""
            return min(calls(lambda: task.batch(rows)) for _ in range(4))

        assert least(640) == least(64) < 500


def test_modular_addition_has_one_token_for_each_number() -> None:
    task = ModularAddition(25, 8, 0)
    assert task.modulus == 97
    assert task.tokenizer.vocab_size == 97 + 3
    assert len(task.tokenizer.encode("96+10=9")) == 5
    assert task.answer("96+10=") == "9"
    primes = [n for n in range(2, 98) if all(n % d for d in range(2, n))]
    assert list(ModularAddition.primes) == primes


def test_balanced_brackets_are_balanced_and_as_likely() -> None:
    generator = np.random.Generator(np.random.PCG64(0))
    rows = balanced(generator, np.full(14_000, 4), 5)[:, :8]
    heights = np.cumsum(np.where(rows, -1, 1), axis=1)
    assert (heights >= 0).all()
    assert (heights[:, -1] == 0).all()
    counts = Counter(map(bytes, rows.astype(np.uint8)))
    words = [
        word
        for word in product([0, 1], repeat=8)
        if (np.cumsum(1 - 2 * np.array(word)) >= 0).all() and sum(word) == 4
    ]
    assert len(counts) == len(words) == 14
    assert all(850 < count < 1150 for count in counts.values())


def test_half_of_the_brackets_are_balanced_at_every_length() -> None:
    task = TASKS["brackets"](8, 128, 0)
    batch = task.batch(4000)
    yes = batch.targets == task.tokenizer.encode("yes")[0]
    assert 0.46 < yes.any(axis=1).mean() < 0.54
    same_counts = [
        prompt
        for prompt in map(task.tokenizer.decode, batch.inputs[~yes.any(axis=1)])
        if prompt.count("(") == prompt.count(")")
    ]
    assert 700 < len(same_counts) < 1300


def test_induction_repeats_only_what_came_before() -> None:
    task = TASKS["induction"](8, 128, 0)
    batch = task.batch(500)
    begins: set[int] = set()
    for row, target in zip(batch.inputs, batch.targets, strict=True):
        first = int(np.flatnonzero(target != IGNORE)[0])
        assert len(set(row[:first].tolist())) == first
        begins.add(int(np.flatnonzero(row[:first] == row[first])[0]))
    assert begins == {max(0, task.width() - 2 * distance) for distance in task.distances}
    assert task.answer("abcdefghijklb") == "cde"


@pytest.mark.case("E6")
@pytest.mark.parametrize("length", range(4, 18))
def test_no_distance_alone_solves_induction(length: int) -> None:
    """Every distance is equally likely, so whoever copies from a fixed one is right in few rows."""
    task = Induction(length, 128, 0)
    distances = Counter[int]()
    asked: Counter[tuple[int, int]] = Counter()
    batch = task.batch(4000)
    for row, target in zip(batch.inputs, batch.targets, strict=True):
        places = np.flatnonzero(target != IGNORE)
        first = int(places[0])
        distance = first - int(np.flatnonzero(row[:first] == row[first])[0])
        distances[distance] += 1
        asked.update((distance, int(place)) for place in places)
        assert (target[places] == row[places + 1 - distance]).all()  # the distance holds to the end
        assert places[-1] == task.width() - 2  # so one distance alone is right in a row
    exact = task.baseline()
    assert set(distances) == set(task.distances)
    assert (
        exact.accuracy == 1 / len(task.distances) <= {4: 0.2, 8: 1 / 9, 16: 1 / 17}.get(length, 0.2)
    )
    spread = 4 * (exact.accuracy / 4000) ** 0.5
    assert all(abs(count / 4000 - exact.accuracy) < spread for count in distances.values())
    # The loss: each distance's share among the targets at its position, as it was drawn.
    at = Counter[int]()
    for (_, place), count in asked.items():
        at[place] += count
    drawn = sum(n * np.log(at[place] / n) for (_, place), n in asked.items()) / sum(asked.values())
    assert exact.loss == pytest.approx(drawn, abs=0.03)


@pytest.mark.case("E6")
def test_the_preset_asks_more_than_positions_can_answer() -> None:
    config = PRESETS["induction"].config()
    assert (
        Induction(config.data.task_length, config.model.max_seq_len, 0).baseline().accuracy < 0.06
    )
    older = RunConfig.from_flat(config.flat() | {"task_length": 8})  # as it was stored before
    assert isinstance(make_data(older), Induction)


def test_addition_has_numbers_of_all_lengths() -> None:
    task = TASKS["addition"](18, 128, 0)
    lengths = Counter(
        len(task.tokenizer.decode(row).split("+")[0]) for row in task.batch(2000).inputs
    )
    assert set(lengths) == set(range(1, 19))
    assert task.answer("999999999999999999+1=") == "1000000000000000000"


# Corpora


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.name)
class TestStories:
    def test_stories_are_whole_and_differ(self, edition: Edition) -> None:
        text = CORPORA[edition.name].path.read_text(encoding="utf-8")
        stories = text.rstrip("\n").split("\n\n")
        assert len(stories) == len(set(stories)) > 400
        assert not set("{}[]<>|") & set(text)
        for story in stories:
            assert "\n" not in story
            assert "  " not in story
            assert 60 < len(story) < 1200
            assert story[0] == story[0].upper()
            assert story[-1] in '.!?"。！？”'

    def test_every_rule_and_role_is_used(self, edition: Edition) -> None:
        path = CORPORA[edition.name].path.with_suffix(".grammar")
        text = path.read_text(encoding="utf-8")
        grammar = read_grammar(text)
        assert set(re.findall(r"<([^<>]+)>", text)) - {"rule"} == set(grammar.rules)
        assert set(re.findall(r"\{(\w+)", text)) - {"role"} == set(grammar.roles)
        assert set(grammar.roles.values()) == set(grammar.tables)
        assert len(grammar.stories) >= 15

    def test_prompts_begin_as_its_stories_do(self, edition: Edition) -> None:
        text = CORPORA[edition.name].path.read_text(encoding="utf-8")
        assert all(text.count(prompt) > 5 for prompt in CORPORA[edition.name].prompts)


def test_the_files_are_what_the_grammars_write(tmp_path: Path) -> None:
    write_corpora(tmp_path)
    for edition in EDITIONS:
        written = (tmp_path / f"{edition.name}.txt").read_bytes()
        assert written == CORPORA[edition.name].path.read_bytes(), (
            "the grammar has changed: python -m engine.data.corpora.stories"
        )


def test_the_vocabularies_are_small() -> None:
    english = CORPORA["stories"].path.read_text(encoding="utf-8")
    chinese = CORPORA["stories-zh"].path.read_text(encoding="utf-8")
    assert len(set(english)) <= 60
    assert 300 <= len(set(re.findall(r"[a-z]+", english.lower()))) <= 600
    assert 250 <= len(set(chinese)) <= 360


GRAMMAR = """
# a comment
table animal: name, they, home
    Mia | she | a hole
    Tom | he | a cave, {other.they} said

role hero: animal
role other: animal

rule greeting
    hello, {hero}

story one
    <greeting>. {hero.they} and {other} met. "[i|i] am {other}," said {other.they}. "good!"
    []
    {hero.they} left.
"""


def test_roles_keep_their_rows_and_sentences_their_capitals() -> None:
    grammar = read_grammar(GRAMMAR)
    stories = tell(grammar, 0, " ")
    assert {next(stories), next(stories)} == {
        'Hello, Mia. She and Tom met. "I am Tom," said he. "Good!" She left.',
        'Hello, Tom. He and Mia met. "I am Mia," said she. "Good!" He left.',
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("poem one\n    a", "line 1: not a table, role, rule or story: 'poem one'"),
        ("\n    a", "line 2: belongs to no table, rule or story: '    a'"),
        ("table a: b, c\n    1 | 2\n    1", "line 3: 1 cells for 2 columns"),
        ("role a: b\n    c", "line 2: belongs to no table, rule or story: '    c'"),
        ("table a: b\n    1\nrole r: a\nstory s\n    {r.c}", "story s: role r has no column c"),
        ("story s\n    {r}", "story s: there is no role r"),
        ("story s\n    <r>", "story s: there is no rule r"),
        ("role r: a", "role r: there is no table a"),
    ],
)
def test_a_broken_grammar_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_grammar(text)
