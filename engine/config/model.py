"""Model settings: size, blocks, experts, encoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from engine.validation import Config, field_error

NormName = Literal["rmsnorm", "layernorm", "none"]
PlacementName = Literal["pre", "post"]
PositionName = Literal["rope", "sinusoidal", "learned", "alibi", "none"]
FeedForwardName = Literal["swiglu", "geglu", "gelu", "relu", "silu"]
RouterName = Literal["topk", "switch", "sigmoid", "expert_choice", "hash", "noisy_topk"]

GATED: tuple[FeedForwardName, ...] = ("swiglu", "geglu")
"""Feed-forwards with a third matrix, the gate (Shazeer 2020, "GLU Variants Improve ...")."""

LEARNED_GATES: tuple[RouterName, ...] = ("topk", "sigmoid", "noisy_topk")
"""Routers whose gates may be divided by their sum over the chosen experts (`renormalise`)."""


class ModelConfig(Config):
    """A decoder-only Transformer. The defaults are pre-norm RMSNorm, RoPE and SwiGLU.

    With `n_experts`, a mixture of experts replaces the feed-forward of blocks. With `n_encoder_layer`,
    the model is an encoder-decoder: the encoder reads a source text, the decoder writes its translation.
    """

    vocab_size: int | None = Field(
        default=None,
        ge=2,
        le=1_000_000,
        description="Number of different tokens. Empty: the vocabulary size of the tokenizer.",
    )
    max_seq_len: int = Field(
        title="Context",
        default=128,
        ge=2,
        le=131_072,
        description="Context: the largest number of tokens that the model can attend to, and the length "
        "of a training sequence. The cost of attention grows with its square.",
        examples=[32, 64, 128, 256],
    )
    d_model: int = Field(
        title="Width",
        default=64,
        ge=2,
        le=65_536,
        description="Width: the size of the vector that represents one token inside the model.",
        examples=[16, 32, 64, 96, 128, 192, 256],
    )
    n_layer: int = Field(
        title="Blocks",
        default=2,
        ge=1,
        le=512,
        description="Number of blocks, also called layers. Some abilities, such as induction, need two.",
        examples=[1, 2, 3, 4, 6, 8],
    )
    n_encoder_layer: int | None = Field(
        title="Encoder blocks",
        default=None,
        ge=1,
        le=512,
        description="Number of blocks in an encoder that reads the source text. Every decoder block attends "
        "to its output (cross-attention). Empty: no encoder, a language model.",
        examples=[1, 2, 3, 6],
    )
    n_head: int = Field(
        title="Attention heads",
        default=4,
        ge=1,
        le=1_024,
        description="Attention heads per block. Each head computes its own attention pattern. The heads "
        "share the width, so d_model must be a multiple of their number.",
        examples=[1, 2, 4, 8],
    )
    n_kv_head: int | None = Field(
        title="Key/value heads",
        default=None,
        ge=1,
        le=1_024,
        description="Number of heads for keys and values. Empty: one for each query head (MHA). Fewer heads "
        "(GQA, Ainslie 2023) or one head (MQA, Shazeer 2019) make the KV cache smaller.",
        examples=[1, 2, 4, 8],
    )
    d_ff: int | None = Field(
        title="Feed-forward width",
        default=None,
        ge=1,
        le=1_048_576,
        description="Hidden width of the feed-forward. Empty: 4 d_model without a gate. With a gate, two "
        "thirds of that, rounded to a multiple of 8, which gives about the same number of parameters.",
        examples=[64, 128, 176, 256, 344, 512, 688, 1024],
    )
    norm: NormName = Field(
        title="Normalisation",
        default="rmsnorm",
        description="Normalisation: RMSNorm (Zhang 2019) only scales the vector; LayerNorm (Ba 2016) also "
        "subtracts its mean. Without normalisation, deep models do not train.",
    )
    placement: PlacementName = Field(
        title="Norm placement",
        default="pre",
        description="Position of the norm: before each sub-layer (pre, as in GPT-2), or after the residual "
        "sum (post, as in Vaswani 2017), which needs warm-up (Xiong 2020).",
    )
    position: PositionName = Field(
        title="Positions",
        default="rope",
        description="Position encoding: rotated queries and keys (RoPE, Su 2021), added sinusoids "
        "(Vaswani 2017), added learned vectors, a penalty on distance (ALiBi, Press 2022), or none.",
    )
    feedforward: FeedForwardName = Field(
        title="Feed-forward",
        default="swiglu",
        description="The network that processes each token separately after attention. SwiGLU and GEGLU "
        "have a gate (Shazeer 2020); GELU, ReLU and SiLU are plain two-layer networks.",
    )
    rope_theta: float = Field(
        title="RoPE base",
        default=10_000.0,
        gt=1,
        le=1e9,
        description="Base of the RoPE frequencies: the larger it is, the slower the slowest rotation. Only "
        "used by RoPE.",
        examples=[100.0, 1_000.0, 10_000.0, 500_000.0],
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of activations set to zero at random during training (Srivastava 2014). "
        "It helps when training repeats the same data many times.",
        examples=[0.0, 0.05, 0.1, 0.2],
    )
    tie_embeddings: bool = Field(
        title="Tied embeddings",
        default=True,
        description="Use one matrix as the embedding and as the output layer (Press & Wolf 2017).",
    )
    scale_embeddings: bool = Field(
        title="Large embeddings",
        default=False,
        description="Multiply embeddings by the square root of d_model (Vaswani 2017), so that at the start "
        "they are as large as the sinusoidal position encoding.",
    )
    token_pairs: int = Field(
        title="Rows for token pairs",
        default=0,
        ge=0,
        le=16_777_216,
        description="Rows of a table of learned vectors, one for each pair of a token and the token before it, "
        "added to the token's embedding (Engram, Cheng 2026). If there are more pairs than rows, a hash decides "
        "which pairs share a row. Every step updates the whole table, so a large one is slow. 0: no table. "
        "Stories, 300 steps, validation loss: 1.12 instead of 1.43.",
        examples=[0, 1_024, 4_096, 16_384],
    )
    value_embeddings: bool = Field(
        title="Value embeddings",
        default=False,
        description="Add a learned vector for each token to its values in the self-attention of every block "
        "(modded-nanogpt, after Zhou 2024), so that attention can always read which token is there.",
    )
    embedding_skip: bool = Field(
        title="Embedding skip",
        default=False,
        description="Before each block, add the embedding to the residual stream again: a x + b x0, with a "
        "learned a, at first 1, and a learned b, at first 0 (modded-nanogpt).",
    )
    share_embeddings: bool = Field(
        title="One embedding for both",
        default=True,
        description="With an encoder: use one embedding for the source text and the translation. Both "
        "need the same vocabulary.",
    )
    src_vocab_size: int | None = Field(
        default=None,
        ge=2,
        le=1_000_000,
        description="With an encoder: the vocabulary size of the source texts. Empty: that of the "
        "translations.",
    )
    bias: bool = Field(
        title="Biases",
        default=False,
        description="Add a learned bias in every linear layer and LayerNorm, as in GPT-2.",
    )
    zero_output: bool = Field(
        title="Outputs start at zero",
        default=False,
        description="Start the output projections of attention and feed-forward at zero: every block first "
        "passes the residual stream on unchanged, and learns what to add (Zhang 2019, Fixup). "
        "Stories, 300 steps, validation loss: 1.14 instead of 1.43.",
    )
    qk_norm: bool = Field(
        title="Norm of queries and keys",
        default=False,
        description="Scale every query and key to a root mean square of one, then by learned weights, before "
        "RoPE (Henry 2020, ViT-22B, Qwen3): scores cannot grow without limit, so higher learning rates stay "
        "stable.",
    )
    logit_softcap: float = Field(
        title="Limit on logits",
        default=0.0,
        ge=0,
        le=1_000,
        description="Keep every logit between -c and c, smoothly: c tanh(logits / c) (Gemma 2). It limits how "
        "sure the model can be of one token. 0: off. Stories, 300 steps, validation loss: 1.41 with 30, 1.43 "
        "without, a difference within noise.",
        examples=[0.0, 10.0, 30.0, 50.0],
    )
    n_experts: int | None = Field(
        title="Experts",
        default=None,
        ge=2,
        le=4_096,
        description="Number of expert feed-forwards in a block. A router sends each token to a few of "
        "them (mixture of experts, Shazeer 2017). Empty: one feed-forward, a dense model.",
        examples=[2, 4, 8, 16, 32],
    )
    top_k: int = Field(
        title="Experts per token",
        default=2,
        ge=1,
        le=256,
        description="Experts that process each token. The others do no computation for it.",
        examples=[1, 2, 4],
    )
    moe_layer_indices: tuple[int, ...] | None = Field(
        title="Blocks with experts",
        default=None,
        description="Blocks that have experts; the others are dense. Empty: all. On the command line "
        "they are counted from 0: 1,3 means the second and the fourth block. Encoder blocks are counted "
        "first.",
    )
    router: RouterName = Field(
        default="topk",
        description="How experts are chosen: the most probable ones (topk, Shazeer 2017), only one "
        "(switch, Fedus 2022), by independent sigmoid scores (sigmoid, DeepSeek-V3), each expert chooses "
        "its tokens and sees the future (expert_choice, Zhou 2022), by a fixed hash of the token without "
        "learning (hash, Roller 2021), or with noise during training (noisy_topk, Shazeer 2017).",
    )
    renormalise: bool | None = Field(
        title="Gates sum to 1",
        default=None,
        description="Divide the gates of the chosen experts by their sum. Empty: yes, unless top_k is 1. "
        "With top_k = 1 every gate would be 1, and the router would get no gradient from the text.",
    )
    n_shared_experts: int = Field(
        title="Shared experts",
        default=0,
        ge=0,
        le=256,
        description="Experts that process every token, in addition to the chosen ones (DeepSeek-V2).",
        examples=[0, 1, 2],
    )
    d_expert: int | None = Field(
        title="Width of an expert",
        default=None,
        ge=1,
        le=1_048_576,
        description="Hidden width of one expert. Empty: that of the dense feed-forward. Many narrow "
        "experts are called fine-grained (DeepSeek-V2).",
        examples=[16, 32, 64, 128, 176],
    )
    capacity_factor: float | None = Field(
        title="Expert capacity",
        default=None,
        gt=0,
        le=1_000,
        description="Capacity: how many tokens an expert accepts, as a multiple of its fair share. Tokens "
        "above it are dropped and skip the expert (Switch). Empty: no token is dropped.",
        examples=[0.5, 1.0, 1.25, 2.0],
    )
    n_device: int = Field(
        title="Groups of experts",
        default=1,
        ge=1,
        le=4_096,
        description="Number of expert groups, each treated as one device. Used by the device and "
        "communication losses and by max_device.",
        examples=[1, 2, 4],
    )
    max_device: int | None = Field(
        title="Groups per token",
        default=None,
        ge=1,
        le=4_096,
        description="Largest number of groups from which the experts of one token may come "
        "(device-limited routing, DeepSeek-V2). Empty: no limit.",
        examples=[1, 2, 3],
    )

    @field_validator("moe_layer_indices", mode="before")
    @classmethod
    def _read_indices(cls, value: object) -> object:
        """Accept text such as "1, 3". Empty text means no list."""
        if not isinstance(value, str):
            return value
        words = value.replace(",", " ").split()
        if not all(word.isdecimal() and len(word) < 5 for word in words):
            raise field_error("moe_layer_indices", value, "must be block numbers such as 1,3")
        return [int(word) for word in words] or None

    @property
    def blocks(self) -> int:
        """Total number of blocks, including those of the encoder."""
        return (self.n_encoder_layer or 0) + self.n_layer

    @property
    def moe_layers(self) -> tuple[int, ...]:
        """Indices of the blocks with experts, from 0, encoder blocks first."""
        if self.n_experts is None:
            return ()
        every = tuple(range(self.blocks))
        return every if self.moe_layer_indices is None else self.moe_layer_indices

    @property
    def expert_width(self) -> int:
        """The hidden width of one expert."""
        return self.ff_width if self.d_expert is None else self.d_expert

    @property
    def is_causal(self) -> bool:
        """Whether the output at a token depends only on that token and earlier ones of its sequence.

        False if experts choose their tokens or tokens compete for capacity: then the output depends on
        later tokens or other sequences, and generation with a cache differs from that without.
        """
        crowded = self.router == "expert_choice" or self.capacity_factor is not None
        return not (self.moe_layers and crowded)

    @property
    def renormalised(self) -> bool:
        """Whether the gates of a token are divided by their sum."""
        wanted = self.top_k > 1 if self.renormalise is None else self.renormalise
        return wanted and self.router in LEARNED_GATES

    def vocabulary(self, stack: str) -> int:
        """Number of tokens that the "blocks" or the "encoder" read. It must be known."""
        size = self.src_vocab_size if stack == "encoder" else None
        found = size or self.vocab_size
        assert found is not None
        return found

    def pair_rows(self, vocabulary: int) -> int:
        """Rows of a table of token pairs: one for each pair, but at most `token_pairs`."""
        return min(vocabulary**2, self.token_pairs)

    @property
    def head_dim(self) -> int:
        """D, the width of one head."""
        return self.d_model // self.n_head

    @property
    def kv_heads(self) -> int:
        """Number of heads for keys and values."""
        return self.n_kv_head or self.n_head

    @property
    def ff_width(self) -> int:
        """The hidden width of the feed-forward: `d_ff`, or its default."""
        if self.d_ff is not None:
            return self.d_ff
        if self.feedforward in GATED:
            return max(8, round(8 * self.d_model / 3 / 8) * 8)
        return 4 * self.d_model

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.d_model % self.n_head:
            every = self.n_head * (2 if self.position in ("rope", "sinusoidal") else 1)
            below = self.d_model - self.d_model % every
            choices = [str(size) for size in (below, below + every) if size >= 2]
            raise field_error(
                "d_model",
                self.d_model,
                f"must be a multiple of n_head = {self.n_head}, such as {', '.join(choices)}",
            )
        if self.n_head % self.kv_heads:
            divisors = [str(n) for n in range(1, self.n_head + 1) if self.n_head % n == 0]
            raise field_error(
                "n_kv_head",
                self.n_kv_head,
                f"must divide n_head = {self.n_head}: {', '.join(divisors)}",
            )
        if self.position == "rope" and self.head_dim % 2:
            raise field_error(
                "d_model",
                self.d_model,
                f"RoPE rotates pairs, so d_model / n_head = {self.head_dim} must be even: "
                f"d_model a multiple of {2 * self.n_head}, or another position",
            )
        if self.position == "sinusoidal" and self.d_model % 2:
            raise field_error("d_model", self.d_model, "must be even with sinusoidal positions")
        return self

    @model_validator(mode="after")
    def _encoder_fits(self) -> Self:
        if self.src_vocab_size is None:
            return self
        if self.n_encoder_layer is None:
            raise field_error(
                "src_vocab_size", self.src_vocab_size, "must be empty without an encoder"
            )
        if self.share_embeddings and self.src_vocab_size != self.vocab_size:
            allowed = f"must be vocab_size = {self.vocab_size} if the embeddings are shared"
            raise field_error("src_vocab_size", self.src_vocab_size, allowed)
        return self

    @model_validator(mode="after")
    def _experts_fit(self) -> Self:
        layers = self.moe_layer_indices
        if self.n_experts is None:
            if layers is not None:
                raise field_error(
                    "moe_layer_indices", list(layers), "must be empty without n_experts"
                )
            return self
        if layers is not None and (
            not layers
            or list(layers) != sorted(set(layers))
            or not 0 <= layers[0] <= layers[-1]
            or layers[-1] >= self.blocks
        ):
            allowed = f"must be different block numbers in order, from 0 to {self.blocks - 1}"
            raise field_error("moe_layer_indices", list(layers), allowed)
        if self.top_k > self.n_experts:
            raise field_error("top_k", self.top_k, f"must be at most n_experts = {self.n_experts}")
        if self.router == "switch" and self.top_k != 1:
            raise field_error("top_k", self.top_k, "must be 1: Switch chooses one expert")
        if self.top_k == 1 and self.renormalise:
            allowed = "must be off with top_k = 1, because every gate would be 1"
            raise field_error("renormalise", True, allowed)
        if self.n_experts % self.n_device:
            divisors = [str(n) for n in range(1, self.n_experts + 1) if self.n_experts % n == 0]
            allowed = f"must divide n_experts = {self.n_experts}: {', '.join(divisors[:12])}"
            raise field_error("n_device", self.n_device, allowed)
        if self.max_device is not None:
            if self.max_device > self.n_device:
                allowed = f"must be at most n_device = {self.n_device}"
                raise field_error("max_device", self.max_device, allowed)
            within = self.max_device * self.n_experts // self.n_device
            if self.top_k > within:
                allowed = f"must be at most the {within} experts of max_device = {self.max_device}"
                raise field_error("top_k", self.top_k, allowed)
        return self
