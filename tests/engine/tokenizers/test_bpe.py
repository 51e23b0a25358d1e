"""Byte-level BPE: its merges are those of the paper, its ids those of other libraries, and no text is lost."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import regex
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from engine.tokenizers import (
    BPETokenizer,
    ByteTokenizer,
    Merge,
    TokenizerError,
    UnknownCharacters,
    byte,
    load_gpt2,
    load_tokenizer,
    readable_bytes,
    save_gpt2,
    save_tokenizer,
    train_merges,
)
from engine.tokenizers.base import MAX_BYTES
from engine.tokenizers.bpe import pretokens as pretokens_module
from engine.tokenizers.bpe import tokenizer as bpe
from engine.tokenizers.bpe.merging import LONG
from engine.tokenizers.bpe.pretokens import LLAMA3_PATTERN, PATTERNS, PreTokenizer, cuts
from engine.tokenizers.bpe.training import learn_merges
from engine.tokenizers.byte import LETTERS, spell, unspell
from engine.tokenizers.files import tokenizer_from_json
from tests.project.test_imports import ROOT

CORPORA = ROOT / "assets" / "corpora"
ENGLISH = (CORPORA / "stories.txt").read_text("utf-8")
CHINESE = (CORPORA / "stories-zh.txt").read_text("utf-8")

LANGUAGES = [
    "I'll say: they've gone, haven't they? It's 3.14 or 10,000; (e.g. x_1 = y**2)!\n",
    "C'était déjà l'été, où naîtra le cœur; Straße, Übermut, ångström, żółć, İstanbul ığdır.\n",
    "Съешь же ещё этих мягких французских булок. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.\n",
    "我能吞下玻璃而不伤身体。私はガラスを食べられます。나는 유리를 먹을 수 있어요. ２０２４年\n",
    "أنا قادر على أكل الزجاج و هذا لا يؤلمني. ١٢٣ אני יכול לאכול זכוכית וזה לא מזיק לי.\n",
    "मैं काँच खा सकता हूँ १२३। ฉันกินกระจกได้ แต่มันไม่ทำให้ฉันเจ็บ ၁၂၃ မြန်မာ ខ្មែរ አማርኛ ½ Ⅳ\n",
    "😀👩‍👩‍👧🏳️‍🌈 e\u0301 \u200b\u2028\u00a0\u3000\x85\x1c\x00\t\r\n  \n\n   end ĠĊÃ© �\ufeff\U0010ffff",
]
"""Letters, digits and white space of many scripts, and what breaks programs."""

ASSIGNED = st.characters(exclude_categories=("Cs", "Cn"))
"""Characters on which libraries with tables of different Unicode versions agree."""

TRICKY = st.sampled_from(
    [*"abcAB 019'’!-\n\t\r", "  ", "'ll", "'s", "the ", "é", "世", "😀", "\u00a0"]
)
HOSTILE = st.one_of(
    st.text(ASSIGNED),
    st.lists(TRICKY, max_size=60).map("".join),
    st.text("ab", max_size=200),
    st.sampled_from(LANGUAGES),
)
GPT2_SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The pattern in GPT-2's own order."""

END = "<|endoftext|>"


def small() -> BPETokenizer:
    """Merges of English, Chinese and all the languages above, with a special."""
    text = ENGLISH[:60_000] + CHINESE[:20_000] + 3 * "".join(LANGUAGES)
    return BPETokenizer.train(text, 1_500, (END,))


SMALL = small()


def recounted(texts: Sequence[str], size: int) -> Iterator[Merge]:
    """Algorithm 1 of Sennrich et al. 2016 to the letter: all pairs are counted for every merge."""
    words = [
        [bytes([value]) for value in piece.encode()]
        for text in texts
        for piece in regex.findall(GPT2_SPLIT, text)
    ]
    ids = {bytes([value]): value for value in range(256)}
    while size > 0:
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts:
            return
        count, pair = max((count, pair) for pair, count in counts.items())
        made = b"".join(pair)
        before = sum(map(len, words))
        for word in words:
            for i in range(len(word) - 1):
                if tuple(word[i : i + 2]) == pair:  # past the end of a shortened word, it is not
                    word[i : i + 2] = [made]
        size -= made not in ids
        new_id = ids.setdefault(made, len(ids))
        yield Merge(
            (ids[pair[0]], ids[pair[1]]), count, new_id, made, before - sum(map(len, words))
        )


