"""`tokenizer.json` is Hugging Face's format: their library gives the ids and the texts that ours gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers

from engine.tokenizers import (
    BEGIN,
    END,
    PAD,
    UNKNOWN,
    BPETokenizer,
    ByteTokenizer,
    CharTokenizer,
    IdTokenizer,
    MarkedTokenizer,
    Tokenizer,
    TokenizerError,
    UnknownCharacters,
    WordTokenizer,
    load_tokenizer,
    save_tokenizer,
    tokenizer_from_json,
)
from engine.tokenizers.bpe.pretokens import PATTERNS
from engine.tokenizers.files import KINDS
from tests.project.test_imports import ROOT

OLDER = Path(__file__).parent / "older"
"""A file of each kind as earlier versions wrote them."""

ASSIGNED = st.characters(exclude_categories=("Cs", "Cn"))
"""Characters on which libraries with tables of different Unicode versions agree."""

HOSTILE = "don't ʼn' a\u0301\u0301b \r\n\t\x00\u2028 世界hello 4721 नमस्ते สวัสดี 👩\u200d🚀 x²y½ ⟨end⟩⟨17⟩ <end> '''"

MADE = {
    "char": lambda text: CharTokenizer.train(text, ("<end>", "12")),
    "word": WordTokenizer.train,
    "byte": lambda text: ByteTokenizer(),
    "bpe": lambda text: BPETokenizer.train(text, 262, ("<end>",)),
    "bpe of llama3": lambda text: llama3(text, ("<end>",)),
}


def llama3(text: str, specials: tuple[str, ...] = ()) -> BPETokenizer:
    """With the pattern of Llama 3, and a token that no merge makes."""
    learned = BPETokenizer.train(text, 262, specials)
    names = [*learned.names, "hello"] if "hello" not in learned.names else learned.names
    return BPETokenizer(names, learned.merges, specials, "llama3", ignore_merges=True)


def theirs(tokenizer: Tokenizer) -> Any:
    """The other library's, which has incomplete types. Names of special tokens are text for it."""
    other = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    other.encode_special_tokens = isinstance(tokenizer, MarkedTokenizer)
    return other


@pytest.mark.parametrize("marked", [False, True], ids=["plain", "marked"])
@pytest.mark.parametrize("kind", MADE)
@settings(max_examples=60)
@given(st.text(ASSIGNED, min_size=1), st.data())
@example(HOSTILE, None)
def test_the_library_gives_the_same_ids_and_the_same_text(
    marked: bool, kind: str, text: str, data: st.DataObject | None
) -> None:
    inner = MADE[kind](text)
    tokenizer = MarkedTokenizer(inner) if marked else inner
    other = theirs(tokenizer)
    assert other.get_vocab_size() == tokenizer.vocab_size
    samples = [text, ""]
    if data:
        samples += data.draw(st.lists(st.text(sorted(set(text))), max_size=3))
    for sample in samples:
        ids = tokenizer.encode(sample)
        assert other.encode(sample, add_special_tokens=False).ids == ids
        assert other.decode(ids, skip_special_tokens=marked) == tokenizer.decode(ids) == sample
    if data:
        some = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1)))
        assert other.decode(some, skip_special_tokens=marked) == tokenizer.decode(some)


@given(st.lists(st.integers(0, 29)))
def test_ids_are_the_same_in_the_library(ids: list[int]) -> None:
    tokenizer = IdTokenizer(30)
    text = tokenizer.decode(ids)
    assert theirs(tokenizer).encode(text).ids == ids == tokenizer.encode(text)
    assert theirs(tokenizer).decode(ids) == text


SOME: list[Tokenizer] = [*(make(HOSTILE) for make in MADE.values()), IdTokenizer(30)]
SOME += [MarkedTokenizer(inner) for inner in SOME]


