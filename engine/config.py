"""What a run is made of, as data: the model, what it reads, and how it is trained.

Each configuration is frozen, validated, and JSON both ways. Every field carries its own
documentation, its limits and values worth trying, so the command line, the page's controls and
the ablations are derived from here and never written again.

Nothing in this file loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic.fields import FieldInfo
from typing_extensions import Self

from engine.jsonl import read_object, read_stored
from engine.validation import Config, ConfigError, Problem, refuse

NormName = Literal["rmsnorm", "layernorm", "none"]
PlacementName = Literal["pre", "post"]
PositionName = Literal["rope", "sinusoidal", "learned", "alibi", "none"]
FeedForwardName = Literal["swiglu", "geglu", "gelu", "relu", "silu"]
RouterName = Literal["topk", "switch", "sigmoid", "expert_choice", "hash", "noisy_topk"]
BiasRuleName = Literal["sign", "violation"]
OptimizerName = Literal["adamw", "sgd"]
ScheduleName = Literal["cosine", "linear", "constant", "wsd", "inverse_sqrt"]
DtypeName = Literal["fp32", "bf16", "fp16"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
ParallelName = Literal["ddp", "fsdp"]
TokenizerName = Literal["char", "word", "byte", "bpe"]

GATED: tuple[FeedForwardName, ...] = ("swiglu", "geglu")
"""Feed-forwards with a third matrix, the gate (Shazeer 2020, "GLU Variants Improve ...")."""

OWN_FILES: tuple[str, ...] = ("text", "pairs")
"""Sources that read files of one's own."""

BYTE_VALUES = 256
"""Tokens that byte-pair encoding begins with."""

GIVEN_SIZES: dict[TokenizerName, str] = {
    "char": "as many tokens as characters",
    "byte": f"{BYTE_VALUES} tokens",
}
"""Tokenizers whose number of tokens nobody chooses, and what it is."""

LEARNED_GATES: tuple[RouterName, ...] = ("topk", "sigmoid", "noisy_topk")
"""Routers whose gates may be divided by their sum over the chosen experts (`renormalise`)."""