def theirs(tokenizer: BPETokenizer, folder: Path) -> tokenizers.Tokenizer:
    """Hugging Face's tokenizer, from our vocab.json and merges.txt."""
    save_gpt2(tokenizer, folder)
    model = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    other = tokenizers.Tokenizer(model)
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    other.decoder = decoders.ByteLevel()
    other.add_special_tokens(list(tokenizer.specials))
    return other


def tiktokens(tokenizer: BPETokenizer) -> tiktoken.Encoding:
    specials = {special: tokenizer.names.index(special) for special in tokenizer.specials}
    ranks = {t: i for i, t in enumerate(tokenizer.tokens) if i not in specials.values()}
    return tiktoken.Encoding(
        "ours", pat_str=GPT2_SPLIT, mergeable_ranks=ranks, special_tokens=specials
    )


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> tokenizers.Tokenizer:
    return theirs(SMALL, tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def tik() -> tiktoken.Encoding:
    return tiktokens(SMALL)


# Training


def test_a_training_by_hand() -> None:
    """`aaabdaaabac`: aa is there 4 times; then (aa, a), (aa, a)'s rival (a, b), and the rest, twice."""
    assert list(train_merges(["aaabdaaabac"], 256 + 3)) == [
        Merge((97, 97), 4, 256, b"aa", 2),  # in aaa, one of two
        Merge((256, 97), 2, 257, b"aaa", 2),  # as often as (a, b), and aa is greater than a
        Merge((257, 98), 2, 258, b"aaab", 2),
    ]
    tokenizer = BPETokenizer.train("aaabdaaabac", 259)
    assert tokenizer.encode("aaabdaaabac") == [258, 100, 258, 97, 99]
    assert tokenizer.encode("aaaa baab") == [256, 256, 32, 98, 256, 98]


def test_of_pairs_as_frequent_the_greater_one_is_merged() -> None:
    assert [merge.new_bytes for merge in train_merges(["ab cd ac"], 257)] == [b"cd"]
    assert [merge.new_bytes for merge in train_merges(["ab", "ac"], 257)] == [b"ac"]
    # (a, z) against (ab, c): a is less than ab, whatever follows.
    merges = list(train_merges(["ababab abcabc azaz"], 258))
    assert [(merge.new_bytes, merge.count) for merge in merges] == [(b"ab", 5), (b"abc", 2)]


def test_nothing_is_merged_across_words_documents_or_specials() -> None:
    merges = list(train_merges(["xy xy", "z<end>xyz", "z"], 1_000, ("<end>",)))
    assert [merge.new_bytes for merge in merges] == [b"xy", b"xyz", b" xy"]
    assert BPETokenizer.train("z<end>xyz", 1_000, ("<end>",)).vocab_size == 256 + 2 + 1


def test_bytes_that_are_a_token_already_make_no_second_one() -> None:
    """aaaaaaa is made twice, as (aaaa, aaa) and otherwise, and stays one token with two merges."""
    text = " ".join("a" * length for length in (1, 2, 3, 5, 7, 7, 7, 9, 12, 15, 15))
    merges = list(train_merges([text], 400))
    assert merges == list(recounted([text], 400))
    tokenizer = BPETokenizer.train(text, 400)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(set(tokenizer.tokens)) == tokenizer.vocab_size


def test_one_token_may_have_several_merges() -> None:
    merges = [("a", "a"), ("aa", "a"), ("a", "aa")]
    tokenizer = BPETokenizer([*LETTERS, "aa", "aaa"], merges)
    assert tokenizer.encode("aaa") == [257]
    assert tokenizer_from_json(tokenizer.to_json()) == tokenizer


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.text("ab ", max_size=60), HOSTILE), max_size=4), st.integers(0, 40))
def test_merges_are_those_of_counting_anew_each_time(texts: list[str], size: int) -> None:
    assert list(train_merges(texts, 256 + size)) == list(recounted(texts, size))


