"""Writes the story corpora from their grammars: `python -m engine.data.corpora.stories`.

A grammar is a text file, so that a story can be added without programming; stories.grammar explains
its few rules and is the best example. Roles make a story coherent: a hero keeps its
name, kind and pronouns from the first line to the last, and a table lists each trouble with its remedy.

The same grammar, seed and size give the same text on every machine: the only source of chance is
`random.Random.random`, which Python promises not to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

from engine.data.corpora.own import FOLDER

T = TypeVar("T")

HEADING = re.compile(r"(table|role|rule|story) ([^:]+)(?:: (.+))?")
CHOICE = re.compile(r"\[([^\[\]]*)\]")
RULE = re.compile(r"<([^<>]+)>")
ROLE = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
SENTENCE_START = re.compile(r'(^"?|[.!?] "?|\." "?|[!?]" ")([a-z])')
"""The first letter of a sentence, also inside quotes, or of direct speech.
Not the letter after "Why?", since `"Why?" she asked` is one sentence."""


@dataclass(frozen=True)
class Grammar:
    """The tables, roles, rules and stories of a corpus."""

    tables: dict[str, list[dict[str, str]]]
    """Rows of values that belong together, by column. The first column is the name."""
    roles: dict[str, str]
    """The table that each role takes its row from."""
    rules: dict[str, list[str]]
    """Lines that can stand for one another."""
    stories: dict[str, list[str]]
    """The lines of each story."""


def read_grammar(text: str) -> Grammar:
    """Parse a grammar. Raises `ValueError` saying what is wrong, and where."""
    grammar = Grammar({}, {}, {}, {})
    kind, columns, lines, rows = "", [""], [""], [{"": ""}]
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            heading = HEADING.fullmatch(line.strip())
            if heading is None:
                raise ValueError(f"line {number}: not a table, role, rule or story: {line!r}")
            kind, name, rest = heading.groups(default="")
            if kind == "table":
                columns = rest.split(", ")
                rows = grammar.tables[name] = []
            elif kind == "role":
                grammar.roles[name] = rest
            else:
                lines = (grammar.rules if kind == "rule" else grammar.stories)[name] = []
        elif kind == "table":
            cells = line.strip().split(" | ")
            if len(cells) != len(columns):
                raise ValueError(f"line {number}: {len(cells)} cells for {len(columns)} columns")
            rows.append(dict(zip(columns, cells, strict=True)))
        elif kind in ("rule", "story"):
            lines.append(line.strip())
        else:
            raise ValueError(f"line {number}: belongs to no table, rule or story: {line!r}")
    _check_names(grammar)
    return grammar


def _check_names(grammar: Grammar) -> None:
    """Raises `ValueError` if a line or a role refers to something undefined."""
    for role, table in grammar.roles.items():
        if table not in grammar.tables:
            raise ValueError(f"role {role}: there is no table {table}")
    for kind, lines_of in (("rule", grammar.rules), ("story", grammar.stories)):
        for name, lines in lines_of.items():
            text = "\n".join(lines)
            for rule in RULE.findall(text):
                if rule not in grammar.rules:
                    raise ValueError(f"{kind} {name}: there is no rule {rule}")
            for role, column in ROLE.findall(text):
                if role not in grammar.roles:
                    raise ValueError(f"{kind} {name}: there is no role {role}")
                if column and column not in grammar.tables[grammar.roles[role]][0]:
                    raise ValueError(f"{kind} {name}: role {role} has no column {column}")


class Telling:
    """One story: which row each role has taken."""

    def __init__(self, grammar: Grammar, random: Random) -> None:
        self.grammar = grammar
        self.random = random
        self.cast: dict[str, dict[str, str]] = {}

    def pick(self, choices: Sequence[T]) -> T:
        """One of these, with equal probability."""
        return choices[int(self.random.random() * len(choices))]

    def expand(self, line: str) -> str:
        """Make all choices of a line: first between [these], then <rules>, then {roles}."""
        while choice := CHOICE.search(line):
            line = line[: choice.start()] + self.pick(choice[1].split("|")) + line[choice.end() :]
        line = RULE.sub(lambda found: self.expand(self.pick(self.grammar.rules[found[1]])), line)
        return ROLE.sub(lambda found: self.word(found[1], found[2]), line)

    def word(self, role: str, column: str | None) -> str:
        """A value of a role; at its first occurrence it takes a row that no other role has."""
        if role not in self.cast:
            rows = self.grammar.tables[self.grammar.roles[role]]
            self.cast[role] = self.pick([row for row in rows if row not in self.cast.values()])
        row = self.cast[role]
        return self.expand(row[column or next(iter(row))])

    def sentence(self, line: str) -> str:
        """A complete line, with capitals and spaces corrected."""
        text = " ".join(self.expand(line).split())
        text = re.sub(r"\bi\b", "I", text)
        return SENTENCE_START.sub(lambda found: found[1] + found[2].upper(), text)


def tell(grammar: Grammar, seed: int, separator: str) -> Iterator[str]:
    """Endless different stories, their lines joined by `separator`."""
    random = Random(seed)
    seen: set[str] = set()
    while True:
        telling = Telling(grammar, random)
        lines = telling.pick(list(grammar.stories.values()))
        story = separator.join(filter(None, map(telling.sentence, lines)))
        if story not in seen:
            seen.add(story)
            yield story


@dataclass(frozen=True)
class Edition:
    """One corpus file: how long it is (bytes of UTF-8) and how its lines are joined."""

    name: str
    size: int
    separator: str
    seed: int = 1

    def write(self) -> str:
        """The corpus: stories, with an empty line after each."""
        grammar = read_grammar((FOLDER / f"{self.name}.grammar").read_text(encoding="utf-8"))
        parts: list[str] = []
        length = 0
        for story in tell(grammar, self.seed, self.separator):
            if length >= self.size:
                break
            parts.append(story + "\n\n")
            length += len(parts[-1].encode())
        return "".join(parts).rstrip("\n") + "\n"


EDITIONS = (Edition("stories", 600_000, " "), Edition("stories-zh", 240_000, ""))


def main(folder: Path = FOLDER) -> None:
    """Write every corpus into a folder."""
    for edition in EDITIONS:
        text = edition.write()
        path = folder / f"{edition.name}.txt"
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{path}: {len(text.encode()):,} bytes, {len(set(text))} characters")


if __name__ == "__main__":
    main()
