"""The configuration of a run: every setting with its meaning, its limits and its default.

model   size, blocks, experts, encoder
data    what a run learns from, and the tokenizer
train   optimizer, learning rates, balancing, recording, machine
run     all of it, by the names of the fields

Configurations are frozen, validated, and convertible to and from JSON. Every field has a description, limits
and example values. The command line, the page's controls and the ablations are derived from them.

Nothing in this package loads PyTorch.
"""

from engine.config.data import BYTE_VALUES, FILE_SOURCES, FIXED_SIZES, DataConfig, TokenizerName
from engine.config.model import (
    GATED,
    LEARNED_GATES,
    FeedForwardName,
    ModelConfig,
    NormName,
    PlacementName,
    PositionName,
    RouterName,
)
from engine.config.run import PART_OF, PARTS, VALUE_NAMES, RunConfig, fields, label, read_config
from engine.config.train import (
    BiasRuleName,
    DeviceName,
    DtypeName,
    OptimizerName,
    ParallelName,
    ScheduleName,
    TrainConfig,
)

__all__ = [
    "BYTE_VALUES", "FILE_SOURCES", "FIXED_SIZES", "DataConfig", "TokenizerName",
    "GATED", "LEARNED_GATES", "FeedForwardName", "ModelConfig", "NormName", "PlacementName", "PositionName", "RouterName",
    "PART_OF", "PARTS", "VALUE_NAMES", "RunConfig", "fields", "label", "read_config",
    "BiasRuleName", "DeviceName", "DtypeName", "OptimizerName", "ParallelName", "ScheduleName", "TrainConfig",
]  # fmt: skip