@pytest.mark.parametrize("text", [ENGLISH[:15_000], CHINESE[:6_000], "".join(LANGUAGES)])
def test_merges_of_real_text_are_those_of_counting_anew(text: str) -> None:
    assert list(train_merges([text], 256 + 60)) == list(recounted([text], 60))


def test_merges_are_those_of_tokenizers_until_pairs_are_equally_frequent() -> None:
    """Its rule for ties is another one: the pair whose ids are less."""
    other = tokenizers.Tokenizer(models.BPE())
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=556, show_progress=False, initial_alphabet=alphabet)
    other.train_from_iterator([ENGLISH], trainer)
    theirs = [tuple(pair) for pair in json.loads(other.to_str())["model"]["merges"]]
    counts = [merge.count for merge in train_merges([ENGLISH], 556)]
    first_tie = next(i for i, (one, after) in enumerate(pairwise(counts)) if one == after)
    assert first_tie > 40
    assert theirs[:first_tie] == list(BPETokenizer.train(ENGLISH, 556).merges[:first_tie])


def test_training_is_the_same_in_every_process() -> None:
    code = (
        "import sys; from engine.tokenizers import BPETokenizer\n"
        "text = sys.stdin.buffer.read().decode()\n"
        "sys.stdout.buffer.write(BPETokenizer.train(text, 700, ('<end>',)).to_json().encode())\n"
    )
    text = ENGLISH[:20_000] + "".join(LANGUAGES)
    expected = BPETokenizer.train(text, 700, ("<end>",)).to_json().encode()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=text.encode(),
            cwd=ROOT,
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
        )
        assert done.stdout == expected


@pytest.mark.parametrize("vocab_size", [-1, 0, 257, 10**9])
def test_a_vocabulary_without_room_for_the_bytes_is_refused(vocab_size: int) -> None:
    with pytest.raises(TokenizerError, match=rf"vocab_size: {vocab_size} must be 258 \(the bytes"):
        BPETokenizer.train("abc", vocab_size, ("<end>", "<pad>"))


def test_one_text_is_not_several() -> None:
    with pytest.raises(TypeError, match=r"such as \[text\]"):
        train_merges("abab", 300)


def test_a_text_without_pairs_leaves_the_bytes() -> None:
    assert BPETokenizer.train("", 1_000).vocab_size == 256
    assert BPETokenizer.train("a\nb\nc", 1_000).vocab_size == 256


def test_a_page_can_stop_after_any_merge() -> None:
    merges = list(train_merges(["low lower lowest"], 262))
    for known in range(len(merges) + 1):
        tokenizer = BPETokenizer.from_merges(merges[:known], ("<end>",))
        assert tokenizer.vocab_size == 256 + known + 1
        assert tokenizer.decode(tokenizer.encode("lowest<end>")) == "lowest<end>"
    assert BPETokenizer.from_merges(iter(merges)) == BPETokenizer.train("low lower lowest", 262)


# Cutting text


EXPRESSIONS = {"gpt2": GPT2_SPLIT, "llama3": LLAMA3_PATTERN}


@pytest.mark.parametrize("pattern", PATTERNS)
@given(HOSTILE)
def test_texts_are_cut_as_the_pattern_says(pattern: str, text: str) -> None:
    assert PATTERNS[pattern].find_all(text) == regex.findall(EXPRESSIONS[pattern], text)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(st.text(st.characters(codec="ascii")))
def test_english_is_cut_the_same_by_the_faster_pattern(pattern: str, text: str) -> None:
    assert PATTERNS[pattern].find_all(text) == regex.findall(EXPRESSIONS[pattern], text)


SPECIALS = ("<a>", "<a><b>", "1", "12", " <", "'l", "\n\n")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("specials", [(), SPECIALS, ("<|endoftext|>",)])
@settings(deadline=None)
@given(
    st.lists(st.one_of(TRICKY, st.sampled_from([*SPECIALS, "<", "a>", "<|endof"])), max_size=40),
    st.integers(1, 7),
)
def test_a_stream_is_cut_like_the_whole(
    pattern: str, specials: tuple[str, ...], parts: list[str], size: int
) -> None:
    text = "".join(parts)
    pretokens = PreTokenizer(specials, pattern)
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretokens_module, "READ_AT_ONCE", 1)
        pieces = [piece for some in pretokens.stream(chunks) for piece in some]
    assert pieces == pretokens.split(text)
    assert "".join(pieces) == text


