"""What a checkpoint, this machine and this host do not allow of a run."""

from __future__ import annotations

from engine.config import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)
from engine.estimate import (
    flops_per_step,
    parameters,
)
from engine.runs.states import incompatible_fields
from engine.runs.store import Run, RunError
from engine.validation import ConfigError, Problem
from playground import settings
from playground.planning.choice import Fork
from playground.planning.controls import OWN_TEXT
from playground.planning.own_text import stored_tokenizer, tokenizer_of

TEXT = {
    "fork.gone": "The checkpoint from which this run should continue is gone.",
    "fork.model": "must stay {value}, or the weights of the checkpoint would not fit",
    "fork.data": "gives other tokens than those that the checkpoint was trained on",
    "fork.steps": "must be above step {step}, where the fork begins",
    "host.most": "must be at most {most:,} on this host",
    "host.least": "must be at least {least:,} on this host",
    "host.compile": "must be off on this host: a compiler would take the processor from all others",
    "host.parameters": "makes {count:,} parameters, and this host takes at most {most:,}; lower the "
    "width, the blocks or the experts",
    "host.step": "makes a step of {work:,.1f} GFLOP, and this host takes at most {most:g}; lower the "
    "batch, the context or the width",
    "host.storage": "would fill {needed}, and a run may take at most {most} on this host; keep fewer "
    "checkpoints, or record attention less often",
    "host.device": "must be auto or cpu: this host trains on its processor",
}

MAKE_TOKENS = ("source", "task_length", "tokenizer", "tokenizer_size", "valid_fraction")
"""Fields that decide which tokens there are: words and their pieces are those of the training part."""

HOST_LIMITS = {
    "max_seq_len": "max_context",
    "n_layer": "max_layers",
    "n_encoder_layer": "max_layers",
    "n_experts": "max_experts",
    "n_shared_experts": "max_experts",
    "tokenizer_size": "max_vocabulary",
    "total_steps": "max_steps",
    "eval_steps": "max_eval_steps",
    "threads": "max_threads",
}
"""Fields that a host may limit, and the names of these limits in its settings."""

INTERVALS = ("eval_interval", "sample_interval", "probe_interval", "save_interval")
"""Steps between two of what takes long or fills the disk: a host may set the smallest. 0 is never."""

SAVED_BYTES = 12
"""Of one parameter in a checkpoint: the weight, and the optimizer's two averages, in fp32."""

AVERAGED_BYTES = 4
"""Of one parameter, if weights are averaged: the average too."""

LOGGED_BYTES = 200
"""Of one step in the run's log, or a little less."""

MAX_PROBES, PROBED_TOKENS = 500, 48
"""Attention maps that a run records at most, and the length of their text, as in the engine."""


def fork_obstacles(fork: Fork) -> list[str]:
    steps = {checkpoint.step for checkpoint in fork.run.checkpoints()}
    return [] if fork.step in steps else [TEXT["fork.gone"]]


def fork_problems(fork: Fork, config: RunConfig) -> list[Problem]:
    """What cannot go on from the weights of that checkpoint."""
    theirs, differences = fork.run.config.flat(), config.differences(fork.run.config)
    problems = [
        Problem(name, value, TEXT["fork.model"].format(value=_word(theirs[name])))
        for name, value in incompatible_fields(config, fork.run.config).items()
    ]
    changed = [name for name in MAKE_TOKENS if name in differences]
    if changed and not _same_tokens(fork.run, config.data, config.model):
        problems.append(Problem(changed[0], differences[changed[0]], TEXT["fork.data"]))
    if config.train.total_steps <= fork.step:
        allowed = TEXT["fork.steps"].format(step=fork.step)
        problems.append(Problem("total_steps", config.train.total_steps, allowed))
    return problems


