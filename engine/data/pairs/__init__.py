"""Translation pairs as data: encoded, in batches, and from the user's files."""

from __future__ import annotations

from engine.data.pairs.encoded import Encoded, Pairs, Rows, encode_pairs, sentence, source_ids
from engine.data.pairs.files import from_pair_files, read_pairs
from engine.data.pairs.pair_data import HeldOut, PairData, budget_cuts

__all__ = [
    "Encoded", "HeldOut", "PairData", "Pairs", "Rows", "budget_cuts", "encode_pairs",
    "from_pair_files", "read_pairs", "sentence", "source_ids",
]  # fmt: skip