def test_a_stream_holds_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokens_module, "READ_AT_ONCE", 1_000)
    longest = max(sum(map(len, some)) for some in PreTokenizer((END,)).stream(iter(ENGLISH)))
    assert longest <= 1_000 + len(END)
    ids = SMALL.encode_iterable(iter(LANGUAGES * 3))
    assert next(ids) == SMALL.encode(LANGUAGES[0])[0]
    assert [next(ids) for _ in range(5)] == SMALL.encode(LANGUAGES[0])[1:6]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_counted_in_parts_like_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(pretokens_module, "READ_AT_ONCE", 7)
    text = (ENGLISH[:5_000] + END + CHINESE[:5_000] + "".join(LANGUAGES)).replace(". ", f".{end}")
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    places = cuts(path, 0, path.stat().st_size, 9)
    assert len(places) == 5  # sentences end in lines at some places
    pretokens = PreTokenizer((END,))
    pieces = [
        piece
        for part in pairwise(places)
        for piece in pretokens.split(text.encode()[part[0] : part[1]].decode())
    ]
    assert pieces == pretokens.split(text)
    assert pretokens.count([text]) == Counter(pieces) - Counter({END: 1})


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(deadline=None)
@given(
    st.lists(st.one_of(TRICKY, st.sampled_from(["\n", "\n\n", "\r\n", ".\n", " \n", "\u3000"]))),
    st.sampled_from(LANGUAGES),
)
def test_a_text_may_be_cut_where_its_pattern_is_sure(
    pattern: str, parts: list[str], words: str
) -> None:
    text = "".join(parts) + words
    content, found = text.encode(), PATTERNS[pattern]
    whole = found.find_all(text)
    for place in found.cut.finditer(content):
        one, other = content[: place.start()].decode(), content[place.start() :].decode()
        assert found.find_all(one) + found.find_all(other) == whole


# Ids


@settings(deadline=None)
@given(HOSTILE, st.data())
def test_any_text_comes_back(text: str, data: st.DataObject) -> None:
    ids = SMALL.encode(text)
    assert SMALL.decode(ids) == text
    assert SMALL.encode_array(text).tolist() == ids
    assert list(SMALL.encode_iterable([text[:3], "", text[3:]])) == ids
    some = data.draw(st.lists(st.integers(0, SMALL.vocab_size - 1), max_size=20))
    assert SMALL.decode(some) == SMALL.decode_bytes(some).decode("utf-8", "replace")


@settings(deadline=None, max_examples=200)
@given(text=HOSTILE)
def test_ids_are_those_of_other_libraries(
    hugging_face: tokenizers.Tokenizer, tik: tiktoken.Encoding, text: str
) -> None:
    ids = SMALL.encode(text)
    assert ids == hugging_face.encode(text).ids
    assert ids == tik.encode(text, allowed_special="all")


@pytest.mark.parametrize("text", [*LANGUAGES, "".join(LANGUAGES), ENGLISH[:150_000], CHINESE])
def test_ids_of_languages_are_those_of_other_libraries(
    hugging_face: tokenizers.Tokenizer, tik: tiktoken.Encoding, text: str
) -> None:
    text = f"{END}{text}{END} {END}\n"
    ids = SMALL.encode(text)
    assert ids == hugging_face.encode(text).ids
    assert ids == tik.encode(text, allowed_special="all")
    assert len(ids) < len(text.encode())


@given(st.lists(st.integers(0, SMALL.vocab_size - 1), max_size=30))
def test_any_ids_are_the_text_of_other_libraries(
    hugging_face: tokenizers.Tokenizer, tik: tiktoken.Encoding, ids: list[int]
) -> None:
    assert SMALL.decode(ids) == tik.decode(ids)
    end = SMALL.names.index(END)
    if end not in ids:  # it decodes what is between specials by itself
        assert SMALL.decode(ids) == hugging_face.decode(ids)


