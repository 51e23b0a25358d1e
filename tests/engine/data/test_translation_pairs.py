"""The small languages: grammatical, one translation for each text, and truly held out."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from datetime import date
from itertools import islice, pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import PAIRS
from engine.data.corpora import FOLDER
from engine.data.translation_pairs import EDITIONS, dates, numbers, pair_parts
from engine.data.translation_pairs.grammar import REFERENCE, Derivation, Speaker, read_grammar
from engine.data.translation_pairs.sentences import LONGEST, SHORTEST, Edition
from engine.tokenizers.word import split_words

# Every language


@pytest.mark.parametrize("name", PAIRS)
class TestEveryLanguage:
    def test_nothing_that_is_held_out_is_learned_from(self, name: str) -> None:
        parts = pair_parts(name)
        assert set(parts) == {"train", "valid", "compositional"}
        sources = [source for pairs in parts.values() for source, _ in pairs]
        assert len(sources) == len(set(sources))
        assert 4_000 <= len(parts["train"]) <= 20_000
        assert len(parts["valid"]) >= 300 and len(parts["compositional"]) >= 300

    def test_every_word_that_is_held_out_is_learned(self, name: str) -> None:
        parts = pair_parts(name)
        for side in (0, 1):
            seen = Counter(word for pair in parts["train"] for word in split_words(pair[side]))
            for part in ("valid", "compositional"):
                words = {word for pair in parts[part] for word in split_words(pair[side])}
                assert min(seen[word] for word in words) >= 10

    def test_texts_are_clean_and_short(self, name: str) -> None:
        for pairs in pair_parts(name).values():
            for text in (text for pair in pairs[::5] for text in pair):
                assert text == " ".join(text.split())
                assert not set("<>|*~{}\t\ue000\ue001") & set(text)
                assert len(split_words(text)) <= 31

    def test_rules_say_what_the_pairs_say(self, name: str) -> None:
        pairs = [pair for part in pair_parts(name).values() for pair in part[::41]]
        assert all(PAIRS[name].translate(source) == target for source, target in pairs)

    def test_it_is_described(self, name: str) -> None:
        source = PAIRS[name]
        assert source.name == name
        assert source.title and source.source_language and source.target_language
        assert source.description.endswith(".")
        assert source.compositional[0].islower()


# Numbers


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (10, "ten"),
        (19, "nineteen"),
        (20, "twenty"),
        (42, "forty-two"),
        (100, "one hundred"),
        (615, "six hundred fifteen"),
        (1_000, "one thousand"),
        (4_721, "four thousand seven hundred twenty-one"),
        (70_007, "seventy thousand seven"),
        (999_999, "nine hundred ninety-nine thousand nine hundred ninety-nine"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert numbers.number_words(number) == words
    assert numbers.translate(str(number)) == words


@given(st.text() | st.integers().map(str))
def test_only_a_number_is_translated(text: str) -> None:
    is_number = re.fullmatch("0|[1-9][0-9]{0,5}", text) is not None
    assert (numbers.translate(text) is not None) == is_number


def test_digits_that_are_apart_are_learned_apart() -> None:
    parts = pair_parts("numbers")
    train = [int(source) for source, _ in parts["train"]]
    assert set(range(100)) <= set(train)
    assert not any(map(numbers.is_compositional, train))
    assert not any(numbers.is_compositional(int(source)) for source, _ in parts["valid"])
    assert all(numbers.is_compositional(int(source)) for source, _ in parts["compositional"])
    for place, digit, other, other_digit in numbers.APART:
        assert sum(number // 10**place % 10 == digit for number in train) > 200
        assert sum(number // 10**other % 10 == other_digit for number in train) > 200
    lengths = Counter(len(str(number)) for number in train)
    assert set(lengths) == {1, 2, 3, 4, 5, 6}


# Dates


@pytest.mark.parametrize("form", dates.FORMS)
def test_each_form_is_called_by_what_it_writes(form: str) -> None:
    assert dates.FORMS[form].write(date(1998, 3, 12)) == form
    assert dates.translate(form) == "1998-03-12"
    for day in (date(1950, 1, 1), date(2049, 12, 31), date(2000, 2, 29), date(2024, 5, 9)):
        assert dates.translate(dates.FORMS[form].write(day)) == day.isoformat()


def test_a_text_is_the_date_of_one_form_only() -> None:
    days = [
        date(year, month, day)
        for year, month, day in product((1962, 2012), range(1, 13), (1, 2, 12))
    ]
    written = [form.write(day) for form in dates.FORMS.values() for day in days]
    assert len(written) == len(set(written))


@pytest.mark.parametrize(
    "text",
    ["", "March 12", "31.04.1998", "Friday 12 Mar 1998", "March 12rd, 1998", "march 12, 1998",
     "12.3.1998", "13/12/1998", "March 012, 1998", "March 12, 1949", "1998-03-12", "0 March 1998",
     "12 Mar '9８", "1998年03月12日"],
)  # fmt: skip
def test_no_other_text_is_a_date(text: str) -> None:
    assert dates.translate(text) is None


def test_months_are_never_learned_in_the_forms_they_are_held_out_in() -> None:
    def form_and_month(source: str, target: str) -> tuple[str, int]:
        day = date.fromisoformat(target)
        name = next(name for name, form in dates.FORMS.items() if form.write(day) == source)
        return name, day.month

    parts = pair_parts("dates")
    seen = Counter(form_and_month(*pair) for pair in parts["train"])
    unseen = {(name, month) for name, form in dates.FORMS.items() for month in form.unseen}
    assert set(seen) == set(product(dates.FORMS, range(1, 13))) - unseen
    assert {form_and_month(*pair) for pair in parts["compositional"]} == unseen
    assert not {form_and_month(*pair) for pair in parts["valid"]} & unseen


# Grammars


@pytest.mark.parametrize("edition", EDITIONS.values(), ids=lambda edition: edition.name)
class TestSentences:
    def test_the_file_is_what_the_grammar_writes(self, edition: Edition) -> None:
        stored = gzip.decompress(edition.path.read_bytes()).decode().splitlines()
        made = (f"{s.source}\t{s.target}\t{part}" for part, s in edition.sentences())
        assert stored[:1_000] == list(islice(made, 1_000)), (
            "the grammar has changed: python -m engine.data.translation_pairs"
        )
        assert edition.path.stat().st_size < 300_000

    def test_a_source_has_one_translation(self, edition: Edition) -> None:
        translations: dict[str, str] = {}
        for sentence in islice(edition.speaker().sentences(), 2_000):
            known = translations.setdefault(sentence.source, sentence.target)
            assert known == sentence.target, sentence.source
        assert len(translations) > 1_600  # most are new: there are far more than are used

    def test_lengths_and_vocabularies_are_small(self, edition: Edition) -> None:
        pairs = pair_parts(edition.name)["train"]
        assert {len(source.split()) for source, _ in pairs} == set(range(SHORTEST, LONGEST + 1))
        for side, most in ((0, 260), (1, 320)):
            words = {word.strip().lower() for pair in pairs for word in split_words(pair[side])}
            assert 200 <= len(words) <= most
        for source, target in pairs:
            assert source[0].isupper() and source[-1] in ".?"
            assert target[-1] in ".?。？" and (source[-1] == "?") == (target[-1] in "?？")

    def test_words_kept_apart_are_learned_apart(self, edition: Edition) -> None:
        parts = pair_parts(edition.name)
        grammar = edition.speaker().grammar
        adjectives = {row.name for row in grammar.tables["adjective"].rows}
        counts: dict[str, Counter[tuple[str, ...]]] = {}
        for part in ("train", "compositional"):
            words = [re.findall(r"\w+|[.?]", source.lower()) for source, _ in parts[part]]
            counts[part] = Counter(
                pair for sentence in words for pair in (*zip(sentence), *pairwise(sentence))
            )
        for one, other in grammar.apart:
            assert counts["train"][one.split()[0],] > 20, one
            if one in adjectives:
                assert counts["train"][one, other] == 0
                assert counts["compositional"][one, other] > 0

    def test_its_words_are_those_of_the_pairs(self, edition: Edition) -> None:
        pairs = pair_parts(edition.name)["train"]
        words = {word.strip().lower() for source, _ in pairs for word in split_words(source)}
        assert edition.words() == sorted(word for word in words if word.isalpha())

    def test_what_the_grammar_does_not_say_has_no_translation(self, edition: Edition) -> None:
        """Known words in another order, a sentence without its end, a small beginning, a wrong article."""
        for source, _ in pair_parts(edition.name)["valid"][:20]:
            first, *others = source[:-1].split()
            assert edition.translate(source) is not None
            assert edition.translate(" ".join([*others, first]) + source[-1]) is None
            assert edition.translate(source[:-1]) is None
            assert edition.translate(source[0].lower() + source[1:]) is None
        assert edition.translate("") is None
        assert edition.translate("I love you.") is None

    def test_every_row_can_be_said(self, edition: Edition) -> None:
        speaker = edition.speaker()
        text = (FOLDER / f"{edition.name}.grammar").read_text(encoding="utf-8")
        body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        used = {found[1] for found in REFERENCE.finditer(body)}
        assert used == set(speaker.grammar.tables) - {"sentence"}
        seen: set[int] = set()

        def see(derivation: Derivation) -> None:
            seen.add(id(derivation.row))
            for child in derivation.children.values():
                see(child)

        for sentence in islice(speaker.sentences(), 3_000):
            see(sentence.derivation)
        rows = [row for table in speaker.grammar.tables.values() for row in table.rows]
        assert [row.name for row in rows if id(row) not in seen] == []

    def test_alignment_links_words_that_translate_each_other(self, edition: Edition) -> None:
        for aligned, pair in zip(
            edition.aligned("valid", 20), pair_parts(edition.name)["valid"], strict=False
        ):
            assert ("".join(aligned.source), "".join(aligned.target)) == pair
            assert aligned.links == sorted(set(aligned.links))
            linked = {i for i, _ in aligned.links}
            assert len(linked) >= len(aligned.source) // 3
        tables = edition.speaker().grammar.tables
        nouns = {row.name: row for row in tables["noun"].rows}
        for aligned in edition.aligned("compositional", 20):
            for i, word in enumerate(aligned.source):
                row = nouns.get(word.strip())
                if row is not None:
                    theirs = "".join(aligned.target[j] for k, j in aligned.links if k == i)
                    forms = {str(cell[0]) for cell in row.cells.values() if cell}
                    assert any(form in theirs for form in forms), (word, theirs)


def test_german_agrees() -> None:
    """Articles and endings that no noun can have, by gender, in any case."""
    genders = {
        str(row.cells[case][0]): row.values["gender"]
        for row in EDITIONS["german"].speaker().grammar.tables["noun"].rows
        for case in ("nom", "acc", "dat")
    }
    allowed = {
        "m": "der den dem ein einen einem mein meinen meinem keinen keinem",
        "f": "die der eine einer meine meiner keine keiner",
        "n": "das dem ein einem mein meinem kein keinem",
    }
    ending = {"der": "e", "das": "e", "die": "e", "den": "en", "dem": "en", "ein": "er"}
    checked = 0
    for _, target in pair_parts("german")["train"]:
        for found in re.finditer(r"(?:\b(\w+) )?(\w+) ([A-ZÄÖÜ]\w+)", target):
            before, middle, noun = found.groups()
            gender = genders.get(noun)
            if gender is None:
                continue
            words = set(allowed[gender].split())
            if middle.lower() in words:
                checked += 1
                continue
            if before is None:  # a form of address or an adjective at the very beginning: none
                raise AssertionError(target)
            article = before.lower()
            assert article in words, target
            if gender == "f":
                dative = article in ("der", "einer", "meiner", "keiner")
                assert middle.endswith("en" if dative else "e"), target
            elif article in ending and not (gender == "n" and article in ("ein", "der")):
                assert middle.endswith(ending[article]), target
            elif article in ("ein", "mein", "kein"):
                assert middle.endswith("er" if gender == "m" else "es"), target
            else:
                assert middle.endswith("en"), target
            checked += 1
    assert checked > 20_000


def test_chinese_counts_with_the_classifier_of_the_noun() -> None:
    rows = EDITIONS["chinese"].speaker().grammar.tables["noun"].rows
    classifier = {str(row.cells["chinese"][0]): str(row.cells["classifier"][0]) for row in rows}
    names = "|".join(sorted(classifier, key=len, reverse=True))
    checked = 0
    for _, target in pair_parts("chinese")["train"]:
        assert not re.search("[a-zA-Z .,?]", target)
        for found in re.finditer(rf"(?:[两三四五]|一(?!样))(.)({names})", target):
            assert classifier[found[2]] == found[1], target
            checked += 1
    assert checked > 1_000


# How a grammar is written

GRAMMAR = """
# a comment
feature case: nom acc
feature gender: m f

