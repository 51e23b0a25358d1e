"""Text to ids and back: nothing is lost, nothing is guessed, and a broken file says which field."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tokenizers import (
    CharTokenizer,
    IdTokenizer,
    TokenizerError,
    UnknownCharacters,
    load_tokenizer,
    save_tokenizer,
)
from engine.tokenizers.files import MAX_BYTES, tokenizer_from_json


@given(st.text(min_size=1), st.data())
def test_round_trip_of_any_text_made_of_its_characters(text: str, data: st.DataObject) -> None:
    tokenizer = CharTokenizer.train(text)
    other = data.draw(st.text(alphabet=sorted(set(text))))
    for sample in (text, other, ""):
        ids = tokenizer.encode(sample)
        assert len(ids) == len(sample)
        assert tokenizer.decode(ids) == sample
        assert tokenizer.encode_array(sample).tolist() == ids


@given(st.lists(st.sampled_from(["<end>", "<end", "1", "12", "<", "e", "n", "d", ">", "+", "7"])))
def test_round_trip_with_specials_that_overlap(parts: list[str]) -> None:
    tokenizer = CharTokenizer("127<>edn+", ("<end>", "12"))
    text = "".join(parts)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert ids.count(9) == text.count("<end>")
    assert ids.count(10) == text.count("12")


def test_vocabulary_is_sorted_characters_then_specials() -> None:
    tokenizer = CharTokenizer.train("hello, 世界 😀\n<end>", specials=("<end>", "<go>"))
    assert list(tokenizer.pieces) == [*sorted(set("hello, 世界 😀\n")), "<end>", "<go>"]
    assert tokenizer.vocab_size == len(tokenizer.pieces)
    assert tokenizer.encode("<go>😀") == [tokenizer.vocab_size - 1, tokenizer.vocab_size - 3]


def test_the_longest_special_wins() -> None:
    tokenizer = CharTokenizer("a", ("1", "12", "123"))
    assert [tokenizer.pieces[i] for i in tokenizer.encode("123a121")] == ["123", "a", "12", "1"]


@given(st.text(min_size=1), st.sets(st.sampled_from(["<end>", "<pad>", "ab"])))
def test_json_both_ways(text: str, specials: set[str]) -> None:
    tokenizer = CharTokenizer.train(text + "x", specials=sorted(specials))
    assert tokenizer_from_json(tokenizer.to_json()) == tokenizer


def test_file_both_ways(tmp_path: Path) -> None:
    for tokenizer in (CharTokenizer.train("\r\n\t \u2028世é😀", ("<end>",)), IdTokenizer(50_257)):
        save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
        again = load_tokenizer(tmp_path / "tokenizer.json")
        assert type(again) is type(tokenizer)
        assert again.pieces == tokenizer.pieces


def test_unknown_characters_are_named_readably() -> None:
    tokenizer = CharTokenizer.train("abc ", specials=("<end>",))
    with pytest.raises(UnknownCharacters) as caught:
        tokenizer.encode("a é\n\x07😀c<end><é")
    assert caught.value.characters == ["é", "\n", "\x07", "😀", "<"]
    assert str(caught.value) == (
        "not in the vocabulary: 'é' (U+00E9), newline (U+000A), U+0007, '😀' (U+1F600), "
        "'<' (U+003C)"
    )


def test_at_most_eight_unknown_characters_are_written_out() -> None:
    with pytest.raises(UnknownCharacters, match=r"'8' \(U\+0038\) and 3 more$"):
        CharTokenizer.train("a").encode("1234567890!")


def test_half_a_character_is_unknown_and_never_part_of_a_vocabulary() -> None:
    with pytest.raises(UnknownCharacters, match=r"U\+D800"):
        CharTokenizer.train("a\U0010ffff").encode("\ud800")
    with pytest.raises(TokenizerError, match=r"characters: .*half a character"):
        CharTokenizer.train("a\ud800")


@pytest.mark.parametrize("wrong", [-1, 3, 2**40])
def test_decode_refuses_ids_outside_the_vocabulary(wrong: int) -> None:
    for tokenizer in (CharTokenizer("abc"), IdTokenizer(3)):
        with pytest.raises(ValueError, match=f"token id {wrong} is not in the vocabulary: 0 to 2"):
            tokenizer.decode([0, wrong])


def test_a_text_without_characters_is_refused() -> None:
    with pytest.raises(TokenizerError, match="characters: there are none"):
        CharTokenizer.train("")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "tokenizer"),
        ("{", "tokenizer"),
        ("[" * 100_000, "tokenizer"),
        ("[1]", "tokenizer"),
        (b"\xff\xfe", "tokenizer"),
        ({}, "type"),
        ({"type": "pickle"}, "type"),
        ({"type": ["char"]}, "type"),
        ({"type": "char"}, "characters"),
        ({"type": "char", "characters": ["a", "b"]}, "characters"),
        ({"type": "char", "characters": "abca"}, "characters"),
        ({"type": "char", "characters": ""}, "characters"),
        ({"type": "char", "characters": "a\ud800"}, "characters"),
        ({"type": "char", "characters": "ab", "specials": "<end>"}, "specials"),
        ({"type": "char", "characters": "ab", "specials": [1]}, "specials"),
        ({"type": "char", "characters": "ab", "specials": [""]}, "specials"),
        ({"type": "char", "characters": "ab", "specials": ["<x>", "<x>"]}, "specials"),
        ({"type": "char", "characters": "ab", "specials": ["a"]}, "specials"),
        ({"type": "char", "characters": "ab", "specials": ["x" * 65]}, "specials"),
        (
            {"type": "char", "characters": "ab", "specials": [f"<{i}>" for i in range(5000)]},
            "specials",
        ),
        ({"type": "ids"}, "vocab_size"),
        ({"type": "ids", "vocab_size": True}, "vocab_size"),
        ({"type": "ids", "vocab_size": 0}, "vocab_size"),
        ({"type": "ids", "vocab_size": 10**12}, "vocab_size"),
    ],
)
def test_a_broken_file_names_the_field(text: str | bytes | dict[str, object], field: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        tokenizer_from_json(json.dumps(text) if isinstance(text, dict) else text)
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
    assert len(str(caught.value)) < 300


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "tokenizer.json", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: has \d+ bytes"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_ids_are_written_as_numbers() -> None:
    tokenizer = IdTokenizer(300)
    assert tokenizer.pieces[17] == "⟨17⟩"
    assert tokenizer.decode([17, 299, 0]) == "⟨17⟩⟨299⟩⟨0⟩"
    assert tokenizer.encode("⟨17⟩⟨299⟩⟨0⟩") == [17, 299, 0]
    with pytest.raises(ValueError, match="token id 300"):
        tokenizer.encode("⟨300⟩")
    with pytest.raises(UnknownCharacters, match="'h'"):
        tokenizer.encode("hi⟨1⟩")


@pytest.mark.parametrize("specials", [(), ("<end>",)])
def test_a_megabyte_in_a_moment(specials: tuple[str, ...]) -> None:
    letters = np.random.default_rng(0).integers(ord("a"), ord("z"), 1_000_000)
    text = "".join(map(chr, letters))
    tokenizer = CharTokenizer.train(text, specials)
    started = perf_counter()
    ids = tokenizer.encode_array(text)
    encoded = perf_counter()
    assert tokenizer.decode(ids) == text
    decoded = perf_counter()
    assert encoded - started < 0.5, f"{encoded - started:.3f} s"
    assert decoded - encoded < 1.5, f"{decoded - encoded:.3f} s"


def test_more_than_65536_pieces_need_wider_ids() -> None:
    assert CharTokenizer.train("ab").encode_array("ab").dtype == np.uint16
    many = "".join(chr(code) for code in range(0x10000, 0x10000 + 70_000))
    ids = CharTokenizer.train(many).encode_array(many)
    assert ids.dtype == np.uint32
    assert ids.tolist() == list(range(70_000))