@pytest.mark.parametrize("tokenizer", SOME, ids=lambda tokenizer: tokenizer.kind)
def test_a_file_is_read_again_also_as_the_library_writes_it(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    save_tokenizer(tokenizer, path)
    assert load_tokenizer(path) == tokenizer
    assert hash(load_tokenizer(path)) == hash(tokenizer)
    for pretty in (True, False):
        tokenizers.Tokenizer.from_file(str(path)).save(str(path), pretty=pretty)
        assert load_tokenizer(path) == tokenizer
    assert load_tokenizer(path).to_json() == tokenizer.to_json()


@pytest.mark.parametrize("kind", ["char", "word"])
def test_an_unknown_character_is_an_error_in_both(kind: str) -> None:
    tokenizer = MADE[kind]("the cat")
    with pytest.raises(UnknownCharacters):
        tokenizer.encode("the cats")
    with pytest.raises(Exception, match="not found in the vocabulary"):
        theirs(tokenizer).encode("the cats")


def test_a_translations_tokens_frame_the_text() -> None:
    tokenizer = MarkedTokenizer(WordTokenizer.train("the cat the hat"))
    other = tokenizers.Tokenizer.from_str(tokenizer.to_json())
    ids = [BEGIN, *tokenizer.encode("the cat"), END]
    assert other.encode("the cat").ids == ids
    assert other.decode([*ids, PAD]) == "the cat"
    assert other.token_to_id("⟨unknown⟩") == UNKNOWN
    unknown, _ = tokenizer.encode_known("t?!")
    assert other.encode("t?!", add_special_tokens=False).ids == unknown
    assert other.decode(unknown) == tokenizer.decode(unknown) == "t⟨unknown⟩⟨unknown⟩"


def test_names_of_special_tokens_are_not_an_inner_tokenizers() -> None:
    with pytest.raises(TokenizerError, match="inner: has the special tokens already"):
        MarkedTokenizer(CharTokenizer("ab", ("⟨pad⟩",)))


@pytest.mark.parametrize("name", sorted(path.name for path in OLDER.iterdir()))
def test_older_files_are_read(name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(OLDER / name)
    assert tokenizer.kind == name.split(".")[0].split("-")[0]
    inner = tokenizer.inner if isinstance(tokenizer, MarkedTokenizer) else tokenizer
    if not isinstance(inner, IdTokenizer):
        text = "Don't wake the cat, the hat:\n世界 été 12"
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert theirs(tokenizer).encode(text, add_special_tokens=False).ids == tokenizer.encode(
            text
        )
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path / "tokenizer.json") == tokenizer


def test_there_is_an_older_file_of_every_kind() -> None:
    assert {path.stem.split("-")[0] for path in OLDER.iterdir()} == set(KINDS)


@pytest.mark.parametrize("path", sorted((ROOT / "checkpoints").glob("*/tokenizer.json")), ids=str)
def test_the_library_reads_what_ships(path: Path) -> None:
    ours, other = load_tokenizer(path), tokenizers.Tokenizer.from_file(str(path))
    pieces = ours.pieces[4:] if isinstance(ours, MarkedTokenizer) else ours.pieces
    text = "".join(pieces)
    ids = ours.encode(text)
    assert other.encode(text, add_special_tokens=False).ids == ids
    assert other.decode(ids) == text


# Files of others --------------------------------------------------------------------------------


def changed(place: str, value: Any, tokenizer: Tokenizer) -> str:
    values = json.loads(tokenizer.to_json())
    *parts, last = place.split(".")
    inner = values
    for part in parts:
        inner = inner[part]
    inner[last] = value
    return json.dumps(values)


CHAR, WORD = CharTokenizer("abc", ("<end>",)), WordTokenizer.train("the cat the hat")
BPE, LLAMA3 = BPETokenizer.train("low lower", 259, ("<end>",)), llama3("low lower")
SPLIT = {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": False}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}


@pytest.mark.parametrize(
    ("tokenizer", "place", "value", "field"),
    [
        (CHAR, "model", {}, "model.type"),
        (CHAR, "model", [], "model"),
        (CHAR, "model.type", "Unigram", "model.type"),
        (CHAR, "model.type", ["BPE"], "model.type"),
        (CHAR, "model.vocab", {"ab": 0}, "model.vocab"),
        (CHAR, "model.vocab", {"ab": 0, "<end>": 3}, "model.vocab"),
        (CHAR, "model.vocab", {"ab": 0, "<end>": 1}, "added_tokens"),
        (CHAR, "model.vocab", {"a": 0, "b": 0, "c": 2, "<end>": 3}, "model.vocab"),
        (CHAR, "model.vocab", {"a": "0", "b": 1, "c": 2, "<end>": 3}, "model.vocab"),
        (CHAR, "model.vocab", {"a": 0, "b": 1, "xy": 2, "<end>": 3}, "model.vocab"),
        (CHAR, "model.merges", ["a b"], "pre_tokenizer"),
        (CHAR, "model.merges", None, "model.merges"),
        (CHAR, "model.unk_token", 5, "model.unk_token"),
        (CHAR, "decoder", {"type": "WordPiece"}, "decoder.type"),
        (CHAR, "decoder", "Fuse", "decoder"),
        (CHAR, "normalizer", {"type": "Lowercase"}, "normalizer"),
        (CHAR, "added_tokens", [{"id": 3, "content": "<end>", "lstrip": True}], "added_tokens.lstrip"),
        (CHAR, "added_tokens", [{"id": 3, "content": "<end>"}] * 2, "added_tokens"),
        (CHAR, "added_tokens", [{"id": i + 3, "content": name} for i, name in enumerate(("<end>", "<" * 65))], "added_tokens"),
        (CHAR, "added_tokens", [{"content": "<new>"}], "model.vocab"),
        (CHAR, "pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer.type"),
        (CHAR, "model.type", "WordLevel", "pre_tokenizer"),
        (WORD, "model.ignore_merges", False, "model.ignore_merges"),
        (WORD, "model.vocab", {"the": 0}, "model.vocab"),
        (WORD, "added_tokens", [{"id": 0, "content": "a"}], "added_tokens"),
        (WORD, "pre_tokenizer", SPLIT, "model.vocab"),
        (IdTokenizer(3), "model.vocab", {"⟨0⟩": 0, "⟨2⟩": 1}, "model.vocab"),
        (IdTokenizer(3), "model.vocab", {}, "model.vocab"),
        (IdTokenizer(3), "pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer"),
        (ByteTokenizer(), "model.vocab", {"a": 0}, "pre_tokenizer.use_regex"),
        (BPE, "pre_tokenizer.use_regex", False, "pre_tokenizer.use_regex"),
        (BPE, "model.merges", ["l o", "x"], "model.merges"),
        (BPE, "model.merges", [["l"]], "model.merges"),
        (LLAMA3, "pre_tokenizer.pretokenizers", None, "pre_tokenizer.pretokenizers"),
        (LLAMA3, "pre_tokenizer.pretokenizers", [BYTES, BYTES], "pre_tokenizer.pretokenizers"),
        (LLAMA3, "pre_tokenizer.pretokenizers", [SPLIT, BYTES], "pre_tokenizer.pretokenizers.pattern"),
        (MarkedTokenizer(CHAR), "model.merges", ["a b"], "pre_tokenizer"),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed_is_refused_by_its_field(
    tokenizer: Tokenizer, place: str, value: Any, field: str
) -> None:
    with pytest.raises(TokenizerError) as caught:
        tokenizer_from_json(changed(place, value, tokenizer))
    assert caught.value.field == field, caught.value
    assert len(str(caught.value)) < 300


def every_way(learned: BPETokenizer) -> BPETokenizer:
    """With all the merges that make each token, by the id of what they make, as Llama 3's file has."""
    id_of = {name: i for i, name in enumerate(learned.names)}
    merges = [
        pair
        for name in learned.names
        for pair in sorted(
            ((name[:i], name[i:]) for i in range(1, len(name))),
            key=lambda pair: [id_of.get(part, -1) for part in pair],
        )
        if all(part in id_of for part in pair)
    ]
    return BPETokenizer(learned.names, merges, (), "llama3", ignore_merges=True)


LETTERS_LIKE_LLAMA3 = every_way(
    BPETokenizer.train("ab aab abb ba bab abab " * 3 + "aabba babab", 275)
)


@settings(max_examples=300)
@given(st.text("ab", max_size=90))
def test_merges_of_llama_3_may_come_before_what_they_use(text: str) -> None:
    ours = LETTERS_LIKE_LLAMA3
    assert tokenizer_from_json(ours.to_json()) == ours
    assert len(ours.merges) > ours.vocab_size - 256
    assert theirs(ours).encode(text).ids == ours.encode(text)


def test_character_tokenizers_of_others_are_read() -> None:
    """Theirs begin with the special tokens, and have one for unknown characters."""
    for pattern, alphabet in ((".", "abc d"), (r"[\s\S]", "abc d\n")):
        model = models.WordLevel(
            {"<unk>": 0, "<s>": 1} | {c: 2 + i for i, c in enumerate(alphabet)}, "<unk>"
        )
        other: Any = tokenizers.Tokenizer(model)
        other.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
        other.add_special_tokens(["<unk>", "<s>"])
        ours = tokenizer_from_json(other.to_str())
        assert ours.pieces[:3] == ("<unk>", "<s>", "a")
        for text in (alphabet * 2, "<s>ab" + alphabet[-1] * 3):
            assert ours.encode(text) == other.encode(text).ids
            assert ours.decode(ours.encode(text)) == text
        with pytest.raises(UnknownCharacters):
            ours.encode("x")
    with pytest.raises(TokenizerError, match=r"pre_tokenizer\.pattern: must be .* line breaks"):
        tokenizer_from_json(other.to_str().replace(r"[\\s\\S]", "."))


def test_what_acts_around_a_text_changes_nothing() -> None:
    for place, value in (
        ("post_processor", {"type": "ByteLevel", "trim_offsets": False}),
        ("truncation", {"max_length": 5}),
        ("padding", {"pad_id": 0}),
        ("model.fuse_unk", True),
        ("version", "2.0"),
    ):
        assert tokenizer_from_json(changed(place, value, BPE)) == BPE
    assert set(PATTERNS) == {"gpt2", "llama3"}
