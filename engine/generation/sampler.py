"""The fields of a sampler: the one description that the command line, the page and the server read.

A field has a name, a type, limits and a default; its `title` and `description` are shown to people (their
Chinese is in `assets/i18n`), a slider ends at the largest of its `examples` and moves by `step`.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from engine.validation import Config, field_error


class Sampler(Config):
    """The settings of sampling. By default every filter is off: the model's own distribution.

    `Sampler.parse({...})` refuses impossible values with a `ConfigError` that names field, value
    and what is allowed.
    """

    temperature: float = Field(
        default=1.0,
        ge=0,
        le=100,
        title="temperature",
        description="Divides the logits: below 1 safer, above 1 more surprising. "
        "0: always the most probable token.",
        examples=[0.0, 0.5, 1.0, 2.0],
        json_schema_extra={"step": 0.05},
    )
    top_k: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        title="top-k",
        description="Keep only this many of the most probable tokens. 0: off.",
        examples=[0, 1, 20, 200],
        json_schema_extra={"step": 1},
    )
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        title="top-p",
        description="Keep the fewest tokens whose probabilities sum to at least this. 1: off.",
        examples=[0.5, 0.9, 0.95, 1.0],
        json_schema_extra={"step": 0.01},
    )
    min_p: float = Field(
        default=0.0,
        ge=0,
        le=1,
        title="min-p",
        description="Keep tokens at least this share as probable as the most probable. 0: off.",
        examples=[0.0, 0.05, 0.1, 1.0],
        json_schema_extra={"step": 0.01},
    )

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, bool):
            raise field_error(str(info.field_name), value, "must be a number")
        return value

    @property
    def is_neutral(self) -> bool:
        """Tokens are drawn from the model's own distribution."""
        filtered = self.top_k > 0 or self.top_p < 1 or self.min_p > 0
        return self.temperature == 1 and not filtered


class GenerationSettings(Sampler):
    """A sampler, the seed of its draws, and the number of tokens to write."""

    seed: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        title="Seed",
        description="Fixes every draw: the same seed writes the same text again.",
    )
    max_new_tokens: int = Field(
        default=200,
        ge=0,
        le=1_000_000_000,
        title="tokens to write",
        description="Write at most this many tokens.",
    )
