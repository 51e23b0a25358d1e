"""The pairs that grammars generate, and their files.

A corpus is a compressed TSV file; each line has a text, its translation and its part. It is generated in
advance by `python -m engine.data.translation_pairs`, which takes seconds; a test compares.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.data.corpora import FOLDER
from engine.data.translation_pairs.grammar import AlignedSentence, Sentence, Speaker, read_grammar
from engine.data.translation_pairs.understanding import Listener

SHORTEST, LONGEST = 4, 14
"""Maximum words of an English sentence."""

VALID_OF = 25
"""One sentence in `VALID_OF` is validation data."""

COMPOSITIONAL = 500
"""Maximum validation sentences that combine what training only has apart."""


@dataclass(frozen=True)
class Edition:
    """A corpus of sentences: the number of training pairs, and the separator of target words."""

    name: str
    size: int
    between: str
    seed: int = 1

    @property
    def path(self) -> Path:
        """The stored corpus."""
        return FOLDER / f"pairs-{self.name}.tsv.gz"

    def speaker(self) -> Speaker:
        """The generator of its sentences."""
        text = (FOLDER / f"{self.name}.grammar").read_text(encoding="utf-8")
        return Speaker(read_grammar(text), self.seed, self.between)

    @cached_property
    def listener(self) -> Listener:
        """Tells which texts are sentences of this language."""
        return Listener(self.speaker())

    def translate(self, text: str) -> str | None:
        """The translation of an English sentence; None if the grammar does not generate it."""
        return self.listener.translate(text)

    def words(self) -> list[str]:
        """The English words that sentences can contain, sorted."""
        return self.listener.vocabulary()

    def sentences(self) -> Iterator[tuple[str, Sentence]]:
        """Distinct sentences with their parts, in the order in which they are generated."""
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
        """The first sentences of a part, with word alignments."""
        speaker = self.speaker()
        found: list[AlignedSentence] = []
        for other, sentence in self.sentences():
            if other == part and len(found) < count:
                found.append(speaker.align(sentence.derivation))
            if len(found) == count:
                break
        return found

    def write(self) -> str:
        """The corpus as TSV."""
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