class ModelConfig(Config):
    """A decoder-only Transformer. The defaults are pre-norm RMSNorm, RoPE and SwiGLU.

    With `n_experts`, blocks have a mixture of experts in place of their feed-forward. With
    `n_encoder_layer`, an encoder reads a text, and the decoder writes its translation.
    """

    vocab_size: int | None = Field(
        default=None,
        ge=2,
        le=1_000_000,
        description="How many different tokens there are. Empty: as many as the tokenizer has.",
    )
    max_seq_len: int = Field(
        default=128,
        ge=2,
        le=131_072,
        description="Context: how many tokens the model can look back on, and the length of a "
        "training sequence. The cost of attention grows with its square.",
        examples=[32, 64, 128, 256],
    )
    d_model: int = Field(
        default=64,
        ge=2,
        le=65_536,
        description="Width: how many numbers describe one token inside the model.",
        examples=[16, 32, 64, 96, 128, 192, 256],
    )
    n_layer: int = Field(
        default=2,
        ge=1,
        le=512,
        description="How many blocks are stacked. Some skills, such as induction, need two.",
        examples=[1, 2, 3, 4, 6, 8],
    )
    n_encoder_layer: int | None = Field(
        default=None,
        ge=1,
        le=512,
        description="Blocks of an encoder that reads a text to translate; the decoder looks at what "
        "it read in every block (cross-attention). Empty: no encoder, a language model.",
        examples=[1, 2, 3, 6],
    )
    n_head: int = Field(
        default=4,
        ge=1,
        le=1_024,
        description="Attention heads per block. Each looks for something else; together they share "
        "the width, so d_model must be a multiple.",
        examples=[1, 2, 4, 8],
    )
    n_kv_head: int | None = Field(
        default=None,
        ge=1,
        le=1_024,
        description="Heads for keys and values. Empty: one for each query head (MHA). Fewer is "
        "grouped-query attention (GQA, Ainslie 2023), one is MQA (Shazeer 2019): a smaller cache.",
        examples=[1, 2, 4, 8],
    )
    d_ff: int | None = Field(
        default=None,
        ge=1,
        le=1_048_576,
        description="Width inside the feed-forward. Empty: 4 d_model, or two thirds of that, in "
        "steps of 8, with a gate, so that both have about the same number of parameters.",
        examples=[64, 128, 176, 256, 344, 512, 688, 1024],
    )
    norm: NormName = Field(
        default="rmsnorm",
        description="Normalisation: RMSNorm (Zhang 2019) scales only, LayerNorm (Ba 2016) also "
        "centres. Without one, deep models do not train.",
    )
    placement: PlacementName = Field(
        default="pre",
        description="Where the norm stands: before each sub-layer (GPT-2), or after the residual "
        "sum as in the paper of 2017, which needs warm-up (Xiong 2020).",
    )
    position: PositionName = Field(
        default="rope",
        description="How the model knows the order of tokens: rotated queries and keys (RoPE, Su "
        "2021), added waves, added learned vectors, a penalty on distance (ALiBi, Press 2022), or "
        "not at all.",
    )
    feedforward: FeedForwardName = Field(
        default="swiglu",
        description="What each token computes on its own after attention. SwiGLU and GEGLU have a "
        "gate (Shazeer 2020); GELU, ReLU and SiLU are plain two-layer networks.",
    )
    rope_theta: float = Field(
        default=10_000.0,
        gt=1,
        le=1e9,
        description="RoPE's base: the larger, the slower the slowest rotation. Only used by RoPE.",
        examples=[100.0, 1_000.0, 10_000.0, 500_000.0],
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of activations set to zero at random while training (Srivastava 2014). "
        "Helps when the data is read many times over.",
        examples=[0.0, 0.05, 0.1, 0.2],
    )
    tie_embeddings: bool = Field(
        default=True,
        description="Use one matrix both to read tokens and to predict them (Press & Wolf 2017).",
    )
    scale_embeddings: bool = Field(
        default=False,
        description="Multiply embeddings by the square root of d_model, as in the paper of 2017: they "
        "begin as large as the paper's waves, not small.",
    )
    share_embeddings: bool = Field(
        default=True,
        description="With an encoder: read the text to translate with the same embedding as the "
        "translation. Needs one vocabulary for both.",
    )
    src_vocab_size: int | None = Field(
        default=None,
        ge=2,
        le=1_000_000,
        description="With an encoder: how many different tokens the texts to translate have. Empty: "
        "as many as the translations.",
    )
    bias: bool = Field(
        default=False,
        description="Add a learned offset in every linear layer and LayerNorm, as in GPT-2.",
    )
    n_experts: int | None = Field(
        default=None,
        ge=2,
        le=4_096,
        description="Feed-forwards that stand side by side in a block; a router sends each token to "
        "a few of them (mixture of experts, Shazeer 2017). Empty: one for all, a dense model.",
        examples=[2, 4, 8, 16, 32],
    )
    top_k: int = Field(
        default=2,
        ge=1,
        le=256,
        description="Experts that work on each token. The others cost nothing for it.",
        examples=[1, 2, 4],
    )
    moe_layer_indices: tuple[int, ...] | None = Field(
        default=None,
        description="Which blocks have experts; the others are dense. Empty: all. On the command "
        "line they are counted from 0: 1,3 are the second and the fourth. Those of an encoder come "
        "first.",
    )
    router: RouterName = Field(
        default="topk",
        description="How experts are chosen: the most probable (Shazeer 2017), one alone as in "
        "Switch (Fedus 2022), by independent sigmoid scores (DeepSeek-V3), experts that choose "
        "their tokens (Zhou 2022, sees the future), by a fixed hash of the token, which learns "
        "nothing (Roller 2021), or with noise while training (Shazeer 2017).",
    )
    renormalise: bool | None = Field(
        default=None,
        description="Divide the gates of the chosen experts by their sum. Empty: yes, unless top_k "
        "is 1, where every gate would be 1 and the router would learn nothing from the text.",
    )
    n_shared_experts: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Experts that every token passes through, beside those that are chosen "
        "(DeepSeek-V2).",
        examples=[0, 1, 2],
    )
    d_expert: int | None = Field(
        default=None,
        ge=1,
        le=1_048_576,
        description="Width inside one expert. Empty: as wide as the dense feed-forward. Many narrow "
        "experts are called fine-grained (DeepSeek-V2).",
        examples=[16, 32, 64, 128, 176],
    )
    capacity_factor: float | None = Field(
        default=None,
        gt=0,
        le=1_000,
        description="Room for tokens in each expert, as a multiple of its fair share; what does not "
        "fit is dropped and passes by (Switch). Empty: nothing is ever dropped.",
        examples=[0.5, 1.0, 1.25, 2.0],
    )
    n_device: int = Field(
        default=1,
        ge=1,
        le=4_096,
        description="Groups of experts, as if each stood on a device of its own. Used by the "
        "device and communication losses and by max_device.",
        examples=[1, 2, 4],
    )
    max_device: int | None = Field(
        default=None,
        ge=1,
        le=4_096,
        description="Groups that the experts of one token may come from (device-limited routing, "
        "DeepSeek-V2). Empty: any.",
        examples=[1, 2, 3],
    )

    @field_validator("moe_layer_indices", mode="before")
    @classmethod
    def _read_indices(cls, value: object) -> object:
        """Takes text too: "1, 3"; nothing in it is the same as no list."""
        if not isinstance(value, str):
            return value
        words = value.replace(",", " ").split()
        if not all(word.isdecimal() and len(word) < 5 for word in words):
            raise refuse("moe_layer_indices", value, "must be block numbers such as 1,3")
        return [int(word) for word in words] or None

    @property
    def blocks(self) -> int:
        """How many blocks there are in all, those of the encoder included."""
        return (self.n_encoder_layer or 0) + self.n_layer

    @property
    def moe_layers(self) -> tuple[int, ...]:
        """The blocks that have experts, counted from 0, through the encoder and on."""
        if self.n_experts is None:
            return ()
        every = tuple(range(self.blocks))
        return every if self.moe_layer_indices is None else self.moe_layer_indices

    @property
    def expert_width(self) -> int:
        """The width inside one expert."""
        return self.ff_width if self.d_expert is None else self.d_expert

    @property
    def alone(self) -> bool:
        """Does what is computed for a token depend on it and those before it alone?

        Not where experts choose their tokens, nor where tokens compete for room: such a model sees
        later tokens or other rows, and generates differently with a cache than without.
        """
        crowded = self.router == "expert_choice" or self.capacity_factor is not None
        return not (self.moe_layers and crowded)

    @property
    def renormalised(self) -> bool:
        """Are the gates of a token divided by their sum?"""
        wanted = self.top_k > 1 if self.renormalise is None else self.renormalise
        return wanted and self.router in LEARNED_GATES

    @property
    def head_dim(self) -> int:
        """D, the width of one head."""
        return self.d_model // self.n_head

    @property
    def kv_heads(self) -> int:
        """How many heads keys and values have."""
        return self.n_kv_head or self.n_head

    @property
    def ff_width(self) -> int:
        """The width inside the feed-forward: `d_ff`, or what its being empty stands for."""
        if self.d_ff is not None:
            return self.d_ff
        if self.feedforward in GATED:
            return max(8, round(8 * self.d_model / 3 / 8) * 8)
        return 4 * self.d_model

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.d_model % self.n_head:
            below = self.d_model - self.d_model % self.n_head
            choices = [str(size) for size in (below, below + self.n_head) if size >= 2]
            raise refuse(
                "d_model",
                self.d_model,
                f"must be a multiple of n_head = {self.n_head}, such as {', '.join(choices)}",
            )
        if self.n_head % self.kv_heads:
            divisors = [str(n) for n in range(1, self.n_head + 1) if self.n_head % n == 0]
            raise refuse(
                "n_kv_head",
                self.n_kv_head,
                f"must divide n_head = {self.n_head}: {', '.join(divisors)}",
            )
        if self.position == "rope" and self.head_dim % 2:
            raise refuse(
                "d_model",
                self.d_model,
                f"RoPE rotates pairs, so d_model / n_head = {self.head_dim} must be even: "
                f"d_model a multiple of {2 * self.n_head}, or another position",
            )
        if self.position == "sinusoidal" and self.d_model % 2:
            raise refuse("d_model", self.d_model, "must be even with sinusoidal positions")
        return self

    @model_validator(mode="after")
    def _encoder_fits(self) -> Self:
        if self.src_vocab_size is None:
            return self
        if self.n_encoder_layer is None:
            raise refuse("src_vocab_size", self.src_vocab_size, "must be empty without an encoder")
        if self.share_embeddings and self.src_vocab_size != self.vocab_size:
            allowed = f"must be vocab_size = {self.vocab_size} where the embeddings are shared"
            raise refuse("src_vocab_size", self.src_vocab_size, allowed)
        return self

    @model_validator(mode="after")
    def _experts_fit(self) -> Self:
        layers = self.moe_layer_indices
        if self.n_experts is None:
            if layers is not None:
                raise refuse("moe_layer_indices", list(layers), "must be empty without n_experts")
            return self
        if layers is not None and (
            not layers
            or list(layers) != sorted(set(layers))
            or not 0 <= layers[0] <= layers[-1]
            or layers[-1] >= self.blocks
        ):
            allowed = f"must be different block numbers in order, from 0 to {self.blocks - 1}"
            raise refuse("moe_layer_indices", list(layers), allowed)
        if self.top_k > self.n_experts:
            raise refuse("top_k", self.top_k, f"must be at most n_experts = {self.n_experts}")
        if self.router == "switch" and self.top_k != 1:
            raise refuse("top_k", self.top_k, "must be 1: Switch chooses one expert")
        if self.top_k == 1 and self.renormalise:
            allowed = "must be off with top_k = 1: every gate would be 1, whatever the router says"
            raise refuse("renormalise", True, allowed)
        if self.n_experts % self.n_device:
            divisors = [str(n) for n in range(1, self.n_experts + 1) if self.n_experts % n == 0]
            allowed = f"must divide n_experts = {self.n_experts}: {', '.join(divisors[:12])}"
            raise refuse("n_device", self.n_device, allowed)
        if self.max_device is not None:
            if self.max_device > self.n_device:
                allowed = f"must be at most n_device = {self.n_device}"
                raise refuse("max_device", self.max_device, allowed)
            within = self.max_device * self.n_experts // self.n_device
            if self.top_k > within:
                allowed = f"must be at most the {within} experts of max_device = {self.max_device}"
                raise refuse("top_k", self.top_k, allowed)
        return self