@given(st.text("ab", min_size=LONG - 3, max_size=4 * LONG))
def test_long_words_are_merged_like_short_ones(word: str) -> None:
    merger = BPETokenizer.train("ab abab aab abba bbaa baab " * 3, 275)._merger
    assert list(merger._many(word)) == list(merger._few(word))


def test_words_without_end_take_no_squares_of_time() -> None:
    text = "a" * 50_000 + "!?" * 25_000
    tokenizer = BPETokenizer.train(text, 290)
    assert max(map(len, tokenizer.tokens)) > 2_000
    genome = "".join("ACGT"[i] for i in np.random.default_rng(0).integers(4, size=50_000))
    assert len(list(train_merges([genome], 512))) == 256
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_longest_special_wins_and_none_is_split() -> None:
    tokenizer = BPETokenizer.train("aa aa 121", 258 + 4, ("<end>", "12", "123", " a"))
    pieces = [tokenizer.pieces[i] for i in tokenizer.encode("1<end>123 aa12<end")]
    assert pieces == ["1", "<end>", "123", " a", "a", "12", "<", "e", "n", "d"]


def test_half_a_character_is_unknown() -> None:
    for encode in (SMALL.encode, SMALL.encode_array, ByteTokenizer().encode):
        with pytest.raises(UnknownCharacters, match=r"U\+D800"):
            encode("fine, \ud800")
    with pytest.raises(UnknownCharacters, match=r"U\+DFFF"):
        BPETokenizer.train("fine, \udfff", 300)


@pytest.mark.parametrize("wrong", [-1, 1_500, 2**40])
def test_decode_refuses_ids_outside_the_vocabulary(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"token id {wrong} is not in the vocabulary"):
        SMALL.decode([0, wrong])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.tokenizers.bpe.tokenizer.MAX_REMEMBERED", 10)
    tokenizer = BPETokenizer.train("abc", 257)
    text = " ".join(map(str, range(1_000))) + " " + "x" * 1_000
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer._ids_of) <= 10
    assert all(len(piece) < 100 for piece in tokenizer._ids_of)


def test_pieces_are_readable() -> None:
    assert readable_bytes(b" the\n") == " the\n"
    assert readable_bytes("世界".encode()) == "世界"
    assert readable_bytes("你".encode()[:2]) == "⟨E4 BD⟩"
    assert readable_bytes(b" \xe4\xbd") == " ⟨E4 BD⟩"
    assert readable_bytes(b"\xbd\xa0" + "好".encode() + b"\xff") == "⟨BD A0⟩好⟨FF⟩"
    assert readable_bytes(b"\xed\xa0\x80") == "⟨ED A0 80⟩"
    assert SMALL.pieces[:256] == ByteTokenizer().pieces
    assert SMALL.pieces[0x41] == "A"
    assert SMALL.pieces[-1] == END
    assert SMALL.vocab_size == len(SMALL.pieces) == 1_500


@given(st.one_of(st.text(), HOSTILE))
def test_bytes_are_tokens(text: str) -> None:
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    assert bytes(ids).decode() == text == tokenizer.decode(ids)
    assert tokenizer.encode_array(text).tolist() == ids
    assert tokenizer_from_json(tokenizer.to_json()) == tokenizer


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert ByteTokenizer().decode([104, 0xC3]) == "h\ufffd"
    assert ByteTokenizer().encode_array("é").dtype == np.uint16
    with pytest.raises(ValueError, match="token id 256"):
        ByteTokenizer().decode([256])


