"""The page's controls, derived from the configuration's fields.

A field's type says what kind of control it is, its `examples` where a slider stops, its
`description` what the help says. Only what a field is called in a sentence, and where it stands, is
said here. A new field shows up by itself, in the last group of its part.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, Union, get_args, get_origin

from engine.config import PART_OF, fields
from engine.data import CORPORA, TASKS

Kind = Literal["number", "choice", "switch", "list", "source"]

OWN_TEXT = "text"
"""`DataConfig.source` for a text of one's own."""

HIDDEN = {"vocab_size", "train_data_path", "valid_data_path"}
"""Fields without a control: a page's visitor has no business with paths on the machine that serves
it, and the vocabulary follows from the data."""

GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "Model": {
        "": ("d_model", "n_layer", "n_head"),
        "Architecture": (
            "max_seq_len", "position", "norm", "placement", "feedforward", "d_ff", "n_kv_head",
            "rope_theta", "dropout", "tie_embeddings", "bias",
        ),
    },
    "Data": {"": ("source", "task_length")},
    "Training": {
        "": ("total_steps", "max_lr"),
        "Optimiser": (
            "batch_size", "gradient_accumulation", "schedule", "warmup_steps", "min_lr",
            "weight_decay", "beta1", "beta2", "max_grad_norm", "seed",
        ),
        "Recording": (
            "log_interval", "eval_interval", "eval_steps", "sample_interval", "probe_interval",
            "save_interval", "keep_checkpoints", "valid_fraction",
        ),
        "Machine": ("device", "dtype", "threads", "compile"),
    },
}  # fmt: skip
"""The controls in their order: section, then group. The nameless groups are open, the others fold."""

LAST_GROUP = {
    "model": ("Model", "Architecture"),
    "data": ("Data", ""),
    "train": ("Training", "Recording"),
}
"""Where a field goes that is not in `GROUPS`, by its part of the configuration."""

LABELS = {
    "d_model": "Width",
    "n_layer": "Blocks",
    "n_head": "Attention heads",
    "max_seq_len": "Context",
    "position": "Positions",
    "norm": "Normalisation",
    "placement": "Norm placement",
    "feedforward": "Feed-forward",
    "d_ff": "Feed-forward width",
    "n_kv_head": "Key/value heads",
    "rope_theta": "RoPE base",
    "tie_embeddings": "Tied embeddings",
    "bias": "Biases",
    "source": "Learns from",
    "task_length": "Size of an item",
    "valid_fraction": "Held-out share",
    "total_steps": "Steps",
    "max_lr": "Learning rate",
    "min_lr": "Final learning rate",
    "warmup_steps": "Warm-up steps",
    "max_grad_norm": "Gradient clipping",
    "eval_interval": "Measure every",
    "eval_steps": "Batches per measurement",
    "log_interval": "Record every",
    "sample_interval": "Sample every",
    "probe_interval": "Attention every",
    "save_interval": "Checkpoint every",
    "keep_checkpoints": "Checkpoints kept",
    "dtype": "Precision",
}
"""What a field is called, where its own name does not say it."""

ONLY_WITH: dict[str, tuple[str, tuple[str, ...]]] = {
    "rope_theta": ("position", ("rope",)),
    "task_length": ("source", tuple(TASKS)),
    "valid_fraction": ("source", (*CORPORA, OWN_TEXT)),
}
"""Controls that mean nothing unless another field has one of some values."""


@dataclass(frozen=True)
class Control:
    """One control, as plain data for the view that draws it."""

    name: str
    """The field's own name, on the command line too."""
    kind: Kind
    label: str
    help: str
    choices: tuple[str, ...] = ()
    """What can be chosen, where that is a short list."""
    stops: tuple[float, ...] = ()
    """Values worth trying, ascending; any other in the limits can be typed."""
    integer: bool = False
    empty: bool = False
    """May it be left empty, so that the value follows from others?"""
    only_with: tuple[str, tuple[str, ...]] | None = None


def control(name: str, annotation: Any, info: Any) -> Control:
    """The control of one field. Raises `TypeError` for a kind of field that it does not know."""
    label = LABELS.get(name) or name.replace("_", " ").capitalize()
    common: dict[str, Any] = {
        "name": name,
        "label": label,
        "help": info.description,
        "only_with": ONLY_WITH.get(name),
    }
    kinds = [annotation]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        common["empty"] = len(kinds) < len(get_args(annotation))
    kind = kinds[0]
    if name == "source":
        return Control(kind="source", **common)
    if get_origin(kind) is Literal:
        return Control(kind="choice", choices=get_args(kind), **common)
    if kind is bool:
        return Control(kind="switch", **common)
    if get_origin(kind) is tuple:
        return Control(kind="list", **common)
    if kind in (int, float):
        stops = tuple(sorted(info.examples or ()))
        return Control(kind="number", stops=stops, integer=kind is int, **common)
    raise TypeError(f"{name}: there is no control for {annotation}")


def layout() -> list[dict[str, Any]]:
    """Every control in its place, as plain data: sections of groups of controls."""
    controls = {
        name: control(name, info.annotation, info)
        for _, name, info in fields()
        if name not in HIDDEN
    }
    places = {
        section: {g: list(names) for g, names in groups.items()}
        for section, groups in GROUPS.items()
    }
    placed = {name for groups in GROUPS.values() for names in groups.values() for name in names}
    for name in controls.keys() - placed:
        section, group = LAST_GROUP[PART_OF[name]]
        places[section][group].append(name)
    return [
        {
            "name": section,
            "groups": [
                {"name": group, "controls": [asdict(controls[name]) for name in names]}
                for group, names in groups.items()
            ],
        }
        for section, groups in places.items()
    ]


def sources() -> Iterator[dict[str, Any]]:
    """What `source` can be, each with a title and a sentence; a task also with its sizes."""
    for corpus in CORPORA.values():
        yield {
            "value": corpus.name,
            "group": "Texts",
            "title": corpus.title,
            "about": corpus.description,
        }
    yield {
        "value": OWN_TEXT,
        "group": "Texts",
        "title": "Your own text",
        "about": "Paste a text or choose a file, up to 1 MB. It stays on the machine that trains.",
    }
    for task in TASKS.values():
        yield {
            "value": task.name,
            "group": "Tasks with exact answers",
            "title": task.title,
            "about": task.description,
            "size": f"{task.size[0].upper()}{task.size[1:]}.",
            "smallest": task.smallest,
            "largest": task.largest,
        }
