"""Find out whether a grammar generates a sentence, and translate the sentence by its derivation.

A parser that descends from `sentence` and keeps what it finds (memoised recursive descent, Norvig 1991,
"Techniques for Automatic Memoization with Applications to Context-Free Parsing"). It checks the features while it
descends, as `Speaker` does while it generates. What is found is said again and compared, so that spaces, capitals
and "an" are right too.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.data.translation_pairs.grammar import Cell, DeadEnd, Derivation, Part, Row, Speaker
from engine.tokenizers.word import split_words

Found = tuple[Derivation, int]
"""A derivation, and the place after its words."""


class Listener:
    """Understands the sentences that a speaker says."""

    def __init__(self, speaker: Speaker) -> None:
        self.speaker = speaker

    def translate(self, text: str) -> str | None:
        """The translation of a sentence; None if the grammar does not generate the text."""
        words = _words(text)
        for derivation, end in _Parse(self.speaker, words).table("sentence", {}, None, 0):
            if end == len(words) and self.speaker.say(derivation)[0] == text:
                return self.speaker.say(derivation)[1]
        return None

    def vocabulary(self) -> list[str]:
        """The words of the source language that sentences can contain, without signs, sorted.

        A word that can only begin a sentence is listed in small letters, as in the grammar.
        """
        grammar = self.speaker.grammar
        columns: set[tuple[str, str]] = set()
        found: set[str] = set()

        def visit(table: str, column: str | None) -> None:
            name = column or grammar.tables[table].columns[0]
            if (table, name) in columns:
                return
            columns.add((table, name))
            for value in grammar.features.get(name, ()):
                visit(table, value)
            for row in grammar.tables[table].rows:
                for part in row.cells.get(name, []):
                    if isinstance(part, str):
                        found.update(word for word in _words(part) if word.isalpha())
                    else:
                        visit(row.constituents[part.key].table, part.column)

        visit("sentence", None)
        return sorted(found | ({"an"} if "a" in found else set()))


class _Parse:
    """One text, and what was found in it so far."""

    def __init__(self, speaker: Speaker, words: list[str]) -> None:
        self.speaker = speaker
        self.words = words
        self.found: dict[tuple[object, ...], list[Found]] = {}

    def table(
        self, name: str, wanted: dict[str, str], column: str | None, place: int
    ) -> list[Found]:
        """The derivations of a table with these features at one position."""
        key = (name, *sorted(wanted.items()), column, place)
        if key not in self.found:
            found: dict[object, Found] = {}
            for row in self._rows(name, wanted):
                cell = row.cells[column] if column else row.sides[0]
                values = {**row.values, **wanted}
                for derivation, end in self.cell(row, cell, values, {}, place):
                    found.setdefault((end, _tree(derivation)), (derivation, end))
            self.found[key] = list(found.values())
        return self.found[key]

    def cell(
        self,
        row: Row,
        cell: Cell,
        values: dict[str, str],
        children: dict[str, Derivation],
        place: int,
    ) -> Iterator[Found]:
        """The derivations of a row whose form, from here on, is `cell`."""
        if not cell:
            yield from self.rest(row, values, children, place)
            return
        part, *others = cell
        if isinstance(part, str):
            words = _words(part)
            if self.words[place : place + len(words)] == words:
                yield from self.cell(row, others, values, children, place + len(words))
            return
        for column, known in self.columns(row, part, values):
            wants = self.wants(row, part.key, known)
            for child, end in self.table(row.constituents[part.key].table, wants, column, place):
                merged = self.merged(row, part.key, known, child)
                yield from self.cell(row, others, merged, {**children, part.key: child}, end)

    def columns(
        self, row: Row, part: Part, values: dict[str, str]
    ) -> Iterator[tuple[str | None, dict[str, str]]]:
        """The forms that a reference can mean, and the features that go with each: a feature may name the form."""
        grammar = self.speaker.grammar
        name = part.column
        if name is None or name in grammar.tables[row.constituents[part.key].table].columns:
            yield name, values
        elif name in values:
            yield values[name], values
        else:
            for value in grammar.features[name]:
                yield value, {**values, name: value}

    def rest(
        self, row: Row, values: dict[str, str], children: dict[str, Derivation], place: int
    ) -> Iterator[Found]:
        """Add the constituents that only the translation has, such as the end of an adjective."""
        for key, constituent in row.constituents.items():
            if key in children:
                continue
            rows = self._rows(constituent.table, self.wants(row, key, values))
            if not rows or rows[0].constituents:
                return
            child = Derivation(rows[0], {**rows[0].values, **self.wants(row, key, values)}, {})
            values, children = self.merged(row, key, values, child), {**children, key: child}
        yield Derivation(row, values, children), place

    def wants(self, row: Row, key: str, values: dict[str, str]) -> dict[str, str]:
        """The features that a constituent must have."""
        constituent = row.constituents[key]
        shared = {name: values[own] for name, own in constituent.shared.items() if own in values}
        return {**constituent.given, **shared}

    def merged(
        self, row: Row, key: str, values: dict[str, str], child: Derivation
    ) -> dict[str, str]:
        """The row's features, with those of a constituent."""
        shared = row.constituents[key].shared
        return {
            **values,
            **{own: child.values[name] for name, own in shared.items() if name in child.values},
        }

    def _rows(self, name: str, wanted: dict[str, str]) -> list[Row]:
        try:
            return self.speaker.candidates(name, wanted)
        except DeadEnd:
            return []


def _tree(derivation: Derivation) -> object:
    """The identity of a derivation: equal rows, as of frequent words, count once."""
    row = derivation.row
    children = tuple(_tree(child) for child in derivation.children.values())
    forms = tuple((name, tuple(map(str, cell))) for name, cell in row.cells.items())
    return forms, tuple(sorted(derivation.values.items())), children


def _words(text: str) -> list[str]:
    """The words and signs of a text, in small letters; "an" is "a"."""
    words = [word.strip().lower() for word in split_words(text)]
    return ["a" if word == "an" else word for word in words if word]