@pytest.mark.parametrize(
    "module", [bpe, byte, pretokens_module], ids=lambda module: module.__name__
)
def test_the_examples_in_docstrings_are_true(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert tried and not failed


# Files


def test_files_both_ways(tmp_path: Path) -> None:
    for tokenizer in (SMALL, ByteTokenizer()):
        save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
        assert load_tokenizer(tmp_path / "tokenizer.json") == tokenizer
    save_gpt2(SMALL, tmp_path)
    assert load_gpt2(tmp_path) == SMALL
    assert tokenizer_from_json(SMALL.to_json()) == SMALL


@given(st.binary(max_size=40))
def test_the_alphabet_spells_all_bytes(content: bytes) -> None:
    spelled = spell(content)
    assert unspell(spelled, "tokens") == content
    assert not any(letter.isspace() for letter in spelled)
    assert set(LETTERS) == set(pre_tokenizers.ByteLevel.alphabet())


@pytest.mark.parametrize("merges_as_lines", [False, True])
def test_other_libraries_tokenizers_are_read(tmp_path: Path, merges_as_lines: bool) -> None:
    """Their ids begin with the specials, and the bytes are in another order."""
    other = tokenizers.Tokenizer(models.BPE())
    other.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        show_progress=False,
        special_tokens=[END, "<pad é>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    other.train_from_iterator(["".join(LANGUAGES), ENGLISH[:10_000]], trainer)
    values = json.loads(other.to_str())
    if merges_as_lines:
        values["model"]["merges"] = [" ".join(pair) for pair in values["model"]["merges"]]
        values["added_tokens"].append({"id": 500, "content": "<new>", "special": True})
    ours = tokenizer_from_json(json.dumps(values))
    assert ours.specials[:2] == (END, "<pad é>")
    assert ours.tokens[:3] == (END.encode(), "<pad é>".encode(), b"!")
    for text in [*LANGUAGES, f"{END}a<pad é> b"]:
        assert ours.encode(text) == other.encode(text).ids
    if not merges_as_lines:
        save_gpt2(ours, tmp_path)
        assert load_gpt2(tmp_path) == ours


def test_transformers_reads_ours(tmp_path: Path) -> None:
    save_tokenizer(SMALL, tmp_path / "tokenizer.json")
    other = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in [*LANGUAGES, f"{END}a{END}"]:
        ids = SMALL.encode(text)
        assert other.encode(text).ids == ids
        assert other.decode(ids, skip_special_tokens=False) == text


def fields(**changes: Any) -> dict[str, Any]:
    """A good file with two merges, but for these changes; `...` leaves a field out."""
    good: dict[str, Any] = {
        "type": "bpe",
        "tokens": [*LETTERS, "ab", "abc", "<end>"],
        "merges": ["a b", "ab c"],
        "specials": ["<end>"],
    }
    return {key: value for key, value in (good | changes).items() if value is not ...}


def test_the_good_file_is_good() -> None:
    assert tokenizer_from_json(json.dumps(fields())).encode("xabc<end>") == [120, 257, 258]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": ...}, "tokens: "),
        ({"tokens": "abc"}, "tokens: must be a list"),
        ({"tokens": [*LETTERS, 1]}, "tokens: must all be text"),
        ({"tokens": [*LETTERS, "ab", "abc", ["<end>"]]}, "tokens: must all be text"),
        ({"tokens": [*LETTERS, "ab", "abc", "<end>", ""]}, "tokens: '' must have 1"),
        ({"tokens": [*LETTERS, "ab", "abc", "<end>", "ab"]}, "tokens: 'ab' occurs twice"),
        (
            {"tokens": [*LETTERS[1:], "ab", "abc", "<end>"]},
            "tokens: '\\u0100', the token of byte 0,",
        ),
        ({"tokens": [*LETTERS, "ab", "abc", "<end>", "abcd"]}, "tokens: 'abcd' is no byte, no"),
        ({"tokens": [*LETTERS, "ab", "abc", "<end>", "世"]}, "tokens: '\\u4e16' is no byte, no"),
        ({"tokens": [*LETTERS, "ab", "abc", "<end>", "\ud800"]}, "tokens: '\\ud800' is half"),
        ({"tokens": [*LETTERS, "ab", "<end>"]}, "merges: 'ab' with 'c': what it makes is not one"),
        ({"merges": ...}, "tokens: 'ab' is no byte, no special, and made by no merge"),
        ({"merges": {"a": "b"}}, "merges: must be a list"),
        ({"merges": ["a b", ["ab", "c"]]}, "merges: must all be text"),
        ({"merges": ["a b", "abc"]}, "merges: 'abc' must be two tokens"),
        ({"merges": ["a b", "ab  c"]}, "merges: 'ab  c' must be two tokens"),
        ({"merges": ["a b", " c"]}, "merges: ' c' must be two tokens"),
        ({"merges": ["a b", "ab c", "a b"]}, "merges: 'a' with 'b' occurs twice"),
        ({"merges": ["ab c", "a b"]}, "merges: 'ab' with 'c': 'ab' is neither a byte nor made"),
        ({"merges": ["a b", "abc c"]}, "merges: 'abc' with 'c': 'abc' is neither a byte nor"),
        ({"merges": ["a b", "ab c", "<end> a"]}, "merges: '<end>' with 'a': '<end>' is neither"),
        ({"merges": ["a b", "ab c", "a " + "b" * 1_000]}, "merges: 'a' with 'bbb"),
        ({"specials": ...}, "tokens: '<end>' is no byte, no special"),
        ({"specials": "<end>"}, "specials: must be a list"),
        ({"specials": ["<end>", 1]}, "specials: must all be text"),
        ({"specials": ["<end>", "<end>"]}, "specials: '<end>' occurs twice"),
        ({"specials": ["<end>", "<go>"]}, "specials: '<go>' is not one of tokens"),
        ({"specials": ["<end>", "a"]}, "specials: 'a' is also the token of byte 97"),
        ({"specials": ["<end>", "ab"]}, "merges: 'a' with 'b': what it makes is one of specials"),
        ({"specials": ["<end>", "x" * 65]}, "specials: 'xxx"),
    ],
)
def test_a_broken_file_names_the_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        tokenizer_from_json(json.dumps(fields(**changes)))
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300


