"""The page's controls, derived from the configuration's fields.

A field's type says what kind of control it is, its `examples` where a slider stops, its
`title` what it is called, its `description` what the help says. Only where it stands is said here. A new field
shows up by itself, after the field that is declared before it.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

from engine.config import (
    LEARNED_GATES,
    PART_OF,
    VALUE_NAMES,
    RouterName,
    RunConfig,
    fields,
    label,
)
from engine.data import CORPORA, PAIRS, TASKS, Corpus, PairSource, Task

Kind = Literal["number", "choice", "switch", "blocks", "source"]

OWN_TEXT = "text"
"""`DataConfig.source` for a text of one's own."""

HIDDEN = {
    "vocab_size", "src_vocab_size", "train_data_path", "valid_data_path", "target_data_path",
    "valid_target_path", "parallel",
}  # fmt: skip
"""Fields without a control: a page's visitor has no business with paths on the machine that serves
it, the vocabulary is derived from the data, and each of the page's runs is one process."""

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "Model": {
        "Size": ("d_model", "n_layer", "n_encoder_layer", "n_head"),
        "Architecture": (
            "max_seq_len", "position", "norm", "placement", "feedforward", "d_ff", "n_kv_head",
            "rope_theta", "dropout", "tie_embeddings", "scale_embeddings", "share_embeddings", "bias",
            "zero_output", "qk_norm", "logit_softcap",
            "token_pairs", "value_embeddings", "embedding_skip",
        ),
        "Experts": (
            "n_experts", "top_k", "d_expert", "n_shared_experts", "moe_layer_indices", "router",
            "renormalise", "capacity_factor", "n_device", "max_device",
        ),
    },
    "Data": {"Data": ("source", "task_length", "tokenizer", "tokenizer_size", "valid_fraction")},
    "Training": {
        "Length and rate": ("total_steps", "max_lr"),
        "Optimizer": (
            "optimizer", "batch_size", "batch_tokens", "gradient_accumulation", "schedule", "warmup_steps",
            "min_lr", "weight_decay", "beta1", "beta2", "momentum", "newton_schulz_steps", "embedding_rate", "output_rate",
            "matrix_rate", "vector_rate", "max_grad_norm", "ema_decay", "label_smoothing", "seed",
        ),
        "Balancing": (
            "switch_loss", "expert_loss", "sequence_loss", "bias_rate", "bias_rule", "z_loss",
            "device_loss", "communication_loss",
        ),
        "Recording": (
            "log_interval", "eval_interval", "eval_steps", "sample_interval", "probe_interval",
            "save_interval", "keep_checkpoints",
        ),
        "Machine": ("device", "dtype", "threads", "compile"),
    },
}  # fmt: skip
"""The controls in their order: section, then group."""

LAST_GROUP = {
    "model": ("Model", "Architecture"),
    "data": ("Data", "Data"),
    "train": ("Training", "Recording"),
}
"""Where a field goes that is not in `GROUPS`, and that no placed field of its part is declared before."""

EMPTY = {
    "n_encoder_layer": "none",
    "batch_tokens": "batch size",
    "n_experts": "dense",
    "moe_layer_indices": "all",
    "capacity_factor": "no limit",
    "max_device": "any",
}
"""What a field left empty is called, where "auto" does not say it."""


@dataclass(frozen=True)
class Needs:
    """What another field has to be, for a control to mean anything."""

    field: str
    among: tuple[str, ...] = ()
    """One of these values;"""
    above: float | None = None
    """or a number greater than this. A field left empty is none."""

    def met(self, config: RunConfig) -> bool:
        """Is it so in this configuration?"""
        value = getattr(getattr(config, PART_OF[self.field]), self.field)
        return (
            value in self.among if self.above is None else value is not None and value > self.above
        )


EXPERTS = Needs("n_experts", above=1)
ENCODER = Needs("n_encoder_layer", above=0)
GROUPED = Needs("n_device", above=1)
BALANCED = Needs("router", ("topk", "switch", "sigmoid", "noisy_topk"))
"""Not where each expert takes its fair share by construction, nor where a hash decides."""
WRITTEN = Needs("source", (*CORPORA, OWN_TEXT, *PAIRS))
"""Not where the tokens are given, as they are of a task."""
LEARNED = Needs("router", ("topk", "switch", "sigmoid", "noisy_topk", "expert_choice"))

