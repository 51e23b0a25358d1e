"""The pairs that grammars make, and how they are stored.

A corpus is a compressed TSV file: text, translation and the part they belong to in each line. It is
made once, by `python -m engine.data.parallel`, since making it takes seconds; a test compares.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.data.corpora import FOLDER
from engine.data.parallel.grammar import AlignedSentence, Sentence, Speaker, read_grammar

SHORTEST, LONGEST = 4, 14
"""Words of an English sentence."""

VALID_OF = 25
"""One sentence in so many is held out,"""

COMPOSITIONAL = 500
"""and at most so many that put together what training never does."""


@dataclass(frozen=True)
class Edition:
    """One corpus of sentences: how many to learn from, and what stands between target words."""

    name: str
    size: int
    between: str
    seed: int = 1

    @property
    def path(self) -> Path:
        """The corpus as it is stored."""
        return FOLDER / f"pairs-{self.name}.tsv.gz"

    def speaker(self) -> Speaker:
        """What makes its sentences."""
        text = (FOLDER / f"{self.name}.grammar").read_text(encoding="utf-8")
        return Speaker(read_grammar(text), self.seed, self.between)

    def sentences(self) -> Iterator[tuple[str, Sentence]]:
        """Different sentences, each with the part it belongs to, in the order they are made."""
        made: set[str] = set()
        counts = {"train": 0, "valid": 0, "compositional": 0}
        for sentence in self.speaker().sentences():
            length = sentence.source.count(" ") + 1
            if sentence.source in made or not SHORTEST <= length <= LONGEST:
                continue
            made.add(sentence.source)
            if sentence.compositional:
                part = "compositional"
                if counts[part] == COMPOSITIONAL:
                    continue
            else:
                ordinary = counts["train"] + counts["valid"] + 1
                part = "train" if ordinary % VALID_OF else "valid"
            yield part, sentence
            counts[part] += 1
            if counts["train"] == self.size:
                return

    def aligned(self, part: str, count: int) -> list[AlignedSentence]:
        """The first sentences of a part, with which words translate which."""
        speaker = self.speaker()
        found: list[AlignedSentence] = []
        for other, sentence in self.sentences():
            if other == part and len(found) < count:
                found.append(speaker.align(sentence.derivation))
            if len(found) == count:
                break
        return found

    def write(self) -> str:
        """The whole corpus as TSV."""
        return "".join(
            f"{sentence.source}\t{sentence.target}\t{part}\n" for part, sentence in self.sentences()
        )

    def parts(self) -> dict[str, list[tuple[str, str]]]:
        """The stored pairs, by part."""
        parts: dict[str, list[tuple[str, str]]] = {"train": [], "valid": [], "compositional": []}
        with gzip.open(self.path, "rt", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                source, target, part = line.rstrip("\n").split("\t")
                parts[part].append((source, target))
        return parts


EDITIONS = {
    edition.name: edition
    for edition in (Edition("german", 12_000, " "), Edition("chinese", 12_000, ""))
}