def test_a_vocabulary_has_a_largest_size() -> None:
    for field, arguments in (
        ("tokens", (["x"] * 1_000_001, [])),
        ("merges", ([*LETTERS], [("a", "b")] * 1_000_001)),
    ):
        with pytest.raises(TokenizerError, match=f"{field}: 1000001 entries, at most 1000000"):
            BPETokenizer(*arguments)


GPT2_FILES = [
    ("vocab.json", lambda text: text[1:], "vocab.json: is not JSON"),
    ("vocab.json", lambda text: text.replace(": 7,", ": 7.5,"), "vocab.json: the id of"),
    ("vocab.json", lambda text: text.replace(": 7,", ": 8,"), "vocab.json: "),
    ("vocab.json", lambda text: text.replace(": 7,", ": true,"), "vocab.json: the id of"),
    ("vocab.json", lambda text: text.replace(": 7,", ": 99999,"), "vocab.json: the id of"),
    ("merges.txt", lambda text: text + "\na b\n", "merges: '' must be two tokens"),
    ("merges.txt", lambda text: text + "Ġ Ġ Ġ\n", "merges: '\\u0120 \\u0120 \\u0120' must"),
    ("merges.txt", lambda text: text + "a qq\n", "merges: 'a' with 'qq': 'qq' is neither"),
]


@pytest.mark.parametrize(("name", "change", "message"), GPT2_FILES)
def test_broken_files_of_gpt2_say_what_is_wrong(
    tmp_path: Path, name: str, change: Callable[[str], str], message: str
) -> None:
    save_gpt2(SMALL, tmp_path)
    path = tmp_path / name
    path.write_bytes(change(path.read_bytes().decode()).encode())
    with pytest.raises(TokenizerError) as caught:
        load_gpt2(tmp_path)
    assert str(caught.value).startswith(message)