class DataConfig(Config):
    """What a run learns from: a corpus or task by name, or files of one's own."""

    source: str = Field(
        default="stories",
        min_length=1,
        max_length=64,
        description="The corpus, task or pairs to translate, by name; 'text' reads train_data_path, "
        "'pairs' reads texts and their translations from there.",
    )
    train_data_path: str | None = Field(
        default=None,
        description="A text file (UTF-8), or a .bin file of token ids, as prepare writes them, to learn "
        "from. For pairs: text, tab and translation in each line, or the texts alone.",
    )
    target_data_path: str | None = Field(
        default=None,
        description="The translations, line by line, of train_data_path. Empty: train_data_path is "
        "a TSV file.",
    )
    valid_data_path: str | None = Field(
        default=None,
        description="Held-out text, ids or pairs. Empty: the last part of the training file.",
    )
    valid_target_path: str | None = Field(
        default=None,
        description="The translations, line by line, of valid_data_path, where the training "
        "translations are a file of their own too.",
    )
    valid_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of a text, or of pairs in files, at its end, that is held out for "
        "validation.",
    )
    tokenizer: TokenizerName | None = Field(
        default=None,
        description="What a token is: a character, a word, a byte, or a frequent piece of a word "
        "(byte-pair encoding, Sennrich 2016). Empty: characters of a text, words of pairs.",
    )
    tokenizer_size: int | None = Field(
        default=None,
        ge=2,
        le=1_000_000,
        description="How many words or pieces of words to aim for. Empty: every word that comes "
        "often enough; 1,000 pieces for a text, 8,000 for pairs.",
        examples=[500, 1_000, 2_000, 4_000, 8_000, 16_000],
    )
    task_length: int = Field(
        default=8,
        ge=1,
        le=64,
        description="Size of a task's items: symbols to copy, digits to add, and so on.",
        examples=[2, 3, 4, 8, 12, 16],
    )

    @model_validator(mode="after")
    def _paths_fit(self) -> Self:
        own = self.source in OWN_FILES
        if own and self.train_data_path is None:
            allowed = f"must name a file when source is '{self.source}'"
            raise refuse("train_data_path", None, allowed)
        if not own and self.train_data_path is not None:
            allowed = "must be 'text' or 'pairs' when train_data_path is set"
            raise refuse("source", self.source, allowed)
        return self

    @model_validator(mode="after")
    def _translations_fit(self) -> Self:
        if self.source != "pairs":
            for name in ("target_data_path", "valid_target_path"):
                if getattr(self, name) is not None:
                    raise refuse(name, getattr(self, name), "must go with source = 'pairs'")
        elif self.target_data_path is None or self.valid_data_path is None:
            if self.valid_target_path is not None:
                allowed = "must go with valid_data_path and target_data_path"
                raise refuse("valid_target_path", self.valid_target_path, allowed)
        elif self.valid_target_path is None:
            allowed = "must name the translations of valid_data_path, as target_data_path does"
            raise refuse("valid_target_path", None, allowed)
        return self

    @model_validator(mode="after")
    def _tokenizer_fits(self) -> Self:
        size = self.tokenizer_size
        if size is not None and self.tokenizer in GIVEN_SIZES:
            allowed = (
                f"must be empty: with '{self.tokenizer}' there are {GIVEN_SIZES[self.tokenizer]}"
            )
            raise refuse("tokenizer_size", size, allowed)
        if size is not None and size < BYTE_VALUES and self.tokenizer == "bpe":
            allowed = f"must be at least {BYTE_VALUES} with 'bpe', which begins with every byte"
            raise refuse("tokenizer_size", size, allowed)
        return self


