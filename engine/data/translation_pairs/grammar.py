"""Synchronous grammars: one derivation generates a sentence in two languages.

Each row of a grammar has the same meaning in both languages, and its constituents have the same names on
both sides, so that a phrase may have another position in the translation (syntax-directed transduction,
Lewis & Stearns 1968; Chiang 2007, "Hierarchical Phrase-Based Translation"). A row may have more than two
forms. So a German verb can have two positions, and a clause can be used with its verb second or last
(multiple context-free grammars, Seki 1991).

A grammar is a text file; german.grammar explains its few rules and is the best example.

The same grammar and seed give the same sentences on every machine: the only source of chance is
`random.Random.random`, which Python promises not to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import Literal, NamedTuple

from engine.tokenizers.word import split_words

NAME = r"[^\W\d]\w*"
REFERENCE = re.compile(rf"<({NAME})(?::(\d))?(?:\.({NAME}))?((?: {NAME}(?:={NAME})?)*)>")
ANY, NOTHING, SAME = "*", "-", "~"
"""Cells: any value of a feature; an empty form; the same form as in the previous column."""

OPEN, CLOSE, LINK = "\ue000", "\ue001", 0xE100
"""Delimiters of a word that is marked for alignment, and the first character of its numbers."""
MARKS = f"[{OPEN}{CLOSE}{chr(LINK)}-\uf8ff]"
ARTICLE = re.compile(rf"\b[aA](?={MARKS}* {MARKS}*[aeiou])")
"""Where "a" is "an"."""
SPARE_COMMA = re.compile(rf",(?={MARKS}*[,.?])")
"""The comma that ends a clause, before another sign."""
SPARE_SPACE = re.compile(rf" (?={MARKS}*[,.?])")
FIRST = re.compile(r"\w")

ATTEMPTS = 1_000
"""Maximum failed derivations of a sentence."""


class DeadEnd(Exception):
    """No row has the required features."""


class Part(NamedTuple):
    """A reference in a cell: which constituent, and which of its forms."""

    key: str
    column: str | None


Cell = list[str | Part]


@dataclass(frozen=True)
class Constituent:
    """A constituent of a row."""

    table: str
    given: dict[str, str]
    """Features with a fixed value."""
    shared: dict[str, str]
    """Features, by their name there, that have the same value as a feature of the row."""


@dataclass(frozen=True)
class Row:
    """A row: one production in both languages."""

    name: str
    """The first form as it is written: what `apart` calls the row."""
    values: dict[str, str]
    """Features of this row; others may have any value."""
    cells: dict[str, Cell]
    """Each form, by its column."""
    sides: tuple[Cell, Cell]
    """The default forms of the source and of the target."""
    constituents: dict[str, Constituent]
    """In the order in which they are chosen."""


@dataclass
class Table:
    """Rows that can replace one another."""

    features: tuple[str, ...]
    columns: tuple[str, ...]
    """The names of the forms: the first is the source's, the second the target's."""
    rows: list[Row] = field(default_factory=lambda: [])


@dataclass(frozen=True)
class Grammar:
    """All tables; sentences start from the table `sentence`."""

    features: dict[str, tuple[str, ...]]
    tables: dict[str, Table]
    apart: frozenset[tuple[str, str]]
    """Names of rows, in both orders, that training data never combines."""


@dataclass
class Derivation:
    """A row, and the trees chosen for its constituents."""

    row: Row
    values: dict[str, str]
    children: dict[str, Derivation]


class Sentence(NamedTuple):
    """A sentence in both languages."""

    source: str
    target: str
    compositional: bool
    """Whether it combines rows that are `apart`."""
    derivation: Derivation


class AlignedSentence(NamedTuple):
    """A sentence in both languages, with word alignments."""

    source: list[str]
    target: list[str]
    """The words and signs, as `WordTokenizer` splits them."""
    links: list[tuple[int, int]]
    """(place in the source, place in the target), ascending."""


def read_grammar(text: str) -> Grammar:
    """Parse a grammar. Raises `ValueError` saying what is wrong, and where."""
    sections = _Sections()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                sections.take(number, line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    grammar = Grammar(sections.features, sections.tables, frozenset(sections.apart))
    for number, table, cells in sections.rows:
        try:
            table.rows.append(_read_row(grammar, table, cells))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    if "sentence" not in grammar.tables:
        raise ValueError("there is no table sentence")
    names = {row.name for table in grammar.tables.values() for row in table.rows}
    for one, _ in sorted(grammar.apart):
        if one not in names:
            raise ValueError(f"apart: there is no row {one}")
    return grammar


class _Sections:
    """The lines of a grammar, sorted by what they belong to: indented ones to the heading before them."""

    def __init__(self) -> None:
        self.features: dict[str, tuple[str, ...]] = {}
        self.tables: dict[str, Table] = {}
        self.apart: set[tuple[str, str]] = set()
        self.rows: list[tuple[int, Table, list[str]]] = []
        """Each with its line's number; read when every table is known."""
        self.heading: Table | Literal["apart"] | None = None

    def take(self, number: int, line: str) -> None:
        """Add one line. Raises `ValueError` for one that fits nowhere."""
        if not line.startswith(" "):
            self.heading = self.head(line)
        elif self.heading is None:
            raise ValueError(f"belongs to no table: {line!r}")
        elif self.heading == "apart":
            one, plus, other = line.strip().partition(" + ")
            if not plus:
                raise ValueError(f"not two names with + between: {line!r}")
            self.apart |= {(one, other), (other, one)}
        else:
            cells = [cell.strip() for cell in line.strip().split(" | ")]
            width = len(self.heading.features) + len(self.heading.columns)
            if len(cells) != width:
                raise ValueError(f"{len(cells)} cells for {width} columns")
            self.rows.append((number, self.heading, cells))

    def head(self, line: str) -> Table | Literal["apart"] | None:
        """The entry that the indented lines after this one belong to."""
        kind, _, rest = line.strip().partition(" ")
        name, _, words = rest.partition(": ")
        if kind == "apart" and not rest:
            return "apart"
        if kind == "feature" and words:
            self.features[name] = tuple(words.split())
            return None
        if kind != "table" or not words:
            raise ValueError(f"not a feature, a table or apart: {line!r}")
        columns = words.split(", ")
        own = tuple(column for column in columns if column in self.features)
        if tuple(columns[: len(own)]) != own or len(own) == len(columns):
            raise ValueError(f"features come first, then forms: {line!r}")
        self.tables[name] = Table(own, tuple(columns[len(own) :]))
        return self.tables[name]