ONLY_WITH: dict[str, tuple[Needs, ...]] = {
    "rope_theta": (Needs("position", ("rope",)),),
    "task_length": (Needs("source", tuple(TASKS)),),
    "valid_fraction": (Needs("source", (*CORPORA, OWN_TEXT)),),
    "beta2": (Needs("optimizer", ("adamw", "lion", "muon")),),
    "momentum": (Needs("optimizer", ("muon",)),),
    "newton_schulz_steps": (Needs("optimizer", ("muon",)),),
    "share_embeddings": (ENCODER,),
    "tokenizer": (WRITTEN,),
    "tokenizer_size": (WRITTEN, Needs("tokenizer", ("word", "bpe"))),
    "batch_tokens": (Needs("source", tuple(PAIRS)),),
    "top_k": (EXPERTS, Needs("router", tuple(name for name in get_args(RouterName) if name != "switch"))),
    "moe_layer_indices": (EXPERTS,),
    "router": (EXPERTS,),
    "renormalise": (EXPERTS, Needs("router", LEARNED_GATES), Needs("top_k", above=1)),
    "n_shared_experts": (EXPERTS,),
    "d_expert": (EXPERTS,),
    "capacity_factor": (EXPERTS,),
    "n_device": (EXPERTS, BALANCED),
    "max_device": (EXPERTS, BALANCED, GROUPED),
    "switch_loss": (EXPERTS, BALANCED),
    "expert_loss": (EXPERTS, BALANCED),
    "sequence_loss": (EXPERTS, BALANCED),
    "bias_rate": (EXPERTS, BALANCED),
    "bias_rule": (EXPERTS, BALANCED, Needs("bias_rate", above=0)),
    "z_loss": (EXPERTS, LEARNED),
    "device_loss": (EXPERTS, BALANCED, GROUPED),
    "communication_loss": (EXPERTS, BALANCED, GROUPED),
}  # fmt: skip
"""Controls that mean nothing unless other fields have some values, all of them."""


@dataclass(frozen=True)
class Control:
    """One control, as plain data for the view that draws it."""

    name: str
    """The field's own name, on the command line too."""
    kind: Kind
    label: str
    help: str
    choices: tuple[str | bool | None, ...] = ()
    """What can be chosen, where that is a short list; None leaves the field empty."""
    stops: tuple[float, ...] = ()
    """Values worth trying, ascending; any other in the limits can be typed."""
    integer: bool = False
    empty: str | None = None
    """What it is called when left empty, so that the value is derived from others; None: it cannot be."""
    only_with: tuple[Needs, ...] = ()
    words: dict[str, str] = field(default_factory=dict[str, str])
    """What its choices are called, where their own names do not say it."""


def control(name: str, annotation: Any, info: Any) -> Control:
    """The control of one field. Raises `TypeError` for a kind of field that it does not know."""
    common: dict[str, Any] = {
        "name": name,
        "label": label(name),
        "help": info.description,
        "only_with": ONLY_WITH.get(name, ()),
    }
    kinds = [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) < len(get_args(annotation)):
            common["empty"] = EMPTY.get(name, "auto")
    kind = kinds[0]
    if name == "source":
        return Control(kind="source", **common)
    if name == "moe_layer_indices":
        return Control(kind="blocks", **common)
    if get_origin(kind) is Literal:
        empty = (None,) if "empty" in common else ()
        words = {value: VALUE_NAMES[value] for value in get_args(kind) if value in VALUE_NAMES}
        return Control(kind="choice", choices=(*empty, *get_args(kind)), words=words, **common)
    if kind is bool and "empty" in common:
        return Control(kind="choice", choices=(None, True, False), **common)
    if kind is bool:
        return Control(kind="switch", **common)
    if kind in (int, float):
        stops = tuple(sorted(info.examples or ()))
        return Control(kind="number", stops=stops, integer=kind is int, **common)
    raise TypeError(f"{name}: there is no control for {annotation}")


CONTROLS: dict[str, Control] = {
    name: control(name, info.annotation, info) for _, name, info in fields() if name not in HIDDEN
}


def matters(name: str, config: RunConfig) -> bool:
    """Does this field mean anything in this configuration?"""
    return all(needs.met(config) for needs in ONLY_WITH.get(name, ()))


def layout() -> list[dict[str, Any]]:
    """Every control in its place, as plain data: sections of groups of controls."""
    places = {
        section: {g: list(names) for g, names in groups.items()}
        for section, groups in GROUPS.items()
    }
    placed = {
        name: (section, group)
        for section, groups in GROUPS.items()
        for group, names in groups.items()
        for name in names
    }
    before: dict[str, str] = {}  # of each part: the field declared last
    for part, name, _ in fields():
        if name in HIDDEN:
            continue
        if name not in placed:
            beside = before.get(part)
            section, group = placed[name] = placed[beside] if beside else LAST_GROUP[part]
            among = places[section][group]
            among.insert(among.index(beside) + 1 if beside in among else len(among), name)
        before[part] = name
    return [
        {
            "name": section,
            "groups": [
                {"name": group, "controls": [asdict(CONTROLS[name]) for name in names]}
                for group, names in groups.items()
            ],
        }
        for section, groups in places.items()
    ]


def sources() -> Iterator[dict[str, Any]]:
    """What `source` can be, each with a title and a sentence; a task also with its sizes."""

    def entry(source: Corpus | PairSource | type[Task], group: str) -> dict[str, Any]:
        return {
            "value": source.name,
            "group": group,
            "title": source.title,
            "about": source.description,
        }

    yield from (entry(corpus, "Texts") for corpus in CORPORA.values())
    yield {
        "value": OWN_TEXT,
        "group": "Texts",
        "title": "Your own text",
        "about": "Paste a text or choose a file, up to 1 MB. It stays on the machine that trains.",
    }
    yield from (entry(pairs, "Texts to translate") for pairs in PAIRS.values())
    for task in TASKS.values():
        yield entry(task, "Tasks with exact answers") | {
            "size": f"{task.size[0].upper()}{task.size[1:]}.",
            "smallest": task.smallest,
            "largest": task.largest,
        }