def _same_tokens(run: Run, data: DataConfig, model: ModelConfig) -> bool:
    """Does this run's model read the very tokens that this data would have?"""
    sources = data.source, run.config.data.source
    if OWN_TEXT in sources and len(set(sources)) > 1:
        return False
    try:
        own = data.source == OWN_TEXT
        found = stored_tokenizer(run.path, data.to_json()) if own else tokenizer_of(data, model)
        return run.tokenizer().to_json() == found.to_json()
    except (RunError, ConfigError):
        return False


def machine_problems(config: RunConfig) -> list[Problem]:
    """What this machine cannot do. PyTorch is asked only about what is not a matter of course."""
    train, usual = config.train, TrainConfig()
    if settings.current().cpu_only:
        if train.device not in ("auto", "cpu"):
            return [Problem("device", train.device, TEXT["host.device"])]
        train = train.model_copy(update={"device": "cpu"})
        usual = usual.model_copy(update={"device": "cpu"})
    if (train.device, train.dtype, train.compile) == (usual.device, usual.dtype, usual.compile):
        return []
    from engine.training import devices

    try:
        devices.prepare(train)
    except ConfigError as error:
        return error.problems
    return []


def limit_problems(config: RunConfig) -> list[Problem]:
    """Which single fields are beyond what this host allows."""
    host, values = settings.current(), config.flat()
    problems: list[Problem] = []
    for name, setting in HOST_LIMITS.items():
        most: int | None = getattr(host, setting)
        if most is not None and values[name] is not None and values[name] > most:
            problems.append(Problem(name, values[name], TEXT["host.most"].format(most=most)))
    least = host.min_interval
    for name in INTERVALS:
        if least is not None and 0 < values[name] < least:
            problems.append(Problem(name, values[name], TEXT["host.least"].format(least=least)))
    if host.public and config.train.compile:
        problems.append(Problem("compile", True, TEXT["host.compile"]))
    return problems


def host_problems(config: RunConfig, vocabulary: int) -> list[Problem]:
    """What of the complete run is beyond what this host allows."""
    host, model, train = settings.current(), config.model, config.train
    values = config.flat()
    problems: list[Problem] = []
    counts, most = parameters(model, vocabulary), host.max_parameters
    if most is not None and counts["total"] > most:
        allowed = TEXT["host.parameters"].format(count=counts["total"], most=most)
        field = "token_pairs" if 2 * counts["pairs"] > counts["total"] else "d_model"
        problems.append(Problem(field, values[field], allowed))
    work, largest = flops_per_step(config, vocabulary) / 1e9, host.max_step_gflop
    if largest is not None and work > largest:
        field = "batch_size" if train.batch_tokens is None else "batch_tokens"
        allowed = TEXT["host.step"].format(work=work, most=largest)
        problems.append(Problem(field, values[field], allowed))
    needed, room = storage_bytes(config, vocabulary), host.max_run_mb
    if room is not None and needed > 1e6 * room:
        allowed = TEXT["host.storage"].format(needed=in_bytes(needed), most=in_bytes(1e6 * room))
        problems.append(Problem("keep_checkpoints", train.keep_checkpoints, allowed))
    return problems


def storage_bytes(config: RunConfig, vocabulary: int) -> float:
    """About what a run's folder takes on the disk when it has finished, in bytes; rather more."""
    model, train = config.model, config.train
    saved = min(max(2, train.keep_checkpoints), train.total_steps // train.save_interval + 2) + 1
    saved_bytes = SAVED_BYTES + (AVERAGED_BYTES if train.ema_decay else 0)
    checkpoint = saved_bytes * parameters(model, vocabulary)["total"]
    probes = train.total_steps // train.probe_interval if train.probe_interval else 0
    layers = 2 * model.n_layer + (model.n_encoder_layer or 0)  # also what crosses, or is routed
    snapshot = layers * model.n_head * min(model.max_seq_len, PROBED_TOKENS) ** 2
    logged = LOGGED_BYTES * train.total_steps / train.log_interval
    return saved * checkpoint + min(probes, MAX_PROBES) * snapshot + logged


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "empty" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def in_bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