def _read_row(grammar: Grammar, table: Table, cells: list[str]) -> Row:
    values: dict[str, str] = {}
    for feature, value in zip(table.features, cells, strict=False):
        if value == ANY:
            continue
        if value not in grammar.features[feature]:
            allowed = ", ".join(grammar.features[feature])
            raise ValueError(f"{feature} {value} must be one of {allowed}")
        values[feature] = value
    forms = cells[len(table.features) :]
    parsed: dict[str, Cell] = {}
    constituents: dict[str, Constituent] = {}
    for column, form in zip(table.columns, forms, strict=True):
        if form == SAME:
            parsed[column] = parsed[table.columns[table.columns.index(column) - 1]]
            continue
        parsed[column] = _read_cell(grammar, "" if form == NOTHING else form, constituents)
    sides = parsed[table.columns[0]], parsed[table.columns[min(1, len(forms) - 1)]]
    return Row(forms[0], values, parsed, sides, constituents)


def _read_cell(grammar: Grammar, form: str, constituents: dict[str, Constituent]) -> Cell:
    """Text and references; what is first heard of here is added to the constituents."""
    cell: Cell = []
    place = 0
    for found in REFERENCE.finditer(form):
        cell.append(form[place : found.start()])
        place = found.end()
        name, number, column, words = found.groups()
        table = grammar.tables.get(name)
        if table is None:
            raise ValueError(f"there is no table {name}")
        if column and column not in (*table.columns, *grammar.features):
            raise ValueError(f"table {name} has no column {column}")
        key = f"{name}:{number}" if number else name
        if key not in constituents:
            constituents[key] = _read_constituent(grammar, name, words.split())
        elif words:
            raise ValueError(f"{found[0]}: its features are said twice")
        cell.append(Part(key, column))
    cell.append(form[place:])
    if any(set("<>") & set(part) for part in cell if isinstance(part, str)):
        raise ValueError(f"not a reference: {form}")
    return [part for part in cell if part != ""]


def _read_constituent(grammar: Grammar, name: str, words: list[str]) -> Constituent:
    """`acc`, a value; `gender`, the row's own; `sort=doer`, another one of the row's."""
    given: dict[str, str] = {}
    shared: dict[str, str] = {}
    has = grammar.tables[name].features
    for word in words:
        feature, equals, value = word.partition("=")
        if not equals:
            value = word
            if word not in grammar.features:
                owners = [owner for owner in has if word in grammar.features[owner]]
                if len(owners) != 1:
                    raise ValueError(f"{word} is not a value of one feature of {name}")
                feature = owners[0]
        if feature not in has:
            raise ValueError(f"table {name} has no feature {feature}")
        if value in grammar.features:
            shared[feature] = value
        elif value in grammar.features[feature]:
            given[feature] = value
        else:
            raise ValueError(f"{value} is no value of {feature}")
    return Constituent(name, given, shared)