class TrainConfig(Config):
    """How a model is trained: optimizer, learning-rate schedule, and what is recorded when."""

    seed: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        description="Fixes the initial weights, the batches and the dropout.",
    )
    total_steps: int = Field(
        default=1_000,
        ge=1,
        le=100_000_000,
        description="How many updates to make.",
        examples=[100, 300, 1_000, 2_000, 5_000],
    )
    batch_size: int = Field(
        default=16,
        ge=1,
        le=65_536,
        description="Sequences per update. More is smoother and slower.",
        examples=[4, 8, 16, 32, 64],
    )
    batch_tokens: int | None = Field(
        default=None,
        ge=2,
        le=100_000_000,
        description="Most tokens of source and of target in a batch, padding included (translation "
        "only; Vaswani 2017, section 5.1). Empty: batch_size pairs.",
        examples=[512, 1_024, 2_048, 4_096],
    )
    gradient_accumulation: int = Field(
        default=1,
        ge=1,
        le=4_096,
        description="Batches whose gradients are averaged into one update: a larger batch than "
        "fits into memory.",
        examples=[1, 2, 4],
    )
    optimizer: OptimizerName = Field(
        default="adamw",
        description="How gradients become updates: steps of at most about the learning rate for every "
        "weight (AdamW, Loshchilov 2019), or in proportion to the gradient (SGD with momentum), which "
        "needs a far higher max_lr and a far smaller weight_decay.",
    )
    max_lr: float = Field(
        default=3e-3,
        gt=0,
        le=10,
        description="The highest learning rate, reached after warm-up.",
        examples=[1e-4, 3e-4, 1e-3, 3e-3, 6e-3, 1e-2],
    )
    min_lr: float = Field(
        default=3e-4,
        ge=0,
        le=10,
        description="The learning rate at the end of the schedule.",
        examples=[0.0, 1e-5, 1e-4, 3e-4],
    )
    schedule: ScheduleName = Field(
        default="cosine",
        description="How the learning rate falls after warm-up: half a cosine (Loshchilov 2017), "
        "a line, not at all, only in the last fifth (warm-up-stable-decay, Hu 2024), or with the "
        "inverse square root of the step (Vaswani 2017).",
    )
    warmup_steps: int = Field(
        default=50,
        ge=0,
        le=10_000_000,
        description="Updates over which the learning rate rises from zero, while AdamW's averages "
        "are still poor.",
        examples=[0, 10, 50, 100, 200],
    )
    weight_decay: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="How strongly matrices are pulled towards zero, apart from the gradient "
        "(AdamW, Loshchilov 2019; for SGD it is added to the gradient). Norms and biases are left "
        "alone.",
        examples=[0.0, 0.01, 0.1],
    )
    beta1: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="The optimizer's memory of the gradient: 0.9 is about ten steps. SGD's is called "
        "momentum.",
    )
    beta2: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="AdamW's memory of the squared gradient: 0.99 is about 100 steps.",
    )
    max_grad_norm: float = Field(
        default=1.0,
        ge=0,
        le=1e9,
        description="Gradients longer than this are scaled down to it (Pascanu 2013). 0: never.",
        examples=[0.0, 0.5, 1.0],
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of each target that is spread over the whole vocabulary, so that the model "
        "is never quite sure (Szegedy 2016; 0.1 in the paper of 2017).",
        examples=[0.0, 0.05, 0.1],
    )
    switch_loss: float = Field(
        default=0.01,
        ge=0,
        le=1_000,
        description="Weight of the Switch balance loss E Σ f P, where f counts first choices "
        "(Fedus 2022). Without any balancing, a router soon uses few of its experts.",
        examples=[0.0, 0.001, 0.01, 0.1, 1.0],
    )
    expert_loss: float = Field(
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V2's expert-level balance loss, where f counts all choices.",
        examples=[0.0, 0.001, 0.01, 0.1],
    )
    device_loss: float = Field(
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V2's device-level loss: groups of experts share the work "
        "evenly. Needs n_device above 1.",
        examples=[0.0, 0.01, 0.05],
    )
    communication_loss: float = Field(
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V2's communication loss: groups receive equally many "
        "tokens. Needs n_device above 1.",
        examples=[0.0, 0.01, 0.02],
    )
    sequence_loss: float = Field(
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V3's loss that balances within each sequence.",
        examples=[0.0, 0.0001, 0.01],
    )
    z_loss: float = Field(
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of the router's z-loss, which keeps its logits small (ST-MoE, Zoph 2022). "
        "It does not balance.",
        examples=[0.0, 0.001, 0.01],
    )
    bias_rate: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Balancing without a loss: after each update, an expert with too few tokens gets "
        "this much more score when experts are chosen, one with too many so much less (Wang 2024, "
        "DeepSeek-V3).",
        examples=[0.0, 0.001, 0.01, 0.1],
    )
    bias_rule: BiasRuleName = Field(
        default="sign",
        description="How far bias_rate moves an expert: always by all of it (sign, as in "
        "DeepSeek-V3), or by it times how far the expert's work is from its fair share (violation), "
        "which comes to rest where the work is even.",
    )
    eval_interval: int = Field(
        default=50, ge=1, le=10_000_000, description="Steps between measurements on held-out data."
    )
    eval_steps: int = Field(
        default=8, ge=1, le=1_000_000, description="Batches of held-out data in one measurement."
    )
    log_interval: int = Field(
        default=1, ge=1, le=1_000_000, description="Steps between recorded losses."
    )
    sample_interval: int = Field(
        default=100, ge=0, le=10_000_000, description="Steps between sampled texts. 0: none."
    )
    probe_interval: int = Field(
        default=10,
        ge=0,
        le=10_000_000,
        description="Steps between recorded attention maps of one fixed sequence. 0: none.",
    )
    save_interval: int = Field(
        default=100,
        ge=1,
        le=10_000_000,
        description="Steps between checkpoints; the last step always is one.",
    )
    keep_checkpoints: int = Field(
        default=12,
        ge=2,
        le=10_000,
        description="Checkpoints kept. When there are more, the one whose neighbours are closest "
        "goes; the first and the newest always stay.",
    )
    device: DeviceName = Field(
        default="auto", description="Where to compute. auto: CUDA, then Apple's MPS, then the CPU."
    )
    dtype: DtypeName = Field(
        default="fp32",
        description="Precision of the matrix products: fp32, or mixed precision with bf16 or with "
        "fp16 and loss scaling (Micikevicius 2018), which pay on a GPU.",
    )
    compile: bool = Field(
        default=False, description="Compile the model with torch.compile; needs a C++ compiler."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1_024,
        description="CPU threads. Empty: measured at the start of the run, since two can be faster "
        "or far slower than one.",
        examples=[1, 2, 4],
    )
    parallel: ParallelName = Field(
        default="ddp",
        description="How the processes of torchrun share the work, batch_size sequences in all: the "
        "whole model in each (ddp), or a part of every weight in each, for models that do not fit (fsdp, "
        "Zhao 2023). One process does not use it.",
    )

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        if self.min_lr > self.max_lr:
            raise refuse("min_lr", self.min_lr, f"must not be above max_lr = {self.max_lr:g}")
        if self.warmup_steps > self.total_steps:
            raise refuse(
                "warmup_steps",
                self.warmup_steps,
                f"must not be above total_steps = {self.total_steps}",
            )
        return self


