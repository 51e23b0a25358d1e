"""What a request names: a text in a model, a prompt, the settings of the sampler.

Every function raises `ValueError` with a sentence for the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.generation.sampler import GenerationSettings
from playground.hosting import checks
from playground.runs import models, run_lookup

if TYPE_CHECKING:
    from playground.runs.models import Loaded


TEXT = {
    "empty": "A model can only continue a text: type at least one character. A line break will do.",
    "long": "The text has {length} tokens; here it may have at most {limit}.",
}

MAX_TOKENS = 2_048
"""The longest text, prompt included."""

DEFAULTS = GenerationSettings()


def text_of(run: object, step: object, tokens: object) -> tuple[Loaded, list[int]]:
    """The model, and a text as its tokens."""
    loaded = models.load(run_lookup.find(run), checks.step(step))
    return loaded, checks.ids(tokens, loaded.tokenizer.vocab_size, MAX_TOKENS)


def prompt_tokens(loaded: Loaded, prompt: str) -> list[int]:
    tokens = checks.encode(loaded.tokenizer, prompt)
    if not tokens:
        raise ValueError(TEXT["empty"])
    if len(tokens) >= MAX_TOKENS:
        raise ValueError(TEXT["long"].format(length=len(tokens), limit=MAX_TOKENS - 1))
    return tokens


def settings_of(settings: Mapping[str, Any] | None) -> GenerationSettings:
    """The settings. Raises `ConfigError` naming field, value and what is allowed."""
    return GenerationSettings.parse(settings or {})
