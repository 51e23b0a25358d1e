"""The project's own corpora: texts simple enough for a tiny model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "assets" / "corpora"


@dataclass(frozen=True)
class Corpus:
    """A training text."""

    name: str
    title: str
    description: str
    path: Path
    prompts: tuple[str, ...]
    """Prompts for samples during training."""


CORPORA: dict[str, Corpus] = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            "stories",
            "Stories",
            "Little animals, small troubles and a good end, in a few hundred words of English.",
            FOLDER / "stories.txt",
            ("Once upon a time", "One cold morning", "Mia was", '"Please'),
        ),
        Corpus(
            "stories-zh",
            "小故事",
            "Little stories written in Chinese, in a few hundred characters.",
            FOLDER / "stories-zh.txt",
            ("从前，", "有一天，", "晚上，", "小兔"),
        ),
    )
}