class RunConfig(Config):
    """A whole run. No field name is in two of its parts, so a flat mapping names any of them."""

    model: ModelConfig = Field(default_factory=lambda: ModelConfig())
    data: DataConfig = Field(default_factory=lambda: DataConfig())
    train: TrainConfig = Field(default_factory=lambda: TrainConfig())

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """Build from `{"d_model": 128, "max_lr": 1e-3, ...}`; what is absent takes its default.

        Raises `ConfigError` with every problem of every part.
        """
        parts: dict[str, dict[str, Any]] = {name: {} for name in PARTS}
        problems: list[Problem] = []
        for name, value in values.items():
            part = PART_OF.get(name)
            if part is None:
                problems.append(Problem(name, value, "is not the name of a field"))
            else:
                parts[part][name] = value
        built: dict[str, Any] = {}
        for part, config in PARTS.items():
            try:
                built[part] = config.parse(parts[part])
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)
        return cls(**built)

    def flat(self) -> dict[str, Any]:
        """Every field of every part, by its own name."""
        return {name: getattr(getattr(self, part), name) for name, part in PART_OF.items()}

    def changes(self) -> dict[str, Any]:
        """Only what differs from the defaults, flat: `from_flat(config.changes()) == config`."""
        return {
            name: value for part in PARTS for name, value in getattr(self, part).changes().items()
        }

    def differences(self, base: RunConfig) -> dict[str, Any]:
        """What differs from another run, flat, with this run's values."""
        mine, other = self.flat(), base.flat()
        return {name: value for name, value in mine.items() if value != other[name]}


PARTS: dict[str, type[Config]] = {"model": ModelConfig, "data": DataConfig, "train": TrainConfig}
PART_OF: dict[str, str] = {
    name: part for part, config in PARTS.items() for name in config.model_fields
}


def fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """Every field as (part, name, info): what the command line and the page are derived from."""
    for part, config in PARTS.items():
        for name, info in config.model_fields.items():
            yield part, name, info


def read_config(path: Path) -> RunConfig:
    """Read a run's configuration from a JSON file: nested as `to_json` writes it, or flat.

    Raises `ConfigError` for what is in it, `OSError` where it cannot be read.
    """
    text = read_stored(path)
    try:
        return RunConfig.from_json(text)
    except ConfigError as nested:
        values = read_object(text)
        if values is None or set(values) <= set(PARTS):
            raise nested from None
        return RunConfig.from_flat(values)