@pytest.mark.case("F21")
@pytest.mark.parametrize("header", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n"], ids=repr)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=repr)
def test_merges_are_read_however_an_editor_saved_them(
    header: bool, mark: str, end: str, line_end: str, tmp_path: Path
) -> None:
    save_gpt2(SMALL, tmp_path)
    lines = (tmp_path / "merges.txt").read_text("utf-8").splitlines()
    text = mark + "\n".join(lines[0 if header else 1 :]) + end
    (tmp_path / "merges.txt").write_bytes(text.replace("\n", line_end).encode())
    assert load_gpt2(tmp_path) == SMALL


def test_files_of_gpt2_that_are_no_text_or_too_large(tmp_path: Path) -> None:
    save_gpt2(SMALL, tmp_path)
    windows = (tmp_path / "merges.txt").read_bytes().replace(b"\n", b"\r\n")
    (tmp_path / "merges.txt").write_bytes(windows)
    assert load_gpt2(tmp_path) == SMALL
    (tmp_path / "merges.txt").write_bytes(b"\xff")
    with pytest.raises(TokenizerError, match=r"merges\.txt: is not UTF-8"):
        load_gpt2(tmp_path)
    with open(tmp_path / "vocab.json", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TokenizerError, match=r"vocab\.json: has \d+ bytes"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        ("model", None, "model"),
        ("model.type", "WordPiece", "model.type"),
        ("model.vocab", [], "model.vocab"),
        ("model.merges", "a b", "model.merges"),
        ("model.merges", [["a", "b", "c"]], "model.merges"),
        ("model.merges", [["a"]], "model.merges"),
        ("model.merges", [[1, 2]], "model.merges"),
        ("model.merges", [1], "model.merges"),
        ("model.dropout", 0.1, "model.dropout"),
        ("model.byte_fallback", True, "model.byte_fallback"),
        ("model.end_of_word_suffix", "</w>", "model.end_of_word_suffix"),
        ("pre_tokenizer", None, "pre_tokenizer"),
        ("pre_tokenizer.type", "Whitespace", "pre_tokenizer.type"),
        ("pre_tokenizer.add_prefix_space", True, "pre_tokenizer.add_prefix_space"),
        ("pre_tokenizer.use_regex", False, "pre_tokenizer.use_regex"),
        ("normalizer", {"type": "NFC"}, "normalizer"),
        ("added_tokens", {"a": 1}, "added_tokens"),
        ("added_tokens", ["<end>"], "added_tokens"),
        ("added_tokens", [{"id": 1, "content": END}], "added_tokens"),
        ("added_tokens", [{"id": 1_499, "content": 1}], "added_tokens"),
        ("added_tokens", [{"id": 1_499, "content": END, "lstrip": True}], "added_tokens.lstrip"),
        ("added_tokens", [], "model.vocab"),
    ],
)
def test_a_tokenizer_that_is_not_gpt2s_is_refused(place: str, value: Any, field: str) -> None:
    values = json.loads(SMALL.to_json())
    *parts, last = place.split(".")
    inner = values
    for part in parts:
        inner = inner[part]
    inner[last] = value
    with pytest.raises(TokenizerError) as caught:
        tokenizer_from_json(json.dumps(values))
    assert caught.value.field == field
    assert len(str(caught.value)) < 300


def test_learning_takes_counts_of_words() -> None:
    """What a file was counted for may be learned from as often as wanted, in any order of words."""
    counts = PreTokenizer().count([ENGLISH[:20_000]])
    merges = list(learn_merges(counts, 100))
    assert merges == list(learn_merges(dict(sorted(counts.items())), 100))
    assert merges == list(train_merges([ENGLISH[:20_000]], 356))


def test_no_language_here_is_newer_than_the_libraries() -> None:
    """They agree on characters that have been in Unicode for long."""
    assert all(unicodedata.category(letter) != "Cn" for text in LANGUAGES for letter in text[:-1])


# Looking at it


def test_closings_cut_a_text_as_the_first_merges_do() -> None:
    """One list of numbers tells how every smaller vocabulary cuts the text."""
    text = f"Once upon a time aaaaaaa 从前，有一只小兔 👩‍👧 don't{END} é\n" + ENGLISH[:300]
    merges = list(train_merges([ENGLISH[:30_000], CHINESE[:9_000], "aaaa " * 90], 700, (END,)))
    whole = BPETokenizer.from_merges(merges, (END,))
    closed = whole.closings(text)
    assert len(closed) == len(text.encode()) - 1
    for first in (0, 1, 2, 17, 200, len(merges)):
        smaller = BPETokenizer.from_merges(merges[:first], (END,))
        tokens = [smaller.tokens[i] for i in smaller.encode(text)]
        lengths = [*accumulate(map(len, tokens))][:-1]
        assert [i + 1 for i, number in enumerate(closed) if number > first] == lengths
    assert whole.closings("") == whole.closings("a") == []


def test_merged_says_how_much_shorter_the_text_becomes() -> None:
    text = ENGLISH[:30_000]
    merges = list(train_merges([text], 400))
    tokenizer = BPETokenizer.from_merges(merges)
    assert len(text.encode()) - sum(m.merged for m in merges) == len(tokenizer.encode(text))
