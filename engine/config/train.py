"""Training settings: optimizer, learning rates, balancing, recording, machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from engine.validation import Config, field_error

BiasRuleName = Literal["sign", "violation"]
OptimizerName = Literal["adamw", "sgd", "lion", "muon"]
ScheduleName = Literal["cosine", "linear", "constant", "wsd", "inverse_sqrt"]
DtypeName = Literal["fp32", "bf16", "fp16"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
ParallelName = Literal["ddp", "fsdp"]


class TrainConfig(Config):
    """Training settings: optimizer, learning-rate schedule, balancing, and recording intervals."""

    seed: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        description="Determines the initial weights, the batches and the dropout.",
    )
    total_steps: int = Field(
        title="Steps",
        default=1_000,
        ge=1,
        le=100_000_000,
        description="Number of updates.",
        examples=[100, 300, 1_000, 2_000, 5_000],
    )
    batch_size: int = Field(
        default=16,
        ge=1,
        le=65_536,
        description="Sequences per batch. More sequences make the gradient less noisy and a step slower.",
        examples=[4, 8, 16, 32, 64],
    )
    batch_tokens: int | None = Field(
        title="Tokens in a batch",
        default=None,
        ge=2,
        le=100_000_000,
        description="Maximum number of source tokens and of target tokens in a batch, including padding "
        "(translation only; Vaswani 2017, section 5.1). Empty: batch_size pairs.",
        examples=[512, 1_024, 2_048, 4_096],
    )
    gradient_accumulation: int = Field(
        default=1,
        ge=1,
        le=4_096,
        description="Number of batches whose gradients are averaged into one update. This gives a larger "
        "batch than fits into memory.",
        examples=[1, 2, 4],
    )
    optimizer: OptimizerName = Field(
        title="Optimizer",
        default="adamw",
        description="How gradients become updates. AdamW (Loshchilov 2019): every weight moves by at most about the "
        "learning rate. SGD with momentum: in proportion to the gradient; it needs a far higher max_lr and a far "
        "smaller weight_decay. Lion (Chen 2023): every weight moves by the learning rate, in the direction of "
        "a sign; it needs a max_lr 3 to 10 times smaller. Muon (Jordan 2024): matrices move in all directions "
        "equally, everything else as with AdamW. "
        "Stories, 300 steps, validation loss: 1.00 with Muon, 1.43 with AdamW, each at its best max_lr.",
    )
    max_lr: float = Field(
        title="Learning rate",
        default=3e-3,
        gt=0,
        le=10,
        description="The highest learning rate, reached after warm-up.",
        examples=[1e-4, 3e-4, 1e-3, 3e-3, 6e-3, 1e-2],
    )
    min_lr: float = Field(
        title="Final learning rate",
        default=3e-4,
        ge=0,
        le=10,
        description="The learning rate at the end of the schedule.",
        examples=[0.0, 1e-5, 1e-4, 3e-4],
    )
    schedule: ScheduleName = Field(
        default="cosine",
        description="How the learning rate decays after warm-up: half a cosine (cosine, Loshchilov 2017), "
        "linearly, not at all (constant), only in the last fifth (wsd: warm-up-stable-decay, Hu 2024), or "
        "with the inverse square root of the step (inverse_sqrt, Vaswani 2017).",
    )
    warmup_steps: int = Field(
        title="Warm-up steps",
        default=50,
        ge=0,
        le=10_000_000,
        description="Number of updates over which the learning rate rises from zero. AdamW's averages are "
        "still inaccurate in these first steps.",
        examples=[0, 10, 50, 100, 200],
    )
    weight_decay: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="How strongly weight matrices are pulled towards zero. AdamW applies it separately "
        "from the gradient (Loshchilov 2019); SGD adds it to the gradient. Norms and biases are not decayed.",
        examples=[0.0, 0.01, 0.1],
    )
    beta1: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="Decay rate of the optimizer's average of gradients: 0.9 averages about ten steps. For "
        "SGD it is the momentum.",
    )
    beta2: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="AdamW's memory of the squared gradient: 0.99 is about 100 steps. Lion's memory of the gradient.",
    )
    momentum: float = Field(
        title="Momentum (Muon)",
        default=0.95,
        ge=0,
        lt=1,
        description="Muon's memory of the gradient, for matrices: 0.95 is about 20 steps.",
    )
    newton_schulz_steps: int = Field(
        title="Newton-Schulz iterations (Muon)",
        default=5,
        ge=1,
        le=10,
        description="How many times Muon applies its polynomial to a matrix: each time costs three matrix products, and "
        "lifts small singular values about threefold. Five lift a hundredth to about one (Jordan 2024); three leave "
        "the weakest directions behind, and here the loss is no higher for that.",
        examples=[3, 5],
    )
    embedding_rate: float = Field(
        title="Rate of embeddings",
        default=1.0,
        ge=0,
        le=100,
        description="Factor on the learning rate for embeddings. A token's row has a gradient "
        "only when the token occurs, so it may take larger steps. "
        "Stories, 300 steps, validation loss: 1.43 at 1, 1.27 at 3, 1.20 at 5.",
        examples=[1.0, 3.0, 5.0],
    )
    output_rate: float = Field(
        title="Rate of the output matrix",
        default=1.0,
        ge=0,
        le=100,
        description="Factor on the learning rate for the output matrix. If it is tied to the embedding, the factor for "
        "embeddings applies.",
        examples=[0.5, 1.0, 3.0],
    )
    matrix_rate: float = Field(
        title="Rate of matrices",
        default=1.0,
        ge=0,
        le=100,
        description="Factor on the learning rate for the matrices of the blocks.",
        examples=[0.5, 1.0, 3.0],
    )
    vector_rate: float = Field(
        title="Rate of norms and biases",
        default=1.0,
        ge=0,
        le=100,
        description="Factor on the learning rate for norms and biases.",
        examples=[0.5, 1.0, 3.0],
    )
    max_grad_norm: float = Field(
        title="Gradient clipping",
        default=1.0,
        ge=0,
        le=1e9,
        description="Maximum gradient norm: longer gradients are scaled down to it (Pascanu 2013). 0: no "
        "clipping.",
        examples=[0.0, 0.5, 1.0],
    )
    ema_decay: float = Field(
        title="Average of weights",
        default=0.0,
        ge=0,
        lt=1,
        description="Average the weights over the steps (Polyak 1992; here a moving average, EMA): 0.99 averages "
        "about the last 100. The average has less of the noise of single batches, but lags behind. Evaluation, "
        "samples, attention maps and stored models use it; the training loss is that of the weights themselves. "
        "0: no average. Stories, 300 steps, validation loss: 1.58 with 0.99, 1.43 without.",
        examples=[0.0, 0.9, 0.99, 0.999],
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of each target's probability that is spread evenly over the vocabulary, so that "
        "the model does not become overconfident (Szegedy 2016; 0.1 in Vaswani 2017).",
        examples=[0.0, 0.05, 0.1],
    )
    switch_loss: float = Field(
        title="Loss on first choices",
        default=0.01,
        ge=0,
        le=1_000,
        description="Weight of the Switch balance loss E Σ f P, where f counts first choices "
        "(Fedus 2022). Without balancing, a router soon uses only a few of its experts.",
        examples=[0.0, 0.001, 0.01, 0.1, 1.0],
    )
    expert_loss: float = Field(
        title="Loss on all choices",
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V2's expert-level balance loss, where f counts all choices.",
        examples=[0.0, 0.001, 0.01, 0.1],
    )
    device_loss: float = Field(
        title="Loss on groups",
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V2's device-level balance loss, which balances the load of expert "
        "groups. Needs n_device above 1.",
        examples=[0.0, 0.01, 0.05],
    )
    communication_loss: float = Field(
        title="Loss on traffic",
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V2's communication balance loss, which balances the number of "
        "tokens that groups receive. Needs n_device above 1.",
        examples=[0.0, 0.01, 0.02],
    )
    sequence_loss: float = Field(
        title="Loss in each sequence",
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of DeepSeek-V3's sequence-level balance loss, which balances within each "
        "sequence.",
        examples=[0.0, 0.0001, 0.01],
    )
    z_loss: float = Field(
        title="Loss on large logits",
        default=0.0,
        ge=0,
        le=1_000,
        description="Weight of the router z-loss, which keeps the router's logits small (ST-MoE, Zoph 2022). "
        "It does not balance the experts.",
        examples=[0.0, 0.001, 0.01],
    )
    bias_rate: float = Field(
        title="Bias step (no loss)",
        default=0.0,
        ge=0,
        le=10,
        description="Balancing without a loss (Wang 2024, DeepSeek-V3): after each update, the selection "
        "bias of an expert with too few tokens rises by this amount, and that of an expert with too many "
        "tokens falls by it.",
        examples=[0.0, 0.001, 0.01, 0.1],
    )
    bias_rule: BiasRuleName = Field(
        title="How the bias moves",
        default="sign",
        description="How far bias_rate moves an expert's bias: always by bias_rate (sign, as in "
        "DeepSeek-V3), or by bias_rate times the deviation of the expert's load from its fair share "
        "(violation), which stops at an even load.",
    )
    eval_interval: int = Field(
        title="Measure every",
        default=50,
        ge=1,
        le=10_000_000,
        description="Steps between evaluations on validation data.",
    )
    eval_steps: int = Field(
        title="Batches per measurement",
        default=8,
        ge=1,
        le=1_000_000,
        description="Validation batches in one evaluation.",
    )
    log_interval: int = Field(
        title="Record every",
        default=1,
        ge=1,
        le=1_000_000,
        description="Steps between recorded losses.",
    )
    sample_interval: int = Field(
        title="Sample every",
        default=100,
        ge=0,
        le=10_000_000,
        description="Steps between sampled texts. 0: none.",
    )
    probe_interval: int = Field(
        title="Attention every",
        default=10,
        ge=0,
        le=10_000_000,
        description="Steps between recorded attention maps of one fixed sequence. 0: none.",
    )
    save_interval: int = Field(
        title="Checkpoint every",
        default=100,
        ge=1,
        le=10_000_000,
        description="Steps between checkpoints. The last step is always saved.",
    )
    keep_checkpoints: int = Field(
        title="Checkpoints kept",
        default=12,
        ge=2,
        le=10_000,
        description="Maximum number of checkpoints. When there are more, the one with the closest neighbours "
        "is deleted; the first and the newest are always kept.",
    )
    device: DeviceName = Field(
        default="auto",
        description="Device to train on. auto: CUDA if available, else Apple's MPS, else the CPU.",
    )
    dtype: DtypeName = Field(
        title="Precision",
        default="fp32",
        description="Precision of matrix products: fp32, or mixed precision with bf16, or with fp16 and loss "
        "scaling (Micikevicius 2018). Mixed precision is faster on a GPU only.",
    )
    compile: bool = Field(
        default=False, description="Compile the model with torch.compile; needs a C++ compiler."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1_024,
        description="CPU threads. Empty: chosen by a measurement at the start of the run, because two "
        "threads can be faster or much slower than one.",
        examples=[1, 2, 4],
    )
    parallel: ParallelName = Field(
        default="ddp",
        description="How the processes of torchrun share a batch of batch_size sequences in total: each has "
        "the full model (ddp), or a shard of every weight, for models that do not fit (fsdp, Zhao 2023). "
        "Not used by a single process.",
    )

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        if self.min_lr > self.max_lr:
            raise field_error("min_lr", self.min_lr, f"must not be above max_lr = {self.max_lr:g}")
        if self.warmup_steps > self.total_steps:
            raise field_error(
                "warmup_steps",
                self.warmup_steps,
                f"must not be above total_steps = {self.total_steps}",
            )
        return self
