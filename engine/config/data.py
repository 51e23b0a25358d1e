"""Data settings: the source of a run's data, and the tokenizer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from engine.validation import Config, field_error

TokenizerName = Literal["char", "word", "byte", "bpe"]

FILE_SOURCES: tuple[str, ...] = ("text", "pairs")
"""Sources that read the user's own files."""

BYTE_VALUES = 256
"""Size of the initial vocabulary of byte-level BPE."""

FIXED_SIZES: dict[TokenizerName, str] = {
    "char": "as many tokens as characters",
    "byte": f"{BYTE_VALUES} tokens",
}
"""Tokenizers whose vocabulary size cannot be chosen, and a description of that size."""


class DataConfig(Config):
    """Training and validation data: a named corpus or task, or the user's own files."""

    source: str = Field(
        title="Learns from",
        default="stories",
        min_length=1,
        max_length=64,
        description="Name of the training data: a corpus, a task or pairs to translate. 'text' reads a text "
        "from train_data_path; 'pairs' reads texts and their translations from there.",
    )
    train_data_path: str | None = Field(
        default=None,
        description="Training file: UTF-8 text, or a .bin file of token ids written by prepare. For pairs: "
        "source text, tab and translation in each line, or the source texts only.",
    )
    target_data_path: str | None = Field(
        default=None,
        description="Translations of train_data_path, line by line. Empty: train_data_path is a TSV file.",
    )
    valid_data_path: str | None = Field(
        default=None,
        description="Validation text, ids or pairs. Empty: the last part of the training file.",
    )
    valid_target_path: str | None = Field(
        default=None,
        description="Translations of valid_data_path, line by line, if target_data_path is set.",
    )
    valid_fraction: float = Field(
        title="Validation share",
        default=0.1,
        gt=0,
        lt=1,
        description="Share at the end of a text, or of the pairs in files, that is used for validation only.",
    )
    tokenizer: TokenizerName | None = Field(
        title="Tokens",
        default=None,
        description="What a token is: a character, a word, a byte, or a subword (byte-pair encoding, BPE, "
        "Sennrich 2016). Empty: characters for text, words for pairs.",
    )
    tokenizer_size: int | None = Field(
        title="Vocabulary",
        default=None,
        ge=2,
        le=1_000_000,
        description="Target size of the vocabulary, for words and subwords. Empty: every sufficiently "
        "frequent word; 1,000 subwords for text, 8,000 for pairs.",
        examples=[500, 1_000, 2_000, 4_000, 8_000, 16_000],
    )
    task_length: int = Field(
        title="Size of an item",
        default=8,
        ge=1,
        le=64,
        description="Size of a task's items, such as symbols to copy or digits to add.",
        examples=[2, 3, 4, 8, 12, 16],
    )

    @model_validator(mode="after")
    def _paths_fit(self) -> Self:
        own = self.source in FILE_SOURCES
        if own and self.train_data_path is None:
            allowed = f"must name a file when source is '{self.source}'"
            raise field_error("train_data_path", None, allowed)
        if not own and self.train_data_path is not None:
            allowed = "must be 'text' or 'pairs' when train_data_path is set"
            raise field_error("source", self.source, allowed)
        return self

    @model_validator(mode="after")
    def _translations_fit(self) -> Self:
        if self.source != "pairs":
            for name in ("target_data_path", "valid_target_path"):
                if getattr(self, name) is not None:
                    raise field_error(name, getattr(self, name), "needs source = 'pairs'")
        elif self.target_data_path is None or self.valid_data_path is None:
            if self.valid_target_path is not None:
                allowed = "needs valid_data_path and target_data_path"
                raise field_error("valid_target_path", self.valid_target_path, allowed)
        elif self.valid_target_path is None:
            allowed = "must name the translations of valid_data_path, as target_data_path does"
            raise field_error("valid_target_path", None, allowed)
        return self

    @model_validator(mode="after")
    def _tokenizer_fits(self) -> Self:
        size = self.tokenizer_size
        if size is not None and self.tokenizer in FIXED_SIZES:
            allowed = (
                f"must be empty: with '{self.tokenizer}' there are {FIXED_SIZES[self.tokenizer]}"
            )
            raise field_error("tokenizer_size", size, allowed)
        if size is not None and size < BYTE_VALUES and self.tokenizer == "bpe":
            allowed = f"must be at least {BYTE_VALUES} with 'bpe', which starts from all bytes"
            raise field_error("tokenizer_size", size, allowed)
        return self