table the: gender, case, english, german
    m | nom | the | der
    m | acc | the | den
    f | * | the | die

table noun: gender, english, nom, acc
    m | bear | Bär | Bären
    f | owl | Eule | ~

table phrase: case, english, german
    * | <the gender case> <noun gender> | <the> <noun.case>

table verb: english, finite, end
    calls up | ruft | an

table sentence: english, german
    <phrase nom> <verb> <phrase:2 acc>. | <phrase> <verb.finite> <phrase:2>, <verb.end>.

apart
    bear + calls up
"""


def test_a_grammar_agrees_reorders_and_aligns() -> None:
    speaker = Speaker(read_grammar(GRAMMAR), 0)
    found = {s.source: s for s in islice(speaker.sentences(), 60)}
    assert {source: s.target for source, s in found.items()} == {
        "The bear calls up the bear.": "Der Bär ruft den Bären, an.",
        "The bear calls up the owl.": "Der Bär ruft die Eule, an.",
        "The owl calls up the bear.": "Die Eule ruft den Bären, an.",
        "The owl calls up the owl.": "Die Eule ruft die Eule, an.",
    }
    assert [source for source, s in found.items() if not s.compositional] == [
        "The owl calls up the owl."
    ]
    aligned = speaker.align(found["The owl calls up the bear."].derivation)
    assert aligned.source == ["The", " owl", " calls", " up", " the", " bear", "."]
    assert aligned.target == ["Die", " Eule", " ruft", " den", " Bären", ",", " an", "."]
    assert aligned.links == [(0, 0), (1, 1), (2, 2), (2, 6), (3, 2), (3, 6), (4, 3), (5, 4)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# a comment", "poem one", "line 2: not a feature, a table or apart: 'poem one'"),
        ("# a comment", "    x", "line 2: belongs to no table: '    x'"),
        ("f | * | the | die", "f | the | die", "line 9: 3 cells for 4 columns"),
        ("f | * | the", "n | * | the", "line 9: gender n must be one of m, f"),
        ("<noun.case>", "<noun.plural>", "line 16: table noun has no column plural"),
        ("<noun.case>", "<noun case>", "line 16: <noun case>: its features are said twice"),
        ("<noun gender>", "<nouns>", "line 16: there is no table nouns"),
        ("<noun gender>", "<noun case>", "line 16: table noun has no feature case"),
        ("<noun gender>", "<noun acc>", "line 16: acc is not a value of one feature of noun"),
        ("<noun gender>", "<noun", "line 16: not a reference: <the gender case> <noun"),
        ("gender, english, nom, acc", "english, gender, nom, acc", "line 11: features come first"),
        ("table sentence", "table sentences", "there is no table sentence"),
        ("bear + calls up", "bear calls up", "line 25: not two names with + between"),
        ("bear + calls up", "beer + calls up", "apart: there is no row beer"),
    ],
)
def test_a_broken_grammar_says_where(old: str, new: str, message: str) -> None:
    assert old in GRAMMAR
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read_grammar(GRAMMAR.replace(old, new, 1))


def test_a_grammar_that_says_nothing_is_given_up() -> None:
    grammar = read_grammar(
        GRAMMAR.replace("    m | nom | the | der\n", "").replace("    f | *", "    f | acc")
    )
    with pytest.raises(ValueError, match="no sentence comes of this grammar"):
        Speaker(grammar, 0).derive()
