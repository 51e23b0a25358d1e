"""Position encodings: attention alone does not know the order of tokens.

An encoding acts on the embeddings, on queries and keys, or on the scores.

sinusoidal  x + [sin(p ω_i), cos(p ω_i)], ω_i = 10000^(-2i/C)          Vaswani et al. 2017, section 3.5
learned     x + a vector for each position                            Gehring et al. 2017; GPT-2
rope        pair i of q and of k rotated by the angle p θ^(-2i/D)      Su et al. 2021, eq. 15 and 34
alibi       scores - slope_h · distance                               Press, Smith & Lewis 2022, section 3
none        nothing; the causal mask alone carries some order         Haviv et al. 2022
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.config import ModelConfig, PositionName

EMBEDDING_STD = 0.02
"""Standard deviation of initial embeddings."""


class Positions(nn.Module):
    """No positions, and the base class: each encoding overrides the method by which it acts.

    `positions` is (T,), the integer position of each new token; keys are at 0 ... S-1.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        """(B, T, C) embeddings -> (B, T, C)."""
        return x

    def rotations(self, positions: Tensor) -> Tensor | None:
        """(T, 1, D/2) unit complex numbers that rotate the pairs of queries and keys of every head."""
        return None

    def bias(self, positions: Tensor, keys: int) -> Tensor | None:
        """(H, T, S), added to the scores."""
        return None


def angles(length: int, width: int, base: float) -> Tensor:
    """(length, width/2) angles: position p times the frequency base^(-2i/width) of pair i."""
    frequencies = base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.outer(torch.arange(length, dtype=torch.float64), frequencies)


class Rotary(Positions):
    """RoPE: q·k then depends on the distance of two tokens, not on their positions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        angle = angles(config.max_seq_len, config.head_dim, config.rope_theta)  # (S, D/2)
        # Stored as real pairs: .to(dtype) would drop the imaginary half of complex numbers.
        self.cos_sin: Tensor
        cos_sin = torch.stack([angle.cos(), angle.sin()], dim=-1).float()  # (S, D/2, 2)
        self.register_buffer("cos_sin", cos_sin, persistent=False)

    def rotations(self, positions: Tensor) -> Tensor | None:
        return torch.view_as_complex(self.cos_sin[positions].float()).unsqueeze(1)


def rotate(x: Tensor, rotations: Tensor | None) -> Tensor:
    """Rotate neighbouring pairs of (B, T, H, D) by (T, 1, D/2): a complex product (Su 2021, eq. 34)."""
    if rotations is None:
        return x
    pairs = torch.unflatten(x.float(), -1, (-1, 2))  # (B, T, H, D/2, 2)
    rotated = torch.view_as_complex(pairs) * rotations  # (B, T, H, D/2)
    return torch.view_as_real(rotated).flatten(-2).type_as(x)


class Sinusoidal(Positions):
    """Sines and cosines of many wavelengths, added to the embeddings.

    The two must have a similar size. The paper scales the embeddings up (`scale_embeddings`). Otherwise
    the encoding, whose mean square is 1/2, is scaled down to the size of initial embeddings.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        angle = angles(config.max_seq_len, config.d_model, 10_000.0)  # (S, C/2)
        encoding = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)  # (S, C)
        self.encoding: Tensor
        if not config.scale_embeddings:
            encoding = EMBEDDING_STD * math.sqrt(2) * encoding
        self.register_buffer("encoding", encoding.float(), persistent=False)

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return x + self.encoding[positions].to(x.dtype)


class Learned(Positions):
    """One trained vector for each position, added to the embeddings."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.table = nn.Embedding(config.max_seq_len, config.d_model)

    def embed(self, x: Tensor, positions: Tensor) -> Tensor:
        return x + self.table(positions)


class ALiBi(Positions):
    """A penalty on distance, with a slope for each head; the first head has the steepest."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        heads = torch.arange(1, config.n_head + 1, dtype=torch.float32)
        self.slopes: Tensor
        self.register_buffer("slopes", 2.0 ** (-8.0 * heads / config.n_head), persistent=False)

    def bias(self, positions: Tensor, keys: int) -> Tensor | None:
        distance = positions[:, None] - torch.arange(keys, device=positions.device)  # (T, S)
        return -self.slopes[:, None, None] * distance.abs()  # (H, T, S)


POSITIONS: dict[PositionName, Callable[[ModelConfig], Positions]] = {
    "rope": Rotary,
    "sinusoidal": Sinusoidal,
    "learned": Learned,
    "alibi": ALiBi,
    "none": Positions,
}
