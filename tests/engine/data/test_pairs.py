"""Pairs to translate: rows laid out right, epochs whole, nothing held out is learned from."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import DataConfig, RunConfig
from engine.data import IGNORE, PAIRS, Batch, DataError, PairData, make_data, tokens
from engine.data.pairs import HeldOut, budget_cuts, encode_pairs
from engine.data.pairs.files import read_pairs
from engine.data.tokens import joint_tokenizer
from engine.tokenizers import BEGIN, END, PAD, UNKNOWN
from engine.validation import ConfigError
from tests.tools.counting import calls

WORDS = ["ape", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"]
TRAIN = [
    (" ".join(WORDS[i % 8 :: step])[: 40 - i], " ".join(WORDS[: 1 + i % 5]).upper() + f" {i}")
    for i in range(40)
    for step in (1, 2)
]
VALID = [("hen fox", "BEE"), ("gnu gnu", "DOG APE BEE"), ("ape hen gnu", "APE")]


def pair_data(
    train: list[tuple[str, str]] = TRAIN,
    valid: list[tuple[str, str]] = VALID,
    compositional: list[tuple[str, str]] | None = None,
    **changes: object,
) -> PairData:
    tokenizer = joint_tokenizer("char", None, [text for pair in train for text in pair])
    options = {"max_seq_len": 64, "seed": 0} | changes
    return PairData(
        "own",
        tokenizer,
        encode_pairs(tokenizer, train),
        encode_pairs(tokenizer, valid),
        encode_pairs(tokenizer, compositional or []),
        **options,  # pyright: ignore[reportArgumentType]
    )


def texts(data: PairData, batch: Batch) -> list[tuple[str, str]]:
    """The pairs of a batch, read back; checks how it is laid out."""
    assert batch.sources is not None
    assert batch.sources.dtype == batch.inputs.dtype == batch.targets.dtype == np.int64
    assert batch.inputs.shape == batch.targets.shape
    assert len(batch.sources) == len(batch.inputs)
    pairs: list[tuple[str, str]] = []
    for source, inputs, targets in zip(
        batch.sources.tolist(), batch.inputs.tolist(), batch.targets.tolist(), strict=True
    ):
        stop = source.index(END)
        assert source[stop + 1 :] == [PAD] * (len(source) - stop - 1)
        counted = [token for token in targets if token != IGNORE]
        padding = len(targets) - len(counted)
        assert targets == [*counted, *[IGNORE] * padding]
        assert inputs == [BEGIN, *counted[:-1], *[PAD] * padding]
        assert counted[-1] == END
        pairs.append((data.tokenizer.decode(source), data.tokenizer.decode(counted)))
    # Not a column of padding too many.
    assert (batch.sources[:, -1] != PAD).any() and (batch.targets[:, -1] != IGNORE).any()
    return pairs


def same(one: Batch, other: Batch) -> bool:
    return all(
        np.array_equal(mine, theirs)
        for mine, theirs in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def epoch(data: PairData, batch_size: int) -> list[list[tuple[str, str]]]:
    """Batches until as many pairs have come as there are."""
    batches: list[list[tuple[str, str]]] = []
    while sum(map(len, batches)) < len(data.train.pairs):
        batches.append(texts(data, data.batch(batch_size)))
    return batches


# Batches


@pytest.mark.parametrize("changes", [{}, {"batch_tokens": 90}])
def test_an_epoch_has_every_pair_once_and_the_next_has_other_batches(
    changes: dict[str, object],
) -> None:
    data = pair_data(**changes)
    first, second = epoch(data, 7), epoch(data, 7)
    for batches in (first, second):
        assert Counter(pair for batch in batches for pair in batch) == Counter(TRAIN)
    assert first != second
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}


def test_a_batch_has_as_many_pairs_as_asked_for_and_of_about_the_same_length() -> None:
    data = pair_data()
    batches = epoch(data, 16)
    assert [len(batch) for batch in batches] == [16] * 5
    assert len(epoch(pair_data(TRAIN[:33]), 16)) == 3
    for batch in batches:
        lengths = [len(target) for _, target in batch]
        assert max(lengths) - min(lengths) <= 8
    order = [max(len(target) for _, target in batch) for batch in batches]
    assert order != sorted(order)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1), st.integers(50, 300)
)
def test_a_batch_never_has_more_tokens_than_allowed(
    lengths: list[tuple[int, int]], most: int
) -> None:
    lengths.sort(key=lambda pair: (pair[1], pair[0]))
    sources, targets = np.array(lengths).T
    cuts = budget_cuts(sources, targets, most)
    parts = list(zip(np.split(sources, cuts), np.split(targets, cuts), strict=True))
    for mine, theirs in parts:
        assert 0 < len(mine) * max(mine.max(), theirs.max()) <= most
    for (mine, theirs), (more, others) in pairwise(parts):
        longest = max(mine.max(), theirs.max(), more[0], others[0])
        assert (len(mine) + 1) * longest > most  # no room was left


def test_tokens_are_counted_with_their_padding() -> None:
    data = pair_data(batch_tokens=90)
    for _ in range(40):
        batch = data.batch(1)
        assert batch.sources is not None
        assert batch.sources.size <= 90 and batch.inputs.size <= 90
    longest = max(data.source_length, data.sequence_length)
    with pytest.raises(DataError, match=f"batch_tokens = 20: must be at least {longest}, "):
        pair_data(batch_tokens=20)


@pytest.mark.parametrize("taken", [0, 1, 3, 5, 6, 11])
@pytest.mark.parametrize("changes", [{}, {"batch_tokens": 120}])
def test_resume_is_exact_in_the_middle_of_an_epoch(taken: int, changes: dict[str, object]) -> None:
    data = pair_data(**changes)
    for _ in range(taken):
        data.batch(16)
    state = json.loads(json.dumps(data.state()))
    expected = [data.batch(16) for _ in range(15)]
    other = pair_data(seed=9, **changes)
    other.batch(3)
    other.load_state(state)
    assert other.state() == state
    assert all(same(batch, other.batch(16)) for batch in expected)
    assert other.state() == data.state()


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": -1},
        {"batch_size": 0},
        {"batch_size": None},
        {"batch_size": "8"},
        {"batch_size": True, "batches": 999},
        {"batches": 6},
        {"batches": -1},
        {"batches": 1.0},
        {"batches": None},
        {"generator": None},
    ],
)
def test_a_foreign_state_is_refused(changes: dict[str, object]) -> None:
    data = pair_data()
    data.batch(16)
    state = data.state()
    with pytest.raises(ValueError, match="not the state of a data generator"):
        data.load_state(state | changes)
    data.load_state(state)
    assert same(data.batch(16), [other := pair_data(), other.batch(16), other.batch(16)][-1])


def test_another_batch_size_begins_another_epoch() -> None:
    data = pair_data()
    data.batch(16)
    assert Counter(pair for batch in epoch(data, 10) for pair in batch) == Counter(TRAIN)


# The held-out parts


def test_validation_has_every_pair_once_and_never_changes() -> None:
    many = [(f"{one} {other}", other) for one in WORDS for other in WORDS]
    train, valid = many[::2], many[1::2]
    data = pair_data(train, valid)
    before = data.state()
    found = [pair for batch in data.validation(5) for pair in texts(data, batch)]
    assert sorted(found) == sorted(valid)
    some = [texts(data, batch) for batch in data.validation(5, 3)]
    assert [len(batch) for batch in some] == [5, 5, 5]
    assert len({pair for batch in some for pair in batch}) == 15
    assert {source.split()[0] for batch in some for source, _ in batch} == set(WORDS)  # all over
    data.batch(4)
    assert [texts(data, batch) for batch in data.validation(5, 3)] == some
    assert data.state() != before
    assert list(data.validation(5, split="compositional")) == []


def test_what_is_learned_from_is_never_held_out() -> None:
    again = [(TRAIN[0][0], "A"), *VALID, TRAIN[3]]
    data = pair_data(valid=again, compositional=[TRAIN[1], ("eel eel", "EEL")])
    assert data.pairs() == VALID
    assert data.pairs("compositional") == [("eel eel", "EEL")]
    assert data.repeated == 3
    with pytest.raises(DataError, match="no pair that is held out and not learned from too"):
        pair_data(valid=TRAIN[:3])


def test_unknown_characters_are_counted_and_no_prompt() -> None:
    data = pair_data(valid=[*VALID, ("gnü ñ", "É"), ("zoo", "CAT")])
    assert data.unknown == 4
    assert all(UNKNOWN not in data.tokenizer.encode(prompt) for prompt in data.prompts)
    assert data.prompts == ["gnu gnu", "hen fox", "ape hen gnu"]
    assert data.probe() == "ape hen gnu"
    strange = pair_data(valid=[("zzz", "A")])
    assert set(strange.prompts) <= {source for source, _ in TRAIN}


def test_a_pair_too_long_is_refused_or_skipped() -> None:
    long = ("cat " * 20, "CAT")
    with pytest.raises(DataError, match=r"max_seq_len = 64: must be at least 81 for own, whose "):
        pair_data(valid=[*VALID, long])
    with pytest.raises(DataError, match=r"must be at least 81 for own"):
        pair_data(train=[*TRAIN, long[::-1]])
    data = pair_data(train=[*TRAIN, long], valid=[*VALID, long[::-1]], skip_long=True)
    assert data.skipped == 2
    assert data.pairs() == VALID
    assert len(data.train.pairs) == len(TRAIN)
    exactly = ("c" * 63, "A")
    assert pair_data(valid=[exactly]).source_length == 64
    assert pair_data(valid=[exactly[::-1]]).sequence_length == 64


def test_answers_are_those_of_the_pairs_or_of_the_rule() -> None:
    data = pair_data(compositional=[("eel eel", "EEL")])
    assert [data.answer(text) for text in ("gnu gnu", "eel eel", "?")] == [
        "DOG APE BEE",
        "EEL",
        None,
    ]
    assert data.answer(TRAIN[0][0]) == TRAIN[0][1]
    assert pair_data(translate=str.upper, exact=True).answer("so") == "SO"
    assert not data.exact
    assert data.end == END
    assert data.train_tokens == sum(len(target) + 1 for _, target in TRAIN)


# Files


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes, str], str]:
    def write(content: str | bytes, name: str) -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def from_files(**changes: object) -> PairData:
    data = make_data(RunConfig.from_flat({"source": "pairs", "n_encoder_layer": 1} | changes))
    assert isinstance(data, PairData)
    return data


PLAIN = "".join(f"a cat {i}\teine Katze {i}\n" for i in range(40))


def test_a_tsv_file_and_two_files_are_the_same(write: Callable[[str | bytes, str], str]) -> None:
    rows = [line.split("\t") for line in PLAIN.splitlines()]
    one = from_files(train_data_path=write("\ufeff" + PLAIN.replace("\n", "\r\n"), "one.tsv"))
    two = from_files(
        train_data_path=write("\n".join(row[0] for row in rows) + "\n\n", "two.en"),
        target_data_path=write("\n".join(f" {row[1]} " for row in rows), "two.de"),
    )
    assert one.name == "one" and two.name == "two"
    assert one.train.pairs == two.train.pairs == [tuple(row) for row in rows[:36]]
    assert one.pairs() == two.pairs() == [tuple(row) for row in rows[36:]]
    assert not one.exact
    assert same(one.batch(5), two.batch(5))
    held_out = write("# no comment\t\"quoted\" 'too'\n", "valid.tsv")
    three = from_files(
        train_data_path=str(Path(held_out).with_name("one.tsv")), valid_data_path=held_out
    )
    assert three.pairs() == [("# no comment", "\"quoted\" 'too'")]
    assert three.unknown > 0
    assert len(three.train.pairs) == 40


def test_pairs_too_long_are_counted(write: Callable[[str | bytes, str], str]) -> None:
    path = write(PLAIN + "a cat " * 70 + "\teine Katze\n" + PLAIN.replace("cat", "dog"), "long.tsv")
    assert from_files(train_data_path=path).skipped == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("\n\n \n", "has only white space"),
        ("a\tb\nc d\n", "line 2 has no tab; it must be a text, one tab and its translation"),
        ("a\tb\n\nc\td\n", "line 2 has no tab; it must be"),
        ("a\tb\nc\td\te\n", "line 2 has 2 tabs; it must be"),
        ("a\tb\n \td\n", "line 2 is without a text before the tab"),
        ("a\tb\nc\t\n", "line 2 is without a translation"),
        (b"a\tb\nc\t\xff\n", "is not UTF-8: byte 6, in line 2, is 0xFF; save it as UTF-8"),
        (b"a\tb\n\x00\x01\t\x02", "is not text: byte 4 is zero"),
        ("a\tb\n".encode("utf-32"), "is UTF-32; save it as UTF-8"),
        ("a\tb\n", "has 1 pair; it must have at least 2, one of them to be held out"),
    ],
)
def test_a_broken_tsv_file_says_where(
    write: Callable[[str | bytes, str], str], content: str | bytes, problem: str
) -> None:
    path = write(content, "own.tsv")
    with pytest.raises(DataError) as caught:
        from_files(train_data_path=path)
    assert caught.value.field == "train_data_path"
    assert caught.value.value == path
    assert caught.value.allowed.startswith(problem)
    if content and "1 pair" not in problem:
        with pytest.raises(DataError) as caught:
            from_files(train_data_path=write(PLAIN, "plain.tsv"), valid_data_path=path)
        assert caught.value.field == "valid_data_path"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("x\ny\nz\n", "has 3 lines; train_data_path has 2"),
        ("x\n", "has 1 lines; train_data_path has 2"),
        ("x\n \nz", "has 3 lines"),
        (" \ny", "line 1 is empty"),
        ("", "is empty"),
    ],
)
def test_two_broken_files_say_which(
    write: Callable[[str | bytes, str], str], target: str, problem: str
) -> None:
    path = write(target, "own.de")
    with pytest.raises(DataError) as caught:
        from_files(train_data_path=write("a\nb\n", "own.en"), target_data_path=path)
    assert caught.value.field == "target_data_path"
    assert caught.value.allowed.startswith(problem)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1))
@settings(max_examples=50)
def test_any_two_texts_without_tabs_and_lines_are_a_pair(pairs: list[tuple[str, str]]) -> None:
    plain = [tuple("".join(text.split()).replace("\x00", "") for text in pair) for pair in pairs]
    plain = [pair for pair in plain if all(pair)]
    content = "".join("\t".join(pair) + "\n" for pair in plain).encode("utf-8", "replace")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.tsv"
        path.write_bytes(content + b"x\ty\n")
        read = read_pairs(str(path), None, "train_data_path", "target_data_path")
    assert read[:-1] == [
        tuple(
            text.encode("utf-8", "replace").decode().removeprefix("\ufeff" if i == j == 0 else "")
            for j, text in enumerate(pair)
        )
        for i, pair in enumerate(plain)
    ]


def test_twice_as_many_pairs_are_twice_the_work(write: Callable[[str | bytes, str], str]) -> None:
    draw = np.random.default_rng(0).integers(0, 3_000, size=(2_000, 24))
    lines = [" ".join(map("w{}".format, row)) for row in draw.tolist()]
    work: dict[int, int] = {}
    for count in (1_000, 2_000):
        text = "".join(f"{line[:60]}\t{line[60:]}\n" for line in lines[:count])
        path = write(text, f"{count}.tsv")
        found: list[PairData] = []

        def load(path: str = path, found: list[PairData] = found) -> None:
            found.append(from_files(train_data_path=path, max_seq_len=256, tokenizer="char"))

        work[count] = calls(load)
        found[0].batch(64)  # the first batch sorts the epoch
        assert calls(lambda data=found[0]: data.batch(64)) < 100
    assert work[2_000] < 2.2 * work[1_000] < 500_000


# Configuration


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            {"source": "pairs"},
            "train_data_path = None: must name a file when source is 'pairs'",
        ),
        (
            {"target_data_path": "x"},
            "target_data_path = 'x': needs source = 'pairs'",
        ),
        (
            {"source": "pairs", "train_data_path": "a", "valid_target_path": "x"},
            "valid_target_path = 'x': needs valid_data_path and target_data_path",
        ),
        (
            {
                "source": "pairs",
                "train_data_path": "a",
                "target_data_path": "b",
                "valid_data_path": "c",
            },
            "valid_target_path = None: must name the translations of valid_data_path",
        ),
        (
            {"tokenizer": "char", "tokenizer_size": 100},
            "tokenizer_size = 100: must be empty: with 'char'",
        ),
        ({"tokenizer": "words"}, "tokenizer = 'words': must be one of char, word, byte, bpe"),
    ],
)
def test_paths_and_tokenizers_must_fit(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DataConfig.parse(values)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("values", "field", "problem"),
    [
        (
            {"source": "german"},
            "n_encoder_layer",
            "must be set, for example to 2: german has pairs to ",
        ),
        ({"n_encoder_layer": 2}, "source", "must be pairs to translate for a model with an enc"),
        ({"source": "copy", "n_encoder_layer": 2}, "source", "must be pairs to translate"),
        ({"batch_tokens": 512}, "batch_tokens", "must be empty: only batches of pairs"),
        ({"source": "sort", "tokenizer": "word"}, "tokenizer", "must be empty for sort"),
        ({"source": "copy", "tokenizer_size": 99}, "tokenizer_size", "must be empty for copy"),
        (
            {"source": "dates", "n_encoder_layer": 1, "valid_data_path": "x"},
            "valid_data_path",
            "needs train_data_path",
        ),
        (
            {"source": "german", "n_encoder_layer": 1, "max_seq_len": 12},
            "max_seq_len",
            "must be at least 19 for german, whose longest pair is ",
        ),
        (
            {"source": "numbers", "n_encoder_layer": 1, "vocab_size": 20},
            "vocab_size",
            "must be at least ",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    values: dict[str, object], field: str, problem: str
) -> None:
    with pytest.raises(DataError) as caught:
        make_data(RunConfig.from_flat(values))
    assert caught.value.field == field
    assert caught.value.allowed.startswith(problem)


def test_the_tokenizer_can_be_chosen() -> None:
    sizes = {
        kind: make_data(
            RunConfig.from_flat(
                {
                    "source": "numbers",
                    "n_encoder_layer": 1,
                    "tokenizer": kind,
                    "tokenizer_size": size,
                }
            )
        ).tokenizer.vocab_size
        for kind, size in ((None, None), ("char", None), ("word", 60))
    }
    assert sizes["char"] < sizes["word"] == 60 + 4 < sizes[None]


@pytest.mark.parametrize("source", PAIRS)
@pytest.mark.parametrize("split", ["valid", "compositional"])
def test_own_pairs_are_laid_out_right(source: str, split: HeldOut) -> None:
    data = make_data(
        RunConfig.from_flat({"source": source, "n_encoder_layer": 1, "batch_tokens": 1_000})
    )
    assert isinstance(data, PairData)
    assert data.exact
    for batch in (data.batch(1), *data.validation(64, 2, split)):
        for source_text, target in texts(data, batch):
            assert data.answer(source_text) == target
    assert len(data.pairs(split)) >= 300
    assert (data.repeated, data.skipped, data.unknown) == (0, 0, 0)


def test_words_may_be_cut_into_pieces() -> None:
    texts = ["the lake, the lakes", "der See, die Seen"]
    pieces = tokens.joint_tokenizer("bpe", 270, texts)
    assert 4 + 256 < pieces.vocab_size <= 4 + 270
    assert pieces.decode(pieces.encode("never seen: 水")) == "never seen: 水"
    for kind in ("word", "bpe"):
        with pytest.raises(DataError, match="tokenizer_size = 0") as caught:
            tokens.joint_tokenizer(kind, 0, texts)
        assert caught.value.field == "tokenizer_size"


@pytest.mark.case("F22")
@pytest.mark.parametrize("held_out", [False, True])
def test_no_pair_left_names_the_file_that_was_given(held_out: bool, tmp_path: Path) -> None:
    """All lines are the same, so the held-out ones are learned from too: of which file, and its path."""
    (tmp_path / "ga.tsv").write_text("one\tuno\n" * 20, "utf-8")
    (tmp_path / "valid.tsv").write_text("one\tuno\n", "utf-8")
    given = {"train_data_path": str(tmp_path / "ga.tsv")}
    if held_out:
        given["valid_data_path"] = str(tmp_path / "valid.tsv")
    config = RunConfig.from_flat({"source": "pairs", "n_encoder_layer": 1, **given})
    with pytest.raises(DataError, match="no pair that is held out and not learned from") as caught:
        make_data(config)
    field, path = list(given.items())[-1]
    assert (caught.value.field, caught.value.value) == (field, path)
