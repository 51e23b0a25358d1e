"""From a configuration to its model."""

from __future__ import annotations

from engine.config import ModelConfig
from engine.model.decoder import Decoder, TransformerLM
from engine.model.encoder_decoder import Transformer


def build(config: ModelConfig) -> Decoder:
    """A language model, or an encoder-decoder if the configuration has an encoder.

    Raises `ConfigError` without a vocabulary size.
    """
    kind = TransformerLM if config.n_encoder_layer is None else Transformer
    return kind.from_config(config)
