"""The parameters of a model in groups, by their role for an optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from torch import Tensor
from torch.nn import Parameter

Kind = Literal["embedding", "output", "matrix", "vector"]
"""The role of a parameter for an optimizer: see `kind_of`."""


def kind_of(name: str, parameter: Tensor) -> Kind:
    """Tables of tokens, token pairs and positions; the matrix that gives the logits; other matrices; norms and biases.

    The stacked biases of experts are vectors, although they have two dimensions.
    """
    if parameter.dim() < 2 or name.endswith(".bias"):
        return "vector"
    parts = name.split(".")
    if parts[-2:-1] == ["embedding"] or "table" in parts:
        return "embedding"
    return "output" if name == "output.weight" else "matrix"


def rows_of(name: str, parameter: Tensor) -> tuple[int, ...] | None:
    """The rows of each projection in a matrix that holds several: q, k and v, or k and v; else None."""
    rows, columns = parameter.shape[-2:] if parameter.dim() >= 2 else (0, 0)
    if name.endswith(".qkv.weight"):
        return (columns, (rows - columns) // 2, (rows - columns) // 2)
    return (rows // 2, rows // 2) if name.endswith(".kv.weight") else None


def parameter_groups(named_parameters: Iterable[tuple[str, Parameter]]) -> list[dict[str, Any]]:
    """One group for each kind of parameter that there is.

    Weight decay pulls matrices and embeddings towards zero and leaves vectors alone; "decays" says so.
    """
    groups: dict[Kind, dict[str, Any]] = {}
    for name, parameter in named_parameters:
        kind = kind_of(name, parameter)
        group = groups.setdefault(kind, {"params": [], "kind": kind, "decays": kind != "vector"})
        group["params"].append((name, parameter))
        if kind == "vector":
            group["weight_decay"] = 0.0
    return list(groups.values())
