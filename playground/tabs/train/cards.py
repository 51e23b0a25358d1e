"""The cards of the form: a few things to learn, each with one line that says what one will see.

Every preset can be chosen in the list below them; the cards are where a newcomer begins.
"""

from __future__ import annotations

from typing import Any

from engine.data import TASKS, is_pairs
from engine.presets import DEFAULT, PRESETS
from playground.planning.controls import OWN_TEXT

TEXT = {
    "stories-words": "Word by word, as the first page shows.",
    "stories": "Letter by letter: from noise to stories.",
    "stories-zh": "The same in Chinese.",
    "reverse": "Turns a row of letters around.",
    "addition_reversed": "Works out how to carry a digit.",
    "translate-german": "English goes in, German comes out.",
    "experts": "A router learns to share the work.",
    "own": "Paste one; it learns to write like it.",
    "own title": "Your own text",
}
"""What one will see, by preset; `own` is the default preset with a text of one's own."""


def cards() -> list[dict[str, Any]]:
    """The cards, in order: {"preset", "source": the data to set, or None, "picture": its drawing, "title", "about"}.

    A preset that is no longer there has no card.
    """
    found = [
        {
            "preset": name,
            "source": None,
            "picture": picture(name),
            "title": PRESETS[name].title,
            "about": about,
        }
        for name, about in TEXT.items()
        if name in PRESETS
    ]
    own = {"preset": DEFAULT, "source": OWN_TEXT, "picture": "own"}
    return [*found, own | {"title": TEXT["own title"], "about": TEXT["own"]}]


def picture(preset: str) -> str:
    """The name of a preset's drawing: what is special about its model, or else about its data."""
    config = PRESETS[preset].config()
    if config.model.n_experts:
        return "experts"
    source = config.data.source
    return "pairs" if is_pairs(source) else source if source in TASKS else "text"
