"""Text to ids and back: nothing is lost, nothing is guessed, and a broken file says which field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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
    TextStream,
    Tokenizer,
    TokenizerError,
    UnknownCharacters,
    WordTokenizer,
    load_tokenizer,
    save_tokenizer,
)
from engine.tokenizers.files import KINDS, MAX_BYTES, tokenizer_from_json
from engine.tokenizers.spans import spans
from engine.tokenizers.word import UNSPACED, split_words

TRAINED = {
    "char": CharTokenizer.train,
    "word": WordTokenizer.train,
    "marked char": lambda text: MarkedTokenizer(CharTokenizer.train(text)),
    "marked word": lambda text: MarkedTokenizer(WordTokenizer.train(text)),
}
"""Every tokenizer that learns its vocabulary from a text."""

HOSTILE = [
    "⟨end⟩⟨unknown⟩⟨pad⟩", "a\u0301\u0301b", "\u0301", "  two  spaces ", "\r\n\t\x00\u2028", "don't ''",
    "4721 4 721", "世界 hello世界hello", "שָׁלוֹם سَلَام", "नमस्ते", "สวัสดี", "👩\u200d🚀", "ʼn'", "x²y½", "'" * 99, "w" * 999,
]  # fmt: skip


@pytest.mark.parametrize("kind", TRAINED)
@given(st.text(min_size=1), st.data())
@example("".join(HOSTILE), None)
def test_round_trip_of_any_text_made_of_its_characters(
    kind: str, text: str, data: st.DataObject | None
) -> None:
    tokenizer: Tokenizer = TRAINED[kind](text)
    others = [data.draw(st.text(alphabet=sorted(set(text))))] if data else HOSTILE
    for sample in (text, *others, ""):
        ids = tokenizer.encode(sample)
        assert "".join(tokenizer.pieces[token] for token in ids) == sample
        assert tokenizer.decode(ids) == sample
        assert tokenizer.encode_array(sample).tolist() == ids
        assert len(tokenizer.pieces) == tokenizer.vocab_size
        if "char" in kind:
            assert len(ids) == len(sample)
        if "marked" in kind:
            assert not {PAD, BEGIN, END, UNKNOWN} & set(ids)


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
    assert tokenizer_from_json(MarkedTokenizer(tokenizer).to_json()) == MarkedTokenizer(tokenizer)
    words = WordTokenizer.train(text)
    assert tokenizer_from_json(words.to_json()) == words
    assert hash(tokenizer_from_json(MarkedTokenizer(words).to_json())) == hash(
        MarkedTokenizer(words)
    )


def test_file_both_ways(tmp_path: Path) -> None:
    text = "\r\n\t \u2028世é😀 don't"
    kinds = [
        CharTokenizer.train(text, ("<end>",)),
        IdTokenizer(50_257),
        WordTokenizer.train(text),
        MarkedTokenizer(WordTokenizer.train(text)),
        ByteTokenizer(),
        BPETokenizer.train(text, 260),
    ]
    assert {tokenizer.kind for tokenizer in kinds} == set(KINDS)
    for tokenizer in kinds:
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
    for tokenizer in (CharTokenizer("abc"), IdTokenizer(3), WordTokenizer("abc")):
        with pytest.raises(ValueError, match=f"token id {wrong} is not in the vocabulary: 0 to 2"):
            tokenizer.decode([0, wrong])


def test_a_text_without_characters_is_refused() -> None:
    with pytest.raises(TokenizerError, match="characters: must not be empty"):
        CharTokenizer.train("")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "tokenizer.json"),
        ("{", "tokenizer.json"),
        ("[" * 100_000, "tokenizer.json"),
        ("[1]", "tokenizer.json"),
        (b"\xff\xfe", "tokenizer.json"),
        ({}, "model"),
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
        ({"type": "word"}, "pieces"),
        ({"type": "word", "pieces": "abc"}, "pieces"),
        ({"type": "word", "pieces": []}, "pieces"),
        ({"type": "word", "pieces": ["a", 1]}, "pieces"),
        ({"type": "word", "pieces": ["a", ["b"]]}, "pieces"),
        ({"type": "word", "pieces": ["a", ""]}, "pieces"),
        ({"type": "word", "pieces": ["a", "a"]}, "pieces"),
        ({"type": "word", "pieces": ["a", "a" * 65]}, "pieces"),
        ({"type": "word", "pieces": ["a", "\ud800"]}, "pieces"),
        ({"type": "word", "pieces": ["a", "ab"]}, "pieces"),
        ({"type": "marked"}, "inner"),
        ({"type": "marked", "inner": "word"}, "inner"),
        ({"type": "marked", "inner": {"type": "marked", "inner": {"type": "ids"}}}, "inner"),
        ({"type": "marked", "inner": {"type": "pickle"}}, "type"),
        ({"type": "marked", "inner": {"type": "ids"}}, "vocab_size"),
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


# Words


def test_words_keep_their_space_and_their_apostrophes() -> None:
    assert split_words("Don't wake l’été, Zoë!") == ["Don't", " wake", " l’été", ",", " Zoë", "!"]
    assert split_words("re\u0301sume\u0301s  Привет שָׁלוֹם") == [
        "re\u0301sume\u0301s", " ", " Привет", " שָׁלוֹם",
    ]  # fmt: skip


def test_digits_stand_alone_and_so_do_characters_of_unspaced_scripts() -> None:
    assert split_words("4721 x2") == ["4", "7", "2", "1", " x", "2"]
    for text in ("世界，你好", "かなカナ", "한국어", "ไทยดี", "𠀀𠀁"):
        assert split_words(text) == list(text)
    assert all(len(split_words(chr(first) + chr(last))) == 2 for first, last in UNSPACED)


@given(st.text())
@example("".join(HOSTILE))
def test_pieces_side_by_side_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


def test_rare_words_and_words_without_room_are_spelled() -> None:
    text = "the cat and the hat and the bat"
    often = WordTokenizer.train(text, min_count=2)
    assert often.pieces[-3:] == ("t", " and", " the")
    assert [often.pieces[i] for i in often.encode("the cat")] == ["t", "h", "e", " ", "c", "a", "t"]
    small = WordTokenizer.train(text, max_size=11)
    assert small.vocab_size == 11
    assert small.pieces[-2:] == (" and", " the")
    with pytest.raises(UnknownCharacters, match="'c' "):
        WordTokenizer.train(text, max_size=8).encode("the cat")
    assert WordTokenizer.train(["the cat", "the hat"]).pieces[-3:] == ("the", " cat", " hat")
    assert WordTokenizer.train("a" * 65).pieces == ("a",)
    for field, changes in (("min_count", {"min_count": 0}), ("max_size", {"max_size": 0})):
        with pytest.raises(TokenizerError, match=f"{field}: 0 must be at least 1"):
            WordTokenizer.train(text, **changes)
    with pytest.raises(TokenizerError, match="pieces: must not be empty"):
        WordTokenizer.train([])


# Special tokens in front


def test_special_tokens_are_written_by_nobody() -> None:
    tokenizer = MarkedTokenizer(CharTokenizer.train("⟨end⟩ab"))
    assert tokenizer.pieces[:4] == ("⟨pad⟩", "⟨begin⟩", "⟨end⟩", "⟨unknown⟩")
    assert END not in tokenizer.encode("⟨end⟩")
    ids = [BEGIN, *tokenizer.encode("ab"), UNKNOWN, *tokenizer.encode("⟨end⟩"), END, PAD, PAD]
    assert tokenizer.decode(ids) == "ab⟨unknown⟩⟨end⟩"
    with pytest.raises(TokenizerError, match="inner: has the special tokens already"):
        MarkedTokenizer(tokenizer)
    with pytest.raises(UnknownCharacters, match="'c' "):
        tokenizer.encode("abc")


@pytest.mark.parametrize("kind", ["marked char", "marked word"])
@given(st.text(min_size=1), st.text())
@example("cat", "the c-a]t^ \\ ⟨unknown⟩ \ud800")
def test_what_is_unknown_is_kept_as_it_was_written(kind: str, known: str, text: str) -> None:
    tokenizer = TRAINED[kind](known)
    assert isinstance(tokenizer, MarkedTokenizer)
    ids, texts = tokenizer.encode_known(text)
    assert "".join(texts) == text
    assert len(ids) == len(texts)
    assert ids.count(UNKNOWN) == sum(character not in known for character in text)
    for token, written in zip(ids, texts, strict=True):
        assert (len(written) == 1) if token == UNKNOWN else (tokenizer.pieces[token] == written)


@pytest.mark.parametrize("specials", [(), ("<end>",)])
def test_a_megabyte_is_encoded_and_decoded(specials: tuple[str, ...]) -> None:
    letters = np.random.default_rng(0).integers(ord("a"), ord("z"), 1_000_000)
    text = "".join(map(chr, letters))
    tokenizer = CharTokenizer.train(text, specials)
    assert tokenizer.decode(tokenizer.encode_array(text)) == text


def test_more_than_65536_pieces_need_wider_ids() -> None:
    assert CharTokenizer.train("ab").encode_array("ab").dtype == np.uint16
    many = "".join(chr(code) for code in range(0x10000, 0x10000 + 70_000))
    ids = CharTokenizer.train(many).encode_array(many)
    assert ids.dtype == np.uint32
    assert ids.tolist() == list(range(70_000))


# Where tokens stand in a text


@pytest.mark.parametrize("text", ["", "a", "the cat", "é世👩‍👧x", "从前 a  b\n"])
@pytest.mark.parametrize(
    "tokenizer",
    [
        CharTokenizer.train("ab é世 the cat"),
        ByteTokenizer(),
        WordTokenizer.train("the cat 世 é"),
        BPETokenizer.train("the cat the cat 从前 从前", 266),
        MarkedTokenizer(CharTokenizer("abc")),
    ],
    ids=lambda tokenizer: tokenizer.kind,
)
def test_spans_lie_side_by_side_and_hold_the_whole_text(tokenizer: Tokenizer, text: str) -> None:
    starts, ids = spans(tokenizer, text)
    content = text.encode()
    assert starts == sorted(set(starts)) and starts[:1] == [0][: len(starts)]
    for start, end, token in zip(starts, [*starts, len(content)][1:], ids, strict=True):
        if token is None:
            (unknown,) = content[start:end].decode()
            with pytest.raises(UnknownCharacters):
                tokenizer.encode(unknown)
        else:
            assert tokenizer.decode_bytes([token]) == content[start:end]
    if None not in ids:
        assert ids == tokenizer.encode(text)


def test_half_a_character_has_no_place() -> None:
    with pytest.raises(UnknownCharacters):
        spans(CharTokenizer("a"), "a\ud800")


# Text as its tokens come

STREAMED: dict[str, Tokenizer] = {
    "byte": ByteTokenizer(),
    "bpe": BPETokenizer.train("low lower 世界 世界 é😀 é😀 " * 9, 275, ("<end>",)),
    "char": CharTokenizer("abc世😀", ("<end>",)),
    "word": WordTokenizer.train("the cat 世界"),
    "ids": IdTokenizer(30),
    "marked bpe": MarkedTokenizer(BPETokenizer.train("世界 世界 é😀 " * 9, 270)),
}


@pytest.mark.parametrize("kind", STREAMED)
@settings(max_examples=30)
@given(st.data())
def test_streamed_text_is_the_decoded_text(kind: str, data: st.DataObject) -> None:
    tokenizer = STREAMED[kind]
    ids = st.lists(st.integers(0, tokenizer.vocab_size - 1))
    parts = data.draw(st.lists(st.one_of(ids, st.text("世é😀l").map(_encoder(tokenizer)))))
    stream = TextStream(tokenizer)
    shown = [stream.feed(part) for part in parts]
    every = [token for part in parts for token in part]
    assert "".join(shown) + stream.end() == tokenizer.decode(every)
    assert tokenizer.decode_bytes(every).decode("utf-8", "replace") == tokenizer.decode(every)


def _encoder(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    def encode(text: str) -> list[int]:
        try:
            return tokenizer.encode(text)
        except UnknownCharacters:
            return []

    return encode


@pytest.mark.parametrize("kind", ["byte", "bpe", "marked bpe"])
def test_no_half_character_is_shown(kind: str) -> None:
    tokenizer = STREAMED[kind]
    stream = TextStream(tokenizer)
    ids = tokenizer.encode("né好👩\u200d🚀")
    shown = "".join(stream.feed([token]) for token in ids[:-1])
    assert shown == "né好👩\u200d" and stream.feed(ids[-1:]) == "🚀" and stream.end() == ""
    assert stream.feed(tokenizer.encode("好")[:-1]) == "" and stream.end() == "�"