class Speaker:
    """Generates sentences from a grammar.

    `between` separates the words of the target language: a space, or nothing in Chinese.
    """

    def __init__(self, grammar: Grammar, seed: int, between: str = " ") -> None:
        self.grammar = grammar
        self.between = between
        self._random = Random(seed).random
        self._rows: dict[tuple[str, ...], list[Row]] = {}

    def sentences(self) -> Iterator[Sentence]:
        """Endless sentences, with repetitions."""
        while True:
            derivation = self.derive()
            together: set[tuple[str, str]] = set()
            if self.grammar.apart:
                _heads(derivation, together)
            compositional = not together.isdisjoint(self.grammar.apart)
            yield Sentence(*self.say(derivation), compositional, derivation)

    # Trees

    def derive(self) -> Derivation:
        """One sentence, as a tree."""
        for _ in range(ATTEMPTS):
            try:
                return self._derive("sentence", {})
            except DeadEnd:
                continue
        raise ValueError("no sentence comes of this grammar")

    def _derive(self, name: str, wanted: dict[str, str]) -> Derivation:
        rows = self.candidates(name, wanted)
        row = rows[int(self._random() * len(rows))]
        values = {**row.values, **wanted}
        children: dict[str, Derivation] = {}
        for key, constituent in row.constituents.items():
            wants = constituent.given
            if constituent.shared:
                wants = wants.copy()
                for feature, own in constituent.shared.items():
                    if own in values:
                        wants[feature] = values[own]
            child = children[key] = self._derive(constituent.table, wants)
            for feature, own in constituent.shared.items():
                if feature in child.values:
                    values[own] = child.values[feature]
        return Derivation(row, values, children)

    def candidates(self, name: str, wanted: dict[str, str]) -> list[Row]:
        """The rows that have these features. Raises `DeadEnd` if none has."""
        asked = (name, *wanted, *wanted.values())
        rows = self._rows.get(asked)
        if rows is None:
            rows = self._rows[asked] = [
                row
                for row in self.grammar.tables[name].rows
                if all(row.values.get(feature, value) == value for feature, value in wanted.items())
            ]
        if not rows:
            raise DeadEnd
        return rows

    # Words

    def say(self, derivation: Derivation) -> tuple[str, str]:
        """A tree as a sentence in both languages."""
        return self._written(_form(derivation, 0, None), _form(derivation, 1, None))

    def align(self, derivation: Derivation) -> AlignedSentence:
        """The words of a tree's sentence in both languages, and which translate which.

        A row without constituents is what translates as one unit: each of its words in one language
        is linked to each in the other.
        """
        numbers: dict[int, int] = {}
        marked = self._written(
            _form(derivation, 0, None, numbers), _form(derivation, 1, None, numbers)
        )
        (words, owners), (target_words, target_owners) = map(_owners, marked)
        links = [
            (i, j)
            for i, mine in enumerate(owners)
            for j, theirs in enumerate(target_owners)
            if mine & theirs
        ]
        return AlignedSentence(words, target_words, links)

    def _written(self, source: str, target: str) -> tuple[str, str]:
        """Correct spaces, punctuation and capitals."""
        source = ARTICLE.sub(lambda found: found[0] + "n", " ".join(source.split()))
        target = SPARE_COMMA.sub("", SPARE_SPACE.sub("", self.between.join(target.split())))
        return _capital(source), _capital(target)


def _capital(text: str) -> str:
    return FIRST.sub(lambda found: found[0].upper(), text, count=1)


def _form(
    derivation: Derivation, side: int, column: str | None, numbers: dict[int, int] | None = None
) -> str:
    """One form of a tree. With `numbers`, words are marked with those of their rows."""
    row = derivation.row
    text = ""
    for part in row.cells[column] if column else row.sides[side]:
        if isinstance(part, str):
            text += part
            continue
        child = derivation.children[part.key]
        wanted = part.column
        if wanted is not None and wanted not in child.row.cells:  # this row's value names it
            wanted = derivation.values[wanted]
        text += _form(child, side, wanted, numbers)
    if numbers is not None and text and not row.constituents:
        number = numbers.setdefault(id(derivation), len(numbers))
        text = f"{OPEN}{chr(LINK + number)}{text}{CLOSE}"
    return text


def _heads(derivation: Derivation, together: set[tuple[str, str]]) -> list[str]:
    """The names of a row's words; adds which of them are put together to `together`.

    Words of one row are, and a word with those of a phrase that its row is made of.
    """
    own = [child.row.name for child in derivation.children.values() if not child.children]
    below = [
        name
        for child in derivation.children.values()
        if child.children
        for name in _heads(child, together)
    ]
    together.update((one, other) for one in own for other in chain(own, below))
    return own or below


def _owners(marked: str) -> tuple[list[str], list[set[str]]]:
    """The words of a marked sentence, and the marks around each."""
    text, of_character = "", list[str]()
    mark = ""
    place = 0
    while place < len(marked):
        character = marked[place]
        if character == OPEN:
            mark = marked[place + 1]
            place += 2
            continue
        if character == CLOSE:
            mark = ""
        else:
            text += character
            of_character.append("" if character == " " else mark)
        place += 1
    words = split_words(text)
    owners: list[set[str]] = []
    begin = 0
    for word in words:
        owners.append(set(of_character[begin : begin + len(word)]) - {""})
        begin += len(word)
    return words, owners
